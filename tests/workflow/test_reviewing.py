"""Walking through a run's findings; what is said goes into files in git and can be taken back."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from nbops.contract.config import Config, load_config
from nbops.errors import ConfigError, LedgerError, UnknownTarget
from nbops.history.expected import FILE, add_correction, load_corrections
from nbops.history.incidents.store import load_incidents
from nbops.history.incidents.update import rebuild, update
from nbops.model import Anomaly, Check, CheckResult, Column, Dataset, LineageEdge, Run, RunError, TaskRun
from nbops.record.store import read_run, write_run
from nbops.workflow.reviewing import Review

HOSTILE = "<script>alert(1)</script>'; DROP TABLE x; -- \u202e"
CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: orders
version: 1.0.0
schema:
  - name: orders
    properties:
      - name: id
        required: true
      - name: mail
        classification: {mail}
"""


def run_id(number: int) -> str:
    return f"20261122T1900{number:02d}Z-00000{number}"


def make_run(number: int, *, bad: bool = False, unusual: tuple[Anomaly, ...] = (), warned: bool = False) -> Run:
    check = Check(id="id.nullValues", dataset="orders", metric="nullValues", column="id", operator="mustBe", expected=0)
    soft = Check(id="rowCount", dataset="orders", metric="rowCount", operator="mustBeGreaterThan", expected=9, severity="warn")
    rows: tuple[dict[str, Any], ...] = ({"_row": 2, "id": None, "mail": "ada@example.org", "note": HOSTILE},) if bad else ()
    results = (
        CheckResult(
            check=check, verdict="failed" if bad else "passed", observed=1 if bad else 0, failing_rows=len(rows), examples=rows
        ),
        CheckResult(check=soft, verdict="warned" if warned else "passed", observed=3, message="3 rows"),
    )
    return Run(
        id=run_id(number),
        status="failed" if bad else "succeeded",
        verdict="failed" if bad else "warned" if warned else "passed",
        pipeline="shop",
        command="ploomber build",
        started_at=f"2026-11-22T19:00:{number:02d}Z",
        finished_at=f"2026-11-22T19:00:{number:02d}Z",
        tasks=(
            TaskRun(
                name="clean",
                kind="notebook",
                status="failed" if bad else "succeeded",
                source="clean.py",
                products={"data": "orders.csv"},
                error=RunError(kind="ChecksFailed", message="id") if bad else None,
            ),
        ),
        datasets=(
            Dataset(
                name="orders",
                task="clean",
                path="orders.csv",
                format="csv",
                rows=3,
                verdict="failed" if bad else "passed",
                published=not bad,
                columns=(Column(name="id", physical_type="BIGINT"), Column(name="mail", physical_type="VARCHAR")),
            ),
        ),
        checks=results,
        anomalies=unusual,
        lineage=(LineageEdge(source="task:clean", target="dataset:orders", kind="writes"),),
    )


VOLUME = Anomaly(
    monitor="volume", subject="dataset:orders", metric="rowCount", observed=3, message="3 rows, usually 9", severity="warn"
)
NULLS = Anomaly(
    monitor="nulls", subject="dataset:orders", column="id", metric="nullRate", observed=0.5, message="half", severity="error"
)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "shop"
    (root / "contracts").mkdir(parents=True)
    (root / "pipeline.yaml").write_text("tasks: []\n", encoding="utf-8")
    (root / "contracts/orders.odcs.yaml").write_text(CONTRACT.format(mail="public"), encoding="utf-8")
    monkeypatch.delenv("GIT_AUTHOR_NAME", raising=False)
    for words in (
        ("init", "-q"),
        ("config", "user.name", "Ada"),
        ("config", "user.email", "a@example.org"),
        ("commit", "-q", "--allow-empty", "-m", "x"),
    ):
        subprocess.run(["git", *words], cwd=root, check=True)
    return root


def keep(project: Path, *runs: Run) -> None:
    for run in runs:
        write_run(project / "reports", run)
        update(project / "reports", read_run(project / "reports", run.id))


def review(project: Path, run: str = "latest") -> Review:
    return Review(project, load_config(project), run)


def incidents(project: Path) -> dict[str, str]:
    return {item.id: item.state for item in load_incidents(project / "reports").found}


def test_a_good_run_has_nothing_to_review(project):
    keep(project, make_run(1))
    found = review(project)
    assert (found.items, found.current, found.left, found.position) == ((), None, 0, 0)
    assert found.go("next") is None
    with pytest.raises(LedgerError, match="nothing was accepted"):
        found.undo()


def test_errors_lead_and_the_walk_stops_at_its_ends(project):
    keep(project, make_run(1), make_run(2, bad=True, warned=True, unusual=(VOLUME, NULLS)))
    found = review(project)
    assert [(item.severity, item.kind, item.mark) for item in found.items] == [
        ("error", "check", "failed"),
        ("error", "monitor", "failed"),
        ("warn", "monitor", "unusual"),
        ("warn", "check", "warned"),
    ]
    assert found.left == 4
    first = found.current
    assert first is not None
    assert first.key == "check:orders:id.nullValues"
    assert found.go("previous") == first
    assert [found.go("next").mark for _ in range(4)] == ["failed", "unusual", "warned", "warned"]  # type: ignore[union-attr]
    found.filter("error")
    assert [item.mark for item in found.shown] == ["failed", "failed"]
    assert found.left == 4
    assert found.position == 0
    assert found.go(1) == found.shown[1]
    found.go(found.items[3].key)
    assert (found.only, found.current) == (None, found.items[3])
    with pytest.raises(UnknownTarget):
        found.go("check:orders:nothing")
    with pytest.raises(UnknownTarget, match="error, warn"):
        found.filter("fatal")  # type: ignore[arg-type]


def test_rows_are_shown_as_they_are_recorded_and_masked_by_the_contract_of_now(project):
    keep(project, make_run(1), make_run(2, bad=True))
    [row] = review(project).items[0].examples
    assert dict(row) == {"_row": 2, "id": None, "mail": "ada@example.org", "note": HOSTILE}
    (project / "contracts/orders.odcs.yaml").write_text(CONTRACT.format(mail="personal"), encoding="utf-8")
    item = review(project).items[0]
    assert dict(item.examples[0]) == {"_row": 2, "id": None, "mail": "•••", "note": HOSTILE}
    assert "personal" in item.withheld
    (project / "contracts/orders.odcs.yaml").write_text("schema: [", encoding="utf-8")
    item = review(project).items[0]
    assert item.examples == ()
    assert "cannot be read" in item.withheld


def test_a_series_is_accepted_as_nbops_expect_does_and_that_is_taken_back_to_the_byte(project):
    keep(project, make_run(1), make_run(2, unusual=(NULLS,)))
    found = review(project)
    [item] = found.items
    assert (item.accept, item.state) == ("series", "open")
    with pytest.raises(ConfigError, match="reason"):
        found.accept(item.key, "  ")
    assert not (project / FILE).exists()
    said = found.accept(item.key, f"known {HOSTILE}", until="2026-12-01")
    [entry] = load_corrections(project)
    assert (entry.subject, entry.column, entry.metric, entry.since, entry.until) == (
        "dataset:orders",
        "id",
        "nullRate",
        "2026-11-22",
        "2026-12-01",
    )
    assert entry.reason.startswith("known <script>")
    assert set(incidents(project).values()) == {"expected"}
    assert any(entry.id in sentence for sentence in said)
    assert (found.left, found.items[0].state, found.can_undo) == (0, "expected", item.key)
    with pytest.raises(LedgerError, match="already"):
        found.accept(item.key, "again")
    found.undo()
    assert not (project / "monitoring").exists()
    assert set(incidents(project).values()) == {"open"}
    assert (found.left, found.can_undo) == (1, None)
    log = subprocess.run(["git", "log", "--format=%s"], cwd=project, check=True, capture_output=True, text=True).stdout
    assert "nbops: reopened" in log
    before = {path.name: path.read_bytes() for path in (project / "reports/incidents").glob("*.json")}
    rebuild(project / "reports")
    assert {path.name: path.read_bytes() for path in (project / "reports/incidents").glob("*.json")} == before


def test_taking_back_leaves_what_others_wrote_meanwhile(project):
    text = "# ours\n- id: EXP-1\n  subject: dataset:raw   # kept\n"
    (project / "monitoring").mkdir()
    (project / FILE).write_text(text, encoding="utf-8")
    keep(project, make_run(1), make_run(2, unusual=(NULLS, VOLUME)))
    found = review(project)
    for item in found.items:
        found.accept(item.key, "so it is")
    add_correction(project, subject="task:clean", reason="slow disk")
    names = [one.id for one in load_corrections(project)]
    assert len(names) == 4
    found.undo()
    found.undo()
    assert [one.id for one in load_corrections(project)] == [names[0], names[3]]
    assert (project / FILE).read_text(encoding="utf-8").startswith(text)


def test_a_rule_of_a_contract_is_accepted_through_its_incident_only(project):
    keep(project, make_run(1), make_run(2, bad=True, warned=True))
    found = review(project)
    bad, soft = found.items
    assert (bad.accept, bad.together, bad.incident) == ("incident", 2, next(iter(incidents(project))))
    assert soft.incident == bad.incident
    assert found.acknowledge(bad.key, "looking")
    assert ([item.state for item in found.items], found.left) == (["acknowledged", "acknowledged"], 0)
    said = found.accept(bad.key, "a known gap")
    assert any("quiet" in sentence for sentence in said)
    assert {item.state for item in found.items} == {"expected"}
    found.undo()
    assert {item.state for item in found.items} == {"acknowledged"}, "as it was before"


def test_a_warning_that_was_there_before_is_part_of_no_incident(project):
    keep(project, make_run(1, warned=True), make_run(2, warned=True))
    found = review(project)
    [item] = [item for item in found.items if item.incident is None] or found.items
    assert item.accept is None
    with pytest.raises(LedgerError, match="rule of a contract"):
        found.accept(item.key, "why not")
    with pytest.raises(LedgerError, match="no incident"):
        found.acknowledge(item.key)


def test_an_older_run_is_reviewed_as_it_was(project):
    keep(project, make_run(1), make_run(2, bad=True), make_run(3))
    assert review(project).items == ()
    [item] = review(project, run_id(2)).items
    assert item.state == "resolved"
    assert item.accept is None
    with pytest.raises(LedgerError):
        review(project, run_id(2)).accept(item.key, "too late")
    with pytest.raises(LedgerError):
        review(project, "20990101T000000Z-ffffff")


def test_without_git_or_runs(tmp_path):
    (tmp_path / "pipeline.yaml").write_text("tasks: []\n", encoding="utf-8")
    with pytest.raises(LedgerError):
        Review(tmp_path, Config())
