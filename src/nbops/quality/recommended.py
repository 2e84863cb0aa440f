"""Which datasets are recommendations: lists of items for users, by rank or score.

A contract says so (``nbops.recommendations``). Without, a dataset is taken for recommendations where exactly one column is
called as users are, exactly one as items are, and a whole number is called rank or position; ranks must begin at 0 or 1, and
mostly be there once for each user. Where there is only a score, the dataset itself must be called recommendations: a user, an
item and a score are as often what somebody rated.
"""

# ruff: noqa: S608 - columns are named by position

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nbops.quality.families import family_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbops.contract.records import Contract
    from nbops.quality.source import Source, SourceColumn

__all__ = ["Lists", "lists_of", "looks_like_lists"]

_USERS = frozenset(
    ["user", "customer", "member", "visitor", "client", "subscriber", "shopper", "viewer", "listener", "reader", "buyer"]
)
_ITEMS = frozenset(
    [
        *("item", "product", "article", "sku", "stock", "asin", "movie", "film", "track", "song", "video", "book", "content"),
        *("offer", "recipe", "game", "album", "artist"),
    ]
)
_KEYS = frozenset(["id", "key", "no", "number", "code", "uuid"])
_RANKS, _SCORES = frozenset(["rank", "ranking", "position"]), frozenset(["score", "relevance", "prediction", "probability"])
_RECOMMENDED = frozenset(["recommended", "rec", "reco"])
_CALLED = re.compile(r"recommend|recsys|(^|_)rec(o|s|os)?(_|$)")
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_DEEPEST, _ONCE = 1_000, 0.4
"""The largest rank, and the least part of ranks that are there once for a user: half of them where lists are there twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lists:
    """Columns of a dataset that is recommendations, or looks like it."""

    user: SourceColumn
    item: SourceColumn
    rank: SourceColumn | None = None
    score: SourceColumn | None = None
    declared: bool = False
    """Its contract says so."""
    catalogue: tuple[str, str] | None = None
    """Dataset and column that items, and users, come from; and where items were used."""
    users: tuple[str, str] | None = None
    interactions: tuple[str, str] | None = None


def lists_of(source: Source, contract: Contract | None, *, name: str) -> Lists | str | None:
    """Return the columns of recommendations, by the contract or by what columns are called.

    Args:
        source: The opened dataset.
        contract: Its contract.
        name: The dataset's name.

    Returns:
        None where it is none; a text where the contract names a column that the data lacks.
    """
    said = contract.recommendations if contract is not None else None
    if said is False:
        return None
    known = {column.name: column for column in source.columns}
    if said is None:
        found = _recognised(source.columns, name)
    else:
        named = {"user": said.user, "item": said.item, "rank": said.rank, "score": said.score}
        missing = [column for column in named.values() if column is not None and column not in known]
        if missing:
            return f"column {missing[0]!r} is not in the data"
        columns: dict[str, Any] = {key: known[column] for key, column in named.items() if column is not None}
        found = Lists(**columns, declared=True, catalogue=said.catalogue, users=said.users, interactions=said.interactions)
    return _with_ends(found, contract) if found is not None else None


def _with_ends(found: Lists, contract: Contract | None) -> Lists:
    """Add where items and users come from, as relationships have it."""
    ends = {
        relation.columns[0]: (relation.to_dataset, relation.to_columns[0])
        for relation in (contract.relationships if contract is not None else ())
        if len(relation.columns) == 1
    }
    return Lists(
        user=found.user,
        item=found.item,
        rank=found.rank,
        score=found.score,
        declared=found.declared,
        catalogue=found.catalogue or ends.get(found.item.name),
        users=found.users or ends.get(found.user.name),
        interactions=found.interactions,
    )


def _words(name: str) -> list[str]:
    """Return the words of a name.

    >>> _words("customer_id"), _words("recommendedItemID"), _words("StockCode")
    (['customer', 'id'], ['recommended', 'item', 'id'], ['stock', 'code'])
    """
    return [word.lower() for word in _WORD.findall(name)]


def _is_key_of(words: list[str], things: frozenset[str]) -> bool:
    rest = [word for word in words if word not in _RECOMMENDED]
    return bool(rest) and rest[0] in things and all(word in _KEYS for word in rest[1:])


def _recognised(columns: tuple[SourceColumn, ...], name: str) -> Lists | None:
    def only(test: Callable[[SourceColumn, list[str]], bool]) -> SourceColumn | None:
        found = [column for column in columns if test(column, _words(column.name))]
        return found[0] if len(found) == 1 else None

    def is_number(column: SourceColumn) -> bool:
        return family_of(column.type) in {"integer", "float", "decimal"}

    key = frozenset(["integer", "string"])
    user = only(lambda column, words: _is_key_of(words, _USERS) and family_of(column.type) in key)
    item = only(lambda column, words: _is_key_of(words, _ITEMS) and family_of(column.type) in key)
    if user is None or item is None:
        return None
    rank = only(lambda column, words: len(words) == 1 and words[0] in _RANKS and family_of(column.type) == "integer")
    score = only(lambda column, words: bool(words) and words[-1] in _SCORES and len(words) <= 2 and is_number(column))  # noqa: PLR2004
    if rank is None and (score is None or not _CALLED.search("_".join(_words(name)))):
        return None
    return Lists(user=user, item=item, rank=rank, score=score)


def looks_like_lists(source: Source, found: Lists, *, users: int) -> bool:
    """Tell whether the rows are lists; what a contract says is not doubted.

    Args:
        source: The dataset.
        found: What its columns are called.
        users: How many users there are.
    """
    if found.declared or not source.rows:
        return found.declared
    if users < 2 or source.rows <= users:  # noqa: PLR2004 - nobody to compare with, or one item each
        return False
    if found.rank is None:
        return True
    rank, user = found.rank.key, found.user.key
    low, high = source.connection.execute(f"SELECT min({rank}), max({rank}) FROM {source.prefix}scan").fetchone()
    if low not in {0, 1} or high > _DEEPEST:
        return False
    pairs = f"SELECT count(*) FROM (SELECT DISTINCT {user}, {rank} FROM {source.prefix}scan)"
    return bool(source.connection.execute(pairs).fetchone()[0] >= _ONCE * source.rows)
