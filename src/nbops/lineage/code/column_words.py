"""Words of columns' methods, by what they do."""

from __future__ import annotations

__all__ = ["AGGREGATES", "CHOOSERS", "CUMULATIVE", "ORDERED", "RANKS", "SAME", "SORTS"]


AGGREGATES = frozenset(
    "sum mean median min max std var sem prod product count nunique n_unique first last any all quantile mode idxmin idxmax "
    "argmin argmax skew kurt kurtosis approx_nunique approx_median arbitrary collect group_concat implode len null_count "
    "nan_max nan_min bitwise_and corr cov describe ptp average nanmean nansum nanmax nanmin nanstd nanmedian percentile "
    "nanpercentile item approx_n_unique stddev variance list string_agg any_value arg_max arg_min agg_groups product "
    "entropy upper_bound lower_bound arg_true arg_unique get_max get_min unique_counts nth".split()
)
CUMULATIVE = frozenset(
    "cumsum cummax cummin cumprod cumcount cum_sum cum_max cum_min cum_prod cum_count rank dense_rank percent_rank "
    "cume_dist ntile row_number ewm_mean ewm_std rolling_mean rolling_sum rolling_max rolling_min rolling_std "
    "rolling_median rolling_var rolling_quantile search_sorted hist".split()
)
RANKS = frozenset({"rank", "dense_rank", "percent_rank", "cume_dist", "ntile", "row_number", "cumcount"})
SAME = frozenset(
    "copy alias rename name set_axis to_series to_numpy to_list tolist to_pylist to_arrow to_frame astype_same view values "
    "head tail sample limit slice gather_every ravel flatten item_ squeeze reset_index_ rechunk clone iloc_ set_sorted "
    "execute to_pandas to_polars to_pyarrow collect_ persist cache reset_same sort_index reindex combine_chunks combine "
    "unify_dictionaries repeat".split()
)
SORTS = frozenset("arg_sort argsort bottom_k nlargest nsmallest sort sort_by sort_values top_k".split())
CHOOSERS = frozenset(
    {"dropna", "drop_nulls", "drop_nans", "drop_null", "drop_duplicates", "unique", "filter", "distinct", "explode_"}
)


ORDERED = frozenset(
    "backward_fill bfill collect diff ffill fill_forward first forward_fill group_concat head implode lag last lead list "
    "nth pct_change shift string_agg tail".split()
)
