"""The DuckDB that measures: in memory, with its own directory for spilling, and shut off from everything but the data.

A contract's SQL may read the dataset (and those it refers to), and nothing else: once the views are made, access to other files
is switched off, Python's variables are out of reach, extensions cannot be loaded, and the settings are locked. Needs DuckDB 1.3.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from nbops.quality.sqltext import literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["connect", "lock", "safe_path", "warm"]

_SINGLE_THREADED = 2
"""DuckDB's major version from which on a database can be without any thread of its own (``async_threads``)."""
_settings: dict[str, Any] = {"async_threads": 0} if int(duckdb.__version__.split(".", 1)[0]) >= _SINGLE_THREADED else {}
"""How databases are opened. Threads that read ahead serve distant files; with local ones they cost a fifth more CPU time."""

_ahead: tuple[int, Any] | None = None
"""The process that opened a database ahead, and the database: for the first use in each process that is forked from it."""


@contextlib.contextmanager
def connect(
    *, memory_limit: str | None = None, threads: int | None = None, spill: Path | None = None
) -> Iterator[tuple[Any, Path]]:
    """Open a DuckDB in memory; yields it and a private directory that is deleted with it.

    Args:
        memory_limit: For example ``2GB``; beyond it the private directory is used.
        threads: None is all cores.
        spill: Folder that the private directory is made in; the system's temporary one is often in memory itself.

    Raises:
        duckdb.Error: The memory limit is no size.
    """
    with tempfile.TemporaryDirectory(prefix="nbops-", dir=spill, ignore_cleanup_errors=True) as scratch:
        connection = _opened_ahead()
        if connection is None:
            connection = duckdb.connect(":memory:", config=_settings | ({"threads": threads} if threads is not None else {}))
        elif threads is None:
            connection.execute("RESET threads")
        else:
            connection.execute(f"SET threads = {int(threads)}")
        try:
            spill = Path(scratch) / "spill"
            settings: dict[str, Any] = {
                "temp_directory": str(spill),
                "TimeZone": "UTC",
                "python_enable_replacements": False,
                "enable_progress_bar": False,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            }
            if threads != 1:  # long data; the system has the file in memory, too
                settings["enable_external_file_cache"] = False
            if memory_limit is not None:
                settings["memory_limit"] = memory_limit
            connection.execute("; ".join(f"SET {name} = {literal(value)}" for name, value in settings.items()))
            yield connection, Path(scratch)
        finally:
            connection.close()


def warm() -> None:
    """Open a database ahead: each process that is forked from this one then has one at hand, which takes 10 ms to open anew.

    It has no thread, so that nothing of it is missing after the fork, and holds nothing; this process itself never uses it.
    """
    global _ahead  # noqa: PLW0603 - inherited by what this process forks
    if not _settings or _ahead is not None:
        return
    before = _threads()
    with contextlib.suppress(duckdb.Error, OSError):
        connection = duckdb.connect(":memory:", config={**_settings, "threads": 1})
        connection.execute("SELECT count(*) FROM range(3)").fetchone()
        if _threads() == before:
            _ahead = (os.getpid(), connection)


def _opened_ahead() -> Any:
    """Return the database that the process which this one was forked from has opened, once; else None."""
    global _ahead
    if _ahead is None or _ahead[0] == os.getpid():
        return None
    (_, connection), _ahead = _ahead, None
    return connection


def _threads() -> int:
    try:
        return len(os.listdir("/proc/self/task"))  # noqa: PTH208 - their number is all that is needed
    except OSError:  # another system
        return 0


def safe_path(path: Path, *, scratch: Path) -> str:
    """Return a path that DuckDB takes as it is: with ``*?[`` in it, it would be read as a pattern."""
    text = os.path.abspath(path)  # noqa: PTH100 - Path.resolve would follow links, and the suffix decides on the format
    if not any(sign in text for sign in "*?["):
        return text
    link = scratch / f"link{len(list(scratch.iterdir()))}{''.join(path.suffixes) if path.is_file() else ''}"
    link.symlink_to(text)
    return str(link)


def lock(connection: Any, *, files: Iterable[str], directories: Iterable[str]) -> None:
    """Switch off access to everything but the given files and directories, and lock the settings."""
    settings = (
        f"SET allowed_paths = [{', '.join(literal(item) for item in files)}]",
        f"SET allowed_directories = [{', '.join(literal(item) for item in directories)}]",
        "SET enable_external_access = false",
        "SET lock_configuration = true",
    )
    connection.execute("; ".join(settings))
