"""``nbops lineage`` and ``nbops impact``: what they tell, in each form, and how they refuse."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from nbops.model import Column, ColumnEdge, Dataset, LineageEdge, Run, TaskLineage, TaskRun
from nbops.record.store import write_run

from .conftest import HOSTILE, make_run, start


def edge(source: str, source_column: str | None, target: str, target_column: str | None, **changes) -> ColumnEdge:
    made = ColumnEdge(
        source=source,
        source_column=source_column,
        target=target,
        target_column=target_column,
        kind="derived",
        how="static",
        transformation="identity",
        task="load" if target == "orders" else "sum",
        cells=(4,),
    )
    return replace(made, **changes)


def with_lineage(name: str = "orders", column: str = "amount") -> Run:
    base = make_run(9, name=name)
    task = replace(
        base.tasks[0],
        source="notebooks/load.py",
        products={"nb": "output/load.ipynb", name: f"output/{name}.parquet"},
        fingerprint={"modules": {"notebooks/shared.py": "h"}, "files": {"data/raw.csv": "h"}, "observed": {"data/seen.csv": "h"}},
    )
    below = TaskRun(name="sum", kind="notebook", status="succeeded", source="notebooks/sum.py", upstream=("load",))
    total = Dataset(name="totals", task="sum", path="output/totals.csv", format="csv", owner="Ada <b>", rows=1)
    columns = tuple(Column(name=item, physical_type="DOUBLE") for item in (column, "id"))
    edges = (
        edge("file:data/raw.csv", "price", name, column, transformation="transformation", task="load"),
        edge("file:data/raw.csv", "kind", name, None, kind="influence", transformation="filter", task="load"),
    )
    sums = (edge(name, column, "totals", "amount", transformation="aggregation"),)
    return replace(
        base,
        tasks=(task, below),
        datasets=(replace(base.datasets[0], columns=columns, owner="Data team"), replace(total, columns=columns[:1])),
        lineage=(
            LineageEdge(source="file:data/raw.csv", target="task:load"),
            LineageEdge(source="task:load", target=f"dataset:{name}", kind="writes"),
            LineageEdge(source=f"dataset:{name}", target="task:sum"),
            LineageEdge(source="task:sum", target="dataset:totals", kind="writes"),
        ),
        column_lineage=(TaskLineage(task="load", edges=edges), TaskLineage(task="sum", edges=sums)),
    )


@pytest.fixture
def traced(project: Path) -> Path:
    """A project whose only run has lineage."""
    write_run(project / "reports", with_lineage())
    for path in ("notebooks/load.py", "notebooks/shared.py", "data/raw.csv", "README.md"):
        (project / path).parent.mkdir(exist_ok=True)
        (project / path).write_text("x", encoding="utf-8")
    return project


def test_a_tree_up_and_down(traced, call):
    said = call("lineage", "orders.amount")
    assert said.code == 0
    assert said.out.splitlines() == [
        "orders.amount comes from",
        "  ├─ file:data/raw.csv.price  transformation (static; load cell 4)",
        "  └─ chosen or placed by: file:data/raw.csv.kind (filter)",
        "",
        "orders.amount goes into",
        "  └─ totals.amount  aggregation (static; sum cell 4)",
    ]
    assert call("lineage", "orders.amount", "--up", "--all").out.count("file:data/raw.csv") == 2
    assert call("lineage", "file:data/raw.csv", "--down", "--depth", "1").out.splitlines()[1:] == [
        "  └─ orders  transformation (static; load cell 4)"
    ]
    assert "nothing that is known" in call("lineage", "totals.amount", "--down").out
    assert call("lineage", "ORDERS.Amount", "--up").out.startswith("orders.amount comes from")


def test_json_and_mermaid(traced, call):
    found = json.loads(call("lineage", "orders.amount", "--json").out)
    assert found["start"] == [{"name": "orders", "column": "amount"}]
    assert [(item["name"], item["column"], item["kind"], item["distance"]) for item in found["up"]] == [
        ("file:data/raw.csv", "price", "derived", 1),
        ("file:data/raw.csv", "kind", "influence", 1),
    ]
    assert found["down"][0]["edges"][0]["transformation"] == "aggregation"
    assert call("lineage", "orders.amount", "--mermaid").out.splitlines() == [
        "flowchart LR",
        '  n0["orders.amount"]',
        '  n1["file:data/raw.csv.price"]',
        '  n2["file:data/raw.csv.kind"]',
        '  n3["orders"]',
        '  n4["totals.amount"]',
        "  n1 -->|transformation| n0",
        "  n2 -.->|filter| n3",
        "  n0 -->|aggregation| n4",
        "  style n0 stroke-width:3px",
    ]
    assert call("lineage", "orders", "--json", "--mermaid").code == 2


def test_what_is_not_known_is_refused_with_the_nearest(traced, call):
    for words, expected in (
        (("lineage", "ordrs"), "Did you mean 'orders'?"),
        (("lineage", "orders.amuont"), "Did you mean 'amount'?"),
        (("impact", "ordrs"), "Did you mean 'orders'?"),
        (("impact", "notebooks/none.py"), "It is no task, file of the pipeline or range of commits either."),
        (("impact", "--", "--output=x"), "there is no dataset"),
        (("lineage", "orders", "--depth", "0"), "0 is not in the range"),
    ):
        said = call(*words)
        assert said.code == 2, words
        assert expected in said.err, words
        assert said.out == ""


def test_no_run_is_a_problem(project, call):
    for name in ("lineage", "impact"):
        said = call(name, "orders")
        assert said.code == 3
        assert "there are no runs yet" in said.err


def test_impact_names_datasets_checks_owners_and_tasks(traced, call):
    found = json.loads(call("impact", "orders.amount", "--json").out)
    assert [(item["dataset"], item["distance"], item["columns"]) for item in found["datasets"]] == [
        ("orders", 0, {"amount": "derived"}),
        ("totals", 1, {"amount": "derived"}),
    ]
    assert found["owners"] == {"Ada <b>": ["totals"], "Data team": ["orders"]}
    assert found["tasks"] == ["load", "sum"]
    assert json.loads(call("impact", "orders", "--json").out)["checks"] == [
        {"dataset": "orders", "check": "id.nullValues", "column": "id", "severity": "error", "verdict": "passed"}
    ]
    text = call("impact", "orders").out
    for word in ("load, sum", "Ada <b>: totals", "itself", "derived"):
        assert word in text
    assert "n0 -->" in call("impact", "orders", "--mermaid").out


@pytest.mark.parametrize(
    ("what", "tasks", "first"),
    [
        ("load", ["load", "sum"], "orders"),
        ("notebooks/load.py", ["load", "sum"], "orders"),
        ("notebooks/shared.py", ["load", "sum"], "orders"),
        ("data/raw.csv", ["load", "sum"], "orders"),
        ("data/seen.csv", ["load", "sum"], "orders"),
        ("notebooks/sum.py", ["sum"], "totals"),
        ("contracts/orders.odcs.yaml", ["load", "sum"], "orders"),
        ("output/totals.csv", ["sum"], "totals"),
        ("notebooks", ["load", "sum"], "orders"),
        ("pipeline.yaml", ["load", "sum"], "orders"),
        ("./notebooks/../notebooks/load.py", ["load", "sum"], "orders"),
    ],
)
def test_impact_of_files_and_tasks(traced, call, what, tasks, first):
    found = json.loads(call("impact", what, "--json").out)
    assert found["tasks"] == tasks
    assert found["datasets"][0]["dataset"] == first


def test_a_file_that_nothing_depends_on(traced, call):
    said = call("impact", "README.md")
    assert said.code == 0
    assert said.out == "Nothing of the pipeline depends on README.md.\n"


def test_impact_of_a_range_of_commits(traced, call):
    def git(*words: str) -> None:
        named = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        subprocess.run(["git", *named, *words], cwd=traced, check=True, capture_output=True)

    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "one")
    (traced / "notebooks/sum.py").write_text("y", encoding="utf-8")
    git("add", "-A")
    git("commit", "-qm", "two")
    for text in ("HEAD~1..HEAD", "HEAD~1"):
        found = json.loads(call("impact", text, "--json").out)
        assert found["files"] == ["notebooks/sum.py"]
        assert found["tasks"] == ["sum"]
    assert call("impact", "HEAD~9..HEAD").code == 2


def test_hostile_names(project, call):
    write_run(project / "reports", with_lineage(HOSTILE, "__proto__"))
    said = call("lineage", f"{HOSTILE}.__proto__")
    assert said.code == 0
    assert "\x1b" not in said.out
    assert "\u202e" not in said.out
    drawn = call("lineage", HOSTILE, "--mermaid").out
    assert not [char for char in "<>'\x1b\u202e" if char in drawn.replace("-->", "").replace("-.->", "")]
    assert json.loads(call("impact", HOSTILE, "--json").out)["datasets"][0]["dataset"] == HOSTILE


def test_a_wide_dataset_is_told_within_bounds(project, call):
    run = with_lineage()
    many = tuple(edge("file:data/raw.csv", f"c{number}", "orders", f"c{number}") for number in range(5_000))
    write_run(project / "reports", replace(run, column_lineage=(TaskLineage(task="load", edges=many),)))
    assert len(call("lineage", "file:data/raw.csv.c7").out.splitlines()) < 10
    assert len(call("impact", "orders").out) < 200_000
    said = call("lineage", "orders.c4999x")
    assert len(said.err) < 1_000
    assert "Did you mean" in said.err


def test_they_load_nothing_heavy(traced):
    code = "import sys; from nbops.cli import main; main(sys.argv[1:]); print([m for m in sys.modules if m in {HEAVY}])"
    heavy = "{'pandas', 'ploomber', 'duckdb', 'sqlglot', 'numpy', 'pyarrow', 'jinja2', 'nbconvert', 'jupytext'}"
    for words in (["lineage", "orders"], ["impact", "notebooks/load.py"]):
        done = subprocess.run(
            [sys.executable, "-c", code.replace("{HEAVY}", heavy), *words],
            cwd=traced,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.splitlines()[-1] == "[]", words


def test_in_a_process_of_its_own(traced):
    assert start("lineage", "orders.amount", folder=traced).code == 0
    assert start("impact", "nothing.like.it", folder=traced).code == 2
