"""Where ledgers are kept: ``reports/runs/<run_id>/run.json``, one folder a run.

A ledger is written beside its place and renamed, so that it is there whole or not at all. Nothing here removes a ledger.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import tempfile
import time
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbops.errors import LedgerError, did_you_mean
from nbops.model import Notice, Run
from nbops.record.ledger import document_of, from_json, to_json, validate

if TYPE_CHECKING:
    from nbops.record.refer import Load

__all__ = [
    "LEDGER",
    "TICK",
    "latest_run",
    "ledger_path",
    "load_runs",
    "loader",
    "new_run_id",
    "newest_ids",
    "read_run",
    "read_status",
    "replace_file",
    "resolve_run_id",
    "run_before",
    "run_folders",
    "run_ids",
    "write_failure",
    "write_run",
]

LEDGER = "run.json"
_RUN_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}", re.ASCII)
_RUN_IDS = re.compile(rf"(?<=/){_RUN_ID.pattern}(?=/)", re.ASCII)
_ENDED = frozenset({"succeeded", "failed", "interrupted"})
_KEPT_DOCUMENTS = 8
_KEPT_RUNS = 4
_SHOWN_IDS = 10  # an error names at most this many runs
TICK = 50_000_000
"""Nanoseconds after which a change of a folder cannot have the same time as the one before: file systems count in up to 10 ms."""

_HINTS = {
    errno.ENOSPC: "the disk is full: free some space (`nbops gc` removes old pages) and build again",
    errno.EDQUOT: "your disk quota is used up: free some space (`nbops gc` removes old pages) and build again",
    errno.EROFS: "the file system is read-only: mount it writable, or run the project from a place that is",
    errno.EACCES: "you may not write there: change the folder's permissions or owner",
    errno.EPERM: "you may not write there: change the folder's permissions or owner",
    errno.ENOTDIR: "a file stands where a folder is needed: move it away",
    errno.EEXIST: "a file stands where a folder is needed: move it away",
}


def new_run_id(now: datetime) -> str:
    """Return a fresh id that sorts by time: UTC to the second, then six random hexadecimal digits.

    Args:
        now: An instant with a time zone; without one it is taken as UTC.

    >>> from datetime import datetime, timezone
    >>> new_run_id(datetime(2026, 11, 22, 19, 41, 56, tzinfo=timezone.utc))[:17]
    '20261122T194156Z-'
    """
    instant = now.astimezone(timezone.utc) if now.tzinfo else now
    return f"{instant:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def ledger_path(reports: Path, run_id: str) -> Path:
    """Return where the ledger of a run is kept.

    Raises:
        LedgerError: ``run_id`` has not the form of one (which also keeps paths such as ``../x`` out).
    """
    if not _RUN_ID.fullmatch(run_id):
        raise LedgerError(f"run id {run_id[:60]!r}: the form is 20261122T194156Z-1f0c9a. `nbops runs` lists them.")
    return reports.joinpath("runs", run_id, LEDGER)


def write_failure(path: Path, error: OSError) -> LedgerError:
    """Return the error that says why something could not be written or removed, and what to do."""
    hint = _HINTS.get(error.errno or 0, "see that the folder can be written to, and build again")
    return LedgerError(f"{path}: cannot be written ({error.strerror or error}); {hint}.")


@contextmanager
def _new_folder(folder: Path) -> Iterator[None]:
    """Make a folder; when the block fails, take away again what was made and is empty."""
    made = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        for parent in made:
            with suppress(OSError):
                parent.rmdir()
        raise


def _sync_folder(folder: Path) -> None:
    """Make a rename durable; file systems and platforms that cannot are left alone."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def replace_file(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Write a file so that its place holds the old content or the new one, whatever is killed when.

    Args:
        path: The file; its folder exists.
        data: The whole content.
        durable: Also survive a loss of power.

    Raises:
        OSError: It could not be written; nothing is left behind.
    """
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            if durable:
                os.fsync(stream.fileno())
        mask = os.umask(0)
        os.umask(mask)
        Path(name).chmod(0o666 & ~mask)  # mkstemp makes it private; a ledger is for the team
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
    if durable:
        _sync_folder(path.parent)


def write_run(reports: Path, run: Run) -> Path:
    """Write a run's ledger, in place of an earlier one of the same run.

    Args:
        reports: The project's ``reports`` folder; made when it is missing.
        run: A scrubbed run.

    Returns:
        The path of the ledger.

    Raises:
        LedgerError: It could not be written; what to do is said, and nothing half-written is left.
    """
    path = ledger_path(reports, run.id)
    load = loader(reports)
    data = to_json(run, previous=_previous(reports, run, load), load=load).encode()
    listed = _known_folders(reports)
    try:
        with _new_folder(path.parent):
            _note_folder(reports, run.id, listed)
            replace_file(path, data)
    except OSError as error:
        raise write_failure(path, error) from error
    return path


def _previous(reports: Path, run: Run, load: Load) -> str | None:
    """Return the run before whose ledger a run's may refer to: one that has ended, as its ledger is not written again.

    A run that still goes on refers to none: it is written anew with each task.
    """
    if run.status == "running":
        return None
    earlier = newest_ids(reports, before=run.id)
    return next((run_id for run_id in earlier if (load(run_id) or {}).get("status") in _ENDED), None)


_Stamp = tuple[int, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """A run as it was read, and what its ledger and those that it refers to were like then."""

    run: Run
    stamps: Mapping[Path, _Stamp]


_read: dict[Path, _Read] = {}
"""The runs that this process read last: a build asks for the one before it again and again."""


def _stamp(path: Path) -> _Stamp:
    """Return what changes when a file does; None when it is not there."""
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns


def loader(reports: Path) -> Load:
    """Return what reads the stored documents of runs, the last few of them once; None for one that cannot be read."""

    @lru_cache(maxsize=_KEPT_DOCUMENTS)
    def load(run_id: str) -> Mapping[str, Any] | None:
        try:
            document = document_of(ledger_path(reports, run_id).read_bytes().decode())
            validate(document)
        except (OSError, UnicodeDecodeError, LedgerError):
            return None
        return document if document.get("id") == run_id else None

    return load


def read_run(reports: Path, run_id: str, *, load: Load | None = None) -> Run:
    """Return a stored run.

    Args:
        reports: The project's ``reports`` folder.
        run_id: The run.
        load: From :func:`loader`, where several runs are read: what they refer to is then read once.

    Returns:
        The run. Where a ledger that it refers to is missing, details are too, and a notice says so.

    Raises:
        LedgerError: There is none of that id, or its ledger is damaged.
    """
    path = ledger_path(reports, run_id)
    known = _read.get(path)
    if known is not None and all(_stamp(other) == stamp for other, stamp in known.stamps.items()):
        return known.run
    stamps, read = {path: _stamp(path)}, load or loader(reports)

    def noting(other: str) -> Mapping[str, Any] | None:
        with suppress(LedgerError):
            stamps.setdefault(ledger_path(reports, other), _stamp(ledger_path(reports, other)))
        return read(other)

    text = _text_of(path)
    try:
        run = from_json(text, load=noting)
    except LedgerError as error:
        raise LedgerError(f"{path}: {error}") from error
    if run.id != run_id:
        raise LedgerError(f"{path}: it is the ledger of run {run.id!r}; the folder was renamed or copied.")
    if load is None:  # what it has read before may have changed since
        _read[path] = _Read(run=run, stamps=stamps)
        while len(_read) > _KEPT_RUNS:
            del _read[next(iter(_read))]
    return run


def read_status(reports: Path, run_id: str) -> str:
    """Return how a stored run ended, or ``running``; what its ledger refers to is not looked at.

    Raises:
        LedgerError: There is none of that id, or its ledger is damaged.
    """
    path = ledger_path(reports, run_id)
    text = _text_of(path)
    try:
        document = document_of(text)
        validate(document)
    except LedgerError as error:
        raise LedgerError(f"{path}: {error}") from error
    if document["id"] != run_id:
        raise LedgerError(f"{path}: it is the ledger of run {document['id']!r}; the folder was renamed or copied.")
    return str(document["status"])


def _text_of(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except FileNotFoundError as error:
        raise LedgerError(f"{path}: there is no such run. `nbops runs` lists them.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise LedgerError(f"{path}: cannot be read: {error}. `git checkout -- {path.name}` there restores it.") from error


def run_ids(reports: Path) -> list[str]:
    """Return the ids of all stored runs, the newest last. Each ledger is looked for: what needs a few takes ``newest_ids``."""
    return list(newest_ids(reports))[::-1]


def newest_ids(reports: Path, *, before: str | None = None) -> Iterator[str]:
    """Yield the ids of stored runs, the newest first; no more ledgers are looked for than are asked for.

    Args:
        reports: The project's ``reports`` folder.
        before: Only those before this run; it need not be there.
    """
    names = run_folders(reports)
    folder = f"{reports / 'runs'}{os.sep}"
    for place in range((len(names) if before is None else bisect_left(names, before)) - 1, -1, -1):
        if os.path.isfile(f"{folder}{names[place]}{os.sep}{LEDGER}"):  # noqa: PTH113 - as text
            yield names[place]


def run_folders(reports: Path) -> list[str]:
    """Return the names of all folders that are called as a run is, the newest last; whether a ledger is in them is not asked."""
    known = _known_folders(reports)
    if known is not None:
        return list(known)
    folder = reports / "runs"
    state = _folder_state(folder)
    try:
        names = os.listdir(folder)  # noqa: PTH208 - as text it costs a tenth
    except OSError:
        return []
    found = sorted(_RUN_IDS.findall("/".join(("", *names, ""))))  # no name has a slash
    if state is not None and time.time_ns() - state[2] > TICK:  # else it may change again without a sign of it
        _listed[folder] = (state, tuple(found))
    return found


_Folder = tuple[int, int, int, int]
_listed: dict[Path, tuple[_Folder, tuple[str, ...]]] = {}
"""The folders of runs that this process listed, and what tells whether one was added or taken away since."""


def _folder_state(folder: Path) -> _Folder | None:
    try:
        state = folder.stat()
    except OSError:
        return None
    return state.st_dev, state.st_ino, state.st_mtime_ns, state.st_nlink


def _known_folders(reports: Path) -> tuple[str, ...] | None:
    """Return what was listed before when nothing was added or taken away since."""
    folder = reports / "runs"
    known = _listed.get(folder)
    return known[1] if known is not None and known[0] == _folder_state(folder) else None


def _note_folder(reports: Path, run_id: str, before: tuple[str, ...] | None) -> None:
    """Take a folder that was just made into what is known, when the number of links tells that it is the only change."""
    folder = reports / "runs"
    state, known = _folder_state(folder), _listed.get(folder)
    if before is None or state is None or known is None:
        return
    if state[3] == known[0][3] + 1 and (not before or run_id > before[-1]):
        _listed[folder] = (state, (*before, run_id))


def latest_run(reports: Path) -> Run | None:
    """Return the newest run whose ledger can be read, None when there is none."""
    for run_id in reversed(run_folders(reports)):
        with suppress(LedgerError):
            return read_run(reports, run_id)
    return None


def run_before(reports: Path, run_id: str) -> Run | None:
    """Return the newest run before another whose ledger can be read and that has ended, None when there is none."""
    for earlier in newest_ids(reports, before=run_id):
        with suppress(LedgerError):
            run = read_run(reports, earlier)
            if run.status in _ENDED:
                return run
    return None


def load_runs(reports: Path) -> tuple[list[Run], list[Notice]]:
    """Return all stored runs, the newest last, and a notice for each ledger that cannot be read."""
    load = loader(reports)
    found = [_run_or_notice(reports, run_id, load) for run_id in run_ids(reports)]
    return [item for item in found if isinstance(item, Run)], [item for item in found if isinstance(item, Notice)]


def _run_or_notice(reports: Path, run_id: str, load: Load) -> Run | Notice:
    try:
        return read_run(reports, run_id, load=load)
    except LedgerError as error:
        return Notice(kind="ledger", message=str(error))


def resolve_run_id(reports: Path, text: str) -> str:
    """Return the run that somebody means: ``latest``, an id, or the beginning or the end of one.

    Raises:
        LedgerError: There are no runs, none fits, or more than one does.
    """
    ids = run_ids(reports)
    if not ids:
        raise LedgerError(f"{reports / 'runs'}: there are no runs yet. `ploomber build` makes the first.")
    if text == "latest":
        return ids[-1]
    wanted = text.strip()
    found = [run_id for run_id in ids if wanted and (run_id.startswith(wanted) or run_id.endswith(wanted))]
    if wanted in ids or len(found) == 1:
        return wanted if wanted in ids else found[0]
    if found:
        shown = ", ".join(found[-_SHOWN_IDS:])
        raise LedgerError(f"run {text[:60]!r}: {len(found)} runs fit. Write more of the id, among: {shown}.")
    raise LedgerError(f"run {text[:60]!r}: there is no such run. {did_you_mean(wanted[:60], ['latest', *ids[-_SHOWN_IDS:]])}")
