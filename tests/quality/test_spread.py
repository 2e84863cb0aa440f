"""Distributions: the same for the same data, nothing of personal columns, whatever the data is."""

from __future__ import annotations

import datetime as dt
import math
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbops.contract.records import Contract, ContractColumn
from nbops.quality.audit import audit
from nbops.quality.probabilities import PROBABILITIES
from nbops.quality.spread import shape

if TYPE_CHECKING:
    from nbops.model import Dataset, Distribution

NOW = dt.datetime(2026, 11, 27, tzinfo=dt.timezone.utc)


def look(path: Path, *, personal: tuple[str, ...] = (), threads: int | None = None, spread: bool = True) -> Dataset:
    contract = None
    if personal:
        columns = tuple(ContractColumn(name=name, personal=True) for name in personal)
        contract = Contract(
            dataset="d",
            path="contracts/d.odcs.yaml",
            hash="h",
            object_name="d",
            columns=columns,
            personal_columns=frozenset(personal),
            id="d",
            version="1",
            api_version="v3.0.2",
        )
    found = audit(
        path, name="d", task="t", final_path=path.name, contract=contract, references={}, now=NOW, threads=threads, spread=spread
    )
    assert found.dataset.error is None
    return found.dataset


def parquet(tmp_path: Path, **columns: Any) -> Path:
    path = tmp_path / "d.parquet"
    pq.write_table(pa.table(columns), path)
    return path


def spreads(path: Path, **more: Any) -> dict[str, Distribution]:
    return {item.column: item for item in look(path, **more).distributions}


def test_quantiles_of_numbers_and_times_are_values_of_the_data(tmp_path: Path) -> None:
    days = [dt.date(2020, 1, 1) + dt.timedelta(days=n) for n in range(101)]
    stamps = [dt.datetime(1960, 1, 1, tzinfo=dt.timezone.utc) + dt.timedelta(days=n) for n in range(101)]
    found = spreads(parquet(tmp_path, n=list(range(101)), f=[n / 3 for n in range(101)], d=days, t=stamps))
    assert found["n"].quantiles == (0, 1, 5, 10, 25, 50, 75, 90, 95, 99, 100)
    assert found["f"].quantiles[5] == 16.6667
    assert found["d"].quantiles[0] == dt.datetime(2020, 1, 1, tzinfo=dt.timezone.utc).timestamp()
    assert found["t"].quantiles[0] == dt.datetime(1960, 1, 1, tzinfo=dt.timezone.utc).timestamp()
    assert {item.rows for item in found.values()} == {101}


def test_what_is_not_there_or_not_finite_does_not_count(tmp_path: Path) -> None:
    found = spreads(
        parquet(
            tmp_path,
            f=pa.array([1.0, math.nan, math.inf, -math.inf, None, 3.0], pa.float64()),
            none=pa.array([None] * 6, pa.int64()),
            nothing=pa.array([None] * 6, pa.null()),
            nan=[math.nan] * 6,
            listed=[[1]] * 6,
            same=[7] * 6,
            big=pa.array([10**30, 10**30, 5, 5, None, 1], pa.decimal128(38, 0)),
        )
    )
    assert found["f"].rows == 2
    assert (found["f"].quantiles[0], found["f"].quantiles[-1]) == (1.0, 3.0)
    assert set(found) == {"f", "same", "big"}
    assert set(found["same"].quantiles) == {7.0}
    assert found["big"].quantiles[-1] == 1e30


def test_categories_of_text_and_booleans(tmp_path: Path) -> None:
    words = [f"w{n:02d}" for n in range(30) for _ in range(30 - n)]
    found = spreads(parquet(tmp_path, w=words, b=[n % 3 == 0 for n in range(len(words))]))
    assert len(found["w"].categories) == 20
    assert found["w"].categories["w00"] == 30
    assert sum(found["w"].categories.values()) + (found["w"].others or 0) == len(words) == found["w"].rows
    assert found["b"].categories == {"false": 310, "true": 155}
    assert found["b"].others == 0


def test_text_with_many_values_has_shapes_and_no_values(tmp_path: Path) -> None:
    dates = [f"{1 + n % 9}/{n % 28 + 1}/2010 {n % 24}:{n % 60:02d}" for n in range(3000)]
    codes = [f"secret{n}" for n in range(3000)]
    found = spreads(parquet(tmp_path, d=dates, c=codes))
    assert found["d"].categories == {}
    assert found["d"].others is None
    assert "9/99/9999 99:99" in found["d"].patterns
    assert "secret" not in str(found["c"])
    assert sum(found["c"].patterns.values()) <= 3000
    other = spreads(
        parquet(tmp_path, d=[f"2010-01-{n % 28 + 1:02d} {n % 24:02d}:{n % 60:02d}:{n // 60 % 60:02d}" for n in range(3000)])
    )
    assert not set(other["d"].patterns) & set(found["d"].patterns)


def test_nothing_of_personal_columns(tmp_path: Path) -> None:
    rows = 100
    path = parquet(tmp_path, Email=["a@b.c"] * rows, age=list(range(rows)), born=[dt.date(1990, 1, 1)] * rows, ok=[1] * rows)
    assert set(spreads(path, personal=("email", "age", "born"))) == {"ok"}


def test_only_a_run_measures_them(tmp_path: Path) -> None:
    found = look(parquet(tmp_path, a=[1, 2]), spread=False)
    assert (found.distributions, dict(found.storage)) == ((), {})


def test_no_rows_no_distributions(tmp_path: Path) -> None:
    assert look(parquet(tmp_path, a=pa.array([], pa.int64()))).distributions == ()


def test_long_data_is_sampled_the_same_way_on_any_number_of_threads(tmp_path: Path) -> None:
    rows = 400_000
    draws = np.random.default_rng(5)
    path = parquet(
        tmp_path,
        n=np.arange(rows),
        x=draws.normal(size=rows),
        c=pa.array([f"c{n % 8}" for n in range(rows)]),
        t=[f"{n:07d}" for n in range(rows)],
    )
    one, two = look(path, threads=1).distributions, look(path, threads=2).distributions
    assert one == two
    found = {item.column: item for item in one}
    assert 49_000 < found["n"].rows < 51_000
    assert (found["n"].quantiles[0], found["n"].quantiles[-1]) == (0.0, 399_999.0)
    for probability, value in zip(PROBABILITIES, found["n"].quantiles, strict=True):
        assert abs(value / rows - probability) < 0.001
    shares = [count / found["c"].rows for count in found["c"].categories.values()]
    assert all(abs(share - 1 / 8) < 0.003 for share in shares)  # a period in the data does not show
    assert found["t"].patterns == {"9999999": pytest.approx(5000, abs=100)}


def test_hostile_names_and_values(tmp_path: Path) -> None:
    odd = ["<script>alert(1)</script>", "'; DROP TABLE x; --", 'qu"ote', "💥", "new\nline", "nul\0", "", "x" * 500]
    path = parquet(tmp_path, **{name or "empty": odd * 4 for name in odd})
    found = spreads(path)
    assert set(found) == {name or "empty" for name in odd}
    for item in found.values():
        assert item.categories["<script>alert(1)</script>"] == 4
        assert all(len(value) <= 80 for value in item.categories)
        assert item.others == 4


def test_a_thousand_columns(tmp_path: Path) -> None:
    draws = random.Random(3)
    kinds = ([draws.random() for _ in range(40)], ["a", "b"] * 20, [f"code {n}" for n in range(40)])
    path = tmp_path / "d.parquet"
    pq.write_table(pa.table({f"c{n}": kinds[n % 3] for n in range(1000)}), path)
    found = spreads(path)
    assert len(found) == 1000
    assert found["c1"].categories == {"a": 20, "b": 20}
    assert found["c2"].patterns == {"a 9": 10, "a 99": 30}


def test_columns_that_cannot_be_read_do_not_take_the_others_with_them(tmp_path: Path) -> None:
    path = tmp_path / "d.parquet"
    duckdb.execute(f"COPY (SELECT 'infinity'::TIMESTAMP AS t, 1.5 AS x, 'infinity'::DATE AS d) TO '{path}'")
    found = spreads(path)
    assert found["x"].quantiles[5] == 1.5
    assert not {"t", "d"} & set(found)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"a,b\n1,2\n", {"bom": False, "delimiter": ",", "line_end": "lf"}),
        (b"\xef\xbb\xbfa,b\n1,2\n", {"bom": True, "delimiter": ",", "line_end": "lf"}),
        (b"a;b\r\n1;2\r\n", {"bom": False, "delimiter": ";", "line_end": "crlf"}),
        (b'"a",b\n1,2\n', {"bom": False, "delimiter": ",", "line_end": "lf", "header": '"a",b'}),
    ],
)
def test_how_a_csv_is_written(tmp_path: Path, data: bytes, expected: dict[str, Any]) -> None:
    path = tmp_path / "d.csv"
    path.write_bytes(data)
    assert dict(look(path).storage) == {"encoding": "utf-8", **expected}


@given(st.text(max_size=200))
def test_a_shape_is_short_and_says_nothing_of_letters_and_digits(text: str) -> None:
    found = shape(text)
    assert len(found) <= 32
    assert not any(sign.isalpha() and sign not in "Aa" for sign in found)
    assert not any(sign.isdecimal() and sign != "9" for sign in found)
    assert "\n" not in found
    assert "\0" not in found
