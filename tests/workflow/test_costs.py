"""Which task goes first, and what fits into memory beside what runs."""

from __future__ import annotations

import json

import pytest

from nbops.workflow.costs import UNKNOWN, Cost, Holder, critical_paths, load_costs, save_costs, shortage
from nbops.workflow.taskqueue import TaskQueue

GB = 1_000_000_000


def cost(seconds: float, memory: int = GB) -> Cost:
    return Cost(seconds=seconds, memory=memory)


def test_the_longest_chain_counts_not_the_longest_task():
    upstream = {"a": (), "long": (), "b": ("a",), "c": ("b",)}
    found = critical_paths(upstream, {"a": cost(3), "b": cost(3), "c": cost(3), "long": cost(8)})
    assert found == {"a": 9, "long": 8, "b": 6, "c": 3}


def test_upstream_outside_the_build_is_not_waited_for():
    assert critical_paths({"b": ("elsewhere",)}, {}) == {"b": UNKNOWN.seconds}
    queue = TaskQueue({"b": ("elsewhere",)}, rank=lambda name: (0.0,))
    assert queue.take() == "b"


def test_a_chain_of_a_thousand_tasks():
    upstream = {str(i): (str(i - 1),) if i else () for i in range(1000)}
    assert critical_paths(upstream, {})["0"] == 1000 * UNKNOWN.seconds
    queue = TaskQueue(upstream, rank=lambda name: (0.0,))
    order = []
    while (name := queue.take()) is not None:
        assert queue.take() is None, "the rest waits"
        order.append(name)
        queue.done(name)
    assert order == list(upstream)


def test_the_queue_follows_the_rank_and_then_the_order_of_the_pipeline():
    upstream = {"a": (), "b": (), "c": (), "d": ("b", "c")}
    rank = {"a": 1.0, "b": 0.0, "c": 1.0, "d": 0.0}
    queue = TaskQueue(upstream, rank=lambda name: (rank[name],))
    assert [queue.take(), queue.take(), queue.take(), queue.take()] == ["b", "a", "c", None]
    queue.done("b")
    assert queue.take() is None
    queue.put("a")
    queue.done("c")
    assert [queue.take(), queue.take()] == ["d", "a"]


def test_what_comes_next_is_what_waits_for_the_running_ones_alone():
    upstream = {"a": (), "b": (), "c": ("a",), "d": ("a", "b"), "e": ("c",), "f": ("a",)}
    rank = dict.fromkeys(upstream, 0.0) | {"c": 1.0}
    queue = TaskQueue(upstream, rank=lambda name: (rank[name],))
    assert queue.ready
    assert [queue.take(), queue.take()] == ["a", "b"]
    assert not queue.ready
    assert queue.coming({"a", "b"}) == ["d", "f", "c"]
    assert queue.coming({"a"}) == ["f", "c"]
    assert queue.coming({"b"}) == []
    queue.done("b")
    assert queue.coming({"a"}) == ["d", "f", "c"]
    assert queue.coming({"e"}) == []


def test_alone_every_task_may_run():
    assert shortage(10**15, running=[], available=0) is None


def test_what_runs_is_left_what_it_still_lacks():
    growing, grown = Holder(expected=4 * GB, held=GB), Holder(expected=4 * GB, held=4 * GB)
    assert shortage(3 * GB, running=[grown], available=4 * GB) is None
    why = shortage(3 * GB, running=[growing], available=4 * GB)
    assert why == "it needs about 3.0 GB, and what else was running left 1.0 GB"
    assert shortage(GB, running=[growing], available=4 * GB) is None


def test_what_holds_more_than_expected_lends_nothing():
    assert shortage(2 * GB, running=[Holder(expected=GB, held=9 * GB)], available=GB) is not None


def test_costs_survive(tmp_path):
    path = tmp_path / "cache/costs.json"
    assert load_costs(path, last=None) == {}
    save_costs(path, {"a": cost(1.5)})
    assert load_costs(path, last=None) == {"a": cost(1.5)}


@pytest.mark.parametrize("text", ["", "[]", "null", '{"a": 1}', '{"a": {"seconds": "x", "memory": 1}}', "\x00"])
def test_a_broken_file_of_costs_is_no_trouble(tmp_path, text):
    path = tmp_path / "costs.json"
    path.write_text(text)
    assert load_costs(path, last=None) == {}
    save_costs(path, {"a": cost(2)})
    assert json.loads(path.read_text()) == {"a": {"seconds": 2, "memory": GB}}
