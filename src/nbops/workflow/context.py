"""What every step of a build works with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from nbops.contract.config import Config
    from nbops.pipeline import Runner
    from nbops.quality.audit import Audit
    from nbops.workflow.fingerprint import Fingerprinter
    from nbops.workflow.progress import Progress
    from nbops.workflow.state import StateStore
    from nbops.workflow.stop import StopSignals

__all__ = ["Context"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a build works with."""

    root: Path
    run_id: str
    now: datetime
    config: Config
    runner: Runner
    fingerprinter: Fingerprinter
    states: StateStore
    progress: Progress
    stop: StopSignals
    lock: int
    work: Path
    """Local scratch of this run."""
    threads: int
    earlier_audits: Callable[[str, str], tuple[Audit, ...] | None]
    """Audits of a task as a run's ledger has them: ``(run_id, task)``."""
    changed: Callable[[], None]
    """Called when a task is done, to refresh the ledger on disk."""
