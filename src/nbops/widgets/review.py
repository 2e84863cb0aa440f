"""``nbops.review()``: a run's findings one after another, with what speaks for each, and what may be said about it."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbops.contract.config import load_config
from nbops.errors import NbopsError
from nbops.lab.shown import Shown
from nbops.pages.text import short
from nbops.widgets.base import Widget, front_end
from nbops.workflow.project import find_root
from nbops.workflow.reviewing import Review

if TYPE_CHECKING:
    from nbops.widgets.base import Answer
    from nbops.workflow.reviewing import ReviewItem

__all__ = ["ReviewWidget", "review"]

_MOST = 500
"""Findings that are handed to the browser."""
_LONG = 1_000


def review(run: str = "latest") -> ReviewWidget:
    """Walk through what a run found, in a notebook: see rows, accept as expected with a reason, acknowledge.

    Args:
        run: ``latest``, a run's id, or the end of one.

    Returns:
        A widget; ``review().review`` is the walk itself (:class:`nbops.workflow.reviewing.Review`).

    Raises:
        ConfigError: The notebook is in no project.
        LedgerError: There is no such run, or it cannot be read.
    """
    root = find_root(Path.cwd())
    return ReviewWidget(Review(root, load_config(root), run))


class ReviewWidget(Widget):
    """A walk through a run's findings.

    Args:
        walk: The walk; the widget and Python see the same.
    """

    _esm = front_end("review", "js")
    _css = front_end("review", "css")

    def __init__(self, walk: Review) -> None:
        self.review = walk
        super().__init__(self._state())

    def _answers(self) -> dict[str, Answer]:
        return {
            "go": lambda data: self.review.go(str(data.get("key"))) and None,
            "refresh": lambda _: self._done(()),
            "accept": lambda data: self._done(
                self.review.accept(_text(data, "key"), _text(data, "reason"), until=_text(data, "until") or None), after="refresh"
            ),
            "acknowledge": lambda data: self._done(self.review.acknowledge(_text(data, "key"), _text(data, "reason"))),
            "undo": lambda _: self._done(self.review.undo()),
        }

    def _done(self, said: tuple[str, ...], after: str = "") -> dict[str, Any]:
        if not said and not after:
            self.review.refresh()
        state = self._state()
        self.view = state
        return {"state": state, "said": [short(text, _LONG) for text in said]}

    def _state(self) -> dict[str, Any]:
        walk = self.review
        return {
            "run": walk.run.id,
            "verdict": walk.run.verdict,
            "pipeline": walk.run.pipeline,
            "items": [_item(one) for one in walk.items[:_MOST]],
            "more": max(0, len(walk.items) - _MOST),
            "left": walk.left,
            "undo": walk.can_undo,
        }

    def _shown(self) -> Shown:
        walk = self.review
        return Shown(
            title=f"{len(walk.items)} findings of run {walk.run.id}, {walk.left} to look at",
            columns=("severity", "verdict", "finding", "state"),
            rows=tuple((one.severity, one.mark, one.title, one.state) for one in walk.items[:_MOST]),
            notes=() if walk.items else ("Nothing was found.",),
        )


def _text(data: dict[str, Any], key: str) -> str:
    value = data.get(key)
    if value is not None and not isinstance(value, str):
        raise NbopsError(f"{key}: must be text.")
    return value or ""


def _cell(value: Any) -> str | None:
    return None if value is None else short(_seen(str(value)), _LONG)


def _seen(text: str) -> str:
    """Return a value of the data with what a reader could not see, or what turns a line around, written out."""
    return "".join(char if unicodedata.category(char)[0] != "C" or char == "\u200d" else f"\\u{ord(char):04x}" for char in text)


def _item(one: ReviewItem) -> dict[str, Any]:
    columns = list(dict.fromkeys(name for row in one.examples for name in row))
    return {
        "key": one.key,
        "kind": one.kind,
        "mark": one.mark,
        "severity": one.severity,
        "title": short(one.title, _LONG),
        "message": short(one.message, _LONG),
        "hint": short(one.hint, _LONG),
        "dataset": one.dataset,
        "column": one.column,
        "task": one.task,
        "facts": [[label, short(text, _LONG)] for label, text in one.facts],
        "columns": ["row" if name == "_row" else name for name in columns],
        # Text: a browser's numbers end at 2^53.
        "rows": [[_cell(row.get(name)) for name in columns] for row in one.examples],
        "withheld": one.withheld,
        "incident": one.incident,
        "together": one.together,
        "state": one.state,
        "accept": one.accept,
        "whyNot": one.why_not,
    }
