"""Python's own: builtins, lists and mappings, ``open``, ``json``, ``os``, ``pathlib``, ``datetime``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nbops.lineage.code.columns import row_count
from nbops.lineage.code.interpret import truth
from nbops.lineage.code.iteration import element, iterate
from nbops.lineage.code.machine import MISSING, Machine
from nbops.lineage.code.values import Choice, Col, Const, Func, Map, Module, Object, Ref, Seq, Table, Taint, Text, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from nbops.lineage.code.expressions import Arguments

__all__ = ["builtin", "open_file"]

_CONVERSIONS: Mapping[str, Callable[[Any], Any]] = {
    "int": int,
    "float": float,
    "bool": bool,
    "str": str,
    "abs": abs,
    "repr": repr,
}
_REDUCE = frozenset({"sum", "min", "max"})
_LARGEST = 10_000


def builtin(machine: Machine, name: str, args: Arguments) -> Value:
    """Return what a builtin function returns."""
    first = args.pos[0] if args.pos else None
    if name in {"exec", "eval", "compile", "__import__", "execfile"}:
        return _run_text(machine, name, args)
    if name == "getattr":
        return _getattr(machine, args)
    if name in {"setattr", "delattr"}:
        return _setattr(machine, args)
    if name in {"globals", "locals", "vars"}:
        machine.note(f"{name}(): names reached through it are not followed")
        return machine.unknown([first])
    if name in {"print", "help", "input", "breakpoint", "__nbops_unknown__"}:
        return Taint()
    if name.startswith("str.") and isinstance(first, (Const, Text)):
        from nbops.lineage.code.texts import text_method

        return text_method(machine, first, name.removeprefix("str."), type(args)(args.pos[1:], args.kw)) or machine.unknown(
            [first]
        )
    if name == "__nbops_sql__":
        from nbops.lineage.code.duckdb_ import run_magic

        return run_magic(machine, first or Const(""))
    if name == "open":
        return open_file(machine, first or Const("?"), args.get(1, "mode"))
    if name == "len":
        return _length(machine, first)
    if name in {"list", "tuple", "set", "frozenset", "sorted", "reversed", "iter"}:
        return _sequence(machine, name, first)
    if name == "dict":
        return make_mapping(machine, args)
    if name in {
        "zip",
        "enumerate",
        "map",
        "filter",
        "range",
        "next",
        "isinstance",
        "callable",
        "hasattr",
        "any",
        "all",
        "type",
        "super",
        "id",
    }:
        return _functional(machine, name, args)
    if name in _CONVERSIONS and first is not None:
        return _convert(machine, name, first)
    if name == "round" and first is not None:
        return (
            machine.blend([machine.col(first)])
            if machine.plain(first) is MISSING
            else Const(_rounded(machine, args), machine.params(first))
        )
    if name in _REDUCE and args.pos:
        return _reduce(machine, name, args)
    if name == "object":
        return machine.new(Object())
    if name == "slice":
        return Taint()
    data = [value for value in args.all() if machine.taint(value) != Taint()]
    return machine.unknown(data)


def _rounded(machine: Machine, args: Arguments) -> Any:
    plain = [machine.plain(value) for value in args.pos]
    try:
        return round(*plain)
    except (TypeError, ValueError):
        return 0


def _run_text(machine: Machine, name: str, args: Arguments) -> Value:
    """``exec`` and ``eval`` of a known expression are followed; anything else is said."""
    text = machine.plain(args.pos[0]) if args.pos else MISSING
    if name == "eval" and isinstance(text, str) and len(text) < _LARGEST:
        import ast

        try:
            return machine.evaluate(ast.parse(text.strip(), mode="eval").body)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            pass
    if name == "exec" and isinstance(text, str) and len(text) < _LARGEST:
        import ast

        try:
            machine.run(ast.parse(text).body)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            pass
        else:
            return Const(None)
    machine.note(f"{name}(): what it does is not known: any table may have changed")
    _anything(machine)
    return machine.unknown([*args.all(), *machine.top.names.values()] if name == "eval" else args.all())


def _anything(machine: Machine) -> None:
    """Code that is not known ran: any table that a name stands for may have changed."""
    from nbops.lineage.code.tables import table_taint
    from nbops.lineage.code.values import merge, taint_of

    refs = {value.at for value in machine.top.names.values() if isinstance(value, Ref)}
    tables = {at: thing for at, thing in machine.heap.items() if at in refs and isinstance(thing, Table)}
    whole = machine.guessed(taint_of(table_taint(table, machine.schemas) for table in tables.values()))
    for at, table in tables.items():
        machine.heap[at] = replace(
            table,
            columns={name: replace(col, deps=merge(col.deps, whole.deps)) for name, col in table.columns.items()},
            wide=merge(table.wide or {}, whole.deps),
        )


def _getattr(machine: Machine, args: Arguments) -> Value:
    from nbops.lineage.code.access import get_attribute

    name = machine.plain(args.pos[1]) if len(args.pos) > 1 else MISSING
    if isinstance(name, str):
        return get_attribute(machine, args.pos[0], name)
    if args.pos and machine.taint(args.pos[0]).deps:
        machine.note("getattr: the attribute's name is not known")
    return machine.unknown(args.pos)


def _setattr(machine: Machine, args: Arguments) -> Value:
    if len(args.pos) == 3:
        name, thing = machine.plain(args.pos[1]), machine.of(args.pos[0], Object)
        if thing is not None and isinstance(name, str):
            machine.put(args.pos[0], replace(thing, attributes={**thing.attributes, name: args.pos[2]}))
        else:
            machine.add_taint(args.pos[0], [args.pos[2]])
    return Const(None)


def _length(machine: Machine, value: Value | None) -> Value:
    if value is None:
        return Taint()
    plain = machine.plain(value)
    if plain is not MISSING and hasattr(plain, "__len__"):
        return Const(len(plain), machine.params(value))
    thing = machine.thing(value)
    if isinstance(thing, (Seq, Map)) and thing.exact:
        return Const(len(thing.items), machine.params(value))
    if isinstance(thing, Table):
        return replace(row_count(thing, machine.cell), flags=frozenset({"scalar"}))
    if isinstance(value, Col) and value.flags & {"cell", "scalar"}:
        return machine.blend([value])
    if isinstance(value, Col):
        counted = row_count(Table(rows=value.rows, origins=value.origins), machine.cell)
        return replace(counted, flags=frozenset({"scalar"}))
    return machine.unknown([value])


def _sequence(machine: Machine, name: str, value: Value | None) -> Value:
    kind = name if name in {"list", "tuple", "set"} else "set" if name == "frozenset" else "list"
    if value is None:
        return machine.new(Seq((), kind=kind))
    if isinstance(value, Col):
        return value
    items = iterate(machine, value)
    if items is None:
        thing = machine.thing(value)
        if isinstance(thing, Seq):
            return machine.new(replace(thing, kind=kind))
        if isinstance(thing, Object) and thing.kind == "rows":
            return value
        return machine.new(Seq((element(machine, value),), exact=False, kind=kind))
    if name == "reversed":
        items = items[::-1]
    if name == "sorted" or kind == "set":
        plain = [machine.plain(item) for item in items]
        if MISSING not in plain:
            try:
                order = sorted(range(len(items)), key=lambda at: plain[at]) if name == "sorted" else range(len(items))
                seen: dict[Any, Value] = {}
                for at in order:
                    seen.setdefault(plain[at] if kind == "set" else at, items[at])
                items = list(seen.values())
            except TypeError:
                pass
    return machine.new(Seq(tuple(items), kind=kind))


def make_mapping(machine: Machine, args: Arguments) -> Value:
    items: dict[Any, Value] = {}
    exact = not args.extra
    if args.pos:
        given = machine.thing(args.pos[0])
        if isinstance(given, Map):
            items.update(given.items)
            exact = exact and given.exact
        elif isinstance(given, Object) and given.kind == "pairs":
            return machine.new(replace(given, kind="mapping"))
        else:
            pairs = iterate(machine, args.pos[0])
            for pair in pairs or ():
                two = iterate(machine, pair)
                key = machine.plain(two[0]) if two and len(two) == 2 else MISSING
                if two and key is not MISSING and isinstance(key, (str, int, float, tuple)):
                    items[key] = two[1]
                else:
                    exact = False
            if pairs is None:
                return machine.unknown([args.pos[0]])
    items.update(args.kw)
    return machine.new(Map(items, exact))


def _functional(machine: Machine, name: str, args: Arguments) -> Value:
    if name == "range":
        plain = [machine.plain(value) for value in args.pos]
        if plain and all(isinstance(one, int) for one in plain) and len(range(*plain)) <= _LARGEST:
            return Const(range(*plain), frozenset().union(*(machine.params(value) for value in args.pos)))
        return machine.unknown(args.pos)
    if name == "zip":
        return _zip(machine, args)
    if name == "enumerate" and args.pos:
        items = iterate(machine, args.pos[0])
        start = machine.plain(args.get(1, "start") or Const(0))
        if items is not None and isinstance(start, int):
            return machine.new(
                Seq(tuple(machine.new(Seq((Const(start + at), item), kind="tuple")) for at, item in enumerate(items)))
            )
        pair = machine.new(Seq((Taint(), element(machine, args.pos[0])), kind="tuple"))
        return machine.new(Object(kind="rows", attributes={"row": pair}))
    if name in {"map", "filter"} and len(args.pos) > 1:
        return mapped(machine, name, args)
    if name == "next" and args.pos:
        items = iterate(machine, args.pos[0])
        return items[0] if items else element(machine, args.pos[0])
    if name == "isinstance" and len(args.pos) > 1:
        return _isinstance(machine, args.pos[0], args.pos[1])
    if name == "callable" and args.pos:
        return Const(isinstance(args.pos[0], (Func, Module)))
    if name in {"any", "all"} and args.pos:
        items = iterate(machine, args.pos[0])
        if items is not None:
            known = [truth(machine, item) for item in items]
            if None not in known:
                return Const(any(known) if name == "any" else all(known))
    return machine.unknown(args.pos)


def _isinstance(machine: Machine, value: Value, kinds: Value) -> Value:
    plain = machine.plain(value)
    names = {one.name.rsplit(".", 1)[-1] for one in (iterate(machine, kinds) or [kinds]) if isinstance(one, Module)}
    types = {"str": str, "int": int, "float": float, "list": list, "dict": dict, "tuple": tuple, "bool": bool}
    if plain is not MISSING and names and names <= types.keys():
        return Const(isinstance(plain, tuple(types[name] for name in names)), machine.params(value))
    table = machine.table(value)
    if table is not None and table.lib == "pandas" and names & {"DataFrame"}:
        return Const(value=True)
    return Taint()


def _zip(machine: Machine, args: Arguments) -> Value:
    lists = [iterate(machine, value) for value in args.pos]
    if lists and all(found is not None for found in lists):
        rows = zip(*(found for found in lists if found is not None), strict=False)
        return machine.new(Seq(tuple(machine.new(Seq(tuple(row), kind="tuple")) for row in rows)))
    parts = tuple(element(machine, value) for value in args.pos)
    row = machine.new(Seq(parts, kind="tuple"))
    attributes: dict[str, Value] = {"row": row}
    if len(parts) == 2 and all(isinstance(part, Col) for part in parts):
        key, value = (machine.col(part) for part in parts)
        attributes["series"] = replace(value, index=((key.name, replace(key, index=())),))
        return machine.new(Object(kind="pairs", attributes=attributes))
    return machine.new(Object(kind="rows", attributes=attributes))


def mapped(machine: Machine, name: str, args: Arguments) -> Value:
    items = iterate(machine, args.pos[1])
    arguments = type(args)
    if name == "map":
        if items is not None and len(items) <= 1000:
            more = [iterate(machine, value) or [] for value in args.pos[2:]]
            rows = zip(items, *more, strict=False) if more else ((item,) for item in items)
            return machine.new(Seq(tuple(machine.call(args.pos[0], arguments(list(row))) for row in rows)))
        result = machine.call(args.pos[0], arguments([element(machine, value) for value in args.pos[1:]]))
        return machine.new(Seq((result,), exact=False))
    if items is None:
        return args.pos[1]
    tests = [truth(machine, machine.call(args.pos[0], arguments([item]))) for item in items]
    kept = tuple(item for item, test in zip(items, tests, strict=True) if test is not False)
    return machine.new(Seq(kept, exact=None not in tests))


def _convert(machine: Machine, name: str, value: Value) -> Value:
    if name == "str" and isinstance(value, (Const, Text)) and value.path:
        return replace(value, path=False) if isinstance(value, Text) else Const(str(value.value), value.params)
    if name == "str" and isinstance(value, Text):
        return value
    if isinstance(value, Choice) and name == "str":
        from nbops.lineage.code.joining import choose

        return choose(machine, [_convert(machine, name, option) for option in value.options])
    plain = machine.plain(value)
    if plain is not MISSING and not isinstance(plain, (list, dict)):
        try:
            return Const(_CONVERSIONS[name](plain), machine.params(value))
        except (TypeError, ValueError, OverflowError):
            return machine.unknown([value])
    if machine.taint(value).deps or isinstance(value, Col):
        return replace(machine.blend([machine.col(value)]), flags=frozenset({"scalar"}))
    return machine.unknown([value])


def _reduce(machine: Machine, name: str, args: Arguments) -> Value:
    items = args.pos if len(args.pos) > 1 else iterate(machine, args.pos[0])
    if name == "sum" and len(args.pos) == 2:
        items = [*(iterate(machine, args.pos[0]) or [args.pos[0]]), args.pos[1]]
    if items is None:
        return replace(machine.blend([machine.col(args.pos[0])], "aggregation"), flags=frozenset({"scalar"}), index=())
    plain = [machine.plain(item) for item in items]
    if MISSING not in plain and plain:
        try:
            functions: Mapping[str, Callable[[Sequence[Any]], Any]] = {"sum": sum, "min": min, "max": max}
            return Const(functions[name](plain), frozenset().union(*(machine.params(item) for item in items)))
        except TypeError:
            return machine.unknown(items)
    return machine.blend([machine.col(item) for item in items])


def open_file(machine: Machine, path: Value, mode: Value | None) -> Value:
    """``open(path, mode)``: a read, or a write of what goes into it later."""
    how = machine.plain(mode) if mode is not None else "r"
    name = machine.path(path)
    if isinstance(how, str) and any(letter in how for letter in "wax"):
        return machine.new(Object(kind="file", attributes={"path": path}))
    table = machine.read(name, "open", lib="file", params=machine.params(path))
    return machine.new(
        Object(kind="reading", attributes={"path": path}, taint=machine.guessed(machine.taint(machine.new(table))))
    )
