"""Small pipelines that go wrong: ``load`` makes ``orders`` of a file; ``clean`` makes ``daily`` and ``weekly`` of these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nbops.history.accepted import is_accepted
from nbops.history.incidents.course import advance
from nbops.history.incidents.look import Before
from nbops.model import (
    Anomaly,
    Cause,
    Check,
    CheckResult,
    Column,
    ColumnEdge,
    Dataset,
    Incident,
    LineageEdge,
    MonitorCount,
    Run,
    RunError,
    TaskLineage,
    TaskRun,
)

MAKERS = {"orders": "load", "daily": "clean", "weekly": "clean", "other": "side"}
UPSTREAM: Mapping[str, tuple[str, ...]] = {"load": (), "side": (), "clean": ("load",), "report": ("clean", "side")}
LINEAGE = (
    LineageEdge(source="file:raw.csv", target="task:load"),
    LineageEdge(source="task:load", target="dataset:orders", kind="writes"),
    LineageEdge(source="dataset:orders", target="task:clean"),
    LineageEdge(source="task:clean", target="dataset:daily", kind="writes"),
    LineageEdge(source="task:clean", target="dataset:weekly", kind="writes"),
    LineageEdge(source="task:side", target="dataset:other", kind="writes"),
    LineageEdge(source="dataset:daily", target="task:report"),
    LineageEdge(source="dataset:other", target="task:report"),
)


def run_id(number: int) -> str:
    return f"20261122T{number // 60:02d}{number % 60:02d}00Z-{number:06x}"


def check(
    dataset: str = "orders",
    name: str = "amount.nullValues",
    verdict: str = "passed",
    *,
    severity: str = "error",
    column: str | None = None,
    home: str | None = None,
    origin: str = "",
    metric: str = "nullValues",
    message: str = "none expected, 3 found",
) -> CheckResult:
    made = Check(id=name, dataset=dataset, metric=metric, column=column, severity=severity, origin=origin)  # type: ignore[arg-type]
    return CheckResult(check=made, verdict=verdict, message=message, from_run=home)  # type: ignore[arg-type]


def anomaly(
    subject: str = "dataset:orders",
    *,
    column: str | None = None,
    metric: str = "rowCount",
    monitor: str = "volume",
    accepted: str | None = None,
    severity: str = "warn",
) -> Anomaly:
    return Anomaly(
        monitor=monitor,
        subject=subject,
        column=column,
        metric=metric,
        message="expected 900 to 1,100, found 3",
        accepted=accepted,
        severity=severity,  # type: ignore[arg-type]
    )


def make(
    number: int,
    *checks: CheckResult,
    failed: Mapping[str, str] | None = None,
    statuses: Mapping[str, str] | None = None,
    anomalies: tuple[Anomaly, ...] = (),
    carried: Mapping[str, str] | None = None,
    monitors: tuple[str, ...] = ("volume", "nulls", "freshness", "mean"),
    **more: Any,
) -> Run:
    """A run of four tasks: some fail, those below them are held, and what these make was not looked at."""
    failed = dict(failed or {})
    state = dict.fromkeys(UPSTREAM, "succeeded") | dict(statuses or {})
    for name, above in UPSTREAM.items():
        if name in failed:
            state[name] = "failed"
        elif any(state[up] in {"failed", "held"} for up in above):
            state[name] = "held"
    tasks = tuple(
        TaskRun(
            name=name,
            kind="notebook",
            status=state[name],  # type: ignore[arg-type]
            upstream=above,
            error=RunError(kind=failed[name], message="it broke", task=name) if name in failed else None,
        )
        for name, above in UPSTREAM.items()
    )
    carried = dict(carried or {})
    blamed = {item.check.dataset for item in checks}
    datasets = tuple(
        Dataset(
            name=name,
            task=task,
            path=f"output/{name}.parquet",
            format="parquet",
            columns=(Column(name="amount", physical_type="DOUBLE"), Column(name="city", physical_type="VARCHAR")),
            owner={"orders": "Sales", "daily": "Finance"}.get(name),
            from_run=carried.get(name),
        )
        for name, task in MAKERS.items()
        if state[task] in {"succeeded", "up_to_date"} or name in blamed
    )
    bad = any(item.verdict in {"failed", "errored"} for item in checks) or bool(failed)
    base = Run(
        id=run_id(number),
        status="failed" if failed else "succeeded",
        verdict="failed" if bad else "warned" if anomalies else "passed",
        pipeline="shop",
        command="ploomber build",
        started_at=f"2026-11-22T{number // 60:02d}:{number % 60:02d}:00Z",
        finished_at=f"2026-11-22T{number // 60:02d}:{number % 60:02d}:30Z",
        tasks=tasks,
        datasets=datasets,
        checks=checks,
        lineage=LINEAGE,
        anomalies=anomalies,
        monitors=tuple(MonitorCount(monitor=name, judged=1) for name in monitors),
    )
    return replace(base, **more)


def columns(*pairs: tuple[str, str]) -> tuple[TaskLineage, ...]:
    """Column lineage of ``clean``: ``orders.X`` to ``daily.Y``."""
    edges = tuple(
        ColumnEdge(
            source="orders", source_column=one, target="daily", target_column=other, kind="derived", how="sql", task="clean"
        )
        for one, other in pairs
    )
    return (TaskLineage(task="clean", edges=edges),)


def error(kind: str) -> RunError:
    """An error of the run itself."""
    return RunError(kind=kind, message="something went wrong")


def without(run: Run, task: str) -> Run:
    """The run of a pipeline that has a task less."""
    return replace(
        run,
        tasks=tuple(item for item in run.tasks if item.name != task),
        datasets=tuple(item for item in run.datasets if item.task != task),
    )


def cause() -> Cause:
    return Cause(kind="code", message="cell 3 changed", score=0.5, evidence=("cell 3",))


def kind_of_run(number: int, what: str) -> Run:
    """A run in which something happens; every run looks at the checks that it can."""
    warn = check("other", "share", "warned" if what == "warn" else "passed", severity="warn")
    rows = check("orders", verdict="failed" if what == "check" else "passed")
    if what in {"load", "side", "clean"}:
        return make(number, *(item for item in (warn, rows) if MAKERS[item.check.dataset] != what), failed={what: "ValueError"})
    if what == "check":
        return make(number, warn, rows, failed={"load": "ChecksFailed"})
    if what == "carried":
        state, home = dict.fromkeys(UPSTREAM, "up_to_date"), run_id(max(1, number - 1))
        return make(number, statuses=state, carried=dict.fromkeys(MAKERS, home), monitors=())
    if what == "killed":
        return make(number, status="interrupted", verdict="errored", errors=(error("Killed"),))
    return make(number, warn, rows, anomalies=(anomaly(),) if what == "volume" else ())


class Story:
    """Runs one after another, and the incidents after each."""

    def __init__(self) -> None:
        self.runs: list[Run] = []
        self.incidents: dict[str, Incident] = {}

    def tell(self, *runs: Run) -> list[list[str]]:
        """Add runs; return what each did, as ``what`` of its events in order of the incidents."""
        told = []
        for run in runs:
            accepted = [item for item in self.runs if is_accepted(item)]
            before = Before(
                ids=[item.id for item in self.runs],
                previous=lambda: self.runs[-1] if self.runs else None,
                accepted=lambda found=accepted: found[-1] if found else None,
            )
            changes = advance(self.incidents.values(), run, before)
            self.incidents |= {change.incident.id: change.incident for change in changes}
            self.runs.append(run)
            told.append([event.what for change in changes for event in change.events])
        return told

    def only(self) -> Incident:
        (found,) = self.incidents.values()
        return found

    def live(self) -> list[Incident]:
        return [item for item in self.incidents.values() if item.state in {"open", "acknowledged"}]


@pytest.fixture
def story() -> Story:
    return Story()


@pytest.fixture
def shop() -> Any:
    """``shop.make``, ``shop.check``, ``shop.anomaly``, ``shop.columns``, ``shop.run_id``, ``shop.error``, ``shop.without``."""

    class Shop:
        pass

    for helper in (make, check, anomaly, columns, run_id, error, without, cause, kind_of_run):
        setattr(Shop, helper.__name__, staticmethod(helper))
    return Shop


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    return tmp_path / "reports"
