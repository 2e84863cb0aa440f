"""Audits that are made while a notebook's kernel ends, which takes as long as half an audit of a short dataset.

A kernel may still write at its end: it flushes files that nobody closed, and runs what the notebook registered with ``atexit``.
So such an audit stands only where all that it looked at is afterwards what it was before, byte for byte; else it is made anew.
"""

from __future__ import annotations

import itertools
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from nbops.quality.hashing import file_hash
from nbops.workflow.publish import flush_meanwhile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nbops.quality.audited import Audit
    from nbops.workflow.datasets import DatasetPlan

__all__ = ["AuditAhead"]

_MOST_BYTES = 4_194_304
"""Of all datasets of a task: they are read twice more."""
_Mark = tuple[int, int, int, int, int, str]


class AuditAhead:
    """Audits of what one task made, made before it is known that nothing is written any more.

    Args:
        plans: Its datasets. One that rows may be taken out of waits, for nothing is written before the kernel has ended, and so
            do those after it, which may refer to it.
        staged: Product key to the path where it is looked at.
        audits: Makes the audits of some of them.
    """

    def __init__(
        self,
        plans: tuple[DatasetPlan, ...],
        *,
        staged: Mapping[str, str],
        audits: Callable[[tuple[DatasetPlan, ...]], tuple[Audit, ...]],
    ) -> None:
        self._plans = tuple(itertools.takewhile(lambda plan: not _takes_rows_out(plan), plans))
        self._paths = tuple(Path(staged[plan.key]) for plan in plans)  # a rule of one may look at the others
        self._audits = audits
        self._made: tuple[tuple[_Mark, ...], tuple[Audit, ...]] | None = None

    def make(self) -> None:
        """Make them, where the data is short; what goes wrong is looked at again when all is written."""
        with suppress(Exception):
            before = self._marks() if self._plans else None
            if before is not None:
                flush_meanwhile(self._paths)
                self._made = before, self._audits(self._plans)

    def standing(self) -> dict[str, Audit]:
        """Return those that stand, by dataset: all could be measured, and nothing was written since before they were made."""
        made, self._made = self._made, None
        if made is None or self._marks() != made[0]:
            return {}
        return {audit.dataset.name: audit for audit in made[1] if _is_whole(audit)}

    def _marks(self) -> tuple[_Mark, ...] | None:
        """Return what tells of each file whether it was written to; None where one is missing, a folder or long."""
        with suppress(OSError):
            stats = [path.stat() for path in self._paths if path.is_file()]
            if len(stats) < len(self._paths) or sum(stat.st_size for stat in stats) > _MOST_BYTES:
                return None
            return tuple(
                (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, file_hash(path))
                for stat, path in zip(stats, self._paths, strict=True)
            )
        return None


def _takes_rows_out(plan: DatasetPlan) -> bool:
    return plan.contract is not None and any(check.quarantine for check in plan.contract.checks)


def _is_whole(audit: Audit) -> bool:
    return audit.dataset.error is None and not any(result.verdict == "errored" for result in audit.results)
