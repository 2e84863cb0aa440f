"""Precision and recall of edges against truth that was derived by hand, per dialect (``pytest -s`` prints the table)."""

from __future__ import annotations

import pytest
from sql_truth import DERIVED, DIALECTS, Edge, cases, found, text

from nbops.lineage.sql import analyse_sql

LEAST = 0.98
"""Of precision and of recall, of derived edges and of influences, in each dialect."""


def _split(edges: frozenset[Edge]) -> dict[str, frozenset[Edge]]:
    derived = frozenset(edge for edge in edges if edge[2] in DERIVED)
    return {"derived": derived, "influence": edges - derived}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_edges_are_those_of_the_truth(dialect: str) -> None:
    right, true, told = ({"derived": 0, "influence": 0} for _ in range(3))
    wrong: list[str] = []
    for case in cases(dialect):
        edges = found(analyse_sql(case.sql, dialect=dialect, schemas=case.schemas, target="out"))
        for kind, of_truth in _split(case.edges).items():
            told_here = _split(edges)[kind]
            right[kind] += len(of_truth & told_here)
            true[kind] += len(of_truth)
            told[kind] += len(told_here)
        wrong += [f"{case.name}: missing {text(edge)}" for edge in sorted(case.edges - edges, key=text)]
        wrong += [f"{case.name}: invented {text(edge)}" for edge in sorted(edges - case.edges, key=text)]
    for kind in right:
        precision, recall = right[kind] / told[kind], right[kind] / true[kind]
        print(f"{dialect:10} {len(cases(dialect)):4} snippets {kind:9} {true[kind]:4} edges  {precision:.3f} {recall:.3f}")  # noqa: T201
        assert precision >= LEAST, "\n".join(wrong)
        assert recall >= LEAST, "\n".join(wrong)


def test_there_are_enough_snippets_and_each_has_a_name_of_its_own() -> None:
    names = [(case.dialect, case.name) for dialect in DIALECTS for case in cases(dialect)]
    assert len(names) >= 150
    assert len(set(names)) == len(names)
    assert all(len(cases(dialect)) >= 25 for dialect in DIALECTS)


def test_snippets_widen_only_where_the_truth_does() -> None:
    """An edge "all columns of" where the truth names columns would count as one wrong edge only."""
    for dialect in DIALECTS:
        for case in cases(dialect):
            edges = found(analyse_sql(case.sql, dialect=dialect, schemas=case.schemas, target="out"))
            wide = {edge for edge in edges if edge[1] is None}
            assert wide <= case.edges, f"{dialect}, {case.name}: {[text(edge) for edge in wide - case.edges]}"
