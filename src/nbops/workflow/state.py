"""What is known of each task's last success: local, and rebuilt from the ledgers when it is missing."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbops.workflow.hashing import digest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nbops.model import Run

__all__ = ["StateStore", "TaskState"]

_STATE_DIR = ".nbops/state"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskState:
    """A task's last success."""

    run_id: str
    """The run in which it succeeded."""
    audited: str
    """The run whose ledger holds the measurements and verdicts of its datasets."""
    fingerprint: Mapping[str, Any]


class StateStore:
    """Task states of one project.

    Args:
        root: The project's root.
        ledgers: Readable ledgers, oldest first, for tasks without a local state (a fresh clone, a deleted ``.nbops``).
    """

    def __init__(self, root: Path, *, ledgers: Sequence[Run] | None = None) -> None:
        self._folder = root / _STATE_DIR
        self._ledgers = ledgers

    def path(self, task: str) -> Path:
        """Return the state file of a task."""
        # names are free text: a readable part, and a hash that keeps them apart
        readable = "".join(c if c.isalnum() or c in "-_" else "_" for c in task)[:60]
        return self._folder / f"{readable}-{digest(task)[:10]}.json"

    def get(self, task: str) -> TaskState | None:
        """Return the task's last success, or None."""
        try:
            found = json.loads(self.path(task).read_text(encoding="utf-8"))
            return TaskState(run_id=found["run_id"], audited=found["audited"], fingerprint=dict(found["fingerprint"]))
        except (OSError, ValueError, KeyError, TypeError):
            return self._from_ledgers(task)

    def _from_ledgers(self, task: str) -> TaskState | None:
        for run in reversed(self._ledgers or ()):
            for item in run.tasks:
                if item.name == task and item.fingerprint and item.status in {"succeeded", "up_to_date"} and item.last_success:
                    return TaskState(run_id=item.last_success, audited=run.id, fingerprint=item.fingerprint)
        return None

    def put(self, task: str, state: TaskState) -> None:
        """Keep the task's success (one atomic write)."""
        write_json(self.path(task), self.document(state))

    @staticmethod
    def document(state: TaskState) -> dict[str, Any]:
        """Return the state as it stands in its file."""
        return {"run_id": state.run_id, "audited": state.audited, "fingerprint": dict(state.fingerprint)}

    def forget(self, task: str) -> None:
        """Drop the task's state: it will run in the next build."""
        self.path(task).unlink(missing_ok=True)


def write_json(path: Path, document: Mapping[str, Any], *, durable: bool = True) -> None:
    """Write JSON through a temporary file and a rename.

    Args:
        path: The file.
        document: Its content.
        durable: Also survive a loss of power.

    Raises:
        OSError: The disk is full or the folder is not writable; the old file stands.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".write.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump(document, stream, sort_keys=True)
            if durable:
                stream.flush()
                os.fsync(stream.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
