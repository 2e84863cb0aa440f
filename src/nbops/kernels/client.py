"""A task's side: ask for a kernel, and hold it like a process of one's own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbops.kernels import wire
from nbops.kernels.sessions import kill_session

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["ForkedProcess", "NotForked", "fork_kernel", "kernel_arguments"]

_LAUNCHERS = frozenset({"ipykernel_launcher", "ipykernel"})
_LOST = -signal.SIGKILL
"""Exit code of a kernel whose end nobody saw: the server was gone too."""


class NotForked(Exception):  # noqa: N818 - an answer, not an error
    """The kernel cannot be forked; it is to be started the ordinary way."""


class ForkedProcess:
    """A kernel that was forked elsewhere, with the methods of :class:`subprocess.Popen` that jupyter_client uses."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int, connection: socket.socket) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._connection = connection

    def poll(self) -> int | None:
        """Return the exit code (negative: the signal that ended it), or None while it runs."""
        if self.returncode is not None:
            return self.returncode
        try:
            message, _ = wire.receive(self._connection)
        except BlockingIOError:
            return None if self._exists() else self._ended(_LOST)
        except (OSError, ValueError):
            message = None
        if message is None:
            return self._ended(_LOST)
        return self._ended(int(message["code"]), swept=True)

    def _exists(self) -> bool:
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return select.select([self._connection], [], [], 0)[0] != []  # it has just been reported
        except OSError:
            pass
        return True

    def _ended(self, code: int, *, swept: bool = False) -> int:
        """Note the end; ``swept``: who tells of it has killed what was left of the session before."""
        self.returncode = code
        self._connection.close()
        if not swept:
            kill_session(self.pid)
        return code

    async def ended(self, seconds: float) -> None:
        """Return when the process has ended, or after ``seconds``."""
        if self.returncode is not None:
            return
        loop = asyncio.get_running_loop()
        readable = asyncio.Event()
        loop.add_reader(self._connection, readable.set)
        try:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(readable.wait(), seconds)
        finally:
            loop.remove_reader(self._connection)

    def wait(self, timeout: float | None = None) -> int:
        """Wait until the process has ended; return its exit code.

        Raises:
            subprocess.TimeoutExpired: It has not, after ``timeout`` seconds.
        """
        until = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            left = None if until is None else until - time.monotonic()
            if left is not None and left <= 0:
                raise subprocess.TimeoutExpired("kernel", timeout or 0.0)
            select.select([self._connection], [], [], 1.0 if left is None else min(left, 1.0))
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal to the process, when it has not ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)


def kernel_arguments(command: Sequence[str]) -> list[str] | None:
    """Return what a command passes to ipykernel, or None when it starts anything else than this environment's ipykernel.

    Args:
        command: A kernel's command line; an interpreter with options of its own is something else.
    """
    if len(command) < 3 or command[1] != "-m" or command[2] not in _LAUNCHERS:  # noqa: PLR2004
        return None
    return list(command[3:]) if _same_interpreter(command[0]) else None


def _same_interpreter(program: str) -> bool:
    """Links are followed for the file, but not for its folder: environments link to one common interpreter."""
    ours, theirs = Path(sys.executable), Path(program)
    try:
        return ours == theirs or (ours.parent.resolve() == theirs.parent.resolve() and ours.resolve() == theirs.resolve())
    except OSError:
        return False


def fork_kernel(
    address: str, command: Sequence[str], *, environment: Mapping[str, str], folder: str, streams: tuple[int, int]
) -> ForkedProcess:
    """Ask the server for a kernel.

    Args:
        address: The server's socket.
        command: The kernel's command line, as it would be started in the ordinary way.
        environment: All of its variables.
        folder: Where it starts.
        streams: Descriptors for its standard output and error.

    Raises:
        NotForked: It must be started in the ordinary way; says why.
    """
    arguments = kernel_arguments(command)
    if arguments is None:
        raise NotForked("it is not this environment's ipykernel")
    if not os.path.isdir(folder):  # noqa: PTH112 - as it is given
        raise NotForked("its folder is missing")
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    request = wire.memory_file("kernel", _request(command, arguments, environment=environment, folder=folder))
    try:
        connection.settimeout(wire.HANDSHAKE_SECONDS)
        connection.connect(address)
        wire.send(connection, {"fork": 1}, (request, *streams))
        answer, _ = wire.receive(connection)
    except (OSError, ValueError) as error:
        connection.close()
        raise NotForked(f"the process that forks kernels does not answer: {error}") from error
    finally:
        os.close(request)
    if answer is None or "pid" not in answer:
        connection.close()
        raise NotForked(str((answer or {}).get("cold", "the process that forks kernels is gone")))
    connection.settimeout(0)
    return ForkedProcess(int(answer["pid"]), connection)


def _request(command: Sequence[str], arguments: list[str], *, environment: Mapping[str, str], folder: str) -> dict[str, Any]:
    return {
        "command": list(command),
        "arguments": [_launcher(), *arguments],
        "environment": dict(environment),
        "folder": os.path.abspath(folder),  # noqa: PTH100 - links stay as they are
        "path": [os.path.abspath(entry) for entry in environment.get("PYTHONPATH", "").split(os.pathsep) if entry],  # noqa: PTH100
        "umask": _umask(),
        "limits": [(number, resource.getrlimit(number)) for number in _limit_numbers()],
        "ignored": [int(number) for number in signal.valid_signals() if signal.getsignal(number) == signal.SIG_IGN],
        "niceness": os.nice(0),
        "cores": sorted(os.sched_getaffinity(0)),
    }


def _launcher() -> str:
    """Return the first of a kernel's arguments: the file that ``-m ipykernel_launcher`` runs."""
    import importlib.util  # noqa: PLC0415

    spec = importlib.util.find_spec("ipykernel_launcher")
    return str(spec.origin) if spec is not None else "ipykernel_launcher"


def _umask() -> int:
    """Return the umask. It can be read from the system without changing it, which would race with other threads."""
    with contextlib.suppress(OSError, StopIteration, ValueError):
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
        return int(next(line for line in lines if line.startswith("Umask:")).split()[1], 8)
    current = os.umask(0o077)
    os.umask(current)
    return current


def _limit_numbers() -> list[int]:
    return sorted({getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")})
