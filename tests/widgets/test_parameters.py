"""From a parameters cell to fields, and from what was typed to values."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nbops.contract.records import ContractColumn
from nbops.widgets.parameters import Field, fields_of
from nbops.widgets.values import is_date, shown_as, value_of

CELL = """
from typing import Literal, Optional
import datetime
upstream = ["raw"]
product = None
flag = True
rows = 20_000  # 1,000 to 10,000,000
share: float = 0.5  # >= 0 and <= 1
name = "x"
mode: Literal["fast", "exact"] = "fast"
level = 2  # one of: 1, 2, 3
kind = "a"  # one of: a, b or c
since = "2024-01-31"
# First day, YYYY-MM-DD
until = ""
most: Optional[int] = None
where: "str | None" = None
source_path = "data/x.csv"
labels = ["a", "b"]
options = {"a": 1}
pair = (1, 2)
anything = None
now = datetime.date(2024, 1, 1)
_private = 1
a = b = 3
"""


def _none(_: str | None, __: str) -> None:
    return None


def _fields(cell: str | None, given: dict[str, Any] | None = None, column: Any = _none) -> dict[str, Field]:
    return {field.name: field for field in fields_of(cell, given or {}, column)}


def test_each_kind_is_known() -> None:
    found = _fields(CELL)
    kinds = {name: field.kind for name, field in found.items()}
    assert kinds == {
        "flag": "bool", "rows": "int", "share": "float", "name": "str", "mode": "str", "level": "int", "kind": "str",
        "since": "date", "until": "date", "most": "int", "where": "str", "source_path": "path", "labels": "list",
        "options": "dict", "pair": "list", "anything": "json", "now": "fixed", "a": "int", "b": "int",
    }  # fmt: skip
    assert (found["rows"].minimum, found["rows"].maximum) == (1000, 10_000_000)
    assert (found["share"].minimum, found["share"].maximum) == (0.0, 1.0)
    assert found["mode"].choices == ("fast", "exact")
    assert found["level"].choices == (1, 2, 3)
    assert found["kind"].choices == ("a", "b", "c")
    assert found["until"].optional
    assert found["until"].help == "First day, YYYY-MM-DD"
    assert found["most"].optional
    assert found["where"].optional
    assert found["pair"].value == [1, 2]
    assert "datetime.date(2024" in found["now"].value


def test_the_pipeline_has_the_last_word_on_values() -> None:
    found = _fields("rows = 1\n", {"rows": 9, "extra": "y", "upstream": {}, "product": "x"})
    assert {name: field.value for name, field in found.items()} == {"rows": 9, "extra": "y"}


@pytest.mark.parametrize(
    "cell", [None, "", "def (", "x = = 1", "x = 1\n" * 3, "\x00", "x = " + "[" * 5000, "x = {1: 2}", "x = {*()}", "'\n"]
)
def test_no_cell_breaks_it(cell: str | None) -> None:
    assert all(field.kind for field in fields_of(cell, {}, _none))


@given(st.text())
@example("rows = 1  # 5 to 1")
@example("x: Literal[1")
@example("x: '((' = 1")
def test_any_text_is_a_cell(cell: str) -> None:
    fields_of(cell, {}, _none)


def _column(name: str, **more: Any) -> Any:
    found = ContractColumn(name=name, **more)
    return lambda dataset, column: ("orders." + name, found) if column == name and dataset in {None, "orders"} else None


def test_a_contract_allows() -> None:
    column = _column("country", values=("UK", "FR"))
    assert _fields('country = "UK"', column=column)["country"].choices == ("UK", "FR")
    assert _fields('country = "UK"', column=column)["country"].origin == "orders.country"
    assert _fields('country = "elsewhere"', column=column)["country"].choices == (), "only a name in common"
    said = _fields('land = "elsewhere"  # contract: orders.country', column=column)["land"]
    with pytest.raises(ValueError, match=r"'XX' is not allowed by the contract of orders.country. Allowed: UK, FR"):
        value_of(said, "XX")
    each = _fields('lands = ["UK"]  # contract: orders.country', column=column)["lands"]
    assert value_of(each, '["FR", "UK"]') == ["FR", "UK"]
    with pytest.raises(ValueError, match="item 2: 'XX' is not allowed"):
        value_of(each, '["FR", "XX"]')
    amount = _fields("amount = 5", column=_column("amount", options={"minimum": 1, "maximum": 9}))["amount"]
    with pytest.raises(ValueError, match=r"must be at most 9 by the contract of orders\.amount"):
        value_of(amount, "10")
    code = _fields('code = "A1"', column=_column("code", options={"pattern": "^[A-Z][0-9]$"}))["code"]
    assert value_of(code, "B2") == "B2"
    with pytest.raises(ValueError, match="does not match"):
        value_of(code, "b2")


@pytest.mark.parametrize(
    ("name", "raw", "problem"),
    [
        ("rows", "1.5", "no whole number"),
        ("rows", "", "no whole number"),
        ("rows", "9" * 5000, "no whole number"),
        ("rows", "999", "at least 1,000"),
        ("rows", True, "a text is needed"),
        ("rows", None, "a text is needed"),
        ("rows", {"a": 1}, "a text is needed"),
        ("share", "nan", "no finite number"),
        ("share", "1e999", "no finite number"),
        ("share", "1.01", "at most 1"),
        ("flag", "maybe", "true or false"),
        ("mode", "<b>", "is not allowed. Allowed: fast, exact"),
        ("level", "4", "is not allowed"),
        ("since", "2024-02-30", "no date"),
        ("name", "a\0b", "NUL"),
        ("name", "\ud800", "surrogate"),
        ("name", "x" * 20_001, "at most 20,000 characters"),
        ("labels", "['a']", "JSON has double quotes"),
        ("labels", "{}", "a list is needed"),
        ("labels", "[NaN]", "NaN is no JSON"),
        ("labels", "[" * 19_000, "no JSON"),
        ("options", "[1]", "a dict is needed"),
        ("anything", "", "no JSON"),
    ],
)
def test_what_is_wrong_is_said(name: str, raw: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        value_of(_fields(CELL)[name], raw)


@pytest.mark.parametrize(
    ("name", "raw", "value"),
    [
        ("rows", " 20_000 ", 20_000),
        ("rows", "1,000", 1_000),
        ("share", "1e-3", 0.001),
        ("most", "", None),
        ("most", "4", 4),
        ("until", "", ""),
        ("name", " <b>'\"😀 ", " <b>'\"😀 "),
        ("name", "", ""),
        ("level", "3", 3),
        ("flag", False, False),
        ("anything", "null", None),
        ("pair", "[3]", [3]),
    ],
)
def test_what_is_right_is_taken(name: str, raw: Any, value: Any) -> None:
    found = value_of(_fields(CELL)[name], raw)
    assert found == value
    assert type(found) is type(value)


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=50),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(_JSON)
def test_what_is_shown_is_read_back(value: Any) -> None:
    (field,) = fields_of(None, {"x": value}, _none)
    if isinstance(value, float) and not math.isfinite(value):
        return
    back = value_of(field, shown_as(field, value))
    assert json.dumps(back) == json.dumps(value)


@pytest.mark.parametrize("text", ["2024-1-1", "20240101", "2024-02-30", "\u0662\u0660\u0662\u0664-01-01", 5, None])
def test_only_days_are_dates(text: Any) -> None:
    assert not is_date(text)
