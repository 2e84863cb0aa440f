"""Where incidents are kept: ``reports/incidents/<id>.json``, a file each, canonical as ledgers are.

A file that cannot be read is said and left as it is: nothing here writes over it. Whoever changes incidents holds
:func:`incidents_lock` from reading to writing, so that a build and a command at the same time lose nothing of each other.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbops import model
from nbops.errors import LedgerError, did_you_mean
from nbops.history.incidents.kept import Entry, Kept, stamp_of
from nbops.model import Incident
from nbops.record.codec import decode, encode
from nbops.record.jsonschemas import compiled
from nbops.record.layout import laid_out
from nbops.record.store import replace_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

__all__ = [
    "FOLDER",
    "SCHEMA_VERSION",
    "Incidents",
    "count_live",
    "find_incident",
    "from_text",
    "incident_path",
    "incidents_lock",
    "load_incidents",
    "to_text",
    "write_incident",
]

FOLDER = "incidents"
SCHEMA_VERSION = 1
_ID = re.compile(r"INC-\d{8}T\d{6}Z-[0-9a-f]{6,64}", re.ASCII)
_LOCK_FILE = "incidents.lock"
_LOCK_SECONDS, _LOCK_STEP = 10.0, 0.05
_SHOWN_IDS = 10
_RESOLVED = re.compile(rb'^"resolved_run": "([^"]*)"', re.MULTILINE)
_LIVE = re.compile(rb'^"state": "(?:open|acknowledged)"', re.MULTILINE)
_STATE = re.compile(rb'^"state": "resolved"', re.MULTILINE)
_BY_HAND = re.compile(rb'"by": "')


@dataclass(frozen=True, slots=True, kw_only=True)
class Incidents:
    """What is in the folder."""

    found: tuple[Incident, ...]
    """Sorted by id, the oldest first."""
    problems: tuple[str, ...] = ()
    """Why a file cannot be read, a sentence each."""
    damaged: frozenset[str] = frozenset()
    """Ids of these."""


@contextmanager
def incidents_lock(state: Path) -> Iterator[None]:
    """Hold the incidents of a project for the moment that reading, changing and writing them takes.

    Args:
        state: The project's ``.nbops`` folder.

    Raises:
        LedgerError: Another process holds them for more than 10 seconds.
    """
    state.mkdir(parents=True, exist_ok=True)
    handle = os.open(state / _LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    until = time.monotonic() + _LOCK_SECONDS
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if time.monotonic() >= until:
                    raise LedgerError("incidents: another nbops command has been changing them for 10 seconds.") from error
                time.sleep(_LOCK_STEP)
        yield
    finally:
        os.close(handle)


def incident_path(reports: Path, incident_id: str) -> Path:
    """Return where an incident is kept.

    Raises:
        LedgerError: The id has not the form of one.
    """
    if not _ID.fullmatch(incident_id):
        raise LedgerError(
            f"incident {incident_id[:60]!r}: the form is INC-20261122T194156Z-1f0c9a. `nbops incidents` lists them."
        )
    return reports / FOLDER / f"{incident_id}.json"


def to_text(incident: Incident) -> str:
    """Return an incident as canonical JSON text."""
    return laid_out({**encode(incident), "schema_version": SCHEMA_VERSION})


@lru_cache(maxsize=1)
def _validator() -> Callable[[Any], Any]:
    from nbops.record.schema import definitions_of  # noqa: PLC0415 - only who reads an incident pays for it

    kinds = (model.Incident, model.IncidentFinding, model.IncidentEvent, model.Cause)
    definitions = definitions_of(kinds)
    return compiled({**definitions["Incident"], "definitions": definitions})


def from_text(text: str) -> Incident:
    """Return the incident that a file describes.

    Raises:
        LedgerError: It is none, or was written by a newer nbops.
    """
    return _decoded(_document_of(text))


def _decoded(document: Mapping[str, Any]) -> Incident:
    try:
        incident: Incident = decode(Incident, document)
    except (TypeError, ValueError, AttributeError, OverflowError, KeyError) as error:
        raise LedgerError(f"cannot be read: {error}") from error
    return incident


def _document_of(text: str) -> dict[str, Any]:
    """Return an incident in its plain form, without the version.

    Raises:
        LedgerError: As for :func:`from_text`.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise LedgerError(f"not JSON: {error}") from error
    if not isinstance(document, dict):
        raise LedgerError(f"a JSON object is needed, found {type(document).__name__}")
    version = document.pop("schema_version", None)
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise LedgerError(f"schema_version: a whole number from 1 is needed, found {str(version)[:50]!r}")
    if version > SCHEMA_VERSION:
        raise LedgerError(f"schema_version: {version} was written by a newer nbops; upgrade it: `pip install --upgrade nbops`")
    from fastjsonschema import JsonSchemaValueException  # noqa: PLC0415

    try:
        _validator()(document)
    except JsonSchemaValueException as error:
        where = ".".join(str(part) for part in error.path)
        raise LedgerError(f"{where}: {str(error.message)[:300]}") from error
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        raise LedgerError(f"cannot be read: {error}") from error
    return document


def load_incidents(reports: Path, *, since: str | None = None, cache: Path | None = None) -> Incidents:
    """Return the stored incidents.

    Args:
        reports: The project's ``reports`` folder.
        since: Leave out those that a run before this one resolved.
        cache: Folder of what was read before, such as ``.nbops/cache``; None reads all files.
    """
    try:
        there = sorted(
            (entry for entry in os.scandir(reports / FOLDER) if entry.name.endswith(".json")), key=lambda one: one.name
        )
    except OSError:
        return Incidents(found=())
    kept = Kept(cache) if cache is not None else None
    found: list[Incident] = []
    problems, damaged = [], set()
    for file in there:
        name = file.name
        incident_id = name.removesuffix(".json")
        if not _ID.fullmatch(incident_id):
            continue
        try:
            incident = _read_one(file, incident_id, since=since, kept=kept)
            found += [incident] if incident is not None else []
        except (OSError, UnicodeDecodeError, LedgerError) as error:
            damaged.add(incident_id)
            reason = str(error.strerror if isinstance(error, OSError) else error).rstrip(".")
            place = f"{reports.name}/{FOLDER}/{name}"
            problems.append(f"{place}: {reason}. It is left as it is; `git checkout -- {place}` restores it.")
    if kept is not None:
        kept.write(file.name for file in there)
    return Incidents(found=tuple(found), problems=tuple(problems), damaged=frozenset(damaged))


def count_live(reports: Path) -> int:
    """Return how many incidents are open or acknowledged, without reading more than that of them."""
    found = 0
    with suppress(OSError):
        for entry in os.scandir(reports / FOLDER):
            with suppress(OSError):
                if _ID.fullmatch(entry.name.removesuffix(".json")):
                    found += bool(_LIVE.search(Path(entry.path).read_bytes()))
    return found


def _read_one(file: os.DirEntry[str], incident_id: str, *, since: str | None, kept: Kept | None) -> Incident | None:
    """Return the incident of a file; None where a run before ``since`` resolved it.

    Raises:
        OSError, UnicodeDecodeError, LedgerError: It cannot be read.
    """
    stamp = stamp_of(file.stat()) if kept is not None else []
    known = kept.get(file.name, stamp) if kept is not None else None
    if known is not None:
        if _is_before(known.past, since):
            return None
        with suppress(LedgerError):  # what is damaged may be the cache
            return _checked(known.document, incident_id)
    data = Path(file.path).read_bytes()
    past = _past(data)
    try:
        if kept is None and _is_before(past, since):
            return None
        document = _document_of(data.decode())
        incident = _checked(document, incident_id)
    except (UnicodeDecodeError, LedgerError):
        if _is_before(past, since):  # said where all are read
            return None
        raise
    if kept is not None:
        kept.put(file.name, stamp, Entry(past, document))
    return None if _is_before(past, since) else incident


def _checked(document: Mapping[str, Any], incident_id: str) -> Incident:
    incident = _decoded(document)
    if incident.id != incident_id:
        raise LedgerError(f"it is the file of {incident.id[:60]!r}; it was renamed or copied")
    return incident


def _is_before(past: str | None, since: str | None) -> bool:
    return past is not None and since is not None and past < since


def _past(data: bytes) -> str | None:
    """Return the run that resolved an incident, None where none did; of what people resolved the findings must be looked at."""
    ended = _RESOLVED.search(data) if _STATE.search(data) and not _BY_HAND.search(data) else None
    return ended[1].decode("ascii", "replace") if ended is not None else None


def write_incident(reports: Path, incident: Incident) -> Path:
    """Write an incident's file, in place of an earlier one.

    Raises:
        LedgerError: It cannot be written.
    """
    path = incident_path(reports, incident.id)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, to_text(incident).encode())
    except OSError as error:
        raise LedgerError(f"{path}: cannot be written ({error.strerror or error}).") from error
    return path


def find_incident(incidents: Iterable[Incident], text: str, *, damaged: Iterable[str] = ()) -> Incident:
    """Return the incident that somebody means: its id, or the beginning or end of it, in any case; with or without ``INC-``.

    Raises:
        LedgerError: None fits, or more than one does.
    """
    every = {item.id: item for item in incidents}
    wanted = text.strip().casefold()
    fits = [key for key in every if wanted and _fits(key.casefold(), wanted)]
    exact = [key for key in every if key.casefold() == wanted]
    if len(exact) == 1 or len(fits) == 1:
        return every[(exact or fits)[0]]
    if fits:
        shown = ", ".join(fits[-_SHOWN_IDS:])
        raise LedgerError(f"incident {text[:60]!r}: {len(fits)} incidents fit. Write more of the id, among: {shown}.")
    broken = [key for key in damaged if wanted and _fits(key.casefold(), wanted)]
    if broken:
        raise LedgerError(
            f"incident {broken[0]}: its file is damaged. `git checkout -- reports/incidents/{broken[0]}.json` restores it."
        )
    if not every:
        raise LedgerError(f"incident {text[:60]!r}: there are no incidents.")
    raise LedgerError(f"incident {text[:60]!r}: there is no such incident. {did_you_mean(wanted[:60], [*every][-_SHOWN_IDS:])}")


def _fits(key: str, wanted: str) -> bool:
    return key.startswith((wanted, f"inc-{wanted}")) or key.endswith(wanted)
