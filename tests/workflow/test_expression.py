"""What somebody asks of a measurement."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbops.errors import UnknownTarget
from nbops.workflow.expression import Measure, find_measure, parse_condition
from nbops.workflow.replay import Split, split_of

KNOWN = (
    Measure(dataset="orders", column=None, metric="rowCount"),
    Measure(dataset="orders", column="amount", metric="nullRate"),
    Measure(dataset="orders", column="amount", metric="mean"),
    Measure(dataset="orders", column="unit.price", metric="quantile:0.5"),
    Measure(dataset="orders.v2", column="amount", metric="mean"),
    Measure(dataset="orders", column="country", metric="share:N. Ireland"),
    Measure(dataset="recs", column=None, metric="coverageRate"),
    Measure(dataset="recs", column=None, metric="topTenRate"),
)


@pytest.mark.parametrize(
    ("text", "measure", "number"),
    [
        ("orders.amount.null_rate < 0.02", KNOWN[1], 0.02),
        ("orders.amount.nulls<2%", KNOWN[1], 0.02),
        ("orders.rows >= 1_000", KNOWN[0], 1000.0),
        ("orders.unit.price.median != 1e3", KNOWN[3], 1000.0),
        ("orders.v2.amount.avg > -5", KNOWN[4], -5.0),
        ("orders.country.share:N. Ireland <= 5 %", KNOWN[5], 0.05),
        ("recs.coverage > 70 %", KNOWN[6], 0.7),
        ("recs.coverageRate > 0.7", KNOWN[6], 0.7),
        ("recs.top_ten < 0.3", KNOWN[7], 0.3),
    ],
)
def test_conditions_are_read(text: str, measure: Measure, number: float) -> None:
    found = parse_condition(text, KNOWN)
    assert (found.measure, found.number) == (measure, number)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("orders.amount.null_rate", "write what holds"),
        ("orders.amount.null_rate < many", "is no number"),
        ("order.amount.mean < 1", "Did you mean 'orders'"),
        ("orders.amout.mean < 1", "Did you mean 'amount'"),
        ("orders.amount.meam < 1", "Did you mean 'mean'"),
        ("orders.amount < 1", "say which measurement"),
        ("recs.coverag < 1", "Allowed: coverage, top_ten. Did you mean 'coverage'"),
        ("", "write what holds"),
        ("x" * 1_000, "write what holds"),
    ],
)
def test_what_is_wrong_is_said(text: str, said: str) -> None:
    with pytest.raises(UnknownTarget, match=said):
        parse_condition(text, KNOWN)


@given(st.text(max_size=80))
def test_no_text_breaks_the_reading(text: str) -> None:
    try:
        found = parse_condition(text, KNOWN)
    except UnknownTarget:
        return
    assert found.measure in KNOWN


def test_a_column_stands_for_its_measurements() -> None:
    assert set(find_measure("orders.amount", KNOWN, whole=False)) == {KNOWN[1], KNOWN[2]}
    assert find_measure("orders", KNOWN, whole=False) == (KNOWN[0],)
    with pytest.raises(UnknownTarget, match="nbops build"):
        find_measure("orders", (), whole=False)


NUMBERS = st.floats(min_value=-1e6, max_value=1e6)


@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS)
def test_code_and_data_add_up_to_the_change(neither: float, code: float, data: float, both: float) -> None:
    one = Split(measure=KNOWN[2], neither=neither, code=code, data=data, both=both)
    assert one.by_code is not None
    assert one.by_data is not None
    assert one.by_code + one.by_data == pytest.approx(one.change, abs=1e-6)


def test_what_was_not_made_is_not_split() -> None:
    one = split_of(KNOWN[2], {KNOWN[2]: 1.0}, {}, {KNOWN[2]: 2.0}, {KNOWN[2]: 3.0})
    assert (one.by_code, one.by_data, one.interaction) == (None, None, None)
