"""Which columns the difference of two statements is about, and for which a statement uses some names."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nbops.history.causes.codewords import NAMING, ROWS, SQL, WORD, same_query, texts_of

if TYPE_CHECKING:
    from collections.abc import Container

    from nbops.history.causes.statements import Statement

__all__ = ["columns_between", "columns_using", "selected_for"]


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
        named = node.func.attr in NAMING
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
    return next(iter(texts_of(node.args[0])), None)


def _sql_columns(old: str, new: str) -> frozenset[str] | None:
    """Return the columns in which two queries differ; None where more than what is selected differs."""
    one, other = _selected(old), _selected(new)
    if one is None or other is None or same_query(one[1]) != same_query(other[1]):
        return None
    names = one[0].keys() | other[0].keys()
    return frozenset(name for name in names if same_query(one[0].get(name, "")) != same_query(other[0].get(name, ""))) or None


def selected_for(text: str, names: Container[str]) -> str | None:
    """Return a query with only those of its columns that have one of some names; None where none of them is told apart."""
    found = _selected(text)
    kept = [item for name, item in found[0].items() if name in names] if found is not None else []
    return f"select {', '.join(kept)} from {found[1]}" if found is not None and kept else None  # noqa: S608 - it is only read


def _selected(text: str) -> tuple[dict[str, str], str] | None:
    """Return what a query selects, by name, and the rest of it."""
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
    return {(WORD.findall(item) or [item.strip()])[-1]: item.strip() for item in items}, rest


def _differ(  # noqa: PLR0911 - a case for each kind of node
    one: object, other: object, context: str | None, found: set[str]
) -> bool:
    """Note of which columns two trees differ; False when a difference is not about a column."""
    if isinstance(one, ast.AST) and isinstance(other, ast.AST) and ast.dump(one) == ast.dump(other):
        return True
    if isinstance(one, ast.Call) and isinstance(other, ast.Call):
        old, new = {k.arg: k.value for k in one.keywords}, {k.arg: k.value for k in other.keywords}
        name = one.func.attr if isinstance(one.func, ast.Attribute) else ""
        named = name in NAMING
        if (
            name in ROWS
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
        found.update({context} if context is not None else texts_of(one) ^ texts_of(other))
        return True
    texts = [item.value for item in (one, other) if isinstance(item, ast.Constant) and isinstance(item.value, str)]
    if len(texts) == 2 and all(map(SQL.search, texts)):  # noqa: PLR2004 - both
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
