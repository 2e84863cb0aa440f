"""Objects of the commits that runs make, packed: what they add to git is then what changed, not all of each file again.

Pages and ledgers of one run resemble those of the run before: as deltas in a pack they cost a third of what they do as loose
objects, each of which is whole. `git gc --auto` packs only after some 7,000 loose objects. Here a process of its own does
it once a build has committed, at lowest priority, so that no build waits for it.

The newest runs are in one pack that is made anew each time, with all its deltas looked for again: git keeps a delta that it finds
in a pack, and never takes such an object for the base of another, so that each new page would be compared with whatever few
happen to be stored whole. When that pack is full the next one begins, in which each page is whole once more; so the full one
is merged with those before it at that moment, its whole pages become differences from theirs, and `.git` grows evenly. Merging
copies deltas as they are and compares only what is whole.

A run that changed few files leaves them loose, unless they are large together: then they are put into the newest pack as they fit
there, its deltas kept, which takes a fraction of making it anew. What each run leaves loose besides pages, the list of all runs,
grows with their number.

Only commits of the branch since nbops was first used are packed, and only packs that nbops made are replaced. Other packs are
told to git as if they were kept, so that nothing is stored twice; objects that no branch reaches stay as and where they are. A
new pack is whole and in its place before an old one goes and before `git prune-packed` removes loose objects that are in packs.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from nbops.record.git import Git, GitError
from nbops.record.store import replace_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["pack_later", "pack_runs"]

_WAITING, _STATE, _LOCK = "unpacked.json", "packs.json", "packing.lock"  # below .nbops/cache
_FILES = 48
"""Changed files after which it is packed; a run with data of a dozen tasks changes more."""
_FULL = 2_000  # objects; half of them for the first pack, which has none to be merged with while runs are still small
_FULL_BYTES = 32 * 1024 * 1024
_MERGING = ("--window=50",)
"""What is whole is few, and can be compared with more than the ten others that git does."""
_LARGE = 11_000
"""Bytes of loose objects of one commit above which they are packed even when they are few. Beside them a run adds some 3 KB to
`.git`: its commit and small trees, entries of the index and of the reference log."""
_MERGED = 100_000  # objects; larger packs stay
_LOOSE_KIB = 64 * 1024  # above, the user has committed data of their own: that is left to git
_COMPARED = 60_000
"""How often two objects are compared, about, while a pack is made: in a small pack each with more others."""
_WINDOW = range(10, 100)  # git's own is 10
_STALE_SECONDS = 24 * 3600
_SPARE_BYTES = 256 * 1024 * 1024
"""What stays free on the disk, besides room for all that is merged: git that runs out of it leaves what it has written so far."""
_BUSY = ("gc.pid", "objects/maintenance.lock")
_SETTINGS = r"^(gc\.auto|maintenance\.auto|pack\.compression|core\.compression|extensions\.partialclone|remote\..*\.promisor)$"
_NAME = re.compile(r"pack-[0-9a-f]{40,64}")
_KEEPING = "keeping"
_PARTS = (".idx", ".rev", ".pack")
_FOLDER = "tmp_objdir-nbops-"  # such folders are removed by `git prune` too


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """What was packed."""

    since: str | None
    """The commit from which on runs are in the newest pack; None for the very first."""
    upto: str | None = None
    """The last commit in it."""
    newest: str | None = None
    """The pack that is still made anew."""
    full: tuple[str, ...] = ()
    """Packs that stay, the oldest first."""
    made: str | None = None
    """A pack that is just put in the place of others: of the newest, or of full ones when they are ``merged``."""
    merged: bool = False


def pack_later(root: Path, cache: Path, *, commit: str, files: int, size: int = 0) -> bool:
    """Have a process of its own pack what commits have left loose, once there is enough of it.

    Args:
        root: The project's root.
        cache: Where is noted what was packed, such as ``.nbops/cache``.
        commit: The commit that was just made.
        files: How many files it changed.
        size: Bytes of its loose objects, about.

    Returns:
        Whether the process was started. Whatever goes wrong changes nothing that is committed, and so is not an error.
    """
    try:
        cache.mkdir(parents=True, exist_ok=True)
        first, waiting = _waiting(cache) or (commit, 0)
        enough = waiting + files >= _FILES
        note = json.dumps({"first": first, "files": 0 if enough else waiting + files})
        replace_file(cache / _WAITING, note.encode(), durable=False)
        if enough or size > _LARGE:
            told = [str(root.absolute()), str(cache.absolute()), commit, first, *([] if enough else [_KEEPING])]
            subprocess.Popen(
                [sys.executable, "-W", "ignore", "-m", __name__, *told],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd=cache,  # `-m` looks here for modules first; a project's own json.py must not win
                start_new_session=True,
            ).returncode = 0  # it goes on when this process has ended: there is nothing to wait for
    except OSError:
        return False
    return enough or size > _LARGE


def _waiting(cache: Path) -> tuple[str, int] | None:
    with suppress(OSError, ValueError, RecursionError, TypeError, KeyError):
        note = json.loads((cache / _WAITING).read_bytes())
        return str(note["first"]), int(note["files"])
    return None


def pack_runs(root: Path, cache: Path, *, commit: str, first: str, keeping: bool = False) -> None:
    """Pack what the branch got since nbops was first used, unless settings or another git process say no.

    Nothing is done where ``gc.auto`` is 0 or ``maintenance.auto`` is false, nor while git collects garbage. Partial clones,
    repositories with a multi-pack index, and many megabytes of loose objects are left to ``git maintenance run --auto``.

    Args:
        root: The project's root.
        cache: Where is noted what was packed.
        commit: Up to which commit.
        first: The first commit of nbops that is not packed yet, where nothing is noted.
        keeping: Keep the deltas of the newest pack; only what is new is compared with what is whole in it.
    """
    with suppress(GitError, OSError), _alone(cache) as mine:
        if not mine:
            return
        git = Git(folder=root.absolute(), settings=("pack.threads=1",), seconds=3600.0)
        settings = dict(_setting(line) for line in (git.maybe("config", "--get-regexp", _SETTINGS) or "").splitlines())
        objects, *busy = _places(git, "objects", *_BUSY)
        if settings.get("gc.auto") == "0" or settings.get("maintenance.auto") in {"false", "no", "off", "0"}:
            return
        if any(path.exists() for path in busy):
            return
        others = settings.keys() - {"gc.auto", "maintenance.auto", "pack.compression", "core.compression"}
        if others or (objects / "pack/multi-pack-index").exists() or _loose_kib(git) > _LOOSE_KIB:
            git.call("maintenance", "run", "--auto", "--quiet")
            return
        if not settings.keys() & {"pack.compression", "core.compression"}:
            git = replace(git, settings=(*git.settings, "pack.compression=9"))
        _Packs(git, objects, cache).pack(commit, first, keeping=keeping)


def _setting(line: str) -> tuple[str, str]:
    name, _, value = line.partition(" ")
    return name, value.lower()


def _places(git: Git, *names: str) -> list[Path]:
    said = git.line("rev-parse", *(part for name in names for part in ("--git-path", name))).splitlines()
    return [git.folder / place for place in said]


def _loose_kib(git: Git) -> int:
    counted = dict(line.split(": ", 1) for line in git.line("count-objects", "-v").splitlines() if ": " in line)
    return int(counted.get("size", 0))


def _has_room(folder: Path, needed: int = 0) -> bool:
    return shutil.disk_usage(folder).free >= _SPARE_BYTES + needed


@contextmanager
def _alone(cache: Path) -> Iterator[bool]:
    """Give whether no other process packs for this project; the kernel frees the lock whatever happens to its holder."""
    import fcntl  # noqa: PLC0415 - where it is missing nothing is packed

    with (cache / _LOCK).open("ab") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
        else:
            yield True


class _Packs:
    """The packs that nbops made in a repository."""

    def __init__(self, git: Git, objects: Path, cache: Path) -> None:
        self._git, self._objects, self._cache = git, objects, cache
        self._folder = objects / "pack"

    def pack(self, commit: str, first: str, *, keeping: bool = False) -> None:
        """Make the newest pack anew, with all up to a commit; begin the next one when it is full."""
        self._sweep()
        if not _has_room(self._objects):
            return
        state = self._state(first)
        if state.newest and self._is_full(state.newest, (2 if keeping else 1) * (1 if state.full else 0.5)):
            state = _State(since=state.upto, upto=state.upto, full=(*state.full, state.newest))
        self._keep(state)
        others = [path.name for path in self._folder.glob("pack-*.pack") if path.stem != state.newest]
        data = f"{commit}\n" + (f"--not\n{state.since}\n" if state.since else "")
        keep = [f"--keep-pack={name}" for name in others]
        window = _COMPARED // (self._count(state.newest) if state.newest else 1)
        window = max(_WINDOW.start, min(window, _WINDOW.stop))
        anew = () if keeping and state.newest else ("--no-reuse-delta", f"--window={window}")
        made = self._made("--revs", "--local", *anew, *keep, data=data)
        if made is None:
            return
        state = replace(state, made=made.name)
        self._put(made, state)
        state = replace(self._settled(state), upto=commit)
        self._keep(state)
        self._git.call("prune-packed", "--quiet")
        self._merge(state)

    def _merge(self, state: _State) -> None:
        """Merge the last of the full packs with those before, but for one that is too large to be copied each time."""
        taken = 1
        while taken < len(state.full) and self._count(state.full[-taken - 1]) < _MERGED:
            taken += 1
        if taken == 1 or not state.full:
            return
        if not _has_room(self._objects, sum(self._size(name) for name in state.full[-taken:])):
            return
        made = self._made("--stdin-packs", *_MERGING, data="".join(f"{name}.pack\n" for name in state.full[-taken:]))
        if made is not None:
            state = replace(state, made=made.name, merged=True)
            self._put(made, state)
            self._keep(self._settled(state))

    def _settled(self, state: _State) -> _State:
        """Remove packs that hold nothing but what the one that was put in their place holds, also after a kill."""
        made = state.made
        rest = replace(state, made=None, merged=False, full=tuple(name for name in state.full if self._there(name)))
        if made is None or not self._there(made):
            return rest
        holds = self._names(made)
        for old in state.full if state.merged else [state.newest]:
            if old and old != made and self._there(old) and self._names(old) <= holds:
                for part in _PARTS:
                    (self._folder / f"{old}{part}").unlink(missing_ok=True)
        full = [name for name in rest.full if name != made and self._there(name)]
        if state.merged:
            return replace(rest, full=(*full, made))
        if state.newest not in {None, made} and self._there(state.newest):  # it holds what the branch has lost since
            full.append(state.newest or "")
        return replace(rest, newest=made, full=tuple(full))

    def _made(self, *options: str, data: str) -> Path | None:
        """Make a pack beside the others; return it without its ending, None when there is nothing to pack."""
        folder = Path(tempfile.mkdtemp(prefix=_FOLDER, dir=self._objects))
        arguments = ("pack-objects", "--quiet", "--delta-base-offset", "--non-empty", *options, str(folder / "pack"))
        try:
            name = self._git.call(*arguments, data=data.encode()).decode().strip()
        except GitError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        if not name:
            shutil.rmtree(folder, ignore_errors=True)
            return None
        return folder / f"pack-{name}"

    def _put(self, made: Path, state: _State) -> None:
        """Put a pack where git finds it, which is noted first."""
        self._keep(state)
        for part in reversed(_PARTS):  # it counts from when its index is there
            with suppress(FileNotFoundError):  # older versions of git make no .rev
                made.with_name(made.name + part).replace(self._folder / f"{made.name}{part}")
        shutil.rmtree(made.parent, ignore_errors=True)

    def _names(self, pack: str) -> set[bytes]:
        said = self._git.call("show-index", data=(self._folder / f"{pack}.idx").read_bytes())
        return {line.split(b" ")[1] for line in said.splitlines()}

    def _there(self, pack: str | None) -> bool:
        """Tell whether a pack is there and the user has not asked git to keep it as it is."""
        base = self._folder / f"{pack}"
        return all(base.with_name(base.name + part).is_file() for part in (".idx", ".pack")) and not (
            base.with_name(f"{base.name}.keep").exists()
        )

    def _is_full(self, pack: str, times: float) -> bool:
        """Tell whether the next pack is to begin; a run of few files waits for one of many, beside which its own are small."""
        return self._count(pack) >= _FULL * times or self._size(pack) >= _FULL_BYTES * times

    def _count(self, pack: str) -> int:
        return _count(self._folder / f"{pack}.idx")

    def _size(self, pack: str) -> int:
        return (self._folder / f"{pack}.pack").stat().st_size

    def _sweep(self) -> None:
        """Remove what a process that was killed has left."""
        begun = [*self._objects.glob(f"{_FOLDER}*"), *self._folder.glob("tmp_pack_*"), *self._folder.glob("tmp_idx_*")]
        for path in begun:
            with suppress(OSError):
                if time.time() - path.stat().st_mtime <= _STALE_SECONDS:
                    continue
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink()

    def _state(self, first: str) -> _State:
        """Return what was packed, as far as it is still there: git may have packed all anew, history may be another."""
        state = None
        with suppress(OSError, ValueError, RecursionError, TypeError, KeyError):
            note = json.loads((self._cache / _STATE).read_bytes())
            names = [str(name) for name in (*note["full"], note["newest"] or "", note["made"] or "")]
            if all(_NAME.fullmatch(name) for name in names if name):
                state = self._settled(_State(**{**note, "full": tuple(note["full"])}))
        if state is None or not all(self._known(one) for one in (state.since, state.upto) if one is not None):
            full = () if state is None else (*state.full, *([state.newest] if state.newest else []))
            return _State(since=self._git.maybe("rev-parse", "--quiet", "--verify", f"{first}^^{{commit}}"), full=full)
        if state.newest and not self._there(state.newest):
            return _State(since=state.upto, full=state.full)
        return state

    def _known(self, commit: str) -> bool:
        return self._git.maybe("rev-parse", "--quiet", "--verify", f"{commit}^{{commit}}") is not None

    def _keep(self, state: _State) -> None:
        replace_file(self._cache / _STATE, json.dumps(asdict(state)).encode(), durable=False)


def _count(index: Path) -> int:
    """Return how many objects a pack holds (https://git-scm.com/docs/gitformat-pack, version 2 of an index)."""
    with index.open("rb") as stream:
        stream.seek(8 + 255 * 4)
        return int.from_bytes(stream.read(4), "big")


def main(arguments: Sequence[str]) -> int:
    """Pack; what the process does that :func:`pack_later` starts."""
    with suppress(OSError):
        os.nice(19)
    root, cache, commit, first, *how = arguments
    pack_runs(Path(root), Path(cache), commit=commit, first=first, keeping=_KEEPING in how)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
