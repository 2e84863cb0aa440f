"""Where a project is, and how a new one begins."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Literal

from nbops.errors import ConfigError
from nbops.workflow.hook import HOOK, with_hook, without_hook

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Created", "NewProjectError", "create_project", "find_root", "project_name"]

_PIPELINE = "pipeline.yaml"
_TABLE = re.compile(rb"^[ \t]*\[tool\.nbops[\].]", re.MULTILINE)
_NAME = re.compile(
    r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9])?"
)  # https://packaging.python.org/specifications/name-normalization
_TEXTS = Path(__file__).parent / "new_project"
_OWN_FILES = {
    "README.md": "README.md.txt",
    "pyproject.toml": "pyproject.toml.txt",
    ".gitignore": "gitignore.txt",
    "tests/test_pipeline.py": "test_pipeline.py.txt",
    "reports/.gitkeep": None,
}
"""What a new project has besides the reference pipeline: path to the template beside this module."""
_GIT_SECONDS = 60
_ABOUT = {
    "shop": {
        "begin": "the reference pipeline",
        "about": "The pipeline that is here is nbops's reference pipeline, on a simulated shop.",
        "values": '["--env--source", "simulated", "--env--scale", "1000"]  # fewer orders',
    },
    "small": {
        "begin": "the small pipeline",
        "about": "The pipeline that is here is one to begin with: orders of a shop (`data/orders.csv`), and sales by day.",
        "values": "[]  # such as --env--source and a smaller file",
    },
}
"""What is said of each pipeline that a project can begin with."""


class NewProjectError(ConfigError):
    """A new project cannot be made as asked: files are there already, or the name is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """A new project."""

    root: Path
    name: str
    files: tuple[str, ...]
    """Paths relative to the root, sorted."""
    repository: Literal["made", "inside", "none"]
    """A git repository was made, there was one around it, or there is none."""
    note: str = ""
    """Why there is no first commit, when there is none."""


def find_root(start: Path) -> Path:
    """Return the nearest folder, from ``start`` upwards, that holds a ``pipeline.yaml`` or sets ``[tool.nbops]``.

    Raises:
        ConfigError: There is none.
    """
    start = start.resolve()
    for folder in (start, *start.parents):
        if (folder / _PIPELINE).is_file() or _has_table(folder / "pyproject.toml"):
            return folder
    raise ConfigError(
        f"{start}: no project here: neither this folder nor one above holds a {_PIPELINE} or a pyproject.toml with [tool.nbops]. "
        "Go to one (or name it: `nbops -C FOLDER ...`), or make one: `nbops init`."
    )


def _has_table(path: Path) -> bool:
    try:
        return _TABLE.search(path.read_bytes()) is not None
    except OSError:
        return False


def project_name(folder: Path) -> str:
    """Return the name that a project in this folder gets when none is given.

    >>> project_name(Path("/srv/Our shop (new)"))
    'our-shop-new'
    """
    words = re.sub(r"[^a-z0-9]+", "-", folder.name.lower()).strip("-")[:60].strip("-")
    return words or "project"


def create_project(
    target: Path, *, files: Mapping[str, Path], name: str | None = None, example: Literal["shop", "small"] = "shop"
) -> Created:
    """Make a project that builds at once: a pipeline, its settings, a test, and a git repository.

    Args:
        target: Its folder; made when missing, and it may hold other files.
        files: The pipeline: path in the project to the file that it is copied from.
        name: The project's name; the folder's by default.
        example: Which pipeline that is: its README and test are about it.

    Raises:
        NewProjectError: Files are there already, or the name is none that a Python project can have; nothing was written.
        OSError: Something cannot be written.
    """
    target = Path(os.path.abspath(target))  # noqa: PTH100 - a link to the folder stays one
    name = project_name(target) if name is None else name
    if not _NAME.fullmatch(name):
        raise NewProjectError(
            f"name {name[:60]!r}: letters, digits, '.', '_' and '-' are allowed, with a letter or digit at both ends."
        )
    contents = {**_reference(files), **_own(name, example)}
    _refuse_conflicts(target, contents)
    inside = any((folder / ".git").exists() for folder in (target, *target.parents))
    for relative, data in sorted(contents.items()):
        path = target / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as stream:  # never over a file that came into being meanwhile
            stream.write(data)
    written = tuple(sorted(contents))
    if inside:
        return Created(root=target, name=name, files=written, repository="inside")
    repository, note = _first_commit(target, written, pipeline=_ABOUT[example]["begin"])
    return Created(root=target, name=name, files=written, repository=repository, note=note)


def _reference(files: Mapping[str, Path]) -> dict[str, bytes]:
    found = {relative: path.read_bytes() for relative, path in files.items()}
    pipeline = found.get(_PIPELINE)
    if pipeline is None:
        raise ConfigError(f"the template holds no {_PIPELINE}: nbops is not installed completely. Install it again.")
    text = pipeline.decode("utf-8")
    if without_hook(text) == text:
        found[_PIPELINE] = with_hook(text)[0].encode("utf-8")
    return found


def _own(name: str, example: str) -> dict[str, bytes]:
    values = {**_ABOUT[example], "name": name, "hook": HOOK, "nbops": metadata.version("nbops")}
    return {
        path: b"" if text is None else Template((_TEXTS / text).read_text(encoding="utf-8")).substitute(values).encode()
        for path, text in _OWN_FILES.items()
    }


def _refuse_conflicts(target: Path, contents: Mapping[str, bytes]) -> None:
    taken = sorted(relative for relative in contents if os.path.lexists(target / relative))
    folders = {parent.as_posix() for relative in contents for parent in Path(relative).parents}
    taken += sorted(folder for folder in folders if os.path.lexists(target / folder) and not (target / folder).is_dir())
    if taken:
        listed = "\n".join(f"  {relative}" for relative in taken)
        raise NewProjectError(
            f"{target}: these files are there already, and nothing was written:\n{listed}\n"
            "Move them away or choose another folder. To put an existing pipeline under nbops: `nbops attach`."
        )


def _first_commit(target: Path, files: tuple[str, ...], *, pipeline: str) -> tuple[Literal["made", "none"], str]:
    if problem := _git(target, "init", "--quiet"):
        return "none", f"no git repository was made: {problem}"
    problem = _git(target, "add", "--force", "--", *files) or _git(
        target, "commit", "--quiet", "--message", f"Begin with {pipeline} of nbops", "--", *files
    )
    return "made", f"nothing was committed yet: {problem}" if problem else ""


def _git(folder: Path, *arguments: str) -> str:
    """Run git; returns what went wrong in one line, empty when nothing did."""
    environment = {key: value for key, value in os.environ.items() if key not in {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"}}
    environment["GIT_TERMINAL_PROMPT"] = "0"
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_GIT_SECONDS,
            check=False,
        )
    except FileNotFoundError:
        return "git is not installed"
    except subprocess.TimeoutExpired:
        return f"`git {arguments[0]}` did not end within {_GIT_SECONDS} seconds"
    if done.returncode == 0:
        return ""
    if "user.email" in done.stderr or "user.name" in done.stderr:
        return "git does not know who you are: `git config --global user.email YOU@EXAMPLE.ORG`, likewise `user.name`"
    lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
    return f"`git {arguments[0]}`: {lines[-1].strip() if lines else f'exit code {done.returncode}'}"
