"""``nbops.contract_editor()`` in JupyterLab, by mouse and by keyboard."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from nbops.contract.odcs import load_contract
from nbops.contract.records import Recommendations

pytestmark = [pytest.mark.browser, pytest.mark.e2e]

PICTURES = os.environ.get("NBOPS_PICTURES")
HOSTILE = "<img src=x onerror=window.hit=1>'\"; DROP TABLE 😀"
CONTRACT = """\
# Who changes this, tells the shop.
apiVersion: v3.1.0
kind: DataContract
id: orders
version: 1.0.0
status: active   # or draft
description:
  purpose: What was <b>sold</b>
schema:
  - name: orders
    properties:
      - name: id            # given by the shop
        logicalType: integer
        required: true
      # money
      - name: amount
        logicalType: number
        logicalTypeOptions:
          minimum: 0   # refunds are elsewhere
      - name: country
        logicalType: string
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    root = tmp_path / "shop"
    (root / "contracts").mkdir(parents=True)
    (root / "out").mkdir()
    pipeline = "tasks:\n  - source: clean.py\n    product: {nb: clean.ipynb, data: out/orders.csv}\n"
    (root / "pipeline.yaml").write_text(pipeline, encoding="utf-8")
    (root / "clean.py").write_text("", encoding="utf-8")
    (root / "contracts/orders.odcs.yaml").write_text(CONTRACT, encoding="utf-8")
    (root / "out/orders.csv").write_text("id,amount,country,extra\n1,2.5,UK,1\n2,-1,FR,2\n3,7,EIRE,3\n", encoding="utf-8")
    return root


def _picture(widget: Any, name: str) -> None:
    if PICTURES:
        widget.screenshot(path=f"{PICTURES}/{name}.png")


def _file(shop: Path) -> Path:
    return shop / "contracts/orders.odcs.yaml"


def test_by_mouse(page: Any, lab: Any, shop: Path, cell: Any, show: Any, violations: Any, theme: Any) -> None:  # noqa: PLR0917
    cell(shop / "try.ipynb", 'import nbops\nnbops.contract_editor("orders")')
    widget = show(page, lab(shop), "try.ipynb")
    widget.locator(".nbops-c-basis", has_text="All 3 rows: 1 failed, 2 passed.").wait_for()
    assert widget.get_by_text("No unsaved changes").is_visible()
    assert violations(page) == []
    widget.get_by_label("Column to edit").select_option("amount")
    widget.get_by_label("Smallest").fill("-5")
    widget.locator(".nbops-c-basis", has_text="All 3 rows: 3 passed.").wait_for()
    assert widget.get_by_text("1 change not saved").is_visible()
    widget.get_by_label("Meaning").fill(HOSTILE)
    widget.get_by_label("Column to edit").select_option("country")
    widget.get_by_label("Allowed values").fill("UK\nFR")
    widget.locator(".nbops-c-basis", has_text="All 3 rows: 1 failed, 3 passed.").wait_for()
    for name in ("dark", "light"):
        theme(page, name)
        assert violations(page) == []
        _picture(widget, f"contract-editor-{name}")

    widget.get_by_label("Pattern").fill("(")
    widget.locator(".nbops-c-basis", has_text="The contract is wrong, so nothing is judged by it.").wait_for()
    assert "pattern" in widget.locator("ul.nbops-w-wrong").inner_text()
    widget.get_by_role("button", name="Undo").click()
    widget.locator(".nbops-c-basis", has_text="All 3 rows: 1 failed, 3 passed.").wait_for()
    assert widget.get_by_label("Pattern").input_value() == ""
    assert _file(shop).read_text(encoding="utf-8") == CONTRACT, "nothing is written before it is said"

    _file(shop).write_text(CONTRACT.replace("1.0.0", "1.1.0"), encoding="utf-8")
    widget.get_by_role("button", name="See changes and save").click()
    widget.get_by_text("was changed by somebody else").wait_for()
    assert widget.get_by_role("button", name="Save", exact=True).is_disabled()
    assert violations(page) == []
    _picture(widget, "contract-editor-conflict")
    widget.get_by_role("button", name="Read it anew, keep my changes").click()
    widget.get_by_text("The file was read anew, and your changes are made on it.").first.wait_for()
    diff = widget.locator(".nbops-c-diff").inner_text()
    assert "+          minimum: -5   # refunds are elsewhere" in diff
    assert "version" not in [line.strip(" +-").partition(":")[0] for line in diff.splitlines() if line[:1] in "+-"]
    widget.get_by_role("button", name="Save", exact=True).click()
    widget.get_by_text("No unsaved changes").wait_for()
    text = _file(shop).read_text(encoding="utf-8")
    for kept in ("# Who changes this, tells the shop.", "# given by the shop", "# money", "# refunds are elsewhere", "1.1.0"):
        assert kept in text
    saved = {column.name: column for column in load_contract(_file(shop)).columns}
    assert saved["amount"].description == HOSTILE
    assert saved["country"].values == ("UK", "FR")
    page.set_viewport_size({"width": 390, "height": 900})
    page.evaluate("() => window.jupyterapp.shell.collapseLeft()")
    assert violations(page) == []
    _picture(widget, "contract-editor-narrow")
    assert page.evaluate("() => window.hit") is None
    assert page.errors == []
    assert all(url.startswith(("http://127.0.0.1", "data:", "blob:")) for url in page.requests)


def test_by_keyboard(page: Any, lab: Any, shop: Path, cell: Any, show: Any) -> None:
    cell(shop / "try.ipynb", 'import nbops\nnbops.contract_editor("orders")')
    widget = show(page, lab(shop), "try.ipynb")
    cells = page.locator(".jp-Cell").count()
    widget.locator(".nbops-c-basis", has_text="All 3 rows: 1 failed, 2 passed.").wait_for()
    widget.get_by_label("Owner").focus()
    page.keyboard.type("Till dd")
    page.keyboard.press("Tab")
    widget.get_by_text("1 change not saved").wait_for()
    widget.get_by_label("Column to edit").focus()
    page.keyboard.press("End")
    widget.get_by_role("heading", name="Column country").wait_for()
    widget.get_by_label("Required").focus()
    page.keyboard.press("Space")
    widget.get_by_text("2 changes not saved").wait_for()
    widget.get_by_label("Name of the new column").focus()
    page.keyboard.type("extra")
    page.keyboard.press("Enter")
    widget.get_by_role("heading", name="Column extra").wait_for()
    assert widget.get_by_label("Type", exact=True).input_value() == "integer", "as the data has it"
    page.keyboard.press("Control+s")
    widget.get_by_role("heading", name="What saving changes").wait_for()
    assert widget.get_by_role("heading", name="What saving changes").evaluate("node => node === document.activeElement")
    for _ in range(3):
        page.keyboard.press("Tab")
        if widget.get_by_role("button", name="Save", exact=True).evaluate("node => node === document.activeElement"):
            break
    page.keyboard.press("Enter")
    widget.get_by_text("No unsaved changes").wait_for()
    contract = load_contract(_file(shop))
    assert contract.owner == "Till dd"
    assert [(column.name, column.required) for column in contract.columns][2:] == [("country", True), ("extra", False)]
    assert page.locator(".jp-Cell").count() == cells
    assert page.errors == []


def _save(page: Any, widget: Any) -> None:
    """Save by the keyboard's way to the list of what changes, which is to name what the test is about."""
    widget.get_by_label("Recommendations", exact=True).focus()
    page.keyboard.press("Control+s")
    widget.get_by_role("heading", name="What saving changes").wait_for()
    assert "nbops.recommendations" in widget.locator(".nbops-c-diff").inner_text()
    widget.get_by_role("button", name="Save", exact=True).click()
    widget.get_by_text("No unsaved changes").wait_for()


def test_the_line_on_recommendations(page: Any, lab: Any, shop: Path, cell: Any, show: Any, violations: Any, theme: Any) -> None:  # noqa: PLR0917
    cell(shop / "try.ipynb", 'import nbops\nnbops.contract_editor("orders")')
    widget = show(page, lab(shop), "try.ipynb")
    widget.locator(".nbops-c-basis", has_text="All 3 rows: 1 failed, 2 passed.").wait_for()
    said = widget.get_by_label("Recommendations", exact=True)
    assert said.input_value() == "", "the contract says nothing of them"
    room = widget.get_by_role("group", name="Dataset").bounding_box()["width"]
    assert said.bounding_box()["width"] > 0.9 * room, "it is a long line"
    help_id = said.get_attribute("aria-describedby")
    assert "user: column, item: column" in widget.locator(f"id={help_id}").inner_text()

    said.fill(f"user id {HOSTILE}")  # no pair: it is said, and nothing is changed
    trouble = widget.get_by_role("alert")
    trouble.get_by_text("says nothing. Write 'user: column").wait_for()
    assert widget.get_by_text("No unsaved changes").is_visible()
    assert said.input_value() == f"user id {HOSTILE}", "what was typed stays to be mended"
    assert violations(page) == []
    said.fill("user: id, item: land")
    widget.locator("ul.nbops-w-wrong", has_text="land").wait_for()
    assert trouble.is_hidden()
    assert widget.locator(".nbops-c-basis").inner_text() == "The contract is wrong, so nothing is judged by it."
    said.fill("user: id, item: country, catalogue: lands.country")
    widget.locator(".nbops-c-basis", has_text="All 3 rows: 1 failed, 2 passed.").wait_for()
    assert widget.locator("ul.nbops-w-wrong").count() == 0
    for name in ("dark", "light"):
        theme(page, name)
        assert violations(page) == []
        _picture(widget, f"contract-editor-recommendations-{name}")

    widget.get_by_role("button", name="Undo").click()
    widget.locator("ul.nbops-w-wrong", has_text="land").wait_for()
    assert said.input_value() == "user: id, item: land"
    widget.get_by_role("button", name="Redo").click()
    widget.locator(".nbops-c-basis", has_text="All 3 rows: 1 failed, 2 passed.").wait_for()
    assert said.input_value() == "user: id, item: country, catalogue: lands.country"
    _save(page, widget)
    saved = load_contract(_file(shop)).recommendations
    assert saved == Recommendations(user="id", item="country", catalogue=("lands", "country"))
    for text, then in (("no", False), ("", None)):
        said.fill(text)
        widget.get_by_text("1 change not saved").wait_for()
        _save(page, widget)
        assert load_contract(_file(shop)).recommendations is then
    page.set_viewport_size({"width": 390, "height": 900})
    page.evaluate("() => window.jupyterapp.shell.collapseLeft()")
    assert violations(page) == []
    _picture(widget, "contract-editor-recommendations-narrow")
    assert page.evaluate("() => window.hit") is None
    assert page.errors == []
