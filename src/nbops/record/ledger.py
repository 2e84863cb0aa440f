"""The ledger: a :class:`~nbops.model.Run` as JSON text, and back.

The text is canonical: keys sorted, one item a line where it fits (:mod:`nbops.record.layout`), numbers rounded (seconds to 3
decimals, others to 12 significant digits), lists in a fixed order, what is None, empty or at its default left out, UTF-8, a
newline at the end. Two runs over the same input differ only in times, ids, durations and memory, so a diff of two whole ledgers
(`nbops show --json`) reads as what changed.

What a ledger shares with an earlier one it may leave out and refer to (:mod:`nbops.record.refer`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from typing import Any

from nbops.errors import LedgerError
from nbops.model import Notice, Run
from nbops.record.codec import decode, encode
from nbops.record.jsonschemas import compiled
from nbops.record.layout import laid_out
from nbops.record.refer import Load, referred_runs, restore, shorten
from nbops.record.schema import SCHEMA_PATH, SCHEMA_VERSION

__all__ = ["SCHEMA_VERSION", "as_stored", "document_of", "from_json", "referred_runs", "stable_view", "to_json", "validate"]


def _to_2(document: dict[str, Any]) -> dict[str, Any]:
    """Version 2 leaves out what is at its default and may refer to earlier ledgers; what version 1 says reads the same."""
    return {**document, "schema_version": 2}


_UPGRADES: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {1: _to_2}
"""From a version to the next: a function for each version that is no longer written."""

_VOLATILE = frozenset({"finished_at", "from_run", "last_success", "peak_memory_bytes", "seconds", "started_at"})


_sorted_json = json.JSONEncoder(sort_keys=True).encode  # `json.dumps` makes one for each call


def _text(item: Mapping[str, Any], *names: str) -> tuple[str, ...]:
    return tuple(str(item.get(name, "")) for name in names)


def _ordered(document: dict[str, Any]) -> dict[str, Any]:
    """Put every list whose order says nothing into a fixed one; tasks stay in their topological order."""
    position = {task["name"]: index for index, task in enumerate(document.get("tasks", ()))}

    def by_task(item: Mapping[str, Any]) -> int:
        return position.get(item.get("task", ""), -1)

    for task in document.get("tasks", ()):
        _sort(task, "upstream", str)
        _sort(task, "cells", lambda cell: cell["index"])
    for dataset in document.get("datasets", ()):
        _sort(dataset, "measurements", lambda item: (*_text(item, "column", "metric"), _sorted_json(item)))
        _sort(dataset, "distributions", lambda item: item["column"])
    _sort(document, "anomalies", lambda item: _text(item, "subject", "monitor", "column", "metric"))
    _sort(document, "monitors", lambda item: _text(item, "monitor"))
    _sort(document, "datasets", lambda item: _text(item, "name", "path"))
    _sort(document, "checks", lambda item: (*_text(item["check"], "dataset", "id"), _sorted_json(item)))
    _sort(document, "quarantine", lambda item: _text(item, "dataset", "path"))
    _sort(document, "lineage", lambda item: _text(item, "source", "target", "kind", "how"))
    _sort(document, "column_lineage", by_task)
    _sort(document, "errors", by_task)
    _sort(document, "notices", lambda item: (by_task(item), *_text(item, "kind", "message")))
    return document


def _sort(holder: dict[str, Any], name: str, key: Callable[[Any], Any]) -> None:
    if name in holder:
        holder[name].sort(key=key)


def _document(run: Run) -> dict[str, Any]:
    return {**_ordered(encode(run)), "schema_version": SCHEMA_VERSION}


def to_json(run: Run, *, previous: str | None = None, load: Load | None = None) -> str:
    """Return the ledger's text for a run.

    Args:
        run: A scrubbed run; this function hides nothing.
        previous: Id of the run before; what its ledger holds is referred to. None writes everything.
        load: Returns the stored document of a run, for ``previous``.

    Returns:
        JSON that agrees with ``run.schema.json``, with a newline at the end.
    """
    document = _document(run)
    if previous is not None and load is not None:
        # earlier ledgers may have been edited by hand into what no reference can lead to: then nothing is left out
        with suppress(TypeError, ValueError, AttributeError, LookupError, OverflowError, RecursionError):
            document = shorten(document, previous=previous, load=load)
    return laid_out(document)


@lru_cache(maxsize=2)
def _validator(*, detailed: bool) -> Callable[[Any], Any]:
    """Return what checks a ledger; what says where it is wrong takes three times as long to make."""
    return compiled(json.loads(SCHEMA_PATH.read_text(encoding="utf-8")), detailed=detailed)


def validate(document: object) -> None:
    """Check a ledger against the schema that is shipped with nbops.

    Args:
        document: The parsed JSON of a ledger of the current version.

    Raises:
        LedgerError: The document does not agree; the message names the place and the rule.
    """
    from fastjsonschema import JsonSchemaValueException  # noqa: PLC0415

    with suppress(JsonSchemaValueException):
        _validator(detailed=False)(document)
        return
    try:
        _validator(detailed=True)(document)
    except JsonSchemaValueException as error:
        where = ".".join(str(part) for part in error.path) if error.path else "data"
        message = str(error.message)[:300]
        raise LedgerError(f"ledger: {where}: {message}. The format is described in {SCHEMA_PATH.name} of nbops.") from error


def _versioned(document: object) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise LedgerError(f"ledger: a JSON object is needed, found {type(document).__name__}.")
    version = document.get("schema_version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise LedgerError(f"ledger: schema_version: a whole number from 1 is needed, found {str(version)[:50]!r}.")
    if version > SCHEMA_VERSION:
        raise LedgerError(
            f"ledger: schema_version: {version} was written by a newer nbops; this one reads 1 to {SCHEMA_VERSION}. "
            "Upgrade it: `pip install --upgrade nbops`."
        )
    while version < SCHEMA_VERSION:
        document = _UPGRADES[version](document)
        version += 1
    return document


def document_of(text: str) -> dict[str, Any]:
    """Return the document of a ledger as it is stored, in the form of the current version.

    Args:
        text: The text of a ``run.json``.

    Raises:
        LedgerError: The text is no JSON, no ledger, or was written by a newer nbops.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise LedgerError(f"ledger: not JSON: {error}. Restore it with `git checkout -- <file>`.") from error
    return _versioned(document)


def _no_others(_: str) -> None:
    return None


def from_json(text: str, *, load: Load | None = None) -> Run:
    """Return the run that a ledger describes, whichever version of nbops up to this one wrote it.

    Args:
        text: The text of a ``run.json``.
        load: Returns the stored document of an earlier run that the ledger refers to, None when it cannot be read.

    Returns:
        The run; lists inside parameters and other free values come back as tuples. Where an earlier ledger is missing, what was
        to come from it is at its default, and a notice says so.

    Raises:
        LedgerError: The text is no JSON, no ledger, or was written by a newer nbops.
    """
    document = document_of(text)
    validate(document)
    try:
        document, problems = restore(document, load or _no_others)
        run: Run = decode(Run, document)
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        raise LedgerError(f"ledger: cannot be read: {error}.") from error
    lost = tuple(Notice(kind="ledger", message=problem, severity="error") for problem in problems)
    return replace(run, notices=(*run.notices, *lost)) if lost else run


_last: list[tuple[Run, Run]] = []


def as_stored(run: Run) -> Run:
    """Return a run as it comes back from its ledger: numbers rounded, lists in their order. Its pages are made from that.

    Args:
        run: A scrubbed run; the same one is asked for by each page that is made of it.

    Raises:
        LedgerError: The run does not agree with the schema.
    """
    if not _last or _last[0][0] is not run:
        _last[:] = [(run, from_json(json.dumps(_document(run))))]  # where its text stands on lines is no matter
    return _last[0][1]


def _without_volatile(value: Any, run_id: str) -> Any:
    if isinstance(value, dict):
        return {key: _without_volatile(item, run_id) for key, item in value.items() if key not in _VOLATILE}
    if isinstance(value, list):
        return [_without_volatile(item, run_id) for item in value]
    return value.replace(run_id, "<run>") if isinstance(value, str) and run_id else value


def stable_view(run: Run) -> dict[str, Any]:
    """Return the ledger without what differs between two runs over the same input.

    Left out are instants, durations, memory, ids of runs and the commit's hash (each run's own commit moves it); the run's id
    inside paths and messages reads ``<run>``.
    """
    view: dict[str, Any] = _without_volatile(_document(run), run.id)
    del view["id"]
    view.get("git", {}).pop("commit", None)
    return view
