"""``nbops backfill`` with real builds: one a day, resumed, and built again where something changed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from nbops.record.store import read_run, run_ids

if TYPE_CHECKING:
    from e2e_project import Project

FILES = {
    "pipeline.yaml": "tasks:\n  - source: tasks.load\n    product: out/day.csv\n    params: {day: '{{day}}'}\n",
    "env.yaml": "day: '2011-01-01'\n",
    "tasks.py": (
        "import os\n"
        "import signal\n"
        "from pathlib import Path\n\n\n"
        "def load(product, day):\n"
        "    if day == os.environ.get('STOPPED'):\n"
        "        os.kill(int(os.environ['BACKFILL']), signal.SIGTERM)\n"
        "        signal.pause()\n"
        "    if day == os.environ.get('FAILING'):\n"
        "        raise ValueError('no data for that day')\n"
        "    Path(product).write_text(f'day,n\\n{day},1\\n')\n"
    ),
}


def backfill(project: Project, *arguments: str, **environment: str) -> tuple[int, str]:
    command = str(Path(sys.executable).with_name("nbops"))
    done = subprocess.run(
        ["sh", "-c", 'BACKFILL=$$ exec "$@"', "sh", command, "backfill", "--env--day", "2011-01-01..2011-01-02", *arguments],
        cwd=project.root,
        env={**project.machine(), **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=600,
    )
    return done.returncode, done.stdout


def days(project: Project) -> list[tuple[str | None, str]]:
    reports = project.root / "reports"
    return [((run := read_run(reports, run_id)).logical_date, run.status) for run_id in run_ids(reports)]


def test_a_backfill_is_one_run_a_day_and_goes_on_where_it_was(make_project: Callable[..., Project]) -> None:
    project = make_project(FILES)
    code, output = backfill(project, FAILING="2011-01-02")
    assert (code, "no data for that day" in output) == (1, True), output
    assert days(project) == [("2011-01-01", "succeeded"), ("2011-01-02", "failed")]

    code, output = backfill(project, STOPPED="2011-01-02")
    assert (code, "1 passed over, 1 left; stopped" in output) == (130, True), output
    assert days(project)[2:] == [("2011-01-02", "interrupted")]

    code, output = backfill(project, "--dry-run")
    assert (code, "1 of 2 partitions would be built" in output) == (0, True), output
    code, output = backfill(project)
    assert (code, "1 built, 1 passed over" in output) == (0, True), output
    assert days(project)[3:] == [("2011-01-02", "succeeded")]

    project.write("tasks.py", FILES["tasks.py"].replace(",1\\n", ",2\\n"))
    code, output = backfill(project, "--dry-run")
    assert (code, "2 of 2 partitions would be built" in output) == (0, True), output
