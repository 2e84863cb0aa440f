"""Parts of a ledger that stand in an earlier one: left out with a reference when written, filled in when read.

A task, dataset, check result, check or environment may say ``as_in``: the id of an earlier run. It is then the item of the same
key there, with the fields that it states itself in place of that one's and without those that it names under ``without``. A field
that ends in ``+`` adds its entries to those of the mapping there. References lead to earlier runs only and are few steps long.

What an item must have, and its verdict, always stand in it: a run whose earlier ledgers are lost still tells what went how.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass
from functools import cache
from typing import Any

from nbops.model import Check, CheckResult, Dataset, Environment, TaskRun
from nbops.record.codec import field_types

__all__ = ["ADDED", "AS_IN", "REFERRING", "WITHOUT", "referred_runs", "restore", "shorten"]

AS_IN, WITHOUT, ADDED = "as_in", "without", "+"

REFERRING = (Check, CheckResult, Dataset, Environment, TaskRun)
"""The records that may refer to an earlier run."""

_STATED = frozenset({"verdict", "published", "changed", "rows", "from_run", "last_success", "started_at", "notebook"})
"""Stand in an item whatever the earlier one says: what a run is judged by, and what leads to files of a run."""

_LONGEST = 4
"""Steps from an item to the whole one at most."""

_WORTH = 40
"""Characters that a reference has to save, and that a shorter chain may cost."""

Document = Mapping[str, Any]
Key = tuple[str, ...]
Load = Callable[[str], Document | None]
"""Returns the document of a run as it is stored (references not followed), None when it cannot be read."""


@dataclass(frozen=True, slots=True)
class _Part:
    """Items of a ledger that may refer."""

    name: str
    record: type
    items: Callable[[Document], Iterator[tuple[Key, Document]]]


def _check_key(item: Document) -> Key:
    return (str(item["check"]["dataset"]), str(item["check"]["id"]))


def _definitions(document: Document) -> Iterator[tuple[Key, Document]]:
    yield from ((_check_key(item), item["check"]) for item in document.get("checks", ()))


def _results(document: Document) -> Iterator[tuple[Key, Document]]:
    yield from ((_check_key(item), item) for item in document.get("checks", ()))


def _datasets(document: Document) -> Iterator[tuple[Key, Document]]:
    yield from (((str(item["name"]),), item) for item in document.get("datasets", ()))


def _tasks(document: Document) -> Iterator[tuple[Key, Document]]:
    yield from (((str(item["name"]),), item) for item in document.get("tasks", ()))


def _environments(document: Document) -> Iterator[tuple[Key, Document]]:
    if document.get("environment") is not None:
        yield (), document["environment"]


_CHECK, _RESULT = _Part("check", Check, _definitions), _Part("result of check", CheckResult, _results)
_DATASET, _TASK = _Part("dataset", Dataset, _datasets), _Part("task", TaskRun, _tasks)
_ENVIRONMENT = _Part("environment", Environment, _environments)
_PARTS = (_CHECK, _RESULT, _DATASET, _TASK, _ENVIRONMENT)


@cache
def _kept(record: type) -> frozenset[str]:
    """Return the fields that always stand in an item itself."""
    needed = {
        name for name, (item, _) in field_types(record).items() if item.default is MISSING and item.default_factory is MISSING
    }
    return frozenset(needed) | _STATED


class _Stored:
    """The items of stored ledgers, each read once."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._indexes: dict[tuple[str, str], dict[Key, Document]] = {}
        self.lost: dict[str, list[str]] = {}

    def item(self, part: _Part, run_id: str, key: Key) -> Document | None:
        """Return an item as it is stored; None when it is not there or shares its key with another."""
        if (part.name, run_id) not in self._indexes:
            self._indexes[part.name, run_id] = _index(part, self._load(run_id) or {})
        return self._indexes[part.name, run_id].get(key)

    def chain(self, part: _Part, run_id: str, key: Key) -> list[tuple[str, Document]]:
        """Return the runs that hold an item, the nearest first, each with the whole item as it was there."""
        found = self.item(part, run_id, key)
        if found is None:
            return []
        onward = str(found.get(AS_IN, ""))
        further = self.chain(part, onward, key) if onward and onward < run_id else []
        if onward and not further:
            return []
        return [(run_id, _merged(found, further[0][1]) if further else found), *further]

    def whole(self, part: _Part, item: Document, key: Key, before: str) -> dict[str, Any]:
        """Return an item with what it leaves out; with what it has itself when the earlier one is not there."""
        onward = str(item.get(AS_IN, ""))
        chain = self.chain(part, onward, key) if onward and onward < before else []
        if onward and not chain:
            self.lost.setdefault(onward, []).append(f"{part.name} {' '.join(key)}".strip())
        return _merged(item, chain[0][1] if chain else {})


def _index(part: _Part, document: Document) -> dict[Key, Document]:
    pairs = list(part.items(document))
    keys = Counter(key for key, _ in pairs)
    return {key: item for key, item in pairs if keys[key] == 1}


def _merged(item: Document, base: Document) -> dict[str, Any]:
    """Return ``item`` laid over ``base``, which is whole."""
    without = set(item.get(WITHOUT, ()))
    found = {name: value for name, value in base.items() if name not in without}
    for name, value in item.items():
        if name.endswith(ADDED):
            found[name[:-1]] = {**found.get(name[:-1], {}), **value}
        elif name not in {AS_IN, WITHOUT}:
            found[name] = value
    return found


def _less(item: Document, base: Document, run_id: str, kept: frozenset[str]) -> dict[str, Any]:
    """Return ``item`` by what differs from ``base``."""
    found: dict[str, Any] = {AS_IN: run_id}
    for name, value in item.items():
        there = base.get(name)
        if name in kept or name not in base:
            found[name] = value
        elif value == there and type(value) is type(there):
            continue
        elif isinstance(value, dict) and isinstance(there, dict) and set(there) <= set(value):
            found[name + ADDED] = {key: part for key, part in value.items() if key not in there or part != there[key]}
        else:
            found[name] = value
    gone = sorted(set(base) - set(item))
    return {**found, **({WITHOUT: gone} if gone else {})}


def _size(item: Document) -> int:
    return len(json.dumps(item, ensure_ascii=False))


def _shortest(item: Document, chain: list[tuple[str, Document]], kept: frozenset[str]) -> Document:
    """Return the item itself or a reference: the shortest, and of those about as short the one with the fewest steps."""
    options = [_less(item, base, run_id, kept) for run_id, base in chain]
    if len(chain) >= _LONGEST:
        options = options[1 - _LONGEST :]
    sizes = [_size(option) for option in options]
    if not sizes or min(sizes) + _WORTH > _size(item):
        return item
    return next(option for option, size in zip(options[::-1], sizes[::-1], strict=True) if size <= min(sizes) + _WORTH)


def shorten(document: dict[str, Any], *, previous: str, load: Load) -> dict[str, Any]:
    """Return a ledger's document with references for what earlier ledgers hold.

    Args:
        document: The whole document of a run.
        previous: The run before, whose ledger can be read.
        load: Reads the stored document of a run.
    """
    stored = _Stored(load)

    def short(part: _Part, item: dict[str, Any], key: Key, unique: Mapping[Key, Document]) -> dict[str, Any]:
        if unique.get(key) is not item:
            return item
        return dict(_shortest(item, stored.chain(part, previous, key), _kept(part.record)))

    return _each(document, short)


def restore(document: dict[str, Any], load: Load) -> tuple[dict[str, Any], list[str]]:
    """Return the whole document that one with references stands for.

    Args:
        document: As it is stored.
        load: Reads the stored document of an earlier run.

    Returns:
        The document without references, and what could not be filled in, a sentence for each earlier run that is missing.
    """
    stored, run_id = _Stored(load), str(document["id"])
    whole = _each(document, lambda part, item, key, _: stored.whole(part, item, key, run_id))
    return whole, [_lost(lost, about) for lost, about in sorted(stored.lost.items())]


_Change = Callable[[_Part, dict[str, Any], Key, Mapping[Key, Document]], dict[str, Any]]


def _each(document: dict[str, Any], change: _Change) -> dict[str, Any]:
    """Return a document with each item that may refer changed."""
    unique = {part.name: _index(part, document) for part in _PARTS}
    made = dict(document)
    if "checks" in document:
        made["checks"] = [
            {
                **change(_RESULT, item, _check_key(item), unique[_RESULT.name]),
                "check": change(_CHECK, item["check"], _check_key(item), unique[_CHECK.name]),
            }
            for item in document["checks"]
        ]
    for name, part in (("datasets", _DATASET), ("tasks", _TASK)):
        if name in document:
            made[name] = [change(part, item, (str(item["name"]),), unique[part.name]) for item in document[name]]
    if document.get("environment") is not None:
        made["environment"] = change(_ENVIRONMENT, document["environment"], (), unique[_ENVIRONMENT.name])
    return made


def _lost(run_id: str, about: list[str]) -> str:
    named, more = ", ".join(about[:5]), len(about) - 5
    return (
        f"the ledger of run {run_id} is missing or damaged, and this run refers to it for details of {named}"
        f"{f' and {more} more' if more > 0 else ''}. Restore it: `git checkout -- reports/runs/{run_id}/run.json`."
    )


def referred_runs(document: Document) -> frozenset[str]:
    """Return the earlier runs that a stored document refers to."""
    return frozenset(str(item[AS_IN]) for part in _PARTS for _, item in part.items(document) if AS_IN in item)
