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
MINUTES = 4.0

_RUNS = (10, 400, 10_000)
ADDED = Metric(key="added_ms", label="ledger written and added, CPU", unit="ms", digits=1)
READ = Metric(key="read_ms", label="all series of the last 400 runs read, CPU", unit="ms", digits=1)


def _add(context: Context, runs: int) -> Callable[[int], Mapping[str, float]]:
    def run(_: int) -> Mapping[str, float]:
        folder = context.folder("growth") / str(runs)
        folder.mkdir(exist_ok=True)
        command: list[str | Path] = [context.python, CONTESTANTS / "added_runs.py", folder, str(runs)]
        facts = execute(command, folder=folder, environment=context.environment()).facts
        return {"added_ms": float(facts["added_ms"]), "read_ms": float(facts["read_ms"])}

    return run


def experiments(context: Context) -> Iterator[Experiment]:
    """Yield one experiment."""
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
