"""What is worked out once for many series, or not at all, must change no number of theirs."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from nbops.history.monitors.drift import _distances
from nbops.history.monitors.medians import row_medians
from nbops.history.monitors.robust import Smoothed, Smoothing, smooth, smooth_all

PINNED = [
    "0x1.805b84f382873p+4",
    "0x1.88d02e60ba929p+4",
    "0x1.768deeb435635p+4",
    "0x1.cc84f0be655f7p+2",
    "0x1.1011d0d2d6454p+0",
    "0x1.0ef2455302cedp+3",
]
SEEN = [56, 54, 55]
WEEKLY = 11
NUMBERS = st.floats(-1e6, 1e6) | st.just(np.nan) | st.sampled_from([0.0, -0.0, 1.0, 1e300])


@given(arrays(np.float64, array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=9), elements=NUMBERS))
def test_medians_are_those_of_numpy(values: np.ndarray) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = np.nanmedian(values, axis=-1)
    np.testing.assert_array_equal(row_medians(values), expected)


def same(one: Smoothed, other: Smoothed) -> None:
    for name in ("expected", "spread", "seen", "weekly"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def made(seed: int, series: int, runs: int, *, missing: float, shift: float = 0.0) -> np.ndarray:
    chance = np.random.default_rng(seed)
    values = chance.normal(size=(series, runs)) + 3.0 * (np.arange(runs) % 7 == 5)
    values[chance.random((series, runs)) < 0.05] *= 40.0
    values[:, runs // 2 :] += shift
    values[chance.random((series, runs)) < missing] = np.nan
    return values


def days(series: int, runs: int, *, first: int = 0) -> np.ndarray:
    return np.broadcast_to((np.arange(runs, dtype=np.int64) + first) % 7, (series, runs))


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.integers(1, 90), st.sampled_from([0.0, 0.3]), st.sampled_from([0.0, 25.0]))
def test_a_series_is_smoothed_the_same_whatever_others_go_with_it(seed: int, runs: int, missing: float, shift: float) -> None:
    """Alone its counts are one column and its weekdays a row of the table; beside others of other runs neither is so."""
    values, floors = made(seed, 4, runs, missing=missing, shift=shift), np.full((4, runs), 0.1)
    beside = np.where(np.random.default_rng(seed + 1).random((1, runs)) < 0.5, np.nan, 1.0)
    together = smooth(
        np.vstack([values, beside]),
        np.vstack([days(4, runs), days(1, runs, first=3)]),
        np.vstack([floors, np.full((1, runs), 0.1)]),
    )
    for number in range(4):
        alone = smooth(values[number : number + 1], days(1, runs), floors[number : number + 1])
        for name in ("expected", "spread", "seen", "weekly"):
            np.testing.assert_array_equal(getattr(alone, name)[0], getattr(together, name)[number])


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 40)), min_size=1, max_size=4), st.booleans())
def test_groups_of_other_lengths_change_nothing(shapes: list[tuple[int, int]], some_skipped: bool) -> None:
    given_ = []
    for number, (series, runs) in enumerate(shapes):
        skip = np.random.default_rng(number).random((series, runs)) < 0.2 if some_skipped and number % 2 else None
        values = made(number, series, runs, missing=0.2 * (number % 2))
        given_.append(
            Smoothing(values=values, weekdays=days(1, runs, first=number), floors=np.full((series, runs), 0.1), skip=skip)
        )
    for one, found in zip(given_, smooth_all(given_), strict=True):
        same(found, smooth(one.values, one.weekdays, one.floors, one.skip))


def test_what_it_comes_to_is_as_it_was() -> None:
    """Numbers of the recursion as it stood before it was made quicker, so that judgements of old runs stay what they were."""
    found = smooth(made(7, 3, 60, missing=0.1, shift=25.0), days(3, 60), np.full((3, 60), 0.1))
    last = [*found.expected[:, -1].tolist(), *found.spread[:, -1].tolist()]
    assert last == pytest.approx([float.fromhex(one) for one in PINNED], rel=1e-12)
    assert found.seen[:, -1].tolist() == SEEN
    assert int(found.weekly.sum()) == WEEKLY


@pytest.mark.parametrize("seed", range(4))
def test_the_last_distance_needs_only_the_two_newest_windows(seed: int) -> None:
    values = made(seed, 1, 200, missing=0.1)[0]
    whole, tail = _distances(values, 0.01), _distances(values[-60:], 0.01)
    assert np.isfinite(whole[0][-1])
    assert (whole[0][-1], *whole[1:]) == (tail[0][-1], *tail[1:])
