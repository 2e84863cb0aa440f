"""The project's lock: one holder, named to whoever waits, released by death."""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from nbops.errors import LockedError
from nbops.workflow.lock import LOCK_FILE, holder, project_lock


def lock(root: Path, *, on_lock="fail", say=print, stopped=lambda: False):
    at = "2026-01-01T00:00:00Z"
    return project_lock(root, command="ploomber build", started_at=at, on_lock=on_lock, say=say, stopped=stopped)


def _hold(root: Path, ready, go) -> None:
    with lock(root):
        ready.set()
        go.wait(60)


@pytest.fixture
def held(tmp_path):
    context = multiprocessing.get_context("fork")
    ready, go = context.Event(), context.Event()
    process = context.Process(target=_hold, args=(tmp_path, ready, go))
    process.start()
    assert ready.wait(20)
    yield tmp_path, process, go
    process.kill()  # an event that a killed process waited on cannot be set any more
    process.join(60)


def test_a_second_build_fails_fast_and_names_the_holder(held):
    root, process, _ = held
    assert f"process {process.pid}" in holder(root)
    with pytest.raises(LockedError, match=rf"process {process.pid} on .*on_lock"), lock(root):
        pass


def test_a_second_build_waits_and_says_for_whom(held):
    root, process, go = held
    said: list[str] = []

    def say(text: str) -> None:
        said.append(text)
        go.set()

    with lock(root, on_lock="wait", say=say):
        assert len(said) == 1
        assert f"process {process.pid}" in said[0]


def test_waiting_can_be_stopped(held):
    root, _, _ = held
    waiting = lock(root, on_lock="wait", say=lambda _: None, stopped=lambda: True)
    with pytest.raises(LockedError, match="stopped while waiting"), waiting:
        pass


def test_a_killed_holder_leaves_no_lock(held):
    root, process, _ = held
    os.kill(process.pid, signal.SIGKILL)
    process.join(60)
    assert holder(root) is None
    with lock(root):
        assert holder(root) is not None


def test_a_broken_lock_file_is_no_obstacle(tmp_path):
    (tmp_path / LOCK_FILE).parent.mkdir()
    (tmp_path / LOCK_FILE).write_bytes(b"\xff\x00 nonsense")
    assert holder(tmp_path) is None
    with lock(tmp_path), pytest.raises(LockedError), lock(tmp_path):
        pass
