"""What a run adds to git: the reference pipeline on real days of a shop, one day more each round, then once more unchanged.

The days are files ``YYYY-MM-DD.csv.gz`` in the folder that ``NBOPS_BENCHMARK_DAYS`` names; where there are none, the section says
so. ``--rounds 100`` makes it a hundred days.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.harness import CPU, WALL, Contestant, Experiment, Metric, SkippedError, execute
from benchmarks.sections.reference import copy_reference, verify_reference

if TYPE_CHECKING:
    from benchmarks.context import Context

__all__ = ["MINUTES", "TITLE", "experiments"]

TITLE = "History"
MINUTES = 5.0

ADDED = Metric(key="added_kb", label="added to git, compressed", unit="KB", digits=1)
FILES = Metric(key="files", label="objects added", unit="objects", digits=0)
WHOLE = Metric(key="git_kb", label=".git afterwards", unit="KB", digits=0)
_DAYS = Path(__file__).parents[3] / "shared" / "data" / "ecommerce" / "online_retail" / "by_day"
_FIRST_DAY = 30
"""The history starts with a month, so that a recommender can be trained."""


class _Shop:
    """A project whose days go by."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.root: Path | None = None

    def days(self) -> list[str]:
        """Return the days that there are."""
        folder = Path(os.environ.get("NBOPS_BENCHMARK_DAYS", _DAYS))
        return sorted(path.name.split(".")[0] for path in folder.glob("????-??-??.csv.gz"))

    def build(self, day: int) -> Mapping[str, float]:
        """Build with the data up to a day, and measure what that adds."""
        days = self.days()
        if len(days) <= _FIRST_DAY + day:
            raise SkippedError("there are no (more) real days here; NBOPS_BENCHMARK_DAYS names their folder")
        folder = Path(os.environ.get("NBOPS_BENCHMARK_DAYS", _DAYS))
        if self.root is None:
            self.root = copy_reference(self.context, "history", 1_000)
            self._build(folder, days[_FIRST_DAY - 1])
        return self._build(folder, days[_FIRST_DAY + day])

    def _build(self, folder: Path, until: str) -> Mapping[str, float]:
        assert self.root is not None
        before = self._commits()
        tool = ["nbops"] if self.context.has_command("build") else ["ploomber"]
        usage = execute(
            [self.context.tool(tool[0]), "build", "--env--source", folder, "--env--until", until],
            folder=self.root,
            environment=self.context.environment(),
        )
        if self._commits() != before + 1:
            raise SkippedError(f"{self._commits() - before} commits instead of one")
        verify_reference(self.context, self.root, recorded=True, commits=before + 1)
        sizes = self._added()
        git = sum(path.stat().st_size for path in (self.root / ".git").rglob("*") if path.is_file())
        return {"added_kb": sum(sizes) / 1e3, "files": float(len(sizes)), "git_kb": git / 1e3, **usage.values()}

    def _commits(self) -> int:
        return int(self._git("rev-list", "--count", "HEAD"))

    def _added(self) -> list[int]:
        """Return the sizes on disk, compressed, of the objects that the last commit brought."""
        new = self._git("rev-list", "--objects", "HEAD~1..HEAD").splitlines()
        names = {line.split()[0] for line in new}
        every = self._git("cat-file", "--batch-all-objects", "--batch-check=%(objectname) %(objectsize:disk)").splitlines()
        return [int(size) for name, size in (line.split() for line in every) if name in names]

    def _git(self, *arguments: str) -> str:
        assert self.root is not None
        done = self.context.unmeasured(["git", *arguments], folder=self.root)
        if done.returncode:
            raise SkippedError(f"git {arguments[0]}: {done.stderr}")
        return done.stdout


def experiments(context: Context) -> Iterator[Experiment]:
    """Yield one experiment; none in the quick form, whose builds are enough."""
    if context.quick:
        return
    shop = _Shop(context)

    yield Experiment(
        key="history.days",
        title="What a run of the reference pipeline adds to git",
        about=(
            "A shop's real days, one more each round, then the same again. Sizes of the objects of the run's commit as git "
            "stores them, compressed; each run is verified to be whole and to make one commit."
        ),
        baseline="changed",
        contestants=[
            Contestant(key="changed", label="a day more", run=shop.build),
            Contestant(key="unchanged", label="nothing changed", run=shop.build),
        ],
        rounds=context.rounds_or(5),
        metrics=(ADDED, FILES, WHOLE, CPU, WALL),
    )
