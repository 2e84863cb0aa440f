"""Which cell of a notebook became which: by nbdime, where it is installed."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

__all__ = ["matched_cells"]

_SMALLEST = 0.6
"""How alike two cells are that are taken for one that was edited, where nbdime is not there: a ratio of difflib."""
_LONGEST = 4000
"""Characters of a cell that are compared for that."""

Pair = tuple[int | None, int | None]


def matched_cells(
    before: Sequence[tuple[str, str]], after: Sequence[tuple[str, str]], *, nbdime: bool = True
) -> tuple[tuple[Pair, ...], str]:
    """Return pairs of indices, None on the side where there is no such cell, in their order; and what matched them.

    Outputs and metadata are none of it: each cell is given as its kind and source. `nbdime <https://nbdime.readthedocs.io>`_
    knows cells by how alike they are, in three steps. Without it those that are equal are found by ``difflib``, and what stands
    between them is taken for edited where it is alike.

    Args:
        before: Kind and source of each cell as it was.
        after: As it is.
        nbdime: Use it where it is installed.
    """
    if nbdime:
        try:
            from nbdime import diff_notebooks  # noqa: PLC0415 - an extra, and a second of imports
        except ImportError:
            pass
        else:
            return tuple(_by_nbdime(diff_notebooks, before, after)), "nbdime"
    return tuple(_by_difflib(list(before), list(after))), "difflib"


def _by_nbdime(
    diff_notebooks: Callable[[Any, Any], Any], before: Sequence[tuple[str, str]], after: Sequence[tuple[str, str]]
) -> Iterator[Pair]:
    from nbformat import from_dict  # noqa: PLC0415 - nbdime has it loaded

    make: Any = from_dict
    old, new = (make(_notebook(cells)) for cells in (before, after))
    # What it says of a pair's source is not used: it can be told, for its own tools in this process, to ignore sources.
    found = next((op.diff for op in diff_notebooks(old, new) if op.key == "cells"), ())
    here = there = 0
    for op in found:
        while here < op.key:  # up to there cells follow each other
            yield here, there
            here, there = here + 1, there + 1
        if op.op == "addrange":
            yield from ((None, there + number) for number in range(len(op.valuelist)))
            there += len(op.valuelist)
        elif op.op == "removerange":
            yield from ((here + number, None) for number in range(op.length))
            here += op.length
        else:
            yield here, there
            here, there = here + 1, there + 1
    yield from zip(range(here, len(before)), range(there, len(after)), strict=True)


def _notebook(cells: Sequence[tuple[str, str]]) -> dict[str, Any]:
    return {"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": [_cell(*cell) for cell in cells]}


def _cell(kind: str, source: str) -> dict[str, Any]:
    cell: dict[str, Any] = {"cell_type": kind, "metadata": {}, "source": source}
    return cell | ({"outputs": [], "execution_count": None} if kind == "code" else {})


def _by_difflib(before: list[tuple[str, str]], after: list[tuple[str, str]]) -> Iterator[Pair]:
    for what, i1, i2, j1, j2 in difflib.SequenceMatcher(a=before, b=after, autojunk=False).get_opcodes():
        if what == "equal":
            yield from zip(range(i1, i2), range(j1, j2), strict=True)
            continue
        place = i1
        for new in range(j1, j2):
            old = next((one for one in range(place, i2) if _alike(before[one], after[new])), None)
            if old is None:
                yield None, new
                continue
            yield from ((one, None) for one in range(place, old))
            yield old, new
            place = old + 1
        yield from ((one, None) for one in range(place, i2))


def _alike(one: tuple[str, str], other: tuple[str, str]) -> bool:
    if one[0] != other[0]:
        return False
    matcher = difflib.SequenceMatcher(a=one[1][:_LONGEST], b=other[1][:_LONGEST], autojunk=False)
    return matcher.quick_ratio() >= _SMALLEST and matcher.ratio() >= _SMALLEST
