"""File names of pages: safe, stable, never shared."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbops.pages.names import page_name

NAMES = st.text(max_size=80) | st.from_regex(r"[A-Za-z0-9._-]{1,12}", fullmatch=True)


@given(NAMES)
def test_is_a_safe_file_name(name: str) -> None:
    made = page_name(name)
    assert re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,65}", made)
    assert ".." not in made
    assert not made.endswith(".")
    assert made.split(".")[0] not in {"con", "prn", "aux", "nul", "com1", "lpt9"}


@given(NAMES, NAMES)
def test_two_names_never_share_a_page(one: str, other: str) -> None:
    assert (page_name(one) == page_name(other)) == (one == other)


@given(NAMES)
def test_a_name_made_by_it_does_not_collide_with_its_source(name: str) -> None:
    made = page_name(name)
    if made != name:
        assert page_name(made) != made


@pytest.mark.parametrize("name", ["orders", "order_lines", "a", "orders.v2", "2024-sales"])
def test_plain_names_stay(name: str) -> None:
    assert page_name(name) == name


@pytest.mark.parametrize("name", ["con", "con.x", "COM1", "../x", ".hidden", "x.", "", "a--b", "-rf", "a" * 65, "\ud800", "a\0"])
def test_others_get_a_digest(name: str) -> None:
    assert re.search(r"--[0-9a-f]{16}$", page_name(name))
