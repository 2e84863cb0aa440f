"""Precision and recall on snippets whose truth was written without sight of the analysers (``pytest -s`` prints the table)."""

from __future__ import annotations

import pytest
from blind_truth import DERIVED, DIALECTS, LIBRARIES, Case, code_cases, sql_cases, text

KINDS = ("derived", "influence", "together")


def _hold(cases: list[Case], precision: float, recall: float) -> None:
    """Fail where edges are wrong or missing more often than allowed, in any of the kinds."""
    wrong = [f"{case.name}: missing {text(edge)}" for case in cases for edge in sorted(case.truth - case.found, key=text)]
    wrong += [f"{case.name}: invented {text(edge)}" for case in cases for edge in sorted(case.found - case.truth, key=text)]
    for kind in KINDS:
        right = true = told = 0
        for case in cases:
            truth, found = (
                {edge for edge in edges if kind == "together" or (edge[2] in DERIVED) == (kind == "derived")}
                for edges in (case.truth, case.found)
            )
            right, true, told = right + len(truth & found), true + len(truth), told + len(found)
        where = f"{cases[0].where:10}{len(cases):4} snippets  {kind:9}{true:5} edges"
        print(f"{where}  precision {right / told:.3f}  recall {right / true:.3f}")  # noqa: T201
        assert right / told >= precision, "\n".join(wrong)
        assert right / true >= recall, "\n".join(wrong)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_sql(dialect: str) -> None:
    cases = sql_cases(dialect)
    assert len(cases) >= 15
    _hold(cases, 0.98, 0.98)


@pytest.mark.parametrize("library", LIBRARIES)
def test_code_of_notebooks(library: str) -> None:
    cases = code_cases(library)
    assert len(cases) >= 20
    _hold(cases, 0.95, 0.90)


def test_each_snippet_has_a_name_of_its_own_and_a_truth() -> None:
    cases = [("sql", case) for dialect in DIALECTS for case in sql_cases(dialect)]
    cases += [("code", case) for library in LIBRARIES for case in code_cases(library)]
    assert len({(kind, case.where, case.name) for kind, case in cases}) == len(cases)
    assert all(case.truth for _, case in cases)
