"""``quality`` entries and relationships of a contract, turned into ``Check`` records.

The library's metrics as nbops counts them:

* ``nullValues``: rows whose value is NULL.
* ``missingValues``: rows whose value is one of ``arguments.missingValues`` (``null`` may be one of them).
* ``invalidValues``: rows whose value is not NULL and breaks ``validValues``, ``pattern`` (found anywhere in the value, as in
  JSON Schema; anchor it with ``^`` and ``$``), or a bound.
* ``duplicateValues``: rows beyond the first with the same value; rows with a NULL in it do not count, as for UNIQUE in SQL.
  At the table without ``arguments.properties``, rows equal to an earlier row in every column, NULLs being equal there.
* ``rowCount``: rows.

``unit: percent`` divides by the number of rows; of no rows it is 0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from nbops.contract.node import Node, plain
from nbops.contract.syntax import expression_problem, pattern_problem, query_problem
from nbops.contract.vocabulary import BOUNDS, DIMENSIONS, INTEGER_FORMATS, OPERATORS, QUALITY_KEYS, SEVERITIES, STRING_FORMATS
from nbops.errors import did_you_mean
from nbops.model import Check, Severity
from nbops.plugins import names as plugin_names

if TYPE_CHECKING:
    from nbops.contract.yamlfile import Problems

__all__ = ["LIBRARY", "RULE_ARGUMENTS", "Rules", "check_pattern", "read_quality"]

RULE_ARGUMENTS: Mapping[str, frozenset[str]] = {
    "rowCount": frozenset(),
    "nullValues": frozenset(),
    "missingValues": frozenset({"missingValues"}),
    "invalidValues": frozenset(
        [
            "validValues",
            "pattern",
            "format",
            "minimum",
            "maximum",
            "exclusiveMinimum",
            "exclusiveMaximum",
            "minLength",
            "maxLength",
            "multipleOf",
        ]
    ),
    "duplicateValues": frozenset({"properties"}),
}
LIBRARY = frozenset(RULE_ARGUMENTS)
_RULES_3_0 = {"nullCheck": "nullValues", "duplicateCount": "duplicateValues", "validValues": "invalidValues"}
_ROW_LEVEL = LIBRARY - {"rowCount"} | {"rowRule", "references"}
_Unit = Literal["rows", "percent"]


@dataclass(slots=True)
class Rules:
    """The checks of one dataset while its file is read; keeps their ids unique."""

    dataset: str
    file: str
    problems: Problems
    columns: Mapping[str, str] = field(default_factory=dict)
    """Name in the contract to name in the data."""
    checks: list[Check] = field(default_factory=list)
    uninterpreted: list[str] = field(default_factory=list)
    _ids: dict[str, int] = field(default_factory=dict)

    def add(
        self,
        base: str,
        metric: str,
        *,
        where: str,
        column: str | None = None,
        arguments: Mapping[str, Any] | None = None,
        operator: str = "mustBe",
        expected: Any = 0,
        unit: _Unit = "rows",
        severity: Severity = "error",
        quarantine: bool = False,
        dimension: str | None = None,
        description: str | None = None,
    ) -> None:
        """Append one check; a base id that is taken gets a number."""
        count = self._ids[base] = self._ids.get(base, 0) + 1
        unique = base if count == 1 else f"{base}.{count}"
        if count > 1 and unique in self._ids:
            self.add(
                unique,
                metric,
                where=where,
                column=column,
                arguments=arguments,
                operator=operator,
                expected=expected,
                unit=unit,
                severity=severity,
                quarantine=quarantine,
                dimension=dimension,
                description=description,
            )
            return
        self._ids.setdefault(unique, 1)
        pairs = tuple(sorted((key, plain(value)) for key, value in (arguments or {}).items()))
        self.checks.append(
            Check(
                id=unique,
                dataset=self.dataset,
                metric=metric,
                column=column,
                arguments=pairs,
                operator=operator,
                expected=plain(expected),
                unit=unit,
                severity=severity,
                quarantine=quarantine,
                dimension=dimension,
                description=description,
                origin=f"{self.file}: {where}",
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Common:
    """What every kind of quality entry may say."""

    base: str
    severity: Severity
    quarantine: bool
    dimension: str | None
    description: str | None


def read_quality(item: Any, *, where: str, rules: Rules, column: str | None) -> None:
    """Read one ``quality`` entry of a table or of a property (then ``column`` names it in the data)."""
    kind = _kind_of(item)
    if kind not in QUALITY_KEYS:
        rules.problems.unknown(where, "type", kind, QUALITY_KEYS)
        return
    node = Node(item, where=where, problems=rules.problems, allowed=QUALITY_KEYS[kind], what="a quality rule")
    if not node.data or kind == "text":
        return
    if kind == "library":
        _library(node, rules=rules, column=column)
    elif kind == "sql":
        _sql(node, rules=rules, column=column)
    else:
        _custom(node, rules=rules, column=column)


def _kind_of(item: Any) -> str:
    if not isinstance(item, Mapping):
        return "library"
    kind = item.get("type")
    if kind is None:
        return "sql" if "query" in item else "custom" if "engine" in item else "library"
    return str(kind)


def _common(node: Node, *, metric: str, column: str | None) -> _Common:
    extensions = node.extensions()
    quarantine = extensions.get("nbops.onFailure") == "quarantine"
    if quarantine and metric not in _ROW_LEVEL:
        node.problems.add(node.where, f"{metric!r} is about the whole table, so it has no rows to set aside in quarantine.")
    severity = node.text("severity")
    if severity is not None and severity.strip().lower() not in SEVERITIES:
        node.problems.unknown(node.where, "severity", severity, SEVERITIES)
        severity = None
    level: Severity = "warn" if severity is not None and SEVERITIES[severity.strip().lower()] == "warn" else "error"
    own = node.text("id") or node.text("name")
    word = re.sub(r"[^\w.-]+", "_", own.strip())[:60] if own else metric
    return _Common(
        base=f"{column}.{word}" if column is not None else word,
        severity=extensions.get("nbops.severity", level),
        quarantine=quarantine,
        dimension=node.choice("dimension", DIMENSIONS, "dimension"),
        description=node.text("description"),
    )


def _operator(node: Node, *, numeric: bool, default: tuple[str, Any] | None) -> tuple[str, Any] | None:
    given = [key for key in node.data if key in OPERATORS]
    if not given and default is not None:
        return default
    if len(given) != 1:
        found = f"has {len(given)} operators ({', '.join(sorted(given))})" if given else "has no operator"
        node.problems.add(node.where, f"{found}; it needs exactly one. Allowed: {', '.join(sorted(OPERATORS))}.")
        return None
    operator, value = given[0], node.data[given[0]]
    if operator.endswith("Between"):
        if not isinstance(value, list) or len(value) != 2 or not all(map(_is_number, value)) or value[0] > value[1]:  # noqa: PLR2004
            node.wrong(operator, "must be two numbers, the smaller one first, for example [0, 10].")
            return None
    elif (
        isinstance(value, list | Mapping)
        or value is None
        or ((numeric or operator not in {"mustBe", "mustNotBe"}) and not _is_number(value))
    ):
        node.wrong(operator, "must be a number." if numeric or operator not in {"mustBe", "mustNotBe"} else "must be one value.")
        return None
    return operator, value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value and abs(value) != float("inf")  # noqa: PLR0124


def _unit(node: Node, *, metric: str) -> _Unit:
    unit = node.choice("unit", ("rows", "percent"), "unit")
    if unit == "percent" and metric == "rowCount":
        node.wrong("unit", "rowCount has no percent. Allowed: rows.")
    return "percent" if unit == "percent" else "rows"


def _library(node: Node, *, rules: Rules, column: str | None) -> None:
    key = "metric" if "metric" in node.data else "rule"
    word = node.text(key)
    if word is None:
        if not node.has(key):
            node.problems.add(node.where, f"'metric' is missing. Allowed: {', '.join(sorted(LIBRARY))}.")
        return
    metric = _RULES_3_0.get(word, word) if key == "rule" else word
    if metric not in LIBRARY:
        rules.problems.unknown(node.where, key, word, LIBRARY)
        return
    common = _common(node, metric=metric, column=column)
    if metric in {"nullValues", "missingValues", "invalidValues"} and column is None:
        node.problems.add(node.where, f"{metric!r} is about one column; move it to a property's 'quality'.")
        return
    arguments = _arguments(node, metric=metric, rules=rules)
    comparison = _operator(node, numeric=True, default=("mustBe", 0) if key == "rule" and word in _RULES_3_0 else None)
    unit = _unit(node, metric=metric)
    if arguments is None or comparison is None:
        return
    about = None if metric == "rowCount" or arguments.get("properties") else column
    rules.add(
        common.base,
        metric,
        where=node.where,
        column=about,
        arguments=arguments,
        operator=comparison[0],
        expected=comparison[1],
        unit=unit,
        severity=common.severity,
        quarantine=common.quarantine,
        dimension=common.dimension,
        description=common.description,
    )


def _arguments(node: Node, *, metric: str, rules: Rules) -> dict[str, Any] | None:
    data = node.data.get("arguments")
    given = Node(
        {} if data is None else data,
        where=node.at("arguments"),
        problems=rules.problems,
        allowed=RULE_ARGUMENTS[metric],
        what="arguments",
    )
    arguments = dict(given.data)
    if "validValues" in node.data:
        arguments.setdefault("validValues", node.data["validValues"])
    if metric == "missingValues" and "missingValues" not in arguments:
        node.problems.add(node.where, "'arguments.missingValues' is missing: the list of values that count as missing.")
        return None
    if metric == "invalidValues" and not arguments:
        node.problems.add(node.where, f"needs one of these arguments: {', '.join(sorted(RULE_ARGUMENTS[metric]))}.")
        return None
    before = rules.problems.count
    for key, value in arguments.items():
        _argument(given, key, value, rules=rules)
    if "properties" in arguments and rules.problems.count == before:
        arguments["properties"] = [rules.columns.get(name, name) for name in arguments["properties"]]
    return arguments if rules.problems.count == before else None


def _argument(node: Node, key: str, value: Any, *, rules: Rules) -> None:
    if key in {"missingValues", "validValues"}:
        if not isinstance(value, list) or not value or any(isinstance(item, list | Mapping) for item in value):
            node.wrong(key, "must be a list of values, at least one.")
    elif key == "properties":
        _properties(node, value, rules=rules)
    elif key == "pattern":
        check_pattern(node, value)
    elif key in {"minLength", "maxLength"}:
        node.integer(key, least=0)
    elif key == "format":
        node.choice(key, STRING_FORMATS | INTEGER_FORMATS, "format")
    elif key == "multipleOf" and (not _is_number(value) or value <= 0):
        node.wrong(key, "must be a number above 0.")
    elif key in BOUNDS and not (_is_number(value) or isinstance(plain(value), str)):
        node.wrong(key, "must be a number, or a date or time as text.")


def _properties(node: Node, value: Any, *, rules: Rules) -> None:
    if not isinstance(value, list) or not value or not all(isinstance(item, str) for item in value):
        node.wrong("properties", "must be a list of property names, at least one.")
        return
    for name in value:
        if rules.columns and name not in rules.columns:
            node.wrong("properties", f"unknown property {name[:60]!r}. {did_you_mean(name[:60], rules.columns)}")


def check_pattern(node: Node, value: Any) -> None:
    """Note what is wrong with ``pattern``."""
    if not isinstance(value, str):
        node.wrong("pattern", "must be a regular expression as text.")
        return
    problem = pattern_problem(value)
    if problem is not None:
        node.wrong("pattern", f"{value[:60]!r} is no regular expression that can be measured (RE2 syntax): {problem}.")


def _sql(node: Node, *, rules: Rules, column: str | None) -> None:
    common = _common(node, metric="sql", column=column)
    query = node.text("query", required=True)
    comparison = _operator(node, numeric=False, default=None)
    if node.has("unit"):
        node.choice("unit", ("rows", "percent"), "unit")
    if query is None or comparison is None:
        return
    problem = query_problem(query, column=column)
    if problem is not None:
        node.wrong("query", f"{problem}.")
        return
    rules.add(
        common.base,
        "sql",
        where=node.where,
        column=column,
        arguments={"query": query},
        operator=comparison[0],
        expected=comparison[1],
        severity=common.severity,
        dimension=common.dimension,
        description=common.description,
    )


def _custom(node: Node, *, rules: Rules, column: str | None) -> None:
    engine = node.text("engine", required=True)
    if engine is None:
        return
    if engine.strip().lower() != "nbops":
        rules.uninterpreted.append(f"{node.where}: a rule for {engine[:40]!r}, which nbops does not run")
        return
    rule = node.data.get("implementation")
    if isinstance(rule, Mapping):
        _plugin(
            Node(
                rule,
                where=node.at("implementation"),
                problems=rules.problems,
                allowed=("check", "arguments"),
                what="implementation",
            ),
            outer=node,
            rules=rules,
            column=column,
        )
        return
    common = _common(node, metric="rowRule", column=column)
    if not isinstance(rule, str) or not rule.strip():
        node.wrong("implementation", "must be an SQL expression that is true for a good row, for example: quantity > 0.")
        return
    problem = expression_problem(rule)
    if problem is not None:
        node.wrong("implementation", f"{rule[:60]!r} is no SQL expression: {problem}.")
        return
    rules.add(
        common.base,
        "rowRule",
        where=node.where,
        column=column,
        arguments={"expression": rule},
        severity=common.severity,
        quarantine=common.quarantine,
        dimension=common.dimension,
        description=common.description,
    )


def _plugin(node: Node, *, outer: Node, rules: Rules, column: str | None) -> None:
    """A check kind that a plugin brings: ``implementation: {check: NAME, arguments: {...}}``."""
    kind = node.text("check", required=True)
    arguments = node.data.get("arguments") or {}
    if kind is None:
        return
    known = plugin_names("nbops.checks")
    if kind not in known:
        rules.problems.unknown(node.where, "check", kind, known)
    elif not isinstance(arguments, Mapping) or not all(isinstance(key, str) for key in arguments):
        node.wrong("arguments", "must be a mapping of names to values.")
    else:
        common = _common(outer, metric=kind, column=column)
        rules.add(
            common.base,
            kind,
            where=outer.where,
            column=column,
            arguments=arguments,
            severity=common.severity,
            dimension=common.dimension,
            description=common.description,
        )
