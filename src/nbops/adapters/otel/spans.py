"""A run as a trace: a span for the run, below it one for each task, below that one for each cell.

Ids follow from the run's id, so that a run that is sent twice is one trace. Of cells only the seconds are known: they stand one
after another from the start of their task's last attempt, with the time that lies between them at the end.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import INVALID_SPAN, Link, Span, SpanKind, Status, StatusCode, get_current_span, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from nbops.record.gauges import instant, is_success

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opentelemetry.context import Context
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.trace import Tracer

    from nbops.model import Run, RunError, TaskRun

__all__ = ["spans_of", "trace_id_of"]

_Attributes = dict[str, "str | bool | int | float"]


def trace_id_of(run_id: str) -> int:
    """Return the id of a run's trace."""
    return int.from_bytes(_digest(run_id, 16), "big") or 1


def _digest(text: str, size: int) -> bytes:
    return hashlib.sha256(f"nbops\0{text}".encode("utf-8", "replace")).digest()[:size]


class _Ids(IdGenerator):
    """Gives the ids that it was told."""

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        self.place = ""

    def generate_span_id(self) -> int:
        return int.from_bytes(_digest(f"{self._run_id}\0{self.place}", 8), "big") or 1

    def generate_trace_id(self) -> int:
        return trace_id_of(self._run_id)


class _Kept(SpanExporter):
    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.spans.extend(spans)
        return SpanExportResult.SUCCESS


def spans_of(run: Run, *, resource: Resource, environment: Mapping[str, str]) -> list[ReadableSpan]:
    """Return the spans of a run; none when its times are unknown.

    Args:
        run: As recorded.
        resource: Who tells it.
        environment: ``TRACEPARENT`` there is what started the build; the run's span links to it.
    """
    started = instant(run.started_at)
    if started is None:
        return []
    ids, kept = _Ids(run.id), _Kept()
    provider = TracerProvider(resource=resource, id_generator=ids, sampler=ALWAYS_ON, shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    _Trace(run, ids, provider.get_tracer("nbops", run.environment.nbops if run.environment else "")).make(started, environment)
    return kept.spans


class _Trace:
    def __init__(self, run: Run, ids: _Ids, tracer: Tracer) -> None:
        self._run, self._ids, self._tracer = run, ids, tracer

    def make(self, started: float, environment: Mapping[str, str]) -> None:
        run = self._run
        ended = max(started, instant(run.finished_at) or started + (run.seconds or 0.0))
        attributes: _Attributes = {
            "nbops.run.id": run.id,
            "nbops.run.status": run.status,
            "nbops.run.verdict": run.verdict,
            "nbops.pipeline": run.pipeline,
            "nbops.checks": len(run.checks),
            "nbops.checks.failed": sum(result.verdict in {"failed", "errored"} for result in run.checks),
            "nbops.anomalies": sum(item.accepted is None for item in run.anomalies),
        }
        if run.logical_date:
            attributes["nbops.run.logical_date"] = run.logical_date
        if run.git and run.git.commit:
            attributes["vcs.ref.head.revision"] = run.git.commit
        if run.git and run.git.branch:
            attributes["vcs.ref.head.name"] = run.git.branch
        span = self._begin(f"run {run.pipeline}", "", started, attributes, links=_links(environment))
        for task in run.tasks:
            self._task(task, set_span_in_context(span), (started, ended))
        for error in run.errors:
            if error.task is None:
                _note(span, error, ended)
        _end(span, ended, failed=None if is_success(run) else f"{run.status}, {run.verdict}")

    def _task(self, task: TaskRun, above: Context, bounds: tuple[float, float]) -> None:
        started = instant(task.started_at)
        if started is None or (not task.attempts and task.status not in {"succeeded", "failed", "interrupted"}):
            return
        started = min(max(started, bounds[0]), bounds[1])
        ended = max(started, started + task.seconds if task.seconds is not None else bounds[1])
        attributes: _Attributes = {
            "nbops.task.name": task.name,
            "nbops.task.kind": task.kind,
            "nbops.task.status": task.status,
            "nbops.task.attempts": task.attempts,
        }
        if task.source:
            attributes["code.file.path"] = task.source
        if task.peak_memory_bytes is not None:
            attributes["nbops.task.peak_memory"] = task.peak_memory_bytes
        if task.reasons:
            attributes["nbops.task.reason"] = task.reasons[0]
        span = self._begin(f"task {task.name}", task.name, started, attributes, above=above)
        self._cells(task, set_span_in_context(span), started)
        if task.error is not None:
            _note(span, task.error, ended)
        failed = task.error.message if task.error else task.status
        _end(span, ended, failed=failed if task.status in {"failed", "interrupted"} else None)

    def _cells(self, task: TaskRun, above: Context, started: float) -> None:
        at = started
        for cell in task.cells:
            if cell.status == "not_run":
                continue
            ended = at + max(0.0, cell.seconds or 0.0)
            place = f"{task.name}\0{cell.index}"
            span = self._begin(f"cell {cell.index}", place, at, {"nbops.cell.index": cell.index}, above=above)
            if task.error is not None and task.error.cell == cell.index:
                _note(span, task.error, ended)
            _end(span, ended, failed="failed" if cell.status == "failed" else None)
            at = ended

    def _begin(
        self,
        name: str,
        place: str,
        at: float,
        attributes: _Attributes,
        *,
        above: Context | None = None,
        links: Sequence[Link] = (),
    ) -> Span:
        self._ids.place = place
        return self._tracer.start_span(
            _utf8(name),
            context=above if above is not None else set_span_in_context(INVALID_SPAN),
            kind=SpanKind.INTERNAL,
            attributes={key: _utf8(value) if isinstance(value, str) else value for key, value in attributes.items()},
            links=links,
            start_time=_nanoseconds(at),
        )


def _note(span: Span, error: RunError, at: float) -> None:
    """Note an exception as OpenTelemetry's conventions have it; the ledger holds it scrubbed."""
    attributes = {"exception.type": error.kind, "exception.message": error.message}
    if error.traceback:
        attributes["exception.stacktrace"] = error.traceback
    span.add_event("exception", {key: _utf8(value) for key, value in attributes.items()}, timestamp=_nanoseconds(at))


def _end(span: Span, at: float, *, failed: str | None) -> None:
    span.set_status(Status(StatusCode.OK) if failed is None else Status(StatusCode.ERROR, _utf8(failed)))
    span.end(end_time=_nanoseconds(at))


def _links(environment: Mapping[str, str]) -> list[Link]:
    carrier = {key.lower(): environment[key] for key in ("TRACEPARENT", "TRACESTATE") if environment.get(key)}
    context = TraceContextTextMapPropagator().extract(carrier)
    found = get_current_span(context).get_span_context()
    return [Link(found)] if found.is_valid else []


def _nanoseconds(at: float) -> int:
    return round(at * 1_000_000) * 1_000


def _utf8(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")
