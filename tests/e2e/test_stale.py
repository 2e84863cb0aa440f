"""A task reruns when something that it depends on changed, and only then; the run says why."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from e2e_project import CHAIN, Project, ran_in, statuses_of, tasks_of

if TYPE_CHECKING:
    from nbops.model import Run

EVERY = {"load", "clean", "report"}


def reasons(run: Run, task: str) -> str:
    """Return a task's reasons as one text."""
    return "; ".join(tasks_of(run)[task].reasons)


# -- code -----------------------------------------------------------------------------------------------------------------


def test_nothing_changed(built: Project) -> None:
    run = built.build()
    assert set(statuses_of(run).values()) == {"up_to_date"}
    assert {reasons(run, name) for name in EVERY} == {"nothing it depends on changed"}


def test_code_of_a_function(built: Project) -> None:
    built.edit("tasks.py", '{"rows": sum', '{"count": sum')
    run = built.build()
    assert ran_in(run) == {"report"}
    assert reasons(run, "report") == "its code changed"
    assert json.loads(built.read("output/report.json")).keys() == {"count"}


def test_comments_docstrings_and_layout_do_not_count(built: Project) -> None:
    built.edit("tasks.py", '"""Keep what counts."""', '"""Keep what counts, all of it."""\n    # because')
    built.edit("tasks.py", "    _write(product, found)", "    _write(\n        product,\n        found,\n    )")
    built.edit("tasks.py", "def unrelated():\n    return 1", "def unrelated():\n    return 2\n\n\ndef another():\n    return 3")
    built.edit("shared.py", "import deeper\n", "# what counts\nimport deeper\n")
    assert ran_in(built.build()) == set()


def test_a_helper_of_the_same_module(built: Project) -> None:
    built.edit("tasks.py", 'fieldnames=["id", "value"])', 'fieldnames=["id", "value"], lineterminator="\\n")')
    run = built.build()
    assert ran_in(run) == EVERY
    assert reasons(run, "load") == reasons(run, "clean").split(";")[0] == "its code changed"
    assert reasons(run, "report").startswith("upstream data clean.product changed")


NOTEBOOK = """# %% [markdown]
# # A title

# %% tags=["parameters"]
upstream = None
product = None

# %%
from pathlib import Path

import rules

Path(product["data"]).write_text(rules.text())
"""
NOTEBOOK_PIPELINE = {
    "pipeline.yaml": """
tasks:
  - source: page.py
    product:
      nb: output/page.ipynb
      data: output/page.txt
  - source: tasks.count
    product: output/count.txt
""",
    "page.py": NOTEBOOK,
    "rules/__init__.py": "from .words import WORDS\n\n\ndef text():\n    return ' '.join(WORDS)\n",
    "rules/words.py": "from rules import numbers\n\nWORDS = ['a', 'b'] * numbers.TIMES\n",
    "rules/numbers.py": "TIMES = 1\n",
    "rules/unused.py": "X = 1\n",
    "tasks.py": (
        "from pathlib import Path\n\n\ndef count(product, upstream):\n"
        "    Path(product).write_text(str(len(Path(upstream['page']['data']).read_text().split())))\n"
    ),
    "pyproject.toml": "[tool.nbops]\nprofile = false\n",
}


def test_a_notebook_its_markdown_and_the_modules_that_it_imports(make_project: Callable[..., Project]) -> None:
    project = make_project(NOTEBOOK_PIPELINE)
    project.build()
    project.edit("page.py", "# # A title", "# # Another title\n#\n# With words.")
    project.edit("page.py", "import rules\n", "import rules  # ours\n")
    project.edit("page.py", "Path(product[", "\nPath( product[")
    project.edit("rules/unused.py", "1", "2")
    assert ran_in(project.build()) == set()

    project.edit("rules/__init__.py", "' '.join", "'  '.join")  # imported by the notebook itself
    run = project.build()
    assert ran_in(run) == {"page", "count"}
    assert reasons(run, "page") == "module rules/__init__.py changed"
    assert project.read("output/page.txt") == "a  b"

    project.edit("rules/numbers.py", "1", "3")  # imported by what the notebook imports
    run = project.build()
    assert ran_in(run) == {"page", "count"}
    assert reasons(run, "page") == "module rules/numbers.py changed"
    assert project.read("output/count.txt") == "6"

    project.edit("page.py", "rules.text()", "rules.text().upper()")
    run = project.build()
    assert ran_in(run) == {"page", "count"}
    assert reasons(run, "page") == "its code changed"


def test_modules_of_functions_direct_and_through_others(built: Project) -> None:
    built.edit("shared.py", ">=", ">")
    run = built.build()
    assert ran_in(run) == {"clean", "report"}
    assert reasons(run, "clean") == "module shared.py changed"
    built.edit("deeper.py", "1", "2")
    run = built.build()
    assert ran_in(run) == {"clean", "report"}
    assert reasons(run, "clean") == "module deeper.py changed"


# -- parameters and files -------------------------------------------------------------------------------------------------


def test_a_parameter_in_the_file_and_on_the_command_line(built: Project) -> None:
    built.write("env.yaml", "rows: 10\n")
    run = built.build()
    assert ran_in(run) == EVERY
    assert reasons(run, "load") == "parameter rows changed"
    assert run.parameters["rows"] == 10
    run = built.build("--env--rows", "7")
    assert ran_in(run) == EVERY
    assert reasons(run, "load") == "parameter rows changed"
    assert str(run.parameters["rows"]) == "7"
    assert len(built.read("output/raw.csv").splitlines()) == 8


def test_a_file_given_as_parameter(built: Project) -> None:
    built.write("data/source.csv", built.read("data/source.csv") + "40,3\n")
    run = built.build()
    assert ran_in(run) == EVERY
    assert reasons(run, "load") == "input file data/source.csv changed"


def test_touching_a_file_without_changing_it(built: Project) -> None:
    for path in ["data/source.csv", "tasks.py", "output/raw.csv", "shared.py"]:
        os.utime(built.root / path, (1, 1))
    assert ran_in(built.build()) == set()


def test_a_file_named_in_the_code(make_project: Callable[..., Project]) -> None:
    files = dict(CHAIN)
    files["tasks.py"] = files["tasks.py"].replace(
        "def clean(product, upstream):", "def clean(product, upstream):\n    open('data/limits.txt').read()"
    )
    files["data/limits.txt"] = "1"
    project = make_project(files)
    project.build()
    project.write("data/limits.txt", "2")
    run = project.build()
    assert ran_in(run) == {"clean"}  # its data came out the same, so what is downstream rests
    assert reasons(run, "clean") == "input file data/limits.txt changed"


def test_what_a_task_writes_beside_its_products_is_no_input_of_it(make_project: Callable[..., Project]) -> None:
    project = make_project(
        {
            "pipeline.yaml": "tasks:\n  - source: tasks.make\n    product: output/made.txt\n",
            "tasks.py": (
                "import os\nfrom pathlib import Path\n\nMODEL = Path('model.bin')\n\n\ndef make(product):\n"
                "    with open('train.log', 'a') as stream:\n        stream.write('once more')\n"
                "    MODEL.write_bytes(os.urandom(8))\n    Path(product).write_text(Path('data/in.txt').read_text())\n"
            ),
            "data/in.txt": "1",
        }
    )
    project.build()
    assert (project.root / "model.bin").exists()
    assert ran_in(project.build()) == set()
    project.write("data/in.txt", "2")
    assert ran_in(project.build()) == {"make"}
    assert ran_in(project.build()) == set()


def test_declared_inputs_of_a_task_and_of_all(built: Project) -> None:
    built.write("lookup/a.txt", "1")
    built.write("common.txt", "1")
    built.configure('inputs = ["common.txt"]\n[tool.nbops.tasks.report]\ninputs = ["lookup/*.txt"]')
    first = built.build()
    assert ran_in(first) == EVERY
    assert "input file lookup/a.txt is new" in reasons(first, "report")
    built.write("lookup/b.txt", "2")
    run = built.build()
    assert ran_in(run) == {"report"}
    assert reasons(run, "report") == "input file lookup/b.txt is new"
    built.write("common.txt", "2")
    run = built.build()
    assert ran_in(run) == EVERY
    assert reasons(run, "clean") == "input file common.txt changed"


# -- products -------------------------------------------------------------------------------------------------------------


def test_an_overwritten_product(built: Project) -> None:
    good = built.read("output/clean.csv")
    built.write("output/clean.csv", "id,value\n666,1\n")
    run = built.build()
    assert ran_in(run) == {"clean"}
    assert reasons(run, "clean") == "product output/clean.csv was changed by something else"
    assert built.read("output/clean.csv") == good


def test_a_deleted_product(built: Project) -> None:
    good = built.read("output/clean.csv")
    (built.root / "output/clean.csv").unlink()
    run = built.build()
    assert ran_in(run) == {"clean"}
    assert reasons(run, "clean") == "product output/clean.csv is missing"
    assert built.read("output/clean.csv") == good


def test_upstream_data_counts_and_not_that_upstream_ran(built: Project) -> None:
    built.edit("tasks.py", "found = list(csv.DictReader(stream))[:rows]", "found = [*csv.DictReader(stream)][:rows]")
    run = built.build()
    assert ran_in(run) == {"load"}
    assert statuses_of(run)["clean"] == "up_to_date"
    built.edit("tasks.py", "[:rows]", "[1:rows]")
    run = built.build()
    assert {"load"} < ran_in(run)
    assert reasons(run, "load") == "its code changed"


# -- environment ----------------------------------------------------------------------------------------------------------


def test_a_pinned_version_reruns_the_tasks_that_import_it(make_project: Callable[..., Project]) -> None:
    files = dict(CHAIN)
    files["tasks.py"] = files["tasks.py"].replace(
        "def report(product, upstream):", "def report(product, upstream):\n    import networkx, yaml\n"
    )
    files["constraints.txt"] = "networkx==1.0\nnumpy==1.0\nPyYAML == 6.0 # why\n"
    project = make_project(files)
    project.build()
    project.write("constraints.txt", files["constraints.txt"].replace("numpy==1.0", "numpy==2.0"))
    assert ran_in(project.build()) == set()
    project.write("constraints.txt", files["constraints.txt"].replace("networkx==1.0", "networkx==1.1"))
    run = project.build()
    assert ran_in(run) == {"report"}
    assert reasons(run, "report").startswith("package networkx: ")
    assert "1.1" in reasons(run, "report")
    project.write("constraints.txt", files["constraints.txt"].replace("6.0", "6.1"))
    assert ran_in(project.build()) == {"report"}


# -- failures must not leave a false green --------------------------------------------------------------------------------


def test_a_failed_edit_and_its_revert(built: Project) -> None:
    good, code = built.read("output/clean.csv"), built.read("tasks.py")
    built.edit("tasks.py", '"""Keep what counts."""', 'open(product, "w").write("half")\n    raise ValueError("edit")')
    run, _ = built.fail()
    assert statuses_of(run) == {"load": "up_to_date", "clean": "failed", "report": "held"}
    assert built.read("output/clean.csv") == good
    built.write("tasks.py", code)
    run = built.build()
    assert ran_in(run) == set()
    assert run.verdict == "passed"
    assert built.read("output/clean.csv") == good


def test_force_runs_everything(built: Project) -> None:
    run = built.build("--force")
    assert ran_in(run) == EVERY
    assert {reasons(run, name) for name in EVERY} == {"forced"}


def test_a_failed_force_leaves_the_truth(make_project: Callable[..., Project]) -> None:
    files = dict(CHAIN)
    files["tasks.py"] = files["tasks.py"].replace(
        '"""Keep what counts."""',
        'import os\n    if os.environ.get("BREAK"):\n        open(product, "w").write("half")\n        1 / 0',
    )
    project = make_project(files)
    project.build()
    good = project.read("output/clean.csv")
    run, _ = project.fail("--force", environment={"BREAK": "1"})
    assert statuses_of(run) == {"load": "succeeded", "clean": "failed", "report": "held"}
    assert project.read("output/clean.csv") == good
    run = project.build()
    assert run.verdict == "passed"
    assert project.read("output/clean.csv") == good


def test_a_killed_force_leaves_the_truth(make_project: Callable[..., Project]) -> None:
    files = dict(CHAIN)
    files["tasks.py"] = files["tasks.py"].replace(
        '"""Keep what counts."""',
        'import os, time\n    if os.environ.get("HANG"):\n        open(product, "w").write("half")\n'
        '        open("hanging", "w").close()\n        time.sleep(600)',
    )
    project = make_project(files)
    project.build()
    good = project.read("output/clean.csv")
    build = project.start("build", "--force", environment={"HANG": "1"})
    while not (project.root / "hanging").exists():
        assert build.running(), build.text()
    os.kill(build.pid, 9)
    assert build.wait() == -9
    assert project.read("output/clean.csv") == good
    assert project.latest().status == "running"
    killed = project.latest().id
    run = project.build()
    assert run.verdict == "passed"
    assert project.read("output/clean.csv") == good
    states = {item.id: item.status for item in project.runs()}
    assert states[killed] == "interrupted"
    assert any(notice.kind == "recovered" for notice in run.notices)


# -- lost and broken notes ------------------------------------------------------------------------------------------------


def test_deleted_local_state_is_rebuilt_from_the_ledgers(built: Project) -> None:
    shutil.rmtree(built.root / ".nbops")
    run = built.build()
    assert ran_in(run) == set(), {task.name: task.reasons for task in run.tasks}
    for notes in (built.root / "output").glob(".*.metadata"):
        notes.unlink()
    assert ran_in(built.build()) == set()


def test_a_fresh_clone_runs_what_it_lacks(built: Project, tmp_path: Path) -> None:
    built.git("clone", "--quiet", str(built.root), str(tmp_path / "clone"))
    clone = Project(root=tmp_path / "clone", driver=built.driver)
    run = clone.build()
    assert ran_in(run) == EVERY
    assert reasons(run, "load") == "product output/raw.csv is missing"
    assert clone.read("output/clean.csv") == built.read("output/clean.csv")


@pytest.mark.parametrize("text", ['{"timestamp": 17', "", "null", "[1]", "\0\0", '{"timestamp": "x"}'])
def test_a_broken_metadata_file_of_ploomber(built: Project, text: str) -> None:
    built.write("output/.clean.csv.metadata", text)
    run = built.build()
    assert run.verdict == "passed"
    assert ran_in(run) <= {"clean"}
    assert ran_in(built.build()) == set()


@pytest.mark.parametrize("text", ['{"run_id": ', "", "null", "[]", '{"run_id": 1, "audited": [], "fingerprint": 3}'])
def test_a_broken_state_file(built: Project, text: str) -> None:
    for path in (built.root / ".nbops/state").glob("clean-*.json"):
        path.write_text(text)
    assert built.build().verdict == "passed"
    assert ran_in(built.build()) == set()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema_version": 1}', "\udcff"])
def test_a_broken_ledger(built: Project, text: str) -> None:
    ledger = next((built.root / "reports/runs").glob("*/run.json"))
    ledger.write_bytes(text.encode("utf-8", "surrogateescape"))
    result = built.ploomber("build").ok()
    assert "Traceback" not in result.text
    shutil.rmtree(built.root / ".nbops")
    built.ploomber("build").ok()
    assert subprocess.run(["git", "-C", str(built.root), "fsck", "--strict"], capture_output=True, check=False).returncode == 0
