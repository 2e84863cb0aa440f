"""Edges between columns in a ledger: nothing is lost, hostile names included, and what did not change is referred to."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import get_args

import jsonschema
from hypothesis import given
from hypothesis import strategies as st

from nbops.model import ColumnEdge, ColumnTransformation, LineageNote, Run, TaskLineage
from nbops.record import schema
from nbops.record.edges import edges_from, rows_of
from nbops.record.ledger import from_json, to_json
from nbops.record.scrub import Scrubber
from nbops.record.store import ledger_path, read_run, write_run

names = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(["__proto__", "</script>", "\u202ex", "a\0b", "*"])
edges = st.builds(
    ColumnEdge,
    source=names,
    source_column=names | st.none(),
    target=names,
    target_column=names | st.none(),
    kind=st.sampled_from(["derived", "influence"]),
    how=st.sampled_from(["sql", "static", "observed", "assumed"]),
    transformation=st.sampled_from(get_args(ColumnTransformation)),
    task=st.just("clean"),
    cells=st.lists(st.integers(0, 999), max_size=3).map(tuple),
)
EDGE = ColumnEdge(
    source="raw", source_column="x", target="orders", target_column="y", kind="derived", how="sql", task="clean", cells=(3,)
)


def run(number: int, *edges_: ColumnEdge, **changes) -> Run:
    lineage = TaskLineage(task="clean", edges=edges_, notes=(LineageNote(message="cell 4 uses exec", cell=4),), basis="b")
    return Run(
        id=f"20261122T1941{number:02d}Z-{number:06x}",
        status="succeeded",
        verdict="passed",
        pipeline="shop",
        command="ploomber build",
        started_at="2026-11-22T19:41:56Z",
        column_lineage=(replace(lineage, **changes),),
    )


@given(st.lists(edges, max_size=8))
def test_edges_come_back_as_they_were(made):
    rows = json.loads(json.dumps(rows_of(made)))
    back = edges_from(rows, "clean")
    assert sorted(map(repr, back)) == sorted(map(repr, made))
    for row in rows:
        jsonschema.Draft7Validator(schema.EDGE_SCHEMA).validate(row)


def test_a_whole_ledger_agrees_with_its_schema():
    text = to_json(run(1, EDGE, replace(EDGE, target_column=None, kind="influence", transformation="filter")))
    jsonschema.validate(json.loads(text), schema.build())
    assert from_json(text) == run(1, EDGE, replace(EDGE, target_column=None, kind="influence", transformation="filter"))


def test_what_did_not_change_is_said_by_reference(tmp_path):
    many = tuple(replace(EDGE, target_column=f"c{number}") for number in range(40))
    for number in (1, 2, 3):
        write_run(tmp_path, run(number, *many))
    text = ledger_path(tmp_path, run(3).id).read_text(encoding="utf-8")
    assert len(text) < 500
    assert read_run(tmp_path, run(3).id).column_lineage[0].edges == read_run(tmp_path, run(1).id).column_lineage[0].edges
    assert len(read_run(tmp_path, run(3).id).column_lineage[0].edges) == 40


def test_what_changed_is_said(tmp_path):
    write_run(tmp_path, run(1, EDGE))
    other = replace(EDGE, source_column="z")
    write_run(tmp_path, run(2, other, notes=()))
    found = read_run(tmp_path, run(2).id).column_lineage[0]
    assert found.edges == (other,)
    assert found.notes == ()


def test_paths_and_secrets_are_taken_out_of_edges(tmp_path):
    edge = replace(EDGE, source=f"{tmp_path}/secret-token-123456.csv", source_column="secret-token-123456")
    clean = Scrubber(tmp_path, secrets=["secret-token-123456"]).run(run(1, edge, EDGE))
    text = to_json(clean)
    assert "secret-token-123456" not in text
    assert str(tmp_path) not in text
    assert EDGE in clean.column_lineage[0].edges
