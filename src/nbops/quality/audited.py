"""What an audit found, as a record; whoever only passes it on loads no DuckDB."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbops.model import CheckResult, Dataset, Quarantine

__all__ = ["Audit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What was found."""

    dataset: Dataset
    results: tuple[CheckResult, ...]
    quarantine: Quarantine | None
