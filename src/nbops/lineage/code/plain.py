"""Python's own: builtins, lists and mappings, ``open``, ``json``, ``os``, ``pathlib``, ``datetime``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nbops.lineage.code.columns import row_count
from nbops.lineage.code.interpret import truth
from nbops.lineage.code.iteration import element, iterate
from nbops.lineage.code.machine import MISSING, Machine
from nbops.lineage.code.texts import machine_rename, path_function
from nbops.lineage.code.values import Choice, Col, Const, Func, Map, Module, Object, Ref, Seq, Table, Taint, Text, Value

if TYPE_CHECKING:
    from nbops.lineage.code.expressions import Arguments

__all__ = ["builtin", "container_method", "open_file", "standard"]

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
        return _dict(machine, args)
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
    from nbops.lineage.code.machine import table_taint
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


def _dict(machine: Machine, args: Arguments) -> Value:
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
        return _map(machine, name, args)
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


def _map(machine: Machine, name: str, args: Arguments) -> Value:
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


def container_method(machine: Machine, ref: Value, thing: Seq | Map, name: str, args: Arguments) -> Value:
    """Return what a method of a list or mapping returns, and change it."""
    first = args.pos[0] if args.pos else None
    if isinstance(thing, Seq):
        if name in {"append", "add", "appendleft"} and first is not None:
            machine.put(ref, replace(thing, items=(*thing.items, first)))
        elif name in {"extend", "update"} and first is not None:
            items = iterate(machine, first)
            more = items if items is not None else [element(machine, first)]
            machine.put(ref, replace(thing, items=(*thing.items, *more), exact=thing.exact and items is not None))
        elif name == "insert" and len(args.pos) > 1:
            at = machine.plain(args.pos[0])
            place = at if isinstance(at, int) else len(thing.items)
            machine.put(ref, replace(thing, items=(*thing.items[:place], args.pos[1], *thing.items[place:])))
        elif name in {"remove", "discard"} and first is not None:
            gone = machine.plain(first)
            left = tuple(item for item in thing.items if gone is MISSING or machine.plain(item) != gone)
            machine.put(ref, replace(thing, items=left, exact=thing.exact and gone is not MISSING))
        elif name == "pop":
            at = machine.plain(first) if first is not None else -1
            if thing.exact and isinstance(at, int) and -len(thing.items) <= at < len(thing.items):
                items_ = list(thing.items)
                popped = items_.pop(at)
                machine.put(ref, replace(thing, items=tuple(items_)))
                return popped
            return element(machine, ref)
        elif name == "copy":
            return machine.new(thing)
        elif name in {"tolist", "to_list", "to_numpy", "unique", "sort_values"}:
            return machine.new(replace(thing, kind="list"))
        elif name in {"difference", "union", "intersection", "symmetric_difference"} and first is not None:
            return _set_method(machine, thing, name, first)
        elif name == "reverse":
            machine.put(ref, replace(thing, items=thing.items[::-1]))
        elif name == "isin":
            return machine.unknown([ref, first])
        elif name.startswith("str."):
            return _each_text(machine, thing, name.removeprefix("str."), args)
        elif name == "map" and first is not None:
            return _map(machine, "map", type(args)([first, ref]))
        elif name in {"index", "count", "get_loc"}:
            return machine.unknown([first])
        elif name == "drop" and first is not None:
            return _set_method(machine, thing, "difference", first)
        return Const(None)
    if name == "items":
        if thing.exact:
            pairs = (machine.new(Seq((Const(key, thing.params), value), kind="tuple")) for key, value in thing.items.items())
            return machine.new(Seq(tuple(pairs)))
        pair = machine.new(
            Seq(
                (
                    Taint(params=thing.params),
                    element(machine, machine.new(Seq((*thing.items.values(), thing.other or Const(None)), exact=False))),
                ),
                kind="tuple",
            )
        )
        return machine.new(Object(kind="rows", attributes={"row": pair}))
    if name == "values":
        return machine.new(Seq(tuple(thing.items.values()), exact=thing.exact))
    if name == "keys":
        return machine.new(Seq(tuple(Const(key, thing.params) for key in thing.items), exact=thing.exact))
    if name in {"get", "setdefault", "pop"} and first is not None:
        return _map_get(machine, ref, thing, name, args)
    if name == "update":
        return _update(machine, ref, thing, args)
    if name == "copy":
        return machine.new(thing)
    if name == "fromkeys":
        return machine.unknown(args.all())
    return machine.unknown([ref, *args.all()])


def _each_text(machine: Machine, thing: Seq, name: str, args: Arguments) -> Value:
    """``df.columns.str.lower()``: of each name."""
    from nbops.lineage.code.texts import text_method

    made = []
    for item in thing.items:
        if (
            name == "replace"
            and isinstance(item, Const)
            and machine.plain(args.get(2, "regex") or Const(value=False)) is not False
        ):
            return machine.unknown([item])
        result = text_method(machine, item, name, type(args)(args.pos)) if isinstance(item, (Const, Text)) else None
        if result is None:
            return machine.unknown(thing.items)
        made.append(result)
    return machine.new(Seq(tuple(made), thing.exact, "list"))


def _set_method(machine: Machine, thing: Seq, name: str, other: Value) -> Value:
    items = iterate(machine, other)
    if isinstance(other, Const) and isinstance(other.value, str):
        items = [other]
    known = [machine.plain(item) for item in items] if items is not None else [MISSING]
    if name == "union":
        return machine.new(Seq((*thing.items, *(items or [])), thing.exact and items is not None, thing.kind))
    mine = [machine.plain(item) for item in thing.items]
    if MISSING in known or MISSING in mine:
        return machine.new(replace(thing, exact=False))
    inside = name == "intersection"
    return machine.new(
        Seq(tuple(i for i, plain in zip(thing.items, mine, strict=True) if (plain in known) == inside), thing.exact, thing.kind)
    )


def _map_get(machine: Machine, ref: Value, thing: Map, name: str, args: Arguments) -> Value:
    from nbops.lineage.code.access import item_of

    key = machine.plain(args.pos[0])
    default = args.pos[1] if len(args.pos) > 1 else Const(None)
    try:
        missing = key is not MISSING and key not in thing.items and thing.exact
    except TypeError:
        missing = False
    if missing:
        if name == "setdefault":
            machine.put(ref, replace(thing, items={**thing.items, key: default}))
        return default
    found = item_of(machine, ref, args.pos[0])
    if name == "pop" and key is not MISSING:
        machine.put(ref, replace(thing, items={one: value for one, value in thing.items.items() if one != key}))
    return found


def _update(machine: Machine, ref: Value, thing: Map, args: Arguments) -> Value:
    items, exact = dict(thing.items), thing.exact
    for value in args.pos:
        other = machine.of(value, Map)
        if other is not None:
            items.update(other.items)
        exact = exact and other is not None and other.exact
    items.update(args.kw)
    machine.put(ref, replace(thing, items=items, exact=exact))
    return Const(None)


def standard(machine: Machine, name: str, args: Arguments) -> Value | None:
    """Return what a function of the standard library returns; None when it is not known here."""
    if name in {"pathlib.Path", "pathlib.PurePath", "pathlib.PosixPath", "pathlib.PurePosixPath"}:
        if not args.pos:
            return Const(".", path=True)
        joined_ = path_function(machine, "join", args.pos) if len(args.pos) > 1 else args.pos[0]
        if isinstance(joined_, Const):
            text = str(joined_.value)
            while text.startswith("./") and len(text) > 2:
                text = text[2:]
            return Const(text, joined_.params, path=True)
        return replace(joined_, path=True) if isinstance(joined_, Text) else joined_
    if name == "pathlib.Path.cwd":
        return Const(".", path=True)
    if name.startswith("os.path."):
        return path_function(machine, name.removeprefix("os.path."), args.pos)
    if name == "os.fspath" and args.pos:
        return args.pos[0]
    if name in {"os.replace", "os.rename", "shutil.move"} and len(args.pos) > 1:
        machine_rename(machine, args.pos[0], args.pos[1])
        return Taint()
    if name in {"shutil.copy", "shutil.copyfile", "shutil.copy2"} and len(args.pos) > 1:
        table = machine.read(machine.path(args.pos[0]), name, lib="file", params=machine.params(args.pos[0]))
        machine.write(machine.path(args.pos[1]), table, name, machine.params(args.pos[1]))
        return Taint()
    if name in {"json.dump", "pickle.dump", "yaml.dump", "yaml.safe_dump", "joblib.dump", "toml.dump"} and len(args.pos) > 1:
        return _dump(machine, name, args)
    if name in {"json.load", "pickle.load", "yaml.safe_load", "joblib.load", "tomllib.load"} and args.pos:
        if isinstance(args.pos[0], (Const, Text)):
            return machine.unknown([machine.new(machine.read(machine.path(args.pos[0]), name, lib="file"))])
        return machine.unknown([args.pos[0]])
    if name in {"glob.glob", "glob.iglob"} and args.pos:
        return machine.new(Seq((args.pos[0],), exact=False))
    if name in {"copy.copy", "copy.deepcopy"} and args.pos:
        thing = machine.thing(args.pos[0])
        return machine.new(thing) if thing is not None else args.pos[0]
    if name == "functools.partial" and args.pos:
        return machine.new(Object(kind="partial", attributes={"function": args.pos[0]}, taint=Taint()))
    if name == "functools.reduce" and len(args.pos) > 1:
        return _fold(machine, args)
    if name.startswith("itertools.chain") and args.pos:
        parts = [
            iterate(machine, value)
            for value in (iterate(machine, args.pos[0]) or [] if name.endswith("from_iterable") else args.pos)
        ]
        known = None not in parts
        return machine.new(Seq(tuple(item for part in parts if part is not None for item in part), exact=known))
    if name.startswith(
        ("datetime.", "time.", "random.", "uuid.", "os.", "sys.", "re.", "collections.", "math.", "json.", "hashlib.")
    ):
        return _scalar(machine, name, args)
    return None


def _fold(machine: Machine, args: Arguments) -> Value:
    items = iterate(machine, args.pos[1])
    if items is None:
        return machine.unknown(args.all())
    given = [*args.pos[2:3], *items]
    result = given[0] if given else Const(None)
    for item in given[1:]:
        result = machine.call(args.pos[0], type(args)([result, item]))
    return result


def _scalar(machine: Machine, name: str, args: Arguments) -> Value:
    if name in {"collections.OrderedDict", "collections.defaultdict", "collections.Counter"}:
        if name == "collections.defaultdict":
            return machine.new(Map({}, exact=not machine.inside))
        return _dict(machine, args) if args.pos or args.kw else machine.new(Map({}))
    if name == "collections.namedtuple":
        return machine.unknown(args.all())
    data = [machine.col(value) for value in args.all() if machine.taint(value).deps or machine.taint(value).params]
    return replace(machine.blend(data), flags=frozenset({"scalar"})) if data else Taint()


def _dump(machine: Machine, name: str, args: Arguments) -> Value:
    target = args.pos[1]
    thing = machine.of(target, Object)
    path = thing.attributes["path"] if thing is not None and "path" in thing.attributes else target
    if isinstance(path, (Const, Text, Choice)):
        machine.write_other(machine.path(path), name, args.pos[0], machine.params(path))
    return Taint()
