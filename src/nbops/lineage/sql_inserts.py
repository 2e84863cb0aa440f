"""Statements that add rows, and what all writing statements share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlglot import exp

from nbops.lineage.sql_model import IDENTITY, Relation, Touch, Value, align
from nbops.lineage.sql_names import known_columns, table_name
from nbops.lineage.sql_query import query
from nbops.lineage.sql_scope import Context, Scope, Source
from nbops.lineage.sql_values import evaluate, is_query

if TYPE_CHECKING:
    from nbops.lineage.sql_writes import Writes

__all__ = ["Cells", "assigned", "grow", "insert_into", "inserts_into", "own_source", "placed", "stored", "targets"]

Cells = list[tuple[str | None, Value]]


def targets(table: exp.Expression, context: Context) -> tuple[str, Sequence[str] | None]:
    """Return the name of a table that is written, and its columns when they are known."""
    name = table_name(table)
    own = context.catalog.get(name.lower())
    if own is not None and own.complete:
        return name, list(own.names())
    found = known_columns(name, context.known) or known_columns(name, context.schemas)
    return (found[0], found[1]) if found else (name, None)


def own_source(table: exp.Expression, context: Context) -> Source:
    """Return a table that is written, as something that its own statement reads as well."""
    name, columns = targets(table, context)
    relation = context.catalog.get(name.lower())
    rows = frozenset({name})
    if relation is None and columns is None:
        relation = Relation(open=((name,),), rows=rows, path=name)
    elif relation is None:
        relation = Relation([(column, Value({(name, column): IDENTITY})) for column in columns or ()], rows=rows, path=name)
    return Source(table.alias_or_name, relation, tuple(name.split(".")[:-1]))


def stored(relation: Relation) -> Relation:
    """Return a relation as it is read again: the order of its rows tells nothing any more."""
    return Relation(relation.columns, relation.open, relation.hidden, relation.opaque, relation.rows, set(relation.touches))


def placed(relation: Relation, name: str, columns: Sequence[str] | None, context: Context, *, by_name: bool = False) -> Relation:
    """Return what is inserted under the names of the columns that it goes to.

    Args:
        relation: What is inserted.
        name: The table.
        columns: Its columns in order, or those that the statement lists; None when they are not known.
        context: Takes a note when places cannot be told.
        by_name: It goes to columns of its own names.
    """
    if by_name:
        return relation
    if columns is None:
        if relation.columns or relation.opaque is not None:
            context.note(f"the columns of {name} are not known: what is inserted is taken to go to those of its own names")
        return relation
    if relation.complete:
        result = relation.renamed(columns)
        result.columns = result.columns[: len(columns)]
        return result
    if relation.columns and not relation.open and relation.columns[0][0] is not None:
        return relation.renamed(columns)
    if not relation.open and relation.opaque is None and not relation.columns:
        return relation
    context.note(f"which columns go to which of {name} is not known: widened to all columns")
    whole = relation.row()
    return Relation(
        [(column, whole) for column in columns], rows=relation.rows, touches=relation.touches, sorting=relation.sorting
    )


def grow(name: str, relation: Relation, context: Context, writes: Writes) -> None:
    """Take in rows that come to a table; of one that is resolved through they join what is there."""
    own = context.catalog.get(name.lower())
    writes.table(name, relation, temporary=name.lower() in writes.temporaries, keep=True)
    if own is not None:
        context.catalog[name.lower()] = align([own, stored(relation)], by_name=bool(relation.columns))


def assigned(left: exp.Expression, right: exp.Expression, scope: Scope, sink: set[Touch]) -> Cells:
    """Return the columns that one ``SET left = right`` changes."""
    if isinstance(left, (exp.Tuple, exp.Paren)):
        lefts = left.expressions if isinstance(left, exp.Tuple) else [left.this]
        if is_query(right):
            relation = query(right, scope)
            sink |= relation.touches
            return [(target.name, value) for target, (_, value) in zip(lefts, relation.columns, strict=False)]
        rights = right.expressions if isinstance(right, exp.Tuple) else [right]
        return [cell for one, other in zip(lefts, rights, strict=False) for cell in assigned(one, other, scope, sink)]
    return [(left.name, evaluate(right, scope, sink))]


def insert_into(node: exp.Insert, scope: Scope, writes: Writes) -> None:
    """Follow INSERT, with what it does on a conflict."""
    context = scope.context
    table, names = _table_and_names(node.this)
    source = node.args.get("expression")
    relation = query(source, scope) if isinstance(source, exp.Expression) else Relation()
    if isinstance(table, exp.Directory):
        writes.table(table.this.name, relation)
        return
    if not isinstance(table, exp.Table):
        context.note("INSERT into what is no table is beyond analysis")
        return
    name, columns = targets(table, context)
    relation = placed(relation, name, names or columns, context, by_name=bool(node.args.get("by_name")))
    grow(name, relation, context, writes)
    if isinstance(node.args.get("conflict"), exp.Expression):
        _conflict(node, table, relation, scope, writes)


def _table_and_names(node: exp.Expression | None) -> tuple[exp.Expression | None, list[str] | None]:
    """Return the table of an INSERT, and the columns that it lists."""
    if isinstance(node, exp.Schema):
        return node.this, [entry.name for entry in node.expressions]
    return node, None


def _conflict(node: exp.Insert, table: exp.Table, relation: Relation, scope: Scope, writes: Writes) -> None:
    """Follow ON CONFLICT DO UPDATE and ON DUPLICATE KEY UPDATE."""
    conflict, source = node.args["conflict"], node.args.get("expression")
    alias = source.alias if isinstance(source, (exp.Values, exp.Subquery)) else ""
    name, columns = targets(table, scope.context)
    missing: Cells = [(column, Value()) for column in columns or () if relation.find(column) is None]
    given = Relation([*relation.columns, *missing], relation.open, relation.hidden, relation.opaque)
    sink: set[Touch] = set()
    changed: Cells = []
    own, inserted = own_source(table, scope.context), [Source("excluded", given)]
    if alias:
        inserted.append(Source(alias, given))
    for entry in conflict.expressions:
        if isinstance(entry, exp.EQ):
            # a name without a table is the table's own column
            expression = entry.expression.transform(_inserted_values)
            changed += assigned(entry.this, expression, Scope(scope.context, Scope(scope.context, scope, inserted), [own]), sink)
    where = conflict.args.get("where")
    if isinstance(where, exp.Expression):
        inside = Scope(scope.context, Scope(scope.context, scope, inserted), [own])
        sink |= evaluate(where.this, inside, sink, "filter").touches
    writes.table(name, Relation(changed, touches=sink), temporary=name.lower() in writes.temporaries, keep=True)


def _inserted_values(node: exp.Expression) -> exp.Expression:
    """Turn MySQL's ``VALUES(column)`` into ``excluded.column``."""
    if isinstance(node, exp.Anonymous) and node.name.upper() == "VALUES" and node.expressions:
        return exp.column(node.expressions[0].name, table="excluded")
    return node


def inserts_into(node: exp.MultitableInserts, scope: Scope, writes: Writes) -> None:
    """Follow Snowflake's ``INSERT ALL`` and ``INSERT FIRST``, and Hive's ``FROM ... INSERT``."""
    source = node.args.get("source")
    if not isinstance(source, exp.Expression):
        return
    relation = query(source, scope)
    first = str(node.args.get("kind") or "").upper() == "FIRST"
    before: set[Touch] = set()
    for entry in node.expressions:
        conditional = isinstance(entry, exp.ConditionalInsert)
        statement = entry.this if conditional else entry
        table, names = _table_and_names(statement.this)
        if not isinstance(table, exp.Table):
            scope.context.note("INSERT into what is no table is beyond analysis")
            continue
        name, columns = targets(table, scope.context)
        inside = Scope(scope.context, scope, [Source(source.alias_or_name, relation)])
        given = _of_one_insert(statement.args.get("expression"), source, relation, inside)
        result = placed(given, name, names or columns, scope.context)
        condition = entry.args.get("expression") if conditional else None
        chosen = evaluate(condition, inside, set(), "filter").touches if isinstance(condition, exp.Expression) else set()
        earlier = before if first or entry.args.get("else_") else set()
        result.touches = result.touches | chosen | earlier
        before |= chosen
        grow(name, result, scope.context, writes)


def _of_one_insert(inner: object, source: exp.Expression, relation: Relation, inside: Scope) -> Relation:
    """Return what one of several inserts takes from their common source."""
    if isinstance(inner, exp.Select):
        inner = inner.copy()
        inner.set("from_", exp.From(this=source.copy()))
        return query(inner, inside.parent or inside)
    if isinstance(inner, exp.Values):
        given = query(inner, inside)
        return Relation(given.columns, rows=relation.rows, touches=given.touches | relation.touches)
    return relation
