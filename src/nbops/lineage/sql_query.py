"""Queries: SELECT, set operations, WITH."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlglot import exp

from nbops.lineage.sql_from import add_from
from nbops.lineage.sql_model import (
    NOTHING,
    TRANSFORMATION,
    Influence,
    Relation,
    Touch,
    Value,
    align,
    as_touches,
    merge,
    strengthen,
)
from nbops.lineage.sql_pivots import pivoted
from nbops.lineage.sql_scope import Scope, Source
from nbops.lineage.sql_stars import Output, project
from nbops.lineage.sql_values import evaluate, is_query

__all__ = ["add_ctes", "query", "returned"]

_TIME_WINDOWS = frozenset({"window", "session_window"})
"""Spark's functions that a GROUP BY makes a column of their own name of."""


def query(node: exp.Expression, parent: Scope) -> Relation:
    """Return what a query returns: its columns and what chose its rows.

    Args:
        node: A query of any form.
        parent: What surrounds it: CTEs, and the tables that correlated columns are of.

    Raises:
        OutOfBudgetError: The work that may be spent is spent.
        RecursionError: It is nested too deeply.
    """
    parent.context.spend()
    clause = node.args.get("with_")
    if isinstance(clause, exp.Expression):
        parent = Scope(parent.context, parent)
        add_ctes(clause, parent)
    for kind, evaluated in _KINDS.items():
        if isinstance(node, kind):
            return evaluated(node, parent)
    parent.context.note(f"{type(node).__name__.upper()} is beyond analysis")
    return Relation()


def _turned(node: exp.Pivot, parent: Scope) -> Relation:
    """Return what DuckDB's statements PIVOT and UNPIVOT give."""
    sink: set[Touch] = set()
    relation = query(node.this, parent) if is_query(node.this) else table_or_query(node.this, parent)
    relation = pivoted(node, relation, parent, sink)
    relation.touches |= sink
    return relation


def table_or_query(node: exp.Expression, scope: Scope) -> Relation:
    """Return a table, with all that may hang on it, as a relation."""
    return _select(exp.Select(expressions=[exp.Star()], from_=exp.From(this=node)), scope)


def add_ctes(clause: exp.Expression, scope: Scope) -> None:
    """Evaluate the CTEs of a WITH, each once."""
    for cte in clause.expressions:
        alias = cte.args.get("alias")
        names = [identifier.name for identifier in alias.columns] if isinstance(alias, exp.TableAlias) else []
        name = cte.alias
        body = cte.this
        recursive = bool(clause.args.get("recursive")) or scope.context.dialect in {"snowflake", "oracle", "tsql"}
        if cte.args.get("scalar"):
            scope.aliases[name.lower()] = evaluate(body, scope, set())
        elif recursive and isinstance(body, exp.SetOperation) and _mentions(body.args.get("expression"), name):
            scope.ctes[name.lower()] = _recursive(body, name, names, scope)
        elif not is_query(body) and not isinstance(body, (exp.Values, exp.Table)):
            relation = scope.context.statement(body, scope)
            scope.ctes[name.lower()] = relation.renamed(names) if names else relation
        else:
            relation = query(body, scope)
            scope.ctes[name.lower()] = relation.renamed(names) if names else relation


def _mentions(node: object, name: str) -> bool:
    if not isinstance(node, exp.Expression):
        return False
    return any(table.name.lower() == name.lower() and not table.args.get("db") for table in node.find_all(exp.Table))


def _recursive(body: exp.SetOperation, name: str, names: list[str], scope: Scope) -> Relation:
    """Return a recursive CTE: evaluated again and again until nothing new comes."""
    inner = Scope(scope.context, scope)
    current = query(body.this, inner)
    clause = body.this.args.get("with_") or body.args.get("with_")
    if isinstance(clause, exp.Expression):
        add_ctes(clause, inner)
    current = current.renamed(names) if names else current
    # a round moves what a column is made of by one column, and may make it stronger twice
    for _ in range(3 * len(current.columns) + 5):
        inner.ctes[name.lower()] = current
        step = query(body.args["expression"], inner)
        scope.context.spend_on([current, step])
        both = align([current, step], by_name=bool(body.args.get("by_name")))
        if body.args.get("distinct"):
            both.touches |= _all_touches([current, step], "group_by", scope)
        done = both.columns == current.columns and both.touches == current.touches and both.rows == current.rows
        if done and both.open == current.open:
            return both
        current = both
    scope.context.note(f"WITH RECURSIVE {name} does not come to rest: each of its columns is widened to all that it is made of")
    whole = strengthen(current.row(), TRANSFORMATION)
    return Relation([(column, whole) for column, _ in current.columns], rows=current.rows, touches=current.touches)


def _subquery(node: exp.Subquery, parent: Scope) -> Relation:
    """Return what stands in parentheses, with the ORDER BY and LIMIT behind them."""
    if isinstance(node.this, exp.Table) or node.args.get("joins"):
        return table_or_query(node, parent)
    relation = query(node.this, parent)
    alias = node.args.get("alias")
    if isinstance(alias, exp.TableAlias) and alias.args.get("columns"):
        relation = relation.renamed(identifier.name for identifier in alias.columns)
    for pivot in node.args.get("pivots") or []:
        sink: set[Touch] = set()
        relation = pivoted(pivot, relation, parent, sink)
        relation.touches |= sink
    return _ordered(node, relation, parent)


def _values(node: exp.Values, parent: Scope) -> Relation:
    sink: set[Touch] = set()
    columns: list[list[Value]] = []
    for row in node.expressions:
        for place, entry in enumerate(row.expressions if isinstance(row, exp.Tuple) else [row]):
            if place == len(columns):
                columns.append([])
            columns[place].append(evaluate(entry, parent, sink))
    stem = {"duckdb": "col", "spark": "col", "databricks": "col", "mysql": "column_"}.get(parent.context.dialect, "column")
    first = 0 if stem == "column_" or parent.context.dialect == "duckdb" else 1
    relation = Relation([(f"{stem}{place + first}", merge(values)) for place, values in enumerate(columns)], touches=sink)
    alias = node.args.get("alias")
    return relation.renamed(identifier.name for identifier in alias.columns) if isinstance(alias, exp.TableAlias) else relation


def _all_touches(sides: list[Relation], influence: Influence, scope: Scope) -> set[Touch]:
    """Return all columns of some relations as what chooses rows."""
    scope.context.spend_on(sides)
    touches: set[Touch] = set()
    for side in sides:
        touches |= as_touches(side.row(), influence)
    return touches


def _set_operation(node: exp.SetOperation, parent: Scope) -> Relation:
    """Return UNION, INTERSECT or EXCEPT; long chains are walked, not descended."""
    chain: list[exp.SetOperation] = [node]
    first: exp.Expression = node.this
    while isinstance(first, exp.SetOperation) and not any(first.args.get(key) for key in ("with_", "order", "limit", "offset")):
        chain.append(first)
        first = first.this
    sides = [query(first, parent)]
    for operation in reversed(chain):
        right = query(operation.args["expression"], parent)
        by_name = bool(operation.args.get("by_name"))
        if isinstance(operation, exp.Union):
            sides = _grown(sides, right, parent, by_name=by_name, distinct=bool(operation.args.get("distinct")))
            continue
        left = _flush(sides)
        touches = left.touches | right.touches | _all_touches([left, right], "filter", parent)
        sides = [Relation(left.columns, left.open, left.hidden, left.opaque, left.rows, touches)]
    return _ordered(node, _flush(sides), parent)


class _Sides(list[Relation]):
    """Sides of one union that are not yet put under one another."""

    by_name = False
    touches: set[Touch]


def _grown(sides: list[Relation], right: Relation, parent: Scope, *, by_name: bool, distinct: bool) -> list[Relation]:
    if not isinstance(sides, _Sides) or (sides.by_name != by_name):
        sides = _Sides([_flush(sides)])
        sides.by_name = by_name
        sides.touches = set()
    sides.append(right)
    parent.context.spend_on([right])
    if distinct:
        new = sides if not sides.touches else [right]
        sides.touches |= _all_touches(list(new), "group_by", parent)
    if not by_name and not all(side.complete for side in (sides[0], right)):
        parent.context.note("UNION of queries whose columns are not known: those of one place are widened to all columns")
    return sides


def _flush(sides: list[Relation]) -> Relation:
    if len(sides) == 1:
        return sides[0]
    relation = align(list(sides), by_name=isinstance(sides, _Sides) and sides.by_name)
    if isinstance(sides, _Sides):
        relation.touches |= sides.touches
    return relation


def _ordered(node: exp.Expression, relation: Relation, parent: Scope) -> Relation:
    """Apply the ORDER BY and LIMIT of a set operation, or of parentheses: names are those of the result."""
    order = node.args.get("order")
    limited = any(node.args.get(key) for key in ("limit", "offset"))
    result = Relation(
        relation.columns,
        relation.open,
        relation.hidden,
        relation.opaque,
        relation.rows,
        set(relation.touches),
        set(relation.sorting),
    )
    if limited:
        result.touches |= result.sorting
    if isinstance(order, exp.Expression):
        scope = Scope(parent.context, None, [Source("", relation)])
        sorting = _keys(order.expressions, scope, result.columns, set(), "sort")
        (result.touches if limited else result.sorting).update(sorting)
    return result


def _keys(
    entries: list[exp.Expression], scope: Scope, columns: list[tuple[str | None, Value]], sink: set[Touch], influence: Influence
) -> set[Touch]:
    """Return the columns of GROUP BY or ORDER BY: expressions, places in the SELECT list, or ALL."""
    touches: set[Touch] = set()
    for entry in entries:
        bare = entry.this if isinstance(entry, exp.Ordered) else entry
        if isinstance(bare, exp.Literal) and not bare.is_string and bare.name.isdigit():
            place = int(bare.name) - 1
            if 0 <= place < len(columns):
                touches |= as_touches(columns[place][1], influence)
        elif isinstance(bare, exp.Var) and bare.name.upper() == "ALL":
            touches |= as_touches(merge(value for _, value in columns), influence)
        elif isinstance(bare, (exp.Tuple, exp.Paren, exp.GroupingSets, exp.Cube, exp.Rollup)):
            inner = [bare.this] if isinstance(bare, exp.Paren) else bare.expressions
            touches |= _keys(inner, scope, columns, sink, influence)
        else:
            touches |= evaluate(bare, scope, sink, influence).touches
    return touches


def _select(node: exp.Select, parent: Scope) -> Relation:
    scope = Scope(parent.context, parent)
    sink: set[Touch] = set()
    add_from(node, scope, sink)
    for source in scope.sources:
        sink |= source.relation.touches
    for window in node.args.get("windows") or []:
        scope.windows[window.name.lower() or window.this.name.lower()] = window
    _implied(node, scope, sink)
    output = _projections(node, scope, sink)
    relation = Relation(output.columns, tuple(output.open), frozenset(output.hidden), rows=scope.rows(), touches=sink)
    for key in ("where", "prewhere", "having", "qualify", "connect"):
        clause = node.args.get(key)
        if isinstance(clause, exp.Expression):
            for part in [clause.this] if key != "connect" else [clause.args.get("start"), clause.args.get("connect")]:
                if isinstance(part, exp.Expression):
                    sink |= evaluate(part, scope, sink, "filter").touches
    _grouped(node, scope, output, sink)
    _distinct(node, scope, relation, sink)
    _sorted(node, scope, relation, sink)
    return relation


def _implied(node: exp.Select, scope: Scope, sink: set[Touch]) -> None:
    """Define the columns that a clause brings: ``LEVEL`` of CONNECT BY, ``window`` of Spark's GROUP BY window(...)."""
    if node.args.get("connect"):
        scope.aliases["level"] = NOTHING
    group = node.args.get("group")
    for entry in group.expressions if isinstance(group, exp.Expression) else ():
        if isinstance(entry, exp.Anonymous) and entry.name.lower() in _TIME_WINDOWS:
            scope.aliases[entry.name.lower()] = strengthen(evaluate(entry, scope, sink), TRANSFORMATION)


def returned(clause: exp.Expression, source: Source, parent: Scope) -> Relation:
    """Return what RETURNING gives of the rows that a statement changed."""
    scope = Scope(parent.context, parent, [source])
    sink = set(source.relation.touches)
    output = _projections(exp.Select(expressions=clause.expressions), scope, sink)
    return Relation(output.columns, tuple(output.open), frozenset(output.hidden), rows=scope.rows(), touches=sink)


def _projections(node: exp.Select, scope: Scope, sink: set[Touch]) -> Output:
    output = Output()
    loose = any(source.relation.open for source in scope.sources)
    nameless = 0
    for entry in node.expressions:
        scope.context.spend()
        made = project(entry, scope, sink, nameless)
        nameless += not (entry.alias_or_name or entry.is_star)
        output.columns += made.columns
        output.nodes += made.nodes
        output.open += made.open
        output.hidden |= made.hidden
        if isinstance(entry, (exp.Alias, exp.Aliases)):
            for name, value in made.columns:
                if name is None:
                    continue
                scope.aliases.setdefault(name.lower(), value)
                if loose and any(column.name.lower() == name.lower() for column in entry.find_all(exp.Column)):
                    scope.self_named.add(name.lower())
    return output


def _grouped(node: exp.Select, scope: Scope, output: Output, sink: set[Touch]) -> None:
    group = node.args.get("group")
    if not isinstance(group, exp.Expression):
        return
    if group.args.get("all"):
        for (_, value), expression in zip(output.columns, output.nodes, strict=True):
            if expression is None or not expression.find(exp.AggFunc, exp.Window):
                sink |= as_touches(value, "group_by")
        return
    entries = list(group.expressions)
    for key in ("grouping_sets", "cube", "rollup"):
        more = group.args.get(key)
        entries += more if isinstance(more, list) else []
    sink |= _keys(entries, scope, output.columns, sink, "group_by")


def _distinct(node: exp.Select, scope: Scope, relation: Relation, sink: set[Touch]) -> None:
    distinct = node.args.get("distinct")
    if not isinstance(distinct, exp.Expression):
        return
    chosen = distinct.args.get("on")
    if isinstance(chosen, exp.Expression):
        sink |= _keys([chosen], scope, relation.columns, sink, "group_by")
    else:
        sink |= _all_touches([relation], "group_by", scope)


def _sorted(node: exp.Select, scope: Scope, relation: Relation, sink: set[Touch]) -> None:
    distinct = node.args.get("distinct")
    chooses = any(node.args.get(key) for key in ("limit", "offset"))
    for key in ("limit", "offset"):
        clause = node.args.get(key)
        if isinstance(clause, exp.Expression) and clause.find(exp.Query):
            sink |= evaluate(clause, scope, sink, "filter").touches
    chooses = chooses or (isinstance(distinct, exp.Expression) and distinct.args.get("on") is not None)
    scope.aliases_first = True
    for key in ("order", "sort", "cluster"):
        clause = node.args.get(key)
        if isinstance(clause, exp.Expression):
            found = _keys(clause.expressions, scope, relation.columns, sink, "sort")
            (sink if chooses else relation.sorting).update(found)


_KINDS: dict[type[exp.Expression], Callable[[Any, Scope], Relation]] = {
    exp.Select: _select,
    exp.SetOperation: _set_operation,
    exp.Subquery: _subquery,
    exp.Values: _values,
    exp.Pivot: _turned,
    exp.Table: table_or_query,
}
"""What evaluates each form of a query."""
