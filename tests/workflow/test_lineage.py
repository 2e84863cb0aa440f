"""Lineage while a build goes on: found once, taken over while nothing changed; code that kills it spoils only itself."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from nbops.contract.config import Config
from nbops.model import Column, Dataset, Run, TaskLineage
from nbops.pipeline import Product, TaskSpec
from nbops.quality.audited import Audit
from nbops.workflow.datasets import DatasetPlan
from nbops.workflow.lineage import Tracing
from nbops.workflow.lineage_code import task_code
from nbops.workflow.taskrecord import TaskRecord


def record(name: str, code: str, *, upstream: tuple[str, ...] = (), columns: tuple[str, ...] = ("x",), **changes) -> TaskRecord:
    path = f"output/{name}.csv"
    spec = TaskSpec(
        name=name,
        kind="notebook",
        source=None,
        code=(code,),
        language="python",
        upstream=upstream,
        products=(Product(key="nb", path=f"output/{name}.ipynb", kind="notebook"), Product(key=name, path=path, kind="file")),
    )
    spec = replace(spec, **changes)
    made = tuple(Column(name=column, physical_type="BIGINT") for column in columns)
    data = Dataset(name=name, task=name, path=path, format="csv", columns=made)
    return TaskRecord(
        spec=spec,
        plans=(DatasetPlan(name=name, key=name, contract=None, final_path=path),),
        status="succeeded",
        done=True,
        published=True,
        audits=(Audit(dataset=data, results=(), quarantine=None),),
        recipe={"code": code, "modules": {}, "files": {}},
    )


RAW = record("raw", "import pandas as pd\npd.DataFrame({'x': [1]}).to_csv(product['raw'], index=False)")
COPY = record(
    "copy", "import pandas as pd\npd.read_csv(upstream['raw']['raw']).to_csv(product['copy'], index=False)", upstream=("raw",)
)
BOTH = {"raw": RAW, "copy": COPY}


def run(*lineages: TaskLineage) -> Run:
    return Run(
        id="20261122T194101Z-000001",
        status="succeeded",
        verdict="passed",
        pipeline="p",
        command="c",
        started_at="2026-11-22T19:41:56Z",
        column_lineage=lineages,
    )


@pytest.fixture
def traced(tmp_path):
    """Return a function that finds the lineage of records, and the Tracing."""
    made: list[Tracing] = []

    def find(records, *, previous=None, kind=Tracing):
        tracing = kind(tmp_path, Config(), folder=tmp_path / f"work{len(made)}", previous=previous)
        made.append(tracing)
        for item in records.values():
            tracing.offer(item, records)
        return {item.task: item for item in tracing.finish(records)}, tracing

    yield find
    for tracing in made:
        tracing.close()
        assert tracing._process is None


def test_found_and_taken_over(traced, tmp_path):
    found, _ = traced(BOTH)
    assert [(e.source, e.source_column, e.target, e.target_column, e.how) for e in found["copy"].edges] == [
        ("raw", "x", "copy", "x", "static")
    ]
    again, tracing = traced(BOTH, previous=run(*found.values()))
    assert again == found
    assert not tracing._folder.exists(), "nothing was asked"
    wider = {"raw": record("raw", RAW.spec.code[0], columns=("x", "y")), "copy": COPY}
    changed, tracing = traced(wider, previous=run(*found.values()))
    assert tracing._folder.exists()
    assert changed["copy"].basis != found["copy"].basis, "the columns of what it reads changed"


def test_tasks_that_did_not_run_keep_theirs(traced):
    known = TaskLineage(task="raw", basis="other"), TaskLineage(task="copy", basis="other"), TaskLineage(task="gone")
    idle = {name: replace(item, status="up_to_date") for name, item in BOTH.items()}
    found, tracing = traced(idle, previous=run(*known))
    assert found == {"raw": known[0], "copy": known[1]}
    assert not tracing._folder.exists()
    tracing = Tracing(tracing._root, Config(), folder=tracing._folder, previous=run(*known))
    assert tracing.finish(idle) == known[:2], "failed and held tasks are not offered"


class _Deadly(Tracing):
    """A worker that dies of the task called bad, without a word."""

    starts = 0

    def _start(self) -> None:
        type(self).starts += 1
        code = (
            "import os, pickle, sys; from pathlib import Path; from nbops.lineage.task import trace\n"
            "for line in sys.stdin:\n"
            "    path = Path(sys.argv[1], line.strip() + '.request'); code = pickle.loads(path.read_bytes())\n"
            "    if code.task == 'bad': os._exit(9)\n"
            "    path.with_suffix('.result').write_bytes(pickle.dumps(trace(code)))\n"
        )
        self._process = subprocess.Popen(
            [sys.executable, "-c", code, str(self._folder)], stdin=subprocess.PIPE, start_new_session=True
        )


def test_a_code_that_kills_its_analysis(traced):
    bad = record("bad", "1", upstream=("raw",))
    found, _ = traced({"raw": RAW, "bad": bad, "copy": COPY}, kind=_Deadly)
    assert [(e.source, e.target, e.how) for e in found["bad"].edges] == [("raw", "bad", "assumed")]
    assert found["bad"].basis == "", "it is tried again"
    assert "died" in found["bad"].notes[0].message
    assert found["copy"].edges[0].how == "static"
    assert _Deadly.starts == 2


def test_a_worker_that_cannot_be_started(traced):
    class Without(Tracing):
        def _start(self) -> None:
            raise OSError

    found, _ = traced(BOTH, kind=Without)
    assert {item.how for item in found["copy"].edges} == {"assumed"}


def test_what_cannot_be_gathered_does_not_stop_a_build(traced):
    found, _ = traced(
        {"copy": COPY, "raw": RAW, "odd": replace(RAW, spec=replace(RAW.spec, name="odd"), recipe={"modules": None})}
    )
    assert set(found) == {"copy", "raw", "odd"}
    assert "could not be gathered (TypeError)" in found["odd"].notes[0].message


def test_secret_parameters_are_not_handed_on(tmp_path):
    item = record("raw", "1", parameters={"password": "hunter2", "rows": 3, "my_own": "hunter2"})
    code = task_code(item, records={"raw": item}, root=tmp_path, config=Config(secrets=("my_own",)))
    assert "hunter2" not in repr(code)
    assert code.values["rows"] == 3


def test_the_place_of_the_project_does_not_count(tmp_path):
    there, here = (task_code(COPY, records=BOTH, root=tmp_path / name, config=Config()) for name in "ab")
    assert there.basis == here.basis
    assert there.folders != here.folders


def test_functions_and_templates(tmp_path):
    (tmp_path / "tasks.py").write_text(
        "import pandas as pd\n\ndef helper(path):\n    return pd.read_csv(path)\n\n"
        "def copy(product, upstream, rows=3):\n    helper(upstream['raw']['raw']).head(rows).to_csv(product, index=False)\n\n"
        "def other():\n    broken(\n".replace("    broken(\n", "    pass\n"),
        encoding="utf-8",
    )
    made = record(
        "copy", "", upstream=("raw",), kind="function", function="copy", source=tmp_path / "tasks.py", parameters={"rows": 3},
        products=(Product(key="product", path="output/copy.csv", kind="file"),),
    )  # fmt: skip
    code = task_code(made, records={"raw": RAW, "copy": made}, root=tmp_path, config=Config())
    assert code.cells[0].splitlines()[-1] == "copy(product=product, upstream=upstream, rows=rows)"
    assert "other" not in code.cells[0]
    query = record(
        "copy", "CREATE TABLE {{product}} AS SELECT * FROM {{upstream['raw']['raw']}} -- {{product.name}}", upstream=("raw",),
        kind="sql", language="sql", dialect="postgres", products=(Product(key="product", path="main.copy", kind="relation"),),
    )  # fmt: skip
    code = task_code(query, records={"raw": RAW, "copy": query}, root=tmp_path, config=Config())
    assert code.cells == ("CREATE TABLE main.copy AS SELECT * FROM output/raw.csv -- copy",)
    assert (code.dialect, code.makes["relation:main.copy"]) == ("postgres", None)
    broken = replace(query, spec=replace(query.spec, code=("SELECT {{ 1 / 0 }} {{",)))
    assert task_code(broken, records={"raw": RAW, "copy": broken}, root=tmp_path, config=Config()).cells == (
        "SELECT {{ 1 / 0 }} {{",
    )
