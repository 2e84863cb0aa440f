"""The tables of the history's index, and rows in and out of them.

One row for each subject and run holds all of its numbers side by side, with the list of their names stored once however many
runs share it. So a run adds as many rows as it has datasets and tasks, at the end of the file, whatever is there already; and a
subject's series are read with one walk along an index.
"""

# ruff: noqa: S608 - names of columns come from constants here

from __future__ import annotations

import hashlib
import json
import sqlite3
import zlib
from array import array
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from nbops.record.plain import clean_text, plain

if TYPE_CHECKING:
    from nbops.history.index_facts import Facts, Key

__all__ = ["SCHEMA", "VERSION", "Row", "Texts", "forget", "packed", "rows_of", "write_facts"]

VERSION = 2
"""Of the tables and of how facts are taken from a run: an index of another version is made anew."""

SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE ledgers (id TEXT PRIMARY KEY, size INTEGER, mtime INTEGER, state INTEGER) WITHOUT ROWID;
CREATE INDEX ledgers_open ON ledgers (state, id) WHERE state != 0;
CREATE TABLE runs (id TEXT PRIMARY KEY, at REAL, reference REAL, started_at TEXT, finished_at TEXT, logical_date TEXT,
  status TEXT, verdict TEXT, "commit" TEXT, branch TEXT, command TEXT, parameters_hash TEXT) WITHOUT ROWID;
CREATE TABLE subjects (id INTEGER PRIMARY KEY, name TEXT UNIQUE);
CREATE TABLE texts (id INTEGER PRIMARY KEY, hash TEXT UNIQUE, text BLOB);
CREATE TABLE facts (id INTEGER PRIMARY KEY, subject INTEGER, run TEXT, at REAL, reference REAL, dated INTEGER, home TEXT,
  changed INTEGER, published INTEGER, verdict TEXT, rows INTEGER, size INTEGER, content TEXT, newest REAL,
  layout INTEGER, numbers BLOB, spreads BLOB, columns INTEGER, storage INTEGER);
CREATE UNIQUE INDEX facts_in_time ON facts (subject, at, run);
CREATE UNIQUE INDEX facts_by_run ON facts (run, subject);
"""
_FIELDS = (
    "run, at, reference, dated, home, changed, published, verdict, rows, size, content, newest, "
    "layout, numbers, spreads, columns, storage"
)


class Row(NamedTuple):
    """What is kept of one subject in one run, as stored; a tuple, since hundreds are made to judge a run."""

    run: str
    at: float
    reference: float
    dated: int
    home: str | None
    changed: int
    published: int
    verdict: str
    rows: int | None
    size: int | None
    content: str | None
    newest: float | None
    layout: int | None
    numbers: bytes | None
    spreads: bytes | None
    columns: int | None
    storage: int | None


def packed(value: Any) -> bytes:
    """Return plain values as compressed JSON."""
    return zlib.compress(json.dumps(value, ensure_ascii=False, sort_keys=True).encode("utf-8", "replace"), 6)


class Texts:
    """Long texts that many rows share, each stored once."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._read: dict[int, Any] = {}

    def put(self, value: Any) -> int:
        """Return the number of a text, which is stored when it is new."""
        text = json.dumps(value, ensure_ascii=False, sort_keys=True).encode("utf-8", "replace")
        digest = hashlib.blake2b(text, digest_size=16).hexdigest()
        found = self._connection.execute("SELECT id FROM texts WHERE hash = ?", (digest,)).fetchone()
        if found is not None:
            return int(found[0])
        made = self._connection.execute("INSERT INTO texts (hash, text) VALUES (?, ?)", (digest, zlib.compress(text, 6)))
        return int(made.lastrowid or 0)

    def get(self, number: int | None) -> Any:
        """Return the value that a number stands for, None for none."""
        if number is None:
            return None
        if number not in self._read:
            found = self._connection.execute("SELECT text FROM texts WHERE id = ?", (number,)).fetchone()
            self._read[number] = json.loads(zlib.decompress(found[0])) if found is not None else None
        return self._read[number]


def forget(connection: sqlite3.Connection, run_id: str) -> None:
    """Take a run out of the tables."""
    connection.execute("DELETE FROM facts WHERE run = ?", (run_id,))
    connection.execute("DELETE FROM runs WHERE id = ?", (run_id,))


def _subject(connection: sqlite3.Connection, name: str) -> int:
    found = connection.execute("SELECT id FROM subjects WHERE name = ?", (name,)).fetchone()
    if found is None:
        return int(connection.execute("INSERT INTO subjects (name) VALUES (?)", (name,)).lastrowid or 0)
    return int(found[0])


def write_facts(
    connection: sqlite3.Connection, facts: Facts, *, run: str, at: float, reference: float, dated: bool, texts: Texts
) -> None:
    """Add what is kept of a subject in a run; of what was carried over, no more than where it stands, if it stands there."""
    subject = _subject(connection, clean_text(facts.subject))
    there = (
        facts.home is not None
        and connection.execute(
            "SELECT 1 FROM facts WHERE run = ? AND subject = ? AND home IS NULL", (facts.home, subject)
        ).fetchone()
    )
    own = not there
    ordered = sorted(facts.values.items(), key=lambda item: (item[0][0] or "", item[0][1]))
    values = (
        subject,
        run,
        at,
        reference,
        int(dated),
        facts.home if there else None,
        int(facts.changed),
        int(facts.published),
        facts.verdict,
        _whole(facts.rows),
        _whole(facts.bytes),
        facts.content,
        facts.newest,
        texts.put([key for key, _ in ordered]) if own else None,
        array("d", (value for _, value in ordered)).tobytes() if own else None,
        packed(facts.spreads) if own and facts.spreads else None,
        texts.put(facts.columns) if own and facts.columns else None,
        texts.put(plain(facts.storage)) if own and facts.storage else None,
    )
    connection.execute(f"INSERT INTO facts (subject, {_FIELDS}) VALUES ({', '.join('?' * len(values))})", values)


_LARGEST = 2**63 - 1


def _whole(number: int | None) -> int | None:
    return number if number is not None and abs(number) <= _LARGEST else None


def rows_of(connection: sqlite3.Connection, subject: str, *, run: str | None, until: float | None) -> Iterator[Row]:
    """Yield a subject's rows, the newest first.

    Args:
        connection: To the index.
        subject: ``dataset:NAME`` or ``task:NAME``.
        run: Only of runs whose id is smaller.
        until: Only up to this instant, itself included.
    """
    conditions, values = ["s.name = ?"], [subject]
    bounds: Mapping[str, Any] = {"f.run < ?": run, "f.at <= ?": until}
    for condition, value in bounds.items():
        if value is not None:
            conditions.append(condition)
            values.append(value)
    fields = ", ".join(f"f.{name.strip()}" for name in _FIELDS.split(","))
    query = (
        f"SELECT {fields} FROM facts AS f JOIN subjects AS s ON s.id = f.subject WHERE {' AND '.join(conditions)} "
        "ORDER BY f.subject, f.at DESC, f.run DESC"
    )
    for found in connection.execute(query, values):
        yield Row._make(found)


def row_of(connection: sqlite3.Connection, subject: str, run: str) -> Row | None:
    """Return a subject's row of one run, None when there is none."""
    fields = ", ".join(f"f.{name.strip()}" for name in _FIELDS.split(","))
    found = connection.execute(
        f"SELECT {fields} FROM facts AS f WHERE f.run = ? AND f.subject = (SELECT id FROM subjects WHERE name = ?)",
        (run, subject),
    ).fetchone()
    return Row(*found) if found is not None else None


def numbers_of(row: Row, texts: Texts) -> dict[Key, float]:
    """Return a row's numbers by column and metric."""
    if row.numbers is None:
        return {}
    numbers = array("d")
    numbers.frombytes(row.numbers)
    keys: list[Key] = [(column, metric) for column, metric in texts.get(row.layout) or ()]
    return dict(zip(keys, numbers, strict=True))
