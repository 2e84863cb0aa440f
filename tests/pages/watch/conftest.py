"""A year of daily runs of the shop, made up: weeks, growth, a day cut short, a column that lost its values, incidents."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from statistics import median
from typing import TYPE_CHECKING, Any

import pytest

from nbops.model import Anomaly, Cause, Expected, Incident, IncidentEvent, IncidentFinding, MonitorCount, Run
from nbops.pages.render import render_index, render_run
from nbops.pages.summaries import summarise
from nbops.pages.watch import BandPoint, BandSeries, RunWatch, Watch
from nbops.record.store import write_run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

END = datetime(2026, 11, 22, 19, 41, 56, tzinfo=timezone.utc)
LAST = "20261122T194156Z-1f0c9a"
LEARNED = 7
SERIES: tuple[tuple[str | None, str, float], ...] = (
    (None, "rowCount", 400_000), (None, "interval", 86_400), (None, "bytes", 8_400_000), ("customer_id", "nullRate", 0.249),
    ("price", "mean", 4.61), ("price", "quantile:0.5", 2.1), ("stock_code", "distinctValues", 3_900),
    ("country", "share:EIRE", 0.03),
)  # fmt: skip
OUT = {  # (series, days ago): factor
    ("order_lines", "rowCount", 0): 0.31, ("order_lines", "bytes", 0): 0.33, ("order_lines", "nullRate", 0): 1.9,
    ("order_lines", "rowCount", 23): 0.5, ("order_lines", "rowCount", 31): 1.6, ("order_lines", "mean", 12): 40.0,
    ("order_lines_raw", "rowCount", 0): 0.31, ("baskets", "rowCount", 9): 0.4, ("customer_features", "nullRate", 4): 1.5,
    ("customer_features", "nullRate", 11): 1.6, ("customer_features", "nullRate", 18): 1.7, ("drift", "interval", 2): 5.0,
}  # fmt: skip
ACCEPTED = {("order_lines", "rowCount", 31)}


def run_id(days: int) -> str:
    return LAST if days == 0 else f"{END - timedelta(days=days):%Y%m%dT%H%M%SZ}-{days:06x}"


def day(days: int) -> str:
    return f"{END - timedelta(days=days):%Y-%m-%d}"


def _number(dataset: str, metric: str, base: float, days: int) -> float:
    chance = random.Random(f"{dataset} {metric} {days}")
    weekday = (END - timedelta(days=days)).weekday()
    weekly = 1 + 0.18 * math.sin(2 * math.pi * weekday / 7) if metric in {"rowCount", "bytes"} else 1
    number = base * weekly * (1 + 0.0004 * (365 - days)) * (1 + chance.gauss(0, 0.012))
    return number * OUT.get((dataset, metric, days), 1.0)


def banded(dataset: str, column: str | None, metric: str, base: float, *, runs: int) -> BandSeries:
    points: list[BandPoint] = []
    for days in range(runs - 1, -1, -1):
        value = _number(dataset, metric, base, days)
        before = [point.value for point in points[-28:] if point.run]
        same = [point.value for point in points[-7::-7]][:6] if metric in {"rowCount", "bytes"} else before[-14:]
        low = high = center = None
        if len(points) >= LEARNED and same:
            center = median(same)
            width = 0.08 * abs(center)
            low, high = center - width, center + width
        points.append(BandPoint(run=run_id(days), at=day(days), value=value, low=low, high=high, center=center))
    last = points[-1]
    expected = None
    if last.low is not None:
        basis = "the 6 Sundays before, without 1 outlier" if metric in {"rowCount", "bytes"} else "the 14 runs before"
        expected = Expected(low=last.low, high=last.high, center=last.center, method="seasonal", points=6, basis=basis)
    return BandSeries(column=column, metric=metric, points=tuple(points), expected=expected)


def anomaly(dataset: str, metric: str, days: int) -> Anomaly:
    column, _, base = next(entry for entry in SERIES if entry[1] == metric)
    monitor = {"rowCount": "volume", "interval": "freshness", "bytes": "volume", "nullRate": "nulls"}.get(metric, metric)
    series = banded(dataset, column, metric, base, runs=days + 60)
    point = next(one for one in series.points if one.run == run_id(days))
    center = point.center or base
    return Anomaly(
        monitor=monitor,
        subject=f"dataset:{dataset}",
        column=column,
        metric=metric,
        observed=round(point.value, 4),
        expected=Expected(low=point.low, high=point.high, center=center, method="seasonal", basis="the 6 Sundays before"),
        score=round(abs(point.value - center) / (0.08 * center), 2),
        accepted="EXP-2026-10-22" if (dataset, metric, days) in ACCEPTED else None,
    )


def incidents(runs: int) -> tuple[Incident, ...]:
    if runs < LEARNED:
        return ()
    first = Incident(
        id=f"INC-{LAST[:16]}-4c1d",
        title="order_lines_raw: rows is 153,201, expected 454,000 to 533,000",
        state="open",
        severity="warn",
        root="dataset:order_lines_raw",
        opened_run=LAST,
        opened_at="2026-11-22T19:43:30Z",
        owner="shop-data@example.com",
        subjects=("dataset:order_lines_raw", "task:clean", "dataset:order_lines", "dataset:customer_features", "dataset:gone"),
        last_good_run=run_id(1),
        last_bad_run=LAST,
        findings=(
            IncidentFinding(
                key="monitor:volume:dataset:order_lines_raw:rowCount", kind="monitor", subject="dataset:order_lines_raw",
                message="rows is 153,201, expected 454,000 to 533,000", severity="warn", first_run=LAST, last_run=LAST,
            ),
            IncidentFinding(
                key="monitor:nulls:dataset:order_lines:customer_id.nullRate", kind="monitor", subject="dataset:order_lines",
                column="customer_id", message="customer_id: share of nulls is 54 %, expected 24 % to 28 %", severity="warn",
                first_run=LAST, last_run=LAST,
            ),
            IncidentFinding(
                key="check:order_lines:rows.rowCount", kind="check", subject="dataset:order_lines", severity="error",
                message="rowCount is 153,201, expected ≥ 200,000", first_run=run_id(1), last_run=run_id(1), mended_run=LAST,
            ),
        ),
        causes=(
            Cause(
                kind="input", score=0.86, subject="file:data/raw/online_retail.csv",
                message="data/raw/online_retail.csv is 69 % smaller than in the last good run",
                evidence=("153,201 lines instead of 541,909", "the last day in it is 2026-11-14, was 2026-11-21"),
            ),
            Cause(
                kind="code", score=0.41, subject="task:clean", message="cell 3 of clean changed", cells=(3,),
                commit="4f1d2c7e9ab0",
                evidence=("- lines = raw.merge(customers)", "+ lines = raw.merge(customers, how='inner')"),
            ),
            Cause(kind="segment", score=0.2, subject="dataset:order_lines", message="all rows of country = EIRE are gone"),
        ),
        events=(
            IncidentEvent(at="2026-11-22T19:43:30Z", what="opened", run=LAST, message="2 findings"),
            IncidentEvent(at="2026-11-22T20:05:00Z", what="noted", by="Ada Lovelace", message="asked the warehouse team"),
        ),
    )  # fmt: skip
    older = [
        replace(
            first,
            id=f"INC-{run_id(days)[:16]}-{days:04x}",
            title=f"baskets: rows is {7_000 + days:,}, expected 17,000 to 19,000",
            state="expected" if days % 2 else "resolved",
            root="dataset:baskets",
            subjects=("dataset:baskets",),
            opened_run=run_id(days),
            opened_at=f"{day(days)}T19:43:30Z",
            last_bad_run=run_id(days),
            resolved_run=run_id(days - 1),
            resolved_at=f"{day(days - 1)}T19:43:30Z",
        )
        for days in (9, 40, 77)
        if days < runs
    ]
    return (*older, first)


def watch_of(run: Run, *, runs: int = 365) -> Watch:
    """What monitors found in a year of daily runs that ends with ``run``."""
    names = [item.name for item in run.datasets]
    seen: list[RunWatch] = []
    for days in range(min(runs, 60) - 1, -1, -1):
        out = [anomaly(name, metric, at) for name, metric, at in OUT if at == days and name in names and at + LEARNED < runs]
        counts = (
            MonitorCount(monitor="volume", judged=20 * (runs > LEARNED), learning=0 if runs > LEARNED else 20),
            MonitorCount(monitor="nulls", judged=60 * (runs > LEARNED), learning=4),
            MonitorCount(monitor="freshness", judged=10 * (runs > LEARNED), errored=1),
        )
        seen.append(RunWatch(run=run_id(days), at=day(days), datasets=frozenset(names), anomalies=tuple(out), monitors=counts))

    def bands(name: str, short: bool) -> Sequence[BandSeries]:
        chosen = SERIES[:2] if short else SERIES
        return [banded(name, column, metric, base, runs=min(runs, 120)) for column, metric, base in chosen]

    return Watch(runs=tuple(seen), incidents=incidents(runs), bands=bands)


def build_watched(run: Run, reports: Path, *, runs: int = 365) -> Path:
    """Render a site with monitoring, ``run`` the latest of ``runs``."""
    watch = watch_of(run, runs=runs)
    run = replace(run, anomalies=watch.runs[-1].anomalies, monitors=watch.runs[-1].monitors)
    for days in range(1, min(runs, 50)):
        page = reports / "runs" / run_id(days) / "index.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text("<!doctype html><html lang=en><title>r</title>", encoding="utf-8")
    write_run(reports, run)
    render_run(run, reports=reports, incidents=watch.incidents)
    render_index([summarise(run)], latest=run, reports=reports, watch=watch)
    return reports


@pytest.fixture(scope="session")
def watched() -> Any:
    """``watched(run, reports, runs=365)`` renders a site with monitoring."""
    return build_watched


@pytest.fixture(scope="session")
def watching() -> Any:
    """``watching(run, runs=365)``: what monitors found in a year of runs that ends with ``run``."""
    return watch_of
