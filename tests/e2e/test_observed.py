"""What a task really read is found out while it runs: it is shown, and from then on it counts."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import duckdb
from e2e_project import CHAIN, Project, ran_in, statuses_of, tasks_of

from nbops.model import LineageEdge, Run

NOTEBOOK = """# %% tags=["parameters"]
upstream = None
product = None

# %%
import os
import pandas as pd

# %%
folder = "look" + "up"
rates = pd.read_csv(os.path.join("..", folder, "rates.csv"))
orders = pd.DataFrame({"id": range(100), "kind": [None if i % 2 else "a" for i in range(100)]})

# %%
merged = orders.merge(rates, on="id")

# %%
merged["kind"] = merged["kind"].fillna("b")

# %%
merged.to_csv(product["data"], index=False)
"""

FILES = {
    **CHAIN,
    "pipeline.yaml": "tasks:\n  - source: notebooks/join.py\n    local_execution: true\n    product:\n"
    "      nb: output/join.ipynb\n      data: output/joined.csv\n",
    "notebooks/join.py": NOTEBOOK,
    "lookup/rates.csv": "id,rate\n" + "".join(f"{i},{i / 10}\n" for i in range(88)),
    "env.yaml": "a: 1\n",
}


def observed(run: Run) -> list[str]:
    return [edge.source for edge in run.lineage if edge.how == "observed"]


def test_a_notebook_that_reads_what_it_does_not_declare(make_project: Callable[..., Project]) -> None:
    project = make_project(FILES)
    run = project.build()
    assert LineageEdge(source="file:lookup/rates.csv", target="task:join", how="observed") in run.lineage
    assert any(notice.kind == "undeclared_input" and "lookup/rates.csv" in notice.message for notice in run.notices)

    idle = project.build()
    assert set(statuses_of(idle).values()) == {"up_to_date"}
    assert observed(idle) == ["file:lookup/rates.csv"], "what was seen is not forgotten by a run that has nothing to do"

    project.edit("lookup/rates.csv", "3,0.3", "3,0.4")
    changed = project.build()
    assert ran_in(changed) == {"join"}
    assert tasks_of(changed)["join"].reasons == ("undeclared input file lookup/rates.csv changed",)

    project.configure('inputs = ["lookup/*.csv"]')
    declared = project.build()
    assert set(statuses_of(declared).values()) == {"up_to_date"}, "saying so changes nothing"


CONTRACT = """kind: DataContract
apiVersion: v3.1.0
id: {name}
version: 1.0.0
status: active
schema:
  - name: {name}
    properties: [{{name: id, logicalType: integer}}]
"""


def test_of_what_a_check_in_a_notebook_reads_another_datasets_contract_is_an_input(make_project: Callable[..., Project]) -> None:
    contracts = {f"contracts/{name}.odcs.yaml": CONTRACT.format(name=name) for name in ("joined", "lookup", "other")}
    checked = NOTEBOOK + '\n# %%\nimport nbops\nnbops.check(merged, "joined")\nnbops.check(rates, "lookup")\n'
    project = make_project({**FILES, **contracts, "notebooks/join.py": checked})
    project.configure('inputs = ["lookup/*.csv"]')
    run = project.build()
    assert observed(run) == ["file:contracts/lookup.odcs.yaml"]
    assert len([item for item in run.checks if item.check.id.startswith("notebook.")]) >= 2
    for untouched in ("contracts/other.odcs.yaml", "contracts/joined.odcs.yaml"):
        project.edit(untouched, "1.0.0", "1.0.1")
        assert set(statuses_of(project.build()).values()) == {"up_to_date"}
    project.edit("contracts/lookup.odcs.yaml", "1.0.0", "1.0.1")
    assert ran_in(project.build()) == {"join"}


def test_tables_of_cells(make_project: Callable[..., Project]) -> None:
    project = make_project(FILES)
    cells = {cell.index: cell for cell in tasks_of(project.build())["join"].cells}
    rates, orders = cells[2].tables
    assert (orders.name, orders.rows, orders.columns, orders.nulls) == ("orders", 100, 2, 50)
    assert (rates.name, rates.rows) == ("rates", 88)
    [merged] = cells[3].tables
    assert (merged.of, merged.rows_before, merged.rows, merged.nulls) == ("orders", 100, 88, 44)
    assert merged.finding == "the inner join lost 12 % of the rows of orders (100 became 88)"
    [filled] = cells[4].tables
    assert (filled.of, filled.nulls_before, filled.nulls, filled.finding) == ("merged", 44, 0, "")
    assert cells[5].tables == ()


def test_tables_of_cells_can_be_left_out(make_project: Callable[..., Project]) -> None:
    project = make_project({**FILES, "pyproject.toml": '[tool.nbops]\nprofile = false\ncell_tables = "off"\n'})
    run = project.build()
    assert not any(cell.tables for cell in tasks_of(run)["join"].cells)
    assert observed(run) == ["file:lookup/rates.csv"]


def test_kernels_that_are_started_the_ordinary_way(make_project: Callable[..., Project]) -> None:
    project = make_project({**FILES, "pyproject.toml": '[tool.nbops]\nprofile = false\nkernels = "cold"\n'})
    run = project.build()
    assert observed(run) == ["file:lookup/rates.csv"]
    assert [table.name for table in tasks_of(run)["join"].cells[3].tables] == ["merged"]


NATIVE = """# %% tags=["parameters"]
upstream = None
product = None

# %%
import duckdb

folder = "../look" + "up"

# %%
duckdb.sql(f"COPY (SELECT * FROM '{folder}/rates.parquet') TO '{product['data']}' (HEADER)")
"""


def test_what_native_code_reads_is_found_in_the_code(make_project: Callable[..., Project]) -> None:
    project = make_project({**FILES, "notebooks/join.py": NATIVE})
    path = project.root / "lookup/rates.parquet"
    duckdb.sql("SELECT 1 AS id").write_parquet(str(path))
    run = project.build()
    [part] = run.column_lineage
    assert {edge.source for edge in part.edges} == {"file:lookup/rates.parquet"}
    assert observed(run) == ["file:lookup/rates.parquet"]
    assert set(statuses_of(project.build()).values()) == {"up_to_date"}
    duckdb.sql("SELECT 2 AS id").write_parquet(str(path))
    assert tasks_of(project.build())["join"].reasons == ("undeclared input file lookup/rates.parquet changed",)


def test_functions_and_products_of_others(chain: Project) -> None:
    chain.edit(
        "tasks.py", "def report(product, upstream):", "def report(product, upstream):\n    open('output/' + 'raw.csv').close()"
    )
    chain.edit(
        "tasks.py",
        "    _write(product, found)\n\n\ndef clean",
        "    open(os.path.join('extra', 'x.txt')).close()\n    _write(product, found)\n\n\ndef clean",
    )
    chain.edit("tasks.py", "import csv", "import csv\nimport os")
    chain.write("extra/x.txt", "x")
    run = chain.build()
    assert LineageEdge(source="file:extra/x.txt", target="task:load", how="observed") in run.lineage
    assert LineageEdge(source="dataset:raw", target="task:report", how="observed") in run.lineage
    assert observed(run) == ["dataset:raw", "file:extra/x.txt"]


HOSTILE = """# %% tags=["parameters"]
upstream = None
product = None

# %%
import os, socket, subprocess, threading, urllib.request
for number in range(20_000):
    with open(f"../many/{number % 3000}", "a"):
        pass
names = sorted(os.listdir("../many"), reverse=True)
for name in names:
    open(os.path.join("..", "many", name)).close()
os.mkfifo("../pipe")
threading.Thread(target=lambda: open("../pipe", "w").close(), daemon=True).start()
open("../pipe").close()
open("../go" + "ne.txt", "w").close(); open("../gone.txt").close(); os.remove("../gone.txt")
os.listdir("..")
open(3_000_000_000 if False else "/proc/self/maps").close()
try:
    open("\\0")
except ValueError:
    pass

# %%
server = socket.create_server(("127.0.0.1", 0))
port = server.getsockname()[1]
try:
    urllib.request.urlopen("http://localhost:1/x?token=se-cret")
except Exception as error:
    print(type(error).__name__)
socket.create_connection(("127.0.0.1", port)).close()
subprocess.run(["true"], check=True)
for descriptor in range(20, 60):
    try:
        os.close(descriptor) if False else None
    except OSError:
        pass
open(os.environ["NBOPS_OBSERVE"].split('"')[3], "a").write('nonsense\\n["read"]\\n["tables", 1, [[1]]]\\n[' * 3)

# %%
open(product["data"], "w").write("a\\n1\\n")
"""


def test_code_that_reads_everything(make_project: Callable[..., Project]) -> None:
    project = make_project({**FILES, "notebooks/join.py": HOSTILE, ".gitignore": "output/\nmany/\npipe\n"})
    Path(project.root, "many").mkdir()
    for number in range(3000):
        (project.root / "many" / f"r{number}").write_text("x")
    old = 1_000_000_000
    for path in (project.root / "many").iterdir():
        os.utime(path, (old, old))
    run = project.build()
    sources = observed(run)
    assert "host:localhost:1" in sources
    assert 0 < len([source for source in sources if source.startswith("file:many/r")]) <= 100
    assert not [source for source in sources if "pipe" in source or "gone" in source or "proc" in source]
    assert not [source for source in sources if source.startswith("file:many/") and not source.startswith("file:many/r")]
    assert "se-cret" not in (project.root / "reports/runs" / run.id / "run.json").read_text(encoding="utf-8")
    (project.root / "pipe").unlink()
    idle = project.build()
    assert set(statuses_of(idle).values()) == {"up_to_date"}, tasks_of(idle)["join"].reasons
