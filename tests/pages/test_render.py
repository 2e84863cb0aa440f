"""Whole sites: safe whatever the names, complete, linked, small, and the same for the same ledger."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from nbops.errors import LedgerError
from nbops.model import Check, CheckResult, Column, Dataset, Measurement, Run, TaskRun
from nbops.pages.render import render_index, render_run
from nbops.pages.summaries import summaries, summarise
from nbops.record.pruning import prune
from nbops.record.store import read_run, write_run

KINDS = ["fresh", "passing", "failing", "checked", "interrupted", "up_to_date", "hostile"]
Runs = dict[str, Callable[[], Run]]
Make = Callable[..., Path]
ACTIVE = {"script", "iframe", "object", "embed", "form", "input", "button", "base", "style", "video", "audio", "template", "math"}
STYLES = ("--x:", "--h:", "--w:", "--d:", "width:min(")
OVERVIEW = {"catalog.html": {"script"}, "lineage.html": {"script", "style"}}
"""What these two may hold: a script that their policy names by its hash, and rules that light up parts of the drawing."""


class Page(HTMLParser):
    """Reads a page and fails on anything active, unbalanced or foreign."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.refers: set[str] = set()
        self.text = ""
        self.name = path.name
        self.raw: dict[str, str] = {}
        self.open: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._judge(tag, attrs)
        if tag not in {"meta", "link", "img", "br", "hr", "col"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._judge(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, tag
        assert self.open.pop() == tag
        self.text += " " if tag in {"td", "th", "li", "dd", "dt"} else ""

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in {"script", "style"}:
            self.raw[self.open[-1]] = self.raw.get(self.open[-1], "") + data
        else:
            self.text += data

    def _judge(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in ACTIVE - OVERVIEW.get(self.name, set()), tag
        assert tag != "script" or not attrs, attrs
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), (tag, names)
        for name, value in attrs:
            text = value or ""
            assert not name.startswith("on"), (tag, attrs)
            if name == "style":
                assert text.startswith(STYLES), text
            if name == "src":
                assert text.startswith("data:image/"), text[:80]
            if name == "id":
                assert text not in self.ids, f"twice: {text}"
                self.ids.add(text)
            if name == "href":
                self.links.append(text)
            if name in {"aria-labelledby", "aria-describedby"}:
                self.refers |= set(text.split())


def pages(reports: Path) -> list[Path]:
    return [path for path in sorted(reports.rglob("*.html")) if "profiles" not in path.parts]


def digest(reports: Path) -> dict[str, str]:
    files = [path for path in sorted(reports.rglob("*")) if path.is_file() and path.name != "run.json"]
    return {str(path.relative_to(reports)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module", params=KINDS)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, make_site: Make) -> Path:
    kind = str(request.param)
    return make_site(kind, tmp_path_factory.mktemp(kind), history=12 if kind != "fresh" else 0)


@pytest.fixture(scope="module")
def hostile_site(tmp_path_factory: pytest.TempPathFactory, make_site: Make) -> Path:
    return make_site("hostile", tmp_path_factory.mktemp("hostile"))


def test_every_page_is_inert_and_well_formed(site: Path) -> None:
    for path in pages(site):
        page = Page(path)
        assert page.refers <= page.ids, path
        assert path.read_text(encoding="utf-8").count("<h1") == 1


def test_every_link_leads_somewhere(site: Path) -> None:
    read = {path: Page(path) for path in pages(site.resolve())}
    ids = {path: page.ids for path, page in read.items()}
    for path, page in read.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme:
                assert (parts.scheme, parts.netloc) in {("data", ""), ("https", "example.com")}, link
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert target.is_relative_to(site.resolve()) or target == path
            assert target.is_file(), (path.relative_to(site), link)
            if parts.fragment and target.suffix == ".html":
                assert unquote(parts.fragment) in ids[target], (path.relative_to(site), link)


def test_pages_stay_small(site: Path) -> None:
    assert all(path.stat().st_size < 300_000 for path in pages(site))


def test_nothing_half_written_stays_behind(site: Path) -> None:
    assert not list(site.rglob("*.tmp"))
    assert not list(site.rglob(".*"))


def test_rendering_from_the_ledger_gives_the_same_bytes_and_touches_nothing(site: Path, compared: Any, measured: Any) -> None:
    ids = [path.parent.name for path in site.glob("runs/*/run.json")]
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in site.rglob("*.html")}
    run = read_run(site, ids[0]) if ids else None
    accepted, previous = compared(run, 12) if run else (None, None)
    if run:
        written = render_run(run, reports=site, accepted=accepted, previous=previous, series=measured(run, 12))
    else:
        written = render_index([], latest=None, reports=site)
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in site.rglob("*.html")} == before
    assert len(written) == len(set(written)) == (2 + len(run.tasks) + len(run.datasets) if run else 7)


def test_the_same_run_elsewhere_gives_the_same_bytes(tmp_path: Path, make_site: Make) -> None:
    sites = [make_site("checked", tmp_path / name, history=5) for name in ("a", "b")]
    assert digest(sites[0]) == digest(sites[1])


def test_the_order_of_a_ledgers_lists_and_mappings_does_not_show(tmp_path: Path, runs: Runs) -> None:
    run = runs["checked"]()
    turned = replace(
        run,
        datasets=run.datasets[::-1],
        checks=run.checks[::-1],
        lineage=run.lineage[::-1],
        parameters=dict(reversed(run.parameters.items())),
    )
    for name, one in (("a", run), ("b", turned)):
        write_run(tmp_path / name, one)
        render_run(one, reports=tmp_path / name)
        render_index([summarise(one)], latest=one, reports=tmp_path / name)
    assert digest(tmp_path / "a") == digest(tmp_path / "b")


def test_hash_seeds_do_not_show(tmp_path: Path, runs: Runs) -> None:
    write_run(tmp_path / "x", runs["checked"]())
    code = (
        "import sys; from pathlib import Path; from nbops.pages.render import render_index, render_run;"
        "from nbops.record.store import read_run; from nbops.pages.summaries import summarise;"
        "source, target, run_id = sys.argv[1:]; run = read_run(Path(source), run_id);"
        "render_run(run, reports=Path(target)); render_index([summarise(run)], latest=run, reports=Path(target))"
    )
    for seed in ("1", "2"):
        arguments = [sys.executable, "-c", code, str(tmp_path / "x"), str(tmp_path / seed), runs["checked"]().id]
        subprocess.run(
            arguments, check=True, env={**os.environ, "PYTHONHASHSEED": seed, "TZ": "Asia/Tokyo" if seed == "1" else "UTC"}
        )
    assert digest(tmp_path / "1") == digest(tmp_path / "2")


def test_names_that_would_share_a_file_have_pages_of_their_own(hostile_site: Path, runs: Runs) -> None:
    folder = hostile_site / "runs" / runs["hostile"]().id
    names = [path.name.lower() for path in folder.rglob("*.html")]
    assert len(list(folder.glob("datasets/*.html"))) == len(runs["hostile"]().datasets)
    assert len(list(folder.glob("tasks/*.html"))) == len(runs["hostile"]().tasks)
    assert len(set(names)) == len({path.name for path in folder.rglob("*.html")})
    assert list(hostile_site.parent.rglob("passwd*")) == []


def test_hostile_texts_are_shown_as_texts(hostile_site: Path, runs: Runs) -> None:
    page = Page(hostile_site / "runs" / runs["hostile"]().id / "index.html")
    assert "<script>alert(1)</script>" in page.text
    assert "{{ 7 * 7 }}" in page.text
    assert "a\u2400b" in page.text
    assert "\u202e" not in page.text
    assert "49" not in page.text.split("Parameters")[-1]


def test_fifty_datasets_fit(tmp_path: Path) -> None:
    run = _wide(datasets=50, checks=12, columns=40)
    write_run(tmp_path, run)
    render_run(run, reports=tmp_path)
    render_index([summarise(run)] * 2, latest=run, reports=tmp_path)
    assert max(path.stat().st_size for path in pages(tmp_path)) < 300_000


def test_a_thousand_datasets_are_capped_and_the_rest_is_counted(tmp_path: Path) -> None:
    run = _wide(datasets=1_000, checks=3, columns=1)
    render_index([summarise(run)], latest=run, reports=tmp_path)
    text = Page(tmp_path / "index.html").text
    assert (tmp_path / "index.html").stat().st_size < 300_000
    assert "and 850 more" in text


def _wide(*, datasets: int, checks: int, columns: int) -> Run:
    made = []
    results = []
    for number in range(datasets):
        name = f"a_rather_long_dataset_name_{number:03d}"
        cols = tuple(
            Column(name=f"column_{index}", physical_type="VARCHAR", description="What it holds") for index in range(columns)
        )
        metrics = tuple(
            Measurement(metric=metric, column=column.name, value=index)
            for column in cols
            for index, metric in enumerate(("nullValues", "distinct", "min", "max", "mean"))
        )
        path = f"data/{name}.parquet"
        made.append(
            Dataset(name=name, task=f"t{number}", path=path, format="parquet", columns=cols, measurements=metrics, rows=number)
        )
        results += [
            CheckResult(
                check=Check(
                    id=f"column_{index}.nullValues",
                    dataset=name,
                    metric="nullValues",
                    column=f"column_{index}",
                    operator="mustBe",
                    expected=0,
                ),
                verdict="failed" if index == 0 else "passed",
                observed=index,
                message="No value of the column may be null; some of them are.",
                examples=tuple({f"column_{column}": "value" for column in range(columns)} for _ in range(5)),
            )
            for index in range(checks)
        ]
    tasks = tuple(
        TaskRun(name=f"t{number}", kind="sql", status="succeeded", reasons=("Its code changed.",), upstream=(f"t{number - 1}",))
        for number in range(datasets)
    )
    return Run(
        id="20261122T194156Z-1f0c9a",
        status="failed",
        verdict="failed",
        pipeline="wide",
        command="ploomber build",
        started_at="2026-11-22T19:41:56Z",
        tasks=tasks,
        datasets=tuple(made),
        checks=tuple(results),
    )


def test_five_thousand_columns_are_capped(tmp_path: Path) -> None:
    run = _wide(datasets=1, checks=1, columns=5_000)
    write_run(tmp_path, run)
    paths = render_run(run, reports=tmp_path)
    page = next(path for path in paths if path.parent.name == "datasets")
    assert page.stat().st_size < 300_000
    assert "and 4,750 more columns" in Page(page).text


def test_what_the_pages_tell(tmp_path: Path, make_site: Make) -> None:
    reports = make_site("checked", tmp_path)
    text = " ".join(Page(next(reports.glob("runs/*/index.html"))).text.split())
    for phrase in (
        "Failed customer_features: nullValues of customer_id is 24.93 %, expected < 5 %",
        "5 example rows",
        "could not be measured",
        "4 tasks held: train, recommend, evaluate and monitor",
        "143,985 rows of order_lines quarantined (26.6 %)",
        "541,909 397,924 143,985 yes",
        "not published",
        "3 files changed and not committed",
        "22 Nov 2026, 19:41:56 UTC",
        "order_lines_raw changed.",
    ):
        assert phrase in text
    index = " ".join(Page(reports / "index.html").text.split())
    assert (
        index.index("Failed customer_features")
        < index.index("Errored customer_features")
        < index.index("Pipeline")
        < index.index("Runs 1")
    )


def test_a_task_page_marks_the_cell_that_raised(tmp_path: Path, make_site: Make) -> None:
    reports = make_site("failing", tmp_path)
    run_page = next(reports.glob("runs/*/index.html")).read_text(encoding="utf-8")
    assert 'href="tasks/clean.html#cell-3"' in run_page
    html = next(reports.glob("runs/*/tasks/clean.html")).read_text(encoding="utf-8")
    assert 'class="cell code failed" id="cell-3"' in html
    assert "raised here" in html


def test_the_cell_has_its_anchor_also_without_the_notebook(tmp_path: Path, runs: Runs) -> None:
    run = runs["failing"]()
    write_run(tmp_path, run)
    render_run(run, reports=tmp_path)
    page = Page(next(tmp_path.glob("runs/*/tasks/clean.html")))
    assert "cell-3" in page.ids
    assert "The executed notebook is not kept with this run." in page.text
    assert "lines['price'] = lines.UnitPrice" in page.text


def test_runs_whose_pages_were_pruned_are_listed_without_a_link(tmp_path: Path, runs: Runs) -> None:
    old, new = replace(runs["passing"](), id="20250101T000000Z-000000", started_at="2025-01-01T00:00:00Z"), runs["failing"]()
    for run in (old, new):
        write_run(tmp_path, run)
        render_run(run, reports=tmp_path)
    prune(tmp_path, 1)
    render_index(summaries(tmp_path, tmp_path / ".cache"), latest=new, reports=tmp_path)
    page = Page(tmp_path / "index.html")
    assert "1 Jan 2025, 00:00" in page.text
    assert not any("20250101" in link for link in page.links)


@pytest.mark.parametrize("path", ["../../secret.ipynb", "/etc/passwd", "runs/../../x.ipynb", "a\0b", "C:\\x"])
def test_paths_of_a_ledger_lead_nowhere_outside(tmp_path: Path, runs: Runs, path: str) -> None:
    (tmp_path / "secret.ipynb").write_text('{"cells": [], "nbformat": 4, "nbformat_minor": 5, "metadata": {}}', encoding="utf-8")
    run = runs["passing"]()
    tasks = (replace(run.tasks[0], notebook=path), *run.tasks[1:])
    run = replace(run, tasks=tasks, datasets=(replace(run.datasets[0], profile=path), *run.datasets[1:]))
    reports = tmp_path / "deep" / "reports"
    write_run(reports, run)
    render_run(run, reports=reports)
    links = [link for file in pages(reports) for link in Page(file).links]
    assert not any("secret" in link or "passwd" in link for link in links)


@pytest.mark.parametrize("run_id", ["../x", "", "20261122T194156Z-1f0c9a/../..", "x"])
def test_a_run_id_is_no_path(tmp_path: Path, runs: Runs, run_id: str) -> None:
    run = replace(runs["passing"](), id=run_id)
    with pytest.raises(LedgerError):
        render_run(run, reports=tmp_path)
    with pytest.raises(LedgerError):
        render_index([], latest=run, reports=tmp_path)
    assert not list(tmp_path.iterdir())


def test_nothing_heavy_is_imported_before_a_notebook_is_shown() -> None:
    heavy = "{'nbconvert', 'nbformat', 'pandas', 'ploomber', 'duckdb'}"
    code = f"import sys, nbops.pages.render; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_page_forbids_scripts_and_outside_sources(tmp_path: Path, make_site: Make) -> None:
    for path in pages(make_site("passing", tmp_path)):
        html: Any = path.read_text(encoding="utf-8")
        assert "default-src 'none'" in html
        policy = re.search(r"script-src ([^;]*);", html)
        assert (policy is None) == (path.name not in OVERVIEW)
        if policy is not None:  # one script, known by what it holds
            script = Page(path).raw["script"]
            assert policy[1] == f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
            assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|fetch|XMLHttp|import\(|http", script)
        assert '<html lang="en">' in html
