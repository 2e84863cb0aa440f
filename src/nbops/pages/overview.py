"""The pages of the pipeline as it is now: catalog, lineage, monitoring, incidents. Nothing in them changes when nothing did."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbops.pages.catalog import catalog_context
from nbops.pages.files import put
from nbops.pages.latest import latest_of
from nbops.pages.lineage import lineage_context
from nbops.pages.templating import page
from nbops.pages.watch import Watch
from nbops.pages.watching import render_watch

if TYPE_CHECKING:
    from pathlib import Path

    from nbops.model import Run

__all__ = ["render_overview"]


def render_overview(latest: Run | None, *, reports: Path, watch: Watch | None = None, whole: bool = True) -> list[Path]:
    """Write the catalog and the lineage of the latest run, monitoring as of it, and incidents.

    What that run did not look at (held tasks, tasks that were not asked for) is shown as it last was.

    Args:
        latest: The newest run, as stored; None writes pages that say how to make the first one.
        reports: The project's ``reports`` folder.
        watch: What monitors found in the newest runs, and incidents.
        whole: As for :func:`~nbops.pages.watching.render_watch`.

    Returns:
        The pages, also those whose bytes did not change.

    Raises:
        OSError: A page could not be written.
    """
    state = latest_of(latest, reports=reports) if latest is not None else None
    paths = []
    for name, make in (("catalog", catalog_context), ("lineage", lineage_context)):
        context = make(state) if state is not None else {"root": "", "run": None}
        html = page(f"{name}.html.j2", {**context, "here_is": f"{name}.html"})
        paths.append(put(reports / f"{name}.html", html))
    return paths + render_watch(state, watch or Watch(), reports=reports, whole=whole)
