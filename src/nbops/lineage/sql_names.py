"""Names of tables and files as SQL writes them, and the columns that they are known to have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from sqlglot import exp

from nbops.lineage.sql_model import IDENTITY, Relation, Value

if TYPE_CHECKING:
    from nbops.lineage.sql_scope import Context

__all__ = ["GENERATORS", "base", "file_arguments", "known_columns", "relation_called", "table_name"]

_DEFAULT_SCHEMAS = frozenset({"main", "memory.main", "public", "dbo", "default", "spark_catalog.default", "temp", "memory"})
"""Schemas that a name without one means."""
_FILE_FORMATS = frozenset({"parquet", "csv", "json", "orc", "delta", "text", "avro", "binaryfile"})
_READER_NAMES = (
    "read_parquet parquet_scan read_csv read_csv_auto read_json read_json_auto read_json_objects read_ndjson read_ndjson_auto "
    "read_ndjson_objects read_text read_blob read_xlsx st_read delta_scan iceberg_scan sniff_csv read_files parquet_metadata "
    "parquet_schema read_avro"
)
_SCANS = frozenset({"sqlite_scan", "postgres_scan", "mysql_scan", "postgres_scan_pushdown", "query_table"})
"""Table functions whose arguments name a table of another database."""
_GENERATOR_NAMES = (
    "range generate_series generator sequence explode glob repeat repeat_row unnest json_each json_tree flatten seq "
    "duckdb_tables duckdb_columns duckdb_views duckdb_settings duckdb_functions duckdb_extensions duckdb_databases duckdb_types "
    "pragma_table_info pragma_database_list pg_settings information_schema summary generate_date_array split_to_table"
)
GENERATORS = frozenset(_GENERATOR_NAMES.split())
"""Table functions that read nothing but their arguments."""
_READERS = frozenset(_READER_NAMES.split())
"""Table functions whose first argument names files."""


def table_name(table: exp.Expression) -> str:
    """Return the dotted name of a table without quotes; of Spark's ``parquet.`path``` the path."""
    parts = [part.name for key in ("catalog", "db", "this") if isinstance(part := table.args.get(key), exp.Expression)]
    if isinstance(table.this, exp.Dot):
        parts = parts[:-1] + [piece.name for piece in table.this.flatten()]
    if len(parts) == 2 and parts[0].lower() in _FILE_FORMATS and ("/" in parts[1] or "." in parts[1]):  # noqa: PLR2004
        return parts[1]
    return ".".join(part for part in parts if part)


def known_columns(name: str, schemas: Mapping[str, Sequence[str]]) -> tuple[str, Sequence[str]] | None:
    """Return a table's name as it is known and its columns; None when it is not known.

    A table is known under its own name in any case, without a schema that names none (``main``, ``public``), or, when it is
    written without a schema, under the only name that ends with it.
    """
    if name in schemas:
        return name, schemas[name]
    lowered = name.lower()
    for known, columns in schemas.items():
        if known.lower() == lowered:
            return known, columns
    before, _, last = lowered.rpartition(".")
    if before in _DEFAULT_SCHEMAS:
        bare = [columns for known, columns in schemas.items() if known.lower() == last]
        if bare:
            return name, bare[0]
    if not before:
        longer = [columns for known, columns in schemas.items() if known.lower().rpartition(".")[2] == last and "/" not in known]
        if len(longer) == 1:
            return name, longer[0]
    return None


def base(name: str, context: Context) -> Relation:
    """Return a table of which nothing in the SQL says how it was made, and count it as read."""
    found = known_columns(name, context.known) or known_columns(name, context.schemas)
    name = found[0] if found else name
    context.reads[name] = None
    if found is None:
        return Relation(open=((name,),), rows=frozenset({name}), path=name)
    context.spend(len(found[1]))
    columns: list[tuple[str | None, Value]] = [(column, Value({(name, column): IDENTITY})) for column in found[1]]
    return Relation(columns, rows=frozenset({name}), path=name)


def file_arguments(function: exp.Expression) -> list[str] | None:
    """Return the files that a table function reads; None when it reads none."""
    if isinstance(function, (exp.ReadParquet, exp.ReadCSV)):
        found = [function.this, *function.expressions]
    elif isinstance(function, exp.Anonymous) and function.name.lower() in _READERS:
        found = list(function.expressions)
    else:
        return None
    arguments = [entry for entry in found if isinstance(entry, exp.Expression)]
    first = arguments[0] if arguments else None
    entries = first.expressions if isinstance(first, (exp.Array, exp.Tuple)) else [first]
    if entries and all(isinstance(entry, exp.Literal) and entry.is_string for entry in entries):
        return [entry.name for entry in entries if entry is not None]
    return None


def relation_called(function: exp.Expression, dialect: str) -> str | None:
    """Return the name of what a table function reads, by its arguments or as it is written; None when it reads none."""
    if isinstance(function, exp.Anonymous) and function.name.lower() in _SCANS:
        arguments = function.expressions
        if arguments and all(isinstance(entry, exp.Literal) for entry in arguments):
            return ".".join(entry.name for entry in arguments)
    reads = isinstance(function, (exp.ReadParquet, exp.ReadCSV))
    reads = reads or (isinstance(function, exp.Anonymous) and function.name.lower() in _READERS | _SCANS)
    return function.sql(dialect=dialect, normalize_functions="lower")[:200] if reads else None
