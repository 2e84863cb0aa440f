"""Which cell became which: by nbdime, and where it is not installed."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbops.adapters.nbdime import matched_cells

_CELLS = st.lists(
    st.tuples(
        st.sampled_from(["code", "markdown", "raw"]), st.sampled_from(["", "a = 1", "a = 2\nb = a", "# T", "import x\n" * 9])
    ),
    max_size=7,
)
_BEFORE = [("code", "import a\nx = 1"), ("markdown", "# Orders of a day"), ("code", "def f(x):\n    return x + 1\n\nprint(f(3))")]
_AFTER = [("code", "import a\nx = 1"), ("code", "brand = 'new'"), ("markdown", "# Orders of one day"), _BEFORE[2]]


@pytest.mark.parametrize("nbdime", [True, False])
@given(before=_CELLS, after=_CELLS)
@settings(max_examples=60, deadline=None)
def test_each_cell_is_told_once_and_in_order(nbdime: bool, before: list[tuple[str, str]], after: list[tuple[str, str]]) -> None:
    pairs, by = matched_cells(before, after, nbdime=nbdime)
    assert by == ("nbdime" if nbdime else "difflib")
    assert [old for old, _ in pairs if old is not None] == list(range(len(before)))
    assert [new for _, new in pairs if new is not None] == list(range(len(after)))
    assert all(before[old][0] == after[new][0] for old, new in pairs if old is not None and new is not None)
    if before == after:
        assert pairs == tuple((place, place) for place in range(len(before)))


@pytest.mark.parametrize("nbdime", [True, False])
def test_an_edited_cell_is_the_same_cell(nbdime: bool) -> None:
    assert matched_cells(_BEFORE, _AFTER, nbdime=nbdime)[0] == ((0, 0), (None, 1), (1, 2), (2, 3))


def test_nbdime_that_was_told_to_ignore_sources_is_not_misled() -> None:
    from nbdime.diffing import notebooks

    notebooks.set_notebook_diff_targets(sources=False)
    try:
        assert matched_cells(_BEFORE, _AFTER)[0] == ((0, 0), (None, 1), (1, 2), (2, 3))
    finally:
        notebooks.set_notebook_diff_targets()


def test_without_nbdime_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nbdime", None)
    assert matched_cells(_BEFORE, _AFTER)[1] == "difflib"
