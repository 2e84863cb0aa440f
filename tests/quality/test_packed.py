"""Text read as words: shapes against the engine's own matching, repeated keys against plain Python."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.quality.test_short_ways import NOW

from nbops.model import MetricRequest
from nbops.quality import columns as columns_module
from nbops.quality import measure as measure_module
from nbops.quality import packed
from nbops.quality import repeats as repeats_module
from nbops.quality.engine import connect
from nbops.quality.measure import measure
from nbops.quality.packed import count_broken, find_repeats, is_packable
from nbops.quality.shapes import shape_of
from nbops.quality.source import Source, open_source
from nbops.quality.terms import Terms

UUID = "^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}$"
_PIECES = ["[A-Z]", "[a-z0-9]", "[-+]", "[A-C-]", "[A-Ca]", r"\d", r"\.", "-", "x", "7", "/", "[0-z]", "[ _]"]
_PATTERNS = st.lists(
    st.tuples(st.sampled_from(_PIECES), st.sampled_from(["", "", "{1}", "{3}", "{9}"])), min_size=1, max_size=5
).map(lambda parts: "^" + "".join(piece + times for piece, times in parts) + "$")
_ASCII = st.text(st.characters(min_codepoint=1, max_codepoint=126), max_size=20)
_KEYS = st.one_of(st.none(), st.sampled_from(["", "a", "ab", "12345678", "123456789", "12345678" * 3]), _ASCII)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let few rows be several batches."""
    monkeypatch.setattr(packed, "_BATCH", 4)


def _opened(path: Path) -> Iterator[Source]:
    with connect(threads=1) as (connection, scratch):
        yield open_source(connection, path, name=path.name, scratch=scratch, contract=None, shown=path.name)


def _written(path: Path, values: list[Any], kind: pa.DataType | None = None, **how: Any) -> Path:
    pq.write_table(pa.table({"text": pa.array(values, kind or pa.string())}), path, **{"row_group_size": 7, **how})
    return path


def _matching(pattern: str) -> st.SearchStrategy[str]:
    return st.from_regex(pattern.removesuffix("$") + r"\Z", alphabet=st.characters(min_codepoint=1, max_codepoint=126))


@given(st.data(), _PATTERNS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.usefixtures("small")
def test_a_shape_is_met_by_what_the_engine_says_matches(tmp_path: Path, data: st.DataObject, pattern: str) -> None:
    shape = shape_of(pattern)
    assert shape is not None
    values = data.draw(st.lists(st.one_of(st.none(), _matching(pattern), _ASCII), max_size=15))
    path = _written(tmp_path / "a.parquet", values)
    with duckdb.connect() as connection:
        query = "SELECT count(*) FILTER (WHERE NOT regexp_matches(text, ?)) FROM read_parquet(?)"
        row = connection.execute(query, [pattern, str(path)]).fetchone()
    for source in _opened(path):
        assert (count_broken(source, source.columns[0], shape),) == row


@pytest.mark.parametrize(
    "pattern",
    [
        *[
            "",
            "^$",
            "a",
            "^a",
            "a$",
            "^a+$",
            "^a?$",
            "^a*$",
            "^.$",
            "^a|b$",
            "^(a)$",
            "^[^a]$",
            "^[z-a]$",
            "^[]$",
            "^[a$",
            "^a{0}$",
        ],
        *["^a{1,2}$", "^a{2,}$", r"^a\$", r"^\w$", "^é$", "^[a-é]$", "^[[:alpha:]]$", "^[A-C-E]$", "(?i)^a$", "^a\n$", "^^a$"],
        *["^a$$", r"^\b$", r"^[\d]$", "^a{65}$", "^[0-9]{40}[0-9]{40}$"],
    ],
)
def test_any_other_pattern_is_no_shape(pattern: str) -> None:
    assert shape_of(pattern) is None


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("odd", [0, 1, 5])
def test_a_shape_is_tried_on_every_byte(tmp_path: Path, odd: int) -> None:
    """One byte wrong at each place of a UUID, among right ones, with and without others of another length."""
    right = "0a1B2c3D-4e5F-6789-abcD-ef0123456789"
    wrong = [right[:place] + sign + right[place + 1 :] for place in range(36) for sign in ("g", "/", ":", "@", "`", "~", "\x01")]
    values = [right] * 300 + wrong + ["0" * 35] * odd
    shape = shape_of(UUID)
    assert shape is not None
    for source in _opened(_written(tmp_path / "a.parquet", values, row_group_size=1000)):
        assert count_broken(source, source.columns[0], shape) == len(wrong) + odd


@given(st.lists(_KEYS, max_size=60), st.integers(0, 6), st.sampled_from([pa.string(), pa.large_string()]))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.usefixtures("small")
def test_repeats_are_those_that_plain_python_finds(
    tmp_path: Path, values: list[str | None], most: int, kind: pa.DataType
) -> None:
    counts = Counter(value for value in values if value is not None)
    several = tuple(row for row, value in enumerate(values) if value is not None and counts[value] > 1)
    surplus = sum(count - 1 for count in counts.values())
    for source in _opened(_written(tmp_path / "a.parquet", values, kind)):
        assert is_packable(source, source.columns[0])
        found = find_repeats(source, source.columns[0], most=most)
        assert found is not None
        assert found.surplus == surplus
        assert found.rows == (several if surplus <= most else None)


@pytest.mark.parametrize(
    "values", [["a", "é"], ["a", "\0"], ["a\0", "a"], ["a", "b" * 90]], ids=["é", "NUL", "NUL behind", "long"]
)
def test_what_is_not_plain_is_left_to_the_engine(tmp_path: Path, monkeypatch, values: list[str]) -> None:
    monkeypatch.setattr(packed, "_BYTES", 100)
    for source in _opened(_written(tmp_path / "a.parquet", values)):
        assert find_repeats(source, source.columns[0], most=5) is None


def test_hashes_that_tell_nothing_apart_are_given_up(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(packed, "_odd", lambda _number, _turn: 0)
    for source in _opened(_written(tmp_path / "a.parquet", [f"key-{number}" for number in range(200)])):
        assert find_repeats(source, source.columns[0], most=5) is None
    for source in _opened(_written(tmp_path / "b.parquet", ["same"] * 9 + ["other"] * 3)):
        found = find_repeats(source, source.columns[0], most=50)
        assert found is not None
        assert found.surplus == 10


@pytest.mark.parametrize("name", ["a.b", "a", 'q"u', "__proto__", "</script>", "a.list.element"])
def test_a_column_is_found_by_its_very_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.parquet"
    nested = pa.array([{"b": "x"}, {"b": "y"}], pa.struct([("b", pa.string())]))
    others = {} if name == "a" else {"a": nested}
    pq.write_table(pa.table({**others, name: ["k", "k"]}), path)
    for source in _opened(path):
        found = find_repeats(source, next(column for column in source.columns if column.name == name), most=5)
        # Arrow names a field of an object in the same way: then it is left to the engine.
        assert found is None or (found.surplus, found.rows) == (1, (0, 1))


def test_a_measuring_goes_this_way_and_finds_the_same(tmp_path: Path, monkeypatch) -> None:
    values = [f"AB-{number:05}" for number in range(400)] + ["AB-00007", "ab-1", None, "AB-00007"]
    path = _written(tmp_path / "a.parquet", values)
    wanted = {
        MetricRequest(metric="duplicateValues", column="text"): 2,
        MetricRequest(metric="invalidValues", column="text", arguments=(("pattern", "^[A-Z]{2}-[0-9]{5}$"),)): 1,
        MetricRequest(metric="invalidValues", column="text", arguments=(("format", "uuid"),)): 403,
    }
    looked: list[str] = []
    for module, name in ((columns_module, "count_broken"), (repeats_module, "find_repeats")):
        real = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *a, real=real, name=name, **k: looked.append(name) or real(*a, **k))
    monkeypatch.setattr(measure_module, "_LONG", 0)
    monkeypatch.setattr(columns_module, "_FEW_IN_SAMPLE", 0)
    monkeypatch.setattr(columns_module, "LONG", 0)
    monkeypatch.setattr(repeats_module, "LONG", 0)
    for source in _opened(path):
        terms = Terms(source, {})
        found = measure(terms, wanted, now=NOW, mask_text=False)
        assert {request: found[request].value for request in wanted} == wanted
        query = terms.breaking_rows(MetricRequest(metric="duplicateValues", column="text"))
        assert sorted(source.connection.execute(query).fetchall()) == [(400,), (403,)]
    assert looked == ["count_broken", "count_broken", "find_repeats"]
