"""What the commands print: text that cannot harm a terminal, tables, JSON."""

from __future__ import annotations

import json
import re
import shutil
import sys
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Cell", "Column", "colour_of", "cut", "echo_json", "echo_json_text", "on_terminal", "printable", "table", "width_of"]

_COLOURS = {
    "passed": "green",
    "succeeded": "green",
    "ok": "green",
    "warned": "yellow",
    "warn": "yellow",
    "held": "yellow",
    "interrupted": "yellow",
    "running": "cyan",
    "up_to_date": "cyan",
    "failed": "red",
    "fail": "red",
    "errored": "red",
    "error": "red",
    "killed": "red",
}
_ZERO_WIDTH_JOINER = "\u200d"  # holds emoji together, and moves nothing
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_WIDE = frozenset({"W", "F"})
_ELLIPSIS = "…"
_MOST_MARKS = 8  # characters looked at per column of a cell; combining marks have no width and no end
_NARROWEST = 20  # columns that a flexible column keeps on a small terminal
_PLAIN_WIDTH = 200  # most columns of a cell where the output is no terminal
_GAP = "  "


def on_terminal() -> bool:
    """Return whether standard output is a terminal."""
    return bool(sys.stdout is not None and sys.stdout.isatty())


def colour_of(word: str) -> str | None:
    """Return the colour of a verdict or a status."""
    return _COLOURS.get(word)


def printable(text: str, *, lines: bool = False) -> str:
    r"""Return ``text`` with everything written out that a terminal would obey, or that a reader could not see.

    Control characters, escape sequences, marks that turn the direction of writing, and characters without a form.

    Args:
        text: Any text.
        lines: Keep line ends and tabs; by default runs of white space become one space.

    >>> printable("\x1b[31mred\x00\u202e")
    '\\x1b[31mred\\x00\\u202e'
    >>> printable("two\n lines")
    'two lines'
    """
    if not lines:
        text = re.sub(r"[ \t\r\n\f\v]+", " ", text).strip(" ")
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if char in "\n\t" or _is_shown(char) else _written(char) for char in text)


def _is_shown(char: str) -> bool:
    return char == _ZERO_WIDTH_JOINER or unicodedata.category(char) not in _HIDDEN


def _written(char: str) -> str:
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"  # noqa: PLR2004


def width_of(text: str) -> int:
    """Return how many columns of a terminal a text takes, by Unicode's East Asian Width.

    >>> width_of("abc"), width_of("数据"), width_of("e\u0301")
    (3, 4, 1)
    """
    if text.isascii():
        return len(text)
    return sum(_char_width(char) for char in text)


def _char_width(char: str) -> int:
    if char == _ZERO_WIDTH_JOINER or unicodedata.category(char) in {"Mn", "Me"}:
        return 0
    return 2 if unicodedata.east_asian_width(char) in _WIDE else 1


def cut(text: str, width: int) -> str:
    """Return ``text`` on one line, printable, and at most ``width`` columns wide.

    >>> cut("a long text", 7)
    'a long…'
    """
    head = printable(text[: width * _MOST_MARKS])
    if len(text) <= width * _MOST_MARKS and width_of(head) <= width:
        return head
    room, kept = width - 1, []
    for char in head:
        room -= _char_width(char)
        if room < 0:
            break
        kept.append(char)
    return "".join(kept).rstrip() + _ELLIPSIS


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table."""

    title: str
    right: bool = False
    """Numbers stand to the right."""
    most: int = 40
    """Widest it gets, in terminal columns."""
    flexible: bool = False
    """Takes what room is left in the terminal."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell with a colour."""

    text: str
    colour: str | None = None


def table(columns: Sequence[Column], rows: Sequence[Sequence[str | Cell]]) -> str:
    """Return a table as lines of text: as wide as the terminal, or as its contents where there is none.

    Args:
        columns: The columns.
        rows: A text or cell for each column; hostile ones are made harmless.
    """
    cells = [[item if isinstance(item, Cell) else Cell(item) for item in row] for row in rows]
    limits = _limits(columns, cells)
    lines = ["".join(_lay(Cell(column.title), limit, column) for column, limit in zip(columns, limits, strict=True))]
    lines += [
        "".join(_lay(cell, limit, column) for cell, limit, column in zip(row, limits, columns, strict=True)) for row in cells
    ]
    return "\n".join(line.rstrip() for line in lines)


def _limits(columns: Sequence[Column], cells: Sequence[Sequence[Cell]]) -> list[int]:
    limits = []
    for index, column in enumerate(columns):
        most = _PLAIN_WIDTH if column.flexible else column.most
        widths = (width_of(cut(row[index].text, most)) for row in cells)
        limits.append(max([width_of(column.title), *widths]))
    if on_terminal():
        room = shutil.get_terminal_size().columns - sum(limits) - len(_GAP) * (len(columns) - 1)
        for index, column in enumerate(columns):
            if column.flexible and room < 0:
                narrower = max(min(limits[index], _NARROWEST), limits[index] + room)
                room += limits[index] - narrower
                limits[index] = narrower
    return limits


def _lay(cell: Cell, limit: int, column: Column) -> str:
    text = cut(cell.text, limit)
    pad = " " * (limit - width_of(text))
    shown = click.style(text, fg=cell.colour) if cell.colour else text
    return f"{pad}{shown}{_GAP}" if column.right else f"{shown}{pad}{_GAP}"


def echo_json(value: Any) -> None:
    """Print a value as JSON; for a terminal, what it would obey is written as JSON's own escapes."""
    text = json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True, allow_nan=False)
    echo_json_text(text)


def echo_json_text(text: str, *, end: str = "\n") -> None:
    """Print a JSON document: unchanged into a file or pipe, made harmless (and still equal) for a terminal."""
    if on_terminal():
        text = "".join(char if char == "\n" or _is_shown(char) else json.dumps(char)[1:-1] for char in text)
    click.echo((text + end).encode("utf-8", "backslashreplace"), nl=False)
