"""Datasets that were measured again and found as they were are carried over; anything else that changed is news."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nbops.model import Check, CheckResult, Column, Dataset, Measurement, Quarantine, Run
from nbops.record.ledger import from_json, to_json
from nbops.workflow.assemble import carried_over


def result(metric: str, observed: int, verdict: str = "passed") -> CheckResult:
    check = Check(id=f"at.{metric}", dataset="orders", metric=metric, column="at", expected=9)
    return CheckResult(check=check, verdict=verdict, observed=observed, message=f"{observed}")  # type: ignore[arg-type]


def run(number: int, *, age: int = 1, nulls: int = 0, verdict: str = "passed", **changes) -> Run:
    measured = {"freshness": age, "nullValues": nulls}
    data = Dataset(
        name="orders", task="clean", path="orders.parquet", format="parquet", rows=3, content_hash="cc", changed=number == 0,
        columns=(Column(name="at", physical_type="TIMESTAMP"),), verdict="passed",
        measurements=tuple(Measurement(metric=metric, column="at", value=value) for metric, value in measured.items()),
    )  # fmt: skip
    given = {
        "id": f"20261122T19415{number}Z-00000{number}", "status": "succeeded", "verdict": "passed", "pipeline": "p",
        "command": "c", "started_at": "2026-11-22T19:41:56Z", "datasets": (replace(data, **changes),),
        "checks": (result("freshness", age, verdict), result("nullValues", nulls)),
    }  # fmt: skip
    return Run(**given)


def test_what_only_aged_is_carried_over():
    made = carried_over(run(1, age=5), run(0))
    assert made.datasets[0].from_run == run(0).id
    assert made.checks == run(1, age=5).checks  # the new age stands in the ledger
    again = carried_over(run(2, age=9), made)
    assert again.datasets[0].from_run == run(0).id


def test_numbers_that_were_not_rounded_yet_are_those_of_the_ledger():
    mean = Measurement(metric="mean", column="at", value=0.1 + 0.2)
    first, second = run(0, measurements=(mean,)), run(1, measurements=(mean,))
    assert carried_over(second, from_json(to_json(first))).datasets[0].from_run == first.id


@pytest.mark.parametrize(
    "now",
    [
        run(1, nulls=1),
        run(1, verdict="warned"),
        run(1, changed=True),
        run(1, rows=4),
        run(1, verdict="failed"),
        run(1, contract_hash="new"),
        run(1, description="new"),
        run(1, profile="profiles/orders.html"),
        replace(run(1), checks=run(1).checks[:1]),
        replace(run(1), quarantine=(Quarantine(dataset="orders", task="clean", path="q", rows_in=4, rows_out=3, rows=1),)),
        run(1, name="other"),
    ],
)
def test_anything_else_is_news(now):
    assert carried_over(now, run(0)) == now


def test_without_a_run_before_nothing_is_carried_over():
    assert carried_over(run(1), None) == run(1)


def with_quarantine(number: int, *, found: int, aside: int) -> Run:
    check = Check(id="paid", dataset="orders", metric="rowRule", expected=0, quarantine=True)
    verdict = "warned" if found else "passed"
    found_now = CheckResult(check=check, verdict=verdict, observed=found, failing_rows=found)  # type: ignore[arg-type]
    entry = Quarantine(
        dataset="orders", task="clean", path="q", rows_in=3 + aside, rows_out=3, rows=aside, reasons={"paid": aside}
    )
    made = run(number)
    return replace(made, checks=(*made.checks, found_now), quarantine=(entry,) if aside else ())


def test_rows_set_aside_before_are_not_missed_when_what_is_left_is_measured_again():
    first = with_quarantine(0, found=2, aside=2)
    again = carried_over(with_quarantine(1, found=0, aside=0), first)
    assert again.datasets[0].from_run == first.id
    assert carried_over(with_quarantine(2, found=0, aside=0), again).datasets[0].from_run == first.id
    broken = with_quarantine(1, found=1, aside=0)
    assert carried_over(broken, first) == broken
    anew = with_quarantine(1, found=2, aside=2)  # the task ran and set rows aside: that is told by this run
    assert carried_over(anew, with_quarantine(0, found=0, aside=0)) == anew


def test_what_was_said_of_rows_set_aside_stands_and_is_carried_over():
    first = with_quarantine(0, found=2, aside=2)
    again = carried_over(with_quarantine(1, found=2, aside=0), first)
    assert again.datasets[0].from_run == first.id
    assert carried_over(with_quarantine(2, found=2, aside=0), again).datasets[0].from_run == first.id
