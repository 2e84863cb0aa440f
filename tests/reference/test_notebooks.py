"""The notebooks as a reader, a git diff and the pipeline see them; and what a run of them on the simulated shop makes."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import duckdb
import jupytext
import pytest
import yaml
from reference_run import NOTEBOOKS, ROOT, Pipeline, cells, run_notebooks, tasks, upstream_of

TASKS = sorted(tasks())


def _rows(pipeline: Pipeline, query: str) -> list[tuple[object, ...]]:
    with duckdb.connect() as con:
        for name, path in pipeline.products.items():
            if path.endswith(".parquet"):
                con.read_parquet(path).create_view(name)
        return con.sql(query).fetchall()


def test_the_pipeline_branches_and_joins() -> None:
    upstream = {name: upstream_of(name) for name in TASKS}
    assert len(upstream) >= 8
    readers = [name for names in upstream.values() for name in names]
    assert any(readers.count(name) > 1 for name in set(readers)), "nothing branches"
    assert any(len(names) > 1 for names in upstream.values()), "nothing joins"


def test_one_line_attaches_nbops() -> None:
    text = (ROOT / "pipeline.yaml").read_text(encoding="utf-8")
    assert "\non_render: nbops.attach\n" in text
    assert yaml.safe_load(text)["meta"] == {"extract_upstream": True}


def test_datasets_have_names_of_their_own() -> None:
    stems = [Path(path).stem for task in tasks().values() for key, path in task["product"].items() if key != "nb"]
    assert len(stems) == len(set(stems))
    for task in tasks().values():
        assert all(key == Path(path).stem for key, path in task["product"].items() if key != "nb")


@pytest.mark.parametrize("task", TASKS)
def test_a_notebook_teaches(task: str) -> None:
    notebook = jupytext.read(NOTEBOOKS / f"{task}.py", fmt="py:percent")
    tagged = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    prose = [cell for cell in notebook.cells if cell.cell_type == "markdown"]
    assert len(tagged) == 1
    assert notebook.cells[0].source.startswith("# ")
    assert len(prose) >= 2
    assert all(len(cell.source.splitlines()) <= 60 for cell in notebook.cells), "a cell is too long to be read at once"
    assert jupytext.writes(notebook, fmt="py:percent").splitlines()[-1] == (NOTEBOOKS / f"{task}.py").read_text().splitlines()[-1]


@pytest.mark.parametrize("task", TASKS)
def test_a_notebook_imports_only_what_a_new_project_has(task: str) -> None:
    tree = ast.parse("\n".join(cell.source for cell in cells(task)))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not {name for name in names if name.startswith("nbops.")}
    assert "pandas" not in names


@pytest.mark.parametrize(
    "path", [*NOTEBOOKS.rglob("*.py"), ROOT / "pipeline.yaml", ROOT / "env.yaml"], ids=lambda path: path.name
)
def test_no_machine_path_or_address(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"https?://|/home/|/tmp/|/root/|\.\./shared", text)


def test_no_row_is_lost(simulated: Pipeline) -> None:
    [(rows_in, rows_out)] = _rows(
        simulated,
        """
        SELECT sum(rows) FILTER (effect = 'in'), sum(rows) FILTER (effect IN ('sorted', 'dropped')) FROM cleaning_report
    """,
    )
    assert rows_in == rows_out == 20_000
    quarantine = simulated.audits["orders"].quarantine
    assert quarantine is not None
    assert quarantine.rows_in == quarantine.rows_out + quarantine.rows
    for name in ("cancellations", "adjustments"):
        [(written,)] = _rows(simulated, f"SELECT sum(rows) FROM cleaning_report WHERE goes_to = '{name}'")
        assert _rows(simulated, f"SELECT count(*) FROM {name}") == [(written,)]


def test_what_is_set_aside_is_what_was_injected(simulated: Pipeline) -> None:
    truth = json.loads(Path(simulated.products["known_dirt"]).read_text(encoding="utf-8"))
    quarantine = simulated.audits["orders"].quarantine
    assert quarantine is not None
    rejected = duckdb.read_parquet(str(Path(simulated.products["orders"]).parent / "quarantine" / "orders.parquet"))
    with duckdb.connect() as con:
        con.read_parquet(simulated.products["orders_raw"]).create_view("raw")
        [(without_price, absurd, unknown)] = con.sql("""
            SELECT count(*) FILTER (unit_price <= 0), count(*) FILTER (unit_price > 1000), count(*) FILTER (stock_code LIKE '%?')
            FROM (SELECT DISTINCT * FROM raw) WHERE quantity > 0
        """).fetchall()
    reasons = quarantine.reasons
    assert reasons["unit_price.has_a_price"] == without_price > 0
    assert reasons["unit_price.price_is_plausible"] == absurd > 0
    assert reasons["stock_code.references.products"] == unknown > 0
    assert quarantine.rows == without_price + absurd + unknown == len(rejected.fetchall())
    injected = truth["orders_raw"]
    dirt = (
        injected["zero_price"]
        - injected["negative_quantity_not_cancelled"]
        + injected["negative_price"]
        + injected["absurd_price"]
    )
    assert quarantine.rows <= dirt + injected["malformed_stock_code"]


def test_the_recommender_beats_popularity(simulated: Pipeline) -> None:
    found = {
        (row[0], row[1]): row[2:]
        for row in _rows(simulated, "SELECT model, purchases, customers, recall, ndcg, coverage FROM recommender_metrics")
    }
    for purchases in ("any", "new"):
        customers, *mine = found["neighbours", purchases]
        assert customers >= 50
        for baseline in ("popular ever", "popular lately"):
            assert all(ours > 1.5 * theirs for ours, theirs in zip(mine, found[baseline, purchases][1:], strict=True))


def test_each_customer_gets_twenty_products(simulated: Pipeline) -> None:
    found = _rows(
        simulated, "SELECT DISTINCT count(*), count(DISTINCT stock_code), max(rank) FROM recommendations GROUP BY customer_id"
    )
    assert found == [(20, 20, 20)]
    assert _rows(simulated, "SELECT count(DISTINCT customer_id) FROM recommendations") == _rows(
        simulated, "SELECT count(*) FROM customers"
    )


def test_the_same_again_byte_for_byte(simulated: Pipeline, tmp_path: Path) -> None:
    again = run_notebooks(tmp_path)
    for name, path in simulated.products.items():
        if path.endswith((".parquet", ".json")):
            assert Path(path).read_bytes() == Path(again.products[name]).read_bytes(), name


@pytest.mark.parametrize(
    "env", [{"scale": 1_000}, {"scale": 1_000, "since": "2025-01-06", "until": "2025-01-06"}], ids=["small", "one-day"]
)
def test_small_shops_work_too(tmp_path: Path, env: dict[str, object]) -> None:
    pipeline = run_notebooks(tmp_path, **env)
    held = [result for audit in pipeline.audits.values() for result in audit.results if result.verdict in {"failed", "errored"}]
    assert not [(result.check.dataset, result.check.id, result.message) for result in held]


def test_no_personal_value_is_shown(simulated: Pipeline) -> None:
    personal = {str(value) for row in _rows(simulated, "SELECT name, email FROM customers_raw") for value in row if value}
    for task, variables in simulated.variables.items():
        for name, value in variables.items():
            if type(value).__name__ == "Table":
                assert not [shown for shown in personal if shown in repr(value)], (task, name)
