"""Two runs side by side, or a run and the working copy, on a page that stands alone: its stylesheet is in it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nbops.pages.changes import changes_view
from nbops.pages.links import Links
from nbops.pages.templating import page, stylesheet
from nbops.pages.text import plural
from nbops.pages.views import Shown, shown

if TYPE_CHECKING:
    from pathlib import Path

    from nbops.history.comparison import Comparison, RunRef
    from nbops.history.sources import CellChange, Line, NotebookChange
    from nbops.model import Run

__all__ = ["Leads", "WouldRun", "comparison_page", "leads_of", "working_page"]

_TOP, _EACH = 25, 150
_NOTEBOOKS, _CELLS, _LINES = 20, 40, 900
"""Notebooks, cells of one, and lines on the whole page, that are shown; how much more there is is said."""
_LONGEST = 200
"""Characters of a line."""
_UNKNOWN = 12
_WORD = re.compile(r"\w+|\s+|[^\w\s]")
_ALIKE = 0.5
"""How alike two lines are, from 0 to 1, for what differs within them to be marked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WouldRun:
    """What the next build would do with a task, and why."""

    task: str
    stale: bool | None
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Leads:
    """Where a page may lead that stands beside the project's reports; without one it leads nowhere."""

    runs: Mapping[str, str] = field(default_factory=dict)
    """A run's id to its page."""
    links: Links | None = None
    """Pages of tasks and datasets of the later run."""
    tasks: frozenset[str] = frozenset()
    datasets: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    sign: str
    word: str
    parts: tuple[tuple[str, bool], ...]
    """Text, and whether it is what differs within the line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _CellView:
    head: str
    kind: str
    rows: tuple[_Row, ...]
    more: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _NotebookView:
    task: str
    counts: str
    cells: Shown


def leads_of(runs: Sequence[Run], reports: Path, *, root: str) -> Leads:
    """Return where a page leads, among what is there: old pages are removed in time.

    Args:
        runs: Those that are compared, the later one last.
        reports: The project's reports folder.
        root: From the page to that folder, such as ``reports/``.
    """
    last = runs[-1]
    links = Links(last, reports=reports, root=root, here=f"{root}runs/{last.id}/")
    there = {run.id: f"{root}runs/{run.id}/index.html" for run in runs if (reports / f"runs/{run.id}/index.html").is_file()}
    names = {item.name for item in last.datasets if _is_there(reports, root, links.dataset(item.name))}
    tasks = {task.name for task in last.tasks if _is_there(reports, root, links.task(task.name))}
    return Leads(runs=there, links=links, tasks=frozenset(tasks), datasets=frozenset(names))


def _is_there(reports: Path, root: str, address: str) -> bool:
    return (reports / address.removeprefix(root)).is_file()


def comparison_page(
    found: Comparison, *, notebooks: Sequence[NotebookChange] = (), unknown: Sequence[str] = (), leads: Leads | None = None
) -> str:
    """Return a comparison as a page of at most 600 KB; the same comparison gives the same bytes.

    Args:
        found: The comparison.
        notebooks: Notebooks whose source differs, in the order in which they are shown.
        unknown: Sentences about notebooks that could not be compared.
        leads: Where it leads.
    """
    context = {"view": changes_view(found, top=_TOP, each=_EACH), "stylesheet": stylesheet(), "root": ""}
    return page("compare.html.j2", context | _of_notebooks(notebooks, unknown) | _of_leads(leads))


def working_page(
    run: RunRef,
    *,
    would: Sequence[WouldRun],
    notebooks: Sequence[NotebookChange] = (),
    unknown: Sequence[str] = (),
    unsaved: Sequence[str] = (),
    looked_at: int = 0,
    leads: Leads | None = None,
) -> str:
    """Return how the working copy differs from a run.

    Args:
        run: The run.
        would: What the next build would do with each task that is looked at.
        notebooks: Notebooks whose source differs.
        unknown: Sentences about notebooks that could not be compared.
        unsaved: Tasks whose notebook was taken from an editor, with what is not saved yet.
        looked_at: Number of notebooks that were compared.
        leads: Where it leads.
    """
    to_tell = [item for item in would if item.stale is not False]
    sentence = "Nothing differs"
    if notebooks or to_tell:
        parts = [f"{plural(len(notebooks), 'notebook')} edited" if notebooks else "no notebook edited"]
        stale = sum(item.stale is True for item in to_tell)
        parts += [f"{plural(stale, 'task')} would run"] if stale else []
        sentence = ", ".join(parts)
        sentence = sentence[:1].upper() + sentence[1:]
    context = {
        "run": run,
        "sentence": sentence,
        "compared": plural(looked_at, "notebook"),
        "would": shown(to_tell, _EACH),
        "unsaved": tuple(unsaved),
        "stylesheet": stylesheet(),
        "root": "",
    }
    return page("working.html.j2", context | _of_notebooks(notebooks, unknown) | _of_leads(leads))


def _of_leads(leads: Leads | None) -> dict[str, Any]:
    if leads is None or leads.links is None:
        return {"run_pages": {}}
    return {
        "run_pages": leads.runs,
        "links": leads.links,
        "known_datasets": leads.datasets,
        "known_tasks": leads.tasks,
    }


def _of_notebooks(notebooks: Sequence[NotebookChange], unknown: Sequence[str]) -> dict[str, Any]:
    left = _LINES
    views: list[_NotebookView] = []
    for item in notebooks[:_NOTEBOOKS]:
        cells: list[_CellView] = []
        for cell in item.cells[:_CELLS]:
            if left <= 0:
                break
            cells.append(_cell(cell, most=left))
            left -= len(cells[-1].rows)
        counts = f"{plural(item.added, 'line')} added, {item.removed:,} removed, in {plural(len(item.cells), 'cell')}"
        views.append(
            _NotebookView(task=item.task, counts=counts, cells=Shown(items=tuple(cells), more=len(item.cells) - len(cells)))
        )
    by_difflib = any(item.matched_by == "difflib" for item in notebooks)
    return {
        "notebooks": Shown(items=tuple(views), more=len(notebooks) - len(views)),
        "notebooks_unknown": shown(tuple(unknown), _UNKNOWN),
        "by_difflib": by_difflib,
    }


def _cell(cell: CellChange, *, most: int) -> _CellView:
    place = cell.after if cell.after is not None else cell.before
    moved = cell.before is not None and cell.after is not None and cell.before != cell.after
    head = f"Cell {place}{f', was {cell.before}' if moved else ''}: {cell.kind}"
    rows = tuple(_rows(cell.lines[:most]))
    return _CellView(head=head, kind=cell.cell, rows=rows, more=len(cell.lines) - len(rows))


def _rows(lines: Sequence[Line]) -> Iterator[_Row]:
    """Yield lines; of those that were removed and added in the same place, what differs within them is marked."""
    place = 0
    while place < len(lines):
        signs = "".join(line.sign for line in lines[place:])
        gone = len(signs) - len(signs.lstrip("-"))
        rest = signs[gone:]
        came = len(rest) - len(rest.lstrip("+"))
        if gone and gone == came:
            pairs = [_within(lines[place + at].text, lines[place + gone + at].text) for at in range(gone)]
            yield from (_Row(sign="-", word="removed", parts=old) for old, _ in pairs)
            yield from (_Row(sign="+", word="added", parts=new) for _, new in pairs)
            place += gone + came
            continue
        for line in lines[place : place + max(1, gone + came)]:
            word = {"+": "added", "-": "removed"}.get(line.sign, "")
            yield _Row(sign=line.sign, word=word, parts=((_cut(line.text), False),))
        place += max(1, gone + came)


def _within(old: str, new: str) -> tuple[tuple[tuple[str, bool], ...], tuple[tuple[str, bool], ...]]:
    was, now = _WORD.findall(_cut(old)), _WORD.findall(_cut(new))
    matcher = difflib.SequenceMatcher(a=was, b=now, autojunk=False)
    if matcher.ratio() < _ALIKE:
        return ((_cut(old), False),), ((_cut(new), False),)
    codes = matcher.get_opcodes()
    before = tuple(("".join(was[i1:i2]), what != "equal") for what, i1, i2, _, _ in codes if i1 < i2)
    after = tuple(("".join(now[j1:j2]), what != "equal") for what, _, _, j1, j2 in codes if j1 < j2)
    return before, after


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
