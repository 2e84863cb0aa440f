"""PIVOT and UNPIVOT."""

from __future__ import annotations

from itertools import product

from sqlglot import exp

from nbops.lineage.sql_model import NOTHING, Relation, Touch, Value, as_touches, merge
from nbops.lineage.sql_scope import Scope, Source
from nbops.lineage.sql_stars import project
from nbops.lineage.sql_values import column_parts, evaluate

__all__ = ["pivoted"]


def pivoted(node: exp.Expression, relation: Relation, scope: Scope, sink: set[Touch]) -> Relation:
    """Return what PIVOT or UNPIVOT makes of a relation.

    Args:
        node: The ``exp.Pivot``: of a table in FROM, or DuckDB's statement.
        relation: What is turned.
        scope: What surrounds it.
        sink: Takes what chooses rows.
    """
    inside = Scope(scope.context, scope, [Source("", relation)])
    result = _unpivot(node, relation, inside, sink) if node.args.get("unpivot") else _pivot(node, relation, inside, sink)
    result.rows = relation.rows
    result.touches = set(relation.touches)
    alias = node.args.get("alias")
    if isinstance(alias, exp.TableAlias) and alias.args.get("columns"):
        result = result.renamed(identifier.name for identifier in alias.columns)
    return result


def _pivot(node: exp.Expression, relation: Relation, scope: Scope, sink: set[Touch]) -> Relation:
    """One column for each value of the columns after FOR (or ON): aggregates that these columns choose."""
    by = node.args.get("fields") or node.expressions
    aggregates = node.args.get("using") or (node.expressions if node.args.get("fields") else [])
    choices = [entry.this if isinstance(entry, exp.In) else entry for entry in by]
    chosen = merge(evaluate(choice, scope, sink) for choice in choices)
    conditions = frozenset(as_touches(chosen, "conditional"))
    star = exp.Count(this=exp.Star())
    values = [evaluate(entry, scope, sink) for entry in aggregates or [star]]
    values = [Value(value.origins, value.touches | conditions) for value in values]
    used = {column_parts(column)[-1].lower() for entry in [*choices, *aggregates] for column in entry.find_all(exp.Column)}
    kept = _kept(node, relation, used, scope, sink)
    for _, value in kept.columns:
        sink |= as_touches(value, "group_by")
    sink |= {(table, None, "group_by") for group in kept.open for table in group}
    names = _names(node, by, aggregates or [star])
    if names is None:
        scope.context.note("the columns that PIVOT makes depend on the data: widened to all columns")
        kept.columns.append((None, merge(values)))
        return kept
    for place, name in enumerate(names):
        kept.columns.append((name, values[place % len(values)]))
    return kept


def _kept(node: exp.Expression, relation: Relation, used: set[str], scope: Scope, sink: set[Touch]) -> Relation:
    """Return the columns by which PIVOT groups: those of its GROUP BY, else all that it does not use otherwise."""
    group = node.args.get("group")
    if isinstance(group, exp.Expression):
        result = Relation()
        for place, entry in enumerate(group.expressions):
            result.columns += project(entry, scope, sink, place).columns
        return result
    columns = [(name, value) for name, value in relation.columns if (name or "").lower() not in used]
    return Relation(columns, relation.open, relation.hidden | used)


def _names(node: exp.Expression, by: list[exp.Expression], aggregates: list[exp.Expression]) -> list[str] | None:
    """Return the names of the columns that PIVOT makes, None when the data names them."""
    listed = node.args.get("columns")
    if listed:
        return [identifier.name for identifier in listed]
    lists: list[list[str]] = []
    for entry in by:
        if not isinstance(entry, exp.In) or not entry.expressions or entry.args.get("query"):
            return None
        if any(isinstance(value, exp.PivotAny) for value in entry.expressions):
            return None
        lists.append([value.alias or value.name for value in entry.expressions])
    single = len(aggregates) == 1 and not (isinstance(aggregates[0], exp.Alias))
    names = []
    for combination in product(*lists):
        stem = "_".join(combination)
        names += [
            stem if single else f"{stem}_{entry.alias or entry.sql(dialect='duckdb', normalize_functions='lower')}"
            for entry in aggregates
        ]
    return names


def _unpivot(node: exp.Expression, relation: Relation, scope: Scope, sink: set[Touch]) -> Relation:
    """Columns become rows: a column of their names, and one (or more) of their values."""
    into = node.args.get("into")
    if node.args.get("fields"):
        field = node.args["fields"][0]
        entries, names = list(field.expressions), [field.this.name]
        first = node.expressions[0]
        targets = [entry.name for entry in (first.expressions if isinstance(first, exp.Tuple) else node.expressions)]
    else:
        entries = list(node.expressions)
        names = [into.this.name] if isinstance(into, exp.Expression) and into.this is not None else ["name"]
        targets = [entry.name for entry in into.expressions] if isinstance(into, exp.Expression) else ["value"]
    made: list[list[Value]] = [[] for _ in targets]
    used: set[str] = set()
    for entry in entries:
        bare = entry.this if isinstance(entry, (exp.PivotAlias, exp.Alias)) else entry
        group = list(bare.expressions) if isinstance(bare, exp.Tuple) else [bare]
        for place, column in enumerate(group):
            output = project(column, scope, sink, place)
            used |= {(name or "").lower() for name, _ in output.columns} | {c.name.lower() for c in column.find_all(exp.Column)}
            if output.open:
                output.columns.append((None, merge([source.relation.row() for source in scope.sources])))
            made[min(place, len(made) - 1)] += [value for _, value in output.columns]
    values = [merge(column) for column in made]
    if not node.args.get("include_nulls"):
        sink |= as_touches(merge(values), "filter")
    columns: list[tuple[str | None, Value]] = [
        (name, value) for name, value in relation.columns if (name or "").lower() not in used
    ]
    columns += [(name, NOTHING) for name in names]
    columns += list(zip(targets, values, strict=False))
    return Relation(columns, relation.open, relation.hidden | used)
