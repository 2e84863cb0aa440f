"""SIGINT and SIGTERM during a build: noted at once, acted on between steps, so that no step is torn."""

from __future__ import annotations

import signal
import threading
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

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

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
