"""Adds recorded runs to a built project, as builds with nothing to do would: ``many_runs.py ROOT NUMBER``.

Every seventh run warned, so that no two neighbours of the matrix need be alike. Ends with NUMBER runs before the latest.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from nbops.record.store import latest_run, run_ids, write_run

if TYPE_CHECKING:
    from nbops.model import Verdict


def main(root: Path, number: int) -> None:
    """Write ledgers of earlier days until there are ``number`` before the latest."""
    reports = root / "reports"
    latest = latest_run(reports)
    if latest is None:
        raise SystemExit("the project has no run")
    there = len(run_ids(reports)) - 1
    first = datetime(2020, 1, 1, 6, tzinfo=timezone.utc)
    for day in range(there, number):
        moment = first + timedelta(days=day)
        run_id = f"{moment:%Y%m%dT%H%M%SZ}-{day:06x}"
        tasks = tuple(replace(task, notebook=None, last_success=run_id) for task in latest.tasks)
        verdict: Verdict = "warned" if day % 7 == 0 else "passed"
        write_run(reports, replace(latest, id=run_id, started_at=f"{moment:%Y-%m-%dT%H:%M:%SZ}", tasks=tasks, verdict=verdict))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
