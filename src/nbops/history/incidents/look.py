"""What one run says about findings: those that it shows, and those that it shows mended. Pure functions of ledgers.

Only what was looked at anew counts. A result that was carried over says nothing new, so it neither repeats a finding nor mends
it, but for one case: the version that showed the finding is gone. A task whose inputs and code are again those of an earlier
version is up to date with it, and that version's results, which were good, hold again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from nbops.model import IncidentFinding
from nbops.quality.notes import noted_by

if TYPE_CHECKING:
    from nbops.model import Anomaly, CheckResult, Dataset, Run, Severity, TaskRun

__all__ = ["Before", "Look", "Shown", "bare", "dataset_of", "key_of_anomaly", "key_of_check", "task_of"]

_DATASET, _TASK, _RUN = "dataset:", "task:", "run:"
_AGES = frozenset({"freshness", "retention"})
"""Checks that are judged anew while the data stays."""
_AGE_SERIES = frozenset({"age", "interval"})
_NO_INCIDENT = frozenset({"Interrupted"})
"""Errors of a run that somebody wanted."""
_PARTS = (" --partially", " -P ", " task ")
_LONGEST = 300


def _nothing() -> None:
    return None


class Before:
    """The runs that a run is seen against; read when they are asked for.

    Args:
        ids: Of all runs before it, sorted.
        previous: Returns the run before it that ended.
        accepted: Returns the last accepted one.
    """

    def __init__(
        self,
        *,
        ids: Sequence[str] = (),
        previous: Callable[[], Run | None] = _nothing,
        accepted: Callable[[], Run | None] = _nothing,
    ) -> None:
        self.ids = ids
        self._previous, self._accepted = previous, accepted

    @cached_property
    def previous(self) -> Run | None:
        """The run before it that ended."""
        return self._previous()

    @cached_property
    def accepted(self) -> Run | None:
        """The last accepted run."""
        return self._accepted()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A finding that a run shows."""

    finding: IncidentFinding
    standing: bool = False
    """A warning that was there before: it opens nothing."""


def bare(subject: str) -> str:
    """Return the name in ``dataset:NAME`` or ``task:NAME``."""
    return subject.partition(":")[2] or subject


def dataset_of(subject: str) -> str | None:
    """Return the dataset's name, None when the subject is none."""
    return subject.removeprefix(_DATASET) if subject.startswith(_DATASET) else None


def task_of(subject: str) -> str | None:
    """Return the task's name, None when the subject is none."""
    return subject.removeprefix(_TASK) if subject.startswith(_TASK) else None


@dataclass(frozen=True)
class Look:
    """A run, looked through for findings.

    Attributes:
        run: The run, as stored.
        before: The runs before it.
    """

    run: Run
    before: Before = field(default_factory=Before)

    @cached_property
    def shown(self) -> Mapping[str, Shown]:
        """Key to finding, of everything that this run shows; sorted by key."""
        found: dict[str, Shown] = {}
        for item in (*self._of_checks(), *self._of_datasets(), *self._of_monitors()):
            known = found.get(item.finding.key)
            if known is None or (known.finding.severity, item.finding.severity) == ("warn", "error"):
                found[item.finding.key] = item
        blamed = {self._maker(item.finding.subject) for item in found.values() if item.finding.kind == "check"}
        for item in self._of_tasks(blamed):
            found[item.finding.key] = item
        for item in self._of_run():
            found[item.finding.key] = item
        return {key: found[key] for key in sorted(found)}

    # -- what is wrong ----------------------------------------------------------------------------------------------------

    def _of_checks(self) -> list[Shown]:
        found = []
        for result in self.run.checks:
            if result.verdict not in {"failed", "errored", "warned"} or not self._is_anew(result):
                continue
            check = result.check
            severity: Severity = "error" if check.severity == "error" and result.verdict != "warned" else "warn"
            message = f"{check.id}: {result.message or result.verdict}"
            key = key_of_check(result)
            finding = self._finding(key, "check", self._subject(result), message, severity, column=check.column)
            found.append(Shown(finding=finding, standing=severity == "warn" and not self._passed_before(key)))
        return found

    def _of_datasets(self) -> list[Shown]:
        """Return what could not be read, also without a contract."""
        return [
            Shown(finding=self._finding(_readable(item.name), "check", _DATASET + item.name, str(item.error), "error"))
            for item in self.run.datasets
            if item.error and item.from_run is None
        ]

    def _of_monitors(self) -> list[Shown]:
        return [
            Shown(
                finding=self._finding(
                    key_of_anomaly(item), "monitor", item.subject, item.message, item.severity, column=item.column
                )
            )
            for item in self.run.anomalies
            if item.accepted is None
        ]

    def _of_tasks(self, blamed: set[str | None]) -> list[Shown]:
        """Return the tasks that failed, but for those whose failing checks are findings themselves."""
        found = []
        for task in self.run.tasks:
            error = task.error or next((one for one in self.run.errors if one.task == task.name), None)
            if task.status != "failed" or (error is not None and error.kind == "ChecksFailed" and task.name in blamed):
                continue
            message = f"{error.kind}: {error.message}" if error is not None else "failed"
            found.append(Shown(finding=self._finding(_TASK + task.name, "task", _TASK + task.name, message, "error")))
        return found

    def _of_run(self) -> list[Shown]:
        """Return what went wrong before or besides all tasks: contracts that cannot be read, a build that was killed."""
        subject = f"pipeline:{self.run.pipeline}"
        return [
            Shown(finding=self._finding(_RUN + error.kind, "task", subject, f"{error.kind}: {error.message}", "error"))
            for error in self.run.errors
            if error.task is None and error.kind not in _NO_INCIDENT
        ]

    def _finding(
        self,
        key: str,
        kind: Literal["check", "monitor", "task"],
        subject: str,
        message: str,
        severity: Severity,
        *,
        column: str | None = None,
    ) -> IncidentFinding:
        text = " ".join(message.split())
        return IncidentFinding(
            key=key,
            kind=kind,
            subject=subject,
            column=column,
            message=text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…",
            severity=severity,
            first_run=self.run.id,
            last_run=self.run.id,
        )

    # -- what is mended ---------------------------------------------------------------------------------------------------

    def mends(self, finding: IncidentFinding) -> bool:
        """Tell whether this run looked at a finding's subject anew and found it good, or the finding's subject is gone."""
        if finding.key in self.shown:
            return False
        if finding.key.startswith(_RUN):
            return self.run.status in {"succeeded", "failed"} and bool(self.run.tasks)
        task = self._tasks.get(self._maker(finding.subject) or "")
        if task is None:
            return self._is_gone(finding)
        if finding.kind == "task":
            return task.status in {"succeeded", "up_to_date"}
        return self._mends_check(finding, task) if finding.kind == "check" else self._mends_anomaly(finding, task)

    def _mends_check(self, finding: IncidentFinding, task: TaskRun) -> bool:
        name = dataset_of(finding.subject)
        dataset = self._datasets.get(name or "")
        result = self._results.get(finding.key)
        if result is None:  # no longer asked, or the dataset can be read again
            if name is None:
                return task.status == "succeeded"
            return dataset is not None and dataset.from_run is None and dataset.error is None
        if result.verdict != "passed":
            return False
        if self._is_anew(result):
            return True
        home = result.from_run or (dataset.from_run if dataset is not None else None)
        return task.status == "up_to_date" and home is not None and home < finding.last_run

    def _mends_anomaly(self, finding: IncidentFinding, task: TaskRun) -> bool:
        name = dataset_of(finding.subject)
        if name is None:
            return task.status == "succeeded"
        dataset = self._datasets.get(name)
        if dataset is None or not self._was_monitored(finding):
            return False
        if dataset.from_run is None:
            return dataset.error is None and dataset.changed
        aged = finding.key.rpartition(":")[2] in _AGE_SERIES
        return not aged and task.status == "up_to_date" and dataset.from_run < finding.first_run

    def _was_monitored(self, finding: IncidentFinding) -> bool:
        """Tell whether the monitor could work; a run in which none did (switched off, failed) says nothing of its findings."""
        if self._datasets[dataset_of(finding.subject) or ""].from_run is not None:
            return True
        name = finding.key.split(":")[1]
        worked = not any(count.errored for count in self.run.monitors)
        return worked and any(count.monitor == name and count.judged for count in self.run.monitors)

    def _is_gone(self, finding: IncidentFinding) -> bool:
        """Tell whether a whole build no longer has the task that made a finding's subject."""
        whole = self.run.status == "succeeded" and not any(part in f" {self.run.command} " for part in _PARTS)
        return whole and bool(self.run.tasks) and dataset_of(finding.subject) not in self._datasets

    def accepts(self, finding: IncidentFinding) -> bool:
        """Tell whether somebody said that this is to be expected."""
        return finding.key in self._accepted

    # -- what is where ----------------------------------------------------------------------------------------------------

    @cached_property
    def _tasks(self) -> Mapping[str, TaskRun]:
        return {task.name: task for task in self.run.tasks}

    @cached_property
    def _datasets(self) -> Mapping[str, Dataset]:
        return {item.name: item for item in self.run.datasets}

    @cached_property
    def _results(self) -> Mapping[str, CheckResult]:
        return {key_of_check(result): result for result in self.run.checks}

    @cached_property
    def _accepted(self) -> frozenset[str]:
        return frozenset(key_of_anomaly(item) for item in self.run.anomalies if item.accepted is not None)

    @cached_property
    def _makers(self) -> Mapping[str, str]:
        made = {
            edge.target.removeprefix(_DATASET): edge.source.removeprefix(_TASK)
            for edge in self.run.lineage
            if edge.kind == "writes" and edge.source.startswith(_TASK) and edge.target.startswith(_DATASET)
        }
        return {**made, **{item.name: item.task for item in self.run.datasets}}

    def _maker(self, subject: str) -> str | None:
        name = dataset_of(subject)
        return task_of(subject) if name is None else self._makers.get(name)

    def _subject(self, result: CheckResult) -> str:
        name = result.check.dataset
        if name in self._makers:
            return _DATASET + name
        noted = noted_by(result)
        return _TASK + noted if noted is not None else _DATASET + name

    def _is_anew(self, result: CheckResult) -> bool:
        if result.from_run is not None:
            return False
        dataset = self._datasets.get(result.check.dataset)
        noted = noted_by(result)
        if noted is not None:  # a notebook's own check is made whenever it runs
            return noted not in self._tasks or self._tasks[noted].status not in {"up_to_date", "not_selected", "held"}
        return dataset is None or dataset.from_run is None or result.check.metric in _AGES

    def _passed_before(self, key: str) -> bool:
        """Tell whether a check passed when it was last known, in the run before or the last accepted one."""
        for results in self._earlier:
            if key in results:
                return results[key] == "passed"
        return False

    @cached_property
    def _earlier(self) -> tuple[Mapping[str, str], ...]:
        runs = [run for run in (self.before.previous, self.before.accepted) if run is not None]
        return tuple(
            {key_of_check(result): result.verdict for result in run.checks if result.verdict != "skipped"} for run in runs
        )


def key_of_check(result: CheckResult) -> str:
    """Return the key that a check's finding has in all runs."""
    noted = noted_by(result)
    check = result.check
    return f"check:{check.dataset}:{check.id}" if noted is None else f"check:{check.dataset}:{check.id}:{_TASK}{noted}"


def _readable(dataset: str) -> str:
    return f"check:{dataset}:(readable)"


def key_of_anomaly(item: Anomaly) -> str:
    """Return the key that a monitor's finding has in all runs."""
    return ":".join(part for part in ("monitor", item.monitor, item.subject, item.column, item.metric) if part)
