"""``nbops.contract_editor()``: a contract as a form, judged on the data while it is edited, saved as clean YAML."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbops.contract.config import load_config
from nbops.contract.vocabulary import LOGICAL_TYPES
from nbops.errors import ContractError, NbopsError
from nbops.lab.shown import Shown
from nbops.pages.text import count, short
from nbops.pages.words import expectation, rule
from nbops.widgets.base import Widget, front_end
from nbops.workflow.contract_editing import ContractSession
from nbops.workflow.live_check import LiveCheck, Look
from nbops.workflow.project import find_root

if TYPE_CHECKING:
    from nbops.model import CheckResult
    from nbops.widgets.base import Answer

__all__ = ["ContractEditor", "contract_editor"]

_MOST_RULES = 300
_MOST_LINES = 500
_MOST_VALUES = 200
_LONG = 400
_WORST = ("failed", "errored", "warned", "passed", "skipped")


def contract_editor(dataset: str) -> ContractEditor:
    """Edit the contract of a dataset in a notebook; what it says is judged on the published data meanwhile.

    Args:
        dataset: The dataset's name.

    Returns:
        A widget; ``.session`` is what it edits (:class:`nbops.workflow.contract_editing.ContractSession`).

    Raises:
        ConfigError: The notebook is in no project, the dataset has no contract, or its file cannot be read.
    """
    root = find_root(Path.cwd())
    return ContractEditor(ContractSession(root, load_config(root), dataset))


class ContractEditor(Widget):
    """A contract as a form.

    Args:
        session: The contract being edited; the widget and Python see the same.
    """

    _esm = front_end("contract", "js")
    _css = front_end("contract", "css")

    def __init__(self, session: ContractSession) -> None:
        self.session = session
        self._look: Look | None = None
        self._number = 0
        super().__init__(self._state())
        self._live = LiveCheck(session.root, session.config, tell=self._heard)
        self._judge()

    def close(self) -> None:
        """Close the widget; nothing is judged any more."""
        self._live.close()
        super().close()

    def _answers(self) -> dict[str, Answer]:
        session = self.session
        return {
            "set": self._set,
            "add": lambda data: self._done(lambda: session.add_column(_text(data, "name"), self._type_of(_text(data, "name")))),
            "drop": lambda data: self._done(lambda: session.drop_column(_text(data, "column"))),
            "undo": lambda _: self._done(session.undo),
            "redo": lambda _: self._done(session.redo),
            "revert": lambda _: self._done(session.revert),
            "look": lambda _: {"state": self._state(), "said": ""},
            "save": lambda _: self._done(session.save),
            "over": lambda _: self._done(lambda: session.save(over=True)),
            "take": lambda _: self._done(self._take_in),
        }

    def _set(self, data: dict[str, Any]) -> dict[str, Any]:
        field, column, value = _text(data, "field"), data.get("column"), data.get("value")
        if column is not None and not isinstance(column, str):
            raise NbopsError("column: must be text.")
        if field == "values" and isinstance(value, str):
            value = self._values(column, value)
        return self._done(lambda: self.session.set(field, value, column=column))

    def _values(self, column: str | None, text: str) -> list[Any]:
        """Return allowed values, one a line, of the column's type."""
        known = next((one for one in self.session.fields()["columns"] if one["name"] == column), None)
        kind = known["logicalType"] if known is not None else None
        if kind == "boolean":
            return [{"true": True, "false": False}.get(line.strip().lower(), line) for line in text.splitlines() if line.strip()]
        lines = [line for line in text.splitlines() if line.strip()]
        if kind not in _KINDS:
            return lines
        try:
            return [_KINDS[kind](line) for line in lines]
        except ValueError as error:
            raise ContractError(f"allowed values: {short(str(error), 100)}; the column is of type {kind}.") from None

    def _type_of(self, name: str) -> str | None:
        """Return the logical type that a column of the data has, where one is plain."""
        kind = dict(self._look.columns).get(name, "").upper() if self._look is not None else ""
        starts = {
            "VARCHAR": "string", "BOOLEAN": "boolean", "DATE": "date", "TIMESTAMP": "timestamp", "TIME": "time",
            "DOUBLE": "number", "FLOAT": "number", "DECIMAL": "number",
        }  # fmt: skip
        if kind.endswith(("INT", "INTEGER")):
            return "integer"
        return next((logical for start, logical in starts.items() if kind.startswith(start)), None)

    def _take_in(self) -> str:
        lost = self.session.take_in()
        said = "The file was read anew, and your changes are made on it."
        if lost:
            said += f" These could not be made there: {', '.join(map(str, lost))}."
        return said

    def _done(self, what: Callable[[], object]) -> dict[str, Any]:
        said = what()
        self._judge()
        state = self._state()
        self.view = state
        return {"state": state, "said": said if isinstance(said, str) else ""}

    # -- judging

    def _judge(self) -> None:
        try:
            self._number = self._live.ask(self.session.contract())
        except ContractError:
            self._number = self._live.give_up()

    def _heard(self, look: Look) -> None:
        self._look = look
        self.tell("look", self._judged())

    def _judged(self) -> dict[str, Any] | None:
        look = self._look
        if look is None:
            return None
        known = {one["name"] for one in self.session.fields()["columns"]}
        results = sorted(look.results, key=lambda one: _WORST.index(one.verdict))
        tally = {word: sum(one.verdict == word for one in results) for word in _WORST}
        return {
            "number": look.number,
            "basis": look.basis,
            "rows": count(look.rows),
            "error": short(look.error, _LONG) if look.error else "",
            "waiting": look.waiting,
            "tally": {word: number for word, number in tally.items() if number},
            "results": [_result(one) for one in results[:_MOST_RULES]],
            "more": max(0, len(results) - _MOST_RULES),
            "unknown": [name for name, _ in look.columns if name not in known][:_MOST_RULES],
        }

    def _state(self) -> dict[str, Any]:
        session = self.session
        lines = session.diff()
        fields = session.fields()
        for column in fields["columns"]:
            values = column.pop("values")
            column["values"] = "\n".join(str(value).lower() if isinstance(value, bool) else str(value) for value in values)
        return {
            "dataset": session.dataset,
            "file": session.shown,
            "fields": _texts(fields),
            "problems": [short(line, 2 * _LONG) for line in session.problems()],
            "changes": len(session.edits),
            "changed": session.changed,
            "diff": [line[:2_000] for line in lines[:_MOST_LINES]],
            "moreLines": max(0, len(lines) - _MOST_LINES),
            "conflict": session.conflict() or "",
            "undo": session.can_undo,
            "redo": session.can_redo,
            "asked": self._number,
            "look": self._judged(),
            "types": sorted(LOGICAL_TYPES),
        }

    def _shown(self) -> Shown:
        fields = self.session.fields()
        notes = [f"file: {self.session.shown}", f"owner: {fields['owner'] or 'nobody'}", *self.session.problems()]
        if self.session.changed:
            notes.append(f"{len(self.session.edits)} changes are not saved")
        return Shown(
            title=f"Contract of {self.session.dataset} {fields['version'] or ''}: {fields['description'] or ''}",
            columns=("column", "type", "rules", "classification", "meaning"),
            rows=tuple(_row(column) for column in fields["columns"]),
            notes=tuple(notes),
        )


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)


_KINDS: dict[str, Callable[[str], int | float]] = {"integer": int, "number": _number}


def _text(data: dict[str, Any], key: str) -> str:
    value = data.get(key)
    if not isinstance(value, str):
        raise NbopsError(f"{key}: must be text.")
    return value


def _texts(value: Any) -> Any:
    """Return numbers as text: a browser's end at 2^53."""
    if isinstance(value, dict):
        return {key: _texts(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_texts(item) for item in value]
    return value if value is None or isinstance(value, bool | str) else str(value)


def _result(one: CheckResult) -> dict[str, Any]:
    check = one.check
    return {
        "id": short(check.id, _LONG),
        "column": check.column,
        "rule": short(" ".join(part for part in (rule(check), expectation(check)) if part), _LONG),
        "verdict": one.verdict,
        "severity": check.severity,
        "message": short(one.message, _LONG),
        "failing": count(one.failing_rows) if one.failing_rows else "",
    }


def _row(column: dict[str, Any]) -> tuple[str, ...]:
    words = {"required": "required", "unique": "unique", "primaryKey": "key"}
    rules = [word for key, word in words.items() if column[key]]
    bounds = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength", "pattern", "format")
    rules += [f"{key} {column[key]}" for key in bounds if column[key] is not None]
    values = column["values"]
    if values:
        rules.append(f"one of {', '.join(map(str, values[:_MOST_VALUES]))}")
    rules += [f"{column['rules']} more"] if column["rules"] else []
    kept = " ".join(part for part in (column["classification"], "(values are not shown)" if column["masked"] else "") if part)
    kind = column["logicalType"] or column["physicalType"] or ""
    return column["name"], kind, "; ".join(rules), kept, column["description"] or ""
