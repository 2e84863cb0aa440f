"""Run the reference pipeline's notebooks in this process: no kernels, no Ploomber, so that a whole run takes seconds."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import jupytext
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"
REAL = ROOT.parent / "shared" / "data" / "ecommerce" / "online_retail"

sys.path.insert(0, str(NOTEBOOKS))  # as the kernel of a notebook has it
os.environ.setdefault("MPLBACKEND", "agg")
with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # matplotlib's own, about a name of pyparsing
    import matplotlib.pyplot as plt


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """A run of all notebooks: where their products are, and what each notebook's variables were at its end."""

    products: Mapping[str, str]
    variables: Mapping[str, Mapping[str, Any]]


def tasks() -> dict[str, dict[str, Any]]:
    """Read pipeline.yaml: task name to its entry."""
    entries = yaml.safe_load((ROOT / "pipeline.yaml").read_text(encoding="utf-8"))["tasks"]
    return {Path(entry["source"]).stem: entry for entry in entries}


def cells(task: str) -> list[Any]:
    """Return a notebook's code cells."""
    text = (NOTEBOOKS / f"{task}.py").read_text(encoding="utf-8")
    return [cell for cell in jupytext.reads(text, fmt="py:percent").cells if cell.cell_type == "code"]


def upstream_of(task: str) -> list[str]:
    """Read the `upstream` that a notebook's parameters cell declares."""
    found: dict[str, Any] = {}
    exec(cells(task)[0].source, found)
    return list(found["upstream"] or [])


def run_notebooks(folder: Path, **env: object) -> Pipeline:
    """Execute the notebooks in order, with products below a folder."""
    settings = yaml.safe_load((ROOT / "env.yaml").read_text(encoding="utf-8")) | env
    entries = tasks()
    made: dict[str, dict[str, str]] = {}
    variables: dict[str, Mapping[str, Any]] = {}
    for task in TopologicalSorter({name: upstream_of(name) for name in entries}).static_order():
        entry = entries[task]
        made[task] = {key: str(folder / Path(path).name) for key, path in entry["product"].items()}
        given = {
            name: settings[value.strip("{} ")] if isinstance(value, str) and value.startswith("{{") else value
            for name, value in entry.get("params", {}).items()
        }
        variables[task] = space = {"__name__": task}
        for cell in cells(task):
            exec(compile(cell.source, f"{task}.py", "exec"), space)
            if "parameters" in cell.metadata.get("tags", []):
                space |= given | {"product": made[task], "upstream": {name: made[name] for name in upstream_of(task)}}
    return Pipeline(products={key: path for products in made.values() for key, path in products.items()}, variables=variables)


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """The default run: 20,000 simulated order lines."""
    yield run_notebooks(tmp_path_factory.mktemp("simulated"))
    plt.close("all")
