"""The short form of kill_builds.py."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import kill_builds
import pytest

if TYPE_CHECKING:
    from build_driver import Driver


def test_kills_and_pairs(driver: Driver, tmp_path: Path) -> None:
    ordeal = kill_builds.prepare(tmp_path / "project", driver, seed=3)
    assert ordeal.faults == []
    for number in range(5):
        ordeal.kill(number)
    for number in range(2):
        ordeal.pair(number)
    assert ordeal.faults == []
    assert ordeal.counts["killed"] >= 3


@pytest.mark.parametrize(
    ("path", "spoil"),
    [
        ("output/rows.csv", lambda text: text[:-5]),
        ("output/doubled.csv", lambda text: text.replace("7,", "8,")),
        ("output/total.json", lambda _: ""),
        ("output/page.ipynb", lambda text: text[: len(text) // 2]),
    ],
)
def test_the_search_for_what_is_half_made_finds_it(path: str, spoil: Callable[[str], str], spoiled: kill_builds.Ordeal) -> None:
    good = spoiled.project.read(path)
    spoiled.project.write(path, spoil(good))
    assert [found for found, _ in spoiled._half_made()] == [path]
    spoiled.project.write(path, good)
    assert list(spoiled._half_made()) == []


@pytest.fixture(scope="module")
def spoiled(driver: Driver, tmp_path_factory: pytest.TempPathFactory) -> kill_builds.Ordeal:
    return kill_builds.prepare(tmp_path_factory.mktemp("spoiled") / "project", driver, seed=1)
