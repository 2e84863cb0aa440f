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

_ahead: tuple[int, list[Any]] | None = None
"""The process that opened databases ahead, and these: for the first uses in each process that is forked from it."""
_left_open: list[Any] = []
"""Databases opened ahead that were used: they held little, and end with the process, which is about to."""


@contextlib.contextmanager
def connect(
    *, memory_limit: str | None = None, threads: int | None = None, spill: Path | None = None, short: bool = False
) -> Iterator[tuple[Any, Path]]:
    """Open a DuckDB in memory; yields it and a private directory that is deleted with it.

    Args:
        memory_limit: For example ``2GB``; beyond it the private directory is used.
        threads: None is all cores.
        spill: Folder that the private directory is made in; the system's temporary one is often in memory itself.
        short: The data is: a database that was opened ahead is then left to the end of the process, which closes it for nothing.

    Raises:
        duckdb.Error: The memory limit is no size.
    """
    with tempfile.TemporaryDirectory(prefix="nbops-", dir=spill, ignore_cleanup_errors=True) as scratch:
        connection = _opened_ahead()
        ahead = connection is not None
        if not ahead:
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
            if ahead and short:  # closing takes half as long as opening
                _left_open.append(connection)
            else:
                connection.close()


def warm(databases: int = 1) -> None:
    """Open databases ahead: each process that is forked from this one then has them at hand; to open one anew takes 10 ms.

    They have no thread, so that nothing of them is missing after the fork, and hold nothing; this process itself never uses them.

    Args:
        databases: How many there are to be.
    """
    global _ahead  # noqa: PLW0603 - inherited by what this process forks
    if not _settings:
        return
    if _ahead is None or _ahead[0] != os.getpid():
        _ahead = (os.getpid(), [])
    before = _threads()
    with contextlib.suppress(duckdb.Error, OSError):
        while len(_ahead[1]) < databases:
            connection = duckdb.connect(":memory:", config={**_settings, "threads": 1})
            connection.execute("SELECT count(*) FROM range(3)").fetchone()
            if _threads() != before:
                return
            _ahead[1].append(connection)


def _opened_ahead() -> Any:
    """Return a database that the process which this one was forked from has opened, each of them once; else None."""
    return _ahead[1].pop() if _ahead is not None and _ahead[0] != os.getpid() and _ahead[1] else None


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
