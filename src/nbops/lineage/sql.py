"""Column lineage of SQL: which columns a statement reads, and what it makes of them.

The text is parsed by sqlglot. Names are resolved and values are followed here, clause by clause, because each clause makes edges
of a kind of its own (``docs/lineage.md``), and because SQL over tables whose columns are not known must widen instead of fail.

Work is bounded by counts, not by a clock, so that one input has one result.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING

from nbops.lineage.records import SqlLineage

if TYPE_CHECKING:
    from sqlglot import exp
    from sqlglot.dialects.dialect import Dialect
    from sqlglot.tokenizer_core import Token

    from nbops.lineage.sql_scope import Context
    from nbops.lineage.sql_writes import Writes
    from nbops.model import ColumnEdge

__all__ = ["analyse_sql"]

_NO_SCHEMAS: Mapping[str, Sequence[str]] = MappingProxyType({})
_CHARACTERS = 200_000
"""Characters that are split into tokens in a second (measured on a slow core: 250,000)."""
_TOKENS = 20_000
"""Tokens that are parsed in a second (measured on a slow core: 30,000)."""
_STEPS = 200_000
"""Steps of the analysis in a second: a node of the syntax tree, or a column of a table, each."""

_CALLS = 5_000
"""Calls that may be nested while SQL is parsed and followed."""


def analyse_sql(
    sql: str,
    *,
    dialect: str = "duckdb",
    schemas: Mapping[str, Sequence[str]] = _NO_SCHEMAS,
    seconds: float = 2.0,
    target: str | None = None,
) -> SqlLineage:
    """Tell where the columns come from that SQL writes, or that its last query returns.

    Views and temporary tables that an earlier statement of the same text made are resolved through: edges lead outside.

    Args:
        sql: One or more statements. What cannot be analysed is widened to "all columns of" and noted; nothing raises.
        dialect: As sqlglot calls it: ``duckdb``, ``spark``, ``snowflake``, ``postgres``, ``bigquery``, ``mysql``...
        schemas: Columns of tables and files, by the names that the SQL uses, as far as they are known.
        seconds: About how long it may take, in seconds; beyond that only tables are told, and a note says so.
        target: Name of what a bare query's columns go to.

    Returns:
        Tables, columns and edges.
    """
    from nbops.lineage.sql_tables import tables_of  # noqa: PLC0415 - imports sqlglot, which costs time

    statements, notes, reader = _split(sql, dialect, seconds)
    context, writes = _start(reader, schemas, seconds, target or "")
    if statements is None:
        tables_of(_words(sql), context, writes)
        statements = []
    tokens_left = int(_TOKENS * seconds)
    for number, written in enumerate(statements, start=1):
        tokens, text = _as_insert(written, sql, reader)
        line = f" (line {tokens[0].line})" if tokens[0].line > 1 else ""
        context.place = f"statement {number}{line}" if len(statements) > 1 or line else ""
        tokens_left -= len(tokens)
        if tokens_left < 0:
            context.note("longer than can be analysed in the time allowed: only its tables are told")
            tables_of(tokens, context, writes)
            continue
        _follow(tokens, text, reader, context, writes)
    edges = sorted(set(writes.edges()), key=_order)
    return SqlLineage(
        reads=tuple(dict.fromkeys([*context.reads, *(edge.source for edge in edges)])),  # UPDATE and MERGE read their own tables
        writes=tuple(writes.written),
        temporary=tuple(name for name in writes.written if name.lower() in writes.temporaries),
        columns=writes.columns(),
        edges=tuple(edges),
        notes=(*notes, *context.notes),
    )


def _start(reader: Dialect, schemas: Mapping[str, Sequence[str]], seconds: float, target: str) -> tuple[Context, Writes]:
    """Return what holds for all statements, and what takes in what they write."""
    from nbops.lineage.sql_query import query  # noqa: PLC0415 - imports sqlglot
    from nbops.lineage.sql_scope import Context  # noqa: PLC0415
    from nbops.lineage.sql_statements import inner_statement  # noqa: PLC0415
    from nbops.lineage.sql_writes import Writes  # noqa: PLC0415

    writes = Writes(target)
    context = Context(
        type(reader).__name__.lower(), schemas, int(_STEPS * seconds), query, partial(inner_statement, writes), known=writes.known
    )
    return context, writes


def _order(edge: ColumnEdge) -> tuple[str, ...]:
    """Return what edges are sorted by."""
    named = (edge.target_column is not None, edge.source_column is not None)
    return (
        edge.target,
        edge.kind,
        str(named[0]),
        edge.target_column or "",
        edge.source,
        str(named[1]),
        edge.source_column or "",
        edge.transformation,
    )


def _split(sql: str, dialect: str, seconds: float) -> tuple[list[list[Token]] | None, list[str], Dialect]:
    """Return the statements of SQL as tokens (None when it cannot be split into them), what went wrong, and the dialect."""
    from sqlglot.dialects.dialect import Dialect  # noqa: PLC0415 - costs time
    from sqlglot.errors import SqlglotError  # noqa: PLC0415
    from sqlglot.tokenizer_core import TokenType  # noqa: PLC0415

    notes: list[str] = []
    try:
        reader = Dialect.get_or_raise(dialect.strip().lower())
    except (ValueError, AttributeError):
        reader = Dialect.get_or_raise("")
        notes.append(f"dialect {dialect!r} is not known: read as common SQL")
    if len(sql) > _CHARACTERS * seconds:
        notes.append(f"{len(sql)} characters are longer than can be analysed in the time allowed: nothing is told")
        return [], notes, reader
    try:
        tokens = reader.tokenize(sql)
    except (SqlglotError, ValueError) as error:
        notes.append(f"not readable as SQL, only its tables are told: {_first_line(error)}")
        return None, notes, reader
    statements: list[list[Token]] = [[]]
    for token in tokens:
        if token.token_type == TokenType.SEMICOLON:
            statements.append([])
        else:
            statements[-1].append(token)
    return [_readable(statement) for statement in statements if statement], notes, reader


def _readable(tokens: list[Token]) -> list[Token]:
    """Give functions that sqlglot takes for something else a name that it reads.

    Spark's ``window(...)`` is a function wherever a parenthesis follows (in a clause WINDOW a name does), and ``ZEROIFNULL`` and
    ``NULLIFZERO`` are functions of one value as COALESCE is, which sqlglot would turn into an IF with a condition.
    """
    from sqlglot.tokenizer_core import Token, TokenType  # noqa: PLC0415 - costs time

    made = list(tokens)
    for place, (token, after) in enumerate(pairwise(tokens)):
        if after.token_type != TokenType.L_PAREN:
            continue
        if token.token_type == TokenType.WINDOW:
            made[place] = Token(TokenType.VAR, token.text, token.line, token.col, token.start, token.end, token.comments)
        elif token.token_type == TokenType.VAR and token.text.upper() in {"ZEROIFNULL", "NULLIFZERO"}:
            made[place] = Token(TokenType.VAR, "COALESCE", token.line, token.col, token.start, token.end, token.comments)
    return made


def _words(sql: str) -> list[Token]:
    """Return the words of what cannot be split into tokens, as where a quote is not closed."""
    from sqlglot.tokenizer_core import Token, TokenType  # noqa: PLC0415 - costs time

    kinds = {"(": TokenType.L_PAREN, ".": TokenType.DOT}
    found = re.finditer(r"\w+|\S", sql)
    return [
        Token(TokenType.VAR if word[0][0].isidentifier() else kinds.get(word[0], TokenType.UNKNOWN), word[0]) for word in found
    ]


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _as_insert(tokens: list[Token], sql: str, reader: Dialect) -> tuple[list[Token], str]:
    """Read MySQL's ``REPLACE INTO`` as the INSERT that it is to columns; sqlglot takes it for a command without a form."""
    if len(tokens) > 1 and tokens[0].text.upper() == "REPLACE" and tokens[1].text.upper().lstrip().startswith("INTO"):
        text = "INSERT" + sql[tokens[0].end + 1 : tokens[-1].end + 1]
        return reader.tokenize(text), text
    return tokens, sql


@contextmanager
def _deeper() -> Iterator[None]:
    """Let Python nest more calls than usual: sqlglot takes 20 for one level of parentheses, so that 40 levels would be too many.

    Before Python 3.11 calls take room on the thread's own stack, which may be small.
    """
    before = sys.getrecursionlimit()
    if sys.version_info >= (3, 11):
        sys.setrecursionlimit(max(before, _CALLS))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep sqlglot from telling on standard error what ends up in notes."""
    logger = logging.getLogger("sqlglot")

    def refuse(record: logging.LogRecord) -> bool:
        del record
        return False

    logger.addFilter(refuse)
    try:
        yield
    finally:
        logger.removeFilter(refuse)


def _follow(tokens: list[Token], sql: str, reader: Dialect, context: Context, writes: Writes) -> None:
    """Parse one statement and follow it; when that fails tell its tables."""
    from sqlglot.errors import ErrorLevel, SqlglotError  # noqa: PLC0415 - costs time

    from nbops.lineage.sql_scope import OutOfBudgetError  # noqa: PLC0415
    from nbops.lineage.sql_statements import run_statement  # noqa: PLC0415
    from nbops.lineage.sql_tables import tables_of  # noqa: PLC0415

    try:
        with _quiet(), _deeper():
            nodes: list[exp.Expression | None] = reader.parser(error_level=ErrorLevel.RAISE).parse(tokens, sql)  # type: ignore[assignment]
            for node in nodes:
                if node is not None:
                    run_statement(node, context, writes)
    except SqlglotError as error:
        context.note(f"not readable as {context.dialect}: {_first_line(error)}")
        tables_of(tokens, context, writes)
    except OutOfBudgetError:
        context.note("more than can be analysed in the time allowed: only its tables are told")
        tables_of(tokens, context, writes)
    except RecursionError:
        context.note("nested too deeply to be analysed: only its tables are told")
        tables_of(tokens, context, writes)
    except Exception as error:  # noqa: BLE001 - SQL is input: whatever sqlglot or we trip over must not stop a build
        context.note(f"beyond analysis ({type(error).__name__}: {_first_line(error)}): only its tables are told")
        tables_of(tokens, context, writes)
