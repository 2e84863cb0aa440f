"""Runs contestants in turn, each in a process of its own, and measures what the whole process tree took.

CPU seconds are user and system time of every process that the command started, directly or not: this process makes itself the
reaper of orphans (``PR_SET_CHILD_SUBREAPER``, Linux), reaps everything with ``wait4`` and adds up what the kernel says. A process
counts with those that it waited for itself, so nothing counts twice. What outlives the command is given a moment to end, then
killed, and counts too.

Memory is the larger of two figures: the sum of the proportional set sizes (PSS: a page that N processes share counts 1/N in
each) of the tree, sampled every 0.1 s (less often where a sample takes long), and the kernel's exact high-water mark of the
largest single process.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

__all__ = [
    "CPU",
    "LACKS",
    "MEMORY",
    "USAGE",
    "WALL",
    "WORK_CPU",
    "WORK_WALL",
    "Contestant",
    "Experiment",
    "Metric",
    "SkippedError",
    "Usage",
    "compare",
    "execute",
    "run_experiment",
]

_PR_SET_CHILD_SUBREAPER = 36
"""From linux/prctl.h."""
_SAMPLE_SECONDS = 0.1
_SAMPLE_DUTY = 20
"""A sample may take 1/20 of the time."""
_GRACE_SECONDS = 10.0
_FACTS = "@@facts "
"""A contestant may print one line of JSON behind this mark: what it found and what its work alone took."""
_TAIL = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A number that is taken from each run."""

    key: str
    label: str
    unit: str
    digits: int = 2


WALL = Metric(key="wall", label="wall", unit="s")
CPU = Metric(key="cpu", label="CPU", unit="CPU s")
MEMORY = Metric(key="memory", label="memory", unit="MB", digits=0)
USAGE = (CPU, WALL, MEMORY)
WORK_CPU = Metric(key="work_cpu", label="CPU without start and imports", unit="CPU s")
WORK_WALL = Metric(key="work_seconds", label="wall without start and imports", unit="s")


LACKS = "this nbops has no"
"""How the reason begins when the measured nbops, which may be an older one, lacks a command."""


class SkippedError(Exception):
    """A contestant cannot take part; the text says why, and is shown in the report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What one command took."""

    wall: float
    """Seconds until the command itself ended."""
    cpu: float
    """User and system seconds of the whole tree."""
    memory: float
    """Peak of the tree in megabytes (10**6 bytes)."""
    left_behind: int
    """Processes that had to be killed after the command had ended."""
    output: str
    facts: Mapping[str, Any]

    def values(self) -> dict[str, float]:
        """Return the figures by the keys of their metrics, with those that the command printed itself."""
        own = {key: float(value) for key, value in self.facts.items() if isinstance(value, int | float)}
        return {**own, "wall": self.wall, "cpu": self.cpu, "memory": self.memory}


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """Something that does the work of an experiment."""

    key: str
    label: str
    run: Callable[[int], Mapping[str, float]]
    """Does the work once, checks that it was done right, returns the metrics. Raises :class:`SkippedError`."""
    about: str = ""
    rounds: int | None = None
    """Takes part in the first so many rounds only; it is slow."""


@dataclass(slots=True, kw_only=True)
class Experiment:
    """The same work done by several contestants, round by round."""

    key: str
    title: str
    about: str
    baseline: str
    contestants: Sequence[Contestant]
    rounds: int
    metrics: tuple[Metric, ...] = USAGE
    samples: list[dict[str, Any]] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)


def execute(
    command: Sequence[str | Path],
    *,
    folder: Path,
    environment: Mapping[str, str],
    time_limit: float = 1_200.0,
    ok: Sequence[int] = (0,),
) -> Usage:
    """Run a command to its end and measure its process tree.

    Args:
        command: Program and arguments.
        folder: Working directory; what it prints goes to ``folder/../NAME.out``.
        environment: All of its environment.
        time_limit: Seconds after which it is killed.
        ok: Exit codes that count as success.

    Raises:
        SkippedError: It failed or took too long; the text ends with the last lines that it printed.
    """
    if ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError("prctl(PR_SET_CHILD_SUBREAPER) failed: the benchmarks need Linux.")
    printed = folder.parent / f"{folder.name}.out"
    with printed.open("wb") as out:
        start = time.perf_counter()
        process = subprocess.Popen(
            [os.fspath(part) for part in command],
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        tree = _Tree(process)
        ended = tree.watch(time_limit)
    wall = time.perf_counter() - start
    left_behind = tree.finish(kill_now=not ended)
    output = printed.read_text(encoding="utf-8", errors="replace")
    if not ended:
        raise SkippedError(f"did not end within {time_limit:.0f} s")
    if process.returncode not in ok:
        raise SkippedError(f"exit code {process.returncode}: {output[-_TAIL:].strip()}")
    return Usage(
        wall=wall, cpu=tree.cpu, memory=tree.peak_bytes / 1e6, left_behind=left_behind, output=output, facts=_facts(output)
    )


class _Tree:
    """The processes below this one, all of which descend from one command."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.cpu = 0.0
        self.peak_bytes = 0

    def watch(self, time_limit: float) -> bool:
        """Sample memory until the command ends; false when it did not within the limit."""
        deadline = time.monotonic() + time_limit
        descriptor = os.pidfd_open(self.process.pid)
        pause = _SAMPLE_SECONDS / 5
        try:
            while not select.select([descriptor], [], [], pause)[0]:
                began = time.perf_counter()
                self._sample()
                pause = max(_SAMPLE_SECONDS, _SAMPLE_DUTY * (time.perf_counter() - began))
                if time.monotonic() > deadline:
                    return False
        finally:
            os.close(descriptor)
        self._reap()
        return True

    def finish(self, *, kill_now: bool) -> int:
        """Reap what is left, after a moment or at once by force; return how many were killed."""
        deadline = time.monotonic() + (0.0 if kill_now else _GRACE_SECONDS)
        killed: set[int] = set()
        while True:
            self._reap()
            rest = psutil.Process().children(recursive=True)
            if not rest:
                return len(killed)
            if time.monotonic() >= deadline:
                for one in rest:
                    killed.add(one.pid)
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(one.pid, signal.SIGKILL)
            time.sleep(_SAMPLE_SECONDS / 5)

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
                if pid == 0:
                    return
                self.cpu += usage.ru_utime + usage.ru_stime
                self.peak_bytes = max(self.peak_bytes, usage.ru_maxrss * 1024)
                if pid == self.process.pid:
                    self.process.returncode = os.waitstatus_to_exitcode(status)

    def _sample(self) -> None:
        total = sum(_proportional_bytes(one.pid) for one in psutil.Process().children(recursive=True))
        self.peak_bytes = max(self.peak_bytes, total)


def _proportional_bytes(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_bytes().splitlines():
            if line.startswith(b"Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:  # it has just ended
        return 0
    return 0


def _facts(output: str) -> Mapping[str, Any]:
    lines = [line for line in output.splitlines() if line.startswith(_FACTS)]
    return json.loads(lines[-1][len(_FACTS) :]) if lines else {}


def run_experiment(experiment: Experiment, *, say: Callable[[str], None]) -> Experiment:
    """Run all rounds, A B C A B C, and keep what they gave. A contestant that fails is skipped from then on, with the reason."""
    for number in range(experiment.rounds):
        for one in experiment.contestants:
            if one.key in experiment.skipped or (one.rounds is not None and number >= one.rounds):
                continue
            try:
                values = dict(one.run(number))
            except SkippedError as error:
                experiment.skipped[one.key] = str(error)
                say(f"  {experiment.key} {one.key}: skipped: {str(error)[-600:]}")
                continue
            experiment.samples.append({"contestant": one.key, "round": number, "values": values})
            shown = "  ".join(
                f"{item.label} {values[item.key]:.{item.digits}f}" for item in experiment.metrics if item.key in values
            )
            say(f"  {experiment.key} round {number + 1}/{experiment.rounds} {one.key}: {shown}")
    return experiment


def compare(samples: Sequence[Mapping[str, Any]], *, of: str, against: str, metric: str) -> Mapping[str, Any] | None:
    """Compare two contestants pair by pair.

    Returns:
        ``medians`` of both, ``ratio`` of the medians, ``pairs`` (how many rounds both took part in) and ``pair_ratio``, the
        median of the ratios within each round; ``None`` when one has no figure.
    """
    mine = {sample["round"]: sample["values"][metric] for sample in samples if _is(sample, of, metric)}
    theirs = {sample["round"]: sample["values"][metric] for sample in samples if _is(sample, against, metric)}
    both = sorted(set(mine) & set(theirs))
    if not both or min(theirs.values()) <= 0:
        return None
    medians = (statistics.median(mine.values()), statistics.median(theirs.values()))
    return {
        "medians": medians,
        "ratio": medians[0] / medians[1],
        "pairs": len(both),
        "pair_ratio": statistics.median(mine[number] / theirs[number] for number in both),
    }


def _is(sample: Mapping[str, Any], contestant: str, metric: str) -> bool:
    return sample["contestant"] == contestant and metric in sample["values"]


def say(text: str) -> None:
    """Print progress at once."""
    print(text, file=sys.stderr, flush=True)
