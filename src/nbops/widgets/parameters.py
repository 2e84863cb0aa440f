"""The parameters of a notebook as fields of a form: kind, bounds, allowed values; and what was typed, as a value.

What a parameter is comes, in this order, from its annotation, from the comment at the end of its line, from the literal that
it is set to, and from the contract's column of that name. Comments understood, among any other words:

* ``# one of: a, b, c`` (or ``choices: ...``), ``# 1 to 10``, ``# 1..10``, ``# >= 0``, ``# <= 1``;
* ``# YYYY-MM-DD``: a text that is a date; ``# path``: one that is a file or a folder;
* ``# contract: orders.country``: the values that the contract allows in that column.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from nbops.widgets.values import is_date, wrong_with

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nbops.contract.records import ContractColumn

__all__ = ["Field", "fields_of"]

_GIVEN = frozenset({"upstream", "product"})
"""What the pipeline gives each notebook; nobody types it."""
_KINDS = {"bool": "bool", "int": "int", "float": "float", "str": "str", "list": "list", "dict": "dict", "date": "date"}
_PATHS = frozenset({"Path", "PathLike", "PurePath"})
_PATH_NAME = re.compile(r"(?:^|_)(?:path|file|folder|dir|directory)$")
_NUMBER = r"[-+]?(?:\d[\d_,]*(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d+)?"
_RANGE = re.compile(rf"(?<![\w.])({_NUMBER})\s*(?:to|\.\.|\N{{EN DASH}})\s*({_NUMBER})(?![\w])")
_BOUND = re.compile(rf"(>=|<=)\s*({_NUMBER})")
_CHOICES = re.compile(r"\b(?:one of|choices|choose)\s*:?\s+(.+)$", re.IGNORECASE)
_CONTRACT = re.compile(r"\bcontract:\s*([^\s.]+)\.([^\s;,]+)")
_DATE = re.compile(r"\bYYYY-MM-DD\b|\bISO date\b")
_FEW = 200
"""Up to so many allowed values they are a list to choose from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A parameter as a field of a form."""

    name: str
    kind: str
    """``bool``, ``int``, ``float``, ``str``, ``date``, ``path``, ``list``, ``dict``, ``json`` or ``fixed`` (cannot be typed)."""
    value: Any = None
    """What the pipeline gives now: JSON."""
    optional: bool = False
    """May be None; an empty field means that."""
    choices: tuple[Any, ...] = ()
    minimum: float | int | None = None
    maximum: float | int | None = None
    pattern: str | None = None
    """Regular expression that is found somewhere in the value, as contracts have it."""
    lengths: tuple[int | None, int | None] = (None, None)
    """Fewest and most characters."""
    origin: str = ""
    """Where allowed values or bounds come from, when it is a contract: ``orders.country``."""
    help: str = ""
    """The comment of its line; for ``fixed``, why it cannot be typed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """One assignment of the parameters cell."""

    name: str
    annotation: ast.expr | None
    value: ast.expr | None
    comment: str


def fields_of(
    cell: str | None, given: Mapping[str, Any], column: Callable[[str | None, str], tuple[str, ContractColumn] | None]
) -> tuple[Field, ...]:
    """Return the fields of a notebook's parameters, in the order of the cell; those that only the pipeline names come last.

    Args:
        cell: Source of the cell tagged ``parameters``; None when there is none.
        given: What the pipeline gives in place of the cell's values.
        column: Given a dataset (None for any of the task's) and a column's name, the contract's column with its full name.
    """
    found: dict[str, Field] = {}
    for line in _lines(cell or ""):
        if line.name not in _GIVEN and not line.name.startswith("_"):
            found[line.name] = _field(line, given, column)
    for name, value in given.items():
        if name not in found and name not in _GIVEN:
            line = _Line(name=name, annotation=None, value=None, comment="")
            found[name] = _field(line, {name: value}, column)
    return tuple(found.values())


def _lines(cell: str) -> list[_Line]:
    try:
        body = ast.parse(cell).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    comments = _comments(cell)
    found = []
    for node in body:
        comment = comments.get(node.end_lineno or node.lineno, "")
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found.append(_Line(name=node.target.id, annotation=node.annotation, value=node.value, comment=comment))
        elif isinstance(node, ast.Assign):
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
            found += [_Line(name=name, annotation=None, value=node.value, comment=comment) for name in names]
    return found


def _comments(cell: str) -> dict[int, str]:
    """Return the comment of each line that has one; of a comment on a line of its own, for the line below."""
    found: dict[int, str] = {}
    try:
        for token in tokenize.generate_tokens(io.StringIO(cell).readline):
            if token.type == tokenize.COMMENT:
                text = token.string.lstrip("#: ").strip()
                alone = not token.line[: token.start[1]].strip()
                place = token.start[0] + alone
                found[place] = f"{found.pop(token.start[0], '')} {text}".strip() if alone else text
    except (tokenize.TokenError, IndentationError):
        pass
    return found


def _field(
    line: _Line, given: Mapping[str, Any], column: Callable[[str | None, str], tuple[str, ContractColumn] | None]
) -> Field:
    try:
        value = given[line.name] if line.name in given else _plain(ast.literal_eval(line.value)) if line.value else None
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        shown = ast.unparse(line.value) if line.value else ""
        return Field(name=line.name, kind="fixed", value=shown[:200], help="computed by the notebook itself")
    kind, optional, choices = _annotated(line.annotation)
    field = Field(
        name=line.name, kind=kind or _kind_of(value), value=value, optional=optional, choices=choices, help=line.comment
    )
    field = _commented(field, typed=bool(kind))
    if _PATH_NAME.search(line.name) and field.kind == "str" and not kind:
        field = replace(field, kind="path")
    if field.kind != "date" and field.kind == "str" and not kind and is_date(value):
        field = replace(field, kind="date")
    if value is None and field.kind != "json":
        field = replace(field, optional=True)
    return _contracted(field, column)


def _plain(value: Any) -> Any:
    """Return a literal as JSON would carry it.

    Raises:
        TypeError: It cannot.
    """
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise TypeError
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError


def _kind_of(value: Any) -> str:
    kinds = ((bool, "bool"), (int, "int"), (float, "float"), (str, "str"), (list, "list"), (dict, "dict"))
    return next((kind for type_, kind in kinds if isinstance(value, type_)), "json")


def _annotated(node: ast.expr | None) -> tuple[str, bool, tuple[Any, ...]]:
    """Return kind, whether None is allowed, and allowed values, as an annotation says; an empty kind when it says nothing."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        try:
            return _annotated(ast.parse(node.value, mode="eval").body)
        except (SyntaxError, ValueError):
            return "", False, ()
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        sides = [side for side in (node.left, node.right) if not (isinstance(side, ast.Constant) and side.value is None)]
        return _or_none(sides[0]) if len(sides) == 1 else ("json", False, ())
    if isinstance(node, ast.Subscript):
        return _subscripted(_last(node.value), node.slice)
    name = _last(node)
    return "path" if name in _PATHS else _KINDS.get(name.lower(), ""), False, ()


def _or_none(node: ast.expr) -> tuple[str, bool, tuple[Any, ...]]:
    kind, _, choices = _annotated(node)
    return kind, True, choices


def _subscripted(outer: str, inner: ast.expr) -> tuple[str, bool, tuple[Any, ...]]:
    if outer == "Optional":
        return _or_none(inner)
    if outer == "Literal":
        items = inner.elts if isinstance(inner, ast.Tuple) else [inner]
        choices = tuple(item.value for item in items if isinstance(item, ast.Constant))
        if choices and len(choices) == len(items):
            return _kind_of(choices[0]), False, choices
    return _KINDS.get(outer.lower(), ""), False, ()


def _last(node: ast.expr | None) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _commented(field: Field, *, typed: bool) -> Field:
    """Return the field with what its comment says of it."""
    text = field.help
    if field.kind in {"str", "json"} and _DATE.search(text):
        return replace(field, kind="date", optional=field.optional or field.value == "")
    if field.kind == "str" and not typed and re.fullmatch(r"(?:a |the )?path\b.*", text, re.IGNORECASE):
        return replace(field, kind="path")
    if field.kind in {"int", "float"}:
        return _bounded(field, text)
    if (match := _CHOICES.search(text)) and field.kind == "str" and not field.choices:
        words = tuple(word.strip().strip("\"'`") for word in re.split(r",|\bor\b|\|", match[1]) if word.strip())
        if field.value in {None, *words}:
            return replace(field, choices=words)
    return field


def _bounded(field: Field, text: str) -> Field:
    if match := _CHOICES.search(text):
        words = [_number(word.strip(), field.kind) for word in re.split(r",\s|\bor\b|\|", match[1]) if word.strip()]
        if words and None not in words:
            return replace(field, choices=tuple(words))
    low = high = None
    if match := _RANGE.search(text):
        low, high = (_number(word, field.kind) for word in match.groups())
    for sign, word in _BOUND.findall(text):
        low, high = (_number(word, field.kind), high) if sign == ">=" else (low, _number(word, field.kind))
    if low is not None and high is not None and low > high:
        return field
    return replace(field, minimum=low, maximum=high)


def _number(text: str, kind: str) -> int | float | None:
    plain = text.replace("_", "").replace(",", "")
    try:
        return int(plain) if kind == "int" and re.fullmatch(r"[-+]?\d+", plain) else float(plain)
    except ValueError:
        return None


def _contracted(field: Field, column: Callable[[str | None, str], tuple[str, ContractColumn] | None]) -> Field:
    """Return the field with what a contract allows: of the column that the comment names, else of one that is called so.

    Only a name in common may be chance; then what the pipeline gives now has to be allowed, or it is another thing.
    """
    said = _CONTRACT.search(field.help)
    found = column(said[1], said[2]) if said else column(None, field.name)
    if found is None or field.kind in {"bool", "fixed"} or (field.choices and not said):
        return field
    name, rules = found
    options = rules.options
    numeric = field.kind in {"int", "float"}
    text = field.kind in {"str", "path", "list"}
    bounded = replace(
        field,
        choices=tuple(rules.values)[:_FEW] if len(rules.values) <= _FEW else (),
        minimum=options.get("minimum", field.minimum) if numeric and _is_number(options.get("minimum", 0)) else field.minimum,
        maximum=options.get("maximum", field.maximum) if numeric and _is_number(options.get("maximum", 0)) else field.maximum,
        pattern=str(options["pattern"]) if text and "pattern" in options else None,
        lengths=(options.get("minLength"), options.get("maxLength")) if field.kind == "str" else (None, None),
        origin=name,
    )
    if replace(bounded, origin="") == replace(field, origin="") or (not said and wrong_with(bounded, field.value)):
        return field
    return bounded


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
