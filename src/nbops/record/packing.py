"""Objects of the commits that runs make, packed: what they add to git is then what changed, not all of each file again.

Pages and ledgers of one run resemble those of the run before, and a folder of ten thousand runs differs by one entry
from what it was: as deltas in a pack these cost next to nothing, as loose objects each is stored whole. `git gc
--auto` packs only after some 7,000 loose objects. Here it is done after 1,000, about ten runs: git writes the newest,
mostly largest version of a page whole and earlier ones as differences, so that packing each run by itself would find
few of them. The packs keep a geometric progression of their sizes, so that each object is packed again only a few
times, however many runs there are
(https://git-scm.com/docs/git-repack#Documentation/git-repack.txt---geometricltfactorgt).
"""

from __future__ import annotations

from contextlib import suppress

from nbops.record.git import Git, GitError

__all__ = ["pack_objects"]

_FACTOR = 2
_LOOSE = 1_000
_LOOSE_KIB = 64 * 1024  # above, the user has committed data of their own: git packs that in the background
_PACKED_KIB = 1024 * 1024
_BUSY = ("gc.pid", "objects/maintenance.lock")


def pack_objects(git: Git) -> None:
    """Pack what commits have left loose, now and then, unless the settings (``gc.auto = 0``) or another git process say no.

    Whatever goes wrong changes nothing that is committed, and so is not an error. Large repositories, and a git older than 2.33,
    are left to ``git gc --auto``.

    Args:
        git: Git in the repository.
    """
    with suppress(GitError):
        if git.maybe("config", "--type=int", "gc.auto") == "0":
            return
        counted = dict(line.split(": ", 1) for line in git.line("count-objects", "-v").splitlines() if ": " in line)
        if int(counted.get("count", 0)) <= _LOOSE:
            return
        if int(counted.get("size", 0)) < _LOOSE_KIB and int(counted.get("size-pack", 0)) < _PACKED_KIB and not _busy(git):
            try:
                git.call("repack", "-d", "-q", f"--geometric={_FACTOR}", "--no-write-bitmap-index")
            except GitError:  # an old git, or a repository that cannot be packed so, such as a partial clone
                pass
            else:
                return
        git.call("gc", "--auto", "--quiet")


def _busy(git: Git) -> bool:
    places = git.line("rev-parse", *(part for name in _BUSY for part in ("--git-path", name))).splitlines()
    return any((git.folder / place).exists() for place in places)
