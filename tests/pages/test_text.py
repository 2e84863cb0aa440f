"""Numbers and hostile text."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbops.pages.text import clean, count, cut, duration, instant, join, short, size, stamp, value

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.text(st.characters()))
def test_clean_text_is_visible_and_can_be_written(text: str) -> None:
    cleaned = clean(text)
    cleaned.encode("utf-8")
    assert not any(ord(sign) < 0x20 and sign not in "\t\n" for sign in cleaned)
    assert not set(cleaned) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\x7f\x85")
    assert clean(cleaned) == cleaned


@given(PLAIN)
def test_any_plain_value_is_text(thing: Any) -> None:
    assert isinstance(value(thing), str)


@pytest.mark.parametrize(("thing", "text"), [(-0.0, "0"), (1e300, "1e+300"), (float("nan"), "nan")])
def test_extreme_numbers(thing: Any, text: str) -> None:
    assert value(thing) == text


def test_integers_that_python_refuses_to_write_out() -> None:
    assert value(10**5000) == "about 2^16609"


@given(st.floats(min_value=0, max_value=1e9))
def test_durations_never_show_sixty_of_a_unit(seconds: float) -> None:
    assert not {"60 s", "60.0 s", "60 min", "24 h", "1000 ms"} & {
        duration(seconds)[-len(end) :] for end in ("60 s", "60.0 s", "60 min", "1000 ms")
    }


@given(st.integers(min_value=0, max_value=10**18))
def test_sizes_have_at_most_three_digits_before_the_point(number: int) -> None:
    figure = size(number).split(" ")[0].split(".")[0]
    assert len(figure) <= 3 or size(number).endswith("PB")


@given(st.text(), st.integers(min_value=1, max_value=50))
def test_short_is_one_line(text: str, limit: int) -> None:
    made = short(text, limit)
    assert len(made) <= limit
    assert "\n" not in made


def test_cut_says_how_long_it_was() -> None:
    assert cut("a" * 10_000_000, 5) == "aaaaa… (10,000,000 characters)"


def test_missing_values_are_dashes() -> None:
    assert {count(None), duration(None), size(None), value(None), str(instant(None)), duration(float("inf"))} == {"\u2013"}


@pytest.mark.parametrize("text", ["<b>", "yesterday", "2026-13-01T00:00:00Z", "\0"])
def test_what_is_no_instant_is_shown_escaped(text: str) -> None:
    seen: list[str] = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, _attrs: seen.append(tag)  # type: ignore[method-assign]
    parser.feed(str(instant(text)))
    assert seen == []
    assert stamp(text) is None


def test_instants_are_shown_in_utc() -> None:
    assert "22 Nov 2026, 19:41:56 UTC" in instant("2026-11-22T21:41:56+02:00")


def test_a_long_list_says_how_much_is_left_out() -> None:
    assert join(list("abcdef"), limit=2) == "a, b and 4 more"
    assert join([]) == ""
