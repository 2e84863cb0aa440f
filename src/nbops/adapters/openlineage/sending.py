"""The process that makes events of what builds wrote down, and sends them in order.

``python -m nbops.adapters.openlineage.sending ROOT`` works until its standard input is closed, and then at most ``SECONDS`` more,
whatever a receiver does. Each transport has its own place in the row: one that fails is tried again later and holds up no other.
The client's own repeated attempts are switched off, as the events are kept anyway.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState, set_producer
from openlineage.client.facet_v2 import parent_run
from openlineage.client.serde import Serde

from nbops.adapters.openlineage.events import PRODUCER, events_of
from nbops.record.sender import Outcome, reason_of, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nbops.adapters.openlineage.outbox import LineageOutbox

__all__ = ["Connection", "connect", "deliver", "main", "make_events", "revived", "send_now"]

_REQUEST_SECONDS = 5.0
_REFUSED = frozenset({400, 413, 415, 422})
"""HTTP: the receiver will not take this event, however often it is sent."""


@dataclass(frozen=True, slots=True)
class Connection:
    """The client, and the transports that each must have every event."""

    client: OpenLineageClient
    transports: Mapping[str, Any]


class _DeliveryError(Exception):
    """Kafka did not take an event."""


class _Acknowledged:
    """A Kafka producer that raises when an event was not delivered; the client's transport only logs it."""

    def __init__(self, producer: Any) -> None:
        self._producer = producer
        self._failed: list[str] = []

    def produce(self, **message: Any) -> None:
        def answered(error: Any, _message: Any) -> None:
            if error is not None:
                self._failed.append(str(error))

        self._producer.produce(**{**message, "on_delivery": answered})

    def flush(self, timeout: float = -1) -> int:  # noqa: ARG002 - the client waits without end
        left = int(self._producer.flush(_REQUEST_SECONDS))
        failed, self._failed = self._failed, []
        if left:
            self._producer.purge()
            self._producer.flush(1.0)
            self._failed.clear()
            raise _DeliveryError("the broker did not answer in time")
        if failed:
            raise _DeliveryError(failed[0])
        return 0


def make_events(outbox: LineageOutbox) -> None:
    """Make events of what was written down; what cannot be understood is kept among the rejected.

    Raises:
        OSError: They cannot be written.
    """
    for moment in outbox.moments():
        try:
            documents = [json.loads(Serde.to_json(event)) for event in events_of(json.loads(moment.read_bytes()))]
        except Exception as error:  # noqa: BLE001 - one that cannot be understood must not hold up the others
            with suppress(ValueError, OSError):
                outbox.reject(moment, transport="", reason=f"no event could be made of it: {type(error).__name__}: {error}")
            moment.unlink(missing_ok=True)
            continue
        outbox.add_events(moment, documents)


def deliver(outbox: LineageOutbox, connection: Connection) -> Outcome:
    """Send what waits, by each transport in order, until the transport fails.

    Raises:
        OSError: What was sent cannot be noted.
    """
    outcome, client = Outcome(), connection.client
    for name, transport in connection.transports.items():
        client.transport = transport
        for event in outbox.events():
            done = outbox.done_by(event)
            if name in done:
                continue
            try:
                client.emit(revived(json.loads(event.read_bytes())))
                outcome.sent += 1
            except Exception as error:  # noqa: BLE001 - whatever a transport raises, the event is kept
                if not _is_refused(error):
                    outcome.troubles.append(_reason(name, error))
                    break
                outbox.reject(event, transport=name, reason=_reason(name, error))
                outcome.rejected += 1
            if set(connection.transports) <= {*done, name}:
                outbox.remove(event)
            else:
                outbox.note_done(event, {*done, name})
    return outcome


def revived(document: Mapping[str, Any]) -> RunEvent:
    """Return an event as the client takes it; the parent is an object, as the Kafka transport reads its fields."""
    run = document["run"]
    facets = dict(run.get("facets", {}))
    if "parent" in facets:
        facets["parent"] = _parent(facets["parent"])
    job = document["job"]
    return RunEvent(
        eventTime=document["eventTime"],
        producer=document["producer"],
        eventType=RunState[document["eventType"]],
        run=Run(runId=run["runId"], facets=facets),
        job=Job(namespace=job["namespace"], name=job["name"], facets=job.get("facets", {})),
        inputs=[InputDataset(**item) for item in document.get("inputs", [])],
        outputs=[OutputDataset(**item) for item in document.get("outputs", [])],
    )


def _parent(facet: Mapping[str, Any]) -> parent_run.ParentRunFacet:
    root = facet.get("root")
    return parent_run.ParentRunFacet(
        run=parent_run.Run(runId=facet["run"]["runId"]),
        job=parent_run.Job(namespace=facet["job"]["namespace"], name=facet["job"]["name"]),
        root=parent_run.Root(
            run=parent_run.RootRun(runId=root["run"]["runId"]),
            job=parent_run.RootJob(namespace=root["job"]["namespace"], name=root["job"]["name"]),
        )
        if root
        else None,
        producer=facet.get("_producer", ""),
    )


def _transports(top: Any) -> dict[str, Any]:
    """Return the transports that each must have every event, by name; a composite that stops at the first success is one."""
    parts = list(getattr(top, "transports", None) or [])
    for part in [top, *parts]:
        _restrain(part)
    single = top.kind != "composite" or not top.config.continue_on_success
    return {f"{number}:{part.name or part.kind}": part for number, part in enumerate([top] if single else parts)}


def _restrain(transport: Any) -> None:
    """Let a transport try once, for a bounded time, and say when it failed."""
    if transport.kind == "http":
        transport.config.retry = {"total": 0, "redirect": 0}
        transport.timeout = min(float(transport.timeout), _REQUEST_SECONDS)
    elif transport.kind == "kafka" and not isinstance(transport.producer, _Acknowledged):
        transport.flush = True
        transport.producer = _Acknowledged(transport.producer)


def _is_refused(error: Exception) -> bool:
    return getattr(getattr(error, "response", None), "status_code", None) in _REFUSED


def _reason(name: str, error: Exception) -> str:
    return f"{name.partition(':')[2]}: {reason_of(error)}"


def connect(root: Path) -> Connection:
    """Return the client as it configures itself with the project's folder as the working directory (which it becomes).

    Raises:
        Exception: The configuration is wrong; whatever the client raises.
    """
    os.chdir(root)
    console = logging.getLogger("openlineage.client.transport.console")
    if not console.handlers:
        console.addHandler(logging.StreamHandler(sys.stdout))
        console.setLevel(logging.INFO)
        console.propagate = False
    set_producer(PRODUCER)  # also of what the client itself adds to events
    client = OpenLineageClient()
    location = client.config.facets.source_code_location
    # What the client finds in .git may hold a password; nbops says where the code is itself.
    location.disabled = location.disabled or location.repo_url is None
    return Connection(client, _transports(client.transport))


def send_now(root: Path, outbox: LineageOutbox, connecting: Callable[[Path], Connection] = connect) -> Outcome:
    """Send what waits, once; who calls it has the right to send. What goes wrong is told in the outcome and noted."""
    outcome = Outcome()
    try:
        make_events(outbox)
        outcome = deliver(outbox, connecting(root))
    except Exception as error:  # noqa: BLE001 - a wrong configuration, most of all
        outcome.troubles.append(_reason(":client", error))
    outbox.set_trouble(outcome.troubles[0] if outcome.troubles else None)
    return outcome


def main(arguments: list[str]) -> None:
    """Work for one build."""
    from nbops.adapters.openlineage import outbox_of  # noqa: PLC0415 - the package imports nothing of this module

    root = Path(arguments[0])
    outbox = outbox_of(root)
    known: list[Connection] = []

    def connection(root: Path) -> Connection:
        if not known:
            known.append(connect(root))
        return known[0]

    serve(outbox, lambda: not send_now(root, outbox, connection).troubles)


if __name__ == "__main__":
    main(sys.argv[1:])
