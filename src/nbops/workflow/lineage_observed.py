"""What was noted while a task ran, read back: files, hosts, programs, and the tables that its cells made."""

from __future__ import annotations

import ast
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbops.kernels.watching import settings_for
from nbops.model import CellRun, CellTable
from nbops.workflow.taskrecord import is_source

if TYPE_CHECKING:
    from nbops.contract.config import Config

__all__ = ["Observed", "observe_settings", "observed_file", "read_observed", "with_tables"]

_LARGEST = 8_000_000
"""Bytes that are read of what was noted; hostile code may write to the file, too."""
_MOST_TABLES = 200
"""Tables of one task's cells that are kept in the ledger."""
_TELLING = 0.005
"""Part of the rows that must have been lost or added to be worth a sentence."""
_JOINS = frozenset({"merge", "join", "merge_asof", "merge_ordered", "join_asof", "join_where"})
_SUMMARIES = frozenset(
    [
        *("agg", "aggregate", "describe", "group_by", "groupby", "head", "limit", "nlargest", "nsmallest", "pivot"),
        *("pivot_table", "resample", "rolling", "sample", "tail", "unique", "value_counts"),
    ]
)
"""What is meant to have fewer rows."""
_LONGEST_NAME = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What was noted of one attempt at a task."""

    reads: tuple[str, ...] = ()
    """Absolute paths, sorted; not those that were written as well."""
    hosts: tuple[str, ...] = ()
    """``name:port``, sorted."""
    programs: tuple[str, ...] = ()
    tables: Mapping[int, tuple[CellTable, ...]] = field(default_factory=dict)
    """By execution count."""
    more: frozenset[str] = frozenset()
    """Kinds of which there were more than are noted."""


def observed_file(staging: Path) -> Path:
    """Return the file in a staging folder that observers write to."""
    return staging / "observed.jsonl"


def observe_settings(staging: Path, *, root: Path, config: Config) -> str:
    """Return what an observer's environment variable says."""
    skip = [".nbops", config.reports, config.quarantine]
    return settings_for(target=str(observed_file(staging)), root=str(root), skip=skip, tables=config.cell_tables == "on")


def read_observed(path: Path) -> Observed:
    """Read what observers noted; lines that are none of theirs are passed over."""
    named: dict[str, set[str]] = {"read": set(), "write": set(), "host": set(), "program": set(), "more": set()}
    tables: dict[int, tuple[CellTable, ...]] = {}
    for line in _lines(path):
        kind = line[0]
        if kind in named and len(line) == 2 and isinstance(line[1], str):  # noqa: PLR2004
            named[kind].add(line[1])
        elif kind == "tables" and len(line) == 3 and isinstance(line[1], int) and isinstance(line[2], list):  # noqa: PLR2004
            found = tuple(table for item in line[2] if (table := _table(item)) is not None)
            tables[line[1]] = (*tables.get(line[1], ()), *found)
    return Observed(
        reads=tuple(sorted(named["read"] - named["write"])),
        hosts=tuple(sorted(named["host"])),
        programs=tuple(sorted(named["program"])),
        tables=tables,
        more=frozenset(named["more"]),
    )


def _lines(path: Path) -> Iterator[list[Any]]:
    try:
        with path.open("rb") as stream:
            data = stream.read(_LARGEST)
    except OSError:
        return
    for text in data.split(b"\n"):
        try:
            line = json.loads(text) if text.strip() else None
        except (ValueError, RecursionError):
            continue
        if isinstance(line, list) and line and isinstance(line[0], str):
            yield line


def _table(item: Any) -> CellTable | None:
    if not isinstance(item, list) or len(item) != 4 or not isinstance(item[0], str):  # noqa: PLR2004
        return None
    name, rows, columns, nulls = item
    if not all(isinstance(number, int) and not isinstance(number, bool) and number >= 0 for number in (rows, columns)):
        return None
    return CellTable(name=name[:_LONGEST_NAME], rows=rows, columns=columns, nulls=nulls if isinstance(nulls, int) else None)


def with_tables(cells: Sequence[CellRun], notebook: Mapping[str, Any], observed: Observed) -> tuple[CellRun, ...]:
    """Return the cells of an executed notebook with the tables that each made, compared with what they were made of.

    Args:
        cells: From :func:`nbops.workflow.taskrecord.cells_of`.
        notebook: The executed notebook.
        observed: What was noted of it.
    """
    if not observed.tables:
        return tuple(cells)
    known: dict[str, CellTable] = {}
    by_index = {cell.index: cell for cell in cells}
    kept, index = 0, -1
    for cell in notebook["cells"]:
        index += is_source(cell)
        tables = observed.tables.get(cell.get("execution_count") or -1, ())
        if not tables or not is_source(cell) or index not in by_index:
            known.update((table.name, table) for table in tables)
            continue
        made = _made_of("".join(cell.get("source", "")))
        here = {table.name: table for table in tables}
        compared = tuple(_compared(t, {**here, **known}, made.get(t.name), known.get(t.name)) for t in tables)
        compared = compared[: _MOST_TABLES - kept]
        kept += len(compared)
        by_index[index] = replace(by_index[index], tables=compared)
        known.update((table.name, table) for table in tables)
    return tuple(by_index[cell.index] for cell in cells)


@dataclass(frozen=True, slots=True)
class _Making:
    """How a cell's code makes a variable: of which names, in their order, and by which join, if any."""

    names: tuple[str, ...]
    join: str | None
    summary: bool


def _made_of(code: str) -> dict[str, _Making]:
    """Return what a cell's top-level assignments make each variable of."""
    try:
        body = ast.parse("\n".join("" if line.lstrip().startswith(("%", "!")) else line for line in code.splitlines())).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    found: dict[str, _Making] = {}
    for node in body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            making = _making(node.value)
            for target in targets:
                if isinstance(target, ast.Name):
                    earlier = found.get(target.id)
                    # `a = b; a = a.merge(c)`: made of b by the join
                    names = [n for name in making.names for n in (earlier.names if earlier and name == target.id else (name,))]
                    found[target.id] = _Making(
                        tuple(dict.fromkeys(names)),
                        making.join or (earlier.join if earlier else None),
                        making.summary or bool(earlier and earlier.summary),
                    )
    return found


def _making(value: ast.expr) -> _Making:
    calls = [node for node in ast.walk(value) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    joins = [
        _kind_of_join(call, call.func.attr) for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr in _JOINS
    ]
    summary = any(isinstance(call.func, ast.Attribute) and call.func.attr in _SUMMARIES for call in calls)
    names = dict.fromkeys(node.id for node in _in_order(value) if isinstance(node, ast.Name))
    return _Making(tuple(names), joins[0] if joins else None, summary)


def _in_order(node: ast.AST) -> Iterator[ast.AST]:
    """Yield nodes as they stand in the code: the table that a method is called on before what it is given."""
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _in_order(child)


def _kind_of_join(call: ast.Call, method: str) -> str:
    how = next((item.value for item in call.keywords if item.arg == "how"), None)
    if isinstance(how, ast.Constant) and isinstance(how.value, str) and how.value.isidentifier():
        return f"{how.value} join"
    if how is not None or "asof" in method or method == "merge_ordered":
        return "join"
    # without `how` pandas' merge and Polars' join are inner ones; pandas' own join, by index, is a left one
    by_index = method == "join" and not any(item.arg in {"on", "left_on"} for item in call.keywords)
    return "join" if by_index else "inner join"


def _compared(table: CellTable, tables: Mapping[str, CellTable], making: _Making | None, before: CellTable | None) -> CellTable:
    """Return a table beside what it was, or what it was made of."""
    names = making.names if making is not None else ()
    inputs = [tables[name] for name in names if name in tables and (name != table.name or before is not None)]
    base = next(iter(inputs), before)
    if base is None:
        return table
    return replace(
        table,
        of=base.name,
        rows_before=base.rows,
        columns_before=base.columns,
        nulls_before=base.nulls,
        finding=_finding(table, base, making),
    )


def _finding(table: CellTable, base: CellTable, making: _Making | None) -> str:
    """Return a sentence when rows were lost, or a join multiplied them; summaries are meant to be shorter."""
    join = making.join if making is not None else None
    if base.rows == 0 or abs(table.rows - base.rows) < _TELLING * base.rows or (making is not None and making.summary):
        return ""
    if table.rows < base.rows:
        share = _percent((base.rows - table.rows) / base.rows)
        numbers = f"({base.rows:,} became {table.rows:,})"
        if join is not None:
            return f"the {join} lost {share} of the rows of {base.name} {numbers}"
        return f"{table.name} has {share} fewer rows than {'before' if table.name == base.name else base.name} {numbers}"
    return f"the {join} made {table.rows:,} rows of the {base.rows:,} of {base.name}" if join is not None else ""


def _percent(share: float) -> str:
    text = f"{100 * share:.1f}".removesuffix(".0")
    return f"{text} %"


def relative_to(root: Path, path: str) -> str:
    """Return a path as records name it: relative where it lies in the project."""
    return os.path.relpath(path, root).replace(os.sep, "/") if path.startswith(f"{root}{os.sep}") else path
