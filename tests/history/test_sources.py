"""Sources of notebooks side by side: cells and their lines."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbops.history.sources import Cell, cells_in, changed_cells

_TEXT = st.text(alphabet="ab\n", max_size=40)


@given(before=_TEXT, after=_TEXT)
def test_nothing_is_lost_between_the_lines(before: str, after: str) -> None:
    one, other = Cell(kind="code", source=before), Cell(kind="code", source=after)
    found = changed_cells([one], [other], [(0, 0)])
    if before == after:
        assert found == ()
        return
    [change] = found
    left_out = sum(int(line.text.split()[0]) for line in change.lines if line.sign == "@")
    for text, own, others in ((before, "-", "+"), (after, "+", "-")):
        kept = [line.text for line in change.lines if line.sign not in {others, "@"}]
        lines = text.split("\n")
        assert len(kept) + left_out == len(lines)
        assert all(line in lines for line in kept)
        assert all(line.text in lines for line in change.lines if line.sign == own)


def test_cells_come_go_and_change_their_kind() -> None:
    before = [Cell(kind="code", source="1"), Cell(kind="code", source="same"), Cell(kind="code", source="2")]
    after = [Cell(kind="code", source="same"), Cell(kind="markdown", source="2"), Cell(kind="raw", source="")]
    found = changed_cells(before, after, [(0, None), (1, 0), (2, 1), (None, 2)])
    assert [(one.kind, one.cell, one.before, one.after) for one in found] == [
        ("removed", "code", 0, None),
        ("changed", "markdown, was code", 2, 1),
        ("added", "raw", None, 2),
    ]
    assert (found[0].removed, found[0].added) == (1, 0)


@pytest.mark.parametrize("notebook", [{}, {"cells": 3}, {"cells": [3, None]}])
def test_what_is_no_cell_is_left_out(notebook: dict[str, Any]) -> None:
    assert cells_in(notebook) == ()


def test_what_was_put_in_to_run_it_is_no_source() -> None:
    cells = [
        {"cell_type": "code", "source": ["a\n", "b\n"], "metadata": {"tags": ["parameters", 3]}},
        {"cell_type": "code", "source": "x", "metadata": {"tags": ["injected-parameters"]}},
        {"cell_type": "code", "source": "y", "metadata": {"tags": "injected-parameters"}},
        {"cell_type": "code", "source": "z", "metadata": None},
    ]
    assert [cell.source for cell in cells_in({"cells": cells})] == ["a\nb", "y", "z"]
