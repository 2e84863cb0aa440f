"""``nbops.panel()``: a task's parameters as a form; run it as the pipeline would, watch it, stop it, and see the verdicts."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbops.contract.config import load_config
from nbops.contract.odcs import load_contracts
from nbops.errors import NbopsError
from nbops.lab.builds import read_log, start_build, state_of, stop_build
from nbops.lab.injection import parameters_cell
from nbops.lab.overview import overview
from nbops.lab.shown import Shown
from nbops.record.store import latest_run
from nbops.widgets.base import Widget, front_end
from nbops.widgets.parameters import Field, fields_of
from nbops.widgets.place import href, notebook_here, place_of
from nbops.widgets.values import shown_as, value_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nbops.adapters.pipeline_yaml import FileTask, PipelineFile
    from nbops.contract.records import Contract, ContractColumn
    from nbops.widgets.base import Answer

    Find = Callable[[str | None, str], tuple[str, ContractColumn] | None]

__all__ = ["Panel", "panel"]

_MOST = 60
_WIDE = 80
_NAMED = 5


def panel(task: str | None = None, *, folder: str | Path = ".") -> Panel:
    """Return a form of a task's parameters that runs the task as the pipeline would, in a process of its own.

    What is typed holds for that run only: neither the notebook nor ``pipeline.yaml`` is changed, and the next build has the
    pipeline's own values again.

    Args:
        task: The task's name; by default the one whose notebook this is.
        folder: The project, or a folder in it.

    Raises:
        UnknownTarget: No task is called so; or the notebook is no task's, and no name was given.
        ConfigError: There is no project here, or its files are wrong.
        ContractError: A contract is wrong.
    """
    notebook = notebook_here()
    found = place_of(task, folder=Path(folder).resolve(), notebook=notebook)
    return Panel(*found, notebook=notebook)


class Panel(Widget):
    """A task's parameters, its run and its verdicts."""

    _esm = front_end("panel", "js")
    _css = front_end("panel", "css")

    def __init__(self, pipeline: PipelineFile, task: FileTask, *, notebook: Path | None = None) -> None:
        self._pipeline, self._task, self._notebook = pipeline, task, notebook
        self._root = pipeline.root.resolve()
        self._fields = _fields(pipeline, task)
        super().__init__(
            {
                "task": task.name,
                "pipeline": pipeline.path.name,
                "source": _inside(task.source, self._root),
                "fields": [_form(field) for field in self._fields.values()],
                "result": self._result(),
            }
        )

    @property
    def values(self) -> dict[str, Any]:
        """What the pipeline gives the task now, by parameter."""
        return {name: field.value for name, field in self._fields.items() if field.kind != "fixed"}

    def _answers(self) -> dict[str, Answer]:
        return {
            "check": self._check,
            "run": self._run,
            "state": self._state,
            "stop": self._stop,
            "result": lambda _: self._result(),
        }

    def _check(self, data: dict[str, Any]) -> dict[str, Any]:
        """Return what is wrong with what was typed, by parameter; nothing for what is right."""
        raw = data.get("values")
        return {"errors": self._read(raw if isinstance(raw, dict) else {})[1]}

    def _read(self, raw: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
        """Return the values that differ from the pipeline's, and what is wrong with the others."""
        changed: dict[str, Any] = {}
        errors: dict[str, str] = {}
        for name, field in self._fields.items():
            if name not in raw or field.kind == "fixed" or raw[name] == shown_as(field, field.value):
                continue
            try:
                value = value_of(field, raw[name])
            except ValueError as error:
                errors[name] = str(error)
            else:
                if json.dumps(value) != json.dumps(field.value):
                    changed[name] = value
        return changed, errors

    def _run(self, data: dict[str, Any]) -> dict[str, Any]:
        """Start the task's build; nothing is started when a value is wrong."""
        raw = data.get("values")
        changed, errors = self._read(raw if isinstance(raw, dict) else {})
        if errors:
            return {"errors": errors, "started": None}
        started = self.run(changed, upstream=data.get("upstream") is True, force=data.get("force") is True)
        return {"errors": {}, "started": started, "changed": sorted(changed)}

    def run(self, parameters: Mapping[str, Any] | None = None, *, upstream: bool = True, force: bool = False) -> str:
        """Start the task's build, as the form's button does, and return at once with the build's id.

        Args:
            parameters: Values in place of the pipeline's.
            upstream: Build what the task depends on first, where it is stale.
            force: Run what is up to date, too.

        Raises:
            LockedError: The project is being built.
        """
        name = self._pipeline.path.name
        return start_build(
            self._root,
            pipeline=None if name == "pipeline.yaml" else name,
            task=self._task.name,
            upstream=upstream,
            force=force,
            parameters=parameters,
        ).id

    def _state(self, data: dict[str, Any]) -> dict[str, Any]:
        """Return how the project's build goes, with its log from a byte on."""
        offset = data.get("offset")
        text, following = read_log(self._root, offset=offset if isinstance(offset, int) and not isinstance(offset, bool) else 0)
        state = state_of(self._root)
        mine = asdict(state.mine) if state.mine is not None else None
        return {
            "running": state.running,
            "who": state.who,
            "id": mine["id"] if mine else None,
            "command": mine["command"] if mine else None,
            "exit_code": state.exit_code,
            "log": text,
            "offset": following,
            "progress": _progress(self._root) if state.running else None,
        }

    def _stop(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"stopped": stop_build(self._root)}

    def _result(self) -> dict[str, Any]:
        """Return what the latest run says of the task: state, verdicts on its datasets, checks that did not pass."""
        known = overview(self._root, self._root, pipeline=self._pipeline.path.name)
        mine = next((item for item in known["tasks"] if item["name"] == self._task.name), None)
        result: dict[str, Any] = {"error": known["error"], "run": known["run"], "task": None}
        if mine is None:
            return result
        keep = ("stale", "reasons", "verdict", "status", "error", "last_success")
        page = self._href(mine["page"]) if mine["page"] else None
        datasets = [
            {**{key: item[key] for key in ("name", "verdict", "rows", "published")}, "checks": item["checks"][:_MOST],
             "more": max(len(item["checks"]) - _MOST, 0),
             "page": self._href(item["page"]) if item["page"] else None}
            for item in mine["datasets"]
        ]  # fmt: skip
        return {**result, "task": {**{key: mine[key] for key in keep}, "page": page, "datasets": datasets}}

    def _href(self, page: str) -> dict[str, Any]:
        return href(self._root / page, root=self._root, notebook=self._notebook)

    def _shown(self) -> Shown:
        result = self.view["result"]["task"] or {}
        verdicts = [f"{item['name']}: {item['verdict']}" for item in result.get("datasets", ())]
        checks = [
            f"{check['id']}: {check['verdict']}: {check['message']}"
            for item in result.get("datasets", ())
            for check in item["checks"]
        ]
        rows = tuple(
            (
                field.name,
                field.kind,
                "" if field.kind == "fixed" else json.dumps(field.value, ensure_ascii=False),
                _allowed(field),
                field.help,
            )
            for field in self._fields.values()
        )
        return Shown(
            title=f"Parameters of {self._task.name}",
            columns=("parameter", "type", "value", "allowed", "meaning"),
            rows=rows,
            notes=(
                *(() if rows else ("It has no parameters.",)),
                *verdicts,
                *checks[:_MOST],
                "Run the cell in a notebook to have a form here.",
            ),
        )


def _inside(path: Path | None, root: Path) -> str | None:
    return path.relative_to(root).as_posix() if path is not None and path.is_relative_to(root) else None


def _progress(root: Path) -> dict[str, Any] | None:
    """Return how far the run that goes on is; None before its ledger is there."""
    try:
        run = latest_run(root / load_config(root).reports)
    except (NbopsError, OSError):
        return None
    if run is None or run.status != "running":
        return None
    tasks = [task for task in run.tasks if task.status != "not_selected"]
    return {"done": sum(task.status != "interrupted" for task in tasks), "all": len(tasks)}


def _fields(pipeline: PipelineFile, task: FileTask) -> dict[str, Field]:
    cell = None
    if task.source is not None:
        import jupytext  # noqa: PLC0415 - a second of imports, and only here

        try:
            cell = parameters_cell(jupytext.read(task.source))
        except (OSError, ValueError) as error:
            raise NbopsError(f"{task.source}: the notebook cannot be read: {error}") from error
    contracts = load_contracts(pipeline.root / load_config(pipeline.root).contracts)
    fields = fields_of(cell, task.params, _finder(contracts, pipeline, task))
    return {field.name: field for field in fields}


def _finder(contracts: Mapping[str, Contract], pipeline: PipelineFile, task: FileTask) -> Find:
    """Return what finds a contract's column by name: in the dataset that is named, else in those that the task makes."""
    product = task.product if isinstance(task.product, dict) else {"": task.product}
    names = {*product, *(Path(str(value)).stem for value in product.values())}
    own = [contract for name, contract in contracts.items() if name in names]

    def find(dataset: str | None, column: str) -> tuple[str, ContractColumn] | None:
        looked = own if dataset is None else [contracts[dataset]] if dataset in contracts else []
        for contract in looked:
            for found in contract.columns:
                if found.name == column and not found.personal:
                    return f"{contract.dataset}.{column}", _with_rules(found, contract)
        if dataset is not None:
            raise NbopsError(
                f"{pipeline.path.name}: task {task.name}: a comment names the contract of {dataset}.{column}, which there is not."
            )
        return None

    return find


def _with_rules(column: ContractColumn, contract: Contract) -> ContractColumn:
    """Return a column with what the contract's rules allow in it, where no row may break them."""
    rules: dict[str, Any] = {}
    for check in contract.checks:
        if check.column == column.name and check.metric == "invalidValues" and check.operator == "mustBe" and check.expected == 0:
            rules |= dict(check.arguments)
    values = tuple(rules.pop("validValues", ()))
    return replace(column, values=column.values or values, options={**rules, **column.options})


def _form(field: Field) -> dict[str, Any]:
    return {
        "name": field.name,
        "kind": field.kind,
        "value": field.value if field.kind == "fixed" else shown_as(field, field.value),
        "optional": field.optional,
        "choices": [shown_as(field, choice) for choice in field.choices] if field.kind != "list" else [],
        "minimum": field.minimum,
        "maximum": field.maximum,
        "allowed": _allowed(field),
        "help": field.help,
        "long": field.kind in {"list", "dict", "json"}
        or (isinstance(field.value, str) and ("\n" in field.value or len(field.value) > _WIDE)),
    }


def _allowed(field: Field) -> str:
    """Return in words what a field takes, beyond its kind."""
    low, high = field.minimum, field.maximum
    words = []
    if field.choices:
        words.append(
            f"one of {len(field.choices)} values"
            if len(field.choices) > _NAMED
            else "one of " + ", ".join(map(str, field.choices))
        )
    if low is not None or high is not None:
        words.append(
            f"{low:,} to {high:,}"
            if low is not None and high is not None
            else f"at least {low:,}"
            if low is not None
            else f"at most {high:,}"
        )
    if field.pattern is not None:
        words.append(f"matches {field.pattern}")
    fewest, most = field.lengths
    if fewest is not None or most is not None:
        words.append(f"{fewest or 0} characters or more" if most is None else f"{fewest or 0} to {most} characters")
    if words and field.origin:
        words.append(f"by the contract of {field.origin}")
    return "; ".join(words)
