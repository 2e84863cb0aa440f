"""Building a range of partitions in order, each by a build in a process of its own.

What has a good run is passed over, so that a backfill that was stopped, or lost its machine, goes on where it was when the same
command is given again. Nothing is kept beside the ledgers.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nbops.workflow.progress import duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path
    from types import FrameType

    from nbops.workflow.partitions import Plan

__all__ = ["Backfilled", "backfill"]

_STOPPED = frozenset({130, 143, -signal.SIGINT, -signal.SIGTERM})
_TAIL = 15
"""Lines of a failed build that are shown."""
_PROGRAM = ("-c", "import sys; from nbops.cli import main; sys.argv[0] = 'nbops'; main()")


@dataclass(slots=True, kw_only=True)
class Backfilled:
    """How it went."""

    built: list[str] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)
    failed: dict[str, int] = field(default_factory=dict)
    """Partition to exit code."""
    left: list[str] = field(default_factory=list)
    """Not begun, since one before failed or it was stopped."""
    stopped: bool = False


def backfill(
    plan: Plan,
    *,
    root: Path,
    done: Mapping[str, str],
    keep_going: bool,
    verbose: bool,
    say: Callable[[str], None],
    build: Callable[[Sequence[str]], tuple[int, str]] | None = None,
) -> Backfilled:
    """Build what is not done.

    Args:
        plan: What to build.
        root: The project's root.
        done: Partitions that need not be built.
        keep_going: Go on after a partition that failed.
        verbose: Show what the builds print.
        say: Tells the user how far it is.
        build: Builds with some arguments and returns exit code and output; by default a process of ``nbops build``.
    """
    found = Backfilled()
    builder = _Builder(root, verbose=verbose)
    run = build or builder.build
    total, width = len(plan.values), len(str(len(plan.values)))
    for number, value in enumerate(plan.values, 1):
        head = f"[{number:>{width}}/{total}] {plan.name} {value}"
        if value in done:
            found.passed_over.append(value)
            say(f"{head}: has a good run ({done[value]})")
            continue
        started = time.monotonic()
        code, output = run(plan.arguments(value))
        took = duration(time.monotonic() - started)
        ahead = [item for item in plan.values[number:] if item not in done]
        if code == 0:
            found.built.append(value)
            say(f"{head}: built in {took}{f', {len(ahead)} to go' if ahead else ''}")
        if builder.stopped or code in _STOPPED:
            found.stopped = True
            found.left = [*([value] if code else []), *ahead]
            return found
        if code == 0:
            continue
        found.failed[value] = code
        say(f"{head}: FAILED after {took}")
        if output and not verbose:
            say("\n".join(f"    {line}" for line in output.rstrip().splitlines()[-_TAIL:]))
        if not keep_going:
            found.left = ahead
            return found
    return found


class _Builder:
    """Builds partitions, each in a process of its own.

    A signal that stops the command reaches the build too, which records what it did, and is waited for.
    """

    def __init__(self, root: Path, *, verbose: bool) -> None:
        self._root = root
        self._verbose = verbose
        self._process: subprocess.Popen[str] | None = None
        self.stopped = False

    def build(self, arguments: Sequence[str]) -> tuple[int, str]:
        """Build one partition; returns exit code and, unless that was shown, what was printed."""
        with self._listening():
            self._process = subprocess.Popen(
                [sys.executable, *_PROGRAM, "build", *arguments],
                cwd=self._root,
                stdout=None if self._verbose else subprocess.PIPE,
                stderr=None if self._verbose else subprocess.STDOUT,
                text=True,
                errors="replace",
            )
            output, _ = self._process.communicate()
        return self._process.returncode, output or ""

    def _stop(self, number: int, _: FrameType | None) -> None:
        """Pass a signal on; Ctrl-C on a terminal has reached the build already."""
        told = number == signal.SIGINT and sys.stdin is not None and sys.stdin.isatty()
        if self._process is not None and self._process.poll() is None and not told:
            self._process.send_signal(number)
        self.stopped = True

    @contextmanager
    def _listening(self) -> Iterator[None]:
        before = {number: signal.signal(number, self._stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
