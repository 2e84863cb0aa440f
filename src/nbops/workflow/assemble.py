"""From what a build learned to the Run that is recorded: pure."""

from __future__ import annotations

import platform
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nbops.model import CheckResult, Dataset, Environment, LineageEdge, Quarantine, Run, RunError, TaskRun, Verdict
from nbops.record.codec import encode
from nbops.workflow.hashing import digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from nbops.workflow.taskrecord import TaskRecord

__all__ = [
    "carried_over",
    "checks_of",
    "datasets_of",
    "environment_of",
    "lineage_of",
    "quarantine_of",
    "task_run",
    "verdict_of",
    "without_quotes",
]

_AGES = frozenset({"freshness", "retention"})
"""Metrics that grow with time while the data stays."""

_ORDER: Mapping[Verdict, int] = {"skipped": 0, "passed": 1, "warned": 2, "errored": 3, "failed": 4}


def task_run(record: TaskRecord, *, root: Path, notebook: str | None) -> TaskRun:
    """Return the ledger's entry of a task.

    Args:
        record: What the build learned.
        root: The project's root.
        notebook: Path of the committed executed notebook below ``reports/``.
    """
    spec = record.spec
    source = spec.source
    shown = None
    if source is not None:
        shown = source.relative_to(root).as_posix() if root in source.parents else source.name
    return TaskRun(
        name=spec.name,
        kind=spec.kind,
        status=record.status,
        source=shown,
        reasons=record.reasons,
        upstream=spec.upstream,
        products={product.key: product.path for product in spec.products},
        parameters=spec.parameters,
        started_at=record.started_at,
        seconds=record.seconds,
        peak_memory_bytes=record.peak_memory_bytes,
        attempts=record.attempts,
        cells=record.cells,
        notebook=notebook,
        error=record.error,
        fingerprint=record.fingerprint,
        attempted=record.recipe if record.attempts and record.status == "failed" else {},
        last_success=record.last_success,
    )


def datasets_of(records: Iterable[TaskRecord], *, previous: Mapping[str, str | None]) -> tuple[Dataset, ...]:
    """Return every dataset that was looked at.

    Args:
        records: The build's tasks.
        previous: Dataset to content hash in the run before.
    """
    found: list[Dataset] = []
    for record in records:
        for audit in record.audits:
            dataset = audit.dataset
            changed = dataset.content_hash is None or previous.get(dataset.name) != dataset.content_hash
            found.append(replace(dataset, published=record.published, changed=changed))
    return tuple(sorted(found, key=lambda dataset: dataset.name))


def checks_of(records: Iterable[TaskRecord]) -> tuple[CheckResult, ...]:
    """Return every check's result."""
    found = [result for record in records for audit in record.audits for result in audit.results]
    found += [result for record in records for result in record.noted]
    return tuple(sorted(found, key=lambda result: (result.check.dataset, result.check.id)))


def carried_over(run: Run, before: Run | None) -> Run:
    """Return the run with the datasets that were measured again, only to find what was known, as carried over.

    Rules about age (freshness, retention) are judged anew on data that did not change; nothing but the age is news then.

    Args:
        run: A run as it is recorded, scrubbed.
        before: The run before it, scrubbed; None when there is none.
    """
    if before is None:
        return run
    known = {dataset.name: dataset for dataset in before.datasets}
    found = []
    for dataset in run.datasets:
        old = known.get(dataset.name)
        same = dataset.from_run is None and not dataset.changed and old is not None
        left = not any(entry.dataset == dataset.name for entry in run.quarantine)
        if same and old is not None and _is_same(dataset, run, old, before, left=left):
            found.append(replace(dataset, from_run=old.from_run or before.id))
        else:
            found.append(dataset)
    return replace(run, datasets=tuple(found))


def _is_same(dataset: Dataset, run: Run, old: Dataset, before: Run, *, left: bool) -> bool:
    if _said_of(dataset, run, left=left) == _said_of(old, before, left=left):  # what is left was measured again
        return True
    before = replace(before, quarantine=())  # what was said of the rows set aside stands
    return left and _said_of(dataset, run, left=False) == _said_of(old, before, left=False)


def _said_of(dataset: Dataset, run: Run, *, left: bool) -> list[Any]:
    """Return everything that a run's ledger says of a dataset, but for its age and for who measured it.

    Args:
        dataset: One of the run's.
        run: The run.
        left: What it says of the rows that were left as published, without those set aside: they are not there to be
            measured again, and the run that set them aside tells of them.
    """
    ageless = tuple(item for item in dataset.measurements if item.metric not in _AGES)
    aside = [entry for entry in run.quarantine if entry.dataset == dataset.name]
    gone = {rule for entry in aside for rule in entry.reasons} if left else set()
    results = [replace(result, from_run=None) for result in run.checks if result.check.dataset == dataset.name]
    results = [replace(r, observed=None, message="") if r.check.metric in _AGES else r for r in results]
    results = [_of_what_is_left(r) if left and (r.check.id in gone or _is_clean(r)) else r for r in results]
    said: list[Any] = [encode(replace(dataset, changed=True, from_run=None, measurements=()))]
    # as they are recorded: numbers are rounded there, and lists have no order
    said += sorted((encode(item) for item in ageless), key=repr)
    said += sorted((encode(result) for result in results), key=repr)
    return said if left else said + [encode(entry) for entry in aside]


def _is_clean(result: CheckResult) -> bool:
    return result.check.quarantine and (result.verdict, result.observed) == ("passed", 0)


def _of_what_is_left(result: CheckResult) -> CheckResult:
    return replace(result, verdict="passed", observed=0, message="", failing_rows=0, examples=())


def quarantine_of(records: Iterable[TaskRecord]) -> tuple[Quarantine, ...]:
    """Return what was set aside in this run."""
    return tuple(audit.quarantine for record in records for audit in record.audits if audit.quarantine is not None)


def verdict_of(records: Iterable[TaskRecord], checks: Iterable[CheckResult], *, errors: bool) -> Verdict:
    """Return the worst of all: a failed or held task, or an unfinished one, outweighs every passed check."""
    records = list(records)
    if errors or any(record.status in {"failed", "interrupted"} for record in records):
        return "failed"
    worst: Verdict = "skipped"
    if any(audit.dataset.verdict == "errored" for record in records for audit in record.audits):
        worst = "errored"  # also without a contract: what could not be read was not looked at
    for result in checks:
        verdict = result.verdict
        if verdict in {"failed", "errored"} and result.check.severity == "warn":
            verdict = "warned"
        if _ORDER[verdict] > _ORDER[worst]:
            worst = verdict
    return "passed" if worst == "skipped" else worst


def lineage_of(records: Mapping[str, TaskRecord]) -> tuple[LineageEdge, ...]:
    """Return edges at dataset level: what tasks read (upstream datasets, files, what was only observed) and what they make."""
    edges: set[LineageEdge] = set()
    paths = {plan.final_path: plan.name for record in records.values() for plan in record.plans}
    for name, record in records.items():
        text = "\n".join(record.spec.code)
        for up in record.spec.upstream:
            for dataset in _read_of(records.get(up), up, text):
                edges.add(LineageEdge(source=f"dataset:{dataset}", target=f"task:{name}", kind="reads"))
            if up in records and not records[up].plans:
                edges.add(LineageEdge(source=f"task:{up}", target=f"task:{name}", kind="reads"))
        recipe: Mapping[str, Any] = record.recipe or record.fingerprint
        for path in recipe.get("files", {}):
            edges.add(LineageEdge(source=f"file:{path}", target=f"task:{name}", kind="reads"))
        for source in _observed(record.fingerprint, paths):
            if not any(edge.source == source and edge.target == f"task:{name}" for edge in edges):
                edges.add(LineageEdge(source=source, target=f"task:{name}", kind="reads", how="observed"))
        for plan in record.plans:
            edges.add(LineageEdge(source=f"task:{name}", target=f"dataset:{plan.name}", kind="writes"))
    return tuple(sorted(edges, key=lambda edge: (edge.source, edge.target)))


def _observed(fingerprint: Mapping[str, Any], paths: Mapping[str, str]) -> list[str]:
    """Return nodes that a task was seen to read when it last succeeded, besides what it declares."""
    files = [*fingerprint.get("observed", ()), *fingerprint.get("unordered", ())]
    named = [f"dataset:{paths[path]}" if path in paths else f"file:{path}" for path in files]
    return [*named, *(f"host:{host}" for host in fingerprint.get("hosts", ()))]


def _read_of(record: TaskRecord | None, up: str, text: str) -> list[str]:
    """Return the upstream task's datasets that the code names; all of them where it names none."""
    if record is None:
        return []
    named = [
        plan.name
        for plan in record.plans
        if re.search(rf"upstream\[\s*['\"]{re.escape(up)}['\"]\s*\]\[\s*['\"]{re.escape(plan.key)}['\"]\s*\]", text)
    ]
    return named or [plan.name for plan in record.plans]


def without_quotes(run: Run) -> Run:
    """Return the run without anything that may quote data: messages of errors, examples, values that were measured."""
    return replace(
        run,
        tasks=tuple(replace(task, error=_bare(task.error) if task.error else None) for task in run.tasks),
        datasets=tuple(replace(dataset, measurements=(), error=None) for dataset in run.datasets),
        checks=tuple(replace(result, observed=None, message="", examples=()) for result in run.checks),
        errors=tuple(_bare(error) for error in run.errors),
        notices=(),
    )


def _bare(error: RunError) -> RunError:
    return RunError(kind=error.kind, message="(the run was still going on)", task=error.task, cell=error.cell)


def environment_of(records: Iterable[TaskRecord], *, nbops: str) -> Environment:
    """Return what the code ran on: versions of what the pipeline imports."""
    packages: dict[str, str] = {}
    for record in records:
        packages.update((record.recipe or record.fingerprint).get("packages", {}))
    packages.pop("python", None)
    python = platform.python_version()
    listed = [f"{name}=={version}" for name, version in sorted(packages.items())]
    return Environment(
        python=python,
        platform=f"{platform.system()} {platform.machine()}",
        nbops=nbops,
        packages=dict(sorted(packages.items())),
        fingerprint=digest(python, *listed)[:16],
    )
