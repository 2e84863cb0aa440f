"""Parts of a ledger that stand in an earlier one: left out with a reference when written, filled in when read.

A task, its lineage, a dataset, check result, check or environment may say ``as_in``: the id of an earlier run. It is then the
item of the same key there, with the fields that it states itself in place of that one's and without those that it names under
``without``. A field that ends in ``+`` adds its entries to those of the mapping there, or puts its measurements in place of those
there of the same metric, column and arguments. References lead to earlier runs only and are few steps long.

What an item must have, and its verdict, always stand in it: a run whose earlier ledgers are lost still tells what went how. The
check results of a dataset that was carried over are one entry of ``carried_checks`` together, but for those that changed, which
stand among ``checks``; ``carried_datasets`` names the datasets of which nothing changed, by the run that measured them, and
``carried_lineage`` the run whose ``lineage`` is the same.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import MISSING
from functools import cache
from typing import Any

from nbops.model import Check, CheckResult, Dataset, Environment, TaskLineage, TaskRun
from nbops.record.codec import field_types
from nbops.record.ledger_parts import CHECK, DATASET, ENVIRONMENT, LINEAGE, PARTS, RESULT, TASK, Document, Key, Part, check_key

__all__ = [
    "ADDED",
    "AS_IN",
    "CARRIED",
    "CARRIED_DATASETS",
    "CARRIED_LINEAGE",
    "MEASUREMENTS",
    "REFERRING",
    "WITHOUT",
    "referred_runs",
    "restore",
    "shorten",
]

AS_IN, WITHOUT, ADDED, MEASUREMENTS = "as_in", "without", "+", "measurements"
CARRIED, CARRIED_DATASETS, CARRIED_LINEAGE = "carried_checks", "carried_datasets", "carried_lineage"
_FLOWS = "lineage"

REFERRING = (Check, CheckResult, Dataset, Environment, TaskLineage, TaskRun)
"""The records that may refer to an earlier run."""

_STATED = frozenset({"verdict", "published", "changed", "rows", "from_run", "last_success", "started_at", "notebook"})
"""Stand in an item whatever the earlier one says: what a run is judged by, and what leads to files of a run."""

_LONGEST = 4
"""Steps from an item to the whole one at most. One more for what was carried over, so that a run with nothing to do does not
state all hashes anew when the run before it was the last of a chain."""

_WORTH = 40
"""Characters that a reference has to save, and that a shorter chain may cost."""

Load = Callable[[str], Document | None]
"""Returns the document of a run as it is stored (references not followed), None when it cannot be read."""


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
        self._raw = load
        self._documents: dict[str, Document] = {}
        self._indexes: dict[tuple[str, str], dict[Key, Document]] = {}
        self.lost: dict[str, list[str]] = {}

    def _load(self, run_id: str) -> Document:
        if run_id not in self._documents:
            self._documents[run_id] = _unfolded(self._raw(run_id) or {}, self._raw)[0]
        return self._documents[run_id]

    def item(self, part: Part, run_id: str, key: Key) -> Document | None:
        """Return an item as it is stored; None when it is not there or shares its key with another."""
        if (part.name, run_id) not in self._indexes:
            self._indexes[part.name, run_id] = _index(part, self._load(run_id))
        return self._indexes[part.name, run_id].get(key)

    def chain(self, part: Part, run_id: str, key: Key) -> list[tuple[str, Document]]:
        """Return the runs that hold an item, the nearest first, each with the whole item as it was there."""
        found = self.item(part, run_id, key)
        if found is None:
            return []
        onward = str(found.get(AS_IN, ""))
        further = self.chain(part, onward, key) if onward and onward < run_id else []
        if onward and not further:
            return []
        return [(run_id, _merged(found, further[0][1]) if further else found), *further]

    def _missing(self, part: Part, run_id: str, key: Key) -> str:
        """Return the run of a broken chain whose ledger does not hold the item: those before it in the chain are whole."""
        while (found := self.item(part, run_id, key)) is not None and "" < (onward := str(found.get(AS_IN, ""))) < run_id:
            run_id = onward
        return run_id

    def results(self, run_id: str, dataset: str) -> dict[Key, dict[str, Any]]:
        """Return the whole check results of a dataset in a run."""
        document = self._load(run_id)
        keys = [key for key, _ in RESULT.items(document) if key[0] == dataset]
        found = {key: (self.chain(RESULT, run_id, key), self.chain(CHECK, run_id, key)) for key in keys}
        return {key: {**result[0][1], "check": check[0][1]} for key, (result, check) in found.items() if result and check}

    def whole(self, part: Part, item: Document, key: Key, before: str) -> dict[str, Any]:
        """Return an item with what it leaves out; with what it has itself when the earlier one is not there."""
        onward = str(item.get(AS_IN, ""))
        chain = self.chain(part, onward, key) if onward and onward < before else []
        if onward and not chain:
            self.lost.setdefault(self._missing(part, onward, key), []).append(f"{part.name} {' '.join(key)}".strip())
        return _merged(item, chain[0][1] if chain else {})


def _index(part: Part, document: Document) -> dict[Key, Document]:
    pairs = list(part.items(document))
    keys = Counter(key for key, _ in pairs)
    return {key: item for key, item in pairs if keys[key] == 1}


def _merged(item: Document, base: Document) -> dict[str, Any]:
    """Return ``item`` laid over ``base``, which is whole."""
    without = set(item.get(WITHOUT, ()))
    found = {name: value for name, value in base.items() if name not in without}
    for name, value in item.items():
        if name.endswith(ADDED):
            there = found.get(name[:-1])
            found[name[:-1]] = _replaced(there or [], value) if isinstance(value, list) else {**(there or {}), **value}
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
        elif value == there and type(value) is type(there) and (name != MEASUREMENTS or _of_a_kind(value, there)):
            continue
        elif isinstance(value, dict) and isinstance(there, dict) and set(there) <= set(value):
            found[name + ADDED] = {key: part for key, part in value.items() if key not in there or part != there[key]}
        elif name == MEASUREMENTS and (moved := _moved(value, there)) is not None:
            found[name + ADDED] = moved
        else:
            found[name] = value
    gone = sorted(set(base) - set(item))
    return {**found, **({WITHOUT: gone} if gone else {})}


def _measured(item: Document) -> tuple[str, ...]:
    """Return what a measurement is of, which its value is not."""
    arguments = item.get("arguments")
    said = json.dumps(arguments, sort_keys=True) if arguments else ""
    return (str(item.get("metric")), "column" if "column" in item else "", str(item.get("column")), said)


def _moved(items: list[Document], there: Any) -> list[Document] | None:
    """Return the measurements that have another value there; None where others were taken there, or in another order."""
    if not isinstance(there, list) or len(items) != len(there):
        return None
    keys = [_measured(item) for item in items]
    if len(set(keys)) < len(keys) or keys != [_measured(item) for item in there]:
        return None
    return [item for item, old in zip(items, there, strict=True) if item != old or _kind(item) is not _kind(old)]


def _kind(item: Document) -> type:
    return type(item.get("value"))  # 1, 1.0 and true are equal, and not the same


def _of_a_kind(items: list[Document], there: list[Document]) -> bool:
    return all(_kind(item) is _kind(old) for item, old in zip(items, there, strict=True))


def _replaced(items: list[Document], moved: list[Document]) -> list[Document]:
    """Return measurements with those that have another value in their places."""
    by_key = {_measured(item): item for item in moved}
    places = {_measured(item) for item in items}
    return [by_key.get(_measured(item), item) for item in items] + [item for key, item in by_key.items() if key not in places]


def _size(item: Document) -> int:
    return len(json.dumps(item, ensure_ascii=False))


def _shortest(item: Document, chain: list[tuple[str, Document]], kept: frozenset[str]) -> Document:
    """Return the item itself or a reference: the shortest, and of those about as short the one with the fewest steps."""
    options = [_less(item, base, run_id, kept) for run_id, base in chain]
    longest = _LONGEST + (item.get("status") == "up_to_date" or "from_run" in item)
    if len(chain) >= longest:
        options = options[1 - longest :]
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

    def short(part: Part, item: dict[str, Any], key: Key, unique: Mapping[Key, Document]) -> dict[str, Any]:
        if unique.get(key) is not item:
            return item
        return dict(_shortest(item, stored.chain(part, previous, key), _kept(part.record)))

    shortened = _each(document, short)
    return _folded_lineage(_folded_datasets(document, _folded(document, shortened, stored), stored), previous, load)


def _folded_lineage(document: dict[str, Any], previous: str, load: Load) -> dict[str, Any]:
    """Name the run whose lineage is the same, in one step however many runs have it."""
    there = load(previous) or {}
    run_id = str(there.get(CARRIED_LINEAGE, previous))
    flows = document.get(_FLOWS)
    if not flows or len(json.dumps(flows)) <= _WORTH or run_id > previous or (load(run_id) or {}).get(_FLOWS) != flows:
        return document
    return {**{name: value for name, value in document.items() if name != _FLOWS}, CARRIED_LINEAGE: run_id}


def _folded_datasets(document: dict[str, Any], shortened: dict[str, Any], stored: _Stored) -> dict[str, Any]:
    """Name the datasets that are as the run that measured them says, instead of an item for each."""
    named: dict[str, list[str]] = {}
    for item in _index(DATASET, document).values():
        run_id = str(item.get("from_run", ""))
        chain = stored.chain(DATASET, run_id, (str(item["name"]),)) if run_id and run_id < str(document["id"]) else []
        if chain and {**chain[0][1], **_NOW, "from_run": run_id} == item:
            named.setdefault(run_id, []).append(str(item["name"]))
    if not named:
        return shortened
    known = {name for names in named.values() for name in names}
    left = [item for item in shortened["datasets"] if item["name"] not in known]
    made = {**shortened, "datasets": left, CARRIED_DATASETS: {run_id: sorted(names) for run_id, names in sorted(named.items())}}
    return made if left else {name: value for name, value in made.items() if name != "datasets"}


def _folded(document: dict[str, Any], shortened: dict[str, Any], stored: _Stored) -> dict[str, Any]:
    """Put those check results of each dataset that are as in the run that measured it into one entry."""
    results: dict[str, list[Document]] = {}
    for item in document.get("checks", ()):
        results.setdefault(str(item["check"]["dataset"]), []).append(item)
    entries: list[dict[str, Any]] = []
    folded: set[Key] = set()
    for dataset, items in sorted(results.items()):
        run_id, same = _as_there(dataset, items, stored, before=str(document["id"]))
        if same:
            verdicts = _verdicts([item for item in items if check_key(item) in same])
            entries.append({AS_IN: run_id, "dataset": dataset, "verdicts": dict(sorted(verdicts.items()))})
            folded |= same
    if not entries:
        return shortened
    left = [item for item in shortened["checks"] if check_key(item) not in folded]
    made = {**shortened, "checks": left, CARRIED: entries}
    return made if left else {name: value for name, value in made.items() if name != "checks"}


_NOW = {"changed": False}
"""What a dataset says that was carried over, besides the run that measured it."""


def _verdicts(items: list[Document]) -> Counter[str]:
    return Counter(str(item["verdict"]) for item in items)


def _as_there(dataset: str, items: list[Document], stored: _Stored, *, before: str) -> tuple[str, set[Key]]:
    """Return the run that measured a dataset, and the results that are all of those there but for the ones that changed."""
    runs = Counter(str(item["from_run"]) for item in items if item.get("from_run"))
    run_id = max(runs, key=lambda name: (runs[name], name), default="")
    own = {check_key(item): item for item in items}
    if not run_id or run_id >= before or len(own) < len(items):
        return "", set()
    there = stored.results(run_id, dataset)
    measured = {key: {**item, "from_run": run_id} for key, item in there.items() if "from_run" not in item}
    same = {key for key, item in own.items() if measured.get(key) == item}
    return (run_id, same) if same == set(there) - (set(own) - same) else ("", set())


def _unfolded(document: Document, load: Load) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """Return a document with an item for each carried result, and what could not be found: run to datasets."""
    lost: dict[str, list[str]] = {}
    document = _unfolded_datasets(document, load, lost)
    if CARRIED not in document:
        return dict(document), lost
    checks = list(document.get("checks", ()))
    changed = {check_key(item) for item in checks}
    for entry in document[CARRIED]:
        run_id, dataset = str(entry[AS_IN]), str(entry["dataset"])
        items = (load(run_id) or {}).get("checks", ())
        there = [item for item in items if item["check"]["dataset"] == dataset and check_key(item) not in changed]
        if len(there) != sum(entry.get("verdicts", {}).values()) or run_id >= str(document["id"]):
            lost.setdefault(run_id, []).append(f"the checks of {dataset}")
            continue
        checks += [_carried(item, run_id) for item in there]
    checks.sort(key=check_key)
    rest = {name: value for name, value in document.items() if name != CARRIED}
    return {**rest, **({"checks": checks} if checks else {})}, lost


def _unfolded_datasets(document: Document, load: Load, lost: dict[str, list[str]]) -> Document:
    if CARRIED_DATASETS not in document:
        return document
    made = list(document.get("datasets", ()))
    for run_id, names in document[CARRIED_DATASETS].items():
        there = _index(DATASET, load(run_id) or {}) if run_id < str(document["id"]) else {}
        for name in names:
            base = there.get((str(name),))
            if base is None:
                lost.setdefault(run_id, []).append(f"dataset {name}")
                continue
            stated = {field: base[field] for field in ("format", "name", "path", "rows", "task", "verdict") if field in base}
            made.append({**stated, **_NOW, AS_IN: run_id, "from_run": run_id})
    made.sort(key=lambda item: (str(item["name"]), str(item["path"])))
    rest = {name: value for name, value in document.items() if name != CARRIED_DATASETS}
    return {**rest, **({"datasets": made} if made else {})}


def _unfolded_lineage(document: dict[str, Any], load: Load, lost: dict[str, list[str]]) -> dict[str, Any]:
    if CARRIED_LINEAGE not in document:
        return document
    run_id = str(document[CARRIED_LINEAGE])
    rest = {name: value for name, value in document.items() if name != CARRIED_LINEAGE}
    there = (load(run_id) or {}).get(_FLOWS) if run_id < str(document["id"]) else None
    if there is None:
        lost.setdefault(run_id, []).append("what tasks read and write")
        return rest
    return {**rest, _FLOWS: there}


def _carried(item: Document, run_id: str) -> dict[str, Any]:
    check = {name: item["check"][name] for name in ("dataset", "id", "metric")}
    return {AS_IN: run_id, "check": {AS_IN: run_id, **check}, "from_run": run_id, "verdict": item["verdict"]}


def restore(document: dict[str, Any], load: Load) -> tuple[dict[str, Any], list[str]]:
    """Return the whole document that one with references stands for.

    Args:
        document: As it is stored.
        load: Reads the stored document of an earlier run.

    Returns:
        The document without references, and what could not be filled in, a sentence for each earlier run that is missing.
    """
    stored, run_id = _Stored(load), str(document["id"])
    unfolded, stored.lost = _unfolded(document, load)
    unfolded = _unfolded_lineage(unfolded, load, stored.lost)
    whole = _each(unfolded, lambda part, item, key, _: stored.whole(part, item, key, run_id))
    return whole, [_lost(lost, about) for lost, about in sorted(stored.lost.items())]


_Change = Callable[[Part, dict[str, Any], Key, Mapping[Key, Document]], dict[str, Any]]


def _each(document: dict[str, Any], change: _Change) -> dict[str, Any]:
    """Return a document with each item that may refer changed."""
    unique = {part.name: _index(part, document) for part in PARTS}
    made = dict(document)
    if "checks" in document:
        made["checks"] = [
            {
                **change(RESULT, item, check_key(item), unique[RESULT.name]),
                "check": change(CHECK, item["check"], check_key(item), unique[CHECK.name]),
            }
            for item in document["checks"]
        ]
    for name, part in (("datasets", DATASET), ("tasks", TASK)):
        if name in document:
            made[name] = [change(part, item, (str(item["name"]),), unique[part.name]) for item in document[name]]
    if "column_lineage" in document:
        lineages = document["column_lineage"]
        made["column_lineage"] = [change(LINEAGE, item, (str(item["task"]),), unique[LINEAGE.name]) for item in lineages]
    if document.get("environment") is not None:
        made["environment"] = change(ENVIRONMENT, document["environment"], (), unique[ENVIRONMENT.name])
    return made


def _lost(run_id: str, about: list[str]) -> str:
    named, more = ", ".join(about[:5]), len(about) - 5
    return (
        f"the ledger of run {run_id} is missing or damaged, and this run refers to it for details of {named}"
        f"{f' and {more} more' if more > 0 else ''}. Restore it: `git checkout -- reports/runs/{run_id}/run.json`."
    )


def referred_runs(document: Document) -> frozenset[str]:
    """Return the earlier runs that a stored document refers to."""
    own = {str(item[AS_IN]) for part in PARTS for _, item in part.items(document) if AS_IN in item}
    carried = {str(entry[AS_IN]) for entry in document.get(CARRIED, ())} | set(document.get(CARRIED_DATASETS, ()))
    flows = {str(document[CARRIED_LINEAGE])} if CARRIED_LINEAGE in document else set()
    return frozenset(own | carried | flows)
