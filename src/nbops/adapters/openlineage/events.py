"""Moments of a run to events: pure.

- A run begins: START of the pipeline's job, then RUNNING.
- A task is started: START of the task's job, then RUNNING; RUNNING once more for each retry.
- A run has ended: for each task that ran COMPLETE, FAIL or ABORT (at the time it ended), and for its checks a job of their own
  with START and COMPLETE or FAIL; for each task that was held START and ABORT; then COMPLETE, FAIL or ABORT of the pipeline's
  job.

How tasks ended is told when the run is recorded: only then is it known which words of an error are somebody's personal data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from importlib import metadata
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from uuid import UUID

from openlineage.client.event_v2 import Job, OutputDataset, Run, RunEvent, RunState, set_producer
from openlineage.client.facet_v2 import (
    error_message_run,
    job_type_job,
    nominal_time_run,
    parent_run,
    processing_engine_run,
    source_code_job,
    source_code_location_job,
)

from nbops import model
from nbops.adapters.openlineage.facets import input_dataset, named, output_dataset, tested_dataset
from nbops.adapters.openlineage.naming import Names
from nbops.record.codec import decode

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["PRODUCER", "events_of"]

PRODUCER = f"urn:nbops:{metadata.version('nbops')}"
"""Who makes the events; a URI, as the format wants."""
_ENDS = {"succeeded": RunState.COMPLETE, "failed": RunState.FAIL, "interrupted": RunState.ABORT}
_LANGUAGES = {"sql": "SQL", "shell": "SHELL"}
_OWN_PARENT_PARTS = 3


def events_of(moment: Mapping[str, Any]) -> list[RunEvent]:
    """Return the events of a moment that a build wrote down, in order.

    Raises:
        ValueError: It is none.
    """
    kind = moment.get("kind")
    set_producer(PRODUCER)
    teller = _Teller(moment)
    if kind == "begun":
        return list(teller.begun())
    if kind == "task":
        return list(teller.task_begun())
    if kind == "ended":
        return list(teller.ended())
    raise ValueError(f"no moment of a run: kind {kind!r}")


@dataclass(frozen=True, slots=True)
class _Ending:
    """How a job ended."""

    state: RunState
    at: str
    error: model.RunError | None = None


class _Teller:
    """Makes the events of one moment."""

    def __init__(self, moment: Mapping[str, Any]) -> None:
        self._moment, self._at = moment, str(moment["at"])
        head = moment["run"]
        self._head: Mapping[str, Any] = head
        self._names = Names(namespace=moment["namespace"], pipeline=str(head["pipeline"]) or "pipeline", run_id=str(head["id"]))

    # -- what happens -----------------------------------------------------------------------------------------------------

    def begun(self) -> Iterator[RunEvent]:
        for state in (RunState.START, RunState.RUNNING):
            yield self._event(state, at=self._at, run=self._pipeline_run(), job=self._pipeline_job())

    def task_begun(self) -> Iterator[RunEvent]:
        task = self._moment["task"]
        reads = [input_dataset(self._names, path, None) for path in self._moment.get("reads", {}).values()]
        writes = [self._named_output(path) for path in self._moment.get("writes", {}).values()]
        again = int(task.get("attempts") or 1) > 1
        for state in (RunState.RUNNING,) if again else (RunState.START, RunState.RUNNING):
            run = self._task_run(task["name"])
            job = self._task_job(task["name"], task["kind"], task.get("source"))
            yield self._event(state, at=self._at, run=run, job=job, inputs=reads, outputs=writes)

    def ended(self) -> Iterator[RunEvent]:
        run: model.Run = decode(model.Run, self._head)
        told = {task.name for task in run.tasks}
        for task in sorted(run.tasks, key=lambda item: (_ended_at(item) or self._at, item.name)):
            if task.started_at is not None or task.status == "held":
                yield from self._task_ended(run, task)
        for name in self._moment.get("started", ()):
            if name not in told:
                # the build was killed before it could note how this ended
                yield self._event(
                    RunState.ABORT,
                    at=self._at,
                    run=self._task_run(name, run.errors[-1:]),
                    job=self._task_job(name, "other", None),
                )
        state = {"succeeded": RunState.COMPLETE, "failed": RunState.FAIL}.get(run.status, RunState.ABORT)
        outputs = [
            output_dataset(self._names, item, edges=(), known={}) for item in run.datasets if item.published and item.changed
        ]
        errors = run.errors if state is not RunState.COMPLETE else ()
        yield self._event(state, at=self._at, run=self._pipeline_run(errors), job=self._pipeline_job(), outputs=outputs)

    def _task_ended(self, run: model.Run, task: model.TaskRun) -> Iterator[RunEvent]:
        names = self._names
        known = {item.name: item for item in run.datasets}
        at = _ended_at(task) or self._at
        job = self._task_job(task.name, task.kind, task.source, self._moment.get("code", {}).get(task.name))
        inputs = [input_dataset(names, place, dataset) for place, dataset in _read_by(run, task, known)]
        if task.status == "held":
            error = model.RunError(kind="Held", message=task.reasons[0] if task.reasons else "held")
            yield self._event(RunState.START, at=at, run=self._task_run(task.name), job=job, inputs=inputs)
            yield self._event(RunState.ABORT, at=at, run=self._task_run(task.name, (error,)), job=job, inputs=inputs)
            return
        edges = [edge for item in run.column_lineage if item.task == task.name for edge in item.edges]
        made = [item for item in run.datasets if item.task == task.name]
        outputs = [
            output_dataset(names, item, edges=[edge for edge in edges if edge.target == item.name], known=known) for item in made
        ]
        described = {item.path for item in made}
        outputs += [self._named_output(path) for path in task.products.values() if path not in described]
        for item in made:
            if results := [result for result in run.checks if result.check.dataset == item.name]:
                yield from self._checked(task, item, results, at)
        errors = (task.error,) if task.error is not None else ()
        run_of = self._task_run(task.name, errors)
        yield self._event(_ENDS.get(task.status, RunState.ABORT), at=at, run=run_of, job=job, inputs=inputs, outputs=outputs)

    def _checked(
        self, task: model.TaskRun, dataset: model.Dataset, results: list[model.CheckResult], at: str
    ) -> Iterator[RunEvent]:
        part = f"checks.{dataset.name}"
        bad = [item for item in results if item.verdict in {"failed", "errored"} and item.check.severity == "error"]
        error = model.RunError(kind="ChecksFailed", message="; ".join(f"{r.check.id}: {r.message or r.verdict}" for r in bad))
        job = self._job(self._names.job(task.name, part), "TEST")
        for state in (RunState.START, RunState.FAIL if bad else RunState.COMPLETE):
            run = self._run(self._names.run(task.name, part), (error,) if state is RunState.FAIL else (), parent=task.name)
            yield self._event(state, at=at, run=run, job=job, inputs=[tested_dataset(self._names, dataset, results)])

    # -- runs and jobs ----------------------------------------------------------------------------------------------------

    def _event(self, state: RunState, *, at: str, run: Run, job: Job, inputs: Any = (), outputs: Any = ()) -> RunEvent:
        return RunEvent(
            eventType=state, eventTime=at, run=run, job=job, inputs=list(inputs), outputs=list(outputs), producer=PRODUCER
        )

    def _named_output(self, path: str) -> OutputDataset:
        namespace, name = self._names.dataset(path)
        return OutputDataset(namespace=namespace, name=name, facets=named(self._names, path))

    def _pipeline_run(self, errors: tuple[model.RunError, ...] = ()) -> Run:
        found = self._run(self._names.run(), errors, parent=None)
        facets: dict[str, Any] = found.facets or {}
        facets["nominalTime"] = nominal_time_run.NominalTimeRunFacet(nominalStartTime=str(self._head["started_at"]))
        outer = _outer_parent(self._moment.get("parent"))
        if outer is not None:
            facets["parent"] = outer
        return Run(runId=found.runId, facets=facets)

    def _task_run(self, task: str, errors: tuple[model.RunError, ...] = ()) -> Run:
        return self._run(self._names.run(task), errors, parent="")

    def _run(self, run_id: str, errors: tuple[model.RunError, ...], *, parent: str | None) -> Run:
        """Return a run; ``parent`` is the task that it is a part of, empty for the pipeline itself."""
        names = self._names
        version = metadata.version("nbops")
        facets: dict[str, Any] = {
            "processing_engine": processing_engine_run.ProcessingEngineRunFacet(
                version=version, name="nbops", openlineageAdapterVersion=version
            )
        }
        if parent is not None:
            root = parent_run.Root(
                run=parent_run.RootRun(runId=names.run()), job=parent_run.RootJob(namespace=names.namespace, name=names.job())
            )
            facets["parent"] = parent_run.ParentRunFacet(
                run=parent_run.Run(runId=names.run(parent)),
                job=parent_run.Job(namespace=names.namespace, name=names.job(parent)),
                root=root,
            )
        if errors:
            error = errors[0]
            more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
            facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(
                message=f"{error.kind}: {error.message}{more}", programmingLanguage="PYTHON", stackTrace=error.traceback
            )
        return Run(runId=run_id, facets=facets)

    def _pipeline_job(self) -> Job:
        return self._job(self._names.job(), "PIPELINE", "pipeline.yaml")

    def _task_job(self, task: str, kind: str, source: str | None, code: str | None = None) -> Job:
        found = self._job(self._names.job(task), "TASK", source)
        if code and found.facets is not None:
            found.facets["sourceCode"] = source_code_job.SourceCodeJobFacet(
                language=_LANGUAGES.get(kind, "PYTHON"), sourceCode=code
            )
        return found

    def _job(self, name: str, kind: str, path: str | None = None) -> Job:
        facets: dict[str, Any] = {
            "jobType": job_type_job.JobTypeJobFacet(processingType="BATCH", integration="NBOPS", jobType=kind)
        }
        source, git = self._moment.get("source"), self._head.get("git") or {}
        if isinstance(source, Mapping):
            facets["sourceCodeLocation"] = _location(source, git, path)
        return Job(namespace=self._names.namespace, name=name, facets=facets)


def _location(
    source: Mapping[str, str], git: Mapping[str, Any], path: str | None
) -> source_code_location_job.SourceCodeLocationJobFacet:
    commit = git.get("commit")
    place = f"{source.get('prefix', '')}{path}" if path else None
    url = f"{source['url']}/blob/{commit}/{quote(place)}" if commit and place else source["url"]
    return source_code_location_job.SourceCodeLocationJobFacet(
        type="git", url=url, repoUrl=source["url"], path=place, version=commit, branch=git.get("branch")
    )


def _outer_parent(text: str | None) -> parent_run.ParentRunFacet | None:
    """Return the run that started this one, as other integrations say it: ``namespace/job/run id``; ``None`` when none did."""
    parts = (text or "").rsplit("/", _OWN_PARENT_PARTS - 1)
    if len(parts) != _OWN_PARENT_PARTS:
        return None
    namespace, job, run_id = parts
    try:
        UUID(run_id)
    except ValueError:
        return None
    return parent_run.ParentRunFacet(run=parent_run.Run(runId=run_id), job=parent_run.Job(namespace=namespace, name=job))


def _ended_at(task: model.TaskRun) -> str | None:
    """Return when a task ended: its attempts' seconds after its first start, so pauses between attempts are not counted."""
    if task.started_at is None:
        return None
    try:
        started = datetime.fromisoformat(task.started_at.replace("Z", "+00:00"))
    except ValueError:
        return None
    ended = (started + timedelta(seconds=task.seconds or 0.0)).astimezone(timezone.utc)
    return ended.strftime("%Y-%m-%dT%H:%M:%S.") + f"{ended.microsecond // 1000:03d}Z"


def _read_by(
    run: model.Run, task: model.TaskRun, known: Mapping[str, model.Dataset]
) -> Iterator[tuple[str, model.Dataset | None]]:
    """Yield where what a task read is, and what is known of it; what it was connected to is no dataset."""
    for edge in run.lineage:
        kind, _, name = edge.source.partition(":")
        if edge.kind != "reads" or edge.target != f"task:{task.name}":
            continue
        if kind == "dataset":
            dataset = known.get(name)
            yield (dataset.path if dataset is not None else name), dataset
        elif kind == "file":
            yield name, None
