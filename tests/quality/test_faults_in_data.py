# ruff: noqa: E501, PLR0917 - contracts in one line each read best; fixtures are positional
"""Broken and hostile files: each gives a clear error or exact numbers, never an exception and never a pass."""

from __future__ import annotations

import gzip
import json
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ROW_COUNT = {"metric": "rowCount", "mustBeGreaterThan": 0}

BROKEN = {
    "empty.csv": (b"", "is empty"),
    "empty.jsonl": (b"", "is empty"),
    "empty.parquet": (b"", "is empty"),
    "blank.csv": (b"\n\n", "no header"),
    "long.csv": (b"a,b\n1,2\n1,2,3\n", "line 3: 3 fields, but the header has 2"),
    "short.csv": (b"a,b\n1,2\n1\n3,4\n", "line 3: 1 fields, but the header has 2"),
    "latin.csv": ("a,b\n1,x\n2,caf\xe9\n".encode("latin-1"), "line 3: not UTF-8 (byte 0xe9"),
    "latin_header.csv": ("a,caf\xe9\n1,2\n".encode("latin-1"), "line 1: not UTF-8"),
    "latin_late.csv": (b"a,b\n" + b"1,x\n" * 100_000 + b"2,caf\xe9\n", "line 100002: not UTF-8"),
    "utf16.csv": ("a,b\n1,2\n".encode("utf-16"), "UTF-16"),
    "twice.csv": (b"a,b,a\n1,2,3\n", "two columns are called 'a' (columns 1 and 3)"),
    "open_quote.csv": (b'a,b\n1,"abc\n2,3\n', "line 2: a field begins with a quote that is never closed"),
    "endings.csv": (b'a,b\n"x",2\r\n1,2\n', "mixes line endings (CRLF and LF)"),
    "half.csv.gz": (gzip.compress(b"a,b\n" + b"1,2\n" * 10_000)[:60], "cannot be read"),
    "torn.jsonl": (b'{"a":1}\n{"a":', "line 2, column 6: not JSON"),
    "latin.jsonl": ('{"a":"x"}\n{"a":"caf\xe9"}\n'.encode("latin-1"), "line 2: not UTF-8"),
    "twice.jsonl": (b'{"a":1,"a":2}\n', "line 1: a key is given twice"),
    "numbers.jsonl": (b"1\n2\n", "must hold objects"),
    "blank.jsonl": (b"\n\n", "has no rows"),
    "object.json": (b'{"a":1}', "must hold a list"),
    "nothing.json": (b"[\n]", "has no rows"),
    "deep.json": (b"[" * 100_000, ""),
    "text.parquet": (b"a,b\n1,2\n", "no complete Parquet"),
    "model.pkl": (b"x", "no known format"),
}


def test_a_byte_order_mark_before_json_is_refused_or_skipped(tmp_path, look, contract_of, verdicts):
    """DuckDB skips it from 2.0.1 on; it is never taken for a part of the data."""
    path = tmp_path / "bom.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"a":1}\n{"a":2}\n')
    found = look(path, contract_of({"name": "a", "required": True}, quality=[ROW_COUNT]), quarantine=True)
    if found.dataset.verdict == "errored":
        assert "byte order mark" in found.dataset.error
        assert set(verdicts(found).values()) == {"errored"}
    else:
        assert [column.name for column in found.dataset.columns] == ["a"]
        assert found.dataset.rows == 2
        assert set(verdicts(found).values()) == {"passed"}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_errored_with_the_reason(name, tmp_path, look, contract_of, verdicts):
    data, message = BROKEN[name]
    path = tmp_path / name
    path.write_bytes(data)
    contract = contract_of({"name": "a", "required": True}, quality=[ROW_COUNT])
    found = look(path, contract, quarantine=True)
    assert found.dataset.verdict == "errored"
    assert message in found.dataset.error
    assert str(tmp_path) not in found.dataset.error
    assert set(verdicts(found).values()) == {"errored"}
    assert len(found.results) == len(contract.checks)
    assert look(path).dataset.verdict == "errored"


def test_a_missing_file_is_errored(tmp_path, look):
    found = look(tmp_path / "orders.parquet")
    assert found.dataset.verdict == "errored"
    assert "out/orders.parquet: is not there" in found.dataset.error
    assert found.dataset.content_hash is None


@pytest.mark.parametrize("keep", [4, 100, -9, -100])
def test_truncated_parquet(keep, tmp_path, look):
    path = tmp_path / "orders.parquet"
    pq.write_table(pa.table({"a": list(range(1000))}), path)
    path.write_bytes(path.read_bytes()[:keep])
    assert "no complete Parquet" in look(path).dataset.error


def test_parquet_with_spoiled_pages_never_passes(tmp_path, look, contract_of, verdicts):
    path = tmp_path / "orders.parquet"
    pq.write_table(pa.table({"a": [f"value {n}" for n in range(10_000)]}), path, compression="zstd", write_page_checksum=True)
    data = bytearray(path.read_bytes())
    data[40:2000] = b"\xff" * 1960
    path.write_bytes(bytes(data))
    found = look(path, contract_of({"name": "a", "unique": True, "logicalTypeOptions": {"minLength": 1}}))
    got = verdicts(found)
    assert got["a.duplicateValues"] == got["a.invalidValues.minLength"] == "errored"
    assert found.dataset.verdict == "errored"


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("bom.csv", b"\xef\xbb\xbfa,b\n1,x\n2,y\n"),
        ("bom_quoted.csv", b'\xef\xbb\xbf"a","b"\n1,x\n2,y\n'),
        ("semicolon.csv", b"a;b\n1;x\n2;y\n"),
        ("tab.tsv", b"a\tb\n1\tx\n2\ty\n"),
        ("pipe.txt", b"a|b\n1|x\n2|y\n"),
        ("crlf.csv", b"a,b\r\n1,x\r\n2,y\r\n"),
        ("packed.csv.gz", gzip.compress(b"a,b\n1,x\n2,y\n")),
        ("no_end.csv", b"a,b\n1,x\n2,y"),
        ("blank_lines.csv", b"a,b\n1,x\n\n2,y\n\n"),
        ("rows.jsonl", b'{"a":1,"b":"x"}\n\n{"b":"y","a":2}\n'),
        ("rows.ndjson.gz", gzip.compress(b'{"a":1,"b":"x"}\n{"b":"y","a":2}')),
        ("rows.json", b' [{"a":1,"b":"x"},\n {"a":2,"b":"y"}]'),
    ],
    ids=lambda item: item if isinstance(item, str) else "",
)
def test_ways_to_write_the_same_rows(name, data, tmp_path, look, contract_of, verdicts, measured):
    path = tmp_path / name
    path.write_bytes(data)
    found = look(
        path, contract_of({"name": "a", "logicalType": "integer", "required": True}, {"name": "b", "logicalType": "string"})
    )
    assert found.dataset.error is None
    assert [column.name for column in found.dataset.columns] == ["a", "b"]
    assert (found.dataset.rows, measured(found, "minimum", "a"), measured(found, "maximum", "a")) == (2, 1, 2)
    assert set(verdicts(found).values()) == {"passed"}


def test_mixed_types_in_csv(tmp_path, look, contract_of):
    path = tmp_path / "orders.csv"
    path.write_bytes(b"quantity,zip\n" + b"1,01234\n" * 50_000 + b"abc,01234\n")
    contract = contract_of(
        {"name": "quantity", "logicalType": "integer", "logicalTypeOptions": {"minimum": 0}},
        {"name": "zip", "logicalType": "string"},
    )
    found = look(path, contract)
    schema, minimum = found.results
    assert schema.verdict == "failed"
    assert "'quantity' is VARCHAR, not integer: 1 value cannot be read as integer" in schema.message
    assert (minimum.verdict, minimum.observed) == ("failed", 1)
    assert minimum.examples[0]["quantity"] == "abc"
    assert minimum.examples[0]["zip"] == "01234"


def test_whole_numbers_and_dates_in_csv_are_what_their_values_can_be_read_as(tmp_path, look, contract_of, verdicts):
    path = tmp_path / "orders.csv"
    path.write_bytes(b"n,day,at,flag,empty,t\n1.0,2024-01-01,2024-01-01T10:00:00Z,true,,10:00\n,2024-01-02,,false,,11:00:01\n")
    types = {"n": "integer", "day": "date", "at": "timestamp", "flag": "boolean", "empty": "number", "t": "time"}
    found = look(path, contract_of(*({"name": name, "logicalType": kind} for name, kind in types.items())))
    assert verdicts(found) == {"schema": "passed"}, found.results


@pytest.mark.parametrize("name", ["zero.csv", "zero_no_newline.csv", "zero.parquet"])
def test_zero_rows_are_measured(name, tmp_path, look, contract_of, verdicts, measured):
    path = tmp_path / name
    if name.endswith("parquet"):
        pq.write_table(pa.table({"a": pa.array([], pa.int64()), "b": pa.array([], pa.string())}), path)
    else:
        path.write_bytes(b"a,b" if "no_newline" in name else b"a,b\n")
    contract = contract_of(
        {
            "name": "a",
            "logicalType": "integer",
            "primaryKey": True,
            "quality": [{"metric": "nullValues", "mustBe": 0, "unit": "percent"}],
        },
        {"name": "b", "logicalType": "string"},
        quality=[ROW_COUNT, {"type": "sql", "query": "SELECT max(a) FROM ${table}", "mustBe": 1}],
    )
    found = look(path, contract, quarantine=True)
    assert found.dataset.rows == 0
    assert measured(found, "distinctValues", "a") == 0
    assert verdicts(found) == {
        "schema": "passed",
        "a.nullValues": "passed",
        "a.nullValues.2": "passed",
        "a.duplicateValues": "passed",
        "rowCount": "failed",
        "sql": "errored",
    }


def test_five_thousand_columns(tmp_path, look, contract_of, measured, verdicts):
    width = 5_000
    path = tmp_path / "orders.csv"
    header = ",".join(f"c{n}" for n in range(width))
    path.write_text(f"{header}\n" + "".join(",".join([str(row)] * width) + "\n" for row in range(20)))
    contract = contract_of({"name": "c4999", "logicalType": "integer", "unique": True, "logicalTypeOptions": {"maximum": 18}})
    before = time.process_time()
    found = look(path, contract)
    # Hundreds of seconds when something grows with the square of the columns.
    assert time.process_time() - before < 150
    assert len(found.dataset.columns) == width
    assert measured(found, "distinctValues", "c4999") == 20
    assert verdicts(found) == {"schema": "passed", "c4999.duplicateValues": "passed", "c4999.invalidValues.maximum": "failed"}
    assert "c4999" in found.results[2].examples[0]
    assert len(found.results[2].examples[0]) <= 31


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_a_cell_of_ten_megabytes(suffix, tmp_path, look, contract_of, measured):
    path = tmp_path / f"orders.{suffix}"
    cell = "x" * 10_000_000
    if suffix == "csv":
        path.write_text(f"a,b\n1,{cell}\n2,y\n")
    elif suffix == "jsonl":
        path.write_text(json.dumps({"a": 1, "b": cell}) + '\n{"a": 2, "b": "y"}\n')
    else:
        pq.write_table(pa.table({"a": [1, 2], "b": [cell, "y"]}), path)
    found = look(path, contract_of({"name": "b", "logicalType": "string", "logicalTypeOptions": {"maxLength": 5}}))
    assert measured(found, "maximumLength", "b") == 10_000_000
    shown = found.results[1].examples[0]["b"]
    assert len(shown) == 100
    assert shown.endswith("…")


HOSTILE = [
    'quote"s', "it's", "; DROP TABLE scan; --", "emoji 🎉", "nul\0byte", "select", "__nbops_0", "A", "a", "a_1", " space ", "${table}",
    "<script>", "=1+1", "", "file_row_number", "c\nd", "data",
]  # fmt: skip


def test_hostile_names_and_values_in_parquet(tmp_path, look, contract_of, measured, verdicts):
    path = tmp_path / "orders.parquet"
    values = ["<script>alert(1)</script>", "'; DROP TABLE x; --", "nul\0", "🎉" * 2, None, "=cmd|'/c calc'!A0"]
    pq.write_table(pa.table([pa.array(values)] * len(HOSTILE), names=HOSTILE), path)
    properties = [
        {"name": name, "logicalType": "string", "required": True, "logicalTypeOptions": {"maxLength": 3}}
        for name in HOSTILE
        if name
    ]
    found = look(path, contract_of(*properties))
    assert found.dataset.error is None
    assert [column.name for column in found.dataset.columns] == HOSTILE
    for name in HOSTILE:
        assert measured(found, "distinctValues", name) == 5
        assert measured(found, "nullValues", name) == 1
    assert verdicts(found)["schema"] == "passed"
    by_id = {result.check.id: result for result in found.results}
    for name in filter(None, HOSTILE):
        assert by_id[f"{name}.nullValues"].observed == 1
        assert by_id[f"{name}.invalidValues.maxLength"].observed == 4
    json.dumps([dict(row) for result in found.results for row in result.examples], allow_nan=False)


def test_hostile_names_in_csv(tmp_path, look, contract_of, verdicts, measured):
    names = ['quote"s', "it's", "a,b", "A", "a", " space", "🎉", "two\nlines", ""]
    header = ",".join('"' + name.replace('"', '""') + '"' for name in names)
    path = tmp_path / "orders.csv"
    path.write_bytes((header + "\n" + ",".join(["1"] * len(names)) + "\n").encode())
    found = look(path, contract_of(*({"name": name, "logicalType": "integer", "unique": True} for name in names if name)))
    assert [column.name for column in found.dataset.columns] == names
    assert set(verdicts(found).values()) == {"passed"}
    assert measured(found, "maximum", "two\nlines") == 1


def test_nested_null_and_special_values(tmp_path, look, contract_of, measured, verdicts):
    path = tmp_path / "orders.parquet"
    table = pa.table(
        {
            "n": pa.array([1.5, float("nan"), float("inf"), float("-inf"), None]),
            "none": pa.nulls(5),
            "tags": pa.array([["a", "a"], ["a"], [], None, ["b"]]),
            "address": pa.array(
                [
                    {"city": "Bern", "zip": None},
                    {"city": None, "zip": "1"},
                    None,
                    {"city": "x", "zip": "2"},
                    {"city": "y", "zip": "3"},
                ]
            ),
            "m": pa.array([[("k", 1)], [], None, [], []], pa.map_(pa.string(), pa.int64())),
            "money": pa.array([1, 2, 3, 4, None], pa.decimal128(12, 2)),
            "raw": pa.array([b"\x00", b"\xff\xfe", None, b"", b"x"]),
            "at": pa.array([0, 1, 2, 3, None], pa.timestamp("us", "UTC")),
            "ns": pa.array([0, 1, 2, 3, None], pa.timestamp("ns")),
            "vector": pa.array([[1.0, 2.0]] * 4 + [None], pa.list_(pa.float32(), 2)),
        }
    )
    pq.write_table(table, path)
    contract = contract_of(
        {"name": "n", "logicalType": "number", "logicalTypeOptions": {"minimum": 0, "maximum": 10}},
        {"name": "none", "logicalType": "string"},
        {
            "name": "tags",
            "logicalType": "array",
            "logicalTypeOptions": {"minItems": 1, "uniqueItems": True},
            "items": {"logicalType": "string", "required": True},
        },
        {"name": "address", "logicalType": "object", "properties": [{"name": "city", "logicalType": "string", "required": True}]},
        {"name": "m", "logicalType": "object", "logicalTypeOptions": {"minProperties": 1}},
        {"name": "money", "logicalType": "number", "logicalTypeOptions": {"multipleOf": 2}},
        {"name": "at", "logicalType": "timestamp", "logicalTypeOptions": {"timezone": True}},
        {"name": "ns", "logicalType": "timestamp", "physicalType": "TIMESTAMP_NS"},
        {"name": "vector", "logicalType": "array"},
    )
    found = look(path, contract)
    assert found.dataset.error is None
    assert all(item.error is None for item in found.dataset.measurements if item.column != "tags[]")
    assert measured(found, "nonFiniteValues", "n") == 3
    assert (measured(found, "minimum", "n"), measured(found, "maximum", "n"), measured(found, "mean", "n")) == (1.5, 1.5, 1.5)
    assert measured(found, "minimum", "at") == "1970-01-01T00:00:00Z"
    assert measured(found, "distinctValues", "address") == 4
    json.dumps([item.value for item in found.dataset.measurements], allow_nan=False)
    observed = {result.check.id: (result.verdict, result.observed) for result in found.results}
    assert observed["n.invalidValues.minimum"] == ("failed", 2)
    assert observed["n.invalidValues.maximum"] == ("failed", 2)
    assert observed["tags.invalidValues.minItems"] == ("failed", 1)
    assert observed["tags.invalidValues.uniqueItems"] == ("failed", 1)
    assert observed["address.city.nullValues"] == ("failed", 2)
    assert observed["m.invalidValues.minProperties"] == ("failed", 3)
    assert observed["money.invalidValues.multipleOf"] == ("failed", 2)
    assert observed["tags[].nullValues"][0] == "errored"
    assert observed["schema"] == ("passed", 0)


def test_a_path_with_the_signs_of_a_pattern(tmp_path, look):
    path = tmp_path / "orders[1]*.parquet"
    pq.write_table(pa.table({"a": [1]}), path)
    assert look(path).dataset.rows == 1


def test_a_directory_of_parquet_files(tmp_path, look, contract_of, verdicts):
    folder = tmp_path / "parts.parquet"
    for part in range(3):
        (folder / f"p={part}").mkdir(parents=True)
        pq.write_table(pa.table({"a": [part, part]}), folder / f"p={part}" / "part.parquet")
    flagged = {"name": "a", "unique": True, "customProperties": [{"property": "nbops.onFailure", "value": "quarantine"}]}
    found = look(folder, contract_of(flagged), quarantine=True)
    assert (found.dataset.rows, found.dataset.verdict) == (6, "failed")
    assert found.quarantine is None
    assert "not set aside" in found.results[1].message
    (tmp_path / "none.parquet").mkdir()
    assert "without .parquet" in look(tmp_path / "none.parquet").dataset.error


def test_memory_limit_that_is_too_small_is_errored(tmp_path, look, contract_of):
    path = tmp_path / "orders.csv"
    path.write_text("a,b\n" + "".join(f"{n},{'x' * 200}{n}\n" for n in range(20_000)))
    found = look(path, contract_of({"name": "b", "unique": True}), memory_limit="1MB")
    assert found.dataset.verdict == "errored"
    assert Path(tmp_path / ".tmp").exists() is False
