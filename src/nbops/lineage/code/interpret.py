"""Statements: what running a block of code does to names, tables and files, without running it."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nbops.lineage.code.iteration import element, iterate
from nbops.lineage.code.joining import meet, restore, snapshot
from nbops.lineage.code.machine import MISSING, BudgetError, Machine
from nbops.lineage.code.stores import assign, delete
from nbops.lineage.code.values import Class, Col, Const, Func, Map, Module, Scope, Seq, Taint, Text, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["run"]

_UNROLLED = 6_000


def run(machine: Machine, body: Sequence[ast.stmt]) -> None:
    """Interpret statements until they end or leave the block."""
    for statement in body:
        if machine.ended:
            return
        machine.step()
        if not machine.scope.module:
            machine.line = statement.lineno
        _careful(machine, statement)


def _careful(machine: Machine, statement: ast.stmt) -> None:
    """Interpret one statement; what goes wrong in here is said, and what it binds is unknown, never left as it was."""
    try:
        handler = _HANDLERS.get(type(statement))
        if handler is not None:
            handler(machine, statement)
    except BudgetError:
        raise
    except RecursionError:
        machine.note("nested too deeply: this statement is not followed")
        _forget(machine, statement)
    except Exception as error:  # noqa: BLE001 - an analysis must not stop a run; the gap is said
        machine.note(f"not followed ({type(error).__name__})")
        _forget(machine, statement)


def _forget(machine: Machine, statement: ast.stmt) -> None:
    loaded: list[Value] = []
    stored: list[str] = []
    for node in ast.walk(statement):
        if isinstance(node, ast.Name):
            value = lookup(machine, node.id)
            if isinstance(node.ctx, ast.Load) and value is not None:
                loaded.append(value)
            elif isinstance(node.ctx, ast.Store):
                stored.append(node.id)
    try:
        unknown: Value = machine.unknown(loaded)
    except RecursionError:
        unknown = Taint()
    for name in stored:
        machine.scope.names[name] = unknown


def lookup(machine: Machine, name: str) -> Value | None:
    """Return what a name stands for here."""
    scope: Scope | None = machine.scope
    while scope is not None:
        if name in scope.names:
            return scope.names[name]
        scope = scope.outer
    return None


def _expression(machine: Machine, node: ast.Expr) -> None:
    machine.evaluate(node.value)


def _assign(machine: Machine, node: ast.Assign) -> None:
    value = machine.evaluate(node.value)
    for target in node.targets:
        if isinstance(target, ast.Name) and _is_injected(machine, target.id, node.value):
            continue
        assign(machine, target, value)


def _is_injected(machine: Machine, name: str, node: ast.expr) -> bool:
    """Tell whether this is a parameter's default (or its injected value itself): the injected value holds."""
    if machine.scope is not machine.top or name not in machine.values or machine.inside:
        return False
    plain = machine.plain(machine.evaluate(node))
    if plain is MISSING:
        return False
    first = name not in machine.injected
    machine.injected.add(name)
    return first or plain == machine.values[name] or _like(plain, machine.values[name])


def _like(plain: object, value: object) -> bool:
    return repr(plain) == repr(value)


def _ann_assign(machine: Machine, node: ast.AnnAssign) -> None:
    if node.value is not None:
        if isinstance(node.target, ast.Name) and _is_injected(machine, node.target.id, node.value):
            return
        assign(machine, node.target, machine.evaluate(node.value))


def _aug_assign(machine: Machine, node: ast.AugAssign) -> None:
    load = ast.copy_location(_loaded(node.target), node)
    current = machine.evaluate(load)
    known = machine.of(current, Seq)
    if known is not None and isinstance(node.op, ast.Add) and known.kind == "list":
        more = iterate(machine, machine.evaluate(node.value))
        added = more if more is not None else [element(machine, machine.evaluate(node.value))]
        machine.put(current, replace(known, items=(*known.items, *added), exact=known.exact and more is not None))
        return
    dictionary = machine.of(current, Map)
    if dictionary is not None and isinstance(node.op, ast.BitOr):
        other = machine.of(machine.evaluate(node.value), Map)
        if other is not None:
            items = {**dictionary.items, **other.items}
            machine.put(current, replace(dictionary, items=items, exact=dictionary.exact and other.exact))
            return
    whole = ast.copy_location(ast.BinOp(left=load, op=node.op, right=node.value), node)
    assign(machine, node.target, machine.evaluate(whole))


def _loaded(target: ast.expr) -> ast.expr:
    if isinstance(target, ast.Name):
        return ast.Name(id=target.id, ctx=ast.Load())
    if isinstance(target, ast.Attribute):
        return ast.copy_location(ast.Attribute(value=target.value, attr=target.attr, ctx=ast.Load()), target)
    if isinstance(target, ast.Subscript):
        return ast.copy_location(ast.Subscript(value=target.value, slice=target.slice, ctx=ast.Load()), target)
    return target


def _delete(machine: Machine, node: ast.Delete) -> None:
    for target in node.targets:
        delete(machine, target)


def truth(machine: Machine, value: Value) -> bool | None:
    """Return whether a value is true, when that is known."""
    if isinstance(value, Const):
        return bool(value.value)
    thing = machine.thing(value)
    if isinstance(thing, Seq) and thing.exact:
        return bool(thing.items)
    if isinstance(thing, Map) and thing.exact:
        return bool(thing.items)
    if isinstance(value, (Func, Class, Module)):
        return True
    if isinstance(value, Text) and any(isinstance(part, str) and part for part in value.parts):
        return True
    return None


def _if(machine: Machine, node: ast.If) -> None:
    test = machine.evaluate(node.test)
    known = truth(machine, test)
    machine.controls.append(Taint(params=machine.params(test)))
    try:
        if isinstance(test, Col):
            machine.tests.append(test)
        if known is not None:
            run(machine, node.body if known else node.orelse)
        else:
            branches(machine, [node.body, node.orelse])
    finally:
        machine.controls.pop()


def branches(machine: Machine, bodies: Sequence[Sequence[ast.stmt]]) -> None:
    """Interpret alternatives from the same state and join what they leave."""
    start = snapshot(machine)
    left = []
    endings: list[str] = []
    machine.inside += 1
    try:
        for body in bodies:
            restore(machine, start)
            machine.ended = ""
            run(machine, body)
            endings.append(machine.ended)
            if not machine.ended:
                left.append(snapshot(machine))
    finally:
        machine.inside -= 1
    if left:
        machine.ended = ""
        restore(machine, left[0])
        for other in left[1:]:
            meet(machine, other)
    else:
        machine.ended = next((ending for ending in endings if ending != "raise"), endings[0] if endings else "")


def _for(machine: Machine, node: ast.For | ast.AsyncFor) -> None:
    over = machine.evaluate(node.iter)
    items = iterate(machine, over)
    if items is not None and len(items) <= _UNROLLED:
        for item in items:
            assign(machine, node.target, item)
            run(machine, node.body)
            if machine.ended == "continue":
                machine.ended = ""
            if machine.ended:
                break
    else:
        _repeat(machine, node.body, before=lambda: assign(machine, node.target, element(machine, over)))
    broke = machine.ended == "break"
    if broke:
        machine.ended = ""
    if not broke and not machine.ended:
        run(machine, node.orelse)


def _repeat(machine: Machine, body: Sequence[ast.stmt], before: Callable[[], None]) -> None:
    """Interpret a loop of unknown length: what it changes may have changed any number of times."""
    for name in _stored(body):
        known = machine.scope.names.get(name)
        if isinstance(known, (Const, Text)):
            machine.scope.names[name] = Taint(params=machine.params(known))
    machine.inside += 1
    try:
        for _ in range(2):
            start = snapshot(machine)
            before()
            run(machine, body)
            if machine.ended in {"continue", "break", "return", "raise"}:
                machine.ended = ""
            meet(machine, start)
    finally:
        machine.inside -= 1


def _stored(body: Sequence[ast.stmt]) -> set[str]:
    return {
        node.id
        for statement in body
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }


def _while(machine: Machine, node: ast.While) -> None:
    test = machine.evaluate(node.test)
    if truth(machine, test) is False:
        run(machine, node.orelse)
        return
    _repeat(machine, node.body, before=lambda: None)


def _try(machine: Machine, node: ast.Try) -> None:
    handlers = node.handlers
    start = snapshot(machine)
    run(machine, node.body)
    ended = machine.ended
    if ended == "raise" and handlers:
        machine.ended = ""
    if not machine.ended:
        run(machine, node.orelse)
        ended = machine.ended
    after = snapshot(machine)
    machine.inside += 1
    for handler in handlers:
        meet(machine, start)
        machine.ended = ""
        if handler.name:
            machine.scope.names[handler.name] = Taint()
        run(machine, handler.body)
        if machine.ended:
            restore(machine, after)
        else:
            meet(machine, after)
            after = snapshot(machine)
            ended = "" if ended == "raise" else ended
    machine.inside -= 1
    machine.ended = ""
    run(machine, node.finalbody)
    machine.ended = machine.ended or ended


def _with(machine: Machine, node: ast.With | ast.AsyncWith) -> None:
    for item in node.items:
        value = machine.evaluate(item.context_expr)
        if item.optional_vars is not None:
            assign(machine, item.optional_vars, value)
    run(machine, node.body)


def _function(machine: Machine, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    machine.scope.names[node.name] = Func(node, machine.scope)


def _class(machine: Machine, node: ast.ClassDef) -> None:
    machine.scope.names[node.name] = Class(node, machine.scope)


def _import(machine: Machine, node: ast.Import) -> None:
    for alias in node.names:
        name = alias.name if alias.asname else alias.name.split(".")[0]
        machine.scope.names[alias.asname or name] = Module(name)


def _import_from(machine: Machine, node: ast.ImportFrom) -> None:
    base = node.module or ""
    if node.level:
        parent = machine.scope.module.rsplit(".", node.level)[0] if machine.scope.module else ""
        base = ".".join(filter(None, (parent, base)))
    for alias in node.names:
        if alias.name == "*":
            _star(machine, base)
            continue
        load = ast.Attribute(value=ast.Name(id="\0module", ctx=ast.Load()), attr=alias.name, ctx=ast.Load())
        machine.scope.names["\0module"] = Module(base)
        whole = f"{base}.{alias.name}" if base else alias.name
        is_module = whole in machine.modules or any(known.startswith(f"{whole}.") for known in machine.modules)
        found = Module(whole) if is_module else machine.evaluate(ast.copy_location(load, node))
        del machine.scope.names["\0module"]
        machine.scope.names[alias.asname or alias.name] = found


def _star(machine: Machine, module: str) -> None:
    if module in {"pandas", "polars", "numpy", "duckdb", "ibis", "pathlib", "os", "pyarrow"}:
        for name in _STARRED.get(module, ()):
            machine.scope.names[name] = Module(f"{module}.{name}")
        return
    if module in machine.modules:
        from nbops.lineage.code.functions import load_module

        machine.scope.names.update(
            {name: value for name, value in load_module(machine, module).names.items() if not name.startswith("_")}
        )
        return
    machine.note(f"from {module} import *: which names it brings is not known")


_STARRED = {
    "pandas": ("DataFrame", "Series", "read_csv", "read_parquet", "concat", "merge", "to_datetime", "to_numeric"),
    "polars": ("DataFrame", "LazyFrame", "Series", "col", "lit", "when", "concat", "read_csv", "read_parquet", "scan_csv"),
    "pathlib": ("Path", "PurePath"),
    "numpy": ("where", "select", "log", "exp", "array", "sqrt", "mean"),
}


def _return(machine: Machine, node: ast.Return) -> None:
    machine.returned.append(machine.evaluate(node.value) if node.value is not None else Const(None))
    machine.ended = "return"


def _leave(word: str) -> Callable[[Machine, ast.stmt], None]:
    def leave(machine: Machine, node: ast.stmt) -> None:
        machine.ended = word

    return leave


def _match(machine: Machine, node: Any) -> None:
    subject = machine.evaluate(node.subject)
    cases = node.cases
    for case in cases:
        for inner in ast.walk(case.pattern):
            name = getattr(inner, "name", None)
            if isinstance(name, str):
                machine.scope.names[name] = machine.unknown([subject])
    machine.controls.append(Taint(params=machine.params(subject)))
    branches(machine, [*(case.body for case in cases), []])
    machine.controls.pop()


def _nonlocal(machine: Machine, node: ast.stmt) -> None:
    """Names declared global or nonlocal are bound where they are: handled when they are stored."""


_HANDLERS: dict[type[ast.stmt], Callable[[Machine, Any], None]] = {
    ast.Expr: _expression,
    ast.Assign: _assign,
    ast.AnnAssign: _ann_assign,
    ast.AugAssign: _aug_assign,
    ast.Delete: _delete,
    ast.If: _if,
    ast.For: _for,
    ast.AsyncFor: _for,
    ast.While: _while,
    ast.Try: _try,
    ast.With: _with,
    ast.AsyncWith: _with,
    ast.FunctionDef: _function,
    ast.AsyncFunctionDef: _function,
    ast.ClassDef: _class,
    ast.Import: _import,
    ast.ImportFrom: _import_from,
    ast.Return: _return,
    ast.Raise: _leave("raise"),
    ast.Break: _leave("break"),
    ast.Continue: _leave("continue"),
    ast.Global: _nonlocal,
    ast.Nonlocal: _nonlocal,
}
if hasattr(ast, "TryStar"):
    _HANDLERS[ast.TryStar] = _try
if hasattr(ast, "Match"):
    _HANDLERS[ast.Match] = _match
