"""Metrics for Datadog's agent: datagrams, taken on this machine."""

from __future__ import annotations

import os
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.metrics_tools import HOSTILE, incident_of, run_of

from nbops.adapters.dogstatsd import DogStatsD, is_configured
from nbops.model import Dataset, Run
from nbops.record.run_export import RunExport, run_outbox

pytest.importorskip("datadog", reason="datadog is in the test extra")
from nbops.adapters.dogstatsd.sending import connect, send_now

AT = 1795376576


@contextmanager
def agent(path: Path | None = None) -> Iterator[socket.socket]:
    """Listen as the agent does: by UDP, or at a Unix socket."""
    with socket.socket(socket.AF_INET if path is None else socket.AF_UNIX, socket.SOCK_DGRAM) as found:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        found.bind(("127.0.0.1", 0) if path is None else str(path))
        found.setblocking(False)
        yield found


def heard(listener: socket.socket) -> list[str]:
    """Return what has arrived: on this machine a datagram has, once it is sent."""
    found: list[str] = []
    while True:
        try:
            found += listener.recv(65_536).decode().splitlines()
        except BlockingIOError:
            return found


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("DD_", "DATADOG_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DD_ORIGIN_DETECTION_ENABLED", "false")


def tell(root: Path, run: Run) -> str | None:
    export = DogStatsD().open(root)
    assert isinstance(export, RunExport)
    export.begun(run)
    export.ended(run, code={}, incidents=[incident_of()])
    return export.close(20.0)


def test_a_run_arrives_by_udp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with agent() as listener:
        monkeypatch.setenv("DD_AGENT_HOST", "127.0.0.1")
        monkeypatch.setenv("DD_DOGSTATSD_PORT", str(listener.getsockname()[1]))
        monkeypatch.setenv("DD_ENV", "prod")
        assert tell(tmp_path, run_of(fails=True)) is None
        lines = heard(listener)
    assert f"nbops.run.duration.seconds:60.5|g|#pipeline:shop,env:prod|T{AT}" in lines
    assert f"nbops.dataset.rows:541909.0|g|#pipeline:shop,dataset:orders,env:prod|T{AT}" in lines
    assert f"nbops.incidents.open:1.0|g|#pipeline:shop,severity:error,env:prod|T{AT}" in lines
    (check,) = [line for line in lines if line.startswith("_sc|")]
    assert check.startswith(f"_sc|nbops.run|2|d:{AT}|#pipeline:shop,env:prod|m:run 2026")
    assert not any("datadog.dogstatsd.client" in line for line in lines)


def test_an_agent_that_is_not_there_gets_it_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "dsd.socket"
    monkeypatch.setenv("DD_DOGSTATSD_URL", f"unix://{place}")
    said = tell(tmp_path, run_of())
    assert said is not None
    assert said.startswith("1 runs are not told to dogstatsd yet (ConnectionError: ")
    with agent(place) as listener:
        lines: list[str] = []
        over = threading.Event()

        def listen() -> None:  # a Unix socket holds ten datagrams
            while not over.is_set():
                if select.select([listener], [], [], 0.05)[0]:
                    lines.extend(heard(listener))

        thread = threading.Thread(target=listen)
        thread.start()
        assert send_now(run_outbox(tmp_path, "dogstatsd")).sent == 1
        over.set()
        thread.join()
        assert len([*lines, *heard(listener)]) > 20
    assert run_outbox(tmp_path, "dogstatsd").waiting() == 0


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_in_their_tags(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with agent() as listener:
        monkeypatch.setenv("DD_AGENT_HOST", "127.0.0.1")
        monkeypatch.setenv("DD_DOGSTATSD_PORT", str(listener.getsockname()[1]))
        dataset = Dataset(name=name, task="t", path="x", format="csv", rows=7)
        connect()(run_of(pipeline=name, datasets=(dataset,), checks=()), ())
        lines = heard(listener)
    assert all(line.startswith(("nbops.", "_sc|nbops.run|")) for line in lines)
    (rows,) = [line for line in lines if line.startswith("nbops.dataset.rows:")]
    assert rows.count("|") == 3
    assert rows.count(",") == 1


def test_the_variables_decide() -> None:
    assert not is_configured({})
    assert is_configured({"DD_AGENT_HOST": "127.0.0.1"})
    assert is_configured({"DD_DOGSTATSD_URL": "unix:///var/run/datadog/dsd.socket"})
    assert not is_configured({"DD_AGENT_HOST": "127.0.0.1", "DD_DOGSTATSD_DISABLE": "true"})
