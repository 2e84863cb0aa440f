"""Regular expressions, types and SQL of a contract, as the engine that measures them reads them.

DuckDB judges, because it is what runs them: its regular expressions are RE2's (no look-ahead, no back-references), so a check by
Python's ``re`` would accept patterns that cannot be measured.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import metadata
from typing import TYPE_CHECKING, Any, ParamSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, MutableMapping

__all__ = ["expression_problem", "fill", "matches", "pattern_problem", "query_problem", "quote", "remembering", "type_name"]

_PLACEHOLDER = re.compile(r"\$?\{(table|object|schema|dataset|column|property)\}")
_TYPE_ALIASES = {
    "float64": "DOUBLE",
    "float32": "FLOAT",
    "uint8": "UTINYINT",
    "uint16": "USMALLINT",
    "uint32": "UINTEGER",
    "uint64": "UBIGINT",
    "large_string": "VARCHAR",
    "utf8": "VARCHAR",
    "object": "VARCHAR",
    "number": "DOUBLE",
    "byte_array": "BLOB",
    "bytes": "BLOB",
    "datetime64[ns]": "TIMESTAMP_NS",
    "datetime64[us]": "TIMESTAMP",
    "datetime64[ms]": "TIMESTAMP_MS",
    "datetime64[s]": "TIMESTAMP_S",
    "date32": "DATE",
}
"""Type names of Arrow, pandas and Parquet that DuckDB does not know by itself."""


def quote(name: str) -> str:
    """Return an SQL identifier.

    >>> quote('a "b" c')
    '"a ""b"" c"'
    """
    return '"' + name.replace('"', '""') + '"'


def fill(query: str, *, table: str, column: str | None) -> str:
    """Put names into a rule's placeholders: ``${table}``, ``${object}``, ``{object}``; ``${column}``, ``${property}``...

    >>> fill("SELECT count(*) FROM ${table} WHERE {property} IS NULL", table="data", column="id")
    'SELECT count(*) FROM "data" WHERE "id" IS NULL'
    """

    def name(match: re.Match[str]) -> str:
        if match[1] in {"column", "property"}:
            return quote(column) if column is not None else match[0]
        return quote(table)

    return _PLACEHOLDER.sub(name, query)


_P = ParamSpec("_P")
_judged: ContextVar[MutableMapping[str, str | None] | None] = ContextVar("judged", default=None)


@contextmanager
def remembering(judged: MutableMapping[str, str | None]) -> Iterator[None]:
    """Within the block, what was found right before is not judged again, so that DuckDB need not be loaded for it.

    Args:
        judged: What was judged before, by hashes of it and of DuckDB's version; what is found right is added.
    """
    token = _judged.set(judged)
    try:
        yield
    finally:
        _judged.reset(token)


@functools.cache
def _version() -> str:
    return metadata.version("duckdb")


def _remembered(*, right: Callable[[str | None], bool]) -> Callable[[Callable[_P, str | None]], Callable[_P, str | None]]:
    """Make a judgement one that is remembered when ``right`` says so; what is wrong is judged anew, for its message."""

    def decorate(judge: Callable[_P, str | None]) -> Callable[_P, str | None]:
        @functools.wraps(judge)
        def judged(*arguments: _P.args, **options: _P.kwargs) -> str | None:
            known = _judged.get()
            if known is None:
                return judge(*arguments, **options)
            what = json.dumps([_version(), judge.__name__, arguments, options], sort_keys=True)
            key = hashlib.sha256(what.encode()).hexdigest()
            if key in known:
                return known[key]
            found = judge(*arguments, **options)
            if right(found):
                known[key] = found
            return found

        return judged

    return decorate


def _none(found: str | None) -> bool:
    return found is None


def _some(found: str | None) -> bool:
    return found is not None


@functools.cache
def _engine() -> Any:
    import duckdb  # noqa: PLC0415 - heavy

    connection = duckdb.connect(":memory:")
    connection.execute("SET enable_external_access=false; SET python_enable_replacements=false; SET lock_configuration=true")
    return connection


def _problem(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return re.sub(r"^[A-Z][A-Za-z ]* Error: ", "", lines[0])[:200]


@_remembered(right=_none)
def pattern_problem(pattern: str) -> str | None:
    """Return what is wrong with a regular expression (RE2), or ``None``."""
    import duckdb  # noqa: PLC0415 - heavy

    try:
        _engine().execute("SELECT regexp_matches('', ?)", [pattern]).fetchall()
    except duckdb.Error as error:
        return _problem(error)
    return None


def matches(pattern: str, text: str) -> bool:
    """Return whether a regular expression (RE2, as the data is measured with) is found somewhere in a text."""
    found = _engine().execute("SELECT regexp_matches(?, ?)", [text, pattern]).fetchone()
    return bool(found and found[0])


@_remembered(right=_none)
def query_problem(query: str, *, column: str | None) -> str | None:
    """Return what is wrong with a rule's SQL, or ``None``. It must be one statement that only reads."""
    import duckdb  # noqa: PLC0415 - heavy

    text = fill(query, table="data", column=column)
    if column is None and _PLACEHOLDER.search(text):
        return "names a column, but the rule stands at the table; move it to a property"
    try:
        statements = _engine().extract_statements(text)
    except duckdb.Error as error:
        return _problem(error)
    first = next(
        (word.lower() for word in re.findall(r"[A-Za-z]+", re.sub(r"--[^\n]*|/\*.*?\*/", " ", text, flags=re.DOTALL))), ""
    )
    # The kind alone does not tell: DuckDB counts PRAGMA and DESCRIBE among SELECT.
    if (
        len(statements) != 1
        or statements[0].type != duckdb.StatementType.SELECT
        or first not in {"select", "with", "from", "values"}
    ):
        return "must be one SELECT statement"
    return None


@_remembered(right=_none)
def expression_problem(expression: str) -> str | None:
    """Return what is wrong with a row rule's SQL expression, or ``None``."""
    import duckdb  # noqa: PLC0415 - heavy

    try:
        duckdb.SQLExpression(expression)
    except duckdb.Error as error:
        return _problem(error)
    return None


@_remembered(right=_some)
def type_name(physical_type: str) -> str | None:
    """Return DuckDB's name of a physical type; ``None`` when it is no type that DuckDB (or Arrow, or pandas) knows.

    >>> type_name("varchar(20)"), type_name("int64"), type_name("datetime64[ns]"), type_name("NUMBER(38,0)")
    ('VARCHAR', 'BIGINT', 'TIMESTAMP_NS', None)
    """
    import duckdb  # noqa: PLC0415 - heavy

    text = physical_type.strip()
    try:
        return str(duckdb.sqltype(_TYPE_ALIASES.get(text.lower(), text)))
    except duckdb.Error:
        return None
