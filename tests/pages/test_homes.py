"""Pages that a run does not write again: they are linked where they are, kept while they are linked, and never rewritten."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from nbops.contract.config import Config
from nbops.history.matrix import matrix_rows
from nbops.history.series import series_of
from nbops.model import Run
from nbops.pages.render import render_index, render_run
from nbops.pages.summaries import RunSummary, summaries, summarise
from nbops.pages.templating import page as made_page
from nbops.record.ledger import as_stored
from nbops.record.pruning import prune
from nbops.record.store import run_ids, write_run
from nbops.workflow.comparing import beside
from nbops.workflow.rebuild import rebuild_pages
from nbops.workflow.watchpages import watch_of

Runs = dict[str, Callable[[], Run]]
LATER = "20261123T060000Z-00000{}"


def idle(since: Run, number: int) -> Run:
    """A run with nothing to do after ``since``."""
    tasks = tuple(replace(task, status="up_to_date", notebook=None, cells=(), last_success=since.id) for task in since.tasks)
    datasets = tuple(replace(item, changed=False, from_run=item.from_run or since.id) for item in since.datasets)
    return replace(
        since, id=LATER.format(number), started_at="2026-11-23T06:00:00Z", tasks=tasks, datasets=datasets, quarantine=()
    )


def record(reports: Path, run: Run) -> None:
    write_run(reports, run)
    found, cache = beside(run, reports), reports.parent / "cache"
    series = series_of(as_stored(run), reports=reports, cache=cache)
    render_run(run, reports=reports, accepted=found.accepted, previous=found.previous, series=series)
    rows, watch = matrix_rows(reports, cache), watch_of(reports.parent, reports, as_stored(run))
    render_index(summaries(reports, cache), latest=run, reports=reports, accepted=found.accepted, rows=rows, watch=watch)


def state(folder: Path) -> dict[Path, tuple[int, bytes]]:
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in sorted(folder.rglob("*.html"))}


def links(path: Path) -> list[Path]:

    found = [urlsplit(link) for link in re.findall(r'href="([^"#]+)[^"]*"', path.read_text(encoding="utf-8"))]
    return [(path.parent / unquote(link.path)).resolve() for link in found if not link.scheme]


@pytest.fixture
def reports(tmp_path: Path, runs: Runs) -> Path:
    folder = tmp_path.resolve() / "reports"
    record(folder, runs["passing"]())
    return folder


def test_a_run_with_nothing_to_do_writes_its_own_page_only(reports: Path, runs: Runs) -> None:
    first = runs["passing"]()
    before = state(reports / "runs" / first.id)
    second = idle(first, 1)
    record(reports, second)
    assert state(reports / "runs" / first.id) == before
    folder = reports / "runs" / second.id
    assert sorted(path.name for path in folder.rglob("*")) == ["index.html", "run.json"]
    for page in (folder / "index.html", reports / "index.html"):
        targets = links(page)
        assert [target for target in targets if not target.is_file()] == []
        assert {f"tasks/{task.name}.html" for task in first.tasks} <= {
            f"tasks/{target.name}" for target in targets if target.is_relative_to(reports / "runs" / first.id / "tasks")
        }
    shown = [target for target in links(folder / "index.html") if target.parent == reports / "runs" / first.id / "datasets"]
    assert len(shown) >= len(first.datasets)
    assert "10 datasets as before" in (reports / "index.html").read_text(encoding="utf-8")


SECTIONS = ("tasks", "datasets", "checks", "lineage", "parameters", "code", "environment")


def as_before(first: Run, number: int) -> Run:
    """A run in which no task had to run and nothing is another."""
    tasks = tuple(replace(task, reasons=("nothing it depends on changed",)) for task in idle(first, number).tasks)
    checks = tuple(replace(result, from_run=first.id) for result in first.checks)
    return replace(idle(first, number), tasks=tasks, checks=checks)


@pytest.fixture
def plain(tmp_path: Path, runs: Runs) -> tuple[Path, Run]:
    first = replace(runs["passing"](), quarantine=())
    folder = tmp_path.resolve() / "plain/reports"
    record(folder, first)
    return folder, first


def test_a_run_in_which_nothing_changed_is_a_line_that_leads_to_the_one_that_stands(plain: tuple[Path, Run]) -> None:
    reports, first = plain
    for number in (1, 2):
        record(reports, as_before(first, number))
        page = reports / "runs" / LATER.format(number) / "index.html"
        text = page.read_text(encoding="utf-8")
        assert "no task had to run" in text
        assert f"{len(first.tasks)} tasks: nothing it depends on changed" in text
        assert "Nothing differs:" in text
        there = (reports / "runs" / first.id / "index.html").read_text(encoding="utf-8")
        for name in SECTIONS:  # a link to a part of this page still leads somewhere, and from there to what it is about
            assert f'<a id="{name}" href="../../runs/{first.id}/index.html#{name}">' in text
            assert f'id="{name}"' in there
        assert set(re.findall(r'href="#([^"]+)"', text)) - {"main"} <= set(re.findall(r' id="([^"]+)"', text))
        assert [target for target in links(page) if not target.is_file()] == []
        assert len(text) < 0.5 * len(there)


@pytest.mark.parametrize("news", ["parameters", "checks", "reasons", "fails", "quarantine"])
def test_a_run_in_which_something_is_another_says_all(plain: tuple[Path, Run], news: str, runs: Runs) -> None:
    reports, first = plain
    run = as_before(first, 1)
    changes: dict[str, Any] = {
        "parameters": {"parameters": {**run.parameters, "since": "2012-01-01"}},
        "checks": {"checks": (replace(run.checks[0], verdict="failed", from_run=None), *run.checks[1:])},
        "reasons": {"tasks": (replace(run.tasks[0], reasons=("it was not asked for",)), *run.tasks[1:])},
        "fails": {"tasks": (replace(run.tasks[0], status="held"), *run.tasks[1:])},
        "quarantine": {"quarantine": runs["checked"]().quarantine},
    }
    record(reports, replace(run, **changes[news]))
    text = (reports / "runs" / run.id / "index.html").read_text(encoding="utf-8")
    assert "no task had to run" not in text
    for name in ("parameters", "environment"):
        assert f'<h2 id="{name}">' in text


def test_a_run_whose_earlier_pages_are_gone_says_all(plain: tuple[Path, Run]) -> None:
    reports, first = plain
    (reports / "runs" / first.id / "index.html").unlink()
    record(reports, as_before(first, 1))
    assert '<h2 id="parameters">' in (reports / "runs" / LATER.format(1) / "index.html").read_text(encoding="utf-8")


def test_the_third_run_leads_to_the_first_not_over_the_second(reports: Path, runs: Runs) -> None:
    first = runs["passing"]()
    second = idle(first, 1)
    record(reports, second)
    third = replace(idle(second, 2), tasks=tuple(replace(task, last_success=first.id) for task in idle(second, 2).tasks))
    record(reports, third)
    targets = links(reports / "runs" / third.id / "index.html")
    assert not any(target.is_relative_to(reports / "runs" / second.id) for target in targets)


def test_pages_that_a_kept_run_leads_to_are_kept(reports: Path, runs: Runs) -> None:
    first = runs["passing"]()
    record(reports, idle(first, 1))
    record(reports, idle(first, 2))
    removed = prune(reports, 1)
    assert {path.parent.name for path in removed} == {LATER.format(1)}
    assert (reports / "runs" / first.id / "index.html").is_file()
    assert all(target.is_file() for target in links(reports / "runs" / LATER.format(2) / "index.html"))
    again = replace(runs["failing"](), id=LATER.format(3))
    record(reports, again)
    assert {path.parts[-3] if path.parent.name in {"tasks", "datasets"} else path.parent.name for path in prune(reports, 1)} == {
        first.id, LATER.format(2),
    }  # fmt: skip
    assert run_ids(reports) == [first.id, *(LATER.format(number) for number in (1, 2, 3))]


@pytest.mark.parametrize("home", ["20200101T000000Z-000000", "../../..", "", "x"])
def test_a_page_that_is_not_where_it_is_said_to_be_is_the_runs_own(tmp_path: Path, runs: Runs, home: str) -> None:
    reports = tmp_path.resolve() / "reports"
    run = idle(replace(runs["passing"](), id=home), 1)
    record(reports, run)
    folder = reports / "runs" / run.id
    assert len(list((folder / "tasks").glob("*.html"))) == len(run.tasks)
    assert all(target.is_file() for page in folder.rglob("*.html") for target in links(page) if target.suffix == ".html")


def test_everything_made_again_has_the_same_bytes(reports: Path, runs: Runs) -> None:
    first = runs["passing"]()
    record(reports, idle(first, 1))
    record(reports, replace(runs["failing"](), id=LATER.format(2)))
    record(reports, idle(first, 3))
    before = {path: data for path, (_, data) in state(reports).items()}
    times = state(reports)
    config = Config(keep_runs=1)
    rebuild_pages(reports.parent, config)
    assert state(reports) == times
    for path in before:
        path.unlink()
    rebuilt = rebuild_pages(reports.parent, Config())
    assert {path: data for path, (_, data) in state(reports).items()} == before
    assert rebuilt.runs == tuple(run_ids(reports))
    for path in before:
        path.unlink()
    assert set(rebuild_pages(reports.parent, config).runs) == {first.id, LATER.format(3)}  # and what its pages lead to


def test_old_runs_stand_on_pages_that_are_written_once(tmp_path: Path, runs: Runs) -> None:
    base = summarise(runs["passing"]())
    every = [replace(base, id=f"2026{1 + n // 28:02d}{1 + n % 28:02d}T000000Z-{n:06x}") for n in range(130)]
    counts: list[int] = []
    for number in (1, 10, 19, 20, 29, 30, 130):
        before = state(tmp_path / "archive")
        render_index(every[:number], latest=runs["passing"](), reports=tmp_path)
        assert before.items() <= state(tmp_path / "archive").items()
        text = (tmp_path / "history.html").read_text(encoding="utf-8")
        counts.append(text.count('<th scope="row" class="fit">'))
        assert f"{number} run" in text
        assert (tmp_path / "index.html").read_text(encoding="utf-8").count('<th scope="row" class="fit">') == min(5, number)
    assert counts == [1, 10, 19, 10, 19, 10, 10]
    names = {path.name for path in (tmp_path / "archive").iterdir()}
    assert names == {f"{number}.html" for number in range(1, 13)}
    for name in names:
        assert (tmp_path / "archive" / name).read_text(encoding="utf-8").count('<th scope="row" class="fit">') == 10
        assert (tmp_path / "archive" / name) in links(tmp_path / "history.html")


def test_a_page_of_older_runs_is_made_again_only_when_it_would_change(
    tmp_path: Path, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = summarise(runs["passing"]())
    every = [replace(base, id=f"2026{1 + n // 28:02d}{1 + n % 28:02d}T000000Z-{n:06x}") for n in range(130)]
    made: list[str] = []

    def noting(template: str, context: Any) -> str:
        made.append(template)
        return made_page(template, context)

    monkeypatch.setattr("nbops.pages.render.page", noting)
    render_index(every, latest=runs["passing"](), reports=tmp_path)
    assert made == ["index.html.j2", *["history.html.j2"] * 13]
    made.clear()
    render_index(every, latest=runs["passing"](), reports=tmp_path)
    assert made == ["index.html.j2", "history.html.j2"]
    made.clear()
    every[3] = replace(every[3], headline="restored from a backup")  # its ledger changed
    render_index(every, latest=runs["passing"](), reports=tmp_path)
    assert made == ["index.html.j2", "history.html.j2", "history.html.j2"]
    assert "restored from a backup" in (tmp_path / "archive" / "1.html").read_text(encoding="utf-8")


def test_what_is_rewritten_with_each_run_does_not_grow_with_history(tmp_path: Path, runs: Runs) -> None:
    base: RunSummary = summarise(runs["passing"]())
    sizes: list[Any] = []
    for number in (189, 969):
        every = [replace(base, id=f"2026{1 + n // 28 % 12:02d}{1 + n % 28:02d}T0{n // 336}0000Z-{n:06x}") for n in range(number)]
        render_index(every, latest=runs["passing"](), reports=tmp_path)
        sizes.append([(tmp_path / name).stat().st_size for name in ("index.html", "history.html")])
    assert all(later < 1.2 * sooner for sooner, later in zip(*sizes, strict=True))
