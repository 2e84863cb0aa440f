"""What each cell of a notebook did to data: the tables that it left, the columns of datasets that it makes, its time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nbops.pages.text import count, plural, short

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nbops.model import CellRun, CellTable, TaskRun

__all__ = ["CellRow", "Made", "cell_rows", "stories", "table_words"]

_TABLES, _COLUMNS = 8, 8
_HUNDRED = 100.0
_MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """Columns of a dataset that are made in a cell."""

    dataset: str
    columns: tuple[str, ...]
    more: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CellRow:
    """A cell with what there is to tell of it; ``start`` and ``width`` are percent of the cells' time together."""

    cell: CellRun
    start: float | None
    width: float | None
    tables: tuple[str, ...]
    findings: tuple[str, ...]
    made: tuple[Made, ...]
    more: int
    """Tables that are left out."""


def cell_rows(task: TaskRun, made: Mapping[int, Sequence[tuple[str, tuple[str, ...]]]]) -> tuple[CellRow, ...]:
    """Return the cells of a task, in order.

    Args:
        task: The task.
        made: Cell to the columns of datasets that are made in it.
    """
    total = sum(cell.seconds or 0.0 for cell in task.cells)
    rows, passed = [], 0.0
    for cell in sorted(task.cells, key=lambda one: one.index):
        seconds = cell.seconds or 0.0
        placed = total > 0 and cell.seconds is not None
        rows.append(
            CellRow(
                cell=cell,
                start=min(99.5, _HUNDRED * passed / total) if placed else None,
                width=max(0.5, min(_HUNDRED - _HUNDRED * passed / total, _HUNDRED * seconds / total)) if placed else None,
                tables=tuple(table_words(table) for table in cell.tables[:_TABLES]),
                findings=tuple(table.finding for table in cell.tables[:_TABLES] if table.finding),
                made=tuple(
                    Made(dataset=dataset, columns=columns[:_COLUMNS], more=max(0, len(columns) - _COLUMNS))
                    for dataset, columns in made.get(cell.index, ())
                ),
                more=max(0, len(cell.tables) - _TABLES),
            )
        )
        passed += seconds
    return tuple(rows)


def stories(task: TaskRun, made: Mapping[int, Sequence[tuple[str, tuple[str, ...]]]]) -> Mapping[int, tuple[str, ...]]:
    """Return what is said under each cell of a notebook; arguments as for :func:`cell_rows`."""
    found = {}
    for row in cell_rows(task, made):
        makes = [f"Works on {short(one.dataset, 50)}: {_listed(one)}" for one in row.made]
        left = [f"Leaves {text}" for text in row.tables]
        found[row.cell.index] = (*makes, *left, *row.findings)
    return found


def _listed(made: Made) -> str:
    more = f" and {count(made.more)} more" if made.more else ""
    return f"{', '.join(short(column, 40) for column in made.columns)}{more}"


def table_words(table: CellTable) -> str:
    """Return how much is in a table that a cell left, beside how much there was.

    >>> from nbops.model import CellTable
    >>> table_words(CellTable(name="lines", rows=1200, columns=4, nulls=3, of="raw", rows_before=1000, columns_before=4))
    'lines: 1,200 rows, of raw with 1,000 (+20 %); 4 columns; 3 nulls'
    """
    name = short(table.name, 40)
    parts = [f"{plural(table.rows, 'row')}{_before(table)}"]
    columns = plural(table.columns, "column")
    if table.columns_before is not None and table.columns_before != table.columns:
        columns += f" (before {count(table.columns_before)})"
    parts.append(columns)
    if table.nulls is not None:
        nulls = plural(table.nulls, "null")
        changed = table.nulls_before is not None and table.nulls_before != table.nulls
        parts.append(f"{nulls} (before {count(table.nulls_before)})" if changed else nulls)
    return f"{name}: {'; '.join(parts)}"


def _before(table: CellTable) -> str:
    before = table.rows_before
    if before is None:
        return ""
    other = f", of {short(table.of, 40)}" if table.of and table.of != table.name else ", before"
    if before == table.rows:
        return f"{other} with as many" if table.of and table.of != table.name else " as before"
    told = f"{other} with {count(before)}" if table.of and table.of != table.name else f"{other} {count(before)}"
    return f"{told} ({_change(before, table.rows)})" if before else told


def _change(before: int, after: int) -> str:
    share = _HUNDRED * (after - before) / before
    if abs(share) >= _HUNDRED:
        return f"{after / before:.3g} times"
    text = f"{abs(share):.2g}" if abs(share) < 10 else f"{abs(share):.0f}"  # noqa: PLR2004
    return f"{_MINUS if share < 0 else '+'}{text} %"
