"""What the analyses of SQL and of notebooks return."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbops.model import ColumnEdge

__all__ = ["SqlLineage"]

_EMPTY: Mapping[str, tuple[str, ...] | None] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlLineage:
    """Where the columns come from that some SQL writes, or that its query returns."""

    reads: tuple[str, ...] = ()
    """Tables and files that are read, in the order of their first appearance; what the SQL itself made before is left out."""
    writes: tuple[str, ...] = ()
    """Tables, views and files that are written, in order; those of ``temporary`` too. A bare query writes nothing."""
    temporary: tuple[str, ...] = ()
    """Those of ``writes`` that end with the connection: temporary tables and views."""
    columns: Mapping[str, tuple[str, ...] | None] = field(default_factory=lambda: _EMPTY)
    """Columns of each written table, in order; None where they are not known. A bare query's are under its target's name."""
    edges: tuple[ColumnEdge, ...] = ()
    """All with ``how="sql"``; sorted, without duplicates."""
    notes: tuple[str, ...] = ()
    """What could not be analysed, and therefore was widened, with the place; sentences for people."""
