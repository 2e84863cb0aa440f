"""The README's tour, command by command, as a new user would type it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOUR = re.compile(r"<!-- tour -->\n```sh\n(.*?)```", re.DOTALL)


def commands() -> list[str]:
    blocks = TOUR.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    return [line for block in blocks for line in block.splitlines() if line.strip()]


@pytest.mark.e2e
@pytest.mark.timeout(1500)
def test_every_command_of_the_tour_works(tmp_path, git_identity, monkeypatch):
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")
    folder, printed = tmp_path, {}
    assert len(commands()) >= 8
    for command in commands():
        if command.startswith("cd "):
            folder = folder / command[3:].strip()
            continue
        done = subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True, timeout=900, check=False)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        printed.setdefault(command, []).append(done.stdout + done.stderr)
    first, second = printed["ploomber build"]
    assert "11 tasks" in first
    assert "committed reports/" in first
    assert second.count("up to date") >= 11
    assert (folder / "reports/index.html").is_file()
    subjects = printed["git log --oneline -3"][0].splitlines()
    assert all("nbops: " in subject for subject in subjects)
