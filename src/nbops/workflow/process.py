"""One attempt at a task, in a process of its own that can be timed, measured and killed.

The process is forked, so that the rendered pipeline need not be pickled and its imports are not paid again. What must not be
shared after a fork is made in the child: kernels, sockets, database connections.
"""

from __future__ import annotations

import contextlib
import copyreg
import multiprocessing
import os
import pickle
import signal
import sys
import time
import warnings
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import psutil

from nbops import kernels
from nbops.model import RunError
from nbops.workflow.failure import describe
from nbops.workflow.families import die_with_parent, going_on, lives, resident, those_of, tree, watch_for_death, with_children

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from multiprocessing.connection import Connection
    from pathlib import Path

__all__ = ["Outcome", "TaskProcess", "kill_all"]


# records hold read-only mappings, which pickle does not know
def _read_only(items: dict[Any, Any]) -> MappingProxyType[Any, Any]:
    return MappingProxyType(items)


copyreg.pickle(MappingProxyType, lambda mapping: (_read_only, (dict(mapping),)))

_SAMPLE_SECONDS = 0.25
_SAMPLE_SHARE = 0.1
"""Memory is sampled less often the longer a task runs, at most each ``_SAMPLE_MOST`` seconds."""
_SAMPLE_MOST = 1.0
_GRACE_SECONDS = 3.0
_STARTING_SECONDS = 0.25
_KERNEL = b"kernel "
"""How a message begins that names a kernel's process id and the monotonic time; a pickle begins otherwise."""
_BEGIN, _WITHDRAW = b"begin", b"withdraw"
_WAITS = b"waits"
"""What a process that was started early says when it is as far as it may go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How an attempt ended."""

    value: Any = None
    """What the work returned."""
    error: RunError | None = None
    seconds: float = 0.0
    peak_memory_bytes: int | None = None
    own_memory_bytes: int | None = None
    """The peak of what it held beside what it shared with the build's process since the fork."""


class TaskProcess:
    """A forked process that does some work and sends back what it returned.

    Args:
        work: Called in the child; what it returns must be picklable.
        environment: Variables set in the child.
        log: Where the child's standard output and error go.
        close: Descriptors that the child must not keep (the project's lock).
        time_limit: Seconds until the child is killed, or None.
        early: Start it before its turn: it waits, where it calls :func:`nbops.kernels.await_turn`, until :meth:`begin`, and its
            time counts from there.
        from_kernel: Its time counts from the start of its kernel: what kernels are forked from may still be importing, for all of
            the run's notebooks, and the first one is not to be charged for that.
    """

    def __init__(
        self,
        work: Callable[[], Any],
        *,
        environment: Mapping[str, str],
        log: Path,
        close: tuple[int, ...] = (),
        time_limit: float | None = None,
        early: bool = False,
        from_kernel: bool = False,
    ) -> None:
        context = multiprocessing.get_context("fork")
        self._receiver, sender = context.Pipe(duplex=False)
        self.started = time.monotonic()
        self._time_limit = time_limit
        self._from_kernel = from_kernel
        self._peak = 0
        self._own_peak = 0
        self._sampled = 0.0
        self._inherited = resident(os.getpid())
        self.memory = 0
        """Bytes that it held when it was last looked at, without what it shares with this process since the fork."""
        self._message: bytes | None = None
        self._kernels: list[psutil.Process] = []
        self._lost_kernel = False
        """A kernel that it told of was gone when this was read."""
        self._waits = not early
        turn: Connection | None = None
        self._turn: Connection | None = None
        if early:
            turn, self._turn = context.Pipe(duplex=False)
        self._process = context.Process(
            target=_child, args=(work, environment, log, close, sender, self._receiver, turn, os.getpid())
        )
        sys.stdout.flush()
        sys.stderr.flush()
        with warnings.catch_warnings():
            # Python 3.12 warns of forking with threads: those that libraries keep (BLAS) are not used by the child
            warnings.simplefilter("ignore", DeprecationWarning)
            self._process.start()
        sender.close()
        if turn is not None:
            turn.close()
        self._death_watch = watch_for_death(self._process.pid)

    @property
    def pid(self) -> int | None:
        """The child's number."""
        return self._process.pid

    @property
    def events(self) -> tuple[Any, ...]:
        """What becomes readable when the child has sent its result or is gone."""
        # the sentinel is a pipe that what the child forked may hold open; a descriptor of the process itself tells in any case
        return (self._receiver, self._process.sentinel if self._death_watch is None else self._death_watch)

    @property
    def due(self) -> float:
        """Monotonic time at which ``poll`` is to be called although nothing happened: to measure, or for the time limit."""
        age = self._sampled - self.started
        sample = self._sampled + min(_SAMPLE_MOST, max(_SAMPLE_SECONDS, _SAMPLE_SHARE * age))
        return sample if self._time_limit is None else min(sample, self.started + self._time_limit)

    def poll(self) -> Outcome | None:
        """Return how the attempt ended, or None while it goes on; call it after an event, and when it is ``due``."""
        now = time.monotonic()
        if now >= self.due:
            self._sampled = now
            self._sample()
        while self._receiver.poll():
            if self._is_over():
                return self._finish()
        if not self._process.is_alive():
            while self._receiver.poll() and not self._is_over():  # sent since the look before, and then it ended
                pass
            return self._finish()
        if self._time_limit is not None and now - self.started > self._time_limit:
            self.kill()
            return self._ended(
                RunError(
                    kind="TimeLimit",
                    message=f"ran longer than its time limit of {self._time_limit:g} s and was stopped",
                    hint="Raise time_limit in [tool.nbops] (or for this task in [tool.nbops.tasks]), or make it faster.",
                )
            )
        return None

    def _is_over(self) -> bool:
        """Take one message: a kernel that was started, or the last one, which is what the work returned."""
        try:
            message = self._receiver.recv_bytes()
        except (EOFError, OSError):
            return True
        if message == _WAITS:
            self._waits = True
            return False
        if not message.startswith(_KERNEL):
            self._message = message
            return True
        pid, moment = message[len(_KERNEL) :].split()
        if self._from_kernel:
            self.started, self._from_kernel = float(moment), False
        try:
            self._kernels.append(psutil.Process(int(pid)))
        except psutil.Error:
            self._lost_kernel = True
        return False

    @property
    def has_kernel(self) -> bool:
        """Whether it has started a kernel, as far as :meth:`poll` knows."""
        return bool(self._kernels)

    @property
    def starting_until(self) -> float:
        """Monotonic time up to which one that was started early is to be left the core that it starts on; past once it waits."""
        return 0.0 if self._waits else self.started + _STARTING_SECONDS

    @property
    def said(self) -> Connection:
        """What becomes readable when one that was started early has something to say."""
        return self._receiver

    def hear(self) -> None:
        """Take in what one that was started early has said so far."""
        while self._receiver.poll():
            if self._is_over():
                self._waits = True  # it has ended, which is found when its turn comes
                return

    def begin(self) -> bool:
        """Tell a process that was started early that its turn has come; False when it is not as it was left, and of no use."""
        while self._receiver.poll():
            if self._is_over():
                return False
        if self._turn is None or self._message is not None or not self._process.is_alive():
            return False
        if self._lost_kernel or not all(lives(kernel) for kernel in self._kernels):
            return False
        self.started = time.monotonic()  # before the child is told: it may be quicker than what follows here
        try:
            self._turn.send_bytes(_BEGIN)
        except OSError:
            return False
        self._turn.close()
        self._turn = None
        return True

    def withdraw(self) -> None:
        """End a process that was started early and whose turn does not come: it clears up after itself, its kernel included."""
        if self._turn is not None:
            with contextlib.suppress(OSError):
                self._turn.send_bytes(_WITHDRAW)
            self._turn.close()
            self._turn = None
        while self._receiver.poll(_GRACE_SECONDS):
            if self._is_over():
                break
        kill_all([self])

    def family(self) -> list[psutil.Process]:
        """Return the child, all that it started, and its kernels: a forked one is no descendant of it; the child comes last."""
        found = [process for kernel in self._kernels for process in with_children(kernel)]
        return list(dict.fromkeys([*found, *with_children(self._process.pid)]))

    def _left(self) -> list[psutil.Process]:
        """Return what is left of a child that has sent its result: mostly nothing but itself, for its kernel has ended."""
        pids = [pid for kernel in self._kernels if lives(kernel) for pid in tree(kernel.pid)]
        found = []
        for pid in dict.fromkeys([*pids, *tree(self.pid)]):
            with contextlib.suppress(psutil.Error):
                found.append(psutil.Process(pid))
        return found

    def kill(self) -> None:
        """Stop the child and everything that it started: first asking, then not."""
        kill_all([self])

    def _sample(self) -> None:
        started = [pid for kernel in self._kernels if kernel.is_running() for pid in tree(kernel.pid)]
        family = dict.fromkeys([*tree(self._process.pid), *started])
        memory = [resident(pid) for pid in family]
        self._peak = max(self._peak, sum(memory[1:] or memory))
        if memory:
            self.memory = max(0, memory[0] - self._inherited) + sum(memory[1:])
            self._own_peak = max(self._own_peak, self.memory)

    def close(self) -> None:
        """Take note of the child's end, and let go of what tells of it."""
        self._process.join(_GRACE_SECONDS)
        self._close()

    def _close(self) -> None:
        self._receiver.close()
        if self._turn is not None:
            self._turn.close()
        if self._death_watch is not None:
            os.close(self._death_watch)
            self._death_watch = None

    def _finish(self) -> Outcome:
        told = (False, None, [], 0) if self._message is None else pickle.loads(self._message)  # noqa: S301 - our own child's
        ok, value, left, memory = told
        if not self._peak:  # it was over before it was ever looked at
            self._peak, self._own_peak = memory, max(0, memory - self._inherited)
        over = left is None
        family = self.family() if self._message is None else [*self._left(), *those_of(left or [])]
        if not over:
            self._process.join(_GRACE_SECONDS)
            if self._process.is_alive():
                self.kill()
        for orphan in family:
            # kernels and pools whose parent is gone; a child that is over is left to end by itself
            with contextlib.suppress(psutil.Error):
                if not over or orphan.pid != self.pid:
                    orphan.kill()
        if self._message is None:
            return self._ended(self._death())
        return self._ended(None, value) if ok else self._ended(value)

    def _ended(self, error: RunError | None, value: Any = None) -> Outcome:
        self._close()
        return Outcome(
            value=value,
            error=error,
            seconds=time.monotonic() - self.started,
            peak_memory_bytes=self._peak or None,
            own_memory_bytes=self._own_peak or None,
        )

    def _death(self) -> RunError:
        code = self._process.exitcode
        if code is not None and code < 0:
            name = signal.Signals(-code).name
            memory = f" It used {self._peak / 1e6:,.0f} MB at its peak." if self._peak else ""
            if -code == signal.SIGKILL:
                return RunError(
                    kind="Killed",
                    message=f"the task's process was killed (SIGKILL), most often by the system for want of memory.{memory}",
                    hint="Give it less data or more memory; `dmesg` tells whether the system killed it.",
                )
            return RunError(kind="Killed", message=f"the task's process died of {name}.{memory}")
        return RunError(kind="Exited", message=f"the task ended its own process (exit code {code}) before it was done")


def kill_all(processes: Sequence[TaskProcess]) -> None:
    """Stop several children and everything that they started, all at the same time: first asking, then not."""
    victims = [victim for process in processes for victim in process.family()]
    for victim in victims:
        with contextlib.suppress(psutil.Error):
            victim.terminate()
    _, alive = psutil.wait_procs(victims, timeout=_GRACE_SECONDS)
    for victim in alive:
        with contextlib.suppress(psutil.Error):
            victim.kill()
    for process in processes:
        process.close()


def _child(  # noqa: PLR0917 - handed over by multiprocessing
    work: Callable[[], Any],
    environment: Mapping[str, str],
    log: Path,
    close: tuple[int, ...],
    sender: Connection,
    receiver: Connection,
    turn: Connection | None,
    parent: int,
) -> None:
    os.setsid()
    die_with_parent(parent)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.set_wakeup_fd(-1)
    receiver.close()
    for descriptor in close:
        with contextlib.suppress(OSError):
            os.close(descriptor)
    log.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    # the parent's stream objects may be replaced or hold unwritten text; these live as long as the process
    sys.stdin = os.fdopen(0, "r", encoding="utf-8", closefd=False)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)
    os.environ.update(environment)
    kernels.observe(lambda pid: sender.send_bytes(_KERNEL + f"{pid} {time.monotonic()}".encode()))
    kernels.hold(None if turn is None else partial(_wait_for, turn, sender))
    try:
        message = _result(ok=True, value=work())
    except BaseException as error:  # noqa: BLE001 - also SystemExit and KeyboardInterrupt of the user's code
        message = _result(ok=False, value=describe(error))
    with contextlib.suppress(OSError):
        sender.send_bytes(message)
    sender.close()
    if going_on() is None:
        os._exit(0)  # nobody waits for it, and what multiprocessing would look after is not there


def _result(*, ok: bool, value: Any) -> bytes:
    """Return what is sent: the result, what else goes on (where that is None, the end need not be awaited), resident bytes."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    return pickle.dumps((ok, value, going_on(), resident(os.getpid())))


def _wait_for(turn: Connection, sender: Connection) -> None:
    sender.send_bytes(_WAITS)
    if turn.recv_bytes() != _BEGIN:
        raise SystemExit("its turn does not come")  # no Exception: what catches those would report a failure
    turn.close()
