"""What ``nbops init`` makes a new project from: the reference project, or a small one."""

from __future__ import annotations

import re
from pathlib import Path

import nbops
from nbops.errors import NbopsError

__all__ = ["constraints_file", "small_files", "template_files"]

_PARTS = ("notebooks", "contracts", "pipeline.yaml", "env.yaml")
_CONSTRAINTS = "constraints.txt"
_LITTER = re.compile(r"\..*|__pycache__")


def template_files() -> dict[str, Path]:
    """Return the reference project's files: path relative to the project's root, with ``/``, to where each is.

    They are in the wheel beside the package (see ``hatch_build.py``), or, in an editable install, in the repository itself.

    Raises:
        NbopsError: The installation is incomplete.
    """
    base = _base()
    found: dict[str, Path] = {}
    for part in _PARTS:
        path = base / part
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            inside = file.relative_to(base)
            if file.is_file() and not any(_LITTER.fullmatch(name) for name in inside.parts):
                found[inside.as_posix()] = file
    missing = [part for part in _PARTS if not any(name == part or name.startswith(f"{part}/") for name in found)]
    if missing:
        raise NbopsError(
            f"{base}: {', '.join(missing)} of the reference project is missing: the installation is incomplete. "
            "Install again: python -m pip install --force-reinstall nbops"
        )
    return found


def small_files() -> dict[str, Path]:
    """Return the files of the small project, as :func:`template_files` does of the reference project.

    They lie in the package with ``.txt`` behind their names, so that nothing takes them for modules of it.
    """
    base = Path(__file__).parent / "new_project/small"
    return {path.relative_to(base).as_posix().removesuffix(".txt"): path for path in sorted(base.rglob("*.txt"))}


def constraints_file() -> Path | None:
    """Return the file with the versions that this release was tested with, or None where it was not installed."""
    path = _base() / _CONSTRAINTS
    return path if path.is_file() else None


def _base() -> Path:
    package = Path(nbops.__file__).resolve().parent
    installed = package / "_template"
    return installed if installed.is_dir() else package.parents[1]
