"""The simulated shop: same seed, same bytes; counts add up; the truth that it tells is what DuckDB counts."""

from __future__ import annotations

import hashlib
from datetime import date
from pathlib import Path

import duckdb
import pytest
import shop.simulate
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shop.simulate import Plan, simulate

_FILES = ("orders", "customers", "events")
_COUNTED = """
    count(*) AS rows,
    count(DISTINCT invoice) AS invoices,
    count(*) FILTER (customer_id IS NULL) AS null_customer,
    count(*) FILTER (description IS NULL) AS null_description,
    count(*) FILTER (quantity < 0) AS negative_quantity,
    count(*) FILTER (invoice LIKE 'C%') AS "cancelled_invoice_rows_C",
    count(*) FILTER (quantity < 0 AND invoice NOT LIKE 'C%') AS negative_quantity_not_cancelled,
    count(*) FILTER (unit_price = 0) AS zero_price,
    count(*) FILTER (unit_price < 0) AS negative_price,
    count(*) FILTER (unit_price > 1000) AS absurd_price,
    count(*) - (SELECT count(*) FROM (SELECT DISTINCT * FROM data)) AS exact_duplicate_rows,
    count(*) FILTER (country = 'Unspecified') AS unspecified_country,
    count(*) FILTER (stock_code IN ('POST', 'DOT', 'M', 'BANK CHARGES')) AS fee_rows,
    count(*) FILTER (NOT regexp_full_match(stock_code, '[0-9]{5}[A-Z]?')) AS non_product_stock_code_rows,
    count(*) FILTER (stock_code LIKE '%?') AS malformed_stock_code,
    count(*) FILTER (description <> trim(description)) AS description_outer_whitespace
"""


def _simulate(folder: Path, **plan: object) -> dict[str, dict[str, int]]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = {name: str(folder / f"{name}.parquet") for name in _FILES}
    return simulate(Plan(**plan), **paths)


def _digests(folder: Path) -> list[str]:
    return [hashlib.sha256((folder / f"{name}.parquet").read_bytes()).hexdigest() for name in _FILES]


def _one(folder: Path, name: str, select: str) -> dict[str, int]:
    with duckdb.connect() as con:
        con.read_parquet(str(folder / f"{name}.parquet")).create_view("data")
        relation = con.sql(f"SELECT {select} FROM data")
        return dict(zip(relation.columns, relation.fetchall()[0], strict=True))


def _check_truth(folder: Path, truth: dict[str, dict[str, int]]) -> None:
    assert _one(folder, "orders", _COUNTED) == truth["orders_raw"]
    found = _one(folder, "customers", "count(*) AS rows, count(DISTINCT customer_id) AS customers, "
                 "count(*) - (SELECT count(*) FROM (SELECT DISTINCT * FROM data)) AS exact_duplicate_rows, "
                 "count(*) FILTER (email NOT LIKE '%@%') AS malformed_email, "
                 "count(*) FILTER (name IS NULL) AS null_name")  # fmt: skip
    assert found == truth["customers_raw"]
    found = _one(folder, "events", "count(*) AS rows, count(*) - count(DISTINCT event_id) AS exact_duplicate_rows, "
                 "count(*) FILTER (stock_code = '?????') AS unknown_stock_code")  # fmt: skip
    assert found == truth["events_raw"]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lines=st.integers(1_000, 6_000),
    seed=st.integers(0, 2**32),
    first=st.dates(date(1990, 1, 1), date(2030, 1, 1)),
    days=st.integers(1, 900),
)
def test_any_plan_tells_the_truth_and_repeats_itself(tmp_path: Path, lines: int, seed: int, first: date, days: int) -> None:
    plan = {"lines": lines, "seed": seed, "first": first, "last": date.fromordinal(first.toordinal() + days)}
    truth = _simulate(tmp_path / "a", **plan)
    assert truth["orders_raw"]["rows"] == lines
    _check_truth(tmp_path / "a", truth)
    assert _simulate(tmp_path / "b", **plan) == truth
    assert _digests(tmp_path / "a") == _digests(tmp_path / "b")


def test_many_chunks_add_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shop.simulate, "CHUNK", 700)
    truth = _simulate(tmp_path, lines=9_999)
    assert truth["orders_raw"]["rows"] == 9_999
    _check_truth(tmp_path, truth)


def test_another_seed_is_another_shop(tmp_path: Path) -> None:
    _simulate(tmp_path / "a", lines=1_000, seed=1)
    _simulate(tmp_path / "b", lines=1_000, seed=2)
    assert not set(_digests(tmp_path / "a")) & set(_digests(tmp_path / "b"))


@pytest.fixture(scope="module")
def default(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    _simulate(folder)
    return folder


def test_the_shop_is_closed_on_saturdays_and_outside_the_window(default: Path) -> None:
    found = _one(default, "orders", "min(invoiced_at)::DATE AS first, max(invoiced_at)::DATE AS last, "
                 "count(*) FILTER (isodow(invoiced_at) = 6) AS saturdays")  # fmt: skip
    assert found["saturdays"] == 0
    assert date(2025, 1, 1) <= found["first"] < found["last"] <= date(2025, 12, 31)


def test_weekdays_and_seasons_differ(default: Path) -> None:
    found = _one(default, "orders", "count(*) FILTER (isodow(invoiced_at) = 4) AS thursdays, "
                 "count(*) FILTER (isodow(invoiced_at) = 7) AS sundays, "
                 "count(*) FILTER (month(invoiced_at) = 11) AS november, "
                 "count(*) FILTER (month(invoiced_at) = 2) AS february")  # fmt: skip
    assert found["thursdays"] > 1.3 * found["sundays"]
    assert found["november"] > 1.3 * found["february"]


def test_cancellations_take_back_lines_that_were_sold(default: Path) -> None:
    with duckdb.connect() as con:
        con.read_parquet(str(default / "orders.parquet")).create_view("data")
        orphans = con.sql("""
            SELECT count(*) FROM data AS c WHERE c.invoice LIKE 'C%' AND NOT EXISTS (
                FROM data AS s WHERE s.invoice = c.invoice[2:] AND s.quantity = -c.quantity AND s.invoiced_at < c.invoiced_at
                    AND s.customer_id IS NOT DISTINCT FROM c.customer_id)
        """).fetchall()
    assert orphans == [(0,)]


def test_clicks_belong_to_customers_and_products_of_the_shop(default: Path) -> None:
    with duckdb.connect() as con:
        for name in _FILES:
            con.read_parquet(str(default / f"{name}.parquet")).create_view(name)
        found = con.sql("""
            SELECT count(*) FILTER (customer_id NOT IN (SELECT customer_id FROM customers)),
                count(DISTINCT event_type), count(*) FILTER (customer_id IS NULL) > 0
            FROM events
        """).fetchall()
    assert found == [(0, 3, True)]


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ({"lines": 999}, "999 order lines. Allowed: 1,000 to 10,000,000"),
        ({"lines": 10_000_001}, "Allowed"),
        ({"first": date(2025, 2, 1), "last": date(2025, 1, 1)}, "Swap them"),
        ({"first": date(2025, 1, 4), "last": date(2025, 1, 4)}, "no Saturday"),
    ],
)
def test_a_plan_that_cannot_be_says_why(plan: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Plan(**plan)


def test_one_day_can_hold_a_shop(tmp_path: Path) -> None:
    truth = _simulate(tmp_path, lines=1_000, first=date(2025, 1, 6), last=date(2025, 1, 6))
    _check_truth(tmp_path, truth)
    assert _one(tmp_path, "orders", "count(DISTINCT invoiced_at::DATE) AS days") == {"days": 1}
