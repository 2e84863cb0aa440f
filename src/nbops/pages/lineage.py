"""``lineage.html``: tasks and datasets as a drawing and as a table, and where each column comes from."""

from __future__ import annotations

import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nbops.pages.graph import grouped, pairs_of
from nbops.pages.layers import layered
from nbops.pages.names import page_name
from nbops.pages.origins import HOW, Origins
from nbops.pages.text import count, plural, short
from nbops.pages.views import Shown, shown
from nbops.pages.words import label, mark, rank

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from nbops.model import Dataset, Run
    from nbops.pages.latest import Latest
    from nbops.pages.layers import Layout

__all__ = ["Node", "anchor", "lineage_context", "nodes_of", "task_mark"]

_MOST_NODES, _MOST_LINES = 700, 3_000
_LIT = 70
"""Up to so many nodes the drawing lights up what belongs to a node without a script."""
_ROOM, _ROW, _PHRASE, _FRAME = 130_000, 130, 115, 800
"""Characters that columns may take; about those of one, of one of its sources, and of the table around, without names."""
_HEIGHT, _SPACE, _LETTER, _LABEL = 38.0, 12.0, 6.7, 26
_LISTED_UP_TO, _LONG, _SHORT = 60, 60, 4
_EACH, _EVERY = 8, 12
_KINDS = ("task", "dataset", "file", "host")
_FINE = {"up_to_date": "succeeded", "not_selected": "succeeded"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A task, dataset, or what is outside the pipeline."""

    key: str
    kind: str
    name: str
    mark: str
    """Empty where there is nothing to judge."""
    word: str
    page: str | None
    upstream: tuple[str, ...] = ()
    downstream: tuple[str, ...] = ()
    above: frozenset[str] = field(default_factory=frozenset)
    """Everything upstream, near and far."""
    below: frozenset[str] = field(default_factory=frozenset)
    members: tuple[str, ...] = ()
    """Of many files that the same tasks read: their names."""

    @property
    def title(self) -> str:
        """What it is called where there is little room."""
        return plural(len(self.members), "file") if self.members else self.name

    @property
    def anchor(self) -> str:
        """Name of its place on the page."""
        return anchor(self.kind, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    """A node of the drawing, with where it stands."""

    node: Node
    number: int
    label: str
    x: float
    y: float
    width: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stroke:
    path: str
    source: int
    target: int
    declared: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """A node in the table."""

    node: Node
    reads: Shown
    feeds: Shown
    above: Shown
    below: Shown


@dataclass(frozen=True, slots=True, kw_only=True)
class _ColumnRow:
    name: str
    origins: Shown
    decided: Shown
    made: int
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Unfolded:
    """A dataset's columns."""

    dataset: Dataset
    anchor: str
    rows: Shown
    every: Shown
    """What each column may come from, where that is not known column by column."""
    deciding: Shown
    traced: int


def anchor(kind: str, name: str) -> str:
    """Return the place of a node on the page; a name that no other node has.

    >>> anchor("dataset", "orders")
    'd-orders'
    """
    return f"{kind[:1]}-{page_name(name)}"


def task_mark(status: str) -> str:
    """Return a task's state without whether it had to run now: a page that nothing changed on must not change.

    >>> task_mark("up_to_date"), task_mark("held")
    ('succeeded', 'held')
    """
    return mark(_FINE.get(status, status))


def _split(key: str) -> tuple[str, str]:
    kind, colon, name = key.partition(":")
    return (kind, name) if kind in _KINDS and colon else ("file", key)


def nodes_of(latest: Latest) -> tuple[dict[str, Node], dict[tuple[str, str], bool]]:
    """Return the nodes by key in a fixed order, and the edges between them with whether each is declared."""
    run = latest.run
    pairs, members = grouped(pairs_of(run))
    keys = {f"task:{task.name}" for task in run.tasks} | {f"dataset:{item.name}" for item in run.datasets}
    keys |= {key for pair in pairs for key in pair}
    upstream: dict[str, list[str]] = {key: [] for key in keys}
    downstream: dict[str, list[str]] = {key: [] for key in keys}
    for source, target in sorted(pairs):
        upstream[target].append(source)
        downstream[source].append(target)
    marks = {f"task:{task.name}": task_mark(task.status) for task in run.tasks}
    marks |= _dataset_marks(run)
    found = {}
    for key in sorted(keys):
        kind, name = _split(key)
        page = latest.tasks.get(name) if kind == "task" else latest.datasets.get(name) if kind == "dataset" else None
        state = marks.get(key, "")
        found[key] = Node(
            key=key,
            kind=kind,
            name=name,
            mark=state,
            word=label(state) if state else {"file": "file", "host": "connection"}.get(kind, "not measured"),
            page=page,
            upstream=tuple(upstream[key]),
            downstream=tuple(downstream[key]),
            above=_reached(key, upstream),
            below=_reached(key, downstream),
            members=members.get(key, ()),
        )
    return found, pairs


def _dataset_marks(run: Run) -> dict[str, str]:
    """Return the worst of what a run says of each dataset."""
    words: dict[str, list[str]] = {item.name: [] for item in run.datasets}
    for result in run.checks:
        words.get(result.check.dataset, []).append(result.verdict)
    for item in run.datasets:  # its own verdict is the worst of its checks, where it has any
        words[item.name] += ["errored"] if item.error else [] if words[item.name] else [item.verdict]
    return {f"dataset:{name}": min(map(mark, every), key=rank) for name, every in words.items()}


def _reached(start: str, onward: Mapping[str, Sequence[str]]) -> frozenset[str]:
    seen, queue = set(), [start]
    while queue:
        for key in onward[queue.pop()]:
            if key not in seen:
                seen.add(key)
                queue.append(key)
    return frozenset(seen - {start})


def _wide(text: str) -> float:
    letters = sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)
    return letters * _LETTER


def _drawn(nodes: Mapping[str, Node], pairs: Iterable[tuple[str, str]]) -> tuple[Layout, dict[str, str]] | None:
    wanted = list(pairs)
    if not nodes or len(nodes) > _MOST_NODES or len(wanted) > _MOST_LINES:
        return None
    labels = {key: short(node.title, _LABEL) or "(empty)" for key, node in nodes.items()}
    widths = {
        key: float(round(max(_wide(labels[key]), _wide(node.word) + 16 if node.mark else 0) + 24)) for key, node in nodes.items()
    }
    return layered(nodes, wanted, widths=widths, height=_HEIGHT, gap=_SPACE), labels


def lineage_context(latest: Latest) -> dict[str, Any]:
    """Return what ``lineage.html.j2`` shows."""
    run = latest.run
    nodes, pairs = nodes_of(latest)
    drawn = _drawn(nodes, pairs)
    order = [box.name for box in drawn[0].boxes] if drawn else sorted(nodes)
    number = {key: at for at, key in enumerate(order)}
    origins = Origins(run)
    strokes: list[_Stroke] = []
    shapes: list[_Shape] = []
    if drawn:
        layout, labels = drawn
        shapes = [
            _Shape(node=nodes[box.name], number=number[box.name], label=labels[box.name], x=box.x, y=box.y, width=box.width)
            for box in layout.boxes
        ]
        strokes = [
            _Stroke(
                path=line.path,
                source=number[line.source],
                target=number[line.target],
                declared=pairs[line.source, line.target],
            )
            for line in layout.lines
        ]
    columns = _unfolded(run, order, origins)
    return {
        "root": "",
        "run": run,
        "latest": latest,
        "nodes": nodes,
        "tally": _tally(run, nodes, origins),
        "drawing": drawn[0] if drawn else None,
        "height": _HEIGHT,
        "shapes": shapes,
        "strokes": strokes,
        "lights": _lights(shapes, strokes) if len(shapes) <= _LIT else [],
        "undeclared": sum(not declared for declared in pairs.values()),
        "many": len(order) > _LISTED_UP_TO,
        "rows": shown([_row(nodes, key, many=len(order) > _LISTED_UP_TO) for key in order], _MOST_NODES),
        "columns": columns,
        "unfolded": {one.dataset.name: one.anchor for one in columns},
        "columns_left_out": sum(len(item.columns) for item in run.datasets) - sum(len(one.rows.items) for one in columns),
        "with_cells": {task.name for task in run.tasks if task.kind == "notebook" and task.status in {"succeeded", "up_to_date"}},
        "notes": shown([(part.task, note) for part in run.column_lineage for note in part.notes], 60),
    }


def _tally(run: Run, nodes: Mapping[str, Node], origins: Origins) -> list[str]:
    kinds = Counter(node.kind for node in nodes.values())
    names = {"task": "task", "dataset": "dataset", "file": "file", "host": "connection"}
    told = [plural(kinds[kind], name) for kind, name in names.items() if kinds[kind]]
    columns = sum(len(item.columns) for item in run.datasets)
    told += [plural(columns, "column")] if columns else []
    if origins.edges:
        how = Counter[str](edge.how for edge in origins.edges)
        known = ", ".join(f"{count(how[word])} {text}" for word, text in HOW.items() if how[word])
        told.append(f"{plural(len(origins.edges), 'edge')} between columns: {known}")
    return told


def _lights(shapes: Sequence[_Shape], strokes: Sequence[_Stroke]) -> list[tuple[str, list[int], list[int]]]:
    """Return for each node the numbers of the nodes that belong to it, and of the lines between these and it."""
    number = {shape.node.key: shape.number for shape in shapes}
    found = []
    for shape in shapes:
        above = {number[key] for key in shape.node.above}
        below = {number[key] for key in shape.node.below}
        sides = (above | {shape.number}, below | {shape.number})
        lines = [at for at, one in enumerate(strokes) if any({one.source, one.target} <= side for side in sides)]
        found.append((shape.node.anchor, sorted(above | below | {shape.number}), lines))
    return found


def _row(nodes: Mapping[str, Node], key: str, *, many: bool) -> _Row:
    node = nodes[key]
    most = _SHORT if many else _LONG

    def named(keys: Iterable[str], limit: int) -> Shown:
        return shown([nodes[other] for other in sorted(keys)], limit)

    direct = 8 if many else 40
    above, below = node.above - set(node.upstream), node.below - set(node.downstream)
    return _Row(
        node=node,
        reads=named(node.upstream, direct),
        feeds=named(node.downstream, direct),
        above=named(above, len(above) if len(above) <= most else 0),
        below=named(below, len(below) if len(below) <= most else 0),
    )


def _unfolded(run: Run, order: Sequence[str], origins: Origins) -> list[_Unfolded]:
    """Return the columns of each dataset in the order of the drawing, as many as the page may hold."""
    by_name = {f"dataset:{item.name}": item for item in run.datasets}
    datasets = [by_name[key] for key in order if key in by_name and by_name[key].columns]
    room = _ROOM if len(order) <= 2 * _LISTED_UP_TO else _ROOM // 4
    found = []
    for position, item in enumerate(datasets):
        fair = room // (len(datasets) - position)
        if fair < 2 * _FRAME:
            break  # so many datasets that a few columns of each would tell nothing: their pages do
        rows, taken = _rows_within(origins, item, fair - _FRAME)
        room -= taken + _FRAME
        found.append(
            _Unfolded(
                dataset=item,
                anchor=anchor("dataset", item.name),
                rows=Shown(items=tuple(rows), more=len(item.columns) - len(rows)),
                every=shown(origins.of_all(item.name), _EVERY),
                deciding=shown(origins.rows_of(item.name), _EVERY),
                traced=sum(bool(row.origins.items) for row in rows),
            )
        )
    return found


def _rows_within(origins: Origins, item: Dataset, room: int) -> tuple[list[_ColumnRow], int]:
    """Return as many columns as there is room for, and the characters that they take."""
    rows: list[_ColumnRow] = []
    taken = 0
    for column in item.columns:
        row = _column_row(origins, item.name, column.name, _EACH)
        phrases = (*row.origins.items, *row.decided.items)
        taken += (
            _ROW
            + min(len(column.name), 60)
            + sum(_PHRASE + min(len(one.dataset), 60) + 20 * len(one.columns[:8]) for one in phrases)
        )
        if taken > room:
            return rows, room
        rows.append(row)
    return rows, taken


def _column_row(origins: Origins, dataset: str, column: str, most: int) -> _ColumnRow:
    made, rows = origins.users(dataset, column)
    return _ColumnRow(
        name=column,
        origins=shown(origins.of_column(dataset, column), most),
        decided=shown(origins.decided_by(dataset, column), most),
        made=made,
        rows=rows,
    )
