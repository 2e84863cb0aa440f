"""Traces and metrics by OTLP, taken by a receiver on this machine that reads the protocol's own messages."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.metrics_tools import HOSTILE, RUN, incident_of, run_of
from tests.receivers import Receiver, receiver

from nbops.adapters.otel import OpenTelemetry, signals
from nbops.model import CellRun, Run, RunError, TaskRun
from nbops.record.run_export import RunExport, run_outbox

pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="the OpenTelemetry SDK is in the test extra")
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource

from nbops.adapters.otel.sending import connect, metrics_of, send_now
from nbops.adapters.otel.spans import spans_of, trace_id_of

START = 1795376516  # 2026-11-22T19:41:56Z
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def _plain(body: bytes) -> bytes:
    return gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing configures the SDK but the test."""
    for name in [name for name in os.environ if name.startswith("OTEL_") or name in {"TRACEPARENT", "TRACESTATE"}]:
        monkeypatch.delenv(name)
    yield
    os.environ.pop("OTEL_EXPORTER_OTLP_TIMEOUT", None)


@pytest.fixture
def hears(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with receiver(_plain) as found:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", found.url)
        yield found


def traced(**more: Any) -> Run:
    error = RunError(
        kind="ValueError", message="bad amount", task="clean", cell=2, traceback="Traceback...\nValueError: bad amount"
    )
    tasks = (
        TaskRun(
            name="load",
            kind="notebook",
            status="succeeded",
            source="load.ipynb",
            started_at="2026-11-22T19:41:57Z",
            seconds=10.0,
            attempts=1,
            cells=(CellRun(index=0, seconds=1.5), CellRun(index=1), CellRun(index=3, seconds=2.0)),
        ),
        TaskRun(
            name="clean",
            kind="notebook",
            status="failed",
            started_at="2026-11-22T19:42:08Z",
            seconds=5.0,
            attempts=2,
            cells=(CellRun(index=2, seconds=1.0, status="failed"), CellRun(index=4, status="not_run")),
            error=error,
        ),
        TaskRun(name="report", kind="notebook", status="held"),
    )
    return run_of(fails=True, **{"tasks": tasks, "errors": (error,), **more})


def spans_in(bodies: list[Any]) -> list[Any]:
    found = []
    for body in bodies:
        message = ExportTraceServiceRequest()
        message.ParseFromString(body)
        found += [span for one in message.resource_spans for scope in one.scope_spans for span in scope.spans]
    return found


def values(attributes: Any) -> dict[str, Any]:
    return {item.key: getattr(item.value, item.value.WhichOneof("value")) for item in attributes}


def tell(root: Path, *runs: Run, seconds: float = 20.0) -> str | None:
    export = OpenTelemetry().open(root)
    assert isinstance(export, RunExport)
    for run in runs:
        export.begun(run)
        export.ended(run, code={}, incidents=[incident_of()])
    return export.close(seconds)


def test_a_run_arrives_as_a_trace_and_numbers(tmp_path: Path, hears: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACEPARENT", TRACEPARENT)
    assert tell(tmp_path, traced()) is None
    assert hears.paths == ["/v1/traces", "/v1/metrics"]
    spans = {span.name: span for span in spans_in(hears.events[:1])}
    assert set(spans) == {"run shop", "task load", "task clean", "cell 0", "cell 1", "cell 3", "cell 2"}
    top, load, clean = spans["run shop"], spans["task load"], spans["task clean"]
    assert {span.trace_id for span in spans.values()} == {trace_id_of(RUN).to_bytes(16, "big")}
    assert (top.parent_span_id, load.parent_span_id, spans["cell 3"].parent_span_id) == (b"", top.span_id, load.span_id)
    assert [link.trace_id.hex() for link in top.links] == ["0af7651916cd43dd8448eb211c80319c"]
    second = 1_000_000_000
    assert (top.start_time_unix_nano, top.end_time_unix_nano) == (START * second, START * second + 60_500_000_000)
    assert (load.start_time_unix_nano - START * second, load.end_time_unix_nano - START * second) == (second, 11 * second)
    cells = [spans[f"cell {number}"] for number in (0, 1, 3)]
    assert [(c.start_time_unix_nano - START * second, c.end_time_unix_nano - START * second) for c in cells] == [
        (second, 2_500_000_000),
        (2_500_000_000, 2_500_000_000),
        (2_500_000_000, 4_500_000_000),
    ]
    assert (load.status.code, clean.status.code, clean.status.message, top.status.code) == (1, 2, "bad amount", 2)
    (event,) = spans["cell 2"].events
    assert (event.name, values(event.attributes)["exception.type"]) == ("exception", "ValueError")
    assert values(clean.attributes)["nbops.task.attempts"] == 2
    assert values(top.attributes)["nbops.run.verdict"] == "failed"
    message = ExportMetricsServiceRequest()
    message.ParseFromString(hears.events[1])
    (one,) = message.resource_metrics
    assert values(one.resource.attributes)["service.name"] == "nbops"
    found = {metric.name: metric for scope in one.scope_metrics for metric in scope.metrics}
    duration = found["nbops.run.duration"]
    assert (duration.unit, duration.gauge.data_points[0].as_double) == ("s", 60.5)
    assert duration.gauge.data_points[0].time_unix_nano == START * second + 60_500_000_000
    assert found["nbops.dataset.size"].unit == "By"
    assert {
        values(point.attributes)["nbops.severity"]: point.as_double for point in found["nbops.incidents.open"].gauge.data_points
    } == {
        "warn": 0.0,
        "error": 1.0,
    }


def test_a_run_that_is_sent_twice_is_the_same_trace() -> None:
    def made() -> list[tuple[str, int, int]]:
        spans = spans_of(traced(), resource=Resource({}), environment={})
        return [(span.name, span.context.trace_id, span.context.span_id) for span in spans if span.context is not None]

    assert made() == made()
    assert len({span_id for _, _, span_id in made()}) == 7
    assert trace_id_of(RUN) != trace_id_of("20261122T194156Z-1f0c9b")


@pytest.mark.parametrize(
    "change",
    [
        {"started_at": "never"},
        {"finished_at": None, "seconds": None},
        {"finished_at": "2020-01-01T00:00:00Z"},  # a clock that went back
        {"tasks": (TaskRun(name="t", kind="sql", status="interrupted", started_at="2030-01-01T00:00:00Z", attempts=1),)},
        {"tasks": (TaskRun(name="t", kind="sql", status="failed", started_at="x", seconds=-5.0, attempts=1),)},
    ],
)
def test_no_span_ends_before_it_begins(change: dict[str, Any]) -> None:
    spans = spans_of(traced(**change), resource=Resource({}), environment={"TRACEPARENT": "nonsense"})
    assert (spans == []) == (change.get("started_at") == "never")
    for span in spans:
        assert span.start_time is not None
        assert span.end_time is not None
        assert span.end_time >= span.start_time


def test_hostile_names_arrive(tmp_path: Path, hears: Receiver) -> None:
    (task, *_) = traced().tasks
    run = traced(pipeline=HOSTILE[0], tasks=tuple(replace(task, name=name, cells=()) for name in HOSTILE))
    assert tell(tmp_path, run) is None
    names = {span.name for span in spans_in(hears.events[:1])}
    assert len(names) == len(HOSTILE) + 1
    assert "task 日本🙂" in names


def test_thousands_of_cells_come_in_parts(tmp_path: Path, hears: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    (task, *_) = traced().tasks
    many = replace(task, cells=tuple(CellRun(index=number, seconds=0.001) for number in range(1_200)))
    run_outbox(tmp_path, "otel")
    connect()(traced(tasks=(many,)), ())
    assert [len(spans_in([body])) for body in hears.events] == [500, 500, 202]


def test_thousands_of_datasets_are_all_told() -> None:
    (dataset, *_) = run_of().datasets
    run = run_of(datasets=tuple(replace(dataset, name=f"d{number}") for number in range(5_000)))
    data = metrics_of(run, (), resource=Resource({}))
    assert data is not None
    (rows,) = [metric for metric in data.resource_metrics[0].scope_metrics[0].metrics if metric.name == "nbops.dataset.rows"]
    assert len(rows.data.data_points) == 5_000


@pytest.mark.parametrize("word", ["503", "reset", "302"])
def test_what_was_not_taken_waits(word: str, tmp_path: Path, hears: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key=T0KEN")
    hears.behaviour = lambda _number, _body: word
    said = tell(tmp_path, traced())
    assert said is not None
    assert said.startswith("1 runs are not told to otel yet (")
    assert "T0KEN" not in said
    hears.behaviour = lambda _number, _body: "ok"
    outbox = run_outbox(tmp_path, "otel")
    assert (send_now(outbox).sent, outbox.waiting(), outbox.trouble()) == (1, 0, None)
    assert hears.paths == ["/v1/traces", "/v1/metrics"]


def test_what_is_refused_holds_up_no_other(tmp_path: Path, hears: Receiver) -> None:
    hears.behaviour = lambda number, _body: "400" if number == 0 else "ok"
    said = tell(tmp_path, traced(), traced(id="20261123T194156Z-1f0c9a"))
    assert said == "1 runs were refused by otel and are kept; see `nbops metrics status`"
    assert hears.paths == ["/v1/traces", "/v1/metrics"]
    outbox = run_outbox(tmp_path, "otel")
    assert outbox.rejections() == [(RUN, "ValueError: the receiver did not take the trace: HTTP 400")]
    assert outbox.take_back_rejected() == 1
    assert send_now(outbox).sent == 1


def test_one_that_hangs_does_not_hold_up_a_build(tmp_path: Path, hears: Receiver) -> None:
    hears.behaviour = lambda _number, _body: "hang"
    assert "1 runs are not told to otel yet" in str(tell(tmp_path, traced(), seconds=0.0))


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        ({}, ()),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, ("TRACES", "METRICS")),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://x"}, ("TRACES",)),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_TRACES_EXPORTER": "none"}, ("METRICS",)),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_METRICS_EXPORTER": "console, otlp"}, ("TRACES", "METRICS")),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_SDK_DISABLED": "TRUE"}, ()),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": " "}, ()),
    ],
)
def test_the_variables_decide(variables: dict[str, str], wanted: tuple[str, ...]) -> None:
    assert signals(variables) == wanted


def test_another_protocol_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://x:4317")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    with pytest.raises(RuntimeError, match="http/protobuf"):
        OpenTelemetry().open(tmp_path)


def test_the_service_is_called_as_the_variables_say(monkeypatch: pytest.MonkeyPatch, hears: Receiver) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "nightly")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key=T0KEN")
    connect()(traced(), ())
    message = ExportTraceServiceRequest()
    message.ParseFromString(hears.events[0])
    assert values(message.resource_spans[0].resource.attributes)["service.name"] == "nightly"
