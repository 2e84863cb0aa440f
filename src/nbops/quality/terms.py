"""A check's rule as SQL over the relations of a ``Source``: columns looked up, rows that break it selected."""

# ruff: noqa: S608 - columns are named by position, other names pass through quote() and values through literal()

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import duckdb

from nbops.contract.syntax import quote
from nbops.errors import did_you_mean
from nbops.quality.families import family_of
from nbops.quality.predicates import UnmeasurableError, invalid, missing, row_rule

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbops.model import MetricRequest
    from nbops.quality.source import Source, SourceColumn

__all__ = ["ROW_LEVEL", "Terms"]

ROW_LEVEL = frozenset(["nullValues", "missingValues", "invalidValues", "duplicateValues", "rowRule", "references"])
"""Metrics that count rows which break a rule, so that those rows can be shown and set aside."""
_MANY_NAMES = 20


@dataclass(frozen=True)
class Terms:
    """SQL for one opened dataset."""

    source: Source
    references: Mapping[str, Source | str]
    """Datasets that it refers to, opened in the same connection; a text says why one could not be opened."""
    repeated: dict[tuple[tuple[str, ...], bool], str | None] = field(default_factory=dict, repr=False, compare=False)
    """What ``repeats`` found: by keys and whether NULL counts, a condition on the rows that may repeat another."""
    _by_name: dict[str, SourceColumn] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_name", {column.name: column for column in self.source.columns})

    def column(self, name: str) -> tuple[str, str]:
        """Return the expression and type of a column, or of a field in an object column (``address.city``).

        Raises:
            UnmeasurableError: The data has no such column.
        """
        found = self.find(name)
        if found is not None:
            return found.key, found.type
        head, *fields = name.split(".")
        top = self.find(head)
        if top is None or family_of(top.type) != "struct" or "[]" in name:
            raise UnmeasurableError(self._absent(name))
        expression = ".".join([top.key, *(quote(item) for item in fields)])
        try:
            described = self.source.connection.execute(f"DESCRIBE SELECT {expression} FROM {self.source.prefix}scan").fetchall()
        except duckdb.Error as error:
            raise UnmeasurableError(f"{name!r} is not in the data") from error
        return expression, described[0][1]

    def find(self, name: str) -> SourceColumn | None:
        """Return the top-level column of this very name, if there is one."""
        return self._by_name.get(name)

    def _absent(self, name: str) -> str:
        if "[]" in name:
            return f"rules on the items of a list or map ({name}) are not measured; write an SQL rule instead"
        names = [column.name for column in self.source.columns]
        hint = f". {did_you_mean(name, names)}" if len(names) <= _MANY_NAMES else ""
        return f"column {name!r} is not in the data{hint}"

    def condition(self, request: MetricRequest) -> str:
        """Return a condition on a row of ``named`` that is true where it breaks the rule; never NULL. Not for duplicates.

        Raises:
            UnmeasurableError: The rule cannot be measured on this data.
        """
        arguments = dict(request.arguments)
        if request.metric == "rowRule":
            return row_rule(arguments["expression"])
        if request.metric == "references":
            return self._orphan(arguments)
        expression, type_name = self.column(request.column or "")
        if request.metric == "nullValues":
            return f"{expression} IS NULL"
        if request.metric == "missingValues":
            return missing(expression, type_name, arguments["missingValues"])
        return invalid(expression, type_name, arguments)

    def _orphan(self, arguments: Mapping[str, Any]) -> str:
        target = self.references.get(arguments["dataset"], "it is not a dataset of this pipeline")
        if isinstance(target, str):
            raise UnmeasurableError(f"dataset {arguments['dataset']!r}, which it refers to, cannot be read: {target}")
        other = Terms(target, {})
        pairs = []
        for name, to in zip(arguments["columns"], arguments["to"], strict=True):
            mine, my_type = self.column(name)
            theirs, their_type = other.column(to)
            if family_of(my_type) == family_of(their_type):
                pairs.append((f"{self.source.prefix}named.{mine}", f"r.{theirs}"))
            else:
                pairs.append((f"CAST({self.source.prefix}named.{mine} AS VARCHAR)", f"CAST(r.{theirs} AS VARCHAR)"))
        known = " AND ".join(f"{mine} IS NOT NULL" for mine, _ in pairs)
        same = " AND ".join(f"{theirs} = {mine}" for mine, theirs in pairs)
        return f"({known} AND NOT EXISTS (SELECT 1 FROM {target.prefix}scan AS r WHERE {same}))"

    def duplicate_keys(self, request: MetricRequest) -> tuple[list[str], bool]:
        """Return the expressions that rows are compared by, and whether rows with a NULL among them count.

        Raises:
            UnmeasurableError: The data has no such column.
        """
        names = dict(request.arguments).get("properties") or ((request.column,) if request.column is not None else ())
        if names:
            return [self.column(name)[0] for name in names], False
        return [column.key for column in self.source.columns], True

    def breaking_rows(self, request: MetricRequest, *, among: str = "") -> str:
        """Return a query for the numbers of the rows that break a rule.

        Args:
            request: A row-level measurement.
            among: A condition on the rows that are looked at; of duplicates, the first among these is kept.

        Raises:
            UnmeasurableError: The rule cannot be measured on this data.
        """
        relation = f"{self.source.prefix}named"
        if request.metric != "duplicateValues":
            return f"SELECT __nbops_row FROM {relation} WHERE {self.condition(request)}{f' AND {among}' if among else ''}"
        keys, with_null = self.duplicate_keys(request)
        conditions = [] if with_null else [f"{key} IS NOT NULL" for key in keys]
        repeated = self.repeated.get((tuple(keys), with_null))
        where = " AND ".join([*conditions, *(item for item in (repeated, among) if item)]) or "true"
        numbered = f"SELECT __nbops_row, row_number() OVER (PARTITION BY {', '.join(keys)} ORDER BY __nbops_row) AS __nbops_nth"
        return f"SELECT __nbops_row FROM ({numbered} FROM {relation} WHERE {where}) WHERE __nbops_nth > 1"
