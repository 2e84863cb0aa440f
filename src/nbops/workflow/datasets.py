"""Which products are datasets, what they are called, and which contract judges them."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from nbops.model import Notice

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbops.contract.records import Contract
    from nbops.pipeline import TaskSpec

__all__ = ["FORMATS", "DatasetPlan", "absolute", "format_of", "orphan_contracts", "plan_datasets"]

FORMATS = (".parquet", ".csv", ".csv.gz", ".tsv", ".tsv.gz", ".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")
"""Endings of products that hold rows."""


def _stem(path: str) -> str | None:
    name = PurePosixPath(path).name
    for ending in sorted(FORMATS, key=len, reverse=True):
        if name.lower().endswith(ending) and len(name) > len(ending):
            return name[: -len(ending)]
    return None


def format_of(path: str) -> str:
    """Return the format that a file's ending stands for: ``parquet``, ``csv`` or ``jsonl``."""
    name = path.lower()
    if name.endswith(".parquet"):
        return "parquet"
    return "jsonl" if name.removesuffix(".gz").endswith((".jsonl", ".ndjson")) else "csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetPlan:
    """A product that holds rows, and what it is judged by."""

    name: str
    key: str
    contract: Contract | None
    final_path: str
    """Relative to the project, for people."""


def absolute(root: Path, path: str) -> Path:
    """Return a product's path without ``..``, links left as they are: what is published is the name, not what it points to."""
    return Path(os.path.normpath(root / path))


def plan_datasets(
    root: Path, tasks: tuple[TaskSpec, ...], contracts: Mapping[str, Contract]
) -> dict[str, tuple[DatasetPlan, ...]]:
    """Return each task's datasets.

    A dataset is called as its file, without the ending: ``output/orders.parquet`` is ``orders``. Where two products of a pipeline
    would have one name, each is called ``<task>.<key>`` instead.
    """
    found = [(task, product, _stem(product.path)) for task in tasks for product in task.products if product.kind == "file"]
    counts = Counter(stem for _, _, stem in found if stem is not None)
    plans: dict[str, list[DatasetPlan]] = {task.name: [] for task in tasks}
    for task, product, stem in found:
        if stem is None:
            continue
        name = stem if counts[stem] == 1 else f"{task.name}.{product.key}"
        target = absolute(root, product.path)
        final = target.relative_to(root).as_posix() if root in target.parents else target.as_posix()
        plans[task.name].append(DatasetPlan(name=name, key=product.key, contract=contracts.get(name), final_path=final))
    return {task: tuple(items) for task, items in plans.items()}


def orphan_contracts(plans: Mapping[str, tuple[DatasetPlan, ...]], contracts: Mapping[str, Contract]) -> tuple[Notice, ...]:
    """Return a notice for each contract that no dataset of the pipeline answers to: it would never be judged."""
    known = {plan.name for items in plans.values() for plan in items}
    return tuple(
        Notice(
            kind="orphan_contract",
            message=f"contract '{name}' judges nothing: no task makes a dataset of this name "
            f"(datasets: {', '.join(sorted(known)) or 'none'})",
        )
        for name in sorted(set(contracts) - known)
    )
