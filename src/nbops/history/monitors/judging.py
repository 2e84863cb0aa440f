"""All monitors over one run. Nothing here raises for what is wrong with data or history: a monitor that fails is counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from nbops.contract.config_monitoring import Monitoring
from nbops.history.expected import accepted_by, holds, taught
from nbops.history.index_facts import instant_of
from nbops.history.monitors.freshness import judge_arrival, judge_rhythm
from nbops.history.monitors.recommender import are_lists, judge_unchanged, stale_lists, unmeasured_lists, without_echo
from nbops.history.monitors.rhythm import looks_of
from nbops.history.monitors.rhythm_words import rhythm_with_last
from nbops.history.monitors.schema import judge_schema
from nbops.model import Anomaly, Expected, MonitorCount

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nbops.history.expected import Correction
    from nbops.history.index import DatasetEntry, History, SeriesPoint
    from nbops.history.monitors.courses import Courses
    from nbops.history.monitors.frame import Frame, Key
    from nbops.history.monitors.numbers import Judged, Judging
    from nbops.history.monitors.rhythm import Looks
    from nbops.history.side_by_side import Table
    from nbops.model import Column, Dataset, Run

__all__ = ["Judgement", "bands", "courses_of", "judge"]

_RUNS = 400
_SCHEMA_RUNS = 36
_POINTS, _LEAST_RUNS = 400_000, 30
_SCHEMA_SPREADS = 1
"""Only with the last run that told columns are distributions compared."""
_WIDE, _SCHEMA_RUNS_WIDE = 500, 10
"""Of wide data fewer runs are looked at, so that judging takes seconds."""
_ROWS: Key = (None, "rowCount")
_MOST = 25
"""Anomalies of one subject that are kept, the worst."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What the monitors found in one run."""

    anomalies: tuple[Anomaly, ...] = ()
    """The worst first; those that a correction covers have ``accepted`` set and raise nothing."""
    counts: tuple[MonitorCount, ...] = ()
    errors: tuple[str, ...] = ()
    """What went wrong in monitors, a sentence each."""
    courses: Mapping[str, Courses] = field(default_factory=dict)
    """Datasets to the series that were judged, where no run for a later date did: as :func:`courses_of` gives them."""

    @property
    def raised(self) -> tuple[Anomaly, ...]:
        """Anomalies that nobody said to expect."""
        return tuple(item for item in self.anomalies if item.accepted is None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """The series of a subject, about to be judged."""

    subject: str
    sensitivity: str
    table: Table
    current: Mapping[Key, SeriesPoint]
    work: Judging


@dataclass(slots=True)
class _Found:
    anomalies: list[Anomaly] = field(default_factory=list)
    judged: Counter[str] = field(default_factory=Counter)
    learning: Counter[str] = field(default_factory=Counter)
    errored: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)

    def fail(self, monitor: str, subject: str, error: Exception) -> None:
        self.errored[monitor] += 1
        self.errors.append(f"The monitor {monitor} of {subject} failed: {type(error).__name__}: {str(error)[:200]}")


def judge(run: Run, history: History, *, settings: Monitoring | None = None, expected: Sequence[Correction] = ()) -> Judgement:
    """Judge a run by the runs before it.

    Args:
        run: As assembled; it was added to the history.
        history: Of the runs before it, and of it.
        settings: ``[tool.nbops.monitoring]``.
        expected: What somebody said is to be expected.
    """
    return _Watch(run, history, settings or Monitoring(), tuple(expected)).judge()


def _order(item: Anomaly) -> tuple[Any, ...]:
    return (item.accepted is not None, -item.score, item.subject, item.monitor, item.column or "", item.metric)


class _Watch:
    """One run being judged."""

    def __init__(self, run: Run, history: History, settings: Monitoring, expected: tuple[Correction, ...]) -> None:
        self.run, self.history, self.settings, self.expected = run, history, settings, expected
        self.dated = instant_of(run.logical_date) is not None
        self.found = _Found()
        self.current: Mapping[str, Mapping[Key, SeriesPoint]] = {}
        self.asked: list[_Asked] = []
        self.courses: dict[str, Courses] = {}
        self.rhythms: dict[str, str] = {}

    def judge(self) -> Judgement:
        """Run all monitors."""
        try:
            self.current = self.history.current(self.run)
        except Exception as error:  # noqa: BLE001 - a monitor never stops a run
            self.found.fail("history", f"run {self.run.id}", error)
        for dataset in self.run.datasets:
            sensitivity = self.settings.sensitivity_of(dataset.name)
            if sensitivity is not None and dataset.error is None:
                self._dataset(dataset, sensitivity)
        for task in self.run.tasks:
            if task.status == "succeeded" and self.settings.enabled:
                self._ask(f"task:{task.name}", frozenset(), self.settings.sensitivity)
        if self.asked:
            self._answer()
        return self._judgement()

    def _judgement(self) -> Judgement:
        found, run = self.found, self.run
        anomalies = [
            replace(
                item,
                severity=self.settings.severity,
                accepted=accepted_by(self.expected, item, run=run.id, day=run.logical_date),
            )
            for item in found.anomalies
        ]
        counts = [
            MonitorCount(monitor=name, judged=found.judged[name], learning=found.learning[name], errored=found.errored[name])
            for name in sorted({*found.judged, *found.learning, *found.errored})
        ]
        return Judgement(
            anomalies=tuple(sorted(anomalies, key=_order)),
            counts=tuple(counts),
            errors=tuple(found.errors),
            courses=self.courses,
        )

    def _dataset(self, dataset: Dataset, sensitivity: str) -> None:
        subject, found = f"dataset:{dataset.name}", self.found
        new = dataset.from_run is None and dataset.changed
        earlier: Sequence[DatasetEntry] = ()
        try:
            few = len(dataset.columns) > _WIDE
            if new or self.dated or are_lists(dataset):
                runs = _SCHEMA_RUNS_WIDE if few else _SCHEMA_RUNS
                earlier = self.history.datasets(dataset.name, before=self.run.id, limit=runs, spreads=_SCHEMA_SPREADS)
            if new:
                found.anomalies += judge_schema(dataset, earlier)
                (found.judged if earlier else found.learning)["schema"] += 1
        except Exception as error:  # noqa: BLE001 - a monitor never stops a run
            found.fail("schema", subject, error)
        try:
            anomalies, learning = self._arrival(dataset, earlier)
            found.anomalies += anomalies
            (found.learning if learning else found.judged)["freshness"] += 1
        except Exception as error:  # noqa: BLE001 - a monitor never stops a run
            found.fail("freshness", subject, error)
        self._lists(dataset, earlier)
        if new:
            self._ask(subject, timed_columns(dataset.columns), sensitivity)

    def _arrival(self, dataset: Dataset, earlier: Sequence[DatasetEntry]) -> tuple[tuple[Anomaly, ...], bool]:
        run, settings = self.run, self.settings
        if self.dated:
            return judge_arrival(run, dataset, earlier, settings=settings)
        looks = looks_of(self.history.arrivals(dataset.name, run.id))
        self.rhythms[dataset.name] = _rhythm(looks, run.id)
        taught_not = taught(self.expected, subject=f"dataset:{dataset.name}", column=None, metric="interval", monitor="freshness")

        def exempt(at: float) -> bool:
            day = _day(at)
            return day in settings.holidays or any(holds(item, run="", day=day) for item in taught_not if item.until is not None)

        return judge_rhythm(run, dataset, looks, settings=settings, exempt=exempt)

    def _lists(self, dataset: Dataset, earlier: Sequence[DatasetEntry]) -> None:
        """Judge what is special of recommendations; a measurement that they lack is counted as what it is."""
        self.found.anomalies += judge_unchanged(self.run, dataset, earlier)
        for monitor, error in unmeasured_lists(dataset).items() if dataset.from_run is None else ():
            self.found.errored[monitor] += 1
            self.found.errors.append(f"{dataset.name}: {monitor} of recommendations could not be measured: {error}")

    def _ask(self, subject: str, timed: frozenset[str], sensitivity: str) -> None:
        current = self.current.get(subject)
        if not current:
            return
        try:
            table = self.history.table(subject, self.run.id, limit=runs_for(len(current)))
            work = _begun(subject, table, current, timed=timed, sensitivity=sensitivity, expected=self.expected)
        except Exception as error:  # noqa: BLE001 - a monitor never stops a run
            self.found.fail("numbers", subject, error)
        else:
            self.asked.append(_Asked(subject=subject, sensitivity=sensitivity, table=table, current=current, work=work))

    def _answer(self) -> None:
        """Judge all series at once, which takes hardly longer than one subject's; where that fails, each subject alone."""
        from nbops.history.monitors.numbers import judge_frames  # noqa: PLC0415 - numpy, only when something is judged

        answers: Sequence[Judged | Exception]
        try:
            answers = judge_frames([one.work for one in self.asked])
        except Exception:  # noqa: BLE001 - a monitor never stops a run
            answers = [self._alone(one) for one in self.asked]
        for one, answer in zip(self.asked, answers, strict=True):
            if isinstance(answer, Exception):
                self.found.fail("numbers", one.subject, answer)
            else:
                self._take_in(one, answer)

    def _take_in(self, one: _Asked, judged: Judged) -> None:
        try:
            self._tell(one, judged)
            self._hand_on(one, judged)
        except Exception as error:  # noqa: BLE001 - a monitor never stops a run
            self.found.fail("numbers", one.subject, error)

    def _alone(self, one: _Asked) -> Judged | Exception:
        from nbops.history.monitors.numbers import judge_frames  # noqa: PLC0415

        try:
            columns = next((item.columns for item in self.run.datasets if one.subject == f"dataset:{item.name}"), ())
            work = _begun(
                one.subject,
                one.table,
                one.current,
                timed=timed_columns(columns),
                sensitivity=one.sensitivity,
                expected=self.expected,
            )
            return judge_frames([work])[0]
        except Exception as error:  # noqa: BLE001 - a monitor never stops a run
            return error

    def _tell(self, one: _Asked, judged: Judged) -> None:
        from nbops.history.monitors.chance import nearness_of  # noqa: PLC0415 - numpy, only when something is judged
        from nbops.history.monitors.drift import drift_anomalies  # noqa: PLC0415
        from nbops.history.monitors.joint import joint_anomalies  # noqa: PLC0415
        from nbops.history.monitors.leaks import leak_anomalies  # noqa: PLC0415
        from nbops.history.monitors.numbers import SENSITIVITY  # noqa: PLC0415
        from nbops.history.monitors.stream_runs import dense_anomalies  # noqa: PLC0415
        from nbops.history.monitors.telling import anomalies_of, counts_of  # noqa: PLC0415

        counts_of(judged, self.found.judged, self.found.learning)
        judged = without_echo(judged, one.table)
        near = nearness_of(judged, sensitivity=one.sensitivity)
        anomalies = anomalies_of(judged, most=_MOST, near=near)
        told = frozenset((item.monitor, item.column) for item in anomalies)
        anomalies += joint_anomalies(judged, told=told, near=near)
        anomalies += stale_lists(judged, self.run)
        anomalies += drift_anomalies(judged, sensitivity=SENSITIVITY[one.sensitivity])
        anomalies += leak_anomalies(judged, sensitivity=SENSITIVITY[one.sensitivity])
        if not any(item.monitor == "volume" for item in anomalies):
            series: Mapping[Key, Sequence[SeriesPoint]] = {_ROWS: one.table.points(_ROWS)}
            rows = one.current[_ROWS].value if _ROWS in one.current else None
            anomalies += dense_anomalies(one.subject, series, at=float(judged.frame.at[-1]), rows=rows)
        self.found.anomalies += anomalies

    def _hand_on(self, one: _Asked, judged: Judged) -> None:
        from nbops.history.monitors.courses import Courses  # noqa: PLC0415 - numpy, only when something is judged

        kind, _, name = one.subject.partition(":")
        if kind == "dataset" and self.history.newest(one.subject) == self.run.id:
            rhythm = self.rhythms.get(name, "")
            self.courses[name] = Courses(table=one.table, current=one.current, judged=judged, rhythm=rhythm)


def _begun(
    subject: str,
    table: Table,
    current: Mapping[Key, SeriesPoint],
    *,
    timed: frozenset[str],
    sensitivity: str,
    expected: Sequence[Correction],
) -> Judging:
    from nbops.history.monitors.frame import frame_of, ready  # noqa: PLC0415 - numpy, only when something is judged
    from nbops.history.monitors.numbers import judging  # noqa: PLC0415

    point = next(iter(current.values()))
    values = {key: point.value for key, point in current.items() if key[1] != "interval"}  # judged by whether it came
    frame = ready(frame_of(subject, table, run=point.run, at=point.at.timestamp(), current=values), timed=timed)
    return judging(frame, sensitivity=sensitivity, skip=_exceptions(frame, expected))


def courses_of(
    history: History,
    dataset: str,
    *,
    columns: Sequence[Column] = (),
    sensitivity: str | None,
    expected: Sequence[Correction] = (),
    whole: bool = True,
) -> Courses | None:
    """Return the series of a dataset, judged at each run as :func:`judge` did in the one that measured it last.

    Args:
        history: The history, that run among it.
        dataset: Its name.
        columns: As that run found them.
        sensitivity: ``low``, ``normal`` or ``high``; None judges nothing.
        expected: As for :func:`judge`.
        whole: Also the series of its columns; those of the dataset itself are judged the same without them.

    Returns:
        None where no run measured it.
    """
    from nbops.history.monitors.courses import Courses  # noqa: PLC0415 - numpy, only when something is judged
    from nbops.history.monitors.numbers import judge_frames  # noqa: PLC0415

    subject = f"dataset:{dataset}"
    run = history.newest(subject)
    current = history.numbers(subject, run, later=True) if run is not None else {}
    if run is None or not current:
        return None
    table = history.table(subject, run, limit=runs_for(len(current)), later=True)
    rhythm = _rhythm(looks_of(history.arrivals(dataset, run)), run)
    if not whole:
        table, current = table.without_columns(), {key: point for key, point in current.items() if key[0] is None}
    if sensitivity is None:
        return Courses(table=table, current=current, rhythm=rhythm)
    work = _begun(subject, table, current, timed=timed_columns(columns), sensitivity=sensitivity, expected=expected)
    return Courses(table=table, current=current, judged=judge_frames([work])[0], rhythm=rhythm)


def _rhythm(looks: Looks, run: str) -> str:
    return rhythm_with_last(looks) if looks.runs[-1:] == (run,) else ""


def runs_for(series: int) -> int:
    """Return how many runs are looked at, of so many series.

    >>> runs_for(250), runs_for(10_000), runs_for(60_000)
    (400, 40, 30)
    """
    return max(_LEAST_RUNS, min(_RUNS, _POINTS // max(series, 1)))


def timed_columns(columns: Sequence[Column]) -> frozenset[str]:
    """Return the names of columns that hold dates or times."""
    return frozenset(item.name for item in columns if item.physical_type.upper().startswith(("DATE", "TIMESTAMP")))


def _exceptions(frame: Frame, expected: Sequence[Correction]) -> Any:
    """Return which values teach nothing, since somebody said that they were exceptions; None when none are."""
    import numpy as np  # noqa: PLC0415

    from nbops.history.monitors.scales import monitor_of  # noqa: PLC0415

    if not any(item.until is not None or item.run is not None for item in expected):
        return None
    days = [_day(stamp) for stamp in frame.at]
    skip = np.zeros(frame.values.shape, bool)
    for number, (column, metric) in enumerate(frame.keys):
        monitor = monitor_of(metric) or ""
        for item in taught(expected, subject=frame.subject, column=column, metric=metric, monitor=monitor):
            skip[number] |= [holds(item, run=run, day=day) for run, day in zip(frame.runs, days, strict=True)]
    return skip


def _day(stamp: float) -> str | None:
    import datetime as dt  # noqa: PLC0415

    try:
        return dt.datetime.fromtimestamp(stamp, tz=dt.timezone.utc).date().isoformat()
    except (ValueError, OverflowError, OSError):
        return None


def bands(
    points: Sequence[SeriesPoint], *, metric: str, sensitivity: str = "normal", rows: Sequence[float] | None = None
) -> list[Expected]:
    """Return what was expected of each point of a series, for charts.

    Args:
        points: The oldest first.
        metric: The series' name.
        sensitivity: ``low``, ``normal`` or ``high``.
        rows: Rows that each point was taken from, where known: of fewer rows more is to be expected.
    """
    from nbops.history.monitors.telling import bands_of  # noqa: PLC0415 - numpy

    return bands_of(points, metric=metric, sensitivity=sensitivity, rows=rows)
