"""Incidents from one run to the next. Pure: the same incidents and the same ledger give the same incidents.

A finding that is in an incident already belongs to it. What is new joins an open incident that lies upstream of it (or at the
same dataset), the nearest one; else it opens one of its own, which takes along what lies downstream of it in the same run: one
cause, one incident. Tasks that are slow in the same run are together wherever they lie. A warning opens an incident only when its
check passed before: warnings that stand in every run are no news.

An incident is resolved when each of its findings was looked at anew and found good. What comes back within ``REOPENS_WITHIN``
runs reopens it; later it is another incident. What somebody resolved by hand comes back with the next run that still shows it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from nbops.history.incidents.look import Before, Look, bare, dataset_of
from nbops.history.incidents.ways import Members, Ways
from nbops.model import Incident, IncidentEvent, IncidentFinding

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Literal

    from nbops.model import Run, Severity

__all__ = ["REOPENS_WITHIN", "Change", "advance", "is_live", "label", "until_of"]

REOPENS_WITHIN = 5
"""Runs after its end in which an incident reopens when a finding comes back."""
_TITLE = 140  # characters
_NAMED = 3  # findings that an event names
_HASH = 6  # hexadecimal digits of an id
_Place = TypeVar("_Place")
_STATES = {"open": 0, "acknowledged": 0, "expected": 1, "resolved": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """An incident that a run changed."""

    incident: Incident
    events: tuple[IncidentEvent, ...] = ()
    """What is new in its timeline; empty where it only goes on."""


def is_live(incident: Incident) -> bool:
    """Tell whether somebody has to care: it is open or acknowledged."""
    return incident.state in {"open", "acknowledged"}


def until_of(incident: Incident) -> str | None:
    """Return until when an incident is expected, None when nobody said so."""
    return next((event.until for event in reversed(incident.events) if event.what == "expected"), None)


def advance(known: Iterable[Incident], run: Run, before: Before) -> tuple[Change, ...]:
    """Return the incidents that a run opens or changes.

    Args:
        known: The incidents so far; resolved ones of long ago may be left out.
        run: The run, as stored.
        before: The runs before it.

    Returns:
        What changed, sorted by id.
    """
    look = Look(run, before)
    known = sorted(known, key=lambda item: item.id)
    if not look.shown and not known:
        return ()
    work = _Course(look, Ways(run), {item.id: item for item in known})
    work.go_on()
    work.take_in()
    return work.changes()


@dataclass
class _Course:
    """The incidents of one run, in the making."""

    look: Look
    ways: Ways
    known: Mapping[str, Incident]
    now: dict[str, Incident] = field(default_factory=dict)
    new: dict[str, list[IncidentEvent]] = field(default_factory=dict)
    claims: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.now = dict(self.known)
        self.run = self.look.run
        self.at = self.run.finished_at or self.run.started_at

    def changes(self) -> tuple[Change, ...]:
        """Return what is other than before, with its events."""
        found = []
        for key in sorted(self.now):
            events = tuple(self.new.get(key, ()))
            incident = replace(self.now[key], events=(*self.now[key].events, *events))
            if incident != self.known.get(key):
                found.append(Change(incident=incident, events=events))
        return tuple(found)

    # -- incidents that are there -----------------------------------------------------------------------------------------

    def go_on(self) -> None:
        """Take each incident to where this run leaves it."""
        self.claims = self._claims()
        for key, incident in self.known.items():
            shown = {name for name, owner in self.claims.items() if owner == key}
            self.now[key] = self._continued(incident, shown)

    def _claims(self) -> Mapping[str, str]:
        """Return the incident that each finding of this run belongs to already: a live one before others, the newest first."""
        found: dict[str, str] = {}
        ordered = sorted(self.known.values(), key=lambda item: item.id, reverse=True)
        for incident in sorted(ordered, key=lambda item: _STATES[item.state]):
            for finding in incident.findings:
                if finding.key in self.look.shown and self._holds(incident, finding):
                    found.setdefault(finding.key, incident.id)
        return found

    def _holds(self, incident: Incident, finding: IncidentFinding) -> bool:
        """Tell whether a finding that a run shows again belongs to an incident in which it was."""
        if is_live(incident) or finding.mended_run is None:
            return True
        if incident.state == "expected" and not self._expired(incident):
            return True
        ended = incident.resolved_run or finding.mended_run
        return sum(ended < other for other in self.look.before.ids) < REOPENS_WITHIN

    def _expired(self, incident: Incident) -> bool:
        """Tell whether what was expected was so only until before this run. Without an end it is over once it is mended."""
        until = until_of(incident)
        if until is None:
            return all(finding.mended_run is not None for finding in incident.findings)
        return (self.run.logical_date or self.run.started_at)[: len(until)] > until

    def _continued(self, incident: Incident, shown: set[str]) -> Incident:
        quiet = incident.state == "expected" and not self._expired(incident)
        back = [item for item in incident.findings if item.key in shown and item.mended_run is not None]
        findings = tuple(self._looked_at(item, shown, quiet=quiet) for item in incident.findings)
        incident = replace(incident, findings=findings)
        if incident.state == "expected" and not shown:
            return self._no_longer_there(incident)
        if quiet:
            return incident
        if shown:
            incident = self._again(incident, shown, back)
        return self._mended(incident) if is_live(incident) else incident

    def _looked_at(self, finding: IncidentFinding, shown: set[str], *, quiet: bool) -> IncidentFinding:
        if finding.key in shown:
            if quiet and finding.mended_run is None:
                return finding  # nobody waits for news of it
            seen = self.look.shown[finding.key].finding
            return replace(
                finding, message=seen.message, severity=seen.severity, last_run=self.run.id, mended_run=None, column=seen.column
            )
        if finding.mended_run is None and (self.look.mends(finding) or self.look.accepts(finding)):
            return replace(finding, mended_run=self.run.id)
        return finding

    def _again(self, incident: Incident, shown: set[str], back: Sequence[IncidentFinding]) -> Incident:
        """Return an incident of which this run shows something."""
        severity = _worst(incident.findings)
        what = _named([item for item in incident.findings if item.key in shown])
        if not is_live(incident):
            why = {"expected": "no longer expected", "resolved": "came back"}[incident.state]
            if incident.state == "resolved" and not back:
                why = "is still there"
            self._note(incident.id, "reopened", f"{why}: {what}")
            incident = replace(incident, state="open", resolved_run=None, resolved_at=None)
        elif back:
            self._note(incident.id, "grown", f"came back: {_named(back)}")
        return self._touched(replace(incident, last_bad_run=self.run.id), severity)

    def _touched(self, incident: Incident, severity: Severity) -> Incident:
        """Return the incident with its severity; one that got worse is open again, whoever has seen it."""
        worse = (incident.severity, severity) == ("warn", "error")
        state = "open" if worse and incident.state == "acknowledged" else incident.state
        held = self.ways.held(item.subject for item in incident.findings if item.mended_run is None)
        subjects = self._ordered(incident.root, {*incident.subjects, *(item.subject for item in incident.findings), *held})
        return replace(incident, severity=severity, state=state, subjects=subjects)

    def _mended(self, incident: Incident) -> Incident:
        fresh = [item for item in incident.findings if item.mended_run == self.run.id]
        if not fresh:
            return incident
        accepted = [item for item in fresh if self.look.accepts(item)]
        why = "by now expected" if len(accepted) == len(fresh) else "mended"
        if any(item.mended_run is None for item in incident.findings):
            self._note(incident.id, "shrunk", f"{why}: {_named(fresh)}")
            return self._touched(incident, _worst(incident.findings))
        self._note(incident.id, "resolved", f"{why}: {_named(fresh)}")
        return replace(incident, state="resolved", resolved_run=self.run.id, resolved_at=self.at)

    def _no_longer_there(self, incident: Incident) -> Incident:
        """Return what was expected as resolved, once all of it is mended and the days in which it may come back are over."""
        if not self._expired(incident) or any(item.mended_run is None for item in incident.findings):
            return incident
        self._note(incident.id, "resolved", f"was expected, and is mended: {_named(incident.findings)}")
        return replace(incident, state="resolved", resolved_run=self.run.id, resolved_at=self.at)

    # -- what is new ------------------------------------------------------------------------------------------------------

    def take_in(self) -> None:
        """Give each finding that no incident holds a place: in an incident upstream of it, or in a new one."""
        fresh = [item.finding for key, item in self.look.shown.items() if key not in self.claims and not item.standing]
        fresh.sort(key=lambda item: (self.ways.rank(item.subject), item.severity != "error", item.key))
        homes = {key: self._members(item) for key, item in self.now.items() if is_live(item)}
        joined: dict[str, list[IncidentFinding]] = {}
        groups: list[tuple[Members, list[IncidentFinding]]] = []
        for finding in fresh:
            home, group = _nearest(homes, finding), _nearest(dict(enumerate(one for one, _ in groups)), finding)
            if home is None and group is None and _is_slow(finding):  # several tasks in one run: what they ran on
                home = next(((0, key) for key in homes if self._is_slow_now(self.now[key])), None)
                group = next(((0, place) for place, (_, found) in enumerate(groups) if any(map(_is_slow, found))), None)
            if home is not None and (group is None or home[0] <= group[0]):
                homes[home[1]].add(finding)
                joined.setdefault(home[1], []).append(finding)
                continue
            if group is None:
                group = (0, len(groups))
                groups.append((Members(self.ways), []))
            groups[group[1]][0].add(finding)
            groups[group[1]][1].append(finding)
        for key, findings in joined.items():
            self.now[key] = self._grown(self.now[key], findings)
        for _, findings in groups:
            opened = self._opened(findings)
            self.now[opened.id] = opened

    def _is_slow_now(self, incident: Incident) -> bool:
        """Tell whether an incident is about tasks that are slow in this run too."""
        return any(_is_slow(item) and item.last_run == self.run.id and item.mended_run is None for item in incident.findings)

    def _members(self, incident: Incident) -> Members:
        members = Members(self.ways)
        for item in incident.findings:
            if item.mended_run is None:
                members.add(item)
        return members

    def _grown(self, incident: Incident, findings: Sequence[IncidentFinding]) -> Incident:
        self._note(incident.id, "grown", _named(findings))
        incident = replace(incident, findings=(*incident.findings, *findings), last_bad_run=self.run.id)
        return self._touched(incident, _worst(incident.findings))

    def _opened(self, findings: Sequence[IncidentFinding]) -> Incident:
        first = findings[0]
        key = self._new_id(findings)
        self._note(key, "opened", _named(findings))
        subjects = {item.subject for item in findings}
        incident = Incident(
            id=key,
            title=_title(findings),
            state="open",
            severity=_worst(findings),
            root=first.subject,
            opened_run=self.run.id,
            opened_at=self.at,
            owner=self._owner([first.subject, *self._ordered(first.subject, subjects)]),
            last_good_run=self._last_good(findings),
            last_bad_run=self.run.id,
            findings=tuple(findings),
        )
        return self._touched(incident, incident.severity)

    def _new_id(self, findings: Sequence[IncidentFinding]) -> str:
        text = "\n".join([self.run.id, findings[0].subject, *sorted(item.key for item in findings)])
        digest = hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()
        stamp = self.run.id.partition("-")[0]
        size = _HASH
        while (found := f"INC-{stamp}-{digest[:size]}") in self.now:
            size += 1
        return found

    def _owner(self, subjects: Iterable[str]) -> str | None:
        """Return who owns what is affected, the furthest upstream first; of a task, who owns what it makes."""
        wanted = [(self.ways.maker(subject), dataset_of(subject)) for subject in subjects]
        for run in (self.run, self.look.before.accepted):  # what failed may be known only from earlier
            for task, name in wanted:
                for item in run.datasets if run is not None else ():
                    if item.owner and (item.name == name if name is not None else item.task == task):
                        return item.owner
        return None

    def _last_good(self, findings: Sequence[IncidentFinding]) -> str | None:
        """Return the last run that showed none of the findings: the one before, else the last accepted one."""
        before = self.look.before
        keys = {item.key for item in findings}
        if before.previous is not None and before.previous.status in {"succeeded", "failed"}:
            earlier = Look(before.previous)
            statuses = {task.name: task.status for task in before.previous.tasks}
            makers = {self.ways.maker(item.subject) for item in findings}
            ran = all(statuses.get(task or "") in {"succeeded", "up_to_date"} for task in makers if task is not None)
            if ran and not keys & set(earlier.shown):
                return before.previous.id
        return before.accepted.id if before.accepted is not None else None

    def _ordered(self, root: str, subjects: Iterable[str]) -> tuple[str, ...]:
        return (root, *sorted({*subjects} - {root}, key=self.ways.rank))

    def _note(
        self,
        key: str,
        what: Literal["opened", "grown", "shrunk", "resolved", "reopened"],
        message: str,
    ) -> None:
        event = IncidentEvent(at=self.at, what=what, run=self.run.id, message=message)
        self.new.setdefault(key, []).append(event)


def _is_slow(finding: IncidentFinding) -> bool:
    return finding.key.startswith("monitor:duration:task:")


def _nearest(places: Mapping[_Place, Members], finding: IncidentFinding) -> tuple[int, _Place] | None:
    """Return how far the nearest findings upstream of another are, and where; the first of several that are equally near."""
    found = [(far, key) for key, members in places.items() if (far := members.distance(finding)) is not None]
    return min(found, key=lambda pair: pair[0], default=None)


def _worst(findings: Sequence[IncidentFinding]) -> Severity:
    """Return the severity of what is not mended, or of all when everything is."""
    left = [item for item in findings if item.mended_run is None] or findings
    return "error" if any(item.severity == "error" for item in left) else "warn"


def label(finding: IncidentFinding) -> str:
    """Return a finding in a few words: where, and what."""
    name = bare(finding.subject)
    where = name if finding.column is None or finding.kind == "check" else f"{name}.{finding.column}"
    said = finding.message.removeprefix(f"{where}: ")  # monitors name the series themselves
    return f"{where}: {said}".rstrip(". ")


def _title(findings: Sequence[IncidentFinding]) -> str:
    first = min(findings, key=lambda item: (item.subject != findings[0].subject, item.severity != "error"))
    more = f" and {len(findings) - 1} more" if len(findings) > 1 else ""
    text = label(first)
    room = _TITLE - len(more)
    return (text if len(text) <= room else text[: room - 1] + "…") + more


def _named(findings: Sequence[IncidentFinding]) -> str:
    """Return findings as a list for a sentence, the first few of them."""
    shown = "; ".join(label(item) for item in findings[:_NAMED])
    return shown if len(findings) <= _NAMED else f"{shown}; and {len(findings) - _NAMED} more"
