"""Eight notebooks that import pandas, duckdb and pyarrow and do next to nothing: what kernels cost."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.context import CONTESTANTS, Context
from benchmarks.harness import LACKS, USAGE, Contestant, Experiment, SkippedError, execute

if TYPE_CHECKING:
    from benchmarks.harness import Usage

__all__ = ["MINUTES", "TITLE", "experiments", "has_warm_kernels"]

TITLE = "Start of kernels"
MINUTES = 2.0


def has_warm_kernels(context: Context) -> bool:
    """Tell whether this nbops has warm kernels."""
    return context.unmeasured([context.python, "-c", "import nbops.kernels"], folder=context.work).returncode == 0


def _write(root: Path, size: int) -> Path:
    shutil.rmtree(root, ignore_errors=True)
    (root / "notebooks").mkdir(parents=True)
    (root / "output").mkdir()
    plan = []
    for number in range(size):
        name = f"k{number}"
        (root / "notebooks" / f"{name}.ipynb").write_text(json.dumps(_notebook()), encoding="utf-8")
        parameters = {"product": {"nb": f"output/{name}.ipynb"}}
        plan.append({"name": name, "source": f"notebooks/{name}.ipynb", "needs": [], "parameters": parameters})
    (root / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    return root


def _notebook() -> dict[str, Any]:
    sources = ["product = None", "import duckdb\nimport pandas as pd\nimport pyarrow.parquet as pq", "print(6 * 7)"]
    cells: list[dict[str, Any]] = [
        {
            "cell_type": "code",
            "id": f"c{place}",
            "metadata": {"tags": ["parameters"]} if place == 0 else {},
            "source": source,
            "outputs": [],
            "execution_count": None,
        }
        for place, source in enumerate(sources)
    ]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {
        "cells": cells,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _verify(root: Path, size: int) -> None:
    made = sorted((root / "output").glob("k*.ipynb"))
    for path in made:
        printed = json.loads(path.read_text(encoding="utf-8"))["cells"][-1]["outputs"]
        if "".join(printed[0]["text"]) != "42\n":
            raise SkippedError(f"{path.name} printed something else")
    if len(made) != size:
        raise SkippedError(f"{len(made)} notebooks instead of {size}")


def experiments(context: Context) -> Iterator[Experiment]:
    """Yield one experiment."""
    size = 2 if context.quick else 8

    def run(command: Sequence[str | Path], *, warm: bool = False) -> Callable[[int], Mapping[str, float]]:
        def once(_round: int) -> Mapping[str, float]:
            if warm and not has_warm_kernels(context):
                raise SkippedError(f"{LACKS} warm kernels")
            root = _write(context.folder("runs") / "kernels", size)
            usage: Usage = execute(command, folder=root, environment=context.environment())
            _verify(root, size)
            return usage.values()

        return once

    own = CONTESTANTS / "warm_notebooks.py"
    yield Experiment(
        key="kernels.trivial",
        title=f"{size} notebooks that import pandas, duckdb and pyarrow",
        about="One after the other. Each notebook has a process of its own in all of them, and what it printed is checked.",
        baseline="papermill",
        contestants=[
            Contestant(key="papermill", label="papermill", run=run([context.python, CONTESTANTS / "papermill_loop.py"])),
            Contestant(key="cold", label="nbops, cold kernels", run=run([context.python, own, "cold", "1"])),
            Contestant(key="warm", label="nbops, warm kernels", run=run([context.python, own, "warm", "1"], warm=True)),
        ],
        rounds=context.rounds_or(5),
        metrics=USAGE,
    )
