"""The parent's end of the process that profiles: starting it, asking it, hearing it, killing it. Nothing here waits unasked.

There is no thread: a build forks its tasks, and a thread of the parent could hold a lock at that moment, which the child would
then never get.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Protocol

__all__ = ["PARENT", "Process", "Worker"]

PARENT = "NBOPS_PROFILE_PARENT"
"""Environment variable that tells the process whose child it is."""
_MODULE = "nbops.quality._profile_worker"
_PIPE_BYTES = 1_048_576
"""So that the process need not wait for its parent to take a page (Linux; the most that a user may ask for)."""
_CHUNK = 262_144
_REAP_SECONDS = 5.0


class Process(Protocol):
    """A process that was forked elsewhere and runs ``nbops.quality._profile_forked``."""

    questions: IO[bytes]
    """Its input, not buffered."""
    answers: IO[bytes]
    """Its output, likewise."""

    @property
    def pid(self) -> int | None:
        """Its process id, once known."""

    def wait(self, seconds: float) -> int | None:
        """Return its exit code (negative: the signal that ended it), or None when that is not known after so many seconds."""

    def kill(self) -> None:
        """Kill it, and do not wait for its end."""

    def close(self) -> None:
        """Kill it, and close both pipes."""


class _Started:
    """A process that starts Python anew.

    Raises:
        OSError: It cannot be started.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="nbops-profile-", ignore_cleanup_errors=True)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-W", "ignore", "-m", _MODULE],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # what libraries print there may hold values
                bufsize=0,
                cwd=self._folder.name,  # `-m` looks here for modules first; a project's own random.py must not win
                env=environment,
                start_new_session=True,
            )
        except BaseException:
            self._folder.cleanup()
            raise
        assert self._process.stdin is not None  # noqa: S101  # for the type checker: both are pipes
        assert self._process.stdout is not None  # noqa: S101
        self.questions, self.answers = self._process.stdin, self._process.stdout

    @property
    def pid(self) -> int | None:
        return self._process.pid

    def wait(self, seconds: float) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(seconds)
        return None

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        self.kill()
        self.wait(_REAP_SECONDS)
        for pipe in (self.questions, self.answers):
            with contextlib.suppress(OSError):
                pipe.close()
        self._folder.cleanup()


class Worker:
    """A process that imports the profiler as soon as it is made, then answers one question after another.

    Args:
        bytecode: Folder for compiled modules where Python may not keep them beside the sources.
        forked: A process that was forked for this; None starts one.

    Raises:
        OSError: The process cannot be started.
    """

    def __init__(self, *, bytecode: Path | None = None, forked: Process | None = None) -> None:
        self.started = time.monotonic()
        self.ended = False
        """Nothing more will be heard."""
        self._unsent = bytearray()
        self._heard = bytearray()
        environment = _environment(bytecode)
        self.forked = forked is not None
        self._process: Process = forked if forked is not None else _Started(environment)
        self._questions, self._answers = self._process.questions, self._process.answers
        for pipe in (self._questions, self._answers):
            os.set_blocking(pipe.fileno(), False)
            with contextlib.suppress(OSError, AttributeError):
                fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        if self.forked:
            self.send({"environment": environment})

    @property
    def pid(self) -> int | None:
        """Id of the process, once known."""
        return self._process.pid

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when the process has said something or is gone."""
        return self._answers.fileno()

    def kill(self) -> None:
        """Kill the process with all it started, without waiting for its end."""
        self._process.kill()

    def close(self) -> None:
        """Kill the process with all it started, and clear up."""
        self._process.close()

    def send(self, question: Mapping[str, Any]) -> None:
        """Hand a question over; what the pipe does not take now goes with the next ``receive``."""
        self._unsent += json.dumps(question).encode("ascii") + b"\n"
        self._flush()

    def receive(self) -> list[Mapping[str, Any]]:
        """Return what the process has said since the last time."""
        self._flush()
        try:
            while chunk := os.read(self.fileno(), _CHUNK):
                self._heard += chunk
            self.ended = True
        except BlockingIOError:
            pass
        except OSError:
            self.ended = True
        *lines, self._heard = self._heard.split(b"\n")
        try:
            return [json.loads(line) for line in lines]
        except ValueError:  # something printed past all precautions: what else it says cannot be trusted
            self.ended = True
            return []

    def wait(self, seconds: float) -> None:
        """Return when there is something to ``receive``, or after so many seconds."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._answers, selectors.EVENT_READ)
            if self._unsent:
                selector.register(self._questions, selectors.EVENT_WRITE)
            selector.select(max(0.0, seconds))

    def fate(self) -> str:
        """Say why nothing more is heard, and whether it was killed."""
        code = self._process.wait(1.0)
        if code is None:
            return "its process stopped answering"
        return f"its process was killed by signal {-code}" if code < 0 else f"its process ended with code {code}"

    def _flush(self) -> None:
        try:
            while self._unsent:
                del self._unsent[: os.write(self._questions.fileno(), self._unsent[:_CHUNK])]
        except BlockingIOError:
            pass
        except OSError:  # it is gone, and reading will tell
            self._unsent.clear()


def _lacks_bytecode() -> bool:
    """Whether the profiler's libraries are compiled anew at each import, which takes three times as long as importing them.

    So it is in an environment that was installed without bytecode and is read-only, or with ``PYTHONDONTWRITEBYTECODE``.
    """
    spec = importlib.util.find_spec("pandas")
    if spec is None or spec.origin is None:
        return False
    compiled = Path(importlib.util.cache_from_source(spec.origin))
    writable = not sys.dont_write_bytecode and os.access(spec.origin, os.W_OK)
    return not writable and not compiled.exists()


def _environment(bytecode: Path | None) -> dict[str, str]:
    """Return the process's environment: no call home, one thread, hashes of texts that do not change."""
    environment = dict(os.environ)
    if bytecode is not None and _lacks_bytecode():
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        environment["PYTHONPYCACHEPREFIX"] = str(bytecode.absolute())
    return {
        **environment,
        PARENT: str(os.getpid()),
        "YDATA_PROFILING_NO_ANALYTICS": "True",
        "YDATA_SUPPRESS_BANNER": "1",
        "PYTHONHASHSEED": "0",
        "PYTHONUTF8": "1",
        "MPLBACKEND": "agg",
        **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    }
