"""What two runs differ in: the records. Builders stand in :mod:`nbops.history.compare`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["AREAS", "Area", "Change", "Comparison", "RunRef"]

Area = Literal["verdict", "checks", "data", "code", "parameters", "environment", "tasks", "time"]

AREAS: tuple[Area, ...] = ("verdict", "checks", "data", "code", "parameters", "environment", "tasks", "time")
"""In the order in which a reader wants them: what came out, then what may have caused it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRef:
    """One of the two runs."""

    id: str
    started_at: str
    status: str
    verdict: str
    commit: str | None = None
    branch: str | None = None
    dirty: bool = False
    """Its code was not that of the commit alone."""
    changed_files: int = 0
    """Files that were changed and not committed; 0 where that is not known, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference."""

    area: Area
    kind: str
    """``added``, ``removed``, ``worse``, ``better``, ``rule``, ``observed``, ``schema``, ``rows``, ``nulls``, ``distribution``,
    ``content``, ``code``, ``module``, ``file``, ``contract``, ``version``, ``value``, ``status``, ``seconds``..."""
    subject: str
    """What differs: ``orders``, ``orders.amount``, ``since``, ``pandas``."""
    text: str
    """The difference as the end of a sentence: ``null values rose from 0.1 % to 4.2 %``."""
    before: Any = None
    """Plain value; None where there was none."""
    after: Any = None
    weight: float
    """0 to 100: how much a reader should care."""
    dataset: str | None = None
    column: str | None = None
    task: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two runs side by side."""

    before: RunRef
    after: RunRef
    changes: tuple[Change, ...] = ()
    """The heaviest first."""
    unknown: tuple[str, ...] = ()
    """What could not be compared, a sentence each: it is not said to be the same."""
    compared: tuple[tuple[str, int], ...] = field(default=())
    """What was looked at: ``("checks", 212)``."""

    @property
    def different(self) -> bool:
        """Whether anything differs but how long it took, or could not be compared."""
        return bool(self.unknown) or any(change.area != "time" for change in self.changes)
