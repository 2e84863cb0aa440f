"""``catalog.html``: every dataset and column with what a new colleague asks of it."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nbops.pages.judged import by_rule
from nbops.pages.lineage import anchor, nodes_of
from nbops.pages.origins import Origins
from nbops.pages.score import SCORE_WORDS, Score, score_of
from nbops.pages.text import plural, stamp
from nbops.pages.views import Shown, column_anchors, shown
from nbops.pages.words import expectation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nbops.model import CheckResult, Column, Dataset, Run
    from nbops.pages.latest import Latest

__all__ = ["Freshness", "Popularity", "catalog_context", "freshness_of"]

_MOST_DATASETS, _MOST_NAMES = 600, 2_500
_ROOM = 130_000
"""Characters that columns may take with all that is said of them; the others are listed by their names."""
_RUN_ID = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z")
_ROW = 230
"""Characters of a row of columns without its texts."""
_TIMES = ("TIMESTAMP", "DATE", "DATETIME")

POPULARITY_WORDS = (
    "Used by counts the tasks that read a dataset, the datasets that are made of it, directly or not, and their columns that are "
    "made of its columns."
)
"""How popularity is counted, for readers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """How new a dataset is: instants, never ages, so that a page of unchanged data does not change."""

    column: str | None
    until: str | None
    """The newest value of ``column``."""
    updated: str | None
    """When the run began that made the data."""
    promises: tuple[tuple[str, str, str], ...]
    """Verdict, what the contract calls it, and what it promises."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Popularity:
    """Who uses a dataset."""

    tasks: int
    datasets: int
    columns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _ColumnEntry:
    column: Column
    anchor: str
    made: int
    rows: int
    sources: str
    """Which datasets it is made of, shortly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    dataset: Dataset
    anchor: str
    """Its place on this page and on that of the lineage."""
    page: str | None
    profile: str | None
    mark: str
    score: Score | None
    freshness: Freshness
    popularity: Popularity
    columns: Shown
    names: Shown
    """Columns that are listed by their names only."""
    described: int


def freshness_of(item: Dataset, results: Sequence[CheckResult], *, home: str) -> Freshness:
    """Return how new a dataset is.

    Args:
        item: The dataset.
        results: The results of its checks.
        home: The run that measured it.
    """
    ages = [result for result in results if result.check.metric == "freshness"]
    newest = {
        one.column: str(one.value)
        for one in item.measurements
        if one.metric == "maximum" and one.column and not one.arguments and stamp(str(one.value)) is not None
    }
    times = [column.name for column in item.columns if column.physical_type.upper().startswith(_TIMES)]
    named = [result.check.column for result in ages if result.check.column in newest]
    column = next(iter([*named, *(name for name in times if name in newest)]), None)
    made = _RUN_ID.match(home)
    return Freshness(
        column=column,
        until=newest[column] if column is not None else None,
        updated="{}-{}-{}T{}:{}:{}Z".format(*made.groups()) if made else None,
        promises=tuple((result.verdict, result.check.id.rsplit(".", 1)[-1], expectation(result.check)) for result in ages[:3]),
    )


def catalog_context(latest: Latest) -> dict[str, Any]:
    """Return what ``catalog.html.j2`` shows."""
    run = latest.run
    nodes, _ = nodes_of(latest)
    origins = Origins(run)
    checks: dict[str, list[CheckResult]] = defaultdict(list)
    for result in run.checks:
        checks[result.check.dataset].append(result)
    datasets = sorted(run.datasets, key=lambda item: (item.name.casefold(), item.name))
    room, names, entries = _ROOM, _MOST_NAMES, []
    for position, item in enumerate(datasets[:_MOST_DATASETS]):
        others = min(len(datasets), _MOST_DATASETS) - position
        columns, taken = _columns(item, origins, room // others, page=latest.datasets.get(item.name) or "")
        room -= taken
        bare = shown([column.name for column in item.columns[len(columns.items) :]], max(0, names // others))
        names -= len(bare.items)
        node = nodes[f"dataset:{item.name}"]
        entries.append(
            _Entry(
                dataset=item,
                anchor=anchor("dataset", item.name),
                page=node.page,
                profile=latest.profiles.get(item.name),
                mark=node.mark,
                score=score_of(rule.result for rule in by_rule(checks[item.name])),
                freshness=freshness_of(item, checks[item.name], home=item.from_run or run.id),
                popularity=Popularity(
                    tasks=sum(nodes[key].kind == "task" for key in node.downstream),
                    datasets=sum(nodes[key].kind == "dataset" for key in node.below),
                    columns=origins.columns_made_of(item.name),
                ),
                columns=columns,
                names=bare,
                described=sum(bool(column.description) for column in item.columns),
            )
        )
    return {
        "root": "",
        "run": run,
        "latest": latest,
        "entries": shown(entries, _MOST_DATASETS),
        "left_out": len(datasets) - len(entries),
        "columns_left_out": sum(entry.names.more for entry in entries),
        "tally": _tally(run),
        "words": (SCORE_WORDS, POPULARITY_WORDS),
        "owners": _owners(datasets),
    }


def _columns(item: Dataset, origins: Origins, room: int, *, page: str) -> tuple[Shown, int]:
    """Return as many columns as there is room for, and the characters that they take."""
    every = origins.of_all(item.name)
    rows: list[_ColumnEntry] = []
    taken = 0
    for column, place in zip(item.columns, column_anchors(item.columns), strict=True):
        phrases = origins.of_column(item.name, column.name) or every
        sources = sorted({phrase.dataset for phrase in phrases} - {item.name})
        told = ", ".join(sources[:3]) + (f" and {len(sources) - 3} more" if len(sources) > 3 else "")  # noqa: PLR2004
        taken += (
            _ROW
            + len(page)
            + len(place)
            + min(len(told), 90)
            + min(len(column.name), 60)
            + min(len(column.description or ""), 160)
        )
        taken += sum(60 + min(len(text), 160) for text in (*column.tags[:12], *(one.url for one in column.definitions[:6])))
        if taken > room:
            taken = room
            break
        made, rows_decided = origins.users(item.name, column.name)
        rows.append(_ColumnEntry(column=column, anchor=place, made=made, rows=rows_decided, sources=told))
    return Shown(items=tuple(rows), more=len(item.columns) - len(rows)), taken


def _owners(datasets: Sequence[Dataset]) -> list[tuple[str, int]]:
    found: Mapping[str, list[str]] = defaultdict(list)
    for item in datasets:
        found[item.owner or ""].append(item.name)
    return sorted(((owner, len(names)) for owner, names in found.items()), key=lambda pair: (not pair[0], -pair[1], pair[0]))


def _tally(run: Run) -> list[str]:
    owners = {item.owner for item in run.datasets if item.owner}
    bare = sum(item.contract is None for item in run.datasets)
    told = [plural(len(run.datasets), "dataset"), plural(sum(len(item.columns) for item in run.datasets), "column")]
    told += [plural(len(owners), "owner")] if owners else []
    told += [f"{bare:,} without a contract"] if bare else []
    return told
