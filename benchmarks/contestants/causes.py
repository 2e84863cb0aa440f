"""Prints the causes of what the latest run of a project showed, against the run before: ``causes.py PROJECT SYMPTOM...``.

A symptom is what a monitor says: ``orders.amount:mean``, ``valid:rowCount``, ``task:orders``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from nbops.contract.config import load_config
from nbops.model import Incident, IncidentFinding
from nbops.record.store import read_run, run_ids
from nbops.workflow.causes import causes_for


def finding(text: str) -> IncidentFinding:
    """Return what a symptom is in an incident."""
    if text.startswith("task:"):
        return IncidentFinding(key=text, kind="task", subject=text)
    where, _, metric = text.partition(":")
    dataset, _, column = where.partition(".")
    key = f"monitor:{metric.partition(':')[0]}:dataset:{dataset}:{metric}"
    return IncidentFinding(key=key, kind="monitor", subject=f"dataset:{dataset}", column=column or None, severity="warn")


def main() -> None:
    """Print one JSON list."""
    root, symptoms = Path(sys.argv[1]), sys.argv[2:]
    before, after = (read_run(root / "reports", run_id) for run_id in run_ids(root / "reports")[-2:])
    incident = Incident(
        id="INC-0",
        title="",
        state="open",
        severity="warn",
        root="",
        opened_run=after.id,
        opened_at=after.started_at,
        findings=tuple(map(finding, symptoms)),
    )
    found = causes_for(root, load_config(root), incident, after, before)
    told = [{"kind": one.kind, "subject": one.subject, "message": one.message, "score": one.score} for one in found]
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main()
