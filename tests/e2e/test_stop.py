"""Stopping a build, and two builds at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from e2e_project import CHAIN, Project, ran_in, statuses_of

HANGING = """# %% tags=["parameters"]
upstream = None
product = None

# %%
import os, subprocess, time
from pathlib import Path

if not Path("go").exists():
    if not Path("alone").exists():
        subprocess.Popen(["sleep", "600"])
    Path("hanging").write_text("yes")
    time.sleep(600)

# %%
Path(product["data"]).write_text("done")
"""
PIPELINE = """
tasks:
  - source: tasks.first
    product: output/first.txt
  - source: page.py
    upstream: first
    product:
      nb: output/page.ipynb
      data: output/page.txt
  - source: tasks.last
    product: output/last.txt
"""
TASKS = """
from pathlib import Path


def first(product):
    Path(product).write_text("first")


def last(product, upstream):
    Path(product).write_text(Path(upstream["page"]["data"]).read_text())
"""


@pytest.fixture
def hanging(make_project: Callable[..., Project]) -> Project:
    """Return a project whose notebook hangs until the file ``go`` is there."""
    return make_project(
        {
            "pipeline.yaml": PIPELINE.replace("    upstream: first\n", ""),
            "page.py": HANGING.replace("upstream = None", 'upstream = ["first"]'),
            "tasks.py": TASKS,
            "pyproject.toml": "[tool.nbops]\nprofile = false\n",
        }
    )


def left_behind(root: Path, seconds: float = 10.0) -> list[str]:
    """Return processes that still work in a folder, giving them a moment to go."""
    deadline = time.monotonic() + seconds
    while True:
        found = []
        for process in psutil.process_iter(["cwd", "cmdline", "status"]):
            here = process.info["cwd"] or ""
            if here.startswith(str(root)) and process.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(f"{process.pid}: {' '.join(process.info['cmdline'] or [])}")
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(0.1)


def check_stopped(project: Project, name: str) -> None:
    run = project.latest()
    assert run.status == "interrupted"
    assert statuses_of(run) == {"first": "succeeded", "page": "interrupted", "last": "interrupted"}
    assert any(name in error.message for error in run.errors)
    assert f"reports/runs/{run.id}/run.json" in project.committed()
    assert left_behind(project.root) == []
    assert not (project.root / "output/page.txt").exists()
    project.write("go", "")
    run = project.build()
    assert run.verdict == "passed"
    assert {"page", "last"} <= ran_in(run)
    assert project.read("output/last.txt") == "done"


def test_ctrl_c_on_the_real_command_line(hanging: Project) -> None:
    command = Path(sys.executable).with_name("ploomber")
    if not command.exists():
        pytest.skip("ploomber's command is not beside this Python")
    with (hanging.root.parent / "said.txt").open("w+") as said:
        process = subprocess.Popen(
            [str(command), "build"], cwd=hanging.root, stdout=said, stderr=said, env=hanging.machine(), start_new_session=True
        )
        while not (hanging.root / "hanging").exists():
            assert process.poll() is None, Path(said.name).read_text()
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        assert process.wait(60) == 130
        text = Path(said.name).read_text()
    assert "stopped by SIGINT" in text
    assert "Traceback" not in text
    check_stopped(hanging, "SIGINT")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_in_a_recorded_run(number: signal.Signals, code: int, hanging: Project) -> None:
    build = hanging.start("build")
    while not (hanging.root / "hanging").exists():
        assert build.running(), build.text()
        time.sleep(0.02)
    os.kill(build.pid, number)
    assert build.wait(60) == code, build.text()
    check_stopped(hanging, number.name)


def test_a_killed_build_leaves_nothing_behind(hanging: Project) -> None:
    hanging.write("alone", "nobody is left to end what the notebook itself starts")
    build = hanging.start("build")
    while not (hanging.root / "hanging").exists():
        assert build.running(), build.text()
        time.sleep(0.02)
    os.kill(build.pid, signal.SIGKILL)
    assert build.wait(60) == -signal.SIGKILL
    assert left_behind(hanging.root, 20.0) == []
    hanging.write("go", "")
    assert hanging.build().verdict == "passed"
    assert [run.status for run in hanging.runs()] == ["interrupted", "succeeded"]


@pytest.fixture
def slow(make_project: Callable[..., Project]) -> Project:
    """Return a project whose first task waits for the file ``go``."""
    files = dict(CHAIN)
    files["tasks.py"] = files["tasks.py"].replace(
        '"""Make (or read) some rows."""',
        'import time\n    Path("gate", "waiting").write_text("")\n'
        '    while not Path("gate", "go").exists():\n        time.sleep(0.02)',
    )
    files["gate/.gitignore"] = "*\n"
    return make_project(files)


def test_two_builds_at_once(slow: Project) -> None:
    first = slow.start("build")
    while not (slow.root / "gate/waiting").exists():
        assert first.running(), first.text()
        time.sleep(0.02)
    second = slow.start("build")
    said = second.wait_for("waiting: ")
    assert f"'ploomber build' (process {first.pid} on " in said
    third = slow.ploomber("build", environment={"NBOPS_ON_LOCK": "fail"})
    assert third.code == 1
    assert f"process {first.pid}" in third.text
    assert "Traceback" not in third.text
    slow.ploomber("status").ok()  # looking needs no lock
    slow.write("gate/go", "")
    assert first.wait() == 0, first.text()
    assert second.wait() == 0, second.text()
    assert len(slow.runs()) == 2
    assert ran_in(slow.runs()[0]) == {"load", "clean", "report"}
    assert ran_in(slow.runs()[1]) == set(), slow.runs()[1].tasks
    assert len(slow.commits()) == 3


def test_waiting_can_be_stopped(slow: Project) -> None:
    first = slow.start("build")
    while not (slow.root / "gate/waiting").exists():
        assert first.running(), first.text()
        time.sleep(0.02)
    second = slow.start("build")
    second.wait_for("waiting: ")
    os.kill(second.pid, signal.SIGINT)
    assert second.wait(60) != 0
    assert "nothing was run" in second.text()
    slow.write("gate/go", "")
    assert first.wait() == 0
    assert len(slow.runs()) == 1


def test_the_settings_can_say_not_to_wait(slow: Project) -> None:
    slow.configure('on_lock = "fail"')
    first = slow.start("build")
    while not (slow.root / "gate/waiting").exists():
        assert first.running(), first.text()
        time.sleep(0.02)
    second = slow.ploomber("build")
    assert second.code == 1
    assert "is building this project" in second.text
    slow.write("gate/go", "")
    assert first.wait() == 0
