"""When runs looked at a dataset, and what they saw of whether there was something new: a few numbers a run, out of the index."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import sqlite3

__all__ = ["Arrival", "arrivals_of"]

_PARTS = (" --partially ", " -P ", " task ")
"""Words of commands that build a part of a pipeline: what they leave out, they did not look at."""


class Arrival(NamedTuple):
    """A dataset as one run by the clock saw it."""

    run: str
    at: float
    """When the run began, in seconds since 1970."""
    content: str | None
    rows: int | None
    bytes: int | None
    newest: float | None
    """The newest instant that the data speaks of, in seconds since 1970."""
    carried: bool
    """Whether the task was up to date."""


def arrivals_of(connection: sqlite3.Connection, subject: str, run: str, *, limit: int) -> list[Arrival]:
    """Return what runs saw of a dataset up to one of them and with it, the oldest first.

    Runs that are for a date, and those that did not look at the dataset (a part of the pipeline was built, something above
    failed), are left out; so are runs whose clocks were ahead.

    Args:
        connection: To the index.
        subject: ``dataset:NAME``.
        run: The run, which is the last of them.
        limit: How many at most, the newest.
    """
    own = connection.execute("SELECT at FROM runs WHERE id = ?", (run,)).fetchone()
    if own is None:
        return []
    found = connection.execute(
        "SELECT f.run, f.at, f.content, f.rows, f.size, f.newest, f.home, r.status, r.command FROM facts AS f "
        "JOIN runs AS r ON r.id = f.run WHERE f.subject = (SELECT id FROM subjects WHERE name = ?) "
        "AND f.at <= ? AND f.run <= ? AND f.dated = 0 ORDER BY f.at DESC, f.run DESC LIMIT ?",
        (subject, own[0], run, limit),
    )
    arrivals = [
        Arrival(name, at, content, rows, size, newest, home is not None)
        for name, at, content, rows, size, newest, home, status, command in found
        if name == run or home is None or (status == "succeeded" and not any(part in f" {command} " for part in _PARTS))
    ]
    return arrivals[::-1]
