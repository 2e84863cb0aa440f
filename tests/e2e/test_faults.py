"""Tasks that go wrong in every way that was thought of: each is reported, nothing hangs, nothing good is lost."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from e2e_project import CHAIN, Project, ran_in, statuses_of, tasks_of

if TYPE_CHECKING:
    from nbops.model import Run, RunError

FUNCTIONS = """
tasks:
  - source: tasks.first
    product: output/first.txt
  - source: tasks.second
    product: output/second.txt
"""
TASKS = """
import os
import signal
import sys
import time
from pathlib import Path


def first(product):
    {body}


def second(product, upstream):
    Path(product).write_text(Path(upstream["first"]).read_text())
"""
GOOD = 'Path(product).write_text("good")'
QUIET = "[tool.nbops]\nprofile = false\n"

NOTEBOOK = """# %% [markdown]
# # Title

# %% tags=["parameters"]
upstream = None
product = None

# %%
from pathlib import Path
Path(product["data"]).write_text("good")

# %%
{body}

# %%
print("after")
"""
NOTEBOOKS = """
tasks:
  - source: first.py
    product:
      nb: output/first.ipynb
      data: output/first.txt
  - source: tasks.second
    product: output/second.txt
"""
AFTER_NOTEBOOK = """
from pathlib import Path


def second(product, upstream):
    Path(product).write_text(Path(upstream["first"]["data"]).read_text())
"""


def functions(body: str) -> dict[str, str]:
    return {"pipeline.yaml": FUNCTIONS, "tasks.py": TASKS.format(body=body), "pyproject.toml": QUIET}


def error_of(run: Run, task: str) -> RunError:
    error = tasks_of(run)[task].error
    assert error is not None
    return error


@pytest.fixture
def good_then(make_project: Callable[..., Project]) -> Callable[[str], tuple[Project, Run, str]]:
    """Return a function: build two functions well, break the first, build again; what was good must still be there."""

    def build(body: str) -> tuple[Project, Run, str]:
        project = make_project(functions(GOOD))
        project.build()
        project.write("tasks.py", TASKS.format(body=body))
        run, text = project.fail()
        assert run.verdict == "failed"
        assert statuses_of(run) == {"first": "failed", "second": "held"}
        assert project.read("output/first.txt") == "good"
        assert project.read("output/second.txt") == "good"
        assert f"reports/runs/{run.id}/run.json" in project.committed()
        return project, run, text

    return build


# -- notebooks ------------------------------------------------------------------------------------------------------------


def test_a_notebook_that_raises(make_project: Callable[..., Project]) -> None:
    project = make_project(
        {
            "pipeline.yaml": NOTEBOOKS,
            "first.py": NOTEBOOK.format(body="1 + 1"),
            "tasks.py": AFTER_NOTEBOOK,
            "pyproject.toml": QUIET,
        }
    )
    project.build()
    good = (project.root / "output/first.ipynb").read_bytes()
    project.write("first.py", NOTEBOOK.format(body="raise ValueError('it <b>broke</b>')").replace('"good"', '"bad"'))
    run, text = project.fail()
    error = error_of(run, "first")
    assert (error.kind, error.message, error.cell) == ("ValueError", "it <b>broke</b>", 3)
    assert "raise ValueError" in (error.cell_source or "")
    assert [cell.status for cell in tasks_of(run)["first"].cells] == ["succeeded", "succeeded", "failed", "not_run"]
    assert statuses_of(run) == {"first": "failed", "second": "held"}
    assert "ValueError" in text
    assert "second" in text
    # the last good version, also of the notebook; the failed one is kept apart and has its page
    assert project.read("output/first.txt") == "good"
    assert (project.root / "output/first.ipynb").read_bytes() == good
    kept = [path.read_text() for path in (project.root / ".nbops/failed" / run.id).rglob("first.txt")]
    assert kept == ["bad"]
    notebook = tasks_of(run)["first"].notebook
    assert notebook is not None
    assert f"reports/{notebook}" in project.committed()
    pages = [path for path in project.committed() if path.endswith(".html")]
    assert any("it &lt;b&gt;broke&lt;/b&gt;" in project.read(path) for path in pages)
    assert not any("it <b>broke</b>" in project.read(path) for path in pages)


@pytest.mark.parametrize(
    ("body", "kind"),
    [("import os; os._exit(1)", "KernelDied"), ("import sys; sys.exit('no more')", "SystemExit")],
    ids=["os._exit", "sys.exit"],
)
def test_a_notebook_that_ends_itself(body: str, kind: str, make_project: Callable[..., Project]) -> None:
    project = make_project(
        {
            "pipeline.yaml": NOTEBOOKS,
            "first.py": NOTEBOOK.format(body=body),
            "tasks.py": AFTER_NOTEBOOK,
            "pyproject.toml": QUIET,
        }
    )
    run, _ = project.fail()
    assert error_of(run, "first").kind == kind
    assert statuses_of(run) == {"first": "failed", "second": "held"}
    assert not (project.root / "output/first.txt").exists()


def test_a_notebook_that_ends_itself_without_an_error_is_said(make_project: Callable[..., Project]) -> None:
    # papermill's idiom for "nothing more to do"
    project = make_project(
        {
            "pipeline.yaml": NOTEBOOKS,
            "first.py": NOTEBOOK.format(body="import sys; sys.exit(0)"),
            "tasks.py": AFTER_NOTEBOOK,
            "pyproject.toml": QUIET,
        }
    )
    run = project.build()
    assert [cell.status for cell in tasks_of(run)["first"].cells] == ["succeeded", "succeeded", "succeeded", "not_run"]
    (notice,) = [notice for notice in run.notices if notice.kind == "ended_early"]
    assert notice.message == "the notebook ended itself; cell 4 did not run"


def test_a_notebook_that_prints_too_much(make_project: Callable[..., Project]) -> None:
    body = "line = 'x' * 99 + '\\n'\nimport sys\nfor _ in range(1000):\n    sys.stdout.write(line * 1000)"
    project = make_project(
        {
            "pipeline.yaml": NOTEBOOKS,
            "first.py": NOTEBOOK.format(body=body),
            "tasks.py": AFTER_NOTEBOOK,
            "pyproject.toml": QUIET + "max_output_bytes = 200_000\n",
        }
    )
    run = project.build()
    assert run.verdict == "passed"
    size = sum(path.stat().st_size for path in (project.root / "reports").rglob("*") if path.is_file())
    assert size < 3_000_000
    notebook = (project.root / "reports" / str(tasks_of(run)["first"].notebook)).read_text()
    assert "output truncated after 200,000 bytes" in notebook


# -- functions ------------------------------------------------------------------------------------------------------------


def test_a_function_that_raises(good_then: Callable[[str], tuple[Project, Run, str]]) -> None:
    project, run, text = good_then('Path(product).write_text("half"); raise KeyError("missing")')
    error = error_of(run, "first")
    assert error.kind == "KeyError"
    assert "missing" in error.message
    assert "KeyError" in text
    assert list(project.root.glob(".nbops/staging/*")) == [], "neither of the good run before nor of this one"
    project.write("tasks.py", TASKS.format(body=GOOD.replace("good", "better")))
    assert ran_in(project.build()) == {"first", "second"}
    assert list(project.root.glob(".nbops/staging/*")) == []
    assert project.read("output/second.txt") == "better"


def test_a_function_that_is_killed(good_then: Callable[[str], tuple[Project, Run, str]]) -> None:
    _, run, _ = good_then('Path(product).write_text("half"); os.kill(os.getpid(), signal.SIGKILL)')
    error = error_of(run, "first")
    assert error.kind == "Killed"
    assert "SIGKILL" in error.message
    assert error.hint


@pytest.mark.parametrize("body", ["sys.exit(0)", "sys.exit('no')", "os._exit(0)", "os._exit(3)"])
def test_a_function_that_exits(body: str, good_then: Callable[[str], tuple[Project, Run, str]]) -> None:
    _, run, _ = good_then(f'Path(product).write_text("half"); {body}')
    assert error_of(run, "first").kind == "Exited"


def test_a_function_that_deletes_its_output(good_then: Callable[[str], tuple[Project, Run, str]]) -> None:
    _, run, _ = good_then('Path(product).write_text("x"); os.unlink(str(product))')
    assert "first.txt" in error_of(run, "first").message


def test_a_function_that_writes_elsewhere_instead(good_then: Callable[[str], tuple[Project, Run, str]]) -> None:
    _, run, _ = good_then('Path("elsewhere.txt").write_text("x")')
    assert "product" in error_of(run, "first").message


def test_an_undeclared_file_beside_the_product(make_project: Callable[..., Project]) -> None:
    project = make_project(functions('Path(product).write_text("x"); Path(str(product)).with_name("side.txt").write_text("y")'))
    run = project.build()
    assert project.read("output/side.txt") == "y"
    (notice,) = [notice for notice in run.notices if notice.kind == "undeclared_output"]
    assert notice.task == "first"
    assert "output/side.txt" in notice.message


def test_a_task_that_overwrites_anothers_product(make_project: Callable[..., Project]) -> None:
    project = make_project(functions(GOOD))
    project.build()
    project.write(
        "tasks.py", TASKS.format(body='Path(product).write_text("x"); Path(str(product)).with_name("second.txt").write_text("y")')
    )
    run, _ = project.fail()
    assert error_of(run, "first").kind == "ForeignProduct"
    assert project.read("output/second.txt") == "good"
    assert project.read("output/first.txt") == "good"


def test_anothers_product_overwritten_by_its_real_path(make_project: Callable[..., Project]) -> None:
    # what goes around the staging folder cannot be prevented, but it must not stay green
    project = make_project(
        {
            "pipeline.yaml": (
                "tasks:\n  - source: tasks.first\n    product: output/first.txt\n"
                "  - source: tasks.vandal\n    product: output/vandal.txt\n"
            ),
            "tasks.py": (
                "from pathlib import Path\n\n\ndef first(product):\n    Path(product).write_text('good')\n\n\n"
                "def vandal(product):\n    Path(product).write_text('x')\n    Path('output/first.txt').write_text('bad')\n"
            ),
            "pyproject.toml": "[tool.nbops]\nworkers = 1\n",  # the order that it counts on is not declared
        }
    )
    project.ploomber("build")
    run = project.build()
    assert "first" in ran_in(run)
    assert project.read("output/first.txt") == "good"


def test_a_function_that_never_ends(make_project: Callable[..., Project]) -> None:
    project = make_project(
        functions(
            'import subprocess; subprocess.Popen(["sleep", "600"]); Path("started").write_text(str(os.getpid())); time.sleep(600)'
        )
    )
    project.configure("[tool.nbops.tasks.first]\ntime_limit = 1.5")
    run, text = project.fail()
    assert error_of(run, "first").kind == "TimeLimit"
    assert "time_limit" in (error_of(run, "first").hint or "")
    assert "1.5 s" in text
    pid = int(project.read("started"))
    assert not psutil.pid_exists(pid)


def test_retries_with_growing_pauses(make_project: Callable[..., Project]) -> None:
    body = """count = Path("count"); n = int(count.read_text()) if count.exists() else 0
    count.write_text(str(n + 1))
    if n < 2: raise ConnectionError(f"attempt {n + 1}")
    Path(product).write_text("good")"""
    project = make_project(functions(body))
    project.configure("retry_delay = 0.05\n[tool.nbops.tasks.first]\nretries = 2")
    text = project.ploomber("build").ok().text
    assert "attempt 1; trying again in 0.05 s" in text
    assert "attempt 2; trying again in 0.1 s" in text
    run = project.latest()
    task = tasks_of(run)["first"]
    assert task.status == "succeeded"
    assert task.attempts == 3
    assert task.error is None
    said = [notice.message for notice in run.notices if notice.kind == "retry"]
    assert [message.split(":")[0] for message in said] == ["attempt 1 failed", "attempt 2 failed"]

    project.write("count", "0")
    project.edit("pyproject.toml", "retries = 2", "retries = 1")
    run, _ = project.fail("--force")
    assert tasks_of(run)["first"].attempts == 2
    assert error_of(run, "first").message == "attempt 2"


def test_a_syntax_error_is_not_retried(make_project: Callable[..., Project]) -> None:
    project = make_project(
        {
            "pipeline.yaml": NOTEBOOKS,
            "first.py": NOTEBOOK.format(body="def ("),
            "tasks.py": AFTER_NOTEBOOK,
            "pyproject.toml": QUIET + "retries = 3\nretry_delay = 0\n",
        }
    )
    result = project.ploomber("build")
    assert result.code == 1
    assert "SyntaxError" in result.text or "invalid syntax" in result.text


def test_a_task_that_asks_to_stop_early_ends_as_in_ploomber_alone(make_project: Callable[..., Project]) -> None:
    files = functions("from ploomber.exceptions import DAGBuildEarlyStop; raise DAGBuildEarlyStop('nothing new')")
    plain = make_project(files, name="plain", attached=False).ploomber("build")
    project = make_project(files)
    governed = project.ploomber("build")
    assert governed.code == plain.code
    run = project.latest()
    assert run.status == "succeeded"
    assert statuses_of(run) == {"first": "held", "second": "held"}
    assert "nothing new" in governed.text
    assert "Traceback" not in governed.text


def test_what_was_raised_last_is_what_is_said(good_then: Callable[[str], tuple[Project, Run, str]]) -> None:
    _, run, _ = good_then("""
    try:
        {}["x"]
    except KeyError:
        raise ValueError("there is no x in the settings")
""")
    assert (error_of(run, "first").kind, error_of(run, "first").message) == ("ValueError", "there is no x in the settings")


# -- places that cannot be written ----------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on a file system of 6 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        pytest.skip(f"no small file system can be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk(small_disk: Path, make_project_in: Callable[..., Project]) -> None:
    project = make_project_in(small_disk / "project", functions(GOOD))
    project.build()
    project.write("tasks.py", TASKS.format(body='Path(product).write_bytes(b"x" * 20_000_000)'))
    result = project.ploomber("build")
    assert result.code == 1
    assert "No space left" in result.text
    assert project.read("output/first.txt") == "good"
    assert project.read("output/second.txt") == "good"
    shutil.rmtree(project.root / ".nbops/failed", ignore_errors=True)
    project.write("tasks.py", TASKS.format(body=GOOD.replace("good", "better")))
    assert project.build().verdict == "passed"
    assert project.read("output/second.txt") == "better"
    assert all(run.status != "running" for run in project.runs())


def test_a_disk_that_is_full_before_anything_runs(small_disk: Path, make_project_in: Callable[..., Project]) -> None:
    project = make_project_in(small_disk / "project", functions(GOOD))
    project.build()
    filler = small_disk / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as stream:
        while stream.write(b"x" * 4096):
            pass
    result = project.ploomber("build", "--force")
    assert result.code == 1
    assert "disk is full" in result.text or "No space left" in result.text
    assert project.read("output/first.txt") == "good"
    filler.unlink()
    assert project.build("--force").verdict == "passed"
    for run in project.runs():
        assert run.status != "running"


def test_reports_that_cannot_be_written(make_project: Callable[..., Project]) -> None:
    project = make_project(functions('Path("ran").write_text("x"); ' + GOOD))
    project.write("reports", "a file stands here")
    result = project.ploomber("build")
    assert result.code == 1
    assert "reports" in result.text
    assert "a file stands where a folder is needed" in result.text
    assert "Traceback" not in result.text
    assert not (project.root / "ran").exists(), "executed although it could not be recorded"


def test_reports_on_a_read_only_file_system(make_project: Callable[..., Project]) -> None:
    project = make_project(functions(GOOD))
    project.build()
    reports = project.root / "reports"
    bound = subprocess.run(["mount", "--bind", str(reports), str(reports)], capture_output=True, text=True, check=False)
    if bound.returncode != 0:
        pytest.skip(f"nothing can be mounted here: {bound.stderr.strip()}")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", str(reports)], check=True)
        result = project.ploomber("build", "--force")
        assert result.code == 1
        assert "read-only" in result.text.lower()
        assert "Traceback" not in result.text
    finally:
        subprocess.run(["umount", "--lazy", str(reports)], check=True)
    assert project.build("--force").verdict == "passed"


def test_a_folder_where_the_product_should_be(make_project: Callable[..., Project]) -> None:
    project = make_project(functions(GOOD))
    project.write("output/first.txt/in_the_way/file", "a folder stands here")
    assert project.build().verdict == "passed"
    assert project.read("output/first.txt") == "good"


def test_a_file_where_the_products_folder_should_be(make_project: Callable[..., Project]) -> None:
    project = make_project(functions(GOOD))
    project.write("output", "a file stands here")
    run, text = project.fail()
    assert error_of(run, "first").kind == "NotPublished"
    assert "output/first.txt" in text
    (project.root / "output").unlink()
    # what was decided is completed, not made again
    run = project.build()
    assert project.read("output/first.txt") == "good"
    assert project.read("output/second.txt") == "good"
    assert any(notice.kind == "recovered" for notice in run.notices)


# -- hostile names and values ---------------------------------------------------------------------------------------------

HOSTILE = "<script>alert(1)</script>\"'`\\{{x}}\u0085\U0001f600=cmd|' /C calc'!A0"


def as_pipeline(*tasks: dict[str, object]) -> str:
    """Return a pipeline file in YAML's JSON notation, which carries every name and value."""
    return json.dumps({"on_render": "nbops.attach", "tasks": tasks}, ensure_ascii=False)


def test_hostile_values_in_parameters_data_and_messages(make_project: Callable[..., Project]) -> None:
    project = make_project(
        {
            "pipeline.yaml": as_pipeline(
                {
                    "source": "tasks.make",
                    "name": "a-<b>'\U0001f600",
                    "product": "output/rows.csv",
                    "params": {"text": "{{text}}", "other": HOSTILE.replace("{{x}}", "")},
                }
            ),
            "env.yaml": json.dumps({"text": "=1+1<script>alert(2)</script>"}),
            "tasks.py": (
                "def cell(value):\n    return chr(34) + str(value).replace(chr(34), chr(34) * 2) + chr(34)\n\n"
                "def make(product, text, other):\n"
                "    rows = [('id', '<script>alert(3)</script>'), (1, text), (2, other)]\n"
                "    rows += [(3, 'a' + chr(0) + 'b'), (4, '=HYPERLINK(1)')]\n"
                "    with open(product, 'w', newline='') as stream:\n"  # the csv module of 3.10 does not write NUL
                "        stream.writelines(cell(a) + ',' + cell(b) + chr(13) + chr(10) for a, b in rows)\n"
                "    print(text, other)\n"
            ),
        },
        attached=False,
    )
    run = project.build()
    assert run.verdict == "passed"
    for path in project.committed():
        if path.endswith(".html"):
            page = project.read(path)
            for number in (1, 2, 3):
                assert f"<script>alert({number})" not in page, path
    assert json.loads(project.read(f"reports/runs/{run.id}/run.json"))["tasks"][0]["name"] == "a-<b>'\U0001f600"
    assert ran_in(project.build()) == set()


def test_names_that_are_no_file_names(make_project: Callable[..., Project]) -> None:
    project = make_project(
        {
            "pipeline.yaml": as_pipeline(
                {"source": "tasks.make", "name": "../../outside", "product": "output/a.txt"},
                {"source": "tasks.make", "name": "x" * 300, "product": "output/b.txt"},
            ),
            "tasks.py": "from pathlib import Path\n\ndef make(product):\n    Path(product).write_text('x')\n",
        },
        attached=False,
    )
    before = sorted(path.name for path in project.root.parent.parent.iterdir())
    run = project.build()
    assert run.verdict == "passed"
    assert sorted(path.name for path in project.root.parent.parent.iterdir()) == before
    assert ran_in(project.build()) == set()


def test_an_input_that_is_missing(make_project: Callable[..., Project]) -> None:
    files = dict(CHAIN)
    files["pipeline.yaml"] = files["pipeline.yaml"].replace("source: data/source.csv", "source: data/missing.csv")
    project = make_project(files)
    run, text = project.fail()
    assert error_of(run, "load").kind == "FileNotFoundError"
    assert "data/missing.csv" in text
    assert os.fspath(project.root) not in json.dumps([error_of(run, "load").message])
