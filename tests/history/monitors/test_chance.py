"""A run's own budget of false alarms: hundreds of series do not cry wolf, few series are as keen as before."""

from __future__ import annotations

import numpy as np
import pytest

from nbops.history.monitors.chance import nearness_of
from nbops.history.monitors.frame import DAY, Frame
from nbops.history.monitors.joint import joint_anomalies
from nbops.history.monitors.numbers import Judged, judge_frame
from nbops.history.monitors.telling import anomalies_of, band_of, expected_of

RUNS = 160


def wide(seed: int, *, columns: int = 6, push: float = 0.0, runs: int = RUNS) -> Judged:
    """Return columns of heavy-tailed shares, the first of which is pushed in the last run by a part of its bound."""
    random = np.random.default_rng(seed)
    keys = [(None, "rowCount"), *((f"c{number // 4}", f"share:{number}") for number in range(columns * 4))]
    values = np.clip(0.2 + 0.01 * random.standard_t(3, (len(keys), runs)), 0.001, 0.9)
    values[0] = 2000.0
    frame = Frame(
        subject="dataset:orders",
        keys=tuple(keys),
        runs=tuple(map(str, range(runs))),
        at=1_700_006_400 + DAY * np.arange(runs),
        values=values,
    )
    judged = judge_frame(frame)
    if push:
        edge = judged.smoothed.expected[1, -1] + push * judged.bounds[1, -1] * judged.spread[1, -1]
        values[1, -1] = judged.scales[1].back(float(edge))
        judged = judge_frame(frame)
    return judged


def test_the_more_series_the_further_the_worst_must_be() -> None:
    few, many = nearness_of(wide(1, columns=1)), nearness_of(wide(1, columns=30))
    assert few.alone < many.alone
    assert many.alone > 1.0


def test_calm_runs_of_many_series_seldom_raise_anything() -> None:
    judged = [wide(seed) for seed in range(15)]
    raised = [one for one in judged if anomalies_of(one, most=25) + joint_anomalies(one, told=frozenset())]
    assert len(raised) <= 1


def test_what_is_far_off_is_said_however_many_series_there_are() -> None:
    found = anomalies_of(wide(3, push=3.0), most=25)
    assert ("c0", "share:0") in {(item.column, item.metric) for item in found}


def test_sensitivity_is_a_budget_too() -> None:
    judged = wide(5)
    low, normal, high = (nearness_of(judged, sensitivity=one).alone for one in ("low", "normal", "high"))
    assert low > normal > high >= 1.0


@pytest.mark.parametrize("runs", [1, 5, 15, 31, 40])
def test_short_histories_are_judged_with_caution_and_without_error(runs: int) -> None:
    found = nearness_of(wide(2, runs=runs))
    assert found.alone == pytest.approx(1.2)
    assert np.isfinite(found.last).all()


def test_faulty_runs_in_the_past_do_not_blind() -> None:
    judged = wide(4)
    before = nearness_of(judged).alone
    judged.scores[1, 40:150:16] = 60.0
    assert nearness_of(judged).alone < 2.0 * before


def test_a_frame_without_series_raises_nothing() -> None:
    frame = Frame(subject="dataset:orders", keys=(), runs=("a", "b"), at=np.array([0.0, DAY]), values=np.empty((0, 2)))
    assert not nearness_of(judge_frame(frame)).raises


def test_an_outlier_is_one_and_several_are_many() -> None:
    judged = wide(6)
    judged.scores[1] = 0.0
    judged.scores[1, 50] = 9.0
    assert expected_of(judged, 1).basis.endswith("; one outlier among them counts little")
    judged.scores[1, 60] = -9.0
    assert expected_of(judged, 1).basis.endswith("; 2 outliers among them count little")
    assert " to " in band_of("share:x", expected_of(judged, 1))
