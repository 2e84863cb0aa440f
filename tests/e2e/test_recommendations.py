"""Recommendations in builds: held against what is published, whatever becomes of the run; nobody's name in what is committed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from e2e_project import Project

    from nbops.model import Run

TASKS = """
from pathlib import Path


def things(product):
    Path(product).write_text("id\\n" + "\\n".join(f"thing{n}" for n in range(8)) + "\\n")


def lists(product, upstream):
    assert Path(upstream["things"]).exists()
    rows = ["customer,rank,item"]
    for line in Path("data/lists.txt").read_text().split():
        user, items = line.split(":")
        rows += [f"{user},{rank},thing{item}" for rank, item in enumerate(items, 1)]
    Path(product).write_text("\\n".join(rows) + "\\n")
"""
PIPELINE = """
tasks:
  - source: tasks.things
    product: output/things.csv
  - source: tasks.lists
    product: output/lists.csv
"""
CONTRACT = """
kind: DataContract
apiVersion: v3.1.0
version: 1.0.0
id: lists
schema:
  - name: lists
    properties:
      - {name: customer, logicalType: string, classification: personal}
      - {name: rank, logicalType: integer, logicalTypeOptions: {maximum: 3}}
      - {name: item, logicalType: string, relationships: [{to: things.id}]}
"""


def numbers(run: Run) -> dict[str, float]:
    item = next(one for one in run.datasets if one.name == "lists")
    assert not any(one.error for one in item.measurements)
    return {one.metric: one.value for one in item.measurements if one.column is None}


def test_each_version_is_held_against_the_one_that_is_published(make_project: Callable[..., Project]) -> None:
    project = make_project(
        {
            "pipeline.yaml": PIPELINE,
            "tasks.py": TASKS,
            "data/lists.txt": "annabel:012 berthold:013",
            "contracts/lists.odcs.yaml": CONTRACT,
            "pyproject.toml": '[tool.nbops]\nprofile = false\ninputs = ["data/*"]\n',
        }
    )
    first = numbers(project.build())
    assert (first["coverageRate"], first["usersServed"], "overlapRate" in first) == (0.5, 2, False)

    project.write("data/lists.txt", "annabel:0123 berthold:456")  # four places: held back
    run, _ = project.fail()
    assert 0 < numbers(run)["overlapRate"] < 1

    project.write("data/lists.txt", "annabel:012 berthold:456")
    again = numbers(project.build())
    assert (again["overlapRate"], again["coverageRate"]) == (0.5, 6 / 8)  # of annabel all, of berthold nothing
    for path in project.committed():
        assert b"annabel" not in project.blob(f"HEAD:{path}") or path == "data/lists.txt"
