"""What a comparison of two runs looks like on a page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nbops.pages.text import plural, short, value
from nbops.pages.views import Shown, shown

if TYPE_CHECKING:
    from nbops.history.comparison import Change, Comparison

__all__ = ["ChangeRow", "ChangesView", "changes_view", "same_inputs"]

_HEAVY, _NOTABLE = 70.0, 40.0
"""From these weights on a change is called heavy, or notable."""
_ORDER = ("verdict", "checks", "data", "code", "parameters", "environment", "tasks", "time")
_BAD = frozenset({"failed", "errored", "warned", "held", "interrupted"})
_UNKNOWN = 12
_VALUE = 70  # characters of a parameter


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRow:
    """A change as a row: ``tone`` names its mark and colour, empty for a slight one; ``word`` says it to who sees neither."""

    area: str
    subject: str
    text: str
    tone: str
    word: str
    dataset: str | None
    task: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangesView:
    """A comparison, bounded."""

    before: Any
    after: Any
    different: bool
    sentence: str
    compared: str
    top: Shown
    """The heaviest changes."""
    groups: tuple[tuple[str, int, Shown], ...]
    """Area, number of changes, and the changes, for the areas that have more than the top shows; ranked within."""
    unknown: Shown


def changes_view(found: Comparison, *, top: int, each: int) -> ChangesView:
    """Return what a page shows of a comparison.

    Args:
        found: The comparison.
        top: Heaviest changes to show at once.
        each: Changes of an area to show, folded, when there are more than the heaviest.
    """
    rows = [_row(change) for change in found.changes]
    groups = []
    if len(rows) > top:
        for area in _ORDER:
            mine = [row for row in rows if row.area == area]
            groups += [(area, len(mine), shown(mine, each))] if mine else []
    return ChangesView(
        before=found.before,
        after=found.after,
        different=found.different,
        sentence=_sentence(found),
        compared=", ".join(plural(number, name[:-1]) for name, number in found.compared if number),
        top=shown(rows, top),
        groups=tuple(groups),
        unknown=shown(found.unknown, _UNKNOWN),
    )


def _sentence(found: Comparison) -> str:
    if not found.changes and not found.unknown:
        return "Nothing differs"
    counts = {area: sum(change.area == area for change in found.changes) for area in _ORDER}
    told = ", ".join(f"{number:,} in {area}" for area, number in counts.items() if number)
    return f"{plural(len(found.changes), 'change')}: {told}" if found.changes else "No change was found"


def _row(change: Change) -> ChangeRow:
    text = change.text
    if change.area == "parameters" and change.kind in {"value", "added"}:
        was = f"{short(value(change.before), _VALUE)} → " if change.kind == "value" else "new: "
        text = f"{was}{short(value(change.after), _VALUE)}"
    tone, word = _tone(change)
    return ChangeRow(
        area=change.area, subject=change.subject, text=text, tone=tone, word=word, dataset=change.dataset, task=change.task
    )


def _tone(change: Change) -> tuple[str, str]:
    if change.kind == "better":
        return "passed", "better"
    if change.area in {"verdict", "checks", "tasks"} and change.kind in {"worse", "added"} and change.after in _BAD:
        return str(change.after), "worse"
    if change.weight >= _HEAVY:
        return "warned", "heavy"
    return ("notice", "notable") if change.weight >= _NOTABLE else ("", "slight")


def same_inputs(found: Comparison | None, area: str) -> bool:
    """Tell whether nothing of an area differs, so that a page need not show it again."""
    return found is not None and not any(change.area == area for change in found.changes)
