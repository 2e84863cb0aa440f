"""The history of all runs, taken from their ledgers alone, where a question about hundreds of them is one look.

The index is an embedded database in ``.nbops/cache/history.sqlite``. Ledgers are committed, so that a clone brings the history
along; the index is made of them, and loses nothing when it is deleted. One that is damaged or of another version is made anew
without a word. To add a run costs the same however many there are.

A run stands in time where its data does: at its logical date, else at its start. Of runs for the same date the one recorded last
counts, since to build a day again makes no new day.

What is a series: of ``dataset:NAME`` ``rowCount``, ``bytes``, ``age`` (seconds from the newest instant in the data to the run, or
to the end of the day that it is for) and ``interval`` (seconds that the content had stayed the same); of its columns
``nullRate`` and other shares of rows that measurements count (``invalidRate``...), ``distinctValues``, ``distinctRate``,
``minimum``, ``maximum`` (of dates seconds since 1970), ``mean``, ``standardDeviation``, ``minimumLength``, ``maximumLength``,
``quantile:P``, ``share:VALUE`` and ``others``; of ``task:NAME`` ``seconds`` and ``peakMemory`` where it ran and succeeded.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from nbops.history.index_arrivals import Arrival, arrivals_of
from nbops.history.index_facts import facts_of, instant_of, parameters_hash, reference, run_instant
from nbops.history.index_reading import (
    ColumnSeen,
    DatasetEntry,
    RunEntry,
    SeriesPoint,
    bounded,
    entries_of,
    moment,
    series_of_rows,
)
from nbops.history.index_sync import sync_ledgers
from nbops.history.index_tables import SCHEMA, VERSION, Row, Texts, forget, row_of, rows_of, write_facts

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from nbops.history.index_facts import Key
    from nbops.history.side_by_side import Table
    from nbops.model import Run

__all__ = ["Arrival", "ColumnSeen", "DatasetEntry", "History", "RunEntry", "SeriesPoint", "open_history"]

FILE = "history.sqlite"
_WAIT = 5.0  # seconds for another process that writes
_IN_MEMORY = 500
"""Ledgers that are read at most where nothing can be kept."""
_ROWS = 30
"""Entries of a dataset that are returned unless more are asked for: each holds all distributions."""

_T = TypeVar("_T")


def open_history(reports: Path, cache: Path) -> History:
    """Return the history of a project; where the folder cannot be written, one in memory that lasts as long as the process.

    Args:
        reports: The project's ``reports`` folder.
        cache: Folder for the index, such as ``.nbops/cache``; made when it is missing.
    """
    return History(reports, cache)


class History:
    """What all runs measured, by subject and over time. Use it as a context manager."""

    def __init__(self, reports: Path, cache: Path) -> None:
        self._reports = reports
        self._path = cache / FILE
        self._kept = True
        self._connection = self._open()
        self._texts = Texts(self._connection)

    def __enter__(self) -> History:  # noqa: PYI034 - Self is not in Python 3.10
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    @property
    def in_memory(self) -> bool:
        """Whether nothing of it is kept, since the folder cannot be written."""
        return not self._kept

    def add(self, run: Run) -> None:
        """Add a run as it is recorded, in place of what was known of it."""

        def work() -> None:
            with self._connection:
                self._put(run)

        self._safely(work)

    def sync(self, *, most: int | None = None) -> int:
        """Read the ledgers that are not known yet or changed, and forget runs whose ledgers are gone.

        Args:
            most: How many to read at most, the newest; None reads all.

        Returns:
            How many were read.
        """
        return self._safely(lambda: self._sync(most))

    def _sync(self, most: int | None) -> int:
        most = most if self._kept else min(most or _IN_MEMORY, _IN_MEMORY)
        return sync_ledgers(self._connection, self._reports, add=self._put, most=most)

    def runs(self, before: str | None = None, limit: int = 400) -> list[RunEntry]:
        """Return runs in the order in which they were recorded, the newest last.

        Args:
            before: Only those recorded before this one.
            limit: How many at most, the newest.
        """
        fields = 'id, at, started_at, finished_at, logical_date, status, verdict, "commit", branch, command, parameters_hash'
        query = f"SELECT {fields} FROM runs WHERE (?1 IS NULL OR id < ?1) ORDER BY id DESC LIMIT ?2"  # noqa: S608 - constants

        def work() -> list[RunEntry]:
            return [_entry(found) for found in self._connection.execute(query, (before, max(limit, 0)))][::-1]

        return self._safely(work)

    def subjects(self) -> list[str]:
        """Return everything that there are series of, sorted: ``dataset:NAME`` and ``task:NAME``."""
        query = "SELECT name FROM subjects AS s WHERE EXISTS (SELECT 1 FROM facts WHERE subject = s.id) ORDER BY name"
        return self._safely(lambda: [str(name) for (name,) in self._connection.execute(query)])

    def series(self, subject: str, *, before: str | None = None, limit: int = 400) -> dict[Key, list[SeriesPoint]]:
        """Return all series of a subject by column and metric, points from the oldest to the newest.

        Args:
            subject: ``dataset:NAME`` or ``task:NAME``.
            before: Only what was recorded before this run and is for an earlier date; the run itself, and earlier ones for the
                same date, are left out.
            limit: How many runs that changed the subject, the newest. Points that repeat the one before come on top.
        """

        def work() -> dict[Key, list[SeriesPoint]]:
            rows = bounded(self._rows(subject, before), limit)
            return series_of_rows(rows, home=self._home(subject), texts=self._texts)

        return self._safely(work)

    def table(self, subject: str, run: str, *, limit: int = 400, later: bool = False) -> Table:
        """Return the same as :meth:`series` of what was before a run, as one table, at a fraction of the time.

        Args:
            subject: ``dataset:NAME`` or ``task:NAME``.
            run: Only of what was recorded before this run and is for an earlier date.
            limit: As for :meth:`series`.
            later: Also of what was recorded after it and is for an earlier date.
        """
        from nbops.history.side_by_side import table_of_rows  # noqa: PLC0415 - numpy, only when something is judged

        def work() -> Table:
            rows = bounded(self._beside(subject, run) if later else self._rows(subject, run), limit)
            return table_of_rows(rows, home=self._home(subject), texts=self._texts)

        return self._safely(work)

    def newest(self, subject: str) -> str | None:
        """Return the run with the latest date of those that changed a subject; None where none did."""

        def work() -> str | None:
            rows = rows_of(self._connection, subject, run=None, until=None)
            return next((row.run for row in rows if row.changed), None)

        return self._safely(work)

    def points(
        self, subject: str, column: str | None, metric: str, *, before: str | None = None, limit: int = 400
    ) -> list[SeriesPoint]:
        """Return one series; see :meth:`series`, which is cheaper for several of a subject."""
        return self.series(subject, before=before, limit=limit).get((column, metric), [])

    def current(self, run: Run) -> dict[str, dict[Key, SeriesPoint]]:
        """Return the points of one run that was added, by subject.

        ``age`` and ``interval`` are among them, for which the runs before are looked at.
        """
        found: dict[str, dict[Key, SeriesPoint]] = {}
        for facts in facts_of(run):
            found[facts.subject] = self.numbers(facts.subject, run.id)
        return found

    def numbers(self, subject: str, run: str, *, later: bool = False) -> dict[Key, SeriesPoint]:
        """Return the points of one run that is known; arguments as for :meth:`table`."""

        def work() -> dict[Key, list[SeriesPoint]]:
            own = row_of(self._connection, subject, run)
            if own is None:
                return {}
            rows = [*bounded(self._beside(subject, run) if later else self._rows(subject, run), 2), own]
            return series_of_rows(rows, home=self._home(subject), texts=self._texts)

        return {key: points[-1] for key, points in self._safely(work).items() if points[-1].run == run}

    def datasets(
        self, name: str, *, before: str | None = None, limit: int = _ROWS, spreads: int | None = None
    ) -> list[DatasetEntry]:
        """Return what else is known of a dataset, run by run: columns, distributions, storage, verdict; the oldest first.

        Args:
            name: The dataset.
            before: As in :meth:`series`.
            limit: As in :meth:`series`.
            spreads: Distributions only of so many entries, the newest that have columns: they are what takes time; None: of all.
        """
        subject = f"dataset:{name}"

        def work() -> list[DatasetEntry]:
            rows = bounded(self._rows(subject, before), limit)
            return entries_of(rows, home=self._home(subject), texts=self._texts, spreads=spreads)

        return self._safely(work)

    def arrivals(self, name: str, run: str, *, limit: int = 5_000) -> list[Arrival]:
        """Return when runs by the clock looked at a dataset and what they saw, up to a run; see :func:`arrivals_of`."""
        return self._safely(lambda: arrivals_of(self._connection, f"dataset:{name}", run, limit=limit))

    def _rows(self, subject: str, before: str | None) -> Iterator[Row]:
        """Return the rows of a subject, the newest first, that stand before a run."""
        if before is None:
            return rows_of(self._connection, subject, run=None, until=None)
        found = self._connection.execute("SELECT at, logical_date FROM runs WHERE id = ?", (before,)).fetchone()
        rows = rows_of(self._connection, subject, run=before, until=found[0] if found else None)
        if found is not None and instant_of(found[1]) is not None:
            return (row for row in rows if row.at < found[0])
        return rows

    def _beside(self, subject: str, run: str) -> Iterator[Row]:
        """Return the rows of a subject, the newest first, that are for an earlier date than a run's, whenever recorded."""
        own = row_of(self._connection, subject, run)
        rows = rows_of(self._connection, subject, run=None, until=own.at if own is not None else None)
        return (row for row in rows if row.run != run and (own is None or not own.dated or row.at < own.at))

    def _home(self, subject: str) -> Callable[[str], Row | None]:
        known: dict[str, Row | None] = {}

        def home(run_id: str) -> Row | None:
            if run_id not in known:
                known[run_id] = row_of(self._connection, subject, run_id)
            return known[run_id]

        return home

    def _put(self, run: Run) -> None:
        forget(self._connection, run.id)
        at, until = run_instant(run).timestamp(), reference(run).timestamp()
        git = run.git
        values = (
            run.id,
            at,
            until,
            run.started_at,
            run.finished_at,
            run.logical_date,
            run.status,
            run.verdict,
            git.commit if git else None,
            git.branch if git else None,
            run.command,
            parameters_hash(run),
        )
        self._connection.execute(f"INSERT INTO runs VALUES ({', '.join('?' * len(values))})", values)  # noqa: S608
        dated = instant_of(run.logical_date) is not None
        for facts in facts_of(run):
            write_facts(self._connection, facts, run=run.id, at=at, reference=until, dated=dated, texts=self._texts)

    def _open(self) -> sqlite3.Connection:
        """Return a connection to an index that can be used: the one that is there, a new one, or one in memory."""
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
        for _ in range(2):
            try:
                return _connected(str(self._path))
            except _OtherVersionError:
                removed = _removed(self._path)
            except sqlite3.Error as error:
                removed = not _is_outside(error) and _removed(self._path)
            if not removed:
                break
        return self._open_memory()

    def _open_memory(self) -> sqlite3.Connection:
        self._kept = False
        return _connected(":memory:")

    def _safely(self, work: Callable[[], _T]) -> _T:
        """Do something with the index; when that is damaged, or cannot be written any more, with one that is made anew."""
        try:
            return work()
        except sqlite3.ProgrammingError:  # it is closed
            raise
        except (sqlite3.Error, zlib.error, ValueError, TypeError) as error:
            self._renew(error)
        return work()

    def _renew(self, error: Exception) -> None:
        """Open an index anew and fill it: in place of the file when that is damaged, else in memory."""
        self._connection.close()
        self._connection = self._open() if not _is_outside(error) and _removed(self._path) else self._open_memory()
        self._texts = Texts(self._connection)
        self._sync(None)


class _OtherVersionError(Exception):
    """The index was made by another version of nbops."""


def _connected(path: str) -> sqlite3.Connection:
    """Return a connection to an index of this version that can be written.

    Raises:
        sqlite3.Error: It is damaged, or cannot be written.
        _OtherVersionError: It is of another version.
    """
    connection = sqlite3.connect(path, timeout=_WAIT)
    try:
        connection.execute("PRAGMA synchronous = OFF")  # what a loss of power takes, the ledgers still have
        connection.execute("BEGIN IMMEDIATE")  # fails where it cannot be written
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            for statement in SCHEMA.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {VERSION}")
        elif version != VERSION:
            raise _OtherVersionError  # noqa: TRY301 - the connection is closed below
        connection.commit()
    except BaseException:
        connection.close()
        raise
    return connection


_OUTSIDE = ("locked", "readonly", "unable to open", "full", "disk i/o")
"""Words of errors that are not the file's fault."""


def _is_outside(error: Exception) -> bool:
    return isinstance(error, sqlite3.OperationalError) and any(word in str(error).lower() for word in _OUTSIDE)


def _removed(path: Path) -> bool:
    """Remove an index; return whether it is gone."""
    for suffix in ("", "-journal", "-wal", "-shm"):
        with suppress(OSError):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
    return not path.exists()


def _entry(found: tuple[Any, ...]) -> RunEntry:
    run_id, at, started_at, finished_at, logical_date, status, verdict, commit, branch, command, parameters = found
    return RunEntry(
        id=run_id,
        at=moment(at),
        started_at=started_at,
        finished_at=finished_at,
        logical_date=logical_date,
        status=status,
        verdict=verdict,
        commit=commit,
        branch=branch,
        command=command,
        parameters_hash=parameters,
    )
