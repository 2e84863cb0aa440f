"""The records that flow through nbops: frozen, without behaviour.

Builders live elsewhere (``contract``, ``quality``, ``workflow``, ``record``). Everything here is made of plain values, tuples and
mappings, so that a record can be turned into JSON without a decision on the way.

Units: seconds for durations, bytes for sizes, rows for counts; instants are ISO 8601 strings in UTC with a ``Z``.
Paths are POSIX strings relative to the project's root.
"""

from __future__ import annotations

from nbops.model.found import (
    Anomaly,
    Distribution,
    Expected,
    MonitorCount,
    Segment,
)
from nbops.model.incident import (
    Alert,
    Cause,
    Incident,
    IncidentEvent,
    IncidentFinding,
)
from nbops.model.runs import (
    CellRun,
    CellTable,
    Check,
    CheckResult,
    Column,
    ColumnEdge,
    Dataset,
    Definition,
    Environment,
    GitState,
    LineageEdge,
    LineageNote,
    Measurement,
    MetricRequest,
    Notice,
    Quarantine,
    Run,
    RunError,
    TaskLineage,
    TaskRun,
)
from nbops.model.words import (
    CauseKind,
    ColumnTransformation,
    IncidentState,
    RunStatus,
    Severity,
    TaskKind,
    TaskStatus,
    Verdict,
)

__all__ = [
    "Alert",
    "Anomaly",
    "Cause",
    "CauseKind",
    "CellRun",
    "CellTable",
    "Check",
    "CheckResult",
    "Column",
    "ColumnEdge",
    "ColumnTransformation",
    "Dataset",
    "Definition",
    "Distribution",
    "Environment",
    "Expected",
    "GitState",
    "Incident",
    "IncidentEvent",
    "IncidentFinding",
    "IncidentState",
    "LineageEdge",
    "LineageNote",
    "Measurement",
    "MetricRequest",
    "MonitorCount",
    "Notice",
    "Quarantine",
    "Run",
    "RunError",
    "RunStatus",
    "Segment",
    "Severity",
    "TaskKind",
    "TaskLineage",
    "TaskRun",
    "TaskStatus",
    "Verdict",
]
