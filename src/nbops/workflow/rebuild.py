"""Pages made again from ledgers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nbops.errors import LedgerError
from nbops.history.matrix import matrix_rows
from nbops.history.series import series_of
from nbops.pages.render import render_index, render_run
from nbops.pages.summaries import Listing
from nbops.record.committed import forget_committed
from nbops.record.pruning import forget_pruned, runs_with_pages
from nbops.record.store import latest_run, loader, read_run, run_ids
from nbops.workflow.comparing import beside
from nbops.workflow.watchpages import watch_of

if TYPE_CHECKING:
    from pathlib import Path

    from nbops.contract.config import Config

__all__ = ["Rebuilt", "rebuild_pages"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """Which pages were made."""

    runs: tuple[str, ...]
    pages: int
    unreadable: tuple[str, ...]
    """Why a ledger was passed over, a sentence each."""


def rebuild_pages(root: Path, config: Config, *, run_id: str | None = None, older: bool = True) -> Rebuilt:
    """Make the pages of runs, and the index, from their ledgers.

    Args:
        root: The project's root.
        config: The project's settings.
        run_id: The only run to render; by default the newest ``keep_runs``, as older ones keep no pages. With each come those
            that its pages lead to.
        older: Also look at all pages that list older runs, and have the next commit look at all of the reports.

    Returns:
        What was made. A damaged ledger does not keep the pages of the others from being made.

    Raises:
        LedgerError: The ledger of ``run_id`` cannot be read.
        OSError: A page cannot be written.
    """
    reports = root / config.reports
    if older:
        forget_pruned(root / ".nbops/cache")
        forget_committed(root / ".nbops/cache")
    done: list[str] = []
    problems: list[str] = []
    pages = 0
    load = loader(reports)
    latest = latest_run(reports)
    watch = watch_of(root, reports, latest)
    for wanted in sorted(runs_with_pages(reports, run_ids(reports)[-config.keep_runs :] if run_id is None else [run_id])):
        try:
            run = read_run(reports, wanted, load=load)
        except LedgerError as error:
            if wanted == run_id:
                raise
            problems.append(str(error))
            continue
        found = beside(run, reports)
        made = render_run(
            run,
            reports=reports,
            accepted=found.accepted,
            previous=found.previous,
            series=series_of(run, reports=reports, cache=root / ".nbops/cache"),
            incidents=watch.incidents,
        )
        pages += len(made) - 1  # the stylesheet is no page
        done.append(wanted)
    listed = Listing(reports, root / ".nbops/cache")
    if older:
        listed.every()
    made = render_index(
        listed,
        latest=latest,
        reports=reports,
        accepted=beside(latest, reports).accepted if latest is not None else None,
        rows=matrix_rows(reports, root / ".nbops/cache"),
        watch=watch,
        whole=older,
    )
    pages += len(made) - 1
    return Rebuilt(runs=tuple(done), pages=pages, unreadable=tuple(problems))
