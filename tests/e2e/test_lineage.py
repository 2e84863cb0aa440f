"""Lineage of columns through whole builds: recorded, carried over, found anew when code changes, and there after a failure."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

from e2e_project import Project, ran_in, statuses_of

from nbops.cli import main

if TYPE_CHECKING:
    from nbops.model import Run

FILES = {
    "pipeline.yaml": """
tasks:
  - source: tasks.load
    product: output/orders.csv
    params:
      factor: 2

  - source: notebooks/daily.py
    local_execution: true
    product:
      nb: output/daily.ipynb
      daily: output/daily.csv
""",
    "env.yaml": "a: 1\n",
    "tasks.py": """import pandas as pd


def read(path):
    return pd.read_csv(path)


def load(product, factor):
    orders = read("data/raw.csv")
    orders["amount"] = orders["price"] * factor
    orders["origin"] = "shop"
    orders[orders["kind"] == "sale"].drop(columns=["kind", "price"]).to_csv(product, index=False)
""",
    "notebooks/daily.py": """# %% [markdown]
# # Daily

# %% tags=["parameters"]
upstream = ["load"]
product = None

# %%
import duckdb
from helpers import tidy

orders = tidy(duckdb.read_csv(str(upstream["load"])).df())

# %%
daily = duckdb.sql("SELECT day, sum(amount) AS revenue, count(*) AS lines FROM orders GROUP BY day ORDER BY day").df()
daily.to_csv(product["daily"], index=False)
""",
    "notebooks/helpers.py": "def tidy(frame):\n    frame['day'] = frame['at'].str.slice(0, 10)\n    return frame\n",
    "data/raw.csv": "id,at,kind,price\n1,2026-01-01T10,sale,2.5\n2,2026-01-02T10,fee,1\n3,2026-01-02T11,sale,4\n",
    "pyproject.toml": "[tool.nbops]\nprofile = false\n",
}


def derived(run: Run) -> set[tuple[str, str | None, str, str | None]]:
    return {
        (edge.source, edge.source_column, edge.target, edge.target_column)
        for part in run.column_lineage
        for edge in part.edges
        if edge.kind == "derived"
    }


def test_from_the_file_to_the_last_column(make_project: Callable[..., Project], monkeypatch, capfd) -> None:
    project = make_project(FILES)
    run = project.build()
    assert derived(run) >= {
        ("file:data/raw.csv", "id", "orders", "id"),
        ("file:data/raw.csv", "price", "orders", "amount"),
        ("parameter:factor", None, "orders", "amount"),
        ("task:load", None, "orders", "origin"),
        ("orders", "at", "daily", "day"),
        ("orders", "amount", "daily", "revenue"),
        ("orders", None, "daily", "lines"),
    }
    assert ("file:data/raw.csv", "price", "orders", "id") not in derived(run)
    cells = {cell for part in run.column_lineage for edge in part.edges if edge.target_column == "revenue" for cell in edge.cells}
    assert cells <= {1, 2, 3}, "counted as in the source, with the cell of text"

    idle = project.build()
    assert set(statuses_of(idle).values()) == {"up_to_date"}
    assert idle.column_lineage == run.column_lineage
    stored = json.loads(project.read(f"reports/runs/{idle.id}/run.json"))["column_lineage"]
    assert all(set(item) == {"as_in", "task"} for item in stored)

    project.edit("notebooks/helpers.py", "slice(0, 10)", "slice(0, 10) + frame['origin']")
    changed = project.build()
    assert ran_in(changed) == {"daily"}
    assert ("orders", "origin", "daily", "day") in derived(changed)

    project.edit("notebooks/daily.py", "daily = duckdb", "raise ValueError\ndaily = duckdb")
    failed, _ = project.fail()
    assert failed.column_lineage == changed.column_lineage, "what is published is still made as it was"

    monkeypatch.chdir(project.root)
    capfd.readouterr()
    assert main(["lineage", "daily.revenue", "--up"]) == 0
    assert "file:data/raw.csv.price" in capfd.readouterr().out
    assert main(["impact", "data/raw.csv", "--json"]) == 0
    assert {item["dataset"] for item in json.loads(capfd.readouterr().out)["datasets"]} == {"orders", "daily"}


def test_sql_tasks(make_project: Callable[..., Project]) -> None:
    run = make_project("sql").build()
    found = derived(run)
    assert any(target == "totals" and source == "relation:orders" for source, _, target, _ in found), found
    assert {edge.how for part in run.column_lineage for edge in part.edges if edge.target == "totals"} <= {"sql", "static"}
