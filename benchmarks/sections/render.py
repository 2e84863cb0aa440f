"""Whether the pages of a new run cost more the more runs are recorded."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.context import CONTESTANTS
from benchmarks.harness import LACKS, USAGE, Contestant, Experiment, SkippedError, execute
from benchmarks.project import Variant
from benchmarks.sections.noop import built

if TYPE_CHECKING:
    from benchmarks.context import Context

__all__ = ["MINUTES", "TITLE", "experiments"]

TITLE = "Pages of a new run, by how many are recorded"
MINUTES = 2.0

_RUNS = (10, 100, 400)
_PAGES = ("index.html", "history.html")


@cache
def _with_runs(context: Context, variant: Variant, number: int) -> tuple[Path, str]:
    """Return a copy of a built project with so many runs before its latest, and the latest; caches are warm, as after a build."""
    root = context.folder("render") / f"{variant.size}-{number}"
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(built(context, variant), root, symlinks=True)
    done = context.unmeasured([context.python, CONTESTANTS / "many_runs.py", root, str(number)], folder=root)
    if done.returncode:
        raise SkippedError(f"runs could not be made: {done.stderr[-300:]}")
    done = context.unmeasured([context.tool("nbops"), "render"], folder=root)
    if done.returncode:
        raise SkippedError(f"{LACKS} `nbops render`: {done.stderr[-300:]}")
    return root, max(path.name for path in (root / "reports/runs").iterdir())


def _render(context: Context, variant: Variant, number: int) -> Callable[[int], Mapping[str, float]]:
    """Return what renders the latest run, whose pages are not there."""

    def run(_: int) -> Mapping[str, float]:
        root, latest = _with_runs(context, variant, number)
        reports = root / "reports"
        wanted = [reports / "runs" / latest / "index.html", *(reports / name for name in _PAGES)]
        for path in wanted:
            path.unlink()
        before = {path: path.stat().st_mtime_ns for path in (reports / "runs").glob("*/index.html")}
        usage = execute([context.tool("nbops"), "render", latest], folder=root, environment=context.environment())
        if not all(path.is_file() for path in wanted):
            raise SkippedError("a page was not made")
        if any(path.stat().st_mtime_ns != stamp for path, stamp in before.items()):
            raise SkippedError("a page of an earlier run was written again")
        return usage.values()

    return run


def experiments(context: Context) -> Iterator[Experiment]:
    """Yield one experiment."""
    variant = Variant(shape="chain", size=2 if context.quick else 8, attached=True)
    numbers = _RUNS[:2] if context.quick else _RUNS
    yield Experiment(
        key="render.runs",
        title="`nbops render` of one new run, with ever more runs before it",
        about=(
            "The run's own pages, the index and the History page, from ledgers, in a process of its own. Its pages were removed; "
            "pages of earlier runs may not be written again. The ratios are against 10 recorded runs."
        ),
        baseline="render_10",
        contestants=[
            Contestant(key=f"render_{number}", label=f"{number} runs before it", run=_render(context, variant, number))
            for number in numbers
        ],
        rounds=context.rounds_or(7),
        metrics=USAGE,
    )
