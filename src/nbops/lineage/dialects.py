"""From what a database client says of itself to the dialect of its SQL."""

from __future__ import annotations

__all__ = ["dialect_of"]

_DIALECTS = {
    "sqlite": "sqlite",
    "duckdb": "duckdb",
    "psycopg": "postgres",
    "postgres": "postgres",
    "asyncpg": "postgres",
    "redshift": "redshift",
    "mysql": "mysql",
    "mariadb": "mysql",
    "snowflake": "snowflake",
    "bigquery": "bigquery",
    "databricks": "databricks",
    "spark": "spark",
    "trino": "trino",
    "mssql": "tsql",
    "pyodbc": "tsql",
    "oracle": "oracle",
    "clickhouse": "clickhouse",
}
"""Part of a URI's scheme or a driver's module to the dialect, as sqlglot calls it."""


def dialect_of(driver: str) -> str:
    """Return the dialect of a driver, "" for one that is not known.

    Args:
        driver: The scheme of a URI, or the module of a driver.

    >>> dialect_of("postgresql+psycopg2"), dialect_of("sqlite3"), dialect_of("nosuch")
    ('postgres', 'sqlite', '')
    """
    return next((name for part, name in _DIALECTS.items() if part in driver.lower()), "")
