"""Expressions: what value each has, without running it."""

from __future__ import annotations

import ast
import builtins
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nbops.lineage.code.access import get_attribute, get_item
from nbops.lineage.code.interpret import lookup, truth
from nbops.lineage.code.iteration import element, iterate
from nbops.lineage.code.joining import choose, join_value
from nbops.lineage.code.machine import MISSING, Machine
from nbops.lineage.code.operators import binary, compare, unary
from nbops.lineage.code.stores import assign
from nbops.lineage.code.values import Choice, Col, Const, Func, Map, Module, Object, Seq, Taint, Text, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Arguments", "evaluate"]

_BUILTINS = frozenset(dir(builtins))
_CONSTANTS = {"None": None, "True": True, "False": False, "__name__": "__main__", "__file__": "notebook"}
_LONGEST_TEXT = 1_000_000
_WIDE = re.compile(r"\d{4}")
"""A width that no one reads."""


class Arguments:
    """The arguments of a call."""

    __slots__ = ("extra", "kw", "node", "pos")

    def __init__(
        self,
        pos: Sequence[Value] = (),
        kw: dict[str, Value] | None = None,
        extra: Sequence[Value] = (),
        node: ast.Call | None = None,
    ) -> None:
        self.pos = list(pos)
        self.kw = kw or {}
        self.extra = list(extra)
        """Values that came by ``*`` or ``**`` and are not known one by one."""
        self.node = node

    def get(self, at: int | None, *names: str) -> Value | None:
        """Return an argument by position (None: by name only) or by one of its names."""
        for name in names:
            if name in self.kw:
                return self.kw[name]
        return self.pos[at] if at is not None and at < len(self.pos) else None

    def all(self) -> list[Value]:
        """Return all arguments."""
        return [*self.pos, *self.kw.values(), *self.extra]


def evaluate(machine: Machine, node: ast.expr) -> Value:
    """Return the value of an expression."""
    machine.step()
    if not machine.scope.module:
        machine.line = getattr(node, "lineno", machine.line)
    handler = _HANDLERS.get(type(node))
    return handler(machine, node) if handler is not None else Taint()


def _constant(machine: Machine, node: ast.Constant) -> Value:
    return Const(node.value)


def _name(machine: Machine, node: ast.Name) -> Value:
    found = lookup(machine, node.id)
    if found is not None:
        return found
    if node.id in _CONSTANTS:
        return Const(_CONSTANTS[node.id])
    if node.id in _BUILTINS or node.id.startswith("__nbops_"):
        return Module(f"builtins.{node.id}")
    if node.id == "display":
        return Module("builtins.print")
    return machine.unknown(kind=f"name {node.id}")


def _joined(machine: Machine, node: ast.JoinedStr) -> Value:
    parts: list[Value | str] = []
    for value in node.values:
        if isinstance(value, ast.Constant):
            parts.append(str(value.value))
            continue
        if not isinstance(value, ast.FormattedValue):
            continue
        found = machine.evaluate(value.value)
        spec = machine.evaluate(value.format_spec) if value.format_spec is not None else Const("")
        parts.append(formatted(machine, found, spec, value.conversion))
    return text_of(machine, parts)


def formatted(machine: Machine, found: Value, spec: Value, conversion: int = -1) -> Value:
    """Return what a value looks like in a text."""
    plain, how = machine.plain(found), machine.plain(spec)
    if plain is MISSING or how is MISSING:
        return found
    if not isinstance(how, str) or _WIDE.search(how) or isinstance(plain, (list, dict)):
        return found
    try:
        shown = repr(plain) if conversion == ord("r") else format(plain, how)
    except (TypeError, ValueError, OverflowError, MemoryError):
        return found
    return Const(shown, machine.params(found))


def text_of(machine: Machine, parts: Sequence[Value | str], *, path: bool = False) -> Value:
    """Join parts of a text: a plain one when all of them are known."""
    flat: list[Value | str] = []
    params: frozenset[str] = frozenset()
    for part in parts:
        if isinstance(part, Text):
            params |= part.params
            pieces: Sequence[Value | str] = part.parts
        elif isinstance(part, Const):
            params |= part.params
            pieces = (str(part.value),)
        else:
            pieces = (part,)
        for piece in pieces:
            if isinstance(piece, str) and flat and isinstance(flat[-1], str):
                if len(flat[-1]) + len(piece) > _LONGEST_TEXT:
                    return machine.unknown([p for p in parts if not isinstance(p, str)])
                flat[-1] += piece
            else:
                flat.append(piece)
    choices = [at for at, piece in enumerate(flat) if isinstance(piece, Choice)]
    if len(choices) == 1:
        at = choices[0]
        options = flat[at].options  # type: ignore[union-attr]
        made = [text_of(machine, [*flat[:at], option, *flat[at + 1 :]], path=path) for option in options[:8]]
        return choose(machine, made)
    if all(isinstance(piece, str) for piece in flat):
        return Const("".join(piece for piece in flat if isinstance(piece, str)), params, path)
    return Text(tuple(flat), params.union(*(machine.params(p) for p in flat if not isinstance(p, str))), path)


def _attribute(machine: Machine, node: ast.Attribute) -> Value:
    return get_attribute(machine, machine.evaluate(node.value), node.attr)


def _subscript(machine: Machine, node: ast.Subscript) -> Value:
    return get_item(machine, machine.evaluate(node.value), node.slice)


def _call(machine: Machine, node: ast.Call) -> Value:
    function = machine.evaluate(node.func)
    pos: list[Value] = []
    extra: list[Value] = []
    for argument in node.args:
        if isinstance(argument, ast.Starred):
            many = machine.evaluate(argument.value)
            items = iterate(machine, many)
            if items is not None and len(items) <= 1000:
                pos.extend(items)
            else:
                extra.append(many)
        else:
            pos.append(machine.evaluate(argument))
    kw: dict[str, Value] = {}
    for keyword in node.keywords:
        value = machine.evaluate(keyword.value)
        if keyword.arg is not None:
            kw[keyword.arg] = value
            continue
        known = machine.of(value, Map)
        if known is not None:
            kw.update({str(name): item for name, item in known.items.items()})
        if known is None or not known.exact:
            extra.append(value)
    if not machine.scope.module:
        machine.line = node.lineno
    return machine.call(function, Arguments(pos, kw, extra, node))


def _binary(machine: Machine, node: ast.BinOp) -> Value:
    chain: list[ast.BinOp] = []
    left: ast.expr = node
    while isinstance(left, ast.BinOp):  # a sum of a thousand texts nests a thousand deep to the left
        chain.append(left)
        left = left.left
    value = machine.evaluate(left)
    for part in reversed(chain):
        machine.step()
        value = binary(machine, part.op, value, machine.evaluate(part.right))
    return value


def _unary(machine: Machine, node: ast.UnaryOp) -> Value:
    return unary(machine, node.op, machine.evaluate(node.operand))


def _boolean(machine: Machine, node: ast.BoolOp) -> Value:
    options: list[Value] = []
    for part in node.values:
        value = machine.evaluate(part)
        known = truth(machine, value)
        if known is not None and known == isinstance(node.op, ast.Or):
            options.append(value)
            break
        if known is None or part is node.values[-1]:
            options.append(value)
    if any(isinstance(option, Col) for option in options):
        return machine.blend([machine.col(option) for option in options])
    return choose(machine, options)


def _compare(machine: Machine, node: ast.Compare) -> Value:
    values = [machine.evaluate(part) for part in (node.left, *node.comparators)]
    result: Value | None = None
    for op, left, right in zip(node.ops, values, values[1:], strict=False):
        one = compare(machine, op, left, right)
        result = one if result is None else binary(machine, ast.BitAnd(), result, one)
    return result if result is not None else Taint()


def _conditional(machine: Machine, node: ast.IfExp) -> Value:
    test = machine.evaluate(node.test)
    known = truth(machine, test)
    if known is not None:
        chosen = machine.evaluate(node.body if known else node.orelse)
        if isinstance(chosen, Const) and isinstance(test, Const) and test.params:
            return replace(chosen, params=chosen.params | test.params)
        return chosen
    body, other = machine.evaluate(node.body), machine.evaluate(node.orelse)
    if isinstance(test, Col) and (test.deps or test.marks):
        from nbops.lineage.code.stores import conditional

        simple = (Col, Const, Taint)
        if isinstance(body, simple) and isinstance(other, simple):
            return conditional(machine, [machine.col(body), machine.col(other)], test)
    return join_value(machine, body, other)


def _sequence(machine: Machine, node: ast.List | ast.Tuple | ast.Set) -> Value:
    items: list[Value] = []
    exact = True
    for part in node.elts:
        if isinstance(part, ast.Starred):
            many = machine.evaluate(part.value)
            known = iterate(machine, many)
            if known is None:
                exact = False
                items.append(element(machine, many))
            else:
                items.extend(known)
        else:
            items.append(machine.evaluate(part))
    kind = "tuple" if isinstance(node, ast.Tuple) else "set" if isinstance(node, ast.Set) else "list"
    return machine.new(Seq(tuple(items), exact, kind))


def _dict(machine: Machine, node: ast.Dict) -> Value:
    items: dict[Any, Value] = {}
    exact, other = True, None
    for key, value in zip(node.keys, node.values, strict=True):
        found = machine.evaluate(value)
        if key is None:
            inner = machine.of(found, Map)
            if inner is not None:
                items.update(inner.items)
            if inner is None or not inner.exact:
                exact, other = False, found
            continue
        plain = machine.plain(machine.evaluate(key))
        try:
            items[plain if plain is not MISSING else object()] = found
        except TypeError:
            exact = False
        if plain is MISSING:
            items = {name: item for name, item in items.items() if type(name) is not object}
            exact, other = False, machine.unknown([other, found])
    return machine.new(Map(items, exact, other))


def _lambda(machine: Machine, node: ast.Lambda) -> Value:
    return Func(node, machine.scope)


def _named(machine: Machine, node: ast.NamedExpr) -> Value:
    value = machine.evaluate(node.value)
    assign(machine, node.target, value)
    return value


def _comprehension(machine: Machine, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> Value:
    found: list[tuple[Value, Value | None]] = []

    def inner(at: int) -> bool:
        """Go over the generators; tells whether all items are known."""
        if at == len(node.generators):
            if isinstance(node, ast.DictComp):
                found.append((machine.evaluate(node.key), machine.evaluate(node.value)))
            else:
                found.append((machine.evaluate(node.elt), None))
            return True
        generator = node.generators[at]
        over = machine.evaluate(generator.iter)
        items = iterate(machine, over)
        exact = items is not None and len(items) <= 10_000
        for item in items if exact and items is not None else [element(machine, over)]:
            machine.step()
            assign(machine, generator.target, item)
            passed = [truth(machine, machine.evaluate(test)) for test in generator.ifs]
            if False in passed:
                continue
            exact = inner(at + 1) and exact and None not in passed
        return exact

    outer = machine.scope
    machine.scope = type(outer)({}, outer, outer.module)
    try:
        exact = inner(0)
    finally:
        machine.scope = outer
    if isinstance(node, ast.DictComp):
        pairs = [(machine.plain(key), value) for key, value in found if value is not None]
        known = {
            key: value for key, value in pairs if key is not MISSING and isinstance(key, (str, int, float, tuple, type(None)))
        }
        rest = [value for key, value in pairs if key is MISSING]
        return machine.new(Map(known, exact and not rest, machine.unknown(rest) if rest else None))
    kind = "set" if isinstance(node, ast.SetComp) else "list"
    return machine.new(Seq(tuple(value for value, _ in found), exact, kind))


def _starred(machine: Machine, node: ast.Starred) -> Value:
    return machine.evaluate(node.value)


def _await(machine: Machine, node: ast.Await | ast.YieldFrom) -> Value:
    return machine.evaluate(node.value)


def _yield(machine: Machine, node: ast.Yield) -> Value:
    value = machine.evaluate(node.value) if node.value is not None else Const(None)
    machine.returned.append(machine.new(Object(kind="rows", attributes={"row": value}, taint=machine.taint(value))))
    return Taint()


def _slice(machine: Machine, node: ast.Slice) -> Value:
    parts = [machine.plain(machine.evaluate(part)) if part is not None else None for part in (node.lower, node.upper, node.step)]
    if all(part is None or isinstance(part, int) for part in parts):
        return Const(slice(*parts))
    return machine.unknown([machine.evaluate(part) for part in (node.lower, node.upper) if part is not None])


_HANDLERS: dict[type[ast.expr], Callable[[Machine, Any], Value]] = {
    ast.Constant: _constant,
    ast.Name: _name,
    ast.JoinedStr: _joined,
    ast.Attribute: _attribute,
    ast.Subscript: _subscript,
    ast.Call: _call,
    ast.BinOp: _binary,
    ast.UnaryOp: _unary,
    ast.BoolOp: _boolean,
    ast.Compare: _compare,
    ast.IfExp: _conditional,
    ast.List: _sequence,
    ast.Tuple: _sequence,
    ast.Set: _sequence,
    ast.Dict: _dict,
    ast.Lambda: _lambda,
    ast.NamedExpr: _named,
    ast.ListComp: _comprehension,
    ast.SetComp: _comprehension,
    ast.GeneratorExp: _comprehension,
    ast.DictComp: _comprehension,
    ast.Starred: _starred,
    ast.Await: _await,
    ast.YieldFrom: _await,
    ast.Yield: _yield,
    ast.Slice: _slice,
}
