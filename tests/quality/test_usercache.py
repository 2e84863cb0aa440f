"""Where code is kept that runs again: nowhere that somebody else can write to."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest

from nbops.quality.usercache import code_folder, user_cache


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def test_it_is_the_users_alone_and_another_for_what_it_depends_on(cache: Path) -> None:
    folder = code_folder("things", "1.0")
    assert folder is not None
    assert user_cache() == cache / "nbops"
    assert folder.is_relative_to(cache / "nbops/things")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert code_folder("things", "1.0") == folder
    assert code_folder("things", "1", "0") not in {folder, None}


@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777])
def test_code_that_others_may_have_written_is_not_run(mode: int) -> None:
    folder = code_folder("things", "1.0")
    assert folder is not None
    folder.chmod(mode)
    assert code_folder("things", "1.0") is None


def test_without_a_place_there_is_none(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    (cache / "nbops").write_text("a file")
    assert code_folder("things") is None
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert user_cache() is None
    assert code_folder("things") is None
