"""The pages in a real browser, from file://: accessible, without requests, readable without JavaScript."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.browser

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-sync",
]
SITES = {"fresh": 0, "passing": 3, "failing": 0, "checked": 120, "interrupted": 1, "up_to_date": 0, "hostile": 0, "as_before": 0}
OPTIONS = {"resultTypes": ["violations"], "preload": False}  # it would fetch the stylesheet, which the policy forbids
VIEWS = [("light", 1280), ("dark", 1280), ("light", 375), ("dark", 375)]
CASES = [(kind, *view) for kind in ("fresh", "passing", "failing", "checked") for view in VIEWS]
CASES += [(kind, *view) for kind in ("interrupted", "up_to_date", "hostile", "as_before") for view in (VIEWS[0], VIEWS[3])]
FACES = {
    "hostile": ("index.html", "datasets/script*.html", "datasets/page--e3b0*.html", "tasks/script*.html", "tasks/xxx*.html"),
    "failing": ("index.html", "datasets/order_lines_raw.html", "tasks/clean.html"),
    "checked": ("index.html", "datasets/customer_features.html", "datasets/order_lines.html"),
    "passing": ("index.html", "datasets/order_lines.html", "tasks/clean.html"),
}


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory, make_site: Callable[..., Path]) -> dict[str, Path]:
    return {kind: make_site(kind, tmp_path_factory.mktemp(kind), history=history) for kind, history in SITES.items()}


def _some(site: Path, kind: str) -> list[Path]:
    """Pages of each kind; all of them would take minutes."""
    return [
        site / "index.html",
        site / "history.html",
        site / "catalog.html",
        site / "lineage.html",
        *sorted(site.glob("archive/1.html")),
        *(path for face in FACES.get(kind, ("index.html",)) for path in sorted(site.glob(f"runs/*/{face}"))),
    ]


@pytest.mark.parametrize(("kind", "theme", "width"), CASES)
def test_no_violation_of_any_impact_no_request_and_no_sideways_scrolling(
    browser: Any, sites: dict[str, Path], kind: str, theme: str, width: int
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is in the test extra").Axe()
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme)
    page = context.new_page()
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    for path in _some(sites[kind], kind):
        page.goto(path.as_uri())
        for details in page.query_selector_all("details:not([open])"):
            details.evaluate("element => { element.open = true; }")
        found = axe.run(page, options=OPTIONS).response["violations"]
        told = [(rule["id"], rule["impact"], [node["html"][:200] for node in rule["nodes"][:3]]) for rule in found]
        assert told == [], path.name
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path.name
        assert page.evaluate("getComputedStyle(document.querySelector('.wrap')).maxWidth") == "1120px", (
            "the stylesheet did not load"
        )
    context.close()
    assert said == []
    assert {url.split(":")[0] for url in asked} <= {"file", "data"}
    assert all(str(sites[kind]) in url or url.startswith("data:") for url in asked)


def test_readable_without_javascript(browser: Any, sites: dict[str, Path]) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((sites["checked"] / "index.html").as_uri())
    assert page.inner_text("h1").replace("\n", " ").startswith("Failed customer_features: nullValues of customer_id")
    assert page.locator("#runs-table >> xpath=.. >> tbody tr").count() == 5
    page.click("text=All runs")
    rows = "table:not(.matrix) tbody tr"
    runs = page.locator(rows).count()
    assert 10 <= runs < 20
    assert page.locator(".matrix tbody tr").count() == runs
    older = page.locator("nav[aria-label='Older runs'] a")
    for number in range(older.count()):
        archive = context.new_page()
        archive.goto((sites["checked"] / "history.html").as_uri())
        archive.locator("nav[aria-label='Older runs'] a").nth(number).click()
        runs += archive.locator(rows).count()
        archive.close()
    assert runs == 121  # 120 before the latest
    page.goto((sites["checked"] / "index.html").as_uri())
    page.click("text=5 example rows")
    assert page.locator(".examples").first.is_visible()
    page.click("a:has-text('20261122T194156Z-1f0c9a')")
    page.click(".strip a:has-text('clean')")
    page.locator("summary:has-text('Cell 2')").click()
    assert page.locator("#cell-2 pre").first.is_visible()
    assert "541909" in page.inner_text("#cell-2")
    context.close()


def test_a_finding_leads_to_the_cell_that_raised(browser: Any, sites: dict[str, Path]) -> None:
    page = browser.new_page()
    page.goto((sites["failing"] / "index.html").as_uri())
    page.click("a:has-text('See the cell in clean')")
    assert page.url.endswith("/tasks/clean.html#cell-3")
    assert page.locator("#cell-3:target").is_visible()
    assert "astype('float64')" in page.inner_text("#cell-3")
    page.close()


def test_themes_differ_and_paper_is_always_light(browser: Any, sites: dict[str, Path]) -> None:
    colours = {}
    for theme, media in (("light", "screen"), ("dark", "screen"), ("dark", "print")):
        page = browser.new_page(color_scheme=theme)
        page.emulate_media(media=media, color_scheme=theme)
        page.goto((sites["checked"] / "index.html").as_uri())
        colours[theme, media] = page.evaluate("getComputedStyle(document.body).backgroundColor")
        page.close()
    assert len(set(colours.values())) == 3
    assert colours["dark", "print"] == "rgb(255, 255, 255)"


def test_the_keyboard_reaches_the_content_first(browser: Any, sites: dict[str, Path]) -> None:
    page = browser.new_page()
    page.goto((sites["checked"] / "index.html").as_uri())
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.querySelector('main').contains(document.activeElement)")
    page.close()


def test_a_policy_breach_would_be_stopped(browser: Any, sites: dict[str, Path], tmp_path: Path) -> None:
    html = (sites["passing"] / "index.html").read_text(encoding="utf-8")
    attack = "<script>document.title = 'owned'</script><img src='https://evil.example/x.png' onerror='document.title = 1'>"
    (tmp_path / "x.html").write_text(html.replace("</main>", f"{attack}</main>"), encoding="utf-8")
    page = browser.new_page()
    failed: list[str] = []
    page.on("requestfailed", lambda request: failed.append(request.failure or ""))
    page.goto((tmp_path / "x.html").as_uri())
    assert "owned" not in page.title()
    assert any("csp" in reason.lower() for reason in failed)
    page.close()
