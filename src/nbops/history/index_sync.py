"""Finding out which ledgers the history's index lacks, without looking at each of ten thousand.

The names of the folders of runs are compared with a hash of those that were there last time; ids sort by time, so that what is
new stands at the end. A ledger that has ended is not written again, so that of the old ones only a few, in turn, are looked at
each time: one that somebody edited, or that git brought back otherwise, is found within some dozen runs. The newest ones and
those that had not ended are always looked at.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nbops.errors import LedgerError
from nbops.history.index_tables import forget
from nbops.record.store import ledger_path, loader, read_run, run_folders

if TYPE_CHECKING:
    from pathlib import Path

    from nbops.model import Run

__all__ = ["sync_ledgers"]

_SETTLED, _RUNNING, _LACKS, _UNREADABLE = 0, 1, 2, 3
_NEWEST, _IN_TURN = 20, 60
"""Ledgers that are looked at each time: the newest, and older ones in turn."""
_AT_ONCE = 200
"""Ledgers between two commits, so that a long first reading can be stopped without losing it."""

Stamp = tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Known:
    """The ledgers that the index has."""

    connection: sqlite3.Connection

    def text(self, name: str) -> str:
        found = self.connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return str(found[0]) if found is not None else ""

    def note(self, name: str, value: str) -> None:
        self.connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    def ids(self) -> set[str]:
        return {run_id for (run_id,) in self.connection.execute("SELECT id FROM ledgers")}

    def last(self) -> str:
        return str(self.connection.execute("SELECT coalesce(max(id), '') FROM ledgers").fetchone()[0])

    def looked_at(self) -> dict[str, Stamp]:
        """Return the stamps of the ledgers that are looked at this time."""
        fields = "id, size, mtime FROM ledgers"
        after = self.text("turn")
        found = [
            *self.connection.execute(f"SELECT {fields} ORDER BY id DESC LIMIT {_NEWEST}"),
            *self.connection.execute(f"SELECT {fields} WHERE state != 0 AND state != {_LACKS}"),
            *(turn := self.connection.execute(f"SELECT {fields} WHERE id > ? ORDER BY id LIMIT {_IN_TURN}", (after,)).fetchall()),
        ]
        self.note("turn", turn[-1][0] if len(turn) == _IN_TURN else "")
        return {run_id: (size, mtime) for run_id, size, mtime in found}

    def lacking(self) -> set[str]:
        return {run_id for (run_id,) in self.connection.execute(f"SELECT id FROM ledgers WHERE state = {_LACKS}")}  # noqa: S608


def sync_ledgers(connection: sqlite3.Connection, reports: Path, *, add: Callable[[Run], None], most: int | None) -> int:
    """Bring the index up to date with the ledgers.

    Args:
        connection: To the index.
        reports: The project's ``reports`` folder.
        add: Adds a run to the tables.
        most: Ledgers that are read at most, the newest; None reads all.

    Returns:
        How many were read.
    """
    known = _Known(connection)
    with connection:
        names = run_folders(reports)
        new, gone = _differences(names, known)
        for run_id in gone:
            _drop(connection, run_id)
        stale = {run_id for run_id, stamp in known.looked_at().items() if run_id not in gone and _stamp(reports, run_id) != stamp}
        came_back = gone or any(run_id < known.last() for run_id in new)
        wanted = sorted({*new, *stale, *(known.lacking() if came_back else ())})
    if most is not None:
        wanted = wanted[len(wanted) - min(most, len(wanted)) :]
    load = loader(reports)
    read = 0
    for start in range(0, len(wanted), _AT_ONCE):
        with connection:
            for run_id in wanted[start : start + _AT_ONCE]:
                read += _take(connection, reports, run_id, add=add, read=lambda name: read_run(reports, name, load=load))
    with connection:
        known.note("names", f"{len(names)} {_digest(names)}" if set(new) <= set(wanted) else "")
    return read


def _digest(names: list[str]) -> str:
    return hashlib.blake2b("\n".join(names).encode("utf-8", "replace"), digest_size=16).hexdigest()


def _differences(names: list[str], known: _Known) -> tuple[list[str], list[str]]:
    """Return the ids of folders that are new, and of those that are gone."""
    count, _, digest = known.text("names").partition(" ")
    if count.isdecimal() and int(count) <= len(names) and _digest(names[: int(count)]) == digest:
        return names[int(count) :], []
    ids = known.ids()
    return [name for name in names if name not in ids], sorted(ids - set(names))


def _stamp(reports: Path, run_id: str) -> Stamp:
    try:
        state = os.stat(ledger_path(reports, run_id))  # noqa: PTH116 - as text it costs half
    except (OSError, LedgerError):
        return -1, -1
    return state.st_size, state.st_mtime_ns


def _drop(connection: sqlite3.Connection, run_id: str) -> None:
    forget(connection, run_id)
    connection.execute("DELETE FROM ledgers WHERE id = ?", (run_id,))


def _take(
    connection: sqlite3.Connection, reports: Path, run_id: str, *, add: Callable[[Run], None], read: Callable[[str], Run]
) -> int:
    """Read a ledger and add its run; of one that is damaged or not there, what was known is taken out."""
    stamp = _stamp(reports, run_id)
    _drop(connection, run_id)
    try:
        run: Run | None = read(run_id)
    except LedgerError:
        run = None
    state: int = _UNREADABLE
    if run is not None:
        add(run)
        state = _RUNNING if run.status == "running" else _LACKS if _lacks(run) else _SETTLED
    connection.execute("INSERT INTO ledgers VALUES (?, ?, ?, ?)", (run_id, *stamp, state))
    return 1 if run is not None else 0


def _lacks(run: Run) -> bool:
    return any(notice.kind == "ledger" for notice in run.notices)
