"""How far a build is, for who looks on: a line for each task that begins or ends, in ``.nbops/cache``.

The ledger says it too, but only of tasks that have ended, and not at each moment; this is no record, and is lost without harm.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["LiveNotes", "LiveTask", "read_live"]

_FILE = ".nbops/cache/live.jsonl"
_LARGEST = 8_000_000  # bytes that are read


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveTask:
    """A task of the build that goes on."""

    status: str
    """``waiting``, ``running``, or how it ended, as the ledger has it."""
    began: str | None = None
    """When it began to run, as ISO 8601; None while it waits, and when it need not run."""


class LiveNotes:
    """Notes how far a build is; what cannot be written is left out.

    Args:
        root: The project's root.
        run_id: The run.
        tasks: The names of its tasks.
    """

    def __init__(self, root: Path, *, run_id: str, tasks: Iterable[str]) -> None:
        self._path = root / _FILE
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.unlink(missing_ok=True)  # who reads the one of before goes on reading that
        self._write({"run": run_id, "tasks": list(tasks)})

    def note(self, task: str, status: str) -> None:
        """Note that a task began (``running``) or ended."""
        self._write([task, status, f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%SZ}"])

    def _write(self, line: Any) -> None:
        with suppress(OSError, ValueError), self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def read_live(root: Path, *, run_id: str) -> dict[str, LiveTask]:
    """Return how far the tasks of a run are; empty when nothing is known of it.

    Args:
        root: The project's root.
        run_id: The run that goes on.
    """
    try:
        with (root / _FILE).open("rb") as file:
            lines = file.read(_LARGEST).split(b"\n")
        head = json.loads(lines[0])
        if head["run"] != run_id:
            return {}
        found = {str(name): LiveTask(status="waiting") for name in head["tasks"]}
        for line in lines[1:-1]:  # the last one is empty, or is being written
            name, status, at = json.loads(line)
            known = found.get(name)
            if known is not None:
                found[name] = LiveTask(status=str(status), began=str(at) if status == "running" else known.began)
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return found
