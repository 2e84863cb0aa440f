"""Generates small pipelines: the same notebooks for every tool that runs them.

A task reads the Parquet files upstream of it with pandas, adds a column and writes about 1,000 rows. ``upstream`` and ``product``
are parameters in the form that Ploomber injects, so that papermill, Dagster and Prefect can run the very same notebooks.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

__all__ = ["ROWS", "Variant", "names", "plan", "upstream", "write_project"]

ROWS = 1_000
Shape = Literal["chain", "fan"]
Executor = Literal["serial", "parallel", "ploomber-engine"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """How a project is set up."""

    shape: Shape
    size: int
    executor: Executor = "serial"
    attached: bool = False
    """With ``on_render: nbops.attach`` and a contract for every dataset."""


def names(size: int) -> tuple[str, ...]:
    """Return the names of the tasks, in an order in which they can run."""
    return tuple(f"t{number:02d}" for number in range(size))


def upstream(shape: Shape, size: int) -> Mapping[str, tuple[str, ...]]:
    """Return what each task reads: a chain, or one task that fans out to ``size - 2`` which one more gathers."""
    tasks = names(size)
    if shape == "chain":
        return {task: tasks[max(0, place - 1) : place] for place, task in enumerate(tasks)}
    middle = dict.fromkeys(tasks[1:-1], tasks[:1])
    return {tasks[0]: (), **middle, tasks[-1]: tasks[1:-1]}


def plan(shape: Shape, size: int) -> list[dict[str, Any]]:
    """Return the notebooks in order, with their parameters, for tools that are told what to run."""
    before = upstream(shape, size)
    return [
        {
            "name": task,
            "source": f"notebooks/{task}.ipynb",
            "needs": list(before[task]),
            "parameters": {"upstream": {name: _products(name) for name in before[task]} or None, "product": _products(task)},
        }
        for task in names(size)
    ]


def write_project(root: Path, variant: Variant) -> Path:
    """Write a project, anew, and return its root."""
    shutil.rmtree(root, ignore_errors=True)
    (root / "notebooks").mkdir(parents=True)
    (root / "output").mkdir()
    before = upstream(variant.shape, variant.size)
    for task, needs in before.items():
        (root / "notebooks" / f"{task}.ipynb").write_text(json.dumps(_notebook(task, needs), indent=1), encoding="utf-8")
    (root / "plan.json").write_text(json.dumps(plan(variant.shape, variant.size)), encoding="utf-8")
    (root / "pipeline.yaml").write_text(_pipeline(variant), encoding="utf-8")
    (root / ".gitignore").write_text("output/\nquarantine/\n.nbops/\n", encoding="utf-8")
    if variant.attached:
        (root / "contracts").mkdir()
        for task in before:
            (root / "contracts" / f"{task}_data.odcs.yaml").write_text(_contract(task), encoding="utf-8")
    return root


def _products(task: str) -> dict[str, str]:
    return {"nb": f"output/{task}.ipynb", "data": f"output/{task}_data.parquet"}


def _pipeline(variant: Variant) -> str:
    lines = ["on_render: nbops.attach"] if variant.attached else []
    if variant.executor == "parallel":
        lines += ["executor:", "  dotted_path: ploomber.executors.Parallel", "  processes: 2"]
    lines += ["meta:", "  extract_upstream: true", "tasks:"]
    for task in names(variant.size):
        products = _products(task)
        lines += [f"  - source: notebooks/{task}.ipynb", f"    name: {task}"]
        if variant.executor == "ploomber-engine":
            lines.append("    executor: ploomber-engine")
        lines += ["    product:", f"      nb: {products['nb']}", f"      data: {products['data']}"]
    return "\n".join(lines) + "\n"


def _notebook(task: str, needs: tuple[str, ...]) -> dict[str, Any]:
    given = "None" if not needs else repr(list(needs))
    if not needs:
        read = f'data = pd.DataFrame({{"id": range({ROWS}), "value": [float(n % 97) for n in range({ROWS})]}})'
    elif len(needs) == 1:
        read = f'data = pd.read_parquet(upstream["{needs[0]}"]["data"])'
    else:
        read = (
            'parts = [pd.read_parquet(upstream[name]["data"]) for name in sorted(upstream)]\n'
            "data = parts[0]\n"
            'data["value"] = sum(part["value"] for part in parts) / len(parts)'
        )
    cells = [
        _cell("md", f"# {task}\n\nReads what is upstream, adds a column, writes Parquet.", kind="markdown"),
        _cell("parameters", f"upstream = {given}\nproduct = None", tags=["parameters"]),
        _cell("imports", "import pandas as pd"),
        _cell("read", read),
        _cell("add", f'data["{task}"] = data["value"] * 2 + {int(task[1:])}\ndata.head()'),
        _cell("write", 'data.to_parquet(product["data"], index=False)\nlen(data)'),
    ]
    return {
        "cells": cells,
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _cell(name: str, source: str, *, kind: str = "code", tags: list[str] | None = None) -> dict[str, Any]:
    cell: dict[str, Any] = {"cell_type": kind, "id": name, "metadata": {"tags": tags} if tags else {}, "source": source}
    return cell | ({"execution_count": None, "outputs": []} if kind == "code" else {})


def _contract(task: str) -> str:
    return f"""apiVersion: v3.1.0
kind: DataContract
id: {task}-data
name: {task}
version: 1.0.0
status: active
schema:
  - name: {task}_data
    physicalType: file
    logicalType: object
    properties:
      - name: id
        logicalType: integer
        required: true
        primaryKey: true
        primaryKeyPosition: 1
        logicalTypeOptions: {{minimum: 0, maximum: {ROWS - 1}}}
      - name: value
        logicalType: number
        required: true
        logicalTypeOptions: {{minimum: 0, maximum: 96}}
      - name: {task}
        logicalType: number
        required: true
    quality:
      - name: rows
        type: library
        metric: rowCount
        mustBe: {ROWS}
"""
