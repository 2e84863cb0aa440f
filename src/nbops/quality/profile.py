"""Profiles: a ydata-profiling report for each dataset, made only when its content changed.

The statistics are ydata-profiling's, of a sample that is the same for the same data. The page is our own: equal data gives equal
bytes, no value is read as HTML, and it works offline, without scripts, in light and dark. Numbers of the whole dataset come
from the measurements that the run took anyway. Personal columns are never read.

All the work is done in one other process of low priority (the profiler takes seconds to import), which dies with this one, and is
killed and replaced when a profile takes too long.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbops.quality._profile_files import current, failed, is_current, plain, publish
from nbops.quality._profile_process import Process, Worker
from nbops.quality._profile_records import FORMATS, ProfileRequest, ProfileResult

__all__ = ["FORKED", "STYLESHEET", "ProfileRequest", "ProfileResult", "Profiler", "is_current", "profile_many"]

STYLESHEET = Path(__file__).parent / "templates" / "profile.css"
"""What pages look like; stands in each of them, or once for those that name a copy of it."""

FORKED = "nbops.quality._profile_forked"
"""Module whose ``run(questions, answers)`` makes profiles in a process that was forked."""

_START_SECONDS = 180.0
"""For importing the profiler, on a slow and busy machine."""
_FORKED_SECONDS = 60.0
"""For the same, when it is to be forked where much is imported already."""
_ATTEMPTS = 2
"""A process may die for a reason that has nothing to do with what it was asked."""


@dataclass(slots=True)
class _Job:
    """A request on its way."""

    request: ProfileRequest
    result: ProfileResult | None = None
    attempts: int = 0


class Profiler:
    """Makes profiles in one other process while the caller does something else.

    ``warm`` starts the process, which imports the profiler; ``submit`` hands a request over; ``poll``, called now and then, keeps
    things going; ``results`` returns a result for each request. Only ``results``, and ``poll`` when it is told to, wait for
    anything. Use it as a context manager: what it started ends with the block.

    It has no thread and takes no signal, so the caller may fork. The process ends with the thread that started it.

    Args:
        seconds: Time that one profile may take, once the profiler is imported.
        log: Told one line a profile, as soon as it is done.
        bytecode: Folder for compiled modules, such as ``~/.cache/nbops/bytecode``, used only where Python may not keep them
            beside the sources and would compile the profiler's libraries anew for each run.
        forked: Returns a process that was forked, to run ``FORKED``, from one that has imported pandas; None where there is none.
            It is asked once; when that process is gone, the next one is started anew.
    """

    def __init__(
        self,
        *,
        seconds: float = 120.0,
        log: Callable[[str], None] | None = None,
        bytecode: Path | None = None,
        forked: Callable[[], Process | None] | None = None,
    ) -> None:
        self._seconds = seconds
        self._log = log
        self._bytecode = bytecode
        self._forked = forked
        self._worker: Worker | None = None
        self._ready = False
        self._starts = 0
        self._broken: str | None = None
        self._jobs: list[_Job] = []
        self._queue: deque[_Job] = deque()
        self._current: _Job | None = None
        self._limit = 0.0

    def __enter__(self) -> Profiler:  # noqa: PYI034  # Self is in typing from 3.11 on
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    @property
    def pending(self) -> int:
        """Requests without a result so far."""
        return len(self._queue) + (self._current is not None)

    def fileno(self) -> int | None:
        """Return the descriptor that becomes readable when ``poll`` has something to do; None while there is no process."""
        return self._worker.fileno() if self._worker is not None else None

    def warm(self) -> None:
        """Start the process, so that it imports the profiler meanwhile; a failure shows when a profile is made."""
        if self._worker is None and self._broken is None:
            with contextlib.suppress(OSError):
                self._start()

    def submit(self, request: ProfileRequest) -> None:
        """Have a profile made, unless there is a current one. Returns at once.

        The data must stay as it is until the result is there; ``rows`` of the request is held against what was read.

        Args:
            request: What to profile.
        """
        job = _Job(request)
        self._jobs.append(job)
        if current(request):
            job.result = ProfileResult(dataset=request.dataset, status="current", output=request.output)
        elif request.format not in FORMATS:
            job.result = failed(request, f"a profile of {request.format!r} cannot be made. Allowed: {', '.join(FORMATS)}.")
        else:
            self._queue.append(job)
            self.poll()

    def poll(self, seconds: float = 0.0) -> None:
        """Take in what is finished and hand out what is next.

        Args:
            seconds: Wait at most so long for a profile to be finished; 0 does not wait.
        """
        before, until = self.pending, time.monotonic() + seconds
        while self.pending:
            if self._advance():
                continue
            left = until - time.monotonic()
            if left <= 0 or self.pending < before or self._worker is None:
                return
            self._worker.wait(min(left, self._limit - time.monotonic()))

    def results(self, seconds: float | None = None, *, waited: float = 0.0) -> tuple[ProfileResult, ...]:
        """Return a result for each request since the last time, in their order.

        Never raises because of data, the profiler or the disk: what went wrong is in the result. Where a profile failed, a page
        of older data is removed, since it would show what is no longer there, or is personal by now.

        Args:
            seconds: Wait at most so long; what is not finished then has failed. None waits as long as profiles may take.
            waited: Seconds that were waited before this call, which the reason of a failure tells of, too.
        """
        until = time.monotonic() + (float("inf") if seconds is None else seconds)
        self.poll()
        while self.pending and (left := until - time.monotonic()) > 0:
            self.poll(left)
        if self.pending:
            self._abandon(
                f"not finished in the {waited + (seconds or 0.0):g} s that are waited for profiles. The next build makes it."
            )
        jobs, self._jobs = self._jobs, []
        return tuple(job.result for job in jobs if job.result is not None)

    def dismiss(self) -> None:
        """Kill the process if it has nothing to do: nothing more will be asked. Only the end of the block waits for its end."""
        if self._worker is not None and not self.pending:
            self._worker.kill()

    def make(self, requests: Sequence[ProfileRequest]) -> tuple[ProfileResult, ...]:
        """Make the profiles that are not current, waiting for them; see ``results``.

        Args:
            requests: What to profile.

        Returns:
            A result for each request, in their order.
        """
        for request in requests:
            self.submit(request)
        return self.results()

    def _advance(self) -> bool:
        """Do one thing that needs no waiting; returns whether there was one."""
        if self._broken is not None:
            self._abandon(self._broken)
            return True
        if self._worker is None:
            return self._begin()
        heard = self._worker.receive()
        for message in heard:
            self._hear(message)
        if self._worker is None or heard:
            return True
        if self._worker.ended:
            self._lost(self._worker.fate(), again=True)
        elif time.monotonic() >= self._limit and (self._current is not None or not self._ready):
            self._lost(f"stopped after {self._seconds if self._ready else _START_SECONDS:g} s", again=False)
        elif self._ready and self._current is None and self._queue:
            self._ask(self._queue.popleft())
        else:
            return False
        return True

    def _begin(self) -> bool:
        try:
            self._start()
        except OSError as error:
            self._broken = f"the profiler cannot be started: {error.strerror}"
        return True

    def _start(self) -> None:
        take, self._forked = self._forked, None
        self._worker, self._ready = Worker(bytecode=self._bytecode, forked=take() if take is not None else None), False
        self._starts += not self._worker.forked
        self._limit = self._worker.started + (_FORKED_SECONDS if self._worker.forked else _START_SECONDS)

    def _ask(self, job: _Job) -> None:
        assert self._worker is not None  # noqa: S101  # for the type checker
        job.attempts += 1
        self._current, self._limit = job, time.monotonic() + self._seconds
        self._worker.send({"seconds": self._seconds, **plain(job.request)})

    def _hear(self, message: Mapping[str, Any]) -> None:
        if message["event"] == "ready":
            self._ready, self._starts, self._limit = True, 0, float("inf")
        elif message["event"] == "broken":
            self._broken = message["error"]
            self._stop()
        elif self._current is not None:
            job, self._current, self._limit = self._current, None, float("inf")
            self._done(job, publish(job.request, message))

    def _lost(self, fate: str, *, again: bool) -> None:
        """Do without a process that is gone or must go; the next request gets another one."""
        ready, job = self._ready, self._current
        forked = self._worker is not None and self._worker.forked
        self._current = None
        self._stop()
        if job is not None and again and job.attempts < _ATTEMPTS:
            self._queue.appendleft(job)
        elif job is not None:
            self._done(job, failed(job.request, f"{fate}. Raise profile_seconds or lower profile_rows in [tool.nbops]."))
        elif not ready and not forked and not (again and "signal" in fate and self._starts < _ATTEMPTS):
            self._broken = f"the profiler did not start: {fate}"

    def _done(self, job: _Job, result: ProfileResult) -> None:
        job.result = result
        if self._log is not None:
            self._log(_line(result))

    def _abandon(self, error: str) -> None:
        """Give up all that is not finished."""
        jobs = [*([self._current] if self._current is not None else []), *self._queue]
        self._current = None
        self._queue.clear()
        self._stop()
        for job in jobs:
            self._done(job, failed(job.request, error))

    def _stop(self) -> None:
        worker, self._worker, self._ready = self._worker, None, False
        if worker is not None:
            worker.close()


def profile_many(
    requests: Sequence[ProfileRequest],
    *,
    seconds: float = 120.0,
    log: Callable[[str], None] | None = None,
    bytecode: Path | None = None,
) -> tuple[ProfileResult, ...]:
    """Make the profiles that are not current, all in one process; none is started when there is nothing to make.

    Args:
        requests: What to profile.
        seconds: Time that one profile may take, once the profiler is imported.
        log: Told one line a profile.
        bytecode: As for ``Profiler``.

    Returns:
        A result for each request, in their order; see ``Profiler.make``.
    """
    with Profiler(seconds=seconds, log=log, bytecode=bytecode) as profiler:
        return profiler.make(requests)


def _line(result: ProfileResult) -> str:
    if result.status == "failed":
        return f"profile of {result.dataset} failed: {result.error}"
    sampled = f"{result.sampled or 0:,} of {result.rows or 0:,} rows"
    return f"profile of {result.dataset}: {sampled}, {(result.bytes or 0) / 1024:.0f} KB, {result.seconds or 0:.1f} s"
