"""What the notebooks of a pipeline import from elsewhere, so that it can be imported before they run."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nbops.pipeline import TaskSpec
    from nbops.workflow.fingerprint import Fingerprinter

__all__ = ["imported_by"]


def imported_by(tasks: Iterable[TaskSpec], *, fingerprinter: Fingerprinter) -> tuple[str, ...]:
    """Return the dotted names that Python notebooks, and the project's modules that they import, import from outside the project.

    Args:
        tasks: The pipeline's tasks.
        fingerprinter: Knows what code imports, and remembers it from build to build.
    """
    found: set[str] = set()
    for task in tasks:
        if task.kind != "notebook" or task.language != "python":
            continue
        imports, outside = fingerprinter.imports(task)
        found |= outside
        for item in imports:
            if item.level == 0 and item.module.split(".")[0] in outside:
                # a name that is taken from a package may be a module: what is none is left out when it is looked for
                found |= {item.module, *(f"{item.module}.{name}" for name in item.names if name.islower())}
    return tuple(sorted(found))
