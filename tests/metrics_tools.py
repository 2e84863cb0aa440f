"""A run with something of everything, for the tests of what other systems are told."""

from __future__ import annotations

from typing import Any

from nbops.model import Anomaly, Check, CheckResult, Dataset, Incident, Measurement, Run, TaskRun

__all__ = ["HOSTILE", "RUN", "incident_of", "run_of"]

RUN = "20261122T194156Z-1f0c9a"
HOSTILE = [
    'a"b\\c\nd',
    "日本🙂",
    "\0\x1b[31m",
    "",
    "a/b/../c",
    "x" * 5000,
    "\ud800",
    'a{b="c"} 1\nnbops_run_success 1',
    "</script>",
]


def run_of(name: str = RUN, *, fails: bool = False, **more: Any) -> Run:
    check = Check(id="amount.nullValues", dataset="orders", metric="nullValues")
    values: dict[str, Any] = {
        "id": name,
        "status": "failed" if fails else "succeeded",
        "verdict": "failed" if fails else "passed",
        "pipeline": "shop",
        "command": "ploomber build",
        "started_at": "2026-11-22T19:41:56Z",
        "finished_at": "2026-11-22T19:42:56.500Z",
        "seconds": 60.5,
        "tasks": (
            TaskRun(name="load", kind="notebook", status="succeeded", seconds=2.5, attempts=1, peak_memory_bytes=1_000_000),
            TaskRun(name="clean", kind="sql", status="failed" if fails else "up_to_date", attempts=int(fails)),
        ),
        "datasets": (
            Dataset(
                name="orders",
                task="load",
                path="o.parquet",
                format="parquet",
                rows=541_909,
                bytes=9_000,
                measurements=(Measurement(metric="freshness", column="at", value=7_200.0),),
            ),
            Dataset(name="gone", task="load", path="g.csv", format="csv", published=False),
        ),
        "checks": (CheckResult(check=check, verdict="failed" if fails else "passed"),),
        "anomalies": (
            Anomaly(monitor="volume", subject="dataset:orders"),
            Anomaly(monitor="nulls", subject="dataset:orders", accepted="EXP-1"),
        ),
    }
    return Run(**{**values, **more})


def incident_of(severity: Any = "error", state: Any = "open") -> Incident:
    return Incident(
        id="INC-20261122T194156Z-1f0c9a",
        title="t",
        state=state,
        severity=severity,
        root="dataset:orders",
        opened_run=RUN,
        opened_at="2026-11-22T19:42:00Z",
    )
