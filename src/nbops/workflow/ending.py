"""The end of a process that ran a build: quick, and with everything written.

The interpreter takes apart all that was imported, and looks through it for garbage several times on the way: after a build, in
which Ploomber and half of its libraries are loaded, that takes as long as a few small notebooks.
"""

from __future__ import annotations

import atexit
import fcntl
import gc
import io
import os
import stat
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["few_collections"]

_NEW_OBJECTS = 50_000
"""Between two collections while a build goes on."""
_FILES = (io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom)

_at_end = False


@contextmanager
def few_collections(*, ends_with_build: bool) -> Iterator[None]:
    """Keep the garbage collector off what is there already: the modules of Ploomber and of the project.

    Looking at them again and again takes a quarter of a small build's own time, and in each task's process copies the pages that
    it shares with this one.

    Args:
        ends_with_build: The process is a command line that does nothing after the build: its end is made quick, too.
    """
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        if ends_with_build:
            _end_quickly()
        else:
            gc.unfreeze()


def _end_quickly() -> None:
    """Have the interpreter find no garbage at its end, when all memory goes anyway."""
    global _at_end  # noqa: PLW0603 - once in a process
    if not _at_end:
        _at_end = True
        atexit.register(_no_more_collections)


def _no_more_collections() -> None:
    if _writes_files():  # what is part of a cycle is not closed when nobody looks for cycles
        _flush_open_files()
    gc.freeze()


@atexit.register  # as early as can be, so that nearly all else is done when it runs
def _hush_bindings() -> None:
    """Shut standard error against DuckDB's binding, which would list as leaked all that the frozen collector keeps.

    It writes them from C, after the interpreter's end, and has no switch for that in Python.
    """
    if not _at_end or "_duckdb" not in sys.modules:
        return
    with suppress(OSError, ValueError):
        if sys.stderr is not None:
            sys.stderr.flush()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        os.close(nowhere)


def _writes_files() -> bool:
    """Return whether a file is still open for writing, besides the standard streams; true where that cannot be told."""
    try:
        descriptors = [int(name) for name in os.listdir("/proc/self/fd")]  # noqa: PTH208 - names are all that is needed
    except OSError:
        return True
    for descriptor in descriptors:
        with suppress(OSError):  # the listing's own descriptor is closed by now
            writes = fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY
            if descriptor > 2 and writes and stat.S_ISREG(os.fstat(descriptor).st_mode):  # noqa: PLR2004 - standard streams
                return True
    return False


def _flush_open_files() -> None:
    """Write what was written to files that nobody closed, as the interpreter does at its end."""
    gc.unfreeze()  # what is frozen is not listed
    for item in gc.get_objects():
        if isinstance(item, _FILES):
            with suppress(Exception):
                item.flush()
