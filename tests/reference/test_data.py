"""Small tables for people: escaped, aligned, cut."""

from __future__ import annotations

from pathlib import Path

from shop.data import connect, save, table, view


def test_a_table_escapes_what_it_shows() -> None:
    with connect() as con:
        html = table(con, "SELECT '<script>alert(1)</script>' AS \"<b>\"", caption="a & b")._repr_html_()
    assert "<script>" not in html
    assert "<b>" not in html
    assert "<caption>a &amp; b</caption>" in html


def test_a_table_is_readable_as_text() -> None:
    with connect() as con:
        text = repr(table(con, "SELECT * FROM (VALUES ('a', 1234567, 0.25, NULL, true)) AS t (name, n, share, nothing, yes)"))
    assert text.splitlines() == ["name  n          share  nothing  yes", "a     1,234,567  0.25            True"]


def test_a_long_table_is_cut() -> None:
    with connect() as con:
        shown = table(con, "SELECT * FROM range(1000)", caption="many")
    assert len(shown.rows) == 200
    assert "(first 200 rows)" in shown._repr_html_()


def test_what_is_saved_can_be_viewed_and_no_rows_keep_their_columns(tmp_path: Path) -> None:
    path = str(tmp_path / 'it\'s "quoted" é.parquet')
    with connect() as con:
        assert save(con, "SELECT 1::INTEGER AS a, 'x' AS b WHERE false", path) == 0
        view(con, "empty", path)
        assert con.sql("FROM empty").columns == ["a", "b"]
