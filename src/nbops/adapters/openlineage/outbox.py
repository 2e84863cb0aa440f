"""What is not sent yet, in ``.nbops/openlineage``, which is local and never committed.

- ``moments/<run_id>.<number>.json``: what a build wrote down, of which events are to be made;
- ``events/<run_id>.<number>.<number>.json``: events, as they are sent, in the order of their names; ``.done`` beside one lists
  the transports that have it already;
- ``rejected/``: events that a receiver refused for good, with the reason;
- ``started/<run_id>``: tasks of which a start was told and no end; ``trouble.txt``: why sending stopped the last time.

Files are put in place whole. An event is removed after the receiver has taken it, so that a kill in between sends it once more;
it is the same event then, byte for byte, with the same run's id, type and time.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from nbops.record.outbox import Outbox
from nbops.record.store import replace_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = ["LineageOutbox"]

_LAST = 999_999


class LineageOutbox(Outbox):
    """The folder.

    Args:
        folder: Made when something is put in.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._numbers: dict[str, int] = {}

    # -- what builds write ------------------------------------------------------------------------------------------------

    def note(self, run_id: str, document: Mapping[str, Any], *, durable: bool) -> None:
        """Write down a moment.

        Raises:
            OSError: It cannot be written.
        """
        # a run that this process did not begin was killed: what is told of it now comes last
        first = document["kind"] == "begun"
        number = self._numbers.get(run_id, 0 if first else _LAST - 1) + 1
        self._numbers[run_id] = number
        self.write("moments", f"{run_id}.{number:06d}", document, durable=durable)

    def note_started(self, run_id: str, task: str) -> None:
        """Note that a task's start was told.

        Raises:
            OSError: It cannot be written.
        """
        path = self.folder / "started" / run_id
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(task) + "\n")

    def started(self, run_id: str) -> list[str]:
        """Return the tasks of a run whose start was told."""
        found: list[str] = []
        with suppress(OSError):
            for line in (self.folder / "started" / run_id).read_text(encoding="utf-8").splitlines():
                with suppress(ValueError):  # killed while it was written
                    found.append(str(json.loads(line)))
        return list(dict.fromkeys(found))

    def forget_started(self, run_id: str) -> None:
        """Note that all of a run's tasks have ended."""
        with suppress(OSError):
            (self.folder / "started" / run_id).unlink()

    # -- what is to be done -----------------------------------------------------------------------------------------------

    def moments(self) -> list[Path]:
        """Return what events are to be made of, the oldest first."""
        return self.listed("moments")

    def events(self) -> list[Path]:
        """Return what is to be sent, the oldest first."""
        return self.listed("events")

    def waiting(self) -> int:
        """Return how many files are left to be worked on."""
        return len(self.events()) + len(self.moments())

    def add_events(self, moment: Path, documents: Iterable[Mapping[str, Any]]) -> None:
        """Put the events of a moment in, and the moment away; when killed in between, it is done again, the same way.

        Raises:
            OSError: They cannot be written.
        """
        for number, document in enumerate(documents):
            self.write("events", f"{moment.stem}.{number:04d}", document)
        moment.unlink()

    def done_by(self, event: Path) -> set[str]:
        """Return the transports that have an event."""
        try:
            return set(event.with_suffix(".done").read_text(encoding="utf-8").splitlines())
        except OSError:
            return set()

    def note_done(self, event: Path, transports: Iterable[str]) -> None:
        """Note which transports have an event."""
        replace_file(event.with_suffix(".done"), "\n".join(sorted(transports)).encode(), durable=False)

    def remove(self, event: Path) -> None:
        """Forget an event that all have."""
        with suppress(FileNotFoundError):
            event.unlink()
        with suppress(FileNotFoundError):
            event.with_suffix(".done").unlink()

    def take_back_rejected(self, place: str = "events") -> int:
        """Put refused events back to be sent, and return how many."""
        return super().take_back_rejected(place)
