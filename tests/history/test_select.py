"""Which runs are meant: by id, by word, by commit, also one of another branch."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nbops.errors import LedgerError
from nbops.history.accepted import is_accepted, last_accepted
from nbops.history.select import select_pair
from nbops.record.commit import commit_reports
from nbops.record.ledger import as_stored
from nbops.record.store import ledger_path, write_run

IDS = [f"2026112{number}T194156Z-00000{number}" for number in range(5)]


@pytest.fixture
def reports(git_repo: Path, shop: Any) -> Path:
    """Five runs, each committed: passed, warned, failed, warned with a dataset that was held back, passed."""
    folder = git_repo / "reports"
    held = shop.with_dataset(shop.make(IDS[3], verdict="warned"), published=False)
    made = [
        shop.make(IDS[0]), shop.make(IDS[1], verdict="warned"), shop.make(IDS[2], verdict="failed"), held, shop.make(IDS[4]),
    ]  # fmt: skip
    for run in made:
        write_run(folder, run)
        commit_reports(
            git_repo, reports="reports", files=None, message="nbops: run", trailers={"Nbops-Run": run.id}, check=lambda _: None
        )
    return folder


def pair(reports: Path, before: str, after: str) -> tuple[str, str]:
    one, other = select_pair(reports.parent, reports, before, after)
    return one.id, other.id


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("accepted", "latest", (1, 4)),
        ("previous", "latest", (3, 4)),
        ("accepted", "20261122", (1, 2)),
        ("000002", "latest", (2, 4)),
        ("latest", "previous", (4, 3)),
        ("previous", "accepted", (3, 1)),
        (IDS[0], IDS[4], (0, 4)),
        ("HEAD~1", "HEAD", (3, 4)),
        ("main~4", "main", (0, 4)),
        ("  latest ", "latest", (4, 4)),
    ],
)
def test_words_ids_and_revisions(reports: Path, before: str, after: str, expected: tuple[int, int]) -> None:
    assert pair(reports, before, after) == (IDS[expected[0]], IDS[expected[1]])


def test_a_revision_after_the_last_run_stands_for_it(reports: Path) -> None:
    from tests.conftest import git

    (reports.parent / "x.txt").write_text("x", encoding="utf-8")
    git(reports.parent, "add", "x.txt")
    git(reports.parent, "commit", "--quiet", "--message=more")
    git(reports.parent, "tag", "v1")
    assert pair(reports, "v1", "latest") == (IDS[4], IDS[4])


def test_a_run_of_another_branch_is_read_out_of_git(reports: Path, shop: Any) -> None:
    from tests.conftest import git

    root = reports.parent
    git(root, "checkout", "--quiet", "-b", "feature", "HEAD~1")
    assert not ledger_path(reports, IDS[4]).exists()
    one, other = select_pair(root, reports, "main", "feature")
    assert (one.id, other.id) == (IDS[4], IDS[3])
    assert one == as_stored(shop.make(IDS[4]))  # what it refers to is followed, too


@pytest.mark.parametrize(
    "word", ["latst", "", "zzz", "--all", "-x", "HEAD~99", "a\0b", "x" * 5_000, "refs/heads/none", "main..x"]
)
def test_what_is_no_run_is_told_with_what_there_is(reports: Path, word: str) -> None:
    with pytest.raises(LedgerError, match=r"no such run.*Allowed: .*latest"):
        select_pair(reports.parent, reports, word, "latest")


def test_the_nearest_word_is_offered(reports: Path) -> None:
    with pytest.raises(LedgerError, match="Did you mean 'previous'"):
        select_pair(reports.parent, reports, "prevoius", "latest")


def test_a_beginning_of_several_runs_is_refused(reports: Path) -> None:
    with pytest.raises(LedgerError, match="5 runs fit"):
        select_pair(reports.parent, reports, "2026112", "latest")


def test_nothing_before_and_nothing_accepted(tmp_path: Path, shop: Any) -> None:
    with pytest.raises(LedgerError, match="no runs yet"):
        select_pair(tmp_path, tmp_path / "reports", "accepted", "latest")
    write_run(tmp_path / "reports", shop.make(IDS[0], verdict="failed"))
    with pytest.raises(LedgerError, match="no run before it"):
        select_pair(tmp_path, tmp_path / "reports", "previous", "latest")
    write_run(tmp_path / "reports", shop.make(IDS[1]))
    with pytest.raises(LedgerError, match=r"none of the 50 runs before it was accepted.*nbops diff previous"):
        select_pair(tmp_path, tmp_path / "reports", "accepted", "latest")


def test_what_is_accepted(shop: Any) -> None:
    assert is_accepted(shop.make())
    assert is_accepted(shop.make(verdict="warned"))
    for run in (
        shop.make(verdict="failed"),
        shop.make(verdict="errored"),
        shop.make(status="interrupted"),
        shop.make(status="running"),
        shop.with_dataset(shop.make(), published=False),
        shop.with_task(shop.make(), status="held"),
    ):
        assert not is_accepted(run)


def test_a_damaged_ledger_is_passed_over(reports: Path) -> None:
    ledger_path(reports, IDS[1]).write_text("{", encoding="utf-8")
    found = last_accepted(reports, IDS[4])
    assert found is not None
    assert found.id == IDS[0]
    shutil.rmtree(reports / "runs" / IDS[0])
    assert last_accepted(reports, IDS[4]) is None


def test_how_far_back_is_bounded(tmp_path: Path, shop: Any) -> None:
    write_run(tmp_path, shop.make("20250101T000000Z-000000"))
    for number in range(50):
        write_run(tmp_path, shop.make(f"20260101T00{number:02d}00Z-000000", verdict="failed"))
    assert last_accepted(tmp_path, "20260101T004900Z-000000") is not None
    assert last_accepted(tmp_path, "20260102T000000Z-000000") is None
    assert replace(shop.make(), id="x").id == "x"
