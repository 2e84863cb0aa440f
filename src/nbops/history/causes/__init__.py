"""Why an incident came about: what changed between the last good run and the first bad one, ranked. Pure; see docs/causes.md.

What is not in ledgers (code, commits, what cells showed, segments of rows) is gathered by ``nbops.workflow.causes`` as
:class:`Facts`; without it the ranking is less sure.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nbops.history.causes.candidates import candidates_of
from nbops.history.causes.case import Case
from nbops.history.causes.costs import cost_causes
from nbops.history.causes.facts import CodeOf, CommitOf, Facts, InputLook, SegmentFound
from nbops.history.causes.focus import Focus, foci_of, merged_lineage, moved_by, upstream_of
from nbops.history.causes.ranking import weigh
from nbops.lineage.graph import Graph
from nbops.model import Cause

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nbops.history.causes.candidates import Candidate
    from nbops.model import Incident, Run

__all__ = ["CodeOf", "CommitOf", "Facts", "InputLook", "SegmentFound", "causes_of"]

MOST = 8
"""Causes that are kept."""
_LEAST = 0.01
_SURE, _LIKELY = 0.3, 0.1
"""From here on a candidate is one; below the other it has hardly to do with it."""
_EXPLAINED = 0.8
_PART = 0.6
"""A segment that stands above the input it came with explains this much of the change, and is no more of the rows than this."""


def causes_of(incident: Incident, run: Run, last_good: Run | None, facts: Facts | None = None) -> tuple[Cause, ...]:
    """Return the possible causes of an incident, the likeliest first.

    Args:
        incident: Its findings say what is wrong.
        run: The first run that showed it.
        last_good: The last run before it that did not; None when there is none.
        facts: What is known besides ledgers.
    """
    facts = facts or Facts()
    foci = foci_of(incident.findings, run) or foci_of(incident.findings, last_good or run)
    if not foci:
        costs = cost_causes(incident, run, last_good, facts) if last_good is not None else ()
        return tuple(replace(one, score=round(one.score, 3)) for one in costs[:MOST] if one.score >= _LEAST)
    if last_good is None:
        return (Cause(kind="unknown", message="There is no good run before it to compare with.", score=0.1),)
    whole = merged_lineage(run, last_good)
    graph = Graph.of_columns(whole)
    cases = [
        Case(before=last_good, after=whole, facts=facts, focus=focus, upstream=upstream_of(focus, whole, graph)) for focus in foci
    ]
    found = [_cause(candidate, cases, facts) for candidate in candidates_of(last_good, whole, touched=facts.touched)]
    found = _alone(_pointed(found))
    found += _contracts(foci, run, last_good)
    found += _ages(foci, run, last_good)
    found += _moved_first(cases, strongest=max((one.score for one in found), default=0.0))
    found = _with_segments(found, facts)
    ranked = sorted((one for one in found if one.score >= _LEAST), key=lambda one: (-one.score, one.kind, one.subject or ""))
    if not ranked or ranked[0].score < 0.08:  # noqa: PLR2004 - nothing that speaks for any
        ranked.insert(0, _unknown(run))
    return tuple(replace(one, score=round(one.score, 3)) for one in ranked[:MOST])


def _cause(candidate: Candidate, cases: Sequence[Case], facts: Facts) -> Cause:
    weighed = [(case, weigh(case, candidate)) for case in cases]
    total = sum(case.focus.weight for case in cases)
    score = sum(case.focus.weight * one.score for case, one in weighed) / total
    best = max((one for _, one in weighed), key=lambda one: one.score)
    commit, said = _committed(candidate, facts)
    message = candidate.what[0].upper() + candidate.what[1:]
    if candidate.kind == "code" and best.cells and candidate.name == best.task:
        message += f" in cell {best.cells[0]}"
    if best.changes:
        message += f": {best.changes[0].text}"
    evidence = (*said, *best.evidence, *((facts.replay,) if facts.replay else ()))
    return Cause(
        kind=candidate.kind,
        message=f"{message}.",
        score=score,
        subject=candidate.subject,
        cells=best.cells if candidate.kind != "input" else (),
        commit=commit,
        evidence=tuple(dict.fromkeys(evidence)),
    )


def _committed(candidate: Candidate, facts: Facts) -> tuple[str | None, tuple[str, ...]]:
    """Return the commit that made a change, and a sentence about it."""
    paths = (*candidate.paths, *(("env.yaml", "pipeline.yaml") if candidate.kind == "parameter" else ()))
    known = {one.commit: one for one in facts.commits}
    named = [known[facts.introduced[path]] for path in paths if facts.introduced.get(path) in known]
    named += [one for one in reversed(facts.commits) if set(paths) & set(one.files)]
    if not named:
        return None, ()
    one = named[0]
    return one.commit, (f"committed by {one.author} as {one.commit[:10]}: {one.subject}",)


def _pointed(found: list[Cause]) -> list[Cause]:
    """Weigh down an input that came or went because a parameter names another one."""
    values = [one.message for one in found if one.kind == "parameter"]
    return [
        replace(one, score=one.score * 0.5, evidence=(*one.evidence, "a parameter that changed names it"))
        if one.kind == "input" and any((one.subject or "").removeprefix("file:") in text for text in values)
        else one
        for one in found
    ]


def _alone(found: list[Cause]) -> list[Cause]:
    """Raise the only candidate that has anything to do with it: nothing else upstream changed."""
    likely = [one for one in found if one.score >= 0.1]  # noqa: PLR2004
    if len(likely) != 1:
        return found
    only = likely[0]
    raised = replace(
        only, score=only.score + (0.97 - only.score) * 0.5, evidence=(*only.evidence, "nothing else that matters changed")
    )
    return [raised if one is only else one for one in found]


def _contracts(foci: Sequence[Focus], run: Run, before: Run) -> Iterator[Cause]:
    for focus in foci:
        if focus.check is None:
            continue
        now = next((one for one in run.checks if (one.check.dataset, one.check.id) == (focus.dataset, focus.check)), None)
        was = next((one for one in before.checks if (one.check.dataset, one.check.id) == (focus.dataset, focus.check)), None)
        if now is None:
            continue
        rule = (now.check.operator, now.check.expected, now.check.arguments, now.check.unit, now.check.severity)
        old = (was.check.operator, was.check.expected, was.check.arguments, was.check.unit, was.check.severity) if was else None
        if rule == old:
            continue
        datasets = [next((d for d in one.datasets if d.name == focus.dataset), None) for one in (before, run)]
        moved = moved_by(datasets[0], datasets[1], focus.column, focus.kind)
        same = moved == 0.0 or (was is not None and was.observed is not None and was.observed == now.observed)
        what = "is new" if was is None else "is another than before"
        yield Cause(
            kind="contract",
            message=f"The rule {focus.check} of {focus.dataset} {what}{'; what it measures is as it was' if same else ''}.",
            score=0.96 if same else 0.4,
            subject=f"dataset:{focus.dataset}",
            evidence=(now.check.origin,) if now.check.origin else (),
        )
        return


def _ages(foci: Sequence[Focus], run: Run, before: Run) -> Iterator[Cause]:
    for focus in foci:
        if focus.kind != "age":
            continue
        old, new = (next((d for d in one.datasets if d.name == focus.dataset), None) for one in (before, run))
        same = new is not None and (not new.changed or (old is not None and old.content_hash == new.content_hash))
        yield Cause(
            kind="time",
            message=f"{focus.dataset} is older than it should be: nothing new came{' since the last good run' if same else ''}.",
            score=0.9 if same else 0.5,
            subject=f"dataset:{focus.dataset}",
        )
        return


def _moved_first(cases: Sequence[Case], *, strongest: float) -> Iterator[Cause]:
    """Yield the datasets upstream that moved as well, the one furthest upstream first."""
    seen: set[str] = set()
    for case in cases:
        for name, columns in case.upstream.reached.items():
            old, new = case.dataset(name)
            if name == case.focus.dataset or name in seen or old is None:
                continue
            sizes = [
                (moved_by(old, new, column, case.focus.kind) or 0.0, column)
                for column, strength in columns.items()
                if strength >= 0.4 and (column is not None or case.focus.rows)  # noqa: PLR2004
            ]
            size, column = max(sizes, key=lambda item: item[0], default=(0.0, None))
            if size <= 0.0:
                continue
            seen.add(name)
            what = name if column is None else f"{column} of {name}"
            score = min(0.5, 0.2 + size) * (0.4 if strongest >= _SURE else 1.0)
            yield Cause(
                kind="upstream",
                message=f"{what} moved as well, upstream of it.",
                # it says where to look; what changed there says why
                score=min(score, 0.9 * strongest) if strongest >= _LIKELY else score,
                subject=f"dataset:{name}",
            )


def _with_segments(found: list[Cause], facts: Facts) -> list[Cause]:
    """Add the segments that carry the change: as a cause above an input that brought it, below code, parameters and packages."""
    if not facts.segments:
        return found
    best = max(facts.segments, key=lambda one: (one.explained - one.share, one.categorical))
    leader = max(found, key=lambda one: one.score, default=None)
    telling = best.explained >= _EXPLAINED and best.share <= _PART
    if leader is None or leader.score < _LIKELY or leader.kind in {"input", "upstream", "unknown"}:
        top = max(leader.score if leader else 0.0, 0.5)
        score = min(0.999, top + 0.01) if telling and best.categorical else min(top * 0.8, 0.6)
    else:
        score = min(leader.score * 0.6, 0.5)
    brought = [one.message.rstrip(".") for one in found if one is leader and one.kind == "input"]
    cause = Cause(
        kind="segment",
        message=f"{best.text[0].upper()}{best.text[1:]}.",
        score=score,
        subject=f"dataset:{best.dataset}",
        evidence=(*brought, *(one.text for one in facts.segments if one is not best)),
    )
    said = [
        replace(one, evidence=(*one.evidence, best.text)) if one is leader and best.text not in one.evidence else one
        for one in found
    ]
    return [*said, cause]


def _unknown(run: Run) -> Cause:
    hosts = sorted({edge.source.removeprefix("host:") for edge in run.lineage if edge.source.startswith("host:")})
    read = f" Its tasks read from {', '.join(hosts[:3])}, whose data nbops does not see." if hosts else ""
    return Cause(
        kind="unknown",
        message="Nothing that nbops records of code, parameters, packages and inputs changed upstream of it." + read,
        score=0.2,
        evidence=("what is left: data from elsewhere, the time of day, chance",),
    )
