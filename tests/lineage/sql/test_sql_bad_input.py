"""SQL is input: whatever it is, the analysis ends, raises nothing, and says what it could not do."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nbops.lineage.sql import analyse_sql

if TYPE_CHECKING:
    from nbops.lineage.records import SqlLineage

SCHEMAS = {"t": ("a", "b"), "u": ("a", "c")}
WIDE = {"wide": tuple(f"c{place}" for place in range(5000)), "t": ("a", "b")}


def _derived(lineage: SqlLineage) -> set[tuple[str, str | None, str | None]]:
    return {(edge.source, edge.source_column, edge.target_column) for edge in lineage.edges if edge.kind == "derived"}


@pytest.mark.parametrize("sql", ["", " ", ";;;", "-- nothing", "/* nothing */"])
def test_nothing_gives_nothing(sql: str) -> None:
    lineage = analyse_sql(sql)
    assert (lineage.edges, lineage.notes, lineage.columns) == ((), (), {})


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT a, FROM t JOIN u ON (",
        "SELECT a b c FROM t WHERE JOIN u",
        "SELECT 'a FROM t JOIN u",
        'SELECT "a FROM t JOIN u',
        "WITH x AS (SELECT a FROM t) SELECT ) FROM x JOIN u",
        "WITH x(n, m) AS (SELECT a FROM t) SELECT ) FROM x JOIN u",
    ],
)
def test_broken_sql_still_tells_its_tables_and_says_so(sql: str) -> None:
    lineage = analyse_sql(sql, schemas=SCHEMAS, target="out")
    assert lineage.reads == ("t", "u")
    assert _derived(lineage) == {("t", None, None), ("u", None, None)}
    assert any("not readable" in note for note in lineage.notes)


def test_a_broken_statement_harms_no_other() -> None:
    lineage = analyse_sql(
        "CREATE TABLE x AS SELECT a FROM t; SELEC nonsense FROM; CREATE TABLE y AS SELECT c FROM u", schemas=SCHEMAS
    )
    assert _derived(lineage) == {("t", "a", "a"), ("u", "c", "c")}
    assert [note for note in lineage.notes if note.startswith("statement 2")]


def test_a_broken_insert_tells_where_it_writes() -> None:
    lineage = analyse_sql("INSERT INTO main.z SELECT FROM WHERE t; INSERT INTO z SELECT a b c FROM t", schemas=SCHEMAS)
    assert lineage.writes == ("main.z", "z")
    assert ("t", None, None) in _derived(lineage)


def test_an_unknown_dialect_is_said_and_read_as_common_sql() -> None:
    lineage = analyse_sql("SELECT a AS x FROM t", dialect="klingon", schemas=SCHEMAS)
    assert _derived(lineage) == {("t", "a", "x")}
    assert "klingon" in lineage.notes[0]


def test_what_is_beyond_analysis_is_said() -> None:
    lineage = analyse_sql("GRANT SELECT ON t TO u; EXPLAIN SELECT 1; CALL f(1); SUMMARIZE t", schemas=SCHEMAS)
    assert len(lineage.notes) == 2
    assert lineage.edges == ()
    unknown = analyse_sql("SELECT * FROM f(1)", target="out")
    assert _derived(unknown) == {("f()", None, None)}
    assert any("f()" in note for note in unknown.notes)
    pattern = "MATCH_RECOGNIZE (ORDER BY b MEASURES FIRST(a) AS f PATTERN (x y+) DEFINE x AS a > 1)"
    wide = analyse_sql(f"SELECT * FROM t {pattern}", dialect="snowflake", schemas=SCHEMAS, target="out")
    assert _derived(wide) == {("t", "a", None), ("t", "b", None)}
    assert "MATCH_RECOGNIZE" in wide.notes[0]


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE VIEW x AS SELECT * FROM y; CREATE VIEW y AS SELECT * FROM x; SELECT * FROM x",
        "CREATE VIEW x AS SELECT * FROM x; SELECT * FROM x",
        "WITH x AS (SELECT * FROM x) SELECT * FROM x",
        "WITH RECURSIVE x AS (SELECT * FROM x) SELECT * FROM x",
        "WITH RECURSIVE x AS (SELECT a FROM y), y AS (SELECT a FROM x) SELECT * FROM y",
        "WITH RECURSIVE x AS (SELECT * FROM x UNION ALL SELECT * FROM x) SELECT * FROM x",
        "CREATE TEMP TABLE x AS SELECT 1 AS a; INSERT INTO x SELECT a + 1 FROM x; UPDATE x SET a = a + 1; SELECT a FROM x",
    ],
)
def test_circles_end(sql: str) -> None:
    assert analyse_sql(sql, target="out").reads in {(), ("x",), ("y",)}


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT " + "(" * 6000 + "a" + ")" * 6000 + " FROM t",
        "SELECT a FROM (" * 3000 + "SELECT a FROM t" + ") x" * 3000,
        "SELECT " + "CASE WHEN a THEN " * 2000 + "b" + " END" * 2000 + " FROM t",
        "SELECT " + "NOT " * 5000 + "a FROM t",
        "SELECT " + "-(" * 5000 + "a" + ")" * 5000 + " FROM t",
    ],
)
def test_deep_nesting_is_said(sql: str) -> None:
    lineage = analyse_sql(sql, schemas=SCHEMAS, target="out")
    assert lineage.reads == ("t",)
    assert lineage.notes
    assert {edge.source for edge in lineage.edges} == {"t"}


@pytest.mark.parametrize(
    ("sql", "edges"),
    [
        ("SELECT " + " + ".join(["a"] * 8000) + " AS s FROM t", {("t", "a", "s")}),
        ("SELECT a FROM t WHERE " + " AND ".join(["b = 1"] * 4000), {("t", "a", "a")}),
        (" UNION ALL ".join(["SELECT a FROM t"] * 2000), {("t", "a", "a")}),
        ("SELECT a FROM t WHERE b IN (" + ", ".join(map(str, range(9000))) + ")", {("t", "a", "a")}),
    ],
)
def test_long_chains_are_followed(sql: str, edges: set[tuple[str, str | None, str | None]]) -> None:
    lineage = analyse_sql(sql, schemas=SCHEMAS, target="out")
    assert _derived(lineage) == edges
    assert lineage.notes == ()


def test_ten_thousand_lines_are_bounded_and_said() -> None:
    lines = ",\n".join(f"a + {place} AS c{place}" for place in range(10_000))
    lineage = analyse_sql(f"SELECT\n{lines}\nFROM t JOIN u USING (a)", schemas=SCHEMAS, target="out")
    assert lineage.reads == ("t", "u")
    assert _derived(lineage) == {("t", None, None), ("u", None, None)}
    assert "longer than can be analysed" in lineage.notes[0]
    more = analyse_sql(f"SELECT\n{lines}\nFROM t", schemas=SCHEMAS, target="out", seconds=60)
    assert len(_derived(more)) == 10_000
    assert more.notes == ()


def test_a_megabyte_of_text_is_not_read() -> None:
    lineage = analyse_sql("SELECT '" + "x" * 1_000_000 + "' FROM t")
    assert lineage.edges == ()
    assert "longer than can be analysed" in lineage.notes[0]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT " + ", ".join(f"wide AS r{place}" for place in range(5000)) + " FROM wide",
        "SELECT " + ", ".join(["*"] * 3000) + " FROM wide",
        "WITH RECURSIVE r AS (SELECT * FROM wide UNION SELECT * FROM r JOIN t ON c1 = a) SELECT * FROM r",
        "SELECT * FROM wide a0 " + " ".join(f"NATURAL JOIN wide a{place}" for place in range(1, 300)),
        " UNION ".join(["SELECT * FROM wide"] * 500),
    ],
)
def test_work_that_multiplies_is_bounded_and_said(sql: str) -> None:
    lineage = analyse_sql(sql, schemas=WIDE, target="out")
    assert any("more than can be analysed" in note for note in lineage.notes)
    assert ("wide", None, None) in _derived(lineage)


def test_five_thousand_columns() -> None:
    lineage = analyse_sql("SELECT * FROM wide", schemas=WIDE, target="out")
    assert len(_derived(lineage)) == 5000
    names = ", ".join(WIDE["wide"])
    assert analyse_sql(f"SELECT {names} FROM wide", schemas=WIDE, target="out") == lineage


def test_names_that_mean_something_elsewhere() -> None:
    names = ("__proto__", "</script>", "it's", "שלום", "\u202eabc", "a.b", "a\0b", "x" * 3000, "😀", " ", "select")
    listed = ", ".join(f'"{name}" AS "{name}!"' for name in names)
    lineage = analyse_sql(f'SELECT {listed} FROM "we""ird"', schemas={'we"ird': names}, target="</script>")
    assert _derived(lineage) == {('we"ird', name, f"{name}!") for name in names}
    assert {edge.target for edge in lineage.edges} == {"</script>"}
    assert lineage.notes == ()


def test_columns_of_one_name() -> None:
    lineage = analyse_sql("SELECT a, b AS a FROM t", schemas=SCHEMAS, target="out")
    assert _derived(lineage) == {("t", "a", "a"), ("t", "b", "a")}
    assert lineage.columns == {"out": ("a",)}
    twice = analyse_sql("SELECT a FROM t, u", schemas=SCHEMAS, target="out")
    assert _derived(twice) == {("t", "a", "a"), ("u", "a", "a")}
    assert "ambiguous" in twice.notes[0]


def test_unknown_tables_widen_and_say_so() -> None:
    lineage = analyse_sql("SELECT *, x + 1 AS y FROM nowhere", target="out")
    assert _derived(lineage) == {("nowhere", None, None), ("nowhere", "x", "y")}
    assert lineage.columns == {"out": None}
    assert "nowhere" in lineage.notes[0]
    either = analyse_sql("SELECT x FROM here JOIN there ON here.k = there.k", target="out")
    assert _derived(either) == {("here", None, "x"), ("there", None, "x")}
    assert "here, there" in either.notes[0]


def test_a_column_that_no_table_has_is_said() -> None:
    lineage = analyse_sql("SELECT z FROM t; SELECT z FROM t JOIN u ON t.a = u.a", schemas=SCHEMAS, target="out")
    assert len(lineage.notes) == 2
    assert _derived(lineage) == {("t", None, "z"), ("u", None, "z")}


def test_nothing_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        analyse_sql("VACUUM FULL t; SELECT a FROM t GROUP BY GROUPING SETS (); SHOW ALL TABLES; %%", schemas=SCHEMAS)
    assert caplog.records == []


def test_importing_it_loads_no_parser_and_results_do_not_depend_on_hash_seeds() -> None:
    code = (
        "import sys, nbops.lineage.sql as s; assert 'sqlglot' not in sys.modules;"
        "print(s.analyse_sql('SELECT DISTINCT a + b AS x, c FROM t NATURAL JOIN u WHERE z > 1 ORDER BY c;"
        "SELECT q FROM m, n', schemas={'t': ('a', 'b'), 'u': ('a', 'c')}))"
    )
    printed = []
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment)
        assert done.returncode == 0, done.stderr
        printed.append(done.stdout)
    assert printed[0] == printed[1]
    assert "ColumnEdge" in printed[0]


WORDS = (
    "SELECT FROM WHERE t u a b c x * , ( ) . ; = 'x' \"q\" ` AS WITH RECURSIVE JOIN LEFT USING ON GROUP BY ORDER LIMIT HAVING "
    "QUALIFY OVER PARTITION UNION ALL EXCEPT INSERT INTO UPDATE SET DELETE MERGE WHEN MATCHED THEN CREATE TABLE VIEW TEMP PIVOT "
    "UNPIVOT FOR IN VALUES UNNEST LATERAL COLUMNS CASE END count(*) sum( row_number() EXISTS NOT NULL DISTINCT :: -> [ ] { } @ "
    "$1 ? \\ -- /* */ COPY TO FILTER WINDOW w EXCLUDE REPLACE RETURNING |> 1 2.5 \0 😀"
)
PIECES = st.sampled_from(WORDS.split(" "))


@settings(max_examples=150, deadline=None)
@given(
    sql=st.lists(PIECES, max_size=30).map(" ".join),
    dialect=st.sampled_from(["duckdb", "spark", "snowflake", "bigquery", "mysql"]),
)
@example(sql="SELECT COLUMNS('(') FROM t", dialect="duckdb")
@example(sql="MERGE INTO t USING u USING (a) WHEN MATCHED THEN UPDATE SET a = c", dialect="duckdb")
@example(sql="PIVOT t ON a", dialect="duckdb")
@example(sql="UPDATE t SET", dialect="duckdb")
@example(sql="DELETE FROM (SELECT 1)", dialect="duckdb")
def test_scrambled_sql_raises_nothing_and_invents_no_table(sql: str, dialect: str) -> None:
    lineage = analyse_sql(sql, dialect=dialect, schemas=SCHEMAS, target="out")
    for edge in lineage.edges:
        assert edge.source.split(".")[0].lower() in sql.lower()
        assert edge.how == "sql"
        assert (edge.kind == "derived") == (edge.transformation in {"identity", "transformation", "aggregation"})
        assert edge.kind == "derived" or edge.target_column is None or edge.transformation in {"window", "conditional"}
    assert list(lineage.edges) == list(dict.fromkeys(lineage.edges))


@settings(max_examples=150, deadline=None)
@given(sql=st.text(max_size=200), dialect=st.text(max_size=10))
def test_any_text_raises_nothing(sql: str, dialect: str) -> None:
    lineage = analyse_sql(sql, dialect=dialect)
    assert all(isinstance(note, str) and note for note in lineage.notes)
