"""Operators between constants, texts, columns, tables and expressions."""

from __future__ import annotations

import ast
import operator
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nbops.lineage.code.machine import MISSING, Machine
from nbops.lineage.code.tables import column_of
from nbops.lineage.code.values import Choice, Col, Const, Lazy, Map, Ref, Seq, Table, Taint, Text, Value, merge

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["binary", "compare", "each_column", "lift", "unary"]

_OPERATORS: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
}
_COMPARISONS: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda left, right: left in right,
    ast.NotIn: lambda left, right: left not in right,
}
_LARGEST = 100_000


def binary(machine: Machine, op: ast.operator, left: Value, right: Value) -> Value:
    """Return ``left op right``."""
    found = _path(machine, op, left, right)
    if found is not None:
        return found
    if isinstance(left, (Text, Const)) and isinstance(right, (Text, Const)):
        found = _plain(machine, op, left, right)
        if found is not None:
            return found
    if isinstance(op, ast.Mod) and isinstance(left, Const) and isinstance(left.value, str):
        return _percent(machine, left, right)
    if (
        isinstance(op, ast.Add)
        and (_is_text(left) or _is_text(right))
        and not any(isinstance(side, (Col, Lazy)) for side in (left, right))
    ):
        return _concatenated(machine, left, right)
    lazy = next((side for side in (left, right) if isinstance(side, Lazy)), None)
    if isinstance(left, Lazy) and isinstance(right, Lazy) and left.kind == right.kind == "selector" and left.lib == "polars":
        word = type(op).__name__
        if word in {"Sub", "BitAnd", "BitOr"}:
            from nbops.lineage.code.polars_expressions import combined

            return combined(machine, word, left, right)
    if lazy is not None:
        return lift(machine, lazy, [left, right], machine.blend)
    for side, other in ((left, right), (right, left)):
        if machine.table(side) is not None:
            return _with_table(machine, side, other)
    found = _containers(machine, op, left, right)
    if found is not None:
        return found
    if isinstance(left, Choice) or isinstance(right, Choice):
        return _choices(machine, op, left, right)
    if isinstance(left, Col) or isinstance(right, Col):
        return machine.blend([machine.col(left), machine.col(right)])
    return machine.unknown([left, right])


def _is_text(value: Value) -> bool:
    return isinstance(value, Text) or (isinstance(value, Const) and isinstance(value.value, str))


def _path(machine: Machine, op: ast.operator, left: Value, right: Value) -> Value | None:
    """``folder / "file"``."""
    if not isinstance(op, ast.Div):
        return None
    if not any(isinstance(side, (Const, Text)) and side.path for side in (left, right)):
        return None
    from nbops.lineage.code.expressions import text_of

    if isinstance(right, Const) and str(right.value).startswith("/"):
        return replace(right, path=True)
    head = left
    if isinstance(left, Const):
        text = str(left.value)
        head = replace(left, value="" if text in {".", ""} else text if text.endswith("/") else f"{text}/")
        return text_of(machine, [head, right], path=True)
    return text_of(machine, [head, "/", right], path=True)


def _plain(machine: Machine, op: ast.operator, left: Const | Text, right: Const | Text) -> Value | None:
    if isinstance(left, Text) or isinstance(right, Text):
        return None
    function = _OPERATORS.get(type(op))
    params = left.params | right.params
    a, b = left.value, right.value
    try:
        if isinstance(op, ast.Mult) and (isinstance(a, (str, tuple)) or isinstance(b, (str, tuple))):
            size = (len(a) * b) if isinstance(a, (str, tuple)) else (len(b) * a)
            if not isinstance(size, int) or size > _LARGEST:
                return machine.unknown([left, right])
        if isinstance(op, ast.Mod) and isinstance(a, str):
            return None
        if isinstance(op, ast.Pow):
            small = isinstance(a, (int, float)) and isinstance(b, (int, float)) and abs(a) < 1e6 and abs(b) < 64
            return Const(a**b, params) if small else machine.unknown([left, right])
        if isinstance(a, int) and isinstance(b, int) and (a.bit_length() > 1000 or b.bit_length() > 1000):
            return machine.unknown([left, right])
        return Const(function(a, b), params) if function is not None else machine.unknown([left, right])
    except Exception:  # noqa: BLE001 - what the notebook's own constants raise is theirs
        return machine.unknown([left, right])


def _percent(machine: Machine, left: Const, right: Value) -> Value:
    plain = machine.plain(right)
    params = left.params | machine.params(right)
    if plain is not MISSING and len(left.value) < _LARGEST and not re.search(r"%[^a-zA-Z%]*(?:\d{4}|\*)", left.value):
        try:
            if not any(isinstance(item, int) and abs(item) > 1e6 for item in (plain if isinstance(plain, tuple) else (plain,))):
                return Const(left.value % (tuple(plain) if isinstance(plain, list) else plain), params)
        except Exception:  # noqa: BLE001 - what the notebook's own constants raise is theirs
            return machine.unknown([right])
    from nbops.lineage.code.expressions import text_of

    pieces = left.value.split("%s")
    items = machine.items(right) if not isinstance(right, Col) else None
    given = list(items) if items is not None else [right]
    if len(pieces) == len(given) + 1:
        parts: list[Value | str] = [pieces[0]]
        for value, piece in zip(given, pieces[1:], strict=True):
            parts.extend((value, piece))
        return text_of(machine, parts)
    return machine.unknown([left, right])


def _concatenated(machine: Machine, left: Value, right: Value) -> Value:
    from nbops.lineage.code.expressions import text_of

    return text_of(machine, [left, right])


def _containers(machine: Machine, op: ast.operator, left: Value, right: Value) -> Value | None:
    a, b = machine.thing(left), machine.thing(right)
    if isinstance(a, Seq) and isinstance(b, Seq):
        if isinstance(op, ast.Add) or (isinstance(op, ast.BitOr) and a.kind == "set"):
            return machine.new(Seq((*a.items, *b.items), a.exact and b.exact, a.kind))
        if a.exact and b.exact and isinstance(op, (ast.Sub, ast.BitAnd, ast.BitXor)):
            known_a, known_b = machine.plain(left), machine.plain(right)
            if known_a is not MISSING and known_b is not MISSING:
                inside = isinstance(op, ast.BitAnd)
                kept = tuple(item for item, plain in zip(a.items, known_a, strict=True) if (plain in known_b) == inside)
                return machine.new(Seq(kept, kind=a.kind))
    if isinstance(a, Map) and isinstance(b, Map) and isinstance(op, ast.BitOr):
        return machine.new(Map({**a.items, **b.items}, a.exact and b.exact, a.other or b.other))
    if isinstance(a, Seq) and isinstance(right, Const) and isinstance(op, ast.Mult):
        times = right.value
        if a.exact and isinstance(times, int) and len(a.items) * times <= 1000:
            return machine.new(Seq(a.items * times, kind=a.kind))
        return machine.new(Seq(a.items, exact=False, kind=a.kind))
    return None


def _choices(machine: Machine, op: ast.operator, left: Value, right: Value) -> Value:
    from nbops.lineage.code.joining import choose

    lefts = left.options if isinstance(left, Choice) else (left,)
    rights = right.options if isinstance(right, Choice) else (right,)
    if len(lefts) * len(rights) > 32:
        return machine.unknown([left, right])
    return choose(machine, [binary(machine, op, a, b) for a in lefts for b in rights])


def each_column(machine: Machine, table: Table, function: Callable[[Col], Col], kind: str = "transformation") -> Table:
    """Return a table with each column replaced."""
    columns: dict[str, Col] = {}
    for name, col in table.columns.items():
        machine.step()
        made = function(replace(col, rows=table.rows, origins=table.origins, lib=table.lib))
        columns[name] = replace(made, name=name, rows={}, index=())
    rest = tuple(
        replace(part, kind=_stronger(part.kind, kind), cells=part.cells | {machine.cell})  # type: ignore[arg-type]
        for part in table.rest
    )
    return replace(table, columns=columns, rest=rest)


def _stronger(left: str, right: str) -> str:
    order = ("identity", "transformation", "aggregation")
    return max(left, right, key=lambda kind: order.index(kind) if kind in order else 1)


def _with_table(machine: Machine, side: Value, other: Value) -> Value:
    """``df * 2``, ``df1 + df2``, ``df > 0``: column by column."""
    table = machine.table(side)
    assert table is not None  # noqa: S101 - the caller looked
    second = machine.table(other)
    if second is None:
        col = machine.col(other)
        return machine.new(each_column(machine, table, lambda one: machine.blend([one, col])))

    def pair(one: Col) -> Col:
        name = one.name or ""
        return machine.blend([one, column_of(machine, second, name)]) if name in second.columns or second.open else one

    named = replace(table, columns={name: replace(col, name=name) for name, col in table.columns.items()})
    made = each_column(machine, named, pair)
    return machine.new(replace(made, rows=merge(table.rows, second.rows), origins=table.origins | second.origins))


def unary(machine: Machine, op: ast.unaryop, value: Value) -> Value:
    """Return ``op value``."""
    if isinstance(value, Const):
        try:
            if isinstance(op, ast.Not):
                return Const(not value.value, value.params)
            if isinstance(op, ast.USub):
                return Const(-value.value, value.params)
            if isinstance(op, ast.Invert):
                return Const(~value.value, value.params)
        except Exception:  # noqa: BLE001 - what the notebook's own constants raise is theirs
            return machine.unknown([value])
        return value
    if isinstance(op, ast.Not):
        from nbops.lineage.code.interpret import truth

        known = truth(machine, value)
        if known is not None:
            return Const(not known, machine.params(value))
    if isinstance(value, Lazy):
        made = lift(machine, value, [value], machine.blend)
        return (
            replace(made, kind=f"not:{value.kind}") if isinstance(op, ast.Invert) and value.kind.startswith("selector") else made
        )
    table = machine.table(value)
    if table is not None:
        return machine.new(each_column(machine, table, lambda col: machine.blend([col])))
    if isinstance(value, Col):
        return replace(machine.blend([value]), flags=value.flags)
    return machine.unknown([value])


def compare(machine: Machine, op: ast.cmpop, left: Value, right: Value) -> Value:
    """Return ``left op right`` of a comparison."""
    a, b = machine.plain(left), machine.plain(right)
    params = machine.params(left) | machine.params(right) if a is not MISSING and b is not MISSING else frozenset()
    if a is not MISSING and b is not MISSING:
        try:
            return Const(bool(_COMPARISONS[type(op)](a, b)), params)
        except Exception:  # noqa: BLE001 - what the notebook's own constants raise is theirs
            return machine.unknown([left, right])
    if isinstance(op, (ast.Is, ast.IsNot)):
        return _identity(op, left, right)
    if isinstance(op, (ast.In, ast.NotIn)):
        known = _contains(machine, left, right)
        if known is not None:
            return Const(known == isinstance(op, ast.In))
    return binary(machine, ast.BitAnd(), left, right)


def _identity(op: ast.cmpop, left: Value, right: Value) -> Value:
    """``x is None``: a table, column, list or function is something."""
    for side, other in ((left, right), (right, left)):
        if isinstance(side, Const) and side.value is None and not isinstance(other, (Const, Choice, Taint, Col)):
            return Const(isinstance(op, ast.IsNot)) if isinstance(other, (Ref, Text)) else Taint()
    return Taint()


def _contains(machine: Machine, left: Value, right: Value) -> bool | None:
    plain = machine.plain(left)
    if plain is MISSING:
        return None
    thing = machine.thing(right)
    if isinstance(thing, Table) and isinstance(plain, str):
        if plain in thing.columns:
            return True
        return None if thing.open else False
    if isinstance(thing, Map):
        try:
            if plain in thing.items:
                return True if thing.exact else None
        except TypeError:
            return None
        return False if thing.exact else None
    items = machine.items(right)
    if items is not None:
        known = [machine.plain(item) for item in items]
        if MISSING not in known:
            return plain in known
    return None


def lift(machine: Machine, lazy: Lazy, parts: list[Value], function: Callable[[list[Col]], Col]) -> Lazy:
    """Build an expression from others: for each column that the first stands for, one result."""

    def resolve(table: Table, context: Any) -> tuple[Value, ...]:
        machine.step()
        resolved = [part.resolve(table, context) if isinstance(part, Lazy) else (machine.col(part),) for part in parts]
        widest = max((len(found) for found in resolved), default=0)
        made: list[Value] = []
        for at in range(widest):
            cols = [machine.col(found[at if len(found) > 1 else 0]) for found in resolved if found]
            made.append(function(cols))
        return tuple(made)

    return Lazy(resolve, lazy.lib)
