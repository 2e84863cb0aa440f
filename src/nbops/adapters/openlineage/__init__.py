"""OpenLineage: what runs did, told to a receiver of lineage events, as https://openlineage.io has it.

A build only writes down what happens, in ``.nbops/openlineage``; a process of its own makes the events with the official client
and sends them (``sending``). So a receiver that is slow, down or hostile holds nothing up, and what it did not take is there to
be sent again. This module is loaded by every build, so it imports nothing of the client.
"""

from __future__ import annotations

import importlib.util
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbops.adapters.openlineage.outbox import LineageOutbox
from nbops.adapters.openlineage.repository import source_of
from nbops.adapters.openlineage.settings import is_configured
from nbops.record.codec import encode
from nbops.record.sender import Sender

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nbops.model import Incident, Run, TaskRun

__all__ = ["OpenLineage", "client_is_missing", "outbox_of"]

_MODULE = "nbops.adapters.openlineage.sending"
_NAMESPACE, _PARENT = "OPENLINEAGE_NAMESPACE", "OPENLINEAGE_PARENT_ID"
_KEPT = "`nbops openlineage send` or the next build sends them"


def outbox_of(root: Path) -> LineageOutbox:
    """Return the events of a project that are not sent yet."""
    return LineageOutbox(root / ".nbops/openlineage")


def client_is_missing() -> bool:
    """Whether the official client is not installed."""
    try:
        return importlib.util.find_spec("openlineage.client") is None
    except ModuleNotFoundError:
        return True


class OpenLineage:
    """The exporter ``openlineage``."""

    def open(self, root: Path) -> OpenLineageExport | None:
        """Begin to tell, when the client's own configuration names a transport.

        Raises:
            RuntimeError: It does, and the client is not installed.
        """
        if not is_configured(root):
            return None
        if client_is_missing():
            raise RuntimeError("OpenLineage is configured, but its client is not installed: pip install 'nbops[openlineage]'")
        return OpenLineageExport(root)


class OpenLineageExport:
    """Writes down what one build does, and has it sent.

    Args:
        root: The project's root.
    """

    def __init__(self, root: Path) -> None:
        self._root, self._outbox = root, outbox_of(root)
        self._context: dict[str, Any] = {
            "namespace": os.environ.get(_NAMESPACE, "").strip() or "nbops",
            "parent": os.environ.get(_PARENT, ""),
            "source": source_of(root),
        }
        self._sender = Sender(_MODULE, root, self._outbox.folder)

    def begun(self, run: Run) -> None:
        """Note that a run has begun."""
        self._put(run.id, "begun", at=run.started_at, run=_head(run))

    def task_begun(self, run: Run, task: TaskRun, *, reads: Mapping[str, str], writes: Mapping[str, str]) -> None:
        """Note that a task was started."""
        if task.attempts <= 1:
            self._outbox.note_started(run.id, task.name)
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()) if task.attempts > 1 or not task.started_at else task.started_at
        document = {"name": task.name, "kind": task.kind, "source": task.source, "attempts": task.attempts}
        self._put(run.id, "task", at=at, run=_head(run), task=document, reads=dict(reads), writes=dict(writes))

    def ended(self, run: Run, *, code: Mapping[str, str], incidents: Sequence[Incident] = ()) -> None:  # noqa: ARG002 - no facet for it
        """Note that a run has ended."""
        started = self._outbox.started(run.id)
        at = run.finished_at or time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self._put(run.id, "ended", at=at, run=encode(run), code=dict(code), started=started)
        self._outbox.forget_started(run.id)

    def close(self, seconds: float) -> str | None:
        """Wait for what is not sent; then end the sending process."""
        self._sender.end(seconds)
        waiting, rejected = self._outbox.waiting(), self._outbox.rejected()
        why = self._outbox.trouble()
        reason = f" ({why})" if why else ""
        said = []
        if waiting:
            said.append(f"{waiting} openlineage events are not sent yet{reason}; {_KEPT}")
        if rejected:
            said.append(
                f"{rejected} openlineage events were refused by the receiver and are kept; see `nbops openlineage status`"
            )
        return "; ".join(said) or None

    def _put(self, run_id: str, kind: str, **document: Any) -> None:
        self._outbox.note(run_id, {"kind": kind, **self._context, **document}, durable=kind == "ended")
        self._sender.wake()


def _head(run: Run) -> dict[str, Any]:
    """Return what is known of a run before it has ended, without anything that quotes data or a command line."""
    found: dict[str, Any] = {"id": run.id, "pipeline": run.pipeline, "started_at": run.started_at}
    if run.environment is not None:
        found["environment"] = encode(run.environment)
    if run.git is not None:
        found["git"] = encode(run.git)
    return found
