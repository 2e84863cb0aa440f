"""What a git repository is like at the moment: where it is, whether a commit can be made, what the code's state is."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nbops.model import GitState
from nbops.record.git import Git, GitError

__all__ = ["Repository", "git_state", "in_the_middle", "open_repository", "wait_for_index"]

_STATES = (
    ("MERGE_HEAD", "a merge"),
    ("rebase-merge", "a rebase"),
    ("rebase-apply", "a rebase or `git am`"),
    ("CHERRY_PICK_HEAD", "a cherry-pick"),
    ("REVERT_HEAD", "a revert"),
    ("sequencer", "a cherry-pick or revert of several commits"),
)
_STEP = 0.1  # seconds between two looks at a lock
_STATUS_SECONDS = 60.0
_NAMED = 1_000
"""Files and folders that are named to git at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A work tree of a repository, seen from the project's folder."""

    git: Git
    """Runs at the top of the work tree."""
    prefix: str
    """Path of the project below the top, with a slash at the end; empty when it is the top."""
    folder: Path
    """The git folder of this work tree."""
    index: Path


def open_repository(root: Path) -> Repository:
    """Return the repository that a project is in.

    Raises:
        NoGitError: There is no git.
        GitError: The project is in no repository, or git refuses it; the message is git's.
    """
    git = Git(folder=root)
    if git.line("rev-parse", "--is-inside-work-tree") != "true":
        raise GitError("the project is in a repository without a work tree (bare, or inside .git)")
    top, prefix, folder, index = _places(git)
    return Repository(git=Git(folder=Path(top)), prefix=prefix, folder=root / folder, index=root / index)


def _places(git: Git) -> Sequence[str]:
    """Return the top of the work tree, the path of the folder below it, the git folder and the index, asked for in one call."""
    wanted = (("--show-toplevel",), ("--show-prefix",), ("--git-dir",), ("--git-path", "index"))
    found = os.fsdecode(git.call("rev-parse", *(word for words in wanted for word in words))).removesuffix("\n").split("\n")
    if len(found) != len(wanted):  # a path with a line break in it
        found = [git.line("rev-parse", *words) for words in wanted]
    return found


def in_the_middle(repository: Repository) -> str | None:
    """Say what the user is in the middle of that forbids a commit, None when nothing is; conflicts show in the index besides.

    A bisect is allowed: its commits are on no branch, and are left when it ends.
    """
    for name, what in _STATES:
        if (repository.folder / name).exists():
            return what
    return None


def wait_for_index(repository: Repository, seconds: float) -> bool:
    """Wait until no other git process holds the index; say whether it is free."""
    lock = repository.index.with_name("index.lock")
    until = time.monotonic() + seconds
    while lock.exists():
        if time.monotonic() >= until:
            return False
        time.sleep(_STEP)
    return True


def git_state(root: Path, *, ignore: Sequence[str] = ("reports",)) -> GitState | None:
    """Return where the code of a project stands.

    Args:
        root: The project's root.
        ignore: Paths relative to it whose changes do not make the code dirty: what nbops itself commits.

    Returns:
        The state, or None when there is no git or no repository. Changed files are counted in the whole repository, as code may
        come from anywhere in it; files that git ignores do not count. When git cannot say in a minute, the code counts as dirty.
    """
    try:
        repository = open_repository(root)
    except GitError:
        return None
    quick = Git(folder=repository.git.folder, seconds=_STATUS_SECONDS)
    ignored = [f"{repository.prefix}{Path(path).as_posix()}" for path in ignore]
    exclude = [f":(top,exclude,literal){path}" for path in ignored]
    beside = _beside(quick.folder, ignored)
    try:
        listed = quick.call(
            *("status", "--porcelain=v2", "--branch", "--no-ahead-behind", "-z", "--no-renames"),
            *(f"--untracked-files={'normal' if beside is None else 'no'}", "--", ":(top)", *exclude),
        )
        if beside:
            listed += _untracked(quick, beside)
    except GitError:
        try:
            commit = repository.git.maybe("rev-parse", "--quiet", "--verify", "HEAD^{commit}")
            branch = repository.git.maybe("symbolic-ref", "--quiet", "--short", "HEAD")
        except GitError:
            return None
        return GitState(commit=commit, branch=branch, dirty=True)
    # https://git-scm.com/docs/git-status#_porcelain_format_version_2
    entries = [entry for entry in os.fsdecode(listed).split("\0") if entry]
    about = dict(entry.split(" ", 2)[1:] for entry in entries if entry.startswith("# branch."))
    changed = sum(1 for entry in entries if not entry.startswith("# "))
    commit, branch = about.get("branch.oid"), about.get("branch.head")
    return GitState(
        commit=None if commit == "(initial)" else commit,
        branch=None if branch == "(detached)" else branch,
        dirty=changed > 0,
        changed_files=changed,
    )


def _beside(top: Path, ignored: Sequence[str]) -> list[str] | None:
    """Return all files and folders that hold none of some paths, relative to the top; None where these are too many to name.

    Git goes through all of what a pathspec excludes, which may be the folders of ten thousand runs.
    """
    found: list[str] = []
    folders = [""]
    while folders and len(found) <= _NAMED:
        folder = folders.pop()
        try:
            names = os.listdir(top / folder)  # noqa: PTH208 - as text
        except OSError:
            return None
        for name in names:
            path = f"{folder}{name}"
            if any(other.startswith(f"{path}/") for other in ignored):
                folders.append(f"{path}/")
            elif path not in ignored and path != ".git":
                found.append(path)
    return sorted(found) if len(found) <= _NAMED else None


def _untracked(git: Git, paths: Sequence[str]) -> bytes:
    """Return what git does not know below some paths, as `git status` lists it."""
    options = ("--others", "--exclude-standard", "--directory", "--no-empty-directory", "-z")
    found = git.call("ls-files", *options, "--", *(f":(top,literal){path}" for path in paths))
    return b"".join(b"? " + name + b"\0" for name in found.split(b"\0") if name)
