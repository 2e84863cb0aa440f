"""Receivers on this machine that misbehave as told, by HTTP and by SMTP."""

from __future__ import annotations

import json
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["Mailbox", "Receiver", "mailbox", "receiver"]


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
    parse: Callable[[bytes], Any] = json.loads
    """Makes of a request's body what is kept."""
    paths: list[str] = field(default_factory=list)
    """Of the requests that were answered with success."""


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_arguments: Any) -> None:
            pass

        def do_POST(self) -> None:
            event = receiver.parse(self.rfile.read(int(self.headers["Content-Length"])))
            with receiver.lock:
                receiver.seen.append(event)
                word = receiver.behaviour(len(receiver.seen) - 1, event)
                if word in {"ok", "lost"}:
                    receiver.events.append(event)
                    receiver.paths.append(self.path)
            with suppress(OSError):
                self._answer(word)

        do_PUT = do_POST  # noqa: N815 - http.server's names

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
def receiver(parse: Callable[[bytes], Any] = json.loads) -> Iterator[Receiver]:
    """Run a receiver."""
    found = Receiver(parse=parse)
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


@dataclass
class Mailbox:
    """A mail server's letters."""

    port: int = 0
    letters: list[EmailMessage] = field(default_factory=list)
    refuses: bool = False


def _post_office(box: Mailbox) -> type[socketserver.StreamRequestHandler]:
    class Handler(socketserver.StreamRequestHandler):
        def say(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

        def handle(self) -> None:
            self.say("220 here")
            while line := self.rfile.readline():
                word = line.strip().upper()[:4]
                if word == b"DATA":
                    self.say("354 go on")
                    self.take()
                elif word == b"QUIT":
                    self.say("221 bye")
                    return
                elif word == b"MAIL" and box.refuses:
                    self.say("451 not now")
                else:
                    self.say("250 ok")

        def take(self) -> None:
            lines = []
            while (line := self.rfile.readline()) not in {b".\r\n", b""}:
                lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
            letter = message_from_bytes(b"".join(lines), policy=policy.default)
            assert isinstance(letter, EmailMessage)
            box.letters.append(letter)
            self.say("250 taken")

    return Handler


@contextmanager
def mailbox() -> Iterator[Mailbox]:
    """Run a mail server."""
    box = Mailbox()
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _post_office(box)) as server:
        server.daemon_threads = True
        box.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield box
        finally:
            server.shutdown()
            thread.join(5)
