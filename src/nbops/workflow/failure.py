"""Exceptions, from wherever in the stack, to what a person needs: kind, message, cell, next step."""

from __future__ import annotations

import re
import traceback
from typing import TYPE_CHECKING

from nbops.errors import TaskError
from nbops.model import RunError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbops.model import Run

__all__ = ["EARLY_STOP", "describe", "raise_failures"]

EARLY_STOP = "DAGBuildEarlyStop"
"""What a task of a Ploomber pipeline raises to end the build without an error."""

_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_LONGEST_MESSAGE = 2_000
_LONGEST_TRACEBACK = 12_000

_HINTS = {
    "DeadKernelError": "The kernel died: most often for want of memory, or native code crashed.",
    "CellTimeoutError": "A cell ran longer than executor_params.execution_timeout allows.",
    "NoSuchKernel": "Install the kernel that the notebook asks for, or set kernelspec_name on the task.",
    "ModuleNotFoundError": "Install the module in the environment that runs the pipeline, and pin it.",
    "MemoryError": "Give it less data or more memory.",
}


def describe(error: BaseException) -> RunError:
    """Return what a failed task has to say.

    Args:
        error: What was raised; papermill's and nbclient's exceptions are looked for along its causes.
    """
    chain = list(_chain(error))
    for item in chain:
        if type(item).__name__ == "PapermillExecutionError":
            return _cell_error(item)
    for item in chain:
        name = type(item).__name__
        if name in {"DeadKernelError", "CellTimeoutError", "NoSuchKernel"}:
            kind = {"DeadKernelError": "KernelDied", "CellTimeoutError": "CellTimeLimit"}.get(name, name)
            return RunError(kind=kind, message=_short(str(item) or name), hint=_HINTS[name])
    if isinstance(error, SystemExit):
        return RunError(kind="Exited", message=f"the task called exit({error.code!r}) instead of ending")
    root = _speaking(chain)
    name = type(root).__name__
    return RunError(
        kind=name,
        message=_short(str(root) or name),
        traceback=_clean("".join(traceback.format_exception(type(root), root, root.__traceback__))),
        hint=_HINTS.get(name),
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)


def _speaking(chain: list[BaseException]) -> BaseException:
    """Return the exception that says what went wrong: the last one raised, apart from what Ploomber wraps around it."""
    spoken = (item for item in chain if not type(item).__module__.startswith("ploomber") or type(item).__name__ == EARLY_STOP)
    return next(spoken, chain[0])


def _cell_error(error: BaseException) -> RunError:
    name = str(getattr(error, "ename", type(error).__name__))
    return RunError(
        kind=name,
        message=_short(str(getattr(error, "evalue", error)) or name),
        cell=getattr(error, "cell_index", None),
        cell_source=_short(str(getattr(error, "source", "") or "")),
        traceback=_clean("\n".join(str(line) for line in getattr(error, "traceback", ()) or ())),
        hint=_HINTS.get(name),
    )


def _short(text: str) -> str:
    text = _ANSI.sub("", text)
    return text if len(text) <= _LONGEST_MESSAGE else text[:_LONGEST_MESSAGE] + " [...]"


def _clean(text: str) -> str:
    text = _ANSI.sub("", text)
    return text if len(text) <= _LONGEST_TRACEBACK else "[...]\n" + text[-_LONGEST_TRACEBACK:]


def raise_failures(run: Run, *, reports: str) -> None:
    """Raise what tells the user how a run failed, if it did.

    Args:
        run: The run, as recorded.
        reports: The folder of its pages, relative to the project.

    Raises:
        TaskError: A task failed.
    """
    failed = [task for task in run.tasks if task.status == "failed"]
    if not failed:
        return
    held = [task.name for task in run.tasks if task.status == "held"]
    lines = [f"run {run.id} failed."]
    for task in failed:
        error = task.error
        where = f" (cell {error.cell})" if error and error.cell is not None else ""
        lines.append(f"  {task.name}{where}: {error.kind + ': ' + error.message if error else 'failed'}")
        if error and error.hint:
            lines.append(f"    {error.hint}")
    if held:
        lines.append(f"  held: {', '.join(held)}")
    lines.append(f"  report: {reports}/index.html; what failed is kept in .nbops/failed/{run.id}")
    raise TaskError("\n".join(lines))
