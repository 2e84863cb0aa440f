"""What is known after two ways through the code meet again."""

from __future__ import annotations

from dataclasses import replace

from nbops.lineage.code.machine import Machine, Thing
from nbops.lineage.code.tables import both, union
from nbops.lineage.code.values import Choice, Class, Col, Map, Object, Ref, Scope, Seq, Table, Value, taint_of

__all__ = ["Snapshot", "choose", "join_value", "meet", "restore", "snapshot"]

_OPTIONS = 16
Snapshot = tuple[dict[int, Thing], list[dict[str, Value]]]


def _scopes(machine: Machine) -> list[Scope]:
    found: list[Scope] = []
    scope: Scope | None = machine.scope
    while scope is not None:
        found.append(scope)
        scope = scope.outer
    if machine.top not in found:
        found.append(machine.top)
    return found


def snapshot(machine: Machine) -> Snapshot:
    """Remember everything that code can change."""
    return dict(machine.heap), [dict(scope.names) for scope in _scopes(machine)]


def restore(machine: Machine, state: Snapshot) -> None:
    """Go back to what was remembered."""
    heap, names = state
    machine.heap = {**machine.heap, **heap}  # what was made on the way left stays: it may have been returned
    for scope, known in zip(_scopes(machine), names, strict=True):
        scope.names.clear()
        scope.names.update(known)


def meet(machine: Machine, other: Snapshot) -> None:
    """Join the present state with another way's."""
    heap, names = other
    for address, thing in heap.items():
        here = machine.heap.get(address)
        if here is None:
            machine.heap[address] = thing
        elif here is not thing:
            machine.heap[address] = _join_thing(machine, here, thing)
    for scope, known in zip(_scopes(machine), names, strict=True):
        for name, value in known.items():
            here_value = scope.names.get(name)
            if here_value is None:
                scope.names[name] = value
            elif here_value is not value:
                scope.names[name] = join_value(machine, here_value, value)


def _join_thing(machine: Machine, left: Thing, right: Thing) -> Thing:
    machine.step()
    if left == right:
        return left
    if isinstance(left, Table) and isinstance(right, Table):
        return union([left, right])
    if isinstance(left, Seq) and isinstance(right, Seq):
        extra = [item for item in right.items if item not in left.items] if len(left.items) < 200 else list(right.items)
        if left.exact and right.exact and len(left.items) == len(right.items):
            items = tuple(join_value(machine, a, b) for a, b in zip(left.items, right.items, strict=True))
            return Seq(items, exact=True, kind=left.kind)
        return Seq((*left.items, *extra), exact=False, kind=left.kind)
    if isinstance(left, Map) and isinstance(right, Map):
        items_ = dict(left.items)
        for key, value in right.items.items():
            items_[key] = join_value(machine, items_[key], value) if key in items_ else value
        same = left.items.keys() == right.items.keys() and left.exact and right.exact
        other = join_value(machine, left.other, right.other) if left.other and right.other else left.other or right.other
        return Map(items_, exact=same, other=other, params=left.params | right.params)
    if isinstance(left, Object) and isinstance(right, Object):
        merged = dict(left.attributes)
        for name, value in right.attributes.items():
            merged[name] = join_value(machine, merged[name], value) if name in merged else value
        return replace(left, attributes=merged, taint=taint_of((left.taint, right.taint)))
    return Object(taint=machine.guessed(taint_of((machine.taint(machine.new(left)), machine.taint(machine.new(right))))))


def join_value(machine: Machine, left: Value, right: Value) -> Value:
    """Return what is one value or the other."""
    if left is right or (type(left) is type(right) and not isinstance(left, (Class,)) and left == right):
        return left
    if isinstance(left, Col) and isinstance(right, Col):
        return both(left, right)
    return choose(machine, [left, right])


def choose(machine: Machine, options: list[Value]) -> Value:
    """Return one of several values."""
    flat: list[Value] = []
    for option in options:
        for one in option.options if isinstance(option, Choice) else (option,):
            if not any(one is known or (type(one) is type(known) and one == known) for known in flat):
                flat.append(one)
    if len(flat) == 1:
        return flat[0]
    if len(flat) > _OPTIONS:
        tables = [table for table in map(machine.table, flat) if table is not None]
        if len(tables) == len(flat):
            return machine.new(union(tables))
        return machine.unknown(flat)
    if all(isinstance(option, Ref) and machine.table(option) is not None for option in flat):
        return machine.new(union([table for table in map(machine.table, flat) if table is not None]))
    maps = [thing for thing in map(machine.thing, flat) if isinstance(thing, Map)]
    if len(maps) == len(flat):
        joined: Thing = maps[0]
        for other in maps[1:]:
            joined = _join_thing(machine, joined, other)
        return machine.new(joined)
    return Choice(tuple(flat))
