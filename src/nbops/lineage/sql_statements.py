"""Statements: what each writes, and what its columns are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from nbops.lineage.sql_from import table_relation
from nbops.lineage.sql_model import NOTHING, Relation, Touch, Value, merge
from nbops.lineage.sql_names import table_name
from nbops.lineage.sql_query import add_ctes, query, returned
from nbops.lineage.sql_scope import Context, Scope
from nbops.lineage.sql_values import evaluate, is_query

if TYPE_CHECKING:
    from nbops.lineage.sql_writes import Writes
from nbops.lineage.sql_changes import delete_from, merge_into, update_table
from nbops.lineage.sql_inserts import grow, insert_into, inserts_into, own_source, placed, stored, targets

__all__ = ["inner_statement", "run_statement"]

_HARMLESS_NAMES = (
    "Use Pragma Attach Detach Transaction Commit Rollback Describe Comment Show Grant Revoke Analyze Install Semicolon"
)
_HARMLESS = tuple(getattr(exp, name) for name in _HARMLESS_NAMES.split() if hasattr(exp, name))
"""Statements that move no data."""
_COMMANDS = frozenset(
    {"EXPLAIN", "SHOW", "VACUUM", "ANALYZE", "LOAD", "INSTALL", "GRANT", "REVOKE", "CHECKPOINT", "OPTIMIZE", "RESET"}
)
"""Such statements that sqlglot does not take apart."""


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
    _follow(node, scope, writes)


def inner_statement(writes: Writes, node: exp.Expression, scope: Scope) -> Relation:
    """Follow a statement inside a WITH.

    Args:
        writes: Takes what it writes.
        node: The statement.
        scope: What surrounds it.

    Returns:
        What its RETURNING gives: the rows as they are after an INSERT or UPDATE, and as they were before a DELETE.
    """
    context = scope.context
    _follow(node, scope, writes)
    table = node.this.this if isinstance(node.this, exp.Schema) else node.this
    clause = node.args.get("returning")
    if not isinstance(clause, exp.Expression) or not isinstance(table, exp.Table):
        return Relation()
    own = own_source(table, context)
    written = writes.relations[targets(table, context)[0]][-1]
    columns = [(name, (written.find(name) if name else None) or value) for name, value in own.relation.columns]
    columns += [cell for cell in written.columns if cell[0] is not None and own.relation.find(cell[0]) is None]
    rows = written.rows if isinstance(node, exp.Insert) else own.relation.rows
    own.relation = Relation(columns, own.relation.open, rows=rows, touches=written.touches, path=own.relation.path)
    return returned(clause, own, scope)


def _follow(node: exp.Expression, scope: Scope, writes: Writes) -> None:
    for kind, follow in _FOLLOWERS.items():
        if isinstance(node, kind):
            follow(node, scope, writes)
            return
    if not isinstance(node, _HARMLESS) and not (isinstance(node, exp.Command) and str(node.this).upper() in _COMMANDS):
        what = node.name if isinstance(node, exp.Command) else type(node).__name__
        scope.context.note(f"{what.upper()} is beyond analysis")


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
        context.catalog[name.lower()] = stored(relation)
    else:
        writes.remember(name, relation)
        context.catalog.pop(name.lower(), None)


def _create(node: exp.Create, scope: Scope, writes: Writes) -> None:
    context, kind = scope.context, str(node.args.get("kind") or "").upper()
    table, names, described = node.this, [], False
    if isinstance(table, exp.Schema):
        described = any(isinstance(entry, exp.ColumnDef) for entry in table.expressions)
        names = [entry.name for entry in table.expressions if isinstance(entry, (exp.ColumnDef, exp.Identifier, exp.Column))]
        table = table.this
    if kind not in {"TABLE", "VIEW"} or not isinstance(table, exp.Table):
        _macro(node, context)
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
            context.catalog[name.lower()] = stored(relation)
        return
    clone = node.args.get("clone")
    if isinstance(clone, exp.Expression) and isinstance(clone.this, exp.Table):
        _made(table, table_relation(table_name(clone.this), scope), context, writes, temporary=temporary)
        return
    relation = Relation([(column, Value()) for column in names])
    _made(table, relation, context, writes, temporary=temporary)
    if not described and source is not None:
        context.note(f"how {name} is made is beyond analysis")


def _macro(node: exp.Create, context: Context) -> None:
    """Keep a macro or function of SQL, to be followed where it is called."""
    called, body = node.this, node.args.get("expression")
    if isinstance(called, exp.UserDefinedFunction) and isinstance(body, exp.Expression) and not isinstance(body, exp.Literal):
        names = [entry.name.lower() for entry in called.expressions]
        context.macros[table_name(called.this).lower()] = (names, body)
    elif body is not None:
        context.note(f"CREATE {str(node.args.get('kind') or '').upper()} is beyond analysis")


def _cache(node: exp.Cache, scope: Scope, writes: Writes) -> None:
    """Follow Spark's ``CACHE TABLE name AS query``, which makes a temporary view."""
    source = node.args.get("expression")
    if isinstance(source, exp.Expression):
        _made(node.this, query(source, scope), scope.context, writes, temporary=True)
    else:
        _only_read(node, scope, writes)


def _copied(entry: exp.Expression, scope: Scope) -> Relation:
    """Return what COPY takes rows from: a query, a file, a stage or a table."""
    if is_query(entry):
        return query(entry, scope)
    return table_relation(entry.name if isinstance(entry, exp.Literal) else table_name(entry), scope)


def _copy(node: exp.Copy, scope: Scope, writes: Writes) -> None:
    """Follow ``COPY ... TO file`` and ``COPY table FROM file``."""
    files = [entry for entry in node.args.get("files") or [] if isinstance(entry, exp.Expression)]
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
            writes.table(file.name or table_name(file), relation)
        return
    name, columns = targets(this, scope.context)
    for file in files:
        given = placed(_copied(file, scope), name, names or columns, scope.context, by_name=name.startswith("@"))
        grow(name, given, scope.context, writes)


def _declare(node: exp.Declare, scope: Scope, writes: Writes) -> None:
    """Keep the variables of a script."""
    del writes
    for item in node.expressions:
        named = item.this if isinstance(item.this, list) else [item.this]
        value = _variable(item.args.get("default"), scope)
        scope.context.variables.update({entry.name.lower(): value for entry in named if isinstance(entry, exp.Expression)})


def _set(node: exp.Set, scope: Scope, writes: Writes) -> None:
    """Follow what a script sets its variables to; other settings move no data."""
    del writes
    known = scope.context.variables
    for item in node.expressions:
        if isinstance(item.this, exp.EQ) and (name := item.this.this.name.lower()) in known:
            known[name] = merge((known[name], _variable(item.this.expression, scope)))  # it may be set in one branch only


def _variable(node: object, scope: Scope) -> Value:
    """Return what a variable is made of, with what chose the rows of its query."""
    sink: set[Touch] = set()
    value = evaluate(node, scope, sink) if isinstance(node, exp.Expression) else NOTHING
    return Value(value.origins, value.touches | sink)


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
    exp.Insert: insert_into,
    exp.MultitableInserts: inserts_into,
    exp.Merge: merge_into,
    exp.Update: update_table,
    exp.Delete: delete_from,
    exp.Copy: _copy,
    exp.Cache: _cache,
    exp.Declare: _declare,
    exp.Set: _set,
    exp.Drop: _rearrange,
    exp.Alter: _rearrange,
    exp.Summarize: _only_read,
    exp.TruncateTable: _only_read,
}
"""What follows each kind of statement."""
