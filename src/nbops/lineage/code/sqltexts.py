"""SQL texts of which parts are known when the code runs only, and macros that they call."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from nbops.lineage.code.values import Const, Table, Text, Value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nbops.lineage.code.machine import Machine

__all__ = ["Macro", "expand", "macros_of", "plain_sql"]

_HOLE = "nbops_part_{}"
_IDENTIFIER = r"[A-Za-z_][\w$]*"
_MACRO = re.compile(
    rf"\bCREATE\s+(?:OR\s+REPLACE\s+)?(?:TEMP(?:ORARY)?\s+)?(?:MACRO|FUNCTION)\s+(?:IF\s+NOT\s+EXISTS\s+)?({_IDENTIFIER})\s*\(([^)]*)\)\s*AS\s+"
    r"(TABLE\b)?",
    re.IGNORECASE,
)
_EXPANSIONS = 50
Macro = tuple[tuple[str, ...], str, frozenset[str]]
"""Parameters, body, and the injected names that entered it."""


def plain_sql(machine: Machine, value: Value) -> tuple[str | None, dict[str, Table], frozenset[str]]:
    """Return SQL whose unknown parts are read from tables of one value each; those tables; and the parameters in it.

    A part inside quotes becomes a scalar subquery, in a path ``*``. None: it is not known at all.
    """
    if isinstance(value, Const) and isinstance(value.value, str):
        return value.value, {}, value.params
    if not isinstance(value, Text):
        return None, {}, frozenset()
    tables: dict[str, Table] = {}
    pieces: list[str] = []
    for part in value.parts:
        if isinstance(part, str):
            pieces.append(part)
            continue
        name = _HOLE.format(len(tables) + 1)
        col = machine.col(part)
        tables[name] = Table(columns={"v": replace(col, rows={}, index=())}, lib="relation", origins=col.origins)
        pieces.append(f"\0{name}\0")
    text = "".join(pieces)
    text = re.sub(r"(\b(?:FROM|JOIN|TO|INTO)\s+|\(\s*)'([^'\0]*)\0\w+\0([^'\0]*)'", r"\1'\2*\3'", text, flags=re.IGNORECASE)
    text = re.sub(
        r"\b(?:TIMESTAMPTZ|TIMESTAMP|DATE|TIME|INTERVAL)\s+'\0(\w+)\0'", r"(SELECT v FROM \1)", text, flags=re.IGNORECASE
    )
    text = re.sub(r"'\0(\w+)\0'", r"(SELECT v FROM \1)", text)
    text = re.sub(r"'([^'\0]*)\0(\w+)\0([^'\0]*)'", r"('\1' || (SELECT v FROM \2) || '\3')", text)
    bare = re.compile(r"(\b(?:FROM|JOIN|INTO|UPDATE)\s+)?\0(\w+)\0", re.IGNORECASE)
    unclear = False

    def fill(found: re.Match[str]) -> str:
        nonlocal unclear
        table = tables[found[2]]
        known = bool(table.columns["v"].deps)
        if found[1] or not (known or _is_number(text, found)):
            unclear = True
        return f"{found[1] or ''}{found[2]}" if found[1] else f"(SELECT v FROM {found[2]})"

    text = bare.sub(fill, text)
    return (None if unclear else text), tables, value.params


def _is_number(text: str, found: re.Match[str]) -> bool:
    """Tell whether a bare part stands where only a value may: after an operator."""
    return bool(
        re.search(r"(?:[<>=+\-*/%]|\bLIMIT|\bBETWEEN|\bAND|\bOFFSET|\bIN\s*\()\s*$", text[: found.start(2) - 1], re.IGNORECASE)
    )


def macros_of(text: str, params: frozenset[str]) -> tuple[dict[str, Macro], str]:
    """Take ``CREATE MACRO`` out of a text."""
    found: dict[str, Macro] = {}
    while match := _MACRO.search(text):
        end = _end(text, match.end())
        parameters = tuple(part.split(":=")[0].split("=")[0].strip() for part in match[2].split(",") if part.strip())
        body = text[match.end() : end].strip()
        found[match[1].casefold()] = (parameters, body, params)
        text = text[: match.start()] + text[end:].removeprefix(";")
        if len(found) > _EXPANSIONS:
            break
    return found, text


def _end(text: str, start: int) -> int:
    """Return where a statement ends: at a semicolon outside quotes, or at the text's end."""
    quote = ""
    for at in range(start, len(text)):
        letter = text[at]
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter == ";":
            return at
    return len(text)


def expand(text: str, macros: Mapping[str, Macro]) -> tuple[str, frozenset[str]]:
    """Write macros out where they are called; tells what entered them as well."""
    params: frozenset[str] = frozenset()
    for _ in range(_EXPANSIONS):
        changed = False
        for name, macro in macros.items():
            match = re.search(rf"(?<![\w.']){re.escape(name)}\s*\(", text, re.IGNORECASE)
            if match is None:
                continue
            split = _arguments(text, match.end())
            if split is None:
                continue
            arguments, end = split
            text = text[: match.start()] + _filled(macro, arguments) + text[end:]
            changed = True
            params |= macro[2]
            if len(text) > 1_000_000:
                return text, params
        if not changed:
            break
    return text, params


def _filled(macro: Macro, arguments: Sequence[str]) -> str:
    parameters, body, _ = macro
    given = dict(zip(parameters, arguments, strict=False))
    for argument in arguments:
        named = re.match(rf"\s*({_IDENTIFIER})\s*:?=\s*(.*)$", argument, re.DOTALL)
        if named and named[1] in parameters:
            given[named[1]] = named[2]
    lowered = {name.casefold(): f"({value.strip()})" for name, value in given.items()}

    def fill(found: re.Match[str]) -> str:
        return found[0] if found[0][0] in "'\"" else lowered.get(found[0].casefold(), found[0])

    return f"({re.sub(rf'{chr(39)}[^{chr(39)}]*{chr(39)}|{_IDENTIFIER}', fill, body)})"


def _arguments(text: str, start: int) -> tuple[list[str], int] | None:
    depth, quote, last = 1, "", start
    found: list[str] = []
    for at in range(start, len(text)):
        letter = text[at]
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter in "([{":
            depth += 1
        elif letter in ")]}":
            depth -= 1
            if depth == 0:
                found.append(text[last:at])
                return ([] if found == [""] else found), at + 1
        elif letter == "," and depth == 1:
            found.append(text[last:at])
            last = at + 1
    return None
