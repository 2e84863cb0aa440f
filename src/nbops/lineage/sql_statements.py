"""Statements: what each writes, and what its columns are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from nbops.lineage.sql_from import add_from, table_relation
from nbops.lineage.sql_model import IDENTITY, Relation, Touch, Value, align, merge
from nbops.lineage.sql_names import known_columns, table_name
from nbops.lineage.sql_query import add_ctes, query
from nbops.lineage.sql_scope import Context, Scope, Source
from nbops.lineage.sql_values import evaluate, is_query

if TYPE_CHECKING:
    from nbops.lineage.sql_writes import Writes

__all__ = ["run_statement"]

_HARMLESS = (
    exp.Set,
    exp.Use,
    exp.Pragma,
    exp.Attach,
    exp.Detach,
    exp.Transaction,
    exp.Commit,
    exp.Rollback,
    exp.Describe,
    exp.Comment,
)
"""Statements that move no data."""


def run_statement(node: exp.Expression, context: Context, writes: Writes) -> None:
    """Follow one statement.

    Args:
        node: The statement.
        context: What holds for all statements; views and temporary tables enter its catalog.
        writes: Takes what is written.
    """
    scope = Scope(context)
    if is_query(node) or isinstance(node, (exp.Values, exp.Table)):
        _bare(node, scope, writes)
        return
    clause = node.args.get("with_")
    if isinstance(clause, exp.Expression):
        add_ctes(clause, scope)
    for kind, follow in _FOLLOWERS.items():
        if isinstance(node, kind):
            follow(node, scope, writes)
            return
    if not isinstance(node, _HARMLESS):
        what = node.name if isinstance(node, exp.Command) else type(node).__name__
        context.note(f"{what.upper()} is beyond analysis")


def _only_read(node: exp.Expression, scope: Scope, writes: Writes) -> None:
    """Follow what reads tables, or nothing, and makes no columns that are kept."""
    del writes
    if isinstance(node, exp.Summarize):
        scope.context.note("SUMMARIZE returns statistics: its columns are not followed")
    for table in node.find_all(exp.Table):
        table_relation(table_name(table), scope)


def _bare(node: exp.Expression, scope: Scope, writes: Writes) -> None:
    relation = query(node, scope)
    into = node.args.get("into")
    if isinstance(into, exp.Expression) and isinstance(into.this, exp.Table):
        _made(into.this, relation, scope.context, writes, temporary=bool(into.args.get("temporary")))
        return
    writes.query(relation)


def _made(table: exp.Expression, relation: Relation, context: Context, writes: Writes, *, temporary: bool) -> None:
    """Take in a table or view that a query made."""
    name = table_name(table)
    writes.table(name, relation, temporary=temporary)
    if temporary:
        context.catalog[name.lower()] = _stored(relation)
    else:
        writes.remember(name, relation)
        context.catalog.pop(name.lower(), None)


def _stored(relation: Relation) -> Relation:
    """Return a relation as it is read again: the order of its rows tells nothing any more."""
    return Relation(relation.columns, relation.open, relation.hidden, relation.opaque, relation.rows, set(relation.touches))


def _create(node: exp.Create, scope: Scope, writes: Writes) -> None:
    context, kind = scope.context, str(node.args.get("kind") or "").upper()
    table, names, described = node.this, [], False
    if isinstance(table, exp.Schema):
        described = any(isinstance(entry, exp.ColumnDef) for entry in table.expressions)
        names = [entry.name for entry in table.expressions if isinstance(entry, (exp.ColumnDef, exp.Identifier, exp.Column))]
        table = table.this
    if kind not in {"TABLE", "VIEW"} or not isinstance(table, exp.Table):
        if node.args.get("expression") is not None:
            context.note(f"CREATE {kind} is beyond analysis")
        return
    properties = node.args.get("properties")
    temporary = isinstance(properties, exp.Expression) and any(
        isinstance(p, exp.TemporaryProperty) for p in properties.expressions
    )
    source = node.args.get("expression")
    name = table_name(table)
    if isinstance(source, exp.Expression) and (is_query(source) or isinstance(source, (exp.Values, exp.Table))):
        relation = query(source, scope)
        relation = relation.renamed(names) if names else relation
        _made(table, relation, context, writes, temporary=temporary)
        if kind == "VIEW" and not temporary:
            context.catalog[name.lower()] = _stored(relation)
        return
    clone = node.args.get("clone")
    if isinstance(clone, exp.Expression) and isinstance(clone.this, exp.Table):
        _made(table, table_relation(table_name(clone.this), scope), context, writes, temporary=temporary)
        return
    relation = Relation([(column, Value()) for column in names])
    _made(table, relation, context, writes, temporary=temporary)
    if not described and source is not None:
        context.note(f"how {name} is made is beyond analysis")


def _targets(table: exp.Expression, context: Context, writes: Writes) -> tuple[str, Sequence[str] | None]:
    """Return the name of a table that is written, and its columns when they are known."""
    name = table_name(table)
    own = context.catalog.get(name.lower())
    if own is not None and own.complete:
        return name, list(own.names())
    found = known_columns(name, writes.known) or known_columns(name, context.schemas)
    return (found[0], found[1]) if found else (name, None)


def _insert(node: exp.Insert, scope: Scope, writes: Writes) -> None:
    table, names = node.this, None
    context = scope.context
    if isinstance(table, exp.Directory):
        writes.table(table.this.name, query(node.args["expression"], scope))
        return
    if isinstance(table, exp.Schema):
        names = [entry.name for entry in table.expressions]
        table = table.this
    if not isinstance(table, exp.Table):
        context.note("INSERT into what is no table is beyond analysis")
        return
    name, columns = _targets(table, context, writes)
    source = node.args.get("expression")
    relation = Relation()
    if isinstance(source, exp.Expression):
        relation = query(source, scope)
        relation = _placed(relation, name, names or columns, context, by_name=bool(node.args.get("by_name")))
    _grow(name, relation, context, writes)
    conflict = node.args.get("conflict")
    if isinstance(conflict, exp.Expression):
        _conflict(conflict, (name, columns), relation, scope, writes)


def _placed(relation: Relation, name: str, columns: Sequence[str] | None, context: Context, *, by_name: bool) -> Relation:
    """Return what is inserted under the names of the columns that it goes to."""
    if by_name:
        return relation
    if columns is None:
        if relation.columns or relation.opaque is not None:
            context.note(f"the columns of {name} are not known: what is inserted is taken to go to those of its own names")
        return relation
    result = relation.renamed(list(columns)) if relation.complete else relation
    if relation.complete:
        result.columns = result.columns[: len(columns)]
    elif not relation.columns or relation.columns[0][0] is None:
        whole = relation.row()
        result = Relation([(None, whole)], rows=relation.rows, touches=relation.touches, sorting=relation.sorting)
    return result


def _grow(name: str, relation: Relation, context: Context, writes: Writes) -> None:
    """Take in rows that come to a table; of one that is resolved through they join what is there."""
    own = context.catalog.get(name.lower())
    writes.table(name, relation, temporary=name.lower() in writes.temporaries, keep=True)
    if own is not None:
        grown = align([own, _stored(relation)], by_name=True) if relation.columns else align([own, _stored(relation)])
        context.catalog[name.lower()] = grown


def _conflict(
    conflict: exp.Expression, table: tuple[str, Sequence[str] | None], relation: Relation, scope: Scope, writes: Writes
) -> None:
    """Follow ON CONFLICT DO UPDATE and ON DUPLICATE KEY UPDATE."""
    name, columns = table
    missing = [(column, Value()) for column in columns or () if relation.find(column) is None]
    inserted = Source("excluded", Relation([*relation.columns, *missing], relation.open, relation.hidden, relation.opaque))
    own = Source(name.rpartition(".")[2], _own(name, columns))
    inside = Scope(scope.context, scope, [own, inserted])
    sink: set[Touch] = set()
    changed: list[tuple[str | None, Value]] = []
    for entry in conflict.expressions:
        if isinstance(entry, exp.EQ):
            expression = entry.expression.transform(_inserted_values)
            changed += _assigned(entry.this, expression, inside, sink)
    where = conflict.args.get("where")
    if isinstance(where, exp.Expression):
        sink |= evaluate(where.this, inside, sink, "filter").touches
    writes.table(name, Relation(changed, touches=sink), temporary=name.lower() in writes.temporaries, keep=True)


def _inserted_values(node: exp.Expression) -> exp.Expression:
    """Turn MySQL's ``VALUES(column)`` into ``excluded.column``."""
    if isinstance(node, exp.Anonymous) and node.name.upper() == "VALUES" and node.expressions:
        return exp.column(node.expressions[0].name, table="excluded")
    return node


def _own(name: str, columns: Sequence[str] | None) -> Relation:
    """Return a table that is written, as something that is read as well."""
    rows = frozenset({name})
    if columns is None:
        return Relation(open=((name,),), rows=rows, path=name)
    return Relation([(column, Value({(name, column): IDENTITY})) for column in columns], rows=rows, path=name)


def _assigned(left: exp.Expression, right: exp.Expression, scope: Scope, sink: set[Touch]) -> list[tuple[str | None, Value]]:
    """Return the columns that one ``SET left = right`` changes."""
    if isinstance(left, (exp.Tuple, exp.Paren)):
        lefts = left.expressions if isinstance(left, exp.Tuple) else [left.this]
        if is_query(right):
            relation = query(right, scope)
            sink |= relation.touches
            return [(target.name, value) for target, (_, value) in zip(lefts, relation.columns, strict=False)]
        rights = right.expressions if isinstance(right, exp.Tuple) else [right]
        return [cell for one, other in zip(lefts, rights, strict=False) for cell in _assigned(one, other, scope, sink)]
    return [(left.name, evaluate(right, scope, sink))]


def _inserts(node: exp.MultitableInserts, scope: Scope, writes: Writes) -> None:
    """Follow Snowflake's ``INSERT ALL`` and Hive's ``FROM ... INSERT``."""
    source = node.args.get("source")
    if not isinstance(source, exp.Expression):
        return
    relation = query(source, scope)
    for entry in node.expressions:
        insert = entry.this if isinstance(entry, exp.ConditionalInsert) else entry
        table, names = insert.this, None
        if isinstance(table, exp.Schema):
            names, table = [column.name for column in table.expressions], table.this
        name, columns = _targets(table, scope.context, writes)
        inside = Scope(scope.context, scope, [Source(source.alias_or_name, relation)])
        inner = insert.args.get("expression")
        given = relation
        if isinstance(inner, exp.Select):
            inner = inner.copy()
            inner.set("from_", exp.From(this=source.copy()))
            given = query(inner, scope)
        elif isinstance(inner, exp.Values):
            given = query(inner, inside)
            given.touches |= relation.touches
        placed = _placed(given, name, names or columns, scope.context, by_name=False)
        condition = entry.args.get("expression") if isinstance(entry, exp.ConditionalInsert) else None
        if isinstance(condition, exp.Expression):
            placed.touches = placed.touches | evaluate(condition, inside, set(), "filter").touches
        _grow(name, placed, scope.context, writes)


def _merge(node: exp.Merge, scope: Scope, writes: Writes) -> None:
    context = scope.context
    name, columns = _targets(node.this, context, writes)
    sink: set[Touch] = set()
    inside = Scope(context, scope, [Source(node.this.alias or node.this.name, _own(name, columns), tuple(name.split(".")[:-1]))])
    add_from(exp.Select(from_=exp.From(this=node.args["using"])), inside, sink)
    source = inside.sources[1:]
    for given in source:
        sink |= given.relation.touches
    for key, influence in (("on", "join"), ("using_cond", "join")):
        condition = node.args.get(key)
        if isinstance(condition, list):
            condition = exp.Tuple(expressions=[exp.column(identifier.name) for identifier in condition])
        if isinstance(condition, exp.Expression):
            sink |= evaluate(condition, inside, sink, influence).touches  # type: ignore[arg-type]
    changed: list[tuple[str | None, Value]] = []
    opened: list[tuple[str, ...]] = []
    for when in node.args["whens"].expressions:
        condition = when.args.get("condition")
        if isinstance(condition, exp.Expression):
            sink |= evaluate(condition, inside, sink, "filter").touches
        then = when.args.get("then")
        if isinstance(then, (exp.Update, exp.Insert)):
            made, groups = _branch(then, source, columns, inside, sink)
            changed += made
            opened += groups
    writes.table(name, Relation(changed, tuple(opened), touches=sink), temporary=name.lower() in writes.temporaries, keep=True)


def _branch(
    then: exp.Expression, source: list[Source], columns: Sequence[str] | None, scope: Scope, sink: set[Touch]
) -> tuple[list[tuple[str | None, Value]], list[tuple[str, ...]]]:
    """Return the columns that one WHEN of MERGE writes."""
    stars = isinstance(then.this, exp.Star) or any(isinstance(entry, exp.Star) for entry in then.expressions)
    if stars:
        cells = [cell for given in source for cell in given.relation.columns]
        return cells, [group for given in source for group in given.relation.open]
    if isinstance(then, exp.Update):
        return [
            cell
            for entry in then.expressions
            if isinstance(entry, exp.EQ)
            for cell in _assigned(entry.this, entry.expression, scope, sink)
        ], []
    names = [entry.name for entry in then.this.expressions] if isinstance(then.this, exp.Tuple) else list(columns or [])
    given = then.args.get("expression")
    values = given.expressions if isinstance(given, exp.Tuple) else ([given] if isinstance(given, exp.Expression) else [])
    if not names and values:
        scope.context.note(
            "MERGE inserts into columns that are not known: what is inserted is taken to go to those of its own names"
        )
        names = [value.name for value in values]
    return [(target, evaluate(value, scope, sink)) for target, value in zip(names, values, strict=False)], []


def _update(node: exp.Update, scope: Scope, writes: Writes) -> None:
    context = scope.context
    table = node.this
    if not isinstance(table, exp.Table):
        context.note("UPDATE of what is no table is beyond analysis")
        return
    name, columns = _targets(table, context, writes)
    sink: set[Touch] = set()
    inside = Scope(context, scope, [Source(table.alias or table.name, _own(name, columns), tuple(name.split(".")[:-1]))])
    add_from(exp.Select(joins=table.args.get("joins") or []), inside, sink)
    clause = node.args.get("from_")
    if isinstance(clause, exp.Expression):
        add_from(exp.Select(from_=clause), inside, sink)
    for given in inside.sources[1:]:
        sink |= given.relation.touches
    changed: list[tuple[str | None, Value]] = []
    for entry in node.expressions:
        if isinstance(entry, exp.EQ):
            changed += _assigned(entry.this, entry.expression, inside, sink)
    where = node.args.get("where")
    if isinstance(where, exp.Expression):
        sink |= evaluate(where.this, inside, sink, "filter").touches
    _changed(name, Relation(changed, touches=sink), context, writes)


def _changed(name: str, relation: Relation, context: Context, writes: Writes) -> None:
    """Take in what UPDATE or DELETE does; of a table that is resolved through it joins what is there."""
    writes.table(name, relation, temporary=name.lower() in writes.temporaries, keep=True)
    own = context.catalog.get(name.lower())
    if own is None:
        return
    lowered = name.lower()
    new = {(column or "").lower(): value for column, value in relation.columns}
    columns = [
        (column, _through(merge((value, new[(column or "").lower()])), lowered, own) if (column or "").lower() in new else value)
        for column, value in own.columns
    ]
    touches = own.touches | {touch for touch in relation.touches if touch[0].lower() != lowered}
    context.catalog[lowered] = Relation(columns, own.open, own.hidden, own.opaque, own.rows, touches)


def _through(value: Value, lowered: str, own: Relation) -> Value:
    """Replace columns of a table that is resolved through by what they are made of."""
    pieces = []
    for (table, column), strength in value.origins.items():
        found = own.find(column) if table.lower() == lowered and column is not None else None
        if found is None:
            pieces.append(Value({(table, column): strength}))
        else:
            pieces.append(Value({origin: max(strength, was) for origin, was in found.origins.items()}, found.touches))
    return merge([*pieces, Value({}, value.touches)])


def _delete(node: exp.Delete, scope: Scope, writes: Writes) -> None:
    context = scope.context
    tables = node.args.get("tables") or [node.this]
    table = node.this if isinstance(node.this, exp.Table) else tables[0]
    name, columns = _targets(table, context, writes)
    sink: set[Touch] = set()
    inside = Scope(context, scope, [Source(table.alias or table.name, _own(name, columns), tuple(name.split(".")[:-1]))])
    add_from(exp.Select(joins=table.args.get("joins") or []), inside, sink)
    for entry in node.args.get("using") or []:
        add_from(exp.Select(from_=exp.From(this=entry)), inside, sink)
    for given in inside.sources[1:]:
        sink |= given.relation.touches
    where = node.args.get("where")
    if isinstance(where, exp.Expression):
        sink |= evaluate(where.this, inside, sink, "filter").touches
    _changed(name, Relation(touches=sink), context, writes)


def _copy(node: exp.Copy, scope: Scope, writes: Writes) -> None:
    """Follow ``COPY ... TO file`` and ``COPY table FROM file``."""
    files = [entry.name or table_name(entry) for entry in node.args.get("files") or [] if isinstance(entry, exp.Expression)]
    this, names = node.this, None
    if isinstance(this, exp.Schema):
        names, this = [entry.name for entry in this.expressions], this.this
    if not node.args.get("kind"):
        if isinstance(this, exp.Table):
            relation = table_relation(table_name(this), scope)
            if names:
                relation = Relation(
                    [(name, relation.find(name) or Value()) for name in names], rows=relation.rows, touches=relation.touches
                )
        else:
            relation = query(this, scope)
        for file in files:
            writes.table(file, relation)
        return
    name, columns = _targets(this, scope.context, writes)
    for file in files:
        given = table_relation(file, scope)
        _grow(name, _placed(given, name, names or columns, scope.context, by_name=False), scope.context, writes)


def _rearrange(node: exp.Expression, scope: Scope, writes: Writes) -> None:
    """Follow DROP and ALTER TABLE ... RENAME, so that later statements read the right table."""
    context = scope.context
    if isinstance(node, exp.Drop):
        tables = node.args.get("tables") or [node.this]
        for table in tables:
            if isinstance(table, exp.Table):
                context.catalog.pop(table_name(table).lower(), None)
        return
    if not isinstance(node.this, exp.Table):
        return
    for action in node.args.get("actions") or []:
        if isinstance(action, exp.AlterRename) and isinstance(action.this, exp.Table):
            writes.rename(table_name(node.this), table_name(action.this), context.catalog)


_FOLLOWERS: dict[type[exp.Expression], Callable[[Any, Scope, Writes], None]] = {
    exp.Create: _create,
    exp.Insert: _insert,
    exp.MultitableInserts: _inserts,
    exp.Merge: _merge,
    exp.Update: _update,
    exp.Delete: _delete,
    exp.Copy: _copy,
    exp.Drop: _rearrange,
    exp.Alter: _rearrange,
    exp.Summarize: _only_read,
    exp.TruncateTable: _only_read,
}
"""What follows each kind of statement."""
