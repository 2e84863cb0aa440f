"""Content hashes and their cache."""

from __future__ import annotations

import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from nbops.workflow.hashing import HashCache, digest


def old(path: Path) -> Path:
    """Give a file a time far enough back that its hash may be cached."""
    os.utime(path, ns=(10**18, 10**18))
    return path


def test_files_folders_and_what_is_missing(tmp_path: Path):
    cache = HashCache(tmp_path / "cache.json")
    file = tmp_path / "a.csv"
    file.write_text("1")
    folder = tmp_path / "folder"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner" / "b.csv").write_text("2")
    first = cache.of(folder)
    assert cache.of(file) == cache.of(file)
    assert cache.of(tmp_path / "nothing") is None
    (folder / "inner" / ".b.csv.metadata").write_text("notes of the runner do not count")
    assert cache.of(folder) == first
    (folder / "inner" / "b.csv").write_text("3")
    assert cache.of(folder) != first
    (folder / "inner" / "b.csv").rename(folder / "inner" / "c.csv")
    assert cache.of(folder) not in {first, None}


def test_a_change_within_the_clocks_granularity_is_seen(tmp_path: Path):
    cache = HashCache(tmp_path / "cache.json")
    file = tmp_path / "a.csv"
    file.write_text("1")
    before = cache.of(file)
    stat = file.stat()
    file.write_text("2")
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert cache.of(file) != before


def test_the_cache_serves_a_second_build_and_a_broken_one_is_ignored(tmp_path: Path):
    store = tmp_path / "deep" / "cache.json"
    file = tmp_path / "a.csv"
    file.write_text("1")
    cache = HashCache(store)
    value = cache.of(old(file))
    cache.save()
    assert str(file) in store.read_text()
    assert HashCache(store).of(file) == value
    store.write_text("{broken")
    assert HashCache(store).of(file) == value
    store.write_text("[1, 2]")
    assert HashCache(store).of(file) == value


@given(st.lists(st.text(), min_size=1), st.lists(st.text(), min_size=1))
def test_boundaries_between_parts_count(a, b):
    assert (digest(*a) == digest(*b)) == (a == b)
