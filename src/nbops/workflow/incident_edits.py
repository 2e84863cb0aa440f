"""What somebody says about an incident, written into its file and committed as any record."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Literal

from nbops.errors import GuardError, LedgerError
from nbops.history.incidents.course import is_live
from nbops.history.incidents.people import said
from nbops.history.incidents.store import (
    FOLDER,
    find_incident,
    incidents_lock,
    load_incidents,
    to_text,
    write_incident,
)
from nbops.record.commit import commit_reports
from nbops.record.committed import forget_committed
from nbops.record.git import Git
from nbops.record.guard import refuse, scan
from nbops.record.scrub import PersonalValues, collect_secrets
from nbops.record.store import newest_ids, read_status
from nbops.workflow.alerting import tell_of
from nbops.workflow.lock import holder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from nbops.contract.config import Config
    from nbops.model import Incident

__all__ = ["Edit", "edit", "guard_of", "last_ended", "who"]

Word = Literal["acknowledged", "noted", "resolved", "expected", "reopened"]
_LONGEST = 1_000
_NAMED = 3
_NOBODY = "somebody"


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """What became of something that somebody said."""

    incidents: tuple[Incident, ...]
    said: tuple[str, ...]
    """Sentences for the user."""


def who(root: Path) -> str:
    """Return who works here, as git names them; never an address."""
    name = os.environ.get("GIT_AUTHOR_NAME") or Git(folder=root).maybe("config", "user.name") or ""
    return " ".join(name.partition("@")[0].split())[:100] or _NOBODY


def last_ended(reports: Path) -> str | None:
    """Return the newest run that is not going on, None when there is none."""
    for run_id in newest_ids(reports):
        with suppress(LedgerError):  # of a damaged ledger the next is asked
            if read_status(reports, run_id) != "running":
                return run_id
    return None


def edit(
    root: Path,
    config: Config,
    word: Word,
    *,
    message: str,
    until: str | None = None,
    target: str | None = None,
    chosen: Callable[[Incident], bool] | None = None,
) -> Edit:
    """Say something about an incident, or about several.

    Args:
        root: The project's root.
        config: The project's settings.
        word: What is said.
        message: In words.
        until: Of ``expected``: the last day on which it is.
        target: The incident's id, or the beginning or end of it.
        chosen: Else which of the live ones it is said of.

    Raises:
        LedgerError: There is no such incident, what is said makes no sense for it, or it cannot be written.
        GuardError: The message holds something private; nothing was written.
    """
    reports = root / config.reports
    with incidents_lock(root / ".nbops"):
        stored = load_incidents(reports)
        if target is not None:
            wanted = [find_incident(stored.found, target, damaged=stored.damaged)]
            _sensible(wanted[0], word)
        else:
            wanted = [item for item in stored.found if is_live(item) and chosen is not None and chosen(item)]
        if not wanted:
            return Edit(incidents=(), said=stored.problems)
        run, at, by = last_ended(reports), _now(), who(root)
        text = " ".join(message.split())[:_LONGEST]
        done = [said(item, _word(item, word), at=at, run=run, by=by, message=text, until=until) for item in wanted]
        check = guard_of(root, config)
        names = [f"{config.reports}/{FOLDER}/{item.id}.json" for item in done]
        try:
            check(zip(names, (to_text(item).encode() for item in done), strict=True))
        except GuardError as error:
            raise GuardError(f"{error}\nNothing was written.") from error
        paths = [write_incident(reports, item) for item in done]
    trouble, pages = _pages_again(root, config, run)
    said_of_it = _committed(root, config, done, paths=[*paths, *pages], message=_subject(word, done), check=check)
    told = tell_of(done, root=root, config=config, check=lambda text: _private(check, text))
    return Edit(incidents=tuple(done), said=(*stored.problems, *trouble, *said_of_it, *told))


def _pages_again(root: Path, config: Config, run_id: str | None) -> tuple[tuple[str, ...], list[Path]]:
    """Have the pages of now say it too, unless a build goes on, which will; return what to tell, and which may be new."""
    reports = root / config.reports
    if run_id is None or not (reports / "index.html").is_file() or holder(root) is not None:
        return (), []
    from nbops.workflow.rebuild import rebuild_pages  # noqa: PLC0415 - loads templates

    before = _pages_of_now(reports)
    try:
        made = rebuild_pages(root, config, run_id=run_id, older=False)
    except Exception as error:  # noqa: BLE001 - what was said is written
        return (f"the pages could not be made again: {type(error).__name__}: {error}; `nbops render` makes them",), []
    return (), [
        *(path for path, stamp in _pages_of_now(reports).items() if before.get(path) != stamp),
        *(path for made_of in made.runs for path in (reports / "runs" / made_of).rglob("*.html")),
    ]


def _pages_of_now(reports: Path) -> dict[Path, tuple[int, int, int]]:
    """Return the pages that tell of all runs together, and what changes when one is written."""
    found = {}
    for folder in (reports, reports / FOLDER, reports / "monitoring"):
        for path in folder.glob("*.html"):
            with suppress(OSError):
                state = path.stat()
                found[path] = (state.st_ino, state.st_size, state.st_mtime_ns)
    return found


def _private(check: Callable[[Iterable[tuple[str, bytes]]], None], text: bytes) -> Sequence[object]:
    try:
        check([("messages", text)])
    except GuardError as error:
        return (error,)
    return ()


def _sensible(incident: Incident, word: Word) -> None:
    if word == "acknowledged" and incident.state in {"resolved", "expected"}:
        raise LedgerError(f"incident {incident.id}: it is {incident.state}, so there is nothing to acknowledge.")
    if word == "resolved" and incident.state == "resolved":
        raise LedgerError(f"incident {incident.id}: it is resolved already, since {incident.resolved_at}.")
    if word == "reopened" and incident.state in {"open", "acknowledged"}:
        raise LedgerError(f"incident {incident.id}: it is {incident.state}, so there is nothing to reopen.")


def _word(incident: Incident, word: Word) -> Word:
    return "noted" if word == "acknowledged" and incident.state == "acknowledged" else word


def _now() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def guard_of(root: Path, config: Config) -> Callable[[Iterable[tuple[str, bytes]]], None]:
    """Return what refuses files, by name and content, that hold secrets or values of personal columns of what is published."""
    secrets = collect_secrets({}, os.environ, config.secrets)
    personal = _personal_values(root, config)

    def check(files: Iterable[tuple[str, bytes]]) -> None:
        refuse(scan(files, secrets=secrets, personal=personal, root=root))

    return check


def _personal_values(root: Path, config: Config) -> PersonalValues | None:
    """Return the values of personal columns of what is published now; None where no contract names any."""
    from nbops.contract.odcs import load_contracts  # noqa: PLC0415 - only who writes pays for it
    from nbops.workflow.datasets import format_of  # noqa: PLC0415
    from nbops.workflow.recheck import published_datasets  # noqa: PLC0415

    contracts = load_contracts(root / config.contracts)
    columns = {name: sorted(contract.personal_columns) for name, contract in contracts.items() if contract.personal_columns}
    if not columns:
        return None
    places = {name: item.path for name, item in published_datasets(root, config).items()}
    sources = [
        (places[name], format_of(places[name].name), wanted)
        for name, wanted in columns.items()
        if name in places and places[name].is_file()
    ]
    return PersonalValues.from_files(sources, columns=sorted({name for names in columns.values() for name in names}))


def _subject(word: Word, done: Sequence[Incident]) -> str:
    more = f" and {len(done) - _NAMED} more" if len(done) > _NAMED else ""
    return f"nbops: {word} {', '.join(item.id for item in done[:_NAMED])}{more}"


def _committed(
    root: Path,
    config: Config,
    done: Sequence[Incident],
    *,
    paths: Sequence[Path],
    message: str,
    check: Callable[[Iterable[tuple[str, bytes]]], None],
) -> tuple[str, ...]:
    if not config.commit:
        forget_committed(root / ".nbops/cache")  # what leads to older runs may differ now
        return ()
    outcome = commit_reports(
        root,
        reports=config.reports,
        files=paths,
        message=message,
        trailers={"Nbops-Incident": " ".join(item.id for item in done)},
        check=check,
    )
    if outcome.status not in {"committed", "nothing"}:
        forget_committed(root / ".nbops/cache")
    if outcome.status == "committed":
        return (f"committed as {(outcome.commit or '')[:10]}",)
    return (outcome.message,) if outcome.message and outcome.status != "nothing" else ()
