"""Statements that change and remove rows: MERGE, UPDATE, DELETE."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlglot import exp

from nbops.lineage.sql_from import add_from
from nbops.lineage.sql_inserts import Cells, assigned, own_source, targets
from nbops.lineage.sql_model import Relation, Touch, merge
from nbops.lineage.sql_scope import Context, Scope, Source
from nbops.lineage.sql_values import evaluate

if TYPE_CHECKING:
    from nbops.lineage.sql_writes import Writes

__all__ = ["delete_from", "merge_into", "update_table"]


def merge_into(node: exp.Merge, scope: Scope, writes: Writes) -> None:
    """Follow MERGE: its updates and inserts, and what chooses between them."""
    context = scope.context
    name, columns = targets(node.this, context)
    sink: set[Touch] = set()
    inside = Scope(context, scope, [own_source(node.this, context)])
    _read(exp.Select(from_=exp.From(this=node.args["using"])), inside, sink)
    source = Scope(context, scope, inside.sources[1:])
    for key in ("on", "using_cond"):
        condition = node.args.get(key)
        if isinstance(condition, list):  # USING (key): of both sides
            for side in (source, Scope(context, scope, inside.sources[:1])):
                names = [exp.column(identifier.name) for identifier in condition]
                sink |= evaluate(exp.Tuple(expressions=names), side, sink, "join").touches
        elif isinstance(condition, exp.Expression):
            sink |= evaluate(condition, inside, sink, "join").touches
    result = Relation(touches=sink)
    for when in node.args["whens"].expressions:
        condition = when.args.get("condition")
        if isinstance(condition, exp.Expression):
            sink |= evaluate(condition, inside, sink, "filter").touches
        then = when.args.get("then")
        if isinstance(then, exp.Update):
            _merge_update(then, inside, source, result)
        elif isinstance(then, exp.Insert):
            _merge_insert(then, columns, source, result)
    _changed(name, result, context, writes)


def _all_of(source: Scope, result: Relation) -> None:
    """Take in ``UPDATE SET *`` and ``INSERT *``: all columns of the source, by name."""
    for given in source.sources:
        result.columns += given.relation.columns
        result.open += given.relation.open


def _merge_update(then: exp.Update, inside: Scope, source: Scope, result: Relation) -> None:
    if not then.expressions or any(isinstance(entry, exp.Star) for entry in then.expressions):
        _all_of(source, result)
    for entry in then.expressions:
        if isinstance(entry, exp.EQ):
            result.columns += assigned(entry.this, entry.expression, inside, result.touches)


def _merge_insert(then: exp.Insert, columns: Sequence[str] | None, source: Scope, result: Relation) -> None:
    """Take in an INSERT of MERGE, which sees the source alone."""
    listed = then.this
    given = then.args.get("expression")
    row = isinstance(listed, exp.Star) or (isinstance(listed, exp.Var) and listed.name.upper() == "ROW")
    if row or (listed is None and not given):
        _all_of(source, result)
        return
    values = given.expressions if isinstance(given, exp.Tuple) else ([given] if isinstance(given, exp.Expression) else [])
    names = [entry.name for entry in listed.expressions] if isinstance(listed, exp.Tuple) else list(columns or [])
    if not names and values:
        source.context.note("MERGE inserts into columns that are not known: each value is taken to go to that of its own name")
        names = [value.alias_or_name for value in values]
    for target, value in zip(names, values, strict=False):
        if isinstance(value, exp.Var) and value.name.upper() == "DEFAULT":
            continue
        result.columns.append((target, evaluate(value, source, result.touches)))


def _read(select: exp.Select, scope: Scope, sink: set[Touch]) -> None:
    """Add what a statement reads beside its own table."""
    before = len(scope.sources)
    add_from(select, scope, sink)
    for given in scope.sources[before:]:
        sink |= given.relation.touches


def _filtered(node: exp.Expression, scope: Scope, sink: set[Touch]) -> None:
    where = node.args.get("where")
    if isinstance(where, exp.Expression):
        sink |= evaluate(where.this, scope, sink, "filter").touches


def update_table(node: exp.Update, scope: Scope, writes: Writes) -> None:
    """Follow UPDATE, also of several tables that are joined."""
    context, table = scope.context, node.this
    if not isinstance(table, exp.Table):
        context.note("UPDATE of what is no table is beyond analysis")
        return
    name, _ = targets(table, context)
    sink: set[Touch] = set()
    inside = Scope(context, scope, [own_source(table, context)])
    _read(exp.Select(joins=table.args.get("joins") or []), inside, sink)
    clause = node.args.get("from_")
    if isinstance(clause, exp.Expression):
        _read(exp.Select(from_=clause), inside, sink)
    changed: dict[str, Cells] = {}
    for entry in node.expressions:
        if isinstance(entry, exp.EQ):
            target = _table_called(entry.this, inside.sources) or name
            changed.setdefault(target, []).extend(assigned(entry.this, entry.expression, inside, sink))
    _filtered(node, inside, sink)
    for target, columns in changed.items():
        _changed(target, Relation(columns, touches=sink), context, writes)


def _table_called(left: exp.Expression, sources: Sequence[Source]) -> str:
    """Return the table whose column is set, where it is written before the column."""
    called = left.args.get("table") if isinstance(left, exp.Column) else None
    if not isinstance(called, exp.Expression):
        return ""
    return next((source.relation.path for source in sources if source.is_called([called.name])), "")


def delete_from(node: exp.Delete, scope: Scope, writes: Writes) -> None:
    """Follow DELETE: what chooses the rows that go."""
    context = scope.context
    named = [table for table in node.args.get("tables") or [] if isinstance(table, exp.Table)]
    table = node.this if isinstance(node.this, exp.Table) else (named[0] if named else None)
    if table is None:
        context.note("DELETE of what is no table is beyond analysis")
        return
    sink: set[Touch] = set()
    inside = Scope(context, scope, [own_source(table, context)])
    _read(exp.Select(joins=table.args.get("joins") or []), inside, sink)
    for entry in node.args.get("using") or []:
        _read(exp.Select(from_=exp.From(this=entry)), inside, sink)
    _filtered(node, inside, sink)
    paths = [
        source.relation.path
        for each in named
        for source in inside.sources
        if source.is_called([each.name]) and source.relation.path
    ]
    for path in paths or [targets(table, context)[0]]:
        _changed(path, Relation(touches=sink), context, writes)


def _changed(name: str, relation: Relation, context: Context, writes: Writes) -> None:
    """Take in what a statement does to rows that are there; of a table that is resolved through it joins what they were."""
    writes.table(name, relation, temporary=name.lower() in writes.temporaries, keep=True)
    own = context.catalog.get(name.lower())
    if own is None:
        return
    new = {(column or "").lower(): value for column, value in relation.columns}
    columns = [
        (column, merge((value, new[column.lower()])) if column is not None and column.lower() in new else value)
        for column, value in own.columns
    ]
    touches = own.touches | relation.touches
    context.catalog[name.lower()] = Relation(columns, own.open, own.hidden, own.opaque, own.rows, touches)
