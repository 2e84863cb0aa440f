"""FROM: tables, files, functions, subqueries and joins."""

from __future__ import annotations

from sqlglot import exp

from nbops.lineage.sql_model import (
    AGGREGATION,
    NOTHING,
    TRANSFORMATION,
    Relation,
    Touch,
    Value,
    align,
    as_touches,
    merge,
    strengthen,
)
from nbops.lineage.sql_names import GENERATORS, base, file_arguments, relation_called, table_name
from nbops.lineage.sql_pivots import pivoted
from nbops.lineage.sql_scope import Scope, Source
from nbops.lineage.sql_stars import relation_of, star
from nbops.lineage.sql_values import as_expressions, evaluate

__all__ = ["add_from", "table_relation"]

_FUNCTION_COLUMNS = {
    "Explode": ("col",),
    "ExplodeOuter": ("col",),
    "Posexplode": ("pos", "col"),
    "PosexplodeOuter": ("pos", "col"),
    "GenerateSeries": ("generate_series",),
    "Unnest": ("unnest",),
}
"""Names that columns of table functions have without an alias."""


def add_from(node: exp.Expression, scope: Scope, sink: set[Touch]) -> None:
    """Add what a SELECT (or UPDATE, DELETE) reads to its scope.

    Args:
        node: Has FROM in ``from_``, and ``joins`` and ``laterals``.
        scope: Gets the sources.
        sink: Takes what chooses rows: keys of joins, and conditions inside subqueries.
    """
    clause = node.args.get("from_")
    if isinstance(clause, exp.Expression) and clause.this is not None:
        scope.sources += _sources(clause.this, scope, sink)
        _attached(clause.this, scope, sink)
    _attached(node, scope, sink)
    if isinstance(node.args.get("match"), exp.Expression):
        scope.context.note("MATCH_RECOGNIZE is beyond analysis: widened to all columns")
        whole = strengthen(merge(source.relation.row() for source in scope.sources), AGGREGATION)
        touches = set().union(*(source.relation.touches for source in scope.sources))
        scope.sources = [Source("", Relation([(None, whole)], rows=scope.rows(), touches=touches))]


def _attached(node: exp.Expression, scope: Scope, sink: set[Touch]) -> None:
    """Add the joins and the LATERAL VIEWs that hang on a table or a SELECT."""
    if isinstance(node, exp.Subquery) and node.alias and node.args.get("joins"):
        return  # they are inside the parentheses
    for join in node.args.get("joins") or []:
        _join(join, scope, sink)
    for lateral in node.args.get("laterals") or []:
        sources = _sources(lateral, scope, sink)
        scope.sources += sources


def _join(join: exp.Join, scope: Scope, sink: set[Touch]) -> None:
    before = list(scope.sources)
    added = _sources(join.this, scope, sink)
    side, kind, method = (join.args.get(key) or "" for key in ("side", "kind", "method"))
    scope.sources = before + added
    _attached(join.this, scope, sink)
    added = scope.sources[len(before) :]
    names = [identifier.name for identifier in join.args.get("using") or []]
    if str(method).upper() == "NATURAL":
        names = _common(before, added, scope, sink)
    for key in ("on", "match_condition"):
        condition = join.args.get(key)
        if isinstance(condition, exp.Expression):
            sink |= evaluate(condition, scope, sink, "join").touches
    for name in names:
        _using(name, (before, added), scope, sink, side=str(side).upper())
    if str(kind).upper() in {"SEMI", "ANTI"}:
        for source in added:
            sink |= source.relation.touches
        scope.sources = before


def _common(before: list[Source], added: list[Source], scope: Scope, sink: set[Touch]) -> list[str]:
    """Return the columns that NATURAL joins by."""
    scope.context.spend_on(source.relation for source in before + added)
    left = {name.lower() for source in before for name in source.relation.names()}
    names = [name for source in added for name in source.relation.names() if name.lower() in left]
    loose = [source for source in before + added if not source.relation.complete]
    if loose:
        scope.context.note("NATURAL JOIN of tables whose columns are not known: by which it joins is widened to all columns")
        for source in before + added:
            sink |= as_touches(source.relation.row(), "join")
    return names


def _using(name: str, both: tuple[list[Source], list[Source]], scope: Scope, sink: set[Touch], *, side: str) -> None:
    """Join by a column that both sides have, and merge the two: the side that is kept whole gives the value."""
    left = Scope(scope.context, None, both[0], merged=scope.merged).resolve([name])
    right = Scope(scope.context, None, both[1]).resolve([name])
    sink |= as_touches(left, "join") | as_touches(right, "join")
    if side == "RIGHT":
        value = right
    elif side == "FULL":
        value = strengthen(merge((left, right)), TRANSFORMATION)
    else:
        value = left
    scope.merged[name.lower()] = value


def _sources(node: exp.Expression, scope: Scope, sink: set[Touch]) -> list[Source]:
    """Return what one entry of FROM brings."""
    scope.context.spend()
    if isinstance(node, exp.Subquery) and isinstance(node.this, (exp.Table, exp.Subquery)) and not node.args.get("with_"):
        return _parenthesised(node, scope, sink)
    relation, name, qualifiers = _plain(node, scope, sink)
    alias = node.args.get("alias")
    if isinstance(alias, exp.TableAlias):
        if alias.name:
            name, qualifiers = alias.name, ()
        if alias.args.get("columns") and not isinstance(node, (exp.Unnest, exp.Lateral)):
            relation = relation.renamed(identifier.name for identifier in alias.columns)
    for pivot in node.args.get("pivots") or []:
        if not isinstance(node, exp.Subquery):  # of a subquery it is inside already
            relation = pivoted(pivot, relation, scope, sink)
        if pivot.alias:
            name, qualifiers = pivot.alias, ()
    return [Source(name, relation, qualifiers)]


def _parenthesised(node: exp.Subquery, scope: Scope, sink: set[Touch]) -> list[Source]:
    """Return the sources of ``(a JOIN b ...)``: under their own names, or as one when there is an alias."""
    inner = Scope(scope.context, scope)
    inner.sources += _sources(node.this, inner, sink)
    _attached(node.this, inner, sink)
    _attached_inside(node, inner, sink)
    if not node.alias and not node.args.get("pivots"):
        scope.merged.update(inner.merged)
        return inner.sources
    relation = relation_of(star(inner, inner.sources))
    relation.rows = inner.rows()
    relation.touches = set().union(*(source.relation.touches for source in inner.sources))
    alias = node.args.get("alias")
    if isinstance(alias, exp.TableAlias) and alias.args.get("columns"):
        relation = relation.renamed(identifier.name for identifier in alias.columns)
    name = node.alias
    for pivot in node.args.get("pivots") or []:
        relation = pivoted(pivot, relation, scope, sink)
        name = pivot.alias or name
    return [Source(name, relation)]


def _attached_inside(node: exp.Subquery, inner: Scope, sink: set[Touch]) -> None:
    """Add joins that the parser hung on the parentheses themselves."""
    if node.alias:
        for join in node.args.get("joins") or []:
            _join(join, inner, sink)


def _plain(node: exp.Expression, scope: Scope, sink: set[Touch]) -> tuple[Relation, str, tuple[str, ...]]:
    if isinstance(node, exp.Table):
        return _table(node, scope, sink)
    if isinstance(node, exp.Lateral):
        return _lateral(node, scope, sink), "", ()
    if isinstance(node, exp.Unnest):
        return _unnest(node, scope, sink), "", ()
    if isinstance(node, exp.TableFromRows):
        return _function(node.this, scope, sink), "", ()
    if isinstance(node, (exp.Query, exp.Values, exp.Pivot)):
        return scope.context.query(node, scope), "", ()
    return _function(node, scope, sink), "", ()


def _table(node: exp.Table, scope: Scope, sink: set[Touch]) -> tuple[Relation, str, tuple[str, ...]]:
    """Return a named table, file, view, CTE, or a function that stands as a table."""
    rows_from = node.args.get("rows_from")
    if rows_from:
        pieces = [_plain(entry, scope, sink)[0] for entry in rows_from]
        return Relation(opaque=merge(piece.row() for piece in pieces)), "", ()
    inner = node.args.get("this")
    if type(inner).__name__ == "DynamicIdentifier" and isinstance(inner, exp.Expression) and isinstance(inner.this, exp.Literal):
        return table_relation(inner.this.name, scope), inner.this.name, ()
    if isinstance(inner, exp.Func) and isinstance(inner, exp.Expression) and not isinstance(inner, exp.Dot):
        return _function(inner, scope, sink), inner.name if isinstance(inner, exp.Anonymous) else "", ()
    name = table_name(node)
    parts = name.split(".") if not isinstance(node.this, exp.Var) else [name]
    own = node.name or name
    cte = scope.cte(own) if not node.args.get("db") else None
    if cte is not None:
        return cte, own, ()
    return table_relation(name, scope), own, tuple(parts[:-1])


def table_relation(name: str, scope: Scope) -> Relation:
    """Return a table by its name: what the SQL made of it before, or the table itself."""
    context = scope.context
    lowered = name.lower()
    for known in (lowered, lowered.rpartition(".")[2]) if lowered.startswith(("main.", "temp.", "public.")) else (lowered,):
        if known in context.catalog:
            return context.catalog[known]
    return base(name, context)


def _function(node: exp.Expression, scope: Scope, sink: set[Touch]) -> Relation:
    """Return what a table function gives: files as they are, of others columns made of its arguments."""
    files = file_arguments(node)
    if files is not None:
        relations = [table_relation(file, scope) for file in files]
        return relations[0] if len(relations) == 1 else align(relations, by_name=True)
    if isinstance(node, exp.Unnest):
        return _unnest(node, scope, sink)
    named = relation_called(node, scope.context.dialect)
    if named is not None:
        return table_relation(named, scope)
    values = [evaluate(argument, scope, sink) for argument in as_expressions(node)]
    value = strengthen(merge(values), TRANSFORMATION) if values else NOTHING
    macro = scope.context.macros.get(node.name.lower()) if isinstance(node, exp.Anonymous) else None
    if macro is not None:
        names, body = macro
        return scope.context.query(body, Scope(scope.context, None, aliases=dict(zip(names, values, strict=False))))
    sink |= as_touches(value, "join")
    columns = _FUNCTION_COLUMNS.get(type(node).__name__, ())
    if isinstance(node, exp.Anonymous) and not value.origins and node.name.lower() not in GENERATORS:
        scope.context.note(f"what {node.name}() returns is not known")
        return table_relation(f"{node.name}()", scope)
    return Relation([(name, value) for name in columns], opaque=value)


def _unnest(node: exp.Expression, scope: Scope, sink: set[Touch]) -> Relation:
    values = [strengthen(evaluate(entry, scope, sink), TRANSFORMATION) for entry in node.expressions]
    whole = merge(values)
    sink |= as_touches(whole, "join")
    alias = node.args.get("alias")
    names = [identifier.name for identifier in alias.columns] if isinstance(alias, exp.TableAlias) else []
    offset = node.args.get("offset")
    extra = [offset.name] if isinstance(offset, exp.Expression) and offset.name not in names else []
    if not names:
        names = ["unnest"] if scope.context.dialect == "duckdb" else ([node.alias] if node.alias else [])
    columns: list[tuple[str | None, Value]] = []
    for place, name in enumerate(names):
        columns.append((name, values[place] if len(values) > 1 and place < len(values) else whole))
    columns += [(name, whole) for name in extra]
    return Relation(columns, opaque=None if columns else whole)


def _lateral(node: exp.Lateral, scope: Scope, sink: set[Touch]) -> Relation:
    inner = node.this
    alias = node.args.get("alias")
    names = [identifier.name for identifier in alias.columns] if isinstance(alias, exp.TableAlias) else []
    if isinstance(inner, exp.Subquery):
        relation = scope.context.query(inner, scope)
        return relation.renamed(names) if names else relation
    relation = _function(inner, scope, sink)
    if not names:
        return relation
    value = relation.row()
    return Relation([(name, value) for name in names])
