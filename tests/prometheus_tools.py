"""Debian's Prometheus, its Pushgateway and promtool, for tests."""

from __future__ import annotations

import functools
import http.server
import json
import os
import shutil
import socket
import subprocess
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.openlineage_tools import until

from nbops.adapters.prometheus import rules_file

__all__ = ["Monitoring", "debian", "running_prometheus"]


def debian(program: str, package: str) -> str:
    """Return a program's path; skip where it is missing, but not in CI, which installs it."""
    found = shutil.which(program)
    if found is None:
        said = f"no {program} on this machine: apt-get install {package}"
        if os.environ.get("CI") == "true":
            pytest.fail(said)
        pytest.skip(said)
    return found


@dataclass
class Monitoring:
    prometheus: str
    gateway: str
    files: Path

    def query(self, text: str) -> list[dict[str, Any]]:
        return self._api(f"query?query={urllib.parse.quote(text)}")["result"]

    def firing(self, name: str) -> list[dict[str, str]]:
        alerts = self._api("alerts")["alerts"]
        return [a["labels"] for a in alerts if a["labels"]["alertname"] == name and a["state"] == "firing"]

    def _api(self, what: str) -> dict[str, Any]:
        with suppress(OSError), urllib.request.urlopen(f"{self.prometheus}/api/v1/{what}", timeout=10) as answer:
            return json.load(answer)["data"]
        return {"result": [], "alerts": []}


def _port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@contextmanager
def _running(*command: str) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait()


@contextmanager
def _file_server(folder: Path) -> Iterator[int]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        extensions_map = {".prom": "text/plain; version=0.0.4"}  # noqa: RUF012 - http.server's own way

        def log_message(self, *_arguments: Any) -> None:
            pass

    class Server(http.server.ThreadingHTTPServer):
        def handle_error(self, *_arguments: Any) -> None:  # Prometheus went away in the middle
            pass

    server = Server(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@contextmanager
def running_prometheus(folder: Path) -> Iterator[Monitoring]:
    """Run Debian's Prometheus with the rules that come with nbops, and its Pushgateway."""
    prometheus, gateway = debian("prometheus", "prometheus"), debian("prometheus-pushgateway", "prometheus-pushgateway")
    own, its = _port(), _port()
    (folder / "files").mkdir()
    with ExitStack() as stack:
        files = stack.enter_context(_file_server(folder / "files"))
        config = {
            "global": {"scrape_interval": "250ms", "scrape_timeout": "250ms", "evaluation_interval": "250ms"},
            "rule_files": [str(rules_file())],
            "scrape_configs": [
                {"job_name": "gateway", "honor_labels": True, "static_configs": [{"targets": [f"127.0.0.1:{its}"]}]},
                {
                    "job_name": "file",
                    "metrics_path": "/nbops_files.prom",
                    "static_configs": [{"targets": [f"127.0.0.1:{files}"]}],
                },
            ],
        }
        (folder / "prometheus.yml").write_text(json.dumps(config))
        stack.enter_context(_running(gateway, f"--web.listen-address=127.0.0.1:{its}"))
        stack.enter_context(
            _running(
                prometheus,
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{own}",
            )
        )
        found = Monitoring(f"http://127.0.0.1:{own}", f"http://127.0.0.1:{its}", folder / "files")
        until(lambda: bool(found.query('up{job="gateway"} == 1')))
        yield found
