"""The analysis of code as a whole: what it tells of a small notebook."""

from __future__ import annotations

from nbops.lineage.code import analyse_code


def test_a_notebook_is_followed_from_what_it_reads_to_what_it_writes():
    cells = [
        "import pandas as pd\norders = pd.read_parquet(upstream['clean'])",
        "orders['gross'] = orders['net'] * (1 + rate)",
        "orders[orders.kind == 'sale'].groupby('day').agg(total=('gross', 'sum')).reset_index().to_parquet(product)",
    ]
    found = analyse_code(
        cells,
        values={"upstream": {"clean": "out/orders.parquet"}, "product": "out/daily.parquet", "rate": 0.2},
        schemas={"out/orders.parquet": ("day", "net", "kind")},
    )
    edges = {(e.source_column, e.target_column, e.kind, e.transformation, e.cells) for e in found.edges}
    assert edges == {
        ("net", "total", "derived", "aggregation", (0, 1, 2)),
        ("day", "day", "derived", "identity", (0, 2)),
        ("day", None, "influence", "group_by", (0, 2)),
        ("kind", None, "influence", "filter", (0, 2)),
    }
    assert found.columns == {"out/daily.parquet": ("day", "total")}
    assert found.parameters["out/daily.parquet.total"] == ("rate", "upstream")
    assert [access.name for access in found.reads] == ["out/orders.parquet"]
    assert found.notes == ()
    assert found.cells[1].columns == {"orders": ("gross",)}
