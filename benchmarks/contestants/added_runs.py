"""Records runs and adds them to the history: ``python added_runs.py FOLDER RUNS``; what one costs is told in milliseconds.

The folder is filled with so many made-up ledgers first, unless it has them: five datasets of eight numeric columns, all new in
each. What is added is taken away again.
"""

from __future__ import annotations

import json
import random
import shutil
import statistics
import sys
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

from nbops.history.index import open_history
from nbops.model import Column, Dataset, Distribution, Measurement, Run, TaskRun
from nbops.quality.probabilities import PROBABILITIES
from nbops.record.ledger import to_json
from nbops.record.store import ledger_path, write_run

_START = datetime(2000, 1, 1, tzinfo=timezone.utc)
_METRICS = ("nullValues", "minimum", "maximum", "mean", "standardDeviation")
_DRAWS = random.Random(7)
_ADDED = 9


def _dataset(name: str) -> Dataset:
    columns = tuple(Column(name=f"c{number}", physical_type="DOUBLE") for number in range(8))
    measured = [
        Measurement(metric=metric, column=column.name, value=3 if metric == "nullValues" else _DRAWS.random())
        for column in columns
        for metric in _METRICS
    ]
    spread = [
        Distribution(column=column.name, rows=90, quantiles=tuple(sorted(_DRAWS.random() for _ in PROBABILITIES)))
        for column in columns
    ]
    return Dataset(
        name=name,
        task="t",
        path=f"{name}.parquet",
        format="parquet",
        columns=columns,
        rows=100,
        bytes=1_000,
        content_hash=str(_DRAWS.random()),
        measurements=tuple(measured),
        distributions=tuple(spread),
        verdict="passed",
    )


def _run(number: int) -> Run:
    at = _START + timedelta(hours=6 * number)
    return Run(
        id=f"{at:%Y%m%dT%H%M%SZ}-{number:06x}",
        status="succeeded",
        verdict="passed",
        pipeline="made up",
        command="nbops build",
        started_at=f"{at:%Y-%m-%dT%H:%M:%SZ}",
        tasks=(TaskRun(name="t", kind="notebook", status="succeeded", seconds=1.0),),
        datasets=tuple(_dataset(f"d{number}") for number in range(5)),
    )


def _fill(reports: Path, runs: int) -> None:
    for number in range(runs):
        run = _run(number)
        path = ledger_path(reports, run.id)
        if not path.exists():
            path.parent.mkdir(parents=True)
            path.write_text(to_json(run), encoding="utf-8")


def _added(reports: Path, cache: Path, number: int) -> tuple[float, float]:
    """Record a run; return CPU milliseconds of recording and adding it, and of reading the series before it."""
    run = _run(number)
    start = time.process_time()
    write_run(reports, run)
    with open_history(reports, cache) as history:
        history.sync()
        history.add(run)
        between = time.process_time()
        for subject in history.subjects():
            history.series(subject, before=run.id)
    return 1_000 * (between - start), 1_000 * (time.process_time() - between)


def main(folder: Path, runs: int) -> None:
    """Fill a folder, add runs, print what one took at the median."""
    reports, cache = folder / "reports", folder / "cache"
    _fill(reports, runs)
    with open_history(reports, cache) as history:
        history.sync()
    took = [_added(reports, cache, runs + number) for number in range(_ADDED)]
    for number in range(_ADDED):
        shutil.rmtree(ledger_path(reports, _run(runs + number).id).parent)
    added, read = (statistics.median(column) for column in zip(*took, strict=True))
    print("@@facts " + json.dumps({"added_ms": round(added, 2), "read_ms": round(read, 2)}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
