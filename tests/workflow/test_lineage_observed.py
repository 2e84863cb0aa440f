"""What was noted of a task is read back: hostile lines are passed over, tables are compared with what they were made of."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbops.kernels.tables import TableWatch
from nbops.kernels.watching import Observer
from nbops.model import CellRun
from nbops.workflow.lineage_observed import read_observed, with_tables


def compared(*cells: tuple[str, list[list]]):
    """Return the tables of cells that are given by their code and what was noted after them."""
    from nbops.workflow.lineage_observed import Observed, _table

    notebook = {
        "cells": [
            {"cell_type": "markdown", "source": "# a"},
            {"cell_type": "code", "source": "x=1", "execution_count": 1, "metadata": {"tags": ["injected-parameters"]}},
            *({"cell_type": "code", "source": code, "execution_count": n + 2} for n, (code, _) in enumerate(cells)),
        ]
    }
    for cell in notebook["cells"]:
        cell.setdefault("metadata", {})
    tables = {n + 2: tuple(_table(item) for item in made) for n, (_, made) in enumerate(cells)}
    runs = [CellRun(index=n + 1) for n in range(len(cells))]
    return [cell.tables for cell in with_tables(runs, notebook, Observed(tables=tables))]


@pytest.mark.parametrize(
    ("code", "rows", "finding"),
    [
        ("c = a.merge(b)", 88, "the inner join lost 12 % of the rows of a (100 became 88)"),
        ("c = pd.merge(a, b, how='left')", 130, "the left join made 130 rows of the 100 of a"),
        ("c = a.join(b)", 90, "the join lost 10 % of the rows of a (100 became 90)"),
        ("c = a.join(b, on='k')", 66, "the inner join lost 34 % of the rows of a (100 became 66)"),
        ("c = a.merge(b, how=how)", 99, "the join lost 1 % of the rows of a (100 became 99)"),
        ("c = a[a.x > 1]", 40, "c has 60 % fewer rows than a (100 became 40)"),
        ("c = a.groupby('k').sum()", 3, ""),
        ("c = a.merge(b).groupby('k').sum()", 3, ""),
        ("c = a.head()", 5, ""),
        ("c = pd.concat([a, b])", 150, ""),
        ("c = a.assign(x=1)", 100, ""),
        ("%time c = a.merge(b)", 88, ""),
        ("c = (", 88, ""),
        ("c = a\nc = c.merge(b)", 88, "the inner join lost 12 % of the rows of a (100 became 88)"),
    ],
)
def test_what_a_cell_lost(code, rows, finding):
    _, [made] = compared(("a = 1; b = 2", [["a", 100, 2, 5], ["b", 50, 2, 0]]), (code, [["c", rows, 3, 7]]))
    assert made.finding == finding
    assert (made.rows, made.columns, made.nulls) == (rows, 3, 7)


def test_the_same_variable_again():
    _, [made] = compared(("a = 1", [["a", 100, 2, 5]]), ("a = a.dropna()", [["a", 95, 2, 0]]))
    assert (made.of, made.rows_before, made.nulls_before) == ("a", 100, 5)
    assert made.finding == "a has 5 % fewer rows than before (100 became 95)"
    [[alone]] = compared(("a = 1", [["a", 100, 2, 5]]))
    assert (alone.of, alone.rows_before, alone.finding) == (None, None, "")


lines = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["read", "tables", "more", "host"]),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=8,
)


@given(st.lists(lines.map(lambda line: json.dumps(line).encode()) | st.binary(max_size=20), max_size=8))
def test_any_file_is_survived(tmp_path_factory, given_lines):
    path = tmp_path_factory.mktemp("noted") / "o.jsonl"
    path.write_bytes(b"\n".join([b'["read", "/a"]', *given_lines, b'["read", "/b"]']))
    found = read_observed(path)
    assert found.reads == ("/a", "/b") or found.reads  # what hostile lines add does not hide the others
    assert {"/a", "/b"} <= set(found.reads)
    assert read_observed(path.with_name("none")).reads == ()


def observer(tmp_path) -> Observer:
    return Observer(target=str(tmp_path / "o.jsonl"), root=str(tmp_path), skip=["reports"])


def test_what_audit_events_tell(tmp_path):
    found = observer(tmp_path)
    for event, arguments in (
        ("open", (f"{tmp_path}/data/a.csv", "r", 0)),
        ("open", (f"{tmp_path}/data/a.csv", None, 0)),
        ("open", (str(tmp_path / "b.csv").encode(), "rb", 0)),
        ("open", (f"{tmp_path}/out.csv", "w", 0)),
        ("open", (f"{tmp_path}/both.csv", "r+", 0)),
        ("open", (f"{tmp_path}/raw.bin", None, 1)),
        ("open", (3, "r", 0)),
        ("open", (f"{tmp_path}/reports/x.html", "r", 0)),
        ("open", (f"{tmp_path}/module.py", "r", 0)),
        ("open", ("/proc/self/maps", "r", 0)),
        ("open", ("/etc/passwd", "r", 0)),
        ("open", ("/data/lake/x.parquet", "rb", 0)),
        ("open", ("a\0b", "r", 0)),
        ("open", (object(), "r", 0)),
        ("open", ()),
        ("sqlite3.connect", (f"file:{tmp_path}/x.db?mode=ro",)),
        ("sqlite3.connect", (":memory:",)),
        ("socket.getaddrinfo", ("db.example.org", 5432, 0, 0, 0)),
        ("socket.connect", (None, ("10.0.0.7", 5432))),
        ("socket.connect", (None, ("127.0.0.1", 45_000))),
        ("socket.connect", (None, "/run/x.sock")),
        ("socket.connect", (None, ("10.0.0.8", "odd"))),
        ("subprocess.Popen", ("/usr/bin/git", ["git", "--token=secret"], None, None)),
        ("os.system", (b"curl secret",)),
        ("import", ("x",)),
    ):
        found.hook(event, arguments)
    found.flush()
    text = (tmp_path / "o.jsonl").read_text()
    assert "secret" not in text
    read = read_observed(tmp_path / "o.jsonl")
    assert read.reads == tuple(
        sorted(["/data/lake/x.parquet", *(f"{tmp_path}/{name}" for name in ("b.csv", "data/a.csv", "x.db"))])
    )
    assert read.hosts == ("db.example.org:5432",)
    assert read.programs == ("git", "sh")


def test_only_so_many_are_noted(tmp_path):
    found = observer(tmp_path)
    for number in range(100_000):
        found.hook("open", (f"{tmp_path}/{number}", "r", 0))
    found.flush()
    read = read_observed(tmp_path / "o.jsonl")
    assert len(read.reads) == 1_000
    assert read.more == {"read"}


def test_a_target_that_cannot_be_written_is_of_no_consequence(tmp_path):
    found = Observer(target=str(tmp_path / "no/folder/o"), root=str(tmp_path), skip=[])
    found.hook("open", (f"{tmp_path}/a", "r", 0))
    found.flush()
    assert not (tmp_path / "no").exists()


def test_tables_of_polars():
    polars = pytest.importorskip("polars")
    noted: list[list] = []
    made = {"l": polars.DataFrame({"a": [1, None, 3]}), "lazy": polars.LazyFrame({"a": [1]})}
    TableWatch(noted.append).look(made, SimpleNamespace(execution_count=1, info=None))
    assert noted == [["tables", 1, [["l", 3, 1, 1]]]]


def test_tables_of_pandas_and_arrow():
    pandas, pyarrow = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    noted: list[list] = []
    watch = TableWatch(noted.append)

    class Own(pandas.DataFrame):
        pass

    class Broken(pandas.DataFrame):
        @property
        def shape(self):
            raise RuntimeError

    made = {
        "p": pandas.DataFrame({"a": [1, None], "b": ["x", None]}),
        "w": pyarrow.table({"a": [None, None]}),
        "o": Own({"a": [1]}),
        "_hidden": pandas.DataFrame({"a": [1]}),
        "s": pandas.Series([1]),
        "empty": pandas.DataFrame(),
    }
    result = SimpleNamespace(execution_count=1, info=SimpleNamespace(raw_cell="p = 1"))
    watch.look(made, result)
    assert noted == [["tables", 1, [["p", 2, 2, 2], ["w", 2, 1, 2], ["o", 1, 1, 0], ["empty", 0, 0, 0]]]]
    watch.look(made, result)
    assert len(noted) == 1, "nothing changed"
    made["p"]["a"] = made["p"]["a"].fillna(0)
    watch.look(made, SimpleNamespace(execution_count=2, info=SimpleNamespace(raw_cell="p['a'] = p['a'].fillna(0)")))
    assert noted[1] == ["tables", 2, [["p", 2, 2, 1]]]
    watch.look({"bad": Broken()}, result)
    watch.look(made, SimpleNamespace(execution_count=None, info=None))
    assert len(noted) == 2
