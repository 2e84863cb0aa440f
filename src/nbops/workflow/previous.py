"""The version of a dataset before the one that is published: a second name of the same bytes, no copy.

It costs a link at publication, and stays on this machine (``.nbops`` is never committed). There is one for each dataset at most;
``nbops gc`` removes them. Content that is published again as it was leaves the one before where it is.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

__all__ = ["FOLDER", "keep_previous", "previous_of"]

FOLDER = ".nbops/previous"
_ENDINGS = (".parquet", ".csv", ".csv.gz", ".tsv", ".tsv.gz", ".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")


def previous_of(root: Path, path: str) -> Path | None:
    """Return the version before of a dataset, by its path relative to the project; None where there is none."""
    found = root / FOLDER / path
    return found if found.is_file() and not Path(path).is_absolute() and ".." not in Path(path).parts else None


def keep_previous(root: Path, target: Path) -> None:
    """Keep what is published under a second name, before something else takes its place; a failure is of no consequence.

    Args:
        root: The project's root.
        target: The file that is about to be replaced.
    """
    if root not in target.parents or not target.name.lower().endswith(_ENDINGS):
        return
    kept = root / FOLDER / target.relative_to(root)
    fresh = kept.with_name(f".{kept.name}.nbops-new")
    with contextlib.suppress(OSError):
        if target.is_symlink() or not target.is_file():
            return
        kept.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            fresh.unlink()
        os.link(target, fresh)
        fresh.replace(kept)
