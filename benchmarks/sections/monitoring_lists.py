"""What the monitors find of faults in recommendations, and how often they cry wolf: an experiment of ``monitoring``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING

from benchmarks.harness import Contestant, Experiment, Metric, say

if TYPE_CHECKING:
    from benchmarks.context import Context
    from benchmarks.recommended import World

__all__ = ["experiment"]

_SEEDS = (2_026_001, 2_026_002, 2_026_003)
_FIRST, _PLACES, _PLACES_SEED = 20, 4, 11
"""Runs before are history only; a world's places for each kind of fault; what they are drawn by."""
_AFTER: dict[str, tuple[int, int]] = {}
"""Days after a fault, and those of them that raised something about turnover, by kind, as they are measured."""
_FOUND: dict[str, tuple[int, int]] = {}
_MILD: dict[str, tuple[int, int]] = {}


@cache
def _worlds(context: Context) -> tuple[World, ...]:
    from benchmarks.recommended import World  # noqa: PLC0415 - numpy, pyarrow

    seeds, days = (_SEEDS[:1], 30) if context.quick else (_SEEDS, 60)
    return tuple(World(context.folder(f"monitoring-lists-{seed}-{days}"), seed, days=days) for seed in seeds)


def _figures(places: int, raised: int) -> Mapping[str, float]:
    rate = 100 * raised / places
    return {"places": places, "raised": raised, "rate": rate, "missed": 100 - rate}


def _clean(context: Context) -> Mapping[str, float]:
    places = raised = 0
    for world in _worlds(context):
        for day in range(_FIRST, world.days):
            found = world.clean(day).raised
            places, raised = places + 1, raised + bool(found)
            if found:
                say(f"    seed {world.seed}, run {day}: {'; '.join(item.message for item in found[:2])}")
    return {key: value for key, value in _figures(places, raised).items() if key != "missed"}


def _planted(context: Context, fault: str) -> Mapping[str, float]:
    import numpy as np  # noqa: PLC0415

    from benchmarks.recommended import MILDER  # noqa: PLC0415

    places = raised = after = echoes = 0
    for world in _worlds(context):
        random = np.random.default_rng([_PLACES_SEED, world.seed, *fault.encode()])
        count = 1 if context.quick else _PLACES
        for day in sorted(int(one) for one in random.choice(range(_FIRST, world.days), count, replace=False)):
            found, following = world.faulty(day, fault)
            places, raised = places + 1, raised + any(one.monitor in _monitors() for one in found.raised)
            if not found.raised:
                say(f"    {fault}, seed {world.seed}, run {day}: not raised")
            if following is not None:
                after += 1
                echoes += any(one.monitor in _monitors() for one in following.raised)
                for one in following.raised[:2]:
                    say(f"    {fault}, seed {world.seed}, the run after {day}: {one.message}")
    (_MILD if fault in MILDER else _FOUND)[fault] = (places, raised)
    _AFTER[fault] = (after, echoes)
    return _figures(places, raised)


def _monitors() -> frozenset[str]:
    from nbops.quality.recommender_names import RECOMMENDER_METRICS  # noqa: PLC0415

    return frozenset(RECOMMENDER_METRICS.values())


def _summed(of: Mapping[str, tuple[int, int]], *, without: str = "") -> Callable[[int], Mapping[str, float]]:
    def run(_: int) -> Mapping[str, float]:
        found = _figures(max(1, sum(places for places, _ in of.values())), sum(raised for _, raised in of.values()))
        return {key: value for key, value in found.items() if key != without}

    return run


def experiment(context: Context) -> Iterator[Experiment]:
    """Yield faults in recommendations."""
    from benchmarks.recommended import FAULTS, MILDER  # noqa: PLC0415

    def plant(fault: str) -> Callable[[int], Mapping[str, float]]:
        return lambda _: _planted(context, fault)

    yield Experiment(
        key="monitoring.recommender",
        title="Faults planted into recommendations",
        about=(
            "Three made-up shops of 700 users and 400 items, whose recommender is trained anew for each of 60 days with noise of "
            "its own and a weekly rhythm; lists of ten are measured and judged as a build does, the first 20 days are history "
            "only. A fault is planted into four days of each shop, drawn by chance; it counts as found when a monitor of "
            "recommendations (coverage, popularity, personalisation, turnover) raises something in its own run. The run after is "
            "right again but is held against the faulty version, which must raise nothing of theirs. Limits were set before "
            "these shops were drawn, and looked at with three others; milder faults were added afterwards, and nothing was "
            "changed for them. Real recommenders are noisier in ways that a simulation does not know."
        ),
        baseline="clean",
        contestants=[
            Contestant(key="clean", label="days as they were: false alarms of any monitor", run=lambda _: _clean(context)),
            *(Contestant(key=key, label=label, run=plant(key)) for key, (label, _) in FAULTS.items()),
            Contestant(key="all", label="all faults", run=_summed(_FOUND)),
            *(Contestant(key=key, label=f"milder: {label}", run=plant(key)) for key, (label, _) in MILDER.items()),
            Contestant(key="milder", label="all milder faults", run=_summed(_MILD)),
            Contestant(key="after", label="days after a fault: false alarms", run=_summed(_AFTER, without="missed")),
        ],
        rounds=1,
        metrics=(
            Metric(key="places", label="places", unit="runs", digits=0),
            Metric(key="raised", label="raised", unit="runs", digits=0),
            Metric(key="rate", label="raised of all", unit="%", digits=1),
            Metric(key="missed", label="missed of all", unit="%", digits=1),
        ),
    )
