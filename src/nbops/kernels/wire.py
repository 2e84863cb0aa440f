"""Messages between a build's tasks and the process that forks their kernels: JSON over a Unix socket that keeps boundaries."""

from __future__ import annotations

import json
import os
import socket
import struct
from typing import Any

__all__ = ["HANDSHAKE_SECONDS", "memory_file", "peer", "read_memory_file", "receive", "send"]

HANDSHAKE_SECONDS = 60.0
"""How long a task waits for its kernel to be forked; imports that go on count too."""

_LONGEST = 1 << 16
_MOST_DESCRIPTORS = 4


def send(connection: socket.socket, message: dict[str, Any], descriptors: tuple[int, ...] = ()) -> None:
    """Send one message, with descriptors.

    Raises:
        OSError: The other side is gone.
    """
    data = json.dumps(message).encode()
    if descriptors:
        socket.send_fds(connection, [data], list(descriptors), socket.MSG_NOSIGNAL)
    else:
        connection.send(data, socket.MSG_NOSIGNAL)


def receive(connection: socket.socket) -> tuple[dict[str, Any] | None, list[int]]:
    """Return the next message and its descriptors, which the caller closes; None when the other side is gone.

    Raises:
        OSError: Nothing has come yet (a socket that does not block), or the other side is gone.
        ValueError: It is no message.
    """
    data, descriptors, _, _ = socket.recv_fds(connection, _LONGEST, _MOST_DESCRIPTORS, socket.MSG_CMSG_CLOEXEC)
    if not data:
        return None, descriptors
    message = json.loads(data)
    if not isinstance(message, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - what was sent is wrong, not its type
    return message, descriptors


def peer(connection: socket.socket) -> tuple[int, int]:
    """Return process id and user id of the other side, as the system knows them (``SO_PEERCRED``)."""
    size = struct.calcsize("3i")
    pid, user, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return pid, user


def memory_file(name: str, value: Any) -> int:
    """Return the descriptor of a file in memory that holds ``value`` as JSON: of any size, and on no disk."""
    descriptor = os.memfd_create(name)
    with os.fdopen(os.dup(descriptor), "wb") as file:
        file.write(json.dumps(value).encode())
    return descriptor


def read_memory_file(descriptor: int) -> Any:
    """Return the value in a file made by :func:`memory_file`; the descriptor stays open."""
    size = os.fstat(descriptor).st_size
    data = bytearray()
    while len(data) < size and (piece := os.pread(descriptor, size - len(data), len(data))):
        data += piece
    return json.loads(bytes(data))
