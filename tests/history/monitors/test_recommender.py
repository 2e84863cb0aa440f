"""A recommender trained anew each day, measured and judged as a build would: quiet days raise nothing, faults are found."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from nbops.history.monitors.recommender import judge_unchanged

sys.path.insert(0, str(Path(__file__).parents[3]))

from benchmarks.recommended import FAULTS, World

FIRST, DAYS = 20, 42
PLACES = (23, 33, 40)
"""A Wednesday, a Saturday after it, and another Saturday at the end."""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("world"), 5, days=DAYS, users=150, items=120)


def test_quiet_days_raise_nothing(world):
    for day in range(FIRST, DAYS):
        found = world.clean(day)
        assert not found.errors
        assert [(day, one.message) for one in found.raised] == []
    watched = {one.monitor: one.judged for one in found.counts}
    assert (watched["coverage"], watched["popularity"], watched["personalisation"], watched["turnover"]) == (6, 3, 1, 2)


SAID = {
    "popular": "of two users|the ten most recommended items take|cover",
    "half_catalogue": "of the catalogue|Gini|in common",
    "identical": "the lists of two users have 100 % in common",
    "half_users": "of the users are served|users are served",
    "stale": "though other data is new and they changed in each of the",
    "same_file": "though other data is new and they changed in each of the",
    "other_ids": "100 % of all places have items that the catalogue lacks",
    "some_ids": "of all places have items that the catalogue lacks, at most",
}


@pytest.mark.parametrize("fault", sorted(FAULTS))
@pytest.mark.parametrize("day", PLACES)
def test_a_planted_fault_is_found_in_its_own_run_and_not_in_the_one_after(world, fault, day):
    found, after = world.faulty(day, fault)
    assert not found.errors
    lists = [one for one in found.raised if one.monitor in {"coverage", "popularity", "personalisation", "turnover"}]
    assert lists
    assert any(words in one.message for one in lists for words in SAID[fault].split("|")), [one.message for one in lists]
    if after is not None:
        assert [one.message for one in after.raised if one.monitor == "turnover"] == []
    assert world.clean(day).raised == ()  # the history is as it was


def test_lists_that_stay_are_no_fault_where_no_other_data_is_new(world):
    run = world.runs[-1]
    lists, other = run.datasets
    entries = world.history.datasets("recommendations", before=run.id, limit=36)
    same = replace(lists, changed=False)
    assert judge_unchanged(replace(run, datasets=(same, other)), same, entries)
    quiet = replace(run, datasets=(same, replace(other, changed=False)))
    assert judge_unchanged(quiet, same, entries) == ()
    assert judge_unchanged(replace(run, datasets=(lists, other)), lists, entries) == ()
    assert judge_unchanged(replace(run, datasets=(same, other)), same, entries[:5]) == ()
    carried = replace(same, from_run=world.runs[-2].id)
    assert judge_unchanged(replace(run, datasets=(carried, other)), carried, entries) == ()
