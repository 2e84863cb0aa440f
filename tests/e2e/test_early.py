"""The kernel of the task that is next starts early; nothing that the task does is early, nothing is left when it does not run."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import nbformat
import psutil
import pytest
from e2e_project import Project, ran_in, statuses_of, tasks_of
from test_stop import left_behind

PIPELINE = """
tasks:
  - source: first.py
    product:
      nb: output/first.ipynb
      data: output/first.txt
  - source: second.py
    product:
      nb: output/second.ipynb
      data: output/second.txt
"""
FIRST = """# %% tags=["parameters"]
upstream = None
product = None

# %%
import os, signal, time
from pathlib import Path

waiting = Path("started-second")
until = time.monotonic() + 120
while not waiting.exists():
    assert time.monotonic() < until, "the second one does not start early"
    time.sleep(0.005)

# %%
{then}
Path(product["data"]).write_text("{text}")
"""
SECOND = """# %% tags=["parameters"]
upstream = ["first"]
product = None

# %%
import os, time
from pathlib import Path

began = time.time()
Path("ran-second").write_text(str(os.getpid()))

# %%
Path(product["data"]).write_text(Path(upstream["first"]["data"]).read_text() + " " + str(began))
"""
STARTUP = """
import os
from pathlib import Path

_mark = Path(os.environ["NBOPS_PROJECT"], "." + os.environ["NBOPS_TASK"])
_mark.write_text(str(os.getpid()))
_mark.rename(_mark.with_name("started-" + os.environ["NBOPS_TASK"]))
"""
"""What each kernel of the user's profile does when it starts, long before the first cell."""


@pytest.fixture
def pair(make_project: Callable[..., Project], tmp_path: Path) -> Project:
    """Return a project of two notebooks, of which the first goes on only when the kernel of the second has started."""
    startup = tmp_path / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "mark.py").write_text(STARTUP)
    (tmp_path / "temporary").mkdir()
    project = make_project(
        {
            "pipeline.yaml": PIPELINE,
            "first.py": FIRST.format(then="", text="one"),
            "second.py": SECOND,
            "pyproject.toml": "[tool.nbops]\nprofile = false\nworkers = 2\n",
            ".gitignore": "output/\nstarted-*\nran-*\n.first\n.second\n.nbops/\n",
        }
    )
    project.environment |= {"IPYTHONDIR": str(tmp_path / "ipython"), "TMPDIR": str(tmp_path / "temporary")}
    return project


def add_third(project: Project, *, alone: str | None = None) -> None:
    """Add a notebook after the second one; the first goes on only when its kernel has started, too."""
    third = SECOND.replace("second", "third").replace("first", "second")
    project.write("third.py", third)
    pipeline, second = project.read("pipeline.yaml"), PIPELINE.partition("data: output/first.txt\n")[2]
    project.write("pipeline.yaml", pipeline.replace(second, second + second.replace("second", "third")))
    project.write(".gitignore", project.read(".gitignore") + ".third\n")
    if alone is not None:
        project.write("pyproject.toml", project.read("pyproject.toml") + f"[tool.nbops.tasks.{alone}]\nalone = true\n")


BOTH = 'while not Path("started-third").exists():\n    assert time.monotonic() < until\n    time.sleep(0.005)'
"""What the first notebook does when it waits for the third one's kernel as well."""


def check_nothing_left(project: Project) -> None:
    assert left_behind(project.root) == []
    assert list((project.root.parent / "temporary").glob("*.ipynb")) == []
    assert list(project.root.glob(".nbops/staging/*")) == []


def test_it_starts_early_and_runs_when_it_is_its_turn(pair: Project) -> None:
    run = pair.build()
    assert ran_in(run) == {"first", "second"}
    text, began = pair.read("output/second.txt").split()
    published = (pair.root / "output/first.txt").stat().st_ctime  # of the rename
    assert text == "one"
    assert float(began) >= published
    started = nbformat.read(pair.root / "output/second.ipynb", as_version=4).metadata.papermill["start_time"]
    assert datetime.fromisoformat(started).timestamp() >= published
    assert (pair.root / "started-second").stat().st_mtime < published
    task = tasks_of(run)["second"]
    assert datetime.fromisoformat(task.started_at).timestamp() >= published - 0.001
    assert task.seconds < time.time() - (pair.root / "started-second").stat().st_mtime
    check_nothing_left(pair)


def test_when_what_it_waits_for_fails_it_never_ran(pair: Project) -> None:
    pair.write("first.py", FIRST.format(then='raise RuntimeError("no data")', text="one"))
    run, _ = pair.fail()
    assert statuses_of(run) == {"first": "failed", "second": "held"}
    assert not (pair.root / "ran-second").exists()
    check_nothing_left(pair)


def test_when_it_turns_out_to_be_up_to_date_it_does_not_run(pair: Project) -> None:
    pair.build()
    (pair.root / "ran-second").unlink()
    (pair.root / "started-second").unlink()
    (pair.root / "output/first.txt").unlink()
    run = pair.build()
    assert statuses_of(run) == {"first": "succeeded", "second": "up_to_date"}, tasks_of(run)["second"].reasons
    assert not (pair.root / "ran-second").exists()
    check_nothing_left(pair)


def test_in_a_chain_what_comes_after_one_that_waits_starts_early_too(pair: Project) -> None:
    add_third(pair)
    pair.write("first.py", FIRST.format(then=BOTH, text="one"))
    run = pair.build()
    assert ran_in(run) == {"first", "second", "third"}
    one, second, third = pair.read("output/third.txt").split()
    assert one == "one"
    assert float(third) >= (pair.root / "output/second.txt").stat().st_ctime > float(second)
    assert all(task.seconds > 0.01 for task in run.tasks), "a task's time counts from the moment that it may begin"
    check_nothing_left(pair)


def test_in_a_chain_nothing_runs_that_waited_when_the_first_one_fails(pair: Project) -> None:
    add_third(pair)
    pair.write("first.py", FIRST.format(then=BOTH + '\nraise RuntimeError("no data")', text="one"))
    run, _ = pair.fail()
    assert statuses_of(run) == {"first": "failed", "second": "held", "third": "held"}
    assert not list(pair.root.glob("ran-*"))
    check_nothing_left(pair)


def test_when_one_that_waits_fails_the_one_after_it_never_ran(pair: Project) -> None:
    add_third(pair)
    pair.write("first.py", FIRST.format(then=BOTH, text="one"))
    pair.write("second.py", SECOND + '\n# %%\nraise RuntimeError("no")\n')
    run, _ = pair.fail()
    assert statuses_of(run) == {"first": "succeeded", "second": "failed", "third": "held"}
    assert not (pair.root / "ran-third").exists()
    check_nothing_left(pair)


def test_beside_one_that_runs_alone_the_one_after_it_does_not_wait(pair: Project) -> None:
    add_third(pair, alone="second")
    first = FIRST.format(then="", text="one").replace("while not waiting.exists()", "if False")
    pair.write("first.py", first)
    early = '\n# %%\ntime.sleep(0.3)\nPath(product["data"]).write_text(str(Path("started-third").exists()))\n'
    pair.write("second.py", SECOND + early)
    pair.build()
    assert pair.read("output/second.txt") == "False"


@pytest.mark.parametrize("who", ["kernel", "task"])
def test_when_it_is_killed_while_it_waits_it_starts_anew(who: str, pair: Project) -> None:
    victim = "int(waiting.read_text())" if who == "kernel" else "int(Path('task').read_text())"
    kill = (
        "while not Path('go').exists():\n    time.sleep(0.005)\n"
        f"victim = {victim}\nos.kill(victim, signal.SIGKILL)\n"
        "while Path(f'/proc/{victim}').exists() and 'Z' not in Path(f'/proc/{victim}/stat').read_text().rpartition(')')[2]:\n"
        "    time.sleep(0.005)\n"
    )
    pair.write("first.py", FIRST.format(then=kill, text="one"))
    build = pair.start("build")
    kernel = _kernel_that_waits(pair, build)
    pair.write("task", str(_task_that_waits(build.pid).pid))
    pair.write("go", "")
    assert build.wait(60) == 0, build.text()
    assert statuses_of(pair.latest()) == {"first": "succeeded", "second": "succeeded"}
    assert int(pair.read("ran-second")) != kernel
    check_nothing_left_of_the_build(pair)


HANG = "time.sleep(600)"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_when_the_build_ends_it_ends(number: signal.Signals, pair: Project) -> None:
    pair.write("first.py", FIRST.format(then=HANG, text="one"))
    build = pair.start("build")
    _kernel_that_waits(pair, build)
    os.kill(build.pid, number)
    assert build.wait(60) == (-number if number == signal.SIGKILL else 130), build.text()
    assert left_behind(pair.root, 20.0) == []
    assert not (pair.root / "ran-second").exists()
    pair.write("first.py", FIRST.format(then="", text="one"))
    assert ran_in(pair.build()) == {"first", "second"}
    check_nothing_left_of_the_build(pair)


def check_nothing_left_of_the_build(project: Project) -> None:
    assert left_behind(project.root) == []
    assert list(project.root.glob(".nbops/staging/*")) == []


@pytest.mark.parametrize("setting", ["workers = 1", 'kernels = "cold"', "[tool.nbops.tasks.second]\nalone = true"])
def test_it_does_not_start_early(setting: str, pair: Project) -> None:
    first = FIRST.format(then="early = waiting.exists()", text="{early}").replace("while not waiting.exists()", "if True")
    pair.write("first.py", first.replace('"{early}"', "str(early)").replace("time.sleep(0.005)", "time.sleep(0.3)"))
    text = pair.read("pyproject.toml")
    pair.write("pyproject.toml", text.replace("workers = 2", setting) if setting.startswith("workers") else f"{text}{setting}\n")
    pair.build()
    assert pair.read("output/first.txt") == "False"


def _kernel_that_waits(project: Project, build: object) -> int:
    while not (project.root / "started-second").exists():
        assert build.running(), build.text()  # type: ignore[attr-defined]
        time.sleep(0.01)
    return int(project.read("started-second"))


def _task_that_waits(build: int) -> psutil.Process:
    """Return the youngest of the build's processes that has a log of the second task."""
    found = [
        process for process in psutil.Process(build).children() if "second" in str(Path(f"/proc/{process.pid}/fd/1").readlink())
    ]
    assert len(found) == 1
    return found[0]
