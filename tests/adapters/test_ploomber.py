"""Ploomber's private parts, held to what the adapter takes them for; a version that differs fails here and not in a build."""

from __future__ import annotations

import inspect
import json
import warnings
from pathlib import Path

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from ploomber import DAG
    from ploomber.constants import TaskStatus
    from ploomber.products import File
    from ploomber.tasks import NotebookRunner, PythonCallable, ShellScript
    from ploomber.tasks.abc import Task

    from nbops.adapters import ploomber as adapter
from nbops.pipeline import ExecuteOptions

pytestmark = pytest.mark.filterwarnings("ignore")

NOTEBOOK = """# %% tags=["parameters"]
upstream = None
product = None
limit = None
# %%
import json
x = 1
# %% [markdown]
# words
"""


def make(product):
    Path(str(product)).write_text("made")


@pytest.fixture
def dag(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nb.py").write_text(NOTEBOOK)
    found = DAG()
    first = PythonCallable(make, File("out/a.txt"), found, name="a")
    second = NotebookRunner(
        tmp_path / "nb.py",
        {"nb": File("out/b.html"), "data": File("out/b.csv")},
        found,
        name="b",
        params={"limit": 3},
        kernelspec_name="python3",
    )
    ShellScript("touch {{product}}", File("out/c.txt"), found, name="c")
    first >> second
    found.render(show_progress=False)
    return found


def test_the_private_names_are_there():
    for name in ("_run_on_finish", "_run_on_failure", "_post_run_actions", "_build", "exec_status"):
        assert hasattr(Task, name), name
    assert "force" in inspect.signature(DAG._render_current).parameters
    assert "show_progress" in inspect.signature(DAG._build).parameters
    assert "skip_upstream" in inspect.signature(DAG._build_partially).parameters
    assert "targets" in DAG._build_partially.__code__.co_varnames
    for name in ("fetch_metadata", "save_metadata"):
        assert hasattr(File, name), name


def test_tasks_are_described(dag):
    a, b, c = (task for task in sorted(adapter.DagRunner(dag, forced=False, parameters={}).tasks(), key=lambda t: t.name))
    assert (a.kind, a.function, a.source, a.upstream) == ("function", "make", Path(__file__).resolve(), ())
    assert (b.kind, b.language, b.upstream, dict(b.parameters)) == ("notebook", "python", ("a",), {"limit": 3})
    assert {p.key: (p.path, p.kind) for p in b.products} == {"nb": ("out/b.html", "notebook"), "data": ("out/b.csv", "file")}
    assert len(b.code) == 2
    assert "import json" in b.code[1]
    assert (c.kind, c.code) == ("shell", ("touch {{product}}",))
    assert not any(task.in_process for task in (a, b, c))
    assert [task.can_wait for task in (a, b, c)] == [False, True, False]


@pytest.mark.parametrize(
    "other", [{"executor_params": {"engine_name": "own"}}, {"executor": "ploomber-engine"}, {"debug_mode": "now"}]
)
def test_a_notebook_that_another_engine_runs_is_not_started_before_its_turn(dag, other):
    for name, value in other.items():
        setattr(dag["b"], name, value)
    tasks = {task.name: task for task in adapter.DagRunner(dag, forced=False, parameters={}).tasks()}
    assert not tasks["b"].can_wait


def test_a_task_writes_to_its_staging_path_and_nothing_else_changes(dag, tmp_path):
    runner = adapter.DagRunner(dag, forced=False, parameters={})
    staged = tmp_path / "staging" / "a.txt"
    before = json.dumps(dag["a"].params.to_json_serializable(), default=str)
    runner.execute("a", staged={"product": str(staged)}, options=ExecuteOptions())
    assert staged.read_text() == "made"
    assert not Path("out/a.txt").exists()
    assert json.dumps(dag["a"].params.to_json_serializable(), default=str) == before
    runner.execute("c", staged={"product": str(tmp_path / "staging/c.txt")}, options=ExecuteOptions())
    assert (tmp_path / "staging/c.txt").exists()
    assert str(dag["c"].product).endswith("out/c.txt")


def test_a_notebooks_injected_parameters_name_the_staging_path(dag, tmp_path):
    with adapter._redirected(dag["b"], {"nb": str(tmp_path / "s/b.html"), "data": str(tmp_path / "s/b.csv")}):
        assert str(tmp_path / "s/b.csv") in dag["b"].source.nb_str_rendered
        assert str(dag["b"]._converter._path_to_output) == str(tmp_path / "s/b.html")
    assert str(tmp_path / "s/b.csv") not in dag["b"].source.nb_str_rendered
    assert str(dag["b"]._converter._path_to_output).endswith("out/b.html")


def test_finished_saves_metadata_and_the_next_render_is_fresh(dag):
    Path("out").mkdir()
    Path("out/a.txt").write_text("made")
    adapter.DagRunner(dag, forced=False, parameters={}).finished("a")
    assert dag["a"].exec_status == TaskStatus.Executed
    assert Path("out/.a.txt.metadata").is_file()
    dag.render(show_progress=False)
    assert dag["a"].exec_status == TaskStatus.Skipped


@pytest.mark.parametrize("text", ["", "{", "null", "[]", "3", '{"timestamp": 1', "\x00\x01"])
def test_a_broken_metadata_file_counts_as_missing(dag, text):
    adapter.mend_metadata()
    Path("out").mkdir()
    Path("out/a.txt").write_text("made")
    Path("out/.a.txt.metadata").write_text(text)
    dag.render(show_progress=False)
    assert dag["a"].exec_status == TaskStatus.WaitingExecution


def test_mending_twice_is_mending_once():
    adapter.mend_metadata()
    first = File.fetch_metadata
    adapter.mend_metadata()
    assert File.fetch_metadata is first


@pytest.mark.parametrize("force", [True, False])
def test_the_hook_knows_whether_the_render_is_forced(dag, force):
    seen: list[tuple[bool, bool]] = []
    dag.on_render = lambda: seen.append((adapter.is_forced(), adapter.is_building()))
    dag.render(force=force, show_progress=False)
    assert seen == [(force, False)]
    dag.executor = type("Nothing", (), {"__call__": lambda self, dag, show_progress: []})()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dag.build(force=force, show_progress=False)
    assert seen[-1] == (force, True)


def test_ploombers_own_status_tells_our_judgement(dag):
    adapter.show_status(dag, {"a": False, "b": True, "c": True})
    assert {name: dag[name].exec_status for name in ("a", "b", "c")} == {
        "a": TaskStatus.Skipped,
        "b": TaskStatus.WaitingExecution,
        "c": TaskStatus.WaitingExecution,
    }
    assert dag["a"].status()["Outdated?"] is False
    assert dag["b"].status()["Outdated?"] == "Source code"


def test_builds_go_through_nbops(dag):
    calls: list[object] = []
    adapter.install(
        dag,
        build=lambda dag, forced, workers: calls.append(("build", forced, workers)) or {"a": 1.0, "b": None},
        build_task=lambda dag, name, forced: calls.append(("task", name, forced)),
    )
    reports = dag.executor(dag=dag, show_progress=False)
    assert [report["name"] for report in reports] == ["a"]
    dag["b"].build(force=True)
    assert calls == [("build", False, None), ("task", "b", True)]
