"""nbops's kernels and nothing else of it: ``warm_notebooks.py warm|cold AT_ONCE`` runs the notebooks of ``plan.json``.

Each as soon as what is upstream of it is done, in a process forked for it as in a build, at most so many at once; papermill
executes it with nbops's engine. Nothing is staged, measured, judged, profiled, recorded, rendered or committed.
"""

from __future__ import annotations

import ast
import json
import multiprocessing
import sys
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import papermill

from nbops import kernels
from nbops.adapters.papermill import ENGINE_NAME, register_engine
from nbops.contract.config import load_config

TASKS = json.loads(Path("plan.json").read_text(encoding="utf-8"))


def notebook_of(task: dict[str, Any]) -> str:
    """Return the path of the task's notebook; a percent script is turned into one first, as Ploomber does."""
    source = Path(task["source"])
    if source.suffix == ".ipynb":
        return str(source)
    import jupytext  # noqa: PLC0415 - only where it is needed
    import nbformat  # noqa: PLC0415

    target = Path("output", f".{source.stem}.source.ipynb")
    nbformat.write(jupytext.read(source), target)
    return str(target)


def execute(task: dict[str, Any]) -> None:
    """Run one notebook."""
    register_engine(max_output_bytes=1_000_000)
    product = task["parameters"]["product"]
    papermill.execute_notebook(
        notebook_of(task),
        product["nb"],
        task["parameters"],
        engine_name=ENGINE_NAME,
        cwd=task.get("cwd"),
        progress_bar=False,
        log_output=False,
    )


def code_of(path: Path) -> str:
    """Return a notebook's code."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return text
    cells = json.loads(text)["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


def imported() -> list[str]:
    """Return what the notebooks import, for the process that kernels are forked from."""
    found: set[str] = set()
    for task in TASKS:
        for node in ast.walk(ast.parse(code_of(Path(task["source"])))):
            if isinstance(node, ast.Import):
                found |= {name.name for name in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module)
    local = {path.stem for path in Path("notebooks").iterdir()}
    return sorted(name for name in found if name.split(".")[0] not in local)


def run_all(at_once: int) -> None:
    """Run what can be run until all is done; one that fails ends everything."""
    fork = multiprocessing.get_context("fork")
    left = {task["name"]: task for task in TASKS}
    done: set[str] = set()
    running: dict[Any, tuple[str, Any]] = {}
    while left or running:
        ready = [name for name, task in left.items() if set(task["needs"]) <= done]
        for name in ready[: at_once - len(running)]:
            process = fork.Process(target=execute, args=(left.pop(name),))
            process.start()
            running[process.sentinel] = (name, process)
        for sentinel in wait(list(running)):
            name, process = running.pop(sentinel)
            process.join()
            if process.exitcode:
                raise SystemExit(f"{name} failed")
            done.add(name)


def main(way: str, at_once: int) -> None:
    """Run all, with warm kernels or cold ones."""
    if way != "warm":
        run_all(at_once)
        return
    start()
    try:
        run_all(at_once)
        assert kernels.running(), "the kernels were not forked"
    finally:
        kernels.stop()


def start() -> None:
    """Start the process that kernels are forked from; it imports meanwhile."""
    kernels.prestart(Path.cwd(), load_config(Path.cwd()), imports=imported())


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
