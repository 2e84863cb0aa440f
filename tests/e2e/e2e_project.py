"""A pipeline in a git repository of its own, and what the tests ask of it."""

from __future__ import annotations

import itertools
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from nbops.record.store import read_run, run_ids

if TYPE_CHECKING:
    from build_driver import Build, Driver

    from nbops.model import Run, TaskRun

__all__ = ["CHAIN", "Project", "Result", "ran_in", "statuses_of", "tasks_of"]

_LINE = "on_render: nbops.attach\n"
_CALLS = itertools.count()
_MACHINE: Mapping[str, str] = {
    "GIT_AUTHOR_NAME": "Tester",
    "GIT_AUTHOR_EMAIL": "tester@example.org",
    "GIT_COMMITTER_NAME": "Tester",
    "GIT_COMMITTER_EMAIL": "tester@example.org",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    # rewritten modules would else be taken from bytecode of the same second and size
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONWARNINGS": "",
}


@dataclass
class Result:
    """How a command line ended."""

    code: int
    text: str

    def ok(self) -> Result:
        assert self.code == 0, self.text
        return self


@dataclass
class Project:
    """A pipeline in a git repository of its own."""

    root: Path
    driver: Driver
    environment: dict[str, str] = field(default_factory=dict)

    # -- files ------------------------------------------------------------------------------------------------------------

    def write(self, path: str, text: str) -> Path:
        """Write a text file."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        return target

    def read(self, path: str) -> str:
        return (self.root / path).read_text(encoding="utf-8")

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace text that occurs in a file."""
        text = self.read(path)
        assert old in text, f"{path} does not hold {old!r}"
        self.write(path, text.replace(old, new))

    def configure(self, text: str) -> None:
        """Add to ``[tool.nbops]``."""
        path = self.root / "pyproject.toml"
        before = path.read_text(encoding="utf-8") if path.exists() else "[tool.nbops]\n"
        path.write_text(before + text + "\n", encoding="utf-8")

    def attach(self) -> None:
        """Add the one line."""
        self.write("pipeline.yaml", _LINE + self.read("pipeline.yaml"))

    # -- git --------------------------------------------------------------------------------------------------------------

    def git(self, *arguments: str) -> str:
        """Run git, which must end well, and return what it printed."""
        done = self._git(*arguments)
        assert done.returncode == 0, f"git {' '.join(arguments)}: {done.stderr}"
        return done.stdout.strip()

    def try_git(self, *arguments: str) -> str:
        """Run git, however it ends, and return what it printed."""
        return self._git(*arguments).stdout

    def _git(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["git", "-C", str(self.root), *arguments],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **_MACHINE},
        )

    def blob(self, name: str) -> bytes:
        """Return the bytes of an object."""
        done = subprocess.run(["git", "-C", str(self.root), "cat-file", "blob", name], capture_output=True, check=True)
        return done.stdout

    def init(self) -> None:
        """Make it a git repository with one commit of everything that is no output."""
        self.git("init", "--quiet", "--initial-branch=main")
        if not (self.root / ".gitignore").exists():
            self.write(".gitignore", "output/\n*.db\n")
        self.commit("first")

    def commit(self, message: str) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", f"--message={message}")

    def commits(self) -> list[str]:
        """Return the hashes of all commits, the newest first."""
        return self.git("log", "--format=%H").split()

    def committed(self, commit: str = "HEAD") -> list[str]:
        """Return the paths that a commit changed."""
        return self.git("show", "--name-only", "--format=", commit).splitlines()

    def machine(self) -> dict[str, str]:
        """Return the environment that builds get."""
        return {**os.environ, **_MACHINE, **self.environment}

    # -- builds -----------------------------------------------------------------------------------------------------------

    def start(self, *arguments: str, environment: Mapping[str, str] | None = None, before: str = "") -> Build:
        """Start ``ploomber ARGUMENTS`` in a process of its own."""
        # no name twice: what a build prints is appended
        output = Path(self.driver.folder, f"{os.getpid()}-{next(_CALLS)}.txt")
        return self.driver.start(
            arguments,
            folder=self.root,
            output=output,
            environment={**self.machine(), **(environment or {})},
            before=before,
        )

    def ploomber(self, *arguments: str, environment: Mapping[str, str] | None = None, before: str = "") -> Result:
        """Run ``ploomber ARGUMENTS`` to its end."""
        build = self.start(*arguments, environment=environment, before=before)
        code = build.wait()
        return Result(code, build.text())

    def build(self, *arguments: str, environment: Mapping[str, str] | None = None, before: str = "") -> Run:
        """Run ``ploomber build``, which must end well, and return what was recorded."""
        before_ids = run_ids(self.root / "reports")
        self.ploomber("build", *arguments, environment=environment, before=before).ok()
        assert len(run_ids(self.root / "reports")) == len(before_ids) + 1
        return self.latest()

    def fail(self, *arguments: str, environment: Mapping[str, str] | None = None, before: str = "") -> tuple[Run, str]:
        """Run ``ploomber build``, which must fail with exit code 1; return what was recorded and what was said."""
        before_ids = run_ids(self.root / "reports")
        result = self.ploomber("build", *arguments, environment=environment, before=before)
        assert result.code == 1, f"{result.code}\n{result.text}"
        assert len(run_ids(self.root / "reports")) == len(before_ids) + 1, result.text
        return self.latest(), result.text

    # -- records ----------------------------------------------------------------------------------------------------------

    def runs(self) -> list[Run]:
        """Return all recorded runs, the newest last; a ledger that cannot be read is an error."""
        return [read_run(self.root / "reports", run_id) for run_id in run_ids(self.root / "reports")]

    def latest(self) -> Run:
        return self.runs()[-1]


def tasks_of(run: Run) -> dict[str, TaskRun]:
    """Return the tasks of a run by name."""
    return {task.name: task for task in run.tasks}


def statuses_of(run: Run) -> dict[str, str]:
    """Return the status of each task of a run."""
    return {task.name: task.status for task in run.tasks}


def ran_in(run: Run) -> set[str]:
    """Return the tasks that were executed successfully in a run."""
    return {task.name for task in run.tasks if task.status == "succeeded"}


_CHAIN_TASKS = '''
import csv
import json
from pathlib import Path

import shared


def load(product, rows, source):
    """Make (or read) some rows."""
    with open(source, newline="") as stream:
        found = list(csv.DictReader(stream))[:rows]
    _write(product, found)


def clean(product, upstream):
    """Keep what counts."""
    with open(upstream["load"], newline="") as stream:
        found = [row for row in csv.DictReader(stream) if shared.counts(row)]
    _write(product, found)


def report(product, upstream):
    """Say how many are left."""
    with open(upstream["clean"], newline="") as stream:
        Path(product).write_text(json.dumps({"rows": sum(1 for _ in csv.DictReader(stream))}))


def _write(path, rows):
    with open(path, "w", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=["id", "value"])
        writer.writeheader()
        writer.writerows(rows)


def unrelated():
    return 1
'''

CHAIN: Mapping[str, str] = {
    "pipeline.yaml": """
tasks:
  - source: tasks.load
    product: output/raw.csv
    params:
      rows: "{{rows}}"
      source: data/source.csv

  - source: tasks.clean
    product: output/clean.csv

  - source: tasks.report
    product: output/report.json
""",
    "env.yaml": "rows: 100\n",
    "tasks.py": _CHAIN_TASKS.lstrip(),
    "shared.py": "import deeper\n\n\ndef counts(row):\n    return int(row['value']) >= deeper.LEAST\n",
    "deeper.py": "LEAST = 1\n",
    "data/source.csv": "id,value\n" + "".join(f"{i},{i % 5}\n" for i in range(40)),
    "pyproject.toml": "[tool.nbops]\nprofile = false\n",
}
"""Three functions in a row: load -> clean -> report."""
