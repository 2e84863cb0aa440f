"""The command line ``nbops``: parsing and exit codes only; what the commands do lives in the layers below."""

from __future__ import annotations

import atexit
import gc
import os
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

_NEW_OBJECTS = 50_000
"""Between two collections; with Python's own 700, a command that lives for a second looks at what it imported over and over."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: The command and its options. Without them it is those of the process, which ends with the command.

    Returns:
        The exit code: 0 passed or warned, 1 failed checks, 2 usage, 3 could not work.
    """
    if arguments is None:
        gc.set_threshold(_NEW_OBJECTS, *gc.get_threshold()[1:])
    from nbops.cli.app import run  # noqa: PLC0415 - `import nbops.cli` loads nothing else

    code = run(arguments)
    if arguments is None:
        _leave(code)
    return code


def _leave(code: int) -> None:
    """End the process as the interpreter does, but without taking apart what was imported: that takes longer than many commands.

    Threads are waited for and ``atexit`` runs, which after a build flushes what was written but not yet flushed.
    """
    threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001 - what the interpreter itself calls
    atexit._run_exitfuncs()  # noqa: SLF001 - likewise
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    os._exit(code)
