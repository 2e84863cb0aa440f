"""The pages that a run's end writes: its own, and those of all runs."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from nbops.history.matrix import matrix_rows
from nbops.history.series import series_of
from nbops.pages.render import pages_of, render_index, render_run
from nbops.pages.summaries import Listing
from nbops.pages.views import coming
from nbops.record.guard import cleared
from nbops.record.homes import homes_of
from nbops.record.ledger import as_stored
from nbops.record.pruning import prune_seldom
from nbops.workflow.aside import Aside
from nbops.workflow.comparing import beside
from nbops.workflow.watchpages import watch_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from nbops.history.monitors.courses import Courses
    from nbops.model import Run
    from nbops.record.guard import Check

__all__ = ["RunPages"]

_SHARED = ("*.html", "monitoring/*.html", "profiles/*.html")
"""Pages that are not of one run."""
_MADE_BEFORE = ("*.json", "tasks/*.ipynb")
"""Of the run, when its pages are made."""


class RunPages:
    """Writes the pages of a run, half of them in a process beside, and has what was written checked where that is done already.

    Args:
        run: The run.
        root: The project's root.
        reports: Its ``reports`` folder.
        keep: Runs that keep their pages.
        courses: What monitors expected.
        check: Refuses what must not be committed; None where nothing is committed.
    """

    def __init__(
        self, run: Run, root: Path, reports: Path, *, keep: int, courses: Mapping[str, Courses], check: Check | None
    ) -> None:
        self._run, self._root, self._reports, self._keep, self._courses = run, root, reports, keep, courses
        self._check = check
        self.cleared: dict[str, str] = {}
        """Files that were checked, see :func:`nbops.record.guard.cleared`."""
        self.some_are_gone = True
        """Pages of old runs may have been removed."""

    def render(self, *, log: Path, close: tuple[int, ...]) -> tuple[str, ...]:
        """Write them; the ledger is safe by now, so whatever goes wrong here is said and can be made good.

        Args:
            log: Where the other process prints, if it does.
            close: Descriptors that it must not keep.
        """
        run, reports, runs, cache = self._run, self._reports, self._reports / "runs", self._root / ".nbops/cache"
        try:
            watch = watch_of(self._root, reports, as_stored(run), courses=self._courses)
            found = beside(run, reports)
            gone = prune_seldom(reports, self._keep, cache=cache, idle=run.id not in homes_of(run))
            self.some_are_gone = bool(gone)
            series = series_of(as_stored(run), reports=reports, cache=cache)

            def render_its_own() -> dict[str, str]:
                accepted, previous = found.accepted, found.previous
                render_run(run, reports=reports, accepted=accepted, previous=previous, series=series, incidents=watch.incidents)
                return self._checked((runs / run.id).rglob("*.html"))

            with Aside(render_its_own, log=log, close=close) as own:
                with coming(f"runs/{run.id}/{name}" for name in pages_of(run, reports)):
                    render_index(
                        Listing(reports, cache),
                        latest=run,
                        reports=reports,
                        accepted=found.accepted,
                        rows=matrix_rows(reports, cache),
                        watch=watch,
                        pruned={path.relative_to(runs).parts[0] for path in gone if path.is_relative_to(runs)},
                    )
                places = (*_SHARED, *(f"runs/{run.id}/{place}" for place in _MADE_BEFORE))
                self.cleared = self._checked(path for place in places for path in reports.glob(place))
                self.cleared |= own.result()
        except Exception as error:  # noqa: BLE001 - see above
            self.some_are_gone = True
            return (
                f"the pages could not be written: {type(error).__name__}: {error}; `nbops render` makes them from the ledgers",
            )
        return ()

    def _checked(self, files: Iterable[Path]) -> dict[str, str]:
        if self._check is None:
            return {}
        began = datetime.fromisoformat(self._run.started_at.replace("Z", "+00:00")).timestamp()
        mine = [path for path in sorted(files) if path.is_file() and not path.is_symlink() and path.stat().st_mtime >= began]
        return cleared(mine, root=self._root, check=self._check)
