"""Taking files into an index by their names: `git add` goes through all of the folder of runs to find one of them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from nbops.record.git import GitError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from nbops.record.git import Git

__all__ = ["files_below", "take_in"]


def files_below(top: Path, places: Sequence[str], *, is_junk: Callable[[str], object]) -> list[str] | None:
    """Return all files that are at or below some places, as paths relative to the top.

    Args:
        top: The top of the work tree.
        places: Files and folders, relative to it.
        is_junk: Tells whether something of a name is never committed.

    Returns:
        The files; None where something is there that takes more than a list: what is never committed, another repository, a link
        to a folder, a folder that cannot be read.
    """
    found: list[str] = []
    if any(is_junk(place.rpartition("/")[2]) for place in places):
        return None
    left = list(places)
    while left:
        place = left.pop()
        path = f"{top}{os.sep}{place}"
        if os.path.isdir(path):  # noqa: PTH112 - as text it costs a third
            if os.path.islink(path):  # noqa: PTH114
                return None
            try:
                names = os.listdir(path)  # noqa: PTH208
            except OSError:
                return None
            if ".git" in names or any(is_junk(name) for name in names):
                return None
            left += [f"{place}/{name}" for name in names]
        else:
            found.append(place)
    return found


def take_in(git: Git, head: str, places: Sequence[str], files: Sequence[str]) -> bool:
    """Take files into an index that holds what HEAD does, and out of it those that are no longer there.

    Args:
        git: Git at the top of the work tree, with the index.
        head: The commit.
        places: Where to look for files that HEAD has and that are gone.
        files: All files that are there now.

    Returns:
        Whether that was done; where not, the index is as it was, and `git add` says why it cannot be, or does it.
    """
    try:
        tracked = git.call("ls-tree", "-r", "--name-only", "--full-tree", "-z", head, "--", *places)
        gone = {name for name in tracked.split(b"\0") if name}.difference(map(os.fsencode, files))
        data = b"".join(name + b"\0" for name in (*map(os.fsencode, files), *sorted(gone)))
        git.call("update-index", "--add", "--remove", "--ignore-skip-worktree-entries", "-z", "--stdin", data=data)
    except GitError:
        return False
    return True
