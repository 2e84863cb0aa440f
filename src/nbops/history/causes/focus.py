"""What an incident's findings are about, what lies upstream of that, and what moved there."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from nbops.lineage.graph import Graph, Node, dataset_edges

if TYPE_CHECKING:
    from nbops.model import Dataset, Distribution, IncidentFinding, Run

__all__ = [
    "Focus",
    "Kind",
    "Upstream",
    "foci_of",
    "is_telling",
    "kind_of_metric",
    "merged_lineage",
    "moved_by",
    "turned",
    "upstream_of",
]

Kind = Literal["rows", "nulls", "values", "distinct", "schema", "age", "task"]
_KINDS: Mapping[str, Kind] = {
    **dict.fromkeys(("rowCount", "rows", "volume", "bytes", "duplicateValues", "duplicates"), "rows"),
    **dict.fromkeys(("nullValues", "nullRate", "missingValues", "nulls", "required"), "nulls"),
    **dict.fromkeys(("distinctValues", "distinctRate", "distinct", "unique"), "distinct"),
    **dict.fromkeys(("schema", "columns", "physicalType", "type"), "schema"),
    **dict.fromkeys(("freshness", "age", "interval", "retention"), "age"),
}
_INFLUENCE, _OTHER_ROWS, _STEP = 0.5, 0.3, 0.98
_MOST_FOCI = 12
_TINY = 1e-9
_ROUNDING = 1e-9
"""Part of a number by which sums of floats differ that were added up in another order."""
_SHAPE = ("mean", "standardDeviation", "minimum", "maximum")
_FEW_DISTINCT = 0.01
"""Of the logarithm of a ratio."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Focus:
    """What one finding is about."""

    kind: Kind
    dataset: str | None
    task: str
    column: str | None = None
    weight: float = 1.0
    check: str | None = None
    """The check's id."""
    cell: int | None = None
    """Where a task failed."""

    @property
    def rows(self) -> bool:
        """Whether it is about which rows there are."""
        return self.kind in {"rows", "task", "schema"} or self.column is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """What lies upstream of a focus: name to column (None: rows, or all of them) to strength, 0 to 1."""

    reached: Mapping[str, Mapping[str | None, float]]
    tasks: frozenset[str]
    """Every task above, and the focus' own."""

    def of(self, name: str) -> float:
        """Return the strength of a dataset, file or parameter; 0 when it is not upstream."""
        return max(self.reached.get(name, {}).values(), default=0.0)


def kind_of_metric(metric: str) -> Kind:
    """Return what a metric, monitor or check is about."""
    return _KINDS.get(metric, _KINDS.get(metric.partition(":")[0], "values"))


def foci_of(findings: Iterable[IncidentFinding], run: Run) -> tuple[Focus, ...]:
    """Return what findings are about: only of those furthest upstream, as the others follow from them."""
    found = {focus: None for finding in findings for focus in _focus(finding, run)}
    edges: dict[str, set[str]] = {}
    for edge in dataset_edges(run):
        edges.setdefault(edge.target, set()).add(edge.source)
    datasets = {focus.dataset for focus in found if focus.dataset is not None}
    failed = {focus.task for focus in found if focus.kind == "task"}
    later = {name for name in datasets if _above(name, edges) & (datasets - {name})}
    above = {task.name: set(task.upstream) for task in run.tasks}
    first = [
        focus
        for focus in found
        if (focus.dataset is not None and focus.dataset not in later)
        or (focus.kind == "task" and not _above(focus.task, above) & failed)
    ]
    return tuple(sorted(first, key=lambda one: -one.weight)[:_MOST_FOCI])


def _above(name: str, edges: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    queue = list(edges.get(name, ()))
    while queue:
        one = queue.pop()
        if one not in found:
            found.add(one)
            queue += edges.get(one, ())
    return found - {name}


def _focus(finding: IncidentFinding, run: Run) -> Iterator[Focus]:
    subject = finding.subject
    weight = 1.0 if finding.severity == "error" else 0.7
    if finding.kind == "task" or subject.startswith("task:"):
        name = subject.removeprefix("task:")
        task = next((one for one in run.tasks if one.name == name), None)
        if finding.kind == "task":
            yield Focus(
                kind="task", dataset=None, task=name, weight=weight, cell=task.error.cell if task and task.error else None
            )
        return
    dataset = subject.removeprefix("dataset:")
    if finding.column is not None and dataset.endswith(f".{finding.column}") and not _made(dataset, run):
        dataset = dataset.removesuffix(f".{finding.column}")
    made = _made(dataset, run)
    if finding.kind == "check":
        ident = finding.key.removeprefix(f"check:{dataset}:")
        result = next((one for one in run.checks if one.check.dataset == dataset and one.check.id == ident), None)
        metric = result.check.metric if result else ident.rpartition(".")[2]
        column = finding.column or (result.check.column if result else None)
        yield Focus(kind=kind_of_metric(metric), dataset=dataset, task=made, column=column, weight=weight, check=ident)
        return
    monitor = finding.key.removeprefix("monitor:").partition(":")[0]
    anomaly = next(
        (
            one
            for one in run.anomalies
            if one.subject == f"dataset:{dataset}" and one.column == finding.column and one.monitor == monitor
        ),
        None,
    )
    metric = anomaly.metric if anomaly and anomaly.metric else finding.key.rpartition(":")[2]
    kind = kind_of_metric(metric)
    kind = kind if kind != "values" else kind_of_metric(monitor)
    yield Focus(kind=kind, dataset=dataset, task=made, column=finding.column, weight=weight)


def _made(dataset: str, run: Run) -> str:
    task = next((item.task for item in run.datasets if item.name == dataset), "")
    target = f"dataset:{dataset}"
    return task or next(
        (edge.source.removeprefix("task:") for edge in run.lineage if edge.kind == "writes" and edge.target == target), ""
    )


def merged_lineage(run: Run, before: Run | None) -> Run:
    """Return the run with the lineage of tasks that it says nothing of, as where they failed, from the run before."""
    if before is None:
        return run
    said = {part.task for part in run.column_lineage}
    more = tuple(part for part in before.column_lineage if part.task not in said)
    edges = tuple(dict.fromkeys((*run.lineage, *before.lineage)))
    return replace(run, column_lineage=(*run.column_lineage, *more), lineage=edges)


def upstream_of(focus: Focus, run: Run, graph: Graph) -> Upstream:
    """Return what lies upstream of a focus, by columns where they are known.

    Args:
        focus: What is asked about.
        run: With all lineage that is known.
        graph: Of its columns.
    """
    start = [Node(focus.dataset, focus.column)] if focus.dataset is not None else []
    start += [Node(name) for name in _read_by(run, focus.task)] if focus.kind == "task" else []
    best: dict[Node, float] = dict.fromkeys(start, 1.0)
    heap = [(-1.0, node.name, node.column or "", node) for node in start]
    heapq.heapify(heap)
    while heap:
        negative, _, _, node = heapq.heappop(heap)
        if -negative < best.get(node, 0.0):
            continue
        for there, strength in _steps(graph, node, rows=focus.rows and node.column is None):
            value = -negative * strength * _STEP
            if value > best.get(there, 0.0):
                best[there] = value
                heapq.heappush(heap, (-value, there.name, there.column or "", there))
    reached: dict[str, dict[str | None, float]] = {}
    for node, strength in best.items():
        reached.setdefault(node.name, {})[node.column] = strength
    return Upstream(reached=reached, tasks=_tasks_above(run, focus))


def _steps(graph: Graph, node: Node, *, rows: bool) -> Iterator[tuple[Node, float]]:
    for edge, there in graph.next(node, "up"):
        if rows and edge.kind == "derived" and edge.target_column is not None and edge.source_column is not None:
            yield there, 0.25
        elif edge.kind == "influence":
            yield there, 0.95 if rows else _INFLUENCE
        else:
            yield there, 1.0 if edge.source_column is not None or edge.target_column is None else 0.9
        if there.column is not None and not there.name.startswith("parameter:"):
            yield Node(there.name), 0.95 if rows else _OTHER_ROWS


def _read_by(run: Run, task: str) -> list[str]:
    found = [edge.source for edge in run.lineage if edge.kind == "reads" and edge.target == f"task:{task}"]
    return [name.removeprefix("dataset:") for name in found if not name.startswith("task:")]


def _tasks_above(run: Run, focus: Focus) -> frozenset[str]:
    edges = {task.name: set(task.upstream) for task in run.tasks}
    for edge in run.lineage:
        if edge.kind == "reads" and edge.source.startswith("dataset:"):
            edges.setdefault(edge.target.removeprefix("task:"), set()).add(_made(edge.source.removeprefix("dataset:"), run))
    return frozenset({focus.task} | _above(focus.task, edges))


def moved_by(  # noqa: PLR0911 - each answer where it is known
    old: Dataset | None, new: Dataset | None, column: str | None, kind: Kind
) -> float | None:
    """Return how far a column (or the rows) of a dataset moved, 0 for not at all; None when it is not known.

    Null values are compared in points of their share, rows by the logarithm of their ratio, values by the largest of the
    distances of their mean, ends and quantiles, in standard deviations of before, and of the shares of their categories.
    """
    if old is None or new is None or old.error or new.error:
        return None
    if old.content_hash is not None and old.content_hash == new.content_hash:
        return 0.0
    if column is None or kind == "rows":
        if old.rows is None or new.rows is None:
            return None
        return abs(math.log((new.rows + 0.5) / (old.rows + 0.5))) if old.rows != new.rows else 0.0
    was, now = _numbers(old, column), _numbers(new, column)
    if not was or not now:
        names = [{item.name for item in one.columns} for one in (old, new)]
        return 1.0 if (column in names[0]) != (column in names[1]) else None
    if kind == "nulls":
        return _nulls(old, was, new, now)
    moved = max(_values(was, now), _shares(old, new, column))
    nulls = _nulls(old, was, new, now) or 0.0
    return max(moved, nulls) if kind != "distinct" else max(moved, _ratio(was, now, "distinctValues"))


def turned(old: Dataset | None, new: Dataset | None, column: str | None, kind: Kind) -> int:
    """Return whether rows or missing values became more (1) or fewer (-1); 0 where neither is known or asked about."""
    if old is None or new is None or old.rows is None or new.rows is None:
        return 0
    if kind == "rows":
        return (new.rows > old.rows) - (new.rows < old.rows)
    if kind != "nulls" or column is None:
        return 0
    was, now = _numbers(old, column).get("nullValues"), _numbers(new, column).get("nullValues")
    if was is None or now is None or not old.rows or not new.rows:
        return 0
    before, after = float(was) / old.rows, float(now) / new.rows
    return (after > before) - (after < before)


def is_telling(item: Dataset | None, column: str) -> bool:
    """Tell whether enough is measured of a column to say that it is as it was."""
    if item is None:
        return False
    spread = _indexed(item)[1].get(column)
    return "mean" in _numbers(item, column) or bool(spread is not None and spread.categories)


_KEPT: dict[int, tuple[Dataset, dict[str, dict[str, Any]], dict[str, Distribution]]] = {}
_MOST_KEPT = 64
"""Datasets of which the measurements are kept by column: a table of thousands of columns is asked for each of them."""


def _indexed(item: Dataset) -> tuple[dict[str, dict[str, Any]], dict[str, Distribution]]:
    """Return the measurements and distributions of a dataset by column."""
    known = _KEPT.get(id(item))
    if known is None or known[0] is not item:
        numbers: dict[str, dict[str, Any]] = {}
        for one in item.measurements:
            if one.column is not None and one.error is None and one.value is not None:
                numbers.setdefault(one.column, {})[f"{one.metric}{dict(one.arguments) or ''}"] = one.value
        while len(_KEPT) >= _MOST_KEPT:
            _KEPT.pop(next(iter(_KEPT)), None)
        known = _KEPT[id(item)] = (item, numbers, {one.column: one for one in item.distributions})
    return known[1], known[2]


def _numbers(item: Dataset, column: str) -> dict[str, Any]:
    return _indexed(item)[0].get(column, {})


def _nulls(old: Dataset, was: Mapping[str, Any], new: Dataset, now: Mapping[str, Any]) -> float | None:
    if "nullValues" not in was or "nullValues" not in now or not old.rows or not new.rows:
        return None
    return abs(float(now["nullValues"]) / new.rows - float(was["nullValues"]) / old.rows)


def _values(was: Mapping[str, Any], now: Mapping[str, Any]) -> float:
    spread = _number(was.get("standardDeviation")) or 0.0
    distinct = _ratio(was, now, "distinctValues")
    if distinct < _FEW_DISTINCT and all(_is_same(was.get(name), now.get(name)) for name in _SHAPE):
        distinct = 0.0  # rounding makes equal numbers of some that were not, and the reverse
    found = [distinct, _ratio(was, now, "standardDeviation")]
    for name in was.keys() & now.keys() - {"nullValues", "distinctValues", "standardDeviation"}:
        one, other = _number(was[name]), _number(now[name])
        if one is None or other is None:
            found.append(0.3 if was[name] != now[name] else 0.0)
        elif not _is_same(one, other):
            scale = max(spread, 0.05 * abs(one), _TINY)
            found.append(abs(other - one) / scale)
    return max(found)


def _is_same(was: Any, now: Any) -> bool:
    """Tell whether two numbers are the same but for rounding; False where one of them is none."""
    one, other = _number(was), _number(now)
    return one is not None and other is not None and math.isclose(one, other, rel_tol=_ROUNDING, abs_tol=_TINY * _TINY)


def _shares(old: Dataset, new: Dataset, column: str) -> float:
    """Return the total variation distance of the categories' shares, 0 where they are not known."""
    one, other = (_indexed(item)[1].get(column) for item in (old, new))
    if one is None or other is None or not one.rows or not other.rows or not (one.categories or other.categories):
        return 0.0
    names = one.categories.keys() | other.categories.keys()
    return sum(abs(one.categories.get(n, 0) / one.rows - other.categories.get(n, 0) / other.rows) for n in names) / 2


def _ratio(was: Mapping[str, Any], now: Mapping[str, Any], name: str) -> float:
    one, other = _number(was.get(name)), _number(now.get(name))
    if one is None or other is None or _is_same(one, other) or min(one, other) < 0:
        return 0.0
    return min(3.0, abs(math.log((other + _TINY) / (one + _TINY))))


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None
