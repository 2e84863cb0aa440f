"""What goes wrong around JupyterLab: builds and servers that die, notebooks of 50 MB, pipelines of any content."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from nbops.lab import builds
from nbops.lab.overview import overview


def _running(server: Any) -> Any:
    """Return the status once the run's ledger stands."""
    found = server.request("nbops/api/status")[1]
    return found if found["run"] and found["build"]["who"] and found["run"]["status"] == "running" else None


def _ended(server: Any) -> Any:
    found = server.request("nbops/api/build")[1]
    return None if found["build"]["running"] else found


@pytest.mark.e2e
def test_a_build_that_is_killed_is_said_and_the_next_one_goes_on(lab: Any, waiting: Path, until: Any) -> None:
    server = lab(waiting)
    assert server.request("nbops/api/build", method="POST", body={})[0] == 201
    live = until(lambda: _running(server))
    os.kill(live["build"]["mine"]["pid"], signal.SIGKILL)
    ended = until(lambda: _ended(server))
    assert ended["build"]["exit_code"] == -signal.SIGKILL
    found = server.request("nbops/api/status")[1]
    assert (found["error"], found["build"]["running"]) == (None, False)
    assert (found["run"]["status"], found["run"]["verdict"]) == ("killed", "errored"), "no green word over it"
    assert [(task["name"], task["stale"]) for task in found["tasks"]] == [("first", True), ("second", True)]
    assert not (waiting / "output/first.csv").exists()

    (waiting / "go").touch()
    assert server.request("nbops/api/build", method="POST", body={})[0] == 201
    done = until(lambda: _ended(server))
    assert done["build"]["exit_code"] == 0, done["log"]
    after = server.request("nbops/api/status")[1]
    assert after["run"]["status"] == "succeeded"
    assert {task["status"] for task in after["tasks"]} == {"succeeded"}
    ledgers = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((waiting / "reports/runs").glob("*/run.json"))]
    assert [ledger["status"] for ledger in ledgers] == ["interrupted", "succeeded"], "and the killed one is on record"


@pytest.mark.e2e
def test_a_server_that_is_killed_in_the_middle_leaves_the_build_to_the_next_server(lab: Any, waiting: Path, until: Any) -> None:
    first = lab(waiting)
    assert first.request("nbops/api/build", method="POST", body={})[0] == 201
    before = until(lambda: _running(first))
    first.kill()
    assert builds.state_of(waiting).running, "the build goes on without a server"

    second = lab(waiting)
    found = second.request("nbops/api/status")[1]
    assert found["build"]["mine"] == before["build"]["mine"]
    assert (found["build"]["running"], found["build"]["mine_running"]) == (True, True)
    assert found["run"]["id"] == before["run"]["id"]
    assert second.request("nbops/api/build", method="POST", body={})[0] == 409
    (waiting / "go").touch()
    done = until(lambda: _ended(second))
    assert done["build"]["mine"] == before["build"]["mine"]
    assert "first" in done["log"], "its log is found again"
    after = second.request("nbops/api/status")[1]
    assert (after["run"]["id"], after["run"]["status"]) == (before["run"]["id"], "succeeded")
    assert [task["status"] for task in after["tasks"]] == ["succeeded", "succeeded"]


def _big_notebook(megabytes: int) -> dict[str, Any]:
    """Return a notebook of about so many megabytes: text, tables and pictures, none of a line to be proud of."""
    code = {"cell_type": "code", "metadata": {}, "execution_count": 1}
    cells: list[dict[str, Any]] = [
        {**code, "id": "p", "metadata": {"tags": ["parameters"]}, "outputs": [], "source": "upstream = None\nproduct = None"}
    ]
    text = "".join(f"/srv/elsewhere/row-{number},12345,abcdefghij\n" for number in range(10_000))
    table = "<table>" + "<tr><td>1</td></tr>" * 10_000 + "</table>"
    outputs = [
        {"output_type": "stream", "name": "stdout", "text": text},
        {"output_type": "display_data", "metadata": {}, "data": {"text/html": table, "image/png": "A" * 400_000}},
    ]
    cells += [{**code, "id": f"c{number}", "source": f"print({number})", "outputs": outputs} for number in range(megabytes)]
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernel}, "cells": cells}


def _peak(process: Any) -> int:
    """Return the most memory that a process ever had, in bytes."""
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) * 1024


@pytest.mark.e2e
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from Linux's /proc")
def test_a_notebook_of_50_megabytes_opens_and_is_saved_in_bounded_memory_and_time(lab: Any, project: Path) -> None:
    path = project / "notebooks/second.ipynb"
    nbformat.write(nbformat.from_dict(_big_notebook(50)), path)  # as Jupyter itself lays it out
    before = path.read_bytes()
    assert len(before) > 50_000_000
    server = lab(project)
    seconds = sum(psutil.Process(server.process.pid).cpu_times()[:2])
    status, model = server.request("api/contents/notebooks/second.ipynb?content=1&type=notebook")
    assert status == 200
    assert "product = {" in model["content"]["cells"][1]["source"]
    body = {"type": "notebook", "format": "json", "content": model["content"]}
    assert server.request("api/contents/notebooks/second.ipynb", method="PUT", body=body)[0] == 200
    assert path.read_bytes() == before
    for _ in range(3):  # what is opened again and again does not pile up
        assert server.request("api/contents/notebooks/second.ipynb?content=1&type=notebook")[0] == 200
    used = sum(psutil.Process(server.process.pid).cpu_times()[:2]) - seconds
    assert _peak(server.process) < 1_200_000_000, "a plain server takes 0.55 GB"
    assert used < 60, "CPU seconds; a plain server takes 6"
    assert server.request("nbops/api/status")[1]["error"] is None


_texts = st.text(max_size=8) | st.sampled_from(["a.py", "{{x}}", "{{", "m.f", "*", "..", "\0"])
_keys = st.sampled_from(["source", "product", "name", "params", "grid", "upstream", "resources_", "nb", "product_class"])
_values = st.recursive(
    st.none() | st.booleans() | st.integers() | _texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys | st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
_optional = dict.fromkeys(("product", "name", "params", "grid", "upstream", "product_class", "class"), _values)
_tasks = st.lists(st.fixed_dictionaries({"source": st.just("a.py")}, optional=_optional) | _values, max_size=3)
_more = dict.fromkeys(("meta", "on_render", "clients"), _values)
_pipelines = st.fixed_dictionaries({"tasks": _tasks}, optional=_more)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@example({"tasks": [{"source": "a.py", "params": [None]}]}, None)
@given(_pipelines | _values, _values)
def test_whatever_a_pipeline_says_the_sidebar_has_an_answer(tmp_path: Path, pipeline: Any, environment: Any) -> None:
    (tmp_path / "pipeline.yaml").write_text(yaml.safe_dump(pipeline), encoding="utf-8")
    (tmp_path / "env.yaml").write_text(yaml.safe_dump(environment), encoding="utf-8")
    (tmp_path / "a.py").write_text('# %% tags=["parameters"]\nupstream = None\nproduct = None\n', encoding="utf-8")
    found = overview(tmp_path, tmp_path)
    json.dumps(found)
    assert found["error"] is None or found["error"].strip()


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("pipeline.yaml", "tasks:\n  - source: a.py\n   product: x\n", ["pipeline.yaml", "line 3"]),
        ("pipeline.yaml", "tasks: [{source: a.py, product: '{{nowhere}}'}]\n", ["pipeline.yaml", "nowhere", "env.yaml"]),
        ("pipeline.yaml", "tasks: [{source: a.py, product: x, params: [1]}]\n", ["pipeline.yaml", "a.py: params", "mapping"]),
        ("pipeline.yaml", "tasks: [{source: a.py, product: x, params: {resources_: 1}}]\n", ["resources_", "mapping"]),
        ("env.yaml", "out: [\n", ["env.yaml", "line 2"]),
        ("env.yaml", "- a\n", ["env.yaml", "mapping"]),
        ("pyproject.toml", "[tool.nbops]\nworkerz = 2\n", ["pyproject.toml", "workerz", "workers"]),
        ("pyproject.toml", "[tool.nbops\n", ["pyproject.toml", "line 1"]),
    ],
)
def test_what_is_broken_is_said_with_its_place_and_reason(waiting: Path, name: str, text: str, words: list[str]) -> None:
    (waiting / name).write_text(text, encoding="utf-8")
    said = overview(waiting, waiting)["error"]
    assert said is not None
    assert [word for word in words if word not in said] == []
