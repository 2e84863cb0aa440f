"""Which parts of ``reports/`` a run's commit has to look at: not ten thousand folders of runs that were committed long ago.

A note in a cache says up to which run everything was committed, and as what. When the run before this one is that run and its
commit is still below HEAD, only what is outside the folders of runs and the folder of this run can be new, but for changes
that somebody made to old runs by hand: every tenth commit, and whenever the note is missing or does not fit, looks at all.
The note also says when the folders of incidents and of pages of older runs had last changed, which are looked at when they
did since, and which file was the user's index, when that held the commit and nothing else: it need not be compared again.
"""

from __future__ import annotations

import json
import os
import re
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nbops.record.git import GitError
from nbops.record.store import TICK, newest_ids, replace_file, run_folders

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from nbops.record.git import Git

__all__ = ["Recent", "forget_committed"]

_FILE, _VERSION = "committed.json", 1
_ALL_EVERY = 10
_GROWING = ("archive", "incidents")
"""Folders below ``reports/`` that grow with the number of runs. Files in them are replaced, not written in place."""
_OBJECT = re.compile(r"[0-9a-f]{40,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recent:
    """What is known of earlier commits when a run is committed."""

    cache: Path
    """Folder of the note, such as ``.nbops/cache``."""
    reports: Path
    run_id: str
    whole: bool = False
    """Look at all: pages of old runs were removed."""
    looked_at: dict[str, int] = field(default_factory=dict, init=False)
    """When folders that grow had last changed when :meth:`places` was asked."""

    def places(self, git: Git, head: str | None) -> list[str] | None:
        """Return the parts of the reports folder to look at, relative to it; None when all of it has to be.

        The note is taken away until :meth:`keep`, so that a commit that does not come about is made up for by the next one.
        """
        commit, newest, folders = self._note()
        forget_committed(self.cache)
        self.looked_at.update(self._folders())
        before = next(newest_ids(self.reports, before=self.run_id), None)
        if self.whole or head is None or not commit or before != newest or len(run_folders(self.reports)) % _ALL_EVERY == 0:
            return None
        if commit != head:
            try:
                git.call("merge-base", "--is-ancestor", commit, head)
            except GitError:
                return None
        same = {name for name, changed in self.looked_at.items() if folders.get(name) == changed}
        names = sorted(entry.name for entry in os.scandir(self.reports) if entry.name != "runs" and entry.name not in same)
        return [*names, f"runs/{self.run_id}"]

    def _folders(self) -> dict[str, int]:
        """Return when a name last came, went or was given to another file in folders that grow, where the clock can tell."""
        found: dict[str, int] = {}
        for name in _GROWING:
            with suppress(OSError):
                changed = (self.reports / name).stat().st_mtime_ns
                if time.time_ns() - changed > TICK:
                    found[name] = changed
        return found

    def is_index_of(self, head: str, identity: Sequence[int] | None) -> bool:
        """Tell whether an index is the one that :meth:`keep` noted with this commit, and so holds nothing but that."""
        with suppress(OSError, ValueError, RecursionError, TypeError, KeyError):
            data = json.loads((self.cache / _FILE).read_bytes())
            if data["version"] == _VERSION and identity is not None:
                return bool(data["commit"] == head and data["index"] == list(identity))
        return False

    def keep(self, commit: str, *, index: Sequence[int] | None = None) -> None:
        """Note that everything up to this run was committed.

        Args:
            commit: The commit.
            index: What tells the user's index, where it holds what the commit does and nothing else.
        """
        note = {
            "version": _VERSION,
            "commit": commit,
            "newest": self.run_id,
            "index": list(index) if index is not None else None,
            "folders": self.looked_at,
        }
        text = json.dumps(note)
        with suppress(OSError):
            self.cache.mkdir(parents=True, exist_ok=True)
            replace_file(self.cache / _FILE, text.encode(), durable=False)

    def _note(self) -> tuple[str, str, dict[str, int]]:
        with suppress(OSError, ValueError, RecursionError, TypeError, KeyError):
            data = json.loads((self.cache / _FILE).read_bytes())
            if data["version"] == _VERSION and _OBJECT.fullmatch(data["commit"]):
                return data["commit"], str(data["newest"]), dict(data.get("folders") or {})
        return "", "", {}


def forget_committed(cache: Path) -> None:
    """Have the next commit look at all of ``reports/``, since old runs' pages were changed."""
    with suppress(OSError):
        (cache / _FILE).unlink(missing_ok=True)
