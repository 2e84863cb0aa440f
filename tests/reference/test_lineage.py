"""Every column of every dataset of the reference pipeline has its sources, and three of them are those that its notebooks say."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from reference_run import ROOT, Pipeline, cells, tasks, upstream_of

from nbops.contract.config import load_config
from nbops.lineage.graph import Graph, Node
from nbops.lineage.task import trace
from nbops.model import CellRun, Run
from nbops.pipeline import Product, TaskSpec
from nbops.workflow.assemble import lineage_of
from nbops.workflow.datasets import plan_datasets
from nbops.workflow.fingerprint import Fingerprinter
from nbops.workflow.hashing import HashCache
from nbops.workflow.lineage_code import task_code
from nbops.workflow.taskrecord import TaskRecord


def specs() -> tuple[TaskSpec, ...]:
    """Return the tasks as a build finds them."""
    entries = tasks()
    settings = yaml.safe_load((ROOT / "env.yaml").read_text(encoding="utf-8"))
    found = {
        name: TaskSpec(
            name=name,
            kind="notebook",
            source=ROOT / entry["source"],
            code=tuple(cell.source for cell in cells(name)),
            language="python",
            upstream=tuple(upstream_of(name)),
            products=tuple(
                Product(key=key, path=path, kind="notebook" if key == "nb" else "file") for key, path in entry["product"].items()
            ),
            parameters={key: settings.get(str(value).strip("{} "), value) for key, value in entry.get("params", {}).items()},
        )
        for name, entry in entries.items()
    }
    return tuple(found.values())


@pytest.fixture(scope="module")
def run(simulated: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """What a build records of lineage: from the notebooks' code and the columns of what they made."""
    found, config = specs(), load_config(ROOT)
    plans = plan_datasets(ROOT, found, {})
    cache = tmp_path_factory.mktemp("cache")
    fingerprinter = Fingerprinter(root=ROOT, tasks=found, config=config, hashes=HashCache(cache / "hashes.json"))
    records = {
        spec.name: TaskRecord(
            spec=spec,
            plans=plans[spec.name],
            audits=tuple(simulated.audits[plan.name] for plan in plans[spec.name]),
            cells=tuple(CellRun(index=index) for index in range(len(spec.code))),
            recipe=fingerprinter.recipe(spec),
        )
        for spec in found
    }
    lineages = tuple(trace(task_code(record, records=records, root=ROOT, config=config)) for record in records.values())
    return Run(
        id="20261122T194101Z-000001",
        status="succeeded",
        verdict="passed",
        pipeline="reference",
        command="ploomber build",
        started_at="2026-11-22T19:41:56Z",
        datasets=tuple(audit.dataset for audit in simulated.audits.values()),
        lineage=lineage_of(records),
        column_lineage=lineages,
    )


def test_every_column_has_its_sources(run: Run) -> None:
    edges = [edge for part in run.column_lineage for edge in part.edges if edge.kind == "derived"]
    without, assumed, columns = [], [], 0
    for dataset in run.datasets:
        assert dataset.columns
        for column in dataset.columns:
            columns += 1
            own = [edge for edge in edges if edge.target == dataset.name and edge.target_column in {column.name, None}]
            if not own:
                without.append(f"{dataset.name}.{column.name}")
            elif all(edge.how == "assumed" for edge in own):
                assumed.append(f"{dataset.name}.{column.name}")
    assert without == []
    assert columns >= 140
    assert len(assumed) <= columns * 0.2, assumed


def test_edges_lead_from_and_to_what_is_there(run: Run) -> None:
    columns = {dataset.name: {column.name for column in dataset.columns} for dataset in run.datasets}
    for part in run.column_lineage:
        for edge in part.edges:
            assert edge.task == part.task
            if edge.target in columns:
                assert edge.target_column is None or edge.target_column in columns[edge.target], edge
            if edge.source in columns:
                assert edge.source_column is None or edge.source_column in columns[edge.source], edge
            else:
                assert edge.source.partition(":")[0] in {"file", "parameter", "task", "unknown"}, edge
    assert not [edge for part in run.column_lineage for edge in part.edges if str(ROOT) in f"{edge.source}{edge.target}"]


def sources(run: Run, dataset: str, column: str) -> dict[str, str]:
    """Return where a column is derived from directly: name to transformation."""
    found: dict[str, str] = {}
    for edge in (edge for part in run.column_lineage for edge in part.edges):
        if (edge.target, edge.target_column, edge.kind) == (dataset, column, "derived"):
            found[f"{edge.source}.{edge.source_column}" if edge.source_column else edge.source] = edge.transformation
    return found


def test_columns_checked_by_hand(run: Run) -> None:
    # clean.py: round(quantity * unit_price::DECIMAL(12, 3), 2)::DOUBLE AS revenue
    assert sources(run, "orders", "revenue") == {
        "orders_raw.quantity": "transformation",
        "orders_raw.unit_price": "transformation",
    }
    # features.py: date_diff('day', last_day, today), both max(invoiced_at) of orders
    assert sources(run, "customer_features", "recency_days") == {"orders.invoiced_at": "aggregation"}
    # features.py: stock_code of products, which the other tables are joined to
    assert sources(run, "product_features", "stock_code") == {"products.stock_code": "identity"}


def test_a_column_is_followed_to_where_it_comes_from(run: Run) -> None:
    graph = Graph.of_columns(run)
    up = {str(item.node) for item in graph.reach([Node("customer_features", "monetary")], "up", influence="omit")}
    assert {"orders.revenue", "orders_raw.quantity", "orders_raw.unit_price"} <= up
    assert "orders_raw.country" not in up
    down = {item.node.name for item in graph.reach([Node("orders_raw", "unit_price")], "down", influence="omit")}
    assert {"orders", "customer_features", "product_features", "daily_sales"} <= down


def test_paths_of_this_machine_are_in_no_edge(run: Run) -> None:
    assert str(Path.home()) not in repr(run.column_lineage)
