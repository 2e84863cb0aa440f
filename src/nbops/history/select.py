"""Which two runs somebody means: by id, by a word, by a commit."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbops.errors import LedgerError, did_you_mean
from nbops.history.accepted import last_accepted
from nbops.record.git import GitError
from nbops.record.ledger import document_of, from_json, validate
from nbops.record.repository import Repository, open_repository
from nbops.record.store import LEDGER, loader, read_run, run_ids

if TYPE_CHECKING:
    from nbops.model import Run
    from nbops.record.refer import Load

__all__ = ["RELATIVE", "WORDS", "select_pair"]

RELATIVE = ("previous", "accepted")
"""Words for a run before the other one."""
WORDS = ("latest", *RELATIVE)

_SHOWN_IDS = 10
_LONGEST = 200  # characters of what somebody typed that are looked at


def select_pair(root: Path, reports: Path, before: str, after: str) -> tuple[Run, Run]:
    """Return the two runs that somebody means.

    Args:
        root: The project's root.
        reports: The project's reports folder.
        before: An id, the beginning or end of one, ``latest``, ``previous`` (the run before the other), ``accepted`` (the last
            accepted run before the other), or a git revision: the newest run that was committed there or before.
        after: Likewise.

    Raises:
        LedgerError: There is no such run, or more than one; or a ledger cannot be read.
    """
    if not run_ids(reports) and {before, after} <= set(WORDS):
        raise LedgerError(f"{reports / 'runs'}: there are no runs yet. `ploomber build` makes the first.")
    if before in RELATIVE:
        base = _absolute(root, reports, "latest" if after in RELATIVE else after)
        newer = _relative(reports, after, base) if after in RELATIVE else base
        return _relative(reports, before, base), newer
    base = _absolute(root, reports, before)
    return base, _relative(reports, after, base) if after in RELATIVE else _absolute(root, reports, after)


def _relative(reports: Path, word: str, other: Run) -> Run:
    if word == "accepted":
        found = last_accepted(reports, other.id)
        if found is None:
            raise LedgerError(
                f"run {other.id}: none of the 50 runs before it was accepted (passed or warned, everything published). "
                f"Name a run: `nbops runs` lists them, and `nbops diff previous {other.id}` takes the one before it."
            )
        return found
    earlier = [run_id for run_id in run_ids(reports) if run_id < other.id]
    if not earlier:
        raise LedgerError(f"run {other.id}: there is no run before it. The next `ploomber build` makes one to compare it with.")
    return read_run(reports, earlier[-1])


def _absolute(root: Path, reports: Path, text: str) -> Run:
    ids = run_ids(reports)
    wanted = text.strip()
    if wanted == "latest" and ids:
        return read_run(reports, ids[-1])
    found = [run_id for run_id in ids if wanted and (run_id.startswith(wanted) or run_id.endswith(wanted))]
    if wanted in ids or len(found) == 1:
        return read_run(reports, wanted if wanted in ids else found[0])
    if len(found) > 1 and not _is_word(wanted):
        shown = ", ".join(found[-_SHOWN_IDS:])
        raise LedgerError(f"run {wanted[:60]!r}: {len(found)} runs fit. Write more of the id, among: {shown}.")
    committed = _in_git(root, reports, wanted)
    if committed is not None:
        return committed
    allowed = did_you_mean(wanted[:60], [*WORDS, *ids[-_SHOWN_IDS:]])
    raise LedgerError(f"run {wanted[:60]!r}: there is no such run, and no such git revision with a run. {allowed}")


def _is_word(text: str) -> bool:
    """Tell whether a text can be no part of an id: those hold digits, T, Z, a hyphen and a to f."""
    return not set(text) <= set("0123456789abcdefTZ-")


@dataclass(frozen=True, slots=True)
class _Committed:
    """Ledgers as a commit holds them."""

    repository: Repository
    commit: str
    folder: str

    def text(self, run_id: str) -> str:
        """Return the text of a ledger.

        Raises:
            GitError: The commit holds none of that run.
        """
        return self.repository.git.call("cat-file", "blob", f"{self.commit}:{self.folder}/{run_id}/{LEDGER}").decode()

    def load(self, run_id: str) -> Mapping[str, Any] | None:
        """Return a stored document, None when it cannot be read."""
        try:
            document = document_of(self.text(run_id))
            validate(document)
        except (GitError, UnicodeDecodeError, LedgerError):
            return None
        return document if document.get("id") == run_id else None


def _in_git(root: Path, reports: Path, revision: str) -> Run | None:
    """Return the newest run that was committed at a revision or before it; None when the revision is none or has none."""
    if not revision or len(revision) > _LONGEST or revision.startswith("-") or "\0" in revision:
        return None
    try:
        repository = open_repository(root)
        commit = repository.git.maybe("rev-parse", "--quiet", "--verify", "--end-of-options", f"{revision}^{{commit}}")
        if not commit:
            return None
        said = repository.git.line("log", "-1", "--grep=^Nbops-Run: ", "--format=%H %(trailers:key=Nbops-Run,valueonly)", commit)
    except GitError:
        return None
    where, _, run_id = said.strip().partition(" ")
    run_id = run_id.strip()
    if run_id in run_ids(reports):
        return read_run(reports, run_id)
    folder = f"{repository.prefix}{Path(os.path.relpath(reports, root)).as_posix()}/runs"
    return _read(_Committed(repository, where, folder), run_id, loader(reports)) if run_id else None


def _read(stored: _Committed, run_id: str, here: Load) -> Run:
    """Read a run of another branch out of git, whose ledgers are not in this work tree."""
    try:
        return from_json(stored.text(run_id), load=lambda other: here(other) or stored.load(other))
    except (GitError, UnicodeDecodeError, LedgerError) as error:
        raise LedgerError(
            f"commit {stored.commit[:10]}: the ledger of run {run_id[:60]} cannot be read there: {error}"
        ) from error
