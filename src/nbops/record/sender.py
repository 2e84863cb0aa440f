"""Sending beside a build: a process of its own works on an outbox, so that a slow or hostile receiver holds nothing up.

The build writes a byte to the process's standard input when there is something to send, and closes it at its end; the process
then has ``SECONDS`` more at most.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nbops.record.outbox import Outbox

__all__ = ["SECONDS", "Outcome", "Sender", "reason_of", "serve"]

SECONDS = 30.0
"""After its build has ended. A build waits less long."""
_RETRY_SECONDS = 10.0
_KILL_SECONDS = 1.0
_LONGEST_REASON = 300
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]*@|[?][^\s'\")]*")


def reason_of(error: BaseException) -> str:
    """Return what went wrong in a line, without credentials of addresses.

    >>> reason_of(OSError("cannot reach https://me:secret@example.org/x?token=abc"))
    'OSError: cannot reach https://example.org/x'
    """
    return _CREDENTIALS.sub("", " ".join(f"{type(error).__name__}: {error}".split()))[:_LONGEST_REASON]


@dataclass(slots=True)
class Outcome:
    """What became of an attempt to send."""

    sent: int = 0
    rejected: int = 0
    troubles: list[str] = field(default_factory=list)


class Sender:
    """The process, as its build has it. It is started when there is something to send.

    Args:
        module: What to run, with the project's root as its only argument.
        root: The project's root.
        folder: The process's working folder, which holds no modules.
    """

    def __init__(self, module: str, root: Path, folder: Path) -> None:
        self._module, self._root, self._folder = module, root, folder
        self._process: subprocess.Popen[bytes] | None = None

    def wake(self) -> None:
        """Say that there is something to send.

        Raises:
            OSError: The process cannot be started.
        """
        if self._process is None:
            self._process = self._started()
        with suppress(OSError, ValueError):  # it is gone: what it leaves is told at the end
            if self._process.stdin is not None:
                os.write(self._process.stdin.fileno(), b"\n")

    def end(self, seconds: float, *, kill: bool = True) -> None:
        """Let it finish.

        Args:
            seconds: To wait for it.
            kill: End it then; else it works on for ``SECONDS`` at most.
        """
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(OSError):
            if process.stdin is not None:
                process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
        if process.poll() is None and kill:
            with suppress(OSError):
                process.kill()
            with suppress(subprocess.TimeoutExpired):
                process.wait(_KILL_SECONDS)

    def _started(self) -> subprocess.Popen[bytes]:
        self._folder.mkdir(parents=True, exist_ok=True)
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", self._module, str(self._root)],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # what clients print there may hold values
            bufsize=0,
            cwd=self._folder,  # `-m` looks here for modules first; a project's own requests.py must not win
            start_new_session=True,
        )
        if process.stdin is not None:
            os.set_blocking(process.stdin.fileno(), False)
        return process


def serve(outbox: Outbox, once: Callable[[], bool]) -> None:
    """Work for one build, in the process: send whenever there is something to send, until the build has ended.

    Args:
        outbox: What is to be sent.
        once: Sends what waits; returns whether all went well. Called only while this process has the right to send.
    """
    with suppress(OSError):
        os.nice(10)
    _Work(outbox, once).run()


class _Work:
    def __init__(self, outbox: Outbox, once: Callable[[], bool]) -> None:
        self._outbox, self._send = outbox, once
        self._news, self._over = threading.Event(), threading.Event()

    def run(self) -> None:
        threading.Thread(target=self._listen, daemon=True).start()
        last = False
        while not last:
            # In this order: the end is told before the news of it, so that it is not missed.
            self._news.clear()
            last = self._over.is_set()
            if self._once():
                if not last:
                    self._news.wait()
            elif not last:
                # however much is new: after a failure nothing is tried for a while
                self._over.wait(_RETRY_SECONDS)

    def _once(self) -> bool:
        """Return whether nothing is left to be sent."""
        with self._outbox.sending() as mine:
            return mine and self._send()

    def _listen(self) -> None:
        with suppress(OSError):
            while os.read(0, 4096):
                self._news.set()
        self._over.set()
        self._news.set()
        timer = threading.Timer(SECONDS, os._exit, (3,))
        timer.daemon = True
        timer.start()
