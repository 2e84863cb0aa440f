"""What SQL's columns are made of, and that nothing stops the analysis."""

from __future__ import annotations

from nbops.lineage.sql import analyse_sql

SCHEMAS = {"orders": ("id", "customer_id", "amount", "status"), "customers": ("id", "name", "country")}


def _edges(sql: str, **options: object) -> set[str]:
    """Return edges as readable text."""
    found = analyse_sql(sql, schemas=SCHEMAS, target="out", **options)  # type: ignore[arg-type]
    return {
        f"{edge.source}.{edge.source_column or '*'} {edge.transformation} {edge.target}.{edge.target_column or '*'}"
        for edge in found.edges
    }


def test_a_join_with_an_aggregate_tells_values_and_what_chose_the_rows() -> None:
    sql = """
    WITH paid AS (SELECT customer_id, amount FROM orders WHERE status = 'paid')
    SELECT c.country, sum(p.amount) AS total FROM paid p JOIN customers c ON c.id = p.customer_id GROUP BY c.country
    """
    assert _edges(sql) == {
        "customers.country identity out.country",
        "orders.amount aggregation out.total",
        "orders.status filter out.*",
        "customers.id join out.*",
        "orders.customer_id join out.*",
        "customers.country group_by out.*",
    }


def test_temporary_tables_and_views_are_resolved_through() -> None:
    sql = """
    CREATE TEMP TABLE big AS SELECT id, amount * 2 AS double FROM orders WHERE amount > 10;
    CREATE TABLE result AS SELECT max(double) AS top FROM big;
    """
    found = analyse_sql(sql, schemas=SCHEMAS)
    assert found.writes == ("big", "result")
    assert found.temporary == ("big",)
    assert found.reads == ("orders",)
    assert {(edge.source, edge.source_column, edge.transformation) for edge in found.edges if edge.target == "result"} == {
        ("orders", "amount", "aggregation"),
        ("orders", "amount", "filter"),
    }
