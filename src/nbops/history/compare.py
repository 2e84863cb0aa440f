"""Two runs compared: what came out (verdicts, checks, data) and what went in (code, parameters, environment).

Pure: two runs give a :class:`Comparison`. Changes are ranked by weight, 0 to 100, which is a judgement and no measurement: a
check that newly fails (95) stands above a column that went (85), data that shifted (20 to 80, by how far), code (62), a
parameter (60), a package (35 to 58) and what a check observed within its verdict (up to 35). Among equals the order is that of
areas and names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbops.history.compare_checks import check_changes
from nbops.history.compare_data import data_changes, unmeasured
from nbops.history.compare_inputs import code_changes, environment_changes, parameter_changes
from nbops.history.comparison import AREAS, Change, Comparison, RunRef

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbops.model import Run, TaskRun

__all__ = ["compare", "run_ref"]

_ORDER = {"passed": 0, "skipped": 0, "warned": 1, "errored": 2, "failed": 3}
_DONE = frozenset({"succeeded", "up_to_date"})
_SLOWER, _SECONDS = 1.5, 5.0
"""A task took longer, or less, when it differs by this factor and this many seconds; less is noise of the machine."""


def compare(before: Run, after: Run) -> Comparison:
    """Return what differs between two runs.

    Args:
        before: The run to compare with, usually the earlier.
        after: The other.

    Returns:
        The differences, the heaviest first. Two runs over the same input differ in nothing but perhaps their times.
    """
    changes = [
        *_verdict(before, after),
        *check_changes(before, after),
        *data_changes(before, after),
        *code_changes(before, after),
        *parameter_changes(before, after),
        *environment_changes(before, after),
        *_tasks(before, after),
        *_times(before, after),
    ]
    area = {name: number for number, name in enumerate(AREAS)}
    ranked = sorted(changes, key=lambda one: (-one.weight, area[one.area], one.subject, one.kind, one.text))
    return Comparison(
        before=run_ref(before),
        after=run_ref(after),
        changes=tuple(ranked),
        unknown=(*unmeasured(before, after), *_lost(before), *_lost(after)),
        compared=_compared(before, after),
    )


def run_ref(run: Run) -> RunRef:
    """Return what a comparison tells of a run itself."""
    git = run.git
    return RunRef(
        id=run.id,
        started_at=run.started_at,
        status=run.status,
        verdict=run.verdict,
        commit=git.commit if git else None,
        branch=git.branch if git else None,
        dirty=bool(git and git.dirty),
        changed_files=git.changed_files if git else 0,
    )


def _compared(before: Run, after: Run) -> tuple[tuple[str, int], ...]:
    def names(run: Run) -> dict[str, set[object]]:
        return {
            "checks": {(result.check.dataset, result.check.id) for result in run.checks},
            "datasets": {item.name for item in run.datasets},
            "columns": {(item.name, column.name) for item in run.datasets for column in item.columns},
            "tasks": {task.name for task in run.tasks},
            "parameters": set(run.parameters),
            "packages": set(run.environment.packages) if run.environment else set(),
        }

    one, other = names(before), names(after)
    return tuple((name, len(one[name] | other[name])) for name in one)


def _lost(run: Run) -> Iterator[str]:
    yield from (notice.message for notice in run.notices if notice.kind == "ledger")


def _verdict(before: Run, after: Run) -> Iterator[Change]:
    if (before.verdict, before.status) == (after.verdict, after.status):
        return
    worse = _ORDER[after.verdict] > _ORDER[before.verdict] or (after.status != "succeeded" and before.status == "succeeded")
    was, now = _ended(before), _ended(after)
    if was == now:
        return
    yield Change(
        area="verdict",
        kind="worse" if worse else "better",
        subject="the run",
        text=f"was {was}, is {now}",
        before=was,
        after=now,
        weight=100 if worse else 60,
    )


def _ended(run: Run) -> str:
    """Return how a run ended in a word: that it did not end says more than its verdict."""
    return run.status if run.status in {"running", "interrupted"} else run.verdict


def _tasks(before: Run, after: Run) -> Iterator[Change]:
    old, new = {task.name: task for task in before.tasks}, {task.name: task for task in after.tasks}
    for name in sorted(new.keys() - old.keys()):
        yield Change(area="tasks", kind="added", subject=name, text="is a new task", after=new[name].status, weight=58, task=name)
    for name in sorted(old.keys() - new.keys()):
        yield Change(
            area="tasks", kind="removed", subject=name, text="is no task any more", before=old[name].status, weight=66, task=name
        )
    for name in sorted(old.keys() & new.keys()):
        yield from _status(old[name], new[name])
        if set(old[name].upstream) != set(new[name].upstream):
            yield Change(
                area="tasks",
                kind="upstream",
                subject=name,
                text="depends on other tasks",
                before=sorted(old[name].upstream),
                after=sorted(new[name].upstream),
                weight=54,
                task=name,
            )


def _status(old: TaskRun, new: TaskRun) -> Iterator[Change]:
    """Tell of a task that ended otherwise; having run or having been up to date is no difference in what there is."""
    was, now = old.status, new.status
    if was == now or (was in _DONE and now in _DONE) or "not_selected" in {was, now}:
        return
    bad = {"failed": 94.0, "interrupted": 78.0, "held": 64.0}
    worse = now in bad
    yield Change(
        area="tasks",
        kind="worse" if worse else "better",
        subject=new.name,
        text=f"was {was.replace('_', ' ')}, is {now.replace('_', ' ')}",
        before=was,
        after=now,
        weight=bad.get(now, 48.0),
        task=new.name,
    )


def _times(before: Run, after: Run) -> Iterator[Change]:
    old = {task.name: task for task in before.tasks}
    for task in after.tasks:
        was, now = old[task.name].seconds if task.name in old else None, task.seconds
        if was is None or now is None or task.status != "succeeded" or old[task.name].status != "succeeded":
            continue
        if abs(now - was) >= _SECONDS and max(now, was) >= _SLOWER * min(now, was):
            word = "longer" if now > was else "less"
            yield Change(
                area="time",
                kind="seconds",
                subject=task.name,
                text=f"took {word}: {was:.1f} s before, {now:.1f} s now",
                before=was,
                after=now,
                weight=24 if now > was else 12,
                task=task.name,
            )
