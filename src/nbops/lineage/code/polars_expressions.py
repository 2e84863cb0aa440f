"""Polars' expressions: ``pl.col("a").sum().over("b")``, ``pl.when(...)``, selectors."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nbops.lineage.code.column_words import AGGREGATES
from nbops.lineage.code.columns import column_method, row_count
from nbops.lineage.code.iteration import iterate
from nbops.lineage.code.machine import MISSING, Machine
from nbops.lineage.code.stores import conditional
from nbops.lineage.code.tables import column_of, table_taint
from nbops.lineage.code.values import NO_NAMES, Choice, Col, Const, Lazy, Module, Seq, Table, Taint, Value, merge

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nbops.lineage.code.expressions import Arguments

__all__ = ["combined", "expression_function", "expression_method", "resolved"]

_MULTIPLIERS = frozenset({"explode", "list.explode", "arr.explode", "str.explode", "flatten"})
"""Methods that make several rows of one."""
_WIDE = frozenset({"wide"})
_AS_NAMES = frozenset(
    {"over", "sort_by", "top_k_by", "bottom_k_by", "max_by", "min_by", "rolling", "rolling_mean_by", "rolling_sum_by"}
)
_HORIZONTAL = frozenset(
    "sum_horizontal mean_horizontal max_horizontal min_horizontal any_horizontal all_horizontal concat_str concat_list "
    "coalesce struct format duration date datetime time cum_sum_horizontal concat_arr arctan2 from_epoch rolling_corr "
    "rolling_cov cov corr map_batches map_groups fold reduce cum_fold cum_reduce".split()
)
_BY_NAME: dict[str, Callable[[str, str], bool]] = {
    "starts_with": lambda name, word: name.startswith(word),
    "ends_with": lambda name, word: name.endswith(word),
    "contains": lambda name, word: word in name,
}


def _lazy(resolve: Callable[[Table], Sequence[Value]], kind: str = "", parts: tuple[Any, ...] = ()) -> Lazy:
    return Lazy(lambda table, context: tuple(resolve(table)), "polars", kind=kind, parts=parts)


def resolved(machine: Machine, table: Table, given: Sequence[Value], *, names: bool = True) -> list[Col]:
    """Return the columns that expressions, names (with ``names``), series and lists of them stand for."""
    found: list[Col] = []
    for value in given:
        machine.step()
        if isinstance(value, Lazy):
            found.extend(machine.col(one) for one in value.resolve(table, None))
        elif isinstance(value, Const):
            if names and isinstance(value.value, str):
                found.extend(_named(machine, table, value.value))
            elif value.value is not None:
                found.append(Col(params=value.params, name="literal", lib="polars"))
        elif isinstance(value, Module):
            found.append(_some(machine, table, "columns are chosen by their type"))
        elif isinstance(value, Choice):
            found.extend(resolved(machine, table, value.options, names=names))
        elif isinstance(value, Col):
            found.append(value)
        else:
            items = iterate(machine, value)
            if items is not None and machine.table(value) is None:
                found.extend(resolved(machine, table, items, names=names))
            else:
                found.extend(_unclear(machine, table, value, names=names))
    return found


def _unclear(machine: Machine, table: Table, value: Value, *, names: bool) -> list[Col]:
    seq = machine.of(value, Seq)
    if seq is not None and seq.items and all(isinstance(item, (Lazy, Const, Col)) for item in seq.items):
        return resolved(machine, table, seq.items, names=names)
    inner = machine.table(value)
    if inner is not None:
        return [replace(col, rows=inner.rows) for col in inner.columns.values()]
    taint = machine.taint(value)
    if not names:
        return [Col(taint.deps, taint.marks, taint.rows, taint.params)]
    some = _some(machine, table, "expressions that are known when it runs only")
    return [replace(some, deps=merge(some.deps, machine.guessed(taint).deps))]


def _some(machine: Machine, table: Table, why: str) -> Col:
    """Return what stands for some of a table's columns, which are not known."""
    machine.note(f"{why}: any column may be meant")
    whole = machine.guessed(table_taint(table, machine.schemas))
    return Col(whole.deps, whole.marks, table.rows, whole.params, lib="polars", flags=_WIDE)


def _all(machine: Machine, table: Table) -> list[Col]:
    found = [column_of(machine, table, name) for name in table.columns]
    if table.open:
        taint = table_taint(replace(table, columns={}, index=()), machine.schemas)
        found.append(Col(taint.deps, taint.marks, table.rows, table.params, lib="polars", flags=_WIDE))
    return found


def _named(machine: Machine, table: Table, name: str) -> list[Col]:
    if name == "*":
        return _all(machine, table)
    if name.startswith("^") and name.endswith("$"):
        return _matching(machine, table, lambda one: matches(name, one))
    return [column_of(machine, table, name)]


def matches(pattern: str, name: str) -> bool:
    if len(pattern) > 500 or len(name) > 1000:
        return False
    try:
        return re.search(pattern, name) is not None
    except re.error:
        return False


def _matching(machine: Machine, table: Table, test: Callable[[str], bool]) -> list[Col]:
    if table.open:
        return [_some(machine, table, "columns are chosen by a pattern, and their names are not known")]
    return [column_of(machine, table, name) for name in table.columns if test(name)]


def expression_function(machine: Machine, name: str, args: Arguments) -> Value:
    """Return what a function of Polars returns that makes an expression."""
    last = name.rsplit(".", 1)[-1]
    if ".selectors." in name or name.startswith("polars.cs."):
        return _selector(machine, last, args)
    if last in {"col", "nth"} and args.pos:
        given = list(args.pos)
        return _lazy(lambda table: resolved(machine, table, given), "selector")
    if last == "all" and not args.pos:
        return _lazy(lambda table: _all(machine, table), "selector")
    if last == "exclude":
        return _excluding(machine, _lazy(lambda table: _all(machine, table)), args)
    if last == "lit":
        value = args.pos[0] if args.pos else Const(None)
        return _lazy(lambda table: (replace(machine.col(value), name="literal", lib="polars"),))
    if last in {"len", "count"} and not args.pos:
        return _lazy(lambda table: (replace(row_count(table, machine.cell), name="len", flags=frozenset({"agg"})),))
    if last == "when":
        return _lazy(lambda table: (), "when", parts=(("when", tuple(args.pos), dict(args.kw)),))
    if last in AGGREGATES or last in {"head", "tail", "cum_sum", "all", "any", "implode", "element", "arg_sort_by", "n_unique"}:
        inner = list(args.pos)
        return _lazy(
            lambda table: [machine.col(column_method(machine, col, last, _none())) for col in resolved(machine, table, inner)]
        )
    if last in _HORIZONTAL:
        inner = args.pos[1:] if last == "format" else args.pos
        values = [*inner, *(args.kw.values() if last == "struct" else [])]
        return _lazy(lambda table: (_blended(machine, resolved(machine, table, values)),))
    if last in {"int_range", "arange", "int_ranges", "date_range", "datetime_range", "repeat", "ones", "zeros", "date_ranges"}:
        inner = list(args.pos)
        return _lazy(lambda table: (replace(machine.blend(resolved(machine, table, inner, names=True)), name="literal"),))
    if not any(machine.taint(value).deps or isinstance(value, Lazy) for value in args.all()):
        return Taint()
    lazy = [value for value in args.pos if isinstance(value, Lazy)]
    if lazy:
        return _lazy(lambda table: (_blended(machine, resolved(machine, table, lazy)),))
    machine.note(f"polars.{last}(): what it does is not known")
    return machine.unknown(args.all())


def _none() -> Arguments:
    from nbops.lineage.code.expressions import Arguments

    return Arguments()


def _blended(machine: Machine, cols: list[Col]) -> Col:
    made = machine.blend(cols)
    return replace(made, name=cols[0].name if cols else None, lib="polars")


def _selector(machine: Machine, name: str, args: Arguments) -> Value:
    words = [str(machine.plain(value)) for value in args.pos if isinstance(machine.plain(value), str)]
    if name in _BY_NAME:
        return _lazy(
            lambda table: _matching(machine, table, lambda one: any(_BY_NAME[name](one, word) for word in words)), "selector"
        )
    if name == "matches" and words:
        return _lazy(lambda table: _matching(machine, table, lambda one: matches(words[0], one)), "selector")
    if name in {"by_name", "col"}:
        given = list(args.pos)
        return _lazy(lambda table: resolved(machine, table, given), "selector")
    if name == "all":
        return _lazy(lambda table: _all(machine, table), "selector")
    if name == "exclude":
        return _excluding(machine, _lazy(lambda table: _all(machine, table)), args)
    if name in {"first", "last"}:
        at = 0 if name == "first" else -1
        return _lazy(
            lambda table: (
                _all(machine, table)[at:][:1] if not table.open else [_some(machine, table, "a column is chosen by place")]
            ),
            "selector",
        )
    return _lazy(lambda table: [_some(machine, table, "columns are chosen by their type")], "selector")


def _excluding(machine: Machine, lazy: Lazy, args: Arguments) -> Lazy:
    given = list(args.pos)

    def resolve(table: Table) -> list[Value]:
        gone = {col.name for col in resolved(machine, table, given) if "wide" not in col.flags}
        return [col for col in lazy.resolve(table, None) if machine.col(col).name not in gone]

    return _lazy(resolve, "selector")


def combined(machine: Machine, word: str, left: Lazy, right: Lazy) -> Lazy:
    """Return the union, difference or intersection of two selectors."""

    def resolve(table: Table) -> list[Value]:
        first, second = ([machine.col(one) for one in side.resolve(table, None)] for side in (left, right))
        names = {col.name for col in second}
        if word == "Sub":
            return [col for col in first if col.name not in names]
        if word == "BitAnd":
            return [col for col in first if col.name in names]
        return [*first, *(col for col in second if col.name not in {one.name for one in first})]

    return _lazy(resolve, "selector")


def expression_method(machine: Machine, lazy: Lazy, name: str, args: Arguments) -> Value:
    """Return what a method of an expression returns."""
    if lazy.kind in {"when", "then"}:
        made = _branch(machine, lazy, name, args)
        if made is not None:
            return made
    if name == "exclude":
        return _excluding(machine, lazy, args)
    if name == "pipe" and args.pos:
        return machine.call(args.pos[0], type(args)([lazy, *args.pos[1:]], args.kw))
    if name in {
        "name.suffix",
        "name.prefix",
        "suffix",
        "prefix",
        "name.map",
        "map_alias",
        "name.keep",
        "keep_name",
        "name.to_lowercase",
        "name.to_uppercase",
    }:
        return _lazy(lambda table: [_renamed(machine, machine.col(one), name, args) for one in lazy.resolve(table, None)])
    if name == "alias":
        new = machine.plain(args.pos[0]) if args.pos else MISSING
        if not isinstance(new, str):
            machine.note("alias: the new name is not known")
            return _lazy(lambda table: [replace(machine.col(one), flags=_WIDE) for one in lazy.resolve(table, None)])
        return _lazy(lambda table: [replace(machine.col(one), name=new) for one in lazy.resolve(table, None)])

    def resolve(table: Table) -> list[Value]:
        given = _arguments(machine, table, name, args)
        several = frozenset({"several rows"}) if name in _MULTIPLIERS else NO_NAMES
        return [
            _kept(one := machine.col(value), machine.col(column_method(machine, one, name, given)), several)
            for value in lazy.resolve(table, None)
        ]

    return _lazy(resolve)


def _kept(before: Col, after: Col, more: frozenset[str]) -> Col:
    name = after.name if after.name is not None else before.name
    return replace(after, name=name, lib="polars", flags=after.flags | (before.flags & _WIDE) | more)


def _arguments(machine: Machine, table: Table, name: str, args: Arguments) -> Arguments:
    """Let expressions among the arguments stand for columns of the table; names too, where the method takes names."""
    as_names = name in _AS_NAMES
    pos: list[Value] = []
    for value in args.pos:
        if isinstance(value, Lazy) or (as_names and not isinstance(value, Col)):
            pos.extend(resolved(machine, table, [value], names=as_names))
        else:
            items = iterate(machine, value) if not isinstance(value, (Const, Col)) and machine.table(value) is None else None
            lazy = items is not None and any(isinstance(item, Lazy) for item in items)
            pos.extend(resolved(machine, table, items or [], names=False) if lazy else [value])
    kw: dict[str, Value] = {
        key: machine.blend(resolved(machine, table, [value], names=as_names or key.endswith("by")), "identity")
        if isinstance(value, Lazy) or key in {"order_by", "by", "partition_by"}
        else value
        for key, value in args.kw.items()
        if not (as_names and key in {"descending", "mapping_strategy", "nulls_last", "period", "every", "index_column"})
    }
    return type(args)(pos, kw, args.extra)


def _renamed(machine: Machine, col: Col, word: str, args: Arguments) -> Col:
    last = word.rsplit(".", 1)[-1]
    text = machine.plain(args.pos[0]) if args.pos else None
    name = col.name or ""
    if last == "suffix" and isinstance(text, str):
        return replace(col, name=f"{name}{text}")
    if last == "prefix" and isinstance(text, str):
        return replace(col, name=f"{text}{name}")
    if last == "to_lowercase":
        return replace(col, name=name.lower())
    if last == "to_uppercase":
        return replace(col, name=name.upper())
    if last in {"map", "map_alias"} and args.pos:
        new = machine.plain(machine.call(args.pos[0], type(args)([Const(name)])))
        return replace(col, name=new) if isinstance(new, str) else replace(col, flags=_WIDE)
    return col


def _branch(machine: Machine, lazy: Lazy, name: str, args: Arguments) -> Lazy | None:
    """``when(...).then(...).when(...).then(...).otherwise(...)``."""
    if name not in {"then", "when", "otherwise"}:
        return None
    parts = (*lazy.parts, (name, tuple(args.pos), dict(args.kw)))

    def resolve(table: Table) -> list[Value]:
        tests: list[Col] = []
        values: list[Col] = []
        for word, given, named in parts:
            if word == "when":
                tests.extend(resolved(machine, table, given))
                tests.extend(machine.blend([column_of(machine, table, key), machine.col(value)]) for key, value in named.items())
            else:
                values.extend(resolved(machine, table, given) or [Col()])
        first = next((value.name for value in values), None)
        return [replace(conditional(machine, values, machine.blend(tests)), name=first or "literal", lib="polars")]

    return _lazy(resolve, "" if name == "otherwise" else name if name == "when" else "then", parts)
