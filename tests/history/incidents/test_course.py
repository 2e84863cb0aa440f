"""Incidents from run to run: what opens one, what joins it, what ends it."""

from __future__ import annotations

from typing import Any

import pytest

from nbops.history.incidents.course import REOPENS_WITHIN
from nbops.history.incidents.people import said
from nbops.history.incidents.ways import Ways


def test_a_good_run_opens_nothing(story: Any, shop: Any) -> None:
    assert story.tell(shop.make(1, shop.check()), shop.make(2, shop.check())) == [[], []]


def test_the_first_bad_run_opens_and_the_first_good_one_resolves(story: Any, shop: Any) -> None:
    bad = [shop.make(n, shop.check(verdict="failed"), failed={"load": "ChecksFailed"}) for n in (2, 3)]
    told = story.tell(shop.make(1, shop.check()), *bad, shop.make(4, shop.check()))
    assert told == [[], ["opened"], [], ["resolved"]]
    found = story.only()
    assert (found.state, found.severity, found.owner) == ("resolved", "error", "Sales")
    assert (found.opened_run, found.last_bad_run, found.resolved_run) == tuple(shop.run_id(n) for n in (2, 3, 4))
    assert found.last_good_run == shop.run_id(1)
    assert found.root == "dataset:orders"
    assert found.subjects == ("dataset:orders", "task:clean", "task:report"), "held tasks are affected"
    assert [item.key for item in found.findings] == ["check:orders:amount.nullValues"], "the task is not named a second time"
    assert found.title == "orders: amount.nullValues: none expected, 3 found"


def test_a_failed_task_and_what_is_held_below_it_are_one_incident(story: Any, shop: Any) -> None:
    assert story.tell(shop.make(1, failed={"load": "ValueError"})) == [["opened"]]
    found = story.only()
    assert (found.root, found.title) == ("task:load", "load: ValueError: it broke")
    assert found.subjects == ("task:load", "task:clean", "task:report")
    assert found.owner is None, "nobody knows yet"
    assert story.tell(shop.make(2, statuses={"load": "up_to_date"})) == [["resolved"]], "the code was put back"
    story.tell(*(shop.make(n) for n in range(3, 9)), shop.make(20, failed={"load": "ValueError"}))
    assert next(item.owner for item in story.live()) == "Sales", "who owns what it makes, as the last accepted run knew"


def test_findings_down_one_line_are_one_incident_others_are_not(story: Any, shop: Any) -> None:
    found = (shop.anomaly("dataset:daily"), shop.anomaly("dataset:other"), shop.anomaly("dataset:orders"))
    assert story.tell(shop.make(1, anomalies=found)) == [["opened", "opened"]]
    assert sorted((item.root, item.subjects) for item in story.live()) == [
        ("dataset:orders", ("dataset:orders", "dataset:daily")),
        ("dataset:other", ("dataset:other",)),
    ]


def test_two_datasets_of_one_task_are_one_incident(story: Any, shop: Any) -> None:
    story.tell(shop.make(1, anomalies=(shop.anomaly("dataset:weekly"), shop.anomaly("dataset:daily"))))
    assert story.only().subjects == ("dataset:daily", "dataset:weekly")


def test_what_shows_later_downstream_joins_upstream_does_not(story: Any, shop: Any) -> None:
    first = shop.anomaly("dataset:daily")
    assert story.tell(shop.make(1, anomalies=(first,))) == [["opened"]]
    report = shop.make(2, anomalies=(first,), failed={"report": "KeyError"})
    assert story.tell(report) == [["grown"]]
    assert story.only().severity == "error"
    assert story.tell(shop.make(3, anomalies=(first, shop.anomaly("dataset:orders")))) == [["shrunk", "opened"]]


def test_columns_that_have_nothing_to_do_with_each_other_are_two_incidents(story: Any, shop: Any) -> None:
    found = (
        shop.anomaly("dataset:orders", column="amount", metric="mean", monitor="mean"),
        shop.anomaly("dataset:daily", column="cities", metric="mean", monitor="mean"),
    )
    apart = shop.make(1, anomalies=found, column_lineage=shop.columns(("amount", "total"), ("city", "cities")))
    assert story.tell(apart) == [["opened", "opened"]]


def test_columns_that_come_from_each_other_are_one_incident(story: Any, shop: Any) -> None:
    found = (
        shop.anomaly("dataset:orders", column="amount", metric="mean", monitor="mean"),
        shop.anomaly("dataset:daily", column="total", metric="mean", monitor="mean"),
    )
    assert story.tell(shop.make(1, anomalies=found, column_lineage=shop.columns(("amount", "total")))) == [["opened"]]


class TestWarnings:
    def test_that_stand_in_every_run_are_no_news(self, story: Any, shop: Any) -> None:
        warned = [shop.make(n, shop.check(verdict="warned", severity="warn")) for n in range(1, 6)]
        assert story.tell(*warned) == [[]] * 5

    def test_that_are_new_open_an_incident(self, story: Any, shop: Any) -> None:
        warned = shop.make(2, shop.check(verdict="warned", severity="warn"))
        assert story.tell(shop.make(1, shop.check(severity="warn")), warned) == [[], ["opened"]]
        assert story.only().severity == "warn"
        assert story.tell(shop.make(3, shop.check(verdict="warned", severity="warn"))) == [[]], "and it is said once"
        assert story.tell(shop.make(4, shop.check(severity="warn"))) == [["resolved"]]

    def test_the_last_good_run_counts_where_the_one_before_did_not_look(self, story: Any, shop: Any) -> None:
        told = story.tell(
            shop.make(1, shop.check("daily", severity="warn")),
            shop.make(2, failed={"load": "ValueError"}),
            shop.make(3, shop.check("daily", verdict="warned", severity="warn")),
        )
        assert told == [[], ["opened"], ["resolved", "opened"]]

    def test_a_rule_that_is_new_and_warns_at_once_stands(self, story: Any, shop: Any) -> None:
        assert story.tell(shop.make(1), shop.make(2, shop.check(verdict="warned", severity="warn"))) == [[], []]


class TestCarriedOver:
    def test_results_neither_repeat_nor_mend(self, story: Any, shop: Any) -> None:
        bad = shop.check(verdict="failed")
        story.tell(shop.make(1, bad, failed={"load": "ChecksFailed"}))
        before = story.only()
        carried = shop.check(verdict="failed", home=shop.run_id(1))
        assert story.tell(shop.make(2, carried, carried={"orders": shop.run_id(1)})) == [[]]
        assert story.only() == before

    def test_results_that_passed_while_the_task_was_not_looked_at_mend_nothing(self, story: Any, shop: Any) -> None:
        story.tell(shop.make(1, shop.check()), shop.make(2, shop.check(verdict="failed"), failed={"load": "ChecksFailed"}))
        left = shop.check(home=shop.run_id(1))
        run = shop.make(3, left, statuses={"load": "not_selected"}, carried={"orders": shop.run_id(1)})
        assert story.tell(run) == [[]]

    def test_what_is_up_to_date_with_an_earlier_version_that_passed_is_mended(self, story: Any, shop: Any) -> None:
        story.tell(shop.make(1, shop.check()), shop.make(2, shop.check(verdict="failed"), failed={"load": "ChecksFailed"}))
        back = shop.check(home=shop.run_id(1))
        run = shop.make(3, back, statuses={"load": "up_to_date"}, carried={"orders": shop.run_id(1)})
        assert story.tell(run) == [["resolved"]]

    def test_anomalies_stay_until_the_data_is_measured_again(self, story: Any, shop: Any) -> None:
        story.tell(shop.make(1, anomalies=(shop.anomaly(),)))
        nothing = shop.make(2, statuses={"load": "up_to_date"}, carried={"orders": shop.run_id(1)}, monitors=())
        assert story.tell(nothing) == [[]]
        assert story.tell(shop.make(3)) == [["resolved"]]

    def test_data_that_is_too_old_is_not_mended_by_looking_away(self, story: Any, shop: Any) -> None:
        old = shop.anomaly(monitor="freshness", metric="age")
        carried = {"orders": shop.run_id(1)}
        assert story.tell(shop.make(1), shop.make(5, anomalies=(old,), carried=carried)) == [[], ["opened"]]
        assert story.tell(shop.make(6, carried=carried, statuses={"load": "up_to_date"})) == [[]]
        assert story.tell(shop.make(7)) == [["resolved"]]

    def test_a_rule_about_age_is_judged_anew(self, story: Any, shop: Any) -> None:
        stale = shop.check(name="freshness", metric="freshness", verdict="failed")
        fresh = shop.check(name="freshness", metric="freshness")
        carried = {"orders": shop.run_id(1)}
        told = story.tell(shop.make(1, fresh), shop.make(2, stale, carried=carried), shop.make(3, fresh, carried=carried))
        assert told == [[], ["opened"], ["resolved"]]


class TestMonitors:
    def test_that_did_not_work_mend_nothing(self, story: Any, shop: Any) -> None:
        story.tell(shop.make(1, anomalies=(shop.anomaly(),)))
        assert story.tell(shop.make(2, monitors=())) == [[]], "switched off"
        assert story.tell(shop.make(3)) == [["resolved"]]

    def test_what_is_accepted_raises_nothing_and_ends_what_is_open(self, story: Any, shop: Any) -> None:
        fine = shop.anomaly(accepted="EXP-1")
        assert story.tell(shop.make(1, anomalies=(fine,))) == [[]]
        assert story.tell(shop.make(2, anomalies=(shop.anomaly(),)), shop.make(3, anomalies=(fine,))) == [
            ["opened"],
            ["resolved"],
        ]
        assert "expected" in story.only().events[-1].message

    def test_a_task_that_takes_too_long(self, story: Any, shop: Any) -> None:
        slow = shop.anomaly("task:clean", metric="seconds", monitor="duration")
        assert story.tell(shop.make(1, anomalies=(slow,)), shop.make(2, statuses={"clean": "up_to_date"})) == [["opened"], []]
        assert story.tell(shop.make(3)) == [["resolved"]]


class TestComingBack:
    def test_within_a_few_runs_reopens(self, story: Any, shop: Any) -> None:
        bad = {"failed": {"load": "ValueError"}}
        told = story.tell(shop.make(1, **bad), shop.make(2), shop.make(3, **bad))
        assert told == [["opened"], ["resolved"], ["reopened"]]
        found = story.only()
        assert (found.state, found.resolved_run, found.resolved_at) == ("open", None, None)

    @pytest.mark.parametrize(("good", "what"), [(REOPENS_WITHIN, "reopened"), (REOPENS_WITHIN + 1, "opened")])
    def test_later_is_another_one(self, story: Any, shop: Any, good: int, what: str) -> None:
        bad = {"failed": {"load": "ValueError"}}
        story.tell(shop.make(1, **bad), *(shop.make(2 + n) for n in range(good)))
        assert story.tell(shop.make(50, **bad)) == [[what]]

    def test_one_finding_of_several(self, story: Any, shop: Any) -> None:
        both = (shop.check(verdict="failed"), shop.check(name="id.unique", verdict="failed"))
        story.tell(shop.make(1, *both, failed={"load": "ChecksFailed"}))
        one = (shop.check(verdict="failed"), shop.check(name="id.unique"))
        told = story.tell(
            shop.make(2, *one, failed={"load": "ChecksFailed"}), shop.make(3, *both, failed={"load": "ChecksFailed"})
        )
        assert told == [["shrunk"], ["grown"]]
        assert story.tell(shop.make(4, *(shop.check(name=item.check.id) for item in both))) == [["resolved"]]


class TestPeople:
    def _say(self, story: Any, what: str, **more: Any) -> None:
        found = story.only()
        last = story.runs[-1].id
        story.incidents[found.id] = said(found, what, at="2026-11-22T12:00:00Z", run=last, by="Ada", **more)  # type: ignore[arg-type]

    def test_acknowledged_stays_so_until_it_gets_worse(self, story: Any, shop: Any) -> None:
        story.tell(shop.make(1, anomalies=(shop.anomaly(),)))
        self._say(story, "acknowledged", message="looking")
        assert story.only().state == "acknowledged"
        story.tell(shop.make(2, anomalies=(shop.anomaly(), shop.anomaly("dataset:daily"))))
        assert story.only().state == "acknowledged"
        story.tell(
            shop.make(3, shop.check("daily", verdict="failed"), anomalies=(shop.anomaly(),), failed={"clean": "ChecksFailed"})
        )
        assert (story.only().state, story.only().severity) == ("open", "error")

    def test_resolved_by_hand_comes_back_when_it_is_still_there(self, story: Any, shop: Any) -> None:
        story.tell(shop.make(1, failed={"load": "ValueError"}))
        self._say(story, "resolved", message="done")
        assert story.tell(shop.make(2, failed={"load": "ValueError"})) == [["reopened"]]
        assert "still there" in story.only().events[-1].message

    def test_resolved_by_hand_stays_so_when_it_is_gone(self, story: Any, shop: Any) -> None:
        story.tell(shop.make(1, failed={"load": "ValueError"}))
        self._say(story, "resolved", message="done")
        assert story.tell(shop.make(2), shop.make(3)) == [[], []]
        assert (story.only().state, story.only().findings[0].mended_run) == ("resolved", shop.run_id(2))

    def test_expected_is_quiet_until_its_last_day(self, story: Any, shop: Any) -> None:
        bad = {"failed": {"load": "ValueError"}}
        story.tell(shop.make(1, **bad, logical_date="2011-01-30"))
        self._say(story, "expected", message="the source is moved", until="2011-02-01")
        told = story.tell(
            *(shop.make(n, **bad, logical_date=f"2011-0{day}") for n, day in ((2, "1-31"), (3, "2-01"), (4, "2-02")))
        )
        assert told == [[], [], ["reopened"]]
        assert story.only().state == "open"

    def test_expected_without_an_end_is_over_once_it_was_mended(self, story: Any, shop: Any) -> None:
        bad = {"failed": {"load": "ValueError"}}
        story.tell(shop.make(1, **bad))
        self._say(story, "expected", message="known")
        assert story.tell(shop.make(2, **bad), shop.make(3)) == [[], ["resolved"]]
        assert (story.only().state, story.only().resolved_run) == ("resolved", shop.run_id(3))
        assert "was expected, and is mended" in story.only().events[-1].message
        assert story.tell(shop.make(4, **bad)) == [["reopened"]]

    def test_expected_until_a_day_is_not_over_before_it_though_mended(self, story: Any, shop: Any) -> None:
        bad = {"failed": {"load": "ValueError"}}
        story.tell(shop.make(1, **bad, logical_date="2011-01-30"))
        self._say(story, "expected", message="the source is moved", until="2011-02-01")
        told = story.tell(shop.make(2, logical_date="2011-01-31"), shop.make(3, **bad, logical_date="2011-02-01"))
        assert told == [[], []]
        told = story.tell(shop.make(4, logical_date="2011-02-02"), shop.make(5, logical_date="2011-02-03"))
        assert told == [["resolved"], []]
        assert story.only().resolved_run == shop.run_id(4)


class TestRuns:
    def test_a_killed_build_is_an_incident_and_the_next_that_ends_resolves_it(self, story: Any, shop: Any) -> None:
        killed = shop.make(1, status="interrupted", verdict="errored", errors=(shop.error("Killed"),))
        assert story.tell(killed, shop.make(2)) == [["opened"], ["resolved"]]
        assert story.only().root == "pipeline:shop"

    def test_somebody_who_stops_a_build_opens_nothing(self, story: Any, shop: Any) -> None:
        stopped = shop.make(1, status="interrupted", errors=(shop.error("Interrupted"),), statuses={"clean": "interrupted"})
        assert story.tell(stopped) == [[]]

    def test_contracts_that_cannot_be_read(self, story: Any, shop: Any) -> None:
        held = dict.fromkeys(("load", "side", "clean", "report"), "held")
        wrong = shop.make(1, status="failed", errors=(shop.error("ContractError"),), statuses=held)
        assert story.tell(wrong) == [["opened"]]
        assert story.only().subjects == ("pipeline:shop", "task:load", "task:side", "task:clean", "task:report")
        assert story.tell(shop.make(2)) == [["resolved"]]

    def test_a_rule_that_is_gone_no_longer_fails(self, story: Any, shop: Any) -> None:
        story.tell(shop.make(1, shop.check(verdict="failed")))
        assert story.tell(shop.make(2)) == [["resolved"]]

    def test_a_task_that_is_gone_no_longer_fails_unless_only_a_part_was_built(self, story: Any, shop: Any) -> None:
        story.tell(shop.make(1, failed={"side": "ValueError"}))
        some = shop.make(2)
        some = shop.without(some, "side")
        part = shop.without(shop.make(2, command="ploomber build --partially report"), "side")
        assert story.tell(part) == [[]]
        assert story.tell(some) == [["resolved"]]

    def test_checks_of_a_notebook_are_looked_at_when_it_runs(self, story: Any, shop: Any) -> None:
        bad = shop.check("", "notebook.all paid", "failed", origin="notebook of clean | notebook")
        good = shop.check("", "notebook.all paid", origin="notebook of clean | notebook")
        assert story.tell(shop.make(1, bad, failed={"clean": "ChecksFailed"})) == [["opened"]]
        assert (story.only().root, len(story.only().findings)) == ("task:clean", 1)
        assert story.tell(shop.make(2, good)) == [["resolved"]]


def test_thousands_of_findings_are_no_burden(story: Any, shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    apart = Ways.apart
    monkeypatch.setattr(Ways, "apart", lambda *given: asked.append(1) or apart(*given))  # type: ignore[func-returns-value]
    checks = [shop.check("orders", f"c{n}.nullValues", "failed", column=f"c{n}") for n in range(3_000)]
    checks += [shop.check("other", f"c{n}.nullValues", "failed", column=f"c{n}") for n in range(1_000)]
    story.tell(shop.make(1, *checks, failed={"load": "ChecksFailed", "side": "ChecksFailed"}))
    assert sorted(len(item.findings) for item in story.live()) == [1_000, 3_000]
    assert len(asked) < 5_000 * 4
    story.tell(shop.make(2, *checks, failed={"load": "ChecksFailed", "side": "ChecksFailed"}))
    assert len(story.incidents) == 2


def test_hostile_names_and_messages(story: Any, shop: Any) -> None:
    evil = "<b>'\"\x00\n\u202e🦆" + "x" * 5_000
    bad = shop.check("orders", evil, "failed", message=evil)
    assert story.tell(shop.make(1, bad, failed={"load": evil})) == [["opened"]]
    found = story.only()
    assert len(found.title) <= 160
    assert all(len(item.message) <= 300 for item in found.findings)
