"""Pages of monitoring and incidents in a real browser, from file://: accessible in both themes, whole without a script."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from nbops.pages.render import render_index
from nbops.pages.summaries import summarise

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.browser

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
PAGES = (
    "index.html",
    "monitoring.html",
    "incidents.html",
    "monitoring/order_lines.html",
    "monitoring/customers.html",
    "incidents/INC-20261122T194156Z-4c1d.html",
)


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory, watched: Any, runs: Any) -> dict[str, Path]:
    run = runs["passing"]()
    return {
        "year": watched(run, tmp_path_factory.mktemp("year")),
        "first": watched(run, tmp_path_factory.mktemp("first"), runs=1),
    }


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 1280), ("light", 390), ("dark", 390)])
def test_no_violation_of_any_impact_no_request_and_no_sideways_scrolling(
    browser: Any, sites: dict[str, Path], theme: str, width: int
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is in the test extra").Axe()
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme)
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for path in [site / name for site in sites.values() for name in PAGES if (site / name).is_file()]:
        page.goto(path.as_uri())
        for details in page.query_selector_all("details:not([open])"):
            details.evaluate("element => { element.open = true; }")
        found = axe.run(page, options={"resultTypes": ["violations"], "preload": False}).response["violations"]
        told = [(rule["id"], rule["impact"], [node["html"][:200] for node in rule["nodes"][:3]]) for rule in found]
        assert told == [], path.name
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path.name
    context.close()
    assert {url.split(":")[0] for url in asked} <= {"file", "data"}


def test_from_the_index_to_a_series_and_its_numbers_without_a_script(browser: Any, sites: dict[str, Path]) -> None:
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto((sites["year"] / "index.html").as_uri())
    page.locator("a:has-text('Its series, with what was expected')").first.click()
    assert page.url.endswith("/monitoring/order_lines.html")
    assert page.locator(".plot").count() == 4
    page.locator("summary:has-text('The same as a table')").click()
    assert page.locator("#numbers-table").count() == 1
    assert "361,957 to 424,906" in page.locator("table:has(#numbers-table) tbody tr").first.inner_text()
    page.locator("table:has(#numbers-table) tbody a").first.click()
    assert page.url.endswith("/runs/20261122T194156Z-1f0c9a/index.html")


def test_marks_are_told_apart_by_shape_and_stand_on_the_line(browser: Any, sites: dict[str, Path]) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto((sites["year"] / "monitoring/order_lines.html").as_uri())
    shapes = page.evaluate(
        "['out', 'up', 'ok'].map(name => { const style = getComputedStyle(document.querySelector(`.plot .${name}, .k .${name}`),"
        " '::before'); return style.clipPath + style.borderRadius; })"
    )
    assert len(set(shapes)) == 3
    boxes = page.evaluate(
        "[...document.querySelectorAll('.plot .band')].every(band => { const box = band.getBoundingClientRect();"
        " return [...band.querySelectorAll('i')].every(mark => { const at = mark.getBoundingClientRect();"
        " const x = at.x + at.width / 2, y = at.y + at.height / 2;"
        " return x >= box.x - 1 && x <= box.right + 1 && y >= box.y - 1 && y <= box.bottom + 1; }); })"
    )
    assert boxes
    page.close()


def test_what_is_said_of_the_rhythm_is_not_cut_off(browser: Any, tmp_path: Path, watching: Any, runs: Any) -> None:
    run = runs["passing"]()
    watch = watching(run, runs=3)
    said = "learning when something new comes: 4 more weeks to go; last new 2026-11-27 20:22 UTC"

    def bands(name: str, short: bool) -> list[Any]:
        return [replace(one, metric="interval", rhythm=said) for one in watch.bands(name, short)]

    render_index([summarise(run)], latest=run, reports=tmp_path, watch=replace(watch, bands=bands))
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto((tmp_path / "monitoring.html").as_uri())
    assert page.locator(f"table:has(#freshness-table) td:has-text('{said}')").count() == len(run.datasets)
    room, needed = page.evaluate("(e => [e.clientWidth, e.scrollWidth])(document.querySelector('.scroll:has(#freshness-table)'))")
    assert needed <= room
    page.close()
