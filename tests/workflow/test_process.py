"""A task's own process: results, exceptions, death, time limits, nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from multiprocessing.connection import wait

import psutil
import pytest

from nbops.workflow.process import Outcome, TaskProcess, kill_all


def finish(process: TaskProcess) -> Outcome:
    while (outcome := process.poll()) is None:
        time.sleep(0.01)
    return outcome


@pytest.fixture
def run(tmp_path):
    def start(work, **options) -> Outcome:
        return finish(TaskProcess(work, environment={"NBOPS_TEST": "set"}, log=tmp_path / "log.txt", **options))

    return start


def test_the_value_comes_back_and_output_goes_to_the_log(run, tmp_path):
    def work():
        print("to the log")  # noqa: T201
        os.write(2, b"from below Python\n")
        return {"pid": os.getpid(), "variable": os.environ["NBOPS_TEST"], "stdin": sys.stdin.read()}

    outcome = run(work)
    assert outcome.error is None
    assert outcome.value["pid"] != os.getpid()
    assert outcome.value["variable"] == "set"
    assert outcome.value["stdin"] == ""
    assert "NBOPS_TEST" not in os.environ
    assert {"to the log", "from below Python"} <= set((tmp_path / "log.txt").read_text().splitlines())


def test_an_exception_comes_back_as_an_error(run):
    def work():
        raise ValueError("no such <b>column</b>")

    error = run(work).error
    assert (error.kind, error.message) == ("ValueError", "no such <b>column</b>")
    assert "in work" in error.traceback


@pytest.mark.parametrize(
    ("work", "kind", "said"),
    [
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "Killed", "for want of memory"),
        (lambda: os.kill(os.getpid(), signal.SIGSEGV), "Killed", "SIGSEGV"),
        (lambda: os._exit(7), "Exited", "exit code 7"),
        (lambda: sys.exit(3), "Exited", "exit(3)"),
    ],
)
def test_death_is_reported_and_never_a_hang(run, work, kind, said):
    error = run(work).error
    assert error.kind == kind
    assert said in error.message


def test_a_time_limit_ends_the_task_and_all_that_it_started(run, tmp_path):
    marker = tmp_path / "pid"

    def work():
        child = subprocess.Popen(["sleep", "600"], start_new_session=True)
        marker.write_text(str(child.pid))
        child.wait()

    error = run(work, time_limit=1.5).error
    assert error.kind == "TimeLimit"
    assert "1.5 s" in error.message
    child = int(marker.read_text())
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE


def test_memory_is_measured(run):
    def work():
        block = bytearray(200_000_000)
        time.sleep(0.8)
        return len(block)

    outcome = run(work)
    assert outcome.peak_memory_bytes > 150_000_000


def test_a_value_that_cannot_be_sent_is_an_error(run):
    assert run(lambda: lambda: 1).error is not None


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def test_descriptors_named_are_closed_in_the_child(run, tmp_path):
    handle = os.open(tmp_path / "held", os.O_CREAT | os.O_RDWR)

    held = os.fstat(handle).st_ino

    def work():
        # the number may have been given to something else since
        found = {os.fstat(number).st_ino for number in range(64) if _is_open(number)}
        return "open" if held in found else "closed"

    try:
        assert run(work, close=(handle,)).value == "closed"
        assert run(work).value == "open"
    finally:
        os.close(handle)


def test_its_events_tell_of_its_end_although_a_grandchild_holds_its_pipes(tmp_path):
    if not hasattr(os, "pidfd_open"):
        pytest.skip("this system has no descriptors of processes")

    def work() -> None:
        orphan = os.fork()
        if orphan == 0:
            time.sleep(60)
            os._exit(0)
        (tmp_path / "orphan").write_text(str(orphan))
        os._exit(3)

    process = TaskProcess(work, environment={}, log=tmp_path / "log.txt")
    assert wait(process.events, timeout=30)
    outcome = finish(process)
    os.kill(int((tmp_path / "orphan").read_text()), signal.SIGKILL)
    assert outcome.error is not None
    assert "exit code 3" in outcome.error.message


def test_several_are_killed_at_once(tmp_path):
    def stubborn() -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        (tmp_path / str(os.getpid())).touch()
        time.sleep(600)

    processes = [TaskProcess(stubborn, environment={}, log=tmp_path / "log.txt") for _ in range(3)]
    while len(list(tmp_path.glob("[0-9]*"))) < 3:
        time.sleep(0.01)
    kill_all(processes)
    assert not [process for process in processes if psutil.pid_exists(process.pid)]
