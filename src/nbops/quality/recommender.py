"""What is measured of recommendations: how much of the catalogue and of the users they reach, how unequally, and how they change.

- ``coverageRate``: recommended items of all items of the catalogue (catalogue coverage: M. Ge, C. Delgado-Battenfeld, D.
  Jannach, Beyond accuracy: evaluating recommender systems by coverage and serendipity, RecSys 2010). Where no catalogue is known
  there is ``itemsRecommended`` alone.
- ``exposureGini``: the Gini index of how many places each item has, those of the catalogue without any among them; 0 is all
  alike, 1 one item has all (for recommenders: D. Fleder, K. Hosanagar, Blockbuster culture's next rise or fall, Management
  Science 55, 2009). ``topTenRate``: the part of all places that the ten most recommended items have.
- ``meanPopularity``: how often what is recommended was used, a mean over places (average recommendation popularity: H. Yin et
  al., Challenging the long tail recommendation, PVLDB 5, 2012).
- ``similarityRate``: the part of their lists that two users drawn by chance have in common; one less the mean inter-list
  distance of T. Zhou et al., Solving the apparent diversity-accuracy dilemma of recommender systems, PNAS 107, 2010. It follows
  from the exposure: of items shown to ``n`` of ``U`` users, ``n (n - 1)`` of ``U (U - 1)`` pairs have both.
- ``exposureDistance``: the square root of the Jensen-Shannon divergence, to base 2, between the items' parts of all places now
  and in the version published before; 0 to 1 (D. Endres, J. Schindelin, A new metric for probability distributions, IEEE
  Transactions on Information Theory 49, 2003).
- ``overlapRate``: what a user's list has in common with that in the version before, a mean over users: average overlap, which
  the first places weigh more in (W. Webber, A. Moffat, J. Zobel, A similarity measure for indefinite rankings, ACM TOIS 28,
  2010, section 3.2); lists without order as sets. Of many users about 20,000 are looked at, by a hash.

All are numbers of the whole: no user and no item is told. Rows are read in grouped scans of the dataset; memory is bounded by
the engine, which spills.
"""

# ruff: noqa: S608 - columns are named by position

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import duckdb

from nbops.model import Measurement, MetricRequest
from nbops.quality.families import family_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from nbops.quality.recommended import Lists
    from nbops.quality.source import Source, SourceColumn

__all__ = ["Around", "gini", "measure_lists", "unmeasured", "users_in"]

_TOP = 10
_USERS_COMPARED = 20_000
_DEEPEST = 100
"""Places of a list that are compared with the version before."""
_HARMONIC = (0.0, *accumulate(1 / depth for depth in range(1, _DEEPEST + 1)))
_SHOWN = "__nbops_shown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What lists are held against, opened in their connection; a text says why something could not be."""

    catalogue: Source | str | None = None
    users: Source | str | None = None
    interactions: Source | str | None = None
    before: Source | None = None
    """The version that was published before."""

    @property
    def sources(self) -> tuple[Source, ...]:
        """What was opened."""
        every = (self.catalogue, self.users, self.interactions, self.before)
        return tuple(one for one in every if one is not None and not isinstance(one, str))


def gini(counts: Sequence[tuple[int, int]], *, size: int) -> float:
    """Return the Gini index of how often things occur.

    Args:
        counts: Pairs of how often, and how many things occur so often.
        size: How many things there are; those that are not among the counts occur never.

    >>> gini([(5, 4)], size=4), gini([(12, 1)], size=4)
    (0.0, 0.75)
    """
    total = sum(times * things for times, things in counts)
    if not total or size < 1:
        return 0.0
    place = size - sum(things for _, things in counts)
    weighted = 0
    for times, things in sorted(counts):
        weighted += times * (things * place + things * (things + 1) // 2)
        place += things
    return 2 * weighted / (size * total) - (size + 1) / size


def unmeasured(reason: str) -> dict[MetricRequest, Measurement]:
    """Return that lists which a contract declares could not be measured."""
    return _kept("itemsRecommended", error=reason)


def _kept(metric: str, value: float | None = None, *, error: str | None = None) -> dict[MetricRequest, Measurement]:
    number = round(value, 6) if isinstance(value, float) else value  # threads add up in another order each time
    return {MetricRequest(metric=metric): Measurement(metric=metric, value=number, error=error)}


def users_in(source: Source, lists: Lists, taken: Mapping[MetricRequest, Measurement]) -> int:
    """Return how many users there are; as measured already, where that is exact."""
    known = taken.get(MetricRequest(metric="distinctValues", column=lists.user.name))
    if known is not None and isinstance(known.value, int):
        return known.value
    return int(_one(source, f"SELECT count(DISTINCT {lists.user.key}) FROM {source.prefix}scan"))


def _one(source: Source, query: str) -> Any:
    row = source.connection.execute(query).fetchone()
    return row[0]


def measure_lists(source: Source, lists: Lists, around: Around, *, users: int) -> dict[MetricRequest, Measurement]:
    """Measure recommendations.

    Args:
        source: The dataset.
        lists: Its columns.
        around: What it is held against.
        users: How many users there are.
    """
    item, user = lists.item.key, lists.user.key
    query = f"SELECT {item} AS item, count(*) AS n FROM {source.prefix}scan WHERE {item} IS NOT NULL AND {user} IS NOT NULL"
    source.connection.execute(f"CREATE OR REPLACE TEMP TABLE {_SHOWN} AS {query} GROUP BY {item}")
    found: dict[MetricRequest, Measurement] = {}
    steps: tuple[tuple[str, Callable[[], dict[MetricRequest, Measurement]]], ...] = (
        ("exposureGini", lambda: _exposure(source, lists, around, users)),
        ("servedRate", lambda: _served(source, lists, around)),
        ("meanPopularity", lambda: _popularity(source, lists, around)),
        ("exposureDistance", lambda: _distance(source, lists, around)),
        ("overlapRate", lambda: _overlap(source, lists, around, users)),
    )
    for metric, step in steps:
        try:
            found |= step()
        except duckdb.Error:  # noqa: PERF203 - one that fails leaves the others; its words may hold values
            found |= _kept(metric, error="the engine could not measure it")
    return found


def _exposure(source: Source, lists: Lists, around: Around, users: int) -> dict[MetricRequest, Measurement]:
    counts = [(int(n), int(c)) for n, c in source.connection.execute(f"SELECT n, count(*) FROM {_SHOWN} GROUP BY n").fetchall()]
    items, places = sum(c for _, c in counts), sum(n * c for n, c in counts)
    found = _kept("itemsRecommended", items) | _kept("usersServed", users)
    size = items
    other, column = _end(around.catalogue, lists.catalogue)
    if isinstance(other, str):
        found |= _kept("coverageRate", error=other)
    elif other is not None and column is not None:
        all_items = f"SELECT DISTINCT {_as(column, lists.item)} FROM {other.prefix}scan WHERE {column.key} IS NOT NULL"
        catalogue = _one(source, f"SELECT count(*) FROM ({all_items})")
        query = f"SELECT count(*), coalesce(sum(n), 0) FROM {_SHOWN} WHERE {_as(lists.item, column, 'item')} IN ({all_items})"
        known, known_places = source.connection.execute(query).fetchone()
        size = int(catalogue) + items - int(known)
        found |= _kept("coverageRate", known / catalogue if catalogue else 0.0)
        found |= _kept("unknownItemRate", 1 - int(known_places) / places) if places else {}
    if not places or not users:
        return found
    found |= _kept("listLength", places / users) | _kept("exposureGini", gini(counts, size=size))
    left, top = _TOP, 0
    for times, things in sorted(counts, reverse=True):
        top += times * min(things, left)
        left -= min(things, left)
    found |= _kept("topTenRate", top / places)
    if users > 1:
        pairs = sum(c * n * (n - 1) for n, c in counts)
        found |= _kept("similarityRate", min(1.0, pairs / ((users - 1) * places)))
    return found


def _end(other: Source | str | None, end: tuple[str, str] | None) -> tuple[Source | str | None, SourceColumn | None]:
    """Return a dataset and its column, or why it cannot be had."""
    if other is None or end is None or isinstance(other, str):
        return other, None
    column = next((one for one in other.columns if one.name == end[1]), None)
    return (other, column) if column is not None else (f"{end[0]} has no column {end[1]!r}", None)


def _as(column: SourceColumn, other: SourceColumn, name: str | None = None) -> str:
    """Return a column so that it compares with another, whatever the two types are."""
    key = name or column.key
    return key if family_of(column.type) == family_of(other.type) else f"CAST({key} AS VARCHAR)"


def _served(source: Source, lists: Lists, around: Around) -> dict[MetricRequest, Measurement]:
    other, column = _end(around.users, lists.users)
    if isinstance(other, str):
        return _kept("servedRate", error=other)
    if other is None or column is None:
        return {}
    every = f"SELECT DISTINCT {_as(column, lists.user)} AS u FROM {other.prefix}scan WHERE {column.key} IS NOT NULL"
    served = f"SELECT {_as(lists.user, column)} FROM {source.prefix}scan WHERE {lists.user.key} IS NOT NULL"
    row = source.connection.execute(f"SELECT count(*), count(*) FILTER (u IN ({served})) FROM ({every})").fetchone()
    return _kept("servedRate", row[1] / row[0]) if row[0] else {}


def _popularity(source: Source, lists: Lists, around: Around) -> dict[MetricRequest, Measurement]:
    other, column = _end(around.interactions, lists.interactions)
    if isinstance(other, str):
        return _kept("meanPopularity", error=other)
    if other is None or column is None:
        return {}
    used = f"SELECT {_as(column, lists.item)} AS item, count(*) AS times FROM {other.prefix}scan GROUP BY 1"
    query = (
        f"SELECT sum(n * coalesce(times, 0)) / sum(n) FROM {_SHOWN} LEFT JOIN ({used}) AS u "
        f"ON u.item = {_as(lists.item, column, f'{_SHOWN}.item')}"
    )
    mean = _one(source, query)
    return _kept("meanPopularity", float(mean)) if mean is not None else {}


def _earlier(lists: Lists, around: Around) -> tuple[Source, SourceColumn, SourceColumn] | None:
    """Return the version before with its user and item columns, where it had them."""
    if around.before is None or not around.before.rows:
        return None
    columns = {column.name: column for column in around.before.columns}
    user, item = columns.get(lists.user.name), columns.get(lists.item.name)
    return (around.before, user, item) if user is not None and item is not None else None


def _distance(source: Source, lists: Lists, around: Around) -> dict[MetricRequest, Measurement]:
    earlier = _earlier(lists, around)
    if earlier is None or not source.rows:
        return {}
    before, user, item = earlier
    was = (
        f"SELECT {_as(item, lists.item)} AS item, count(*) AS n FROM {before.prefix}scan "
        f"WHERE {item.key} IS NOT NULL AND {user.key} IS NOT NULL GROUP BY 1"
    )
    query = f"""
        WITH p AS (SELECT {_as(lists.item, item, "item")} AS item, n / sum(n) OVER () AS p FROM {_SHOWN}),
        q AS (SELECT item, n / sum(n) OVER () AS q FROM ({was})),
        both_ AS (SELECT coalesce(p, 0) AS p, coalesce(q, 0) AS q FROM p FULL JOIN q USING (item))
        SELECT sum(CASE WHEN p > 0 THEN p * log2(2 * p / (p + q)) ELSE 0 END
                 + CASE WHEN q > 0 THEN q * log2(2 * q / (p + q)) ELSE 0 END) / 2 FROM both_
    """
    divergence = _one(source, query)
    return _kept("exposureDistance", float(min(max(divergence, 0.0), 1.0)) ** 0.5) if divergence is not None else {}


def _overlap(source: Source, lists: Lists, around: Around, users: int) -> dict[MetricRequest, Measurement]:
    earlier = _earlier(lists, around)
    if earlier is None:
        return {}
    before, user, item = earlier
    columns = {column.name: column for column in before.columns}
    order = lists.rank or lists.score
    was = columns.get(order.name) if order is not None else None
    ordered = order is not None and was is not None
    every = max(1, -(-users // _USERS_COMPARED))
    sign = "" if lists.rank is not None else "-"
    now = _numbered(source, lists.user, lists.item, f"{sign}{order.key}" if ordered and order else None, every)
    then = _numbered(before, user, item, f"{sign}{was.key}" if ordered and was else None, every)
    # At depth d two lists share those items that both have among their first d; the mean of that share over all depths up to k
    # gives a shared item, which both have from depth m on, the sum of 1/d for d from m to k.
    deep = "greatest(a.d, b.d)" if ordered else "1"
    part = f"greatest(0, h[least(k, {_DEEPEST}) + 1] - h[{deep}]) / k" if ordered else "1.0 / k"
    query = f"""
        WITH a AS ({now}), b AS ({then}),
        k AS (SELECT u, greatest(ka, kb) AS k FROM (SELECT u, count(*) AS ka FROM a GROUP BY u)
              JOIN (SELECT u, count(*) AS kb FROM b GROUP BY u) USING (u)),
        o AS (SELECT u, sum({part}) AS o FROM a JOIN b USING (u, i) JOIN k USING (u),
              (SELECT {list(_HARMONIC)} AS h) GROUP BY u)
        SELECT avg(coalesce(o, 0)) FROM k LEFT JOIN o USING (u)
    """
    mean = _one(source, query)
    return _kept("overlapRate", min(1.0, float(mean))) if mean is not None else {}


def _numbered(source: Source, user: SourceColumn, item: SourceColumn, order: str | None, every: int) -> str:
    """Return a query for users, items and places of the first items of their lists, of one in so many users."""
    key = f"CAST({user.key} AS VARCHAR)"
    where = f"{user.key} IS NOT NULL AND {item.key} IS NOT NULL" + (f" AND hash({key}) % {every} = 0" if every > 1 else "")
    rows = (
        f"SELECT {key} AS u, CAST({item.key} AS VARCHAR) AS i, min({order or '0'}) AS r "
        f"FROM {source.prefix}scan WHERE {where} GROUP BY ALL"
    )
    numbered = f"SELECT u, i, row_number() OVER (PARTITION BY u ORDER BY r NULLS LAST, i) AS d FROM ({rows})"
    return f"SELECT * FROM ({numbered}) WHERE d <= {_DEEPEST}"
