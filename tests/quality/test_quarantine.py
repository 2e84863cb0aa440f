# ruff: noqa: E501 - contracts in one line each read best
"""Rows that break a quarantine rule: moved with their reasons, nothing lost, the rest as it was."""

from __future__ import annotations

import contextlib
import gzip
import json
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nbops.quality import audit as audit_module
from nbops.quality.rewrite import replaced, without_rows


def names_in(folder):
    return [path.name for path in folder.iterdir()]


SET_ASIDE = [{"property": "nbops.onFailure", "value": "quarantine"}]


def rejected(tmp_path):
    return pq.read_table(tmp_path / "quarantine" / "run.parquet").to_pylist()


def test_rows_are_moved_with_their_reasons(tmp_path, look, contract_of):
    path = tmp_path / "orders.parquet"
    table = pa.table(
        {"id": [1, 2, 2, 3, 4, 5], "email": ["a@b.c", None, "x@y.z", "bad", "a@b.c", "c@d.e"], "n": [1, 1, 1, -1, 1, 0]}
    )
    pq.write_table(table, path, row_group_size=2)
    contract = contract_of(
        {"name": "id", "unique": True, "customProperties": SET_ASIDE},
        {
            "name": "email",
            "required": True,
            "logicalTypeOptions": {"pattern": "@"},
            "classification": "pii",
            "customProperties": SET_ASIDE,
        },
        {"name": "n", "logicalType": "integer"},
        quality=[
            {"type": "custom", "engine": "nbops", "implementation": "n > 0", "customProperties": SET_ASIDE},
            {"metric": "rowCount", "mustBe": 3},
        ],
    )
    found = look(path, contract, quarantine=True)
    made = found.quarantine
    assert (made.rows_in, made.rows_out, made.rows) == (6, 3, 3)
    assert made.path == "quarantine/orders/run.parquet"
    assert made.reasons == {"email.nullValues": 1, "email.invalidValues.pattern": 1, "rowRule": 2}
    assert rejected(tmp_path) == [
        {"id": 2, "email": None, "n": 1, "_nbops_reasons": "email.nullValues"},
        {"id": 3, "email": "bad", "n": -1, "_nbops_reasons": "email.invalidValues.pattern, rowRule"},
        {"id": 5, "email": "c@d.e", "n": 0, "_nbops_reasons": "rowRule"},
    ]
    # The first row with id 2 went for another reason, so the second is no repetition.
    assert pq.read_table(path).to_pylist() == [row for row in table.to_pylist() if row["id"] in (1, 4) or row["email"] == "x@y.z"]
    verdicts = {result.check.id: result.verdict for result in found.results}
    assert verdicts == {
        "schema": "passed",
        "id.duplicateValues": "warned",
        "email.nullValues": "warned",
        "email.invalidValues.pattern": "warned",
        "rowRule": "warned",
        "rowCount": "passed",
    }
    by_id = {result.check.id: result for result in found.results}
    assert by_id["rowRule"].failing_rows == 2
    assert "set aside" in by_id["rowRule"].message
    assert [row["email"] for row in by_id["rowRule"].examples] == ["•••", "•••"]
    assert (found.dataset.rows, found.dataset.verdict) == (3, "warned")
    assert sorted(names_in(tmp_path / "quarantine")) == ["run.parquet"]
    assert sorted(item for item in names_in(tmp_path) if item != "contracts") == ["orders.parquet", "quarantine"]


def test_types_metadata_and_groups_of_parquet_stay(tmp_path, look, contract_of):
    path = tmp_path / "orders.parquet"
    columns = {
        "id": pa.array([1, 2, 3, 4], pa.uint16()),
        "kind": pa.array(["a", "b", "a", None]).dictionary_encode(),
        "ns": pa.array([1, 2, 3, 4], pa.timestamp("ns", "Europe/Zurich")),
        "money": pa.array([1, 2, 3, 4], pa.decimal128(9, 3)),
        "tags": pa.array([["x"], [], None, ["y"]]),
    }
    table = pa.table(columns).replace_schema_metadata({"pandas": "{}", "mine": "kept"})
    pq.write_table(table, path, row_group_size=2, compression="zstd")
    before = pq.read_table(path)
    contract = contract_of({"name": "kind", "required": True, "customProperties": SET_ASIDE})
    found = look(path, contract, quarantine=True)
    assert found.quarantine.rows == 1
    left = pq.read_table(path)
    assert left.schema.equals(before.schema, check_metadata=True)
    assert left.equals(before.slice(0, 3))
    metadata = pq.ParquetFile(path).metadata
    assert (metadata.num_row_groups, metadata.row_group(0).column(0).compression) == (2, "ZSTD")
    assert pq.read_table(tmp_path / "quarantine" / "run.parquet").schema.field("ns").type == pa.timestamp("ns", "Europe/Zurich")


@pytest.mark.parametrize("packed", [False, True])
def test_csv_keeps_its_bytes(tmp_path, look, contract_of, packed):
    path = tmp_path / ("orders.csv.gz" if packed else "orders.csv")
    good = ['"id";"note";price\r\n', '01;"two\r\nlines; ""quoted""";1.50\r\n', "\r\n", "03;plain 🎉;  2.0\r\n", "04;'x';3,50"]
    bad = '02;"bad\r\nrow";-1\r\n'
    data = ("\ufeff" + "".join([*good[:2], bad, *good[2:]])).encode()
    path.write_bytes(gzip.compress(data, mtime=0) if packed else data)
    contract = contract_of(
        {"name": "id", "logicalType": "string", "logicalTypeOptions": {"pattern": "^0[134]$"}, "customProperties": SET_ASIDE}
    )
    found = look(path, contract, quarantine=True)
    assert found.dataset.error is None
    assert (found.quarantine.rows_in, found.quarantine.rows_out, found.quarantine.rows) == (4, 3, 1)
    left = gzip.decompress(path.read_bytes()) if packed else path.read_bytes()
    assert left == ("\ufeff" + "".join(good)).encode()
    assert rejected(tmp_path) == [{"id": "02", "note": "bad\r\nrow", "price": "-1", "_nbops_reasons": "id.invalidValues.pattern"}]


def test_json_lines_and_arrays_keep_their_values(tmp_path, look, contract_of):
    contract = contract_of({"name": "n", "required": True, "customProperties": SET_ASIDE})
    lines = ['{"n": 1.10, "t": {"a": [1]}}\n', '{"t": {"a": []}}\n', "\n", '{"t": null, "n": 3}']
    path = tmp_path / "orders.jsonl"
    path.write_text("".join(lines))
    assert look(path, contract, quarantine=True).quarantine.rows == 1
    assert path.read_text() == "".join([lines[0], *lines[2:]])
    path = tmp_path / "orders.json"
    path.write_text('[{"n": 1, "x": "é"}, {"n": null, "x": "b"}]')
    assert look(path, contract, quarantine=True).quarantine.rows == 1
    assert json.loads(path.read_text()) == [{"n": 1, "x": "é"}]


def test_all_rows_may_go_and_none_need_to(tmp_path, look, contract_of):
    path = tmp_path / "orders.parquet"
    pq.write_table(pa.table({"n": pa.array([None, None], pa.int64())}), path)
    contract = contract_of(
        {"name": "n", "required": True, "customProperties": SET_ASIDE}, quality=[{"metric": "rowCount", "mustBeGreaterThan": 0}]
    )
    found = look(path, contract, quarantine=True)
    assert (found.quarantine.rows_out, found.quarantine.rows, found.dataset.verdict) == (0, 2, "failed")
    pq.write_table(pa.table({"n": [1]}), path)
    before = path.read_bytes()
    found = look(path, contract, quarantine=True)
    assert found.quarantine is None
    assert path.read_bytes() == before


def test_within_tolerance_nothing_is_set_aside(tmp_path, look, contract_of):
    path = tmp_path / "orders.parquet"
    pq.write_table(pa.table({"n": [1, 2, None]}), path)
    rule = {"metric": "nullValues", "mustBeLessThan": 50, "unit": "percent", "customProperties": SET_ASIDE}
    found = look(path, contract_of({"name": "n", "quality": [rule]}), quarantine=True)
    assert (found.quarantine, found.dataset.verdict) == (None, "passed")


def test_without_a_quarantine_path_the_check_fails(tmp_path, look, contract_of):
    path = tmp_path / "orders.parquet"
    pq.write_table(pa.table({"n": [1, None]}), path)
    found = look(path, contract_of({"name": "n", "required": True, "customProperties": SET_ASIDE}))
    assert (found.quarantine, found.dataset.rows, found.dataset.verdict) == (None, 2, "failed")


def test_a_quarantine_that_cannot_be_written_leaves_the_data_and_fails(tmp_path, look, contract_of):
    path = tmp_path / "orders.parquet"
    pq.write_table(pa.table({"n": [1, None]}), path)
    before = path.read_bytes()
    (tmp_path / "quarantine").write_text("a file where a directory should be")
    found = look(path, contract_of({"name": "n", "required": True, "customProperties": SET_ASIDE}), quarantine=True)
    assert found.quarantine is None
    assert found.dataset.verdict == "failed"
    assert "could not be set aside" in found.results[1].message
    assert path.read_bytes() == before


def test_a_wrong_count_publishes_nothing(tmp_path, look, contract_of, monkeypatch):
    from nbops.quality import rewrite

    path = tmp_path / "orders.csv"
    path.write_text("n,m\n1,1\n,2\n")
    before = path.read_bytes()
    monkeypatch.setattr(rewrite, "_text", lambda *_args, **_options: 7)
    found = look(path, contract_of({"name": "n", "required": True, "customProperties": SET_ASIDE}), quarantine=True)
    assert "1 rows should have been kept, but 7 were found" in found.results[1].message
    assert found.dataset.verdict == "failed"
    assert path.read_bytes() == before
    assert names_in(tmp_path / "quarantine") == []


def test_references_orphans_can_be_set_aside(tmp_path, look, contract_of):
    path = tmp_path / "orders.parquet"
    pq.write_table(pa.table({"customer": ["1", "2", "9", None]}), path)
    other = tmp_path / "customers.csv"
    other.write_text("id,name\n1,a\n2,b\n")
    contract = contract_of({"name": "customer", "relationships": [{"to": "customers.id"}], "customProperties": SET_ASIDE})
    found = look(path, contract, quarantine=True, references={"customers": other})
    assert found.quarantine.reasons == {"customer.references.customers": 1}
    assert pq.read_table(path).to_pydict() == {"customer": ["1", "2", None]}
    assert look(path, contract).results[1].verdict == "errored"
    assert "not a dataset of this pipeline" in look(path, contract).results[1].message
    broken = look(path, contract, references={"customers": tmp_path / "none.csv"})
    assert (broken.results[1].verdict, broken.dataset.error) == ("errored", None)


def test_neither_measuring_nor_setting_aside_loads_pandas(tmp_path):
    code = """
import datetime as dt, pathlib, sys
from nbops.contract.odcs import load_contract
from nbops.quality.audit import audit
folder = pathlib.Path(sys.argv[1])
text = "apiVersion: v3.1.0\\nkind: DataContract\\nid: o\\nversion: '1'\\nschema: [{name: o, properties: [{name: a, required: true, customProperties: [{property: nbops.onFailure, value: quarantine}]}]}]"
(folder / "o.odcs.yaml").write_text(text)
contract = load_contract(folder / "o.odcs.yaml")
(folder / "o.csv").write_text("a,b\\n1,2\\n,3\\n")
import duckdb
duckdb.sql(f"COPY (SELECT unnest([1, NULL]) AS a) TO '{folder}/o.parquet'")
for name in ("o.parquet", "o.csv"):
    made = audit(folder / name, name="o", task="t", final_path=name, contract=contract, references={}, now=dt.datetime.now(dt.timezone.utc),
                 quarantine_path=folder / "q" / "x.parquet").quarantine
    assert (made.rows_in, made.rows_out, made.rows) == (2, 1, 1)
assert not {"pandas", "ploomber"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code, str(tmp_path)], check=True)


def test_replacing_is_whole_or_not_at_all(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    path.chmod(0o640)
    with contextlib.suppress(RuntimeError), replaced(path) as partial:
        partial.write_text("half")
        raise RuntimeError
    assert (path.read_text(), names_in(tmp_path)) == ("old", ["a.txt"])
    with replaced(path) as partial:
        partial.write_text("new")
    assert (path.read_text(), path.stat().st_mode & 0o777, names_in(tmp_path)) == ("new", 0o640, ["a.txt"])


FIELD = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=6)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=80)
@given(rows=st.lists(st.tuples(FIELD, FIELD), min_size=1, max_size=8), drop=st.sets(st.integers(0, 7)))
def test_any_csv_without_some_rows(tmp_path, rows, drop):
    def text(records):
        quoted = (",".join('"' + field.replace('"', '""') + '"' for field in record) for record in records)
        return "".join(f"{record}\n" for record in quoted).encode()

    source, target = tmp_path / "a.csv", tmp_path / "b.csv"
    source.write_bytes(text([("a", "b"), *rows]))
    gone = sorted(number for number in drop if number < len(rows))
    without_rows(source, target, kind="csv", rows=gone, total=len(rows), delimiter=",")
    assert target.read_bytes() == text([("a", "b"), *(row for number, row in enumerate(rows) if number not in gone)])


def test_after_rows_went_only_what_may_have_changed_is_measured_again(tmp_path, look, contract_of, monkeypatch):
    asked = []
    taken = audit_module.measure

    def spy(terms, requests, **options):
        asked.append({(item.metric, item.column) for item in requests})
        return taken(terms, requests, **options)

    monkeypatch.setattr(audit_module, "measure", spy)
    path = tmp_path / "orders.parquet"
    pq.write_table(pa.table({"a": [1, 2, 3, 4], "b": [1, 2, 3, None], "up": [1, 1, 2, 4]}), path)
    contract = contract_of(
        {"name": "a", "required": True, "unique": True},
        {"name": "b", "required": True, "customProperties": [{"property": "nbops.onFailure", "value": "quarantine"}]},
        {"name": "up", "relationships": [{"type": "foreignKey", "to": "orders.a"}]},
        quality=[{"type": "custom", "engine": "nbops", "name": "low", "implementation": "a <= (SELECT count(*) FROM data)"}],
    )
    found = look(path, contract, quarantine=True)
    verdicts = {result.check.id: (result.verdict, result.observed) for result in found.results}
    # The row that went held the 4 that another row refers to: it went itself; the rest still refers to what is there.
    assert verdicts["b.nullValues"][0] == "warned"
    assert verdicts["a.duplicateValues"] == ("passed", 0)
    assert len(asked) == 2
    assert ("nullValues", "a") in asked[0]
    assert ("nullValues", "a") not in asked[1]
    assert {("nullValues", "b"), ("references", "up"), ("rowRule", None)} <= asked[1]
    values = {(item.metric, item.column): item.value for item in found.dataset.measurements}
    assert (values["rowCount", None], values["maximum", "a"], values["nullValues", "a"]) == (3, 3, 0)


def test_a_row_that_others_refer_to_breaks_them_when_it_goes(tmp_path, look, contract_of):
    path = tmp_path / "orders.parquet"
    pq.write_table(pa.table({"a": [1, 2, 3, 4], "b": [1, 2, 3, None], "up": [4, 1, 2, 4]}), path)
    contract = contract_of(
        {"name": "a"},
        {"name": "b", "required": True, "customProperties": [{"property": "nbops.onFailure", "value": "quarantine"}]},
        {"name": "up", "relationships": [{"type": "foreignKey", "to": "orders.a"}]},
    )
    found = look(path, contract, quarantine=True)
    verdicts = {result.check.metric: (result.verdict, result.observed) for result in found.results}
    assert verdicts["references"] == ("failed", 1)
