"""Which files Ploomber builds from, as its own command line finds them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

from ploomber.util.default import path_to_env_from_spec, try_to_find_entry_point

__all__ = ["entry_point", "env_file"]

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
