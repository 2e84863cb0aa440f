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


@pytest.mark.parametrize("rows", [1, 2, 3, 99, 100, 101, 1_237])
def test_short_data_is_told_of_as_the_engine_would(tmp_path: Path, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    query = f"""
        SELECT i, (i * 7919) % 1000 - 500 AS whole, CASE WHEN i % 5 > 0 THEN ((i * 31) % 40) / 4.0 END AS few,
            CASE i % 7 WHEN 0 THEN 'nan'::DOUBLE WHEN 1 THEN '-inf'::DOUBLE WHEN 2 THEN -0.0 WHEN 3 THEN 0 ELSE sqrt(i) END odd,
            (i * 1.005)::DECIMAL(12, 3) AS price, (i::HUGEINT << 70) AS huge, 1e-300 * i AS tiny, NULL::DOUBLE AS nothing,
            DATE '2020-02-27' + (i % 90)::INT AS day, TIMESTAMP '1969-12-31 23:59:58' + to_seconds(i) AS moment,
            ['UK', 'FR', NULL, 'Größe'][1 + i % 4] AS country, i % 3 = 0 AS flag, 'item ' || (i * 37 % 500) AS text
        FROM range({rows}) t(i)"""
    listed = measured(tmp_path, query)
    monkeypatch.setattr("nbops.quality.spread.LISTED_ROWS", 0)
    monkeypatch.setattr("nbops.quality.measure._UNLISTED", frozenset(["float"]))
    counted = measured(tmp_path, query)
    assert listed.error is None
    assert len(listed.distributions) >= 10
    assert listed.distributions == counted.distributions
    assert listed.measurements == counted.measurements


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
