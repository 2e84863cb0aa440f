"""What the end of a build makes of a run's findings."""

from __future__ import annotations

from nbops.contract.config import Config
from nbops.model import Cause, Run, RunError, TaskRun
from nbops.record.store import write_run
from nbops.workflow import causes, watchover

SECRET = "anna.smith at example.org"


def failed() -> Run:
    error = RunError(kind="ValueError", message="no", task="load")
    return Run(
        id="20261122T190100Z-000001", status="failed", verdict="failed", pipeline="shop", command="ploomber build",
        started_at="2026-11-22T19:01:00Z", tasks=(TaskRun(name="load", kind="notebook", status="failed", error=error),),
        errors=(error,),
    )  # fmt: skip


def test_what_is_quoted_of_causes_is_cleaned_before_it_is_written(tmp_path, monkeypatch):
    cause = Cause(kind="code", message=f"The code quotes {SECRET}.", evidence=(f"`who = '{SECRET}'` is new",))
    monkeypatch.setattr(causes, "causes_for", lambda *_: (cause,))
    write_run(tmp_path / "reports", failed())
    watchover.announce(tmp_path, failed().id)
    done = watchover.keep_incidents(tmp_path, Config(), failed(), clean=lambda text: text.replace(SECRET, "[personal]"))
    assert len(done.changes) == 1
    (file,) = (tmp_path / "reports/incidents").glob("*.json")
    text = file.read_text(encoding="utf-8")
    assert SECRET not in text
    assert text.count("[personal]") == 2
    assert not (tmp_path / ".nbops/incidents.pending").exists()


def test_causes_that_cannot_be_found_leave_the_incident(tmp_path, monkeypatch):
    def broken(*_):
        raise RuntimeError("no")

    monkeypatch.setattr(causes, "causes_for", broken)
    write_run(tmp_path / "reports", failed())
    done = watchover.keep_incidents(tmp_path, Config(), failed())
    assert [change.incident.causes for change in done.changes] == [()]
    assert any("opened" in sentence for sentence in done.said)
