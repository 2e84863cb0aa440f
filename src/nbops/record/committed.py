"""Which parts of ``reports/`` a run's commit has to look at: not ten thousand folders of runs that were committed long ago.

A note in a cache says up to which run everything was committed, and as what. When the run before this one is that run and its
commit is still below HEAD, only what is outside the folders of runs and the folder of this run can be new, but for changes
that somebody made to old runs by hand: every tenth commit, and whenever the note is missing or does not fit, looks at all.
"""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nbops.record.git import GitError
from nbops.record.store import newest_ids, replace_file, run_folders

if TYPE_CHECKING:
    from pathlib import Path

    from nbops.record.git import Git

__all__ = ["Recent", "forget_committed"]

_FILE, _VERSION = "committed.json", 1
_ALL_EVERY = 10
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

    def places(self, git: Git, head: str | None) -> list[str] | None:
        """Return the parts of the reports folder to look at, relative to it; None when all of it has to be.

        The note is taken away until :meth:`keep`, so that a commit that does not come about is made up for by the next one.
        """
        commit, newest = self._note()
        forget_committed(self.cache)
        before = next(newest_ids(self.reports, before=self.run_id), None)
        if self.whole or head is None or not commit or before != newest or len(run_folders(self.reports)) % _ALL_EVERY == 0:
            return None
        if commit != head:
            try:
                git.call("merge-base", "--is-ancestor", commit, head)
            except GitError:
                return None
        names = sorted(entry.name for entry in os.scandir(self.reports) if entry.name != "runs")
        return [*names, f"runs/{self.run_id}"]

    def keep(self, commit: str) -> None:
        """Note that everything up to this run was committed."""
        text = json.dumps({"version": _VERSION, "commit": commit, "newest": self.run_id})
        with suppress(OSError):
            self.cache.mkdir(parents=True, exist_ok=True)
            replace_file(self.cache / _FILE, text.encode(), durable=False)

    def _note(self) -> tuple[str, str]:
        with suppress(OSError, ValueError, RecursionError, TypeError, KeyError):
            data = json.loads((self.cache / _FILE).read_bytes())
            if data["version"] == _VERSION and _OBJECT.fullmatch(data["commit"]):
                return data["commit"], str(data["newest"])
        return "", ""


def forget_committed(cache: Path) -> None:
    """Have the next commit look at all of ``reports/``, since old runs' pages were changed."""
    with suppress(OSError):
        (cache / _FILE).unlink(missing_ok=True)
