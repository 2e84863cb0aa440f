"""Runs as rows, datasets and checks as columns: what the matrix of the History page shows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nbops.pages.text import plural
from nbops.pages.words import LABELS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nbops.history.matrix import MatrixRow

__all__ = ["Matrix", "MatrixColumn", "RowHead", "matrix_of"]

_DATASETS, _CHECKS = 60, 40
"""Most columns of each; the datasets that objected most are kept."""
_CODES = {
    "passed": "p",
    "warned": "w",
    "failed": "f",
    "errored": "e",
    "skipped": "s",
    "held": "h",
    "interrupted": "i",
}
_BAD = frozenset({"warned", "failed", "errored", "held", "interrupted"})
_WORDS = {code: LABELS[word].lower() for word, code in _CODES.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixColumn:
    """A dataset, or a check of one (which stands after it)."""

    dataset: str
    check: str
    title: str
    link: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RowHead:
    """What stands before a run's cells."""

    id: str
    started_at: str
    mark: str
    page: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    mark: str
    started_at: str
    page: str | None
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """The matrix; a cell is the class of its ``td``, empty where a run knows nothing of the column."""

    columns: tuple[MatrixColumn, ...]
    rows: tuple[_Row, ...]
    key: tuple[tuple[str, str], ...]
    words: Mapping[str, str]
    notes: tuple[str, ...]


def matrix_of(heads: Sequence[RowHead], rows: Sequence[MatrixRow], *, links: Mapping[str, str], order: Sequence[str]) -> Matrix:
    """Return the matrix of some runs.

    Args:
        heads: The runs, in the order to show.
        rows: What each said; a run without one has empty cells.
        links: Dataset to the page that its column leads to, below ``reports/``.
        order: Datasets in the order of the pipeline; others come after, by name.
    """
    known = {row.id: row for row in rows}
    columns, notes = _columns(rows, links, order)
    made = tuple(
        _Row(mark=head.mark, started_at=head.started_at, page=head.page, cells=_cells(known.get(head.id), columns))
        for head in heads
    )
    used = {cell[0] for row in made for cell in row.cells if cell}
    key = tuple((code, _WORDS[code]) for code in _WORDS if code in used)
    return Matrix(columns=columns, rows=made, key=key, words=_WORDS, notes=notes)


def _columns(
    rows: Sequence[MatrixRow], links: Mapping[str, str], order: Sequence[str]
) -> tuple[tuple[MatrixColumn, ...], tuple[str, ...]]:
    bad = Counter(name for row in rows for name, verdict in row.datasets.items() if verdict in _BAD)
    position = {name: number for number, name in enumerate(order)}
    names = sorted({name for row in rows for name in row.datasets}, key=lambda name: (position.get(name, len(position)), name))
    kept = set(sorted(names, key=lambda name: -bad[name])[:_DATASETS])
    objections = Counter(key for row in rows for key in row.checks)
    checks = sorted(objections, key=lambda key: (-objections[key], key))
    shown_checks = set(checks[:_CHECKS])
    columns = [_column(key, links) for key in sorted(shown_checks) if key[0] not in kept]  # of no dataset: of notebooks
    for name in names:
        if name in kept:
            columns.append(MatrixColumn(dataset=name, check="", title=name, link=links.get(name)))
            columns += [_column(key, links) for key in sorted(shown_checks) if key[0] == name]
    left = [plural(len(names) - len(kept), "dataset")] if len(names) > len(kept) else []
    left += [plural(len(checks) - len(shown_checks), "objecting check")] if len(checks) > len(shown_checks) else []
    notes = [f"Left out, as others objected more often: {' and '.join(left)}."] if left else []
    notes += ["Checks that objected in none of these runs have no column: they stand on the pages of their datasets."]
    return tuple(columns), tuple(notes)


def _column(key: tuple[str, str], links: Mapping[str, str]) -> MatrixColumn:
    del links
    return MatrixColumn(dataset=key[0], check=key[1], title=key[1])


def _cells(row: MatrixRow | None, columns: Sequence[MatrixColumn]) -> tuple[str, ...]:
    if row is None:
        return ("",) * len(columns)
    return tuple(_cell(row, column) for column in columns)


def _cell(row: MatrixRow, column: MatrixColumn) -> str:
    verdict = row.datasets.get(column.dataset)
    if column.check:
        objected = row.checks.get((column.dataset, column.check))
        if objected is None and verdict in {None, "held", "interrupted", "skipped"} and column.dataset:
            return ""
        verdict = objected or "passed"
    if verdict is None:
        return ""
    code = _CODES.get(verdict, "e")
    return f"{code} k" if column.dataset in row.carried else code
