"""Small runs to compare."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from nbops.model import Check, CheckResult, Column, Dataset, Environment, GitState, Measurement, Run, TaskRun

FIRST, SECOND = "20261122T194156Z-000001", "20261123T194156Z-000002"


def make(run_id: str = FIRST, **more: Any) -> Run:
    """A run of one task, one dataset of two columns and two checks; all is well."""
    measured = (
        Measurement(metric="rowCount", value=1_000),
        Measurement(metric="nullValues", column="amount", value=10),
        Measurement(metric="mean", column="amount", value=50.0),
        Measurement(metric="standardDeviation", column="amount", value=10.0),
        Measurement(metric="minimum", column="amount", value=0.5),
        Measurement(metric="maximum", column="amount", value=99.0),
        Measurement(metric="distinctValues", column="amount", value=400),
        Measurement(metric="quantile", column="amount", arguments=(("q", 0.5),), value=49.0),
        Measurement(metric="nullValues", column="city", value=0),
        Measurement(metric="distinctValues", column="city", value=20),
    )
    orders = Dataset(
        name="orders",
        task="load",
        path="output/orders.parquet",
        format="parquet",
        columns=(Column(name="amount", physical_type="DOUBLE"), Column(name="city", physical_type="VARCHAR")),
        rows=1_000,
        content_hash="aa",
        measurements=measured,
        verdict="passed",
        contract="contracts/orders.odcs.yaml",
        contract_hash="c1",
        owner="Sales",
    )
    rows = Check(id="rowCount", dataset="orders", metric="rowCount", operator="mustBeGreaterThan", expected=0)
    nulls = Check(id="amount.nullValues", dataset="orders", metric="nullValues", column="amount", operator="mustBe", expected=0)
    fingerprint = {"code": "k1", "modules": {"shop/data.py": "m1"}, "files": {"in.csv": "f1"}}
    base = Run(
        id=run_id,
        status="succeeded",
        verdict="passed",
        pipeline="shop",
        command="ploomber build",
        started_at="2026-11-22T19:41:56Z",
        git=GitState(commit="4be1f0a9d2c3", branch="main"),
        environment=Environment(python="3.11.7", platform="Linux x86_64", nbops="0.1.0", packages={"pandas": "2.3.3"}),
        parameters={"since": "2011-01-01", "scale": 1_000},
        tasks=(
            TaskRun(
                name="load",
                kind="notebook",
                status="succeeded",
                source="notebooks/load.py",
                seconds=10.0,
                parameters={"since": "2011-01-01", "seed": 7},
                fingerprint=fingerprint,
            ),
        ),
        datasets=(orders,),
        checks=(
            CheckResult(check=rows, verdict="passed", observed=1_000),
            CheckResult(check=nulls, verdict="passed", observed=10),
        ),
    )
    return replace(base, **more)


def with_dataset(run: Run, **more: Any) -> Run:
    """The run with its dataset changed."""
    return replace(run, datasets=(replace(run.datasets[0], **more), *run.datasets[1:]))


def with_task(run: Run, **more: Any) -> Run:
    """The run with its task changed."""
    return replace(run, tasks=(replace(run.tasks[0], **more), *run.tasks[1:]))


def measured(run: Run, metric: str, value: Any, *, column: str | None = "amount", rows: int | None = None) -> Run:
    """The run with another value of a measurement."""
    item = run.datasets[0]
    changed = tuple(
        replace(one, value=value) if (one.metric, one.column) == (metric, column) else one for one in item.measurements
    )
    return with_dataset(run, measurements=changed, rows=item.rows if rows is None else rows)


@pytest.fixture
def run() -> Run:
    return make()


@pytest.fixture
def shop() -> Any:
    """``shop.make``, ``shop.with_dataset``, ``shop.with_task``, ``shop.measured``, ``shop.FIRST``, ``shop.SECOND``."""

    class Shop:
        pass

    for helper in (make, with_dataset, with_task, measured):
        setattr(Shop, helper.__name__, staticmethod(helper))
    Shop.FIRST, Shop.SECOND = FIRST, SECOND  # type: ignore[attr-defined]
    return Shop
