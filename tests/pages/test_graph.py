"""Order and drawing of the pipeline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from nbops.model import LineageEdge, Run, TaskRun
from nbops.pages.graph import draw, in_order

Runs = dict[str, Callable[[], Run]]


def _task(name: str, *upstream: str) -> TaskRun:
    return TaskRun(name=name, kind="notebook", status="succeeded", upstream=upstream)


@given(st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=30))
def test_every_task_comes_after_those_it_depends_on(pairs: list[tuple[int, int]]) -> None:
    upstream: dict[int, set[str]] = {number: set() for number in range(12)}
    for one, other in pairs:
        if one < other:
            upstream[other].add(f"t{one}")
    tasks = [_task(f"t{number}", *sorted(names), "elsewhere") for number, names in upstream.items()][::-1]
    ordered = [task.name for task in in_order(tasks)]
    assert sorted(ordered) == sorted(task.name for task in tasks)
    assert all(ordered.index(up) < ordered.index(f"t{number}") for number, names in upstream.items() for up in names)


def test_a_cycle_keeps_the_ledgers_order() -> None:
    assert [task.name for task in in_order([_task("b", "a"), _task("a", "b")])] == ["b", "a"]


def test_the_drawing_overlaps_nowhere_and_stays_in_its_frame(runs: Runs) -> None:
    drawing = draw(runs["checked"]())
    assert drawing is not None
    assert len(drawing.nodes) == 22
    for number, one in enumerate(drawing.nodes):
        assert 0 <= one.x <= one.x + one.width <= drawing.width
        assert 0 <= one.y <= one.y + one.height <= drawing.height
        for other in drawing.nodes[number + 1 :]:
            assert one.x != other.x or abs(one.y - other.y) >= one.height


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=25), st.randoms(use_true_random=False))
def test_any_lineage_is_drawn_the_same_in_any_order(pairs: list[tuple[int, int]], random: object) -> None:
    edges = [LineageEdge(source=f"dataset:{one}", target=f"task:{other}") for one, other in pairs]
    edges += [LineageEdge(source=f"task:{one}", target=f"dataset:{one}") for one, _ in pairs]
    run = Run(
        id="20261122T194156Z-1f0c9a",
        status="succeeded",
        verdict="passed",
        pipeline="p",
        command="c",
        started_at="2026-11-22T19:41:56Z",
        lineage=tuple(edges),
    )
    again = list(edges)
    random.shuffle(again)  # type: ignore[attr-defined]
    assert draw(run) == draw(replace(run, lineage=tuple(again)))


def test_nothing_and_too_much_are_not_drawn(runs: Runs) -> None:
    run = runs["passing"]()
    assert draw(replace(run, lineage=())) is None
    many = tuple(LineageEdge(source=f"dataset:{number}", target="task:t") for number in range(500))
    assert draw(replace(run, lineage=many)) is None


def test_many_files_that_the_same_task_reads_are_one_box(runs: Runs) -> None:
    run = runs["passing"]()
    files = tuple(LineageEdge(source=f"file:in/{number}.yaml", target="task:t") for number in range(22))
    drawing = draw(replace(run, lineage=files, datasets=()))
    assert drawing is not None
    assert sorted(node.label for node in drawing.nodes) == ["in/0.yaml and 21 more", "t"]
    few = draw(replace(run, lineage=files[:3], datasets=()))
    assert few is not None
    assert len(few.nodes) == 4
