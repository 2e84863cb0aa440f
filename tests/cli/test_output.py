"""What commands print cannot harm a terminal."""

from __future__ import annotations

import json
import unicodedata

import pytest  # noqa: TC002 - as in the other tests
from hypothesis import given
from hypothesis import strategies as st

from nbops.cli import output
from nbops.cli.output import Cell, Column, cut, echo_json_text, printable, table, width_of


@given(st.text())
def test_nothing_a_terminal_obeys_is_left(text: str) -> None:
    for shown in (printable(text), printable(text, lines=True).replace("\n", "").replace("\t", ""), cut(text, 10)):
        assert all(char == "\u200d" or unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Zl", "Zp"} for char in shown)


@given(st.text(), st.integers(min_value=1, max_value=50))
def test_a_cut_text_fits(text: str, width: int) -> None:
    assert width_of(cut(text, width)) <= width


@given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126)).map(lambda text: " ".join(text.split())))
def test_plain_text_stays(text: str) -> None:
    assert printable(text) == text
    assert cut(text, max(1, len(text))) == text


def test_very_long_and_stacked_texts_stay_small() -> None:
    assert width_of(cut("x" * 10_000_000, 40)) == 40
    assert len(cut("e" + "\u0301" * 1_000_000, 40)) < 400
    assert width_of(cut("数" * 100, 11)) <= 11


def test_columns_stay_aligned_with_wide_and_hostile_cells() -> None:
    rows = [["数据", "1"], ["a\x1b[2Jb", "22"], [Cell("ok", "green"), "3"]]
    lines = table([Column(title="NAME"), Column(title="N", right=True)], rows).splitlines()
    plain = [line.replace("\x1b[32m", "").replace("\x1b[0m", "") for line in lines]
    assert {width_of(line) for line in plain} == {len("a\\x1b[2Jb") + 4}
    assert all("\x1b[2J" not in line for line in lines)


def test_a_terminal_is_never_wider_than_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "on_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    columns = [Column(title="A"), Column(title="B", flexible=True)]
    assert all(width_of(line) <= 60 for line in table(columns, [["x" * 30, "y" * 500]]).splitlines())
    monkeypatch.setattr(output, "on_terminal", lambda: False)
    assert "y" * 199 in table(columns, [["x", "y" * 500]])


def test_json_for_a_terminal_is_harmless_and_equal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    value = {"a": '\u202e\x9b31m\u200b\U000e0001 é 数 "quote" \\'}
    text = json.dumps(value, ensure_ascii=False, indent=2)
    echo_json_text(text)
    assert capsys.readouterr().out == text + "\n"
    monkeypatch.setattr(output, "on_terminal", lambda: True)
    echo_json_text(text)
    shown = capsys.readouterr().out
    assert json.loads(shown) == value
    assert printable(shown, lines=True) == shown
