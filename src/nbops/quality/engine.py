"""The DuckDB that measures: in memory, with its own directory for spilling, and shut off from everything but the data.

A contract's SQL may read the dataset (and those it refers to), and nothing else: once the views are made, access to other files
is switched off, Python's variables are out of reach, extensions cannot be loaded, and the settings are locked. Needs DuckDB 1.3.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from nbops.quality.sqltext import literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["connect", "lock", "safe_path", "warm"]

_LEAVES_NO_THREADS = 2  # DuckDB's major version
_SETTLING_SECONDS = 0.1


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
        connection = duckdb.connect(":memory:", config={"threads": threads} if threads is not None else {})
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
            if memory_limit is not None:
                settings["memory_limit"] = memory_limit
            connection.execute("; ".join(f"SET {name} = {literal(value)}" for name, value in settings.items()))
            yield connection, Path(scratch)
        finally:
            connection.close()


def warm() -> None:
    """Open a database once and close it: in processes that are forked from this one, that then takes half of the time.

    From DuckDB 2.0 on no thread of it is left then; one that is about to end is waited for.
    """
    if int(duckdb.__version__.split(".", 1)[0]) < _LEAVES_NO_THREADS:
        return
    before = _threads()
    with contextlib.suppress(duckdb.Error, OSError), connect(threads=1) as (connection, _):
        connection.execute("SELECT count(*) FROM range(3)").fetchone()
    until = time.monotonic() + _SETTLING_SECONDS
    while _threads() > before and time.monotonic() < until:
        time.sleep(0.001)


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
