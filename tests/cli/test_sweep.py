"""What gc throws away, and what it never does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from nbops.contract.config import Config
from nbops.record.store import write_run
from nbops.workflow import publish
from nbops.workflow.sweep import find_waste, remove_waste

from .conftest import Said, make_run, run_id


def snapshot(folder: Path) -> dict[str, int]:
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def littered(project: Path) -> Path:
    for number in (1, 2, 3):
        write_run(project / "reports", make_run(number))
        page = project / "reports/runs" / run_id(number) / "tasks/load.html"
        page.parent.mkdir()
        page.write_text("x" * 100)
        page.with_suffix(".ipynb").write_text("y" * 10)
    for name, text in {
        f"failed/{run_id(1)}/load/tree/a.csv": "old",
        f"failed/{run_id(3)}/load/tree/a.csv": "latest",
        f"work/{run_id(1)}/x": "work",
        f"staging/{run_id(1)}/load/tree/a.csv": "torn",
        f"staging/{run_id(2)}/load/tree/a.csv": "decided",
        f"staging/{run_id(2)}/load/{publish._JOURNAL}": "{}",
        "cache/hashes.json": "{}",
        "state/load.json": "{}",
        "key": "k",
        "lock": "",
    }.items():
        path = project / ".nbops" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (project / "quarantine/orders").mkdir(parents=True)
    (project / "quarantine/orders/x.parquet").write_text("rows")
    return project


def test_removes_only_what_can_be_spared(littered: Path) -> None:
    before = snapshot(littered)
    removed = remove_waste(littered, Config(keep_runs=1))
    after = snapshot(littered)
    gone = sorted(set(before) - set(after))
    assert gone == sorted(
        [
            *(f"reports/runs/{run_id(n)}/tasks/load{suffix}" for n in (1, 2) for suffix in (".html", ".ipynb")),
            f".nbops/failed/{run_id(1)}/load/tree/a.csv",
            f".nbops/work/{run_id(1)}/x",
            f".nbops/staging/{run_id(1)}/load/tree/a.csv",
            ".nbops/cache/hashes.json",
        ]
    )
    assert sum(item.bytes for item in removed) == sum(before[name] for name in gone)
    assert set(after) <= set(before)
    assert remove_waste(littered, Config(keep_runs=1)) == []


def test_a_dry_run_says_exactly_what_is_removed(littered: Path) -> None:
    before = snapshot(littered)
    planned = find_waste(littered, Config(keep_runs=1))
    assert snapshot(littered) == before
    removed = remove_waste(littered, Config(keep_runs=1))
    assert sorted(planned, key=lambda item: item.path) == sorted(removed, key=lambda item: item.path)


def test_links_are_not_followed(littered: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("x")
    (littered / f".nbops/work/{run_id(1)}/link").symlink_to(outside)
    (littered / ".nbops/work/linked").symlink_to(outside)
    remove_waste(littered, Config())
    assert (outside / "precious").read_text() == "x"
    assert (littered / ".nbops/work/linked").is_symlink()


def test_the_command_counts_the_bytes(littered: Path, call: Callable[..., Said]) -> None:
    (littered / "pyproject.toml").write_text("[tool.nbops]\nkeep_runs = 1\n")
    planned = call("gc", "--dry-run")
    assert (planned.code, planned.err) == (0, "")
    assert "Would free 233 bytes" in planned.out
    assert "pages of old runs" in planned.out
    done = call("gc")
    assert "Freed 233 bytes" in done.out
    assert call("gc").out == "Freed 0 bytes\n"


def test_refuses_while_a_build_holds_the_lock(littered: Path, call: Callable[..., Said]) -> None:
    code = (
        "import fcntl, os, sys\nfd = os.open('.nbops/lock', os.O_RDWR)\nfcntl.flock(fd, fcntl.LOCK_EX)\n"
        "print('held', flush=True)\nsys.stdin.read()"
    )
    held = {"pid": 12, "host": "box", "command": "ploomber build", "since": "today"}
    (littered / ".nbops/lock").write_text(json.dumps(held))
    before = snapshot(littered)
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=littered) as build:
        assert build.stdout is not None
        assert build.stdout.readline() == b"held\n"
        for command in ("gc", "render"):
            said = call(command)
            assert said.code == 3
            assert "'ploomber build' (process 12 on box, since today) is building this project" in said.err
        assert "would refuse now" in call("gc", "--dry-run").err
        build.communicate(b"")
    assert snapshot(littered) == before
    assert call("gc").code == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_what_cannot_be_removed_is_named(littered: Path, call: Callable[..., Said]) -> None:
    folder = littered / f".nbops/work/{run_id(1)}"
    folder.chmod(0o500)
    try:
        said = call("gc")
    finally:
        folder.chmod(0o700)
    assert said.code == 3
    assert "Permission denied" in said.err
