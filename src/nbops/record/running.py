"""Which runs are going on, and what becomes of those that were killed.

A run that goes on has a marker ``.nbops/running/<run_id>.json`` beside the project: process, host and when the process started,
so that a process id that was given to somebody else is not taken for it. The marker is local and never committed.
"""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import psutil

from nbops.errors import LedgerError
from nbops.model import Run, RunError
from nbops.record.store import ledger_path, newest_ids, read_run, replace_file, run_ids, write_run

__all__ = [
    "RunningProcess",
    "alive_here",
    "is_alive",
    "mark_interrupted",
    "read_running",
    "recover",
    "remove_running",
    "sweep_killed",
    "write_running",
]

_HALF_WRITTEN = re.compile(r"\..+\.[a-z0-9_]{8}\.tmp")
"""What :func:`nbops.record.store.replace_file` calls a file that is not in its place yet."""
_NEWEST = 50
"""Runs whose ledgers are looked at for one that was killed, besides those that left a marker."""
_CLOCK_TOLERANCE = 2.0  # seconds; the start of a process is derived from the boot time, which clocks may shift


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningProcess:
    """The process that works on a run."""

    run_id: str
    pid: int
    host: str
    process_started: float
    """Seconds since the epoch, as the operating system says."""


def _marker(state: Path, run_id: str) -> Path:
    ledger_path(state, run_id)  # refuses what is no id
    return state / "running" / f"{run_id}.json"


def write_running(state: Path, run_id: str) -> Path:
    """Note that this process works on a run.

    Args:
        state: The project's ``.nbops`` folder.
        run_id: The run.

    Returns:
        The marker.

    Raises:
        LedgerError: It could not be written.
    """
    process = psutil.Process()
    marker = RunningProcess(run_id=run_id, pid=process.pid, host=socket.gethostname(), process_started=process.create_time())
    path = _marker(state, run_id)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # after a loss of power no process is left, whether the marker is there or not
        replace_file(path, (json.dumps(asdict(marker), indent=2) + "\n").encode(), durable=False)
    except OSError as error:
        raise LedgerError(f"{path}: cannot be written: {error}. See that the folder can be written to.") from error
    return path


def read_running(state: Path, run_id: str) -> RunningProcess | None:
    """Return who works (or worked) on a run, None when nobody said so or the marker is damaged."""
    try:
        data: Any = json.loads(_marker(state, run_id).read_bytes())
        return RunningProcess(
            run_id=str(data["run_id"]),
            pid=int(data["pid"]),
            host=str(data["host"]),
            process_started=float(data["process_started"]),
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def remove_running(state: Path, run_id: str) -> None:
    """Forget who works on a run; that it was forgotten before is no error."""
    with suppress(OSError):
        _marker(state, run_id).unlink()


def is_alive(marker: RunningProcess) -> bool:
    """Say whether the process of a marker still runs.

    A marker of another host cannot be looked at and counts as gone: who asks holds the project's lock, so no build goes on.
    """
    if marker.host != socket.gethostname():
        return False
    try:
        process = psutil.Process(marker.pid)
        started = process.create_time()
        return abs(started - marker.process_started) <= _CLOCK_TOLERANCE and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True


def alive_here(state: Path) -> Callable[[Run], bool]:
    """Return the question that :func:`recover` asks of a run, answered from the markers in ``state``."""

    def alive(run: Run) -> bool:
        marker = read_running(state, run.id)
        return marker is not None and is_alive(marker)

    return alive


def mark_interrupted(
    reports: Path,
    run_id: str,
    *,
    message: str = "The process of this build was killed before it could finish (kill -9, out of memory, power).",
) -> Run:
    """Write into a run's ledger that it was interrupted.

    Args:
        reports: The project's ``reports`` folder.
        run_id: A run whose ledger says ``running``; one that has ended is returned as it is.
        message: What happened, for people.

    Returns:
        The run as its ledger now says.

    Raises:
        LedgerError: The ledger cannot be read or written.
    """
    run = read_run(reports, run_id)
    if run.status != "running":
        return run
    error = RunError(
        kind="Killed",
        message=message,
        hint="Build again: what had been published stays, the rest is run. `dmesg` or the system's log may say who killed it.",
    )
    ended = replace(
        run, status="interrupted", verdict="failed" if run.verdict == "failed" else "errored", errors=(*run.errors, error)
    )
    write_run(reports, ended)
    return ended


def recover(reports: Path, alive: Callable[[Run], bool], *, state: Path | None = None) -> list[Run]:
    """Mark all runs as interrupted that say ``running`` and whose process is gone.

    Args:
        reports: The project's ``reports`` folder.
        alive: Says whether a run still goes on; see :func:`alive_here`.
        state: The project's ``.nbops`` folder: only runs with a marker there and the newest are looked at; None: all.

    Returns:
        The runs that were marked, the oldest first. Ledgers that cannot be read are passed over.

    Raises:
        LedgerError: A ledger could not be written.
    """
    ids = run_ids(reports) if state is None else _looked_at(reports, state)
    ended: list[Run] = []
    for run_id in ids:
        try:
            run = read_run(reports, run_id)
        except LedgerError:
            continue
        if run.status == "running" and not alive(run):
            ended.append(mark_interrupted(reports, run_id))
    return ended


def _looked_at(reports: Path, state: Path) -> list[str]:
    """Return the runs that may say ``running``: the word stands in their ledgers."""
    marked = {path.stem for path in (state / "running").glob("*.json")}
    found = []
    for run_id in sorted({*islice(newest_ids(reports), _NEWEST), *marked}):
        with suppress(OSError, LedgerError):
            if b'"running"' in ledger_path(reports, run_id).read_bytes():
                found.append(run_id)
    return found


def sweep_killed(reports: Path, state: Path) -> None:
    """Remove what killed processes left behind: their markers, half-written files, folders of runs without a ledger.

    Call it while holding the project's lock, after :func:`recover`: nobody else writes reports then. Where nothing was killed
    since the last time, nothing is looked through.

    Args:
        reports: The project's ``reports`` folder.
        state: The project's ``.nbops`` folder.
    """
    dead = [path for path in (state / "running").glob("*.json") if _is_dead(state, path.stem)]
    if not dead:
        return
    for path in reports.rglob(".*.tmp"):
        if _HALF_WRITTEN.fullmatch(path.name):
            with suppress(OSError):
                path.unlink()
    for path in dead:
        with suppress(OSError):  # only what is empty by now
            ledger_path(reports, path.stem).parent.rmdir()
        with suppress(OSError):
            path.unlink()


def _is_dead(state: Path, run_id: str) -> bool:
    try:
        marker = read_running(state, run_id)
    except LedgerError:  # no marker of ours
        return False
    return marker is None or not is_alive(marker)
