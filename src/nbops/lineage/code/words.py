"""Words of pandas and Ibis that are methods of tables, and so no columns."""

from __future__ import annotations

__all__ = []


METHODS_FIRST = frozenset(
    "count size sum mean min max median std var index columns values shape filter rank first last diff shift pop head tail "
    "sample describe items keys get name rename assign apply map merge join all any product mode cumsum abs round clip copy "
    "drop query eval where mask replace explode stack unstack pivot melt agg aggregate transform nunique info T loc iloc at "
    "iat dtypes select with_columns group_by groupby sort order limit project aggregate distinct execute schema".split()
)
FRAME_METHODS = METHODS_FIRST | frozenset(
    "to_csv to_parquet to_json to_excel to_feather to_sql to_pickle to_dict to_numpy to_records to_markdown to_string "
    "to_html to_hdf to_orc to_stata to_latex to_xarray to_clipboard to_xml to_gbq to_period to_timestamp isin isna isnull "
    "notna notnull fillna dropna ffill bfill pad interpolate astype convert_dtypes infer_objects sort_values sort_index "
    "drop_duplicates duplicated set_index reset_index reindex reindex_like set_axis rename_axis pivot_table add sub mul div "
    "truediv floordiv mod pow radd rsub rmul rdiv eq ne lt le gt ge rolling expanding ewm resample asfreq cummax cummin "
    "cumprod pct_change corr cov corrwith quantile sem skew kurt kurtosis idxmax idxmin nlargest nsmallest value_counts "
    "pipe applymap insert append combine combine_first update compare concat equals iterrows itertuples iteritems "
    "select_dtypes filter_ memory_usage plot hist boxplot style str dt cat sparse attrs axes ndim empty squeeze swaplevel "
    "reorder_levels droplevel get_dummies add_prefix add_suffix align between_time at_time truncate tz_convert tz_localize "
    "xs take transpose to_arrow pyspark prod kurt bool".split()
)
IBIS_METHODS = frozenset(
    "mutate select filter group_by aggregate agg join left_join inner_join outer_join right_join semi_join anti_join "
    "asof_join cross_join any_inner_join any_left_join order_by limit head distinct drop rename relabel cast fillna "
    "fill_null dropna drop_null union intersect difference unnest unpack pivot_longer pivot_wider window_by sql alias "
    "execute to_pandas to_polars to_pyarrow to_pyarrow_batches to_parquet to_csv to_delta to_json cache count nunique "
    "columns schema view as_table get_name info describe sample topk value_counts compile preview bind try_cast rowid "
    "as_scalar equals has_name op unbind visualize get_backend get_backends to_torch to_xlsx to_parquet_dir pipe "
    "__getitem__ nrows tail".split()
)
