"""The segment of the rows that carries a change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

from nbops.quality.segments import find_segments

COUNTRIES = ("UK", "EIRE", "France", 'O\'Neill "<b>"')


def _write(path: Path, *, where: str = "false", amount: str = "id % 97", keep: str = "true", rows: int = 4_000) -> Path:
    names = ", ".join("'" + name.replace("'", "''") + "'" for name in COUNTRIES)
    duckdb.sql(
        f"""
        COPY (
            SELECT id, country, channel, day, customer, CASE WHEN {where} THEN NULL ELSE {amount} END AS amount
            FROM (
                SELECT id, [{names}][1 + id % 4] AS country, ['web', 'shop', 'phone'][1 + (id // 4) % 3] AS channel,
                    DATE '2026-01-01' + CAST(id % 200 AS INTEGER) AS day, 'person ' || id % 10 AS customer
                FROM range({rows}) AS t(id)
            )
            WHERE {keep}
        ) TO '{path}' (FORMAT parquet)
        """
    )
    return path


def _find(before: Path | None, now: Path, measured: Any, **more: Any) -> Any:
    column = None if measured == "rows" else more.pop("column", "amount")
    return find_segments(before, now, name=now.name, column=column, measured=measured, **more)


def test_new_nulls_of_one_country_are_found_and_its_name_may_hold_anything(tmp_path: Path) -> None:
    before = _write(tmp_path / "before.parquet")
    for name in COUNTRIES:
        quoted = name.replace("'", "''")
        now = _write(tmp_path / "now.parquet", where=f"country = '{quoted}' AND id % 50 <> 0")
        first = _find(before, now, "nulls")[0]
        assert first.conditions == (("country", f"= {name}"),)
        assert first.explained > 0.98
        assert first.share == pytest.approx(0.25)


def test_two_conditions_are_told_where_both_are_needed(tmp_path: Path) -> None:
    before = _write(tmp_path / "before.parquet")
    now = _write(tmp_path / "now.parquet", where="country = 'EIRE' AND channel = 'web'")
    first = _find(before, now, "nulls")[0]
    assert dict(first.conditions) == {"country": "= EIRE", "channel": "= web"}
    assert first.explained == pytest.approx(1.0)


def test_rows_that_are_gone_and_values_that_moved_are_found(tmp_path: Path) -> None:
    before = _write(tmp_path / "before.parquet")
    gone = _write(tmp_path / "gone.parquet", keep="channel <> 'phone'")
    assert _find(before, gone, "rows")[0].conditions == (("channel", "= phone"),)
    moved = _write(tmp_path / "moved.parquet", amount="CASE WHEN country = 'France' THEN (id % 97) * 100 ELSE id % 97 END")
    assert _find(before, moved, "mean")[0].conditions == (("country", "= France"),)


def test_a_range_of_dates_is_found(tmp_path: Path) -> None:
    before = _write(tmp_path / "before.parquet")
    now = _write(tmp_path / "now.parquet", where="day >= DATE '2026-06-17'")
    first = _find(before, now, "nulls")[0]
    assert first.conditions[0][0] == "day"
    assert not first.categorical


def test_personal_columns_are_never_named(tmp_path: Path) -> None:
    before = _write(tmp_path / "before.parquet")
    now = _write(tmp_path / "now.parquet", where="customer = 'person 3'")
    assert _find(before, now, "nulls")[0].conditions == (("customer", "= person 3"),)
    told = _find(before, now, "nulls", personal=["customer"])
    assert all(column != "customer" for one in told for column, _ in one.conditions)


def test_without_the_rows_before_the_rate_of_then_is_enough(tmp_path: Path) -> None:
    now = _write(tmp_path / "now.parquet", where="country = 'EIRE'")
    assert _find(None, now, "nulls", rate_before=0.0)[0].conditions == (("country", "= EIRE"),)
    gone = _write(tmp_path / "gone.parquet", keep="country <> 'UK'")
    found = _find(None, gone, "rows", categories={"country": dict.fromkeys(COUNTRIES, 1_000)})
    assert found[0].conditions == (("country", "= UK"),)


def test_nothing_is_told_where_nothing_moved_or_everything_did(tmp_path: Path) -> None:
    before = _write(tmp_path / "before.parquet")
    assert _find(before, before, "nulls") == ()
    empty = _write(tmp_path / "empty.parquet", keep="false")
    assert _find(before, empty, "mean") == ()
    whole = _find(before, _write(tmp_path / "now.parquet", where="true"), "nulls")
    assert all(one.explained - one.share < 0.15 for one in whole)
    assert _find(before, empty, "nulls", column="nothing of this name") == ()


def test_values_that_went_missing_together_are_no_segment_of_each_other(tmp_path: Path) -> None:
    before, now = tmp_path / "before.parquet", tmp_path / "now.parquet"
    for path, bad in ((before, "false"), (now, "id % 3 = 0")):
        duckdb.sql(
            f"""
            COPY (
                SELECT CASE WHEN {bad} THEN NULL ELSE 1.5 END AS amount,
                    CASE WHEN {bad} THEN NULL ELSE 'category ' || id % 4 END AS category
                FROM range(3000) AS t(id)
            ) TO '{path}' (FORMAT parquet)
            """
        )
    assert all("missing" not in one.text for one in _find(before, now, "nulls"))
