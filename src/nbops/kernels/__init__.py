"""Warm kernels: each notebook's kernel is forked from one process that has imported the usual libraries already.

Importing this package is cheap. A build calls :func:`prestart` as soon as it knows that something will run; the processes that
it forks for its tasks inherit the address. Where forking cannot be, kernels are started the ordinary way.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from nbops.contract.config import Config
    from nbops.kernels.companion import Companion
    from nbops.kernels.server import Server

__all__ = [
    "address",
    "await_turn",
    "hold",
    "notices",
    "observe",
    "prestart",
    "remembers",
    "report_start",
    "running",
    "stop",
    "take_companion",
    "use_end",
    "while_ending",
]

_server: Server | None = None
_observer: Callable[[int], None] | None = None
_turn: Callable[[], None] | None = None
_meantime: Callable[[], None] | None = None


def prestart(root: Path, config: Config, *, imports: Iterable[str] | None = None, companion: str | None = None) -> None:
    """Start the process that kernels are forked from, unless there is one already; returns at once.

    It imports while the caller goes on; the first notebook waits for it. A failure is a notice, never an error.

    Args:
        root: The project's root; its own modules are never imported ahead.
        config: The project's settings: ``kernels`` and ``preload``.
        imports: Dotted names of the modules that the pipeline's notebooks import, when they are known; else those that were
            remembered from the last run.
        companion: Module whose ``run(questions, answers)`` a process is forked for, which :func:`take_companion` returns.
    """
    global _server  # noqa: PLW0603 - one per process, inherited by what it forks
    from nbops.kernels.server import Server, supported  # noqa: PLC0415 - keeps the import of this package cheap

    if _server is not None and imports is not None:
        _server.remember(imports)
    elif _server is None and config.kernels == "warm" and supported():
        _server = Server(root, preload=config.preload, imports=imports, companion=companion)


def remembers(root: Path) -> bool:
    """Return whether it is known from an earlier run what the project's notebooks import."""
    from nbops.kernels.preload import load_memory  # noqa: PLC0415

    return load_memory(root.resolve())["imports"] is not None


def running() -> bool:
    """Return whether kernels can be forked now."""
    return _server is not None and _server.alive()


def take_companion() -> Companion | None:
    """Return the process that was forked for other work than kernels, to whoever asks first; None where there is none."""
    return _server.companion() if _server is not None and _server.owner == os.getpid() else None


def address() -> str | None:
    """Return the path of the socket that forks kernels, or None; it may be of a process that is gone by now."""
    return None if _server is None else _server.address


def notices() -> tuple[str, ...]:
    """Return what a run should say of its kernels, each sentence once."""
    return () if _server is None else _server.notices()


def stop() -> tuple[str, ...]:
    """End the process that kernels are forked from, with every kernel that is left; does nothing where none was started.

    Returns:
        What is left to say, as :func:`notices` does.
    """
    global _server
    server, _server = _server, None
    if server is None or server.owner != os.getpid():
        return ()
    return server.stop()


def observe(callback: Callable[[int], None] | None) -> None:
    """Have each kernel that this process starts reported by its process id: a forked one is no descendant of this process."""
    global _observer  # noqa: PLW0603
    _observer = callback


def report_start(pid: int) -> None:
    """Tell the observer, if any, that a kernel runs in process ``pid``."""
    if _observer is not None:
        _observer(pid)


def hold(wait: Callable[[], None] | None) -> None:
    """Have the next notebook of this process wait for its turn once its kernel is ready: ``wait`` returns then, or raises."""
    global _turn  # noqa: PLW0603
    _turn = wait


def await_turn() -> bool:
    """Return when the turn of this process's notebook has come; whether it had to be waited for.

    Whoever executes notebooks calls this before the first cell.
    """
    global _turn
    wait, _turn = _turn, None
    if wait is None:
        return False
    wait()
    return True


def while_ending(work: Callable[[], None] | None) -> None:
    """Have something done while the kernel of this process's next notebook ends; not once a cell of it went wrong.

    Args:
        work: Is called once at most, when the kernel was asked to end; must not raise. None: there is nothing to do any more.
    """
    global _meantime  # noqa: PLW0603
    _meantime = work


def use_end() -> None:
    """Do what was to be done while a kernel ends; whoever ends one calls this."""
    global _meantime
    work, _meantime = _meantime, None
    if work is not None:
        work()
