"""The profiler is forked where kernels are: pages come about whatever is killed, and nothing stays."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

if TYPE_CHECKING:
    from e2e_project import Project

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs a handle on a process that is no child")

PIPELINE = """
tasks:
  - source: first.py
    product:
      nb: output/first.ipynb
      data: output/first.csv
  - source: second.py
    product:
      nb: output/second.ipynb
      data: output/second.csv
"""
FIRST = """# %% tags=["parameters"]
upstream = None
product = None

# %%
import pandas as pd

# %%
pd.DataFrame({"id": range(50), "kind": ["a", "b"] * 25}).to_csv(product["data"], index=False)
"""
SECOND = """# %% tags=["parameters"]
upstream = ["first"]
product = None

# %%
import os, signal, time
from pathlib import Path
import pandas as pd

# %%
MEETING

# %%
pd.read_csv(upstream["first"]["data"]).assign(more=1).to_csv(product["data"], index=False)
"""
WATCH = """server = int(os.getppid())
def profilers():
    children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
    return [int(pid) for pid in children if os.stat(f"/proc/{pid}").st_uid == os.getuid()
            and os.getpriority(os.PRIO_PROCESS, int(pid)) >= min(19, os.getpriority(os.PRIO_PROCESS, 0) + 10)]

until = time.monotonic() + 60
while not profilers() and time.monotonic() < until:
    time.sleep(0.01)
PROFILER = profilers()[0]
"""
MEETINGS = {
    "nothing": "",
    "profiler killed": "os.kill(PROFILER, signal.SIGKILL)",
    "profiler stopped": "os.kill(PROFILER, signal.SIGSTOP)",
    "server killed": "os.kill(server, signal.SIGKILL)",
}


@pytest.fixture
def pair(make_project: Callable[..., Project]) -> Callable[..., Project]:
    """Return a function that makes a project of two notebooks, in the second of which something happens."""

    def make(meet: str | None, settings: str = "") -> Project:
        return make_project(
            {
                "pipeline.yaml": PIPELINE,
                "first.py": FIRST,
                "second.py": SECOND.replace("MEETING", "" if meet is None else WATCH + meet),
                "pyproject.toml": f"[tool.nbops]\n{settings}",
                ".gitignore": "output/\n.nbops/\npids\n",
            }
        )

    return make


def gone(pids: list[int]) -> bool:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        if not [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE]:
            return True
        time.sleep(0.05)
    return False


def pages(project: Project) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (project.root / "reports/profiles").glob("*.html")}


@pytest.mark.parametrize("what", MEETINGS)
def test_every_dataset_has_its_profile(what: str, pair: Callable[..., Project]) -> None:
    settings = "profile_seconds = 10\n" if what == "profiler stopped" else ""
    tell = "Path('pids').write_text(f'{server} {PROFILER}')\n"
    project = pair(tell + MEETINGS[what], settings)
    run = project.build()
    notices = [notice.kind for notice in run.notices]
    if what == "profiler stopped":
        assert set(notices) <= {"profile"}  # a profile was being made by the one that says nothing more, or not yet
        assert len(pages(project)) + len(notices) == 2
    else:
        assert notices == (["kernels"] if what == "server killed" else [])
        assert len(pages(project)) == 2
    assert gone([int(pid) for pid in (project.root / "pids").read_text().split()])


def test_with_cold_kernels_pages_have_the_same_bytes(pair: Callable[..., Project]) -> None:
    project = pair(None)
    project.build()
    warm = pages(project)
    shutil.rmtree(project.root / "reports/profiles")
    project.configure("kernels = 'cold'\n")
    project.build("--force")
    assert len(warm) == 2
    assert pages(project) == warm


def test_nothing_stays_when_the_build_is_killed(pair: Callable[..., Project]) -> None:
    project = pair("Path('.pids').write_text(f'{server} {PROFILER}'); Path('.pids').rename('pids'); time.sleep(600)")
    build = project.start("build")
    until = time.monotonic() + 120
    while not (project.root / "pids").exists():
        assert time.monotonic() < until
        assert build.running(), build.text()
        time.sleep(0.02)
    pids = [int(pid) for pid in Path(project.root / "pids").read_text().split()]
    assert all(psutil.pid_exists(pid) for pid in pids)
    os.kill(build.pid, 9)
    assert gone(pids)
