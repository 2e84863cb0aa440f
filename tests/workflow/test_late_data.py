"""Data that does not come, in runs by the clock: from the end of a build to the incident, over ledgers."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from nbops.contract.config import Config
from nbops.history.incidents.store import load_incidents
from nbops.history.index import Arrival, open_history
from nbops.history.monitors import judge
from nbops.history.monitors.rhythm import looks_of
from nbops.model import Column, Dataset, LineageEdge, Measurement, Run, RunError, TaskRun
from nbops.record.store import read_run, run_ids, write_run
from nbops.workflow.monitoring import monitored
from nbops.workflow.watchover import announce, keep_incidents
from nbops.workflow.watchpages import watch_of

FIRST = dt.datetime(2026, 3, 2, 6, 2, tzinfo=dt.timezone.utc)
"""A Monday."""
RETAIL = Path(__file__).parents[3] / "shared" / "data" / "ecommerce" / "online_retail" / "by_day"
LINEAGE = (
    LineageEdge(source="task:load", target="dataset:raw", kind="writes"),
    LineageEdge(source="dataset:raw", target="task:clean"),
    LineageEdge(source="task:clean", target="dataset:orders", kind="writes"),
)


def dataset(name: str, task: str, content: str, home: str | None) -> Dataset:
    return Dataset(
        name=name, task=task, path=f"{name}.parquet", format="parquet", rows=100, verdict="passed", content_hash=content,
        columns=(Column(name="amount", physical_type="DOUBLE"),), measurements=(Measurement(metric="rowCount", value=100),),
        changed=home is None, from_run=home,
    )  # fmt: skip


@dataclass
class Project:
    """Two tasks, one below the other; a build executes them where there is a new file, as nbops does."""

    root: Path
    config: Config = field(default_factory=Config)
    content: str = ""
    home: str = ""
    previous: Run | None = None

    def build(self, at: dt.datetime, content: str, *, command: str = "ploomber build", failed: bool = False) -> Run:
        run_id = f"{at:%Y%m%dT%H%M%SZ}-{len(content):06x}"
        new = content != self.content and not failed
        self.content, self.home = (content, run_id) if new else (self.content, self.home)
        home = None if new else self.home
        ran = "succeeded" if new else "up_to_date"
        tasks = tuple(TaskRun(name=name, kind="notebook", status=ran) for name in ("load", "clean"))  # type: ignore[arg-type]
        if failed:
            error = RunError(kind="ConnectionError", message="the shop does not answer", task="load")
            tasks = (replace(tasks[0], status="failed", error=error), replace(tasks[1], status="held"))
        tasks = (tasks[0], replace(tasks[1], upstream=("load",)))
        run = Run(
            id=run_id, status="failed" if failed else "succeeded", verdict="failed" if failed else "passed", pipeline="shop",
            command=command, started_at=f"{at:%Y-%m-%dT%H:%M:%SZ}", finished_at=f"{at:%Y-%m-%dT%H:%M:%SZ}", tasks=tasks,
            datasets=(dataset("raw", "load", self.content, home), dataset("orders", "clean", f"o{self.content}", home)),
            lineage=LINEAGE,
        )  # fmt: skip
        run = monitored(self.root, self.config, run, previous=self.previous).run
        announce(self.root, run.id)
        write_run(self.root / "reports", run)
        keep_incidents(self.root, self.config, run)
        self.previous = run
        return run

    def learn(self, days: int, *, hour: int = 0) -> None:
        """Builds each day, with a new file on weekdays, ten minutes before and after each other."""
        for day in range(days):
            run = self.build(at(day, hour, day * 7 % 20), f"file {day if day % 7 < 5 else day - day % 7 + 4}")
            assert run.anomalies == (), f"day {day}"


def at(day: int, hours: float = 0, minutes: float = 0) -> dt.datetime:
    return FIRST + dt.timedelta(days=day, hours=hours, minutes=minutes)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def stale(run: Run) -> list[str]:
    return [item.subject for item in run.anomalies if item.monitor == "freshness"]


def test_a_file_that_does_not_come_is_one_incident_until_it_comes(project: Project) -> None:
    project.learn(36)
    assert not load_incidents(project.root / "reports").found
    run = project.build(at(36, 0, 5), "file 35")  # a Tuesday, with Monday's file
    assert sorted(stale(run)) == ["dataset:orders", "dataset:raw"]
    assert run.verdict == "warned"
    one = next(item for item in run.anomalies if item.subject == "dataset:raw")
    assert "As a rule new content every weekday by 06:30 UTC; last new 24 h ago" in one.message
    assert one.expected is not None
    assert "in 4 of 4 earlier weeks" in one.expected.basis or "in 5 of 5 earlier weeks" in one.expected.basis
    (incident,) = load_incidents(project.root / "reports").found
    assert (incident.root, incident.state) == ("dataset:raw", "open")
    assert {item.subject for item in incident.findings} == {"dataset:raw", "dataset:orders"}, "what follows from it is in it"
    assert incident.causes[0].kind == "time"
    again = project.build(at(36, 0, 20), "file 35")
    assert again.anomalies == (), "a build minutes later is not judged again"
    assert sorted(stale(project.build(at(36, 3), "file 35"))) == ["dataset:orders", "dataset:raw"]
    assert len(load_incidents(project.root / "reports").found) == 1
    project.build(at(36, 5), "file 36")
    assert [item.state for item in load_incidents(project.root / "reports").found] == ["resolved"]
    assert project.build(at(37), "file 37").anomalies == ()


def test_quiet_builds_are_recorded_as_before(project: Project) -> None:
    project.learn(34)
    saturday = project.build(at(33, 8), "file 32")
    assert (saturday.monitors, saturday.anomalies, saturday.verdict) == ((), (), "passed")


def test_a_task_that_fails_is_told_once(project: Project) -> None:
    project.learn(36)
    run = project.build(at(36), "file 36", failed=True)
    assert stale(run) == [], "nobody looked"
    (incident,) = load_incidents(project.root / "reports").found
    assert incident.root == "task:load"


def test_a_build_of_a_part_did_not_look(project: Project) -> None:
    project.learn(36)
    for day in range(36, 64):  # on Tuesdays somebody builds one task before the file is there
        if day % 7 == 1:
            project.previous = None
            project.build(at(day, -1), project.content, command="ploomber task report")
        if day % 7 < 5:
            project.build(at(day), f"file {day}")
    with open_history(project.root / "reports", project.root / ".nbops/cache") as history:
        history.sync()
        whole = list(history.arrivals("raw", run_ids(project.root / "reports")[-1]))
    assert len(whole) == 36 + 20


def test_holidays_and_what_somebody_said_to_expect(project: Project) -> None:
    project.learn(36)
    monitoring = replace(project.config.monitoring, holidays=("2026-04-07",))
    project.config = replace(project.config, monitoring=monitoring)
    assert project.build(at(36), "file 35").anomalies == ()
    file = project.root / "monitoring/expected.yaml"
    file.parent.mkdir()
    file.write_text(
        "- id: EXP-1\n  subject: dataset:raw\n  from: '2026-04-08'\n  until: '2026-04-08'\n  reason: closed\n", encoding="utf-8"
    )
    run = project.build(at(37), "file 35")
    assert [(item.subject, item.accepted) for item in run.anomalies] == [("dataset:orders", None), ("dataset:raw", "EXP-1")]


def test_the_page_says_when_something_new_comes(project: Project) -> None:
    project.learn(36)
    reports = project.root / "reports"
    run = read_run(reports, run_ids(reports)[-1])
    (interval,) = [one for one in watch_of(project.root, reports, run).bands("raw", True) if one.metric == "interval"]
    assert interval.rhythm == "new content every weekday by 06:30 UTC; last new 2026-04-06 06:07 UTC"


def test_a_ledger_from_a_clock_that_was_ahead_and_one_that_went_back(project: Project) -> None:
    project.learn(36)
    project.build(at(400), "from the future")
    run = project.build(at(36), "file 35")
    assert "dataset:raw" in stale(run) or run.anomalies == ()
    assert project.build(at(20), "file 20").status == "succeeded"


@pytest.mark.skipif(not RETAIL.is_dir(), reason="the data of the shop is not here")
def test_a_year_of_a_shop_run_each_calendar_day(tmp_path: Path) -> None:
    """Online Retail: at six each morning the file of the newest day; the shop is closed on Saturdays and 16 other days."""
    there = sorted(dt.date.fromisoformat(path.name[:10]) for path in RETAIL.glob("*.csv.gz"))
    first, last = there[0], there[-1]
    raised: list[dt.date] = []
    with open_history(tmp_path / "reports", tmp_path / "cache") as history:
        for number in range((last - first).days + 1):
            day = first + dt.timedelta(days=number)
            newest = max(one for one in there if one <= day)
            start = dt.datetime.combine(day + dt.timedelta(days=1), dt.time(6), dt.timezone.utc)
            home = None if newest == day else f"{dt.datetime.combine(newest, dt.time(6)) + dt.timedelta(days=1):%Y%m%dT%H%M%SZ}-0"
            run = Run(
                id=f"{start:%Y%m%dT%H%M%SZ}-0", status="succeeded", verdict="passed", pipeline="shop", command="ploomber build",
                started_at=f"{start:%Y-%m-%dT%H:%M:%SZ}", datasets=(dataset("raw", "load", newest.isoformat(), home),),
                tasks=(TaskRun(name="load", kind="notebook", status="succeeded" if home is None else "up_to_date"),),
            )  # fmt: skip
            history.add(run)
            if stale(replace(run, anomalies=judge(run, history).anomalies)):
                raised.append(day)
    closed = {first + dt.timedelta(days=number) for number in range((last - first).days)} - set(there)
    assert len(closed) == 53 + 16
    assert set(raised) <= closed, "no day with data"
    assert [f"{day:%m-%d}" for day in raised] == [
        *("12-31", "01-01", "01-02", "01-03"),  # nothing new since 23 December
        *("04-22", "04-23", "04-24", "04-25"),  # Easter
        *("04-29", "04-30", "05-02", "05-30", "08-29"),  # bank holidays
    ]


@pytest.mark.skipif(not RETAIL.is_dir(), reason="the data of the shop is not here")
def test_files_of_a_shop_that_come_late_are_found() -> None:
    there = sorted(dt.date.fromisoformat(path.name[:10]) for path in RETAIL.glob("*.csv.gz"))
    seen: list[Arrival] = []
    found = planted = 0
    for number in range((there[-1] - there[0]).days + 1):
        day = there[0] + dt.timedelta(days=number)
        newest = max(one for one in there if one <= day)
        start = dt.datetime.combine(day + dt.timedelta(days=1), dt.time(6), dt.timezone.utc).timestamp()
        if newest == day and number >= 35:
            planted += 1
            found += looks_of([*seen, seen[-1]._replace(run="late", at=start)]).late() is not None
        seen.append(Arrival(f"R{number:03d}", start, newest.isoformat(), 1, 1, None, newest != day))
    assert (found, planted) == (271, 284)
