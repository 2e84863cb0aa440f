"""Independent tasks run at once, within the limits of workers and memory, and everything else holds as it does in a row."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import pytest
from e2e_project import Project, ran_in, statuses_of, tasks_of

MEETING = '''
import time
from pathlib import Path

MEETING = Path("meeting")


def _enter(name):
    MEETING.mkdir(exist_ok=True)
    present = sorted(path.name for path in MEETING.iterdir())
    (MEETING / name).touch()
    return present


def _leave(name, product, present):
    (MEETING / name).unlink()
    Path(product).write_text(" ".join(present))


def left(product):
    """Wait for the other one, which only comes when both run at once."""
    present = _enter("left")
    while not (MEETING / "right").exists():
        time.sleep(0.01)
    (MEETING / "seen").touch()
    _leave("left", product, present)


def right(product):
    present = _enter("right")
    while not (MEETING / "seen").exists():
        time.sleep(0.01)
    _leave("right", product, present)


def one(product):
    """Say who else is at work."""
    _alone("one", product)


def two(product):
    _alone("two", product)


def three(product):
    _alone("three", product)


def _alone(name, product):
    present = _enter(name)
    time.sleep(0.2)
    _leave(name, product, present)


def join(product, upstream):
    Path(product).write_text(Path(upstream["left"]).stem + ", " + Path(upstream["one"]).stem)


def last(product, upstream):
    Path(product).write_text(Path(upstream["left"]).stem + ", " + Path(upstream["right"]).stem)
'''


def pipeline(*names: str, executor: str = "") -> dict[str, str]:
    tasks = "".join(f"  - source: tasks.{name}\n    product: output/{name}.txt\n" for name in names)
    return {
        "pipeline.yaml": f"{executor}tasks:\n{tasks}",
        "tasks.py": MEETING,
        "pyproject.toml": "[tool.nbops]\nprofile = false\n",
        ".gitignore": "output/\nmeeting/\n",
    }


def test_independent_tasks_run_at_once_whatever_the_executor(make_project: Callable[..., Project]) -> None:
    project = make_project(pipeline("left", "right"))
    project.configure("workers = 2\ntime_limit = 100")
    assert ran_in(project.build()) == {"left", "right"}


def alone_each(project: Project) -> None:
    assert [project.read(f"output/{name}.txt") for name in ("one", "two", "three")] == ["", "", ""]


def test_one_worker_keeps_the_order_of_the_pipeline(make_project: Callable[..., Project]) -> None:
    project = make_project(pipeline("one", "two", "three"))
    project.configure("workers = 1")
    run = project.build()
    alone_each(project)
    assert [task.name for task in sorted(run.tasks, key=lambda task: task.started_at or "")] == ["one", "two", "three"]


def test_the_pipelines_own_number_is_an_upper_bound(make_project: Callable[..., Project]) -> None:
    executor = "executor:\n  dotted_path: ploomber.executors.Parallel\n  processes: 1\n"
    project = make_project(pipeline("one", "two", "three", executor=executor))
    project.configure("workers = 3")
    project.build()
    alone_each(project)


def test_what_does_not_fit_into_memory_waits_and_says_so(make_project: Callable[..., Project]) -> None:
    project = make_project(pipeline("one", "two", "three"))
    project.configure('workers = 3\n[tool.nbops.tasks.one]\nmemory = "900TB"\n[tool.nbops.tasks.two]\nmemory = "900TB"')
    project.configure('[tool.nbops.tasks.three]\nmemory = "900TB"')
    result = project.ploomber("build").ok()
    alone_each(project)
    run = project.latest()
    waited = [task.name for task in run.tasks if any("waited for memory" in reason for reason in task.reasons)]
    assert waited == ["two", "three"]
    assert "waits for memory: it needs about 900,000.0 GB" in result.text
    assert run.verdict == "passed"


def test_a_task_may_have_the_machine_to_itself(make_project: Callable[..., Project]) -> None:
    project = make_project(pipeline("one", "two", "three"))
    project.configure("workers = 3\n[tool.nbops.tasks.two]\nalone = true")
    run = project.build()
    assert project.read("output/two.txt") == ""
    assert "two" not in project.read("output/one.txt") + project.read("output/three.txt")
    assert any("it runs alone" in reason for reason in tasks_of(run)["two"].reasons)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("workers = 0", "workers = 0: must be a whole number of at least 1"),
        ('workers = "all"', "workers = 'all': must be a whole number of at least 1"),
        ("profile_wait = -1", "profile_wait = -1: must be a number of seconds, 0 or more"),
        ('[tool.nbops.tasks.one]\nmemory = "lots"', "memory = 'lots': 'lots' is no size"),
        ("[tool.nbops.tasks.one]\nalone = 1", "alone = 1: must be true or false"),
    ],
)
def test_wrong_settings_are_told(make_project: Callable[..., Project], setting: str, said: str) -> None:
    project = make_project(pipeline("one"))
    project.configure(setting)
    result = project.ploomber("build")
    assert result.code == 1
    assert said in result.text
    assert not (project.root / "output/one.txt").exists()


def test_a_failure_holds_what_is_below_and_nothing_else(make_project: Callable[..., Project]) -> None:
    files = pipeline("left", "right", "one", "join")
    files["tasks.py"] = files["tasks.py"].replace('    _alone("one", product)', "    raise RuntimeError('no')")
    project = make_project(files)
    project.configure("workers = 2")
    run, _ = project.fail()
    assert statuses_of(run) == {"left": "succeeded", "right": "succeeded", "one": "failed", "join": "held"}
    project.edit("tasks.py", "    raise RuntimeError('no')", '    _alone("one", product)')
    assert ran_in(project.build()) == {"one", "join"}
    assert project.read("output/join.txt") == "left, one"


def test_a_signal_ends_all_that_runs(make_project: Callable[..., Project]) -> None:
    files = pipeline("left", "right", "last")
    files["tasks.py"] = (
        files["tasks.py"]
        .replace('MEETING / "seen").exists()', 'MEETING / "never").exists()')
        .replace('    (MEETING / "seen").touch()', "    while True:\n        time.sleep(1)")
    )
    project = make_project(files)
    project.configure("workers = 2")
    build = project.start("build")
    while not all((project.root / "meeting" / name).exists() for name in ("left", "right")):
        assert build.running(), build.text()
        time.sleep(0.02)
    os.kill(build.pid, signal.SIGTERM)
    assert build.wait(60) == 143, build.text()
    run = project.latest()
    assert run.status == "interrupted"
    assert statuses_of(run) == {"left": "interrupted", "right": "interrupted", "last": "interrupted"}
    assert not list((project.root / "output").glob("*.txt"))


def test_two_hundred_tasks(make_project: Callable[..., Project]) -> None:
    """A chain beside a fan: all are published, and a second build finds each of them up to date."""
    chain = [f"c{i}" for i in range(100)]
    fan = [f"f{i}" for i in range(100)]
    code = "from pathlib import Path\n"
    tasks = ""
    for index, name in enumerate([*chain, *fan]):
        above = chain[index - 1] if 0 < index < len(chain) else chain[0] if name in fan else None
        code += f"\n\ndef {name}(product{', upstream' if above else ''}):\n" + (f"    upstream['{above}']\n" if above else "")
        code += f"    Path(product).write_text('{name}')\n"
        tasks += f"  - source: tasks.{name}\n    product: output/{name}.txt\n"
    project = make_project(
        {"pipeline.yaml": "tasks:\n" + tasks, "tasks.py": code, "pyproject.toml": "[tool.nbops]\nprofile = false\nworkers = 4\n"}
    )
    run = project.build()
    assert ran_in(run) == {*chain, *fan}
    assert all(project.read(f"output/{name}.txt") == name for name in (*chain, *fan))
    assert set(statuses_of(project.build()).values()) == {"up_to_date"}


LATE = {
    "pipeline.yaml": "tasks:\n  - source: tasks.rows\n    product: output/rows.csv\n    params:\n      n: 3\n",
    "tasks.py": (
        "from pathlib import Path\n\n\n"
        "def rows(product, n):\n    Path(product).write_text('id,value\\n' + ''.join(f'{i},{i * n}\\n' for i in range(30)))\n"
    ),
    "pyproject.toml": "[tool.nbops]\nprofile_wait = 300\n",
}


def test_a_late_profile_is_left_for_the_next_build_and_an_old_one_is_not_shown(make_project: Callable[..., Project]) -> None:
    project = make_project(LATE)
    run = project.build()
    page = project.root / "reports/profiles/rows.html"
    assert (run.datasets[0].profile, page.exists()) == ("profiles/rows.html", True)
    project.edit("pipeline.yaml", "n: 3", "n: 4")
    project.edit("pyproject.toml", "profile_wait = 300", "profile_wait = 0")
    run = project.build()
    assert run.verdict == "passed"
    assert run.datasets[0].profile is None
    assert not page.exists()
    assert ["The next build makes it" in notice.message for notice in run.notices] == [True]
    assert "reports/profiles/rows.html" in project.committed()
    project.edit("pyproject.toml", "profile_wait = 0", "profile_wait = 300")
    run = project.build()
    assert statuses_of(run) == {"rows": "up_to_date"}
    assert run.datasets[0].profile == "profiles/rows.html"
    assert page.exists()
    assert not list(page.parent.glob(".*")), "nothing half-made is left"
