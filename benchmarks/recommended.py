"""A made-up recommender that is trained anew each day, with faults to plant: lists as a build would measure and judge them.

Users and items have tastes that wander slowly; each day's training sees them through noise of its own. Which users come, and
what is liked, has a weekly rhythm. Nothing here is taken from real data: what is known is that every fault is one.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.watched import run_at
from nbops.contract.records import Contract, Recommendations
from nbops.history.index import History, open_history
from nbops.history.monitors import Judgement, judge
from nbops.model import Dataset, Run
from nbops.quality.audit import audit

__all__ = ["FAULTS", "MILDER", "Lists", "World"]

_FIRST = dt.date(2026, 1, 5)
_TASTES, _PLACES = 12, 10
_WEEKEND = 5
_OTHERS = 1_000_000


@dataclass(frozen=True, slots=True)
class Lists:
    """One day's lists: a row a user."""

    users: Any
    items: Any
    scores: Any


def _collapsed(lists: Lists, world: World, day: int) -> Lists:
    """Return what a model gives that has learned hardly anything but what is popular."""
    scores = 6 * world.popularity[None, :] + 0.3 * world.scores(day, lists.users)
    return world.best(lists.users, scores)


def _half_catalogue(lists: Lists, world: World, day: int) -> Lists:
    """Return lists of a model that never saw every other item."""
    scores = world.scores(day, lists.users)
    scores[:, ::2] = -np.inf
    return world.best(lists.users, scores)


def _identical(lists: Lists, _: World, __: int) -> Lists:
    """Return the first user's list for everybody."""
    return replace(lists, items=np.tile(lists.items[:1], (len(lists.users), 1)))


def _half_users(lists: Lists, _: World, __: int) -> Lists:
    return Lists(lists.users[::2], lists.items[::2], lists.scores[::2])


def _stale(_: Lists, world: World, day: int) -> Lists:
    """Return yesterday's lists, written anew."""
    before = world.lists(day - 1)
    return replace(before, scores=before.scores + 0.01)


def _same_file(_: Lists, world: World, day: int) -> Lists:
    return world.lists(day - 1)


def _other_ids(lists: Lists, _: World, __: int) -> Lists:
    """Return items as numbers of another catalogue."""
    return replace(lists, items=lists.items + _OTHERS)


def _some_ids(lists: Lists, _: World, day: int) -> Lists:
    """Return a twentieth of the places with items of another catalogue."""
    wrong = np.random.default_rng([7, day]).random(lists.items.shape) < 1 / 20
    return replace(lists, items=np.where(wrong, lists.items + _OTHERS, lists.items))


FAULTS: Mapping[str, tuple[str, Callable[[Lists, World, int], Lists]]] = {
    "popular": ("the model collapses to the most popular items", _collapsed),
    "half_catalogue": ("half of the catalogue is missing", _half_catalogue),
    "identical": ("lists are identical for everybody", _identical),
    "half_users": ("half of the users are not served", _half_users),
    "stale": ("lists equal those of the run before, written anew", _stale),
    "same_file": ("the file is that of the run before, byte by byte", _same_file),
    "other_ids": ("item ids of another catalogue", _other_ids),
    "some_ids": ("item ids of another catalogue in one place of twenty", _some_ids),
}
"""What is wrong in each kind, and how a day's lists are made so."""


def _some_popular(lists: Lists, world: World, day: int) -> Lists:
    """Return the most popular items for every fourth user, as when a model falls back."""
    part = np.arange(len(lists.users)) % 4 == 0
    return replace(lists, items=np.where(part[:, None], _collapsed(lists, world, day).items, lists.items))


def _some_catalogue(lists: Lists, world: World, day: int) -> Lists:
    """Return lists of a model that never saw every sixth item."""
    scores = world.scores(day, lists.users)
    scores[:, ::6] = -np.inf
    return world.best(lists.users, scores)


def _some_identical(lists: Lists, _: World, __: int) -> Lists:
    """Return the first user's list for every sixth user."""
    part = np.arange(len(lists.users)) % 6 == 0
    return replace(lists, items=np.where(part[:, None], lists.items[:1], lists.items))


def _some_users(lists: Lists, _: World, __: int) -> Lists:
    """Return lists without every eighth user."""
    part = np.arange(len(lists.users)) % 8 > 0
    return Lists(lists.users[part], lists.items[part], lists.scores[part])


def _half_stale(lists: Lists, world: World, day: int) -> Lists:
    """Return yesterday's lists for every other user that had one."""
    before = world.lists(day - 1)
    old = dict(zip(before.users.tolist(), before.items, strict=True))
    kept = [old.get(user, items) if user % 2 else items for user, items in zip(lists.users.tolist(), lists.items, strict=True)]
    return replace(lists, items=np.array(kept))


MILDER: Mapping[str, tuple[str, Callable[[Lists, World, int], Lists]]] = {
    "some_popular": ("every fourth user gets the most popular items", _some_popular),
    "some_catalogue": ("every sixth item of the catalogue is missing", _some_catalogue),
    "some_identical": ("every sixth user gets the same list", _some_identical),
    "some_users": ("every eighth user is not served", _some_users),
    "half_stale": ("every other user keeps the list of the run before", _half_stale),
}
"""Lesser ones."""


def _ids(letter: str, numbers: Any) -> Any:
    """Return numbers as ids: of another catalogue from a million on, which look alike."""
    return np.char.add(np.where(numbers < _OTHERS, letter, "X"), np.char.zfill((numbers % _OTHERS).astype(str), 5))


@dataclass
class World:
    """Days of one shop, measured once and kept, and a history of them.

    Args:
        work: A folder for its files.
        seed: What it is drawn by.
        days: How many.
        users: Users there are; most of them come each day.
        items: Items there are; a few are not sold yet.
        declared: The contract names columns, catalogue and uses; else there is none, and nothing but names tells what it is.
    """

    work: Path
    seed: int
    days: int = 60
    users: int = 700
    items: int = 400
    declared: bool = True
    runs: list[Run] = field(default_factory=list)
    history: History = field(init=False)

    def __post_init__(self) -> None:
        self.work.mkdir(parents=True, exist_ok=True)
        random = np.random.default_rng([self.seed, 0])
        self._wander = [random.normal(0, 0.03, (self.users + self.items, _TASTES)) for _ in range(self.days)]
        self._tastes = random.normal(0, 1, (self.users + self.items, _TASTES))
        self.popularity = np.sort(random.gumbel(0, 0.45, self.items))[random.permutation(self.items)]
        self._weekend = random.normal(0, 0.3, self.items)
        self._uses()
        self.history = open_history(self.work / "none", self.work / "cache")
        for day in range(self.days):
            self.write(self.lists(day), self.path(day))
            self.runs.append(self.measured(day, self.path(day)))
            self.history.add(self.runs[day])

    def path(self, day: int) -> Path:
        """Return the file of a day's lists."""
        return self.work / f"recommendations-{day}.parquet"

    def scores(self, day: int, users: Any) -> Any:
        """Return what a day's model thinks of every item for some users."""
        tastes = self._tastes + np.sum(self._wander[: day + 1], axis=0)
        noise = np.random.default_rng([self.seed, 1, day])
        learned = tastes + noise.normal(0, 0.12, tastes.shape)
        weekend = self._weekend if day % 7 >= _WEEKEND else 0.0
        liked: Any = self.popularity + weekend + noise.normal(0, 0.05, self.items)
        return learned[users] @ learned[self.users :].T / np.sqrt(_TASTES) + liked[None, :]

    def best(self, users: Any, scores: Any) -> Lists:
        """Return each user's best items."""
        order = np.argsort(-scores, axis=1, kind="stable")[:, :_PLACES]
        return Lists(users, order, np.take_along_axis(scores, order, axis=1))

    def lists(self, day: int) -> Lists:
        """Return a day's lists as they are."""
        part = 0.7 if day % 7 >= _WEEKEND else 0.95
        there = np.random.default_rng([self.seed, 2, day]).random(self.users) < part
        users = np.flatnonzero(there)
        return self.best(users, self.scores(day, users))

    def write(self, lists: Lists, path: Path) -> None:
        """Write lists as a notebook would."""
        count, places = lists.items.shape
        table = {
            "user_id": _ids("u", np.repeat(lists.users, places)),
            "rank": np.tile(np.arange(1, places + 1), count),
            "item_id": _ids("i", lists.items.ravel()),
            "score": np.round(lists.scores.ravel(), 6),
        }
        pq.write_table(pa.table(table), path)

    def _uses(self) -> None:
        random = np.random.default_rng([self.seed, 3])
        items, users = _ids("i", np.arange(self.items)), _ids("u", np.arange(self.users))
        pq.write_table(pa.table({"item_id": items}), self.work / "products.parquet")
        pq.write_table(pa.table({"user_id": users}), self.work / "people.parquet")
        part = np.exp(self.popularity)
        used = random.choice(items, 20 * self.items, p=part / part.sum())
        pq.write_table(pa.table({"item_id": used}), self.work / "uses.parquet")

    def measured(self, day: int, path: Path) -> Run:
        """Measure a file of lists as the run of a day would, and return that run."""
        started = dt.datetime.combine(_FIRST, dt.time(4), dt.timezone.utc) + dt.timedelta(days=day)
        named = Recommendations(
            user="user_id", item="item_id", rank="rank", catalogue=("products", "item_id"), users=("people", "user_id"),
            interactions=("uses", "item_id"),
        )  # fmt: skip
        contract = Contract(
            path="contracts/recommendations.odcs.yaml", id="r", dataset="recommendations", object_name="recommendations",
            version="1.0.0", api_version="v3.1.0", hash="0", recommendations=named,
        )  # fmt: skip
        found = audit(
            path,
            name="recommendations",
            task="recommend",
            final_path="output/recommendations.parquet",
            contract=contract if self.declared else None,
            references={name: self.work / f"{name}.parquet" for name in ("products", "people", "uses")},
            now=started,
            spread=True,
            threads=1,
            before=self.path(day - 1) if day else None,
        ).dataset
        same = day > 0 and found.content_hash == next(iter(self.runs[day - 1].datasets)).content_hash
        orders = Dataset(name="orders", task="load", path="output/orders.parquet", format="parquet", rows=1000 + day)
        return run_at(started, (replace(found, changed=not same), orders))

    def clean(self, day: int) -> Judgement:
        """Judge a day as it was."""
        return judge(self.runs[day], self.history)

    def faulty(self, day: int, fault: str) -> tuple[Judgement, Judgement | None]:
        """Judge a day with a fault, and the day after it, which is right again but held against it."""
        path, kept = self.path(day), self.work / "kept.parquet"
        path.rename(kept)
        try:
            self.write({**FAULTS, **MILDER}[fault][1](self.lists(day), self, day), path)
            run = self.measured(day, path)
            self.history.add(run)
            found = judge(run, self.history)
            after = None
            if day + 1 < self.days:
                following = self.measured(day + 1, self.path(day + 1))
                self.history.add(following)
                after = judge(following, self.history)
        finally:
            kept.rename(path)
            for number in range(day, min(day + 2, self.days)):
                self.history.add(self.runs[number])
        return found, after
