"""How much is in the tables that a cell made or changed: rows, columns and values that are not there; never a value itself."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["TableWatch"]

_KINDS = {("pandas", "DataFrame"): "pandas", ("polars", "DataFrame"): "polars", ("pyarrow", "Table"): "pyarrow"}
_MOST_TABLES = 50
"""Of one kernel."""
_MOST_CELLS = 1_000_000
"""Values of a table among which nulls are counted."""
_SHARE, _FREE_SECONDS = 0.02, 0.05
"""Part of a kernel's time that counting nulls may take, and what it may take in any case."""


class TableWatch:
    """Looks at a kernel's variables after each cell.

    Args:
        note: Takes a line ``["tables", execution count, [[name, rows, columns, nulls], ...]]``.
    """

    def __init__(self, note: Callable[[list[Any]], None]) -> None:
        self._note = note
        self._known: dict[str, tuple[int, int, int, int | None]] = {}
        self._types: dict[type, str | None] = {}
        self._began = time.perf_counter()
        self._spent = 0.0

    def look(self, variables: Mapping[str, Any], result: Any) -> None:
        """Note the tables that differ from what they were; nothing is raised.

        Args:
            variables: The kernel's variables.
            result: IPython's result of the cell.
        """
        try:
            number = getattr(result, "execution_count", None)
            if not isinstance(number, int):
                return  # nobody's cell: a question of a front end
            code = str(getattr(getattr(result, "info", None), "raw_cell", ""))
            found = self._changed(dict(variables), code)
        except Exception:  # noqa: BLE001 - the cell itself went well, and what a table's own code raises is no concern of it
            return
        if found:
            self._note(["tables", number, found])

    def measure(self, value: Any) -> tuple[int | None, int, int | None] | None:
        """Return rows, columns and nulls of a value, None when it is no table; rows are None where counting would run a query."""
        if (type(value).__module__.partition(".")[0].lstrip("_"), type(value).__name__) == ("duckdb", "DuckDBPyRelation"):
            return None, len(value.columns), None
        kind = self._kind(type(value))
        if kind is None:
            return None
        rows, columns = _shape(kind, value)
        return rows, columns, self._nulls(kind, value, rows * columns)

    def _changed(self, variables: Mapping[str, Any], code: str) -> list[list[Any]]:
        found: list[list[Any]] = []
        for name, value in variables.items():
            kind = self._kind(type(value))
            if kind is None or name.startswith("_"):
                continue
            known = self._known.get(name)
            rows, columns = _shape(kind, value)
            if known is not None and known[:3] == (id(value), rows, columns) and name not in code:
                continue
            if known is None and len(self._known) >= _MOST_TABLES:
                continue
            nulls = self._nulls(kind, value, rows * columns)
            now = (id(value), rows, columns, nulls)
            if known is None or known[1:] != now[1:] or known[0] != now[0]:
                found.append([name, rows, columns, nulls])
            self._known[name] = now
        return found

    def _kind(self, of: type) -> str | None:
        if of not in self._types:
            bases = ((base.__module__.partition(".")[0], base.__name__) for base in of.__mro__)
            self._types[of] = next((_KINDS[base] for base in bases if base in _KINDS), None)
        return self._types[of]

    def _nulls(self, kind: str, value: Any, cells: int) -> int | None:
        began = time.perf_counter()
        if kind == "pandas" and (cells > _MOST_CELLS or self._spent > _FREE_SECONDS + _SHARE * (began - self._began)):
            return None
        try:
            return _nulls(kind, value)
        finally:
            self._spent += time.perf_counter() - began


def _shape(kind: str, value: Any) -> tuple[int, int]:
    if kind == "pyarrow":
        return int(value.num_rows), int(value.num_columns)
    rows, columns = value.shape
    return int(rows), int(columns)


def _nulls(kind: str, value: Any) -> int:
    """Return how many values are not there; Polars and Arrow keep that number."""
    if kind == "pyarrow":
        return sum(int(column.null_count) for column in value.columns)
    if kind == "polars":
        return sum(int(series.null_count()) for series in value.get_columns())
    return int(value.isna().to_numpy().sum())
