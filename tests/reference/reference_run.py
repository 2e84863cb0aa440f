"""Run the reference pipeline's notebooks in this process: no kernels, no Ploomber, so that a whole run takes seconds."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import jupytext
import yaml

from nbops.contract.odcs import load_contracts
from nbops.quality.audit import Audit, audit

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"
REAL = ROOT.parent / "shared" / "data" / "ecommerce" / "online_retail"

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # matplotlib's own, about a name of pyparsing
    import matplotlib.pyplot as plt

plt.switch_backend("agg")  # not by a variable of the environment: kernels of other tests would inherit it

__all__ = ["NOTEBOOKS", "REAL", "ROOT", "Pipeline", "cells", "run_notebooks", "tasks", "upstream_of"]


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """A run of all notebooks: where their products are, and what each notebook's variables were at its end."""

    products: Mapping[str, str]
    variables: Mapping[str, Mapping[str, Any]]
    audits: Mapping[str, Audit]
    """What nbops found in each dataset, in the order in which they were made."""


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
    """Execute the notebooks in order, with products below a folder; each dataset is audited at once."""
    settings = yaml.safe_load((ROOT / "env.yaml").read_text(encoding="utf-8")) | env
    entries = tasks()
    (folder / "quarantine").mkdir()
    before = Path.cwd()
    os.chdir(NOTEBOOKS)  # as a kernel has it
    try:
        return _run(folder, settings=settings, entries=entries)
    finally:
        os.chdir(before)
        plt.close("all")


def _run(folder: Path, *, settings: Mapping[str, Any], entries: Mapping[str, Mapping[str, Any]]) -> Pipeline:
    made: dict[str, dict[str, str]] = {}
    variables: dict[str, Mapping[str, Any]] = {}
    contracts = load_contracts(ROOT / "contracts", root=ROOT)
    audits: dict[str, Audit] = {}
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
        for name, path in made[task].items():
            if path.endswith(".parquet"):
                audits[name] = audit(
                    Path(path),
                    name=name,
                    task=task,
                    final_path=f"output/{name}.parquet",
                    contract=contracts.get(name),
                    references={
                        key: Path(other) for products in made.values() for key, other in products.items() if key in audits
                    },
                    now=datetime.now(tz=timezone.utc),
                    quarantine_path=folder / "quarantine" / f"{name}.parquet",
                )
    products = {key: path for products in made.values() for key, path in products.items()}
    return Pipeline(products=products, variables=variables, audits=audits)
