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

__all__ = ["Slice", "Statement", "columns_between", "slice_of", "statements_of"]

_MAGIC = re.compile(r"^\s*[%!?]")
_SQL = re.compile(r"\b(select|insert|update|create)\b.*\b(from|into|set|table|view)\b|\bselect\b", re.IGNORECASE | re.DOTALL)
_ALIAS = re.compile(r"\bas\s+[\"`]?([A-Za-z_]\w*)", re.IGNORECASE)
_WORD = re.compile(r"[A-Za-z_]\w*")
_SQL_ROWS = re.compile(r"\b(where|join|having|limit|distinct|group\s+by|qualify|union|sample)\b", re.IGNORECASE)
_EXPRESSION = re.compile(r"[<>=!]=?\s*\S|@[A-Za-z_]")
_GIVEN = re.compile(r"@([A-Za-z_]\w*)")
_NAMING = frozenset({"assign", "with_columns", "agg", "aggregate", "mutate", "select", "aggregates", "transform"})
_DICT = frozenset({"fillna", "astype", "replace", "agg", "aggregate", "cast", "round", "with_columns", "assign", "fill_null"})
_ROWS = frozenset(
    [
        *("merge", "join", "query", "dropna", "drop_duplicates", "filter", "sample", "head", "tail", "nlargest", "nsmallest"),
        *("concat", "append", "groupby", "group_by", "explode", "melt", "pivot", "pivot_table", "unique", "union", "limit"),
        *("drop_nulls", "drop", "slice", "vstack", "resample", "join_asof", "merge_asof", "unstack", "stack", "between", "isin"),
    ]
)
_EFFECTS = ("to_", "write", "save", "execute", "sql", "append", "insert", "update", "pop", "extend", "register", "sort", "dump")
_FRAMES = frozenset({*_ROWS, "to_parquet", "to_csv", "to_json", "write_parquet", "write_csv", "assign", "with_columns", "rename"})
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
    words = frozenset(_WORD.findall(text))
    return Statement(
        cell=index,
        text=" ".join(text.split()),
        writes=frozenset(_ALIAS.findall(text)),
        mentions=words,
        rows=bool(_SQL_ROWS.search(text)),
        whole=True,
    )


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
        if _SQL.search(node.value):
            self.mentions |= set(_WORD.findall(node.value))
            self.writes |= set(_ALIAS.findall(node.value))
            self.whole = True
            self.rows = self.rows or bool(_SQL_ROWS.search(node.value))
        else:
            self.mentions.add(node.value)
            if _EXPRESSION.search(node.value):  # of `DataFrame.query` and `eval`
                self.mentions |= set(_WORD.findall(node.value))
                self.loads |= set(_GIVEN.findall(node.value))

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.mentions.add(node.attr)
        if isinstance(node.ctx, ast.Store) and isinstance(node.value, ast.Name):
            self.writes.add(node.attr)
        if node.attr in _FRAMES and isinstance(node.value, ast.Name):
            self.frames.add(node.value.id)
        self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        names = _texts(node.slice)
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
            self.writes |= _texts(node.target.slice)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id if isinstance(node.func, ast.Name) else ""
        if name in _NAMING:
            self.writes |= {keyword.arg for keyword in node.keywords if keyword.arg}
        if name in {"rename", "alias", "name", "insert", "drop", "set_axis"}:
            self._named(name, node)
        if name in _DICT:
            self.writes |= {text for item in node.args if isinstance(item, ast.Dict) for text in _keys(item)}
        inplace = any(k.arg == "inplace" for k in node.keywords)
        if inplace and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
            self.stores.add(node.func.value.id)
        if inplace and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Subscript):
            self.writes |= _texts(node.func.value.slice)
        if name in _ROWS or name.startswith(("read_", "scan_")):
            self.rows = True
        self.generic_visit(node)

    def _named(self, name: str, node: ast.Call) -> None:
        if name in {"alias", "name"}:
            self.writes |= {text for item in node.args for text in _texts(item)}
        elif name == "insert" and len(node.args) > 1:
            self.writes |= _texts(node.args[1])
        elif name == "drop":
            self.writes |= {text for k in node.keywords if k.arg == "columns" for text in _texts(k.value)}
        for item in (*node.args, *(k.value for k in node.keywords if k.arg == "columns")):
            if name == "rename" and isinstance(item, ast.Dict):
                self.writes |= {text for value in item.values for text in _texts(value)} | _keys(item)


def _texts(node: ast.AST | None) -> set[str]:
    """Return the texts that a subscript or argument names: ``"a"``, ``["a", "b"]``, ``(mask, "a")``."""
    if isinstance(node, ast.Constant):
        return {node.value} if isinstance(node.value, str) else set()
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return {text for item in node.elts for text in _texts(item)}
    return set()


def _keys(node: ast.Dict) -> set[str]:
    return {text for key in node.keys for text in _texts(key)}


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
                made = dict.fromkeys(item.mentions if item.writes & wanted.keys() else (), strength * _KEPT)
                _raise(wanted, made)
                _raise(names, dict.fromkeys(item.loads - frames, strength * _KEPT))
    return Slice(statements=tuple(statements), strengths=tuple(strengths), columns=wanted)


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


def columns_between(old: Statement, new: Statement) -> frozenset[str] | None:
    """Return the columns that the difference of two statements is about; None when it is not about single columns.

    The trees are compared from the top: a difference below a keyword or key of a dictionary is about the column that this names,
    and lists of texts differ in these.
    """
    try:
        one, other = ast.parse(old.text).body[0], ast.parse(new.text).body[0]
    except (SyntaxError, ValueError, RecursionError, IndexError):
        return _sql_columns(old.text, new.text) if old.whole and new.whole else None
    found: set[str] = set()
    return frozenset(found) if _differ(one, other, None, found) and found else None


def columns_using(item: Statement, names: frozenset[str]) -> frozenset[str] | None:
    """Return the columns for which a statement uses some names; None where that is not for single columns."""
    try:
        tree = ast.parse(item.text)
    except (SyntaxError, ValueError, RecursionError):
        return None
    found: set[str | None] = set()
    _places(tree, names, None, found)
    return frozenset(name for name in found if name is not None) if found and None not in found else None


def _places(node: ast.AST, names: frozenset[str], context: str | None, found: set[str | None]) -> None:
    if (isinstance(node, ast.Name) and node.id in names) or (isinstance(node, ast.Attribute) and node.attr in names):
        found.add(context)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        named = node.func.attr in _NAMING
        alias = _alias(node)
        _places(node.func, names, alias or context, found)
        for argument in node.args:
            _places(argument, names, context, found)
        for keyword in node.keywords:
            _places(keyword.value, names, keyword.arg if named and keyword.arg else context, found)
    elif isinstance(node, ast.Dict) and _keyed(node) and node.keys:
        for key, value in _items(node).items():
            _places(value, names, key, found)
    else:
        for part in ast.iter_child_nodes(node):
            _places(part, names, context, found)


def _alias(node: ast.Call) -> str | None:
    """Return the name that ``.alias("name")`` gives."""
    if not isinstance(node.func, ast.Attribute) or node.func.attr not in {"alias", "name"} or len(node.args) != 1:
        return None
    return next(iter(_texts(node.args[0])), None)


def _sql_columns(old: str, new: str) -> frozenset[str] | None:
    """Return the columns in which two queries differ; None where more than what is selected differs."""
    one, other = _selected(old), _selected(new)
    if one is None or other is None or one[1] != other[1]:
        return None
    names = one[0].keys() | other[0].keys()
    return frozenset(name for name in names if one[0].get(name) != other[0].get(name)) or None


def _selected(text: str) -> tuple[dict[str, str], str] | None:
    """Return what a query selects, by name, and the rest of it, without regard to blanks and upper case."""
    found = re.search(r"\bselect\b(?P<items>.*?)\bfrom\b", text, re.IGNORECASE | re.DOTALL)
    if found is None:
        return None
    items: list[str] = [""]
    depth = 0
    for sign in found["items"]:
        depth += (sign == "(") - (sign == ")")
        if sign == "," and depth == 0:
            items.append("")
        else:
            items[-1] += sign
    rest = text[: found.start()] + text[found.end() :]
    named = {(_WORD.findall(item) or [item.strip()])[-1]: " ".join(item.lower().split()) for item in items}
    return named, " ".join(rest.lower().split())


def _differ(  # noqa: PLR0911 - a case for each kind of node
    one: object, other: object, context: str | None, found: set[str]
) -> bool:
    """Note of which columns two trees differ; False when a difference is not about a column."""
    if isinstance(one, ast.AST) and isinstance(other, ast.AST) and ast.dump(one) == ast.dump(other):
        return True
    if isinstance(one, ast.Call) and isinstance(other, ast.Call):
        old, new = {k.arg: k.value for k in one.keywords}, {k.arg: k.value for k in other.keywords}
        name = one.func.attr if isinstance(one.func, ast.Attribute) else ""
        named = name in _NAMING
        if (
            name in _ROWS
            and not named
            and [ast.dump(k) for k in one.keywords] + [ast.dump(a) for a in one.args]
            != [ast.dump(k) for k in other.keywords] + [ast.dump(a) for a in other.args]
        ):
            return False  # about rows, whatever columns it names
        inner = _alias(one) if _alias(one) == _alias(other) else None
        fine = _differ(one.func, other.func, inner or context, found) and _differ_lists(one.args, other.args, context, found)
        for name in sorted(map(str, old.keys() | new.keys())):
            fine = fine and _differ_part(old.get(name), new.get(name), name if named else context, found)
        return fine
    if isinstance(one, ast.Dict) and isinstance(other, ast.Dict) and all(_keyed(item) for item in (one, other)):
        old_items, new_items = _items(one), _items(other)
        return all(
            _differ_part(old_items.get(key), new_items.get(key), key, found)
            for key in sorted(old_items.keys() | new_items.keys())
        )
    if (
        isinstance(one, ast.List | ast.Tuple)
        and isinstance(other, ast.List | ast.Tuple)
        and _all_texts(one)
        and _all_texts(other)
    ):
        found.update({context} if context is not None else _texts(one) ^ _texts(other))
        return True
    texts = [item.value for item in (one, other) if isinstance(item, ast.Constant) and isinstance(item.value, str)]
    if len(texts) == 2 and all(map(_SQL.search, texts)):  # noqa: PLR2004 - both
        columns = _sql_columns(texts[0], texts[1])
        found.update(columns or ())
        return columns is not None
    if isinstance(one, ast.AST) and isinstance(other, ast.AST) and type(one) is type(other):
        return all(_differ(getattr(one, name, None), getattr(other, name, None), context, found) for name in one._fields)
    if isinstance(one, list) and isinstance(other, list):
        return _differ_lists(one, other, context, found)
    return _differ_part(one, other, context, found) if one != other else True


def _differ_lists(one: Sequence[object], other: Sequence[object], context: str | None, found: set[str]) -> bool:
    if len(one) != len(other):
        return _leaf(context, found)
    return all(_differ(a, b, context, found) for a, b in zip(one, other, strict=True))


def _differ_part(one: object, other: object, context: str | None, found: set[str]) -> bool:
    if isinstance(one, ast.AST) and isinstance(other, ast.AST) and type(one) is type(other) and not isinstance(one, ast.Constant):
        return _differ(one, other, context, found)
    if isinstance(one, ast.AST) and isinstance(other, ast.AST) and ast.dump(one) == ast.dump(other):
        return True
    return _leaf(context, found) if one != other else True


def _leaf(context: str | None, found: set[str]) -> bool:
    if context is None:
        return False
    found.add(context)
    return True


def _keyed(node: ast.Dict) -> bool:
    return all(isinstance(key, ast.Constant) and isinstance(key.value, str) for key in node.keys)


def _items(node: ast.Dict) -> dict[str, ast.expr]:
    return {str(key.value): value for key, value in zip(node.keys, node.values, strict=True) if isinstance(key, ast.Constant)}


def _all_texts(node: ast.List | ast.Tuple) -> bool:
    return bool(node.elts) and all(isinstance(item, ast.Constant) and isinstance(item.value, str) for item in node.elts)
