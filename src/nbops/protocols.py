"""The plugin seams: what an implementation must have. Each has an entry-point group of the same purpose (see ``plugins``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from nbops.model import Alert, Check, CheckResult, Incident, Measurement, MetricRequest, Run, TaskRun

__all__ = ["Alerter", "CheckKind", "Export", "Exporter"]


class CheckKind(Protocol):
    """A kind of check; group ``nbops.checks``. Called without arguments to make one, which must hold no state.

    ``requests`` says what must be measured, ``judge`` gives the verdict from it. Neither sees the data: a kind is a pure
    function, and what could not be measured reaches ``judge`` as a ``Measurement`` with ``error`` set.
    """

    def requests(self, check: Check) -> tuple[MetricRequest, ...]:
        """Return the measurements that the check needs. Equal requests of several checks are measured once."""
        ...

    def judge(self, check: Check, measurements: Mapping[MetricRequest, Measurement]) -> CheckResult:
        """Return the verdict. A measurement that is absent or has an error must give ``errored``, never ``passed``."""
        ...


class Alerter(Protocol):
    """A way to send messages to people; group ``nbops.alerters``. Called without arguments to make one.

    It is used in a process beside the build. Several addresses are served at once, each in a thread of its own.
    """

    def send(self, address: str, alert: Alert) -> None:
        """Send one message; return when the receiver has taken it.

        Args:
            address: From an environment variable. It holds secrets, so no error may quote it.
            alert: The message. ``key`` is the same when it is sent again, and ``incident`` for all messages about one incident.

        Raises:
            ValueError: The receiver will never take this message. It is kept apart, and holds up no other.
            Exception: Anything else: it is tried again later.
        """
        ...


class Exporter(Protocol):
    """A way to tell another system about runs; group ``nbops.exporters``. Called without arguments to make one."""

    def open(self, root: Path) -> Export | None:
        """Begin to tell; ``None`` when nothing asks for it, which must be found out at no cost.

        Args:
            root: The project's root. What cannot be sent at once is kept in its ``.nbops`` folder.
        """
        ...


class Export(Protocol):
    """Tells of the runs of one build. No method may wait for the other system; what one raises is noted in the run."""

    def begun(self, run: Run) -> None:
        """A run has begun; nothing is known of its tasks yet."""
        ...

    def task_begun(self, run: Run, task: TaskRun, *, reads: Mapping[str, str], writes: Mapping[str, str]) -> None:
        """A task was started, for the first time or again (``attempts``); datasets that it reads and writes: name to path."""
        ...

    def ended(self, run: Run, *, code: Mapping[str, str], incidents: Sequence[Incident] = ()) -> None:
        """A run has ended and is recorded, or was found to have been killed.

        Args:
            run: As recorded.
            code: Each task's source, scrubbed.
            incidents: Those that are open after it.
        """
        ...

    def close(self, seconds: float) -> str | None:
        """Wait so long for what is not sent, then keep it for later; return what the user should know."""
        ...
