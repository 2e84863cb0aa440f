"""What commits leave loose is packed: small, complete, and only where it may be."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from nbops.record.git import Git
from nbops.record.packing import pack_objects


def git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", "-C", str(root), *arguments], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr("nbops.record.packing._LOOSE", 2)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q")
    for name, value in (("user.name", "T"), ("user.email", "t@example.org"), ("gc.autoDetach", "false")):
        git(tmp_path, "config", name, value)
    return tmp_path


def commit(root: Path, number: int) -> None:
    (root / "page.html").write_text("".join(f"<p>{line * 7919 % 100_003}</p>\n" for line in range(number, number + 3000)))
    git(root, "add", "-A")
    git(root, "-c", "gc.auto=0", "-c", "maintenance.auto=false", "commit", "-q", "-m", f"{number}")


def loose(root: Path) -> int:
    return int(git(root, "count-objects").split()[0])


def stored(root: Path) -> int:
    return sum(path.stat().st_size for path in (root / ".git/objects").rglob("*") if path.is_file())


def test_runs_that_resemble_each_other_cost_a_fraction_and_nothing_is_lost(root):
    commit(root, 0)
    first = stored(root)
    for number in range(1, 40):
        commit(root, number)
        pack_objects(Git(folder=root))
        assert loose(root) == 0
    assert len(list((root / ".git/objects/pack").glob("*.pack"))) <= 7  # a progression: log2 of the number of objects
    assert stored(root) < 6 * first  # alone each is as large as the first
    assert git(root, "fsck", "--full", "--strict") == ""
    assert len(git(root, "rev-list", "HEAD").splitlines()) == 40


def test_a_few_loose_objects_wait_for_more(root, monkeypatch):
    monkeypatch.setattr("nbops.record.packing._LOOSE", 6)
    for number, left in enumerate((3, 6, 0)):
        commit(root, number)
        pack_objects(Git(folder=root))
        assert loose(root) == left


def test_what_no_branch_reaches_stays(root):
    commit(root, 0)
    lost = subprocess.run(
        ["git", "-C", str(root), "hash-object", "-w", "--stdin"], input=b"work of the user's", check=True, capture_output=True
    )
    pack_objects(Git(folder=root))
    assert git(root, "cat-file", "blob", lost.stdout.decode().strip()) == "work of the user's"


def _never(root: Path) -> None:
    git(root, "config", "gc.auto", "0")


def _collecting(root: Path) -> None:
    (root / ".git/gc.pid").write_text("1 elsewhere\n")


def _maintained(root: Path) -> None:
    (root / ".git/objects/maintenance.lock").touch()


@pytest.mark.parametrize("reason", [_never, _collecting, _maintained])
def test_packing_stays_out_of_the_way(root, reason):
    commit(root, 0)
    reason(root)
    pack_objects(Git(folder=root))
    assert loose(root) == 3  # blob, tree, commit


@pytest.mark.parametrize("limit", ["_LOOSE_KIB", "_PACKED_KIB"])
def test_a_large_repository_is_left_to_git(root, limit, monkeypatch):
    commit(root, 0)
    pack_objects(Git(folder=root))
    commit(root, 1)
    monkeypatch.setattr(f"nbops.record.packing.{limit}", 1)
    pack_objects(Git(folder=root))
    assert loose(root) == 3


def test_a_git_that_cannot_pack_so_is_no_error(root, monkeypatch):
    commit(root, 0)
    monkeypatch.setattr("nbops.record.packing._FACTOR", "none")
    pack_objects(Git(folder=root))
    assert loose(root) == 3
    pack_objects(Git(folder=root / "nowhere"))
    assert git(root, "fsck") == ""
