"""The parent's end of the process that profiles: starting it, asking it, limiting it, killing it."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from typing import IO, Any

__all__ = ["Worker"]

_MODULE = "nbops.quality._profile_worker"


class Worker:
    """A process that imports the profiler as soon as it is made, then answers one question after another.

    Raises:
        OSError: The process cannot be started.
    """

    def __init__(self) -> None:
        self._answers: queue.SimpleQueue[Mapping[str, Any] | None] = queue.SimpleQueue()
        self._late: float | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="nbops-profile-", ignore_cleanup_errors=True)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-W", "ignore", "-m", _MODULE],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # what libraries print there may hold values
                cwd=self._folder.name,  # `-m` looks here for modules first; a project's own random.py must not win
                env=_environment(),
                start_new_session=True,
            )
        except BaseException:
            self._folder.cleanup()
            raise
        assert self._process.stdin is not None  # noqa: S101  # for the type checker: both are pipes
        assert self._process.stdout is not None  # noqa: S101
        self._questions, self._lines = self._process.stdin, self._process.stdout
        self._thread = threading.Thread(target=self._read, args=(self._lines,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Kill the process with all it started, and clear up."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._thread.join()
        with contextlib.suppress(OSError):
            self._questions.close()
        self._lines.close()
        self._folder.cleanup()

    def ask(self, question: Mapping[str, Any], *, seconds: float) -> Mapping[str, Any] | None:
        """Send a question and return its answer, or None when the process ended or the time is up.

        Only asked when the process waits for a question, so that writing does not block.
        """
        try:
            self._questions.write(json.dumps(question).encode("ascii") + b"\n")
            self._questions.flush()
        except OSError:
            return None
        return self.answer(seconds)

    def answer(self, seconds: float) -> Mapping[str, Any] | None:
        """Return the next answer, or None when the process ended or the time is up."""
        try:
            return self._answers.get(timeout=seconds)
        except queue.Empty:
            self._late = seconds
            return None

    def fate(self) -> str:
        """Say why there was no answer."""
        if self._late is not None:
            return f"stopped after {self._late:g} s"
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = self._process.wait(timeout=5.0)
            return f"its process was killed by signal {-code}" if code < 0 else f"its process ended with code {code}"
        return "its process stopped answering"

    def _read(self, stream: IO[bytes]) -> None:
        with contextlib.suppress(ValueError, OSError):
            for line in stream:
                self._answers.put(json.loads(line))
        self._answers.put(None)


def _environment() -> dict[str, str]:
    """Return the process's environment: no call home, one thread, hashes of texts that do not change."""
    return {
        **os.environ,
        "YDATA_PROFILING_NO_ANALYTICS": "True",
        "YDATA_SUPPRESS_BANNER": "1",
        "PYTHONHASHSEED": "0",
        "PYTHONUTF8": "1",
        "MPLBACKEND": "agg",
        **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    }
