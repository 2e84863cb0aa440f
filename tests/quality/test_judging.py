"""Measurements x checks -> verdicts, without data: nothing passes that was not measured."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbops import plugins
from nbops.contract.vocabulary import OPERATORS
from nbops.model import Check, CheckResult, Measurement, MetricRequest
from nbops.quality import judge as judging
from nbops.quality.judge import holds_publication, judge, worst
from nbops.quality.kinds import ROW_COUNT, request_of
from nbops.quality.plan import check_requests

METRICS = sorted(plugins.BUILT_IN["nbops.checks"])
ARGUMENTS = {
    "references": (("columns", ("a",)), ("dataset", "d"), ("to", ("b",))),
    "rowRule": (("expression", "a > 0"),),
    "sql": (("query", "SELECT 1"),),
    "schema": (("columns", ()),),
}


def check(metric, **changes):
    return Check(
        **{
            "id": "x",
            "dataset": "d",
            "metric": metric,
            "column": "a",
            "arguments": ARGUMENTS.get(metric, ()),
            "operator": "mustBe",
            "expected": 0,
            **changes,
        }
    )


def taken(request, **changes):
    return {request: Measurement(metric=request.metric, column=request.column, arguments=request.arguments, **changes)}


@pytest.mark.parametrize(("metric", "unit", "severity"), list(itertools.product(METRICS, ["rows", "percent"], ["warn", "error"])))
def test_what_was_not_measured_is_errored(metric, unit, severity):
    made = check(metric, unit=unit, severity=severity)
    own = request_of(made)
    for measurements in ({}, taken(own, error="it broke"), taken(own, value=None), taken(own, value=None, error="")):
        (result,) = judge([made], measurements)
        assert result.verdict == "errored"
        assert "Could not be measured" in result.message
    if unit == "percent" and metric in {"nullValues", "invalidValues"}:
        for total in ({}, taken(ROW_COUNT, error="no"), taken(ROW_COUNT, value=None)):
            assert judge([made], {**taken(own, value=0), **total})[0].verdict == "errored"


@pytest.mark.parametrize("metric", METRICS)
def test_every_kind_can_pass_and_fail(metric):
    good, bad = ("", "a is missing") if metric == "schema" else (0, 5)
    made = check(metric, operator="mustBeLessOrEqualTo" if metric in {"freshness", "retention"} else "mustBe")
    own = request_of(made)
    assert check_requests([made, made]) == (own,)
    assert judge([made], taken(own, value=good))[0].verdict == "passed"
    assert judge([made], taken(own, value=bad))[0].verdict == "failed"
    assert judge([check(metric, operator=made.operator, severity="warn")], taken(own, value=bad))[0].verdict == "warned"


EXPECTED = {
    "mustBe": lambda value, low, high: value == low,
    "mustNotBe": lambda value, low, high: value != low,
    "mustBeGreaterThan": lambda value, low, high: value > low,
    "mustBeGreaterOrEqualTo": lambda value, low, high: value >= low,
    "mustBeLessThan": lambda value, low, high: value < low,
    "mustBeLessOrEqualTo": lambda value, low, high: value <= low,
    "mustBeBetween": lambda value, low, high: low <= value <= high,
    "mustNotBeBetween": lambda value, low, high: not low <= value <= high,
}


@settings(deadline=None)
@given(st.sampled_from(sorted(OPERATORS)), st.integers(0, 4), st.integers(0, 4), st.integers(0, 4))
def test_operators(operator, value, one, two):
    low, high = sorted((one, two))
    expected = (low, high) if "Between" in operator else low
    made = check("rowCount", column=None, operator=operator, expected=expected)
    (result,) = judge([made], taken(request_of(made), value=value))
    assert (result.verdict == "passed") is EXPECTED[operator](value, low, high)
    assert result.observed == value
    assert f"Rows: {value}; expected" in result.message


@settings(deadline=None)
@given(st.integers(0, 1000), st.integers(0, 1000), st.floats(0, 100))
def test_percentages(count, more, limit):
    total = count + more
    made = check("nullValues", unit="percent", operator="mustBeLessOrEqualTo", expected=limit)
    (result,) = judge([made], {**taken(request_of(made), value=count), **taken(ROW_COUNT, value=total)})
    percent = 100 * count / total if total else 0.0
    assert (result.verdict == "passed") is (percent <= limit)
    assert result.observed == pytest.approx(percent, rel=1e-9)
    assert result.failing_rows == count


def test_a_plugin_that_lies_or_breaks_never_passes(monkeypatch):
    class Liar:
        def requests(self, check):
            return (MetricRequest(metric="nothing"),)

        def judge(self, check, measurements):
            return CheckResult(check=check, verdict="passed")

    class Broken(Liar):
        def judge(self, check, measurements):
            raise RuntimeError("a value: ada@example.org")

    for kind in (Liar, Broken):
        monkeypatch.setattr(judging, "kind_of", lambda _check, kind=kind: kind())
        (result,) = judge([check("mine")], {})
        assert result.verdict == "errored"
        assert "ada" not in result.message
    monkeypatch.undo()
    (result,) = judge([check("not_installed")], {})
    assert result.verdict == "errored"
    assert "no plugin is called 'not_installed'" in result.message


def test_the_worst_leads():
    order = ["skipped", "passed", "warned", "errored", "failed"]
    for first, second in itertools.product(order, order):
        assert worst([first, second]) == max(first, second, key=order.index)
    assert worst([]) == "skipped"


@pytest.mark.parametrize(
    ("severity", "verdict"), list(itertools.product(["warn", "error"], ["passed", "warned", "failed", "errored", "skipped"]))
)
def test_what_holds_publication(severity, verdict):
    result = CheckResult(check=check("rowCount", severity=severity), verdict=verdict)
    assert holds_publication(result) is (severity == "error" and verdict in {"failed", "errored"})
