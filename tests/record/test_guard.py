"""The guard finds what is private in any kind of file, never says what it is, and lets ordinary reports pass."""

from __future__ import annotations

import base64
import html
import json
import re
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings, strategies

from nbops.errors import GuardError
from nbops.record.escapes import _ESCAPE
from nbops.record.guard import GuardFinding, refuse, scan
from nbops.record.personal import _ASCII_WORD, _CJK, _word
from nbops.record.scrub import PersonalValues
from nbops.record.secret_values import SECRET_PATTERNS, _may_hold

ROOT = Path("/home/ann/work/shop")
SECRET = "hunter2-correct-horse"
NAMES = ["Jane O'Neil", "Grid Black", "Bold", "Price", "Zyxwvut"]
PEOPLE = PersonalValues({"name": NAMES, "id": range(10_000, 14_000), "phone": [4915112345678], "rare": [777_777]})
PRIVATE = ("Jane O'Neil", "4915112345678", SECRET, "/home/ann/work/shop/x.csv", "/home/bob/plan.csv", "Zyxwvut")


def look(path: str, data: bytes | str) -> list[GuardFinding]:
    return scan([(path, data.encode() if isinstance(data, str) else data)], secrets=[SECRET], personal=PEOPLE, root=ROOT)


def wrapped(text: str) -> dict[str, bytes]:
    inside = base64.b64encode(f"<p>{html.escape(text)}</p>".encode()).decode()
    return {
        "a.html": f"<html><body><p>{html.escape(text)}</p></body></html>".encode(),
        "b.html": f'<img alt="{html.escape(text)}">'.encode(),
        "c.html": f"<script type='application/json'>{json.dumps({'a': text})}</script>".encode(),
        "d.html": f'<iframe src="data:text/html;base64,{inside}"></iframe>'.encode(),
        "e.html": f'<a href="data:text/plain;charset=utf-8,{quote(text)}">x</a>'.encode(),
        "f.json": json.dumps({"a": [text]}, indent=1).encode(),
        "g.ipynb": json.dumps({"a": json.dumps({"b": html.escape(text)})}).encode(),
        "h.csv": f"id,x\n1,{text}\n".encode(),
        "i.md": text.encode(),
        "j.svg": f"<svg><text>{html.escape(text)}</text></svg>".encode(),
        "k": text.encode("utf-16"),
        "l.html": b"<p>\xff\xfe</p>" + html.escape(text).encode(),
    }


@pytest.mark.parametrize("private", PRIVATE)
@pytest.mark.parametrize("name", sorted(wrapped("")))
def test_private_values_are_found_everywhere_and_never_repeated(private, name):
    data = wrapped(private)[name]
    found = look(name, data)
    assert found, data
    assert {item.path for item in found} <= {name, "data.html"}
    for item in found:
        assert private not in item.excerpt
    with pytest.raises(GuardError) as caught:
        refuse(found)
    assert private not in str(caught.value)


@pytest.mark.parametrize("private", PRIVATE)
def test_private_values_in_names_of_files_are_found(private):
    found = look(f"reports/{private}.html" if not private.startswith("/") else private, b"")
    assert found
    assert private not in str(found)


def test_a_secret_in_a_picture_is_found():
    found = look("plot.png", b"\x89PNG\r\n\x1a\n\0tEXt" + SECRET.encode())
    assert [item.kind for item in found] == ["secret value"]
    assert not look("plot.png", b"\x89PNG\r\n\x1a\n\0tEXt" + b"Jane O'Neil")


def test_where_and_what_is_said():
    text = f"one\ntwo Jane O'Neil and {SECRET} in /home/ann/work/shop/x\nthree\n"
    found = look("reports/index.html", text)
    assert [(item.line, item.kind) for item in found] == [(2, "personal value"), (2, "secret value"), (2, "machine path")]
    assert found[0].excerpt == "two *** and *** in x"
    with pytest.raises(GuardError) as caught:
        refuse(found)
    assert "reports/index.html:2: personal value: two *** and *** in x" in str(caught.value)
    assert "change the secret" in str(caught.value)
    assert "next run's commit" in str(caught.value)


def test_many_findings_are_bounded():
    found = scan([(f"f{number}.md", f"{SECRET}\n".encode() * 1000) for number in range(3)], secrets=[SECRET], root=ROOT)
    assert len(found) == 150
    with pytest.raises(GuardError, match="and 130 more") as caught:
        refuse(found)
    assert len(str(caught.value)) < 3000


def test_nothing_found_raises_nothing():
    refuse([])
    assert scan([], root=ROOT) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.html", "<style>.grid { color: black; font: Bold }</style><p class='Bold price'>x</p>"),
        ("a.html", "<script>const Bold = 777777; let Price</script>"),
        ("a.html", "<p>total_price 12,345 rows; 1.777777; #777777; 12345 of 13999</p>"),
        ("a.html", f"<code>{'9f86d081884c7d65' * 4}</code> 2026-11-22T19:41:56Z 20261122T194156Z-1f0c9a numpy 2.3.5"),
        ("run.json", '{"rows": 777777, "bytes": [4915112345678, 12345], "seconds": 777777.0,\n "x": -777777}'),
        ("a.html", "<a href='https://x/home/y'>x</a> <img src='data:image/png;base64,iVBORw0KGgo='> data:, data:;base64,%%%"),
        ("page.css", ".price { font-weight: Bold }"),
        ("a.html", "<div class='sk-toggleable__content sk-container-id-1 sk-text-repr-fallback-and-some-more-words'>"),
        ("a.html", "<th>Verdict</th><td>passed</td> Bearer of the token: none; password fields"),
        ("a.ipynb", '{"execution_count": 777777, "nbformat": 4}'),
    ],
)
def test_ordinary_reports_raise_no_alarm(name, text):
    assert look(name, text) == []


def test_words_and_rare_numbers_that_a_reader_sees_are_found():
    assert [item.kind for item in look("a.html", "<p>Bold</p><td>777777</td>")] == ["personal value"] * 2
    assert [item.kind for item in look("a.json", '{"a": "777777"}')] == ["personal value"]


def test_findings_next_to_each_other_never_show_one_another():
    text = " ".join(["Jane O'Neil", SECRET, "4915112345678", "/home/bob/x"] * 5)
    for item in look("a.md", text):
        for private in ("Jane", "Neil", "hunter2", "49151", "/home/bob"):
            assert private not in item.excerpt


def test_ten_megabytes_in_one_line():
    found = look("a.html", "<p>" + "word 12345 &amp; /x/y " * 50_000 + "wording " * 1_125_000 + SECRET)
    assert [item.kind for item in found] == ["secret value"]
    assert len(found[0].excerpt) < 100


@pytest.mark.parametrize("kind", [kind for kind, _ in SECRET_PATTERNS])
def test_what_a_pattern_finds_its_hint_finds_too(kind):
    """Patterns are only looked for where their hint was found: a hint that misses one would let a secret through."""
    pattern = dict(SECRET_PATTERNS)[kind]

    @settings(max_examples=60, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow], deadline=None)
    @given(strategies.from_regex(pattern))
    def holds(text):
        assert _may_hold(kind, text, text.casefold())

    holds()


_TEXT = strategies.text(
    strategies.one_of(strategies.characters(), strategies.sampled_from("aZ09_é\u0301中•\\u%&;#x41D83dDe00 n")), max_size=60
)
_DEFINED_WORD = re.compile(rf"[{_CJK}]|(?:[^\W_{_CJK}]|[\u0300-\u036f])+|•+")
_DEFINED_ESCAPE = re.compile(
    r"(?:\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|\\u[0-9a-fA-F]{4}|\\U000[0-9a-fA-F]{5}"
    r"|\\x[0-9a-fA-F]{2}|\\[nrtbf\"'/\\]|&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});|(?:%[0-9A-Fa-f]{2})+"
)


@given(text=_TEXT)
@settings(max_examples=500)
def test_words_and_escapes_are_what_they_are_defined_to_be(text: str) -> None:
    """The patterns are written so that they are fast."""
    for mine, defined in ((_word(), _DEFINED_WORD), (_ESCAPE, _DEFINED_ESCAPE)):
        assert [match.span() for match in mine.finditer(text)] == [match.span() for match in defined.finditer(text)]
    ascii_only = text.encode("ascii", "ignore").decode()
    assert _ASCII_WORD.findall(ascii_only) == _DEFINED_WORD.findall(ascii_only)
