"""Starts JupyterLab on the folder it is called in, asks it, and says how long each answer took.

``lab_server.py EXTENSIONS [--status TASKS] [--browser CHROMIUM]``: EXTENSIONS is a dictionary in Python, for
``ServerApp.jpserver_extensions``.
"""

from __future__ import annotations

import argparse
import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import closing
from typing import Any

_PATIENCE = 300.0
_TOKEN = "benchmark"
_ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync")


def _ask(url: str, path: str) -> Any:
    request = urllib.request.Request(f"{url}/{path}", headers={"Authorization": f"token {_TOKEN}"})
    with urllib.request.urlopen(request, timeout=_PATIENCE) as answer:
        return json.loads(answer.read())


def _timed(url: str, path: str) -> tuple[float, Any]:
    began = time.perf_counter()
    answer = _ask(url, path)
    return time.perf_counter() - began, answer


def _wait(process: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SystemExit("JupyterLab ended by itself")
        try:
            _ask(url, "api/status")
        except (urllib.error.URLError, OSError):
            time.sleep(0.02)
        else:
            return
    raise SystemExit("JupyterLab does not answer")


def _sidebar(url: str, chromium: str, tasks: int) -> dict[str, float]:
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - not in every environment that is measured

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(_ARGUMENTS))
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.set_default_timeout(_PATIENCE * 1000)
        page.goto(f"{url}/lab?reset&token={_TOKEN}")
        page.wait_for_function("() => window.jupyterapp !== undefined")
        page.evaluate("async () => { await window.jupyterapp.restored; }")
        # from the click to the frame in which the last task stands
        seconds = page.evaluate(
            """async tasks => {
                 const began = performance.now();
                 window.jupyterapp.commands.execute('nbops:show');
                 while (document.querySelectorAll('.nbops-panel [data-task]').length < tasks) {
                   await new Promise(requestAnimationFrame);
                 }
                 return (performance.now() - began) / 1000;
               }""",
            tasks,
        )
        browser.close()
    return {"sidebar": float(seconds)}


def main() -> None:
    """Start, ask, stop."""
    parser = argparse.ArgumentParser()
    parser.add_argument("extensions")
    parser.add_argument("--status", type=int, default=0)
    parser.add_argument("--browser", default="")
    wanted = parser.parse_args()
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}"]
    command += ["--ServerApp.port_retries=0", f"--IdentityProvider.token={_TOKEN}", "--LabApp.expose_app_in_browser=True"]
    command += [f"--ServerApp.jpserver_extensions={wanted.extensions}"] if wanted.extensions != "{}" else []
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(process, url)
        facts = {"start": time.perf_counter() - began}
        if wanted.browser:
            facts |= _sidebar(url, wanted.browser, wanted.status)
        elif wanted.status:
            facts["first"], answer = _timed(url, "nbops/api/status")
            if answer["error"] is not None or len(answer["tasks"]) != wanted.status:
                raise SystemExit(f"the status has {len(answer['tasks'])} tasks: {answer['error']}")
            if any(task["stale"] is not False for task in answer["tasks"]):
                raise SystemExit("the status calls a task stale that was just built")
            facts["again"] = _timed(url, "nbops/api/status")[0]
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    print("@@facts " + json.dumps(facts))


main()
