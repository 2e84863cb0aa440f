"""Ibis: not followed yet; what goes in may enter what comes out."""

from __future__ import annotations

from nbops.lineage.code.polars_ import polars_function as ibis_function
from nbops.lineage.code.polars_ import polars_method as ibis_method
from nbops.lineage.code.polars_ import series_method as value_method

backend_method = ibis_group_method = lazy_method = value_method
__all__ = ["backend_method", "ibis_function", "ibis_group_method", "ibis_method", "lazy_method", "value_method"]
