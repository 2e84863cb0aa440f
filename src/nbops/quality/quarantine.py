"""Rows that break a quarantine rule: found in the engine, then moved from the staged file into one of their own.

Rules about a single row come first. Duplicates are counted among what is left, so that a row is not called a repetition of one
that is itself set aside; the first of equal rows stays.
"""

# ruff: noqa: S608 - columns are named by position, other names pass through quote() and values through literal()

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nbops.contract.syntax import quote
from nbops.errors import DataError
from nbops.quality.kinds import request_of
from nbops.quality.rewrite import replaced, without_rows, write_rejected
from nbops.quality.sqltext import literal
from nbops.quality.terms import ROW_LEVEL, Terms

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from nbops.model import CheckResult
    from nbops.quality.source import Source

__all__ = ["Rejected", "broken", "collect", "set_aside"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """Rows to set aside."""

    rows: Sequence[int]
    """Sorted numbers, from 0."""
    reasons: Sequence[str]
    """For each row the ids of the checks that it broke."""
    counts: Mapping[str, int]
    """Check id to number of rows."""
    table: Any | None
    """The rows as an Arrow table; ``None`` for Parquet, whose own reader keeps types as they are."""


def broken(results: Sequence[CheckResult]) -> tuple[CheckResult, ...]:
    """Return the results whose rows are to be set aside."""
    return tuple(
        result
        for result in results
        if result.check.quarantine
        and result.check.metric in ROW_LEVEL
        and result.verdict in {"failed", "warned"}
        and result.failing_rows
    )


def collect(terms: Terms, results: Sequence[CheckResult]) -> Rejected:
    """Find the rows that break the rules of these results.

    Raises:
        DataError: The data is a directory, which is not rewritten.
        UnmeasurableError: A rule cannot be measured (then it would not have been judged broken).
        duckdb.Error: The engine gave up.
    """
    source = terms.source
    if source.directory is not None:
        raise DataError("rows of a directory of files are not set aside; write one file.")
    run = source.connection.execute
    run("CREATE OR REPLACE TEMP TABLE __nbops_rejected (number BIGINT, nth INTEGER, reason VARCHAR)")
    ordered = sorted(enumerate(results), key=lambda item: (item[1].check.metric == "duplicateValues", item[0]))
    for nth, result in ordered:
        among = "__nbops_row NOT IN (SELECT number FROM __nbops_rejected)" if result.check.metric == "duplicateValues" else ""
        query = terms.breaking_rows(request_of(result.check), among=among)
        run(f"INSERT INTO __nbops_rejected SELECT __nbops_row, {nth}, {literal(result.check.id)} FROM ({query})")
    found = run(
        "SELECT number, string_agg(reason, ', ' ORDER BY nth) FROM __nbops_rejected GROUP BY number ORDER BY number"
    ).fetchall()
    counts = dict(run("SELECT reason, count(*) FROM __nbops_rejected GROUP BY reason ORDER BY reason").fetchall())
    return Rejected(
        rows=[row[0] for row in found],
        reasons=[row[1] for row in found],
        counts=counts,
        table=None if source.format == "parquet" else _table(source),
    )


def _table(source: Source) -> Any:
    keys = ", ".join(f"{column.key} AS {quote(f'c{index}')}" for index, column in enumerate(source.columns))
    query = (
        f"SELECT {keys} FROM {source.prefix}scan WHERE __nbops_row IN (SELECT number FROM __nbops_rejected) ORDER BY __nbops_row"
    )
    return source.connection.sql(query).to_arrow_table().rename_columns([column.name for column in source.columns])


def set_aside(path: Path, quarantine_path: Path, *, source: Source, rejected: Rejected) -> None:
    """Move the rejected rows from the staged file to the quarantine file. Each file is replaced whole or not at all.

    Raises:
        DataError: The file's rows are not those that were measured.
        OSError: A file cannot be written.
    """
    # Left in reverse order: the quarantine holds the rows before the staged file loses them.
    try:
        with replaced(path) as good, replaced(quarantine_path) as bad:
            without_rows(path, good, kind=source.format, rows=rejected.rows, total=source.rows, delimiter=source.delimiter)
            write_rejected(bad, path, table=rejected.table, rows=rejected.rows, reasons=rejected.reasons)
    except BaseException:
        # The staged file still has the rows, so they are in quarantine no more.
        quarantine_path.unlink(missing_ok=True)
        raise
