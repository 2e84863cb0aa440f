"""``monitoring.html`` and ``monitoring/<dataset>.html``: what is out of the ordinary, and series with what was expected."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nbops.pages.drawn import SMALL_POINTS, Drawn, drawn_series, is_of_lists, lists_of, numbers_of, raised_of, run_page
from nbops.pages.fresh import moment_of
from nbops.pages.incidents import OPEN_STATES, newest_first
from nbops.pages.names import page_name
from nbops.pages.series_words import (
    expect_command,
    expected_words,
    series_name,
    subject_of,
    told,
    unusual_message,
)
from nbops.pages.text import MISSING, count, plural, short
from nbops.pages.views import Shown, shown

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from nbops.model import Anomaly, Dataset, Incident, MonitorCount
    from nbops.pages.latest import Latest
    from nbops.pages.watch import BandSeries, RunWatch, Watch

__all__ = ["dataset_watch_context", "monitoring_context", "monitoring_page", "now_unusual"]

_DRAWN, _SMALL = 4, 12
"""Large drawings of a dataset, and small ones."""
_TOP, _ANOMALIES, _NOISY, _DATASETS, _MONITORS, _RUNS, _LISTS = 8, 40, 15, 400, 40, 12, 20
_AGES = frozenset({"age", "interval", "freshness"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Out:
    """Something out of the ordinary, in one run."""

    anomaly: Anomaly
    mark: str
    dataset: str
    title: str
    observed: str
    ordinary: str
    basis: str
    far: str
    command: str
    at: str
    page: str | None
    """Page of the run, below ``reports``."""
    watch_page: str | None = None


def monitoring_page(dataset: str) -> str:
    """Return where the monitoring page of a dataset is, below ``reports``."""
    return f"monitoring/{page_name(dataset)}.html"


def now_unusual(watch: Watch, dataset: str) -> tuple[tuple[RunWatch, Anomaly], ...]:
    """Return what is out of the ordinary of a dataset as it is now: as last measured, and how old it is in the newest run."""
    measured = watch.last_of(dataset)
    newest = watch.runs[-1].run if watch.runs else ""
    return tuple(
        (run, one)
        for run, one in watch.raised(f"dataset:{dataset}")
        if (run.run == newest if one.monitor == "freshness" else measured is None or run.run == measured.run)
    )


def _out(run: RunWatch, one: Anomaly, *, reports: Path) -> _Out:
    kind, name = subject_of(one.subject)
    return _Out(
        anomaly=one,
        mark="expected" if one.accepted is not None else "failed" if one.severity == "error" else "unusual",
        dataset=name,
        title=short(unusual_message(one), 240),
        observed=told(one.metric, one.observed),
        ordinary=expected_words(one.metric, one.expected),
        basis=short(one.expected.basis, 160) if one.expected is not None else "",
        far=f"{one.score:.3g}" if math.isfinite(one.score) else MISSING,
        command=expect_command(one),
        at=run.at,
        page=run_page(run.run, reports),
        watch_page=monitoring_page(name) if kind == "dataset" else None,
    )


# --- one dataset ---


def _series_state(series: BandSeries, *, out: bool, known: bool) -> str:
    return "unusual" if out else "learning" if not known and series.expected is not None else ""


def dataset_watch_context(
    item: Dataset, latest: Latest, watch: Watch, *, series: Sequence[BandSeries], reports: Path
) -> dict[str, Any]:
    """Return what ``watch.html.j2`` shows of a dataset.

    Args:
        item: The dataset.
        latest: The newest run, completed, and where its pages are.
        watch: Monitoring as of that run.
        series: The dataset's series, those to draw first.
        reports: The project's ``reports`` folder.
    """
    raised = raised_of(watch, f"dataset:{item.name}")
    now = [_out(run, one, reports=reports) for run, one in now_unusual(watch, item.name)]
    before = [_out(run, one, reports=reports) for run, one in watch.raised(f"dataset:{item.name}")]
    lists = [one for one in series if is_of_lists(one)]
    series = [one for one in series if not is_of_lists(one)]
    drawn = [drawn_series(one, raised, number) for number, one in enumerate(series)]
    large = [number for number, one in enumerate(drawn) if one.chart is not None][:_DRAWN]
    rest = [drawn_series(one, raised, at, most=SMALL_POINTS) for at, one in enumerate(series) if at not in large]
    measured = watch.last_of(item.name)
    out = [one for one in now if one.mark != "expected"]
    state = _state(out, drawn)
    return {
        "root": "../",
        "run": latest.run,
        "item": item,
        "mark_of": state,
        "rhythm": next((one.rhythm for one in drawn if one.rhythm), ""),
        "sentence": _sentence(out, [*drawn, *(drawn_series(one, raised, 0) for one in lists)]),
        "measured": measured,
        "measured_page": run_page(measured.run, reports) if measured else None,
        "page": latest.datasets.get(item.name),
        "now": shown(now, _TOP),
        "large": [drawn[number] for number in large],
        "numbers": numbers_of([series[number] for number in large], raised, reports),
        "small_rows": shown(rest, _SMALL),
        "lists": lists_of(lists, raised, reports, first=len(series)) if lists else None,
        "before": shown(before, _ANOMALIES),
        "runs": len(watch.runs),
        "incidents": _incidents_of(watch.incidents, f"dataset:{item.name}"),
    }


def _state(out: Sequence[_Out], drawn: Sequence[Drawn]) -> str:
    if out:
        return "failed" if any(one.mark == "failed" for one in out) else "unusual"
    return "passed" if any(one.ordinary for one in drawn) else "learning"


def _sentence(out: Sequence[_Out], drawn: Sequence[Drawn]) -> str:
    if out:
        return out[0].title.rstrip(".") + (f"; and {plural(len(out) - 1, 'more finding')}" if len(out) > 1 else "")
    runs = max((one.runs for one in drawn), default=0)
    if not any(one.ordinary for one in drawn):
        return f"{plural(runs, 'run')} so far: too few to know what is ordinary"
    return "as expected"


def _incidents_of(incidents: Sequence[Incident], subject: str) -> Shown:
    mine = [one for one in incidents if subject in (one.root, *one.subjects)]
    return shown([("", one) for one in newest_first(mine)], _TOP)


# --- all of them ---


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """A dataset on the overview."""

    dataset: Dataset
    page: str
    mark: str
    state: str
    rhythm: str
    rows: Drawn | None
    fresh: Drawn | None
    lists: tuple[Drawn, ...]
    """What is measured of recommendations."""
    updated: str
    out: int
    seen: int
    incident: Incident | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Noise:
    """A series that is often out of the ordinary."""

    dataset: str
    series: str
    column: str
    runs: int
    of: int
    accepted: int
    last: _Out


def monitoring_context(latest: Latest, watch: Watch, *, reports: Path) -> dict[str, Any]:
    """Return what ``monitoring.html.j2`` shows.

    Args:
        latest: The newest run, completed, and where its pages are.
        watch: Monitoring as of that run.
        reports: The project's ``reports`` folder.
    """
    rows = [_row(item, latest, watch) for item in latest.run.datasets[:_DATASETS]]
    now = [
        _out(run, one, reports=reports)
        for item in latest.run.datasets
        for run, one in now_unusual(watch, item.name)
        if one.accepted is None
    ]
    now.sort(key=lambda one: (one.mark != "failed", -one.anomaly.score, one.dataset, one.title))
    newest = watch.runs[-1] if watch.runs else None
    tasks = [_out(newest, one, reports=reports) for one in newest.anomalies if _is_task(one)] if newest is not None else []
    every = [*now, *tasks]
    mark = "failed" if any(one.mark == "failed" for one in every) else "unusual" if every else _calm(rows)
    judged = next((run.monitors for run in reversed(watch.runs) if any(one.judged for one in run.monitors)), ())
    return {
        "root": "",
        "run": latest.run,
        "watch": watch,
        "mark_of": mark,
        "title": _title(every, rows, mark),
        "tally": _tally(rows, judged or (newest.monitors if newest else ()), watch),
        "now": shown(every, _TOP),
        "rows": shown(sorted(rows, key=_worst_first), _DATASETS),
        "left_out": max(0, len(latest.run.datasets) - _DATASETS),
        "fresh": shown(sorted([row for row in rows if row.fresh or row.updated], key=_fresh_first), _DATASETS),
        "lists": shown([row for row in sorted(rows, key=_worst_first) if row.lists], _LISTS),
        "noisy": shown(_noisy(watch, reports), _NOISY),
        "runs": shown(_eventful(watch, reports), _RUNS),
        "seen": len(watch.runs),
        "monitors": shown(judged or (newest.monitors if newest else ()), _MONITORS),
        "open": shown([("", one) for one in newest_first(watch.incidents) if one.state in OPEN_STATES], _TOP),
    }


def _is_task(one: Anomaly) -> bool:
    return one.accepted is None and subject_of(one.subject)[0] != "dataset"


def _calm(rows: Sequence[_Row]) -> str:
    return "passed" if any(row.mark == "passed" for row in rows) else "learning" if rows else "skipped"


def _title(every: Sequence[_Out], rows: Sequence[_Row], mark: str) -> str:
    if every:
        return f"{short(every[0].dataset, 60)}: {short(every[0].title, 120)}"
    if mark == "passed":
        return "Nothing is out of the ordinary"
    return "Too few runs yet to know what is ordinary" if rows else "Nothing is monitored yet"


def _tally(rows: Sequence[_Row], monitors: Sequence[MonitorCount], watch: Watch) -> list[str]:
    counts = Counter[str]()
    for one in monitors:
        counts.update(judged=one.judged, learning=one.learning, errored=one.errored)
    out = sum(row.mark in {"unusual", "failed"} for row in rows)
    opened = sum(one.state in OPEN_STATES for one in watch.incidents)
    told_of = [f"{count(out)} of {plural(len(rows), 'dataset')} out of the ordinary", f"{count(counts['judged'])} series judged"]
    told_of += [f"{count(counts['learning'])} still learning"] if counts["learning"] else []
    told_of += [f"{count(counts['errored'])} could not be judged"] if counts["errored"] else []
    return told_of + ([f"{plural(opened, 'incident')} open"] if opened else [])


def _row(item: Dataset, latest: Latest, watch: Watch) -> _Row:
    subject = f"dataset:{item.name}"
    raised = raised_of(watch, subject)
    overview = watch.bands(item.name, True)  # noqa: FBT003
    short_series = {one.metric: drawn_series(one, raised, 0, most=SMALL_POINTS) for one in overview}
    out = [one for _, one in now_unusual(watch, item.name) if one.accepted is None]
    rows, fresh = short_series.get("rowCount"), short_series.get("age") or short_series.get("interval")
    learned = any(one.ordinary for one in short_series.values())
    mark = "failed" if any(one.severity == "error" for one in out) else "unusual" if out else "passed" if learned else "learning"
    opened = [one for one in newest_first(watch.incidents) if one.state in OPEN_STATES]
    runs = max((one.runs for one in short_series.values()), default=0)
    calm = "as expected" if learned else f"learning, {plural(runs, 'run')} so far"
    return _Row(
        dataset=item,
        page=monitoring_page(item.name),
        mark=mark,
        state=plural(len(out), "finding") if out else calm,
        rows=rows,
        fresh=fresh,
        rhythm=next((one.rhythm for one in short_series.values() if one.rhythm), ""),
        lists=tuple(short_series[one.metric] for one in overview if is_of_lists(one))[:_TOP],
        updated=moment_of(item.from_run or latest.run.id),
        out=len({run.run for run, one in watch.raised(subject) if one.accepted is None}),
        seen=sum(item.name in run.datasets for run in watch.runs),
        incident=next((one for one in opened if subject in (one.root, *one.subjects)), None),
    )


def _worst_first(row: _Row) -> tuple[int, int, str]:
    return {"failed": 0, "unusual": 1}.get(row.mark, 2), -row.out, row.dataset.name


def _fresh_first(row: _Row) -> tuple[bool, str, str]:
    return row.fresh is None or row.fresh.state != "unusual", row.updated, row.dataset.name


def _noisy(watch: Watch, reports: Path) -> list[_Noise]:
    """Return series that were out of the ordinary in at least two runs, the most often first."""
    found: dict[tuple[str, str | None, str], list[tuple[RunWatch, Anomaly]]] = {}
    for run in watch.runs:
        for one in run.anomalies:
            found.setdefault((one.subject, one.column, one.metric), []).append((run, one))
    noises = []
    for (subject, column, metric), entries in found.items():
        runs = {run.run for run, one in entries if one.accepted is None}
        if len(runs) < 2:  # noqa: PLR2004 - once is no noise
            continue
        kind, name = subject_of(subject)
        seen = sum(name in run.datasets for run in watch.runs) if kind == "dataset" else len(watch.runs)
        noises.append(
            _Noise(
                dataset=name,
                series=series_name(metric),
                column=column or "",
                runs=len(runs),
                of=max(seen, len(runs)),
                accepted=len({run.run for run, one in entries if one.accepted is not None}),
                last=_out(*max(entries, key=lambda entry: (entry[1].accepted is None, entry[0].run)), reports=reports),
            )
        )
    return sorted(noises, key=lambda one: (-one.runs, one.dataset, one.column, one.series))


def _eventful(watch: Watch, reports: Path) -> list[dict[str, Any]]:
    """Return runs in which something was out of the ordinary, the newest first."""
    found = []
    for run in reversed(watch.runs):
        out = [one for one in run.anomalies if one.accepted is None]
        if run.anomalies:
            names = Counter(subject_of(one.subject)[1] for one in out)
            found.append(
                {
                    "at": run.at,
                    "page": run_page(run.run, reports),
                    "out": len(out),
                    "accepted": len(run.anomalies) - len(out),
                    "datasets": shown([name for name, _ in sorted(names.items(), key=lambda pair: (-pair[1], pair[0]))], 6),
                }
            )
    return found
