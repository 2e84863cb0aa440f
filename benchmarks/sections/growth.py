"""Whether recording a run costs more the more runs there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from benchmarks.context import CONTESTANTS
from benchmarks.harness import Contestant, Experiment, Metric, execute

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.context import Context

__all__ = ["MINUTES", "TITLE", "experiments"]

TITLE = "A run added to the history, by how many there are"
MINUTES = 12.0

_RUNS = (10, 400, 10_000)
ADDED = Metric(key="added_ms", label="ledger written and added, CPU", unit="ms", digits=1)
READ = Metric(key="read_ms", label="all series of the last 400 runs read, CPU", unit="ms", digits=1)


_ENDS = (10, 400, 10_000)
_ADDED = 20
_PARTS = (
    Metric(key="both_ms", label="all that a run does with history, CPU", unit="ms", digits=0),
    Metric(key="end_ms", label="the end of the run", unit="ms", digits=0),
    Metric(key="begin_ms", label="before the first task", unit="ms", digits=0),
    Metric(key="ledger_ms", label="ledger", unit="ms", digits=0),
    Metric(key="monitors_ms", label="index and monitors", unit="ms", digits=0),
    Metric(key="incidents_ms", label="incidents", unit="ms", digits=0),
    Metric(key="pages_ms", label="pages", unit="ms", digits=0),
    Metric(key="commit_ms", label="commit", unit="ms", digits=0),
    Metric(key="monitoring_kb", label="monitoring.html", unit="KB", digits=0),
)


_Ends = dict[tuple[int, int], Mapping[str, float]]
"""What was measured, by number of runs before it and round."""


def _end(context: Context, runs: int, known: _Ends) -> Callable[[int], Mapping[str, float]]:
    def run(number: int) -> Mapping[str, float]:
        if (runs, number) not in known:
            known[runs, number] = measured()
        return known[runs, number]

    def measured() -> Mapping[str, float]:
        folder = context.folder("growth") / "ends"
        folder.mkdir(exist_ok=True)
        command: list[str | Path] = [context.python, CONTESTANTS / "run_ends.py", folder, str(runs), str(_ADDED)]
        facts = execute(command, folder=folder, environment=context.environment(), time_limit=3_600.0).facts
        return {metric.key: float(facts.get(metric.key, 0.0)) for metric in _PARTS}

    return run


def _add(context: Context, runs: int) -> Callable[[int], Mapping[str, float]]:
    def run(_: int) -> Mapping[str, float]:
        folder = context.folder("growth") / str(runs)
        folder.mkdir(exist_ok=True)
        command: list[str | Path] = [context.python, CONTESTANTS / "added_runs.py", folder, str(runs)]
        facts = execute(command, folder=folder, environment=context.environment()).facts
        return {"added_ms": float(facts["added_ms"]), "read_ms": float(facts["read_ms"])}

    return run


def experiments(context: Context) -> Iterator[Experiment]:
    """Yield three experiments."""
    counts, ends = ((10, 40) if context.quick else _ENDS), _Ends()
    yield Experiment(
        key="growth.history",
        title="A run is recorded and added to the history, with ever more runs before it",
        about=(
            "Made-up ledgers of five datasets with eight numeric columns each. Nine runs are added one after the other, the "
            "median counts; in each round anew. What was there before is in the index already. The ratios are against 10 runs; "
            "series are read of at most 400 runs, so that reading costs the same from there on."
        ),
        baseline="runs_10",
        contestants=[
            Contestant(key=f"runs_{runs}", label=f"{runs:,} runs before it", run=_add(context, runs))
            for runs in ((10, 40) if context.quick else _RUNS)
        ],
        rounds=context.rounds_or(5),
        metrics=(ADDED, READ),
    )
    yield Experiment(
        key="growth.end",
        title="All that a run does with history, from its beginning to its commit",
        about=(
            "Made-up runs of three datasets with four numeric columns each in a git repository, one run in twenty with an "
            "incident; ledgers and incidents were written by what writes them in a build. "
            f"{_ADDED} runs are added one after the other, each in a process of its own: what a build does before its first "
            "task, and its whole end with index, monitors, incidents, all pages and the commit. Git counts. Means, so that "
            "what happens in each tenth run only (pages of old runs go, the commit looks at the whole folder) counts with "
            "its share. The ratios are against 10 runs, where monitors are still learning: they judge by 10 runs there, and by "
            "400, which is all that they ever look at, from then on."
        ),
        baseline="ends_10",
        contestants=[
            Contestant(key=f"ends_{runs}", label=f"{runs:,} runs before it", run=_end(context, runs, ends)) for runs in counts
        ],
        rounds=context.rounds_or(5),
        metrics=_PARTS,
    )
    yield Experiment(
        key="growth.learned",
        title="The same where monitors look at as many runs: against 400",
        about="The figures of the table before, with ratios against the run from which on monitors look back no further.",
        baseline=f"ends_{counts[-2]}",
        contestants=[
            Contestant(key=f"ends_{runs}", label=f"{runs:,} runs before it", run=_end(context, runs, ends))
            for runs in counts[-2:]
        ],
        rounds=context.rounds_or(5),
        metrics=_PARTS,
    )
