"""Questions to a graph of columns: nothing reached is missed, nothing else is named, and the better known way counts."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from nbops.lineage.graph import Graph, Node, column_edges, dataset_edges, known_datasets
from nbops.lineage.impact import impact_of
from nbops.model import Check, CheckResult, Column, ColumnEdge, Dataset, LineageEdge, Run, TaskLineage, TaskRun


def edge(source: str, target: str, transformation: str = "identity", **changes) -> ColumnEdge:
    """Make an edge from ``a.x`` to ``b.y``; ``a.*`` names no column."""
    ends = [*source.split("."), *target.split(".")]
    kind = "derived" if transformation in {"identity", "transformation", "aggregation"} else "influence"
    return ColumnEdge(
        source=ends[0],
        source_column=None if ends[1] == "*" else ends[1],
        target=ends[2],
        target_column=None if ends[3] == "*" else ends[3],
        kind=kind,
        how="sql",
        transformation=transformation,
        task=f"make_{ends[2]}",
        **changes,
    )


EDGES = (
    edge("raw.id", "orders.id"),
    edge("raw.price", "orders.amount", "transformation", cells=(2,)),
    edge("raw.kind", "orders.*", "filter"),
    edge("orders.amount", "daily.revenue", "aggregation"),
    edge("orders.*", "daily.lines", "aggregation"),
    edge("orders.id", "daily.*", "group_by"),
    edge("daily.*", "report.*", "identity"),
)


def run(**changes) -> Run:
    def data(name: str, *columns: str, **more) -> Dataset:
        made = tuple(Column(name=column, physical_type="BIGINT") for column in columns)
        return Dataset(name=name, task=f"make_{name}", path=f"output/{name}.csv", format="csv", columns=made, **more)

    def check(dataset: str, column: str | None, metric: str = "nullValues", of: str | None = None) -> CheckResult:
        arguments = (("dataset", of),) if of else ()
        made = Check(id=f"{column}.{metric}", dataset=dataset, metric=metric, column=column, arguments=arguments)
        return CheckResult(check=made, verdict="passed")

    names = ("raw", "orders", "daily", "report")
    given_ = {
        "id": "20261122T194101Z-000001",
        "status": "succeeded",
        "verdict": "passed",
        "pipeline": "shop",
        "command": "ploomber build",
        "started_at": "2026-11-22T19:41:56Z",
        "tasks": tuple(TaskRun(name=f"make_{name}", kind="notebook", status="succeeded", source=f"{name}.py") for name in names),
        "datasets": (
            data("raw", "id", "price", "kind"),
            data("orders", "id", "amount", owner="Ada"),
            data("daily", "revenue", "lines", owner="Bo"),
            data("report", "a", "b", owner="Bo"),
        ),
        "checks": (
            check("orders", "amount"),
            check("orders", "id"),
            check("daily", None, "rowCount"),
            check("raw", "id", "references", "orders"),
        ),
        "lineage": (
            *(LineageEdge(source=f"task:make_{name}", target=f"dataset:{name}", kind="writes") for name in names),
            *(LineageEdge(source=f"dataset:{above}", target=f"task:make_{below}") for above, below in pairwise(names)),
            LineageEdge(source="file:data/raw.csv", target="task:make_raw"),
        ),
        "column_lineage": tuple(
            TaskLineage(task=f"make_{name}", edges=tuple(item for item in EDGES if item.target == name)) for name in names[1:]
        ),
    }
    return Run(**{**given_, **changes})


def reached(graph: Graph, start: str, direction: str, **options) -> dict[str, tuple[str, int]]:
    name, _, column = start.partition(".")
    found = graph.reach([Node(name, column or None)], direction, **options)
    return {str(item.node): (item.kind, item.distance) for item in found}


def test_up_from_a_column():
    graph = Graph.of_columns(run())
    assert reached(graph, "daily.revenue", "up") == {
        "orders.amount": ("derived", 1),
        "raw.price": ("derived", 2),
        "file:data/raw.csv": ("derived", 3),
        "orders.id": ("influence", 1),
        "raw.id": ("influence", 2),
        "raw.kind": ("influence", 2),
    }
    assert set(reached(graph, "daily.revenue", "up", influence="omit")) == {"orders.amount", "raw.price", "file:data/raw.csv"}
    assert "raw.id" not in reached(graph, "daily.revenue", "up", influence="note")
    assert set(reached(graph, "daily.revenue", "up", depth=1)) == {"orders.amount", "orders.id"}


def test_down_from_a_column():
    found = reached(Graph.of_columns(run()), "raw.price", "down")
    assert found == {"orders.amount": ("derived", 1), "daily.revenue": ("derived", 2), "report": ("derived", 3)}
    kinds = reached(Graph.of_columns(run()), "raw.kind", "down")
    assert kinds["orders"] == ("influence", 1)
    assert kinds["daily.lines"][0] == "influence", "how many there are depends on what chooses them"


def test_counting_rows_is_down_from_the_dataset_and_not_from_a_column():
    graph = Graph.of_columns(run())
    assert "daily.lines" not in reached(graph, "orders.amount", "down")
    assert reached(graph, "orders", "down")["daily.lines"] == ("derived", 1)


def test_what_no_analysis_told_is_assumed():
    bare = run(column_lineage=())
    found = {(item.source, item.target): item.how for item in column_edges(bare)}
    assert found == {
        ("file:data/raw.csv", "raw"): "assumed",
        ("raw", "orders"): "assumed",
        ("orders", "daily"): "assumed",
        ("daily", "report"): "assumed",
    }
    assert [str(item.node) for item in Graph.of_columns(bare).reach([Node("raw", "id")], "down")] == ["orders", "daily", "report"]


def test_a_task_without_datasets_between_is_no_gap():
    lineage = (
        LineageEdge(source="dataset:raw", target="task:train"),
        LineageEdge(source="task:train", target="task:score"),
        LineageEdge(source="task:score", target="dataset:scores", kind="writes"),
    )
    found = column_edges(run(lineage=lineage, column_lineage=()))
    assert [(item.source, item.target) for item in found] == [("raw", "scores")]


def test_datasets_that_are_read_and_not_used_count_as_influence():
    lineage = (*run().lineage, LineageEdge(source="dataset:raw", target="task:make_daily", how="observed"))
    found = {(item.source, item.target): item.kind for item in dataset_edges(run(lineage=lineage))}
    assert found["raw", "daily"] == "influence"
    assert found["orders", "daily"] == "derived"
    assert known_datasets(run(datasets=())) == {"raw", "orders", "daily", "report"}


def test_circles_end():
    circle = Graph([edge("a.x", "b.x"), edge("b.x", "c.x"), edge("c.x", "a.x"), edge("a.x", "a.x", "window")])
    assert reached(circle, "a.x", "down") == {"b.x": ("derived", 1), "c.x": ("derived", 2)}


def test_impact_of_a_column_and_of_a_task():
    found = impact_of(run(), [Node("orders", "amount")])
    assert [(item.dataset, item.distance, item.kind, item.whole) for item in found.datasets] == [
        ("orders", 0, "derived", False),
        ("daily", 1, "derived", False),
        ("report", 2, "derived", True),
    ]
    assert [result.check.id for result in found.checks] == ["amount.nullValues", "None.rowCount", "id.references"]
    assert found.owners == {"Ada": ("orders",), "Bo": ("daily", "report")}
    assert found.tasks == ("make_orders", "make_daily", "make_report")
    whole = impact_of(run(), [], tasks=["make_raw"])
    assert [item.dataset for item in whole.datasets] == ["raw", "orders", "daily", "report"]
    assert impact_of(run(), [Node("report")]).tasks == ("make_report",)
    assert impact_of(run(), [Node("nowhere", "x")], depth=1).checks == ()


columns = st.sampled_from(["a.x", "a.y", "b.x", "b.*", "c.x", "c.*", "d.__proto__", "e.x"])
kinds = st.sampled_from(["identity", "aggregation", "filter", "window"])
graphs = st.lists(st.builds(edge, columns, columns, kinds), max_size=14)


@given(graphs, st.sampled_from(["a.x", "b", "c.x"]), st.sampled_from(["up", "down"]))
def test_reaching_is_steps_repeated(edges, start, direction):
    graph = Graph([replace(item, how="static") for item in edges])
    node = Node(*start.split("."))
    expected: set[Node] = set()
    queue = [node]
    while queue:
        for _, there in graph.next(queue.pop(), direction):
            if there not in expected and there != node:
                expected.add(there)
                queue.append(there)
    found = graph.reach([node], direction)
    assert {item.node for item in found} == expected
    assert graph.reach([node], direction) == Graph(graph.edges[::-1]).reach([node], direction), "the order of edges says nothing"
    omitted = {item.node for item in graph.reach([node], direction, influence="omit")}
    assert omitted == {item.node for item in found if item.kind == "derived"}
    for item in found:
        assert item.edges
        assert 1 <= item.distance <= len(expected)
