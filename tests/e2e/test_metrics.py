"""Real builds that tell Prometheus and OpenTelemetry: the shipped rule fires on one that fails, and its spans arrive."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest
from tests.openlineage_tools import until
from tests.prometheus_tools import running_prometheus
from tests.receivers import receiver

pytest.importorskip("prometheus_client", reason="prometheus-client is in the test extra")
pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="the OpenTelemetry SDK is in the test extra")
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

if TYPE_CHECKING:
    from pathlib import Path

    from e2e_project import Project


def _spans(body: bytes) -> set[str]:
    message = ExportTraceServiceRequest()
    message.ParseFromString(gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body)
    return {span.name for one in message.resource_spans for scope in one.scope_spans for span in scope.spans}


def test_a_failing_build_fires_the_rule_and_its_spans_arrive(built: Project, tmp_path: Path) -> None:
    folder = tmp_path / "prometheus"
    folder.mkdir()
    with running_prometheus(folder) as monitoring, receiver(bytes) as hears:
        built.configure("export_wait = 20")
        built.environment |= {
            "NBOPS_PUSHGATEWAY": monitoring.gateway,
            "NBOPS_PROMETHEUS_TEXTFILE": str(folder),
            "OTEL_EXPORTER_OTLP_ENDPOINT": hears.url,
        }
        built.edit("shared.py", "int(row['value'])", "int(row['price'])")
        run, _ = built.fail()
        until(lambda: monitoring.firing("NbopsRunFailed") != [])
        assert monitoring.firing("NbopsRunFailed")[0]["pipeline"] == run.pipeline
        until(lambda: monitoring.firing("NbopsIncidentOpen") != [])
        assert monitoring.query('nbops_task_success{task="clean"}')[0]["value"][1] == "0"
        assert hears.paths == ["/v1/traces", "/v1/metrics"]
        assert {f"run {run.pipeline}", "task clean"} <= _spans(hears.events[0])
        assert str(built.root).encode() not in b"".join(hears.events)
        built.edit("shared.py", "int(row['price'])", "int(row['value']) + 0")
        mended = built.build()
        until(lambda: monitoring.firing("NbopsRunFailed") == monitoring.firing("NbopsIncidentOpen") == [])
        assert (folder / f"nbops_{run.pipeline}.prom").read_text().count("nbops_run_success") == 3
        assert mended.verdict == "passed"
        assert not any(path.name.endswith(".prom") for path in built.root.rglob("*"))
