"""Days of real shop data as runs, measured as a build measures them, and judged by the days before."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from nbops.history.index import History, open_history
from nbops.history.monitors import Judgement, judge
from nbops.model import Dataset, Run
from nbops.quality.audit import audit
from nbops.record.codec import decode, encode

__all__ = ["DATA", "Days", "a_run", "measured", "run_at"]

DATA = Path(__file__).parents[2] / "shared" / "data"
_TEXTS = {"InvoiceNo": str, "StockCode": str, "Description": str, "Country": str}


def read_day(path: Path) -> pd.DataFrame:
    """Read a day's file as a notebook would."""
    table = pd.read_csv(path, dtype=_TEXTS)
    table["InvoiceDate"] = pd.to_datetime(table["InvoiceDate"])
    return table


def measured(table: pd.DataFrame | Path, *, day: dt.date, work: Path) -> Dataset:
    """Measure a table (as Parquet) or a file as a build would."""
    path = table if isinstance(table, Path) else work / "orders.parquet"
    if not isinstance(table, Path):
        table.reset_index(drop=True).to_parquet(path)
    now = dt.datetime.combine(day, dt.time(3), dt.timezone.utc) + dt.timedelta(days=1)
    final = f"data/orders{path.suffix}"
    return audit(
        path, name="orders", task="load", final_path=final, contract=None, references={}, now=now, spread=True, threads=1
    ).dataset


def a_run(day: dt.date, dataset: Dataset) -> Run:
    """Return the run that brought a dataset."""
    started = dt.datetime.combine(day, dt.time(3), dt.timezone.utc) + dt.timedelta(days=1)
    return run_at(started, (dataset,), logical_date=day.isoformat())


def run_at(started: dt.datetime, datasets: tuple[Dataset, ...], *, logical_date: str | None = None) -> Run:
    """Return a run of a made-up shop that went well."""
    return Run(
        id=f"{started:%Y%m%dT%H%M%SZ}-000000",
        status="succeeded",
        verdict="passed",
        pipeline="shop",
        command="ploomber build",
        started_at=f"{started:%Y-%m-%dT%H:%M:%SZ}",
        logical_date=logical_date,
        datasets=datasets,
    )


class Days:
    """All days, measured once and kept, and a history of them."""

    def __init__(self, work: Path, *, most: int | None = None) -> None:
        self.work = work
        self.files = sorted((DATA / "ecommerce/online_retail/by_day").glob("*.csv.gz"))[:most]
        self.days = [dt.date.fromisoformat(path.name[:10]) for path in self.files]
        self.runs = [a_run(day, self._dataset(path, day)) for path, day in zip(self.files, self.days, strict=True)]
        self.history: History = open_history(work / "none", work / f"history-{len(self.files)}")
        for run in self.runs:
            self.history.add(run)

    def _dataset(self, path: Path, day: dt.date) -> Dataset:
        kept = self.work / f"{day}.json"
        if kept.exists():
            found: Dataset = decode(Dataset, json.loads(kept.read_text(encoding="utf-8")))
            return found
        found = measured(read_day(path), day=day, work=self.work)
        kept.write_text(json.dumps(encode(found)), encoding="utf-8")
        return found

    @cache  # noqa: B019 - lives as long as the benchmark
    def table(self, number: int) -> pd.DataFrame:
        """Return a day's table."""
        return read_day(self.files[number])

    def clean(self, number: int) -> Judgement:
        """Judge a day as it was."""
        return judge(self.runs[number], self.history)

    def faulty(self, number: int, table: pd.DataFrame) -> Judgement:
        """Judge another table in place of a day's."""
        dataset = measured(table, day=self.days[number], work=self.work)
        if not len(table):
            dataset = measured(self.table(number).iloc[:0], day=self.days[number], work=self.work)
        run = a_run(self.days[number], dataset)
        self.history.add(run)
        found = judge(run, self.history)
        self.history.add(self.runs[number])
        return found

    def course(self, numbers: Sequence[int], change: Callable[[pd.DataFrame, int], pd.DataFrame], *, every: int) -> int | None:
        """Plant a fault that grows from run to run; return how many runs it took until something was raised, None for never."""
        found: int | None = None
        for step, number in enumerate(numbers):
            run = a_run(self.days[number], measured(change(self.table(number), step), day=self.days[number], work=self.work))
            self.history.add(run)
            if step % every == every - 1 and judge(run, self.history).raised:
                found = step + 1
                break
        for number in numbers:
            self.history.add(self.runs[number])
        return found


def shown(judgement: Judgement) -> list[Any]:
    """Return what was raised, short."""
    return [(item.monitor, item.column, item.metric, item.score) for item in judgement.raised]
