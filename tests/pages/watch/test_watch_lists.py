"""What pages tell of recommendations: under a heading of their own, with what was expected, a table beside each chart."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from typing import TYPE_CHECKING, Any

import pytest

from nbops.model import Anomaly, Expected, Measurement
from nbops.pages.render import render_index, render_run
from nbops.pages.summaries import summarise
from nbops.pages.watch import BandPoint, BandSeries, RunWatch, Watch
from nbops.record.store import write_run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

NUMBERS = {"coverageRate": 0.41, "topTenRate": 0.633, "overlapRate": 0.8, "exposureGini": 0.5, "usersServed": 1234.0}
SAID = "order_lines: lists cover 41 % of the catalogue, 78 to 83 % expected."


def words(path: Path) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", path.read_text(encoding="utf-8"))))


def series(metric: str, runs: Sequence[str]) -> BandSeries:
    now = NUMBERS[metric]
    points = [
        BandPoint(run=run, at="2026-11-01", value=now * (1 + n % 3 / 50 if n else 1), low=now * 0.9, high=now * 1.1, center=now)
        for n, run in enumerate(reversed(runs))
    ][::-1]
    return BandSeries(
        metric=metric, points=tuple(points), expected=Expected(low=now * 0.9, high=now * 1.1, method="m", basis="b")
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, runs: Any) -> Path:
    reports = tmp_path_factory.mktemp("lists")
    run = runs["passing"]()
    out = Anomaly(
        monitor="coverage", subject="dataset:order_lines", metric="coverageRate", observed=0.41, score=4.0, message=SAID,
        expected=Expected(low=0.78, high=0.83, center=0.8, method="robust smoothing", basis="the 30 runs before"),
    )  # fmt: skip
    taken = [Measurement(metric=metric, value=value) for metric, value in NUMBERS.items()]
    lost = Measurement(metric="servedRate", error="dataset 'people' is not published")
    datasets = [
        replace(item, measurements=(*item.measurements, *taken, lost)) if item.name == "order_lines" else item
        for item in run.datasets
    ]
    run = replace(run, datasets=tuple(datasets), anomalies=(out,))
    ids = [f"2026110{n}T194156Z-00000{n}" for n in range(1, 9)] + [run.id]
    rows = BandSeries(metric="rowCount", points=tuple(BandPoint(run=one, at="2026-11-01", value=9.0) for one in ids))

    def bands(name: str, _: bool) -> list[BandSeries]:
        return [rows, *(series(metric, ids) for metric in NUMBERS)] if name == "order_lines" else [rows]

    seen = RunWatch(run=run.id, at="2026-11-22", datasets=frozenset(d.name for d in run.datasets), anomalies=(out,))
    watch = Watch(runs=(seen,), bands=bands)
    write_run(reports, run)
    render_run(run, reports=reports)
    render_index([summarise(run)], latest=run, reports=reports, watch=watch)
    return reports


def test_the_monitoring_page_of_recommendations_has_them_under_a_heading_with_a_table(site: Path) -> None:
    html = (site / "monitoring/order_lines.html").read_text(encoding="utf-8")
    text = words(site / "monitoring/order_lines.html")
    part = html[html.index('id="recommendations"') : html.index('<section aria-labelledby="series"')]
    assert part.count('<div class="chart ') == 5
    assert part.index("unusual") < part.index("Gini index")  # what is out of the ordinary comes first
    assert 'id="lists-table"' in part
    assert part.count('<th scope="col">') == 1 + 5
    assert "lists cover 41 % of the catalogue, 78 to 83 % expected" in text
    assert "41 % now; expected 36.9 % to 45.1 %" in text
    assert "1,234 now" in text
    assert "Share of the ten most recommended items" in text
    assert len(re.findall(r'id="([^"]+)"', html)) == len(set(re.findall(r'id="([^"]+)"', html)))


def test_the_overview_names_them_and_other_datasets_have_no_such_heading(site: Path) -> None:
    html = (site / "monitoring.html").read_text(encoding="utf-8")
    part = html[html.index('id="recommendations"') : html.index('id="noisy"')]
    assert part.count('href="monitoring/order_lines.html#recommendations"') == 5
    assert "36.9 % to 45.1 %" in part
    others = [page for page in (site / "monitoring").glob("*.html") if page.stem != "order_lines"]
    assert others
    assert not any('id="recommendations"' in page.read_text(encoding="utf-8") for page in others)


def test_the_datasets_page_tells_what_was_measured_and_what_could_not_be(site: Path) -> None:
    page = next(site.glob("runs/*/datasets/order_lines.html"))
    html, text = page.read_text(encoding="utf-8"), words(page)
    assert 'id="recommendations"' in html
    assert "Share of the catalogue that is recommended 41 % Unusual 78 % to 83 %" in text
    assert "errored dataset 'people' is not published" in text
    assert "coverageRate" not in text  # told once, in words
