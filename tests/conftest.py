"""Fixtures for all tests."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
"""The repository."""
_GIT_ENVIRONMENT = {
    "GIT_AUTHOR_NAME": "Tester",
    "GIT_AUTHOR_EMAIL": "tester@example.org",
    "GIT_COMMITTER_NAME": "Tester",
    "GIT_COMMITTER_EMAIL": "tester@example.org",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
}


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder and return what it printed; a failure raises with what it said."""
    done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"git {' '.join(arguments)}: {done.stderr}"
    return done.stdout.strip()


@pytest.fixture
def git_identity(monkeypatch: pytest.MonkeyPatch) -> Mapping[str, str]:
    """Give git an author and hide the machine's own settings, for this process and those it starts."""
    for name, value in _GIT_ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    return _GIT_ENVIRONMENT


@pytest.fixture
def git_repo(tmp_path: Path, git_identity: Mapping[str, str]) -> Path:
    """Return a folder holding a git repository with one commit on ``main``."""
    folder = tmp_path / "project"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    (folder / ".gitignore").write_text(".nbops/\n", encoding="utf-8")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=first")
    return folder


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return the path of a Chromium; skip where there is none."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("no chromium on this machine: apt-get install chromium")
    pytest.importorskip("playwright", reason="playwright is in the test extra")
    return found
