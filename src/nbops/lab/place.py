"""Where a notebook stands: its pipeline and task, among all pipeline files of its project."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

from nbops.adapters.pipeline_yaml import FileTask, PipelineFile, find_pipeline, find_task, read_pipeline
from nbops.errors import NbopsError

__all__ = ["look_up", "pipelines_around", "pipelines_of", "projects_below", "readable_pipelines"]

_LEVELS_UP = 6
_MOST_PROJECTS = 50
"""Projects looked for right below a folder."""


def pipelines_around(folder: Path) -> tuple[Path, ...]:
    """Return the pipeline files that a folder's notebooks may belong to, the one that builds take by default first.

    Beside ``pipeline.yaml`` may stand named ones (``pipeline.serve.yaml``), also alone.

    Args:
        folder: The folder to start from; the search goes up.
    """
    default = find_pipeline(folder)
    if default is not None:
        return (default, *(path for path in pipelines_of(default.parent) if path != default))
    for above in itertools.islice((folder, *folder.parents), _LEVELS_UP + 1):
        if named := pipelines_of(above):
            return named
    return ()


def pipelines_of(root: Path) -> tuple[Path, ...]:
    """Return the pipeline files that stand in a folder, by name."""
    return tuple(sorted(path for path in root.glob("pipeline*.yaml") if path.is_file()))


def projects_below(folder: Path) -> tuple[Path, ...]:
    """Return the folders right below one that hold a pipeline file, by name; the first 50."""
    found = sorted({path.parent for path in folder.glob("*/pipeline*.yaml") if path.is_file()})
    return tuple(found[:_MOST_PROJECTS])


def look_up(source: Path) -> tuple[PipelineFile, FileTask] | None:
    """Return the pipeline and the (first) task that a file is the source of; None when it is none's.

    Args:
        source: The file.

    Raises:
        NbopsError: No pipeline that can be read has it, and one cannot be read.
    """
    for pipeline in readable_pipelines(source.parent):
        if task := find_task(pipeline, source):
            return pipeline, task
    return None


def readable_pipelines(folder: Path) -> Iterator[PipelineFile]:
    """Yield the pipelines that a folder's notebooks may belong to; one that cannot be read hides no other.

    Args:
        folder: The folder to start from; the search goes up.

    Raises:
        NbopsError: One cannot be read: only after all others, for who has not found what was looked for.
    """
    fault: NbopsError | None = None
    for path in pipelines_around(folder):
        try:
            pipeline = read_pipeline(path)
        except NbopsError as error:
            fault = fault or error
            continue
        yield pipeline
    if fault is not None:
        raise fault
