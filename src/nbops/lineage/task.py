"""From a task's code to where the columns come from that it makes, whichever analysis it takes.

Sources and targets are called as the pipeline calls them: a dataset by its name; what is outside ``file:PATH``, ``relation:NAME``
or a URL; what comes from the code itself ``task:NAME``, and a parameter ``parameter:NAME``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from nbops.model import ColumnEdge, LineageNote, TaskLineage

__all__ = ["TaskCode", "trace", "unanalysed"]

_MOST_EDGES = 20_000
"""Of one task; more are widened to edges between datasets."""
_MOST_NOTES = 20
_INJECTED = frozenset({"product", "upstream"})
_PLACE = re.compile(r"^cell (\d+)(?:, )?")
_FILE = re.compile(
    r"[\\/*]|\.(arrow|avro|csv|db|duckdb|feather|geojson|gz|h5|hdf5|jsonl?|ndjson|np[yz]|orc|parquet|pickle|pkl|sqlite3?|tsv|txt|xlsx?|xml"
    r"|zip|zst)$",
    re.IGNORECASE,
)
_LONGEST_NAME = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCode:
    """What an analysis needs to know of a task; plain values only, so that it can be handed to another process."""

    task: str
    language: str
    """``python`` or ``sql``; others are not analysed."""
    cells: tuple[str, ...]
    indexes: tuple[int | None, ...] = ()
    """Of each cell the index in the source, as in :class:`nbops.model.CellRun`; empty where it is not known."""
    values: dict[str, Any] = field(default_factory=dict)
    """Injected names: ``product``, ``upstream`` and parameters that are no secrets."""
    schemas: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Path or relation, as the code names it, to its columns."""
    modules: dict[str, str] = field(default_factory=dict)
    """Dotted name to source of the project's own modules that the code imports."""
    dialect: str = "duckdb"
    names: dict[str, str] = field(default_factory=dict)
    """Path (absolute, or as the code names it) or relation to the name that the pipeline has for it."""
    folders: tuple[str, ...] = ()
    """Absolute folders that relative paths may start from; the first is the project's root."""
    makes: dict[str, tuple[str, ...] | None] = field(default_factory=dict)
    """Name of each thing that the task makes to its columns as they are in the data, None where they are not known."""
    reads: tuple[str, ...] = ()
    """Names of what the task is known to read, for where the code does not tell."""
    basis: str = ""
    seconds: float = 5.0


def trace(code: TaskCode) -> TaskLineage:
    """Return where the columns come from that a task makes; nothing is raised, whatever the code is, and gaps are said."""
    if code.language not in {"python", "sql"}:
        return unanalysed(code, f"the task is written in {code.language or 'an unknown language'}, which is not analysed")
    try:
        found = _sql(code) if code.language == "sql" else _python(code)
    except Exception as error:  # noqa: BLE001 - lineage is no reason for a run to fail; the gap is said
        return unanalysed(replace(code, basis=""), f"the analysis failed ({type(error).__name__})")  # tried again next time
    edges = [_named(edge, code) for edge in found.edges]
    edges += _parameters(found.parameters, code)
    kept, notes = _fitted(edges, code)
    written = {_name(name, code): columns for name, columns in found.columns.items()}
    kept += _completed(kept, written, code, said=found.notes, notes=notes)
    if len(kept) > _MOST_EDGES:
        notes.append(LineageNote(message=f"{len(kept):,} edges are more than are kept; they are widened to whole datasets"))
        kept = _widened(kept)
    said = [*found.notes, *notes]
    more = [LineageNote(message=f"and {len(said) - _MOST_NOTES:,} more notes")] if len(said) > _MOST_NOTES else []
    return TaskLineage(task=code.task, edges=tuple(dict.fromkeys(kept)), notes=(*said[:_MOST_NOTES], *more), basis=code.basis)


def unanalysed(code: TaskCode, why: str) -> TaskLineage:
    """Return lineage that only assumes: each thing made comes from all that is read.

    Args:
        code: The task.
        why: A sentence.
    """
    edges = [edge for name in sorted(code.makes) for edge in _assumed(code, name, None)]
    return TaskLineage(task=code.task, edges=tuple(edges), notes=(LineageNote(message=why),) if edges else (), basis=code.basis)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    edges: tuple[ColumnEdge, ...]
    columns: Mapping[str, tuple[str, ...] | None]
    parameters: Mapping[tuple[str, str | None], tuple[str, ...]]
    notes: tuple[LineageNote, ...]


def _sql(code: TaskCode) -> _Found:
    from nbops.lineage.sql import analyse_sql  # noqa: PLC0415 - loads sqlglot

    made = next(iter(sorted(code.makes)), None)  # what a bare query's rows are put into
    target = next((path for path, name in sorted(code.names.items()) if name == made), made)
    found = analyse_sql("\n".join(code.cells), dialect=code.dialect, schemas=code.schemas, seconds=code.seconds, target=target)
    # relations that the task makes on its way are no products
    edges = tuple(edge for edge in found.edges if _name(edge.target, code) in code.makes)
    notes = tuple(LineageNote(message=text) for text in found.notes)
    return _Found(edges=edges, columns=found.columns, parameters={}, notes=notes)


def _python(code: TaskCode) -> _Found:
    from nbops.lineage.code import analyse_code  # noqa: PLC0415 - loads sqlglot where there is SQL

    found = analyse_code(code.cells, values=code.values, schemas=code.schemas, modules=code.modules, seconds=code.seconds)
    parameters: dict[tuple[str, str | None], tuple[str, ...]] = {}
    for key, names in found.parameters.items():
        written = max((name for name in found.columns if key == name or key.startswith(f"{name}.")), key=len, default=key)
        parameters[written, key[len(written) + 1 :] or None] = names
    return _Found(
        edges=found.edges,
        columns=found.columns,
        parameters=parameters,
        notes=tuple(_note(text, code) for text in found.notes),
    )


def _note(text: str, code: TaskCode) -> LineageNote:
    place = _PLACE.match(text)
    if place is None:
        return LineageNote(message=text)
    return LineageNote(message=text[place.end() :].lstrip(": "), cell=_index(int(place[1]), code))


def _index(cell: int, code: TaskCode) -> int | None:
    return code.indexes[cell] if 0 <= cell < len(code.indexes) else None


def _named(edge: ColumnEdge, code: TaskCode) -> ColumnEdge:
    cells = tuple(sorted({index for cell in edge.cells if (index := _index(cell, code)) is not None}))
    return replace(edge, source=_name(edge.source, code), target=_name(edge.target, code), task=code.task, cells=cells)


def _name(name: str, code: TaskCode) -> str:
    """Return what the pipeline calls something that the code names."""
    if name in code.names:
        return code.names[name]
    if "://" in name:
        return _without_credentials(name)
    paths = [os.path.normpath(os.path.join(folder, name)) for folder in code.folders]  # noqa: PTH118
    known = next((code.names[path] for path in paths if path in code.names), None)
    if known is not None:
        return known
    if not _FILE.search(name):
        return "unknown" if name in {"", "?"} else f"relation:{name[:_LONGEST_NAME]}"
    return f"file:{_place(name, paths, code)[:_LONGEST_NAME]}"


def _place(name: str, paths: Sequence[str], code: TaskCode) -> str:
    """Return a file's path from the project's root where it lies in it: the one that is there, else the first that may be."""
    inside = [path for path in paths if path.startswith(f"{code.folders[0]}/")]
    path = next((path for path in inside if "\0" not in path and os.path.exists(path)), next(iter(inside), None))  # noqa: PTH110
    return name if path is None else os.path.relpath(path, code.folders[0])


def _without_credentials(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return f"{url.partition('://')[0][:20]}://unknown"
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"[:_LONGEST_NAME]


def _parameters(parameters: Mapping[tuple[str, str | None], tuple[str, ...]], code: TaskCode) -> list[ColumnEdge]:
    """Return an edge from each parameter that entered a column, or that only decided of its rows."""
    found: list[ColumnEdge] = []
    columns = {(_name(name, code), names) for (name, column), names in parameters.items() if column is not None}
    entered = {(target, name) for target, names in columns for name in names}
    for (written, column), names in parameters.items():
        target = _name(written, code)
        for name in sorted(set(names) - _INJECTED):
            if column is None and (target, name) in entered:
                continue
            found.append(
                ColumnEdge(
                    source=f"parameter:{name}",
                    source_column=None,
                    target=target,
                    target_column=column,
                    kind="derived" if column is not None else "influence",
                    how="static",
                    transformation="transformation" if column is not None else "filter",
                    task=code.task,
                )
            )
    return found


def _fitted(edges: Iterable[ColumnEdge], code: TaskCode) -> tuple[list[ColumnEdge], list[LineageNote]]:
    """Return the edges into what the task makes, with columns as they are in the data; what is not there is said and left out."""
    known = {name: columns for name, columns in code.makes.items() if columns is not None}
    sources = {code.names.get(path, path): columns for path, columns in code.schemas.items()}
    spelt = {name: {column.casefold(): column for column in columns} for name, columns in {**sources, **known}.items()}
    kept: list[ColumnEdge] = []
    missing: dict[str, set[str]] = {}
    for edge in edges:
        if edge.target not in code.makes:
            continue
        fitted = edge
        if edge.target_column is not None and edge.target in known and edge.target_column not in known[edge.target]:
            column = spelt[edge.target].get(edge.target_column.casefold())
            if column is None:
                missing.setdefault(edge.target, set()).add(edge.target_column)
                continue
            fitted = replace(fitted, target_column=column)
        if edge.source_column is not None and edge.source in sources and edge.source_column not in sources[edge.source]:
            column = spelt[edge.source].get(edge.source_column.casefold())
            fitted = replace(fitted, source_column=column, how=fitted.how if column is not None else "assumed")
        kept.append(fitted)
    notes = [
        LineageNote(message=f"the code seems to make {_listed(sorted(columns))} of {name}, which the data does not have")
        for name, columns in sorted(missing.items())
    ]
    return kept, notes


def _completed(
    edges: Sequence[ColumnEdge],
    written: Mapping[str, tuple[str, ...] | None],
    code: TaskCode,
    *,
    said: Sequence[LineageNote],
    notes: list[LineageNote],
) -> list[ColumnEdge]:
    """Return edges for the columns that none derives: made by the code alone where that is known, else assumed from all read."""
    derived = {(edge.target, edge.target_column) for edge in edges if edge.kind == "derived"}
    found: list[ColumnEdge] = []
    for name, columns in sorted(code.makes.items()):
        if (name, None) in derived:
            continue
        if columns is None:
            if not any(target == name for target, _ in derived):
                found += _assumed(code, name, None)
                notes.append(LineageNote(message=f"{name}: its columns are not known; all that is read is assumed"))
            continue
        made = set() if _is_hazy(name, edges, said) else {column.casefold() for column in written.get(name) or ()}
        left = [column for column in columns if (name, column) not in derived]
        own = [column for column in left if column.casefold() in made]
        found += [replace(_edge(code, f"task:{code.task}", name, column), how="static") for column in own]
        guessed = [column for column in left if column.casefold() not in made]
        if len(guessed) == len(columns):
            found += _assumed(code, name, None)
        else:
            found += [edge for column in guessed for edge in _assumed(code, name, column)]
        if guessed:
            which = "its columns" if len(guessed) == len(columns) else _listed(guessed)
            notes.append(
                LineageNote(message=f"{name}: where {which} come from the code does not tell; all that is read is assumed")
            )
    return found


def _is_hazy(name: str, edges: Sequence[ColumnEdge], said: Sequence[LineageNote]) -> bool:
    """Return whether something was beyond analysis in the cells that make a dataset: it may have lost what enters a column."""
    cells = {cell for edge in edges if edge.target == name for cell in edge.cells}
    return any(note.cell is None or not cells or note.cell in cells for note in said)


def _assumed(code: TaskCode, target: str, column: str | None) -> list[ColumnEdge]:
    sources = [name for name in code.reads if name != target] or [f"task:{code.task}"]
    return [_edge(code, source, target, column) for source in sources]


def _edge(code: TaskCode, source: str, target: str, column: str | None) -> ColumnEdge:
    return ColumnEdge(
        source=source, source_column=None, target=target, target_column=column, kind="derived", how="assumed", task=code.task
    )


def _widened(edges: Iterable[ColumnEdge]) -> list[ColumnEdge]:
    return list(
        {
            (edge.source, edge.target, edge.kind): replace(edge, source_column=None, target_column=None, how="assumed", cells=())
            for edge in edges
        }.values()
    )


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(name[:60] for name in names[:5])
    return shown + (f" and {len(names) - 5:,} more" if len(names) > 5 else "")  # noqa: PLR2004
