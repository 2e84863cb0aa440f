"""The quick reader of YAML says what ruamel.yaml says, or nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from nbops.contract.yamlevents import UNSURE, quickly

CONTRACTS = sorted((Path(__file__).parents[2] / "contracts").glob("*.yaml"))


def slowly(text: str) -> Any:
    try:
        return YAML(typ="safe", pure=True).load(text)
    except (YAMLError, ValueError, TypeError, AttributeError, KeyError, IndexError, RecursionError) as error:
        return error


def agree(text: str) -> Any:
    found = quickly(text)
    if found is not UNSURE:
        assert repr(found) == repr(slowly(text)), text  # 1, 1.0 and True are equal
    return found


@pytest.mark.parametrize("path", CONTRACTS, ids=lambda path: path.name)
def test_contracts_are_read_by_it(path):
    assert agree(path.read_text(encoding="utf-8")) is not UNSURE


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: yes\nb: no\nc: on\nd: y", {"a": "yes", "b": "no", "c": "on", "d": "y"}),
        ("a: 1.0.0\nb: v3.1.0\nc: 12 rules\nd: 1.50", {"a": "1.0.0", "b": "v3.1.0", "c": "12 rules", "d": 1.5}),
        ("a: true\nb: null\nc: ~\nd:\ne: -7", {"a": True, "b": None, "c": None, "d": None, "e": -7}),
        ("a: '1'\nb: \"no\"\nc: |\n  1\n  2\nd: >-\n  x\n  y\n", {"a": "1", "b": "no", "c": "1\n2\n", "d": "x y"}),
        ("- {name: a, unique: true}\n- [1, x, 'y']\n", [{"name": "a", "unique": True}, [1, "x", "y"]]),
        ("---\na: b # c\n...\n", {"a": "b"}),
    ],
)
def test_what_it_reads(text, expected):
    assert repr(agree(text)) == repr(expected)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing",
        "a: 1\na: 2",
        "a: 2024-01-31",
        "a: 1:30",
        "a: 1_000",
        "a: 0o17",
        "a: 0x1F",
        "a: 1e3",
        "a: .inf",
        "a: True",
        "a: 017",
        "a: +1",
        "a: &x 1\nb: *x",
        "a: !!str 1",
        "%YAML 1.1\n---\na: no",
        "a: 1\n---\nb: 2",
        "<<: {a: 1}",
        "1: a",
        "[a]: b",
        "? a\n: b\n? [c]\n: d",
        "a: {b:c}",
        "a:\tb",
        "a: b\r\n",
        "a: b\x85c",
        "a: b\u2028c",
        "a: [",
        "a: b: c",
        "\ufeffa: b",
        "a: \x00",
        "[" * 60 + "]" * 60,
        "a word",
        "a: |# b\n  c",
        "a: |\n \n  b",
    ],
)
def test_what_it_leaves_to_others(text):
    assert quickly(text) is UNSURE


def test_it_leaves_all_to_others_where_libyaml_is_not(monkeypatch):
    monkeypatch.delattr(yaml, "CLoader")
    assert quickly("a: b") is UNSURE


_PIECES = st.sampled_from(
    [
        *"abyn01~-?:,[]{}#&*!|>'\"% ._+=<@`\\/",
        "\n",
        "\n  ",
        "\n- ",
        ": ",
        "- ",
        "# ",
        "no",
        "true",
        "1.5",
        "|\n",
        ">-\n",
        "\t",
        "é",
        "\u2029",
    ]
)


@settings(max_examples=1500, deadline=None)
@given(st.sampled_from(["", "a: ", "- ", "a:\n  b: "]), st.lists(_PIECES, max_size=14).map("".join))
def test_both_agree_on_anything(begin, text):
    agree(begin + text)


_TEXTS = st.text("abcyn 019.:-_#{}[]'\"\\\n", max_size=8) | st.sampled_from(
    ["no", "null", "1.0", "2024-01-31", "1:30", "=", "<<"]
)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXTS, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=400, deadline=None)
@given(_VALUES, st.sampled_from([None, True, False]), st.sampled_from([None, "'", '"', "|", ">"]), st.integers(4, 90))
def test_both_agree_on_what_is_written_by_a_library(value, flow, style, width):
    agree(yaml.safe_dump(value, default_flow_style=flow, default_style=style, width=width, allow_unicode=True))
