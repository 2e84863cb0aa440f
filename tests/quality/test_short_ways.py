"""The short ways of measuring (footer, proofs, groups, bit sets, estimates) against plain Python over the same rows."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nbops.model import Measurement, MetricRequest
from nbops.quality import columns as columns_module
from nbops.quality import measure as measure_module
from nbops.quality import repeats as repeats_module
from nbops.quality.engine import connect
from nbops.quality.measure import measure
from nbops.quality.source import open_source
from nbops.quality.terms import Terms

NOW = dt.datetime(2024, 5, 10, 12, tzinfo=dt.timezone.utc)
UTC = dt.timezone.utc
_MOMENTS = st.datetimes(dt.datetime(1700, 1, 1), dt.datetime(2200, 1, 1))  # noqa: DTZ001 - naive, as in the files
_INT64 = (-(2**63), -(2**53) - 1, -1, 0, 1, 2**53 + 1, 2**63 - 1)

_VALUES: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "int64": (pa.int64(), st.one_of(st.integers(-5, 5), st.sampled_from(_INT64))),
    "int8": (pa.int8(), st.integers(-128, 127)),
    "uint32": (pa.uint32(), st.sampled_from([0, 1, 7, 2**31, 2**32 - 1])),
    "uint64": (pa.uint64(), st.sampled_from([0, 1, 2**63, 2**64 - 1])),
    "decimal": (pa.decimal128(9, 2), st.decimals("-99", "99", places=2)),
    "wide": (pa.decimal128(30, 2), st.decimals("-99", "99", places=2)),
    "float": (pa.float64(), st.one_of(st.floats(-3, 3), st.sampled_from([math.nan, math.inf, -math.inf, 0.0, -0.0, 2.0, 1e300]))),
    "single": (pa.float32(), st.sampled_from([math.nan, math.inf, -1.5, 0.0, -0.0, 2.0, 3.5])),
    "text": (
        pa.string(),
        st.one_of(st.sampled_from(["", "a", "A", "b7", "é", "\0", "x\0y", "🙂", "b" * 90]), st.text(max_size=3)),
    ),
    "coded": (pa.dictionary(pa.int32(), pa.string()), st.sampled_from(["a", "b7", "c9"])),
    "flag": (pa.bool_(), st.booleans()),
    "day": (pa.date32(), st.dates(dt.date(1, 1, 1), dt.date(9999, 12, 31))),
    "moment": (pa.timestamp("us"), _MOMENTS),
    "milli": (
        pa.timestamp("ms"),
        _MOMENTS.map(lambda x: x.replace(microsecond=0)),
    ),
    "nano": (pa.timestamp("ns"), _MOMENTS),
    "zoned": (
        pa.timestamp("us", tz="UTC"),
        _MOMENTS.map(lambda value: value.replace(tzinfo=UTC)),
    ),
    "list": (pa.list_(pa.int64()), st.lists(st.one_of(st.none(), st.integers(0, 2)), max_size=2)),
}
_NUMBERS = ("int64", "int8", "uint32", "uint64", "decimal", "wide", "float", "single")
_FLOATS = ("float", "single")
_TIMES = ("day", "moment", "milli", "nano", "zoned")
_TEXTS = ("text", "coded")


@st.composite
def _tables(draw: st.DrawFn) -> pa.Table:
    rows = draw(st.integers(0, 24))
    arrays = {}
    for name, (kind, values) in _VALUES.items():
        empty = draw(st.sampled_from([False, False, False, True]))
        cells = st.none() if empty else st.one_of(st.none(), values) if draw(st.booleans()) else values
        arrays[name] = pa.array(draw(st.lists(cells, min_size=rows, max_size=rows)), type=kind)
    return pa.table(arrays)


_WRITINGS = st.fixed_dictionaries(
    {
        "row_group_size": st.integers(1, 9),
        "write_statistics": st.sampled_from([True, True, False, ["int64", "float", "text"]]),
        "data_page_version": st.sampled_from(["1.0", "2.0"]),
        "version": st.sampled_from(["1.0", "2.4", "2.6"]),
        "use_dictionary": st.booleans(),
        "write_page_index": st.booleans(),
        "use_deprecated_int96_timestamps": st.sampled_from([False, False, True]),
        "store_decimal_as_integer": st.booleans(),
    }
)


@pytest.fixture(params=["by column", "estimating", "together"])
def ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let few rows go the way of many."""
    if request.param != "together":
        monkeypatch.setattr(measure_module, "_LONG", 0)
        monkeypatch.setattr(columns_module, "_FEW_DISTINCT", 3)
        monkeypatch.setattr(columns_module, "_FEW_IN_SAMPLE", 4)
        monkeypatch.setattr(repeats_module, "LONG", 0)
        monkeypatch.setattr(repeats_module, "_PART", 5)
        monkeypatch.setattr(repeats_module, "_MANY", 3)
    if request.param == "estimating":
        monkeypatch.setattr(columns_module, "ESTIMATE_ROWS", 0)
    return str(request.param)


def _measured(path: Path, *, needed: list[MetricRequest], base: list[MetricRequest]) -> dict[MetricRequest, Measurement]:
    with connect(threads=2) as (connection, scratch):
        source = open_source(connection, path, name=path.name, scratch=scratch, contract=None, shown=path.name)
        return measure(Terms(source, {}), needed, now=NOW, mask_text=False, base=base)


def _request(metric: str, column: str, **arguments: Any) -> MetricRequest:
    return MetricRequest(metric=metric, column=column, arguments=tuple(arguments.items()))


def _key(value: Any) -> Any:
    return "nan" if isinstance(value, float) and math.isnan(value) else value if not isinstance(value, list) else tuple(value)


def _plain(table: pa.Table, name: str) -> list[Any]:
    return [value for value in table.column(name).to_pylist() if value is not None]


def _breaks(value: Any, key: str, bound: Any) -> bool:
    if isinstance(value, float) and math.isnan(value):
        return True
    sides = {
        "minimum": value >= bound,
        "maximum": value <= bound,
        "exclusiveMinimum": value > bound,
        "exclusiveMaximum": value < bound,
    }
    return not sides[key]


def _expected(table: pa.Table) -> Iterator[tuple[MetricRequest, Any]]:
    """What checks need, and what it must be."""
    for name in table.column_names:
        values = _plain(table, name)
        nulls = table.num_rows - len(values)
        yield _request("nullValues", name), nulls
        yield _request("missingValues", name, missingValues=(None,)), nulls
        if name != "list":
            yield _request("duplicateValues", name), len(values) - len({_key(value) for value in values})
    for name in _NUMBERS:
        for key in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"):
            for bound in (-3, 0, 2):
                broken = sum(_breaks(value, key, bound) for value in _plain(table, name))
                yield _request("invalidValues", name, **{key: bound}), broken
    for name in ("int64", "int8", "uint32", "uint64"):
        yield (
            _request("invalidValues", name, format="i32"),
            sum(not -(2**31) <= value < 2**31 for value in _plain(table, name)),
        )
    moment = dt.datetime(1999, 12, 31, 12)  # noqa: DTZ001 - naive, as in the files
    for name in _TIMES:
        aware = name != "day" and table.schema.field(name).type.tz is not None
        bound: Any = moment.date() if name == "day" else moment.replace(tzinfo=UTC) if aware else moment
        text = bound.isoformat()
        for key in ("minimum", "exclusiveMaximum"):
            yield _request("invalidValues", name, **{key: text}), sum(_breaks(value, key, bound) for value in _plain(table, name))
    for name in _TEXTS:
        values = _plain(table, name)
        yield _request("invalidValues", name, pattern="^[a-z]"), sum(not ("a" <= value[:1] <= "z") for value in values)
        yield _request("invalidValues", name, validValues=("a", "b7")), sum(value not in {"a", "b7"} for value in values)
        yield _request("invalidValues", name, minLength=2), sum(len(value) < 2 for value in values)
        yield (
            _request("missingValues", name, missingValues=(None, "a")),
            table.num_rows - len(values) + values.count("a"),
        )


def _keys_of_several(table: pa.Table) -> Iterator[tuple[MetricRequest, int]]:
    for names in (("int64", "text"), ("float", "coded", "zoned")):
        rows = [row for row in zip(*(table.column(name).to_pylist() for name in names), strict=True) if None not in row]
        repeated = len(rows) - len({tuple(map(_key, row)) for row in rows})
        yield MetricRequest(metric="duplicateValues", arguments=(("properties", names),)), repeated


def _json(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value


def _instant(text: Any) -> str:
    plain = str(text).removesuffix("Z").removesuffix("+00:00")
    return plain.rstrip("0").removesuffix(".") if "." in plain else plain


def _check_base(table: pa.Table, found: dict[MetricRequest, Measurement], *, ways: str) -> None:
    for name in (*_NUMBERS, *_TIMES):
        values = _plain(table, name)
        finite = [value for value in values if not isinstance(value, float) or math.isfinite(value)]
        low, high = (found[_request(metric, name)].value for metric in ("minimum", "maximum"))
        if not finite:
            assert (low, high) == (None, None)
        elif name in _NUMBERS:
            assert (low, high) == (_json(min(finite)), _json(max(finite)))
        else:
            assert [_instant(low), _instant(high)] == [_instant(min(finite).isoformat()), _instant(max(finite).isoformat())]
    for name in _FLOATS:
        assert found[_request("nonFiniteValues", name)].value == sum(not math.isfinite(value) for value in _plain(table, name))
    for name in _TEXTS:
        sizes = [len(value) for value in _plain(table, name)]
        assert found[_request("minimumLength", name)].value == min(sizes, default=None)
        assert found[_request("maximumLength", name)].value == max(sizes, default=None)
    for name in table.column_names:
        distinct = len({_key(value) for value in _plain(table, name)})
        exact = found.get(_request("distinctValues", name))
        if exact is not None:
            assert exact.value == distinct
        else:
            assert ways == "estimating"
            estimate = found[_request("distinctValues", name, approximate=True)].value
            assert isinstance(estimate, int)
            assert abs(estimate - distinct) <= max(3, distinct)


def _base() -> list[MetricRequest]:
    names = [
        *((metric, name) for name in (*_NUMBERS, *_TIMES) for metric in ("minimum", "maximum")),
        *((metric, name) for name in _NUMBERS for metric in ("mean", "standardDeviation")),
        *(("nonFiniteValues", name) for name in _FLOATS),
        *((metric, name) for name in _TEXTS for metric in ("minimumLength", "maximumLength")),
    ]
    return [*(_request(metric, name) for metric, name in names), *(_request("distinctValues", name) for name in _VALUES)]


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(table=_tables(), writing=_WRITINGS, asked=st.sampled_from(["checks", "both", "base"]))
def test_every_way_gives_what_plain_python_counts(
    tmp_path: Path, ways: str, table: pa.Table, writing: dict[str, Any], asked: str
) -> None:
    path = tmp_path / "table.parquet"
    try:
        pq.write_table(table, path, **writing)
    except (pa.ArrowException, OSError):
        # Nanoseconds and dates that an older format has no room for.
        writing = {**writing, "version": "2.6", "use_deprecated_int96_timestamps": False}
        pq.write_table(table, path, **writing)
    stored = pq.read_table(path)
    expected = dict([*_expected(stored), *_keys_of_several(stored)]) if asked != "base" else {}
    found = _measured(path, needed=list(expected), base=_base() if asked != "checks" else [])
    wrong = {
        (item.metric, item.column, item.arguments): (found[item].value, found[item].error, value)
        for item, value in expected.items()
        if found[item].value != value
    }
    assert not wrong
    if asked != "checks":
        _check_base(stored, found, ways=ways)
