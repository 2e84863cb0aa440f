"""What a build goes by: which files, as Ploomber's own command line finds them, and parameters of one build only."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ploomber.util.default import path_to_env_from_spec, try_to_find_entry_point

__all__ = ["entry_point", "env_file", "give"]

_ENTRY_POINT = frozenset({"--entry-point", "-e"})


def entry_point(root: Path, arguments: Sequence[str]) -> Path | None:
    """Return the pipeline file that Ploomber builds; None when it is something else: a folder, a pattern, a dotted path."""
    try:
        found = root / _entry_point(arguments)
    except (ValueError, OSError, TypeError):  # Ploomber refuses, and says so itself
        return None
    return found if found.is_file() else None


def _entry_point(arguments: Sequence[str]) -> str:
    given = [after for option, after in itertools.pairwise(arguments) if option in _ENTRY_POINT]
    return str(given[-1] if given else try_to_find_entry_point())


def env_file(root: Path, arguments: Sequence[str]) -> Path:
    """Return the file that Ploomber takes values from: ``env.serve.yaml`` beside ``pipeline.serve.yaml``, else ``env.yaml``."""
    try:
        found = path_to_env_from_spec(_entry_point(arguments))
    except (ValueError, OSError):  # a folder, a pattern or a dotted path; or Ploomber refuses, and says so itself
        found = None
    return root / (found or "env.yaml")


def give(dag: Any, parameters: Mapping[str, Mapping[str, Any]]) -> None:
    """Give tasks other parameters than the pipeline does. Each is rendered anew before it runs; products keep their names.

    Args:
        dag: A rendered DAG.
        parameters: Task to names and values; tasks that the DAG does not have are left out.
    """
    for name in list(dag):
        for parameter, value in parameters.get(str(dag[name].name), {}).items():
            dag[name].params._setitem(parameter, value)  # noqa: SLF001 - they are read-only, except for Ploomber's own rendering
