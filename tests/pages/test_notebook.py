"""Executed notebooks: whatever they display is made static, safe, bounded and accessible."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest

from nbops.model import CellRun, RunError, TaskRun
from nbops.pages.notebook import NotebookPages
from nbops.pages.sanitise import order_headings, safe_html

if TYPE_CHECKING:
    from pathlib import Path

    from nbops.pages.body import Body

ACTIVE = {
    "script",
    "style",
    "iframe",
    "object",
    "embed",
    "form",
    "input",
    "button",
    "svg",
    "math",
    "link",
    "meta",
    "base",
    "template",
    "video",
}
ATTACKS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<img src='https://evil.example/p.png'>",
    "<img src='//evil.example/p.png'>",
    "<img src='data:text/html;base64,PHNjcmlwdD4='>",
    "<a href='javascript:alert(1)'>x</a>",
    "<a href=' jav&#x09;ascript:alert(1)'>x</a>",
    "<a href='data:text/html,<script>alert(1)</script>'>x</a>",
    "<svg onload=alert(1)><script>alert(1)</script></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)></style></mglyph></table></mtext></math>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<style>@import url(https://evil.example/x.css); * { background: url(https://evil.example) }</style>",
    "<div style='background:url(https://evil.example)' onmouseover=alert(1) id=main class=skip>x</div>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'></noscript>",
    "<template><script>alert(1)</script></template>",
    "<form action='https://evil.example'><input name=a><button formaction='javascript:alert(1)'>x</button></form>",
    "<base href='https://evil.example/'><link rel=stylesheet href=//evil.example><meta http-equiv=refresh content='0;url=//e'>",
    "<table><td background='https://evil.example/x.png'>x</td></table>",
    "<video src='https://evil.example/x.mp4' autoplay></video><audio src=x onerror=alert(1)>",
    "</div></details></main></body><script>alert(1)</script>",
    "<!--><script>alert(1)</script>-->",
    "<textarea><script>alert(1)</script></textarea><xmp><script>alert(1)</script></xmp><plaintext><script>alert(1)",
]


class Checker(HTMLParser):
    """Fails on anything that could act or load."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in ACTIVE, tag
        self.tags.append(tag)
        for name, raw in attrs:
            text = (raw or "").strip().lower()
            assert not name.startswith("on"), (tag, name)
            assert name not in {"style", "srcdoc", "background", "formaction", "action", "srcset", "poster"}, (tag, name)
            if name == "src":
                assert text.startswith("data:image/"), text
            if name == "href":
                assert text.startswith(("https://", "http://", "mailto:", "#")), text
            if name == "id":
                self.ids.append(raw or "")

    def handle_data(self, data: str) -> None:
        self.text += data


def check(html: str) -> Checker:
    checker = Checker()
    checker.feed(html)
    checker.close()
    return checker


def render(tmp_path: Path, content: Any, task: TaskRun | None = None) -> Body:
    path = tmp_path / "x.ipynb"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return NotebookPages(tmp_path).render(path, task or TaskRun(name="x", kind="notebook", status="succeeded"))


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_output_and_no_markdown_can_act_or_load(tmp_path: Path, nb: Any, attack: str) -> None:
    markdown = {
        "cell_type": "markdown",
        "metadata": {},
        "source": f"# x\n\n{attack}\n\n[x](javascript:alert(1)) ![x](https://evil.example/x.png)",
    }
    raised = {"output_type": "error", "ename": attack, "evalue": attack, "traceback": [attack, f"\x1b[31m{attack}\x1b[0m"]}
    rich = dict.fromkeys(
        ("text_html", "text_plain", "text_markdown", "text_latex", "image_svg+xml", "image_png", "application_javascript"), attack
    )
    one_by_one = [nb.shown(**{name: text}) for name, text in rich.items()]
    cell = nb.code(attack, nb.shown(**rich), *one_by_one, nb.stream(attack), nb.stream(attack, "stderr"), raised, tags=(attack,))
    raw = {"cell_type": "raw", "metadata": {"raw_mimetype": "text/html"}, "source": attack}
    body = render(tmp_path, nb.notebook([markdown, cell, raw]))
    assert not body.problem
    checker = check(body.html)
    assert len(checker.ids) == len(set(checker.ids)) == 3


@pytest.mark.parametrize("attack", ATTACKS)
def test_sanitising_is_stable(attack: str) -> None:
    once = safe_html(attack, about="cell 1")
    check(once)
    check(safe_html(once, about="cell 1"))


def test_outputs_are_shown_in_their_richest_static_form(tmp_path: Path, nb: Any) -> None:
    frame = "<table><thead><tr><th></th><th>n</th></tr></thead><tbody><tr><th>a</th><td>1,5</td></tr></tbody></table>"
    cells = [
        nb.code("frame", nb.shown(text_html=frame, text_plain="PLAIN")),
        nb.code("widget", nb.shown(**{"application_vnd.jupyter.widget-view+json": "{}", "text_plain": "WIDGET"})),
        nb.code("plot", nb.shown(text_html="<div id=p></div><script>plot()</script>", text_plain="PLOT")),
        nb.code("image", nb.shown(image_png=nb.png(), text_plain="FIGURE")),
        nb.code("nothing", nb.shown(**{"application_vnd.plotly.v1+json": "{}"})),
        nb.code("bar", nb.stream("1%\r2%\r100%\r\nend\n", "stderr")),
    ]
    html = render(tmp_path, nb.notebook(cells)).html
    text = check(html).text
    assert "PLAIN" not in text
    assert "FIGURE" not in text
    assert 'alt="Figure of cell 3, without a description"' in html
    assert all(word in text for word in ("WIDGET", "PLOT", "Not shown: this output needs a program", "100%\nend"))
    assert "2%" not in text
    assert '<th class="n" scope="col">n</th>' in html or '<th scope="col" class="n">n</th>' in html
    assert '<th scope="row">a</th>' in html


def test_cells_are_numbered_as_in_the_ledger_and_the_failed_one_is_open(tmp_path: Path, nb: Any) -> None:
    banner = {
        "cell_type": "markdown",
        "metadata": {"tags": ["papermill-error-cell-tag"]},
        "source": "An Exception was encountered",
    }
    cells = [
        banner,
        nb.code("a = 1", tags=("parameters",)),
        nb.code("a = 2", tags=("injected-parameters",)),
        nb.code("1"),
        banner,
        nb.code("1 / 0"),
    ]
    error = RunError(kind="ZeroDivisionError", message="division by zero", cell=2)
    timed = tuple(CellRun(index=index, seconds=1.5 * index) for index in range(3))
    body = render(tmp_path, nb.notebook(cells), TaskRun(name="x", kind="notebook", status="failed", error=error, cells=timed))
    assert body.anchors == {0, 1, 2}
    assert check(body.html).ids == ["cell-0", "cell-1", "cell-2"]
    assert "An Exception was encountered" not in body.html
    failed = body.html[body.html.index('id="cell-2"') - 40 :]
    assert 'class="cell code failed"' in failed
    assert '<details class="code" open>' in failed
    assert "3.0 s" in failed
    assert body.html.count("Injected parameters") == 1


def test_floods_are_bounded(tmp_path: Path, nb: Any) -> None:
    cells = [
        nb.code(
            "x = 1\n" * 50_000,
            nb.stream("y" * 10_000_000),
            nb.shown(text_html="<b>z</b>" * 1_000_000, text_plain="q" * 1_000_000),
        )
    ]
    html = render(tmp_path, nb.notebook(cells)).html
    assert len(html) < 350_000
    assert "characters left out" in html


def test_many_pictures_stop_at_what_a_page_can_hold(tmp_path: Path, nb: Any) -> None:
    picture = "A" * 1_400_000
    html = render(
        tmp_path, nb.notebook([nb.code("p", nb.shown(image_png=picture, text_plain="too many")) for _ in range(20)])
    ).html
    assert len(html) < 7_000_000
    assert "too many" in html


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "null",
        "[]",
        '{"cells": 3}',
        '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{}]}',
        "\x00\xff",
        '{"a":' * 5_000,
    ],
)
def test_a_broken_notebook_is_said_not_raised(tmp_path: Path, content: str) -> None:
    assert render(tmp_path, content).problem.startswith("The executed notebook cannot be shown: ")


def test_a_missing_notebook_is_said(tmp_path: Path) -> None:
    task = TaskRun(name="x", kind="notebook", status="succeeded")
    assert (
        NotebookPages(tmp_path).render(tmp_path / "no.ipynb", task).problem == "The executed notebook is not kept with this run."
    )


def test_headings_skip_no_level_and_none_is_empty() -> None:
    html = order_headings("<h1>a</h1><h4>b</h4><h2>c</h2><h1></h1><h1>d</h1><h6>e</h6>", top=3)
    assert html == "<h3>a</h3><h4>b</h4><h4>c</h4><h3>d</h3><h4>e</h4>"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", ""),
        ('<h1 id="a>b">x &amp; <b>y</b></h1>', '<h3 id="a>b">x &amp; <b>y</b></h3>'),
        ("<h2> &nbsp;<!--<h1>c</h1>--> <img alt='<h1>'></h2>z", " &nbsp;<!--<h1>c</h1>--> <img alt='<h1>'>z"),
        ("<h1><b><h2>in</h2></b></h1><hr><h3>q</h3>", "<h3><b><h4>in</h4></b></h3><hr><h5>q</h5>"),
        ("<h1>never closed", "<h1>never closed"),
        ("closed</h1><h1>a</h1>", "closed</h1><h3>a</h3>"),
        ("it&#39;s &quot;&#34; <b title='&quot;'>&amp;quot;</b>", "it's \"\" <b title='&quot;'>&amp;quot;</b>"),
        ("<header>a</header><h7>b</h7>", "<header>a</header><h7>b</h7>"),
        ("<h4>a\n</h4>" * 3, "<h3>a\n</h3>" * 3),
    ],
)
def test_headings_of_odd_markup(before: str, after: str) -> None:
    assert order_headings(before, top=3) == after


def test_lists_and_links_are_mended_for_assistive_technology() -> None:
    html = safe_html("<ul>text<b>x</b><li>y</li></ul><li>alone</li><a href='https://a.example'></a>", about="cell 1")
    assert html == "<ul><li>text</li><li><b>x</b></li><li>y</li></ul><p>alone</p>"


def test_a_figure_that_is_kept_as_a_file_is_shown_from_there(tmp_path, nb):
    from nbops.record.figures import FIGURES, lifted

    picture = {
        "output_type": "display_data",
        "metadata": {"alt": 'a "bar"'},
        "data": {"image/png": nb.png(), "text/plain": "<F>"},
    }
    made, files = lifted(nb.notebook([nb.code("plot()", picture)]), up="../../../")
    path = tmp_path / "runs/x/tasks/a.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(made), encoding="utf-8")
    task = TaskRun(name="a", kind="notebook", status="succeeded")
    (name,) = files
    gone = NotebookPages(tmp_path).render(path, task)
    assert "not kept any more" in gone.html
    assert "<img" not in gone.html
    (tmp_path / FIGURES).mkdir(parents=True)
    (tmp_path / FIGURES / name).write_bytes(files[name])
    body = NotebookPages(tmp_path).render(path, task)
    assert f'<img src="../../../{FIGURES}/{name}" alt="a &#34;bar&#34;">' in body.html
    assert (path.parent / f"../../../{FIGURES}/{name}").resolve().is_file()


def test_a_notebook_that_was_foreseen_is_shown_as_one_that_was_not(tmp_path, monkeypatch):
    shown = {"output_type": "display_data", "data": {"text/html": "<b>2</b>", "text/plain": "2"}, "metadata": {}}
    cells = [{"cell_type": "code", "source": "1 + 1", "metadata": {}, "execution_count": 1, "outputs": [shown]}]
    text = json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4})
    path = tmp_path / "t.ipynb"
    path.write_text(text)
    task = TaskRun(name="t", kind="notebook", status="succeeded", cells=(CellRun(index=0, seconds=0.4999, status="succeeded"),))
    pages = NotebookPages(tmp_path)
    plain = pages.render(path, task)
    pages.foresee(text, task, figures=())
    with monkeypatch.context() as patch:
        patch.setattr("nbops.pages.notebook._convert", lambda _: pytest.fail("it was made already"))
        assert pages.render(path, task) == plain
    assert pages.render(path, task) == plain  # what was made ahead is used once


@pytest.mark.parametrize("what", ["text", "seconds", "status"])
def test_what_was_foreseen_differently_is_made_anew(tmp_path, what):
    def notebook(source):
        cell = {"cell_type": "code", "source": source, "metadata": {}, "execution_count": 1, "outputs": []}
        return json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 4})

    def task(seconds, status):
        return TaskRun(name="t", kind="notebook", status="failed", cells=(CellRun(index=0, seconds=seconds, status=status),))

    pages = NotebookPages(tmp_path)
    pages.foresee(notebook("before"), task(1.0, "succeeded"), figures=())
    path = tmp_path / "t.ipynb"
    path.write_text(notebook("after" if what == "text" else "before"))
    now = task(75.0 if what == "seconds" else 1.0, "failed" if what == "status" else "succeeded")
    html = str(pages.render(path, now).html)
    assert {"text": "after", "seconds": "1 min 15 s", "status": "raised here"}[what] in html


def test_what_cannot_be_foreseen_is_no_error(tmp_path):
    pages = NotebookPages(tmp_path)
    pages.foresee("no notebook", TaskRun(name="t", kind="notebook", status="failed"), figures=())
    pages.foresee("[]", TaskRun(name="t", kind="notebook", status="failed"), figures=("x.png",))
    path = tmp_path / "t.ipynb"
    path.write_text("no notebook")
    assert "cannot be shown" in pages.render(path, TaskRun(name="t", kind="notebook", status="failed")).problem
