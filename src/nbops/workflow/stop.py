"""SIGINT and SIGTERM during a build: noted at once, acted on between steps, so that no step is torn."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import FrameType, TracebackType

    from typing_extensions import Self

__all__ = ["StopSignals"]

_EXIT_BASE = 128


class StopSignals:
    """Context manager that notes signals instead of letting them break what is going on."""

    def __init__(self) -> None:
        self.received: int | None = None
        self._before: dict[int, Any] = {}
        self._wakeup_before = -1
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                self._before[number] = signal.signal(number, self._note)
            self._wakeup_before = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._before:
            signal.set_wakeup_fd(self._wakeup_before)
        for number, before in self._before.items():
            signal.signal(number, before)
        os.close(self._reader)
        os.close(self._writer)

    def fileno(self) -> int:
        """Return a descriptor that becomes readable when a signal arrives, for those who wait for events."""
        return self._reader

    def drain(self) -> None:
        """Read what signals wrote, so that the descriptor tells of the next ones (SIGCHLD and others write too)."""
        with suppress(BlockingIOError):
            while os.read(self._reader, 512):
                pass

    def _note(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the signature of handlers
        self.received = number

    def stopped(self) -> bool:
        """Return whether the user (or the system) asked to stop."""
        return self.received is not None

    @property
    def name(self) -> str:
        """Name of the signal received, e.g. ``SIGTERM``."""
        return signal.Signals(self.received).name if self.received is not None else ""

    @property
    def exit_code(self) -> int:
        """Exit code by the shell's convention: 128 and the signal's number."""
        return _EXIT_BASE + (self.received or 0)
