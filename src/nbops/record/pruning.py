"""Pages of old runs go, ledgers stay: which runs keep their pages, and taking the others away."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from nbops.errors import LedgerError
from nbops.record.figures import unused_figures
from nbops.record.homes import homes_in
from nbops.record.ledger import document_of
from nbops.record.store import ledger_path, run_folders, run_ids, write_failure

__all__ = ["prune", "prune_seldom", "runs_with_pages", "runs_without_pages"]

_PAGES = frozenset({".html", ".ipynb"})
_PRUNED_AT_ONCE = 10


def runs_without_pages(reports: Path, keep: int) -> list[str]:
    """Return the runs whose pages may go: all but the newest ``keep`` and those whose pages a kept run leads to, oldest first.

    Args:
        reports: The project's ``reports`` folder.
        keep: How many runs keep their pages; at least 1.

    Raises:
        LedgerError: ``keep`` is below 1.
    """
    if keep < 1:
        raise LedgerError(f"keep_runs: {keep}: at least 1 is needed, as the latest run is shown by the index page.")
    ids = run_ids(reports)
    old = [run_id for run_id in ids[:-keep] if any(_pages(reports / "runs" / run_id))]
    if not old:
        return []
    kept = runs_with_pages(reports, ids[-keep:])
    return [run_id for run_id in old if run_id not in kept]


def runs_with_pages(reports: Path, wanted: Sequence[str]) -> frozenset[str]:
    """Return some runs and those that the pages of these lead to, however many steps away."""
    known, found, left = frozenset(run_ids(reports)), set[str](), list(wanted)
    while left:
        run_id = left.pop()
        found.add(run_id)
        left += [home for home in _homes(reports, run_id) if home in known and home not in found]
    return frozenset(found)


def _homes(reports: Path, run_id: str) -> list[str]:
    """Return the runs whose pages a run's page leads to; a damaged ledger names none."""
    with suppress(OSError, UnicodeDecodeError, LedgerError, TypeError, AttributeError):
        return list(homes_in(document_of(ledger_path(reports, run_id).read_bytes().decode())))
    return []


def prune(reports: Path, keep: int) -> list[Path]:
    """Remove the pages (HTML, executed notebooks, figures) of old runs; ledgers stay for ever.

    Args:
        reports: The project's ``reports`` folder.
        keep: How many runs keep their pages; at least 1. So do older ones that their pages lead to.

    Returns:
        The files that were removed, sorted.

    Raises:
        LedgerError: ``keep`` is below 1, or a page could not be removed.
    """
    removed: list[Path] = []
    for run_id in runs_without_pages(reports, keep):
        folder = reports / "runs" / run_id
        try:
            removed += _remove_pages(folder)
        except OSError as error:
            raise write_failure(folder, error) from error
    for figure in unused_figures(reports) if removed else ():
        with suppress(OSError):  # taken next time
            figure.unlink()
            removed.append(figure)
    return sorted(removed)


def prune_seldom(reports: Path, keep: int) -> list[Path]:
    """Do what :func:`prune` does at the end of some runs only: up to a fifth more runs than ``keep``, but ten, keep their pages.

    Each time it rewrites what leads to the pages that go, and looks through all runs.
    """
    every = max(1, min(_PRUNED_AT_ONCE, keep // 5))
    return prune(reports, keep) if len(run_folders(reports)) % every == 0 else []


def _pages(folder: Path) -> Iterator[Path]:
    """Yield the pages of a run."""
    for where, _, files in os.walk(folder):
        yield from (Path(where, name) for name in files if Path(name).suffix in _PAGES)


def _remove_pages(folder: Path) -> list[Path]:
    removed: list[Path] = []
    for where, folders, files in os.walk(folder, topdown=False):
        for name in files:
            path = Path(where, name)
            if path.suffix in _PAGES:
                path.unlink()
                removed.append(path)
        for name in folders:
            with suppress(OSError):  # only what is empty by now
                Path(where, name).rmdir()
    return removed
