"""Partitions of a backfill: the values that a range stands for, and which of them have a good run already."""

from __future__ import annotations

import calendar
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Literal

from nbops.adapters.env_file import environment_values, given_values
from nbops.adapters.pipeline_yaml import find_pipeline
from nbops.errors import ConfigError, LedgerError, NbopsError, did_you_mean
from nbops.history.index import open_history
from nbops.record.store import loader, read_run
from nbops.workflow.fingerprint import Fingerprinter
from nbops.workflow.hashing import HashCache
from nbops.workflow.plan import reasons_to_run
from nbops.workflow.remembered import recall

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from nbops.contract.config import Config
    from nbops.history.index import History
    from nbops.model import Run

__all__ = ["Every", "Plan", "done_by", "plan_of"]

Every = Literal["day", "week", "month"]

_MOST = 10_000
_LOOKED_AT = 1_000
"""Runs that are looked at for values that are no dates; dates are looked up."""
_PREFIX = "--env--"
_ELEMENT = re.compile(r"\.|--")
_ENDED_WELL = frozenset({"succeeded", "up_to_date"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be built."""

    name: str
    """The parameter that is different in each partition."""
    values: tuple[str, ...]
    rest: tuple[str, ...]
    """Arguments that all builds get."""

    def arguments(self, value: str) -> list[str]:
        """Return the arguments of one build."""
        return [f"{_PREFIX}{self.name}", value, *self.rest]


def plan_of(root: Path, arguments: Sequence[str], *, every: Every, pipeline: Path | None = None) -> Plan:
    """Return what a command line asks for.

    Args:
        root: The project's root.
        arguments: ``--env--NAME VALUE`` (or ``=VALUE``) and whatever else `nbops build` takes; one value is a range
            ``A..B`` of dates, both included, or a list ``a,b,c``.
        every: The step of a range.
        pipeline: The pipeline file, when it is another than ``pipeline.yaml``.

    Raises:
        ConfigError: There is no such parameter, no range or more than one, or it is none.
    """
    pairs = list(_pairs(arguments))
    _refuse_unknown(root, [name for name, _, _ in pairs], pipeline=pipeline)
    several = [item for item in pairs if ".." in item[1]] or [item for item in pairs if "," in item[1]]
    if len(several) != 1:
        found = ", ".join(f"{_PREFIX}{name}" for name, _, _ in several) or "none"
        raise ConfigError(
            f"backfill: one parameter must be a range or a list, such as --env--day 2011-01-04..2011-03-31; found: {found}."
        )
    name, value, places = several[0]
    values = _range(name, value, every=every) if ".." in value else _list(name, value)
    rest = tuple(text for place, text in enumerate(arguments) if place not in places)
    return Plan(name=name, values=values, rest=rest)


def _pairs(arguments: Sequence[str]) -> Iterator[tuple[str, str, range]]:
    """Yield name, value and places of each ``--env--NAME VALUE``."""
    place = 0
    while place < len(arguments):
        start, text = place, arguments[place]
        place += 1
        if not text.startswith(_PREFIX):
            continue
        name, sign, value = text[len(_PREFIX) :].partition("=")
        if not sign:
            if place >= len(arguments):
                raise ConfigError(f"backfill: {text}: needs a value.")
            value = arguments[place]
            place += 1
        yield name, value, range(start, place)


def _refuse_unknown(root: Path, names: Sequence[str], *, pipeline: Path | None) -> None:
    where = pipeline or find_pipeline(root)
    folders = (root, where.parent) if where is not None else (root,)
    middle = where.name.split(".")[1] if where is not None and where.name.count(".") > 1 else ""
    files = [folder / file for file in ([f"env.{middle}.yaml"] if middle else []) + ["env.yaml"] for folder in folders]
    known = next((environment_values(file, ()) for file in files if file.is_file()), {})
    for name in names:
        first = _ELEMENT.split(name)[0]
        if first not in known:
            allowed = did_you_mean(first[:60], known) if known else "The pipeline has none: declare it in env.yaml."
            raise ConfigError(f"backfill: --env--{name[:60]}: the pipeline has no such parameter. {allowed}")


def _list(name: str, text: str) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    if "" in found:
        raise ConfigError(f"backfill: --env--{name} {text[:60]!r}: a value of the list is empty.")
    return _bounded(name, found)


def _range(name: str, text: str, *, every: Every) -> tuple[str, ...]:
    first, _, last = (part.strip() for part in text.partition(".."))
    try:
        start, end = date.fromisoformat(first), date.fromisoformat(last)
    except ValueError:
        raise ConfigError(
            f"backfill: --env--{name} {text[:60]!r}: a range is two days, both included, such as 2011-01-04..2011-03-31."
        ) from None
    if end < start:
        raise ConfigError(f"backfill: --env--{name} {text}: the range ends before it begins. Write {last}..{first}.")
    if (end - start).days > _MOST * 31:
        return _bounded(name, ("",) * (_MOST + 1))
    return _bounded(name, tuple(day.isoformat() for day in _days(start, end, every=every)))


def _days(start: date, end: date, *, every: Every) -> Iterator[date]:
    day, months = start, 0
    while day <= end:
        yield day
        if every == "month":
            months += 1
            year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
            if year > date.max.year:
                return
            day = date(year, month + 1, min(start.day, calendar.monthrange(year, month + 1)[1]))
        else:
            try:
                day += timedelta(days=7 if every == "week" else 1)
            except OverflowError:
                return


def _bounded(name: str, values: tuple[str, ...]) -> tuple[str, ...]:
    if len(values) > _MOST:
        raise ConfigError(f"backfill: --env--{name}: more than {_MOST:,} partitions. Build them in parts.")
    return values


def done_by(plan: Plan, *, root: Path, config: Config) -> dict[str, str]:
    """Return the partitions that need not be built, each with the run that is as good as a new one.

    The last run for the partition succeeded, nothing in it failed or was held back, and nothing changed since that its tasks
    depend on: code, modules, parameters, input files, packages. What cannot be told counts as changed.
    """
    pipeline = find_pipeline(root)
    found: dict[str, str] = {}
    if pipeline is None:
        return found
    with open_history(root / config.reports, root / ".nbops/cache") as history:
        history.sync()
        latest = _latest(plan, history, root / config.reports)
    load, hashes = loader(root / config.reports), HashCache(root / ".nbops/cache/hashes.json")
    for value, run_id in latest.items():
        with suppress(NbopsError, OSError, ValueError, KeyError, TypeError):  # in doubt it is built
            run = read_run(root / config.reports, run_id, load=load)
            if _is_good(run, plan) and not _is_stale(
                run, plan, value, root=root, config=config, pipeline=pipeline, hashes=hashes
            ):
                found[value] = run_id
    return found


def _latest(plan: Plan, history: History, reports: Path) -> dict[str, str]:
    """Return the last run of each partition; one whose build goes on, or was stopped, counts too."""
    wanted = set(plan.values)
    runs = history.runs(limit=10 * _MOST)
    found = {run.logical_date: run.id for run in runs if run.logical_date in wanted}
    others = {value for value in wanted if not _is_date(value)}
    for run in runs[-_LOOKED_AT:] if others else ():
        with suppress(LedgerError):
            value = str(read_run(reports, run.id).parameters.get(plan.name))
            if value in others:
                found[value] = run.id
    return {value: run for value, run in found.items() if value is not None}


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _is_good(run: Run, plan: Plan) -> bool:
    allowed = _ENDED_WELL | ({"not_selected"} if any(text.startswith(("-p", "--partially")) for text in plan.rest) else set())
    return (
        run.status == "succeeded"
        and run.verdict in {"passed", "warned"}
        and all(task.status in allowed for task in run.tasks)
        and all(dataset.published for dataset in run.datasets)
    )


def _is_stale(run: Run, plan: Plan, value: str, *, root: Path, config: Config, pipeline: Path, hashes: HashCache) -> bool:
    recalled = recall(root, pipeline=pipeline, values=given_values(plan.arguments(value)))
    if recalled.unknown or {task.name for task in recalled.tasks} != {task.name for task in run.tasks}:
        return True
    made = {task.name: task for task in run.tasks}
    prints = Fingerprinter(root=root, tasks=recalled.tasks, config=config, hashes=hashes)
    for task in recalled.tasks:
        if made[task.name].status == "not_selected":
            continue
        before = made[task.name].fingerprint
        reasons = reasons_to_run(
            before=before,
            recipe=prints.recipe(task),
            upstream=before.get("upstream", {}),  # other partitions stand in its place now
            outputs={},
            forced=False,
            observed=prints.hashes_of(before.get("observed", {})),
        )
        if reasons:
            return True
    return False
