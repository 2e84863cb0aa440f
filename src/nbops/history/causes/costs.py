"""Why a task took longer or more memory than usual: its machine, inputs, code, what it was given. Pure; scores are judgements.

What is to be explained is a factor, of the task's number and what was expected of it. An input explains it as far as it grew by
the same factor, on the scale of logarithms, on which factors add up. A change of code explains it where a cell that changed takes
what is more. Where most of what ran is slower by a like factor, without a change that all of it has in common, it is the machine.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from nbops.history.causes.candidates import candidates_of
from nbops.history.causes.codediff import affected_names, changes_of, same_cells
from nbops.history.causes.statements import statements_of
from nbops.model import Cause

if TYPE_CHECKING:
    from nbops.history.causes.candidates import Candidate
    from nbops.history.causes.facts import Facts
    from nbops.model import Anomaly, Dataset, Incident, Run, TaskRun

__all__ = ["cost_causes"]

_METRICS = {"duration": "seconds", "memory": "peakMemory"}
_MOSTLY, _ENOUGH, _LITTLE = 0.6, 0.5, 0.25
"""Parts of what is more from which on something explains it, or does so in part; of a factor on the scale of logarithms."""
_NOTABLE = 0.2
"""Seconds below which a task is too short to tell whether the machine was slow."""
_CHANGED_CELL, _CHANGED, _GIVEN, _UNTOUCHED = 0.93, 0.6, 0.55, 0.25
_MACHINE, _GREW, _KERNEL = 0.95, 0.88, 0.9
_WITH_MACHINE = 0.5
"""What is left of other causes where it is the machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _SlowCell:
    """A cell that takes longer than before."""

    index: int
    seconds: float
    before: float | None
    part: float
    """Of all that the task takes longer."""

    @property
    def text(self) -> str:
        """What it took, in words."""
        was = "it is new" if self.before is None else f"{_seconds(self.before)} before"
        return f"cell {self.index} took {_seconds(self.seconds)}, {was}"


@dataclass(frozen=True)
class _Case:
    """One task that took more, and what is known of it."""

    name: str
    metric: str
    factor: float
    """What it took over what was expected."""
    now: TaskRun
    old: TaskRun | None
    before: Run
    after: Run
    facts: Facts

    @property
    def more(self) -> float:
        """Seconds that it took longer than in the run before."""
        return (self.now.seconds or 0.0) - ((self.old.seconds or 0.0) if self.old is not None else 0.0)

    @cached_property
    def slow(self) -> _SlowCell | None:
        """The cell that takes most of what is more."""
        if self.old is None or self.metric != "seconds" or self.more <= 0:
            return None
        code = self.facts.code.get(self.name)
        same = same_cells(code) if code is not None else {cell.index: cell.index for cell in self.now.cells}
        old = {cell.index: cell.seconds for cell in self.old.cells}
        found = []
        for cell in self.now.cells:
            was = old.get(same.get(cell.index, -1))
            if cell.seconds is not None:
                part = (cell.seconds - (was or 0.0)) / self.more
                found.append(_SlowCell(index=cell.index, seconds=cell.seconds, before=was, part=part))
        worst = max(found, key=lambda one: one.part, default=None)
        return worst if worst is not None and worst.part >= _LITTLE else None

    def slow_text(self) -> str:
        """Return the source of the slow cell, empty where it is not known."""
        code = self.facts.code.get(self.name)
        return dict(code.after).get(self.slow.index, "") if code is not None and self.slow is not None else ""

    @property
    def beside(self) -> float | None:
        """The part of what is more that no cell took: starting the kernel; None where cells are not known."""
        if self.old is None or self.metric != "seconds" or not self.now.cells or not self.old.cells or self.more <= 0:
            return None
        own, was = (math.fsum(cell.seconds or 0.0 for cell in task.cells) for task in (self.now, self.old))
        return 1.0 - (own - was) / self.more


def cost_causes(incident: Incident, run: Run, last_good: Run, facts: Facts) -> tuple[Cause, ...]:
    """Return why tasks took longer, or more memory; empty where the incident is about no such thing.

    Args:
        incident: Its findings say of which tasks.
        run: The first run that showed it.
        last_good: The last run before it that did not.
        facts: What is known besides ledgers; ``ran`` above all.
    """
    cases = list(_cases(incident, run, last_good, facts))
    if not cases:
        return ()
    worst = max(cases, key=lambda one: one.factor)
    candidates = [one for one in candidates_of(last_good, run) if one.tasks & {case.name for case in cases}]
    found = [cause for case in cases for cause in _of_case(case, candidates)]
    machine = _machine(cases, candidates, run, last_good, facts)
    if machine is not None:
        part = _WITH_MACHINE if machine.score >= _MACHINE else 1.0
        found = [replace(one, score=one.score * part) for one in found] + [machine]
    best: dict[tuple[str, str | None], Cause] = {}
    for one in found:
        if one.score > best.get((one.kind, one.subject), one).score or (one.kind, one.subject) not in best:
            best[one.kind, one.subject] = one
    if not best or max(one.score for one in best.values()) < _UNTOUCHED:
        best["unknown", None] = _unknown(worst)
    return tuple(sorted(best.values(), key=lambda one: (-one.score, one.kind, one.subject or "")))


def _cases(incident: Incident, run: Run, last_good: Run, facts: Facts) -> Iterator[_Case]:
    tasks, before = ({task.name: task for task in one.tasks} for one in (run, last_good))
    for finding in incident.findings:
        monitor = finding.key.removeprefix("monitor:").partition(":")[0]
        name = finding.subject.removeprefix("task:")
        if finding.kind != "monitor" or monitor not in _METRICS or name not in tasks:
            continue
        old = facts.ran.get(name) or before.get(name)
        metric = _METRICS[monitor]
        anomaly = next((one for one in run.anomalies if one.subject == finding.subject and one.metric == metric), None)
        factor = _factor(anomaly, tasks[name], old, metric)
        if factor is not None and factor > 1.0:
            yield _Case(name, metric, factor, tasks[name], old, last_good, run, facts)


def _factor(anomaly: Anomaly | None, now: TaskRun, old: TaskRun | None, metric: str) -> float | None:
    """Return what a task took over what was expected, else over what it took before."""
    value = now.seconds if metric == "seconds" else now.peak_memory_bytes
    usual = anomaly.expected.center if anomaly is not None and anomaly.expected is not None else None
    if usual is None and old is not None:
        usual = old.seconds if metric == "seconds" else old.peak_memory_bytes
    return value / usual if value and usual and usual > 0 else None


def _of_case(case: _Case, candidates: Sequence[Candidate]) -> Iterator[Cause]:
    yield from _grown(case)
    for one in candidates:
        if case.name in one.tasks:
            yield _changed(case, one)
    beside = case.beside
    if beside is not None and beside >= _MOSTLY:
        yield Cause(
            kind="machine",
            message=f"{case.name} took {_seconds(case.more)} longer outside of its cells: its kernel was slow to start.",
            score=_KERNEL * min(1.0, beside),
            subject=f"task:{case.name}",
            evidence=(f"its cells took {_percent(max(0.0, 1.0 - beside))} of what is more",),
        )


# -- more to do -------------------------------------------------------------------------------------------------------------


def _grown(case: _Case) -> Iterator[Cause]:
    """Yield the datasets that a task reads or makes and that grew."""
    reads = {edge.source.removeprefix("dataset:") for edge in case.after.lineage if edge.target == f"task:{case.name}"}
    above = [d for d in case.after.datasets if d.name in reads or d.task in case.now.upstream]
    own = [d for d in case.after.datasets if d.task == case.name]
    old = {item.name: item for item in case.before.datasets}
    grew = [(one, _growth(old.get(one.name), one)) for one in above]
    most = max((size for _, (size, _) in grew), default=0.0)
    for item, (size, text) in [*grew, *((one, _growth(old.get(one.name), one)) for one in own)]:
        mine = item.task == case.name
        if size <= 0 or (mine and most > 0):  # what it makes grew since what it reads did
            continue
        part = min(1.0, size / math.log(case.factor))
        if part < _LITTLE:
            continue
        way = "makes" if mine else "reads"
        said = "in proportion" if part >= _MOSTLY else "which explains it in part"
        yield Cause(
            kind="input" if mine else "upstream",
            message=f"{item.name}, which {case.name} {way}, {text}: {said}.",
            score=_GREW * (part if part < _MOSTLY else 1.0) * (1.0 if not mine else 0.9),
            subject=f"dataset:{item.name}",
            evidence=(f"{case.name} took {case.factor:.3g} times what was expected", *_slow_words(case)),
        )


def _growth(old: Dataset | None, new: Dataset) -> tuple[float, str]:
    """Return by how much a dataset grew, as a logarithm, and words for it: by rows, else by bytes."""
    if old is None:
        return 0.0, ""
    for was, now, unit in ((old.rows, new.rows, "rows"), (old.bytes, new.bytes, "bytes")):
        if was and now:
            return math.log(now / was), f"has {now / was:.3g} times as many {unit} as before ({now:,}, {was:,} before)"
    return 0.0, ""


# -- what changed -----------------------------------------------------------------------------------------------------------


def _changed(case: _Case, candidate: Candidate) -> Cause:
    score, cells, said = _weight(case, candidate)
    message = candidate.what[0].upper() + candidate.what[1:]
    if candidate.kind == "code" and cells:
        message += f" in cell {cells[0]}"
    commits = {one.commit: one for one in case.facts.commits}
    named = [commits[case.facts.introduced[path]] for path in candidate.paths if case.facts.introduced.get(path) in commits]
    named += [one for one in reversed(case.facts.commits) if set(candidate.paths) & set(one.files)]
    told = tuple(f"committed by {one.author} as {one.commit[:10]}: {one.subject}" for one in named[:1])
    return Cause(
        kind=candidate.kind,
        message=f"{message}.",
        score=score,
        subject=candidate.subject,
        cells=cells,
        commit=named[0].commit if named else None,
        evidence=(*told, *said, *_slow_words(case)),
    )


def _weight(case: _Case, candidate: Candidate) -> tuple[float, tuple[int, ...], tuple[str, ...]]:
    """Return how likely a change is the cause, its cells, and why."""
    text, slow = case.slow_text(), case.slow
    if candidate.kind == "code" and candidate.name == case.name:
        return _own_code(case)
    if candidate.kind == "code" and candidate.name in case.facts.modules:
        affected = affected_names(case.facts.modules, candidate.name)
        return _by_use(slow, f"it uses what changed in {candidate.name}", _CHANGED, used=_mentions(text, affected))
    if candidate.kind == "parameter":
        return _by_use(slow, f"it uses {candidate.name}", _GIVEN, used=_mentions(text, {candidate.name}))
    if candidate.kind == "package":
        names = set(case.facts.imports.get(candidate.name, ())) or {candidate.name.replace("-", "_")}
        code = case.facts.code.get(case.name)
        bound = {
            name for one in statements_of(code.after if code else ()) if one.text.startswith(("import ", "from "))
            if _mentions(one.text, names) for name in one.stores
        }  # fmt: skip
        return _by_use(slow, f"it uses {candidate.name}", _GIVEN * candidate.prior, used=_mentions(text, bound))
    return (_GIVEN if candidate.kind == "input" else _CHANGED) * 0.7, (), ()


def _own_code(case: _Case) -> tuple[float, tuple[int, ...], tuple[str, ...]]:
    code = case.facts.code.get(case.name)
    if code is None:
        return _CHANGED, (), ("its code is not at hand, so which part changed is not known",)
    changes = [one for one in changes_of(code) if one.after is not None or one.before is not None]
    cells = tuple(dict.fromkeys(one.cell for one in changes))
    if not changes:
        return _UNTOUCHED * 0.3, (), ("the change renames variables or moves code, no more",)
    slow = case.slow
    if slow is None:
        return _CHANGED, cells, (changes[0].text,)
    if slow.index in cells:
        what = next(one.text for one in changes if one.cell == slow.index)
        score = _CHANGED_CELL if slow.part >= _ENOUGH else _CHANGED
        return score, (slow.index, *(cell for cell in cells if cell != slow.index)), (what,)
    below = [cell for cell in cells if cell < slow.index]
    return (_CHANGED if below else _UNTOUCHED), cells, (changes[0].text, "what takes longer is another cell")


def _by_use(slow: _SlowCell | None, why: str, base: float, *, used: bool) -> tuple[float, tuple[int, ...], tuple[str, ...]]:
    if slow is None:
        return base, (), ()
    if used:
        return min(0.9, base + 0.3), (slow.index,), (f"cell {slow.index} takes longer, and {why}",)
    return base * 0.6, (), ()


def _mentions(text: str, names: frozenset[str] | set[str]) -> bool:
    return any((one.loads | one.mentions | one.stores) & names for one in statements_of(((0, text),)))


def _slow_words(case: _Case) -> tuple[str, ...]:
    return (case.slow.text,) if case.slow is not None else ()


# -- the machine ------------------------------------------------------------------------------------------------------------


def _machine(cases: Sequence[_Case], candidates: Sequence[Candidate], run: Run, last_good: Run, facts: Facts) -> Cause | None:
    """Return the machine as a cause where most of what ran is slower, without a change that all of it has in common."""
    slow = [case for case in cases if case.metric == "seconds"]
    if not slow:
        return None
    least = math.log(min(case.factor for case in slow)) * _ENOUGH
    others = dict(_factors(run, last_good, facts))
    others.update({case.name: case.factor for case in slow})
    slower = {name for name, factor in others.items() if math.log(factor) >= least}
    if len(slower) < 2 or len(slower) < _MOSTLY * len(others):  # noqa: PLR2004 - one task alone is the task
        return None
    common = any(slower <= one.tasks for one in candidates)
    fed = all(any(one.score >= _GREW * 0.9 for one in _grown(case)) for case in slow)
    where = [one.environment.platform if one.environment else "" for one in (last_good, run)]
    moved = f"it ran on {where[1]}, before on {where[0]}" if all(where) and where[0] != where[1] else ""
    factors = sorted(others[name] for name in slower)
    named = ", ".join(sorted(slower)[:4]) + (f" and {len(slower) - 4} more" if len(slower) > 4 else "")  # noqa: PLR2004
    said = f"{named} took {factors[0]:.2g} to {factors[-1]:.2g} times as long"
    return Cause(
        kind="machine",
        message=f"The machine: {len(slower)} of {len(others)} tasks that ran were slower in the same run.",
        score=(_MACHINE if not (common or fed) else _ENOUGH * _MACHINE),
        evidence=tuple(one for one in (said, moved) if one),
    )


def _factors(run: Run, last_good: Run, facts: Facts) -> Iterator[tuple[str, float]]:
    """Yield by how much longer each task took than when it ran before."""
    before: Mapping[str, TaskRun] = {task.name: task for task in last_good.tasks}
    for task in run.tasks:
        old = facts.ran.get(task.name) or before.get(task.name)
        if task.status != "succeeded" or old is None or not task.seconds or not old.seconds:
            continue
        if max(task.seconds, old.seconds) >= _NOTABLE:
            yield task.name, task.seconds / old.seconds


def _unknown(case: _Case) -> Cause:
    what = "takes longer" if case.metric == "seconds" else "takes more memory"
    return Cause(
        kind="unknown",
        message=f"Nothing that nbops records of code, parameters, packages and inputs of {case.name} explains that it {what}.",
        score=0.2,
        evidence=(*_slow_words(case), "what is left: what else the machine did, services that it asks, chance"),
    )


def _seconds(seconds: float) -> str:
    """Return seconds for people.

    >>> _seconds(0.034), _seconds(2.31), _seconds(754)
    ('0.03 s', '2.3 s', '754 s')
    """
    return f"{seconds:.2f} s" if seconds < 1 else f"{seconds:.1f} s" if seconds < 100 else f"{seconds:.0f} s"  # noqa: PLR2004


def _percent(part: float) -> str:
    return f"{100 * part:.0f} %"
