"""Lineage as people read it in a terminal, and as Mermaid and JSON take it."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

import click

from nbops.cli.output import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from nbops.lineage.graph import Direction, Graph, Node, Reached
    from nbops.model import ColumnEdge

__all__ = ["as_json", "as_mermaid", "as_tree"]

_MOST_LINES = 300
_MOST_CHOOSERS = 8
_HEADS: dict[str, str] = {"up": "comes from", "down": "goes into"}
_BRANCH, _LAST, _DOWN, _BLANK = "├─ ", "└─ ", "│  ", "   "


def as_tree(graph: Graph, start: Node, direction: Direction, *, depth: int | None, follow: bool) -> str:
    """Return what a node comes from, or goes into, as a tree.

    Args:
        graph: The edges.
        start: The node.
        direction: Up or down.
        depth: Levels at most.
        follow: Branch at edges of influence, too; else they are named in one line below each node.
    """
    lines: list[str] = []
    seen: set[Node] = set()
    for line in _tree(graph, start, direction, depth=depth, follow=follow, seen=seen, indent=""):
        if len(lines) >= _MOST_LINES:
            lines.append(f"... and more; --depth shows less, --json all (the first {_MOST_LINES} lines are shown)")
            break
        lines.append(line)
    body = lines or ["nothing that is known"]
    return "\n".join([click.style(f"{printable(str(start))} {_HEADS[direction]}", bold=True), *(f"  {line}" for line in body)])


def _tree(
    graph: Graph, node: Node, direction: Direction, *, depth: int | None, follow: bool, seen: set[Node], indent: str
) -> Iterator[str]:
    seen.add(node)
    if depth == 0:
        return
    branches, choosers = _split(graph.next(node, direction), follow=follow)
    notes = [_choosers(choosers, direction)] if choosers else []
    count = len(branches) + len(notes)
    for number, (there, edges) in enumerate(branches, start=1):
        last = number == count
        again = there in seen and bool(graph.next(there, direction))
        known = "  (see above)" if again else ""
        yield f"{indent}{_LAST if last else _BRANCH}{printable(str(there))}  {_how(edges)}{known}"
        if not again:
            yield from _tree(
                graph,
                there,
                direction,
                depth=None if depth is None else depth - 1,
                follow=follow,
                seen=seen,
                indent=indent + (_BLANK if last else _DOWN),
            )
    yield from (f"{indent}{_LAST}{note}" for note in notes)


def _split(
    steps: Sequence[tuple[ColumnEdge, Node]], *, follow: bool
) -> tuple[list[tuple[Node, list[ColumnEdge]]], list[tuple[Node, ColumnEdge]]]:
    """Return the nodes to branch to, with all edges there, and those that only choose rows."""
    branches: dict[Node, list[ColumnEdge]] = {}
    choosers: list[tuple[Node, ColumnEdge]] = []
    for edge, there in steps:
        if follow or edge.kind == "derived":
            branches.setdefault(there, []).append(edge)
        else:
            choosers.append((there, edge))
    return list(branches.items()), choosers


def _how(edges: Sequence[ColumnEdge]) -> str:
    what = "/".join(dict.fromkeys(edge.transformation for edge in edges))
    how = "/".join(dict.fromkeys(edge.how for edge in edges))
    places = dict.fromkeys(_place(edge) for edge in edges)
    return click.style(printable(f"{what} ({how}; {', '.join(place for place in places if place)})"), dim=True)


def _place(edge: ColumnEdge) -> str:
    cells = f" cell {', '.join(map(str, edge.cells))}" if edge.cells else ""
    return f"{edge.task}{cells}" if edge.task else ""


def _choosers(choosers: Sequence[tuple[Node, ColumnEdge]], direction: Direction) -> str:
    names = list(dict.fromkeys(f"{printable(str(there))} ({edge.transformation})" for there, edge in choosers))
    more = f" and {len(names) - _MOST_CHOOSERS} more" if len(names) > _MOST_CHOOSERS else ""
    head = "chosen or placed by" if direction == "up" else "chooses or places"
    return f"{head}: {', '.join(names[:_MOST_CHOOSERS])}{more}"


def as_json(starts: Iterable[Node], directions: Mapping[Direction, Sequence[Reached]]) -> dict[str, Any]:
    """Return what is reached as plain values."""
    found: dict[str, Any] = {"start": [asdict(node) for node in starts]}
    for direction, items in directions.items():
        found[direction] = [
            {**asdict(item.node), "distance": item.distance, "kind": item.kind, "edges": [asdict(edge) for edge in item.edges]}
            for item in items
        ]
    return found


def as_mermaid(starts: Iterable[Node], reached: Iterable[tuple[Direction, Reached]]) -> str:
    """Return a Mermaid flowchart (https://mermaid.js.org/syntax/flowchart.html); dotted lines are influences."""
    numbers: dict[Node, int] = {}
    lines: list[str] = []

    def number(node: Node) -> str:
        if node not in numbers:
            numbers[node] = len(numbers)
            lines.append(f'  n{numbers[node]}["{_label(str(node))}"]')
        return f"n{numbers[node]}"

    first = [number(node) for node in starts]
    arrows: dict[tuple[str, str, Literal["derived", "influence"]], list[str]] = {}
    for direction, item in reached:
        here = number(item.node)
        for edge in item.edges:
            source, target = _edge_ends(edge)
            pair = (number(source), here) if direction == "down" else (here, number(target))
            words = arrows.setdefault((*pair, edge.kind), [])
            if edge.transformation not in words:
                words.append(edge.transformation)
    for (source_id, target_id, kind), words in arrows.items():
        line = "-->" if kind == "derived" else "-.->"
        lines.append(f"  {source_id} {line}|{_label(', '.join(words))}| {target_id}")
    style = [f"  style {name} stroke-width:3px" for name in first]
    return "\n".join(["flowchart LR", *lines, *style])


def _edge_ends(edge: ColumnEdge) -> tuple[Node, Node]:
    from nbops.lineage.graph import Node  # noqa: PLC0415 - help needs none of it

    return Node(edge.source, edge.source_column), Node(edge.target, edge.target_column)


def _label(text: str) -> str:
    """Return a text that Mermaid shows as it is: its own entities for what means something to it or to HTML."""
    return re.sub(r"[^\w .,:/*()-]", lambda match: f"#{ord(match[0])};", printable(text))
