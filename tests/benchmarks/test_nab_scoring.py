"""The scoring of the Numenta Anomaly Benchmark against examples worked by hand and its known properties."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks.contestants.nab_detect import gaussian  # noqa: E402
from benchmarks.sections.nab_scoring import Labelled, best_threshold, load, score_at, sigmoid, weights  # noqa: E402

DATA = ROOT.parent / "shared" / "data" / "anomaly" / "nab"


def series(size: int, *windows: tuple[int, int], name: str = "a") -> Labelled:
    times = tuple(str(place) for place in range(size))
    return Labelled(name=name, times=times, seconds=np.arange(size, dtype=float), values=np.zeros(size), windows=windows)


def detections(size: int, *places: int) -> np.ndarray:
    scores = np.zeros(size)
    scores[list(places)] = 1.0
    return scores


def by_hand(position: float) -> float:
    return 2.0 / (1.0 + math.exp(5.0 * position)) - 1.0


def test_the_sigmoid_at_the_positions_of_the_publication() -> None:
    assert sigmoid(np.array([-1.0, -0.5, 0.0, 1.0, 3.0, 3.01])) == pytest.approx(
        [0.98661430, 0.84828364, 0.0, -0.98661430, -0.99999939, -1.0], abs=1e-7
    )


def test_nothing_has_0_and_a_detection_at_each_left_edge_has_100() -> None:
    corpus = [series(1_000, (300, 399), (600, 649)), series(1_000, (500, 599), name="b"), series(100, name="c")]
    nothing = {one.name: np.zeros(len(one.values)) for one in corpus}
    perfect = {"a": detections(1_000, 300, 600), "b": detections(1_000, 500), "c": np.zeros(100)}
    assert score_at(corpus, nothing, 1.0).score == 0.0
    result = score_at(corpus, perfect, 1.0)
    assert (result.score, result.found, result.windows, result.false_positives) == (pytest.approx(100.0), 3, 3, 0)
    assert best_threshold(corpus, perfect).score == pytest.approx(100.0)


def test_a_detection_in_the_middle_of_a_window_by_hand() -> None:
    corpus = [series(1_000, (300, 399))]
    gained = by_hand(-(399 - 350 + 1) / 100) / by_hand(-1.0)
    assert score_at(corpus, {"a": detections(1_000, 350)}, 1.0).score == pytest.approx(100.0 * (gained + 1.0) / 2.0)


def test_only_the_earliest_detection_of_a_window_counts() -> None:
    corpus = [series(1_000, (300, 399))]
    early = score_at(corpus, {"a": detections(1_000, 320)}, 1.0)
    both = score_at(corpus, {"a": detections(1_000, 320, 330, 399)}, 1.0)
    assert both == early


@pytest.mark.parametrize(
    ("place", "cost"),
    [
        (200, 0.11),  # before any window
        (400, -0.11 * by_hand(1 / 99)),  # right after one: next to nothing
        (449, -0.11 * by_hand(50 / 99)),
        (399 + 297, -0.11 * by_hand(3.0)),
        (900, 0.11),  # more than three widths after it
    ],
)
def test_a_false_alarm_by_hand(place: int, cost: float) -> None:
    corpus = [series(1_000, (300, 399))]
    with_alarm = score_at(corpus, {"a": detections(1_000, 300, place)}, 1.0)
    assert with_alarm.score == pytest.approx(100.0 * (2.0 - cost) / 2.0)
    assert with_alarm.false_positives == 1


def test_each_false_alarm_of_a_series_without_windows_costs_the_same() -> None:
    corpus = [series(1_000, (300, 399)), series(1_000, name="b")]
    scores = {"a": detections(1_000, 300), "b": detections(1_000, 500, 501, 502)}
    assert score_at(corpus, scores, 1.0).score == pytest.approx(100.0 * (2.0 - 0.33) / 2.0)


def test_the_probation_does_not_count() -> None:
    assert series(1_000).probation == 150
    assert series(4_032).probation == 604
    assert series(15_902).probation == 750
    corpus = [series(1_000, (300, 399))]
    assert score_at(corpus, {"a": detections(1_000, *range(150), 300)}, 1.0).score == pytest.approx(100.0)


def test_weights_between_two_windows_follow_the_first() -> None:
    worth, inside = weights(series(1_000, (300, 399), (450, 459)))
    assert inside[[299, 300, 399, 400, 450, 459, 460]].tolist() == [-1, 0, 0, -1, 1, 1, -1]
    assert worth[449] == pytest.approx(0.11 * by_hand(50 / 99))
    assert worth[460] == pytest.approx(0.11 * by_hand(1 / 9))


def test_the_best_threshold_is_the_best_of_all() -> None:
    chance = np.random.default_rng(0)
    corpus = [series(500, (200, 240), (300, 310)), series(400, name="b"), series(600, (500, 520), name="c")]
    scores = {one.name: chance.integers(0, 12, len(one.values)) / 12.0 for one in corpus}
    best = best_threshold(corpus, scores)
    by_one = [score_at(corpus, scores, level / 12.0) for level in range(13)]
    assert best.score == pytest.approx(max([0.0, *(one.score for one in by_one)]))
    assert score_at(corpus, scores, best.threshold) == best


def test_scores_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        best_threshold([series(100, (50, 60))], {"a": np.full(100, np.nan)})


@pytest.mark.skipif(not DATA.is_dir(), reason="the labelled series are not beside the project")
def test_the_published_figures_of_the_windowed_gaussian_come_out() -> None:
    published = {  # of the benchmark's results for its own baseline, at the deviation from which its score rounds to 1
        "realAWSCloudwatch/ec2_cpu_utilization_24ae8d.csv": -1.266678759349383,
        "realAWSCloudwatch/ec2_network_in_257a54.csv": 0.8606718242697022,
        "realAWSCloudwatch/elb_request_count_8c0756.csv": -0.13844919792440225,
        "realAdExchange/exchange-3_cpm_results.csv": 0.862098587352162,
        "realAdExchange/exchange-4_cpm_results.csv": 1.274710362684976,
        "realTraffic/TravelTime_451.csv": -1.0,
    }
    corpus = {one.name: one for one in load(DATA)}
    for name, raw in published.items():
        one = corpus[name]
        deviations = np.array(list(gaussian(list(zip(one.seconds.tolist(), one.values.tolist(), strict=True)))))
        tail = np.array([1.0 - 0.5 * math.erfc(value / math.sqrt(2.0)) for value in deviations])
        count = len(one.windows)
        assert score_at([one], {name: tail}, 1.0).score == pytest.approx(100.0 * (raw + count) / (2 * count), abs=1e-4)
