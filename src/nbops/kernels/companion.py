"""The build's handle on a companion: a process forked where kernels are, which does other work with the same libraries.

It is forked when nothing but those libraries is loaded, so nothing of the notebooks' modules reaches it, and waits until it is
asked. It is killed together with the process that it was forked from, and so with the build.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbops.kernels.server import Server

__all__ = ["Companion"]

_LOOK_SECONDS = 0.05


class Companion:
    """A process to be asked and heard through pipes; its module's ``run(questions, answers)`` gets their other ends.

    Args:
        server: The build's handle on the process that forks it.
        questions: Descriptor to write to.
        answers: Descriptor to read from.
    """

    def __init__(self, server: Server, questions: int, answers: int) -> None:
        self.questions: IO[bytes] = os.fdopen(questions, "wb", buffering=0)
        self.answers: IO[bytes] = os.fdopen(answers, "rb", buffering=0)
        self.taken = False
        self._server = server
        self._pid: int | None = None
        self._handle: int | None = None
        self._code: int | None = None
        self._closed = False

    @classmethod
    def prepared(cls, server: Server) -> tuple[Companion, tuple[int, int]]:
        """Return the handle on a companion to be forked, and its own ends of the pipes, which the caller passes on and closes."""
        questions, ask = os.pipe()
        answers, answer = os.pipe()
        return cls(server, ask, answers), (questions, answer)

    @property
    def pid(self) -> int | None:
        """Its process id, as soon as it is known that it was forked."""
        self._server.hear()
        return self._pid

    @property
    def busy(self) -> bool:
        """Whether somebody may still want it."""
        return self.taken and not self._closed

    def told(self, message: dict[str, Any], descriptors: list[int]) -> None:
        """Take in what the process that forks says of it; other messages are none of it."""
        if "companion" in message and self._handle is None and descriptors:
            self._pid, self._handle = int(message["companion"]), descriptors.pop()
        elif "companion_code" in message:
            self._code = int(message["companion_code"])

    def kill(self) -> None:
        """Kill it, if it was forked; through a handle that never means another process."""
        self._server.hear()
        if self._handle is not None:
            with contextlib.suppress(OSError):
                signal.pidfd_send_signal(self._handle, signal.SIGKILL)

    def wait(self, seconds: float) -> int | None:
        """Return its exit code (negative: the signal that ended it), or None when that is not known after so many seconds."""
        until = time.monotonic() + seconds
        while self._code is None and (left := until - time.monotonic()) > 0 and self._server.alive():
            self._server.hear(min(left, _LOOK_SECONDS))
        self._server.hear()
        return self._code

    def gone(self, seconds: float) -> bool:
        """Return whether it runs no more, after at most so many seconds; one that was never forked does not run."""
        return self._handle is None or bool(select.select([self._handle], [], [], seconds)[0])

    def close(self) -> None:
        """Kill it, and the process that it was forked from if that stayed for it only."""
        if self._closed:
            return
        self.kill()
        self._closed = True
        self.gone(_LOOK_SECONDS * 100)
        for pipe in (self.questions, self.answers):
            with contextlib.suppress(OSError):
                pipe.close()
        if self._handle is not None:
            os.close(self._handle)
        self._handle = None
        self._server.released()
