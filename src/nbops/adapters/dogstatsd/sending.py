"""The process that sends to Datadog's agent: ``python -m nbops.adapters.dogstatsd.sending ROOT``.

The client drops what it cannot send and only counts it: what it dropped here is kept, and sent with the next run. By UDP
only an agent on the same machine is missed, and not always at once; a Unix socket says more.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from datadog.dogstatsd.base import DogStatsd

from nbops.record.gauges import gauges_of, instant, is_success
from nbops.record.run_export import run_outbox, send_runs, serve_runs

if TYPE_CHECKING:
    from nbops.model import Incident, Run
    from nbops.record.outbox import Outbox
    from nbops.record.run_export import Send
    from nbops.record.sender import Outcome

__all__ = ["connect", "main", "send_now"]

_NEVER = 10**9  # seconds
_LONGEST_TAG = 200
_SOCKET_SECONDS = 2


def connect() -> Send:
    """Return what sends a run, as Datadog's variables configure it."""
    logging.getLogger("datadog").setLevel(logging.CRITICAL)
    return _send


def _send(run: Run, incidents: tuple[Incident, ...]) -> None:
    """Send a run.

    Raises:
        OSError: Some of it was not taken.
    """
    # the client's own telemetry counts what was dropped; it is never sent
    client = DogStatsd(telemetry_min_flush_interval=_NEVER, socket_timeout=_SOCKET_SECONDS, track_instance=False)
    at = int(instant(run.finished_at) or instant(run.started_at) or 0)
    try:
        for gauge in gauges_of(run, incidents):
            name = f"nbops.{gauge.name}" + (f".{gauge.unit}" if gauge.unit else "")
            client.open_buffer()
            for labels, value in gauge.samples:
                client.gauge_with_timestamp(name, value, at, tags=[f"{key}:{_tag(text)}" for key, text in labels.items()])
                _taken(client)
            client.close_buffer()
            _taken(client)
        status = client.OK if is_success(run) else client.CRITICAL
        if run.verdict == "warned" and status == client.OK:
            status = client.WARNING
        said = f"run {run.id}: {run.status}, {run.verdict}"
        client.service_check("nbops.run", status, tags=[f"pipeline:{_tag(run.pipeline)}"], timestamp=at, message=said)
        _taken(client)
    finally:
        client.close_socket()


def _taken(client: DogStatsd) -> None:
    if client.packets_dropped:
        raise ConnectionError("the agent did not take all that it was sent")


def _tag(text: str) -> str:
    r"""Return a tag's value that cannot end its tag, its list of tags or its message.

    >>> _tag("a,b|c:d\n#e")
    'a_b_c:d__e'
    """
    plain = "".join("_" if letter in ",|#" or not letter.isprintable() else letter for letter in text)
    return plain.encode("utf-8", "replace").decode("utf-8")[:_LONGEST_TAG]


def send_now(outbox: Outbox) -> Outcome:
    """Send what waits; who calls it has the right to send."""
    return send_runs(outbox, connect)


def main(arguments: list[str]) -> None:
    """Work for one build."""
    serve_runs(run_outbox(Path(arguments[0]), "dogstatsd"), connect)


if __name__ == "__main__":
    main(sys.argv[1:])
