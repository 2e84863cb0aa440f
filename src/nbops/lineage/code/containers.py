"""Methods of lists, sets and mappings."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nbops.lineage.code.iteration import element, iterate
from nbops.lineage.code.machine import MISSING, Machine
from nbops.lineage.code.values import Const, Map, Object, Seq, Taint, Text, Value

if TYPE_CHECKING:
    from nbops.lineage.code.expressions import Arguments
from nbops.lineage.code.plain import mapped

__all__ = ["container_method"]


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
            return mapped(machine, "map", type(args)([first, ref]))
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
