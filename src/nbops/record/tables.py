"""Masking whole columns of tables in a notebook's outputs: cells under the name of a personal column, whatever they hold.

Values are found by their text (see :mod:`nbops.record.personal`), which fails for short ones: an age, a first name of three
letters. In a table the header says that they are personal. Understood are HTML tables (with spans, several header rows, index
columns, tables on their side), the text that pandas prints for frames and series, tables drawn with ``|`` or ``│``, and texts in
which a column's name stands before the value (``{'email': 'x'}``, ``email='x'``).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from nbops.record.personal import PERSONAL_MASK

if TYPE_CHECKING:
    from bs4 import Tag

__all__ = ["is_personal_name", "mask_html_tables", "mask_text_tables"]

_SUFFIXES = re.compile(r"_(?:x|y|left|right)$")  # what joining two frames adds
_WIDEST = 1000  # columns or rows that one cell may span
_NEAR = 40  # characters between the name and the value of a row that stands on its side
_FIRST_FIELD = re.compile(r"^\S.*?(?=\s{2,}|$)")  # of a printed line: an index, flush left
_FOOTER = re.compile(r"^(?:Name: |Length: |dtype: |\[\d+ rows x \d+ columns\]|\s*$)")


def is_personal_name(header: str, columns: Collection[str]) -> bool:
    """Say whether a header names one of the personal ``columns`` (in lower case).

    The name may follow a table's (``customers.email``) and have what a join appends (``email_x``).

    >>> [is_personal_name(name, {"email"}) for name in ("Email ", "customers.email", "email_y", "email_sent")]
    [True, True, True, False]
    """
    name = header.strip().strip("\"'`").casefold()
    return any(form in columns for form in (name, _SUFFIXES.sub("", name), name.rpartition(".")[2]))


def _grid(rows: Iterator[Tag]) -> Iterator[list[tuple[int, int, Tag]]]:
    """Yield for each row its cells with first and last column, spans over rows and columns counted."""
    below: dict[int, int] = {}  # column, to rows that a cell from above still takes there
    for row in rows:
        cells: list[tuple[int, int, Tag]] = []
        column = 0
        taken = {at for at, left in below.items() if left > 0}
        below = {at: left - 1 for at, left in below.items() if left > 1}
        for cell in row.find_all(["th", "td"], recursive=False):
            while column in taken:
                column += 1
            wide, high = _span(cell, "colspan"), _span(cell, "rowspan")
            cells.append((column, column + wide - 1, cell))
            if high > 1:
                below.update(dict.fromkeys(range(column, column + wide), high - 1))
            column += wide
        yield cells


def _span(cell: Tag, name: str) -> int:
    text = str(cell.get(name, "1")).strip()
    return max(1, min(int(text), _WIDEST)) if text.isascii() and text.isdigit() else 1


def _own_rows(table: Tag) -> Iterator[Tag]:
    return (row for row in table.find_all("tr") if row.find_parent("table") is table)


def _mask_cell(cell: Tag) -> bool:
    if cell.get_text().strip() in {"", PERSONAL_MASK} and not cell.find():
        return False
    cell.clear()
    cell.string = PERSONAL_MASK
    for name in ("title", "data-value", "data-order", "data-sort", "data-search"):
        cell.attrs.pop(name, None)
    return True


def _mask_table(table: Tag, columns: Collection[str]) -> tuple[bool, bool]:
    """Mask the personal cells of a table; say whether there are personal columns, and whether anything changed."""
    personal: set[int] = set()
    found = changed = False
    is_body = False
    for number, cells in enumerate(_grid(_own_rows(table))):
        parent = cells[0][2].find_parent(["thead", "tbody", "tfoot", "table"]) if cells else None
        kinds = {cell.name for *_, cell in cells}
        alike = kinds == {"th"} or (number == 0 and kinds == {"td"})
        is_header = not is_body and (alike or (parent is not None and parent.name == "thead"))
        is_body = is_body or not is_header
        for first, last, cell in cells:
            if is_header and _names_personal(cell, columns):
                personal |= set(range(first, last + 1))
            elif not is_header and not personal.isdisjoint(range(first, last + 1)):
                changed |= _mask_cell(cell)
        named = not is_header and any(_heads_row(cell, len(cells)) and _names_personal(cell, columns) for *_, cell in cells)
        if named:  # a table on its side: the row is the column
            changed |= sum(_mask_cell(cell) for at, (*_, cell) in enumerate(cells) if at and cell.name == "td") > 0
        found |= named
    return found or bool(personal), changed


def _names_personal(cell: Tag, columns: Collection[str]) -> bool:
    """Say whether a header names a personal column; the name may stand above its type, as DuckDB writes it."""
    return any(is_personal_name(text, columns) for text in (cell.get_text(), *cell.stripped_strings))


def _heads_row(cell: Tag, width: int) -> bool:
    """Say whether a cell may name what stands beside it: a header, or the first of two cells."""
    return cell.name == "th" or (width == 2 and cell.find_previous_sibling(["th", "td"]) is None)  # noqa: PLR2004


def mask_html_tables(text: str, columns: Collection[str]) -> tuple[str, bool]:
    """Mask the cells of personal columns in HTML.

    Args:
        text: HTML, a whole page or a part.
        columns: Names of personal columns, in lower case.

    Returns:
        The HTML, as it was when nothing had to change, and whether it holds a table with personal columns.
    """
    lowered = text.casefold()
    if "<t" not in lowered or not any(name in lowered or not name.isalnum() for name in columns):
        return text, False
    from bs4 import BeautifulSoup  # noqa: PLC0415  (few outputs need it)

    page = BeautifulSoup(text, "html.parser")
    results = [_mask_table(table, columns) for table in page.find_all("table")]
    found = any(found for found, _ in results)
    return (page.decode(formatter="minimal") if any(changed for _, changed in results) else text), found


def mask_text_tables(text: str, columns: Collection[str]) -> str:
    """Mask the cells of personal columns in plain text.

    Args:
        text: What a cell printed, or the text form of a result.
        columns: Names of personal columns, in lower case.
    """
    lowered = text.casefold()
    if not any(name in lowered for name in columns):
        return text
    text = _mask_named_values(text, columns)
    lines = text.split("\n")
    _mask_drawn(lines, columns)
    _mask_series(lines, columns)
    _mask_frames(lines, columns)
    return "\n".join(lines)


def _mask_named_values(text: str, columns: Collection[str]) -> str:
    """Mask ``'email': value``, ``email: 'value'`` and ``email=value``."""
    names = "|".join(map(re.escape, sorted(columns, key=len, reverse=True)))
    quoted = r"'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\""
    other = r"[^\s,;)}\]'\"\[{(][^,;)}\]\n]*"
    pattern = re.compile(
        rf"(?P<key>(?P<quote>['\"])(?:{names})(?P=quote)\s*[:=]\s*)(?P<value>{quoted}|{other})"
        rf"|(?P<bare>(?<![\w.])(?:{names})\s*[=:]\s*)(?P<text>{quoted})"
        rf"|(?P<field>(?<![\w.])(?:{names})=)(?P<item>{other})",
        re.IGNORECASE,
    )

    def masked(match: re.Match[str]) -> str:
        return (match["key"] or match["bare"] or match["field"]) + _same_quotes(match["value"] or match["text"] or match["item"])

    return pattern.sub(masked, text)


def _same_quotes(value: str) -> str:
    quote = value[0] if value[0] in "'\"" else ""
    return f"{quote}{PERSONAL_MASK}{quote}"


def _mask_drawn(lines: list[str], columns: Collection[str]) -> None:
    """Mask the cells of tables drawn with lines: Markdown, DuckDB, Polars, psql, tabulate."""
    personal: set[int] = set()
    width = 0
    for number, line in enumerate(lines):
        separator = "│" if "│" in line else "┆" if "┆" in line else "|" if "|" in line else ""
        if not separator:
            personal = personal if re.fullmatch(r"[\s─━═┄╌╞╪╡├┼┤└┴┘┌┬┐+=-]+", line) else set()
            continue
        cells = re.split(r"([│┆|║])", line)
        named = {at for at in range(0, len(cells), 2) if is_personal_name(cells[at], columns)}
        if named:
            personal, width = named, len(cells)
        elif personal and len(cells) == width and not re.fullmatch(r"[\s:─━═┄╌╞╪╡├┼┤+=|│┆-]+", line):
            for at in personal:
                if cells[at].strip():
                    cells[at] = f" {PERSONAL_MASK} ".ljust(len(cells[at]))
            lines[number] = "".join(cells)


def _mask_series(lines: list[str], columns: Collection[str]) -> None:
    """Mask a printed series: by the name in its footer its values, by the name in its first line its index."""
    for number, line in enumerate(lines):
        name = re.match(r"Name: (.*?)(?:, (?:Length|dtype): .*)?$", line)
        if name and is_personal_name(name[1], columns):
            for above in range(number - 1, -1, -1):
                if not lines[above].strip():
                    break
                lines[above] = re.sub(r"^(\S+\s+)\S.*$", rf"\g<1>{PERSONAL_MASK}", lines[above])
        elif line[:1].strip() and is_personal_name(line, columns) and number + 1 < len(lines):
            for below in range(number + 1, len(lines)):
                if _FOOTER.match(lines[below]):
                    break
                lines[below] = _FIRST_FIELD.sub(lambda match: _fitted(len(match.group())).ljust(len(match.group())), lines[below])


def _mask_frames(lines: list[str], columns: Collection[str]) -> None:
    """Mask the columns of a printed frame: pandas sets names and cells flush right, so a column ends where its name does."""
    names = "|".join(map(re.escape, sorted(columns, key=len, reverse=True)))
    header = re.compile(rf"(?<!\S)(?:\w+\.)?(?:{names})(?:_x|_y|_left|_right)?(?!\S)", re.IGNORECASE)
    spans: list[tuple[int, int]] = []
    for number, line in enumerate(lines):
        if _FOOTER.match(line):
            spans = []
        elif spans:
            lines[number] = _mask_spans(line, spans)
        else:
            # it may head a frame or be a row of one on its side; where that cannot be told it is masked as both
            spans = _header_spans(header, line, lines[number + 1] if number + 1 < len(lines) else "")
            if (first := header.match(line)) and "  " in line[first.end() : first.end() + _NEAR]:
                lines[number] = _on_its_side(line, first.end())


def _on_its_side(line: str, end: int) -> str:
    """Mask the rest of a line that begins with a column's name, as in a transposed frame or a printed row."""
    rest = line[end:]
    return line[:end] + rest[: len(rest) - len(rest.lstrip())] + PERSONAL_MASK if rest.strip() else line


def _header_spans(header: re.Pattern[str], line: str, below: str) -> list[tuple[int, int]]:
    """Return from where to where the personal columns reach, when ``line`` heads a frame; else nothing."""
    if "|" in line or "│" in line or (len(line.split()) == 1 and not line.startswith(" ")):  # one word at the edge heads a series
        return []
    found = [(len(line[: match.start()].rstrip()), match.end()) for match in header.finditer(line)]
    if line.startswith(" "):  # above the index
        return found
    if _FOOTER.match(below):
        return []
    flush = [below[end - 1 : end].strip() and not below[end : end + 1].strip() for _, end in found]
    return found if found and all(flush) and len(re.findall(r"\S+", below)) > 1 else []


def _mask_spans(line: str, spans: list[tuple[int, int]]) -> str:
    for start, end in reversed(spans):
        if line[start:end].strip():
            line = line[:start] + _fitted(end - start - 1).rjust(end - start) + line[end:]
    return line


def _fitted(width: int) -> str:
    """Return a mask that is not wider than a cell, so that the columns beside it stay where their names are."""
    return PERSONAL_MASK[: max(1, width)]
