"""A few rows that break a rule, for people: personal values never leave the engine, long ones are cut there."""

# ruff: noqa: S608 - columns are named by position, other names pass through quote() and values through literal()

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import duckdb

from nbops.quality.families import family_of
from nbops.quality.kinds import request_of
from nbops.quality.predicates import UnmeasurableError
from nbops.quality.repeats import LONG, repeated_rows
from nbops.quality.sqltext import json_value, literal
from nbops.quality.terms import ROW_LEVEL, Terms

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nbops.model import CheckResult
    from nbops.quality.source import SourceColumn

__all__ = ["MASK", "with_examples"]

MASK = "•••"
_ROWS = 5
_COLUMNS = 30
_LENGTH = 100


def with_examples(terms: Terms, results: Iterable[CheckResult], *, personal: frozenset[str]) -> tuple[CheckResult, ...]:
    """Return the results, those of broken row-level rules with at most five rows each (``_row`` counts from 1).

    A row shows the rule's columns first, then others, 30 in all.

    Args:
        terms: The opened dataset.
        results: Judged checks.
        personal: Names of personal columns, stripped and case-folded.
    """
    everything = tuple(results)
    numbers = _row_numbers(terms, everything)
    wanted = sorted({number for found in numbers.values() for number in found})
    if not wanted:
        return everything
    columns = _columns(terms, [everything[index] for index, found in numbers.items() if found])
    rows = _fetch(terms, wanted, columns, personal=personal)
    return tuple(
        replace(result, examples=tuple(_ordered(rows[number], result) for number in numbers[index] if number in rows))
        if numbers[index]
        else result
        for index, result in enumerate(everything)
    )


def _row_numbers(terms: Terms, results: tuple[CheckResult, ...]) -> dict[int, list[int]]:
    """Return the numbers of the first rows that break each rule: of short data in one scan for all rules on single rows."""
    concerned = [
        index
        for index, result in enumerate(results)
        if result.check.metric in ROW_LEVEL and result.verdict in {"failed", "warned"} and result.failing_rows
    ]
    simple = [index for index in concerned if results[index].check.metric not in {"duplicateValues", "references"}]
    found: dict[int, list[int]] = {index: [] for index in range(len(results))}
    if terms.source.rows < LONG:
        found |= _together(terms, {index: results[index] for index in simple})
    return found | {index: _numbers(terms, results[index]) for index in concerned if not found[index]}


def _together(terms: Terms, results: Mapping[int, CheckResult]) -> dict[int, list[int]]:
    if not results:
        return {}
    try:
        conditions = [terms.condition(request_of(result.check)) for result in results.values()]
        shown = ", ".join(f"min(__nbops_row, {_ROWS}) FILTER (WHERE {condition})" for condition in conditions)
        row = terms.source.connection.execute(f"SELECT {shown} FROM {terms.source.prefix}named").fetchone()
    except (UnmeasurableError, duckdb.Error):
        return {}
    return {index: sorted(value or []) for index, value in zip(results, row, strict=True)}


def _numbers(terms: Terms, result: CheckResult) -> list[int]:
    request = request_of(result.check)
    try:
        if request.metric == "duplicateValues":
            keys, with_null = terms.duplicate_keys(request)
            repeated_rows(terms, keys, with_null=with_null)
        # The engine keeps the order of the file, so that the first rows found are the first ones, and it stops at them.
        order = "ORDER BY __nbops_row" if request.metric in {"duplicateValues", "references"} else ""
        query = f"SELECT __nbops_row FROM ({terms.breaking_rows(request)}) {order} LIMIT {_ROWS}"
        return [row[0] for row in sorted(terms.source.connection.execute(query).fetchall())]
    except (UnmeasurableError, duckdb.Error):
        # The verdict stands without them.
        return []


def _check_columns(result: CheckResult) -> list[str]:
    arguments = dict(result.check.arguments)
    names = [
        *((result.check.column,) if result.check.column else ()),
        *arguments.get("columns", ()),
        *arguments.get("properties", ()),
    ]
    return [str(name) for name in names]


def _columns(terms: Terms, results: Iterable[CheckResult]) -> list[SourceColumn]:
    named = {part for result in results for name in _check_columns(result) for part in (name, name.split(".")[0])}
    return [column for index, column in enumerate(terms.source.columns) if index < _COLUMNS or column.name in named]


def _fetch(
    terms: Terms, numbers: list[int], columns: list[SourceColumn], *, personal: frozenset[str]
) -> Mapping[int, dict[str, Any]]:
    shown = ", ".join(_shown(column, masked=column.name.strip().casefold() in personal) for column in columns)
    query = (
        f"SELECT __nbops_row, {shown} FROM {terms.source.prefix}scan "
        f"WHERE __nbops_row IN ({', '.join(str(number) for number in numbers)}) ORDER BY __nbops_row"
    )
    try:
        found = terms.source.connection.execute(query).fetchall()
    except duckdb.Error:
        return {}
    return {
        row[0]: {"_row": row[0] + 1, **{column.name: _cut(value) for column, value in zip(columns, row[1:], strict=True)}}
        for row in found
    }


def _shown(column: SourceColumn, *, masked: bool) -> str:
    if masked:
        return f"CASE WHEN {column.key} IS NULL THEN NULL ELSE {literal(MASK)} END"
    if family_of(column.type) in {"integer", "float", "decimal", "boolean"}:
        return column.key
    return f"left(CAST({column.key} AS VARCHAR), {_LENGTH + 1})"


def _cut(value: Any) -> Any:
    plain = json_value(value)
    return plain[: _LENGTH - 1] + "…" if isinstance(plain, str) and len(plain) > _LENGTH else plain


def _ordered(row: Mapping[str, Any], result: CheckResult) -> Mapping[str, Any]:
    first = [part for name in _check_columns(result) for part in (name, name.split(".")[0]) if part in row]
    keys = list(dict.fromkeys(["_row", *first, *row]))[: _COLUMNS + 1]
    return {key: row[key] for key in keys}
