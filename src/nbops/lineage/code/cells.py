"""From the text of a cell to what can be analysed: magics and shell commands are taken out, and said so."""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass

__all__ = ["Source", "read_cell"]

_LONGEST = 2_000_000
"""Characters of a cell; a longer one holds data, not code."""
_LINE_MAGIC = re.compile(r"^(?P<indent>\s*)(?P<assign>[\w, ]+=\s*)?%(?P<name>[A-Za-z_]\w*)[ \t]*(?P<rest>.*)$")
_CELL_MAGIC = re.compile(r"\A\s*%%(?P<name>[A-Za-z_]\w*)[ \t]*(?P<line>[^\n]*)\n?(?P<body>.*)\Z", re.DOTALL)
_SHELL = re.compile(r"^(?P<indent>\s*)(?P<assign>[\w, ]+=\s*)?!(?!=)(?P<rest>.*)$")
_HELP = re.compile(r"^\s*\?{1,2}[\w.*]+\s*$|^\s*[\w.]+\?{1,2}\s*$")
_TIMING = {"time", "timeit", "prun", "memit", "mprun", "lprun"}
_PYTHON_CELLS = {"time", "timeit", "capture", "prun", "memit", "python", "python3", "px"}
_SQL = {"sql", "duckdb", "dql"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A cell's code."""

    tree: tuple[ast.stmt, ...] = ()
    notes: tuple[tuple[int, str], ...] = ()
    """Line (from 1) and what was left out there."""


def read_cell(text: str) -> Source:
    """Parse a cell; never raises."""
    if len(text) > _LONGEST:
        return Source(notes=((1, f"the cell has {len(text):,} characters, more than {_LONGEST:,}: not analysed"),))
    notes: list[tuple[int, str]] = []
    magic = _CELL_MAGIC.match(text) if text.lstrip().startswith("%%") else None
    shift = 0
    if magic:
        name = magic["name"]
        if name in _SQL:
            body = magic["body"]
            target = re.search(r"(\w+)\s*<<\s*$", magic["line"]) or re.search(r"-o\s+(\w+)", magic["line"])
            call = f"__nbops_sql__({body!r})"
            text = f"{target[1]} = {call}" if target else call
        elif name in _PYTHON_CELLS:
            notes.append((1, f"the magic %%{name} is left out, its cell is analysed"))
            text, shift = magic["body"], 1
        else:
            return Source(notes=((1, f"a cell of the magic %%{name}: not analysed"),))
    text = "\n" * shift + text
    tree = _parse(text)
    try:
        if tree is None:
            lines = [_line(line, number + 1, notes) for number, line in enumerate(text.split("\n"))]
            tree = _strict("\n".join(lines))
    except SyntaxError as error:
        notes.append((error.lineno or 1, f"syntax error ({error.msg}): the cell is not analysed"))
    except (ValueError, RecursionError, MemoryError) as error:
        notes.append((1, f"cannot be parsed ({type(error).__name__}): the cell is not analysed"))
    else:
        return Source(tree=tuple(tree.body), notes=tuple(notes))
    return Source(notes=tuple(notes))


def _strict(text: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the cell's own doubtful escapes
        return ast.parse(text)


def _parse(text: str) -> ast.Module | None:
    """Parse plain Python, where a line that looks like a magic is none (in a text of several lines, after an operator)."""
    try:
        return _strict(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _line(line: str, number: int, notes: list[tuple[int, str]]) -> str:
    """Turn a line of IPython's into one of Python's."""
    if not line or not ("%" in line or "!" in line or "?" in line):
        return line
    if _HELP.match(line):
        return ""
    found = _SHELL.match(line)
    if found:
        notes.append((number, "a shell command: not analysed"))
        return f"{found['indent']}{found['assign'] or ''}__nbops_unknown__()"
    found = _LINE_MAGIC.match(line)
    if not found:
        return line
    indent, assign, name, rest = found["indent"], found["assign"] or "", found["name"], found["rest"]
    if name in _TIMING:
        return f"{indent}{assign}{rest}" if rest and not rest.startswith("-") else f"{indent}pass"
    if name in _SQL:
        target = re.match(r"\s*(\w+)\s*<<\s*(.*)$", rest)
        body = target[2] if target else rest
        head = f"{target[1]} = " if target else assign
        return f"{indent}{head}__nbops_sql__({body!r})"
    notes.append((number, f"the magic %{name} is left out"))
    return f"{indent}{assign}__nbops_unknown__()" if assign else f"{indent}pass"
