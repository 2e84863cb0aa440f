"""Writes the pages of monitoring and incidents, where they may differ from what is there.

A dataset has one monitoring page for all runs, not one a run: it is written again when the dataset was measured anew, so that
what a run adds to git does not grow with the length of its charts, and making the pages of old runs again judges nothing again.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from typing import TYPE_CHECKING

from nbops.pages.files import put
from nbops.pages.incidents import OPEN_STATES, incident_context, incident_page, incidents_context, newest_first
from nbops.pages.monitoring import dataset_watch_context, monitoring_context, monitoring_page
from nbops.pages.templating import page, template_hash
from nbops.record.codec import encode

if TYPE_CHECKING:
    from pathlib import Path

    from nbops.model import Dataset
    from nbops.pages.latest import Latest
    from nbops.pages.watch import RunWatch, Watch

__all__ = ["render_incidents", "render_watch"]

_RUN = re.compile(r'href="(?:\.\./)?(runs/[^"#/]+/[^"#]+\.html)')
_DATASETS, _INCIDENTS, _NEWEST = 400, 200, 30
"""Datasets with a page; incidents whose pages are looked at, open and newest first: when pages of runs went, else."""


def render_watch(latest: Latest | None, watch: Watch, *, reports: Path, whole: bool = True) -> list[Path]:
    """Write ``monitoring.html``, the monitoring page of each dataset that needs a new one, and the pages of incidents.

    Args:
        latest: The newest run, completed; None writes pages that say how to make the first one.
        watch: Monitoring as of that run.
        reports: The project's ``reports`` folder.
        whole: Look at more pages of incidents: pages of runs that they lead to may be gone.

    Returns:
        The pages, also those whose bytes did not change.

    Raises:
        OSError: A page could not be written.
    """
    paths = [_overview(latest, watch, reports=reports)]
    if latest is not None:
        paths += [_dataset(item, latest, watch, reports=reports) for item in latest.run.datasets[:_DATASETS]]
    return paths + render_incidents(latest, watch, reports=reports, whole=whole)


def _overview(latest: Latest | None, watch: Watch, *, reports: Path) -> Path:
    """Write the overview when anything on it may differ: a build with nothing to do opens no history for it."""
    path = reports / "monitoring.html"
    here = {"here_is": path.name}
    if latest is None:
        return put(path, page("monitoring.html.j2", {"root": "", "run": None, **here}))
    key = _hash([_key(item, latest, watch) for item in latest.run.datasets], [_told(run) for run in watch.runs], _titles(watch))
    if _is_as_before(path, key, reports):
        return path
    return put(path, page("monitoring.html.j2", {**monitoring_context(latest, watch, reports=reports), **here, "key": key}))


def _dataset(item: Dataset, latest: Latest, watch: Watch, *, reports: Path) -> Path:
    path = reports / monitoring_page(item.name)
    key = _key(item, latest, watch)
    if _is_as_before(path, key, reports):
        return path
    series = watch.bands(item.name, False)  # noqa: FBT003
    context = dataset_watch_context(item, latest, watch, series=series, reports=reports)
    return put(path, page("watch.html.j2", {**context, "key": key}))


def _key(item: Dataset, latest: Latest, watch: Watch) -> str:
    """Return a hash of what tells one state of a dataset's monitoring from another, without judging anything."""
    subject = f"dataset:{item.name}"
    measured = watch.last_of(item.name)
    raised = [(run.run, encode(one)) for run, one in watch.raised(subject)]
    incidents = _titles(watch, subject)
    home = (item.name, item.owner, item.rows, item.from_run, latest.datasets.get(item.name))
    return _hash(latest.run.pipeline, home, measured.run if measured else "", raised, incidents)


def _hash(*made_of: object) -> str:
    text = json.dumps([template_hash(), *made_of], sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:32]


def _titles(watch: Watch, subject: str | None = None) -> list[tuple[str | None, ...]]:
    there = [one for one in watch.incidents if subject is None or subject in (one.root, *one.subjects)]
    return [(one.id, one.state, one.severity, one.title, one.owner) for one in there]


def _told(run: RunWatch) -> list[object]:
    return [run.run, run.at, sorted(run.datasets), [encode(one) for one in (*run.anomalies, *run.monitors)]]


def _is_as_before(path: Path, key: str, reports: Path) -> bool:
    """Tell whether a page is there that was made of the same, and leads to nothing that is gone since."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    return f'content="nbops {key}"' in text and all(
        os.path.isfile(f"{reports}{os.sep}{link}")  # noqa: PTH113 - as text
        for link in set(_RUN.findall(text))
    )


def render_incidents(latest: Latest | None, watch: Watch, *, reports: Path, whole: bool = True) -> list[Path]:
    """Write ``incidents.html`` and a page for each incident; arguments and errors as for :func:`render_watch`."""
    context = incidents_context(watch.incidents, latest, reports=reports)
    paths = [put(reports / "incidents.html", page("incidents.html.j2", {**context, "here_is": "incidents.html"}))]
    looked_at = _INCIDENTS if whole else max(_NEWEST, sum(one.state in OPEN_STATES for one in watch.incidents))
    folder = reports / "incidents"
    there = _names(folder)
    for position, one in enumerate(newest_first(watch.incidents)):
        name = incident_page(one.id)
        path, known = folder / name, name in there
        if not known or position < looked_at:
            key = _hash(encode(one), latest.run.pipeline if latest is not None else "")
            if not known or not _is_as_before(path, key, reports):
                context = incident_context(
                    one, latest, reports=reports
                )  # leads to newer pages of data only when it changes itself
                put(path, page("incident.html.j2", {**context, "key": key}))
        paths.append(path)
    return paths


def _names(folder: Path) -> frozenset[str]:
    try:
        return frozenset(os.listdir(folder))  # noqa: PTH208 - as text
    except OSError:
        return frozenset()
