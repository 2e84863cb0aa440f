"""Incidents on disk: canonical, never half-written, never written over when damaged; made again from ledgers."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nbops.errors import LedgerError
from nbops.history.incidents.people import said
from nbops.history.incidents.store import (
    find_incident,
    from_text,
    incident_path,
    incidents_lock,
    load_incidents,
    to_text,
    write_incident,
)
from nbops.history.incidents.update import rebuild, update
from nbops.model import Incident, IncidentEvent, IncidentFinding
from nbops.record.store import ledger_path, read_run, write_run


def keep(reports: Path, *runs: Any) -> list[list[str]]:
    """Write ledgers, one after another, and bring the incidents up to each."""
    told = []
    for run in runs:
        write_run(reports, run)
        found = update(reports, read_run(reports, run.id))
        told.append([event.what for change in found.changes for event in change.events])
    return told


def files_of(reports: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((reports / "incidents").glob("*"))}


BAD: dict[str, Any] = {"failed": {"load": "ValueError"}}


class TestFiles:
    def test_are_canonical_and_come_back_as_they_were(self, reports: Path, shop: Any) -> None:
        keep(reports, shop.make(1, shop.check(verdict="failed")))
        (path,) = (reports / "incidents").glob("*.json")
        (incident,) = load_incidents(reports).found
        assert path.read_text(encoding="utf-8") == to_text(incident)
        assert json.loads(path.read_text(encoding="utf-8"))["schema_version"] == 1

    def test_a_good_run_makes_no_folder(self, reports: Path, shop: Any) -> None:
        keep(reports, shop.make(1), shop.make(2))
        assert not (reports / "incidents").exists()

    def test_an_open_incident_whose_run_shows_nothing_new_is_not_written_again(self, reports: Path, shop: Any) -> None:
        keep(reports, shop.make(1, **BAD))
        before = files_of(reports)
        keep(reports, shop.make(2, statuses={"load": "not_selected"}))
        assert files_of(reports) == before

    def test_long_resolved_ones_are_not_parsed(self, reports: Path, shop: Any) -> None:
        keep(reports, shop.make(1, **BAD), *(shop.make(n) for n in range(2, 9)))
        assert load_incidents(reports, since=shop.run_id(1)).found
        assert not load_incidents(reports, since=shop.run_id(5)).found

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("", "not JSON"),
            ("{", "not JSON"),
            ("[]", "an object is needed"),
            ("{}", "schema_version"),
            ('{"schema_version": true}', "schema_version"),
            ('{"schema_version": 99}', "newer nbops"),
            ('{"schema_version": 1}', "must contain"),
            ("[" * 100_000, "not JSON"),
            ("\x00", "not JSON"),
        ],
    )
    def test_that_are_damaged_say_so_and_stay(self, reports: Path, shop: Any, text: str, why: str) -> None:
        keep(reports, shop.make(1, **BAD))
        (path,) = (reports / "incidents").glob("*.json")
        path.write_text(text, encoding="utf-8")
        found = load_incidents(reports)
        assert not found.found
        (problem,) = found.problems
        assert path.name in problem
        assert why.replace("an object", "a JSON object") in problem
        write_run(reports, shop.make(2, **BAD))
        done = update(reports, read_run(reports, shop.run_id(2)))
        assert done.problems == found.problems, "the build hears of it"
        assert path.read_text(encoding="utf-8") == text
        assert [event.what for change in done.changes for event in change.events] == ["opened"], "and goes on"
        assert path.read_text(encoding="utf-8") == text
        rebuild(reports)
        assert path.read_text(encoding="utf-8") == text

    def test_a_wrong_type_names_the_place(self, reports: Path, shop: Any) -> None:
        keep(reports, shop.make(1, **BAD))
        (path,) = (reports / "incidents").glob("*.json")
        document = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps({**document, "state": "on fire"}), encoding="utf-8")
        (problem,) = load_incidents(reports).problems
        assert "state" in problem

    def test_a_copy_under_another_name_is_no_second_incident(self, reports: Path, shop: Any) -> None:
        keep(reports, shop.make(1, **BAD))
        (path,) = (reports / "incidents").glob("*.json")
        path.with_name("INC-20261122T000100Z-aaaaaa.json").write_bytes(path.read_bytes())
        path.with_name("notes.json").write_text("mine", encoding="utf-8")
        found = load_incidents(reports)
        assert len(found.found) == 1
        assert "renamed or copied" in found.problems[0]

    @pytest.mark.parametrize("wrong", ["../x", "INC-1", "", "INC-20261122T000100Z-aaaaaa/../../x", "inc-20261122T000100Z-aaaaaa"])
    def test_ids_lead_nowhere_else(self, reports: Path, wrong: str) -> None:
        with pytest.raises(LedgerError, match="the form is"):
            incident_path(reports, wrong)

    def test_a_folder_that_cannot_be_written(self, reports: Path, shop: Any) -> None:
        write_run(reports, shop.make(1, **BAD))
        (reports / "incidents").write_text("in the way", encoding="utf-8")
        with pytest.raises(LedgerError, match="cannot be written"):
            update(reports, read_run(reports, shop.run_id(1)))


TEXTS = st.text(max_size=40)
EVENTS = st.builds(
    IncidentEvent,
    at=TEXTS,
    what=st.sampled_from(["opened", "acknowledged", "resolved", "expected"]),
    run=st.none() | TEXTS,
    by=st.none() | TEXTS,
    message=TEXTS,
)
FINDINGS = st.builds(
    IncidentFinding, key=TEXTS, kind=st.sampled_from(["check", "monitor", "task"]), subject=TEXTS, column=st.none() | TEXTS
)


@given(title=TEXTS, events=st.lists(EVENTS, max_size=3), findings=st.lists(FINDINGS, max_size=3))
@settings(max_examples=60, deadline=None)
def test_any_incident_comes_back(title: str, events: list[IncidentEvent], findings: list[IncidentFinding]) -> None:
    made = Incident(
        id="INC-20261122T000100Z-aaaaaa",
        title=title,
        state="open",
        severity="warn",
        root="dataset:x",
        opened_run="r",
        opened_at="a",
        findings=tuple(findings),
        events=tuple(events),
    )
    text = to_text(made)
    assert to_text(from_text(text)) == text


class TestFinding:
    def test_the_beginning_or_the_end_of_an_id_is_enough(self, reports: Path, shop: Any) -> None:
        keep(reports, shop.make(1, **BAD), *(shop.make(n) for n in range(2, 9)), shop.make(10, **BAD))
        first, second = load_incidents(reports).found
        for text in (first.id, first.id.lower(), first.id[-6:], first.id[:18], first.id[4:18], f" {first.id} "):
            assert find_incident([first, second], text) == first
        with pytest.raises(LedgerError, match="2 incidents fit"):
            find_incident([first, second], "INC-2026")
        with pytest.raises(LedgerError, match="no such incident"):
            find_incident([first, second], "nope")
        with pytest.raises(LedgerError, match=r"no such incident|fit"):
            find_incident([first, second], "")
        with pytest.raises(LedgerError, match="there are no incidents"):
            find_incident([], "x")
        with pytest.raises(LedgerError, match="damaged"):
            find_incident([first], second.id, damaged=[second.id])


class TestRebuilding:
    def _story(self, shop: Any) -> list[Any]:
        warned = shop.check("other", verdict="warned", severity="warn")
        return [
            shop.make(1, shop.check("other", severity="warn")),
            shop.make(2, warned, **BAD),
            shop.make(3, warned, failed={"load": "KeyError", "side": "OSError"}),
            shop.make(4, anomalies=(shop.anomaly("dataset:daily"),)),
            shop.make(5, statuses={"load": "up_to_date"}, carried={"orders": shop.run_id(4)}),
            shop.make(6, **BAD),
            *(shop.make(n) for n in range(7, 14)),
            shop.make(20, shop.check("daily", verdict="failed"), failed={"clean": "ChecksFailed"}),
        ]

    def test_gives_the_same_bytes(self, reports: Path, shop: Any) -> None:
        keep(reports, *self._story(shop))
        before = files_of(reports)
        assert len(before) >= 3
        assert rebuild(reports).written == ()
        for path in (reports / "incidents").glob("*"):
            path.unlink()
        assert len(rebuild(reports).written) == len(before)
        assert files_of(reports) == before

    def test_keeps_what_people_said_where_they_said_it(self, reports: Path, shop: Any) -> None:
        story = self._story(shop)
        keep(reports, *story[:2])
        (incident,) = [item for item in load_incidents(reports).found if item.root == "task:load"]
        event = {"at": "2026-11-22T12:00:00Z", "run": story[1].id, "by": "Ada", "message": "mine"}
        write_incident(reports, said(incident, "acknowledged", **event))
        keep(reports, *story[2:])
        before = files_of(reports)
        assert b'"Ada"' in before[f"{incident.id}.json"]
        found = rebuild(reports)
        assert (found.written, found.removed) == ((), ())
        assert files_of(reports) == before

    def test_a_hand_that_resolved_what_was_still_there(self, reports: Path, shop: Any) -> None:
        keep(reports, shop.make(1, **BAD))
        (incident,) = load_incidents(reports).found
        write_incident(reports, said(incident, "resolved", at="2026-11-22T12:00:00Z", run=shop.run_id(1), by="Ada"))
        assert keep(reports, shop.make(2), shop.make(3, **BAD)) == [[], ["reopened"]]
        before = files_of(reports)
        assert rebuild(reports).written == ()
        assert files_of(reports) == before

    def test_leaves_incidents_whose_ledgers_are_gone(self, reports: Path, shop: Any) -> None:
        keep(reports, shop.make(1, **BAD), shop.make(2))
        before = files_of(reports)
        ledger_path(reports, shop.run_id(1)).write_text("{", encoding="utf-8")
        found = rebuild(reports)
        assert found.removed == ()
        assert found.problems
        assert files_of(reports) == before

    def test_removes_what_no_ledger_shows_unless_somebody_wrote_on_it(self, reports: Path, shop: Any) -> None:
        keep(reports, shop.make(1, **BAD))
        (incident,) = load_incidents(reports).found
        left = replace(incident, id="INC-20261122T000100Z-ffffff")
        noted = said(replace(incident, id="INC-20261122T000100Z-eeeeee"), "noted", at="x", run=None, by="Ada", message="keep")
        write_incident(reports, left)
        write_incident(reports, noted)
        assert rebuild(reports).removed == (left.id,)
        assert {item.id for item in load_incidents(reports).found} == {incident.id, noted.id}

    def test_causes_stay(self, reports: Path, shop: Any) -> None:
        keep(reports, shop.make(1, **BAD))
        (incident,) = load_incidents(reports).found
        write_incident(reports, replace(incident, causes=(shop.cause(),)))
        rebuild(reports)
        assert load_incidents(reports).found[0].causes == (shop.cause(),)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["good", "load", "side", "clean", "check", "warn", "volume", "carried", "killed"]),
        st.sampled_from(["", "", "", "acknowledged", "resolved", "expected"]),
    ),
    min_size=1,
    max_size=9,
)


@given(steps=STEPS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_happens_rebuilding_gives_the_same(
    steps: list[tuple[str, str]], tmp_path_factory: pytest.TempPathFactory, shop: Any
) -> None:
    reports = tmp_path_factory.mktemp("any") / "reports"
    for number, (what, word) in enumerate(steps, start=1):
        keep(reports, shop.kind_of_run(number, what))
        found = load_incidents(reports).found
        if word and found:
            chosen = found[number % len(found)]
            at = f"2026-11-22T12:00:{number:02d}Z"
            write_incident(reports, said(chosen, word, at=at, run=shop.run_id(number), by="Ada"))  # type: ignore[arg-type]
    before = files_of(reports)
    rebuild(reports)
    assert files_of(reports) == before
    keys = [item.key for one in load_incidents(reports).found if one.state in {"open", "acknowledged"} for item in one.findings
            if item.mended_run is None]  # fmt: skip
    assert len(keys) == len(set(keys)), "a finding is in one live incident at most"


def test_two_at_once_lose_nothing(reports: Path, shop: Any, tmp_path: Path) -> None:
    keep(reports, shop.make(1, **BAD))
    (incident,) = load_incidents(reports).found

    def note(number: int) -> None:
        with incidents_lock(tmp_path / ".nbops"):
            (now,) = load_incidents(reports).found
            write_incident(reports, said(now, "noted", at=f"{number}", run=None, by="Ada", message=f"{number}"))

    threads = [threading.Thread(target=note, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (now,) = load_incidents(reports).found
    assert len(now.events) == len(incident.events) + 8
