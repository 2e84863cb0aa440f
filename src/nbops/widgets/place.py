"""Which notebook, and so which task, a widget is made in; and how its front-end names the project's files."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbops.errors import ConfigError, UnknownTarget, did_you_mean
from nbops.lab.place import look_up, readable_pipelines

if TYPE_CHECKING:
    from nbops.adapters.pipeline_yaml import FileTask, PipelineFile

__all__ = ["href", "notebook_here", "place_of"]


def notebook_here() -> Path | None:
    """Return the notebook that this kernel belongs to, as far as Jupyter Server (``JPY_SESSION_NAME``) or VS Code tell."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    known = [getattr(shell, "user_ns", {}).get("__vsc_ipynb_file__"), os.environ.get("JPY_SESSION_NAME")]
    return next(
        (Path(path) for path in known if isinstance(path, str) and Path(path).is_absolute() and Path(path).is_file()), None
    )


def place_of(task: str | None, *, folder: Path, notebook: Path | None) -> tuple[PipelineFile, FileTask]:
    """Return the pipeline and the task that is meant; in a build, that is the task that runs.

    Args:
        task: Its name; None for the one whose notebook this is.
        folder: Where to look for the pipeline.
        notebook: The notebook that asks, when it is known.

    Raises:
        UnknownTarget: No task is called so, or no name was given and the notebook is no task's.
        ConfigError: There is no pipeline, or it cannot be read.
    """
    if task is None and notebook is not None and (found := look_up(notebook)) is not None:
        return found
    task = task if task is not None else os.environ.get("NBOPS_TASK")
    names: list[str] = []
    for pipeline in readable_pipelines(folder):
        names += [one.name for one in pipeline.tasks]
        for one in pipeline.tasks:
            if one.name == task:
                return pipeline, one
    if not names:
        raise ConfigError(f"{folder}: no pipeline here. Go to a project, or make one: `nbops init`.")
    if task is None:
        where = f"{notebook.name} is no task's notebook" if notebook is not None else "it is not known which notebook this is"
        raise UnknownTarget(f'{where}; name the task: nbops.panel("{names[0]}"). Allowed: {", ".join(names)}.')
    raise UnknownTarget(f"no task {task[:60]!r}. {did_you_mean(task, names)}")


def href(path: Path, *, root: Path, notebook: Path | None) -> dict[str, Any]:
    """Return a file for the front-end: relative to the notebook, whose address it knows, and within the project.

    No absolute path: what a front-end begins with is stored in notebooks that keep the state of their widgets.
    """
    beside = Path(os.path.relpath(path, notebook.parent)).as_posix() if notebook is not None else None
    return {"beside": beside, "path": Path(os.path.relpath(path, root)).as_posix()}
