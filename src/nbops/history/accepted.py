"""The last accepted run: what a run is compared with when nobody says with which.

A run is accepted when it ended by itself, its verdict is ``passed`` or ``warned``, no task failed, was held or was stopped, and
every dataset that it made is published. Nobody has to press a button: what passed its contracts is what readers have.
"""

from __future__ import annotations

from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING

from nbops.errors import LedgerError
from nbops.record.ledger import document_of
from nbops.record.store import ledger_path, newest_ids, read_run

if TYPE_CHECKING:
    from pathlib import Path

    from nbops.model import Run
    from nbops.record.refer import Load

__all__ = ["is_accepted", "last_accepted"]

_MOST = 50
"""So many runs are looked through: the cost of a page must not grow with history."""


def is_accepted(run: Run) -> bool:
    """Tell whether everything that a run made is published, and passed its checks or only warned."""
    return (
        run.status == "succeeded"
        and run.verdict in {"passed", "warned"}
        and not any(task.status in {"failed", "held", "interrupted"} for task in run.tasks)
        and all(item.published for item in run.datasets)
    )


def last_accepted(reports: Path, run_id: str, *, load: Load | None = None) -> Run | None:
    """Return the newest accepted run before another; None when there is none among the 50 before it.

    Args:
        reports: The project's ``reports`` folder.
        run_id: The run; it need not be there.
        load: From :func:`nbops.record.store.loader`, where several runs are read.
    """
    for other in islice(newest_ids(reports, before=run_id), _MOST):
        if not _may_be(reports, other):
            continue
        with suppress(LedgerError):
            run = read_run(reports, other, load=load)
            if is_accepted(run):
                return run
    return None


def _may_be(reports: Path, run_id: str) -> bool:
    """Look at a ledger's head only: most of what reading one costs is following what it refers to."""
    with suppress(OSError, UnicodeDecodeError, LedgerError):
        document = document_of(ledger_path(reports, run_id).read_bytes().decode())
        return document.get("status") == "succeeded" and document.get("verdict") in {"passed", "warned"}
    return False
