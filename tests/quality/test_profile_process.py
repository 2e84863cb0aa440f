"""The process that profiles: nothing waits for it unasked, nothing is lost by its death, and it does not outlive its parent.

The process here is a stand-in without the profiler, told by the names of the datasets what to do.
"""

from __future__ import annotations

import importlib.util
import os
import select
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.profile_tools import ended

from nbops.quality import _profile_process
from nbops.quality.profile import Profiler, ProfileRequest

WORKER = """
import json, os, signal, sys, time
from pathlib import Path
folder = Path(os.environ["FAKE_FOLDER"])
def say(**message):
    print(json.dumps(message), flush=True)
def told(name):  # waits until the test lets it go on
    while not (folder / name).exists(): time.sleep(0.005)
(folder / "pids").open("a").write(f"{os.getpid()}\\n")
start, first = os.environ.get("FAKE_START"), len((folder / "pids").read_text().split()) == 1
if start == "die" or (start == "die once" and first): os.kill(os.getpid(), signal.SIGKILL)
if start == "told": told("start")
say(event="ready")
for line in sys.stdin:
    question = json.loads(line)
    name = question["dataset"]
    if name.startswith("held"): told(name)
    if name.startswith("hang"): time.sleep(600)
    if name.startswith("once") and not (folder / name).exists():
        (folder / name).touch(); os.kill(os.getpid(), signal.SIGKILL)
    page = "x" * 3_000_000 if name.startswith("large") else f"page of {name} by {os.getpid()}, {len(line)}"
    say(event="result", html=page, rows=1, sampled=1, columns=1, profiled=1, seconds=0.0, peak_memory_bytes=1)
"""


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put the stand-in in place; returns the folder that it looks into."""
    (tmp_path / "told_profile_worker.py").write_text(WORKER, encoding="utf-8")
    monkeypatch.setattr(_profile_process, "_MODULE", "told_profile_worker")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("FAKE_FOLDER", str(tmp_path))
    return tmp_path


def request_for(folder: Path, name: str, **more: Any) -> ProfileRequest:
    output = folder / "pages" / f"{name}.html"
    return ProfileRequest(dataset=name, data=folder / name, format="csv", output=output, content_hash="h", **more)


def pids(folder: Path) -> list[int]:
    return [int(line) for line in (folder / "pids").read_text(encoding="utf-8").split()]


def text(folder: Path, name: str) -> str:
    return (folder / "pages" / f"{name}.html").read_text(encoding="utf-8")


def test_requests_are_handed_over_without_waiting_for_the_profiler(fake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_START", "told")
    with Profiler() as profiler:
        profiler.warm()
        for name in ("a", "b", "c"):
            profiler.submit(request_for(fake, name))
        assert profiler.pending == 3  # the process has not even started, and we are here
        profiler.poll()
        (fake / "start").touch()
        results = profiler.results()
        assert profiler.pending == 0
    assert [(result.dataset, result.status) for result in results] == [("a", "made"), ("b", "made"), ("c", "made")]
    assert len(pids(fake)) == 1


def test_polling_takes_in_what_is_done_and_the_descriptor_says_when(fake: Path) -> None:
    log: list[str] = []
    with Profiler(log=log.append) as profiler:
        assert profiler.fileno() is None
        profiler.submit(request_for(fake, "a"))
        profiler.submit(request_for(fake, "held"))
        while profiler.pending > 1:
            descriptor = profiler.fileno()
            assert descriptor is not None
            select.select([descriptor], [], [], 60)
            profiler.poll()
        assert len(log) == 1
        assert text(fake, "a").startswith("page of a")  # it is in place while the other one is being made
        (fake / "held").touch()
        profiler.poll(60)
        assert profiler.pending == 0
        assert [result.status for result in profiler.results()] == ["made", "made"]
        assert profiler.results() == ()


def test_what_is_late_has_failed_and_what_is_done_is_kept(fake: Path) -> None:
    old = fake / "pages" / "held.html"
    old.parent.mkdir()
    old.write_text("of older data", encoding="utf-8")
    with Profiler() as profiler:
        profiler.submit(request_for(fake, "a"))
        profiler.submit(request_for(fake, "held"))
        profiler.submit(request_for(fake, "b"))
        profiler.poll(60)
        a, held, b = profiler.results(seconds=0)
        assert (a.status, held.status, b.status) == ("made", "failed", "failed")
        assert held.error == b.error == "not finished in the 0 s that are waited for profiles. The next build makes it."
        assert not old.exists()
        (again,) = profiler.make([request_for(fake, "b")])
        assert again.status == "made"
    first, second = pids(fake)
    assert not psutil.pid_exists(first)  # what was late is not made after all, behind the caller's back
    assert first != second


def test_it_is_dismissed_when_it_has_nothing_to_do_and_only_then(fake: Path) -> None:
    with Profiler() as profiler:
        profiler.dismiss()
        profiler.submit(request_for(fake, "held"))
        profiler.dismiss()
        (fake / "held").touch()
        profiler.poll(60)
        assert [result.status for result in profiler.results()] == ["made"]
        process = psutil.Process(pids(fake)[0])
        profiler.dismiss()
        assert ended(process)
        assert [result.status for result in profiler.make([request_for(fake, "b")])] == ["made"]
    assert len(pids(fake)) == 2


def test_a_process_that_dies_once_loses_nothing(fake: Path) -> None:
    with Profiler() as profiler:
        results = profiler.make([request_for(fake, name) for name in ("a", "once", "b")])
    assert [result.status for result in results] == ["made"] * 3
    assert len(pids(fake)) == 2


def test_a_process_killed_while_it_has_nothing_to_do_is_replaced(fake: Path) -> None:
    with Profiler() as profiler:
        profiler.make([request_for(fake, "a")])
        os.kill(pids(fake)[0], signal.SIGKILL)
        (result,) = profiler.make([request_for(fake, "b")])
    assert result.status == "made"


@pytest.mark.parametrize(("mode", "status", "starts"), [("die once", "made", 2), ("die", "failed", 2)])
def test_a_process_killed_while_it_starts_is_tried_once_more(
    fake: Path, monkeypatch: pytest.MonkeyPatch, mode: str, status: str, starts: int
) -> None:
    monkeypatch.setenv("FAKE_START", mode)
    with Profiler() as profiler:
        results = profiler.make([request_for(fake, "a"), request_for(fake, "b")])
        profiler.warm()  # what cannot be started is not started again
    assert [result.status for result in results] == [status, status]
    assert len(pids(fake)) == starts


def test_a_hanging_profile_ends_alone(fake: Path) -> None:
    with Profiler(seconds=0.5) as profiler:
        hanging, following = profiler.make([request_for(fake, "hang"), request_for(fake, "a")])
    assert (hanging.status, following.status) == ("failed", "made")
    assert (hanging.error or "").startswith("stopped after 0.5 s")
    assert len(pids(fake)) == 2


def test_questions_and_pages_larger_than_a_pipe_pass(fake: Path) -> None:
    with Profiler() as profiler:
        large = request_for(fake, "large", description="d" * 5_000_000)
        results = profiler.make([large, request_for(fake, "a", description="e" * 2_000_000), large])
    assert [result.status for result in results] == ["made"] * 3
    assert len(text(fake, "large")) == 3_000_000
    assert len(pids(fake)) == 1


def test_it_has_no_thread(fake: Path) -> None:
    before = threading.active_count()
    with Profiler() as profiler:
        profiler.make([request_for(fake, "a")])
        assert threading.active_count() == before


@pytest.mark.parametrize(
    ("kept", "may_write", "elsewhere"), [(True, False, False), (True, True, False), (False, True, False), (False, False, True)]
)
def test_modules_are_compiled_elsewhere_only_where_they_must_be(
    fake: Path, monkeypatch: pytest.MonkeyPatch, kept: bool, may_write: bool, elsewhere: bool
) -> None:
    library = fake / "library" / "pandas.py"
    library.parent.mkdir()
    library.write_text("", encoding="utf-8")
    monkeypatch.setattr(sys, "pycache_prefix", None)
    monkeypatch.setattr(sys, "dont_write_bytecode", not may_write)
    spec = importlib.util.spec_from_file_location("pandas", library)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: spec)
    if kept:
        compiled = Path(importlib.util.cache_from_source(str(library)))
        compiled.parent.mkdir()
        compiled.touch()
    environment = _profile_process._environment(fake / "bytecode")
    assert (environment.get("PYTHONPYCACHEPREFIX") == str(fake / "bytecode")) == elsewhere


PARENT = """
import sys
from nbops.quality.profile import Profiler
profiler = Profiler()
profiler.warm()
print(profiler._worker.pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux to end the process")
def test_it_dies_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=tmp_path
    )
    assert parent.stdin is not None
    assert parent.stdout is not None
    worker = psutil.Process(int(parent.stdout.readline()))
    parent.kill()  # most likely in the middle of the worker's imports
    parent.wait()
    parent.stdin.close()
    parent.stdout.close()
    assert ended(worker)


def test_the_real_one_is_of_low_priority_and_says_only_what_it_is_asked(tmp_path: Path) -> None:
    data = tmp_path / "a.csv"
    data.write_text("a,b\n1,x\n2,y\n", encoding="utf-8")
    with Profiler() as profiler:
        (result,) = profiler.make(
            [ProfileRequest(dataset="a", data=data, format="csv", output=tmp_path / "a.html", content_hash="h")]
        )
        assert result.status == "made"
        assert profiler._worker is not None
        assert psutil.Process(profiler._worker.pid).nice() >= min(19, psutil.Process().nice() + 10)
