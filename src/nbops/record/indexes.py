"""Git's index: one of our own beside the user's to make a commit in, and the user's brought up to date with it.

Ours begins as a copy of the user's, so that unchanged files are not read again, and is taken to HEAD by the entries that differ:
to read HEAD's tree anew would open the tree of each of ten thousand runs. Where the user's index held nothing but HEAD, ours
stands in for it in the end, under git's own lock; else the entries under ``reports/`` are written into it one by one.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from nbops.record.git import Git, GitError

if TYPE_CHECKING:
    from nbops.record.repository import Repository

__all__ = ["ConflictsError", "WorkIndex", "replaced_by", "start_from", "sweep_killed", "work_index"]

_PREFIX = "nbops-index-"
_UNMERGED = "U"
_NONE = "0"

_State = tuple[int, int, int, int]
_IDENTITY = 3
"""Of these, without the time at which a second name of the file went."""


class ConflictsError(Exception):
    """There are files in the index that were not merged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkIndex:
    """An index of our own."""

    git: Git
    """Uses it in place of the user's."""
    path: Path
    copied: _State | None
    """What the user's was like when it was copied; None where it was not, or is of a kind that is left to git."""

    @property
    def identity(self) -> Sequence[int] | None:
        """What tells the user's from any other that git writes, as each is a new file: inode, size and time of change."""
        return self.copied[:_IDENTITY] if self.copied is not None else None


@contextmanager
def work_index(repository: Repository, *, plain: bool) -> Iterator[WorkIndex]:
    """Yield an index of our own that begins as a copy of the user's.

    Args:
        repository: The repository.
        plain: The user has chosen no special kind of index (split, sparse, watched).
    """
    sweep_killed(repository)
    descriptor, name = tempfile.mkstemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=repository.folder)
    os.close(descriptor)
    path = Path(name)
    try:
        path.unlink()  # git takes an empty file for a damaged index
        copied = None
        with suppress(OSError):
            before, as_of = _state(repository.index), repository.index.stat().st_mtime_ns
            shutil.copyfile(repository.index, path)
            # git takes a file that changed no earlier than its index for possibly changed: a younger copy would believe its sizes
            os.utime(path, ns=(as_of, as_of))
            special = (repository.folder / "info/sparse-checkout").exists() or any(repository.folder.glob("sharedindex.*"))
            copied = before if plain and not special and _state(repository.index) == before else None
        git = replace(
            repository.git,
            settings=(*repository.git.settings, "core.splitIndex=false", "index.sparse=false"),
            environment={"GIT_INDEX_FILE": name},
        )
        yield WorkIndex(git=git, path=path, copied=copied)
    finally:
        for left in (path, path.with_name(f"{path.name}.lock")):
            with suppress(OSError):
                left.unlink()


def start_from(work: WorkIndex, head: str | None) -> bool:
    """Make our index that of HEAD; what is known of unchanged files is kept.

    Returns:
        Whether the user's was that of HEAD already.

    Raises:
        ConflictsError: The user is resolving conflicts.
        GitError: HEAD cannot be read.
    """
    git = work.git
    if head is None:
        git.call("read-tree", "--empty")
        return False
    try:
        if work.copied is not None:
            return not _taken_to(git, head)
        if work.path.exists() and git.call("ls-files", "--unmerged", "-z"):
            raise ConflictsError
        git.call("read-tree", "--reset", head)
    except GitError:  # a copied index that cannot be read, or not be changed so: begin from nothing
        work.path.unlink(missing_ok=True)
        git.call("read-tree", head)
    return False


def _taken_to(git: Git, head: str) -> int:
    """Give an index the entries of HEAD where it has others; return how many.

    Format: https://git-scm.com/docs/git-diff-index#_raw_output_format.
    """
    raw = git.call("diff-index", "--cached", "--raw", "-z", "--no-renames", "--full-index", "-R", head)
    fields = os.fsdecode(raw).split("\0")
    entries = []
    for about, path in zip(fields[0::2], fields[1::2], strict=False):
        _, mode, _, new, status = about.split(" ")
        if status.startswith(_UNMERGED):
            raise ConflictsError
        entries.append(f"{mode} {new if mode.strip(_NONE) else _NONE * len(new)}\t{path}")
    if entries:
        git.call("update-index", "-z", "--index-info", data=b"".join(os.fsencode(entry) + b"\0" for entry in entries))
    return len(entries)


def replaced_by(repository: Repository, work: WorkIndex) -> Sequence[int] | None:
    """Have our index stand in for the user's, as git itself replaces one.

    Returns:
        What tells the new index from any other, as :attr:`WorkIndex.identity` does. None where it cannot be done: another process
        holds the lock, or the user's index changed since it was copied.
    """
    index = repository.index
    lock = index.with_name(f"{index.name}.lock")
    if work.copied is None or index.is_symlink():
        return None
    try:
        work.path.chmod(stat.S_IMODE(index.stat().st_mode))
        identity = _state(work.path)[:_IDENTITY]
        os.link(work.path, lock)  # fails when it is there
    except OSError:
        return None
    try:
        if _state(index) == work.copied:
            lock.replace(index)
            return identity
    except OSError:
        pass
    with suppress(OSError):
        lock.unlink()
    return None


def _state(path: Path) -> _State:
    """Return what changes when a file is written anew."""
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def sweep_killed(repository: Repository) -> None:
    """Remove what a killed process left, a lock among it that is the same file as such an index."""
    lock = repository.index.with_name(f"{repository.index.name}.lock")
    for path in repository.folder.glob(f"{_PREFIX}*"):
        number = path.name.removeprefix(_PREFIX).split("-")[0]
        if number.isdigit() and not psutil.pid_exists(int(number)):
            with suppress(OSError):
                if lock.exists() and lock.samefile(path):
                    lock.unlink()
            with suppress(OSError):
                path.unlink()
