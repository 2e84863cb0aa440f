"""What becomes of a run at its end: monitors, and incidents that go with it."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbops.contract.config import Config
from nbops.history.incidents.store import load_incidents
from nbops.model import Column, Dataset, LineageEdge, Measurement, Run, TaskRun
from nbops.record.store import write_run
from nbops.workflow import monitoring, watchover
from nbops.workflow.monitoring import logical_date_of, monitored
from nbops.workflow.watchover import announce, catch_up, keep_incidents

START = dt.datetime(2026, 11, 1, 6, tzinfo=dt.timezone.utc)


def make(day: int, *, rows: int = 1_000, **more: Any) -> Run:
    """A run of one task that makes ``orders`` each day."""
    at = START + dt.timedelta(days=day)
    orders = Dataset(
        name="orders",
        task="load",
        path="output/orders.parquet",
        format="parquet",
        columns=(Column(name="amount", physical_type="DOUBLE"),),
        rows=rows,
        content_hash=f"h{day}",
        measurements=(Measurement(metric="rowCount", value=rows), Measurement(metric="nullValues", column="amount", value=0)),
        verdict="passed",
    )
    run = Run(
        id=f"{at:%Y%m%dT%H%M%SZ}-{day:06x}",
        status="succeeded",
        verdict="passed",
        pipeline="shop",
        command="ploomber build",
        started_at=at.isoformat().replace("+00:00", "Z"),
        finished_at=at.isoformat().replace("+00:00", "Z"),
        parameters={"day": at.date().isoformat()},
        tasks=(TaskRun(name="load", kind="notebook", status="succeeded"),),
        datasets=(orders,),
        lineage=(LineageEdge(source="task:load", target="dataset:orders", kind="writes"),),
    )
    return replace(run, **more)


def record(root: Path, run: Run, previous: Run | None = None) -> tuple[Run, list[str]]:
    """Do with a run what the end of a build does; return it and the events of incidents."""
    run = monitored(root, Config(), run, previous=previous).run
    announce(root, run.id)
    write_run(root / "reports", run)
    done = keep_incidents(root, Config(), run)
    return run, [event.what for change in done.changes for event in change.events]


@pytest.mark.parametrize(
    ("parameters", "name", "day"),
    [
        ({"day": "2011-01-04"}, None, "2011-01-04"),
        ({"date": dt.date(2011, 1, 4)}, None, "2011-01-04"),
        ({"ds": "2011-01-04T10:00:00Z"}, None, "2011-01-04T10:00:00Z"),
        ({"day": "2011-01-04", "run_date": "2012-01-01"}, None, "2012-01-01"),
        ({"day": "20110104"}, None, None),
        ({"day": 20110104, "date": "soon"}, None, None),
        ({"day": "2011-01-04", "until": "2011-02-01"}, "until", "2011-02-01"),
        ({"day": "2011-01-04"}, "until", None),
        ({"day": "2011-13-04"}, None, None),
        ({"DAY": "2011-01-04", "since": "2011-01-04"}, None, None),
        ({}, None, None),
    ],
)
def test_the_day_that_a_run_is_for(parameters: dict[str, Any], name: str | None, day: str | None) -> None:
    assert logical_date_of(parameters, name) == day


@given(st.dictionaries(st.sampled_from(["day", "date", "ds"]), st.text() | st.integers() | st.none() | st.dates()))
def test_any_parameter_is_a_day_or_none(parameters: dict[str, Any]) -> None:
    found = logical_date_of(parameters)
    assert found is None or "-" in found


def test_a_day_with_few_rows_is_an_anomaly_a_warning_and_an_incident(tmp_path: Path) -> None:
    for day in range(20):
        run, events = record(tmp_path, make(day, rows=1_000 + 7 * (day % 5)))
        assert (run.verdict, events) == ("passed", []), f"day {day}"
    assert run.logical_date == "2026-11-20"
    run, events = record(tmp_path, make(20, rows=40))
    assert run.verdict == "warned"
    assert [(item.monitor, item.subject, item.metric) for item in run.anomalies] == [("volume", "dataset:orders", "rowCount")]
    assert events == ["opened"]
    (incident,) = load_incidents(tmp_path / "reports").found
    assert (incident.severity, incident.root) == ("warn", "dataset:orders")
    assert incident.causes, "it is said what may be behind it"
    run, events = record(tmp_path, make(21, rows=1_010))
    assert (run.verdict, events) == ("passed", ["resolved"])


def test_tasks_that_are_slow_at_once_are_one_incident_of_the_machine(tmp_path: Path) -> None:
    def timed(day: int, factor: float) -> Run:
        seconds = {"load": 10.0 + day % 3, "other": 40.0 + day % 4, "third": 7.0 + day % 2}
        tasks = [TaskRun(name=name, kind="notebook", status="succeeded", seconds=factor * one) for name, one in seconds.items()]
        return make(day, tasks=tuple(tasks))

    for day in range(45):
        run, events = record(tmp_path, timed(day, 1.0))
        assert (run.anomalies, events) == ((), [])
    run, events = record(tmp_path, timed(45, 9.0))
    assert {item.subject for item in run.anomalies} == {"task:load", "task:other", "task:third"}
    assert events == ["opened"], "and not three"
    (incident,) = load_incidents(tmp_path / "reports").found
    assert incident.causes[0].kind == "machine"
    assert "3 of 3 tasks" in incident.causes[0].message


def test_corrections_are_taken_and_wrong_ones_said(tmp_path: Path) -> None:
    for day in range(20):
        record(tmp_path, make(day, rows=1_000 + 7 * (day % 5)))
    file = tmp_path / "monitoring/expected.yaml"
    file.parent.mkdir()
    entry = "- id: EXP-1\n  subject: dataset:orders\n  from: 2026-11-21\n  until: 2026-12-31\n  reason: a holiday\n"
    file.write_text(entry, encoding="utf-8")
    run, events = record(tmp_path, make(20, rows=40))
    assert (run.verdict, events) == ("passed", [])
    assert [item.accepted for item in run.anomalies] == ["EXP-1"]
    file.write_text("- id: [", encoding="utf-8")
    run, events = record(tmp_path, make(21, rows=40))
    assert (run.verdict, events) == ("warned", ["opened"])
    assert "expected.yaml" in run.notices[0].message


def test_monitors_that_fail_stop_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no\nluck")

    monkeypatch.setattr(monitoring, "_judged", fail)
    run, events = record(tmp_path, make(1))
    assert (run.verdict, events) == ("passed", [])
    assert run.notices[0].message == "the monitors failed: RuntimeError: no luck"


def test_switched_off(tmp_path: Path) -> None:
    off = Config(monitoring=replace(Config().monitoring, enabled=False))
    run = monitored(tmp_path, off, make(1), previous=None).run
    assert run.monitors == ()
    assert not (tmp_path / ".nbops").exists()


def test_where_nothing_is_new_nothing_heavy_is_loaded(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom dataclasses import replace\nfrom pathlib import Path\nfrom test_monitoring import make\n"
        "from nbops.contract.config import Config\nfrom nbops.workflow.monitoring import monitored\n"
        "from nbops.workflow.watchover import keep_incidents\n"
        "import nbops.workflow.conclude\n"
        "before = set()\n"
        "run = make(1)\n"
        "same = replace(run, tasks=(replace(run.tasks[0], status='up_to_date'),),\n"
        "               datasets=(replace(run.datasets[0], from_run=run.id, changed=False),))\n"
        "same = monitored(Path(sys.argv[1]), Config(), same, previous=replace(run, logical_date=run.parameters['day'])).run\n"
        "assert same.monitors == ()\n"
        "keep_incidents(Path(sys.argv[1]), Config(), same)\n"
        "print(*sorted({'sqlite3', 'numpy', 'ruamel'} & (set(sys.modules) - before)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=Path(__file__).parent, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""


class TestKilled:
    def test_between_ledger_and_incidents_the_next_build_makes_it_good(self, tmp_path: Path) -> None:
        broken = make(1, tasks=(TaskRun(name="load", kind="notebook", status="failed"),), status="failed", verdict="failed")
        announce(tmp_path, broken.id)
        write_run(tmp_path / "reports", broken)  # and killed
        assert not load_incidents(tmp_path / "reports").found
        done = catch_up(tmp_path, Config(), [])
        assert [event.what for change in done.changes for event in change.events] == ["opened"]
        assert "opened" in done.said[0]
        assert catch_up(tmp_path, Config(), []).changes == ()

    def test_before_its_ledger_was_written(self, tmp_path: Path) -> None:
        announce(tmp_path, make(1).id)
        assert catch_up(tmp_path, Config(), []).changes == ()

    def test_a_note_that_is_nonsense(self, tmp_path: Path) -> None:
        announce(tmp_path, "../../etc/passwd")
        assert catch_up(tmp_path, Config(), []).changes == ()


def test_incidents_that_cannot_be_kept_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = make(1, tasks=(TaskRun(name="load", kind="notebook", status="failed"),), status="failed", verdict="failed")
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports/incidents").write_text("in the way", encoding="utf-8")
    write_run(tmp_path / "reports", broken)
    done = keep_incidents(tmp_path, Config(), broken)
    assert done.changes == ()
    assert "--rebuild" in done.said[0]
    monkeypatch.setattr(watchover, "incidents_lock", lambda *_: 1 / 0)
    assert "ZeroDivisionError" in keep_incidents(tmp_path, Config(), broken).said[0]
