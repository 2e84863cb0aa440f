"""What the schema monitor says of columns and of how files are written."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from nbops.history.index import ColumnSeen, DatasetEntry
from nbops.history.monitors.schema import judge_schema, likeness
from nbops.model import Column, Dataset, Distribution

QUANTILES = (1.0, 1.1, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0)


def entry(columns: dict[str, str], *spreads: Distribution, **storage: object) -> DatasetEntry:
    return DatasetEntry(
        run="r1",
        at=dt.datetime(2026, 1, 1, tzinfo=dt.timezone.utc),
        changed=True,
        published=True,
        verdict="passed",
        rows=100,
        bytes=1,
        content_hash="a",
        columns=tuple(ColumnSeen(name, kind, False) for name, kind in columns.items()),
        distributions=spreads,
        storage=storage,
    )


def dataset(columns: dict[str, str], *spreads: Distribution, format: str = "parquet", **storage: object) -> Dataset:  # noqa: A002
    return Dataset(
        name="orders",
        task="load",
        path=f"orders.{format}",
        format=format,
        rows=100,
        columns=tuple(Column(name=name, physical_type=kind) for name, kind in columns.items()),
        distributions=spreads,
        storage=storage,
    )


def said(now: Dataset, *earlier: DatasetEntry) -> set[tuple[str, str | None]]:
    return {(item.metric, item.column) for item in judge_schema(now, earlier)}


def test_a_column_is_known_again_by_its_content() -> None:
    before = entry({"id": "BIGINT", "amount": "DOUBLE"}, Distribution(column="amount", rows=100, quantiles=QUANTILES))
    same = Distribution(column="total_gross", rows=100, quantiles=QUANTILES)
    assert said(dataset({"id": "BIGINT", "total_gross": "DOUBLE"}, same), before) == {("renamed:amount", "total_gross")}
    other = replace(same, quantiles=tuple(1000 + value for value in QUANTILES))
    found = said(dataset({"x": "DOUBLE", "id": "BIGINT"}, replace(other, column="x")), before)
    assert found == {("removed", "amount"), ("added", "x")}


@pytest.mark.parametrize(
    ("now", "format", "expected"),
    [
        ({"id": "VARCHAR", "b": "DOUBLE"}, "parquet", {("type", "id")}),
        ({"id": "DOUBLE", "b": "DOUBLE"}, "parquet", {("type", "id")}),
        ({"id": "DOUBLE", "b": "DOUBLE"}, "csv", set()),
        ({"id": "VARCHAR", "b": "DOUBLE"}, "csv", {("type", "id")}),
        ({"b": "DOUBLE", "id": "BIGINT"}, "parquet", {("order", None)}),
        ({"id": "BIGINT", "b": "DOUBLE"}, "parquet", set()),
    ],
)
def test_types_and_order(now: dict[str, str], format: str, expected: set[tuple[str, str | None]]) -> None:  # noqa: A002
    assert said(dataset(now, format=format), entry({"id": "BIGINT", "b": "DOUBLE"})) == expected


def test_another_format_of_dates_and_a_mark_at_the_beginning() -> None:
    before = entry({"day": "VARCHAR"}, Distribution(column="day", rows=9, categories={"1/22/2020 17:00": 9}), bom=True)
    now = dataset({"day": "VARCHAR"}, Distribution(column="day", rows=9, categories={"1/23/20 9:00": 9}), bom=False)
    assert said(now, before) == {("format", "day"), ("storage:bom", None)}
    same = dataset({"day": "VARCHAR"}, Distribution(column="day", rows=9, categories={"11/2/2020 7:00": 9}), bom=True)
    assert said(same, before) == set()


def test_line_ends_are_no_news() -> None:
    assert said(dataset({"a": "BIGINT"}, line_end="lf"), entry({"a": "BIGINT"}, line_end="crlf")) == set()


def test_thousands_of_columns_that_all_change_take_no_pairing() -> None:
    before = entry({f"a{number}": "BIGINT" for number in range(3000)})
    now = dataset({f"b{number}": "BIGINT" for number in range(3000)})
    assert len(judge_schema(now, (before,))) == 6000


def test_likeness_has_its_ends() -> None:
    one = Distribution(column="a", rows=5, categories={"x": 5})
    assert likeness(one, one) == pytest.approx(1.0)
    assert likeness(one, replace(one, categories={"y": 5})) == pytest.approx(0.0)
    assert likeness(one, None) is None
    constant = Distribution(column="a", rows=5, quantiles=(2.0,) * 11)
    assert likeness(constant, constant) == pytest.approx(1.0)
