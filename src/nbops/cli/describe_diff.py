"""A comparison of two runs as text for people, and as Markdown for a pull request."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from nbops.cli.describe import code_words
from nbops.cli.output import Cell, Column, printable, table
from nbops.history.comparison import AREAS, Change, Comparison, RunRef
from nbops.pages.text import count, plural, short, value

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["as_markdown", "as_text"]

_COLUMNS = (
    Column(title="AREA"),
    Column(title="WHAT", most=44),
    Column(title="CHANGE", flexible=True),
)
_HEAVY, _MIDDLE = 70.0, 40.0
_UNKNOWN = 12  # sentences
_VALUE = 60  # characters


def as_text(found: Comparison, *, most: int) -> str:
    """Return a comparison as text.

    Args:
        found: The comparison.
        most: Changes that are listed; the others are counted.
    """
    return "\n".join(_text(found, most))


def _text(found: Comparison, most: int) -> Iterator[str]:
    yield f"before  {_ref(found.before)}\nafter   {_ref(found.after)}"
    yield ""
    yield click.style(_sentence(found), bold=True)
    if found.changes:
        yield table(_COLUMNS, [[Cell(one.area, _colour(one)), one.subject, said(one)] for one in found.changes[:most]])
    if len(found.changes) > most:
        yield f"and {count(len(found.changes) - most)} more; `-n {len(found.changes)}` shows all"
    for text in found.unknown[:_UNKNOWN]:
        yield f"not compared: {printable(text)}"
    if len(found.unknown) > _UNKNOWN:
        yield f"not compared: {count(len(found.unknown) - _UNKNOWN)} more"


def _ref(run: RunRef) -> str:
    code = f"; {code_words(run)}" if run.commit else ""
    return printable(f"run {run.id}, {run.started_at}, {run.verdict}{code}")


def _sentence(found: Comparison) -> str:
    compared = ", ".join(plural(number, name[:-1]) for name, number in found.compared if number)
    if not found.changes and not found.unknown:
        return f"The same: {compared} compared."
    areas = [(area, sum(one.area == area for one in found.changes)) for area in AREAS]
    counts = ", ".join(f"{count(number)} in {area}" for area, number in areas if number)
    changes = f"{plural(len(found.changes), 'change')}: {counts}." if found.changes else "No changes were found."
    return f"{changes}{' Not everything could be compared.' if found.unknown else ''}"


def _colour(change: Change) -> str | None:
    if change.kind == "better":
        return "green"
    return "red" if change.weight >= _HEAVY else "yellow" if change.weight >= _MIDDLE else None


def said(change: Change) -> str:
    """Return a change as one sentence, with its values where the sentence does not tell them."""
    if change.area == "parameters" and change.kind == "value":
        return f"{short(value(change.before), _VALUE)} → {short(value(change.after), _VALUE)}"
    if change.area == "parameters" and change.kind == "added":
        return f"new: {short(value(change.after), _VALUE)}"
    return change.text


def as_markdown(found: Comparison, *, most: int) -> str:
    """Return a comparison as GitHub-flavoured Markdown; names cannot break out of it.

    Args:
        found: The comparison.
        most: Changes that are listed; the others are counted.
    """
    return "\n".join(_markdown(found, most)) + "\n"


def _markdown(found: Comparison, most: int) -> Iterator[str]:
    worse = [one for one in found.changes if one.weight >= _HEAVY and one.kind != "better"]
    heavy = f", {plural(len(worse), 'heavy change')}" if worse else ""
    yield f"### nbops: {_cell(found.after.verdict)}{heavy}"
    yield ""
    compared = f"Run `{_code(found.after.id)}` compared with `{_code(found.before.id)}` ({_cell(found.before.verdict)})."
    yield f"{compared} {_cell(_sentence(found))}"
    if found.before.commit and found.after.commit:
        yield ""
        yield f"Code: {_cell(code_words(found.after))}; before, {_cell(code_words(found.before))}."
    if found.changes:
        yield ""
        yield "| | what | change |"
        yield "|---|---|---|"
        yield from (
            f"| {_cell(one.area)} | {'**' if one in worse else ''}{_cell(short(one.subject, 90))}{'**' if one in worse else ''} "
            f"| {_cell(short(said(one), 240))} |"
            for one in found.changes[:most]
        )
    if len(found.changes) > most:
        yield ""
        yield f"and {count(len(found.changes) - most)} more"
    if found.unknown:
        yield ""
        yield from (f"- not compared: {_cell(short(text, 240))}" for text in found.unknown[:_UNKNOWN])


def _cell(text: str) -> str:
    r"""Return text as Markdown shows it: nothing in it is markup, a link, a mention or an image.

    >>> _cell("a|b <img> *c* @me")
    'a\\|b &lt;img&gt; \\*c\\* @\u200bme'
    """
    harmless = printable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    harmless = re.sub(r"([\\`*_\[\]|~$])", r"\\\1", harmless)
    return re.sub(r"(?<![\w])@(?=\w)", "@\u200b", harmless).replace("://", ":\u200b//")


def _code(text: str) -> str:
    return printable(text).replace("`", "'")
