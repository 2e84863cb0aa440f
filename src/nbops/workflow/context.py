"""What every step of a build works with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path

    from nbops.contract.config import Config
    from nbops.model import CheckResult
    from nbops.pipeline import Runner
    from nbops.quality.audited import Audit
    from nbops.workflow.costs import Cost
    from nbops.workflow.exporting import Exports
    from nbops.workflow.fingerprint import Fingerprinter
    from nbops.workflow.lineage import Tracing
    from nbops.workflow.live import LiveNotes
    from nbops.workflow.meanwhile import Meanwhile
    from nbops.workflow.profiling import Profiling
    from nbops.workflow.progress import Progress
    from nbops.workflow.running import RunningLedger
    from nbops.workflow.share import Share
    from nbops.workflow.state import StateStore
    from nbops.workflow.stop import StopSignals

__all__ = ["Context", "Earlier"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """What an earlier run found of a task."""

    audits: tuple[Audit, ...]
    noted: tuple[CheckResult, ...]
    started_at: str
    """When that run started; ages are counted from then."""
    hashes: Mapping[str, str | None]
    """Dataset to the hash of its content, of the whole run."""


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
    workers: int
    """Tasks that may run at once."""
    costs: dict[str, Cost]
    """What tasks cost in earlier builds; this build's are put in place of them."""
    share: Share
    """What a task's process may use for measuring."""
    profiles: Profiling
    tracing: Tracing
    """Finds the lineage of columns."""
    meanwhile: Meanwhile
    """What is done while the build would only wait."""
    ledger: RunningLedger
    """The ledger on disk while the build goes on."""
    live: LiveNotes
    """Tells who looks on how far it is."""
    exports: Exports
    earlier: Callable[[str, str], Earlier | None]
    """What a run's ledger says of a task: ``(run_id, task)``; None when the ledger is gone."""
