"""Parameters that a build is given in place of the pipeline's."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from nbops.errors import ConfigError
from nbops.workflow import given
from nbops.workflow.given import VARIABLE, given_parameters, written


@pytest.fixture(autouse=True)
def _anew() -> Iterator[None]:
    given._taken.cache_clear()
    yield
    given._taken.cache_clear()


def test_they_are_taken_once_and_not_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"first": {"label": "<b>'\"\x00😀", "rows": 10**40, "none": None}}
    for name, text in written(values).items():
        monkeypatch.setenv(name, text)
    assert given_parameters() == values
    assert VARIABLE not in os.environ, "a build within a notebook of this one gets none"
    assert given_parameters() == values, "Ploomber calls its hook after each render"


def test_there_may_be_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert given_parameters() == {}
    assert written({}) == written({"first": {}}) == {}


@pytest.mark.parametrize("text", ["{", "[]", '{"first": 1}', '{"first": {"product": "x"}}', '{"first": {"upstream": 1}}'])
def test_what_is_no_such_thing_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(VARIABLE, text)
    with pytest.raises(ConfigError, match=VARIABLE):
        given_parameters()


def test_too_long_is_said_before_anything_starts() -> None:
    with pytest.raises(ConfigError, match="at most 100,000"):
        written({"first": {"x": "y" * 100_000}})
