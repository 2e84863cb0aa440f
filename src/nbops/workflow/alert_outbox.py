"""Messages to people that are not taken yet, and those that were: ``.nbops/alerts``, local and never committed.

``waiting/`` holds one file for a message and the variable that names its addresses; ``told.jsonl`` what was taken, by which
address; ``begun`` runs that may not have written their messages down yet; ``damaged/`` what could not be read. A message is noted
as told before its file is removed, so that one that is in neither place was never written down.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from nbops.record.outbox import Outbox

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = ["AlertOutbox"]

_TOLD, _BEGUN = "told.jsonl", "begun"


class AlertOutbox(Outbox):
    """The folder.

    Args:
        root: The project's root.
    """

    def __init__(self, root: Path) -> None:
        super().__init__(root / ".nbops/alerts")

    def known(self) -> set[str]:
        """Return the keys of all that was told, waits to be told, or was refused."""
        waiting: set[str] = set()
        for path in [*self.to_send(), *self.listed("rejected")]:
            with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
                document = json.loads(path.read_bytes())
                waiting.update(map(str, document.get("event", document)["keys"]))
        # after what waits: a sender may move a message from there to here, never back
        return waiting | self.told_keys()

    def told(self) -> list[dict[str, Any]]:
        """Return what was told: ``key``, ``to``, ``title``, ``at``; the oldest first."""
        found: list[dict[str, Any]] = []
        with suppress(OSError):
            for line in (self.folder / _TOLD).read_text(encoding="utf-8", errors="replace").splitlines():
                with suppress(ValueError, TypeError, KeyError):  # killed while it was written
                    item = json.loads(line)
                    found.append({**item, "key": str(item["key"])})
        return found

    def told_keys(self) -> set[str]:
        """Return the keys of what was told, or refused and not taken back."""
        found: set[str] = set()
        for item in self.told():
            (found.discard if item.get("again") else found.add)(item["key"])
        return found

    def note_told(self, items: Iterable[Mapping[str, Any]]) -> None:
        """Note what was told.

        Raises:
            OSError: It cannot be written.
        """
        # a line break in front too: the line before may have been cut off by a kill
        text = "".join(f"\n{json.dumps(item, ensure_ascii=True, sort_keys=True)}\n" for item in items)
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / _TOLD).open("ab", buffering=0) as file:
            file.write(text.encode())

    def refuse(self, path: Path, key: str, *, reason: str) -> None:
        """Keep apart what one address will never take.

        Raises:
            OSError: It cannot be written.
            ValueError: It is no JSON.
        """
        document = {"event": json.loads(path.read_bytes()), "name": path.stem, "key": key, "reason": reason}
        self.write("rejected", f"{path.stem}.{key.rpartition('.')[2]}", document)
        self.note_told([{"key": key, "refused": True}])

    def take_back_rejected(self, place: str = "waiting") -> int:
        """Put refused messages back to be sent to the addresses that refused them, and return how many."""
        taken = 0
        for path in self.listed("rejected"):
            with suppress(ValueError, KeyError):
                document = json.loads(path.read_bytes())
                self.note_told([{"key": str(document["key"]), "again": True}])
                self.write(place, str(document["name"]), document["event"])
                path.unlink()
                taken += 1
        return taken

    def put_aside(self, path: Path) -> None:
        """Keep what cannot be read where it is in nobody's way."""
        (self.folder / "damaged").mkdir(parents=True, exist_ok=True)
        with suppress(OSError):
            path.replace(self.folder / "damaged" / path.name)

    def begun(self) -> list[str]:
        """Return the runs of which it is not known that all was written down."""
        with suppress(OSError):
            return (self.folder / _BEGUN).read_text(encoding="utf-8", errors="replace").split()
        return []

    def note_begun(self, run_id: str) -> None:
        """Note that a run has begun.

        Raises:
            OSError: It cannot be written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / _BEGUN).open("a", encoding="utf-8") as file:
            file.write(f"{run_id}\n")

    def forget_begun(self) -> None:
        """Note that nothing of earlier runs is left to be written down."""
        with suppress(OSError):
            (self.folder / _BEGUN).unlink()
