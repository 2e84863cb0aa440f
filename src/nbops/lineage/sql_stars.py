"""The SELECT list: stars and what stands for several columns are taken apart, and columns get their names."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from sqlglot import exp

from nbops.lineage.sql_model import TRANSFORMATION, Relation, Touch, Value, merge, strengthen
from nbops.lineage.sql_values import column_parts, evaluate

if TYPE_CHECKING:
    from nbops.lineage.sql_scope import Scope, Source

__all__ = ["Output", "project", "star"]

_MERGED_STAY = frozenset({"duckdb"})
"""Dialects in which a column of USING stays at the left table's place in ``*``; else it comes first."""


@dataclass(slots=True)
class Output:
    """Columns that one or more entries of a SELECT list make."""

    columns: list[tuple[str | None, Value]] = field(default_factory=list)
    nodes: list[exp.Expression | None] = field(default_factory=list)
    """The expression of each column; None for those of a star."""
    open: list[tuple[str, ...]] = field(default_factory=list)
    hidden: set[str] = field(default_factory=set)

    def add(self, name: str | None, value: Value, node: exp.Expression | None = None) -> None:
        """Append a column."""
        self.columns.append((name, value))
        self.nodes.append(node)


def star(scope: Scope, sources: list[Source]) -> Output:
    """Return all columns of some sources, those that USING merged once."""
    output = Output()
    merged = dict(scope.merged) if sources is scope.sources else {}
    if scope.context.dialect not in _MERGED_STAY:
        for lowered in merged:
            output.add(_spelling(lowered, sources), merged[lowered])
    seen: set[str] = set() if scope.context.dialect in _MERGED_STAY else set(merged)
    for source in sources:
        relation = source.relation
        scope.context.spend(len(relation.columns) + 1)
        for name, value in relation.columns:
            lowered = (name or "").lower()
            if name is not None and lowered in merged:
                if lowered not in seen:
                    seen.add(lowered)
                    output.add(name, merged[lowered])
                continue
            output.add(name, value)
        if relation.open:
            scope.context.note(
                f"* of {', '.join(t for group in relation.open for t in group)}, whose columns are not known: all of them"
            )
            output.open += relation.open
            output.hidden |= relation.hidden
        if relation.opaque is not None and not relation.columns:
            output.add(None, relation.opaque)
    return output


def _spelling(lowered: str, sources: list[Source]) -> str:
    """Return a column's name as its table spells it."""
    for source in sources:
        for name in source.relation.names():
            if name.lower() == lowered:
                return name
    return lowered


def project(node: exp.Expression, scope: Scope, sink: set[Touch], place: int) -> Output:
    """Return the columns that one entry of a SELECT list makes.

    Args:
        node: The entry.
        scope: Where its names are looked up.
        sink: Takes what chooses the rows of its subqueries.
        place: How many columns before it have no name, or its place: for the names of those that have none.
    """
    if isinstance(node, exp.Star):
        return _changed(node, star(scope, scope.sources), scope, sink)
    if isinstance(node, exp.Column) and isinstance(node.this, exp.Star):
        return _star_of(node, scope, sink)
    if isinstance(node, (exp.Like, exp.ILike)) and isinstance(node.this, exp.Star) and isinstance(node.expression, exp.Literal):
        return _matching(star(scope, scope.sources), node.expression.name, scope, fold=isinstance(node, exp.ILike))
    many = _columns_node(node)
    if many is not None:
        return _each(node, many, scope, sink)
    output = Output()
    names = _several(node, scope)
    if names is None:
        _one(output, node, scope, sink, place)
    elif isinstance(node, exp.Explode):
        for entry in node.this.expressions:
            output.add(entry.name or None, strengthen(evaluate(entry, scope, sink), TRANSFORMATION), entry)
    else:
        value = evaluate(node.this if isinstance(node, exp.Aliases) else node, scope, sink)
        for name in names:
            output.add(name, value, node)
    return output


def _several(node: exp.Expression, scope: Scope) -> list[str | None] | None:
    """Return the names of the columns that one expression makes, where it makes several; None for an unknown number of them."""
    if isinstance(node, exp.Aliases):
        return [identifier.name for identifier in node.expressions]
    if isinstance(node, exp.QueryTransform):
        schema = node.args.get("schema")
        return [entry.name for entry in schema.expressions] if isinstance(schema, exp.Expression) else [None]
    if isinstance(node, exp.Explode) and isinstance(node.this, exp.Struct) and scope.context.dialect == "duckdb":
        return [None]
    if isinstance(node, exp.Dot) and isinstance(node.expression, exp.Star):
        return [None]
    return [None] if type(node).__name__ in {"Inline", "Stack"} else None


def _one(output: Output, node: exp.Expression, scope: Scope, sink: set[Touch], place: int) -> None:
    """Append the column that an ordinary expression makes."""
    unpacked = node.find(exp.Columns)
    if unpacked is not None:
        scope.binding = merge(value for _, value in _chosen(unpacked.this, scope, sink).columns)
    output.add(_name(node, scope, place), evaluate(node, scope, sink), node)
    scope.binding = None


def _matching(everything: Output, pattern: str, scope: Scope, *, fold: bool) -> Output:
    """Return the columns of a star whose names match a pattern of LIKE."""
    output = Output(hidden=everything.hidden)
    for name, value in everything.columns:
        if name is None or _like(name.lower() if fold else name, pattern.lower() if fold else pattern):
            output.add(name, value)
    if everything.open:
        output.add(None, merge(source.relation.row() for source in scope.sources if source.relation.open))
    return output


def _star_of(node: exp.Column, scope: Scope, sink: set[Touch]) -> Output:
    """Return ``table.*``, or the fields of a column ``struct.*``."""
    parts = column_parts(node)[:-1]
    around: Scope | None = scope
    while around is not None:
        named = [source for source in around.sources if source.is_called(parts)]
        if named:
            return _changed(node.this, star(scope, named[:1]), scope, sink)
        around = around.parent
    output = Output()
    output.add(None, strengthen(scope.resolve(parts), TRANSFORMATION))
    scope.context.note(f"fields of {'.'.join(parts)}.* are not known: widened to all columns")
    return output


def _changed(node: exp.Expression, output: Output, scope: Scope, sink: set[Touch]) -> Output:
    """Apply EXCLUDE, REPLACE, RENAME and ILIKE to a star."""
    excluded = {_bare(entry) for entry in node.args.get("except_") or []}
    replaced = {entry.alias.lower(): entry for entry in node.args.get("replace") or []}
    renamed = {_bare(entry.this): entry.alias for entry in node.args.get("rename") or []}
    pattern = node.args.get("ilike")
    if not (excluded or replaced or renamed or pattern):
        return output
    result = Output(open=output.open, hidden=output.hidden | excluded | set(replaced) | set(renamed))
    listed = {(name or "").lower() for name, _ in output.columns}
    for name, value in output.columns:
        lowered = (name or "").lower()
        if lowered in excluded or (pattern is not None and not _like(lowered, pattern.name.lower())):
            continue
        if lowered in replaced:
            result.add(name, evaluate(replaced[lowered].this, scope, sink), replaced[lowered].this)
        else:
            result.add(renamed.get(lowered, name), value)
    if output.open:
        for lowered, entry in replaced.items():
            if lowered not in listed:
                result.add(entry.alias, evaluate(entry.this, scope, sink), entry.this)
        for lowered, new in renamed.items():
            if lowered not in listed:
                result.add(new, scope.resolve([lowered]))
    return result


def _bare(node: exp.Expression) -> str:
    return (node.name if isinstance(node, exp.Expression) else str(node)).lower()


def _like(name: str, pattern: str) -> bool:
    translated = re.sub(r"[*?\[]", lambda found: f"[{found[0]}]", pattern).replace("%", "*").replace("_", "?")
    return fnmatchcase(name, translated)


def _columns_node(node: exp.Expression) -> exp.Columns | None:
    """Return the ``COLUMNS(...)`` that makes an expression stand for many; None when there is none, or it is unpacked."""
    for found in node.find_all(exp.Columns):
        if not found.args.get("unpack"):
            return found
    return None


def _each(node: exp.Expression, many: exp.Columns, scope: Scope, sink: set[Touch]) -> Output:
    """Return an expression once for each column that its ``COLUMNS(...)`` means."""
    chosen = _chosen(many.this, scope, sink)
    output = Output(open=chosen.open if node is many else [], hidden=chosen.hidden)
    entries = list(chosen.columns)
    if chosen.open and node is not many:
        entries.append((None, merge(source.relation.row() for source in scope.sources)))
    alias = node.alias if isinstance(node, exp.Alias) else ""
    for name, value in entries:
        scope.binding = value
        output.add(alias or name, evaluate(node, scope, sink))
        scope.binding = None
    return output


def _chosen(choice: exp.Expression, scope: Scope, sink: set[Touch]) -> Output:
    everything = star(scope, scope.sources)
    if isinstance(choice, exp.Star):
        return _changed(choice, everything, scope, sink)
    test = _test(choice)
    if test is None:
        scope.context.note("which columns COLUMNS(...) chooses is beyond analysis: widened to all columns")
        output = Output()
        output.add(None, merge(source.relation.row() for source in scope.sources))
        return output
    result = Output(hidden=everything.hidden)
    for name, value in everything.columns:
        if name is None or test(name):
            result.add(name, value)
    if everything.open:
        result.add(None, merge(source.relation.row() for source in scope.sources if source.relation.open))
    return result


def _test(choice: exp.Expression) -> Callable[[str], bool] | None:
    """Return what tells whether ``COLUMNS(choice)`` means a column; None when it cannot be told."""
    if isinstance(choice, exp.Literal):
        try:
            pattern = re.compile(choice.name)
        except re.error:
            return None
        return lambda name: pattern.search(name) is not None
    if isinstance(choice, (exp.Array, exp.Tuple)):
        names = {entry.name.lower() for entry in choice.expressions}
        return lambda name: name.lower() in names
    if isinstance(choice, exp.Lambda) and isinstance(choice.this, (exp.Like, exp.ILike)):
        pattern_node = choice.this.args.get("expression")
        if isinstance(pattern_node, exp.Literal) and isinstance(choice.this.this, exp.Identifier):
            fold = isinstance(choice.this, exp.ILike)
            wanted = pattern_node.name.lower() if fold else pattern_node.name
            return lambda name: _like(name.lower() if fold else name, wanted)
    return None


_MAXIMUM_NAME = 200
"""Longer texts of expressions are cut where they become names of columns."""


def _name(node: exp.Expression, scope: Scope, place: int) -> str:
    """Return the name of a column."""
    while isinstance(node, exp.Paren):
        node = node.this
    if isinstance(node, exp.Alias):
        return node.alias
    if isinstance(node, exp.Column):
        return scope.spelling(column_parts(node))
    if isinstance(node, exp.Dot):
        return node.expression.name or node.name
    return _given_name(node, scope.context.dialect, place)


def _given_name(node: exp.Expression, dialect: str, place: int) -> str:
    """Return the name that a dialect gives to a column without one, as far as that is simple."""
    if dialect == "bigquery":
        return f"f{place}_"
    if sum(1 for _ in zip(node.walk(), range(_MAXIMUM_NAME), strict=False)) >= _MAXIMUM_NAME:
        return f"column{place}"
    if dialect == "duckdb" and isinstance(node, exp.Count) and isinstance(node.this, exp.Star):
        return "count_star()"
    if isinstance(node, exp.Explode):
        return "unnest" if dialect == "duckdb" else "col"
    normal = "upper" if dialect == "snowflake" else "lower"
    text = node.sql(dialect=dialect, normalize_functions=normal)[:_MAXIMUM_NAME]
    return text if dialect != "postgres" else _postgres_name(node, text)


def _postgres_name(node: exp.Expression, text: str) -> str:
    if isinstance(node, exp.Cast) and isinstance(node.this, exp.Column):
        text = node.this.name
    elif isinstance(node, exp.Case):
        text = "case"
    else:
        called = re.match(r"(\w+)\(", text)
        text = called[1].lower() if called else "?column?"
    return text


def relation_of(output: Output) -> Relation:
    """Return an output as a relation, without rows."""
    return Relation(output.columns, tuple(output.open), frozenset(output.hidden))
