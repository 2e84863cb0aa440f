"""The four functions of ``scipy.stats`` that profiles need, so that it need not be imported: that takes longer than a profile.

Each gives what SciPy's gives, to the last digits; a test holds them to that. Only what the profiler uses of the result is there.
Beside them a table of counts as pandas makes it, which takes 4 ms more, for each pair of columns.
"""

from __future__ import annotations

import contextlib
import math
from functools import lru_cache, partial
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FUNCTIONS", "chi2_contingency", "chisquare", "crosstab", "entropy", "provide_counts", "spearmanr"]


class _Chisquare(NamedTuple):
    statistic: float
    pvalue: float


def chisquare(f_obs: Any) -> _Chisquare:
    """Test counts against equal ones.

    Args:
        f_obs: Counts, one-dimensional, with a sum above zero.
    """
    observed = np.asarray(f_obs, dtype=np.float64)
    expected = observed.mean()
    statistic = float(((observed - expected) ** 2 / expected).sum())
    return _Chisquare(statistic, _chi_square_above(statistic, len(observed) - 1))


def _chi_square_above(value: float, freedom: int) -> float:
    """Return the probability of a larger chi-square: a finite sum, as the degrees of freedom are whole.

    M. Abramowitz, I. Stegun, Handbook of Mathematical Functions, 26.4.4 and 26.4.5.
    """
    if freedom < 1 or math.isnan(value):
        return math.nan
    half, odd = value / 2, freedom % 2
    total = math.erfc(math.sqrt(half)) if odd else 0.0
    # half ** shape * exp(-half) / gamma(shape + 1), for each shape below freedom / 2 that differs from it by a whole number
    term = math.exp(-half) * (math.sqrt(half) / math.gamma(1.5) if odd else 1.0)
    shape = 0.5 if odd else 0.0
    while shape < freedom / 2:
        total += term
        shape += 1
        term *= half / shape
    return min(1.0, total)


def entropy(pk: Any, base: float | None = None) -> float:
    """Return Shannon's entropy of counts."""
    counts = np.asarray(pk, dtype=np.float64)
    shares = counts / counts.sum()
    found = shares[shares > 0]
    total = float(-(found * np.log(found)).sum()) if not np.isnan(shares).any() else math.nan
    return total if base is None else total / math.log(base)


def chi2_contingency(observed: Any, correction: bool = True) -> tuple[float]:  # noqa: FBT001, FBT002 - SciPy's signature
    """Return chi-square of a table of counts against independent rows and columns, and nothing else.

    Args:
        observed: The table, of two dimensions.
        correction: Yates' for a table of two by two.

    Raises:
        ValueError: A row or a column is empty.
    """
    counts = np.asarray(observed, dtype=np.float64)
    expected = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0, keepdims=True) / counts.sum()
    if (expected == 0).any():
        raise ValueError("a row or a column is empty")
    freedom = (counts.shape[0] - 1) * (counts.shape[1] - 1)
    if freedom == 0:
        return (0.0,)
    if freedom == 1 and correction:
        away = expected - counts
        counts = counts + np.sign(away) * np.minimum(0.5, np.abs(away))
    return (float(((counts - expected) ** 2 / expected).sum()),)


def spearmanr(a: Any, b: Any) -> tuple[float]:
    """Return Spearman's correlation of two columns without missing values, and nothing else."""
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if len(first) < 2 or np.isnan(first).any() or np.isnan(second).any():  # noqa: PLR2004 - a correlation needs two
        return (math.nan,)
    if (first == first[0]).all() or (second == second[0]).all():
        return (math.nan,)
    ranks = np.column_stack([_ranks(column.tobytes()) for column in (first, second)])
    return (float(np.corrcoef(ranks, rowvar=False)[1, 0]),)


@lru_cache(maxsize=64)
def _ranks(numbers: bytes) -> Any:
    """Return the ranks of floats; a column is paired with each other one, mostly in the same rows."""
    return pd.Series(np.frombuffer(numbers)).rank().to_numpy()


FUNCTIONS = {one.__name__: one for one in (chisquare, entropy, chi2_contingency, spearmanr)}


def crosstab(index: Any, columns: Any) -> Any:
    """Return how often each two values stand in one row, as ``pandas.crosstab`` counts it, without the names of the values.

    Args:
        index: A column of a frame.
        columns: Another one of the same frame.
    """
    with contextlib.suppress(TypeError):  # values that have no order
        first, rows = pd.factorize(index, sort=True)
        second, across = pd.factorize(columns, sort=True)
        both = (first >= 0) & (second >= 0)
        counts = np.bincount(first[both] * len(across) + second[both], minlength=len(rows) * len(across))
        table = counts.reshape(len(rows), len(across))
        return pd.DataFrame(table[table.any(axis=1)][:, table.any(axis=0)])
    return pd.crosstab(index, columns)


class _Discretized:
    """A frame whose numbers fall into bins, each column once it is asked for: with numbers only, the profiler asks for none.

    Args:
        discretize: Makes it of a whole frame, one column like another.
        frame: The frame.
    """

    def __init__(self, discretize: Callable[[Any], Any], frame: Any) -> None:
        self._discretize, self._frame = discretize, frame
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            self._made[name] = self._discretize(self._frame[[name]])[name]
        return self._made[name]


def provide_counts(correlations: ModuleType | None) -> None:
    """Let the profiler's correlation of two categories (Cramer's V, corrected) take its counts from ``crosstab``.

    Numbers are put into bins only where they are correlated with categories.

    Args:
        correlations: The profiler's module of correlations; None, or one without the functions, is left as it is.
    """
    discretizer = getattr(correlations, "Discretizer", None)
    usual = getattr(discretizer, "discretize_dataframe", None)
    if discretizer is not None and usual is not None:
        discretizer.discretize_dataframe = lambda self, frame: _Discretized(partial(usual, self), frame)
    statistic = getattr(correlations, "_cramers_corrected_stat", None)
    if correlations is not None and statistic is not None and hasattr(correlations, "_pairwise_cramers"):
        correlations.__dict__["_pairwise_cramers"] = lambda one, other: statistic(crosstab(one, other), correction=True)
