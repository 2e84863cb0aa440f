"""Words that records use: each field of these types holds one of them."""

from __future__ import annotations

from typing import Literal

__all__ = [
    "CauseKind",
    "ColumnTransformation",
    "IncidentState",
    "RunStatus",
    "Severity",
    "TaskKind",
    "TaskStatus",
    "Verdict",
]

Verdict = Literal["passed", "warned", "failed", "errored", "skipped"]
"""``errored`` could not be measured: never counts as passed. ``skipped``: there was nothing to judge."""

Severity = Literal["warn", "error"]
RunStatus = Literal["running", "succeeded", "failed", "interrupted"]
TaskStatus = Literal[
    "succeeded",  # ran, and its products were published
    "failed",  # raised, died, timed out, or its data failed an error-severity check
    "held",  # did not run: something upstream failed
    "up_to_date",  # did not run: nothing it depends on changed
    "interrupted",  # was running (or waiting) when the run was stopped
    "not_selected",  # outside what the user asked to build
]
ColumnTransformation = Literal[
    "identity",  # derived: as it is
    "transformation",  # derived: computed from it, row by row
    "aggregation",  # derived: computed from many rows of it
    "join",  # influence, from here on
    "group_by",
    "filter",
    "sort",
    "window",
    "conditional",
]
IncidentState = Literal["open", "acknowledged", "resolved", "expected"]
CauseKind = Literal[
    "code",  # cells, modules, SQL
    "parameter",
    "package",  # a version in the environment
    "input",  # a file, table or partition that came in otherwise
    "segment",  # rows with one value in common
    "upstream",  # another dataset moved first
    "contract",  # the rule changed, not the data
    "machine",  # what it ran on: most tasks were slower, a kernel was slow to start
    "time",  # nothing came: data is older than it should be
    "unknown",
]
TaskKind = Literal["notebook", "script", "function", "sql", "shell", "other"]
