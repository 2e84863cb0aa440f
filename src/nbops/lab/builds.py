"""Builds started from JupyterLab: processes of their own, which go on when the server or the browser is gone.

What is known of one stands in ``.nbops/lab`` (``build.json``, ``build.log``), so that a server that was started anew finds it
again; whether a build goes on at all, whoever started it, the project's lock tells.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from nbops.errors import LockedError, PipelineError
from nbops.record.store import replace_file
from nbops.workflow.given import VARIABLE, written
from nbops.workflow.lock import LOCK_FILE, holder

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["BuildState", "Started", "read_log", "start_build", "state_of", "stop_build"]

_FOLDER = ".nbops/lab"
_TOLERANCE = 2.0  # seconds; a process' start is derived from the boot time, which clocks may shift
_MOST_LOG = 200_000  # bytes a request
_KEPT_BACK = ("JUPYTER_TOKEN", "JUPYTERHUB_API_TOKEN", "JPY_API_TOKEN", "JUPYTER_PASSWORD", VARIABLE)
_children: dict[Path, subprocess.Popen[bytes]] = {}
"""Builds that this server started: to learn how they ended, and to leave no zombies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A build that was started from JupyterLab."""

    id: str
    pid: int
    process_started: float
    """Seconds since the epoch, as the operating system says."""
    command: str
    began: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildState:
    """Whether a build of the project goes on, and what became of the last one that was started from JupyterLab."""

    running: bool
    who: str | None
    """Who builds, in words; None when nobody does."""
    mine: Started | None
    """The last one that was started from JupyterLab."""
    mine_running: bool
    exit_code: int | None
    """How that one ended; None while it runs, and when the server that started it is gone."""


def start_build(
    root: Path,
    *,
    pipeline: str | None = None,
    task: str | None = None,
    upstream: bool = False,
    downstream: bool = False,
    force: bool = False,
    parameters: Mapping[str, Any] | None = None,
) -> Started:
    """Start a build in a process of its own.

    Args:
        root: The project's root.
        pipeline: Another pipeline file than ``pipeline.yaml``, relative to the root.
        task: Build this task only; None builds all.
        upstream: And what it depends on.
        downstream: And what depends on it.
        force: Run what is up to date, too.
        parameters: What the task gets in place of what the pipeline gives it, in this build only.

    Raises:
        ConfigError: The parameters are too long.
        LockedError: The project is being built.
        PipelineError: The task's name is none that can stand on a command line.
    """
    if who := holder(root):
        raise LockedError(f"{who} is building this project; wait for it, or stop it.")
    if state_of(root).mine_running:
        raise LockedError("a build was started a moment ago; wait for it, or stop it.")
    arguments = ["build", *(["--force"] if force else [])]
    if pipeline is not None:
        arguments += ["--entry-point", pipeline]
    if task is not None:
        if not task or task.startswith("-") or "\0" in task:
            raise PipelineError(f"task {task[:60]!r}: no task is called so.")
        if upstream and downstream:
            raise PipelineError("a build goes up to a task or from it on, not both; build all.")
        only = [] if upstream else ["--skip-upstream"]
        arguments += ["--downstream", task] if downstream else ["--partially", task, *only]
    given = written({task: parameters} if task is not None and parameters else {})
    folder = root / _FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    ignore = root / ".nbops/.gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if name not in _KEPT_BACK and not name.startswith("JPY_")}
    if environment.get("MPLBACKEND", "").startswith("module://matplotlib_inline"):
        del environment[
            "MPLBACKEND"
        ]  # set by the kernel of the notebook that a build is started from; a build's tasks have their own
    with (folder / "build.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "nbops.cli", *arguments],
            cwd=root,
            env={**environment, **given, "PYTHONUNBUFFERED": "1", "NO_COLOR": "1"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C in the server's terminal, and the server's end, are not for it
        )
    now = datetime.now(timezone.utc)
    started = Started(
        id=f"{now:%Y%m%dT%H%M%S}-{process.pid}",
        pid=process.pid,
        process_started=psutil.Process(process.pid).create_time(),
        command=" ".join(["nbops", *arguments]),
        began=f"{now:%Y-%m-%dT%H:%M:%SZ}",
    )
    replace_file(folder / "build.json", json.dumps(asdict(started)).encode())
    _children[root] = process
    return started


def _read(root: Path) -> Started | None:
    try:
        data: Any = json.loads((root / _FOLDER / "build.json").read_bytes())
        return Started(
            id=str(data["id"]),
            pid=int(data["pid"]),
            process_started=float(data["process_started"]),
            command=str(data["command"]),
            began=str(data["began"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _process(started: Started) -> psutil.Process | None:
    """Return the process when it still runs; its id may have been given to somebody else."""
    try:
        process = psutil.Process(started.pid)
        same = abs(process.create_time() - started.process_started) <= _TOLERANCE
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.Error:
        return None


def state_of(root: Path) -> BuildState:
    """Return whether a build goes on, and what became of the last one that was started here."""
    child = _children.get(root)
    mine = _read(root)
    code = None
    if mine is not None and child is not None and child.pid == mine.pid:
        code = child.poll()
        alive = code is None  # a process whose threads still end is a zombie that cannot be waited for yet
    else:
        alive = mine is not None and _process(mine) is not None
        if child is not None:
            child.poll()  # no zombie is left
    who = holder(root)
    return BuildState(running=alive or who is not None, who=who, mine=mine, mine_running=alive, exit_code=code)


def stop_build(root: Path) -> bool:
    """Ask the build that goes on to stop, whoever started it, as Ctrl-C would; returns whether there was one.

    Raises:
        PermissionError: It is another user's.
    """
    mine = _read(root)
    process = _process(mine) if mine is not None else None
    if process is None and holder(root) is not None:
        process = _holding(root)
    if process is None:
        return False
    try:
        process.send_signal(signal.SIGINT)
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied as error:
        raise PermissionError("the build is another user's; ask them to stop it.") from error
    return True


def _holding(root: Path) -> psutil.Process | None:
    try:
        data: Any = json.loads((root / LOCK_FILE).read_bytes())
        return psutil.Process(int(data["pid"]))
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):
        return None


def read_log(root: Path, *, offset: int) -> tuple[str, int]:
    """Return what the last build printed from a byte on, and the byte to go on from.

    Args:
        root: The project's root.
        offset: Bytes that are known already; one beyond the end begins anew, since another build has begun.
    """
    try:
        with (root / _FOLDER / "build.log").open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            begin = offset if 0 <= offset <= size else 0
            log.seek(begin)
            data = log.read(_MOST_LOG)
    except OSError:
        return "", 0
    whole = data.rfind(b"\n") + 1 or len(data)  # a line at a time, so that no character is cut in two
    return data[:whole].decode("utf-8", "replace"), begin + whole
