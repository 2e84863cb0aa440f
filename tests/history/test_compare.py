"""Two runs compared: every kind of difference is told, nothing else is, and the heaviest leads."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbops.history.compare import compare
from nbops.history.comparison import AREAS, Change
from nbops.history.told import as_document
from nbops.model import Check, CheckResult, Column, Environment, Measurement, Notice, Run, TaskRun


def told(before: Run, after: Run) -> list[tuple[str, str, str]]:
    return [(one.area, one.kind, one.subject) for one in compare(before, after).changes]


def only(before: Run, after: Run) -> Change:
    changes = compare(before, after).changes
    assert len(changes) == 1, changes
    return changes[0]


def test_a_run_differs_in_nothing_from_itself_under_another_id_and_time(run: Run, shop: Any) -> None:
    other = replace(run, id=shop.SECOND, started_at="2026-11-23T19:41:56Z", seconds=99.0, command="nbops build --force")
    found = compare(run, shop.with_task(other, status="up_to_date", seconds=None, reasons=("Nothing changed.",)))
    assert found.changes == found.unknown == ()
    assert not found.different
    assert dict(found.compared) == {"checks": 2, "datasets": 1, "columns": 2, "tasks": 1, "parameters": 2, "packages": 1}


@pytest.mark.parametrize(
    ("was", "now", "kind"), [("passed", "failed", "worse"), ("warned", "passed", "better"), ("errored", "failed", "worse")]
)
def test_the_verdict_leads(run: Run, was: str, now: str, kind: str) -> None:
    found = compare(replace(run, verdict=was), replace(run, verdict=now))  # type: ignore[arg-type]
    assert (found.changes[0].area, found.changes[0].kind, found.changes[0].before, found.changes[0].after) == (
        "verdict", kind, was, now,
    )  # fmt: skip
    assert found.different


def test_an_interruption_is_worse_whatever_the_verdict(run: Run) -> None:
    assert only(run, replace(run, status="interrupted")).text == "was passed, is interrupted"


def with_check(run: Run, **more: Any) -> Run:
    first, *rest = run.checks
    return replace(run, checks=(replace(first, **more), *rest))


@pytest.mark.parametrize("verdict", ["failed", "errored", "warned"])
def test_a_check_that_objects_now_is_heavier_than_data_that_moved(run: Run, shop: Any, verdict: str) -> None:
    after = with_check(shop.measured(run, "mean", 53.0), verdict=verdict, observed=0)
    found = compare(run, after).changes
    assert (found[0].area, found[0].kind, found[0].after) == ("checks", "worse", verdict)
    assert found[0].text == f"was passed, is {verdict}: 1,000 before, 0 now"
    assert found[1].area == "data"
    mended = compare(after, run).changes
    assert ("checks", "better") in {(one.area, one.kind) for one in mended}


def test_a_rule_that_changed_is_told_with_both_forms(run: Run) -> None:
    after = with_check(run, check=replace(run.checks[0].check, expected=5, severity="warn"))
    change = only(run, after)
    assert change.kind == "rule"
    assert (change.before, change.after) == ({"expected": 0, "severity": "error"}, {"expected": 5, "severity": "warn"})


def test_checks_that_came_and_went(run: Run) -> None:
    fewer = replace(run, checks=run.checks[:1])
    assert only(run, fewer).kind == "removed"
    assert only(fewer, run).kind == "added"
    failing = replace(run, checks=(run.checks[0], replace(run.checks[1], verdict="failed")))
    assert only(fewer, failing).weight > 90


def test_what_a_check_observes_within_its_verdict_is_light(run: Run) -> None:
    change = only(run, replace(run, checks=(run.checks[0], replace(run.checks[1], observed=20))))
    assert (change.kind, change.text) == ("observed", "observes 20, 10 before")
    assert change.weight < 40


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        (0, "has no rows, 1,000 before"),
        (1_100, "1,000 rows → 1,100 rows (+10.0 %)"),
        (1, "1,000 rows → 1 row (-99.9 %)"),
    ],
)
def test_rows(run: Run, shop: Any, rows: int, text: str) -> None:
    found = {one.kind: one for one in compare(run, shop.with_dataset(run, rows=rows)).changes}
    assert found["rows"].text == text
    assert (found["rows"].before, found["rows"].after) == (1_000, rows)


def test_rows_weigh_more_the_further_they_moved_and_the_same_both_ways(run: Run, shop: Any) -> None:
    def weight(one: int, other: int) -> float:
        return next(
            c.weight
            for c in compare(shop.with_dataset(run, rows=one), shop.with_dataset(run, rows=other)).changes
            if c.kind == "rows"
        )

    assert weight(1_000, 1_010) < weight(1_000, 1_500) < weight(1_000, 2_000) == weight(1_000, 9_000)
    assert weight(1_000, 2_000) == weight(2_000, 1_000)


def test_schema(run: Run, shop: Any) -> None:
    amount, city = run.datasets[0].columns
    more = shop.with_dataset(run, columns=(amount, city, Column(name="__proto__", physical_type="BLOB")))
    assert only(run, more).subject == "orders.__proto__"
    assert only(more, run).text == "is no column any more"
    retyped = shop.with_dataset(run, columns=(replace(amount, physical_type="VARCHAR"), city))
    assert only(run, retyped).text == "was DOUBLE, is VARCHAR"
    assert only(run, shop.with_dataset(run, columns=(city, amount))).text == "has its columns in another order"
    private = shop.with_dataset(run, columns=(amount, replace(city, classification="personal")))
    assert only(run, private).text == "was classified as nothing, is as personal"


def test_columns_that_were_not_recorded_are_not_said_to_be_gone(run: Run, shop: Any) -> None:
    assert told(run, shop.with_dataset(run, columns=())) == []


def test_null_values(run: Run, shop: Any) -> None:
    change = only(run, shop.measured(run, "nullValues", 210))
    assert (change.kind, change.text) == ("nulls", "null values rose from 1 % to 21 %")
    assert (change.before, change.after) == (0.01, 0.21)
    assert change.weight == 80
    assert told(run, shop.measured(run, "nullValues", 10.5)) == []  # half a point in a thousand
    fewer = shop.measured(shop.measured(run, "nullValues", 20), "rowCount", 2_000, column=None, rows=2_000)
    assert [one.kind for one in compare(run, fewer).changes] == ["rows"]  # the same share of twice the rows


def test_the_mean_is_measured_in_standard_deviations(run: Run, shop: Any) -> None:
    change = only(run, shop.measured(run, "mean", 60.0))
    assert change.text == "mean 50 → 60, 1 standard deviations"
    assert change.weight == 76
    assert told(run, shop.measured(run, "mean", 50.9)) == []
    assert only(run, shop.measured(run, "mean", 52.0)).weight < 40


def test_spread_ends_and_number_of_values(run: Run, shop: Any) -> None:
    assert only(run, shop.measured(run, "standardDeviation", 30.0)).text == "standard deviation 10 → 30"
    assert only(run, shop.measured(run, "maximum", 990.0)).text == "maximum 99 → 990"
    wider, narrower = only(run, shop.measured(run, "maximum", 990.0)), only(run, shop.measured(run, "maximum", 98.0))
    assert wider.weight > narrower.weight
    assert only(run, shop.measured(run, "distinctValues", 2, column="city")).text == "distinct values 20 → 2"
    assert only(run, shop.measured(run, "quantile", 80.0)).text == "0.5 quantile 49 → 80"


def test_all_of_a_column_is_one_change_led_by_what_moved_furthest(run: Run, shop: Any) -> None:
    after = shop.measured(shop.measured(run, "mean", 70.0), "distinctValues", 500)
    change = only(run, after)
    assert change.text == "mean 50 → 70, 2 standard deviations; distinct values 400 → 500"
    assert change.before == {"distinctValues": 400, "mean": 50.0}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None, "x", True, 10**400, -1])
@pytest.mark.parametrize(
    "metric", ["mean", "standardDeviation", "minimum", "maximum", "distinctValues", "nullValues", "quantile"]
)
def test_values_that_are_no_numbers_do_no_harm(run: Run, shop: Any, metric: str, value: Any) -> None:
    for one, other in ((run, shop.measured(run, metric, value)), (shop.measured(run, metric, value), run)):
        found = compare(one, other)
        json.dumps(as_document(found), allow_nan=False)
        assert all(0 <= change.weight <= 100 for change in found.changes)


def test_other_contents_are_told_when_nothing_else_is(run: Run, shop: Any) -> None:
    assert only(run, shop.with_dataset(run, content_hash="bb")).kind == "content"
    assert ("data", "content", "orders") not in told(run, shop.with_dataset(run, content_hash="bb", rows=1_200))


def test_what_was_not_published(run: Run, shop: Any) -> None:
    held = shop.with_dataset(run, published=False)
    assert only(run, held).weight > 90
    assert only(held, run).kind == "better"


def test_what_could_not_be_measured_is_no_equality(run: Run, shop: Any) -> None:
    found = compare(run, shop.with_dataset(run, error="Binder Error"))
    assert found.different
    assert "orders could not be measured" in found.unknown[0]
    one = shop.with_dataset(run, measurements=(Measurement(metric="mean", column="amount", error="overflow"),))
    assert compare(run, one).unknown == (f"mean of amount of orders could not be measured in run {run.id}",)
    assert compare(one, run).different
    assert not compare(one, one).different  # the same contents, of which the same is not known
    other = shop.with_dataset(one, content_hash="bb")
    assert compare(one, other).unknown == ("mean of amount of orders could be measured in neither run",)


def test_data_of_a_task_that_did_not_succeed_is_unknown_not_gone(run: Run, shop: Any) -> None:
    for status in ("failed", "held", "interrupted"):
        after = replace(shop.with_task(run, status=status), datasets=(), checks=())
        found = compare(run, after)
        assert "orders was not made" in found.unknown[0]
        assert {one.area for one in found.changes} == {"tasks"}
    gone = replace(run, datasets=(), checks=())
    assert told(run, gone) == [("data", "removed", "orders")]


def test_checks_of_a_notebook_that_did_not_run_are_not_said_to_be_gone(run: Run, shop: Any) -> None:
    noted = Check(id="notebook.some", dataset="", metric="expectation", origin="notebook of load | notebook")
    before = replace(run, checks=(*run.checks, CheckResult(check=noted, verdict="passed")))
    assert told(before, shop.with_task(run, status="failed")) == [("tasks", "worse", "load")]
    assert told(before, run) == [("checks", "removed", "notebook.some")]


def test_code_modules_files_and_contracts(run: Run, shop: Any) -> None:
    def printed(**more: Any) -> Run:
        return shop.with_task(run, fingerprint={**run.tasks[0].fingerprint, **more})  # type: ignore[no-any-return]

    assert only(run, printed(code="k2")).text == "changed: the code of load"
    assert only(run, printed(modules={"shop/data.py": "m2"})).subject == "shop/data.py"
    assert only(run, printed(files={"in.csv": "f1", "more.csv": "f2"})).text == "changed, came or went: read by load"
    assert only(run, shop.with_dataset(run, contract_hash="c2")).kind == "contract"
    assert only(run, shop.with_dataset(run, contract=None, contract_hash=None)).text == "orders has no contract any more"
    assert told(run, shop.with_task(run, fingerprint={})) == []  # not known


def test_parameters_of_the_pipeline_are_told_once_those_of_tasks_apart(run: Run, shop: Any) -> None:
    task = {"since": "2012-01-01", "seed": 8}
    after = replace(shop.with_task(run, parameters=task), parameters={"since": "2012-01-01", "scale": 1_000, "new": None})
    assert told(run, after) == [
        ("parameters", "value", "load: seed"),
        ("parameters", "added", "new"),
        ("parameters", "value", "since"),
    ]
    assert only(run, replace(run, parameters={"since": "2011-01-01", "scale": 1_000.0})).subject == "scale"  # 1000 is not 1000.0


def test_environment(run: Run) -> None:
    def on(**more: Any) -> Run:
        given = {"python": "3.11.7", "platform": "Linux x86_64", "nbops": "0.1.0", "packages": {"pandas": "2.3.3"}, **more}
        return replace(run, environment=Environment(**given))

    weights = [only(run, on(packages={"pandas": version})).weight for version in ("3.0.0", "2.4.0", "2.3.4")]
    assert weights == sorted(weights, reverse=True)
    assert only(run, on(python="3.12.0")).text == "3.11.7 → 3.12.0"
    assert only(run, on(platform="Darwin arm64")).subject == "platform"
    assert only(run, on(packages={})).kind == "removed"
    assert told(run, replace(run, environment=None)) == []


def test_tasks(run: Run, shop: Any) -> None:
    more = replace(run, tasks=(*run.tasks, TaskRun(name="train", kind="notebook", status="succeeded", upstream=("load",))))
    assert only(run, more).kind == "added"
    assert only(more, run).kind == "removed"
    moved = replace(run, tasks=(replace(run.tasks[0], upstream=("x",)),))
    assert only(run, moved).kind == "upstream"
    assert only(run, shop.with_task(run, status="failed")).weight > 90
    assert told(run, shop.with_task(run, status="not_selected")) == []


def test_time_is_told_and_is_no_difference(run: Run, shop: Any) -> None:
    found = compare(run, shop.with_task(run, seconds=30.0))
    assert found.changes[0].text == "took longer: 10.0 s before, 30.0 s now"
    assert not found.different
    assert told(run, shop.with_task(run, seconds=12.0)) == []


def test_a_ledger_that_is_missing_is_told(run: Run) -> None:
    notice = Notice(kind="ledger", message="the ledger of run X is missing")
    assert compare(run, replace(run, notices=(notice,))).unknown == ("the ledger of run X is missing",)


def test_changes_are_ranked_and_the_order_of_a_ledger_does_not_show(run: Run, shop: Any) -> None:
    after = shop.measured(shop.with_task(replace(run, verdict="failed"), fingerprint={"code": "k2"}), "mean", 60.0)
    found = compare(run, after)
    weights = [one.weight for one in found.changes]
    assert weights == sorted(weights, reverse=True)
    assert {one.area for one in found.changes} <= set(AREAS)
    item = after.datasets[0]
    turned = replace(after, checks=after.checks[::-1], datasets=(replace(item, measurements=item.measurements[::-1]),))
    assert compare(run, turned).changes == found.changes


@given(
    names=st.lists(st.text(max_size=12), max_size=5, unique=True),
    others=st.lists(st.text(max_size=12), max_size=5, unique=True),
    value=st.one_of(st.none(), st.integers(), st.floats(), st.text(max_size=8)),
)
def test_any_names_and_values(names: list[str], others: list[str], value: Any) -> None:
    def one(run_id: str, columns: list[str]) -> Run:
        from nbops.model import Dataset

        measured = tuple(Measurement(metric=m, column=c, value=value) for c in columns for m in ("mean", "minimum", "nullValues"))
        items = tuple(
            Dataset(
                name=name, task="t", path=name, format="csv", rows=3, measurements=measured,
                columns=tuple(Column(name=column, physical_type="X") for column in columns),
            )
            for name in columns
        )  # fmt: skip
        return Run(
            id=run_id, status="succeeded", verdict="passed", pipeline="p", command="c", started_at="x", datasets=items,
            parameters=dict.fromkeys(columns, value),
        )  # fmt: skip

    found = compare(one("a", names), one("b", others))
    assert found.different == (set(names) != set(others) or (_is_nan(value) and bool(names)))  # it is unlike itself
    json.dumps(as_document(found), allow_nan=False)


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)
