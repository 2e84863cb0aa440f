"""Two runs compared in a tab of JupyterLab, and a run with what is in the editor: over the endpoint, and in a real browser."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.lab_tools import WAITS, begin, page_violations, violations

from nbops.errors import LedgerError, NbopsError
from nbops.lab.diffs import Wanted, cells_of_edits, choices, diff_page

_BUILD = [sys.executable, "-m", "nbops.cli", "build"]
_WORDS = "One row <b>each</b>"


@pytest.fixture
def built(waiting: Path) -> Path:
    """The project after a run."""
    source = waiting / "notebooks/first.py"
    source.write_text(f"{WAITS}\n# %% [markdown]\n# {_WORDS}\n", encoding="utf-8")
    (waiting / "go").touch()
    subprocess.run(_BUILD, cwd=waiting, check=True, capture_output=True)
    return waiting


def _edit(root: Path) -> None:
    source = root / "notebooks/first.py"
    text = source.read_text(encoding="utf-8").replace('"a\\n1\\n"', '"a\\n1\\n2\\n"').replace("One row", "Two rows")
    source.write_text(text, encoding="utf-8")


def _runs(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "reports/runs").iterdir())


def test_what_can_be_compared_and_what_is_said_where_nothing_can(built: Path, project: Path, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new/pipeline.yaml").write_text((project / "pipeline.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(LedgerError, match="no runs yet"):
        diff_page(tmp_path / "new", Wanted())
    assert choices(tmp_path / "new") == {"runs": [], "more": 0}

    # of one run: what was edited since, also what is not saved
    [run] = _runs(built)
    assert [item["id"] for item in choices(built)["runs"]] == [run]
    made = diff_page(built, Wanted())
    assert (made.before, made.after) == (run, "working")
    assert "Nothing differs" in made.html
    assert "Nothing would run" in made.html
    edits = cells_of_edits({"notebooks/second.ipynb": [{"cell_type": "code", "source": "not_saved = 1"}]}, built)
    made = diff_page(built, Wanted(before=run, after="working", task="second", edits=edits))
    assert "not_saved = 1" in made.html
    assert "what is not saved yet of <bdi>second</bdi>" in made.html
    with pytest.raises(LedgerError, match="no run before"):
        diff_page(built, Wanted(before="previous"))
    with pytest.raises(LedgerError, match="only stand after"):
        diff_page(built, Wanted(before="working"))
    with pytest.raises(LedgerError, match="Both are"):
        diff_page(built, Wanted(before=run, after=run))
    with pytest.raises(LedgerError, match="no such run"):
        diff_page(built, Wanted(before="20990101"))
    with pytest.raises(NbopsError, match=r"secnd.*second"):
        diff_page(built, Wanted(after="working", task="secnd"))

    _edit(built)
    made = diff_page(built, Wanted())
    assert "1 notebook edited, " in made.html
    assert "&lt;b&gt;each&lt;/b&gt;" in made.html
    assert "<b>each</b>" not in made.html, "what a notebook says is text"
    subprocess.run(_BUILD, cwd=built, check=True, capture_output=True)
    made = diff_page(built, Wanted())
    assert [made.before, made.after] == _runs(built)
    # nothing to do; what the second task writes holds a machine path, for which its profile is not committed: no matter here
    assert subprocess.run(_BUILD, cwd=built, check=False, capture_output=True).returncode in {0, 3}
    assert len(_runs(built)) == 3
    of_task, of_all = diff_page(built, Wanted(task="first")), diff_page(built, Wanted())
    assert ([of_task.before, of_task.after], [of_all.before, of_all.after]) == (_runs(built)[:2], _runs(built)[1:])
    there = ("2 lines added, 2 removed, in 2 cells", "1 row → 2 rows", "the code of first", f'href="reports/runs/{made.after}/')
    for words in there:
        assert words in made.html, words


@pytest.mark.parametrize("given", [3, [], {"a": 3}, {"a": [{"source": "x" * 6_000_000}]}, {"a": [{}] * 6_000}])
def test_edits_that_are_none_or_too_much_are_refused(tmp_path: Path, given: Any) -> None:
    with pytest.raises(NbopsError):
        cells_of_edits(given, tmp_path)


def test_edits_elsewhere_are_not_looked_at(tmp_path: Path) -> None:
    assert (
        cells_of_edits({"../x.ipynb": [], "a\0": [], "in.ipynb": [3, {"cell_type": "code", "source": ["1\n", "2"]}]}, tmp_path)[
            tmp_path / "in.ipynb"
        ][0].source
        == "1\n2"
    )
    assert list(cells_of_edits({"../x.ipynb": [], "a\0": []}, tmp_path)) == []


@pytest.mark.browser
@pytest.mark.e2e
def test_two_runs_and_the_working_copy_in_a_tab(  # noqa: PLR0915 - one walk, step by step
    page: Any, picture: Callable[..., None], lab: Any, built: Path
) -> None:
    begin(page, lab(built))
    page.evaluate("() => { window.jupyterapp.commands.execute('nbops:show'); }")
    [first_run] = _runs(built)
    panel = page.locator(".nbops-panel")

    # one run: it is compared with the files as they are
    panel.get_by_role("button", name="Compare runs").click()
    tab = page.locator(".nbops-diff:visible")
    frame = page.frame_locator(".nbops-diff:visible iframe")
    frame.get_by_role("heading", name="Nothing differs").wait_for()
    assert tab.get_by_role("combobox", name="After").input_value() == "working"

    # two runs
    _edit(built)
    subprocess.run(_BUILD, cwd=built, check=True, capture_output=True)
    second_run = _runs(built)[-1]
    page.evaluate("before => { window.jupyterapp.commands.execute('nbops:open-diff', {before}); }", first_run)
    tab.get_by_role("combobox", name="Before").wait_for()
    frame.get_by_role("heading", name="changes:").wait_for()
    assert tab.locator("iframe").get_attribute("sandbox") == ""
    assert tab.get_by_role("combobox", name="After").input_value() == second_run
    frame.locator("del", has_text="One row").wait_for()
    assert frame.locator("ins", has_text="Two rows").locator("mark").first.inner_text() in {"Two", "Two rows"}
    page.set_viewport_size({"width": 1180, "height": 700})
    frame.locator("#notebooks").evaluate("node => node.scrollIntoView()")
    picture(page, "lab-diff")

    # light and dark, wide and on a telephone: nothing to complain of in what is around the page and in the page
    for theme in ("light", "dark"):
        name = f"JupyterLab {theme.capitalize()}"
        page.evaluate("theme => { window.jupyterapp.commands.execute('apputils:change-theme', {theme}); }", name)
        page.locator(f"body[data-jp-theme-light={str(theme == 'light').lower()}]").wait_for(state="attached")
        frame.locator(f"meta[name=color-scheme][content={theme}]").wait_for(state="attached")
        frame.locator("ins", has_text="Two rows").wait_for()
        assert frame.locator("body").evaluate("node => getComputedStyle(node).colorScheme") == theme
        assert violations(page, ".nbops-diff:not(.lm-mod-hidden) .nbops-bar") == []
        assert page_violations(page, tab.locator("iframe").get_attribute("src")) == []
    page.evaluate("() => { window.jupyterapp.commands.execute('application:toggle-left-area'); }")
    page.set_viewport_size({"width": 390, "height": 800})
    page.wait_for_function("() => document.querySelector('.nbops-diff:not(.lm-mod-hidden)').clientWidth < 390")
    assert violations(page, ".nbops-diff:not(.lm-mod-hidden) .nbops-bar") == []
    for box in ("Before", "After"):
        assert tab.get_by_role("combobox", name=box).evaluate(
            "node => node.getBoundingClientRect().right <= node.closest('.nbops-diff').getBoundingClientRect().right"
        )
    assert frame.locator("html").evaluate("node => node.scrollWidth <= node.clientWidth"), "nothing stands out on the right"
    page.set_viewport_size({"width": 1400, "height": 900})
    page.evaluate("() => { window.jupyterapp.commands.execute('application:toggle-left-area'); }")

    # the other way round, by keyboard
    swap = tab.get_by_role("button", name="Swap")
    swap.focus()
    page.keyboard.press("Enter")
    frame.locator("del", has_text="Two rows").wait_for()
    assert tab.get_by_role("combobox", name="Before").input_value() == second_run
    assert swap.evaluate("node => node === document.activeElement"), "what has the focus keeps it"

    # what cannot be is told in the tab, and another choice mends it
    tab.get_by_role("combobox", name="Before").select_option(first_run)
    tab.get_by_role("alert").get_by_text(f"Both are {first_run}").wait_for()
    assert violations(page, ".nbops-diff:not(.lm-mod-hidden) .nbops-problem") == []
    tab.get_by_role("combobox", name="After").select_option(second_run)
    frame.locator("ins", has_text="Two rows").wait_for()
    assert tab.get_by_role("alert").count() == 0

    # from a change to the page of its dataset, and back
    frame.get_by_role("link", name="first", exact=True).first.click()
    tab.get_by_text(f"reports/runs/{second_run}/").wait_for()
    tab.get_by_role("button", name="Back").click()
    frame.locator("ins", has_text="Two rows").wait_for()

    # from a notebook: what is in the editor, saved or not
    page.evaluate("() => { window.jupyterapp.commands.execute('docmanager:open', {path: 'notebooks/second.ipynb'}); }")
    page.wait_for_function("() => window.jupyterapp.shell.currentWidget?.context?.isReady")
    page.evaluate(
        """() => { const m = window.jupyterapp.shell.currentWidget.content.widgets.at(-1).model.sharedModel;
                   m.setSource(m.getSource() + '\\nnot_saved = 1'); }"""
    )
    page.locator(".jp-NotebookPanel:visible").get_by_role("button", name="Compare", exact=True).click()
    frame.locator("ins", has_text="not_saved = 1").wait_for()
    frame.get_by_text("what is not saved yet of second").wait_for()
    frame.get_by_role("heading", name="1 notebook edited").wait_for()
    saved = json.loads((built / "notebooks/second.ipynb").read_text(encoding="utf-8"))
    assert "not_saved" not in json.dumps(saved)
    assert page.errors == []
