"""A pipeline as nbops sees it, whatever runs it.

The workflow works on these records and on the :class:`Runner` protocol only. Ploomber stands behind it in
``nbops.adapters.ploomber``; another runner could stand in its place.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from nbops.model import TaskKind

__all__ = ["ExecuteOptions", "Product", "Runner", "TaskSpec"]

_EMPTY: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """Something that a task makes."""

    key: str
    """Name within the task; a single unnamed product has the key ``product``."""
    path: str
    """Path as the pipeline gives it (relative to the project or absolute), or the name of a relation."""
    kind: Literal["file", "notebook", "relation"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSpec:
    """A task, described without reference to what runs it."""

    name: str
    kind: TaskKind
    source: Path | None
    """The source file, absolute."""
    code: tuple[str, ...]
    """Cells of a notebook, or one string; without the injected parameters."""
    language: str
    """``python``, ``sql``, ``shell``, ``r``..."""
    upstream: tuple[str, ...]
    products: tuple[Product, ...]
    parameters: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)
    function: str | None = None
    """Name of the function within ``source``, for function tasks."""
    dialect: str = ""
    """Of SQL, as sqlglot calls it, where the task's client tells; else empty."""
    in_process: bool = False
    """Holds a live database connection and so cannot be moved to another process."""
    can_wait: bool = False
    """Its execution calls :func:`nbops.kernels.await_turn` before anything of its own runs: it may be started before its turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecuteOptions:
    """How a task is executed."""

    max_output_bytes: int = 1_000_000
    """Printed output kept per cell, in bytes."""
    notebook: Path | None = None
    """Where a copy of the executed notebook is kept, also of one that failed."""


class Runner(Protocol):
    """What nbops needs of whatever runs the pipeline."""

    name: str
    """The pipeline's name."""
    workers: int | None
    """Tasks that may run at once at most, as the pipeline says; None when it does not say."""
    forced: bool
    """Everything was asked to run, stale or not."""
    partial: bool
    """Some of the pipeline's tasks were left out of what is to be built."""

    def tasks(self) -> tuple[TaskSpec, ...]:
        """Return the tasks to build in topological order."""

    def parameters(self) -> Mapping[str, Any]:
        """Return the values that the pipeline was parameterised with."""

    def execute(self, name: str, *, staged: Mapping[str, str], options: ExecuteOptions) -> None:
        """Run a task with its file products written to ``staged`` (product key to path)."""

    def exists(self, name: str) -> bool:
        """Return whether all products of the task are there."""

    def finished(self, name: str) -> None:
        """Tell the runner that the task's products were published (runs the user's hooks)."""

    def failed(self, name: str) -> None:
        """Tell the runner that the task failed (runs the user's hooks)."""

    def skipped(self, name: str) -> None:
        """Tell the runner that the task was up to date."""
