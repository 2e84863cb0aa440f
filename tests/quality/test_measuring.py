# ruff: noqa: E501 - contracts in one line each read best
"""Measurements against known truth: real data, small tables by hand, and pandas as the second opinion."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nbops.quality.hashing import content_hash, content_size

NAIVE = dt.datetime(2024, 5, 10, 12, tzinfo=dt.timezone.utc).replace(tzinfo=None)
RETAIL = Path(__file__).parents[3] / "shared" / "data" / "ecommerce" / "online_retail"


@pytest.mark.skipif(not RETAIL.is_dir(), reason="the shared Online Retail data is not beside the project")
def test_the_known_dirt_of_real_data_is_found_exactly(tmp_path, look, contract_of, measured):
    truth = json.loads((RETAIL / "known_dirt.json").read_text())
    path = tmp_path / "online_retail.parquet"
    shutil.copy(RETAIL / "online_retail.parquet", path)
    rules = {
        "duplicates": ({"metric": "duplicateValues", "mustBe": 0}, truth["exact_duplicate_rows"]),
        "customers": ({"type": "sql", "query": "SELECT count(DISTINCT CustomerID) FROM ${table}", "mustBe": truth["customers"]}, truth["customers"]),
        "not_cancelled": (
            {"type": "custom", "engine": "nbops", "implementation": "Quantity >= 0 OR InvoiceNo LIKE 'C%'"},
            truth["negative_quantity_not_cancelled"],
        ),
        "bad_debt": ({"type": "custom", "engine": "nbops", "implementation": "NOT starts_with(InvoiceNo, 'A')"}, truth["bad_debt_invoice_rows_A"]),
        "rows": ({"metric": "rowCount", "mustBe": truth["rows"]}, truth["rows"]),
    }  # fmt: skip
    contract = contract_of(
        {"name": "InvoiceNo", "logicalType": "string", "required": True, "quality": [
            {"metric": "invalidValues", "arguments": {"pattern": "^[^C]"}, "mustBe": 0, "id": "cancelled"}]},
        {"name": "StockCode", "logicalType": "string"},
        {"name": "Description", "logicalType": "string", "required": True, "quality": [
            {"metric": "invalidValues", "arguments": {"pattern": r"^\S(.*\S)?$"}, "mustBe": 0, "id": "spaces"}]},
        {"name": "Quantity", "logicalType": "integer", "logicalTypeOptions": {"minimum": 0}},
        {"name": "InvoiceDate", "logicalType": "timestamp", "logicalTypeOptions": {"minimum": truth["first"], "maximum": truth["last"]}},
        {"name": "UnitPrice", "logicalType": "number", "logicalTypeOptions": {"minimum": 0}, "quality": [
            {"metric": "missingValues", "arguments": {"missingValues": [0]}, "mustBe": 0}]},
        {"name": "CustomerID", "logicalType": "string", "required": True, "classification": "personal"},
        {"name": "Country", "logicalType": "string", "quality": [
            {"metric": "missingValues", "arguments": {"missingValues": ["Unspecified"]}, "mustBe": 0}]},
        quality=[{**rule, "name": name} for name, (rule, _) in rules.items()],
        name="online_retail",
    )  # fmt: skip
    found = look(path, contract)
    observed = {result.check.id: result.observed for result in found.results}
    assert {name: observed[name] for name in rules} == {name: value for name, (_, value) in rules.items()}
    assert {key: value for key, value in observed.items() if key not in rules} == {
        "schema": 0,
        "InvoiceNo.nullValues": 0,
        "InvoiceNo.cancelled": truth["cancelled_invoice_rows_C"],
        "Description.nullValues": truth["null_description"],
        "Description.spaces": truth["description_outer_whitespace"],
        "Quantity.invalidValues.minimum": truth["negative_quantity"],
        "InvoiceDate.invalidValues.maximum": 0,
        "InvoiceDate.invalidValues.minimum": 0,
        "UnitPrice.invalidValues.minimum": truth["negative_price"],
        "UnitPrice.missingValues": truth["zero_price"],
        "CustomerID.nullValues": truth["null_customer"],
        "Country.missingValues": truth["unspecified_country"],
    }
    assert [measured(found, name, "Quantity") for name in ("minimum", "maximum")] == truth["quantity_min_max"]
    assert [measured(found, name, "UnitPrice") for name in ("minimum", "maximum")] == truth["price_min_max"]
    counts = {"InvoiceNo": "invoices", "StockCode": "stock_codes", "Country": "countries", "CustomerID": "customers"}
    assert {name: measured(found, "distinctValues", name) for name in counts} == {
        name: truth[key] for name, key in counts.items()
    }
    assert measured(found, "minimum", "InvoiceDate") == truth["first"].replace(" ", "T")
    assert not [
        item
        for item in found.dataset.measurements
        if item.column == "CustomerID" and item.metric in {"minimum", "maximum", "mean"}
    ]


@pytest.mark.skipif(not RETAIL.is_dir(), reason="the shared Online Retail data is not beside the project")
def test_real_rows_in_are_rows_out_and_quarantined(tmp_path, look, contract_of):
    path = tmp_path / "online_retail.parquet"
    shutil.copy(RETAIL / "online_retail.parquet", path)
    aside = [{"property": "nbops.onFailure", "value": "quarantine"}]
    contract = contract_of(
        {"name": "CustomerID", "required": True, "customProperties": aside},
        quality=[{"metric": "duplicateValues", "mustBe": 0, "customProperties": aside}],
        name="online_retail",
    )
    found = look(path, contract, quarantine=True)
    made = found.quarantine
    assert made.rows_in == 541_909 == made.rows_out + made.rows
    # 5,268 repeated rows in all, 43 of them among rows without a customer.
    assert made.reasons["CustomerID.nullValues"] == 135_080
    assert made.reasons["duplicateValues"] == made.rows - 135_080
    left = pq.read_table(path)
    assert left.num_rows == made.rows_out == left.group_by(left.column_names).aggregate([]).num_rows
    assert pq.read_metadata(tmp_path / "quarantine" / "run.parquet").num_rows == made.rows


FORMATS = {
    "email": (["a@b.co", "x.y+z@sub.example.org"], ["a", "a@b", "a b@c.de", "@b.co", ""]),
    "uuid": (["123e4567-e89b-12d3-a456-426614174000"], ["123e4567", "g23e4567-e89b-12d3-a456-426614174000"]),
    "uri": (["https://example.org/a?b", "urn:isbn:1"], ["example.org", "://x", "a b:c"]),
    "hostname": (["example.org", "a-b.c", "localhost"], ["-a.org", "a..b", "a_b"]),
    "ipv4": (["1.2.3.4", "255.255.255.255"], ["1.2.3", "256.1.1.1", "1.2.3.4.5"]),
    "ipv6": (
        ["::1", "::", "2001:db8::8a2e:370:7334", "1:2:3:4:5:6:7:8", "fe80::1:2", "::ffff:1.2.3.4"],
        ["1.2.3.4", ":::", "1::2::3", "12345::"],
    ),
}


@pytest.mark.parametrize("name", FORMATS)
def test_formats_of_text(name, tmp_path, look, contract_of):
    good, bad = FORMATS[name]
    path = tmp_path / "orders.parquet"
    pq.write_table(pa.table({"a": [*good, *bad, None]}), path)
    found = look(path, contract_of({"name": "a", "logicalType": "string", "logicalTypeOptions": {"format": name}}))
    assert found.results[1].observed == len(bad)
    assert [row["a"] for row in found.results[1].examples] == bad[:5]


def test_formats_of_numbers_and_multiples(tmp_path, look, contract_of):
    path = tmp_path / "orders.parquet"
    pq.write_table(pa.table({"n": [-129, -128, 127, 128, None, 256], "f": [0.3, 0.1, 0.25, float("nan"), None, -0.2]}), path)
    contract = contract_of(
        {"name": "n", "logicalType": "integer", "logicalTypeOptions": {"format": "i8"}},
        {"name": "f", "logicalType": "number", "logicalTypeOptions": {"multipleOf": 0.1}},
    )
    observed = {result.check.id: result.observed for result in look(path, contract).results}
    assert observed["n.invalidValues.format"] == 3
    assert observed["f.invalidValues.multipleOf"] == 2


def test_lists_of_values_by_type(tmp_path, look, contract_of):
    path = tmp_path / "orders.parquet"
    table = pa.table(
        {
            "n": pa.array([1, 2, None]),
            "x": pa.array([1.0, 2.5, None]),
            "d": pa.array([dt.date(2024, 1, 1), dt.date(2024, 1, 2), None]),
            "b": pa.array([True, False, None]),
            "s": pa.array(["1", "it's", None]),
        }
    )
    pq.write_table(table, path)
    values = {"n": [1, "x"], "x": [1, "2.5"], "d": [dt.date(2024, 1, 1), "nonsense"], "b": [True], "s": [1, "it's"]}
    rules = {
        name: [{"metric": "invalidValues", "arguments": {"validValues": items}, "mustBe": 0}] for name, items in values.items()
    }
    found = look(path, contract_of(*({"name": name, "quality": rule} for name, rule in rules.items())))
    assert {result.check.column: result.observed for result in found.results[1:]} == {"n": 1, "x": 0, "d": 1, "b": 1, "s": 0}


def test_ages(tmp_path, look, contract_of):
    path = tmp_path / "orders.parquet"
    table = pa.table(
        {
            "at": pa.array([NAIVE - dt.timedelta(days=1), NAIVE - dt.timedelta(hours=1)]),
            "tz": pa.array([dt.datetime(2024, 5, 10, 11, tzinfo=dt.timezone.utc)] * 2, pa.timestamp("us", "Asia/Tokyo")),
            "day": pa.array([dt.date(2024, 5, 9), None]),
            "text": pa.array(["2024-05-10 11:59:00", "soon"]),
            "none": pa.array([None, None], pa.timestamp("us")),
            "n": [1, 2],
        }
    )
    pq.write_table(table, path)
    levels = [{"property": "freshness", "value": 1, "unit": "h", "element": f"orders.{name}"} for name in table.column_names]
    levels.append(
        {
            "property": "retention",
            "value": 1,
            "unit": "h",
            "element": "orders.at",
            "customProperties": [{"property": "nbops.severity", "value": "error"}],
        }
    )
    found = look(path, contract_of(*({"name": name} for name in table.column_names), slaProperties=levels))
    got = {result.check.id: (result.verdict, result.observed) for result in found.results[1:]}
    assert got == {
        "at.freshness": ("passed", 3600),
        "tz.freshness": ("passed", 3600),
        "day.freshness": ("warned", 36 * 3600),
        "text.freshness": ("passed", 60),
        "none.freshness": ("errored", None),
        "n.freshness": ("errored", None),
        "at.retention": ("failed", 24 * 3600),
    }
    assert "The oldest at is 1 day old; expected at most 1 hour." in found.results[-1].message
    assert found.dataset.sla["freshness"] == 3600


def test_absent_columns_fail_the_schema_and_error_what_depends_on_them(tmp_path, look, contract_of):
    path = tmp_path / "orders.parquet"
    pq.write_table(pa.table({"Customer": ["x"], "n": ["y"]}), path)
    contract = contract_of(
        {"name": "customer", "required": True, "unique": True, "logicalTypeOptions": {"pattern": "x"}},
        {"name": "n", "logicalType": "integer"},
        quality=[
            {"metric": "duplicateValues", "mustBe": 0, "arguments": {"properties": ["customer", "n"]}},
            {"metric": "rowCount", "mustBe": 1},
        ],
        slaProperties=[{"property": "freshness", "value": 1, "unit": "h", "element": "orders.customer"}],
    )
    found = look(path, contract)
    assert [result.verdict for result in found.results] == [
        "failed",
        "errored",
        "errored",
        "errored",
        "errored",
        "passed",
        "errored",
    ]
    assert "column 'customer' is missing (Did you mean 'Customer'?)" in found.results[0].message
    assert "column 'n' is VARCHAR, not integer" in found.results[0].message
    assert "column 'customer' is not in the data. Allowed: Customer, n. Did you mean 'Customer'?" in found.results[1].message


def test_without_a_contract_it_is_measured_and_skipped(tmp_path, look, measured):
    path = tmp_path / "orders.parquet"
    pq.write_table(pa.table({"a": [1, 1, 4]}), path)
    found = look(path)
    assert (found.dataset.verdict, found.results, found.dataset.contract) == ("skipped", (), None)
    assert (measured(found, "mean", "a"), measured(found, "distinctValues", "a"), measured(found, "standardDeviation", "a")) == (
        2,
        2,
        1.732050808,
    )
    assert found.dataset.bytes == path.stat().st_size
    assert found.dataset.content_hash == content_hash(path)


def test_hashes_of_files_and_directories(tmp_path):
    (tmp_path / "a").write_bytes(b"x")
    assert content_hash(tmp_path / "a") == "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    folder = tmp_path / "d"
    (folder / "e").mkdir(parents=True)
    (folder / "e" / "f").write_bytes(b"12")
    first = content_hash(folder)
    assert content_size(folder) == 2
    (folder / "e" / "f").rename(folder / "g")
    assert content_hash(folder) != first


CELLS = st.one_of(st.none(), st.sampled_from(["a", "b", "", "0"]))


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(CELLS, CELLS, st.one_of(st.none(), st.integers(-2, 2))), max_size=12))
def test_counts_agree_with_counting_by_hand(rows, tmp_path, look, contract_of):
    path = tmp_path / "orders.parquet"
    schema = pa.schema([("s", pa.string()), ("t", pa.string()), ("n", pa.int64())])
    pq.write_table(pa.Table.from_pylist([dict(zip("stn", row, strict=True)) for row in rows], schema=schema), path)
    contract = contract_of(
        {"name": "s", "required": True, "unique": True},
        {"name": "t"},
        {
            "name": "n",
            "logicalTypeOptions": {"exclusiveMinimum": -1},
            "quality": [{"metric": "missingValues", "arguments": {"missingValues": [None, 0]}, "mustBe": 0}],
        },
        quality=[
            {"metric": "duplicateValues", "mustBe": 0, "arguments": {"properties": ["s", "t"]}, "id": "pairs"},
            {"metric": "duplicateValues", "mustBe": 0, "id": "whole"},
            {"type": "custom", "engine": "nbops", "implementation": "n <> 1", "id": "rule"},
        ],
    )
    found = look(path, contract)
    observed = {result.check.id: result.observed for result in found.results}
    s, n = [row[0] for row in rows if row[0] is not None], [row[2] for row in rows]
    pairs = [row[:2] for row in rows if None not in row[:2]]
    assert observed == {
        "schema": 0,
        "s.nullValues": len(rows) - len(s),
        "s.duplicateValues": len(s) - len(set(s)),
        "n.invalidValues.exclusiveMinimum": sum(value is not None and value <= -1 for value in n),
        "n.missingValues": n.count(None) + n.count(0),
        "pairs": len(pairs) - len(set(pairs)),
        "whole": len(rows) - len(set(rows)),
        "rule": n.count(1),
    }
    for result in found.results:
        assert result.check.metric == "schema" or len(result.examples) == min(5, result.observed)


def test_a_dataset_says_what_the_business_calls_it(tmp_path, look, contract_of):
    path = tmp_path / "orders.parquet"
    pq.write_table(pa.table({"a": [1], "b": [2]}), path)
    term = {"url": "https://example.com/a", "type": "businessDefinition"}
    contract = contract_of(
        {"name": "a", "businessName": "Amount", "tags": ["money"], "authoritativeDefinitions": [term]},
        table={"businessName": "Orders", "tags": ["core"]},
        domain="sales",
        tags=["shop"],
        authoritativeDefinitions=[{**term, "description": "What it is"}],
    )
    dataset = look(path, contract).dataset
    assert (dataset.business_name, dataset.domain, dataset.tags) == ("Orders", "sales", ("shop", "core"))
    assert [item.description for item in dataset.definitions] == ["What it is"]
    assert (dataset.columns[0].business_name, dataset.columns[0].tags) == ("Amount", ("money",))
    assert [item.url for item in dataset.columns[0].definitions] == ["https://example.com/a"]
    assert (dataset.columns[1].business_name, dataset.columns[1].tags, dataset.columns[1].definitions) == (None, (), ())
