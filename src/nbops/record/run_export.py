"""Exporters that tell of whole runs, when they have ended: the build writes the run down, a process of its own sends it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from nbops.model import Incident, Run
from nbops.record.codec import decode, encode
from nbops.record.outbox import Outbox
from nbops.record.sender import Outcome, Sender, reason_of, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from nbops.model import TaskRun

    Send = Callable[[Run, tuple[Incident, ...]], None]
    """Sends one run. Raises ValueError when the receiver will never take it, anything else when it may later."""

__all__ = ["RunExport", "run_outbox", "send_runs", "serve_runs"]


def run_outbox(root: Path, name: str) -> Outbox:
    """Return the runs that are not told yet.

    Args:
        root: The project's root.
        name: Of the exporter.
    """
    return Outbox(root / ".nbops" / name)


class RunExport:
    """Writes down what has ended, and has it sent.

    Args:
        root: The project's root.
        name: Of the exporter.
        module: What sends: it calls :func:`serve_runs`.
    """

    def __init__(self, root: Path, *, name: str, module: str) -> None:
        self._name, self._outbox = name, run_outbox(root, name)
        self._sender = Sender(module, root, self._outbox.folder)

    def begun(self, run: Run) -> None:  # noqa: ARG002 - the protocol's
        """Start the sender, which loads its library while tasks run, and sends what earlier builds left."""
        self._sender.wake()

    def task_begun(self, run: Run, task: TaskRun, *, reads: Mapping[str, str], writes: Mapping[str, str]) -> None:
        """Nothing is told of tasks before the end."""

    def ended(self, run: Run, *, code: Mapping[str, str], incidents: Sequence[Incident] = ()) -> None:  # noqa: ARG002 - the protocol's
        """Write a run down."""
        self._outbox.put(run.id, {"run": encode(run), "incidents": [encode(item) for item in incidents]})
        self._sender.wake()

    def close(self, seconds: float) -> str | None:
        """Wait for what is not sent; then end the sending process."""
        self._sender.end(seconds)
        waiting, rejected, why = self._outbox.waiting(), self._outbox.rejected(), self._outbox.trouble()
        send = "`nbops metrics send` or the next build sends them"
        said = [f"{waiting} runs are not told to {self._name} yet{f' ({why})' if why else ''}; {send}"] if waiting else []
        if rejected:
            said.append(f"{rejected} runs were refused by {self._name} and are kept; see `nbops metrics status`")
        return "; ".join(said) or None


def send_runs(outbox: Outbox, connecting: Callable[[], Send], *, newest_only: bool = False) -> Outcome:
    """Send what waits, in order, until the receiver fails. What goes wrong is told in the outcome and noted.

    Args:
        outbox: What waits; who calls this has the right to send.
        connecting: Returns what sends.
        newest_only: A run makes those before it pointless.
    """
    outcome = Outcome()
    try:
        waiting = outbox.to_send()
        send = connecting() if waiting else None
        for path in waiting[:-1] if newest_only else []:
            path.unlink(missing_ok=True)
        for path in waiting[-1:] if newest_only else waiting:
            if send is not None and not _sent(outbox, path, send, outcome):
                break
    except Exception as error:  # noqa: BLE001 - a wrong configuration, most of all
        outcome.troubles.append(reason_of(error))
    outbox.set_trouble(outcome.troubles[0] if outcome.troubles else None)
    return outcome


def _sent(outbox: Outbox, path: Path, send: Send, outcome: Outcome) -> bool:
    try:
        document: Any = json.loads(path.read_bytes())
        run: Run = decode(Run, document["run"])
        send(run, tuple(decode(Incident, item) for item in document.get("incidents", ())))
        outcome.sent += 1
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        outbox.write("rejected", path.stem, {"event": _text_of(path), "reason": reason_of(error)})
        outcome.rejected += 1
    except Exception as error:  # noqa: BLE001 - whatever a client raises, the run is kept
        outcome.troubles.append(reason_of(error))
        return False
    path.unlink(missing_ok=True)
    return True


def _text_of(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except ValueError:
        return path.read_text(encoding="utf-8", errors="replace")


def serve_runs(outbox: Outbox, connecting: Callable[[], Send], *, newest_only: bool = False) -> None:
    """Work for one build, in the process that sends. What sends is made once, at the start."""
    known: list[Send] = []

    def connect() -> Send:
        if not known:
            known.append(connecting())
        return known[0]

    try:
        connect()
    except Exception as error:  # noqa: BLE001 - told when there is something to send
        outbox.set_trouble(reason_of(error))
    serve(outbox, lambda: not send_runs(outbox, connect, newest_only=newest_only).troubles)
