"""Tables that magics show: as text in a terminal, as HTML in a notebook; whatever the data holds, it is only text."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Shown"]

_WIDEST = 72
_GAP = "  "


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A title, a table and remarks."""

    title: str
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield _plain(self.title)
        rows = [tuple(_short(_plain(cell)) for cell in row) for row in (self.columns, *self.rows)] if self.rows else []
        widths = [max(len(row[index]) for row in rows) for index in range(len(self.columns))] if rows else []
        for row in rows:
            yield _GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        yield from (_plain(note) for note in self.notes)

    def _repr_html_(self) -> str:
        title, notes = escape(_plain(self.title)), "".join(f"<p>{escape(_plain(note))}</p>" for note in self.notes)
        if not self.rows:
            return f"<p><strong>{title}</strong></p>{notes}"
        head = "".join(f'<th scope="col" style="text-align:left">{escape(name)}</th>' for name in self.columns)
        body = "".join(_row(row) for row in self.rows)
        return (
            '<table style="border-collapse:collapse">'
            f'<caption style="text-align:left;font-weight:bold">{title}</caption>'
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{notes}"
        )


def _row(cells: Sequence[str]) -> str:
    style = "text-align:left;vertical-align:top"
    return "<tr>" + "".join(f'<td style="{style}">{escape(_plain(cell))}</td>' for cell in cells) + "</tr>"


def _plain(text: str) -> str:
    """Return a text on one line, with what a terminal would obey or a reader could not see written out."""
    line = " ".join(text.split())
    return "".join(char if char == "\u200d" or unicodedata.category(char)[0] != "C" else f"\\u{ord(char):04x}" for char in line)


def _short(text: str) -> str:
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…"
