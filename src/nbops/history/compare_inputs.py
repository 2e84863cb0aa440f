"""What went into two runs: code, contracts, parameters, environment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbops.history.comparison import Change

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nbops.model import Run, TaskRun

__all__ = ["code_changes", "environment_changes", "parameter_changes"]

_NAMED = 4
"""So many files or tasks are named in a sentence."""


def code_changes(before: Run, after: Run) -> Iterator[Change]:
    """Yield the tasks whose code differs, then modules and input files, each with the tasks that use it, then contracts."""
    old, new = _fingerprints(before), _fingerprints(after)
    both = sorted(old.keys() & new.keys())
    for name in both:
        if _differ(old[name].fingerprint.get("code"), new[name].fingerprint.get("code")):
            source = new[name].source or name
            yield Change(area="code", kind="code", subject=source, text=f"changed: the code of {name}", weight=62, task=name)
    for part, kind, weight in (("modules", "module", 57), ("files", "file", 59)):
        changed: dict[str, list[str]] = {}
        for name in both:
            one, other = old[name].fingerprint.get(part) or {}, new[name].fingerprint.get(part) or {}
            for path in one.keys() | other.keys():
                if one.get(path) != other.get(path):
                    changed.setdefault(str(path), []).append(name)
        yield from (_used(kind, path, tasks, weight) for path, tasks in sorted(changed.items()))
    yield from _contracts(before, after)


def _fingerprints(run: Run) -> Mapping[str, TaskRun]:
    """Return the tasks by name of which it is known what they depended on."""
    return {task.name: task for task in run.tasks if task.fingerprint}


def _differ(one: Any, other: Any) -> bool:
    return one is not None and other is not None and one != other


def _used(kind: str, path: str, tasks: list[str], weight: float) -> Change:
    named = ", ".join(sorted(tasks)[:_NAMED]) + (f" and {len(tasks) - _NAMED} more" if len(tasks) > _NAMED else "")
    what = "changed, came or went: imported by" if kind == "module" else "changed, came or went: read by"
    return Change(
        area="code",
        kind=kind,
        subject=path,
        text=f"{what} {named}",
        weight=weight,
        task=tasks[0] if len(tasks) == 1 else None,
    )


def _contracts(before: Run, after: Run) -> Iterator[Change]:
    old = {item.name: item for item in before.datasets}
    for item in after.datasets:
        was = old.get(item.name)
        if was is None or (was.contract, was.contract_hash) == (item.contract, item.contract_hash):
            continue
        said = "is under a contract now" if was.contract is None else "has no contract any more" if item.contract is None else ""
        yield Change(
            area="code",
            kind="contract",
            subject=item.contract or was.contract or item.name,
            text=f"{item.name} {said}" if said else f"changed: the contract of {item.name}",
            before=was.contract_hash,
            after=item.contract_hash,
            weight=64 if item.contract else 74,
            dataset=item.name,
        )


def parameter_changes(before: Run, after: Run) -> Iterator[Change]:
    """Yield the pipeline's parameters that differ, then those of single tasks which the pipeline's do not explain."""
    yield from _values(before.parameters, after.parameters, prefix="", task=None)
    said = {
        name for name in before.parameters.keys() | after.parameters.keys() if _unlike(before.parameters, after.parameters, name)
    }
    old = {task.name: task for task in before.tasks}
    for task in after.tasks:
        if task.name in old:
            one = {name: value for name, value in old[task.name].parameters.items() if name not in said}
            other = {name: value for name, value in task.parameters.items() if name not in said}
            yield from _values(one, other, prefix=f"{task.name}: ", task=task.name)


_ABSENT = object()


def _unlike(one: Mapping[str, Any], other: Mapping[str, Any], name: str) -> bool:
    was, now = one.get(name, _ABSENT), other.get(name, _ABSENT)
    return was != now or type(was) is not type(now)


def _values(one: Mapping[str, Any], other: Mapping[str, Any], *, prefix: str, task: str | None) -> Iterator[Change]:
    for name in sorted(one.keys() | other.keys()):
        if not _unlike(one, other, name):
            continue
        kind = "added" if name not in one else "removed" if name not in other else "value"
        text = {"added": "is a new parameter", "removed": "is no parameter any more", "value": "has another value"}[kind]
        yield Change(
            area="parameters",
            kind=kind,
            subject=f"{prefix}{name}",
            text=text,
            before=one.get(name),
            after=other.get(name),
            weight=60,
            task=task,
        )


def environment_changes(before: Run, after: Run) -> Iterator[Change]:
    """Yield versions and the platform where they differ."""
    old, new = before.environment, after.environment
    if old is None or new is None:
        return
    for subject, was, now, base in (
        ("Python", old.python, new.python, 3.0),
        ("nbops", old.nbops, new.nbops, -8.0),
    ):
        if was != now:
            yield _version(subject, was, now, extra=base)
    if old.platform != new.platform:
        yield Change(
            area="environment",
            kind="value",
            subject="platform",
            text="is another",
            before=old.platform,
            after=new.platform,
            weight=46,
        )
    for name in sorted(old.packages.keys() | new.packages.keys()):
        if old.packages.get(name) != new.packages.get(name):
            yield _version(name, old.packages.get(name), new.packages.get(name), extra=0.0)


def _version(subject: str, was: str | None, now: str | None, *, extra: float) -> Change:
    if was is None or now is None:
        kind = "added" if was is None else "removed"
        text = f"{now} is imported now" if was is None else f"{was} is not imported any more"
        return Change(area="environment", kind=kind, subject=subject, text=text, before=was, after=now, weight=40)
    weight = 58.0 if _part(was, 0) != _part(now, 0) else 47.0 if _part(was, 1) != _part(now, 1) else 35.0
    return Change(
        area="environment", kind="version", subject=subject, text=f"{was} → {now}", before=was, after=now, weight=weight + extra
    )


def _part(version: str, number: int) -> str:
    parts = version.split(".")
    return parts[number] if number < len(parts) else ""
