"""Edits of YAML texts: only the lines of what changes differ, whatever the layout; what cannot be done is refused."""

from __future__ import annotations

import difflib
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from nbops.contract.yamlfile import parse_yaml
from nbops.contract.yamltext import has, put, remove, same, value_at
from nbops.errors import ContractError

PHASES = (Phase.explicit, Phase.reuse, Phase.generate)  # a text of many lines takes minutes to be made smaller
KEYS = st.sampled_from(["name", "description", "unit", "tags", "quality", "a b", "no", "x-1"])
WORDS = st.sampled_from(
    ["", "yes", "1", "3.0", "a: b", "# no comment", "- x", "it's", '"q"', "tab\tin", "é 😀", "null", "[", "{a", "*x"]
)
TEXTS = (
    WORDS
    | st.text(max_size=30)
    | st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=12), max_size=4).map("\n".join)
)
SCALARS = TEXTS | st.integers(-(10**20), 10**20) | st.booleans() | st.none() | st.floats(allow_nan=False, allow_infinity=False)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, min_size=1, max_size=3) | st.dictionaries(KEYS, inner, min_size=1, max_size=4),
    max_leaves=12,
)
DOCUMENTS = st.dictionaries(KEYS, TREES, min_size=1, max_size=5)


def written(draw, value, indent: int, lines: list[str], dash: int) -> None:
    """Append a document as somebody may have written it: with comments, blank lines, different quotes."""
    pad = " " * indent
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        if draw(st.integers(0, 5)) == 0:
            lines.append(draw(st.sampled_from([f"{pad}# about {indent}", "", "# far out"])))
        head = f"{pad}{scalar(draw, key)}:" if isinstance(value, dict) else f"{pad}-"
        comment = draw(st.sampled_from(["", "", "  # said at the end: yes"]))
        if isinstance(item, dict | list) and item and draw(st.integers(0, 3)):
            nested: list[str] = []
            inner = indent + (dash if isinstance(item, list) and isinstance(value, dict) else 2)
            written(draw, item, inner, nested, dash)
            first = nested[0]
            if isinstance(value, list) and isinstance(item, dict) and first.strip() and not first.lstrip().startswith("#"):
                lines.append(f"{head} {first.lstrip()}")
                lines += nested[1:]
            else:
                lines += [f"{head}{comment}", *nested]
        elif isinstance(item, dict | list):
            lines.append(f"{head} {flow(draw, item)}{comment}")
        elif (
            isinstance(item, str)
            and "\n" in item
            and all(line.strip() == line and line for line in item.split("\n"))
            and item.isprintable() is False
            and all(part.isprintable() for part in item.split("\n"))
        ):
            sign = draw(st.sampled_from(["|-", ">-"]))
            body = item.split("\n") if sign == "|-" else item.replace("\n", "\n\n").split("\n")
            lines += [f"{head} {sign}", *(f"{pad}  {line}" if line else "" for line in body)]
        else:
            lines.append(f"{head} {scalar(draw, item)}{comment}")


def scalar(draw, value) -> str:
    import json

    if isinstance(value, str):
        if value.isprintable() and draw(st.booleans()):
            return "'" + value.replace("'", "''") + "'"
        if value.isalpha() and value.isascii() and value not in {"null", "yes", "no", "true"} and draw(st.booleans()):
            return value
        return json.dumps(value, ensure_ascii=True)
    return json.dumps(value)


def flow(draw, value) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{scalar(draw, key)}: {flow(draw, item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(flow(draw, item) for item in value) + "]"
    return scalar(draw, value)


@st.composite
def texts(draw) -> str:
    lines: list[str] = []
    written(draw, draw(DOCUMENTS), 0, lines, draw(st.sampled_from([0, 2])))
    ending = draw(st.sampled_from(["\n", "\r\n"]))
    return ending.join(lines) + draw(st.sampled_from([ending, "", f"{ending}# the end{ending}"]))


def paths(document, before=()):
    if before:
        yield before
    if isinstance(document, dict | list):
        for key, item in document.items() if isinstance(document, dict) else enumerate(document):
            yield from paths(item, (*before, key))


def changed_lines(before: str, after: str) -> list[str]:
    return [line[2:] for line in difflib.ndiff(before.splitlines(), after.splitlines()) if line.startswith("-")]


def expected_after(document, path, value):
    import copy

    made = copy.deepcopy(document)
    at = made
    for part in path[:-1]:
        at = at[part]
    if path[-1] == len(at) and isinstance(at, list):
        at.append(value)
    else:
        at[path[-1]] = value
    return made


@settings(max_examples=150, deadline=None, phases=PHASES)
@given(st.data(), texts())
def test_a_scalar_changes_only_its_own_lines(data, text):
    try:
        document = parse_yaml(text, shown="x")
    except ContractError:  # surrogates, as the reader has them
        return
    path = data.draw(st.sampled_from(list(paths(document))))
    value = data.draw(SCALARS)
    old = value_at(document, path)
    try:
        made = put(text, path, value, shown="x")
    except ContractError:
        assert isinstance(old, dict | list) or not _readable(value)
        return
    assert _equal(parse_yaml(made, shown="x"), expected_after(document, path, value))
    # One stretch of the text was exchanged, and it holds nothing but the value.
    start = next((i for i, (a, b) in enumerate(zip(text, made, strict=False)) if a != b), min(len(text), len(made)))
    tail = next((i for i, (a, b) in enumerate(zip(text[::-1], made[::-1], strict=False)) if a != b), min(len(text), len(made)))
    gone = text[start : max(start, len(text) - tail)]
    if not isinstance(old, dict | list):
        assert "said at the end" not in gone
        assert "# about" not in gone
    assert put(text, path, old, shown="x") == text


def _readable(value) -> bool:
    return not isinstance(value, str) or not any(0xD800 <= ord(char) <= 0xDFFF for char in value)


def _equal(one, other) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    return same(one, other)


@settings(max_examples=150, deadline=None, phases=PHASES)
@given(st.data(), texts())
def test_new_keys_and_removed_ones_leave_all_other_lines(data, text):
    try:
        document = parse_yaml(text, shown="x")
    except ContractError:
        return
    holders = [path for path in [(), *paths(document)] if isinstance(value_at(document, path), dict)]
    holder = data.draw(st.sampled_from(holders))
    value = data.draw(TREES)
    path = (*holder, "brand new")
    try:
        made = put(text, path, value, shown="x")
    except ContractError:
        assert not all(map(_readable, _leaves(value)))
        return
    assert _equal(parse_yaml(made, shown="x"), expected_after(document, path, value))
    if not any(_in_flow(text, line) for line in text.splitlines()):
        assert not changed_lines(text, made)
    again = remove(made, path, shown="x")
    assert _equal(parse_yaml(again, shown="x"), document)
    comments = [line for line in text.splitlines() if "# " in line]
    assert [line for line in comments if line not in again.splitlines()] == [] or any(_in_flow(text, line) for line in comments)


def _in_flow(text: str, line: str) -> bool:
    return "[" in line or "{" in line


def _leaves(value):
    if isinstance(value, dict):
        for item in value.values():
            yield from _leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    else:
        yield value


@pytest.mark.parametrize("path", sorted(Path("contracts").glob("*.odcs.yaml")), ids=lambda path: path.name)
def test_each_entry_of_the_shipped_contracts_can_be_changed_alone(path):
    text = path.read_text(encoding="utf-8")
    document = parse_yaml(text, shown=path.name)
    places = list(paths(document))
    assert len(places) > 50
    for place in places[::5]:  # of each file others, as they differ in length
        old = value_at(document, place)
        assert put(text, place, old) == text
        if isinstance(old, str):
            made = put(text, place, "It's: another # text")
            lines = changed_lines(text, made)
            assert 1 <= len(lines) <= old.count("\n") + len(old) // 40 + 2
            assert value_at(parse_yaml(made, shown=""), place) == "It's: another # text"
        if isinstance(place[-1], str) and len(place) > 1:
            assert not has(parse_yaml(remove(text, place), shown=""), place)


@pytest.mark.parametrize(
    ("text", "path", "value", "made"),
    [
        ("a: 1  # one\nb: x\n", ("a",), 2, "a: 2  # one\nb: x\n"),
        ("a: 'x'\n", ("a",), "it's", "a: 'it''s'\n"),
        ("a:\n  - x  # first\n  - y  # second\n", ("a",), ["x", "z", "y"], "a:\n  - x  # first\n  - z\n  - y  # second\n"),
        ("a:\n- x  # first\n- y  # second\nb: 1\n", ("a",), ["y"], "a:\n- y  # second\nb: 1\n"),
        ("a:\n  - x\n  - y\n", ("a",), ["q", "p"], "a:\n  - q\n  - p\n"),
        ("a: [x, y]  # both\n", ("a", 1), "no", "a: [x, 'no']  # both\n"),
        ("a: [1]\n", ("a", 0), "?x", "a: ['?x']\n"),
        ("a:   # nothing yet\nb: 1\n", ("a",), "x", "a: x   # nothing yet\nb: 1\n"),
        ("a: 1", ("b",), 2, "a: 1\nb: 2"),
        ("a:\n  b: |\n    one\n    two\n\nc: 1\n", ("a", "d"), True, "a:\n  b: |\n    one\n    two\n  d: true\n\nc: 1\n"),
        ("a: 1\r\nb: 2\r\n", ("c",), {"d": [1]}, "a: 1\r\nb: 2\r\nc:\r\n  d:\r\n    - 1\r\n"),
        ("a: &x 1\nb: *x\n", ("c",), 2, "a: &x 1\nb: *x\nc: 2\n"),
    ],
)  # fmt: skip
def test_what_is_written_is_what_somebody_would_write(text, path, value, made):
    assert put(text, path, value) == made


def test_a_new_key_goes_where_it_is_usually_written():
    text = "name: a\ntype: b\n# rules\nquality: []\n"
    assert (
        put(text, ("unit",), "d", order=("name", "type", "unit", "quality"))
        == "name: a\ntype: b\nunit: d\n# rules\nquality: []\n"
    )


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("a: &x 1\nb: *x\n", ("a",), 2),  # b would change, too
        ("a: &x {c: 1}\nb: *x\n", ("b", "c"), 2),
        ("a: &x {c: 1}\nb:\n  <<: *x\n", ("b", "c", "d"), 2),
    ],
)
def test_what_would_change_something_else_is_refused(text, path, value):
    with pytest.raises(ContractError, match=r"line \d|no mapping"):
        put(text, path, value, shown="x.yaml")
