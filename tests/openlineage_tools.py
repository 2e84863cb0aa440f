"""For the tests of OpenLineage: a receiver that misbehaves as told, and the specification's own schemas."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

__all__ = ["Receiver", "key_of", "receiver", "validate"]

SPEC = Path(os.environ.get("NBOPS_SHARED", str(Path(__file__).parents[2] / "shared"))) / "data" / "openlineage" / "spec"


@dataclass
class Receiver:
    """What was received, and how to behave: for each request one word, ``ok`` when none is left."""

    url: str = ""
    events: list[dict[str, Any]] = field(default_factory=list)
    """Those that were answered with success."""
    seen: list[dict[str, Any]] = field(default_factory=list)
    """All."""
    behaviour: Callable[[int, Mapping[str, Any]], str] = lambda _number, _event: "ok"
    """Number of the request and event to: ``ok``, a status, ``reset``, ``lost`` (taken, not answered), ``drip``, ``hang``."""
    closing: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def keys(self) -> list[tuple[str, str]]:
        return [key_of(event) for event in self.events]


def key_of(event: Mapping[str, Any]) -> tuple[str, str]:
    """Return job and type."""
    return event["job"]["name"], event["eventType"]


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_arguments: Any) -> None:
            pass

        def do_POST(self) -> None:
            event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with receiver.lock:
                receiver.seen.append(event)
                word = receiver.behaviour(len(receiver.seen) - 1, event)
                if word in {"ok", "lost"}:
                    receiver.events.append(event)
            with suppress(OSError):
                self._answer(word)

        def _answer(self, word: str) -> None:
            if word == "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            if word in {"reset", "lost"}:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            if word == "hang":
                receiver.closing.wait()
                return
            if word == "drip":
                self.wfile.write(b"HTTP/1.1 200 OK\r\n")
                while not receiver.closing.wait(0.2):
                    self.wfile.write(b"X-Drip: drip\r\n")
                return
            self.send_response(200 if word == "ok" else int(word))
            self.send_header("Content-Length", "0")
            self.end_headers()

    return Handler


@contextmanager
def receiver() -> Iterator[Receiver]:
    """Run a receiver."""
    found = Receiver()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(found))
    server.daemon_threads = True
    found.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield found
    finally:
        found.closing.set()
        server.shutdown()
        server.server_close()
        thread.join(5)


@cache
def _registry() -> Any:
    import referencing
    import referencing.jsonschema

    def retrieve(uri: str) -> Any:
        name = uri.rsplit("/", 1)[-1]
        place = SPEC / name if name == "OpenLineage.json" else SPEC / "facets" / name
        return referencing.Resource.from_contents(
            json.loads(place.read_text(encoding="utf-8")), default_specification=referencing.jsonschema.DRAFT202012
        )

    return referencing.Registry(retrieve=retrieve)  # type: ignore[call-arg]


def _check(uri: str, document: Any) -> None:
    import jsonschema

    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    jsonschema.Draft202012Validator({"$ref": uri}, registry=_registry(), format_checker=checker).validate(document)


def validate(event: Mapping[str, Any]) -> None:
    """Hold an event and each of its facets against the specification's schemas.

    Raises:
        jsonschema.ValidationError: It does not agree.
    """
    if not SPEC.is_dir():
        pytest.skip("the shared OpenLineage specification is not beside the project")
    _check("https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent", event)
    for owner, facets in _facets(event):
        for name, facet in facets.items():
            uri = facet["_schemaURL"]
            _check(uri, facet)
            file = SPEC / "facets" / uri.split("#")[0].rsplit("/", 1)[-1]
            known = json.loads(file.read_text(encoding="utf-8"))
            assert name in known["properties"], f"{file.name} is no facet {name!r}"
            assert known["properties"][name] == {"$ref": f"#/$defs/{uri.rsplit('/', 1)[-1]}"}
            parents = json.dumps(known["$defs"])
            assert f"#/$defs/{owner}" in parents, f"{name} is no {owner}"


def _facets(event: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield "RunFacet", event["run"].get("facets", {})
    yield "JobFacet", event["job"].get("facets", {})
    for item in (*event.get("inputs", ()), *event.get("outputs", ())):
        yield "DatasetFacet", item.get("facets", {})
        yield "InputDatasetFacet", item.get("inputFacets", {})
        yield "OutputDatasetFacet", item.get("outputFacets", {})


def until(condition: Callable[[], bool], *, seconds: float = 30.0) -> None:
    """Wait for something that another process does."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)
