"""A small project, and a JupyterLab server that sees nothing but what was installed."""

from __future__ import annotations

import json
import os
import re
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest

PIPELINE = """\
tasks:
  - source: notebooks/first.py
    product: {nb: "{{out}}/first.ipynb", data: "{{out}}/first.csv"}
    params: {rows: 3, label: 'a "b" é'}
  - source: notebooks/second.ipynb
    product: {nb: "{{out}}/second.ipynb", data: "{{out}}/second.csv"}
"""
FIRST = """\
# %% tags=["parameters"]
upstream = None
product = None
rows = 1
label = ""

# %% [markdown]
# # First

# %%
from pathlib import Path

Path(product["data"]).parent.mkdir(exist_ok=True, parents=True)
Path(product["data"]).write_text("a\\n" + "1\\n" * rows, encoding="utf-8")
"""
SECOND = """\
from pathlib import Path

Path(product["data"]).parent.mkdir(exist_ok=True, parents=True)
Path(product["data"]).write_text(str(upstream), encoding="utf-8")
print(Path(product["data"]).resolve())
"""


def notebook(*cells: tuple[str, list[str]]) -> Any:
    """Return a notebook of code cells, each given as its source and tags."""
    made = [nbformat.v4.new_code_cell(source, metadata={"tags": tags} if tags else {}) for source, tags in cells]
    for index, cell in enumerate(made):
        cell["id"] = f"cell-{index}"
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    return nbformat.v4.new_notebook(cells=made, metadata={"kernelspec": kernel})


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project of two notebooks, one of each kind, beside a plain module."""
    root = tmp_path / "shop"
    (root / "notebooks").mkdir(parents=True)
    (root / "pipeline.yaml").write_text(PIPELINE, encoding="utf-8")
    (root / "env.yaml").write_text("out: output\n", encoding="utf-8")
    (root / "notebooks" / "first.py").write_text(FIRST, encoding="utf-8")
    (root / "notebooks" / "helpers.py").write_text("def one():\n    return 1\n", encoding="utf-8")
    second = notebook(('upstream = ["first"]\nproduct = None', ["parameters"]), (SECOND, []))
    nbformat.write(second, root / "notebooks" / "second.ipynb")
    return root


@dataclass(frozen=True)
class Server:
    """A running JupyterLab."""

    url: str
    token: str
    root: Path
    log: Path
    process: subprocess.Popen[bytes]

    def kill(self) -> None:
        """End the server as a crash of the machine's memory would: nothing is told to anybody."""
        self.process.kill()
        self.process.wait()

    def request(self, path: str, *, method: str = "GET", body: Any = None, token: str | None = None) -> tuple[int, Any]:
        """Return status and decoded JSON of a request to the server's API."""
        request = urllib.request.Request(
            f"{self.url}/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {self.token if token is None else token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            with error:
                return error.code, None

    def page_config(self) -> dict[str, Any]:
        """Return the settings that JupyterLab's page hands to the browser."""
        with urllib.request.urlopen(f"{self.url}/lab?token={self.token}", timeout=60) as answer:
            html = answer.read().decode()
        text = html.partition('id="jupyter-config-data"')[2].partition(">")[2].partition("</script>")[0]
        found: dict[str, Any] = json.loads(text)
        return found


def _environment(home: Path, extra: Mapping[str, str]) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("JUPYTER", "PYTEST", "COV_"))}
    for name in ("HOME", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
        kept[name] = str(home / name.lower())
        Path(kept[name]).mkdir(parents=True, exist_ok=True)
    return {**kept, **extra}


def _start(root: Path, home: Path, options: tuple[str, ...], extra: Mapping[str, str]) -> Server:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    log = home / "server.log"
    settings = home / "us/@jupyterlab/apputils-extension/notification.jupyterlab-settings"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text('{"fetchNews": "false", "checkForUpdates": false}', encoding="utf-8")  # it would cover a corner
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}"]
    command += ["--ServerApp.port_retries=0", f"--IdentityProvider.token={token}", "--LabApp.expose_app_in_browser=True"]
    command += [f"--LabApp.workspaces_dir={home / 'ws'}", f"--LabApp.user_settings_dir={home / 'us'}", *options]
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=root, env=_environment(home, extra), stdout=output, stderr=subprocess.STDOUT)
    return Server(url=f"http://127.0.0.1:{port}", token=token, root=root, log=log, process=process)


def _wait(server: Server) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert server.process.poll() is None, server.log.read_text(errors="replace")
        try:
            if server.request("api/status")[0] == 200:
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"JupyterLab did not answer: {server.log.read_text(errors='replace')[-2000:]}")


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Return a function that starts JupyterLab on a folder; all are stopped at the end."""
    running: list[subprocess.Popen[bytes]] = []

    def start(root: Path, *options: str, **extra: str) -> Server:
        server = _start(root, tmp_path / f"home-{len(running)}", options, extra)
        running.append(server.process)
        _wait(server)
        return server

    yield start
    for process in running:
        process.terminate()
    for process in running:
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


WAITS = """\
# %% tags=["parameters"]
upstream = None
product = None

# %%
import time
from pathlib import Path

while not Path("go").exists():
    time.sleep(0.05)
Path(product["data"]).parent.mkdir(exist_ok=True, parents=True)
Path(product["data"]).write_text("a\\n1\\n", encoding="utf-8")
"""


@pytest.fixture
def waiting(project: Path) -> Path:
    """The project under nbops, in git, with a first task that waits for a file called ``go``."""
    pipeline = project / "pipeline.yaml"
    text = pipeline.read_text(encoding="utf-8").replace("    params: {rows: 3, label: 'a \"b\" é'}\n", "")
    pipeline.write_text(f"on_render: nbops.attach\n{text}", encoding="utf-8")
    (project / "notebooks/first.py").write_text(WAITS, encoding="utf-8")
    (project / ".gitignore").write_text("output\n.nbops\ngo\n", encoding="utf-8")
    for command in (["init", "-q"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-qm", "x"]):
        subprocess.run(["git", *command], cwd=project, check=True)
    return project


CONTRACT = """\
apiVersion: v3.0.2
kind: DataContract
id: first
version: 1.0.0
status: active
name: first
schema:
  - name: first
    properties:
      - name: a
        logicalType: integer
        quality:
          - {metric: invalidValues, arguments: {validValues: [2]}, mustBe: 0}
"""


@pytest.fixture
def contract_text() -> str:
    """A contract of the first task's data that it breaks."""
    return CONTRACT


@pytest.fixture
def broken(waiting: Path) -> Path:
    """The project after a run in which a check of the first task's data failed."""
    (waiting / "go").touch()
    (waiting / "contracts").mkdir()
    (waiting / "contracts/first.odcs.yaml").write_text(CONTRACT, encoding="utf-8")
    done = subprocess.run([sys.executable, "-m", "nbops.cli", "build"], cwd=waiting, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    return waiting


@pytest.fixture
def until() -> Callable[..., Any]:
    """Return a function that asks until the answer is true, and returns it."""

    def asking(question: Callable[[], Any], *, seconds: float = 120.0) -> Any:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if answer := question():
                return answer
            time.sleep(0.1)
        return pytest.fail("it did not happen in time")

    return asking


# A sandboxed frame in a process of its own can stay without a layout for good while the machine is busy: all in one process.
_ARGUMENTS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-sync"
    " --disable-site-isolation-trials"
)
_PICTURES = Path(__file__).parents[1] / "docs/images"
_LARGEST = 120_000  # bytes of a picture in the documentation


@pytest.fixture
def page(chromium: str) -> Iterator[Any]:
    """A browser's page with much patience; ``errors`` that its scripts did not catch, and addresses of ``requests``."""
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=_ARGUMENTS.split())
        page = browser.new_context(viewport={"width": 1400, "height": 900}).new_page()  # others can be opened beside it
        page.set_default_timeout(180_000)
        page.errors, page.requests = [], []
        page.on("pageerror", lambda error: page.errors.append(f"{error}\n{error.stack}"))
        page.on("request", lambda request: page.requests.append(request.url))
        yield page
        browser.close()


def begin(page: Any, server: Server, path: str | None = None, *, workspace: str | None = None) -> None:
    """Open JupyterLab in a page, at a file if one is named, and wait until it can be used.

    A second page needs a workspace of its own: JupyterLab would go to one in the middle of what a test does.
    """
    where = f"/workspaces/{workspace}" if workspace else ""
    page.goto(f"{server.url}/lab{where}{f'/tree/{path}' if path else ''}?reset&token={server.token}")
    page.wait_for_function("() => window.jupyterapp !== undefined")
    page.evaluate("async () => { await window.jupyterapp.restored; }")


def styled(locator: Any, name: str, value: str) -> bool:
    """Say whether an element gets a style within a minute. A frame that may do nothing is not drawn while the machine is busy, so
    frames of animation are no clock there."""
    found = locator.evaluate(
        """async (node, [name, value]) => {
            for (let left = 600; left && getComputedStyle(node)[name] !== value; left--)
                await new Promise(done => setTimeout(done, 100));
            return getComputedStyle(node)[name] === value;
        }""",
        [name, value],
    )
    return bool(found)


def violations(page: Any, context: str) -> list[str]:
    """Return which of axe's rules a part of a page breaks."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    return [item["id"] for item in axe.run(page, context=context).response["violations"]]


def page_violations(page: Any, address: str) -> list[str]:
    """Return which of axe's rules a page of the reports breaks, as a tab's frame shows it.

    The frame runs no script, axe's neither, so that what the server sends is looked at in a page that does.
    """
    html = page.context.request.get(address).text()
    beside = page.context.new_page()
    try:
        beside.goto("about:blank")
        sheets = re.findall(r'<link rel="stylesheet" href="([^"]+)">', html)
        for sheet in sheets:
            style = page.context.request.get(urllib.parse.urljoin(address, sheet)).text()
            html = html.replace(f'<link rel="stylesheet" href="{sheet}">', f"<style>{style}</style>")
        html = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", html)
        beside.set_content(html)
        return violations(beside, "html")
    finally:
        beside.close()


@pytest.fixture
def picture() -> Callable[[Any, str], None]:
    """Return a function that keeps a picture of a page for the documentation, when NBOPS_PICTURES=1 asks for it."""

    def taking(page: Any, name: str) -> None:
        if os.environ.get("NBOPS_PICTURES") != "1":
            return
        before = page.viewport_size
        page.set_viewport_size({"width": 1180, "height": 700})
        page.wait_for_timeout(1000)  # a picture for people: nothing is asserted of it
        data = page.screenshot(animations="disabled", caret="hide", scale="css")
        page.set_viewport_size(before)
        if len(data) < _LARGEST:
            (_PICTURES / f"{name}.png").write_bytes(data)
        else:
            sys.stderr.write(f"{name}.png was not kept: it has {len(data):,} bytes\n")

    return taking
