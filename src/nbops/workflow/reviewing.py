"""A run's findings, one after another: what is wrong, what speaks for it, and what somebody says about it.

It is said as `nbops expect` and `nbops incidents` do, in files in git; a review takes back only what was accepted in it.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from nbops.contract.odcs import load_contracts
from nbops.contract.vocabulary import is_personal
from nbops.errors import ConfigError, ContractError, LedgerError, UnknownTarget, did_you_mean
from nbops.history.expected import FILE, load_corrections, remove_corrections
from nbops.history.incidents.look import Look, dataset_of, key_of_anomaly, key_of_check, task_of
from nbops.history.incidents.store import incidents_lock, load_incidents
from nbops.pages.findings import finding_of_check
from nbops.pages.series_words import expected_words, subject_of, unusual_message
from nbops.pages.text import short
from nbops.record.store import read_run, resolve_run_id
from nbops.workflow.expecting import expect, expect_series, series_of_finding
from nbops.workflow.incident_edits import edit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from nbops.contract.config import Config
    from nbops.model import Anomaly, CheckResult, Incident, IncidentFinding, Run, Severity

__all__ = ["Review", "ReviewItem"]

_MASK = "•••"
_OBJECTS = frozenset({"failed", "errored", "warned"})
State = Literal["open", "acknowledged", "expected", "resolved"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewItem:
    """One finding."""

    key: str
    """As incidents have it; the same over runs."""
    kind: Literal["check", "monitor", "task"]
    mark: str
    """``failed``, ``errored``, ``warned`` or ``unusual``."""
    severity: Severity
    title: str
    message: str = ""
    hint: str = ""
    dataset: str | None = None
    column: str | None = None
    task: str | None = None
    facts: tuple[tuple[str, str], ...] = ()
    examples: tuple[Mapping[str, Any], ...] = ()
    withheld: str = ""
    """Why rows are not shown, or not all of their values."""
    incident: str | None = None
    """The incident that it is part of."""
    together: int = 0
    """Findings of that incident which nobody has mended: what is said of it is said of them all."""
    state: State = "open"
    accept: Literal["series", "incident"] | None = None
    """What accepting it would be about; None: it cannot be accepted."""
    why_not: str = ""
    """Why it cannot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Acceptance:
    """What was accepted, so that it can be taken back."""

    key: str
    corrections: tuple[str, ...]
    """Ids of the entries that were not there before."""
    before: bytes | None
    after: bytes | None
    incidents: Mapping[str, str]
    """Id to the state before."""


class Review:
    """A walk through what a run found.

    Args:
        root: The project's root.
        config: The project's settings.
        run: ``latest``, a run's id, or the end of one.

    Raises:
        LedgerError: There is no such run, or it cannot be read.
    """

    def __init__(self, root: Path, config: Config, run: str = "latest") -> None:
        self.root, self.config = root, config
        self._reports = root / config.reports
        self.run: Run = read_run(self._reports, resolve_run_id(self._reports, run))
        self._done: list[_Acceptance] = []
        self._accepted_here: set[str] = set()
        self.only: Severity | None = None
        self.items: tuple[ReviewItem, ...] = ()
        self._at: str | None = None
        self.refresh()

    # -- walking

    @property
    def shown(self) -> tuple[ReviewItem, ...]:
        """The findings of the severity that is looked at."""
        return tuple(item for item in self.items if self.only is None or item.severity == self.only)

    @property
    def position(self) -> int:
        """Which of :attr:`shown` is looked at, from 0; 0 too when there is none."""
        return next((number for number, item in enumerate(self.shown) if item.key == self._at), 0)

    @property
    def current(self) -> ReviewItem | None:
        """The finding that is looked at; None when there is none."""
        shown = self.shown
        return shown[self.position] if shown else None

    @property
    def left(self) -> int:
        """How many findings nobody has said anything about, of all severities."""
        return sum(item.state == "open" for item in self.items)

    def go(self, to: int | str) -> ReviewItem | None:
        """Look at another finding: ``next``, ``previous``, one by its place or by its key. At the ends it stays.

        Raises:
            UnknownTarget: There is no such finding.
        """
        shown = self.shown
        if not shown:
            return None
        if isinstance(to, str) and to not in {"next", "previous"}:
            item = self._item(to)
            self.only = self.only if item in shown else None
            self._at = item.key
            return item
        number = to if isinstance(to, int) else self.position + (1 if to == "next" else -1)
        self._at = shown[max(0, min(number, len(shown) - 1))].key
        return self.current

    def filter(self, severity: Severity | None) -> None:
        """Look at findings of one severity only; None: all."""
        if severity not in {None, "error", "warn"}:
            raise UnknownTarget(f"severity {str(severity)[:40]!r}: {did_you_mean(str(severity), ('error', 'warn'))}")
        self.only = severity

    def _item(self, key: str) -> ReviewItem:
        found = next((item for item in self.items if item.key == key), None)
        if found is None:
            raise UnknownTarget(f"{key[:80]!r}: the run has no such finding.")
        return found

    # -- saying something

    def accept(self, key: str, reason: str, *, until: str | None = None) -> tuple[str, ...]:
        """Accept a finding as expected, as ``nbops expect`` does: of a monitor the series, of anything else its incident.

        Args:
            key: The finding's.
            reason: Why; others will want to know.
            until: The last day (ISO) on which it is to be expected; None: for ever.

        Returns:
            Sentences about what was done.

        Raises:
            ConfigError: The reason is missing, or a day is none.
            GuardError: The reason holds something private; nothing was written.
            LedgerError: It cannot be accepted.
        """
        item = self._item(key)
        if item.state == "expected":
            raise LedgerError(f"{item.title}: it is accepted already.")
        if item.accept is None:
            raise LedgerError(f"{item.title}: {item.why_not}")
        path = self.root / FILE
        before, known = _bytes(path), {one.id for one in load_corrections(self.root)}
        states = {one.id: one.state for one in load_incidents(self._reports).found}
        if item.accept == "series":
            series = series_of_finding(self._findings[key])
            done = expect_series(self.root, self.config, series, run_id=self.run.id, reason=reason, until=until)
        else:
            done = expect(self.root, self.config, str(item.incident), reason=reason, until=until)
        self._done.append(
            _Acceptance(
                key=key,
                corrections=tuple(one.id for one in done.corrections if one.id not in known),
                before=before,
                after=_bytes(path),
                incidents={one.id: states[one.id] for one in done.incidents if one.id in states},
            )
        )
        self._accepted_here.add(key)
        self.refresh()
        said = [
            f"{one.id}: {_about(one)} is expected from {one.since or 'the beginning'}{_until(one.until)}"
            for one in done.corrections
        ]
        said += [f"{one.id} is {one.state}" for one in done.incidents]
        return (*said, *done.said)

    @property
    def can_undo(self) -> str | None:
        """The key of the finding whose acceptance would be taken back; None when nothing was accepted here."""
        return self._done[-1].key if self._done else None

    def undo(self) -> tuple[str, ...]:
        """Take back the last acceptance that was made in this review.

        Returns:
            Sentences about what was done.

        Raises:
            LedgerError: Nothing was accepted here.
            ConfigError: The file of corrections was changed meanwhile so that the entry cannot be taken out; nothing is lost.
        """
        if not self._done:
            raise LedgerError("nothing was accepted in this review, so there is nothing to take back.")
        last = self._done[-1]
        with incidents_lock(self.root / ".nbops"):
            said = self._corrections_back(last)
        for name, state in last.incidents.items():
            said += self._reopened(name, state)
        self._done.pop()
        self._accepted_here.discard(last.key)
        self.refresh()
        return tuple(said)

    def _reopened(self, name: str, state: str) -> tuple[str, ...]:
        try:
            done = edit(self.root, self.config, "reopened", message="taken back", target=name)
            if state == "acknowledged":
                edit(self.root, self.config, "acknowledged", message="as before", target=name)
        except LedgerError as error:  # somebody was quicker
            return (str(error),)
        return (f"{name} is {state} again", *done.said)

    def _corrections_back(self, last: _Acceptance) -> list[str]:
        path = self.root / FILE
        if not last.corrections:
            return []
        if _bytes(path) == last.after:
            if last.before is None:
                path.unlink(missing_ok=True)
                with suppress(OSError):  # the folder goes when it was made for the file
                    path.parent.rmdir()
            else:
                path.write_bytes(last.before)
            gone = last.corrections
        else:
            gone = remove_corrections(self.root, last.corrections)
        return [f"{name}: taken out of {FILE}" for name in gone]

    def acknowledge(self, key: str, message: str = "") -> tuple[str, ...]:
        """Say that somebody looks into a finding, as ``nbops incidents ack`` does: of its incident.

        Raises:
            LedgerError: It is part of no incident, or of one that is over.
            GuardError: The message holds something private; nothing was written.
        """
        item = self._item(key)
        if item.incident is None:
            raise LedgerError(f"{item.title}: it is part of no incident, so nobody waits to hear about it.")
        done = edit(self.root, self.config, "acknowledged", message=message, target=item.incident)
        self.refresh()
        return (*(f"{one.id} is {one.state}" for one in done.incidents), *done.said)

    # -- what there is

    def refresh(self) -> None:
        """Read incidents and corrections anew; the place in the walk stays."""
        stored = load_incidents(self._reports)
        self._findings = {key: item.finding for key, item in Look(run=self.run).shown.items()}
        self._incidents = _by_key(stored.found, self.run.id)
        personal, trouble = _personal(self.root, self.config, self.run)
        found = [self._of_check(result, personal, trouble) for result in self.run.checks if result.verdict in _OBJECTS]
        found += [self._of_anomaly(one) for one in self.run.anomalies]
        known = {item.key for item in found}
        found += [self._of_rest(one) for key, one in self._findings.items() if key not in known]
        unique: dict[str, ReviewItem] = {}
        for item in found:
            unique.setdefault(item.key, item)
        self.items = tuple(self._placed(item) for item in sorted(unique.values(), key=_rank))

    def _of_check(self, result: CheckResult, personal: Mapping[str, frozenset[str]], trouble: str) -> ReviewItem:
        told = finding_of_check(self.run, result)
        names = personal.get(result.check.dataset, frozenset())
        examples = () if trouble else tuple(_masked(row, names) for row in told.examples)
        withheld = trouble if told.examples and trouble else ""
        if examples and any(name.strip().casefold() in names for row in examples for name in row):
            withheld = "Values of personal columns are not shown."
        soft = result.verdict == "warned" or result.check.severity == "warn"
        return ReviewItem(
            key=key_of_check(result),
            kind="check",
            mark=told.mark,
            severity="warn" if soft else "error",
            title=told.title,
            message=told.message,
            hint=told.hint,
            dataset=told.dataset,
            column=result.check.column,
            task=told.task,
            facts=told.facts,
            examples=examples,
            withheld=withheld,
        )

    def _of_anomaly(self, one: Anomaly) -> ReviewItem:
        kind, name = subject_of(one.subject)
        facts = (
            ("Observed", "" if one.observed is None else str(one.observed)),
            ("Expected", expected_words(one.metric, one.expected)),
            ("Learned from", one.expected.basis if one.expected is not None else ""),
            ("Monitor", one.monitor),
        )
        return ReviewItem(
            key=key_of_anomaly(one),
            kind="monitor",
            mark="failed" if one.severity == "error" else "unusual",
            severity=one.severity,
            title=f"{short(name, 60)}: {short(unusual_message(one), 170)}",
            hint="Look for its cause; if it is as it should be, accept it.",
            dataset=name if kind == "dataset" else None,
            column=one.column,
            task=name if kind == "task" else None,
            facts=tuple((label, text) for label, text in facts if text),
            state="expected" if one.accepted is not None else "open",
        )

    def _of_rest(self, one: IncidentFinding) -> ReviewItem:
        name = dataset_of(one.subject) or task_of(one.subject) or one.subject
        return ReviewItem(
            key=one.key,
            kind="task" if one.kind == "task" else "check",
            mark="failed" if one.kind == "task" else "errored",
            severity=one.severity,
            title=short(f"{name}: {one.message}", 200),
            hint="Mend it, and build again.",
            dataset=dataset_of(one.subject),
            task=task_of(one.subject),
        )

    def _placed(self, item: ReviewItem) -> ReviewItem:
        """Return a finding with its incident, and with what may be said about it."""
        incident = self._incidents.get(item.key)
        state: State = item.state
        if incident is not None and state == "open":
            state = incident.state
        if item.key in self._accepted_here:
            state = "expected"
        accept: Literal["series", "incident"] | None = None
        why = ""
        if item.kind == "monitor" and item.key in self._findings:
            accept = "series"
        elif incident is not None and incident.state in {"open", "acknowledged"}:
            accept = "incident"
        elif item.kind == "check":
            why = "it is a rule of a contract and part of no open incident: mend the data, or change the rule."
        else:
            why = "it is part of no open incident: mend it, and build again."
        left = [one for one in incident.findings if one.mended_run is None] if incident is not None else []
        return replace(
            item,
            incident=incident.id if incident is not None else None,
            together=len(left),
            state=state,
            accept=accept,
            why_not=why,
        )


def _rank(item: ReviewItem) -> tuple[bool, int]:
    order = ("failed", "errored", "unusual", "warned")
    return item.severity != "error", order.index(item.mark) if item.mark in order else len(order)


def _by_key(found: Sequence[Incident], run_id: str) -> Mapping[str, Incident]:
    """Return the incident of each finding, as of a run: the newest one that had it then."""
    known: dict[str, Incident] = {}
    for incident in found:
        for one in incident.findings:
            if one.first_run <= run_id and (one.mended_run is None or run_id < one.mended_run):
                known[one.key] = incident
    return MappingProxyType(known)


def _personal(root: Path, config: Config, run: Run) -> tuple[Mapping[str, frozenset[str]], str]:
    """Return the personal columns of each dataset, by its contract of now, else as the run knew; or why no rows are shown.

    What was personal when the run was recorded is masked in its ledger already.
    """
    found = {
        item.name: {one.name.strip().casefold() for one in item.columns if is_personal((one.classification or "", *one.tags))}
        for item in run.datasets
    }
    try:
        contracts = load_contracts(root / config.contracts, root=root)
    except (ContractError, ConfigError, OSError):
        return {}, "The contracts cannot be read now, so it is not known which columns are personal, and no rows are shown."
    for name, contract in contracts.items():
        found[name] = {column.strip().casefold() for column in contract.personal_columns}
    return {name: frozenset(names) for name, names in found.items()}, ""


def _masked(row: Mapping[str, Any], personal: frozenset[str]) -> Mapping[str, Any]:
    return {name: _MASK if value is not None and name.strip().casefold() in personal else value for name, value in row.items()}


def _bytes(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _about(one: Any) -> str:
    return ".".join(part for part in (one.subject, one.column, one.metric or one.monitor) if part)


def _until(day: str | None) -> str:
    return f" until {day}" if day else " on"
