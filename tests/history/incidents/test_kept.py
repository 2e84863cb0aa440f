"""What is kept of incidents that were read before must never show: with it and without, they are the same."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nbops.history.incidents import store
from nbops.history.incidents.people import said
from nbops.history.incidents.store import load_incidents, to_text, write_incident
from nbops.history.incidents.update import update
from nbops.record.store import read_run, write_run

BAD: dict[str, Any] = {"failed": {"load": "ValueError"}}


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def keep(reports: Path, *runs: Any, cache: Path | None = None) -> None:
    for run in runs:
        write_run(reports, run)
        update(reports, read_run(reports, run.id), cache=cache)


def same(reports: Path, cache: Path, shop: Any) -> None:
    for since in (None, shop.run_id(1), shop.run_id(3), shop.run_id(5), shop.run_id(99)):
        assert load_incidents(reports, since=since, cache=cache) == load_incidents(reports, since=since)


@pytest.fixture
def filled(reports: Path, shop: Any) -> Path:
    keep(
        reports, shop.make(1, **BAD), shop.make(2), shop.make(3, shop.check(verdict="failed")), shop.make(4), shop.make(5, **BAD)
    )
    return reports


def test_it_is_the_same_with_and_without(filled: Path, cache: Path, shop: Any) -> None:
    same(filled, cache, shop)
    assert (cache / "incidents.json").is_file()
    same(filled, cache, shop)


def test_what_is_known_is_neither_read_nor_checked_again(filled: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = load_incidents(filled, cache=cache)

    def never(*_: Any) -> None:
        raise AssertionError("read again")

    monkeypatch.setattr(store, "_document_of", never)
    monkeypatch.setattr(store, "_validator", never)
    assert load_incidents(filled, cache=cache) == before


def test_what_changes_is_read_again(filled: Path, cache: Path, shop: Any) -> None:
    first, *_ = load_incidents(filled, cache=cache).found
    write_incident(filled, replace(first, title="other"))
    assert load_incidents(filled, cache=cache).found[0].title == "other"
    write_incident(filled, said(first, "acknowledged", by="Ann", at="2026-01-09T00:00:00Z", run=shop.run_id(5)))
    same(filled, cache, shop)
    (filled / "incidents" / f"{first.id}.json").unlink()
    same(filled, cache, shop)
    assert first.id not in (cache / "incidents.json").read_text()
    write_incident(filled, first)
    same(filled, cache, shop)


def test_a_damaged_file_is_said_each_time(filled: Path, cache: Path, shop: Any) -> None:
    load_incidents(filled, cache=cache)
    path = min((filled / "incidents").glob("*.json"))
    good = path.read_bytes()
    for damage in (b"", b"{}", good[:-9], good.replace(b'"severity": "', b'"severity": "x'), b"\xff"):
        path.write_bytes(damage)
        same(filled, cache, shop)
        assert len(load_incidents(filled, cache=cache).problems) == 1
    path.write_bytes(good)
    same(filled, cache, shop)


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=20) | st.sampled_from([b"[]", b'{"version": 1}', b'{"version": 1, "incidents": 3}', b"[" * 99_999]))
def test_a_damaged_cache_is_done_without(filled: Path, cache: Path, shop: Any, damage: bytes) -> None:
    load_incidents(filled, cache=cache)
    (cache / "incidents.json").write_bytes(damage)
    same(filled, cache, shop)


@pytest.mark.parametrize("odd", [None, [], [1, 2, 3], [[0, 0, 0], None, {}], "x", {"a": 1}])
@pytest.mark.parametrize("place", [None, 2])
def test_entries_of_another_form_are_done_without(filled: Path, cache: Path, shop: Any, odd: Any, place: int | None) -> None:
    load_incidents(filled, cache=cache)
    path = cache / "incidents.json"
    data = json.loads(path.read_text())
    for name, entry in data["incidents"].items():
        data["incidents"][name] = odd if place is None else [*entry[:place], odd]
    path.write_text(json.dumps(data))
    same(filled, cache, shop)


def test_a_cache_that_cannot_be_written_is_no_error(filled: Path, tmp_path: Path, shop: Any) -> None:
    (tmp_path / "file").write_text("")
    same(filled, tmp_path / "file", shop)


def test_an_update_is_the_same_with_it(tmp_path: Path, shop: Any) -> None:
    runs = [shop.make(n, **(BAD if n % 3 == 0 else {})) for n in range(1, 10)]
    found = []
    for cache in (None, tmp_path / "cache"):
        reports = tmp_path / f"reports-{cache is None}"
        keep(reports, *runs, cache=cache)
        found.append([to_text(one) for one in load_incidents(reports).found])
    assert found[0] == found[1] != []
