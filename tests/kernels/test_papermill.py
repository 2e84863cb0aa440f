"""What users of papermill and nbclient rely on holds on warm kernels."""

# ruff: noqa: E501 - code of cells

from __future__ import annotations

import asyncio
import datetime as dt
import threading

import pytest
import zmq
from jupyter_client.kernelspec import NoSuchKernel
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.exceptions import PapermillExecutionError

from nbops.adapters import papermill
from nbops.kernels.manager import PromptClient, PromptManager

LONG_QUERY = "select count(*) from range(100000000000) a, range(1000) b where a.range % 7 = b.range"


@pytest.fixture(autouse=True)
def _forked(forked):
    yield
    assert forked(), "no kernel was started"


@pytest.mark.parametrize(
    "cell",
    [
        "while True:\n    pass",
        "import time\ntime.sleep(600)",
        f"import duckdb\nduckdb.sql({LONG_QUERY!r}).fetchall()",
    ],
    ids=["python", "asleep", "duckdb"],
)
def test_a_cell_that_takes_too_long_ends_the_notebook(execute, cell):
    with pytest.raises(CellTimeoutError):
        execute(cell, execution_timeout=1)


def test_a_cell_that_takes_too_long_can_be_interrupted(execute):
    with pytest.raises(PapermillExecutionError) as caught:
        execute("while True:\n    pass", execution_timeout=1, interrupt_on_timeout=True)
    assert caught.value.ename == "KeyboardInterrupt"


@pytest.mark.parametrize("limit", [{"timeout": 1}, {"timeout_func": lambda cell: 1}], ids=["timeout", "function"])
def test_a_cell_that_ignores_interrupts_ends_the_notebook_all_the_same(execute, monkeypatch, limit):
    monkeypatch.setattr(papermill, "_HEED_SECONDS", 2.0)
    cell = "import time\nwhile True:\n    try:\n        time.sleep(60)\n    except KeyboardInterrupt:\n        print('no')"
    with pytest.raises(CellTimeoutError, match="interrupting it did not end it"):
        execute(cell, interrupt_on_timeout=True, **limit)
    assert execute("print(1)").text() == "1\n"


def test_an_interrupted_cell_has_time_to_end_well(execute):
    cell = "import time\ntry:\n    time.sleep(60)\nexcept KeyboardInterrupt:\n    time.sleep(0.8)\n    print('saved')"
    assert execute(cell, "print('on')", execution_timeout=1, interrupt_on_timeout=True).text() == "on\n"


def test_errors_stop_a_notebook_and_what_comes_after_is_not_run(execute, tmp_path):
    with pytest.raises(PapermillExecutionError, match="no such column") as caught:
        execute("1 / 1", "raise KeyError('no such column')", "open('after', 'w')")
    assert caught.value.ename == "KeyError"
    assert not (tmp_path / "after").exists()


def test_errors_can_be_expected_and_what_comes_after_is_run(execute):
    for cell, options in ((("1 / 0", ["raises-exception"]), {}), ("1 / 0", {"allow_errors": True})):
        with pytest.raises(PapermillExecutionError):  # papermill itself looks through the outputs when all cells have run
            execute(cell, "print('on')", **options)
        assert execute.last.text() == "on\n"


def test_questions_are_refused(execute):
    with pytest.raises(PapermillExecutionError) as caught:
        execute("input('name? ')")
    assert caught.value.ename == "StdinNotImplementedError"


def test_standard_input_is_empty(execute):
    assert execute("import sys, os\nprint([os.read(0, 10), sys.__stdin__.read()])").text() == "[b'', '']\n"


def test_parameters_of_each_type(execute):
    given = {
        "text": "a 'quoted' \"text\"\n\u00e9\u2603 \\ {x}", "whole": 2**63, "negative": -1, "real": 0.1, "large": float("inf"), "missing": None,
        "yes": True, "items": [1, [2, {"a": None}]], "table": {"k": {"n": [False]}}, "empty": "", "nothing": [],
    }  # fmt: skip
    ran = execute(
        ("text = whole = 0", ["parameters"]),
        f"import json\nprint(json.dumps({{name: globals()[name] for name in {sorted(given)!r}}}))",
        parameters=given,
    )
    assert ran.value() == given


def test_a_date_as_parameter_is_text(execute):
    ran = execute(("day = None", ["parameters"]), "print(repr(day))", parameters={"day": str(dt.date(2024, 2, 29))})
    assert ran.text() == "'2024-02-29'\n"


def test_the_folder_is_the_one_asked_for(execute, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    ran = execute("import os\nprint(os.getcwd())", cwd=str(tmp_path / "elsewhere"))
    assert ran.text() == f"{tmp_path / 'elsewhere'}\n"


def test_progress_is_shown(execute, capsys):
    execute("1", "2", progress_bar=True)
    assert "cell" in capsys.readouterr().err


def test_times_counts_and_the_language_are_recorded(execute):
    ran = execute("1", "2")
    assert [cell.execution_count for cell in ran.cells] == [1, 2]
    assert all(cell.metadata["papermill"]["status"] == "completed" for cell in ran.cells)
    assert all("iopub.status.idle" in cell.metadata["execution"] for cell in ran.cells)
    assert ran.metadata["language_info"]["name"] == "python"
    assert ran.metadata["papermill"]["exception"] is None


def test_long_output_is_cut_and_the_rest_goes_on(execute):
    ran = execute("for i in range(200_000):\n    print('x' * 20)", "print('on')")
    assert len(ran.text(0)) < 1_100_000
    assert "truncated" in ran.text(0)
    assert ran.text() == "on\n"


def test_widgets_displays_and_clearing(execute):
    ran = execute(
        "from IPython.display import display, clear_output, HTML\nprint('gone'); clear_output(wait=True); h = display(HTML('<b>1</b>'), display_id=True)",
        "h.update(HTML('<b>2</b>'))",
        "import ipywidgets\nout = ipywidgets.Output()\nwith out:\n    print('inside')\nout",
    )
    assert ran.text(0) == ""
    assert ran.cells[0].outputs[-1]["data"]["text/html"] == "<b>2</b>"
    assert "application/vnd.jupyter.widget-state+json" in ran.metadata["widgets"]


@pytest.mark.parametrize(
    "cell",
    [
        "import os\nos._exit(3)",
        "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)",
        "import ctypes\nctypes.string_at(0)",
        "import os, signal\nos.killpg(0, signal.SIGTERM)",
    ],
    ids=["exit", "killed", "segmentation fault", "group"],
)
def test_the_death_of_a_kernel_is_told_and_the_next_notebook_runs(execute, cell):
    with pytest.raises(DeadKernelError):
        execute(cell)
    assert execute("print('next')").text() == "next\n"


def test_exit_in_a_notebook_is_what_it_is_on_a_started_kernel(execute):
    from nbops import kernels

    def outcome(cell):
        try:
            ran = execute(cell, "print('after')")
        except Exception as error:  # noqa: BLE001
            return type(error).__name__, getattr(error, "ename", None)
        return ran.text(), [output.get("ename") for output in ran.cells[0].outputs]

    for cell in ("import sys\nsys.exit(3)", "raise SystemExit"):
        warm = outcome(cell)
        server, kernels._server = kernels._server, None
        observer, kernels._observer = kernels._observer, None
        try:
            assert outcome(cell) == warm
        finally:
            kernels._server, kernels._observer = server, observer


def test_a_cell_that_takes_long_stands_on_the_disk_as_running(execute):
    """Whoever kills the task's process finds there how far it came."""
    wait = """
import json, time
until = time.monotonic() + 60
while time.monotonic() < until:
    cells = json.loads(open("out.ipynb").read())["cells"]
    if [cell["metadata"]["papermill"]["status"] for cell in cells][:2] == ["completed", "running"]:
        print("found", cells[0]["outputs"][0]["text"])
        break
    time.sleep(0.05)
"""
    ran = execute("print('before')", wait)
    assert ran.text(1) == "found ['before\\n']\n"
    assert [cell.metadata["papermill"]["status"] for cell in ran.cells] == ["completed", "completed"]


def test_little_is_done_besides_running_cells(execute, monkeypatch):
    """No heartbeat, and no second question what kernel it is."""
    clients, threads = [], set()
    send = PromptClient.kernel_info

    def kernel_info(self, *arguments, **options):
        threads.update(type(thread).__name__ for thread in threading.enumerate())
        identity = send(self, *arguments, **options)
        clients.append((self, identity, self.answered(identity) is not None))
        return identity

    monkeypatch.setattr(PromptClient, "kernel_info", kernel_info)
    assert execute("1 + 1").metadata.language_info.name == "python"
    assert "HBChannel" not in threads
    (client, first, known), *_, (same, last, answered) = clients
    assert same is client
    assert (known, answered) == (False, True)
    assert last == clients[-2][1], "it was asked once more"
    assert first is not None


def test_a_manager_says_when_its_kernel_is_ready_and_when_starting_failed(tmp_path):
    async def start(name: str) -> PromptManager:
        manager = PromptManager(kernel_name=name)
        try:
            await manager.start_kernel(cwd=str(tmp_path))
        finally:
            assert manager.ready.done()
        return manager

    async def use() -> None:
        manager = await start("python3")
        assert manager.ready.exception() is None
        assert manager.context.getsockopt(zmq.RECONNECT_IVL) < 100
        await manager.shutdown_kernel(now=True)
        assert manager.ready.exception() is None
        assert not await manager.is_alive()
        with pytest.raises(RuntimeError, match="No kernel is running"):
            await manager.interrupt_kernel()
        with pytest.raises(NoSuchKernel):
            await start("no-such-kernel")

    asyncio.run(use())
