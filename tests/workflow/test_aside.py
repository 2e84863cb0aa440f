"""What is done in a process beside is done here when that process is of no use."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from nbops.workflow import aside
from nbops.workflow.aside import Aside as _Aside
from nbops.workflow.families import die_with_parent

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere nothing is done beside")


Aside: Any = None


@pytest.fixture(autouse=True)
def _two_cores(monkeypatch, tmp_path):
    monkeypatch.setattr(sys.modules[__name__], "Aside", partial(_Aside, log=tmp_path / "log.txt"))
    monkeypatch.setattr(aside, "usable_cores", lambda: 2)


@pytest.fixture
def no_child_is_left():
    """Tells whether every child since the test began was waited for; what other tests of this process left is not asked."""
    here = psutil.Process()
    before = set(here.children())
    return lambda: set(here.children()) <= before


def test_the_work_is_done_in_another_process():
    large = "x" * 3_000_000
    with Aside(lambda: (os.getpid(), large)) as work:
        pid, text = work.result()
    assert pid != os.getpid()
    assert text == large
    assert not psutil.pid_exists(pid)


def test_on_one_core_it_is_done_here(monkeypatch):
    monkeypatch.setattr(aside, "usable_cores", lambda: 1)
    with Aside(os.getpid) as work:
        assert work.result() == os.getpid()


def test_without_memory_for_a_process_it_is_done_here(monkeypatch):
    def no_memory() -> int:
        raise BlockingIOError

    monkeypatch.setattr(os, "fork", no_memory)
    with Aside(os.getpid) as work:
        assert work.result() == os.getpid()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_one_is_made_up_for(number, no_child_is_left):
    here = os.getpid()

    def work() -> int:
        if os.getpid() != here:
            os.kill(os.getpid(), number)
        return os.getpid()

    with Aside(work) as beside:
        assert beside.result() == here
    assert no_child_is_left()


def test_one_that_is_stuck_is_made_up_for(no_child_is_left):
    here = os.getpid()

    def work() -> int:
        while os.getpid() != here:
            time.sleep(1)
        return os.getpid()

    with Aside(work, patience=0.3) as beside:
        assert beside.result() == here
    assert no_child_is_left()


def test_what_cannot_be_sent_is_made_here():
    with Aside(lambda: lambda: 1) as beside:
        assert beside.result()() == 1


def test_what_goes_wrong_is_raised_here():
    def work() -> None:
        raise ValueError(str(os.getpid()))

    with Aside(work) as beside, pytest.raises(ValueError, match=str(os.getpid())):
        beside.result()


def test_one_that_nobody_waits_for_ends(tmp_path):
    marker = tmp_path / "pid"

    def work() -> None:
        marker.write_text(str(os.getpid()))
        time.sleep(600)

    def begin() -> None:
        with Aside(work):
            while not marker.exists() or not marker.read_text():
                time.sleep(0.01)
            raise RuntimeError("something else went wrong")

    with pytest.raises(RuntimeError):
        begin()
    assert not psutil.pid_exists(int(marker.read_text()))


def test_descriptors_are_closed_there():
    reader, writer = os.pipe()
    places = Path("/proc/self/fd")

    def is_open() -> bool:
        return pipe in {place.readlink() for place in places.iterdir() if place.is_symlink()}

    pipe = (places / str(writer)).readlink()
    assert is_open()
    with Aside(is_open, close=(reader, writer)) as beside:
        assert beside.result() is False
    os.close(reader)
    os.close(writer)


def test_it_dies_with_the_build(tmp_path):
    marker = tmp_path / "pid"
    code = f"""
        import os, time
        from pathlib import Path
        from nbops.workflow import aside
        aside.usable_cores = lambda: 2
        def work():
            Path({str(marker)!r}).write_text(f"{{os.getpid()}} ")
            time.sleep(600)
        aside.Aside(work, log=Path({str(tmp_path / "log")!r})).result()
    """
    build = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)])
    while not marker.exists() or not marker.read_text().endswith(" "):
        assert build.poll() is None
        time.sleep(0.01)
    child = psutil.Process(int(marker.read_text()))
    build.kill()
    build.wait()
    child.wait(timeout=60)


def test_a_build_that_is_process_1_of_a_container_has_children(tmp_path):
    code = f"""
        import os, time
        from pathlib import Path
        from nbops.workflow import aside
        from nbops.workflow.process import TaskProcess
        assert os.getpid() == 1, os.getpid()
        aside.usable_cores = lambda: 2
        process = TaskProcess(lambda: 3, environment={{}}, log=Path({str(tmp_path / "log")!r}))
        while (outcome := process.poll()) is None:
            time.sleep(0.01)
        print(outcome.value, aside.Aside(os.getpid, log=Path({str(tmp_path / "log2")!r})).result() != 1)
    """
    alone = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc", sys.executable]
    try:
        tried = subprocess.run([*alone, "-c", "pass"], capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no unshare")
    if tried.returncode:
        pytest.skip(f"no process can be number 1 here: {tried.stderr.decode()}")
    done = subprocess.run([*alone, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["3", "True"], done.stderr


def test_what_was_forked_by_one_that_is_gone_does_not_begin():
    pid = os.fork()
    if pid == 0:
        die_with_parent(1_999_999_999)
        os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1
