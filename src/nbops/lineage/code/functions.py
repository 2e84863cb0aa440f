"""Functions, classes and modules whose code is known: followed into, to a bounded depth."""

from __future__ import annotations

import ast
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING

from nbops.lineage.code.joining import choose
from nbops.lineage.code.values import Choice, Class, Col, Const, Func, Map, Object, Scope, Seq, Text, Value, taint_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbops.lineage.code.expressions import Arguments
    from nbops.lineage.code.machine import Machine

__all__ = ["class_member", "follow", "instantiate", "load_module"]

_DEEPEST = 20
_RECURSION = 2


def follow(machine: Machine, function: Func, args: Arguments) -> Value:
    """Return what calling a known function returns, and do what it does."""
    node = function.node
    name = getattr(node, "name", "lambda")
    if len(machine.calls) >= _DEEPEST or machine.calls.count(node) >= _RECURSION:
        machine.note(f"calls nest too deeply: {name} is not followed")
        return machine.unknown(args.all())
    scope = Scope({}, function.scope, function.scope.module)
    _bind(machine, function, args, scope)
    outer, returned, ended, tests = machine.scope, machine.returned, machine.ended, machine.tests
    machine.scope, machine.returned, machine.ended, machine.tests = scope, [], "", []
    machine.calls.append(node)
    try:
        if isinstance(node, ast.Lambda):
            return machine.evaluate(node.body)
        machine.run(node.body)
        return _result(machine)
    finally:
        machine.calls.pop()
        machine.scope, machine.returned, machine.ended, machine.tests = outer, returned, ended, tests


def _result(machine: Machine) -> Value:
    found = machine.returned
    rows = [thing for thing in (machine.of(value, Object) for value in found) if thing is not None and thing.kind == "rows"]
    if rows:
        row = choose(machine, [thing.attributes["row"] for thing in rows])
        return machine.new(Object(kind="rows", attributes={"row": row}, taint=taint_of(thing.taint for thing in rows)))
    if not found:
        return Const(None)
    some = [value for value in found if not (isinstance(value, Const) and value.value is None)]
    result = choose(machine, some or found)
    if machine.tests and isinstance(result, (Col, Const, Choice, Text)):
        from nbops.lineage.code.stores import conditional

        made = conditional(machine, [machine.col(result)], machine.blend(machine.tests))
        return made if made.deps or made.marks else result
    return result


def _bind(machine: Machine, function: Func, args: Arguments, scope: Scope) -> None:
    spec = function.node.args
    names = [parameter.arg for parameter in (*spec.posonlyargs, *spec.args)]
    given = list(args.pos)
    if function.this is not None:
        given.insert(0, function.this)
    spare: Value | None = machine.unknown(args.extra) if args.extra else None
    for name, value in zip(names, given, strict=False):
        scope.names[name] = value
    if spec.vararg is not None:
        scope.names[spec.vararg.arg] = machine.new(Seq(tuple(given[len(names) :]), not args.extra, "tuple"))
    keywords = [parameter.arg for parameter in spec.kwonlyargs]
    other: dict[str, Value] = {}
    for name, value in args.kw.items():
        if name in names or name in keywords:
            scope.names[name] = value
        else:
            other[name] = value
    if spec.kwarg is not None:
        scope.names[spec.kwarg.arg] = machine.new(Map(dict(other), not args.extra, spare))
    defaults: list[tuple[str, ast.expr | None]] = list(zip(names[len(names) - len(spec.defaults) :], spec.defaults, strict=True))
    defaults += zip(keywords, spec.kw_defaults, strict=True)
    inside = machine.scope
    machine.scope = function.scope
    try:
        for name, default in defaults:
            if name not in scope.names:
                scope.names[name] = spare if spare is not None else machine.evaluate(default) if default else machine.unknown()
    finally:
        machine.scope = inside
    for name in (*names, *keywords):
        if name not in scope.names:
            scope.names[name] = spare if spare is not None else machine.unknown()


def _bases(machine: Machine, cls: Class) -> list[Class]:
    found: list[Class] = []
    for base in cls.node.bases:
        scope: Scope | None = cls.scope
        while isinstance(base, ast.Name) and scope is not None:
            known = scope.names.get(base.id)
            if isinstance(known, Class) and known is not cls:
                found.append(known)
                break
            scope = scope.outer
    return found


def _member(machine: Machine, cls: Class, name: str, depth: int = 0) -> tuple[ast.stmt, Class] | None:
    for statement in cls.node.body:
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)) and statement.name == name:
            return statement, cls
        targets: Sequence[ast.expr] = ()
        if isinstance(statement, ast.Assign):
            targets = statement.targets
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            targets = (statement.target,)
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            return statement, cls
    for base in _bases(machine, cls) if depth < 5 else ():
        found = _member(machine, base, name, depth + 1)
        if found is not None:
            return found
    return None


def class_member(machine: Machine, cls: Class, name: str, this: Value | None) -> Value | None:
    """Return a method, property or attribute of a class, bound to an object when there is one."""
    found = _member(machine, cls, name)
    if found is None:
        return None
    statement, owner = found
    if isinstance(statement, (ast.Assign, ast.AnnAssign)):
        outer = machine.scope
        machine.scope = owner.scope
        try:
            return machine.evaluate(statement.value) if statement.value is not None else None
        finally:
            machine.scope = outer
    assert isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef))  # noqa: S101 - nothing else is found
    marks = {_decorator(decorator) for decorator in statement.decorator_list}
    if "staticmethod" in marks:
        return Func(statement, owner.scope)
    if "classmethod" in marks:
        return Func(statement, owner.scope, cls)
    bound = Func(statement, owner.scope, this)
    if this is not None and marks & {"property", "cached_property"}:
        from nbops.lineage.code.expressions import Arguments

        return follow(machine, bound, Arguments())
    return bound


def _decorator(node: ast.expr) -> str:
    node = node.func if isinstance(node, ast.Call) else node
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def instantiate(machine: Machine, cls: Class, args: Arguments) -> Value:
    """Return a new object of a known class."""
    this = machine.new(Object(kind=cls.node.name, cls=cls))
    maker = _member(machine, cls, "__init__")
    if maker is not None and isinstance(maker[0], ast.FunctionDef):
        follow(machine, Func(maker[0], maker[1].scope, this), args)
        return this
    fields = _fields(machine, cls)
    given: dict[str, Value] = dict(zip(fields, args.pos, strict=False)) | args.kw
    for name, default in fields.items():
        if name not in given and default is not None:
            given[name] = machine.evaluate(default)
    known = machine.of(this, Object)
    if known is not None:
        spare = taint_of([machine.taint(value) for value in args.extra])
        machine.put(this, replace(known, attributes=given, taint=machine.guessed(spare)))
    after = _member(machine, cls, "__post_init__")
    if after is not None and isinstance(after[0], ast.FunctionDef):
        from nbops.lineage.code.expressions import Arguments

        follow(machine, Func(after[0], after[1].scope, this), Arguments())
    return this


def _fields(machine: Machine, cls: Class, depth: int = 0) -> dict[str, ast.expr | None]:
    found: dict[str, ast.expr | None] = {}
    for base in _bases(machine, cls) if depth < 5 else ():
        found.update(_fields(machine, base, depth + 1))
    for statement in cls.node.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            found[statement.target.id] = statement.value
    return found


def load_module(machine: Machine, name: str) -> Scope:
    """Return the names of a module whose source is known."""
    if name in machine.loaded:
        return machine.loaded[name]
    scope = Scope({}, None, name)
    machine.loaded[name] = scope
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(machine.modules[name])
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        machine.note(f"module {name} cannot be parsed")
        return scope
    outer, ended, inside = machine.scope, machine.ended, machine.inside
    machine.scope, machine.ended, machine.inside = scope, "", 0
    try:
        machine.run(tree.body)
    finally:
        machine.scope, machine.ended, machine.inside = outer, ended, inside
    return scope
