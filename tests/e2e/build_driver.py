"""Real `ploomber` command lines at the price of a fork.

Importing Ploomber costs ten CPU seconds. A server process pays that once; each command line is then run in a fork of it: one
process more, with its own working directory, environment, modules, signals and exit code, in which Ploomber's own entry point
parses the arguments. What happens when ``nbops.attach`` is looked up still happens in the fork, as it does in a fresh process.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

__all__ = ["Build", "Driver"]

_POLL_SECONDS = 0.02
_START_SECONDS = 300.0
_PRELOADED = (
    "ploomber_cli.cli",
    "ploomber.cli",
    "ploomber.spec",
    "papermill.engines",
    "nbclient",
    "jupyter_client.manager",
    "jupytext",
    "nbconvert",
    "pandas",
    "duckdb",
    "pyarrow",
    "sqlalchemy.dialects.sqlite",
    "git",
    "nbops.adapters.ploomber",
    "nbops.workflow.schedule",
    "nbops.workflow.conclude",
)


@dataclass
class Build:
    """A command line that was started in a fork."""

    pid: int
    output: Path
    driver: Driver
    code: int | None = None

    def wait(self, timeout: float = 300.0) -> int:
        """Return the exit code (negative: the signal that ended it)."""
        deadline = time.monotonic() + timeout
        while self.code is None:
            if time.monotonic() > deadline:
                raise TimeoutError(f"process {self.pid} still runs after {timeout:g} s:\n{self.text()}")
            self.driver.pump(_POLL_SECONDS * 5)
        return self.code

    def running(self) -> bool:
        """Return whether it has not ended yet."""
        self.driver.pump(0)
        return self.code is None

    def text(self) -> str:
        """Return what it printed up to now, standard output and error together."""
        return self.output.read_text(encoding="utf-8", errors="replace") if self.output.exists() else ""

    def wait_for(self, text: str, timeout: float = 120.0) -> str:
        """Wait until it has printed some text; returns all that it printed."""
        deadline = time.monotonic() + timeout
        while text not in (printed := self.text()):
            if not self.running():
                raise AssertionError(f"ended with {self.code} without printing {text!r}:\n{self.text()}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"{text!r} was not printed within {timeout:g} s:\n{printed}")
            time.sleep(_POLL_SECONDS)
        return printed


@dataclass
class Driver:
    """The server process, seen from the tests."""

    folder: str = field(default_factory=lambda: tempfile.mkdtemp(prefix="nbops-e2e-"))
    """Where the output of builds may be kept."""
    _process: subprocess.Popen[bytes] | None = None
    _builds: dict[int, Build] = field(default_factory=dict)
    _buffer: bytes = b""
    _started: list[int] = field(default_factory=list)
    _errors: IO[bytes] = field(default_factory=tempfile.TemporaryFile)

    def open(self) -> None:
        """Start the server and wait until everything is imported."""
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
        environment["PYTHONDONTWRITEBYTECODE"] = "1"  # read when the server starts; it keeps the projects' folders clean
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).resolve())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=environment,
            start_new_session=True,  # a Ctrl-C is for the tests, which then end it
        )
        deadline = time.monotonic() + _START_SECONDS
        while not self._started:
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError(f"the build server did not start: {self._last_words()}")
            self.pump(_POLL_SECONDS * 5)
        self._started.clear()

    def close(self) -> None:
        """End the server."""
        if self._process is not None:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
            self._process.wait(30)
            self._process.stdout.close()
            self._process = None
        self._errors.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _last_words(self) -> str:
        assert self._process is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        self._errors.seek(0)
        return f"{self._process.poll()} {self._errors.read().decode(errors='replace')}"

    def kill(self, pid: int) -> None:
        """Kill a build of this server (-9); nothing when it has ended, whoever has its number by now."""
        self._send({"kill": pid})

    def _send(self, request: Mapping[str, Any]) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()

    def start(
        self,
        arguments: Sequence[str],
        *,
        folder: Path,
        output: Path,
        environment: Mapping[str, str] | None = None,
        before: str = "",
    ) -> Build:
        """Start ``ploomber ARGUMENTS`` in a folder.

        Args:
            arguments: What follows ``ploomber`` on the command line.
            folder: Working directory.
            output: File that standard output and error go to.
            environment: Variables added to this process's own.
            before: Python code that is run first, in the process of the build.
        """
        if self._process is None:
            self.open()
        request = {
            "arguments": list(arguments),
            "folder": str(folder),
            "output": str(output),
            "environment": {**os.environ, **(environment or {})},
            "before": before,
        }
        self._send(request)
        while not self._started:
            self.pump(1.0)
        build = Build(pid=self._started.pop(0), output=output, driver=self)
        self._builds[build.pid] = build
        return build

    def pump(self, timeout: float) -> None:
        """Read what the server has to say, waiting at most ``timeout`` seconds for it."""
        assert self._process is not None
        assert self._process.stdout is not None
        handle = self._process.stdout.fileno()
        while select.select([handle], [], [], timeout)[0]:
            block = os.read(handle, 65536)
            if not block:
                raise RuntimeError(f"the build server is gone: {self._last_words()}")
            self._buffer += block
            timeout = 0
            *lines, self._buffer = self._buffer.split(b"\n")
            for line in lines:
                self._hear(json.loads(line))

    def _hear(self, event: Mapping[str, Any]) -> None:
        if event["event"] == "exit":
            self._builds.pop(event["pid"]).code = event["code"]
        else:
            self._started.append(event["pid"])


def serve() -> None:
    """Be the server: import everything once, then fork for each request on standard input."""
    import importlib

    for module in _PRELOADED:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    answers = os.dup(1)
    _say(answers, {"event": "ready", "pid": 0})
    children: set[int] = set()
    buffer = b""
    while True:
        if select.select([0], [], [], _POLL_SECONDS if children else None)[0]:
            block = os.read(0, 65536)
            if not block:
                break
            *lines, buffer = (buffer + block).split(b"\n")
            for line in lines:
                _obey(json.loads(line), children, answers)
        for pid in list(children):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                children.discard(pid)
                _say(answers, {"event": "exit", "pid": pid, "code": os.waitstatus_to_exitcode(status)})
    for pid in children:
        os.kill(pid, signal.SIGKILL)


def _obey(request: Mapping[str, Any], children: set[int], answers: int) -> None:
    if "kill" in request:
        if request["kill"] in children:  # not reaped yet, so the number is still its own
            os.kill(request["kill"], signal.SIGKILL)
        return
    pid = os.fork()
    if pid == 0:
        os.close(answers)
        _run(request)
    children.add(pid)
    _say(answers, {"event": "started", "pid": pid})


def _say(handle: int, event: Mapping[str, Any]) -> None:
    os.write(handle, json.dumps(event).encode() + b"\n")


def _run(request: Mapping[str, Any]) -> None:
    """Run the command line in this fork; does not return."""
    code = 1
    try:
        os.setsid()
        null = os.open(os.devnull, os.O_RDONLY)
        printed = os.open(request["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(null, 0)
        os.dup2(printed, 1)
        os.dup2(printed, 2)
        os.close(null)
        os.close(printed)
        os.environ.clear()
        os.environ.update(request["environment"])
        os.chdir(request["folder"])
        sys.argv = ["ploomber", *request["arguments"]]
        # a console script's own folder comes first on the path, never the working directory
        sys.path[0] = str(Path(sys.executable).parent)
        if request["before"]:
            exec(compile(request["before"], "before", "exec"), {})
        from ploomber_cli.cli import cmd_router

        cmd_router()
        code = 0
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 1
        if isinstance(stop.code, str):
            sys.stderr.write(stop.code + "\n")
    except KeyboardInterrupt:
        traceback.print_exc()
        code = 130
    except BaseException:  # noqa: BLE001 - printed, as the interpreter would
        traceback.print_exc()
    finally:
        with contextlib.suppress(BaseException):
            atexit._run_exitfuncs()
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    serve()
