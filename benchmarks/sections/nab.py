"""Anomalies in dense series: the labelled series of the Numenta Anomaly Benchmark, scored as that benchmark does.

The series are those of the folder that ``NBOPS_BENCHMARK_NAB`` names: ``data/GROUP/NAME.csv``, ``labels/combined_windows.json``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.context import CONTESTANTS, Context
from benchmarks.harness import CPU, MEMORY, Contestant, Experiment, Metric, SkippedError, execute
from benchmarks.peers import environment_of
from benchmarks.sections.nab_scoring import best_threshold, load, score_at

__all__ = ["MINUTES", "TITLE", "experiments"]

TITLE = "Anomalies in dense series"
MINUTES = 3.0

SCORE = Metric(key="score", label="NAB score, best threshold", unit="of 100", digits=1)
SHORT = Metric(key="short", label="what is missing to 100", unit="points", digits=1)
OTHER = Metric(key="other", label="NAB score, threshold of the other half", unit="of 100", digits=1)
FIXED = Metric(key="fixed", label="NAB score, own threshold", unit="of 100", digits=1)
FOUND = Metric(key="found", label="windows found", unit="of them", digits=0)
WRONG = Metric(key="wrong", label="false alarms", unit="points", digits=0)
EACH = Metric(key="each", label="a point", unit="µs CPU", digits=0)
_FOLDER = Path(__file__).parents[3] / "shared" / "data" / "anomaly" / "nab"
_QUICK = 4

_LABELS = {
    "nbops": "nbops, StreamDetector",
    "sigma": "three standard deviations, all points before",
    "gaussian": "NAB's windowed Gaussian (6,400 points)",
    "seasonal": "seasonal z-score (time of day)",
    "river": "river, half-space trees",
    "clock": "an alarm every 150 points, blind",
}
_OWN = {"nbops": None, "sigma": 3.0, "gaussian": 3.0, "seasonal": 3.0}
"""Thresholds that come with the rule; nbops's is asked of it."""


def _judged(context: Context, folder: Path, name: str, out: Path) -> Mapping[str, float]:
    read = json.loads(out.read_text(encoding="utf-8"))
    corpus = [series for series in load(folder) if series.name in read]
    scores = {key: np.asarray(one) for key, one in read.items()}
    wrong = [series.name for series in corpus if len(series.values) != len(scores[series.name])]
    if wrong or len(corpus) != len(read):
        raise SkippedError(f"not one score for each point: {', '.join(wrong) or 'a series is missing'}")
    best = best_threshold(corpus, scores)
    halves = (corpus[::2], corpus[1::2])
    gained = [
        score_at(mine, scores, best_threshold(other, scores).threshold).score * sum(len(one.windows) for one in mine)
        for mine, other in (halves, halves[::-1])
    ]
    figures = {
        "score": best.score,
        "short": 100.0 - best.score,
        "other": sum(gained) / best.windows,
        "found": float(best.found),
        "wrong": float(best.false_positives),
    }
    own = _own_threshold(context) if name == "nbops" else _OWN.get(name)
    return figures if own is None else {**figures, "fixed": score_at(corpus, scores, own).score}


def _own_threshold(context: Context) -> float:
    ask = "from nbops.history.monitors.stream import THRESHOLD; print(THRESHOLD)"
    return float(context.unmeasured([context.python, "-c", ask], folder=context.work).stdout)


def _run(context: Context, folder: Path, name: str) -> Callable[[int], Mapping[str, float]]:
    def once(_round: int) -> Mapping[str, float]:
        if not (folder / "labels" / "combined_windows.json").is_file():
            raise SkippedError("the labelled series are not here; NBOPS_BENCHMARK_NAB names their folder")
        python = environment_of(context, "river") if name == "river" else context.python
        out = context.folder("runs") / f"nab-{name}.json"
        out.unlink(missing_ok=True)
        command: Sequence[str | Path] = [
            python,
            CONTESTANTS / "nab_detect.py",
            name,
            folder.absolute(),
            out,
            str(_QUICK if context.quick else 1_000),
        ]
        usage = execute(command, folder=context.folder("runs/nab"), environment=context.environment(python))
        each = 1e6 * float(usage.facts["work_cpu"]) / float(usage.facts["points"])
        return {**usage.values(), "each": each, **_judged(context, folder, name, out)}

    return once


def experiments(context: Context) -> Iterator[Experiment]:
    """Yield one experiment."""
    folder = Path(os.environ.get("NBOPS_BENCHMARK_NAB", _FOLDER))
    names = [name for name in _LABELS if not (context.quick and name == "river")]
    yield Experiment(
        key="nab.half",
        title="Thirty labelled series of the Numenta Anomaly Benchmark",
        about=(
            "Half of that benchmark's series with its labels, each played point by point, one setting for all of them, scored by "
            "its published rules (standard profile): 0 says nothing, 100 is perfect. The best threshold is one for all series, "
            "taken by its optimiser in hindsight; the threshold of the other half is that of the 15 series that are not scored, "
            "both ways; the own threshold is what comes with the rule. nbops's settings were chosen on these series. On them, "
            "the benchmark's own published results come to 73.4 (ARTime, its best), 69.9 (Numenta HTM) and 69.3 (CAD OSE)."
        ),
        baseline="gaussian",
        contestants=[Contestant(key=name, label=_LABELS[name], run=_run(context, folder, name)) for name in names],
        rounds=context.rounds_or(1),
        metrics=(SCORE, OTHER, FIXED, FOUND, WRONG, SHORT, EACH, CPU, MEMORY),
    )
