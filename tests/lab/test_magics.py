"""``%load_ext nbops``: magics in a real IPython shell, in a project with runs and a contract."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from nbops.model import Check, CheckResult, ColumnEdge, Dataset, LineageEdge, Run, RunError, TaskLineage, TaskRun
from nbops.record.store import write_run

HOSTILE = "<script>alert(1)</script>\x1b[31m\u202e"
CONTRACT = """\
apiVersion: v3.0.2
kind: DataContract
id: orders
version: 1.2.0
status: active
name: orders
description: {purpose: What was <b>ordered</b>}
schema:
  - name: orders
    properties:
      - name: id
        logicalType: integer
        required: true
        description: The order's number
      - name: amount
        logicalType: number
        quality:
          - metric: nullValues
            mustBe: 0
            severity: warning
"""


def run(number: int, verdict: str = "passed", message: str = "") -> Run:
    check = Check(id="id.nullValues", dataset="orders", metric="nullValues", column="id", operator="mustBe", expected=0)
    edges = (
        ColumnEdge(source="raw", source_column="price", target="orders", target_column="amount", kind="derived", how="static",
                   transformation="transformation", task="clean", cells=(2, 4)),
        ColumnEdge(source="raw", source_column="kind", target="orders", target_column=None, kind="influence", how="sql",
                   transformation="filter", task="clean", cells=(3,)),
    )  # fmt: skip
    return Run(
        id=f"20261122T1900{number:02d}Z-00000{number}", status="succeeded", verdict=verdict,
        pipeline="shop", command="ploomber build", started_at="2026-11-22T19:00:00Z",
        tasks=(TaskRun(name="clean", kind="notebook", status="succeeded", source="clean.py", products={"data": "orders.csv"}),),
        datasets=(
            Dataset(name="orders", task="clean", path="orders.csv", format="csv", rows=number),
            Dataset(name="raw", task="load", path="raw.csv", format="csv", rows=9),
        ),
        checks=(CheckResult(check=check, verdict=verdict, message=message),),
        lineage=(LineageEdge(source="dataset:raw", target="task:clean"),
                 LineageEdge(source="task:clean", target="dataset:orders", kind="writes")),
        column_lineage=(TaskLineage(task="clean", edges=edges),),
    )  # fmt: skip


@pytest.fixture
def shell(tmp_path, monkeypatch):
    """A shell in a notebook's folder of a project; the magics are loaded as a user loads them."""
    (tmp_path / "pipeline.yaml").write_text("tasks: []\n", encoding="utf-8")
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts/orders.odcs.yaml").write_text(CONTRACT, encoding="utf-8")
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    made = InteractiveShell()
    made.history_manager.enabled = False
    made.run_line_magic("load_ext", "nbops")
    yield made
    made.run_line_magic("unload_ext", "nbops")
    assert "lineage" not in made.magics_manager.magics["line"]
    made.history_manager.end_session()


@pytest.fixture
def reports(shell, tmp_path):
    write_run(tmp_path / "reports", run(1))
    error = RunError(kind="ValueError", message=HOSTILE, task="clean")
    write_run(tmp_path / "reports", replace(run(2, "failed", HOSTILE), errors=(error,)))
    return tmp_path / "reports"


def test_runs_come_newest_first_and_nothing_in_them_is_obeyed(shell, reports):
    shown = shell.run_line_magic("runs", "")
    assert [(row[0][-6:], row[1]) for row in shown.rows] == [("000002", "failed"), ("000001", "passed")]
    assert "<script>" not in shown._repr_html_()
    assert "&lt;script&gt;" in shown._repr_html_()
    assert "\x1b" not in repr(shown)
    assert "\u202e" not in repr(shown) + shown._repr_html_()
    assert len(shell.run_line_magic("runs", "-n 1").rows) == 1


def test_a_project_without_runs_says_so(shell):
    assert "ploomber build" in repr(shell.run_line_magic("runs", ""))
    with pytest.raises(UsageError, match="run"):
        shell.run_line_magic("diff", "")


def test_lineage_of_a_column_names_task_and_cells(shell, reports):
    up = shell.run_line_magic("lineage", "orders.amount --up")
    assert ("comes from", "raw.price", "1", "transformation (static)", "clean cell 2, 4") in up.rows
    assert "raw.price" in repr(up)
    down = shell.run_line_magic("lineage", "raw.price --down")
    assert [row[1] for row in down.rows] == ["orders.amount"]
    with pytest.raises(UsageError, match="Did you mean 'amount'"):
        shell.run_line_magic("lineage", "orders.amuont")


def test_diff_leads_with_the_heaviest_change(shell, reports):
    shown = shell.run_line_magic("diff", "previous latest")
    assert shown.rows[0][0] in {"verdict", "checks"}
    assert any("orders" in row[1] for row in shown.rows)


def test_contract_shows_columns_rules_and_meaning(shell):
    shown = shell.run_line_magic("contract", "orders")
    assert [row[0] for row in shown.rows] == ["id", "amount"]
    assert "nullValues mustBe 0 (warn)" in shown.rows[1][2]
    assert "<b>" not in shown._repr_html_()
    with pytest.raises(UsageError, match="Did you mean 'orders'"):
        shell.run_line_magic("contract", "ordres")


def test_check_judges_a_variable(shell):
    shell.user_ns["df"] = pd.DataFrame({"id": [1, None], "amount": [1.0, 2.0]})
    report = shell.run_line_magic("check", "orders df")
    assert report.verdict == "failed"
    with pytest.raises(UsageError, match="Did you mean 'df'"):
        shell.run_line_magic("check", "orders dff")
    with pytest.raises(UsageError, match="what is to be checked"):
        shell.run_line_magic("check", "orders")


def test_check_over_a_cell_runs_it_and_judges_its_value(shell):
    cell = "import pandas as pd\ntable = pd.DataFrame({'id': [1, 2], 'amount': [1.0, 2.0]})\n"
    assert shell.run_cell_magic("check", "orders", cell + "table").passed
    assert "table" in shell.user_ns
    assert shell.run_cell_magic("check", "orders table", cell).passed
    with pytest.raises(UsageError, match="no value"):
        shell.run_cell_magic("check", "orders", cell)


def test_check_over_a_cell_that_raises_shows_that_and_judges_nothing(shell, capsys):
    assert shell.run_cell_magic("check", "orders", "1 / 0") is None
    assert "ZeroDivisionError" in capsys.readouterr().out
    with pytest.raises(UsageError, match="takes a DataFrame"):
        shell.run_cell_magic("check", "orders", "object()")


def test_tables_are_told_after_each_cell_with_the_change_and_only_while_switched_on(shell, capsys):
    from nbops.lab.tabling import LastRun, TableEcho
    from nbops.model import CellTable

    last = LastRun(
        "R",
        cells={"df = make()": {"df": CellTable(name="df", rows=2, columns=1, nulls=0)}},
        latest={"df": CellTable(name="df", rows=9, columns=1, nulls=9)},
    )
    assert last.table("df", " df = make()\n").rows == 2  # as the same cell left it
    assert last.table("df", "df = other()").rows == 9
    shown = []
    shell.user_ns["old"] = pd.DataFrame({"a": [1]})
    echo = TableEcho(shell.user_ns, show=shown.append, last=last)
    shell.events.register("post_run_cell", echo.after)
    shell.user_ns["make"] = lambda: pd.DataFrame({"<b>": [1, None, 3]})
    shell.run_cell("df = make()", store_history=True)
    [table] = shown
    assert table.rows == (("df", "3", "1", "1", "+1 rows (+50.0%), +1 nulls"),)
    shell.run_cell("x = 1", store_history=True)
    assert len(shown) == 1  # nothing new
    shell.events.unregister("post_run_cell", echo.after)

    shell.run_line_magic("tables", "on")
    shell.run_line_magic("tables", "on")  # twice is once
    capsys.readouterr()
    shell.run_cell("df2 = make()", store_history=True)
    assert capsys.readouterr().out.count("df2") == 1
    shell.run_line_magic("tables", "off")
    shell.run_cell("df3 = make()", store_history=True)
    assert "df3" not in capsys.readouterr().out


def test_a_table_whose_own_code_raises_is_no_concern_of_the_cell(shell):
    from nbops.lab.tabling import TableEcho

    class DataFrame(pd.DataFrame):
        @property
        def shape(self):
            raise RuntimeError("user code ran")

    DataFrame.__module__ = "pandas.mine"
    shown = []
    echo = TableEcho(shell.user_ns, show=shown.append, last=None)
    shell.user_ns["bad"] = DataFrame({"a": [1]})
    shell.events.register("post_run_cell", echo.after)
    assert shell.run_cell("1", store_history=True).success
    shell.events.unregister("post_run_cell", echo.after)
    assert shown == []


def test_a_relation_of_duckdb_is_not_run_to_be_counted(shell):
    import duckdb

    from nbops.kernels.tables import TableWatch

    relation = duckdb.connect().sql("select i, i as j from range(1000000000000) t(i)")
    assert TableWatch(lambda line: None).measure(relation) == (None, 2, None)
    assert TableWatch(lambda line: None).measure(3) is None
