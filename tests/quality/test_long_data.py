"""Long data: estimates stay out of verdicts, memory is bounded, nothing is measured that is not asked for."""

from __future__ import annotations

import datetime as dt
import math
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nbops.model import MetricRequest
from nbops.quality import columns as columns_module
from nbops.quality import examples as examples_module
from nbops.quality import measure as measure_module
from nbops.quality import repeats as repeats_module
from nbops.quality.engine import connect
from nbops.quality.footer import read_footer
from nbops.quality.source import open_source
from nbops.quality.terms import Terms

NOW = dt.datetime(2024, 5, 10, tzinfo=dt.timezone.utc)
ROWS = 300_000
HYPERLOGLOG_ERROR = 1.04 / math.sqrt(64)
"""Relative standard error, 13 %, of m = 64 registers, the fewest that a supported DuckDB has (``HyperLogLog`` with P = 6):
1.04 / √m (Flajolet and others 2007: HyperLogLog, the analysis of a near-optimal cardinality estimation algorithm)."""


@pytest.fixture(scope="module")
def long_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ids, random numbers beyond any bit set, unique text, text of few values, one NaN and one repeated key."""
    path = tmp_path_factory.mktemp("long") / "orders.parquet"
    with duckdb.connect() as connection:
        connection.execute(
            f"""COPY (
                SELECT i AS id, (hash(i) >> 2)::BIGINT AS number, 'key-' || i % {ROWS - 1} AS key,
                ['a', 'b', NULL][1 + i % 3] AS kind, CASE WHEN i = 77 THEN 'nan'::DOUBLE ELSE i / 7 END AS price
                FROM range({ROWS}) AS t(i)
            ) TO '{path}' (FORMAT parquet, ROW_GROUP_SIZE 40000)"""
        )
    return path


@pytest.fixture
def estimating(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the file count as one of millions of rows."""
    monkeypatch.setattr(columns_module, "ESTIMATE_ROWS", 100_000)
    monkeypatch.setattr(measure_module, "ESTIMATE_ROWS", 100_000)


def _distinct(found: Any, column: str) -> tuple[Any, bool]:
    taken = [item for item in found.dataset.measurements if (item.metric, item.column) == ("distinctValues", column)]
    assert len(taken) == 1
    return taken[0].value, taken[0].arguments == (("approximate", True),)


@pytest.mark.usefixtures("estimating")
def test_an_estimate_says_so_and_is_never_judged(long_file, look, contract_of) -> None:
    plain = look(long_file)
    assert _distinct(plain, "id") == (ROWS, False)
    assert _distinct(plain, "kind") == (2, False)
    estimate, approximate = _distinct(plain, "key")
    assert approximate
    assert abs(estimate / ROWS - 1) < 3 * HYPERLOGLOG_ERROR
    assert _distinct(plain, "number")[1]
    checked = look(long_file, contract_of({"name": "key", "unique": True}, {"name": "number", "unique": True}))
    assert {result.check.id: result.observed for result in checked.results if result.check.metric == "duplicateValues"} == {
        "key.duplicateValues": 1,
        "number.duplicateValues": 0,
    }
    assert _distinct(checked, "key") == (ROWS - 1, False)
    assert _distinct(checked, "number") == (ROWS, False)


@pytest.mark.usefixtures("estimating")
def test_a_kind_of_check_that_asks_for_a_distinct_count_gets_the_exact_one(long_file) -> None:
    wanted = MetricRequest(metric="distinctValues", column="key")
    with connect(threads=2) as (connection, scratch):
        source = open_source(connection, long_file, name="a.parquet", scratch=scratch, contract=None, shown="a.parquet")
        terms = Terms(source, {})
        found = measure_module.measure(terms, [wanted], now=NOW, mask_text=False, base=[wanted])
    assert found[wanted].value == ROWS - 1


@pytest.mark.parametrize("long", [True, False])
def test_examples_are_the_first_rows_that_break_a_rule(long_file, look, contract_of, monkeypatch, long: bool) -> None:
    for module in (repeats_module, examples_module):
        monkeypatch.setattr(module, "LONG", 0 if long else 10**9)
    contract = contract_of(
        {
            "name": "key",
            "unique": True,
            "quality": [{"metric": "invalidValues", "mustBe": 0, "arguments": {"pattern": "[1-9]$"}}],
        },
        {"name": "kind", "required": True},
        {"name": "price", "logicalType": "number", "logicalTypeOptions": {"maximum": 40_000}},
        {"name": "id", "unique": True, "logicalTypeOptions": {"minimum": 250_000}},
    )
    found = {result.check.id: [row["_row"] for row in result.examples] for result in look(long_file, contract).results}
    assert found == {
        "schema": [],
        "key.duplicateValues": [ROWS],
        "key.invalidValues": [1, 11, 21, 31, 41],
        "kind.nullValues": [3, 6, 9, 12, 15],
        "price.invalidValues.maximum": [78, 280_002, 280_003, 280_004, 280_005],
        "id.duplicateValues": [],
        "id.invalidValues.minimum": [1, 2, 3, 4, 5],
    }


def test_little_memory_gives_the_same_numbers(long_file, look, contract_of) -> None:
    contract = contract_of(
        {"name": "key", "unique": True, "logicalTypeOptions": {"pattern": "^key-[0-9]+$"}},
        {"name": "price", "logicalType": "number", "logicalTypeOptions": {"minimum": 0}},
        {"name": "kind"},
        quality=[{"type": "library", "metric": "duplicateValues", "mustBe": 0, "arguments": {"properties": ["key", "kind"]}}],
    )
    roomy, tight = look(long_file, contract), look(long_file, contract, memory_limit="60MB")
    assert [(result.check.id, result.verdict, result.observed) for result in tight.results] == [
        (result.check.id, result.verdict, result.observed) for result in roomy.results
    ]
    assert tight.dataset.measurements == roomy.dataset.measurements
    assert {result.check.id: result.observed for result in roomy.results}["price.invalidValues.minimum"] == 1


def test_checks_alone_measure_nothing_else(long_file, look, contract_of) -> None:
    contract = contract_of({"name": "id", "required": True, "logicalTypeOptions": {"minimum": 0}})
    found = look(long_file, contract, whole=False)
    assert {(item.metric, item.column) for item in found.dataset.measurements} == {
        ("rowCount", None),
        ("nullValues", "id"),
        ("invalidValues", "id"),
    }
    assert found.dataset.content_hash is None
    assert found.results == look(long_file, contract).results


def test_a_footer_that_is_no_help_is_not_believed(tmp_path: Path) -> None:
    table = pa.table(
        {
            "plain": pa.array([3, None, 1]),
            "unsigned": pa.array([2**32 - 1, 0, 7], pa.uint32()),
            "float": pa.array([1.0, float("nan"), 2.0]),
            "text": ["b" * 100, "a", None],
            "nested": pa.array([[None], [1], [2]], pa.list_(pa.int64())),
            "empty": pa.array([None, None, None], pa.int64()),
        }
    )
    path = tmp_path / "a.parquet"
    pq.write_table(table, path, row_group_size=2)
    with connect() as (connection, scratch):
        source = open_source(connection, path, name="a.parquet", scratch=scratch, contract=None, shown="a.parquet")
        footer = read_footer(source)
    assert footer.ranges == {"__nbops_0": (1, 3)}
    assert set(footer.bounds) == {"__nbops_0", "__nbops_5"}
    assert footer.nulls == {"__nbops_0": 1, "__nbops_1": 0, "__nbops_2": 0, "__nbops_3": 1, "__nbops_5": 3}


def test_a_list_column_has_its_own_nulls_and_not_its_items(tmp_path: Path, look, measured) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"items": pa.array([[None], [1], [2]], pa.list_(pa.int64()))}), path)
    assert measured(look(path), "nullValues", "items") == 0
