"""Incidents as their files were last read: hundreds that were resolved long ago are not parsed with each run.

Nor is what checks their form compiled. They are in ``.nbops/cache/incidents.json``, which may be deleted at any time.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nbops.record.store import replace_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = ["Entry", "Kept", "stamp_of"]

_FILE, _VERSION = "incidents.json", 1
_FIELDS = 3

Stamp = list[int]


@dataclass(frozen=True, slots=True)
class Entry:
    """What one file said."""

    past: str | None
    """The run that resolved it, where nobody said anything about it; None for others."""
    document: Mapping[str, Any]
    """The incident in its plain form, which was checked."""


def stamp_of(state: os.stat_result) -> Stamp:
    """Return what changes when a file is replaced."""
    return [state.st_ino, state.st_size, state.st_mtime_ns]


class Kept:
    """What is known of the files of a project's incidents.

    Args:
        cache: Folder for the file, such as ``.nbops/cache``; that it cannot be read or written is no error.
    """

    def __init__(self, cache: Path) -> None:
        self._path = cache / _FILE
        self._entries = _read(self._path)
        self._is_new = False

    def get(self, name: str, stamp: Stamp) -> Entry | None:
        """Return what a file said, when it is the same file still."""
        entry = self._entries.get(name)
        if not isinstance(entry, list) or len(entry) != _FIELDS or entry[0] != stamp or not isinstance(entry[2], dict):
            return None
        return Entry(entry[1] if isinstance(entry[1], str) else None, entry[2])

    def put(self, name: str, stamp: Stamp, entry: Entry) -> None:
        """Keep what a file said."""
        self._entries[name] = [stamp, entry.past, entry.document]
        self._is_new = True

    def write(self, there: Iterable[str]) -> None:
        """Write what is new, without files that are gone."""
        names = set(there)
        if not self._is_new and names >= self._entries.keys():
            return
        entries = {name: entry for name, entry in self._entries.items() if name in names}
        with suppress(OSError, ValueError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            text = json.dumps({"version": _VERSION, "incidents": entries}, separators=(",", ":"))
            replace_file(self._path, text.encode(), durable=False)
            _last[:] = [(self._path, stamp_of(os.stat(self._path)), entries)]  # noqa: PTH116 - as below


_last: list[tuple[Path, Stamp, dict[str, Any]]] = []
"""What this process read or wrote last: the end of a build asks twice."""


def _read(path: Path) -> dict[str, Any]:
    with suppress(OSError, ValueError, RecursionError, TypeError, KeyError):
        stamp = stamp_of(os.stat(path))  # noqa: PTH116 - of a file that is to be read as it is now
        for known, as_of, entries in _last:
            if known == path and as_of == stamp:
                return dict(entries)
        data = json.loads(path.read_bytes())
        if data["version"] == _VERSION:
            entries = dict(data["incidents"])
            _last[:] = [(path, stamp, entries)]
            return dict(entries)
    return {}
