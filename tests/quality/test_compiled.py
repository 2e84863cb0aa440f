"""Compiled templates are kept for the user, and done without where that cannot be."""

from __future__ import annotations

import os
import sys

import pytest
from jinja2 import DictLoader, Environment

from nbops.quality.compiled import compiled_templates


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    return tmp_path


def render(text, cache):
    return Environment(loader=DictLoader({"t": text}), bytecode_cache=cache, autoescape=True).get_template("t").render(x="<")


def test_a_template_is_compiled_once_and_anew_when_it_changed(home):
    assert render("{{ x }}1", compiled_templates("a")) == "&lt;1"
    kept = list(home.rglob("*.cache"))
    assert len(kept) == 1
    assert render("{{ x }}1", compiled_templates("a")) == "&lt;1"
    assert render("{{ x }}2", compiled_templates("a")) == "&lt;2"


def test_what_was_compiled_under_other_settings_is_not_taken(home):
    render("{{ x }}", compiled_templates("a"))
    render("{{ x }}", compiled_templates("b"))
    assert len({path.parent for path in home.rglob("*.cache")}) == 2


def test_the_folder_is_the_users_own(home):
    compiled_templates("a")
    (folder,) = (home / "nbops/templates").iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("damage", [b"", b"\x00" * 40, b"j2" + os.urandom(200)])
def test_a_damaged_file_is_made_anew(home, damage):
    render("{{ x }}1", compiled_templates("a"))
    (kept,) = home.rglob("*.cache")
    kept.write_bytes(damage)
    assert render("{{ x }}1", compiled_templates("a")) == "&lt;1"


def test_nothing_is_kept_where_python_writes_no_bytecode(home, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert compiled_templates("a") is None
    assert not list(home.iterdir())


def test_pages_are_made_without_a_place_to_keep_them(home, monkeypatch):
    (home / "nbops").write_text("in the way")
    assert compiled_templates("a") is None
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert compiled_templates("a") is None
