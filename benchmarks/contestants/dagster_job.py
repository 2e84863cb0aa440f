"""A Dagster job with an op for each notebook of a project, which papermill runs.

In process, which the documentation gives for jobs whose steps need no isolation of their own and which here is the faster choice:
each notebook has its kernel's process anyway (https://docs.dagster.io/guides/operate/run-executors).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import papermill
from dagster import (
    DependencyDefinition,
    GraphDefinition,
    In,
    MultiDependencyDefinition,
    Nothing,
    OpDefinition,
    in_process_executor,
    op,
)

TASKS = json.loads(Path("plan.json").read_text(encoding="utf-8"))


def notebook_op(task: dict[str, Any]) -> OpDefinition:
    """Return the op of a notebook; it waits for what is upstream and passes nothing on, the data is in files."""

    @op(name=task["name"], ins={"before": In(Nothing)})
    def run() -> None:
        product = task["parameters"]["product"]
        papermill.execute_notebook(task["source"], product["nb"], task["parameters"], progress_bar=False, log_output=False)

    return run


notebooks = GraphDefinition(
    name="notebooks",
    node_defs=[notebook_op(task) for task in TASKS],
    dependencies={
        task["name"]: {"before": MultiDependencyDefinition([DependencyDefinition(name) for name in task["needs"]])}
        for task in TASKS
        if task["needs"]
    },
).to_job(executor_def=in_process_executor)
