"""The explorer's questions and its static view; large graphs; hostile names."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import nbformat
import pytest

from nbops.errors import LedgerError, UnknownTarget
from nbops.model import Check, CheckResult, Column, ColumnEdge, Dataset, LineageEdge, Run, TaskLineage, TaskRun
from nbops.widgets.explore import Explorer
from nbops.widgets.neighbourhood import Lineage, column_key

HOSTILE = "<img src=x onerror=alert(1)>'\"&\x00\x1b[31m😀"


def _run(tasks: Any = (), datasets: Any = (), lineage: Any = (), **more: Any) -> Run:
    return Run(
        id="20260101T000000Z-aaaaaa",
        pipeline="p",
        command="nbops build",
        started_at="2026-01-01T00:00:00Z",
        status="succeeded",
        verdict="failed",
        tasks=tuple(tasks),
        datasets=tuple(datasets),
        lineage=tuple(lineage),
        **more,
    )


def _small(name: str = "orders") -> Run:
    columns = (Column(name="amount", physical_type="DOUBLE"), Column(name=name, physical_type="VARCHAR"))
    check = Check(id="amount.nullValues", dataset=name, metric="nullValues", column="amount")
    edge = ColumnEdge(
        source="raw", source_column="a", target=name, target_column="amount", kind="derived", how="sql", task="clean", cells=(1,)
    )
    return _run(
        [TaskRun(name="clean", kind="notebook", status="failed"), TaskRun(name="use", kind="notebook", status="held")],
        [
            Dataset(name="raw", task="ingest", path="raw.csv", format="csv", columns=(Column(name="a", physical_type="DOUBLE"),)),
            Dataset(name=name, task="clean", path="o", format="csv", rows=5, verdict="failed", published=False, columns=columns),
        ],
        [
            LineageEdge(source="dataset:raw", target="task:clean"),
            LineageEdge(source="task:clean", target=f"dataset:{name}", kind="writes"),
            LineageEdge(source=f"dataset:{name}", target="task:use"),
        ],
        checks=(CheckResult(check=check, verdict="failed", message=f"5 nulls {name}"),),
        column_lineage=(TaskLineage(task="clean", edges=(edge,)),),
    )  # fmt: skip


def test_it_begins_with_what_failed(tmp_path: Path) -> None:
    look = Explorer(_small(), reports=tmp_path).view["look"]
    assert look["focus"] == "dataset:orders"
    assert [item["key"] for item in look["detail"]["up"]["items"]] == ["task:clean"]
    assert look["detail"]["checks"] == [{"id": "amount.nullValues", "verdict": "failed", "message": "5 nulls orders"}]
    assert {node["key"] for node in look["nodes"]} == {"dataset:raw", "task:clean", "dataset:orders", "task:use"}


def test_a_column_says_where_it_comes_from(tmp_path: Path) -> None:
    widget = Explorer(_small(), reports=tmp_path, target="orders.amount")
    detail = widget.view["look"]["detail"]
    assert widget.view["look"]["focus"] == column_key("orders", "amount")
    (item,) = detail["up"]["items"]
    assert (item["name"], item["how"]) == ("raw.a", "computed in clean, cell 2")
    assert detail["home"] == "dataset:orders"
    assert Explorer(_small(), reports=tmp_path, target="clean").view["look"]["focus"] == "task:clean"


@pytest.mark.parametrize(
    "key", ["dataset:none", "column:[]", "column:{", 'column:["orders", "none"]', "", "x" * 9999, None, 5, ["a"]]
)
def test_what_is_not_there_is_said(tmp_path: Path, key: Any) -> None:
    answer = Explorer(_small(), reports=tmp_path)._answer("look", {"key": key})
    assert answer["ok"] is False
    assert len(answer["error"]) < 200


def test_nothing_recorded_is_said(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="nothing to explore"):
        Explorer(_run(), reports=tmp_path)
    with pytest.raises(UnknownTarget, match="Did you mean 'orders'"):
        Explorer(_small(), reports=tmp_path, target="order")


def _huge(count: int) -> Run:
    """A hub that everything is read from and flows into: the worst for a drawing."""
    datasets = [
        Dataset(
            name=f"d{n}",
            task=f"t{n}",
            path=f"{n}.csv",
            format="csv",
            columns=tuple(Column(name=f"c{m}", physical_type="INT") for m in range(5)),
        )
        for n in range(count)
    ]
    edges = [LineageEdge(source="dataset:d0", target=f"task:t{n}") for n in range(1, count)]
    edges += [LineageEdge(source=f"task:t{n}", target=f"dataset:d{n}", kind="writes") for n in range(count)]
    edges += [LineageEdge(source=f"dataset:d{n}", target="task:end") for n in range(count)]
    tasks = [TaskRun(name=f"t{n}", kind="notebook", status="succeeded") for n in range(count)]
    return _run(tasks, datasets, edges)


def test_two_thousand_nodes_come_a_few_at_a_time(tmp_path: Path) -> None:
    widget = Explorer(_huge(1000), reports=tmp_path, target="d0")
    assert widget.view["size"] == 2001
    for key in ("dataset:d0", "task:t500", "task:end", "dataset:d999"):
        answer = widget._answer("look", {"key": key})
        assert answer["ok"], answer
        assert 1 < len(answer["data"]["nodes"]) <= 60
        assert len(json.dumps(answer)) < 60_000
        known = {node["key"] for node in answer["data"]["nodes"]}
        assert all({edge["source"], edge["target"]} <= known for edge in answer["data"]["edges"])
    hub = next(node for node in widget.view["look"]["nodes"] if node["key"] == "dataset:d0")
    assert hub["down"] == 1000 - 12, "what is hidden is counted: 999 tasks and the end, without those drawn"
    found = widget._answer("search", {"text": "d99"})["data"]
    assert found["found"][0]["key"] == "dataset:d99"
    assert len(found["found"]) == 40 or found["count"] < 40
    assert widget._answer("search", {"text": "d7.c3"})["data"]["found"][0]["key"] == column_key("d7", "c3")
    assert widget._answer("search", {"text": "  "})["data"] == {"found": [], "count": 0}
    assert len(widget._static_html()) < 200_000


def test_every_node_is_reached_by_going_along(tmp_path: Path) -> None:
    lineage = Lineage(_small())
    seen, queue = set(), ["dataset:raw"]
    while queue:
        key = queue.pop()
        if key not in seen:
            seen.add(key)
            queue += [*lineage.next(key, "up"), *lineage.next(key, "down")]
    assert seen == set(lineage.keys)


def test_the_static_view_is_in_exported_notebooks(tmp_path: Path) -> None:
    from nbconvert import HTMLExporter

    data, _ = Explorer(_small(HOSTILE), reports=tmp_path)._repr_mimebundle_()  # type: ignore[misc]
    svg = data["text/html"].partition("<svg")[2].partition("</svg>")[0]
    drawing = ET.fromstring(f"<svg{svg}</svg>")
    assert len(drawing.findall(".//{http://www.w3.org/2000/svg}rect")) == 5
    assert "<img" not in data["text/html"]
    assert "\x00" not in data["text/html"]
    assert "\x1b" not in data["text/plain"]
    output = nbformat.v4.new_output("display_data", data=dict(data))
    cell = nbformat.v4.new_code_cell("nbops.explore()", outputs=[output])
    html, _ = HTMLExporter().from_notebook_node(nbformat.v4.new_notebook(cells=[cell]))
    assert "Lineage of run 20260101T000000Z-aaaaaa" in html
    assert 'role="img"' in html
    assert "<img src=x" not in html
