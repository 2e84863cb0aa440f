"""What another system has not taken yet: a folder below ``.nbops``, which is local and never committed.

Files are put in place whole, and removed after the receiver has taken what is in them. One process at a time may send.
``rejected/`` holds what a receiver refused for good, with the reason; ``trouble.txt`` says why sending stopped the last time.
"""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from nbops.record.store import replace_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["Outbox"]

_WAITING = "waiting"


class Outbox:
    """The folder.

    Args:
        folder: Made when something is put in.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, place: str, name: str, document: Mapping[str, Any], *, durable: bool = False) -> None:
        """Put a document into a folder of the outbox.

        Args:
            place: The folder.
            name: Without ``.json``; documents are worked on in the order of their names.
            document: Plain values.
            durable: It is on the disk when this returns.

        Raises:
            OSError: It cannot be written.
        """
        path = self.folder / place / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, json.dumps(document, ensure_ascii=True, sort_keys=True).encode(), durable=durable)

    def put(self, name: str, document: Mapping[str, Any]) -> None:
        """Put a document in that is to be sent.

        Raises:
            OSError: It cannot be written.
        """
        self.write(_WAITING, name, document, durable=True)

    def listed(self, place: str) -> list[Path]:
        """Return the documents of a folder, in the order of their names."""
        # what is not in its place yet begins with a dot
        return sorted(path for path in (self.folder / place).glob("*.json") if not path.name.startswith("."))

    def to_send(self) -> list[Path]:
        """Return what is to be sent, the oldest first."""
        return self.listed(_WAITING)

    def waiting(self) -> int:
        """Return how many documents are to be worked on."""
        return len(self.to_send())

    def rejected(self) -> int:
        """Return how many documents a receiver refused."""
        return len(self.listed("rejected"))

    def reject(self, path: Path, *, transport: str, reason: str) -> None:
        """Keep what a receiver will never take, apart from the rest; it stays where it was, too.

        Raises:
            OSError: It cannot be written.
            ValueError: It is no JSON.
        """
        self.write("rejected", path.stem, {"event": json.loads(path.read_bytes()), "transport": transport, "reason": reason})

    def rejections(self) -> list[tuple[str, str]]:
        """Return the refused documents' names and the reasons."""
        found: list[tuple[str, str]] = []
        for path in self.listed("rejected"):
            with suppress(OSError, ValueError):
                found.append((path.stem, str(json.loads(path.read_bytes()).get("reason", ""))))
        return found

    def take_back_rejected(self, place: str = _WAITING) -> int:
        """Put refused documents back to be sent, and return how many."""
        taken = 0
        for path in self.listed("rejected"):
            with suppress(ValueError, KeyError):
                self.write(place, path.stem, json.loads(path.read_bytes())["event"])
                path.unlink()
                taken += 1
        return taken

    def set_trouble(self, reason: str | None) -> None:
        """Note why sending stopped; ``None``: it did not."""
        path = self.folder / "trouble.txt"
        if reason is None:
            with suppress(OSError):
                path.unlink()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(path, reason.encode("utf-8", "replace"), durable=False)

    def trouble(self) -> str | None:
        """Return why sending stopped the last time."""
        try:
            return (self.folder / "trouble.txt").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None

    @contextmanager
    def sending(self, *, wait: bool = False) -> Iterator[bool]:
        """Hold the right to send, which one process has; yields whether it was to be had.

        Args:
            wait: Wait for whoever has it.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except OSError:
                yield False
            else:
                yield True
        finally:
            os.close(descriptor)
