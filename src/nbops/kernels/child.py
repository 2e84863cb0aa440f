"""What a forked process does to become a kernel like any other: a state of its own, then ipykernel."""

from __future__ import annotations

import atexit
import contextlib
import gc
import io
import os
import random
import resource
import signal
import sys
import tempfile
import threading
import time
from typing import Any

__all__ = ["run"]

_KEPT = frozenset({signal.SIGKILL, signal.SIGSTOP})


def run(
    request: dict[str, Any],
    *,
    link: int,
    streams: tuple[int, int],
    close: list[int],
    path: list[str],
    environment: dict[str, str],
    blas: Any,
    loaded: frozenset[str],
) -> int:
    """Run a kernel until it ends; called right after the fork.

    Args:
        request: What the task asked for: ``arguments``, ``folder``, ``limits`` and so on, see :mod:`nbops.kernels.client`.
        link: Descriptor of the connection to the task; it closes when the task is gone.
        streams: Descriptors for standard output and error.
        close: Descriptors of the server.
        path: ``sys.path``.
        environment: The kernel's variables.
        blas: What sets the threads of BLAS libraries, if any.
        loaded: Names of the modules that the server had loaded.

    Returns:
        The exit code.
    """
    os.setsid()
    _reset_signals(request["ignored"])
    _set_streams(streams, close=close)
    os.set_inheritable(link, False)  # noqa: FBT003 - its only parameter
    _set_limits(request)
    _set_environment(environment, folder=request["folder"])
    sys.path[:] = path
    sys.argv[:] = request["arguments"]
    sys.orig_argv[:] = request["command"]
    _forget()
    if blas is not None:
        blas.limit(limits=_blas_threads(environment))
    from nbops.kernels.app import run_app  # noqa: PLC0415 - imported ahead

    code = 0
    try:
        run_app(request["arguments"][1:], link=link)
    except SystemExit as error:
        code = _exit_code(error)
    _end(loaded)
    return code


def _reset_signals(ignored: list[int]) -> None:
    """Set what a new interpreter would have: what the task ignores stays ignored, as it does for every program."""
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals() - _KEPT:
        with contextlib.suppress(OSError, ValueError):
            signal.signal(number, signal.SIG_IGN if number in ignored else signal.SIG_DFL)
    if signal.SIGINT not in ignored:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in ("SIGPIPE", "SIGXFSZ"):
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _set_streams(streams: tuple[int, int], *, close: list[int]) -> None:
    """Put the task's output in place; standard input is a pipe without a writer, as jupyter_client gives to kernels."""
    reader, writer = os.pipe()
    os.dup2(reader, 0)
    os.dup2(streams[0], 1)
    os.dup2(streams[1], 2)
    for descriptor in {reader, writer, *streams, *close} - {0, 1, 2}:
        with contextlib.suppress(OSError):
            os.close(descriptor)


def _set_limits(request: dict[str, Any]) -> None:
    os.umask(request["umask"])
    for number, limits in request["limits"]:
        with contextlib.suppress(OSError, ValueError):  # what may not be raised again stays
            if resource.getrlimit(number) != tuple(limits):
                resource.setrlimit(number, tuple(limits))
    with contextlib.suppress(OSError):
        if (more := request["niceness"] - os.nice(0)) > 0:
            os.nice(more)
    with contextlib.suppress(OSError):
        if os.sched_getaffinity(0) != set(request["cores"]):
            os.sched_setaffinity(0, request["cores"])


def _set_environment(environment: dict[str, str], *, folder: str) -> None:
    os.chdir(folder)
    for name in os.environ.keys() - environment.keys():
        del os.environ[name]
    for name, value in environment.items():
        if os.environ.get(name) != value:
            os.environ[name] = value
    # ipykernel watches its parent by this; the server stands where the task would be
    os.environ["JPY_PARENT_PID"] = str(os.getppid())
    time.tzset()


def _forget() -> None:
    """Undo what modules found out in the server when they were imported."""
    random.seed()
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()
    tempfile.tempdir = None
    process = sys.modules.get("multiprocessing.process")
    if process is not None:
        current: Any = process.current_process()
        current._config["authkey"] = process.AuthenticationString(os.urandom(32))  # noqa: SLF001 - no public way to renew it
        process.ORIGINAL_DIR = os.getcwd()  # type: ignore[attr-defined]  # noqa: PTH109 - as the module itself does


def _blas_threads(environment: dict[str, str]) -> int:
    """Return the threads that OpenBLAS would start with: what its variables say, else one per core."""
    cores = len(os.sched_getaffinity(0))
    for name in ("OPENBLAS_NUM_THREADS", "GOTO_NUM_THREADS", "OMP_NUM_THREADS"):
        with contextlib.suppress(ValueError):
            count = int(environment.get(name, ""))
            if count > 0:
                return min(count, cores)
    return cores


def _exit_code(error: SystemExit) -> int:
    if error.code is None:
        return 0
    if isinstance(error.code, int):
        return error.code & 0xFF
    sys.stderr.write(f"{error.code}\n")
    return 1


def _end(before: frozenset[str]) -> None:
    """Do what the interpreter does at its end, but for what was there before the fork: that belongs to the server.

    Threads are waited for, ``atexit`` runs, the modules that the notebook imported are let go of (which closes files and
    databases), and what is written but not yet flushed is flushed.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # one that comes late is for a cell, not for what follows
    threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001 - what the interpreter itself calls
    atexit._run_exitfuncs()  # noqa: SLF001 - likewise
    for name in [name for name in sys.modules if name not in before]:
        with contextlib.suppress(KeyError):
            del sys.modules[name]
    gc.collect()
    for item in gc.get_objects():
        if isinstance(item, io.TextIOWrapper | io.BufferedWriter | io.BufferedRandom):
            with contextlib.suppress(Exception):
                item.flush()
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        with contextlib.suppress(Exception):
            stream.flush()  # type: ignore[union-attr]
