"""What the code of a notebook's cells tells about its tables: frozen records without behaviour."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbops.model import ColumnEdge

__all__ = ["Access", "CellFacts", "CodeLineage"]

_NOTHING: Mapping[str, tuple[str, ...]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """One place where code reads or writes what lasts longer than the kernel: a file, a relation, a URL."""

    name: str
    """The path, relation or URL as the code names it; ``*`` stands for parts that are known when it runs only."""
    cell: int
    """Index of the cell, from 0."""
    call: str
    """How it is called: ``pandas.read_csv``, ``duckdb.sql``..."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellFacts:
    """What one cell defines."""

    cell: int
    variables: tuple[str, ...] = ()
    """Names that the cell binds, sorted."""
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: _NOTHING)
    """Of each variable that holds a table after the cell: the columns that this cell gave it, in the table's order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeLineage:
    """What cells read and write, and where each written column comes from."""

    reads: tuple[Access, ...] = ()
    writes: tuple[Access, ...] = ()
    edges: tuple[ColumnEdge, ...] = ()
    columns: Mapping[str, tuple[str, ...] | None] = field(default_factory=lambda: MappingProxyType({}))
    """Of each thing written its columns in order; None where they are unknown."""
    parameters: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: _NOTHING)
    """``path`` or ``path.column``: the injected names that entered it, sorted."""
    cells: tuple[CellFacts, ...] = ()
    notes: tuple[str, ...] = ()
    """Where lineage is wider than the truth, or incomplete, and why: ``cell 3, line 2: ...`` (cells from 0, lines from 1)."""
