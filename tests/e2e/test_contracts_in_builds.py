"""Contracts within builds: what holds a publication, what is reported, what is set aside."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

import pytest
from e2e_project import Project, ran_in, statuses_of, tasks_of

TASKS = """
import csv
from pathlib import Path


def rows(product):
    with open(product, "w", newline="") as stream:
        stream.write(Path("data/rows.csv").read_text())


def count(product, upstream):
    with open(upstream["rows"], newline="") as stream:
        Path(product).write_text(str(sum(1 for _ in csv.DictReader(stream))))
"""
PIPELINE = """
tasks:
  - source: tasks.rows
    product: output/rows.csv
  - source: tasks.count
    product: output/count.txt
"""
CONTRACT = """
kind: DataContract
apiVersion: v3.1.0
version: 1.0.0
id: rows
status: active
schema:
  - name: rows
    properties:
      - name: id
        logicalType: integer
        required: true
      - name: value
        logicalType: integer
        quality:
          - type: library
            metric: invalidValues
            arguments:
              validValues: [1, 2, 3]
            mustBe: 0
            severity: {severity}
{extension}
"""
QUARANTINE = """
            customProperties:
              - property: nbops.onFailure
                value: quarantine
"""
GOOD = "id,value\n1,1\n2,2\n3,3\n"
BAD = "id,value\n1,1\n2,9\n3,3\n4,8\n"


def contract(severity: str = "error", extension: str = "") -> str:
    return CONTRACT.format(severity=severity, extension=extension.strip("\n"))


@pytest.fixture
def contracted(make_project: Callable[..., Project]) -> Callable[..., Project]:
    """Return a function that makes a project with a contract, built once on good data."""

    def make(text: str, data: str = GOOD) -> Project:
        project = make_project(
            {
                "pipeline.yaml": PIPELINE,
                "tasks.py": TASKS,
                "data/rows.csv": data,
                "contracts/rows.odcs.yaml": text,
                "pyproject.toml": "[tool.nbops]\nprofile = false\n",
            }
        )
        run = project.build()
        assert run.verdict == "passed", [result for result in run.checks if result.verdict != "passed"]
        assert run.checks
        return project

    return make


def test_an_error_check_holds_the_publication(contracted: Callable[..., Project]) -> None:
    project = contracted(contract())
    project.write("data/rows.csv", BAD)
    run, text = project.fail()
    assert run.verdict == "failed"
    assert statuses_of(run) == {"rows": "failed", "count": "held"}
    error = tasks_of(run)["rows"].error
    assert error is not None
    assert error.kind == "ChecksFailed"
    assert "value" in error.message
    (failed,) = [result for result in run.checks if result.verdict == "failed"]
    assert failed.failing_rows == 2
    assert 0 < len(failed.examples) <= 5
    assert project.read("output/rows.csv") == GOOD
    assert project.read("output/count.txt") == "3"
    (dataset,) = [item for item in run.datasets if item.name == "rows"]
    assert dataset.published is False
    assert dataset.rows == 4
    assert "held" in text
    # nothing changed since: the build still says no
    again, _ = project.fail()
    assert statuses_of(again) == {"rows": "failed", "count": "held"}
    project.write("data/rows.csv", GOOD + "4,1\n")
    assert ran_in(project.build()) == {"rows", "count"}
    assert project.read("output/count.txt") == "4"


def test_a_warning_is_reported_and_published(contracted: Callable[..., Project]) -> None:
    project = contracted(contract("warning"))
    project.write("data/rows.csv", BAD)
    run = project.build()
    assert run.verdict == "warned"
    assert set(statuses_of(run).values()) == {"succeeded"}
    assert project.read("output/rows.csv") == BAD
    again = project.build()
    assert ran_in(again) == set()
    assert again.verdict == "warned", "a warning stays while its data stays"
    assert any(result.from_run == run.id for result in again.checks)


def test_rows_are_set_aside_and_counted(contracted: Callable[..., Project]) -> None:
    project = contracted(contract(extension=QUARANTINE))
    project.write("data/rows.csv", BAD)
    run = project.build()
    (aside,) = run.quarantine
    assert (aside.dataset, aside.rows_in, aside.rows_out, aside.rows) == ("rows", 4, 2, 2)
    assert list(aside.reasons.values()) == [2]
    assert (project.root / aside.path).is_file()
    assert project.read("output/count.txt") == "2"
    assert aside.path.startswith("quarantine/rows/")
    assert not any(path.startswith("quarantine") for path in project.committed())


def test_a_changed_contract_is_judged_on_what_is_published(contracted: Callable[..., Project]) -> None:
    project = contracted(contract())
    project.edit("contracts/rows.odcs.yaml", "[1, 2, 3]", "[1, 2]")
    run, _ = project.fail()
    assert tasks_of(run)["rows"].status == "failed"
    assert tasks_of(run)["rows"].attempts == 0, "the task need not run for it"
    assert project.read("output/rows.csv") == GOOD
    project.edit("contracts/rows.odcs.yaml", "[1, 2]", "[1, 2, 3, 4]")
    run = project.build()
    assert ran_in(run) == set()
    assert run.verdict == "passed"


def test_a_contract_for_a_column_that_is_not_there(contracted: Callable[..., Project]) -> None:
    project = contracted(contract())
    project.edit("contracts/rows.odcs.yaml", "name: value", "name: price")
    run, _ = project.fail()
    assert any(result.verdict in {"failed", "errored"} for result in run.checks)
    assert not any(result.verdict == "passed" for result in run.checks if result.check.column == "price")


def test_a_check_that_cannot_be_measured_holds(contracted: Callable[..., Project]) -> None:
    project = contracted(contract())
    project.edit("contracts/rows.odcs.yaml", "logicalType: integer\n        quality:", "logicalType: string\n        quality:")
    project.edit(
        "contracts/rows.odcs.yaml",
        "          - type: library\n            metric: invalidValues\n            arguments:\n"
        "              validValues: [1, 2, 3]\n",
        "          - type: sql\n            query: SELECT no_such_column FROM rows\n",
    )
    project.write("data/rows.csv", GOOD + "4,1\n")
    run, _ = project.fail()
    assert any(result.verdict == "errored" for result in run.checks)
    assert statuses_of(run) == {"rows": "failed", "count": "held"}
    assert project.read("output/rows.csv") == GOOD


def test_data_that_cannot_be_read_holds(contracted: Callable[..., Project]) -> None:
    project = contracted(contract())
    project.write("data/rows.csv", "")
    run, _ = project.fail()
    assert statuses_of(run)["rows"] == "failed"
    assert not any(result.verdict == "passed" for result in run.checks)
    assert project.read("output/rows.csv") == GOOD


def test_a_wrong_contract_stops_everything_and_is_recorded(contracted: Callable[..., Project]) -> None:
    project = contracted(contract())
    project.edit("contracts/rows.odcs.yaml", "invalidValues", "invalidValuess")
    project.write("data/rows.csv", GOOD + "4,1\n")
    run, text = project.fail()
    assert run.status == "failed"
    assert run.verdict == "failed"
    assert "contracts/rows.odcs.yaml" in text
    assert "invalidValuess" in text
    assert "Did you mean 'invalidValues'?" in text
    assert "Traceback" not in text
    assert set(statuses_of(run).values()) == {"held"}
    assert project.read("output/rows.csv") == GOOD
    assert any(error.kind == "ContractError" for error in run.errors)
    assert f"reports/runs/{run.id}/run.json" in project.committed()
    project.edit("contracts/rows.odcs.yaml", "invalidValuess", "invalidValues")
    assert project.build().verdict == "passed"


def test_a_wrong_setting_stops_everything(contracted: Callable[..., Project]) -> None:
    project = contracted(contract())
    project.configure("retrys = 3")
    result = project.ploomber("build")
    assert result.code == 1
    assert "pyproject.toml" in result.text
    assert "Did you mean 'retries'?" in result.text


def test_expectations_of_a_task(make_project: Callable[..., Project]) -> None:
    project = make_project(
        {
            "pipeline.yaml": PIPELINE,
            "tasks.py": TASKS.replace(
                "def rows(product):",
                "def rows(product):\n    import nbops\n    text = open('data/rows.csv').read()\n"
                "    nbops.expect(text.count('3') >= 1, 'there is a three')\n",
            ),
            "data/rows.csv": GOOD,
            "pyproject.toml": "[tool.nbops]\nprofile = false\n",
        }
    )
    run = project.build()
    assert [result.verdict for result in run.checks] == ["passed"]
    project.write("data/rows.csv", "id,value\n1,1\n")
    run, _ = project.fail()
    assert statuses_of(run) == {"rows": "failed", "count": "held"}
    assert project.read("output/rows.csv") == GOOD


NOTEBOOK = """# %% tags=["parameters"]
upstream = None
product = None

# %%
import atexit
from pathlib import Path

target = Path(product["rows"])
target.write_text({first!r})
{then}
"""
NOTEBOOK_PIPELINE = """
tasks:
  - source: rows.py
    product:
      nb: output/rows.ipynb
      rows: output/rows.csv
"""


@pytest.mark.parametrize(
    "then",
    [
        pytest.param("atexit.register(target.write_text, {last!r})", id="atexit"),
        pytest.param("stream = target.open('w')\nstream.write({last!r})", id="a file that nobody closes"),
        pytest.param(
            "import threading, time\n"
            "threading.Thread(target=lambda: (time.sleep(0.3), target.write_text({last!r})), daemon=False).start()",
            id="a thread that is waited for",
        ),
    ],
)
@pytest.mark.parametrize(("first", "last"), [(GOOD, GOOD.replace("3,3", "3,9")), (GOOD.replace("3,3", "3,9"), GOOD), (BAD, GOOD)])
def test_what_a_kernel_writes_at_its_end_is_what_is_judged(
    make_project: Callable[..., Project], then: str, first: str, last: str
) -> None:
    """The audit may begin while the kernel ends; it then looks at what is there when the kernel has ended."""
    project = make_project(
        {
            "pipeline.yaml": NOTEBOOK_PIPELINE,
            "rows.py": NOTEBOOK.format(first=first, then=then.format(last=last)),
            "contracts/rows.odcs.yaml": contract(),
            "pyproject.toml": "[tool.nbops]\nprofile = false\n",
        }
    )
    if last == GOOD:
        run = project.build()
        assert project.read("output/rows.csv") == GOOD
    else:
        run, _ = project.fail()
        assert not (project.root / "output/rows.csv").exists()
    assert run.verdict == ("passed" if last == GOOD else "failed")
    assert [item.rows for item in run.datasets] == [3]


def check(project: Project, *arguments: str) -> tuple[int, str]:
    """Return the exit code of ``nbops check`` and what it says."""
    command = [sys.executable, "-c", "import sys; from nbops.cli import main; sys.exit(main())", "check", *arguments]
    done = subprocess.run(command, cwd=project.root, env=project.machine(), capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def verdict_of_check(project: Project) -> str:
    return str(json.loads(check(project, "--json")[1])["verdict"])


def test_published_data_is_judged_as_its_run_judged_it(contracted: Callable[..., Project]) -> None:
    project = contracted(contract(extension=QUARANTINE))
    assert verdict_of_check(project) == "passed"
    project.write("data/rows.csv", BAD)
    run = project.build()
    assert (run.verdict, [item.verdict for item in run.datasets]) == ("warned", ["warned"])
    code, said = check(project)
    assert code == 0
    assert said.splitlines()[1].split()[:4] == ["rows", "warned", "2", f"{len(run.checks) - 1}/{len(run.checks)}"]
    assert f"rows: 2 rows of 4 set aside, in {run.quarantine[0].path}" in said
    assert "said" not in said, "the verdicts agree, so there is nothing to explain"
    document = json.loads(check(project, "--json")[1])
    assert (document["verdict"], document["quarantine"][0]["rows"], document["notices"]) == ("warned", 2, [])
    (warned,) = [item for item in document["checks"] if item["verdict"] == "warned"]
    assert (warned["failing_rows"], warned["from_run"]) == (2, run.id)
    again = project.build()  # nothing to do: the run that set the rows aside is not the last one any more
    assert (ran_in(again), again.quarantine) == (set(), ())
    assert verdict_of_check(project) == again.verdict == "warned"


def test_a_verdict_that_is_not_the_run_s_is_explained(contracted: Callable[..., Project]) -> None:
    project = contracted(contract(extension=QUARANTINE))
    project.write("data/rows.csv", BAD)
    run = project.build()
    project.write("output/rows.csv", GOOD)
    code, said = check(project)
    assert code == 0
    assert f"rows: run {run.id} said warned. The data was changed since, by something else than a run." in said
    project.write("output/rows.csv", BAD)
    code, said = check(project)
    assert code == 1
    assert f"rows: run {run.id} said warned. The data was changed since" in said
    assert "A run would set these rows aside in quarantine." in said
    project.write("output/rows.csv", "id,value\n1,1\n3,3\n")
    assert verdict_of_check(project) == "warned", "the bytes that the run published"
    project.edit("contracts/rows.odcs.yaml", "version: 1.0.0", "version: 1.0.1")
    code, said = check(project)
    assert (code, said.splitlines()[1].split()[1]) == (0, "passed")
    assert f"rows: run {run.id} said warned. The contract was changed since." in said


def test_what_a_failed_run_did_not_publish_is_not_what_is_judged(contracted: Callable[..., Project]) -> None:
    project = contracted(contract())
    project.write("data/rows.csv", BAD)
    run, _ = project.fail()
    code, said = check(project)
    assert code == 0
    assert f"rows: run {run.id} said failed. It did not publish what it judged: the last good version is in place" in said


def test_what_only_a_notebook_can_check_is_told_of(make_project: Callable[..., Project]) -> None:
    source = NOTEBOOK.format(
        first=GOOD, then="import nbops\nnbops.expect(False, 'there is a four', severity='warn', dataset='rows')"
    )
    project = make_project(
        {
            "pipeline.yaml": NOTEBOOK_PIPELINE,
            "rows.py": source,
            "contracts/rows.odcs.yaml": contract(),
            "pyproject.toml": "[tool.nbops]\nprofile = false\n",
        }
    )
    run = project.build()
    assert run.verdict == "warned"
    code, said = check(project)
    assert (code, said.splitlines()[1].split()[1]) == (0, "passed")
    assert f"not judged here: notebook.there is a four (warned) in run {run.id}." in said
