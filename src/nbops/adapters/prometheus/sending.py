"""The process that pushes to a Pushgateway: ``python -m nbops.adapters.prometheus.sending ROOT``.

Each pipeline is a group of its own (``job="nbops"``, ``pipeline``), which a push replaces as a whole: only the newest run counts.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit, urlunsplit

from prometheus_client import push_to_gateway
from prometheus_client.exposition import basic_auth_handler, default_handler

from nbops.adapters.prometheus import GATEWAY
from nbops.adapters.prometheus.exposition import registry_of
from nbops.record.run_export import run_outbox, send_runs, serve_runs

if TYPE_CHECKING:
    from nbops.model import Incident, Run
    from nbops.record.outbox import Outbox
    from nbops.record.run_export import Send
    from nbops.record.sender import Outcome

__all__ = ["connect", "main", "send_now"]

_SECONDS = 5.0
_REFUSED = frozenset({400, 413, 422})


def connect() -> Send:
    """Return what pushes a run.

    Raises:
        RuntimeError: No gateway is named, or its address is none.
    """
    try:
        parts = urlsplit(os.environ.get(GATEWAY, "").strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in {"http", "https"}:
        raise RuntimeError(f"{GATEWAY} must be an address such as http://gateway.example.org:9091")
    name = f"[{host}]" if ":" in host else host
    bare = urlunsplit((parts.scheme, f"{name}:{port}" if port else name, parts.path, "", ""))
    handler: Any = default_handler
    if parts.username:
        handler = partial(basic_auth_handler, username=unquote(parts.username), password=unquote(parts.password or ""))
    return partial(_push, bare, handler)


def _push(gateway: str, handler: Any, run: Run, incidents: tuple[Incident, ...]) -> None:
    """Push a run.

    Raises:
        ValueError: The gateway will never take it.
        OSError: It was not taken.
    """
    registry = registry_of(run, incidents)
    try:
        push_to_gateway(
            gateway, job="nbops", grouping_key={"pipeline": run.pipeline}, registry=registry, timeout=_SECONDS, handler=handler
        )
    except HTTPError as error:
        if error.code in _REFUSED:
            said = " ".join(error.read(300).decode("utf-8", "replace").split())
            raise ValueError(f"HTTP {error.code}: {said}") from None
        raise


def send_now(outbox: Outbox) -> Outcome:
    """Send the newest run that waits; who calls it has the right to send."""
    return send_runs(outbox, connect, newest_only=True)


def main(arguments: list[str]) -> None:
    """Work for one build."""
    serve_runs(run_outbox(Path(arguments[0]), "pushgateway"), connect, newest_only=True)


if __name__ == "__main__":
    main(sys.argv[1:])
