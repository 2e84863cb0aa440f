"""What may be thrown away: pages of old runs, and scratch that no build works with any more.

Never a ledger, a published product, quarantined rows, or what a killed build had decided to publish: the next build completes
that.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nbops.record.committed import forget_committed
from nbops.record.pruning import prune, runs_without_pages
from nbops.record.store import ledger_path, run_ids

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nbops.contract.config import Config

__all__ = ["Waste", "find_waste", "remove_waste"]

_PAGES = (".html", ".ipynb")  # what `prune` takes
_JOURNAL = "publish.json"  # of workflow.publish: stands in a staging folder once publication was decided
_WHY = {
    "failed": "failed attempts of earlier runs",
    "work": "scratch of builds that ended",
    "staging": "staged files that were never published",
    "cache": "caches, made again when needed",
    "previous": "earlier versions of datasets, kept to compare rows",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Waste:
    """Something that may be thrown away."""

    path: Path
    """A file or a folder."""
    bytes: int
    why: str


def find_waste(root: Path, config: Config) -> list[Waste]:
    """Return what :func:`remove_waste` would remove, without writing anything.

    Args:
        root: The project's root.
        config: The project's settings.

    Raises:
        OSError: A folder cannot be read.
    """
    reports = root / config.reports
    found: list[Waste] = []
    for run_id in runs_without_pages(reports, config.keep_runs):
        folder = ledger_path(reports, run_id).parent
        pages = [path for path in _files(folder) if path.suffix in _PAGES]
        found += [Waste(path=path, bytes=path.lstat().st_size, why="pages of old runs") for path in sorted(pages)]
    return [*found, *_scratch(root, latest=(run_ids(reports) or [""])[-1])]


def remove_waste(root: Path, config: Config) -> list[Waste]:
    """Remove pages beyond ``keep_runs`` and stale scratch. The caller holds the project's lock.

    What failed in the latest run stays for inspection.

    Args:
        root: The project's root.
        config: The project's settings.

    Returns:
        What was removed.

    Raises:
        LedgerError: A page could not be removed.
        OSError: Scratch could not be removed.
    """
    waste = find_waste(root, config)
    forget_committed(root / ".nbops/cache")
    removed = set(prune(root / config.reports, config.keep_runs))
    done = [item for item in waste if item.path in removed]
    for item in waste:
        if item.path in removed or root / config.reports in item.path.parents:
            continue
        if item.path.is_dir():
            shutil.rmtree(item.path)
        else:
            item.path.unlink(missing_ok=True)
        done.append(item)
    return done


def _scratch(root: Path, *, latest: str) -> Iterator[Waste]:
    for kind, why in _WHY.items():
        folder = root / ".nbops" / kind
        if folder.is_symlink() or not folder.is_dir():
            continue
        for child in sorted(folder.iterdir()):
            keep = (kind == "failed" and child.name == latest) or (kind == "staging" and any(child.glob(f"*/{_JOURNAL}")))
            if not keep and not child.is_symlink():
                yield Waste(path=child, bytes=sum(path.lstat().st_size for path in _files(child)), why=why)


def _files(path: Path) -> Iterator[Path]:
    """Yield a file, or all files below a folder; links are not followed."""
    if not path.is_dir():
        yield path
        return
    for where, _, names in os.walk(path):
        yield from (type(path)(where, name) for name in names)
