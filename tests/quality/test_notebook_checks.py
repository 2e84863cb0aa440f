# ruff: noqa: E501 - contracts in one line each read best
"""``nbops.check`` and ``nbops.expect``: shown in the notebook, handed to the run, light to import."""

from __future__ import annotations

import json
import subprocess
import sys
import threading

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nbops
from nbops.errors import ChecksFailed, ContractError, DataError
from nbops.model import Check, CheckResult
from nbops.quality.notes import read_notes, write_notes


@pytest.fixture
def project(tmp_path, monkeypatch, contract_of):
    (tmp_path / "pipeline.yaml").write_text("tasks: []\n")
    (tmp_path / "notebooks").mkdir()
    contract_of(
        {"name": "id", "logicalType": "integer", "unique": True},
        {"name": "email", "logicalType": "string", "classification": "pii", "required": True},
        {"name": "c", "relationships": [{"to": "customers.id"}]},
    )
    monkeypatch.chdir(tmp_path / "notebooks")
    monkeypatch.delenv("NBOPS_NOTES", raising=False)
    return tmp_path


ROWS = {"id": [1, 1], "email": [None, "<b>ada@example.org</b>"], "c": [1, 2]}


def test_every_form_of_data_gives_the_same_verdicts(project):
    path = project / "rows.parquet"
    pq.write_table(pa.table(ROWS), path)
    connection = duckdb.connect()
    forms = [pd.DataFrame(ROWS), pa.table(ROWS), path, str(path), connection.sql(f"SELECT * FROM '{path}'")]
    for form in forms:
        report = nbops.check(form, "orders")
        assert {result.check.id: result.verdict for result in report.results} == {
            "schema": "passed",
            "id.duplicateValues": "failed",
            "email.nullValues": "failed",
            "c.references.customers": "skipped",
        }
        assert report.rows == 2
        assert not report.passed
    given_reference = nbops.check(pa.table(ROWS), "orders", references={"customers": pd.DataFrame({"id": [1, 2]})})
    assert given_reference.results[-1].verdict == "passed"


def test_how_a_report_shows_itself(project):
    report = nbops.check(pa.table(ROWS), "orders")
    text, html = repr(report), report._repr_html_()
    assert text.startswith("check of orders: failed (2 failed, 1 passed, 1 skipped on 2 rows)")
    assert text.index("✗") < text.index("✓")
    assert "<script" not in html
    assert "ada" not in text + html
    assert "•••" in html
    with pytest.raises(ChecksFailed, match=r"check of orders: 2 of 4 checks did not pass:\n  id.duplicateValues"):
        report.raise_if_failed()


def test_names_and_messages_are_escaped():
    html = nbops.expect(condition=False, name="<script>alert(1)</script>", message="<img src=x>")._repr_html_()
    assert "<script" not in html
    assert "<img" not in html
    assert "&lt;script&gt;" in html


def test_faults_are_named(project, monkeypatch):
    with pytest.raises(ContractError, match=r"no contract for dataset 'order'\. Allowed: orders\. Did you mean 'orders'\?"):
        nbops.check(pa.table(ROWS), "order")
    with pytest.raises(TypeError, match="not list"):
        nbops.check([1], "orders")
    with pytest.raises(DataError, match="Conversion failed for column email") as raised:
        nbops.check(pd.DataFrame({"id": [1, 2], "email": ["ada@example.org", 5]}), "orders")
    assert "ada" not in str(raised.value)
    monkeypatch.chdir("/")
    with pytest.raises(ContractError, match="no project around"):
        nbops.check(pa.table(ROWS), "orders")


TRUE = [True, pd.Series([True, True]), [True], pa.scalar(value=True), pa.chunked_array([[True]]), pd.Series([True]).to_numpy()]
FALSE = [False, pd.Series([True, False]), [False], pa.scalar(value=False), pd.Series([True]).to_numpy()[0] & False]
NOTHING = [
    None,
    float("nan"),
    pd.NA,
    pd.NaT,
    [],
    pd.Series([True, None]),
    pd.Series([], dtype=bool),
    pa.scalar(None),
    pd.Series([float("nan")]),
]


def test_expectations():
    for value in TRUE:
        assert nbops.expect(value, "it holds").verdict == "passed"
    for value in FALSE:
        assert nbops.expect(value, "it holds").verdict == "failed"
        assert nbops.expect(value, "it holds", severity="warn").verdict == "warned"
    for value in NOTHING:
        assert nbops.expect(value, "it holds", severity="warn").verdict == "errored"
    for value in (0, 1, 5.0, "yes", object(), [1], pd.DataFrame({"a": [True]}), lambda: True):
        with pytest.raises(TypeError, match="is true or false"):
            nbops.expect(value, "it holds")
    with pytest.raises(ValueError, match="Did you mean 'warn'"):
        nbops.expect(condition=True, name="x", severity="warning")
    with pytest.raises(ValueError, match="needs a name"):
        nbops.expect(condition=True, name=" ")
    assert nbops.expect(pd.Series([True, False, False]), "x").results[0].failing_rows == 2


def test_a_run_in_progress_is_told(project, monkeypatch):
    notes = project / "notes.jsonl"
    assert read_notes(notes) == ()
    monkeypatch.setenv("NBOPS_NOTES", str(notes))
    nbops.expect(condition=False, name="recall beats popularity", severity="warn", dataset="orders", message="0.1 < 0.2")
    report = nbops.check(pa.table(ROWS), "orders")
    nbops.expect(condition=True, name="recall beats popularity", dataset="orders")
    found = read_notes(notes)
    assert [result.check.id for result in found] == [
        "notebook.recall beats popularity",
        *(f"notebook.{result.check.id}" for result in report.results),
    ]
    assert found[0].verdict == "passed"
    assert found[2].examples == report.results[1].examples
    assert found[1].check.arguments == report.results[0].check.arguments
    assert "ada" not in notes.read_text()
    hash(found[1].check)


def result(name, **changes):
    return CheckResult(check=Check(id=name, dataset="d", metric="expectation"), **{"verdict": "passed", **changes})


def test_torn_and_foreign_lines(tmp_path, monkeypatch):
    notes = tmp_path / "notes.jsonl"
    monkeypatch.setenv("NBOPS_NOTES", str(notes))
    write_notes([result("a"), result("b")])
    whole = notes.read_bytes()
    for cut in range(len(whole)):
        notes.write_bytes(whole[:cut])
        found = read_notes(notes)
        assert [item.check.id for item in found] in ([], ["a"], ["a", "b"])
    notes.write_bytes(whole[:-20])
    write_notes([result("c")])
    found = read_notes(notes)
    assert [(item.check.id, item.verdict) for item in found] == [("a", "passed"), ("notes.4", "errored"), ("c", "passed")]
    notes.write_bytes(
        b'not json\n{"check": {}}\n[1]\n{"check": {"id": "x", "dataset": "", "metric": "m"}, "verdict": "great"}\n'
        + b"[" * 5000
        + b"\n"
    )
    assert [item.verdict for item in read_notes(notes)] == ["errored"] * 5


def test_writers_at_once_do_not_mix_lines(tmp_path, monkeypatch):
    monkeypatch.setenv("NBOPS_NOTES", str(tmp_path / "notes.jsonl"))

    def write(writer):
        for number in range(25):
            write_notes([result(f"{writer}.{number}", message="x" * 20_000)])

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = read_notes(tmp_path / "notes.jsonl")
    assert len(found) == 100
    assert {item.verdict for item in found} == {"passed"}


@settings(deadline=None, max_examples=50)
@given(st.text(min_size=1), st.text(), st.one_of(st.none(), st.integers(), st.floats(), st.text(), st.booleans()))
def test_any_result_survives_the_notes(tmp_path_factory, name, message, observed):
    path = tmp_path_factory.mktemp("n") / "notes"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NBOPS_NOTES", str(path))
        assert write_notes([result(name, message=message, observed=observed)])
    (found,) = read_notes(path)
    assert found.check.id == name[:1000]
    assert found.message == message[:1000]
    json.loads(path.read_text().strip())


def test_the_package_is_light_to_import():
    code = (
        "import sys, nbops\n"
        "heavy = {'pandas', 'numpy', 'ploomber', 'duckdb', 'papermill', 'nbconvert', 'pyarrow', 'ruamel', 'jinja2'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "assert nbops.__all__ == sorted(nbops.__all__)\n"
        "assert set(nbops.__all__) <= set(dir(nbops))\n"
        "nbops.expect(True, 'light')\n"
        "assert not {'pandas', 'ploomber'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        nbops.nothing  # noqa: B018 - looking it up is the test
    assert nbops.check.__module__ == "nbops.quality.notebook"
