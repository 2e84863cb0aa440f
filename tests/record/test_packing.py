"""What commits leave loose is packed: small, complete, and only where it may be, whatever is killed when."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from nbops.record import packing
from nbops.record.commit import commit_reports
from nbops.record.committed import Recent
from nbops.record.git import Git
from nbops.record.packing import pack_later, pack_runs


def git(root: Path, *arguments: str, data: bytes | None = None) -> str:
    done = subprocess.run(["git", "-C", str(root), *arguments], input=data, check=True, capture_output=True)
    return done.stdout.decode().strip()


@pytest.fixture
def root(tmp_path: Path, git_identity) -> Path:
    folder = tmp_path / "project"
    git(tmp_path, "init", "-q", "-b", "main", str(folder))
    (folder / ".gitignore").write_text(".nbops/\n")
    git(folder, "config", "gc.autoDetach", "false")
    cache_of(folder)
    return folder


def cache_of(root: Path) -> Path:
    cache = root / ".nbops/cache"
    cache.mkdir(parents=True, exist_ok=True)
    return cache


def page(name: int, number: int) -> str:
    """A page of numbers: each run some are others, and two thirds of the pages are the same."""
    lines = [f"<p>{line * line * 7919 * (name + 1 if line % 3 == 0 else 1) % 1_000_003}</p>\n" for line in range(2000)]
    lines[number * 37 % 2000] = f"<p>run {number} of {name}</p>\n"
    return "".join(lines)


def commit(root: Path, number: int, *, pages: int = 3) -> str:
    for name in range(pages):
        path = root / f"reports/runs/{number:04d}/page{name}.html"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page(name, number))
    git(root, "add", "-A")
    git(root, "-c", "gc.auto=0", "-c", "maintenance.auto=false", "commit", "-q", "-m", f"{number}")
    return git(root, "rev-parse", "HEAD")


def pack(root: Path, head: str, first: str = "", *, keeping: bool = False) -> None:
    pack_runs(root, cache_of(root), commit=head, first=first or head, keeping=keeping)


def run(root: Path, number: int) -> str:
    head = commit(root, number)
    pack(root, head)
    return head


def loose(root: Path) -> int:
    return int(git(root, "count-objects").split()[0])


def packs(root: Path) -> set[str]:
    return {path.stem for path in (root / ".git/objects/pack").glob("*.pack")}


def stored(root: Path) -> int:
    return sum(path.stat().st_size for path in (root / ".git/objects").rglob("*.pack"))


def objects(root: Path) -> list[str]:
    return git(root, "cat-file", "--batch-check=%(objectname)", "--batch-all-objects").splitlines()


def copies(root: Path) -> int:
    """Count objects in packs, those in several more than once."""
    return int(git(root, "count-objects", "-v").split("in-pack: ")[1].split()[0])


def own_objects(root: Path) -> list[str]:
    """Return what the packs of a repository hold, without those of others that it borrows from."""
    indexes = (root / ".git/objects/pack").glob("*.idx")
    return [line.split()[1] for path in indexes for line in git(root, "show-index", data=path.read_bytes()).splitlines()]


def whole(root: Path) -> None:
    assert git(root, "fsck", "--full", "--strict", "--no-dangling") == ""


def test_a_run_costs_what_changed_and_nothing_is_lost(root, monkeypatch):
    monkeypatch.setattr(packing, "_FULL", 60)
    run(root, 0)
    first = stored(root)
    for number in range(1, 40):
        run(root, number)
        assert loose(root) == 0
        assert copies(root) == len(objects(root))
    assert len(packs(root)) == 2  # all that are full, merged, beside the one that grows
    whole(root)
    assert len(git(root, "rev-list", "HEAD").splitlines()) == 40
    assert stored(root) < 6 * first  # alone each is as large as the first
    before = stored(root)
    git(root, "-c", "gc.auto=0", "repack", "-adfq")
    assert before < 4 * stored(root)


def test_a_new_version_is_stored_as_a_difference_from_the_same_page_of_the_run_before(root):
    for number in range(12):
        before = stored(root)
        run(root, number)
    # deltas that git keeps have it compare new pages with the few others that are whole: half a page each
    assert stored(root) - before < 2_500


def test_the_newest_pack_replaces_the_one_before_and_no_other(root):
    commit(root, 0)
    git(root, "repack", "-adq")
    mine = packs(root)
    for number in range(1, 4):
        run(root, number)
        assert mine < packs(root)
        assert len(packs(root)) == 2
    assert copies(root) == len(objects(root))  # what the user's pack holds is not stored again


def test_what_others_have_packed_is_not_packed_again(root):
    for number in range(2):
        run(root, number)
    commit(root, 2)
    git(root, "repack", "-dq")
    run(root, 3)
    run(root, 4)
    assert len(packs(root)) == 2
    assert copies(root) == len(objects(root))


def test_what_no_branch_reaches_stays_as_it_is(root):
    lost = git(root, "hash-object", "-w", "--stdin", data=b"work of the user's")
    run(root, 0)
    assert loose(root) == 1
    assert git(root, "cat-file", "blob", lost) == "work of the user's"


def test_runs_that_the_branch_has_lost_are_not_lost(root):
    heads = [run(root, number) for number in range(4)]
    git(root, "reset", "-q", "--hard", heads[1])
    run(root, 9)
    run(root, 10)
    assert git(root, "cat-file", "-t", heads[3]) == "commit"
    git(root, "-c", "gc.reflogExpire=now", "reflog", "expire", "--expire=now", "--all")
    git(root, "gc", "-q", "--prune=2.weeks.ago")
    assert git(root, "cat-file", "-t", heads[3]) == "commit"
    whole(root)


def test_what_git_has_collected_is_not_packed_again(root):
    for number in range(3):
        run(root, number)
    git(root, "gc", "-q")
    collected = packs(root)
    for number in range(3, 6):
        run(root, number)
    assert len(packs(root)) == 2
    assert collected < packs(root)
    assert copies(root) == len(objects(root))
    assert loose(root) == 0
    whole(root)


def test_a_history_that_is_another_begins_anew(root):
    for number in range(3):
        run(root, number)
    git(root, "checkout", "-q", "--orphan", "other")
    git(root, "branch", "-q", "-D", "main")
    head = commit(root, 5)
    git(root, "reflog", "expire", "--expire=now", "--all")
    git(root, "gc", "-q", "--prune=now")
    pack(root, head)
    pack(root, commit(root, 6), head)
    assert loose(root) == 0
    whole(root)


def _never(root: Path) -> None:
    git(root, "config", "gc.auto", "0")


def _not_maintained(root: Path) -> None:
    git(root, "config", "maintenance.auto", "no")


def _collecting(root: Path) -> None:
    (root / ".git/gc.pid").write_text("1 elsewhere\n")


def _maintained(root: Path) -> None:
    (root / ".git/objects/maintenance.lock").touch()


def _indexed(root: Path) -> None:
    git(root, "repack", "-dq")
    git(root, "multi-pack-index", "write")


def _partial(root: Path) -> None:
    git(root, "config", "remote.origin.promisor", "true")


@pytest.mark.parametrize("reason", [_never, _not_maintained, _collecting, _maintained, _indexed, _partial])
def test_packing_stays_out_of_the_way(root, reason):
    commit(root, 0)
    reason(root)
    head = commit(root, 1)
    there, left = packs(root), loose(root)
    pack(root, head)
    assert (packs(root), loose(root)) == (there, left)


def test_many_loose_megabytes_are_left_to_git(root, monkeypatch):
    monkeypatch.setattr(packing, "_LOOSE_KIB", 1)
    for number in range(1_500):  # git guesses how many there are by one of 256 folders
        (root / f"{number}.txt").write_text(f"{number}")
    head = commit(root, 0)
    left = loose(root)
    git(root, "config", "gc.auto", "1")
    pack(root, head)
    assert loose(root) < left
    assert not (cache_of(root) / "packs.json").exists()


def _with_free(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    monkeypatch.setattr(packing.shutil, "disk_usage", lambda _: SimpleNamespace(free=free))


def test_a_disk_that_is_nearly_full_is_not_filled(root, monkeypatch):
    head = commit(root, 0)
    left = loose(root)
    _with_free(monkeypatch, packing._SPARE_BYTES - 1)
    pack(root, head)
    assert (packs(root), loose(root)) == (set(), left)
    _with_free(monkeypatch, packing._SPARE_BYTES)  # enough for the newest pack, not for what is merged
    monkeypatch.setattr(packing, "_FULL", 1)
    for number in range(1, 4):
        pack(root, commit(root, number), head)
    assert (len(packs(root)), loose(root)) == (3, 0)
    monkeypatch.undo()
    run(root, 4)
    whole(root)


def test_what_git_left_that_found_the_disk_full_is_removed_after_a_day(root, monkeypatch):
    run(root, 0)
    fresh, old, other = (root / ".git/objects/pack" / name for name in ("tmp_pack_aaaaaa", "tmp_pack_bbbbbb", "other"))
    for path in (fresh, old, other):
        path.write_bytes(b"PACK")
    for path in (old, other):
        os.utime(path, (1e9, 1e9))
    _with_free(monkeypatch, 0)
    run(root, 1)
    assert [path.exists() for path in (fresh, old, other)] == [True, False, True]


def test_a_pack_that_the_user_keeps_stays(root):
    run(root, 0)
    kept = packs(root)
    (root / f".git/objects/pack/{next(iter(kept))}.keep").touch()
    run(root, 1)
    run(root, 2)
    assert kept < packs(root)
    whole(root)


@pytest.mark.parametrize("option", ["--depth=1", "--shared"])
def test_clones_that_do_not_hold_everything(root, tmp_path, option):
    for number in range(5):
        run(root, number)
    clone = tmp_path / "clone"
    source = root.as_uri() if option.startswith("--depth") else str(root)
    git(tmp_path, "clone", "-q", option, source, str(clone))
    there = objects(clone) if option == "--depth=1" else []
    (clone / ".nbops/cache").mkdir(parents=True)
    run(clone, 5)
    run(root, 6)
    git(clone, "-c", "gc.auto=0", "pull", "-q", "--no-rebase", "--no-edit")
    for number in range(7, 9):
        run(clone, number)
    assert loose(clone) == 0
    whole(clone)
    if option == "--shared":
        assert not set(git(root, "rev-list", "--objects", "main").split()) & set(
            own_objects(clone)
        )  # what the other repository holds is not copied
        whole(root)
    else:
        assert set(there) < set(objects(clone))


def test_two_work_trees_do_not_take_one_another_s_packs(root, tmp_path):
    run(root, 0)
    other = tmp_path / "other"
    git(root, "worktree", "add", "-q", "-b", "side", str(other))
    cache_of(other)
    for number in range(1, 5):
        heads = [(root, commit(root, number)), (other, commit(other, 100 + number))]
        threads = [threading.Thread(target=pack, args=pair) for pair in heads]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        whole(root)
    assert loose(root) == 0
    for branch in ("main", "side"):
        assert len(git(root, "rev-list", branch).splitlines()) == 5


def test_a_second_process_leaves_it_to_the_first(root):
    head = commit(root, 0)
    left = loose(root)
    with packing._alone(cache_of(root)) as mine:
        assert mine
        pack(root, head)
    assert loose(root) == left
    pack(root, head)
    assert loose(root) == 0


class _KilledError(BaseException):
    """Ends everything at once, as a signal would: nothing catches it."""


def _kill_at(monkeypatch: pytest.MonkeyPatch, step: int) -> list[int]:
    """Have the n-th thing that changes the disk not happen, nor anything after it."""
    left = [step]

    def doomed(real):
        def call(*arguments, **named):
            left[0] -= 1
            if left[0] < 0:
                raise _KilledError
            return real(*arguments, **named)

        return call

    monkeypatch.setattr(Git, "call", doomed(Git.call))
    monkeypatch.setattr(Path, "replace", doomed(Path.replace))
    monkeypatch.setattr(Path, "unlink", doomed(Path.unlink))
    monkeypatch.setattr(packing, "replace_file", doomed(packing.replace_file))
    monkeypatch.setattr(packing.shutil, "rmtree", doomed(shutil.rmtree))
    return left


@pytest.mark.parametrize("full", [2_000, 30])
def test_whenever_it_is_killed_everything_is_there_and_the_next_run_makes_good(root, tmp_path, monkeypatch, full):
    monkeypatch.setattr(packing, "_FULL", full)
    monkeypatch.setattr(packing, "_STALE_SECONDS", -1)
    for number in range(3):
        run(root, number)
    head = commit(root, 5)
    every, step, killed = objects(root), 0, True
    while killed:
        copy = tmp_path / f"copy{step}"
        shutil.copytree(root, copy)
        with monkeypatch.context() as patch:
            _kill_at(patch, step)
            try:
                pack(copy, head)
                killed = False
            except _KilledError:
                pass
        assert objects(copy) == every
        whole(copy)
        run(copy, 6)
        run(copy, 7)
        whole(copy)
        assert loose(copy) == 0
        assert copies(copy) == len(objects(copy))
        assert not list((copy / ".git/objects").glob("tmp_*"))
        shutil.rmtree(copy)
        step += 1
    assert step > 12


@pytest.mark.parametrize("note", ["", "{}", "[]", "null", '{"since": 1, "upto": 2, "newest": "../../x", "full": ["a/b"]}'])
def test_a_damaged_note_is_no_note(root, note):
    run(root, 0)
    (cache_of(root) / "packs.json").write_text(note)
    head = commit(root, 1)
    pack(root, head)
    assert loose(root) == 0
    assert json.loads((cache_of(root) / "packs.json").read_text())["newest"] in packs(root)
    whole(root)


@pytest.fixture
def started(monkeypatch):
    """The processes that were started, each waited for."""
    found = []
    real = subprocess.Popen

    def start(command, **options):
        process = real(command, **options)
        if command[0] == sys.executable:
            process.wait()
            found.append(command)
        return process

    monkeypatch.setattr(packing.subprocess, "Popen", start)
    return found


def test_a_process_of_its_own_packs_when_enough_has_come_together(root, started):
    cache = cache_of(root)
    (root / "json.py").write_text("raise SystemExit('a module of the project')")
    for number, files in enumerate((20, 27, 1)):
        head = commit(root, number)
        assert pack_later(root, cache, commit=head, files=files) == (number == 2)
        if number < 2:
            assert not started
            assert loose(root) > 0
    assert loose(root) == 0
    assert len(packs(root)) == 1
    whole(root)
    assert not pack_later(root, cache, commit=commit(root, 4), files=47)


def test_a_run_s_commit_has_it_packed(root, started):
    commit(root, 0, pages=1)
    mine = loose(root)
    folder = root / "reports/runs/20260101T000000Z-000000"
    folder.mkdir()
    for number in range(50):
        (folder / f"{number}.html").write_text(page(1, number))
    outcome = commit_reports(
        root,
        message="run",
        trailers={},
        check=lambda files: [None for _ in files] and None,
        recent=Recent(cache=cache_of(root), reports=root / "reports", run_id=folder.name),
    )
    assert outcome.status == "committed"
    assert started
    assert outcome.commit in git(root, "rev-parse", "HEAD")
    assert loose(root) == mine
    whole(root)


def test_a_small_run_is_packed_when_what_it_leaves_is_large(root, started):
    cache = cache_of(root)
    assert not pack_later(root, cache, commit=commit(root, 0), files=7, size=11_000)
    assert pack_later(root, cache, commit=commit(root, 1), files=7, size=11_001)
    assert loose(root) == 0
    assert not pack_later(root, cache, commit=commit(root, 2), files=30, size=0)
    assert pack_later(root, cache, commit=commit(root, 3), files=4, size=0)  # 7, 7, 30 and 4: those packed in between count too
    whole(root)


def test_a_small_run_costs_what_changed_beside_a_pack_that_is_kept(root):
    for number in range(4):
        run(root, number)
    before = stored(root)
    for number in range(10, 17):
        pack(root, commit(root, number, pages=1), keeping=True)
        assert loose(root) == 0
        assert copies(root) == len(objects(root))
    assert stored(root) - before < 7 * 5_500  # alone each page takes 6,000
    pack(root, commit(root, 17, pages=1))
    assert stored(root) - before < 8 * 2_500  # all are compared again
    whole(root)


def test_small_runs_begin_no_pack_until_it_is_twice_as_full(root, monkeypatch):
    monkeypatch.setattr(packing, "_FULL", 20)
    run(root, 0)
    begun = False
    for number in range(1, 9):
        begun = (
            begun or max(packing._count(path) for path in (root / ".git/objects/pack").glob("*.idx")) >= 20
        )  # the first is full at half
        pack(root, commit(root, number, pages=1), keeping=True)
        assert len(packs(root)) == (2 if begun else 1)
    assert begun
    whole(root)


def test_a_pack_begins_where_the_last_two_are_merged(root, monkeypatch):
    monkeypatch.setattr(packing, "_FULL", 60)
    run(root, 0)
    first, added, begun = stored(root), [], []
    for number in range(1, 40):
        before, there = stored(root), len(packs(root))
        run(root, number)
        added.append(stored(root) - before)
        begun.append(len(packs(root)) > there)
        assert len(packs(root)) <= 2
    at = begun.index(True)
    assert added[at] > first / 2  # the first that begins has nothing to be merged with
    assert max(added[at + 1 :]) < 0.65 * first
    whole(root)


def test_a_pack_that_is_too_large_to_be_copied_stays(root, monkeypatch):
    monkeypatch.setattr(packing, "_FULL", 30)
    monkeypatch.setattr(packing, "_MERGED", 50)
    large = set()
    for number in range(30):
        run(root, number)
        there = {name for name in packs(root) if packing._count(root / f".git/objects/pack/{name}.idx") >= 50}
        assert large <= there
        large = there
    assert len(large) > 1
    whole(root)


def test_where_nothing_can_be_written_nothing_is_said(root, tmp_path):
    (tmp_path / "file").write_text("")
    assert not pack_later(root, tmp_path / "file/cache", commit="HEAD", files=100)
    pack_runs(tmp_path / "nowhere", cache_of(root), commit="HEAD", first="HEAD")
