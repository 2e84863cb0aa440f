"""Incidents of real builds: a file that opens, grows no doubles, and closes, in the commits of the runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from e2e_project import Project


def test_a_failure_opens_an_incident_and_the_mended_build_closes_it(built: Project) -> None:
    good = built.latest()
    assert not (built.root / "reports/incidents").exists(), "nothing is wrong"

    built.edit("shared.py", "int(row['value'])", "int(row['price'])")
    run, said = built.fail()
    (path,) = (built.root / "reports/incidents").glob("*.json")
    found = json.loads(path.read_text(encoding="utf-8"))
    assert f"incident {path.stem} opened" in said
    assert f"reports/incidents/{path.name}" in built.committed()
    assert (found["state"], found["root"], found["last_good_run"]) == ("open", "task:clean", good.id)
    assert found["subjects"] == ["task:clean", "task:report"], "what waits for it is affected too"
    assert "KeyError" in found["title"]

    built.edit("shared.py", "int(row['price'])", "int(row['value']) + 0")
    mended = built.build()
    found = json.loads(path.read_text(encoding="utf-8"))
    assert (found["state"], found["resolved_run"], found["last_bad_run"]) == ("resolved", mended.id, run.id)
    assert [event["what"] for event in found["events"]] == ["opened", "resolved"]
    assert f"reports/incidents/{path.name}" in built.committed()
    assert len(list((built.root / "reports/incidents").glob("*.json"))) == 1
    assert not (built.root / ".nbops/incidents.pending").exists()
