"""The process that sends by OTLP: ``python -m nbops.adapters.otel.sending ROOT``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics.export import (
    Gauge,
    Metric,
    MetricExportResult,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from nbops.adapters.otel import signals
from nbops.adapters.otel.spans import spans_of
from nbops.record.gauges import gauges_of, instant
from nbops.record.run_export import run_outbox, send_runs, serve_runs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nbops.model import Incident, Run
    from nbops.record.outbox import Outbox
    from nbops.record.run_export import Send
    from nbops.record.sender import Outcome

__all__ = ["connect", "main", "metrics_of", "send_now"]

_SECONDS = "5"
_AT_ONCE = 500  # spans
_TAKEN = range(200, 300)
_REFUSED = frozenset({400, 413, 415, 422})
_CREDENTIALS = "OTEL_PYTHON_EXPORTER_OTLP_HTTP_"
_UNITS = {"seconds": "s", "bytes": "By", "": "1"}


def connect() -> Send:
    """Return what sends a run, as OpenTelemetry's variables configure it.

    Raises:
        Exception: They are wrong.
    """
    os.environ.setdefault("OTEL_EXPORTER_OTLP_TIMEOUT", _SECONDS)
    named = "OTEL_SERVICE_NAME" in os.environ or "service.name=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    return _Sending(Resource.create({} if named else {"service.name": "nbops"})).send


class _Sending:
    """Both exporters; they only say whether something was taken, so their session keeps the receiver's last answer."""

    def __init__(self, resource: Resource) -> None:
        self._resource = resource
        self._status: int | None = None
        wanted = signals()
        own = any(name.startswith(_CREDENTIALS) for name in os.environ)  # a session of the user's own
        session = None if own else self._session()
        self._spans = OTLPSpanExporter(session=session) if "TRACES" in wanted else None
        self._metrics = OTLPMetricExporter(session=session) if "METRICS" in wanted else None

    def _session(self) -> requests.Session:
        def answered(response: requests.Response, **_more: Any) -> None:
            self._status = response.status_code

        session = requests.Session()
        session.max_redirects = 0  # what a build did is for nobody else
        session.hooks["response"].append(answered)
        return session

    def send(self, run: Run, incidents: tuple[Incident, ...]) -> None:
        """Send a run.

        Raises:
            ValueError: The receiver will never take it.
            RuntimeError: It was not taken.
        """
        if self._spans is not None:
            every = spans_of(run, resource=self._resource, environment=os.environ)
            for start in range(0, len(every), _AT_ONCE):
                self._status = None
                self._check(self._spans.export(every[start : start + _AT_ONCE]) is SpanExportResult.SUCCESS, "trace")
        data = metrics_of(run, incidents, resource=self._resource) if self._metrics is not None else None
        if self._metrics is not None and data is not None:
            self._status = None
            self._check(self._metrics.export(data) is MetricExportResult.SUCCESS, "metrics")

    def _check(self, taken: bool, what: str) -> None:  # noqa: FBT001 - the answer of an exporter
        # an exporter takes a redirection that leads nowhere for success
        if not taken or (self._status is not None and self._status not in _TAKEN):
            why = f": HTTP {self._status}" if self._status is not None else ""
            raise (ValueError if self._status in _REFUSED else RuntimeError)(f"the receiver did not take the {what}{why}")


def metrics_of(run: Run, incidents: Iterable[Incident], *, resource: Resource) -> MetricsData | None:
    """Return the numbers of a run, at the time at which it ended; None when there are none.

    They are made as they are, without a meter: that would give them the time of sending, and only so many to a name.
    """
    gauges = gauges_of(run, incidents)
    at = instant(run.finished_at) or instant(run.started_at)
    if not gauges or at is None:
        return None
    metrics = [
        Metric(
            name=f"nbops.{gauge.name}",
            description=gauge.help,
            unit=_UNITS[gauge.unit],
            data=Gauge(data_points=[_point(labels, value, at) for labels, value in gauge.samples]),
        )
        for gauge in gauges
    ]
    scope = InstrumentationScope("nbops", run.environment.nbops if run.environment else "")
    found = ResourceMetrics(
        resource=resource, scope_metrics=[ScopeMetrics(scope=scope, metrics=metrics, schema_url="")], schema_url=""
    )
    return MetricsData(resource_metrics=[found])


def _point(labels: Mapping[str, str], value: float, at: float) -> NumberDataPoint:
    attributes = {f"nbops.{key}": text.encode("utf-8", "replace").decode("utf-8") for key, text in labels.items()}
    moment = round(at * 1_000_000) * 1_000
    return NumberDataPoint(attributes=attributes, start_time_unix_nano=moment, time_unix_nano=moment, value=value)


def send_now(outbox: Outbox) -> Outcome:
    """Send what waits; who calls it has the right to send."""
    return send_runs(outbox, connect)


def main(arguments: list[str]) -> None:
    """Work for one build."""
    serve_runs(run_outbox(Path(arguments[0]), "otel"), connect)


if __name__ == "__main__":
    main(sys.argv[1:])
