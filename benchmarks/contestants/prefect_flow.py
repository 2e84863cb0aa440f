"""A Prefect flow with a task for each notebook of a project, which papermill runs, two at once where they can.

Run as a script, with the server of its own that Prefect starts when none is configured
(https://docs.prefect.io/v3/concepts/server#ephemeral-server), and tasks in threads
(https://docs.prefect.io/v3/concepts/task-runners).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import papermill
from prefect import flow, task
from prefect.task_runners import ThreadPoolTaskRunner

TASKS = json.loads(Path("plan.json").read_text(encoding="utf-8"))


@task
def notebook(one: dict[str, Any]) -> None:
    """Run a notebook."""
    product = one["parameters"]["product"]
    papermill.execute_notebook(one["source"], product["nb"], one["parameters"], progress_bar=False, log_output=False)


@flow(task_runner=ThreadPoolTaskRunner(max_workers=2))
def notebooks() -> None:
    """Run all of them, each after what is upstream of it."""
    futures: dict[str, Any] = {}
    for one in TASKS:
        futures[one["name"]] = notebook.with_options(name=one["name"]).submit(
            one, wait_for=[futures[name] for name in one["needs"]]
        )
    for future in futures.values():
        future.result()


if __name__ == "__main__":
    notebooks()
