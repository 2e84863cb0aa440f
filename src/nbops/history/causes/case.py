"""Two runs, what is known besides, and what one finding is about: what candidates are weighed by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from nbops.history.causes.codediff import slices
from nbops.history.causes.codewords import COMPUTED
from nbops.history.causes.focus import is_telling, moved_by
from nbops.history.causes.statements import parts_of_modules

if TYPE_CHECKING:
    from nbops.history.causes.codediff import CodeChange
    from nbops.history.causes.facts import Facts
    from nbops.history.causes.focus import Focus, Upstream
    from nbops.history.causes.statements import Slice, Statement
    from nbops.model import Dataset, Run

__all__ = ["AS_MUCH", "Case", "Weighed"]

AS_MUCH = 0.4
"""The part of a movement below that, moved above, counts as all of it."""
_ROWS_OF_ROWS, _ROWS_MOVED, _ROWS_OF_VALUES, _FEW = 0.9, 0.65, 0.35, 0.02
"""Strength of statements that choose rows: for numbers of rows, for values where rows are more or fewer too, and for values."""
_AS_BEFORE, _FROM_ABOVE = 0.1, 0.5
"""Factors of a statement whose columns did not move, and of one that reads what moved as much."""


_ON_THE_WAY = 0.9
"""Part of a column's strength that a statement has by which it comes about as lineage tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """What was found of a candidate."""

    score: float
    cells: tuple[int, ...] = ()
    evidence: tuple[str, ...] = ()
    changes: tuple[CodeChange, ...] = ()
    task: str | None = None


@dataclass(slots=True)
class Case:
    """Two runs, what is known besides, and what one finding is about."""

    before: Run
    after: Run
    facts: Facts
    focus: Focus
    upstream: Upstream
    _slices: dict[str, tuple[Slice, Slice]] = field(default_factory=dict)

    def dataset(self, name: str) -> tuple[Dataset | None, Dataset | None]:
        """Return a dataset before and after."""
        old, new = (next((d for d in run.datasets if d.name == name), None) for run in (self.before, self.after))
        return old, new

    def made_by(self, task: str) -> dict[str, Mapping[str | None, float]]:
        """Return the datasets that a task makes and that are upstream, with the columns that count."""
        names = {d.name for run in (self.after, self.before) for d in run.datasets if d.task == task}
        return {name: self.upstream.reached[name] for name in sorted(names) if name in self.upstream.reached}

    def targets(self, task: str) -> tuple[dict[str, float], bool]:
        """Return the columns that a task makes and that count, and whether it counts which rows there are."""
        columns: dict[str, float] = {}
        rows = False
        for name, found in self.made_by(task).items():
            rows = rows or (self.focus.rows and None in found)
            if None in found and len(found) == 1 and not self.focus.rows:  # beyond analysis: any of them
                for item in self.dataset(name):
                    columns.update({column.name: found[None] for column in (item.columns if item else ())})
            for column, strength in found.items():
                if column is not None:
                    columns[column] = max(columns.get(column, 0.0), strength)
        if self.focus.task == task and self.focus.kind == "task":
            rows = True
        return columns, rows

    def slices(self, task: str) -> tuple[Slice, Slice] | None:
        """Return the slices of a task's code now and before; None when its code is not known."""
        if task not in self.facts.code:
            return None
        if task not in self._slices:
            columns, rows = self.targets(task)
            failed = self.focus.kind == "task" and self.focus.task == task
            until = self.focus.cell if failed else None
            if failed:
                columns = {**columns, **_named_in(self.facts.code[task].after, until)}
            strength = _ROWS_OF_ROWS if rows else _ROWS_MOVED if self._rows_moved(task) else _ROWS_OF_VALUES
            now, before = slices(self.facts.code[task], columns, rows=strength, until=until)
            now, before = self._traced(now, self.after, task, columns), self._traced(before, self.before, task, columns)
            self._slices[task] = self._seen(now, task), self._seen(before, task)
        return self._slices[task]

    def _traced(self, code: Slice, run: Run, task: str, columns: Mapping[str, float]) -> Slice:
        """Raise statements on the way of lineage to columns whose names no code spells, as those of a pivot or with a suffix.

        Such are statements whose columns none of the task's data has, and those that make names when they run.
        """
        edges = [
            edge for part in run.column_lineage if part.task == task for edge in part.edges if edge.target_column or edge.cells
        ]
        known = {edge.target_column for edge in edges}
        spelt = {name for item in code.statements for name in item.writes}
        unseen = {name: strength for name, strength in columns.items() if name not in spelt}
        untold = max((strength for name, strength in unseen.items() if name not in known), default=0.0)
        way: dict[int, float] = {}
        for edge in edges:
            if edge.kind == "derived" and edge.target in self.upstream.reached:
                strength = unseen.get(edge.target_column, 0.0) if edge.target_column else untold
                way.update({cell: max(strength, way.get(cell, 0.0)) for cell in edge.cells})
        kept = {c.name for d in self.after.datasets if d.task == task for c in d.columns}
        strengths = [
            max(strength, _ON_THE_WAY * way.get(item.cell, 0.0)) if _between(item, kept) else strength
            for item, strength in zip(code.statements, code.strengths, strict=True)
        ]
        return replace(code, strengths=tuple(strengths))

    def _seen(self, code: Slice, task: str) -> Slice:
        """Weigh statements by what the columns that they make did: those that are as before were made as before.

        Where a column that a statement reads moved as much as what it makes, something above it is likelier.
        """
        moved = self._columns_moved(task)
        strengths = []
        parts = parts_of_modules(code.statements)
        for item, strength, imported in zip(code.statements, code.strengths, parts, strict=True):
            made = [moved.get(name) for name in item.writes]
            factor = 1.0
            if made and None not in made:
                most = max(size for size in made if size is not None)
                read = max((moved[name] for name in item.mentions - item.writes - imported if name in moved), default=0.0)
                factor = _AS_BEFORE if most == 0.0 else _FROM_ABOVE if read >= AS_MUCH * most else 1.0
            strengths.append(strength * factor)
        columns = {name: s * (_AS_BEFORE if moved.get(name) == 0.0 else 1.0) for name, s in code.columns.items()}
        return replace(code, strengths=tuple(strengths), columns=columns)

    def _rows_moved(self, task: str) -> bool:
        sizes = [moved_by(*self.dataset(name), None, "rows") or 0.0 for name in self.made_by(task)]
        return max(sizes, default=0.0) > _FEW

    def _columns_moved(self, task: str) -> dict[str, float]:
        """Return how far each column of the data that a task makes moved; those of which it is not known are left out."""
        if self.focus.kind not in {"values", "nulls", "distinct"}:
            return {}
        found: dict[str, float] = {}
        for name in sorted({d.name for d in self.after.datasets if d.task == task}):
            old, new = self.dataset(name)
            for column in new.columns if new is not None else ():
                size = moved_by(old, new, column.name, "values" if self.focus.kind == "distinct" else self.focus.kind)
                if size is not None and is_telling(new, column.name):
                    found[column.name] = max(size, found.get(column.name, 0.0))
        return found


def _between(item: Statement, kept: set[str]) -> bool:
    """Tell whether a statement makes columns that no data keeps, or such whose names it makes up."""
    return not item.writes & kept if item.writes else bool(item.mentions & COMPUTED)


def _named_in(cells: tuple[tuple[int, str], ...], cell: int | None) -> dict[str, float]:
    """Return what the cell that failed mentions: it is about that."""
    from nbops.history.causes.statements import statements_of  # noqa: PLC0415 - of use here only

    found = statements_of([item for item in cells if cell is None or item[0] == cell])
    return {name: 1.0 for item in found for name in (item.mentions | item.writes)}
