"""The recommender: measures checked by hand, ties settled, empty cases, and better than popularity."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from shop.recommender import Ranking, _best, fit, judge, load, popularity, recommend, save


def _interactions(pairs: list[tuple[str, str]], recent: set[str] = frozenset()) -> dict[str, np.ndarray]:
    return {
        "customer_id": np.array([customer for customer, _ in pairs], dtype=object),
        "stock_code": np.array([code for _, code in pairs], dtype=object),
        "weight": np.ones(len(pairs)),
        "recent": np.array([code in recent for _, code in pairs], dtype=bool),
    }


_TEA = [(f"t{n}", code) for n in range(6) for code in ("cup", "pot", "tea")]
_GARDEN = [(f"g{n}", code) for n in range(6) for code in ("can", "hose", "seed")]


def test_neighbours_share_customers() -> None:
    model = fit(_interactions([*_TEA, *_GARDEN, ("new", "cup"), ("new", "pot")]))
    ranking = recommend(model, model.rows_of(np.array(["new"])), top=1, new_only=True)
    assert model.products[ranking.items[0]].tolist() == ["tea"]


def test_rows_of_strangers() -> None:
    model = fit(_interactions(_TEA))
    assert model.rows_of(np.array(["t0", "zz", "", "t5"])).tolist() == [0, -1, -1, 5]


def test_popularity_counts_customers_and_leaves_out_what_was_bought() -> None:
    model = fit(_interactions([("a", "x"), ("b", "x"), ("b", "y"), ("c", "z"), ("d", "z"), ("d", "x")], recent={"y"}))
    rows = model.rows_of(np.array(["a", "b"]))
    assert model.products[popularity(model, rows, top=2).items].tolist() == [["x", "z"], ["x", "z"]]
    assert model.products[popularity(model, rows, top=1, new_only=True).items].tolist() == [["z"], ["z"]]
    lately = popularity(model, rows, recent=True, top=2)
    assert lately.items.tolist() == [[1, -1], [1, -1]]  # nothing else was bought lately


def test_measures_by_hand() -> None:
    bought = sp.csr_matrix(np.array([[1, 1, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0]]))
    ranking = Ranking(items=np.array([[2, 0], [3, -1], [0, 1]]), scores=np.ones((3, 2)))
    found = judge(ranking, bought, catalogue=4, top=2)
    second = 1 / np.log2(3)
    assert found["customers"] == 2
    assert found["recall"] == pytest.approx((1 / 2 + 1) / 2)
    assert found["ndcg"] == pytest.approx((second / (1 + second) + 1) / 2)
    assert found["coverage"] == 1.0


def test_nobody_came_back() -> None:
    ranking = Ranking(items=np.empty((0, 20), dtype=int), scores=np.empty((0, 20)))
    assert judge(ranking, sp.csr_matrix((0, 5)), catalogue=5) == {"customers": 0, "recall": None, "ndcg": None, "coverage": None}


def test_nothing_to_learn_from() -> None:
    model = fit(_interactions([]))
    assert model.rows_of(np.array(["a"])).tolist() == [-1]
    assert recommend(model, np.array([], dtype=int)).items.shape == (0, 0)


@given(
    arrays(np.float64, st.tuples(st.integers(1, 6), st.integers(1, 12)), elements=st.integers(-2, 5).map(float)),
    st.integers(1, 15),
)
def test_the_best_are_those_of_a_plain_sort(scores: np.ndarray, top: int) -> None:
    found = _best(scores, top)
    for row, items, values in zip(scores, found.items, found.scores, strict=True):
        wanted = [n for n in np.argsort(-row, kind="stable") if row[n] > 0][: min(top, len(row))]
        assert [n for n in items if n >= 0] == wanted
        assert values[: len(wanted)].tolist() == row[wanted].tolist()
        assert not values[len(wanted) :].any()


def test_a_model_survives_its_file(tmp_path: Path) -> None:
    model = fit(_interactions([*_TEA, *_GARDEN]))
    save(model, str(tmp_path / "a.npz"))
    save(fit(_interactions([*_TEA, *_GARDEN])), str(tmp_path / "b.npz"))
    again = load(str(tmp_path / "a.npz"))
    assert again.customers.tolist() == model.customers.tolist()
    assert (again.similarity != model.similarity).nnz == 0
    rows = np.arange(len(model.customers))
    assert recommend(again, rows).items.tolist() == recommend(model, rows).items.tolist()
    with np.load(tmp_path / "a.npz") as one, np.load(tmp_path / "b.npz") as other:
        assert all(np.array_equal(one[name], other[name]) for name in one.files)
