"""Ibis' values: ``t.a.sum()``, ``_.a``, ``ibis.cases(...)``, windows and selectors."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nbops.lineage.code.column_words import RANKS
from nbops.lineage.code.columns import column_method, row_count, windowed
from nbops.lineage.code.iteration import iterate
from nbops.lineage.code.polars_expressions import resolved as by_name
from nbops.lineage.code.stores import conditional
from nbops.lineage.code.tables import column_of, table_taint
from nbops.lineage.code.values import Choice, Col, Const, Func, Lazy, Map, Object, Table, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nbops.lineage.code.expressions import Arguments
    from nbops.lineage.code.machine import Machine

__all__ = ["case_method", "lazy_method", "value_function", "value_method", "values_of"]

_BLENDS = frozenset(
    "coalesce greatest least date time timestamp struct array map literal ifelse concat interval range uuid random now".split()
)
_TOTALS = frozenset(
    "count nunique approx_nunique sum mean min max median std var first last arbitrary collect group_concat mode quantile "
    "any all argmax argmin".split()
)
_PREDICATES = {"startswith": str.startswith, "endswith": str.endswith, "contains": str.__contains__}


def values_of(machine: Machine, table: Table, given: Sequence[Value], *, strings: bool = True) -> list[Col]:
    """Return the columns that values, deferred values, functions, names (with ``strings``) and lists of them stand for."""
    found: list[Col] = []
    for value in given:
        machine.step()
        if isinstance(value, Func):
            from nbops.lineage.code.expressions import Arguments

            found.extend(values_of(machine, table, [machine.call(value, Arguments([machine.new(table)]))], strings=strings))
            continue
        if isinstance(value, Lazy):
            for one in value.resolve(table, None):
                inner = machine.table(one)
                found.extend(_columns(machine, inner) if inner is not None else [machine.col(one)])
        elif isinstance(value, Const):
            found.extend(by_name(machine, table, [value], names=strings))
        elif isinstance(value, Col):
            found.append(value)
        elif isinstance(value, Choice):
            found.extend(values_of(machine, table, value.options, strings=strings))
        elif (inner := machine.table(value)) is not None:
            found.extend(_columns(machine, inner))
        elif (mapping := machine.of(value, Map)) is not None:
            for name, one in mapping.items.items():
                found.extend(replace(col, name=str(name)) for col in values_of(machine, table, [one], strings=strings)[:1])
        else:
            items = iterate(machine, value)
            found.extend(
                values_of(machine, table, items, strings=strings)
                if items is not None
                else by_name(machine, table, [value], names=strings)
            )
    return found


def _columns(machine: Machine, table: Table) -> list[Col]:
    return [column_of(machine, table, name) for name in table.columns]


def lazy_method(machine: Machine, lazy: Lazy, name: str, args: Arguments) -> Value:
    """Return what a method of a deferred value returns: of a column (``_.a.sum()``) or of the table (``_.count()``)."""
    if lazy.kind == "deferred":
        return _of_table(machine, lazy, name, args)

    def resolve(table: Table, context: Any) -> tuple[Value, ...]:
        given = _given(machine, table, args)
        return tuple(machine.col(value_method(machine, machine.col(one), name, given)) for one in lazy.resolve(table, context))

    return Lazy(resolve, "ibis", kind=lazy.kind if lazy.kind.startswith("selector") else "")


def _of_table(machine: Machine, lazy: Lazy, name: str, args: Arguments) -> Value:
    def resolve(table: Table, context: Any) -> tuple[Value, ...]:
        if "column" in table.flags:
            return (value_method(machine, machine.col(lazy.resolve(table, context)[0]), name, _given(machine, table, args)),)
        if name in {"count", "nrows"}:
            tests = values_of(machine, table, args.all(), strings=False)
            counted = replace(row_count(table, machine.cell), lib="ibis", name="CountStar", flags=frozenset({"agg"}))
            return (conditional(machine, [counted], machine.blend(tests)) if tests else counted,)
        from nbops.lineage.code.ibis_ import ibis_method

        return (ibis_method(machine, machine.new(table), table, name, args),)

    return Lazy(resolve, "ibis")


def _given(machine: Machine, table: Table, args: Arguments) -> Arguments:
    def one(value: Value) -> Value:
        if isinstance(value, (Lazy, Func)):
            found = values_of(machine, table, [value])
            return found[0] if len(found) == 1 else machine.blend(found)
        seq = iterate(machine, value) if not isinstance(value, (Const, Col)) and machine.table(value) is None else None
        if seq is not None and any(isinstance(item, Lazy) for item in seq):
            return machine.blend(values_of(machine, table, seq, strings=False))
        thing = machine.of(value, Object)
        if thing is not None and thing.kind == "window":
            attributes: dict[str, Value] = {
                key: machine.blend(values_of(machine, table, [item])) if item is not None else Col()
                for key, item in thing.attributes.items()
            }
            return machine.new(replace(thing, attributes=attributes))
        return value

    return type(args)(
        [one(value) for value in args.pos],
        {key: _by(machine, table, key, value, one) for key, value in args.kw.items()},
        args.extra,
    )


def _by(machine: Machine, table: Table, key: str, value: Value, one: Callable[[Value], Value]) -> Value:
    if key in {"group_by", "order_by"} and not isinstance(value, Lazy):
        return machine.blend(values_of(machine, table, [value]))
    return one(value)


def value_method(machine: Machine, col: Col, name: str, args: Arguments) -> Value:
    """Return what a method of a value returns."""
    if name == "over":
        return _over(machine, col, args)
    if name in {"name", "as_scalar", "desc", "asc", "nullif_"}:
        new = machine.names(args.get(0)) if name == "name" else None
        return replace(col, name=new[0]) if new else col
    if name in RANKS:
        return Col(marks=machine_window(machine, col), rows=col.rows, params=col.params, lib="ibis", origins=col.origins)
    if name == "ifelse" and args.pos:
        values = [machine.col(value) for value in args.pos]
        return replace(conditional(machine, values, col), lib="ibis", name=None)
    if name in {"cases", "case", "substitute"}:
        return _cases(machine, col, args)
    if name in {"argmax", "argmin"} and (key := args.get(0, "key")) is not None:
        picked = machine.col(column_method(machine, col, name, type(args)([], {k: v for k, v in args.kw.items() if k != "key"})))
        return replace(windowed(machine, picked, [machine.col(key)]), lib="ibis", name=None)
    if name in _TOTALS:
        made = machine.col(column_method(machine, col, name, args))
        return replace(made, lib="ibis", name=None)
    if name in {"to_pandas", "execute", "to_pyarrow", "to_polars"}:
        return replace(col, lib={"to_polars": "polars"}.get(name, "pandas"))
    if name in {"value_counts", "topk"}:
        made_ = column_method(machine, col, "value_counts", type(args)())
        table = machine.table(made_)
        if table is not None and col.name:
            names = [col.name, f"{col.name}_count"]
            return machine.new(replace(table, columns=dict(zip(names, table.columns.values(), strict=False))))
        return made_
    if name == "as_table":
        column = {col.name or "": replace(col, rows={}, index=(), flags=frozenset())}
        return machine.new(Table(columns=column, rows=col.rows, lib="ibis", origins=col.origins, params=col.params))
    found = machine.col(column_method(machine, col, name, args))
    keep = name in {"cast", "try_cast", "unnest"}
    flags = found.flags | {"several rows"} if name == "unnest" else found.flags
    return replace(found, lib="ibis", index=(), name=col.name if keep else None, flags=flags)


def machine_window(machine: Machine, col: Col) -> Any:
    """Return what a ranking is ordered by."""
    return windowed(machine, Col(), [col]).marks


def _over(machine: Machine, col: Col, args: Arguments) -> Value:
    table = machine.heap.get(col.home) if col.home is not None else None
    if isinstance(table, Table):
        args = _given(machine, table, args)
    made = machine.col(column_method(machine, col, "over", args))
    return replace(made, lib="ibis")


def _cases(machine: Machine, col: Col, args: Arguments) -> Value:
    if not args.pos:
        return machine.new(Object(kind="case", attributes={"test": col}))
    values: list[Col] = []
    tests: list[Col] = [col] if col.deps or col.marks else []
    mapping = machine.of(args.pos[0], Map)
    if mapping is not None:
        values.extend(machine.col(item) for item in mapping.items.values())
    for pair in args.pos if mapping is None else []:
        two = iterate(machine, pair)
        if two and len(two) == 2:
            tests.append(machine.col(two[0]))
            values.append(machine.col(two[1]))
    if "else_" in args.kw:
        values.append(machine.col(args.kw["else_"]))
    elif mapping is not None:
        values.append(col)
    return replace(conditional(machine, values or [Col()], machine.blend(tests)), lib="ibis", name=None)


def case_method(machine: Machine, ref: Value, thing: Object, name: str, args: Arguments) -> Value:
    """``ibis.case().when(...).else_(...).end()``."""
    if name in {"when", "else_"}:
        made = dict(thing.attributes)
        word = "when" if name == "when" else "else"
        for at, value in enumerate(args.pos):
            made[f"{'test' if word == 'when' and at == 0 else 'value'} {len(made)}"] = value
        return machine.new(replace(thing, attributes=made))
    tests = [value for key, value in thing.attributes.items() if key.startswith("test")]
    values = [value for key, value in thing.attributes.items() if key.startswith("value")]
    count = len(tests)

    def chosen(cols: list[Col]) -> Col:
        return replace(conditional(machine, cols[count:] or [Col()], machine.blend(cols[:count])), lib="ibis", name=None)

    return _lazy(machine, [*tests, *values], chosen)


def value_function(machine: Machine, name: str, args: Arguments) -> Value:
    """Return what a function of the module returns that makes a value."""
    last = name.rsplit(".", 1)[-1]
    if ".selectors." in name:
        return _selector(machine, last, args)
    if last in {"window", "rows_with_max_lookback", "cumulative_window", "trailing_window", "range_window", "row_window"}:
        keys: dict[str, Value] = {key: args.kw[key] for key in ("group_by", "order_by") if key in args.kw}
        return machine.new(Object(kind="window", attributes=keys))
    if last in {"desc", "asc"} and args.pos:
        return args.pos[0] if not isinstance(args.pos[0], Const) else _lazy(machine, args.pos, lambda cols: cols[0], strings=True)
    if last in {"row_number", "rank", "dense_rank", "percent_rank", "cume_dist", "ntile"}:
        return Lazy(lambda table, context: (Col(rows=table.rows, lib="ibis", origins=table.origins),), "ibis")
    if last in {"ifelse", "where"} and len(args.pos) == 3:
        return _lazy(machine, args.pos, lambda cols: conditional(machine, cols[1:], cols[0]))
    if last in {"cases", "case"}:
        return _case_function(machine, args)
    if last == "literal":
        return machine.col(args.pos[0]) if args.pos else Col()
    if last in _BLENDS:
        given = args.all()
        items = iterate(machine, given[0]) if len(given) == 1 and not isinstance(given[0], (Const, Col, Lazy)) else None
        mapping = machine.of(given[0], Map) if given else None
        values = list(mapping.items.values()) if mapping is not None else items if items is not None else given
        return _lazy(machine, values, lambda cols: replace(machine.blend(cols), lib="ibis", name=None))
    if any(isinstance(value, (Lazy, Col)) for value in args.all()):
        return _lazy(machine, args.all(), lambda cols: replace(machine.blend(cols), lib="ibis", name=None))
    return machine.unknown(args.all())


def _lazy(machine: Machine, given: Sequence[Value], function: Callable[[list[Col]], Col], *, strings: bool = False) -> Value:
    """Compute a value now when all of its parts are known, and for a table later otherwise."""
    later = [value for value in given if isinstance(value, Lazy)]
    if not later and not strings:
        return function([machine.col(value) for value in given])

    def resolve(table: Table, context: Any) -> tuple[Value, ...]:
        parts = [values_of(machine, table, [value], strings=strings) or [Col()] for value in given]
        return (function([part[0] for part in parts]),)

    return Lazy(resolve, "ibis")


def _case_function(machine: Machine, args: Arguments) -> Value:
    if not args.pos:
        return machine.new(Object(kind="case"))
    tests: list[Value] = []
    values: list[Value] = []
    for pair in args.pos:
        two = iterate(machine, pair)
        if two and len(two) == 2:
            tests.append(two[0])
            values.append(two[1])
    if "else_" in args.kw:
        values.append(args.kw["else_"])
    count = len(tests)
    return _lazy(
        machine,
        [*tests, *values],
        lambda cols: replace(conditional(machine, cols[count:], machine.blend(cols[:count])), lib="ibis", name=None),
    )


def _selector(machine: Machine, name: str, args: Arguments) -> Value:
    words = [str(plain) for value in args.pos for plain in [machine.plain(value)] if isinstance(plain, str)]
    listed = [word for value in args.pos for word in (machine.names(value) or ())]

    def names_of(table: Table) -> list[str] | None:
        if table.open:
            return None
        known = list(table.columns)
        if name in _PREDICATES:
            return [one for one in known if any(_PREDICATES[name](one, word) for word in words)]
        if name in {"all", "everything"}:
            return known
        if name in {"c", "cols"}:
            return [one for one in listed if one in known]
        if name == "first":
            return known[:1]
        if name == "last":
            return known[-1:]
        if name == "matches" and words:
            from nbops.lineage.code.polars_expressions import matches

            return [one for one in known if matches(words[0], one)]
        return None

    if name == "across":
        return _across(machine, args)

    def resolve(table: Table, context: Any) -> tuple[Value, ...]:
        names = names_of(table)
        if names is None and name in {"c", "cols"}:
            names = listed
        if names is not None:
            return tuple(column_of(machine, table, one) for one in names)
        machine.note("columns are chosen by a selector that is not followed: any column may be meant")
        whole = machine.guessed(table_taint(table, machine.schemas))
        return (Col(whole.deps, whole.marks, table.rows, lib="ibis", flags=frozenset({"wide"})),)

    return Lazy(resolve, "ibis", kind="selector")


def _across(machine: Machine, args: Arguments) -> Value:
    selector, functions = args.get(0, "selector"), args.get(1, "func")
    names = machine.plain(args.get(None, "names") or Const(None))
    mapping = machine.of(functions, Map) if functions is not None else None
    each: dict[str | None, Value] = (
        {str(key): value for key, value in mapping.items.items()} if mapping is not None else {None: functions or Const(None)}
    )

    def resolve(table: Table, context: Any) -> tuple[Value, ...]:
        made: list[Value] = []
        for col in values_of(machine, table, [selector or Const(None)]):
            only = Table(columns={col.name or "": replace(col, rows={})}, rows=table.rows, lib="ibis", origins=table.origins)
            for word, function in each.items():
                result = _applied(machine, function, col, only)
                shown = names if isinstance(names, str) else "{col}" if word is None else "{col}_{fn}"
                label = shown.replace("{col}", col.name or "").replace("{fn}", word or "")
                made.append(replace(result, name=label, flags=result.flags | (col.flags & {"wide"})))
        return tuple(made)

    return Lazy(resolve, "ibis", kind="selector across")


def _applied(machine: Machine, function: Value, col: Col, only: Table) -> Col:
    """Apply a function or a deferred value (in which ``_`` is the column itself) to a column."""
    from nbops.lineage.code.expressions import Arguments

    if isinstance(function, Func):
        return machine.col(machine.call(function, Arguments([col])))
    if isinstance(function, Lazy):
        whole = [machine.col(one) for one in function.resolve(replace(only, flags=frozenset({"column"})), None)]
        return whole[0] if whole else col
    return machine.blend([col, machine.col(function)])
