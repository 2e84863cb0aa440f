"""What stands for ``scipy.stats`` in the profiler gives what SciPy gives."""

from __future__ import annotations

import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbops.quality._profile_statistics import chi2_contingency, chisquare, crosstab, entropy, provide_counts, spearmanr

stats = pytest.importorskip("scipy.stats")

COUNTS = st.lists(st.integers(0, 10**6), min_size=1, max_size=60).filter(any)
CELLS = st.integers(2, 6).flatmap(
    lambda width: st.lists(st.lists(st.integers(0, 999), min_size=width, max_size=width), min_size=1)
)
VALUES = st.one_of(st.integers(-3, 3).map(float), st.floats(allow_nan=True, allow_infinity=False, width=32))


def same(mine: float, theirs: float) -> None:
    assert mine == pytest.approx(float(theirs), rel=1e-9, abs=1e-12, nan_ok=True)


@given(counts=COUNTS)
def test_chi_square_of_counts(counts: list[int]) -> None:
    mine, theirs = chisquare(np.array(counts)), stats.chisquare(np.array(counts))
    same(mine.statistic, theirs.statistic)
    if len(counts) > 1:
        same(mine.pvalue, theirs.pvalue)
    assert list(mine._asdict()) == ["statistic", "pvalue"]


@pytest.mark.parametrize("freedom", range(1, 40))
def test_the_distribution(freedom: int) -> None:
    for spread in (0.0, 0.3, 1.0, 3.0, 40.0):
        counts = 1000 + spread * np.array([(-1) ** n * (n + 1) for n in range(freedom + 1)])
        same(chisquare(counts).pvalue, stats.chisquare(counts).pvalue)


@given(counts=COUNTS)
def test_entropy(counts: list[int]) -> None:
    same(entropy(np.array(counts, dtype=float), base=2), stats.entropy(np.array(counts, dtype=float), base=2))
    same(entropy(counts), stats.entropy(counts))


@given(table=CELLS.filter(lambda rows: any(map(any, rows))), correction=st.booleans())
def test_chi_square_of_a_table(table: list[list[int]], correction: bool) -> None:
    try:
        theirs = stats.chi2_contingency(np.array(table), correction=correction)[0]
    except ValueError:
        with pytest.raises(ValueError, match="empty"):
            chi2_contingency(np.array(table), correction=correction)
        return
    same(chi2_contingency(np.array(table), correction=correction)[0], theirs)


@given(pairs=st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=50))
def test_correlation_of_ranks(pairs: list[tuple[float, float]]) -> None:
    first, second = (np.array(column) for column in zip(*pairs, strict=True))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = stats.spearmanr(first, second)[0]
    same(spearmanr(first, second)[0], theirs)


def test_pandas_correlates_without_it() -> None:
    code = (
        "import sys\nfrom nbops.quality._profile_load import load_lean\nloaded = load_lean()\nimport pandas as pd\n"
        "print('%.9f' % pd.Series([1.0, 2.0, 5.0, 4.0]).corr(pd.Series([1.0, 3.0, 2.0, 9.0]), method='spearman'))\n"
        "print('scipy.stats._stats_py' in sys.modules, loaded.doubtful)\n"
        "try:\n    from scipy.stats import kendalltau\n    kendalltau([1, 2], [1, 2])\n"
        "except Exception as error: print(type(error).__name__)\n"
        "print(loaded.doubtful)"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.splitlines() == ["0.400000000", "False False", "AbsentError", "True"]


CATEGORIES = st.one_of(st.none(), st.sampled_from(["b", "a", "ä", ""]))
BINS = st.one_of(st.just(float("nan")), st.integers(0, 4).map(float))
TRUTHS = st.one_of(st.none(), st.booleans())
MIXED = st.one_of(st.none(), st.sampled_from(["a", 1, True, 2.5]))


@given(rows=st.one_of(*(st.lists(st.tuples(one, other), min_size=1, max_size=40)
                        for one in (CATEGORIES, BINS, TRUTHS, MIXED) for other in (CATEGORIES, BINS, TRUTHS))))  # fmt: skip
def test_a_table_of_counts(rows: list[tuple[object, object]]) -> None:
    frame = pd.DataFrame({"one": [one for one, _ in rows], "other": [other for _, other in rows]})
    theirs, mine = pd.crosstab(frame["one"], frame["other"]), crosstab(frame["one"], frame["other"])
    assert mine.empty == theirs.empty
    if not theirs.empty:
        assert mine.to_numpy().tolist() == theirs.to_numpy().tolist()


def test_the_profiler_counts_with_it() -> None:
    correlations = pytest.importorskip("ydata_profiling.model.pandas.correlations_pandas")
    module = type(correlations)("correlations")
    module.__dict__.update(correlations.__dict__)
    provide_counts(module)
    assert module._pairwise_cramers is not correlations._pairwise_cramers
    frame = pd.DataFrame({"one": ["a", "b", "b", None, "c"] * 30, "other": [True, False, False, True, True, None] * 25})
    theirs = correlations._pairwise_cramers(frame["one"], frame["other"])
    assert module._pairwise_cramers(frame["one"], frame["other"]) == theirs
