"""Frequent numbers, decimals, segments and repeated rows, measured with the distributions."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import duckdb
import pytest

from nbops.model import Dataset, Distribution
from nbops.quality.audit import audit
from nbops.quality.details import Field, repeated_rows, with_details

if TYPE_CHECKING:
    from pathlib import Path


def measured(folder: Path, query: str) -> Dataset:
    path = folder / "orders.parquet"
    duckdb.connect().execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")
    now = dt.datetime(2026, 11, 27, tzinfo=dt.timezone.utc)
    found = audit(
        path, name="orders", task="load", final_path="orders.parquet", contract=None, references={}, now=now, spread=True
    )
    return found.dataset


def test_prices_of_one_country_are_told_apart(tmp_path: Path) -> None:
    price = "CASE WHEN i % 10 = 0 THEN 1.17 + i % 4 ELSE i % 4 + 0.25 END"
    country = "CASE WHEN i % 10 = 0 THEN 'Ⓔ <b>''' ELSE 'UK' END"
    dataset = measured(tmp_path, f"SELECT i, {price} AS price, {country} AS country FROM range(400) t(i)")
    found = {item.column: item for item in dataset.distributions}["price"]
    odd = {item.value: item for item in found.segments if item.by == "country"}
    assert set(odd) == {"UK", "Ⓔ <b>'"}
    assert (odd["Ⓔ <b>'"].rows, odd["Ⓔ <b>'"].nulls, odd["Ⓔ <b>'"].usual) == (40, 0, 0)
    assert odd["UK"].middle == pytest.approx(1.75, abs=0.6)
    assert found.patterns == {"9.99": 400}
    assert sum(found.frequent.values()) == 400


def test_rows_that_repeat_are_counted(tmp_path: Path) -> None:
    dataset = measured(tmp_path, "SELECT i // 2 AS a, 'x' AS b FROM range(10) t(i)")
    repeated = [item.value for item in dataset.measurements if item.metric == "duplicateRows"]
    assert repeated == [5]


def test_nulls_infinities_and_nothing_at_all(tmp_path: Path) -> None:
    dataset = measured(
        tmp_path,
        "SELECT CASE i % 3 WHEN 0 THEN NULL WHEN 1 THEN 'nan'::DOUBLE ELSE 'inf'::DOUBLE END AS x, NULL::INT AS y "
        "FROM range(90) t(i)",
    )
    assert dataset.error is None
    assert all(not item.frequent for item in dataset.distributions)
    assert measured(tmp_path, "SELECT 1 AS x WHERE false").distributions == ()


def test_numbers_are_counted_by_power_of_ten(tmp_path: Path) -> None:
    numbers = "0.0, 5, 9.99, 10, 150, 999, 1000, -3, -999, 0.05, 'nan'::DOUBLE, 'inf'::DOUBLE, NULL"
    dataset = measured(tmp_path, f"SELECT unnest([{numbers}])::DOUBLE AS x, 'a' AS t")
    found = {item.column: item for item in dataset.distributions}
    assert dict(found["x"].magnitudes) == {"-e2": 1, "-e0": 1, "0": 1, "e-2": 1, "e0": 2, "e1": 1, "e2": 2, "e3": 1}
    assert dict(found["t"].magnitudes) == {}


def test_the_most_frequent_text_of_many_is_counted_and_not_named(tmp_path: Path) -> None:
    dataset = measured(tmp_path, "SELECT CASE WHEN i % 10 = 0 THEN 'TEST ITEM' ELSE 'item ' || i END AS t FROM range(3000) t(i)")
    (found,) = dataset.distributions
    assert found.top == pytest.approx(0.1)
    assert "TEST" not in str(found)


def test_a_query_that_fails_leaves_what_there_is() -> None:
    before = {"x": Distribution(column="x", rows=3)}
    connection = duckdb.connect()
    fields = [Field("x", "x", number=True, distinct=3)]
    assert with_details(connection, "nowhere", fields, before) == before
    assert repeated_rows(connection, "nowhere", ["x"], rows=3) is None
    assert repeated_rows(connection, "nowhere", [], rows=3) is None
