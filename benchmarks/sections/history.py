"""What a run adds to git: shows what ``benchmarks/history.py`` measures on real days of a shop.

The days are files ``YYYY-MM-DD.csv.gz`` in the folder that ``NBOPS_BENCHMARK_DAYS`` names. A hundred runs take long: make them by
``python -m benchmarks.history --runs 100 --out FILE`` and have ``NBOPS_BENCHMARK_HISTORY=FILE`` shown.
"""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.harness import CPU, WALL, Contestant, Experiment, Metric, SkippedError

if TYPE_CHECKING:
    from benchmarks.context import Context

__all__ = ["MINUTES", "TITLE", "experiments", "real_days"]

TITLE = "History"
MINUTES = 3.0

ADDED = Metric(key="added_kb", label=".git has grown by", unit="KB", digits=1)
WINDOW = Metric(key="window_kb", label="a run, over ten in a row", unit="KB", digits=1)
LOOSE = Metric(key="loose_kb", label="its objects unpacked", unit="KB", digits=1)
HELD = Metric(key="held_kb", label="they take after the last run", unit="KB", digits=1)
PUSHED = Metric(key="pushed_kb", label="thin pack to push", unit="KB", digits=1)
PACKING = Metric(key="packing_cpu", label="packing after the build, CPU", unit="s", digits=2)
WHOLE = Metric(key="git_kb", label=".git, what all runs added", unit="KB", digits=0)
PACKED = Metric(key="git_gc_kb", label="the same after git gc", unit="KB", digits=0)
_SCRIPT = Path(__file__).parents[1] / "history.py"
_DAYS = Path(__file__).parents[3] / "shared" / "data" / "ecommerce" / "online_retail" / "by_day"
_RUNS = 9
_NAMES = {
    "bytes": "added_kb",
    "unpacked_bytes": "loose_kb",
    "held_bytes": "held_kb",
    "pushed_bytes": "pushed_kb",
    "git_bytes": "git_kb",
    "git_bytes_after_gc": "git_gc_kb",
}
_TEN = 10


def real_days() -> Path:
    """Return the folder of the daily files of a real shop, which need not be there."""
    return Path(os.environ.get("NBOPS_BENCHMARK_DAYS", _DAYS)).absolute()


def _measured(context: Context) -> list[Mapping[str, Any]]:
    """Return the runs that the script measured."""
    if given := os.environ.get("NBOPS_BENCHMARK_HISTORY"):
        return list(json.loads(Path(given).read_text(encoding="utf-8"))["runs"])
    days = real_days()
    if not any(days.glob("????-??-??.csv.gz")):
        raise SkippedError("there are no real days here; NBOPS_BENCHMARK_DAYS names their folder")
    out = context.folder("runs") / "history.json"
    out.unlink(missing_ok=True)
    tool = context.tool("nbops" if context.has_command("build") else "ploomber")
    runs = 2 * context.rounds + 1 if context.rounds else _RUNS
    options = ["--runs", str(runs), "--every", "2", "--data", str(days), "--tool", str(tool), "--out", str(out)]
    done = context.unmeasured([context.python, _SCRIPT, *options], folder=context.work)
    if done.returncode:
        raise SkippedError(f"a build failed: {done.stderr}")
    return list(json.loads(out.read_text(encoding="utf-8"))["runs"])


class _Runs:
    """The runs by kind; where they could not be made, why."""

    def __init__(self, context: Context) -> None:
        self._runs: list[Mapping[str, Any]] = []
        self._why = ""
        try:
            self._runs = _measured(context)
        except SkippedError as error:
            self._why = str(error)

    def of(self, kind: str) -> Callable[[int], Mapping[str, float]]:
        """Return what gives the figures of the n-th run of a kind."""

        def figures(number: int) -> Mapping[str, float]:
            if self._why:
                raise SkippedError(self._why)
            runs = [run for run in self._runs if run["kind"] == kind]
            one = runs[number]
            sizes = {name: one[key] / 1e3 for key, name in _NAMES.items() if key in one}
            if "packing_cpu_seconds" in one:
                sizes["packing_cpu"] = one["packing_cpu_seconds"]
            if number + 1 >= _TEN:
                sizes["window_kb"] = statistics.mean(run["bytes"] for run in runs[number + 1 - _TEN : number + 1]) / 1e3
            return {"cpu": one["cpu_seconds"], "wall": one["seconds"], **sizes}

        return figures

    def count(self, kind: str) -> int:
        """Return how many runs of a kind there are; one, which will say why there is none, where they could not be made."""
        return 1 if self._why else sum(1 for run in self._runs if run["kind"] == kind)


def experiments(context: Context) -> Iterator[Experiment]:
    """Yield one experiment; none in the quick form, whose builds are enough."""
    if context.quick:
        return
    runs = _Runs(context)
    changed = runs.count("changed")
    yield Experiment(
        key="history.days",
        title="What a run of the reference pipeline adds to git",
        about=(
            "A shop's real days, the window one day later each run; now and then a run with nothing to do. By how much .git has "
            "grown when the packing that follows a build has ended; the run's objects as git holds them until then, each "
            "compressed by itself; and what a push of the run's commit transfers. Made by benchmarks/history.py."
        ),
        baseline="changed",
        contestants=[
            Contestant(key="first", label="the first run", run=runs.of("first"), rounds=1),
            Contestant(key="changed", label="a day later", run=runs.of("changed"), rounds=changed),
            Contestant(key="unchanged", label="nothing to do", run=runs.of("unchanged"), rounds=runs.count("unchanged")),
        ],
        rounds=max(changed, 1),
        metrics=(ADDED, WINDOW, LOOSE, HELD, PUSHED, WHOLE, PACKED, PACKING, CPU, WALL),
    )
