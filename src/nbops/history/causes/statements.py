"""What the statements of a notebook do to columns, and which of them a column comes from: read from code, nothing is run.

This is a backward slice (M. Weiser, Program Slicing, IEEE Transactions on Software Engineering 10(4), 1984) by names: of columns
(texts and attributes in the code) and of variables. It knows no types, so each statement gets a strength from 0 to 1 and no
yes or no.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from nbops.history.causes.codewords import NAMING, ROWS, SQL, WORD, texts_of
from nbops.history.causes.differing import columns_using, selected_for

__all__ = ["Slice", "Statement", "parts_of_modules", "slice_of", "statements_of"]

_MAGIC = re.compile(r"^\s*[%!?]")
_ALIAS = re.compile(r"\bas\s+[\"`]?([A-Za-z_]\w*)", re.IGNORECASE)
_SQL_ROWS = re.compile(r"\b(where|join|having|limit|distinct|group\s+by|qualify|union|sample)\b", re.IGNORECASE)
_SQL_COMMENT = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|/\*.*?\*/""", re.DOTALL)
_EXPRESSION = re.compile(r"[<>=!]=?\s*\S|@[A-Za-z_]")
_GIVEN = re.compile(r"@([A-Za-z_]\w*)")
_DICT = frozenset({"fillna", "astype", "replace", "agg", "aggregate", "cast", "round", "with_columns", "assign", "fill_null"})
_EFFECTS = ("to_", "write", "save", "execute", "sql", "append", "insert", "update", "pop", "extend", "register", "sort", "dump")
_FRAMES = frozenset({*ROWS, "to_parquet", "to_csv", "to_json", "write_parquet", "write_csv", "assign", "with_columns", "rename"})
_NULL = 0.03
"""Strength of a statement that makes other columns only."""
_KEPT = 0.95
"""Strength that is left a step further up."""
_UNKNOWN = 0.45
"""Strength of a statement where what flows where is not seen."""
_TOLD_FURTHER = 0.35
"""From this strength on what a statement uses counts too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement at the top level of a cell."""

    cell: int
    """Index of its cell, as in :class:`nbops.model.CellRun`."""
    text: str
    """Its code without comments and layout."""
    writes: frozenset[str] = frozenset()
    """Columns that it makes, changes or drops."""
    mentions: frozenset[str] = frozenset()
    """Short texts and attributes in it: columns perhaps."""
    loads: frozenset[str] = frozenset()
    stores: frozenset[str] = frozenset()
    frames: frozenset[str] = frozenset()
    """Variables that it uses as a table."""
    rows: bool = False
    """It may change which rows there are."""
    whole: bool = False
    """It is no Python, or holds SQL: what it does is not known part by part."""
    idle: bool = False
    """It only shows something."""

    @property
    def words(self) -> frozenset[str]:
        """All words in it, also those within texts."""
        return frozenset(WORD.findall(self.text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """How much each statement has to do with some columns."""

    statements: tuple[Statement, ...]
    strengths: tuple[float, ...]
    columns: Mapping[str, float]
    """Columns by whose values the columns come about, in this code."""

    def of(self, statement: Statement) -> float:
        """Return the strength of a statement; 0 when it is not part of the code."""
        found = [s for one, s in zip(self.statements, self.strengths, strict=True) if one.text == statement.text]
        return max(found, default=0.0)

    def using(self, names: Iterable[str]) -> tuple[float, tuple[int, ...]]:
        """Return the strongest statement that uses one of some names, and the cells in which they are used."""
        wanted, best, cells = frozenset(names), 0.0, set()
        for one, strength in zip(self.statements, self.strengths, strict=True):
            if one.loads & wanted or (one.mentions & wanted and not one.text.startswith(("import ", "from "))):
                places = columns_using(one, wanted)
                if places is not None:  # within a statement about several columns, for some of them only
                    best = max(best, min(strength, max(self.columns.get(name, _NULL) for name in places)))
                else:
                    best = max(best, strength)
                cells.add(one.cell)
        return best, tuple(sorted(cells))


def statements_of(cells: Iterable[tuple[int, str]]) -> tuple[Statement, ...]:
    """Return the statements of code cells in order; a cell that is no Python is one statement of its words.

    Args:
        cells: Index and text of each cell.
    """
    return tuple(item for index, text in cells for item in _of_cell(index, text))


@lru_cache(maxsize=2_048)
def _of_cell(index: int, text: str) -> tuple[Statement, ...]:
    lines = text.splitlines()
    if lines and lines[0].lstrip().startswith("%%"):
        return (_foreign(index, text),)
    plain = "\n".join("" if _MAGIC.match(line) else line for line in lines)
    try:
        tree = ast.parse(plain)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return (_foreign(index, text),) if text.strip() else ()
    return tuple(_statement(index, node) for node in tree.body)


def _foreign(index: int, text: str) -> Statement:
    words = frozenset(WORD.findall(text))
    first = text.split(maxsplit=1)[0] if text.strip() else ""
    query = SQL.search(text) and (not first.startswith("%%") or "sql" in first or "duck" in first)
    code = _SQL_COMMENT.sub(_blank, text) if query else text
    return Statement(
        cell=index,
        text=" ".join(code.split()),
        writes=frozenset(_ALIAS.findall(text)),
        mentions=words,
        rows=bool(_SQL_ROWS.search(text)),
        whole=True,
    )


def _blank(found: re.Match[str]) -> str:
    return " " if found[0].startswith(("-", "/")) else found[0]


def _statement(index: int, node: ast.stmt) -> Statement:
    found = _Look()
    found.visit(node)
    stores = {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store)}
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        stores = {node.name}
    if isinstance(node, ast.Import | ast.ImportFrom):
        stores = {alias.asname or alias.name.split(".")[0] for alias in node.names}
    return Statement(
        cell=index,
        text=ast.unparse(node),
        writes=frozenset(found.writes),
        mentions=frozenset(found.mentions),
        loads=frozenset(found.loads),
        stores=frozenset(stores | found.stores),
        frames=frozenset(found.frames),
        rows=found.rows,
        whole=found.whole,
        idle=_is_idle(node),
    )


def _is_idle(node: ast.stmt) -> bool:
    """Tell whether a statement only shows or asserts something."""
    if isinstance(node, ast.Assert | ast.Pass):
        return True
    if not isinstance(node, ast.Expr):
        return False
    value = node.value
    if not isinstance(value, ast.Call):
        return True
    if any(keyword.arg == "inplace" for keyword in value.keywords):
        return False
    name = value.func.attr if isinstance(value.func, ast.Attribute) else value.func.id if isinstance(value.func, ast.Name) else ""
    return not name.startswith(_EFFECTS) if isinstance(value.func, ast.Attribute) else name in {"print", "display", "len", "type"}


class _Look(ast.NodeVisitor):
    """Collects what a statement makes, mentions and uses."""

    def __init__(self) -> None:
        self.writes: set[str] = set()
        self.mentions: set[str] = set()
        self.loads: set[str] = set()
        self.frames: set[str] = set()
        self.stores: set[str] = set()
        self.rows = self.whole = False

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self.loads.add(node.id)

    def visit_Constant(self, node: ast.Constant) -> None:
        if not isinstance(node.value, str):
            return
        if SQL.search(node.value):
            self.mentions |= set(WORD.findall(node.value))
            self.writes |= set(_ALIAS.findall(node.value))
            self.whole = True
            self.rows = self.rows or bool(_SQL_ROWS.search(node.value))
        else:
            self.mentions.add(node.value)
            if _EXPRESSION.search(node.value):  # of `DataFrame.query` and `eval`
                self.mentions |= set(WORD.findall(node.value))
                self.loads |= set(_GIVEN.findall(node.value))

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.mentions.add(node.attr)
        if isinstance(node.ctx, ast.Store) and isinstance(node.value, ast.Name):
            self.writes.add(node.attr)
        if node.attr in _FRAMES and isinstance(node.value, ast.Name):
            self.frames.add(node.value.id)
        self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        names = texts_of(node.slice)
        base = node.value.value if isinstance(node.value, ast.Attribute) and node.value.attr in {"loc", "iloc"} else node.value
        if names and isinstance(base, ast.Name):
            self.frames.add(base.id)
        if isinstance(node.ctx, ast.Store | ast.Del):
            self.writes |= names
        elif _chooses_rows(node):
            self.rows = True
            if isinstance(base, ast.Name):
                self.frames.add(base.id)
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        self.rows = self.rows or bool(node.ifs)
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Subscript):
            self.writes |= texts_of(node.target.slice)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id if isinstance(node.func, ast.Name) else ""
        if name in NAMING:
            self.writes |= {keyword.arg for keyword in node.keywords if keyword.arg}
        if name in {"rename", "alias", "name", "insert", "drop", "set_axis"}:
            self._named(name, node)
        if name in _DICT:
            self.writes |= {text for item in node.args if isinstance(item, ast.Dict) for text in _keys(item)}
        inplace = any(k.arg == "inplace" for k in node.keywords)
        if inplace and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
            self.stores.add(node.func.value.id)
        if inplace and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Subscript):
            self.writes |= texts_of(node.func.value.slice)
        if name in ROWS or name.startswith(("read_", "scan_")):
            self.rows = True
        self.generic_visit(node)

    def _named(self, name: str, node: ast.Call) -> None:
        if name in {"alias", "name"}:
            self.writes |= {text for item in node.args for text in texts_of(item)}
        elif name == "insert" and len(node.args) > 1:
            self.writes |= texts_of(node.args[1])
        elif name == "drop":
            self.writes |= {text for k in node.keywords if k.arg == "columns" for text in texts_of(k.value)}
        for item in (*node.args, *(k.value for k in node.keywords if k.arg == "columns")):
            if name == "rename" and isinstance(item, ast.Dict):
                self.writes |= {text for value in item.values for text in texts_of(value)} | _keys(item)


def _keys(node: ast.Dict) -> set[str]:
    return {text for key in node.keys for text in texts_of(key)}


def _chooses_rows(node: ast.Subscript) -> bool:
    """Tell whether a subscript chooses rows: by a mask or a range, not by names."""
    chosen = node.slice
    if isinstance(node.value, ast.Attribute) and node.value.attr == "str":
        return False  # characters of texts
    if isinstance(chosen, ast.Tuple) and chosen.elts:
        chosen = chosen.elts[0]
    return isinstance(chosen, ast.Compare | ast.BoolOp | ast.BinOp | ast.UnaryOp | ast.Call | ast.Slice) and not (
        isinstance(chosen, ast.Slice) and chosen.lower is None and chosen.upper is None
    )


def slice_of(statements: Sequence[Statement], columns: Mapping[str, float], *, rows: float, until: int | None = None) -> Slice:
    """Return how much each statement has to do with some columns.

    Args:
        statements: The notebook's, in order.
        columns: Name to strength, of those that are asked about.
        rows: Strength of statements that decide which rows there are.
        until: The last cell that counts: where a notebook failed.
    """
    wanted, names = dict(columns), dict[str, float]()
    frames = {name for item in statements for name in item.frames}
    strengths = [0.0] * len(statements)
    for _ in range(2):  # a second time for functions and columns of which is known only now that they count
        for place in range(len(statements) - 1, -1, -1):
            item = statements[place]
            if item.idle or (until is not None and item.cell > until):
                continue
            strength = max(strengths[place], _strength(item, wanted, names, frames, rows=rows))
            strengths[place] = strength
            if item.writes & wanted.keys() or item.stores & names.keys() or strength >= _TOLD_FURTHER:
                made = dict.fromkeys(_feeding(item, wanted) if item.writes & wanted.keys() else (), strength * _KEPT)
                _raise(wanted, made)
                _raise(names, dict.fromkeys(item.loads - frames, strength * _KEPT))
    return Slice(statements=tuple(statements), strengths=tuple(strengths), columns=wanted)


def parts_of_modules(statements: Sequence[Statement]) -> tuple[frozenset[str], ...]:
    """Return of each statement the names that it uses only as parts of what is imported.

    The ``cost`` of ``prices.cost(x)`` is no column.
    """
    imported = {name for item in statements if item.text.startswith(("import ", "from ")) for name in item.stores}
    return tuple(_parts(item, imported) if item.loads & imported else frozenset() for item in statements)


def _parts(item: Statement, imported: set[str]) -> frozenset[str]:
    try:
        tree = ast.parse(item.text)
    except (SyntaxError, ValueError, RecursionError):
        return frozenset()
    found, others = set[str](), set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            of_module = isinstance(node.value, ast.Name) and node.value.id in imported
            (found if of_module else others).add(node.attr)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            others.add(node.value)
    return frozenset(found - others)


def _feeding(item: Statement, wanted: Mapping[str, float]) -> frozenset[str]:
    """Return what a statement mentions for the wanted columns; of one that makes several, not what is for the others."""
    if not item.writes - wanted.keys():
        return item.mentions
    try:
        tree = ast.parse(item.text)
    except (SyntaxError, ValueError, RecursionError):
        reduced = selected_for(item.text, wanted) if item.whole else None
        return item.mentions if reduced is None else item.mentions & frozenset(WORD.findall(reduced))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in NAMING:
            if any(keyword.arg in wanted for keyword in node.keywords):
                node.keywords = [keyword for keyword in node.keywords if keyword.arg is None or keyword.arg in wanted]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and SQL.search(node.value):
            node.value = selected_for(node.value, wanted) or node.value
    found = _Look()
    found.visit(tree)
    return frozenset(found.mentions)


def _raise(known: dict[str, float], found: Mapping[str, float]) -> None:
    for name, strength in found.items():
        known[name] = max(known.get(name, 0.0), strength)


def _strength(
    item: Statement, wanted: Mapping[str, float], names: Mapping[str, float], frames: set[str], *, rows: float
) -> float:
    made = [wanted[name] for name in item.writes & wanted.keys()]
    made += [names[name] for name in item.stores & names.keys()]
    if item.rows and (item.stores & frames or item.whole or not frames):
        made.append(rows)
    if made:
        return max(made)
    if item.writes:
        return _NULL
    mentioned = [wanted[name] for name in item.mentions & wanted.keys()]
    if mentioned and not item.text.startswith(("import ", "from ")):
        return 0.6 * max(mentioned)
    if not frames:
        return _UNKNOWN  # no tables by name: what flows where is not seen
    return 0.2 if item.stores & frames or item.rows else 0.1
