"""From a task's code to its lineage: names as the pipeline has them, no column without a source, nothing raised."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbops.lineage import task as module
from nbops.lineage.code import CodeLineage
from nbops.lineage.task import TaskCode, trace, unanalysed
from nbops.model import ColumnEdge

CODE = TaskCode(
    task="clean",
    language="python",
    cells=(
        "import pandas as pd",
        "orders = pd.read_csv(upstream['load']['raw'])\nrates = pd.read_csv('../data/rates.csv')",
        "orders['amount'] = orders['price'] * factor\norders['kind'] = 'sale'\norders.to_csv(product['orders'], index=False)",
    ),
    indexes=(1, 3, 5),
    values={"upstream": {"load": {"raw": "output/raw.csv"}}, "product": {"orders": "output/orders.csv"}, "factor": 2},
    schemas={"output/raw.csv": ("id", "price")},
    names={"output/raw.csv": "raw", "output/orders.csv": "orders", "/p/data/rates.csv": "file:data/rates.csv"},
    folders=("/p", "/p/notebooks"),
    makes={"orders": ("id", "price", "amount", "kind")},
    reads=("raw",),
    basis="b",
)


def derived(lineage, target, column):
    return {
        (edge.source, edge.source_column, edge.how)
        for edge in lineage.edges
        if edge.kind == "derived" and edge.target == target and edge.target_column in {column, None}
    }


def edge(**changes) -> ColumnEdge:
    made = ColumnEdge(
        source="output/raw.csv", source_column="id", target="output/orders.csv", target_column="id", kind="derived", how="static"
    )
    return replace(made, **changes)


def told(monkeypatch, *edges, columns=None, parameters=None, notes=()):
    """Have the analysis of code tell something."""
    found = CodeLineage(edges=edges, columns=columns or {}, parameters=parameters or {}, notes=notes)
    monkeypatch.setattr("nbops.lineage.code.analyse_code", lambda *_, **__: found)


def test_a_notebook():
    found = trace(CODE)
    assert derived(found, "orders", "id") == {("raw", "id", "static")}
    assert ("raw", "price", "static") in derived(found, "orders", "amount")
    assert ("parameter:factor", None, "static") in derived(found, "orders", "amount")
    assert derived(found, "orders", "kind") == {("task:clean", None, "static")}, "made by the code alone"
    cells = {cell for item in found.edges if item.target_column == "amount" for cell in item.cells}
    assert cells <= {3, 5}, "cells are counted as in the source"
    assert found.basis == "b"
    assert {item.task for item in found.edges} == {"clean"}


def test_sql():
    code = replace(
        CODE,
        language="sql",
        cells=("CREATE TABLE totals AS SELECT id, sum(price) AS total FROM raw GROUP BY id",),
        indexes=(),
        schemas={"raw": ("id", "price")},
        names={"totals": "relation:totals", "raw": "relation:raw"},
        makes={"relation:totals": None},
        reads=("relation:raw",),
    )
    found = trace(code)
    assert derived(found, "relation:totals", "total") == {("relation:raw", "price", "sql")}


def test_sql_whose_rows_go_to_a_file():
    code = replace(
        CODE, language="sql", cells=("SELECT sum(price) AS total FROM raw",), schemas={"raw": ("id", "price")},
        names={"output/totals.csv": "totals", "raw": "relation:raw"}, makes={"totals": ("total",)}, reads=(),
    )  # fmt: skip
    assert derived(trace(code), "totals", "total") == {("relation:raw", "price", "sql")}


def test_what_the_code_does_not_tell_is_assumed_and_said(monkeypatch):
    told(monkeypatch, edge())
    found = trace(CODE)
    assert derived(found, "orders", "amount") == {("raw", None, "assumed")}
    assert "price, amount, kind" in found.notes[0].message
    told(monkeypatch)
    whole = trace(replace(CODE, reads=()))
    assert [(item.source, item.target, item.target_column) for item in whole.edges] == [("task:clean", "orders", None)]


def test_columns_that_the_data_does_not_have_are_no_edges(monkeypatch):
    told(
        monkeypatch,
        edge(target_column="ID"),
        edge(target_column="ghost"),
        edge(source_column="PRICE", target_column="price"),
        edge(source_column="ghost", target_column="kind"),
        edge(target="/elsewhere/x.csv"),
    )
    found = trace(replace(CODE, schemas={"output/raw.csv": ("id", "price")}))
    assert derived(found, "orders", "id") == {("raw", "id", "static")}, "spelt as in the data"
    assert derived(found, "orders", "price") == {("raw", "price", "static")}
    assert derived(found, "orders", "kind") == {("raw", None, "assumed")}
    assert not [item for item in found.edges if "ghost" in {item.source_column, item.target_column} or item.target != "orders"]
    assert any("ghost of orders" in note.message for note in found.notes)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("output/raw.csv", "raw"),
        ("../data/rates.csv", "file:data/rates.csv"),
        ("data/other.csv", "file:data/other.csv"),
        ("/p/data/other.csv", "file:data/other.csv"),
        ("/elsewhere/other.csv", "file:/elsewhere/other.csv"),
        ("https://user:secret@example.org:8080/a.csv?token=secret#secret", "https://example.org:8080/a.csv"),
        ("postgresql://u:secret@[::1/db", "postgresql://unknown"),
        ("s3://bucket/a/*.parquet", "s3://bucket/a/*.parquet"),
        ("main.orders", "relation:main.orders"),
        ("?", "unknown"),
    ],
)
def test_names(monkeypatch, name, expected):
    told(monkeypatch, edge(source=name, source_column=None))
    assert expected in {item.source for item in trace(CODE).edges}


def test_notes_are_placed_as_in_the_source(monkeypatch):
    told(monkeypatch, notes=("cell 2, line 1: beyond analysis", "it took too long", *(f"cell 1: {n}" for n in range(40))))
    notes = trace(CODE).notes
    assert (notes[0].cell, notes[0].message) == (5, "line 1: beyond analysis")
    assert (notes[1].cell, notes[1].message) == (None, "it took too long")
    assert len(notes) == 21


def test_too_many_edges_are_widened(monkeypatch):
    monkeypatch.setattr(module, "_MOST_EDGES", 3)
    told(monkeypatch, *(edge(source_column=f"c{number}", target_column="id") for number in range(9)))
    found = trace(replace(CODE, schemas={}))
    assert {(item.source, item.source_column, item.target_column) for item in found.edges} == {("raw", None, None)}
    assert any("widened" in note.message for note in found.notes)


def test_an_analysis_that_fails_is_said_and_tried_again(monkeypatch):
    def broken(*_, **__):
        raise ZeroDivisionError

    monkeypatch.setattr("nbops.lineage.code.analyse_code", broken)
    found = trace(CODE)
    assert found.basis == ""
    assert found.notes[0].message == "the analysis failed (ZeroDivisionError)"
    assert derived(found, "orders", "id") == {("raw", None, "assumed")}


def test_other_languages_are_assumed():
    found = trace(replace(CODE, language="r"))
    assert derived(found, "orders", "id") == {("raw", None, "assumed")}
    assert "written in r" in found.notes[0].message
    assert unanalysed(replace(CODE, makes={}), "why").notes == ()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=60), max_size=3), st.sampled_from(["python", "sql"]))
def test_any_text_is_survived(cells, language):
    found = trace(replace(CODE, cells=tuple(cells), language=language, indexes=()))
    for column in CODE.makes["orders"] or ():
        assert derived(found, "orders", column)
    assert pickle.loads(pickle.dumps(found)) == found
