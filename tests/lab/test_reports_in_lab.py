"""Reports in JupyterLab's own tabs: shut in, with ways to notebooks and back."""

from __future__ import annotations

import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tests.lab_tools import begin, page_violations, styled, violations

from nbops.lab.views import View, Views, inside, links_by_lab, policy, with_ways_back

_HOSTILE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>h</title>
<meta http-equiv="refresh" content="0;url=/api/contents?refreshed">
<base href="/api/"></head><body><h1>Hostile</h1>
<script>top.owned = 1; fetch('/api/contents?fetched'); document.body.id = 'ran'</script>
<img src="/api/contents?image" onerror="document.body.id = 'ran'"><img src="x" onerror="top.owned = 2">
<iframe src="/api/contents?framed"></iframe><object data="/api/contents?object"></object>
<link rel="stylesheet" href="/api/contents?style">
<style>@import url(/api/contents?imported); h1 { background: url(/api/contents?back) }</style>
<form action="/api/contents?posted" method="post"><button>Send</button></form>
<a id="top" target="_top" href="/api/contents?top">top</a>
<a id="popup" target="_blank" href="/api/contents?popup">popup</a>
<a id="script" href="javascript:top.owned = 3">script</a>
<a id="api" href="/api/contents?link">api</a>
<a id="out" rel=x HREF='OUTSIDE/told?a=1&amp;b=2'>out</a>
<svg width="60" height="20"><a id="hidden" xlink:href="OUTSIDE/hidden"><text y="15">hidden</text></a></svg>
</body></html>"""


def request(url: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=60) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read()


@pytest.fixture
def outside() -> Iterator[str]:
    """Another place on the web, and its address."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>o</title><h1>Outside</h1>")

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def reports(project: Path) -> Path:
    """A project with a page among its reports, and things that no page may show."""
    page = project / "reports/runs/20260101T000000Z-aaaaaa/index.html"
    page.parent.mkdir(parents=True)
    page.write_text("<!doctype html><title>r</title><h1>A run</h1>", encoding="utf-8")
    (project / "secret.html").write_text("secret", encoding="utf-8")
    (project / "reports/.hidden.html").write_text("secret", encoding="utf-8")
    (project.parent / "outside.html").write_text("secret", encoding="utf-8")
    (project / "reports/link.html").symlink_to(project.parent / "outside.html")
    (project / "reports/folder").symlink_to(project.parent)
    return project


@pytest.mark.e2e
def test_what_a_tab_may_see(lab: Any, reports: Path) -> None:
    server = lab(reports)
    assert server.request("nbops/api/report", method="POST", body={"project": ""}, token="wrong")[0] == 403
    assert server.request("nbops/api/report?view=x", token="wrong")[0] == 403
    for given in (
        "../outside.html",
        "%2e%2e/outside.html",
        "secret.html",
        "reports/.hidden.html",
        "reports/link.html",
        "/etc/passwd",
    ):
        status, _ = server.request("nbops/api/report", method="POST", body={"project": "", "path": given})
        assert status == 404, given
    assert server.request("nbops/api/report", method="POST", body={"project": "../.."})[0] == 404
    assert server.request("nbops/api/report", method="POST", body=["x"])[0] == 400
    assert server.request("nbops/api/report", method="POST", body={"project": "", "path": 3})[0] == 400
    status, opened = server.request("nbops/api/report", method="POST", body={"project": ""})
    assert status == 201
    assert opened["page"] == "reports/runs/20260101T000000Z-aaaaaa/index.html"

    base = f"{server.url}/nbops/report/{opened['view']}.light"
    status, headers, data = request(f"{base}/{opened['page']}")
    assert status == 200
    assert b"A run" in data
    directives = headers["Content-Security-Policy"].split("; ")
    assert directives[0] == "sandbox"
    assert "default-src 'none'" in directives
    assert headers["Referrer-Policy"] == "no-referrer"
    for path in (
        "reports/../../outside.html",
        "..%2foutside.html",
        "reports/%2e%2e/%2e%2e/outside.html",
        "reports/..%5c..%5coutside.html",
        "reports/link.html",
        "reports/folder/outside.html",
        "reports/.hidden.html",
        "reports/a%00.html",
        "reports/" + "x" * 5000 + ".html",
    ):
        status, headers, data = request(f"{base}/{path}")
        assert status in {400, 404}, path
        assert b"secret" not in data
    # what is in the project but no report is for JupyterLab to open, and is never sent here
    assert b"secret" not in request(f"{base}/secret.html")[2]
    assert request(f"{base}/env.yaml", **{"Sec-Fetch-Mode": "navigate"})[0] == 404, "nobody clicked"
    assert server.request(f"nbops/api/report?view={opened['view']}")[1]["wish"]["path"] == "secret.html"

    wrong = opened["view"][:-1] + ("A" if opened["view"][-1] != "A" else "B")
    assert request(f"{server.url}/nbops/report/{wrong}.light/{opened['page']}")[0] == 404
    request_url = f"nbops/api/report?view={opened['view']}"
    assert server.request(request_url, method="DELETE")[0] == 204
    assert request(f"{base}/{opened['page']}")[0] == 404, "closed"


def test_a_tab_that_is_not_seen_is_forgotten(tmp_path: Path) -> None:
    now = [0.0]
    views = Views(clock=lambda: now[0])
    view = View(root=tmp_path, project="", origin="http://127.0.0.1:1")
    views.add(view)
    now[0] = 3000.0
    assert views.get(view.id, prolong=True) is view
    now[0] = 6000.0
    assert views.get(view.id) is view
    now[0] = 6601.0
    assert views.get(view.id) is None


def test_names_are_confined(tmp_path: Path) -> None:
    (tmp_path / "a b").mkdir()
    odd = tmp_path / "a b" / "<img src=x> \"é\" '😀'.html"
    odd.write_text("x", encoding="utf-8")
    assert inside(tmp_path, f"a b/{odd.name}") == odd.resolve()
    for path in ("", "a b", "a b/", "/etc/passwd", "..", "a b/../a b/x", "a\nb", "x" * 9999, ".git/config", "a b\\x"):
        assert inside(tmp_path, path) is None


def test_the_policy_names_the_tabs_address_only(tmp_path: Path) -> None:
    view = View(root=tmp_path, project="", origin="https://hub.example:8443")
    said = policy(view, "/user/a/nbops/report/secret.dark/")
    assert "style-src https://hub.example:8443/user/a/nbops/report/secret.dark/ 'unsafe-inline'" in said
    assert "allow-" not in said
    assert "script-src" not in said


@pytest.mark.parametrize(
    ("html", "to"),
    [
        ('<a href="https://x.org/a?b=1&amp;c">', "https%3A%2F%2Fx.org%2Fa%3Fb%3D1%26c"),
        ("<a class='>' href=//x.org>", "https%3A%2F%2Fx.org"),
        ("<A title=\"a > b\" HREF = 'hTtP://x.org'>", "http%3A%2F%2Fx.org"),
        ('<a href=" htt&#112;s://x.org">', "https%3A%2F%2Fx.org"),
        ('<area href="https://x.org">', "https%3A%2F%2Fx.org"),
    ],
)
def test_links_to_other_places_have_lab_ask(html: str, to: str) -> None:
    told = links_by_lab(html.encode(), prefix="/nbops/report/v.light/").decode()
    assert f'"/nbops/report/v.light/outside?to={to}"' in told


@pytest.mark.parametrize(
    "html", ['<a href="../x.html#a">', '<a href="#a">', "<a data-href='https://x'>", '<abbr href="https://x">']
)
def test_other_links_are_left_alone(html: str) -> None:
    assert links_by_lab(html.encode(), prefix="/p/").decode() == html


def test_cells_lead_to_the_notebook_whatever_it_is_called() -> None:
    html = b'<div class="cell code succeeded" id="cell-3">\n</div><div class="cell x" id="cell-1" onclick="y">'
    told = with_ways_back(html, prefix="/nbops/report/v.light/", source='note"books/a<b> é.ipynb').decode()
    assert 'href="/nbops/report/v.light/note%22books/a%3Cb%3E%20%C3%A9.ipynb?cell=3"' in told
    assert told.count("Open in the notebook") == 1, "what is no cell of ours is left alone"


@pytest.mark.e2e
@pytest.mark.browser
def test_a_hostile_report_can_do_nothing(page: Any, lab: Any, project: Path, outside: str) -> None:
    hostile = project / "reports/index.html"
    hostile.parent.mkdir()
    hostile.write_text(_HOSTILE.replace("OUTSIDE", outside), encoding="utf-8")
    server = lab(project)
    begin(page, server)
    asked: list[str] = []
    page.on("response", lambda one: asked.append(one.url) if "api/contents?" in one.url else None)  # those that were let out
    page.evaluate("() => { window.jupyterapp.commands.execute('nbops:open-report', {project: '', path: 'reports/index.html'}); }")
    frame = page.frame_locator(".nbops-report iframe")
    frame.get_by_role("heading", name="Hostile").wait_for()
    assert page.locator(".nbops-report iframe").get_attribute("sandbox") == ""
    page.get_by_text("reports/index.html").wait_for()
    for link in ("script", "popup", "top"):
        frame.locator(f"#{link}").click()
    frame.get_by_role("button", name="Send").click()
    frame.get_by_role("heading", name="Hostile").wait_for()
    assert page.evaluate("() => window.owned") is None
    assert frame.locator("#ran").count() == 0
    mine = [
        url for url in asked if url.rpartition("?")[2] in {"fetched", "image", "framed", "object", "style", "imported", "back"}
    ]
    sent = [url for url in asked if url.rpartition("?")[2] in {"posted", "top", "popup", "refreshed"}]
    assert (mine, sent) == ([], [])
    assert page.url.startswith(f"{server.url}/lab")
    with page.expect_response(lambda answer: "login" in answer.url or answer.status >= 400) as refused:
        frame.locator("#api").click()  # a link may be followed, as somebody who is not logged in
    assert refused.value.status == 403 or "/login" in refused.value.url
    assert "cookie" not in refused.value.request.all_headers()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("A link was not followed").wait_for()
    dialog.get_by_role("button", name="Close").click()
    frame.get_by_role("heading", name="Hostile").wait_for()

    # an address outside: the frame stays, somebody is asked, and what opens is another tab that knows nothing of this one
    frame.locator("#out").click()
    dialog.get_by_text(f"{outside}/told?a=1&b=2").wait_for()
    assert violations(page, ".jp-Dialog") == []
    dialog.get_by_role("button", name="Cancel").click()
    frame.get_by_role("heading", name="Hostile").wait_for()
    assert len(page.context.pages) == 1
    frame.locator("#out").click()
    with page.context.expect_page() as opened:
        dialog.get_by_role("button", name="Open").click()
    opened.value.get_by_text("Outside").wait_for()
    assert opened.value.evaluate("() => [window.opener, document.referrer]") == [None, ""]
    opened.value.close()

    # one that hides what it is leads the frame away, and JupyterLab takes it back
    frame.locator("#hidden").click()
    dialog.get_by_text("A link was not followed").wait_for()
    frame.get_by_role("heading", name="Hostile").wait_for()
    assert page.url.startswith(f"{server.url}/lab")
    assert len(page.context.pages) == 1


@pytest.mark.e2e
@pytest.mark.browser
def test_from_a_run_to_a_cell_and_back(page: Any, lab: Any, waiting: Path) -> None:
    (waiting / "go").touch()
    build = [sys.executable, "-m", "nbops.cli", "build"]
    subprocess.run(build, cwd=waiting, check=True, capture_output=True)
    server = lab(waiting)
    begin(page, server)
    page.evaluate("() => { window.jupyterapp.commands.execute('nbops:open-report'); }")
    frame = page.frame_locator(".nbops-report iframe")
    frame.locator("h1").wait_for()
    assert frame.locator("body").evaluate("node => getComputedStyle(node).fontFamily") != "serif", "it has its style"
    run = next((waiting / "reports/runs").iterdir()).name
    assert (
        page.locator(".nbops-where", has_text=run).count() == 1 or page.locator(".nbops-where", has_text=run).wait_for() is None
    )

    frame.get_by_role("link", name="second").first.click()
    way = frame.get_by_role("link", name="Open cell 1 in the notebook")
    way.wait_for()
    page.get_by_text(f"reports/runs/{run}/tasks/second.html").wait_for()
    assert violations(page, ".nbops-bar") == []
    way.focus()
    page.keyboard.press("Enter")
    page.wait_for_function("() => window.jupyterapp.shell.currentWidget?.context?.path === 'notebooks/second.ipynb'")
    page.wait_for_function(
        "() => window.jupyterapp.shell.currentWidget.content.activeCellIndex === 2"
    )  # the injected one is above it

    page.evaluate("() => { window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'}); }")
    page.locator("body[data-jp-theme-light=false]").wait_for(state="attached")
    page.evaluate("() => { window.jupyterapp.commands.execute('nbops:open-run-page'); }")
    page.wait_for_function("() => window.jupyterapp.shell.currentWidget?.hasClass('nbops-report')")
    page.screenshot()  # has the browser draw the frame, which was hidden: while the machine is busy it may put that off
    frame.locator("#cell-1:target").wait_for()
    page.wait_for_function("() => document.querySelectorAll('.nbops-report').length === 1")
    assert styled(frame.locator("body"), "colorScheme", "dark")
    assert violations(page, ".nbops-bar") == []

    # on a telephone nothing stands out on the right, and there is nothing to complain of
    page.evaluate("() => { window.jupyterapp.commands.execute('application:toggle-left-area'); }")
    page.set_viewport_size({"width": 390, "height": 800})
    page.wait_for_function("() => document.querySelector('.nbops-report').clientWidth < 390")
    assert violations(page, ".nbops-bar") == []
    assert frame.locator("html").evaluate("node => node.scrollWidth <= node.clientWidth")
    assert page_violations(page, page.locator(".nbops-report iframe").get_attribute("src")) == []
    page.set_viewport_size({"width": 1400, "height": 900})
    page.evaluate("() => { window.jupyterapp.commands.execute('application:toggle-left-area'); }")

    page.get_by_role("button", name="Back").click()
    page.get_by_text(f"reports/runs/{run}/index.html").wait_for()
    subprocess.run([*build, "--force"], cwd=waiting, check=True, capture_output=True)
    page.get_by_text("There is a newer run").wait_for()
    page.get_by_role("button", name="Latest run").click()
    newest = max(folder.name for folder in (waiting / "reports/runs").iterdir())
    page.get_by_text(f"reports/runs/{newest}/index.html").wait_for()
    assert page.errors == []
