"""Ranges of partitions, and how a backfill goes on after each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbops.errors import ConfigError
from nbops.workflow.backfill import Backfilled, backfill
from nbops.workflow.partitions import Every, Plan, plan_of


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    (folder / "pipeline.yaml").write_text("tasks: []\n")
    (folder / "env.yaml").write_text("day: 2011-01-04\nregion: all\nscale: 1\n")
    return folder


def values(root: Path, text: str, every: Every = "day") -> list[str]:
    return list(plan_of(root, ["--env--day", text], every=every).values)


def test_a_range_is_its_days_with_both_ends(root: Path) -> None:
    assert values(root, "2011-02-27..2011-03-01") == ["2011-02-27", "2011-02-28", "2011-03-01"]
    assert values(root, "2012-02-28..2012-03-01")[1] == "2012-02-29"
    assert values(root, "2011-01-04..2011-01-04") == ["2011-01-04"]
    assert values(root, "2011-01-04..2011-01-20", "week") == ["2011-01-04", "2011-01-11", "2011-01-18"]
    assert values(root, "2011-01-31..2011-04-30", "month") == ["2011-01-31", "2011-02-28", "2011-03-31", "2011-04-30"]
    assert values(root, "9999-12-30..9999-12-31") == ["9999-12-30", "9999-12-31"]
    assert values(root, "9999-11-30..9999-12-31", "month") == ["9999-11-30", "9999-12-30"]


def test_a_list_is_taken_in_its_order_and_the_rest_goes_to_each_build(root: Path) -> None:
    plan = plan_of(root, ["--env--scale=5", "--env--region", "north, south,north", "--partially", "clean"], every="day")
    assert plan.values == ("north", "south")
    assert plan.arguments("north") == ["--env--region", "north", "--env--scale=5", "--partially", "clean"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--env--dya", "2011-01-04..2011-01-05"], "Did you mean 'day'"),
        (["--env--day", "2011-01-04"], "must be a range or a list"),
        (["--env--day", "2011-01-05..2011-01-04"], "ends before it begins"),
        (["--env--day", "2011-13-05..2011-01-04"], "a range is two days"),
        (["--env--day", "2011-01-05.."], "a range is two days"),
        (["--env--day", "0001-01-01..9999-12-31"], "more than 10,000"),
        (["--env--day", "2011-01-04..2011-01-05", "--env--region", "2011-01-04..2011-01-05"], "one parameter"),
        (["--env--region", "a,,b"], "empty"),
        (["--env--day"], "needs a value"),
        ([], "found: none"),
    ],
)
def test_what_is_wrong_is_said_with_what_is_allowed(root: Path, arguments: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        plan_of(root, arguments, every="day")


@given(st.dates(date(1, 1, 1), date(9999, 12, 31)), st.integers(0, 400), st.sampled_from(["day", "week", "month"]))
def test_any_range_is_in_order_and_within_its_ends(root: Path, start: date, days: int, every: Every) -> None:
    end = date.fromordinal(min(start.toordinal() + days, date.max.toordinal()))
    found = values(root, f"{start.isoformat()}..{end.isoformat()}", every)
    assert found == sorted(set(found))
    assert found[0] == start.isoformat()
    assert found[-1] <= end.isoformat()


def filled(
    codes: Sequence[int], *, done: Sequence[str] = (), keep_going: bool = False
) -> tuple[Backfilled, list[Sequence[str]], list[str]]:
    asked: list[Sequence[str]] = []
    said: list[str] = []
    left = list(codes)

    def build(arguments: Sequence[str]) -> tuple[int, str]:
        asked.append(arguments)
        return left.pop(0), "one\ntwo\n"

    plan = Plan(name="day", values=("a", "b", "c"), rest=())
    known = dict.fromkeys(done, "20260101T000000Z-000000")
    found = backfill(plan, root=Path(), done=known, keep_going=keep_going, verbose=False, say=said.append, build=build)
    return found, asked, said


def test_partitions_are_built_in_order_and_good_ones_passed_over() -> None:
    found, asked, said = filled([0, 0], done=["b"])
    assert [arguments[1] for arguments in asked] == ["a", "c"]
    assert (found.built, found.passed_over, found.left) == (["a", "c"], ["b"], [])
    assert "has a good run" in said[1]


def test_a_failure_ends_it_unless_it_is_to_go_on() -> None:
    found, _, said = filled([0, 1])
    assert (found.built, found.failed, found.left) == (["a"], {"b": 1}, ["c"])
    assert "    two" in said[-1]
    found, asked, _ = filled([3, 0, 1], keep_going=True)
    assert (found.built, found.failed, len(asked)) == (["b"], {"a": 3, "c": 1}, 3)


@pytest.mark.parametrize("code", [130, 143, -2, -15])
def test_a_stopped_build_stops_it_and_is_left_to_do(code: int) -> None:
    found, asked, _ = filled([0, code], keep_going=True)
    assert found.stopped
    assert found.left == ["b", "c"]
    assert len(asked) == 2
