"""``nbops build``: Ploomber's own build of the same pipeline, started without what it need not import."""

from __future__ import annotations

import gc
import importlib
import itertools
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nbops import kernels
from nbops.adapters.env_file import given_values
from nbops.adapters.lean_imports import lean_imports
from nbops.adapters.pipeline_yaml import find_pipeline
from nbops.contract.config import load_config
from nbops.errors import ConfigError, NbopsError, PipelineError, TaskError
from nbops.workflow.ahead import start_kernels_early
from nbops.workflow.outlook import notebooks_to_run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["SWITCH", "launch"]

SWITCH = "NBOPS_START"
"""Environment variable: ``plain`` imports everything at once, as ``ploomber build`` does."""

_WITH_STAND_INS = ("ploomber", "ploomber_core", "ploomber_engine", "papermill", "jupytext", "jupyter_client")
_USING_THEM = (
    "nbops.adapters.papermill",
    "nbops.adapters.ploomber",
    "nbops.adapters.ploomber_build",
    "nbops.adapters.ploomber_entry",
    "nbops.workflow.attach",
)


def launch(root: Path, arguments: Sequence[str], *, downstream: str | None = None) -> None:
    """Build the project's pipeline with Ploomber.

    Args:
        root: The project's root; becomes the working directory.
        arguments: What ``ploomber build`` would be called with.
        downstream: Build only this task and what depends on it.

    Raises:
        NbopsError: The build failed or could not begin, as nbops has it.
        TaskError: The build failed otherwise: in a hook of the project, say.
        PipelineError: Ploomber, or the project's code, could not make the pipeline.
        SystemExit: The arguments are wrong (2), or the build was stopped.
    """
    os.chdir(root)
    given = [after for option, after in itertools.pairwise(arguments) if option == "--entry-point"]
    pipeline = root / given[-1] if given else find_pipeline(root)
    values = given_values(arguments)
    notebooks = _runs_notebooks(root, pipeline, values, forced="--force" in arguments)
    if notebooks:
        start_kernels_early(root, load_config(root), pipeline=pipeline, values=values)  # it imports while Ploomber does
    sys.argv[:] = ["nbops", *arguments]
    sys.path.insert(0, str(root))  # as Ploomber's own command does
    try:
        ploomber = _ploomber(notebooks=notebooks)
        if downstream is not None:
            importlib.import_module("nbops.workflow.attach").build_from(downstream)
        _run(ploomber)
    finally:
        kernels.stop()


def _run(ploomber: Any) -> None:
    try:
        ploomber.run_build()
    except ploomber.BuildFailed as error:
        if isinstance(error.__cause__, NbopsError):
            raise error.__cause__ from None
        raise TaskError(ploomber.message_of(error)) from error
    except NbopsError:
        raise
    except Exception as error:
        raise PipelineError(ploomber.message_of(error)) from error


def _runs_notebooks(root: Path, pipeline: Path | None, values: Mapping[str, Any], *, forced: bool) -> bool:
    """Return whether the build is going to run notebooks, as far as can be told cheaply."""
    try:
        config = load_config(root)
    except ConfigError:
        return False  # the build says so
    return notebooks_to_run(root, config, pipeline=pipeline, values=values, forced=forced)


def _ploomber(*, notebooks: bool) -> Any:
    """Import Ploomber with stand-ins for what it rarely needs; plainly where that does not work, or is not wanted.

    Args:
        notebooks: What runs them is needed, too: each task's process gets it from this one.
    """
    with _no_collection():
        if os.environ.get(SWITCH) != "plain":
            before = frozenset(sys.modules)
            try:
                with lean_imports():
                    return _import(notebooks=notebooks)
            except Exception:  # noqa: BLE001 - if it is no fault of the lean start, the plain one says so
                _forget(before)
        return _import(notebooks=notebooks)


def _import(*, notebooks: bool) -> Any:
    if notebooks:
        importlib.import_module("nbops.adapters.papermill")
        importlib.import_module("papermill.execute")
        importlib.import_module("nbops.adapters.notebook_parts").check_at_a_glance()
    importlib.import_module("nbops.workflow.attach")  # what `on_render` names
    importlib.import_module("nbops.workflow.build")  # what it imports when it builds
    return importlib.import_module("nbops.adapters.ploomber_build")


def _forget(before: frozenset[str]) -> None:
    """Drop what was imported since, as far as stand-ins may be in it."""
    for name in frozenset(sys.modules) - before:
        if name in _USING_THEM or name.partition(".")[0] in _WITH_STAND_INS:
            del sys.modules[name]


@contextmanager
def _no_collection() -> Iterator[None]:
    """Import without garbage collections, which look in vain at objects that stay."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()  # nor is anything of them to be looked at later
        if enabled:
            gc.enable()
