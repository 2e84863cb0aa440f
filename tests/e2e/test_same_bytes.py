"""Identical input gives identical bytes."""

from __future__ import annotations

import difflib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from e2e_project import Project

from nbops.contract.config import load_config
from nbops.record.ledger import stable_view, to_json
from nbops.workflow.rebuild import rebuild_pages

FILES = {
    "pipeline.yaml": """
tasks:
  - source: page.py
    product:
      nb: output/page.ipynb
      rows: output/rows.csv
  - source: tasks.count
    product: output/count.txt
""",
    "page.py": """# %% tags=["parameters"]
upstream = None
product = None

# %%
import pandas as pd

df = pd.DataFrame({"id": range(50), "value": [i % 7 for i in range(50)], "day": pd.date_range("2024-01-01", periods=50)})
df.to_csv(product["rows"], index=False)
df.head()
""",
    "tasks.py": (
        "from pathlib import Path\n\n\ndef count(product, upstream):\n"
        "    Path(product).write_text(str(len(Path(upstream['page']['rows']).read_text().splitlines())))\n"
    ),
    "contracts/rows.odcs.yaml": """
kind: DataContract
apiVersion: v3.1.0
version: 1.0.0
id: rows
status: active
schema:
  - name: rows
    properties:
      - {name: id, logicalType: integer, primaryKey: true, required: true, unique: true}
      - {name: value, logicalType: integer, logicalTypeOptions: {maximum: 6}}
      - {name: day, logicalType: date}
""",
}


def pages(reports: Path) -> dict[str, bytes]:
    return {path.relative_to(reports).as_posix(): path.read_bytes() for path in sorted(reports.rglob("*.html"))}


def without_notebook_bytes(view: dict[str, Any]) -> dict[str, Any]:
    """Return a ledger's stable view without the hashes of executed notebooks, whose bytes hold times."""
    for task in view["tasks"]:
        task["fingerprint"]["outputs"].pop("nb", None)
    return view


@pytest.fixture
def twins(make_project_in: Callable[..., Project], tmp_path: Path) -> tuple[Project, Project]:
    """Return two clones of one project in different places."""
    first = make_project_in(tmp_path / "project", FILES)
    other = tmp_path / "further/away/project"
    shutil.copytree(first.root, other)
    return first, Project(root=other, driver=first.driver)


def test_the_same_input_gives_the_same_bytes(twins: tuple[Project, Project], tmp_path: Path) -> None:
    one, other = (project.build() for project in twins)
    assert one.verdict == "passed"
    views = [json.dumps(without_notebook_bytes(stable_view(run)), indent=1, sort_keys=True).splitlines() for run in (one, other)]
    difference = "\n".join(difflib.unified_diff(*views, n=4, lineterm=""))
    assert not difference, difference
    assert to_json(one) != to_json(other)

    first = twins[0]
    reports = first.root / "reports"
    committed = pages(reports)
    assert {"index.html", "profiles/rows.html"} <= set(committed)
    for name in ("rebuilt", "again"):
        copy = tmp_path / name / "reports"
        shutil.copytree(reports, copy)
        for page in copy.rglob("*.html"):
            if "profiles" not in page.parts:
                page.unlink()
        assert not rebuild_pages(copy.parent, load_config(first.root)).unreadable
        assert pages(copy) == committed

    # the profile of the same data
    assert (twins[1].root / "reports/profiles/rows.html").read_bytes() == committed["profiles/rows.html"]

    # a run in which nothing changed adds a ledger and its pages, and leaves profiles alone
    second = first.build()
    assert not any("profiles/" in path for path in first.committed())
    assert all(dataset.changed is False for dataset in second.datasets)
    third = first.build()
    assert without_notebook_bytes(stable_view(second)) == without_notebook_bytes(stable_view(third))
