"""A task's own process: results, exceptions, death, time limits, nothing left behind."""

from __future__ import annotations

import contextlib
import faulthandler
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from multiprocessing.connection import wait

import psutil
import pytest

from nbops import kernels
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
        (lambda: (faulthandler.disable(), os.kill(os.getpid(), signal.SIGSEGV)), "Killed", "SIGSEGV"),  # whose trace would alarm
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


def test_memory_is_told_of_one_that_is_over_before_it_is_looked_at(tmp_path):
    process = TaskProcess(lambda: 3, environment={}, log=tmp_path / "log.txt")
    while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    assert finish(process).peak_memory_bytes > 1_000_000


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


def test_one_that_is_started_early_waits_and_its_time_counts_from_its_turn(tmp_path):
    def work() -> list[float]:
        began = time.monotonic()
        (tmp_path / "waits").touch()
        assert kernels.await_turn()
        (tmp_path / "ran").touch()
        assert not kernels.await_turn(), "only once"
        return [began, time.monotonic()]

    process = TaskProcess(work, environment={}, log=tmp_path / "log.txt", early=True)
    while not (tmp_path / "waits").exists():
        time.sleep(0.01)
    assert process.poll() is None
    assert not (tmp_path / "ran").exists()
    turn = time.monotonic()
    assert process.begin()
    outcome = finish(process)
    assert outcome.error is None
    began, ran = outcome.value
    assert began < turn <= ran
    assert outcome.seconds <= time.monotonic() - turn


def test_one_that_is_withdrawn_clears_up_and_does_nothing_else(tmp_path):
    def work() -> None:
        (tmp_path / "waits").touch()
        try:
            kernels.await_turn()
        except Exception:  # noqa: BLE001 - as whoever executes notebooks may do
            (tmp_path / "failed").touch()
        finally:
            (tmp_path / "cleared").touch()
        (tmp_path / "ran").touch()

    process = TaskProcess(work, environment={}, log=tmp_path / "log.txt", early=True)
    process.withdraw()
    assert not psutil.pid_exists(process.pid)
    assert {path.name for path in tmp_path.iterdir()} - {"log.txt"} == {"waits", "cleared"}


@pytest.mark.parametrize("counted", [True, False])
def test_the_time_of_the_first_counts_from_its_kernel(run, counted):
    def work():
        before = time.monotonic()
        while time.monotonic() - before < 0.5:  # what kernels are forked from is importing
            pass
        kernels.report_start(os.getpid())
        kernels.report_start(os.getpid())  # another one changes nothing
        return time.monotonic() - before

    outcome = run(work, from_kernel=counted)
    assert outcome.value >= 0.5
    assert (outcome.seconds > outcome.value) is not counted
    assert outcome.seconds > 0.0


def test_one_that_died_while_it_waited_cannot_begin(tmp_path):
    process = TaskProcess(kernels.await_turn, environment={}, log=tmp_path / "log.txt", early=True)
    os.kill(process.pid, signal.SIGKILL)
    wait(process.events[1:])  # the first may have become readable before: it says that it waits
    assert not process.begin()
    process.withdraw()
    assert not psutil.pid_exists(process.pid)


def test_one_that_did_not_wait_cannot_begin(tmp_path):
    process = TaskProcess(lambda: None, environment={}, log=tmp_path / "log.txt", early=True)
    wait(process.events)
    assert not process.begin()
    process.withdraw()
    assert not psutil.pid_exists(process.pid)


@pytest.mark.parametrize("left", ["a zombie", "nothing"])
def test_one_whose_kernel_was_killed_cannot_begin(tmp_path, left):
    kernel = subprocess.Popen(["sleep", "600"])

    def work() -> None:
        kernels.report_start(kernel.pid)
        (tmp_path / "waits").touch()
        kernels.await_turn()

    process = TaskProcess(work, environment={}, log=tmp_path / "log.txt", early=True)
    while not (tmp_path / "waits").exists():
        time.sleep(0.01)
    kernel.kill()
    os.waitid(os.P_PID, kernel.pid, os.WEXITED | os.WNOWAIT)
    if left == "nothing":
        kernel.wait()
    assert not process.begin()
    process.withdraw()
    kernel.wait()


def test_what_is_sent_between_two_looks_is_not_lost(tmp_path, monkeypatch):
    process = TaskProcess(lambda: 3, environment={}, log=tmp_path / "log.txt")
    while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    receiver, looks = process._receiver, iter([False])

    class Late:
        """Sees nothing at the first look."""

        def poll(self, *given):
            return next(looks, True) and receiver.poll(*given)

        def __getattr__(self, name):
            return getattr(receiver, name)

    monkeypatch.setattr(process, "_receiver", Late())
    outcome = process.poll()
    assert outcome is not None
    assert (outcome.error, outcome.value) == (None, 3)


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


def test_a_thread_that_goes_on_is_waited_for(run, tmp_path):
    def work() -> str:
        def late() -> None:
            time.sleep(0.5)
            (tmp_path / "late").touch()

        threading.Thread(target=late).start()
        return "done"

    assert run(work).value == "done"
    assert (tmp_path / "late").exists()


def test_a_child_that_goes_on_is_ended(run):
    outcome = run(lambda: subprocess.Popen(["sleep", "600"]).pid)
    assert outcome.error is None
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(outcome.value).wait(5)
    assert not psutil.pid_exists(outcome.value)


def test_one_that_is_over_is_not_waited_for_and_ends(tmp_path):
    """Letting go of its memory takes a process some milliseconds, and of much memory far longer."""
    process = TaskProcess(lambda: len(bytearray(b"x") * 300_000_000), environment={}, log=tmp_path / "log.txt")
    pid = process.pid
    assert finish(process).value == 300_000_000
    with contextlib.suppress(psutil.NoSuchProcess):
        assert psutil.Process(pid).status() in {psutil.STATUS_RUNNING, psutil.STATUS_ZOMBIE}
    until = time.monotonic() + 10
    while any(child.pid == pid for child in multiprocessing.active_children()):
        assert time.monotonic() < until
        time.sleep(0.01)
    assert not psutil.pid_exists(pid)


def test_one_that_starts_early_is_left_a_core_until_it_waits(tmp_path):
    def work() -> None:
        time.sleep(0.1)
        kernels.await_turn()

    process = TaskProcess(work, environment={}, log=tmp_path / "log.txt", early=True)
    assert process.starting_until > time.monotonic()
    assert wait([process.said], timeout=30)
    process.hear()
    assert process.starting_until < time.monotonic()
    assert process.begin()
    assert finish(process).error is None


@pytest.mark.parametrize("work", [lambda: None, lambda: os._exit(3)])
def test_one_that_ended_instead_of_waiting_takes_no_core(tmp_path, work):
    process = TaskProcess(work, environment={}, log=tmp_path / "log.txt", early=True)
    assert wait([process.said], timeout=30)
    process.hear()
    assert process.starting_until < time.monotonic()
    assert not process.begin()
    process.withdraw()
