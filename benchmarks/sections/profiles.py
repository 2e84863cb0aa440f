"""Profiles of 0.1 to 5 million rows x 10 columns: nbops beside ydata-profiling as it comes and in its minimal form."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from benchmarks.context import CONTESTANTS, Context
from benchmarks.harness import USAGE, WORK_WALL, Contestant, Experiment, Metric, SkippedError, execute
from benchmarks.sections.checks import data_file

__all__ = ["MINUTES", "TITLE", "experiments"]

TITLE = "Profiles"
MINUTES = 6.5

PAGE = Metric(key="page_kb", label="page", unit="KB", digits=0)
PAGE_GZ = Metric(key="page_gz_kb", label="page, compressed", unit="KB", digits=0)
_LEAST_KB = 20


def experiments(context: Context) -> Iterator[Experiment]:
    """Yield one experiment over several sizes: what counts is nbops on 5 million rows beside the other on 1 million."""
    hundred, million, five = (2_000, 4_000, 8_000) if context.quick else (100_000, 1_000_000, 5_000_000)

    def run(script: str, rows: int, *arguments: str) -> Callable[[int], Mapping[str, float]]:
        def once(_round: int) -> Mapping[str, float]:
            page = context.folder("runs") / "profile.html"
            page.unlink(missing_ok=True)
            usage = execute(
                [context.python, CONTESTANTS / script, data_file(context, rows), *arguments, page],
                folder=context.folder("runs/profiles"),
                environment=context.environment(),
            )
            content = page.read_bytes()
            missing = [name for name in ("customer", "country", "quantity", "ordered_at") if name.encode() not in content]
            if missing or len(content) < _LEAST_KB * 1_000:
                raise SkippedError(f"the page is not whole: {len(content)} bytes, without {missing}")
            return usage.values()

        return once

    ways = [
        ("ydata_100k", f"ydata-profiling, {hundred:,} rows", run("profile_ydata.py", hundred, "default"), 2),
        ("ydata_1m", f"ydata-profiling, {million:,} rows", run("profile_ydata.py", million, "default"), None),
        ("ydata_minimal_1m", f"ydata-profiling minimal, {million:,} rows", run("profile_ydata.py", million, "minimal"), 2),
        ("nbops_100k", f"nbops, {hundred:,} rows", run("profile_nbops.py", hundred), 2),
        ("nbops_1m", f"nbops, {million:,} rows", run("profile_nbops.py", million), 2),
        ("nbops_5m", f"nbops, {five:,} rows", run("profile_nbops.py", five), None),
    ]
    if context.quick:
        ways = [way for way in ways if way[0] in {"ydata_minimal_1m", "ydata_1m", "nbops_5m"}][1:]
    yield Experiment(
        key="profiles.pages",
        title="A profile: numbers of all rows, and a page",
        about=(
            "The data of the checks. nbops measures all rows in DuckDB and makes its page from a seeded sample of 20,000 rows, "
            "and the page says so; ydata-profiling reads all rows. The ratios are against ydata-profiling as it comes on "
            f"{million:,} rows."
        ),
        baseline="ydata_1m" if not context.quick else "ydata_minimal_1m",
        contestants=[Contestant(key=key, label=label, run=one, rounds=rounds) for key, label, one, rounds in ways],
        rounds=context.rounds_or(5),
        metrics=(WORK_WALL, *USAGE, PAGE, PAGE_GZ),
    )
