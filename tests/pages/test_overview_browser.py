"""The catalog and the lineage in a real browser; and the questions of a new user, each answered in at most two clicks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.browser

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory, make_site: Callable[..., Path]) -> dict[str, Path]:
    kinds = {"checked": 30, "failing": 0, "passing": 3, "hostile": 0}
    return {kind: make_site(kind, tmp_path_factory.mktemp(kind), history=history) for kind, history in kinds.items()}


class Visitor:
    """Somebody who begins at the index, without JavaScript, and counts clicks; unfolding something is a click, too."""

    def __init__(self, browser: Any, site: Path) -> None:
        self.page = browser.new_context(java_script_enabled=False).new_page()
        self.page.goto((site / "index.html").as_uri())
        self.clicks = 0

    def click(self, selector: str) -> Visitor:
        self.page.locator(selector).first.click()
        self.clicks += 1
        return self

    def text(self, selector: str) -> str:
        return re.sub(r"\s+", " ", self.page.locator(selector).first.inner_text())


@pytest.fixture
def visit(browser: Any, sites: dict[str, Path]) -> Callable[[str], Visitor]:
    return lambda kind: Visitor(browser, sites[kind])


def test_did_it_pass(visit: Callable[[str], Visitor]) -> None:
    assert visit("checked").text("h1").startswith("Failed")
    assert visit("passing").text("h1").startswith("Passed")


def test_what_is_worst(visit: Callable[[str], Visitor]) -> None:
    user = visit("checked")
    assert "nullValues of customer_id" in user.text(".findings li")
    user.click(".findings li a:has-text('Dataset customer_features')")
    assert "24.93 %" in user.text("#checks-table >> xpath=.. >> tbody tr")
    assert user.clicks <= 2


def test_what_changed(visit: Callable[[str], Visitor]) -> None:
    user = visit("checked")
    assert user.page.locator("#changes").is_visible()
    user.click("a:has-text('all changes')")
    assert user.page.locator(".changes li").count() > 0
    assert user.clicks <= 2


def test_where_does_a_column_come_from(visit: Callable[[str], Visitor]) -> None:
    user = visit("passing").click(".site a:has-text('Catalog')").click("table a:has-text('order_lines') >> nth=0")
    row = user.text("#column-price")
    assert "order_lines_raw.price" in row
    assert "order_lines_raw.quantity" in row
    assert "aggregated, from SQL, cell 3" in row
    assert user.clicks <= 2


def test_who_owns_a_dataset(visit: Callable[[str], Visitor]) -> None:
    user = visit("passing").click(".site a:has-text('Catalog')")
    assert "shop-data@example.com" in user.text(".catalog tr:has(:text-is('customers'))")
    assert user.clicks <= 2


def test_how_fresh_is_a_dataset(visit: Callable[[str], Visitor]) -> None:
    user = visit("passing").click(".site a:has-text('Catalog')")
    assert "22 Nov 2026, 19:41 last made" in user.text(".catalog tr:has(:text-is('customers'))")
    assert user.clicks <= 2


def test_which_cell_failed(visit: Callable[[str], Visitor]) -> None:
    user = visit("failing").click("a:has-text('See the cell in clean')")
    assert user.page.locator("#cell-3:target").is_visible()
    assert "astype('float64')" in user.text("#cell-3")
    assert user.clicks <= 2


def test_what_a_cell_did_to_data_stands_under_it(visit: Callable[[str], Visitor]) -> None:
    user = visit("passing").click(".strip a:has-text('clean')")
    told = user.text("#cell-3 .told")
    assert "Works on order_lines: price" in told
    assert "lines: 397,924 rows, of raw with 541,909" in told
    assert "the inner join lost 27 % of the rows of raw" in told
    assert "config/shop.yaml" not in user.text("#data-table >> xpath=..")
    user = visit("passing").click(".strip a:has-text('train')")
    assert "config/shop.yaml not declared" in user.text("#data-table >> xpath=..")


def test_a_node_lights_up_what_belongs_to_it_without_a_script(browser: Any, sites: dict[str, Path]) -> None:
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto((sites["passing"] / "lineage.html").as_uri())

    def lit() -> set[str]:
        lines = page.locator("#drawing a rect")
        widths = lines.evaluate_all("all => all.map(one => [one.parentElement.id, getComputedStyle(one).strokeWidth])")
        return {name for name, width in widths if width == "2px"}

    assert lit() == set()
    page.locator("#d-baskets").click()
    assert page.url.endswith("#d-baskets")
    found = lit()
    assert {"t-ingest", "t-clean", "t-basket", "t-train", "d-recommendations"} <= found
    assert "t-popularity" not in found
    assert "d-customer_features" not in found
    row = page.locator("#r-d-baskets").inner_text()
    assert "basket" in row
    assert "train" in row
    page.close()


def test_the_script_adds_search_folding_and_the_keyboard(browser: Any, sites: dict[str, Path]) -> None:
    page = browser.new_page()
    page.goto((sites["passing"] / "lineage.html").as_uri())
    page.fill("#find", "basket")
    assert page.inner_text("output") == "2 found"
    page.keyboard.press("Enter")
    assert page.locator("#chosen").is_visible()
    assert "basket" in page.inner_text("#chosen")
    page.click("button:has-text('Only what belongs together')")
    assert not page.locator("#t-popularity").is_visible()
    assert page.locator("#t-train").is_visible()
    page.click("button:has-text('Clear')")
    assert page.locator("#t-popularity").is_visible()
    page.locator("#t-clean").focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.id") == "d-order_lines"
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    assert "clean" in page.inner_text("#chosen")
    page.keyboard.press("Escape")
    assert not page.locator("#chosen").is_visible()
    wide = page.evaluate("document.getElementById('drawing').getBoundingClientRect().width")
    page.click("button[aria-label='Larger']")
    assert page.evaluate("document.getElementById('drawing').getBoundingClientRect().width") > wide
    page.close()


def test_the_catalog_is_searched_by_name_word_owner_and_column(browser: Any, sites: dict[str, Path]) -> None:
    page = browser.new_page()
    page.goto((sites["passing"] / "catalog.html").as_uri())
    every = page.locator(".entry:visible").count()
    assert every == 10
    for words, expected in (("drift", 1), ("shop-data", 10), ("GDPR", 10), ("sterling", 10), ("no such thing", 0)):
        page.fill("#find", words)
        assert page.locator(".entry:visible").count() == expected, words
        assert page.locator(".catalog tbody tr:visible").count() == expected, words
    page.fill("#find", "sterling")
    assert page.locator(".entry details[open] tbody tr:visible").count() == 10  # the column price of each
    page.keyboard.press("Escape")
    assert page.locator(".entry:visible").count() == every
    page.close()


def test_scripts_of_hostile_pages_do_what_they_should(browser: Any, sites: dict[str, Path]) -> None:
    for name in ("lineage.html", "catalog.html"):
        page = browser.new_page()
        said: list[str] = []
        page.on("console", lambda message, said=said: said.append(message.text))
        page.on("pageerror", lambda error, said=said: said.append(str(error)))
        page.goto((sites["hostile"] / name).as_uri())
        page.fill("#find", "<script>alert(1)</script>")
        page.keyboard.press("Enter")
        assert page.locator("output").inner_text() != ""
        assert said == []
        assert page.locator("script").count() == 1
        page.close()


def test_wide_things_scroll_in_their_boxes_on_a_phone(browser: Any, sites: dict[str, Path]) -> None:
    for script in (True, False):
        context = browser.new_context(viewport={"width": 390, "height": 800}, java_script_enabled=script)
        page = context.new_page()
        site = sites["checked"]
        for path in (
            site / "lineage.html",
            site / "catalog.html",
            *site.glob("runs/*/datasets/*.html"),
            *site.glob("runs/*/tasks/*.html"),
        ):
            page.goto(path.as_uri())
            assert page.evaluate("document.documentElement.scrollWidth") <= 390
        context.close()
