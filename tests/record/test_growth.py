"""What runs cost must not grow with their number, and what is skipped for it must not hide a change."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from nbops.model import Run
from nbops.pages.archive import renew_archive
from nbops.pages.summaries import Listing, summaries
from nbops.record import committed, pruning, store
from nbops.record.commit import commit_reports
from nbops.record.committed import Recent, forget_committed
from nbops.record.git import Git


def name(number: int) -> str:
    return f"20261{number // 28 % 3}{1 + number % 28:02d}T{number // 84:06d}Z-{number:06x}"


NAMES = sorted(name(number) for number in range(400))


def made(run_id: str, **changes) -> Run:
    given = {
        "id": run_id, "status": "succeeded", "verdict": "passed", "pipeline": "shop",
        "command": "ploomber build", "started_at": "2026-11-22T19:41:56Z",
    }  # fmt: skip
    return Run(**{**given, **changes})


def add(reports: Path, run_id: str, *pages: str) -> Path:
    path = store.write_run(reports, made(run_id))
    for page in pages:
        (path.parent / page).parent.mkdir(parents=True, exist_ok=True)
        (path.parent / page).write_text(f"<p>{run_id}</p>\n", encoding="utf-8")
    return path.parent


@pytest.fixture
def asked(monkeypatch):
    """Which folders are listed."""
    found: list[str] = []
    real = os.listdir
    monkeypatch.setattr(store.os, "listdir", lambda path: found.append(str(path)) or real(path))
    return found


def age(folder: Path) -> None:
    """Make a folder look as if nothing had happened in it for a while."""
    os.utime(folder, ns=(1_700_000_000_000_000_000,) * 2)


def test_the_folder_of_runs_is_listed_once_until_it_changes(tmp_path, asked):
    for one in NAMES[:3]:
        add(tmp_path, one)
    age(tmp_path / "runs")
    asked.clear()
    for _ in range(3):
        assert store.run_folders(tmp_path) == NAMES[:3]
    assert len(asked) == 1
    store.run_folders(tmp_path).clear()  # a copy
    assert store.run_folders(tmp_path) == NAMES[:3]


@pytest.mark.parametrize("change", ["add", "remove", "rename", "replace the folder", "remove the folder"])
def test_a_change_by_somebody_else_is_seen(tmp_path, change):
    for one in NAMES[:3]:
        add(tmp_path, one)
    runs = tmp_path / "runs"
    age(runs)
    assert store.run_folders(tmp_path) == NAMES[:3]
    if change == "add":
        (runs / NAMES[7]).mkdir()
        expected = [*NAMES[:3], NAMES[7]]
    elif change == "remove":
        shutil.rmtree(runs / NAMES[1])
        expected = [NAMES[0], NAMES[2]]
    elif change == "rename":
        (runs / NAMES[2]).rename(runs / NAMES[9])
        expected = [*NAMES[:2], NAMES[9]]
    else:
        shutil.rmtree(runs)
        if change == "replace the folder":
            (runs / NAMES[5]).mkdir(parents=True)
            age(runs)
        expected = [NAMES[5]] if change == "replace the folder" else []
    assert store.run_folders(tmp_path) == expected


def test_an_own_run_needs_no_new_listing_and_hides_nobody_elses(tmp_path, asked):
    add(tmp_path, NAMES[0])
    age(tmp_path / "runs")
    assert store.run_folders(tmp_path) == NAMES[:1]
    asked.clear()
    add(tmp_path, NAMES[5])
    assert store.run_folders(tmp_path) == [NAMES[0], NAMES[5]]
    (tmp_path / "runs" / NAMES[3]).mkdir()  # git pull
    assert store.run_folders(tmp_path) == [NAMES[0], NAMES[3], NAMES[5]]
    add(tmp_path, NAMES[4])  # not the newest
    assert store.run_folders(tmp_path) == [NAMES[0], *NAMES[3:6]]
    assert store.run_ids(tmp_path) == [NAMES[0], *NAMES[4:6]]


def test_only_the_ledgers_that_are_asked_for_are_looked_for(tmp_path, monkeypatch):
    for one in NAMES[:30]:
        (tmp_path / "runs" / one).mkdir(parents=True)
        if one != NAMES[28]:
            (tmp_path / "runs" / one / store.LEDGER).touch()
    looked: list[str] = []
    real = os.path.isfile
    monkeypatch.setattr(store.os.path, "isfile", lambda path: looked.append(path) or real(path))
    newest = store.newest_ids(tmp_path)
    assert [next(newest), next(newest)] == [NAMES[29], NAMES[27]]
    assert len(looked) == 3
    before = store.newest_ids(tmp_path, before=NAMES[10])
    assert next(before) == NAMES[9]
    assert list(store.newest_ids(tmp_path, before=NAMES[0])) == []
    assert next(store.newest_ids(tmp_path, before="99999999T000000Z-000000")) == NAMES[29]


def test_a_listing_reads_no_more_than_the_part_that_is_asked_for(tmp_path, monkeypatch):
    for one in NAMES[:40]:
        add(tmp_path, one)
    (tmp_path / "runs" / NAMES[38] / store.LEDGER).write_text("{")
    shutil.rmtree(tmp_path / "runs" / NAMES[37])
    (tmp_path / "runs" / NAMES[37]).mkdir()
    read: list[str] = []
    real = store.read_run
    monkeypatch.setattr(
        "nbops.pages.summaries.read_run", lambda reports, run_id, **more: read.append(run_id) or real(reports, run_id, **more)
    )
    listing = Listing(tmp_path, tmp_path / "cache")
    assert len(listing) == 40
    assert [one.id for one in listing[-5:]] == [NAMES[35], NAMES[36], NAMES[39]]
    assert len(read) <= 5
    read.clear()
    again = Listing(tmp_path, tmp_path / "cache")
    assert [one.id for one in again[-5:]] == [NAMES[35], NAMES[36], NAMES[39]]
    assert set(read) <= set(NAMES[37:39])
    assert [one.id for one in summaries(tmp_path, tmp_path / "cache")] == [*reversed([*NAMES[:37], NAMES[39]])]
    shutil.rmtree(tmp_path / "runs" / NAMES[0])
    assert summaries(tmp_path, tmp_path / "cache")[-1].id == NAMES[1]
    kept = "".join(path.read_text() for path in (tmp_path / "cache/summaries").glob("*.json"))
    assert NAMES[0] not in kept
    assert NAMES[1] in kept


def pages_looked_at(pages: int, reports: Path, *, stale=(), ids=None, pruned=()) -> list[int]:
    found: list[int] = []
    left = set(stale)

    def renew(number: int) -> bool:
        found.append(number)
        return number in left

    renew_archive(pages, renew, reports=reports, ids=ids, pruned=pruned)
    return found


def test_few_pages_of_older_runs_are_looked_at_and_all_when_one_that_should_not_change_did(tmp_path):
    (tmp_path / "archive").mkdir()
    for number in range(1, 39):
        (tmp_path / f"archive/{number}.html").touch()
    assert pages_looked_at(38, tmp_path) == list(range(1, 39))
    looked = pages_looked_at(38, tmp_path, ids=NAMES)
    assert len(looked) <= 12
    assert set(range(31, 39)) <= set(looked)
    assert 4 in pages_looked_at(38, tmp_path, ids=NAMES, pruned=[NAMES[35]])
    assert sorted(set(pages_looked_at(38, tmp_path, ids=NAMES, stale=[30]))) == list(range(1, 39))
    (tmp_path / "archive/7.html").unlink()
    assert 7 in pages_looked_at(38, tmp_path, ids=NAMES)
    in_turn = {page for runs in range(380, 400) for page in pages_looked_at(38, tmp_path, ids=NAMES[:runs])}
    assert in_turn == set(range(1, 39))
    assert pages_looked_at(0, tmp_path, ids=NAMES[:9]) == []


@pytest.mark.parametrize("seed", range(4))
def test_pruning_with_its_note_removes_what_pruning_without_it_would(tmp_path, seed):
    chance = random.Random(seed)
    noted, plain = tmp_path / "noted", tmp_path / "plain"
    for number, one in enumerate(NAMES[:40]):
        for reports in (noted, plain):
            add(reports, one, "index.html", "tasks/t.html")
        keep = chance.choice([3, 3, 3, 5, 8])
        if number % 3 == 2:
            removed = [path.relative_to(noted) for path in pruning.prune(noted, keep, cache=tmp_path / "cache")]
            assert removed == [path.relative_to(plain) for path in pruning.prune(plain, keep)]
    assert sum(len(list(path.rglob("*.html"))) for path in (noted, plain)) > 0


def test_pruning_with_its_note_does_not_look_through_all_old_runs(tmp_path, monkeypatch):
    for one in NAMES[:60]:
        add(tmp_path, one, "index.html")
    cache = tmp_path / "cache"
    assert len(pruning.prune(tmp_path, 10, cache=cache)) == 50
    looked: list[Path] = []
    real = pruning._pages
    monkeypatch.setattr(pruning, "_pages", lambda folder: looked.append(folder) or real(folder))
    add(tmp_path, NAMES[60], "index.html")
    assert len(pruning.prune(tmp_path, 10, cache=cache)) == 1
    assert len(looked) == 1
    add(tmp_path, NAMES[3], "index.html")  # `nbops render` of an old run
    assert pruning.prune(tmp_path, 10, cache=cache) == []
    pruning.forget_pruned(cache)
    assert len(pruning.prune(tmp_path, 10, cache=cache)) == 1


@pytest.mark.parametrize("note", [b"", b"[]", b'{"version": 1}', b'{"version": 1, "until": 3, "there": ["../x"]}', b"\xff"])
def test_a_damaged_note_of_pruning_is_done_without(tmp_path, note):
    for one in NAMES[:6]:
        add(tmp_path, one, "index.html")
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/pruned.json").write_bytes(note)
    assert len(pruning.prune(tmp_path, 2, cache=tmp_path / "cache")) == 4


# --- commits ---


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def root(tmp_path, monkeypatch):
    for variable in [variable for variable in os.environ if variable.startswith("GIT_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Ann")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "ann@example.org")
    git(tmp_path, "init", "-q")
    (tmp_path / ".gitignore").write_text(".nbops/\n")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "begin")
    return tmp_path


def commit(root: Path, run_id: str, *, check=lambda _: None, whole: bool = False):
    recent = Recent(cache=root / ".nbops/cache", reports=root / "reports", run_id=run_id, whole=whole)
    return commit_reports(root, message="run", trailers={}, check=check, recent=recent)


def is_clean(root: Path) -> bool:
    return not git(root, "status", "--porcelain", "--untracked-files=all")


@pytest.fixture
def added(monkeypatch):
    """What each commit looked at."""
    found: list[list[str] | None] = []
    real = Recent.places

    def places(self, git, head):
        found.append(real(self, git, head))
        return found[-1]

    monkeypatch.setattr(committed.Recent, "places", places)
    return found


@pytest.mark.skipif(shutil.which("git") is None, reason="there is no git")
class TestCommits:
    def test_a_commit_looks_at_what_is_new(self, root, added):
        for one in NAMES[:8]:
            add(root / "reports", one, "index.html")
            (root / "reports/index.html").write_text(one)
            (root / "reports/archive").mkdir(exist_ok=True)
            (root / f"reports/archive/{one}.html").write_text(one)
            assert commit(root, one).status == "committed"
            assert is_clean(root)
        assert added[0] is None
        assert added[1:] == [["archive", "index.html", f"runs/{one}"] for one in NAMES[1:8]]

    def test_what_an_earlier_commit_left_out_is_taken_along(self, root, added):
        def refuse(files):
            raise RuntimeError([path for path, _ in files])

        for number, one in enumerate(NAMES[:4]):
            add(root / "reports", one, "index.html")
            if number == 2:
                with pytest.raises(RuntimeError, match=one):
                    commit(root, one, check=refuse)
            else:
                commit(root, one)
        assert is_clean(root)
        assert [places is None for places in added] == [True, False, False, True]

    def test_a_run_that_was_never_offered_is_taken_along(self, root):
        for number, one in enumerate(NAMES[:4]):
            add(root / "reports", one)
            if number != 2:
                commit(root, one)
        assert is_clean(root)

    def test_a_branch_that_went_back_is_noticed(self, root):
        for one in NAMES[:3]:
            add(root / "reports", one)
            commit(root, one)
        git(root, "reset", "-q", "--soft", "HEAD~1")
        git(root, "reset", "-q")
        add(root / "reports", NAMES[3])
        commit(root, NAMES[3])
        assert is_clean(root)

    def test_commits_of_the_user_in_between_change_nothing(self, root, added):
        for one in NAMES[:3]:
            add(root / "reports", one)
            commit(root, one)
            (root / "code.py").write_text(one)
            git(root, "add", "code.py")
            git(root, "commit", "-q", "-m", "work")
        assert is_clean(root)
        assert [places is None for places in added] == [True, False, False]

    def test_what_somebody_did_to_old_runs_is_committed_by_the_tenth_run(self, root):
        for number, one in enumerate(NAMES[:20]):
            add(root / "reports", one, "index.html")
            commit(root, one)
            if number == 11:
                shutil.rmtree(root / "reports/runs" / NAMES[3])
                (root / "reports/runs" / NAMES[4] / "index.html").write_text("by hand")
                assert not is_clean(root)
        add(root / "reports", NAMES[20])
        commit(root, NAMES[20])
        assert is_clean(root)

    def test_pages_that_were_removed_are_committed_at_once_when_that_is_said(self, root):
        for one in NAMES[:4]:
            add(root / "reports", one, "index.html")
            commit(root, one)
        (root / "reports/runs" / NAMES[0] / "index.html").unlink()
        add(root / "reports", NAMES[4])
        commit(root, NAMES[4], whole=True)
        assert is_clean(root)
        (root / "reports/runs" / NAMES[1] / "index.html").unlink()
        forget_committed(root / ".nbops/cache")
        add(root / "reports", NAMES[5])
        commit(root, NAMES[5])
        assert is_clean(root)

    @pytest.mark.parametrize("junk", [".DS_Store", "half.tmp", ".ipynb_checkpoints/a.ipynb", "x.tmp/y.html"])
    @pytest.mark.parametrize("place", ["", "runs/RUN/", "runs/RUN/tasks/", "archive/"])
    def test_junk_is_never_committed(self, root, junk, place):
        for one in NAMES[:3]:
            add(root / "reports", one, "tasks/index.html")
            path = root / "reports" / place.replace("RUN", one) / junk
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("x")
            assert commit(root, one).status == "committed"
        assert git(root, "ls-files", "reports").split("\n") == [
            f"reports/runs/{one}/{name}" for one in NAMES[:3] for name in ("run.json", "tasks/index.html")
        ]

    @pytest.mark.parametrize("note", [b"", b"{}", b'{"version": 1, "commit": "-x", "newest": "NEWEST"}', b"\xff"])
    def test_a_damaged_note_is_done_without(self, root, note):
        add(root / "reports", NAMES[0])
        add(root / "reports", NAMES[1])
        (root / ".nbops/cache").mkdir(parents=True)
        (root / ".nbops/cache/committed.json").write_bytes(note.replace(b"NEWEST", NAMES[0].encode()))
        commit(root, NAMES[1])
        assert is_clean(root)

    def test_what_the_user_staged_since_is_neither_committed_nor_lost(self, root):
        """The index of the commit before is not compared with HEAD again, but one that changed since is."""
        for number, one in enumerate(NAMES[:5]):
            add(root / "reports", one)
            if number in {2, 3}:
                (root / f"code{number}.py").write_text(one)
                git(root, "add", f"code{number}.py")
            assert commit(root, one).status == "committed"
        assert git(root, "diff", "--cached", "--name-only").split() == ["code2.py", "code3.py"]
        assert "code" not in git(root, "ls-tree", "-r", "--name-only", "HEAD")

    def test_an_index_that_is_as_it_was_left_is_not_compared(self, root, monkeypatch):
        asked: list[str] = []
        real = Git.call
        monkeypatch.setattr(Git, "call", lambda self, *words, **more: asked.append(words[0]) or real(self, *words, **more))
        counts = []
        for one in NAMES[:3]:
            add(root / "reports", one)
            commit(root, one)
            counts.append(asked.count("diff-index"))
        assert counts[0] >= 1
        assert counts[2] == counts[1] == counts[0]

    def test_a_note_of_another_index_is_not_believed(self, root):
        add(root / "reports", NAMES[0])
        commit(root, NAMES[0])
        note = json.loads((root / ".nbops/cache/committed.json").read_text())
        recent = Recent(cache=root / ".nbops/cache", reports=root / "reports", run_id=NAMES[1])
        assert recent.is_index_of(note["commit"], note["index"])
        assert not recent.is_index_of("0" * 40, note["index"])
        assert not recent.is_index_of(note["commit"], None)
        assert not any(recent.is_index_of(note["commit"], [*note["index"][:at], -1, *note["index"][at + 1 :]]) for at in range(3))

    def test_files_that_are_gone_or_other_are_taken_in_by_name(self, root):
        monitoring = root / "reports/monitoring"
        for number, one in enumerate(NAMES[:6]):
            add(root / "reports", one, "index.html")
            monitoring.mkdir(exist_ok=True)
            (monitoring / f"{number}.html").write_text(one)
            if number == 3:
                (monitoring / "0.html").unlink()
                (monitoring / "1.html").unlink()
                (monitoring / "1.html").mkdir()
                (monitoring / "1.html/x").write_text("a folder in place of a file")
                (monitoring / "2.html").chmod(0o755)
            if number == 4:
                shutil.rmtree(monitoring / "1.html")
                (monitoring / "1.html").symlink_to("4.html")
            assert commit(root, one).status == "committed"
            assert is_clean(root)
        assert "reports/monitoring/0.html" not in git(root, "ls-files")
        assert git(root, "ls-files", "--stage", "reports/monitoring/1.html").startswith("120000")

    def test_what_git_was_told_not_to_look_at_stays(self, root):
        for number, one in enumerate(NAMES[:3]):
            folder = add(root / "reports", one).parent.parent / "monitoring"
            folder.mkdir(exist_ok=True)
            (folder / f"{number}.html").write_text("x")
            commit(root, one)
            if not number:
                git(root, "update-index", "--skip-worktree", "reports/monitoring/0.html")
                (folder / "0.html").unlink()
        assert "reports/monitoring/0.html" in git(root, "ls-tree", "-r", "--name-only", "HEAD")

    def test_another_repository_in_a_runs_folder_is_left_to_git(self, root):
        for number, one in enumerate(NAMES[:3]):
            folder = add(root / "reports", one)
            if number == 2:
                git(folder, "init", "-q", "inner")
                (folder / "inner/x").write_text("x")
                git(folder / "inner", "add", "x")
                git(folder / "inner", "commit", "-q", "-m", "x")
            commit(root, one)
        assert git(root, "ls-files", "--stage", f"reports/runs/{NAMES[2]}/inner").startswith("160000")

    def test_folders_that_grow_are_looked_at_when_they_changed(self, root, added):
        incidents = root / "reports/incidents"
        for number, one in enumerate(NAMES[:8]):
            add(root / "reports", one)
            incidents.mkdir(exist_ok=True)
            if number in {0, 4}:
                store.replace_file(incidents / "one.json", one.encode())
            if number not in {5, 7}:
                age(incidents)
            if number in {4, 5}:
                os.utime(incidents, ns=(1_700_000_000_000_000_000 + number,) * 2)
            if number == 6:  # as late as can be: the clock may not tell the next change from this one
                os.utime(incidents, ns=(time.time_ns() + 3_600 * 10**9,) * 2)
            assert commit(root, one).status == "committed"
        looked_at = ["incidents" in (places or ()) for places in added]
        assert looked_at == [False, False, False, False, True, True, True, True]
        assert git(root, "show", "HEAD:reports/incidents/one.json") == NAMES[4]

    def test_trees_are_not_pressed_hard(self, root):
        git(root, "config", "gc.auto", "0")
        for one in NAMES[:80]:
            add(root / "reports", one)
        commit(root, NAMES[79])
        levels = []
        for what in ("HEAD:reports/runs", f"HEAD:reports/runs/{NAMES[0]}/run.json"):
            name = git(root, "rev-parse", what)
            levels.append((root / ".git/objects" / name[:2] / name[2:]).read_bytes()[1] >> 6)
        assert levels == [0, 3]  # https://www.rfc-editor.org/rfc/rfc1950: fastest, best

    def test_a_project_below_the_top_is_committed_by_names(self, root, added):
        project = root / "a [b]/c"
        (project / ".nbops").mkdir(parents=True)
        for number, one in enumerate(NAMES[:4]):
            add(project / "reports", one, "index.html")
            (project / f"reports/{number}.html").write_text("x")
            assert commit(project, one).status == "committed"
            assert not git(root, "status", "--porcelain", "--untracked-files=all", "--", "a [b]/c/reports")
        assert None not in added[1:]
