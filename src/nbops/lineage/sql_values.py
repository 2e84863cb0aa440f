"""What an expression of SQL is made of."""

from __future__ import annotations

from sqlglot import exp

from nbops.lineage.sql_model import (
    AGGREGATION,
    IDENTITY,
    NOTHING,
    TRANSFORMATION,
    Influence,
    Origin,
    Touch,
    Value,
    as_touches,
    merge,
    strengthen,
)
from nbops.lineage.sql_scope import PER_STEP, Scope

__all__ = ["as_expressions", "column_parts", "evaluate", "is_query"]

_AGGREGATE_NAMES = (
    "approx_quantile arbitrary bit_and bit_or bit_xor bool_and bool_or collect_list collect_set entropy every favg fsum geomean "
    "geometric_mean group_concat histogram histogram_exact json_agg json_arrayagg json_group_array json_group_object "
    "json_group_structure json_object_agg json_objectagg jsonb_agg jsonb_object_agg kahan_sum list listagg mad median mode "
    "percentile percentile_approx percentile_cont percentile_disc product quantile quantile_cont quantile_disc range_agg "
    "reservoir_quantile sem some std stddev_pop string_agg sumkahan sum_no_overflow try_avg try_sum variance xmlagg"
)
_AGGREGATES = frozenset(_AGGREGATE_NAMES.split())
"""Aggregate functions that sqlglot has no class for, as far as their names tell."""
_RANKINGS = ("RowNumber", "Rank", "DenseRank", "PercentRank", "CumeDist", "Ntile")
_NEIGHBOURS = (exp.Lag, exp.Lead, exp.FirstValue, exp.LastValue, exp.NthValue)
"""Functions over windows that pick one row's value: no aggregation."""
_MULTIPLIER_NAMES = (
    "json_array_elements json_array_elements_text jsonb_array_elements jsonb_array_elements_text json_object_keys "
    "jsonb_object_keys json_each jsonb_each json_each_text jsonb_each_text regexp_split_to_table regexp_matches string_to_table "
    "generate_subscripts"
)
_MULTIPLIERS = frozenset(_MULTIPLIER_NAMES.split())
"""Functions that return several rows for one."""
_EXPLODERS = (exp.Explode, exp.Unnest, exp.Inline)
_WRAPPERS = (exp.Alias, exp.Paren, exp.Aliases, exp.Where, exp.Having, exp.Ordered, exp.IgnoreNulls, exp.RespectNulls)
"""What changes no value."""
_Job = tuple[exp.Expression, int, "Influence | None", frozenset[str]]


def is_query(node: object) -> bool:
    """Tell whether a node is a query, with or without parentheses around it."""
    return isinstance(node, exp.Query) or (isinstance(node, exp.Pivot) and node.this is not None)


def as_expressions(node: exp.Expression) -> list[exp.Expression]:
    """Return the expressions right below a node."""
    found: list[exp.Expression] = []
    for value in node.args.values():
        if isinstance(value, exp.Expression):
            found.append(value)
        elif isinstance(value, list):
            found += [entry for entry in value if isinstance(entry, exp.Expression)]
    return found


def column_parts(column: exp.Expression) -> list[str]:
    """Return the dotted name of a column, its last part last."""
    keys = ("catalog", "db", "table", "this")
    found = [part for key in keys if isinstance(part := column.args.get(key), exp.Expression)]
    return [f"${part.name}" if isinstance(part, exp.Parameter) else part.name for part in found]


def evaluate(node: exp.Expression, scope: Scope, sink: set[Touch], influence: Influence | None = None) -> Value:
    """Return what an expression is made of.

    Args:
        node: The expression.
        scope: Where its names are looked up.
        sink: Takes what chooses the rows of its subqueries.
        influence: Given when the expression itself is a condition: all that it is made of comes back as touches of this kind.
    """
    return _Evaluation(scope, sink).run(node, influence)


class _Evaluation:
    """One walk over an expression; a stack instead of recursion, since chains of operators may be thousands long."""

    def __init__(self, scope: Scope, sink: set[Touch]) -> None:
        self.scope = scope
        self.sink = sink
        self.origins: dict[Origin, int] = {}
        self.touches: set[Touch] = set()
        self.jobs: list[_Job] = []

    def run(self, node: exp.Expression, influence: Influence | None) -> Value:
        self.jobs.append((node, IDENTITY, influence, frozenset()))
        while self.jobs:
            self.scope.context.spend()
            self.step(*self.jobs.pop())
        return Value(self.origins, frozenset(self.touches))

    def push(self, node: object, strength: int, influence: Influence | None, bound: frozenset[str]) -> None:
        if isinstance(node, exp.Expression):
            self.jobs.append((node, strength, influence, bound))
        elif isinstance(node, list):
            self.jobs += [(entry, strength, influence, bound) for entry in node if isinstance(entry, exp.Expression)]

    def add(self, value: Value, strength: int, influence: Influence | None) -> None:
        self.scope.context.spend((len(value.origins) + len(value.touches)) // PER_STEP)
        if influence is not None:
            self.touches |= as_touches(value, influence)
            return
        self.touches |= value.touches
        for origin, was in value.origins.items():
            self.origins[origin] = max(was, strength, self.origins.get(origin, IDENTITY))

    def sub(self, node: exp.Expression, bound: frozenset[str]) -> Value:
        inner = _Evaluation(self.scope, self.sink)
        inner.jobs.append((node, IDENTITY, None, bound))
        while inner.jobs:
            self.scope.context.spend()
            inner.step(*inner.jobs.pop())
        return Value(inner.origins, frozenset(inner.touches))

    def step(self, node: exp.Expression, strength: int, influence: Influence | None, bound: frozenset[str]) -> None:
        if isinstance(node, (exp.Identifier, exp.Literal, exp.Var, exp.DataType)):
            return
        if isinstance(node, _WRAPPERS):
            self.push(node.this, strength, influence, bound)
            return
        done = (
            self.names(node, strength, influence, bound)
            or self.queries(node, strength, influence)
            or self.chooses(node, strength, influence, bound)
            or self.collects(node, strength, influence, bound)
        )
        if not done:
            self.other(node, influence, strength, bound)

    def names(self, node: exp.Expression, strength: int, influence: Influence | None, bound: frozenset[str]) -> bool:
        """Look up what is a name, of one column or of many."""
        if isinstance(node, exp.Column):
            self.column(node, strength, influence, bound)
        elif isinstance(node, exp.Parameter):
            if self.scope.context.dialect == "snowflake" and isinstance(node.this, exp.Literal):
                self.add(self.scope.at(node.this.name), strength, influence)
        elif isinstance(node, exp.Dot) and (parts := _dotted(node)) and parts[0].lower() not in bound:
            self.add(self.scope.resolve(parts), strength, influence)
        elif isinstance(node, exp.Columns):
            self.add(self.scope.binding or self.everything(), strength, influence)
        elif isinstance(node, exp.Star):
            self.add(self.scope.binding or self.everything(), TRANSFORMATION, influence)
        else:
            return False
        return True

    def queries(self, node: exp.Expression, strength: int, influence: Influence | None) -> bool:
        """Take in a query inside an expression."""
        if isinstance(node, exp.Exists) and is_query(node.this):
            self.exists(node.this, influence)
        elif is_query(node):
            self.subquery(node, strength, influence)
        else:
            return False
        return True

    def column(self, node: exp.Column, strength: int, influence: Influence | None, bound: frozenset[str]) -> None:
        parts = column_parts(node)
        if not parts or parts[0].lower() in bound:
            return
        if isinstance(node.this, exp.Star):
            named = [source.relation.row() for source in self.scope.sources if source.is_called(parts[:-1])]
            self.add(strengthen(merge(named), TRANSFORMATION), strength, influence)
            return
        self.add(self.scope.resolve(parts), strength, influence)

    def everything(self) -> Value:
        self.scope.context.spend_on(source.relation for source in self.scope.sources)
        return merge(source.relation.row() for source in self.scope.sources)

    def subquery(self, node: exp.Expression, strength: int, influence: Influence | None) -> None:
        relation = self.scope.context.query(node, self.scope)
        self.sink |= relation.touches
        if len(relation.columns) == 1 and not relation.open:
            self.add(relation.columns[0][1], strength, influence)
        else:
            self.add(relation.row(), TRANSFORMATION, influence)

    def exists(self, node: exp.Expression, influence: Influence | None) -> None:
        relation = self.scope.context.query(node, self.scope)
        self.sink |= relation.touches
        if influence is None or not relation.touches:
            self.add(_rows(relation.rows), AGGREGATION, influence)

    def chooses(self, node: exp.Expression, strength: int, influence: Influence | None, bound: frozenset[str]) -> bool:
        """Take apart what has conditions."""
        args, condition = node.args, influence or "conditional"
        stronger = max(strength, TRANSFORMATION)
        if isinstance(node, exp.Case):
            self.push(node.this, stronger, condition, bound)
            for branch in args.get("ifs") or []:
                self.push(branch.this, stronger, condition, bound)
                self.push(branch.args.get("true"), stronger, influence, bound)
            self.push(args.get("default"), stronger, influence, bound)
        elif isinstance(node, (exp.If, exp.Nvl2)):
            self.push(node.this, stronger, condition, bound)
            self.push([args.get("true"), args.get("false")], stronger, influence, bound)
        elif isinstance(node, exp.DecodeCase):
            first, *rest = node.expressions
            self.push(first, stronger, condition, bound)
            while len(rest) > 1:
                self.push(rest.pop(0), stronger, condition, bound)
                self.push(rest.pop(0), stronger, influence, bound)
            self.push(rest, stronger, influence, bound)
        elif isinstance(node, exp.Filter):
            self.push(node.this, strength, influence, bound)
            self.push(args.get("expression"), stronger, condition, bound)
        elif isinstance(node, exp.Window):
            self.window(node, strength, influence, bound)
        else:
            return False
        return True

    def window(self, node: exp.Window, strength: int, influence: Influence | None, bound: frozenset[str]) -> None:
        function, kind = node.this, influence or "window"
        inner = function
        while isinstance(inner, (exp.Filter, exp.IgnoreNulls, exp.RespectNulls)):
            inner = inner.this
        if isinstance(inner, _NEIGHBOURS):
            value = strengthen(merge(self.sub(child, bound) for child in as_expressions(inner)), TRANSFORMATION)
        else:
            value = self.sub(function, bound)
        if isinstance(inner, exp.Anonymous):
            value = strengthen(value, AGGREGATION)  # no function of one row has an OVER
        if type(inner).__name__ in _RANKINGS:
            empty = not (node.args.get("partition_by") or node.args.get("order") or node.alias)
            value = _rows(self.scope.rows()) if empty else NOTHING
        self.add(value, strength, influence)
        seen: set[str] = set()
        while node is not None:
            self.push(node.args.get("partition_by"), TRANSFORMATION, kind, bound)
            self.push(node.args.get("order"), TRANSFORMATION, kind, bound)
            spec = node.args.get("spec")
            if isinstance(spec, exp.Expression):
                self.push([spec.args.get("start"), spec.args.get("end")], TRANSFORMATION, kind, bound)
            name = node.alias or (node.this.name if seen and isinstance(node.this, exp.Identifier) else "")
            following = self.scope.windows.get(name.lower()) if name and name.lower() not in seen else None
            seen.add(name.lower())
            if not isinstance(following, exp.Window):
                return
            node = following

    def collects(self, node: exp.Expression, strength: int, influence: Influence | None, bound: frozenset[str]) -> bool:
        """Take apart aggregates and what orders their rows."""
        kind = influence or "window"
        if isinstance(node, exp.WithinGroup):
            own = self.sub(node.this, bound)
            ordering = node.args.get("expression")
            inside = any(key[0] is not None for key in own.origins) and any(column is not None for _, column in own.origins)
            if inside:
                self.add(own, strength, influence)
                self.push(ordering, TRANSFORMATION, kind, bound)
            else:
                values = ordering.expressions if isinstance(ordering, exp.Order) else []
                self.add(merge(self.sub(value, bound) for value in values), AGGREGATION, influence)
        elif isinstance(node, exp.Order):
            self.push(node.this, strength, influence, bound)
            self.push(node.expressions, TRANSFORMATION, kind if node.this is not None else influence, bound)
        elif isinstance(node, exp.HavingMax):
            self.push(node.this, strength, influence, bound)
            self.push(node.args.get("expression"), TRANSFORMATION, kind, bound)
        elif isinstance(node, (exp.Grouping, exp.GroupingId)):
            return True
        elif isinstance(node, (exp.ArgMax, exp.ArgMin)):
            self.add(self.sub(node.this, bound), AGGREGATION, influence)
            self.push(node.args.get("expression"), TRANSFORMATION, kind, bound)
        elif isinstance(node, exp.Anonymous) and node.name.lower() in self.scope.context.macros:
            self.macro(node, strength, influence, bound)
        elif _is_aggregate(node):
            inner = [self.sub(child, bound) for child in as_expressions(node) if not _is_star(child)]
            value = merge(inner)
            self.add(value if value.origins else merge((value, _rows(self.scope.rows()))), AGGREGATION, influence)
        else:
            return False
        return True

    def macro(self, node: exp.Anonymous, strength: int, influence: Influence | None, bound: frozenset[str]) -> None:
        names, body = self.scope.context.macros[node.name.lower()]
        values = [self.sub(argument, bound) for argument in node.expressions]
        inside = Scope(self.scope.context, None, aliases=dict(zip(names, values, strict=False)))
        self.add(evaluate(body, inside, self.sink), max(strength, TRANSFORMATION), influence)

    def other(self, node: exp.Expression, influence: Influence | None, strength: int, bound: frozenset[str]) -> None:
        """Take apart an ordinary function or operator: all arguments enter the value."""
        stronger = max(strength, TRANSFORMATION)
        if isinstance(node, exp.Lambda):
            self.push(node.this, stronger, influence, bound | {name.name.lower() for name in node.expressions})
        elif isinstance(node, exp.Comprehension):
            bindings = [node.args.get("expression"), node.args.get("position")]
            names = {found.name.lower() for found in bindings if isinstance(found, exp.Expression)}
            self.push([node.this, node.args.get("condition")], stronger, influence, bound | names)
            self.push(node.args.get("iterator"), stronger, influence, bound)
        elif isinstance(node, (exp.PropertyEQ, exp.Kwarg)):
            if isinstance(node.this, exp.Column) and node.parent is not None and isinstance(node.parent.parent, exp.ToMap):
                self.push(node.this, stronger, influence, bound)
            self.push(node.args.get("expression"), stronger, influence, bound)
        elif isinstance(node, exp.Array) and len(node.expressions) == 1 and is_query(node.expressions[0]):
            relation = self.scope.context.query(node.expressions[0], self.scope)
            self.sink |= relation.touches
            self.add(relation.row(), AGGREGATION if relation.rows else TRANSFORMATION, influence)
        elif isinstance(node, _EXPLODERS) or (isinstance(node, exp.Anonymous) and node.name.lower() in _MULTIPLIERS):
            inner = [self.sub(child, bound) for child in as_expressions(node) if not isinstance(child, exp.TableAlias)]
            value = merge(inner)
            self.add(value, stronger, influence)
            if not isinstance(node.parent, exp.In):
                self.sink |= as_touches(value, "join")
        else:
            self.push(as_expressions(node), stronger, influence, bound)


def _dotted(node: exp.Dot) -> list[str]:
    """Return the name that ``(table).column`` or ``(column).field`` means; empty when it is more than a name."""
    left: object = node.this
    while isinstance(left, exp.Paren):
        left = left.this
    if isinstance(left, exp.Column) and isinstance(node.expression, exp.Identifier) and not isinstance(left.this, exp.Star):
        return [*column_parts(left), node.expression.name]
    return []


def _rows(tables: frozenset[str]) -> Value:
    """Return what counts the rows of some tables."""
    return Value({(table, None): AGGREGATION for table in tables})


def _is_star(node: exp.Expression) -> bool:
    return isinstance(node, exp.Star) or (isinstance(node, exp.Column) and isinstance(node.this, exp.Star))


def _is_aggregate(node: exp.Expression) -> bool:
    if isinstance(node, exp.Anonymous):
        return node.name.lower() in _AGGREGATES
    return isinstance(node, exp.AggFunc) or type(node).__name__ in _RANKINGS
