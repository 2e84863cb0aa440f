"""How the source of a notebook differs between two runs, cell by cell: records, and how lines of a cell differ."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Cell", "CellChange", "Line", "NotebookChange", "cells_in", "changed_cells"]

_AROUND = 3
"""Lines that did not change and are kept around those that did."""
_NO_SOURCE_TAGS = frozenset({"injected-parameters", "papermill-error-cell-tag", "debugging-settings"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A cell of a notebook's source."""

    kind: str
    """``code``, ``markdown`` or ``raw``."""
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of a cell that changed, or one beside it."""

    sign: Literal["+", "-", " ", "@"]
    """Added, removed, the same; ``@`` stands for lines that are left out, and ``text`` says how many."""
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CellChange:
    """A cell that came, went or changed."""

    kind: Literal["added", "removed", "changed"]
    cell: str
    """What kind of cell it is; ``markdown, was code`` when that changed."""
    before: int | None
    """Its index among the cells of the source, from 0; None where there was none."""
    after: int | None
    lines: tuple[Line, ...]

    @property
    def added(self) -> int:
        """Number of lines that are new."""
        return sum(line.sign == "+" for line in self.lines)

    @property
    def removed(self) -> int:
        """Number of lines that are gone."""
        return sum(line.sign == "-" for line in self.lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotebookChange:
    """A task's notebook whose source differs."""

    task: str
    cells: tuple[CellChange, ...]
    matched_by: str
    """What told which cell became which: ``nbdime``, or ``difflib`` where that is not installed."""

    @property
    def added(self) -> int:
        """Number of lines that are new."""
        return sum(cell.added for cell in self.cells)

    @property
    def removed(self) -> int:
        """Number of lines that are gone."""
        return sum(cell.removed for cell in self.cells)


def cells_in(notebook: Mapping[str, Any]) -> tuple[Cell, ...]:
    """Return the cells of a notebook's source, without those that were put in to run it; what is no cell is left out.

    Args:
        notebook: A notebook of nbformat 4 as plain values.
    """
    found: list[Cell] = []
    cells = notebook.get("cells")
    for cell in cells if isinstance(cells, list) else ():
        if not isinstance(cell, Mapping):
            continue
        notes, source = cell.get("metadata"), cell.get("source", "")
        tags = notes.get("tags") if isinstance(notes, Mapping) else None
        if isinstance(tags, list) and any(tag in _NO_SOURCE_TAGS for tag in tags if isinstance(tag, str)):
            continue
        text = "".join(str(part) for part in source) if isinstance(source, list) else str(source)
        found.append(Cell(kind=str(cell.get("cell_type", "")), source=text.rstrip("\n")))
    return tuple(found)


def changed_cells(
    before: Sequence[Cell], after: Sequence[Cell], pairs: Sequence[tuple[int | None, int | None]]
) -> tuple[CellChange, ...]:
    """Return the cells that differ, in their order.

    Args:
        before: Cells as they were.
        after: Cells as they are.
        pairs: Which cell became which: indices, None on the side where there is none.
    """
    return tuple(_changes(before, after, pairs))


def _changes(
    before: Sequence[Cell], after: Sequence[Cell], pairs: Sequence[tuple[int | None, int | None]]
) -> Iterator[CellChange]:
    for old, new in pairs:
        was, now = (before[old] if old is not None else None), (after[new] if new is not None else None)
        if was == now:
            continue
        kind: Literal["added", "removed", "changed"] = "added" if was is None else "removed" if now is None else "changed"
        cell = now or was
        name = cell.kind if cell is not None else ""
        if was is not None and now is not None and was.kind != now.kind:
            name = f"{now.kind}, was {was.kind}"
        lines = _lines(_split(was), _split(now))
        yield CellChange(kind=kind, cell=name, before=old, after=new, lines=tuple(lines))


def _split(cell: Cell | None) -> list[str]:
    return cell.source.split("\n") if cell is not None else []


def _lines(was: list[str], now: list[str]) -> Iterator[Line]:
    last = 0
    for group in difflib.SequenceMatcher(a=was, b=now, autojunk=False).get_grouped_opcodes(_AROUND):
        left_out = group[0][1] - last
        if left_out:
            yield Line(sign="@", text=_left_out(left_out))
        for what, i1, i2, j1, j2 in group:
            if what == "equal":
                yield from (Line(sign=" ", text=text) for text in was[i1:i2])
                continue
            yield from (Line(sign="-", text=text) for text in was[i1:i2])
            yield from (Line(sign="+", text=text) for text in now[j1:j2])
        last = group[-1][2]
    if last and len(was) > last:
        yield Line(sign="@", text=_left_out(len(was) - last))


def _left_out(number: int) -> str:
    return f"{number:,} {'line' if number == 1 else 'lines'} as before"
