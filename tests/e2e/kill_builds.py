"""Kill builds at random moments, and start them in pairs: nothing half-made may ever be seen, and the next build ends well.

    python tests/e2e/kill_builds.py --kills 100 --pairs 20 --seed 1

Before each build the source data changes, so that every task has work. A third of the kills take the whole family of processes at
once, as a machine that goes down does; the others only the build itself. Some builds are started through the real command line.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from build_driver import Build, Driver
from e2e_project import Project

from nbops.errors import LedgerError
from nbops.record.store import read_run, run_ids

if TYPE_CHECKING:
    from nbops.model import Run

__all__ = ["Ordeal", "main"]

ROWS = 400
_COMMAND_SHARE = 20
"""Every so-manieth kill goes through the real command line, which is slow to start."""
_FILES = {
    "pipeline.yaml": """
tasks:
  - source: tasks.load
    product:
      rows: output/rows.csv
      about: output/about.json
    params:
      source: data/version.txt
  - source: page.py
    product:
      nb: output/page.ipynb
      doubled: output/doubled.csv
  - source: tasks.total
    product: output/total.json
""",
    "tasks.py": f"""
import json
from pathlib import Path


def load(product, source):
    version = int(Path(source).read_text())
    with open(product["rows"], "w") as stream:
        stream.write("id,version\\n")
        for number in range({ROWS}):
            stream.write(f"{{number}},{{version}}\\n")
    Path(product["about"]).write_text(json.dumps({{"version": version, "rows": {ROWS}}}))


def total(product, upstream):
    lines = Path(upstream["page"]["doubled"]).read_text().splitlines()[1:]
    Path(product).write_text(json.dumps({{"rows": len(lines), "sum": sum(int(line.split(",")[1]) for line in lines)}}))
""",
    "page.py": """# %% tags=["parameters"]
upstream = ["load"]
product = None

# %%
from pathlib import Path

lines = Path(upstream["load"]["rows"]).read_text().splitlines()[1:]
rows = [tuple(int(part) for part in line.split(",")) for line in lines]
print("version", rows[0][1], "end")

# %%
with open(product["doubled"], "w") as stream:
    stream.write("id,doubled\\n")
    for number, version in rows:
        stream.write(f"{number},{2 * version}\\n")
        stream.flush()
""",
    "contracts/rows.odcs.yaml": f"""
kind: DataContract
apiVersion: v3.1.0
version: 1.0.0
id: rows
status: active
schema:
  - name: rows
    quality:
      - {{type: library, metric: rowCount, mustBe: {ROWS}}}
    properties:
      - {{name: id, logicalType: integer, primaryKey: true, required: true, unique: true}}
      - {{name: version, logicalType: integer, required: true}}
""",
    "contracts/doubled.odcs.yaml": """
kind: DataContract
apiVersion: v3.1.0
version: 1.0.0
id: doubled
status: active
schema:
  - name: doubled
    properties:
      - {name: id, logicalType: integer, primaryKey: true, required: true, unique: true}
      - {name: doubled, logicalType: integer, required: true}
""",
    "pyproject.toml": "[tool.nbops]\nprofile = false\nkeep_runs = 20\n",
    "data/version.txt": "0",
    "notes.md": "committed\n",
}


@dataclass
class Ordeal:
    """A project, and what happened to it.

    Args:
        project: A project that was built once.
        seed: Of the moments.
    """

    project: Project
    seed: int
    versions: set[int] = field(default_factory=lambda: {0})
    faults: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    seconds: float = 10.0
    """How long an undisturbed build takes; moments are drawn from this."""
    command_seconds: float = 30.0
    known: set[str] = field(default_factory=set)
    """Runs whose ledgers were seen once: none may be lost."""

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.user_state = self._user_state()

    # -- what is disturbed ------------------------------------------------------------------------------------------------

    def change(self) -> int:
        """Give the next build work to do; returns the version of the data."""
        version = max(self.versions) + 1
        self.versions.add(version)
        self.project.write("data/version.txt", str(version))
        return version

    def measure(self) -> None:
        """Build undisturbed, to know how long it takes."""
        self.change()
        begun = time.monotonic()
        self.after("an undisturbed build", self.project.start("build"))
        self.seconds = time.monotonic() - begun

    def kill(self, number: int) -> None:
        """Start a build, kill it at some moment, look, build again, look."""
        self.change()
        real = number % _COMMAND_SHARE == _COMMAND_SHARE - 1
        moment = self.random.random() * 1.05 * (self.command_seconds if real else self.seconds)
        family = self.random.random() < 1 / 3
        begun = time.monotonic()
        if real:
            with self._command() as process:
                self._kill_at(begun + moment, process, family=family)
                code = process.wait(120)
            if code == 0:
                self.command_seconds = time.monotonic() - begun
        else:
            build = self.project.start("build")
            self._kill_at(begun + moment, build, family=family)
            code = build.wait(120)
        self.counts["killed" if code == -signal.SIGKILL else "ended before the kill"] += 1
        where = f"kill {number} at {moment:.2f} s{' (family)' if family else ''}{' (command line)' if real else ''}"
        self._look(where)
        build = self.project.start("build")
        self.after(where, build)

    def pair(self, number: int) -> None:
        """Start two builds at once; both must end well."""
        self.change()
        first = self.project.start("build")
        time.sleep(self.random.random() * self.random.choice([0.0, 0.05, self.seconds]))
        second = self.project.start("build")
        where = f"pair {number}"
        for build in (first, second):
            if build.wait(300) != 0:
                self.faults.append(f"{where}: a build ended with {build.code}: {build.text()[-2000:]}")
        waited = any("waiting: " in build.text() for build in (first, second))
        self.counts["pairs in which one waited" if waited else "pairs in which none had to wait"] += 1
        self._look(where)
        self._check_ended(where)

    def after(self, where: str, build: Build) -> None:
        """See that a build ends well and leaves everything current."""
        if build.wait(300) != 0:
            self.faults.append(f"{where}: the next build ended with {build.code}: {build.text()[-3000:]}")
            return
        self._look(where)
        self._check_ended(where)

    @contextlib.contextmanager
    def _command(self) -> Iterator[subprocess.Popen[bytes]]:
        command = Path(sys.executable).with_name("ploomber")
        with (self.project.root.parent / "command.txt").open("ab") as said:
            process = subprocess.Popen(
                [str(command), "build"],
                cwd=self.project.root,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                env=self.project.machine(),
                start_new_session=True,
            )
            try:
                yield process
            finally:
                if process.poll() is None:
                    process.kill()
                process.wait()

    def _kill_at(self, moment: float, build: Build | subprocess.Popen[bytes], *, family: bool) -> None:
        """Kill a build at a moment, unless it has ended by then."""
        running = build.running if isinstance(build, Build) else lambda: build.poll() is None
        while time.monotonic() < moment and running():
            time.sleep(min(0.005, max(0.0, moment - time.monotonic())))
        victims: list[psutil.Process] = []
        if family:
            with contextlib.suppress(psutil.Error):
                victims = psutil.Process(build.pid).children(recursive=True)
        # by whoever may still reap it: its number may be another's as soon as it is reaped
        if isinstance(build, Build):
            self.project.driver.kill(build.pid)
        else:
            build.kill()
        for victim in victims:
            with contextlib.suppress(psutil.Error):
                victim.kill()

    # -- what is looked at ------------------------------------------------------------------------------------------------

    def _look(self, where: str) -> None:
        """Check what must hold at every moment, also right after a kill."""
        for path, problem in self._half_made():
            self.faults.append(f"{where}: {path}: {problem}")
        self._check_ledgers(where)
        if (state := self._user_state()) != self.user_state:
            self.faults.append(f"{where}: the user's files or index changed: {state}")
        fsck = subprocess.run(
            ["git", "-C", str(self.project.root), "fsck", "--strict", "--no-dangling"],
            capture_output=True,
            text=True,
            check=False,
        )
        if fsck.returncode != 0 or fsck.stderr.strip():
            self.faults.append(f"{where}: git fsck: {fsck.stdout}{fsck.stderr}")

    def _half_made(self) -> Iterator[tuple[str, str]]:
        """Yield products that are neither absent nor a whole version."""
        expected = {
            "output/rows.csv": lambda v: "id,version\n" + "".join(f"{n},{v}\n" for n in range(ROWS)),
            "output/about.json": lambda v: json.dumps({"version": v, "rows": ROWS}),
            "output/doubled.csv": lambda v: "id,doubled\n" + "".join(f"{n},{2 * v}\n" for n in range(ROWS)),
            "output/total.json": lambda v: json.dumps({"rows": ROWS, "sum": 2 * v * ROWS}),
        }
        for path, text_of in expected.items():
            with contextlib.suppress(FileNotFoundError):
                text = self.project.read(path)
                if not any(text == text_of(version) for version in self.versions):
                    yield path, f"half-made or mixed: {text[:80]!r}... ({len(text)} characters)"
        with contextlib.suppress(FileNotFoundError):
            text = self.project.read("output/page.ipynb")
            try:
                cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
                done = all(cell["execution_count"] for cell in cells)
                printed = "".join(line for cell in cells for output in cell["outputs"] for line in output.get("text", ""))
                if not done or not any(f"version {version} end" in printed for version in self.versions):
                    yield "output/page.ipynb", f"an unfinished notebook: {printed!r}"
            except (ValueError, KeyError) as error:
                yield "output/page.ipynb", f"no notebook: {error!r}"

    def _check_ledgers(self, where: str) -> None:
        reports = self.project.root / "reports"
        found = set(run_ids(reports))
        if lost := self.known - found:
            self.faults.append(f"{where}: ledgers were lost: {sorted(lost)}")
        for run_id in found:
            try:
                read_run(reports, run_id)
            except LedgerError as error:
                self.faults.append(f"{where}: {error}")
        self.known |= found

    def _check_ended(self, where: str) -> None:
        """Check what must hold once a build ended well."""
        version = max(self.versions)
        run = self.project.latest()
        bad = {task.name: task.status for task in run.tasks if task.status not in {"succeeded", "up_to_date"}}
        if bad or run.verdict != "passed":
            self.faults.append(f"{where}: the next run was {run.verdict}: {bad}")
        try:
            about, total = (json.loads(self.project.read(f"output/{name}.json")) for name in ("about", "total"))
            if about["version"] != version or total["sum"] != 2 * version * ROWS:
                self.faults.append(f"{where}: not current: {about}, {total}")
        except (OSError, ValueError) as error:
            self.faults.append(f"{where}: {error!r}")
        self._check_runs(where, self.project.runs())
        if left := self.project.git("status", "--porcelain", "reports"):
            self.faults.append(f"{where}: not committed: {left[:500]}")
        if locks := [str(path) for path in (self.project.root / ".git").rglob("*.lock")]:
            self.faults.append(f"{where}: git's locks were left: {locks}")
        if processes := self._processes():
            self.faults.append(f"{where}: processes were left: {processes}")

    def _check_runs(self, where: str, runs: Sequence[Run]) -> None:
        states = Counter(run.status for run in runs)
        if states["running"]:
            self.faults.append(f"{where}: a dead run still counts as running")
        if states["failed"]:
            self.faults.append(f"{where}: {states['failed']} runs failed")
        self.counts["runs recorded as interrupted"] = states["interrupted"]
        self.counts["runs"] = len(runs)

    def _processes(self) -> list[str]:
        deadline = time.monotonic() + 15
        while True:
            found = [
                " ".join(process.info["cmdline"] or [])
                for process in psutil.process_iter(["cwd", "cmdline", "status"])
                if process.info["cwd"] == str(self.project.root) and process.info["status"] != psutil.STATUS_ZOMBIE
            ]
            if not found or time.monotonic() > deadline:
                return found
            time.sleep(0.1)

    def _user_state(self) -> tuple[str, str, str, str]:
        """Return what the user has staged, changed and left untracked, the data's version apart."""
        others = ("--", ".", ":!data", ":!reports")
        status, changed = self.project.git("status", "--porcelain", *others), self.project.git("diff", *others)
        return status, changed, self.project.git("diff", "--cached"), self.project.read("draft.txt")


def prepare(folder: Path, driver: Driver, *, seed: int) -> Ordeal:
    """Make the project, with work of a user's own in its index and tree, and build it once."""
    project = Project(root=folder, driver=driver)
    for path, text in _FILES.items():
        project.write(path, text)
    project.attach()
    project.init()
    project.write("staged.txt", "staged\n")
    project.git("add", "staged.txt")
    project.write("staged.txt", "staged\nand changed\n")
    project.write("notes.md", "changed\n")
    project.write("draft.txt", "untracked\n")
    ordeal = Ordeal(project=project, seed=seed)
    ordeal.after("the first build", project.start("build"))
    ordeal.measure()
    return ordeal


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the ordeal and print what was found; returns 1 when there was a fault."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100, help="builds to kill")
    parser.add_argument("--pairs", type=int, default=20, help="pairs of builds to start at once")
    parser.add_argument("--seed", type=int, default=1, help="of the moments")
    options = parser.parse_args(arguments)
    begun = time.monotonic()
    driver = Driver()
    driver.open()
    try:
        with tempfile.TemporaryDirectory(prefix="nbops-kills-") as folder:
            ordeal = prepare(Path(folder).resolve() / "project", driver, seed=options.seed)
            for number in range(options.kills):
                ordeal.kill(number)
                if (number + 1) % 10 == 0:
                    _say(f"{number + 1} kills, {len(ordeal.faults)} faults, {time.monotonic() - begun:.0f} s")
            for number in range(options.pairs):
                ordeal.pair(number)
    finally:
        driver.close()
    for fault in ordeal.faults:
        _say(f"FAULT {fault}")
    counted = ", ".join(f"{count} {what}" for what, count in sorted(ordeal.counts.items()))
    _say(
        f"{options.kills} kills and {options.pairs} pairs with seed {options.seed} in {time.monotonic() - begun:.0f} s: "
        f"{len(ordeal.faults)} faults ({counted})"
    )
    return 1 if ordeal.faults else 0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
