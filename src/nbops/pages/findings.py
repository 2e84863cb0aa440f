"""What a reader must know about a run, worst first."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from nbops.pages.judged import by_rule
from nbops.pages.series_words import expect_command, expected_words, more_of, subject_of, unusual_message
from nbops.pages.text import count, cut, duration, join, plural, short
from nbops.pages.words import expectation, label, observed, rank, rule, run_mark

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nbops.model import Anomaly, CheckResult, Quarantine, Run, RunError, TaskRun
    from nbops.pages.judged import Rule

__all__ = ["Finding", "Headline", "fault", "finding_of_check", "findings", "headline"]


_FAULTS = {
    "ChecksFailed": "made data that failed its checks",
    "ContractError": "has a contract that is written wrong",
    "KernelDied": "lost its kernel",
    "OutOfMemory": "ran out of memory",
    "CellTimeLimit": "ran into the time limit of a cell",
    "Exited": "exited before its end",
    "ForeignProduct": "wrote what another task makes",
    "Interrupted": "was interrupted",
    "Killed": "was killed",
    "NotPublished": "could not publish its products",
    "TimeLimit": "ran into its time limit",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that went wrong, or that somebody should look at."""

    mark: str
    title: str
    message: str = ""
    hint: str = ""
    """What to do next."""
    owner: str = ""
    """Who answers for the dataset, by its contract."""
    task: str | None = None
    cell: int | None = None
    dataset: str | None = None
    watched: bool = False
    """Whether the monitoring page of the dataset tells more."""
    facts: tuple[tuple[str, str], ...] = ()
    """Label and text: expected, observed, severity, where it was declared..."""
    examples: tuple[Mapping[str, Any], ...] = ()
    raised: bool = False
    """Whether it is an error, whose title says little without its message."""
    source: str = ""
    traceback: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """A run in one sentence; ``mark`` is the worst of everything in it."""

    mark: str
    title: str
    tally: tuple[str, ...]
    """Short phrases: tasks, checks, rows in quarantine, time."""


def findings(run: Run) -> tuple[Finding, ...]:
    """Return a run's findings, worst first.

    Failed tasks, then failed and errored checks, unmeasured datasets, interruption, held tasks, what is out of the ordinary,
    quarantine, notices and warned checks. Within a kind the ledger's order stays. A rule that was judged more than once, by nbops
    and in notebooks, is one finding.
    """
    rules = by_rule(run.checks)
    found = [
        *_tasks(run),
        *_errors(run),
        *_checks(run, rules, "failed"),
        *_notices(run, "error"),
        *_checks(run, rules, "errored"),
        *_unmeasured(run),
        *_ending(run),
        *_held(run),
        *_unusual(run),
        *_quarantines(run),
        *_notices(run, "warn"),
        *_checks(run, rules, "warned"),
    ]
    owners = _owners(run)
    found = [_owned(finding, owners) for finding in found]
    return tuple(sorted(found, key=lambda finding: rank(finding.mark)))


def _owners(run: Run) -> dict[tuple[str, str], str]:
    """Return the owner of each dataset, and of each task the owners of what it makes."""
    found = {("dataset", item.name): item.owner for item in run.datasets if item.owner}
    for task in run.tasks:
        mine = sorted({item.owner for item in run.datasets if item.task == task.name and item.owner})
        if mine:
            found["task", task.name] = join([short(name, 60) for name in mine])
    return found


def _owned(finding: Finding, owners: Mapping[tuple[str, str], str]) -> Finding:
    owner = owners.get(("dataset", finding.dataset or "")) or owners.get(("task", finding.task or ""), "")
    return replace(finding, owner=owner) if owner else finding


def headline(run: Run, found: tuple[Finding, ...] | None = None) -> Headline:
    """Return a run's headline: the worst finding leads.

    Args:
        run: The run.
        found: Its findings, where the caller has them already.
    """
    found = findings(run) if found is None else found
    mark = run_mark(run)
    if found:
        worst = found[0]
        milder = {"quarantined": "warned", "notice": "warned", "unusual": "warned"}
        mark = min(mark, milder.get(worst.mark, worst.mark), key=rank)
        return Headline(mark=mark, title=short(worst.title, 160), tally=_tally(run))
    if mark not in {"passed", "skipped"}:
        return Headline(
            mark=mark, title=f"The run ended as {label(mark).lower()}, and its ledger gives no detail", tally=_tally(run)
        )
    ran = sum(task.status == "succeeded" for task in run.tasks)
    if ran:
        title = f"{plural(ran, 'task')} ran, {_verdicts(run)}"
    elif run.tasks:
        title = f"Nothing to do: {plural(len(run.tasks), 'task')} up to date or not selected"
    else:
        title = "The pipeline has no tasks"
    return Headline(mark=mark, title=title, tally=_tally(run))


def _verdicts(run: Run) -> str:
    judged = [result for result in run.checks if result.verdict != "skipped"]
    return f"{plural(len(judged), 'check')} passed" if judged else "no checks declared"


def _tally(run: Run) -> tuple[str, ...]:
    tasks = Counter(task.status for task in run.tasks)
    checks = Counter(result.verdict for result in run.checks)
    phrases = [
        f"{count(number)} {label(status).lower()}" for status, number in sorted(tasks.items(), key=lambda item: rank(item[0]))
    ]
    rows = sum(entry.rows for entry in run.quarantine)
    bad = [f"{count(checks[verdict])} {verdict}" for verdict in ("failed", "errored", "warned") if checks[verdict]]
    parts = [
        f"{plural(len(run.tasks), 'task')}: {', '.join(phrases)}" if run.tasks else "no tasks",
        f"{plural(len(run.checks), 'check')}: {', '.join(bad) or 'none failed'}" if run.checks else "no checks",
        plural(len(run.datasets), "dataset"),
    ]
    parts += [f"{plural(rows, 'row')} quarantined"] if rows else []
    parts += [duration(run.seconds)] if run.seconds is not None else []
    return tuple(parts)


def _tasks(run: Run) -> Iterator[Finding]:
    explained = {result.check.dataset for result in run.checks if result.verdict in {"failed", "errored"}}
    writers = {dataset.task for dataset in run.datasets if dataset.name in explained}
    for task in run.tasks:
        error = _error_of(run, task)
        if task.status != "failed" and error is None:
            continue
        if error is not None and error.kind == "ChecksFailed" and task.name in writers:
            continue  # the checks themselves say more
        if error is None:
            yield Finding(mark="failed", title=f"Task {task.name} failed", message=" ".join(task.reasons[:1]), task=task.name)
        else:
            yield _error(error, task)


def _error_of(run: Run, task: TaskRun) -> RunError | None:
    """Return why a task failed: what it says itself, else what the run says of it."""
    if task.error is not None or task.status != "failed":
        return task.error
    return next((error for error in run.errors if error.task == task.name), None)


def _errors(run: Run) -> Iterator[Finding]:
    told = {(task.name, one.kind, one.message) for task in run.tasks if (one := _error_of(run, task)) is not None}
    checked = any(result.verdict in {"failed", "errored"} for result in run.checks)
    for error in run.errors:
        ending = error.kind == "Interrupted" and error.task is None  # told by _ending
        if ending or (error.task, error.kind, error.message) in told or (error.kind == "ChecksFailed" and checked):
            continue
        yield _error(error, None)


def _error(error: RunError, task: TaskRun | None) -> Finding:
    name = task.name if task else error.task
    mark = "interrupted" if task is not None and task.status == "interrupted" else "failed"
    subject = f"Task {short(name, 60)}" if name else "The run"
    facts = (("Attempts", count(task.attempts)),) if task and task.attempts > 1 else ()
    return Finding(
        mark=mark,
        title=f"{subject} {fault(error)}",
        message=error.message,
        hint=error.hint or "",
        task=name if task else None,
        cell=error.cell,
        facts=facts,
        raised=True,
        source=error.cell_source or "",
        traceback=error.traceback or "",
    )


def fault(error: RunError) -> str:
    """Return what went wrong as the end of a sentence.

    >>> from nbops.model import RunError
    >>> fault(RunError(kind="ValueError", message="", cell=3)), fault(RunError(kind="KernelDied", message=""))
    ('raised ValueError in cell 3', 'lost its kernel')
    """
    where = f" in cell {error.cell}" if error.cell is not None else ""
    return f"{_FAULTS.get(error.kind) or f'raised {short(error.kind, 60)}'}{where}"


def _checks(run: Run, rules: tuple[Rule, ...], verdict: str) -> Iterator[Finding]:
    held = {dataset.name for dataset in run.datasets if not dataset.published}
    writers = {dataset.name: dataset.task for dataset in run.datasets}
    for one in rules:
        result = one.result
        if result.verdict == verdict:
            found = _check(result, held=result.check.dataset in held, task=writers.get(result.check.dataset))
            yield replace(found, facts=(*found.facts, ("Judged", _judged(one)))) if len(one.judged) > 1 else found


def _judged(one: Rule) -> str:
    """Return who judged a rule, and what those saw whom the finding does not speak for."""
    found = []
    for look in one.judged:
        where = "the file" if look.task is None else f"in task {short(look.task, 60)}"
        found.append(where if look.agrees else f"{where} ({short(look.said, 50)})")
    return join(found, limit=6)


def _next_step(result: CheckResult, *, held: bool, task: str | None) -> str:
    """Return what to do about a check that did not pass, as far as its record tells."""
    check = result.check
    if result.verdict == "errored":
        return f"Mend the rule or the data, and judge again without running anything: `nbops check {short(check.dataset, 60)}`."
    if result.verdict == "warned" and check.quarantine:
        return "The rows are set aside with their reasons; the others are published."
    where = f" in task {short(task, 60)}" if task else ""
    rows = "Look at the example rows" if result.examples else "Look at the data"
    if held:
        return f"{rows}; mend the data{where}, or the rule if it asks too much, and build again."
    return f"{rows}: it is published, as the rule only warns." if result.verdict == "warned" else f"{rows}, and mend it{where}."


def finding_of_check(run: Run, result: CheckResult) -> Finding:
    """Return what there is to say about one check of a run, whatever its verdict."""
    dataset = next((item for item in run.datasets if item.name == result.check.dataset), None)
    return _check(result, held=dataset is not None and not dataset.published, task=dataset.task if dataset is not None else None)


def _check(result: CheckResult, *, held: bool, task: str | None) -> Finding:
    check = result.check
    expected, seen = expectation(check), observed(result)
    subject = rule(check)
    facts: list[tuple[str, str]] = []
    if result.verdict == "errored":
        title = f"{check.dataset}: {short(subject, 100)} could not be measured"
        facts.append(("Expected", expected))
    elif expected and result.observed is not None:
        verb = ":" if subject.startswith(("rows ", "schema")) or check.metric == "sql" else " is"
        title = f"{check.dataset}: {short(subject, 80)}{verb} {short(seen, 40)}, expected {short(expected, 40)}"
    else:
        title = f"{check.dataset}: {short(subject, 100)} {result.verdict}"
        facts += [("Expected", expected), ("Observed", seen)]
    facts += [("Rows that break it", count(result.failing_rows))] if result.failing_rows is not None else []
    facts += [("Severity", check.severity), ("Check", check.id)]
    facts += [("Declared in", check.origin)] if check.origin else []
    if result.verdict == "failed" and held:
        facts.append(("Published", "no: the last good version, if any, stays in place"))
    if result.from_run:  # told in full by the run that measured it, whose pages this one leads to
        return Finding(
            mark=result.verdict,
            title=title,
            hint="See the page of the dataset: it is as that run measured it.",
            task=task,
            dataset=check.dataset,
            facts=(("Measured in run", result.from_run),),
        )
    return Finding(
        mark=result.verdict,
        title=title,
        message=result.message or check.description or "",
        hint=_next_step(result, held=held, task=task),
        task=task,
        dataset=check.dataset,
        facts=tuple((name, text) for name, text in facts if text),
        examples=result.examples[:5],
    )


def _unmeasured(run: Run) -> Iterator[Finding]:
    for dataset in run.datasets:
        if dataset.error:
            yield Finding(
                mark="errored", title=f"{dataset.name} could not be measured", message=dataset.error, dataset=dataset.name
            )


def _ending(run: Run) -> Iterator[Finding]:
    stopped = [task.name for task in run.tasks if task.status == "interrupted" and task.error is None]
    during = f" during {join([short(name, 40) for name in stopped])}" if stopped else ""
    if run.status == "interrupted" or stopped:
        said = [short(error.message, 300) for error in run.errors if error.kind == "Interrupted"]
        message = " ".join(
            [*(f"{text.rstrip('.')}." for text in said[:1]), "What had finished is published; the next build goes on from there."]
        )
        yield Finding(mark="interrupted", title=f"The run was interrupted{during}", message=message)
    if run.status == "running":
        message = "No end is recorded: it is still going, or it was killed. The next build tells which."
        yield Finding(mark="running", title="The run has not finished", message=message)


def _held(run: Run) -> Iterator[Finding]:
    held = [task for task in run.tasks if task.status == "held"]
    if held:
        names = join([short(task.name, 40) for task in held], limit=6)
        reasons = list(dict.fromkeys(task.reasons[0] for task in held if task.reasons))
        yield Finding(
            mark="held",
            title=f"{plural(len(held), 'task')} held: {names}",
            message=" ".join(reasons[:3]),
            hint="Mend what did not succeed; the next build runs them.",
        )


def _quarantines(run: Run) -> Iterator[Finding]:
    for entry in run.quarantine:
        if entry.rows_in != entry.rows_out + entry.rows:
            yield _unbalanced(entry)
        elif entry.rows:
            share = f" ({100 * entry.rows / entry.rows_in:.3g} %)" if entry.rows_in > 0 else ""
            reasons = [f"{short(name, 60)} {count(rows)}" for name, rows in sorted(entry.reasons.items(), key=_by_rows)]
            yield Finding(
                mark="quarantined",
                title=f"{plural(entry.rows, 'row')} of {entry.dataset} quarantined{share}",
                message=f"By rule: {join(reasons, limit=6)}." if reasons else "",
                dataset=entry.dataset,
                facts=(("Set aside in", cut(entry.path, 300)),),
            )


def _unusual(run: Run) -> Iterator[Finding]:
    """Yield what monitors found: one finding a subject, as what is wrong with a dataset shows in many of its numbers."""
    raised: dict[str, list[Anomaly]] = {}
    for one in sorted(run.anomalies, key=lambda one: (one.severity != "error", -one.score)):
        if one.accepted is None:
            raised.setdefault(one.subject, []).append(one)
    for subject, found in raised.items():
        worst, others = found[0], found[1:]
        kind, name = subject_of(subject)
        facts = (
            ("Expected", expected_words(worst.metric, worst.expected)),
            ("Learned from", worst.expected.basis if worst.expected is not None else ""),
            ("Monitor", worst.monitor),
        )
        yield Finding(
            mark="failed" if worst.severity == "error" else "unusual",
            title=f"{short(name, 60)}: {short(unusual_message(worst), 170)}",
            message=f"Also: {more_of([unusual_message(one) for one in others], 3)}." if others else "",
            hint=f"Look for its cause; if it is as it should be: `{expect_command(worst)}`.",
            task=name if kind == "task" else None,
            dataset=name if kind == "dataset" else None,
            watched=kind == "dataset",
            facts=tuple((label, text) for label, text in facts if text),
        )


def _unbalanced(entry: Quarantine) -> Finding:
    difference = entry.rows_in - entry.rows_out - entry.rows
    message = (
        f"{plural(entry.rows_in, 'row')} in, {count(entry.rows_out)} out and {count(entry.rows)} quarantined: "
        f"{plural(abs(difference), 'row')} {'missing' if difference > 0 else 'too many'}."
    )
    return Finding(mark="failed", title=f"Rows of {entry.dataset} do not add up", message=message, dataset=entry.dataset)


def _by_rows(item: tuple[str, int]) -> tuple[int, str]:
    return -item[1], item[0]


def _notices(run: Run, severity: str) -> Iterator[Finding]:
    known = {task.name for task in run.tasks}
    for notice in run.notices:
        if notice.severity == severity:
            task = notice.task if notice.task in known else None
            about = f"{short(notice.task, 60)}: " if notice.task else ""
            mark = "failed" if severity == "error" else "notice"
            yield Finding(
                mark=mark,
                title=f"{about}{short(notice.kind.replace('_', ' '), 80)}",
                message=notice.message,
                task=task,
                raised=True,
            )
