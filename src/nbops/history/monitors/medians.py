"""Medians without missing values, of many short rows at once: NumPy's own takes each as a masked array, at ten times the cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["row_medians"]


def row_medians(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the median along the last axis, NaN left out: to the last bit what :func:`numpy.nanmedian` says.

    Args:
        values: Numbers; NaN where there is none.

    >>> row_medians(np.array([[1.0, np.nan, 4.0], [np.nan, np.nan, np.nan]])).tolist()
    [2.5, nan]
    """
    if not values.shape[-1]:
        return np.full(values.shape[:-1], np.nan)
    ordered = np.sort(values, axis=-1)  # NaN comes last
    count = (~np.isnan(ordered)).sum(axis=-1)[..., None]
    low = np.take_along_axis(ordered, np.maximum(count - 1, 0) // 2, axis=-1)
    high = np.take_along_axis(ordered, np.minimum(count // 2, values.shape[-1] - 1), axis=-1)
    with np.errstate(all="ignore"):
        found: NDArray[np.float64] = np.where(count % 2 == 1, low, (low + high) / 2)[..., 0]
    return found
