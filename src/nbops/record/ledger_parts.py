"""The parts of a ledger whose items may refer to an earlier run's, and how to find an item again there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nbops.model import Check, CheckResult, Dataset, Environment, TaskLineage, TaskRun

__all__ = ["CHECK", "DATASET", "ENVIRONMENT", "LINEAGE", "PARTS", "RESULT", "TASK", "Document", "Key", "Part", "check_key"]

Document = Mapping[str, Any]
"""A ledger, or a part of it, as it is stored."""
Key = tuple[str, ...]
"""What an item is found by."""


@dataclass(frozen=True, slots=True)
class Part:
    """Items of a ledger that may refer."""

    name: str
    record: type
    items: Callable[[Document], Iterator[tuple[Key, Document]]]


def check_key(item: Document) -> Key:
    """Return what a check's result is found by: its dataset and its name."""
    return (str(item["check"]["dataset"]), str(item["check"]["id"]))


def _definitions(document: Document) -> Iterator[tuple[Key, Document]]:
    yield from ((check_key(item), item["check"]) for item in document.get("checks", ()))


def _results(document: Document) -> Iterator[tuple[Key, Document]]:
    yield from ((check_key(item), item) for item in document.get("checks", ()))


def _datasets(document: Document) -> Iterator[tuple[Key, Document]]:
    yield from (((str(item["name"]),), item) for item in document.get("datasets", ()))


def _tasks(document: Document) -> Iterator[tuple[Key, Document]]:
    yield from (((str(item["name"]),), item) for item in document.get("tasks", ()))


def _lineages(document: Document) -> Iterator[tuple[Key, Document]]:
    yield from (((str(item["task"]),), item) for item in document.get("column_lineage", ()))


def _environments(document: Document) -> Iterator[tuple[Key, Document]]:
    if document.get("environment") is not None:
        yield (), document["environment"]


CHECK, RESULT = Part("check", Check, _definitions), Part("result of check", CheckResult, _results)
DATASET, TASK = Part("dataset", Dataset, _datasets), Part("task", TaskRun, _tasks)
ENVIRONMENT = Part("environment", Environment, _environments)
LINEAGE = Part("lineage of", TaskLineage, _lineages)
PARTS = (CHECK, RESULT, DATASET, TASK, ENVIRONMENT, LINEAGE)
