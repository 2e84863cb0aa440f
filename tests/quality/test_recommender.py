"""What is measured of recommendations, against numbers worked by hand, and which tables are taken for them."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbops.quality.audit import audit
from nbops.quality.recommender import gini
from nbops.quality.recommender_names import RECOMMENDER_METRICS
from nbops.record.codec import encode

if TYPE_CHECKING:
    from pathlib import Path

NOW = dt.datetime(2026, 5, 10, 12, tzinfo=dt.timezone.utc)
LISTS = {"ann": "abc", "bob": "abd", "cid": "aef"}


def table(path: Path, lists: dict[str, str], *, first: int = 1, **more: Any) -> Path:
    rows = [(user, rank, item) for user, items in lists.items() for rank, item in enumerate(items, first)]
    columns = {"user_id": [r[0] for r in rows], "rank": [r[1] for r in rows], "item_id": [r[2] for r in rows], **more}
    pq.write_table(pa.table(columns), path)
    return path


def measured(path: Path, contract: Any = None, *, name: str = "lists", **more: Any) -> tuple[dict[str, Any], dict[str, str]]:
    given_ = {"references": {}, "spread": True, "threads": 1, "now": NOW, "final_path": f"output/{name}.parquet", **more}
    found = audit(path, name=name, task="recommend", contract=contract, **given_)
    assert found.dataset.error is None
    ours = [one for one in found.dataset.measurements if one.metric in RECOMMENDER_METRICS]
    return {one.metric: one.value for one in ours if not one.error}, {one.metric: one.error for one in ours if one.error}


def test_numbers_are_those_worked_by_hand(tmp_path, contract_of):
    said = {"user": "user_id", "item": "item_id", "rank": "rank", "catalogue": "things.id", "users": "people.id",
            "interactions": "uses.item"}  # fmt: skip
    contract = contract_of(name="lists", table={"customProperties": [{"property": "nbops.recommendations", "value": said}]})
    pq.write_table(pa.table({"id": list("abcdghij")}), tmp_path / "things.parquet")
    pq.write_table(pa.table({"id": ["ann", "bob", "cid", "dot"]}), tmp_path / "people.parquet")
    pq.write_table(pa.table({"item": ["a"] * 9 + ["b"] * 3}), tmp_path / "uses.parquet")
    before = table(tmp_path / "before.parquet", {"ann": "abc", "bob": "bad", "dot": "xyz"})
    references = {name: tmp_path / f"{name}.parquet" for name in ("things", "people", "uses")}
    found, errors = measured(table(tmp_path / "l.parquet", LISTS), contract, references=references, before=before)
    assert not errors
    assert found.keys() == RECOMMENDER_METRICS.keys()
    assert found["itemsRecommended"] == 6
    assert found["usersServed"] == 3
    assert found["coverageRate"] == pytest.approx(4 / 8)  # a b c d; e and f are of no catalogue
    assert found["unknownItemRate"] == pytest.approx(2 / 9, abs=1e-6)
    assert found["servedRate"] == pytest.approx(3 / 4)
    assert found["listLength"] == 3
    assert found["topTenRate"] == 1
    assert found["meanPopularity"] == pytest.approx((3 * 9 + 2 * 3) / 9, abs=1e-6)
    # ann and bob share a and b, the other two pairs a: 2 + 1 + 1 of 3 places each
    assert found["similarityRate"] == pytest.approx(4 / 9, abs=1e-6)
    # ann: the same; bob: nothing at depth 1, all at 2 and at 3
    assert found["overlapRate"] == pytest.approx((1 + 2 / 3) / 2, abs=1e-6)
    # 3 2 1 1 1 1 of nine and four of the catalogue that nobody is shown, by the mean absolute difference
    counts = [3, 2, 1, 1, 1, 1, 0, 0, 0, 0]
    assert found["exposureGini"] == pytest.approx(sum(abs(x - y) for x in counts for y in counts) / (2 * 10 * 9), abs=1e-6)


def test_the_same_version_has_no_distance_and_another_has_nothing_in_common(tmp_path):
    lists = table(tmp_path / "l.parquet", LISTS)
    found, _ = measured(lists, before=table(tmp_path / "same.parquet", LISTS, first=0))
    assert (found["overlapRate"], found["exposureDistance"]) == (1.0, 0.0)
    found, _ = measured(lists, before=table(tmp_path / "other.parquet", dict.fromkeys(LISTS, "xyz")))
    assert (found["overlapRate"], found["exposureDistance"]) == (0.0, 1.0)
    found, _ = measured(lists)
    assert "overlapRate" not in found
    assert "exposureDistance" not in found


def test_of_many_users_some_are_compared_and_both_times_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr("nbops.quality.recommender._USERS_COMPARED", 50)
    lists = {f"u{n}": "abcdef"[n % 3 :] for n in range(1000)}
    before = {user: (items if n % 2 else items[::-1]) for n, (user, items) in enumerate(lists.items())}
    path, was = table(tmp_path / "l.parquet", lists), table(tmp_path / "b.parquet", before)
    found, _ = measured(path, before=was)
    assert 0.6 < found["overlapRate"] < 0.95
    assert measured(path, before=was)[0] == found
    assert measured(path, before=path)[0]["overlapRate"] == 1.0


@given(st.lists(st.integers(0, 40), min_size=1, max_size=30))
def test_the_gini_index_is_the_relative_mean_absolute_difference(counts):
    pairs = [(times, counts.count(times)) for times in set(counts) if times]
    total, size = sum(counts), len(counts)
    wanted = sum(abs(x - y) for x in counts for y in counts) / (2 * size * total) if total else 0.0
    assert gini(pairs, size=size) == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize(
    ("columns", "name", "taken"),
    [
        ({}, "lists", True),
        ({"user_id": "customerId", "item_id": "recommended_product_id", "rank": "position"}, "lists", True),
        ({"item_id": "StockCode"}, "anything", True),
        ({"user_id": "name"}, "lists", False),
        ({"item_id": "category"}, "lists", False),
        ({"rank": "score"}, "recommendations", True),
        ({"rank": "score"}, "recs_daily", True),
        ({"rank": "score"}, "reviews", False),  # what somebody rated
        ({"rank": "rating"}, "recommendations", False),
        ({"rank": "quantity"}, "orders", False),
    ],
)
def test_a_table_is_taken_for_recommendations_by_its_columns(tmp_path, columns, name, taken):
    path = table(tmp_path / "l.parquet", LISTS)
    data = pq.read_table(path)
    pq.write_table(data.rename_columns([columns.get(column, column) for column in data.column_names]), path)
    assert bool(measured(path, name=name)[0]) == taken


def test_events_with_a_position_are_no_lists(tmp_path):
    rows = [(f"u{n % 5}", n % 7 + 1, f"i{n % 11}") for n in range(400)]
    columns = {"user_id": [r[0] for r in rows], "position": [r[1] for r in rows], "item_id": [r[2] for r in rows]}
    pq.write_table(pa.table(columns), tmp_path / "l.parquet")
    assert measured(tmp_path / "l.parquet") == ({}, {})
    assert measured(table(tmp_path / "m.parquet", LISTS, first=17)) == ({}, {})  # ranks of something else
    assert measured(table(tmp_path / "n.parquet", {"ann": "a", "bob": "b"})) == ({}, {})  # one each
    two = pa.table({**columns, "customer_id": columns["user_id"], "rank": columns["position"]})
    pq.write_table(two, tmp_path / "o.parquet")  # two columns of users: which is meant is not known
    assert measured(tmp_path / "o.parquet") == ({}, {})


def test_a_contract_can_say_no(tmp_path, contract_of):
    path = table(tmp_path / "l.parquet", LISTS)
    assert measured(path)[0]
    contract = contract_of(name="lists", table={"customProperties": [{"property": "nbops.recommendations", "value": False}]})
    assert measured(path, contract) == ({}, {})


def test_the_catalogue_is_what_the_item_refers_to(tmp_path, contract_of):
    pq.write_table(pa.table({"id": list("abcdefgh")}), tmp_path / "things.parquet")
    item = {"name": "item_id", "relationships": [{"to": "things.id"}]}
    contract = contract_of({"name": "user_id"}, {"name": "rank"}, item, name="lists")
    path = table(tmp_path / "l.parquet", LISTS)
    found, errors = measured(path, contract, references={"things": tmp_path / "things.parquet"})
    assert (found["coverageRate"], errors) == (6 / 8, {})


def test_what_cannot_be_measured_is_an_error_and_tells_no_value(tmp_path, contract_of):
    path = table(tmp_path / "l.parquet", LISTS)
    said = {"user": "user_id", "item": "item_id", "catalogue": "things.id", "users": "people.nothing"}
    contract = contract_of(name="lists", table={"customProperties": [{"property": "nbops.recommendations", "value": said}]})
    pq.write_table(pa.table({"id": ["ann"]}), tmp_path / "people.parquet")
    found, errors = measured(path, contract, references={"people": tmp_path / "people.parquet"})
    assert found["itemsRecommended"] == 6
    assert errors == {
        "coverageRate": "dataset 'things' is not published",
        "servedRate": "people has no column 'nothing'",
    }
    data = pq.read_table(path)
    pq.write_table(data.drop_columns(["item_id"]), path)
    assert measured(path, contract) == ({}, {"itemsRecommended": "column 'item_id' is not in the data"})


def test_no_user_and_no_item_is_recorded(tmp_path, contract_of):
    lists = {f"secretuser{n}": [f"secretitem{n % 7}{k}" for k in range(4)] for n in range(40)}
    rows = [(user, rank, item) for user, items in lists.items() for rank, item in enumerate(items, 1)]
    path = tmp_path / "l.parquet"
    pq.write_table(
        pa.table({"user_id": [r[0] for r in rows], "rank": [r[1] for r in rows], "item_id": [r[2] for r in rows]}), path
    )
    said = [{"name": "user_id", "classification": "personal"}, {"name": "item_id", "classification": "personal"}]
    contract = contract_of({"name": "rank"}, *said, name="lists")
    found = audit(
        path, name="lists", task="t", final_path="l.parquet", contract=contract, references={}, now=NOW, spread=True, before=path
    )
    assert any(one.metric == "overlapRate" for one in found.dataset.measurements)
    assert "secret" not in json.dumps(encode(found.dataset))


def test_empty_lists_are_measured_without_failing(tmp_path, contract_of):
    said = {"user": "user_id", "item": "item_id", "rank": "rank"}
    contract = contract_of(name="lists", table={"customProperties": [{"property": "nbops.recommendations", "value": said}]})
    path = table(tmp_path / "l.parquet", LISTS)
    pq.write_table(pq.read_table(path).slice(0, 0), tmp_path / "e.parquet")
    found, errors = measured(tmp_path / "e.parquet", contract, before=path)
    assert (found, errors) == ({"itemsRecommended": 0, "usersServed": 0}, {})
    assert measured(path, contract, before=tmp_path / "e.parquet")[1] == {}
