"""What quantiles are taken at; a module of its own, so that whoever reads them loads no DuckDB."""

from __future__ import annotations

__all__ = ["PROBABILITIES"]

PROBABILITIES = (0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0)
"""What the quantiles of a :class:`~nbops.model.Distribution` are taken at."""
