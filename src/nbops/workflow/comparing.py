"""A run beside the runs before it: the last accepted one, and the one before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nbops.history.accepted import last_accepted
from nbops.history.compare import compare
from nbops.record.ledger import as_stored
from nbops.record.store import run_before

if TYPE_CHECKING:
    from pathlib import Path

    from nbops.history.comparison import Comparison
    from nbops.model import Run

__all__ = ["Beside", "beside"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """A run compared with earlier ones."""

    accepted: Comparison | None = None
    previous: Comparison | None = None
    """None also when it is the last accepted one."""


def beside(run: Run, reports: Path) -> Beside:
    """Return a run compared with the last accepted run before it and with the run before it, as their ledgers say."""
    run = as_stored(run)
    accepted, before = last_accepted(reports, run.id), run_before(reports, run.id)
    other = before is not None and (accepted is None or before.id != accepted.id)
    return Beside(
        accepted=compare(accepted, run) if accepted is not None else None,
        previous=compare(before, run) if before is not None and other else None,
    )
