"""Notebooks in git without what changes each time they are run: a filter of git's own, by nbstripout.

Git calls the filter when a notebook is added; what is in the work tree stays as it is. The filter's command names this
environment's Python and so stands in the clone's own settings; which files it is for stands in ``.gitattributes``, which is
committed. A clone where nobody called this has no filter, and adds notebooks as they are.
See https://git-scm.com/docs/gitattributes#_filter.
"""

from __future__ import annotations

import importlib.util
import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nbops.errors import ConfigError
from nbops.record.git import Git, GitError
from nbops.record.store import replace_file

if TYPE_CHECKING:
    from nbops.contract.config import Config

__all__ = ["GitSetup", "set_up", "state_of_setup", "undo"]

_NAME = "nbops-notebook"
_BEGIN, _END = "# nbops: notebooks without outputs (`nbops git setup --undo` removes this)", "# nbops: end"
_VOLATILE = (
    "metadata.language_info.version metadata.papermill metadata.widgets metadata.nbops metadata.ploomber "
    "cell.metadata.execution cell.metadata.ExecuteTime cell.metadata.papermill cell.metadata.trusted cell.metadata.collapsed"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GitSetup:
    """Whether the filter is set up in this clone."""

    filter: bool
    """The clone's settings have the command."""
    attributes: bool
    """``.gitattributes`` names the files."""
    changed: tuple[str, ...] = ()
    """What was changed, in words."""


def _git(root: Path) -> Git:
    git = Git(folder=root)
    try:
        git.line("rev-parse", "--git-dir")
    except GitError as error:
        raise ConfigError(f"{root}: {error}. `git init` makes a repository.") from error
    return git


def _command(*options: str) -> str:
    """Return the filter's command for git's shell; on Windows too git runs it by a POSIX shell."""
    python = Path(sys.executable).as_posix()
    arguments = ["--keep-id", "--drop-tagged-cells", "injected-parameters", "--extra-keys", _VOLATILE, *options]
    return shlex.join([python, "-m", "nbstripout", *arguments])


def _settings() -> dict[str, str]:
    return {
        f"filter.{_NAME}.clean": _command(),
        f"filter.{_NAME}.smudge": "cat",
        f"filter.{_NAME}.required": "true",  # else a notebook with its outputs goes in when the filter fails
        f"diff.{_NAME}.textconv": _command("--textconv"),
    }


def _block(config: Config) -> str:
    lines = [_BEGIN, f"*.ipynb filter={_NAME} diff={_NAME}"]
    # executed notebooks are there for their outputs; what is in them was scrubbed before
    lines += [f"/{config.reports}/**/*.ipynb -filter -diff", _END]
    return "\n".join(lines) + "\n"


def _without(text: str) -> str:
    before, found, rest = text.partition(_BEGIN)
    if not found:
        return text
    inside, ended, after = rest.partition(_END + "\n")
    return before + (after if ended else inside.partition("\n\n")[2])


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 at byte {error.start}. Save it as UTF-8.") from error


def state_of_setup(root: Path) -> GitSetup:
    """Return whether notebooks are filtered in this clone.

    Raises:
        ConfigError: There is no git repository.
    """
    git = _git(root)
    return GitSetup(
        filter=git.maybe("config", "--local", f"filter.{_NAME}.clean") is not None,
        attributes=_BEGIN in _read(root / ".gitattributes"),
    )


def set_up(root: Path, config: Config) -> GitSetup:
    """Make git leave outputs, execution counts and volatile metadata out of the notebooks that are added from now on.

    Args:
        root: The project's root.
        config: Its settings; notebooks in its ``reports`` stay whole.

    Raises:
        ConfigError: There is no git repository, or nbstripout is not installed.
    """
    git = _git(root)
    if importlib.util.find_spec("nbstripout") is None:
        raise ConfigError("nbstripout is not installed in this environment. Install it: pip install 'nbops[git]'.")
    changed = []
    for name, value in _settings().items():
        if git.maybe("config", "--local", name) != value:
            git.call("config", "--local", name, value)
            changed.append(f"git's setting {name}")
    path = root / ".gitattributes"
    text = _read(path)
    kept = _without(text)
    wanted = kept + ("" if not kept or kept.endswith("\n") else "\n") + _block(config)
    if wanted != text:
        replace_file(path, wanted.encode())
        changed.append(".gitattributes (commit it)")
    return GitSetup(filter=True, attributes=True, changed=tuple(changed))


def undo(root: Path) -> GitSetup:
    """Take the filter away again; nothing else of the settings or of ``.gitattributes`` is touched.

    Raises:
        ConfigError: There is no git repository.
    """
    git = _git(root)
    changed = []
    for section in (f"filter.{_NAME}", f"diff.{_NAME}"):
        if git.maybe("config", "--local", "--get-regexp", f"^{section}\\."):
            git.call("config", "--local", "--remove-section", section)
            changed.append(f"git's settings {section}")
    path = root / ".gitattributes"
    text = _read(path)
    rest = _without(text)
    if rest != text:
        if rest.strip():
            replace_file(path, rest.encode())
        else:
            os.unlink(path)  # noqa: PTH108 - a link itself
        changed.append(".gitattributes")
    return GitSetup(filter=False, attributes=False, changed=tuple(changed))
