"""Run isolation and fault notebooks on warm kernels over and over: ``python tests/kernels/repeat.py 200``.

Each pass executes, with papermill as nbops does, a notebook that spoils what it can, one that looks for traces of it, one that computes with
forked libraries and pools of processes, and one each that exits, crashes, is killed and is interrupted. Every twentieth pass kills the server
while a notebook runs and starts another. At the end: processes, descriptors and memory of the server.

``pytest tests/kernels --repeat N`` repeats the whole suite instead, which takes about a minute each time.
"""

# ruff: noqa: E501, T201 - code of cells; a script that prints

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import nbformat
import papermill
import psutil
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError

from nbops import kernels
from nbops.adapters.papermill import ENGINE_NAME, register_engine
from nbops.contract.config import Config

SPOIL = """
import builtins, os, random, signal, sys, threading, time, types, resource, subprocess
import numpy as np, pandas as pd
leaked = builtins.leaked = pd.leaked = 1
os.environ["LEAKED"] = "1"; os.chdir("/"); os.umask(0o777); sys.path.insert(0, "/leaked"); sys.modules["leaked"] = types.ModuleType("leaked")
np.random.seed(1); random.seed(1); pd.set_option("display.max_rows", 7)
signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))
threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
subprocess.Popen(["sleep", "600"]); os.system("sleep 600 &")
"""
LOOK = """
import builtins, os, random, signal, sys, threading, resource
import numpy as np, pandas as pd
assert "leaked" not in globals() and not hasattr(builtins, "leaked") and not hasattr(pd, "leaked") and "leaked" not in sys.modules
assert "LEAKED" not in os.environ and "/leaked" not in sys.path and os.getcwd() != "/" and os.umask(0o22) != 0o777
assert pd.get_option("display.max_rows") == 60 and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
assert not signal.pthread_sigmask(signal.SIG_BLOCK, []) and resource.getrlimit(resource.RLIMIT_NOFILE)[0] != 200
assert not [thread for thread in threading.enumerate() if "sleep" in thread.name]
print(np.random.random(), random.random())
"""
COMPUTE = """
import multiprocessing, duckdb, numpy as np, pyarrow as pa, pyarrow.parquet as pq
a = np.random.default_rng(0).random((200, 200))
assert np.allclose(a @ np.linalg.inv(a), np.eye(200))
table = pa.table({"x": np.arange(100_000) % 97})
pq.write_table(table, "t.parquet", row_group_size=10_000)
assert pq.read_table("t.parquet").equals(table)
assert duckdb.connect().execute("select count(*), count(distinct x) from 't.parquet'").fetchone() == (100_000, 97)
with multiprocessing.get_context("fork").Pool(2) as pool:
    assert pool.map(abs, range(-3, 0)) == [3, 2, 1]
"""
DEATHS = (
    "import os\nos._exit(3)",
    "import ctypes\nctypes.string_at(0)",
    "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)",
)
KILL_SERVER = (
    "import os, signal\nserver = os.getppid()\nos.kill(server, signal.SIGKILL)\nwhile os.getppid() == server: pass\nprint('on')"
)
EVERY = 20


def execute(folder: Path, cell: str, **options: Any) -> str:
    """Execute one cell; return what it printed."""
    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)], metadata={"kernelspec": spec})
    nbformat.write(notebook, folder / "in.ipynb")
    options = {"engine_name": ENGINE_NAME, "progress_bar": False, "cwd": str(folder), **options}
    papermill.execute_notebook(str(folder / "in.ipynb"), str(folder / "out.ipynb"), **options)
    outputs = nbformat.read(folder / "out.ipynb", 4).cells[-1].outputs
    return "".join(output["text"] for output in outputs if output["output_type"] == "stream" and output["name"] == "stdout")


def expect(error: type[BaseException], folder: Path, cell: str, **options: Any) -> None:
    """Execute a cell that must fail in this way."""
    try:
        execute(folder, cell, **options)
    except error:
        return
    raise AssertionError(f"no {error.__name__}")


def one_pass(folder: Path, drawn: set[str]) -> None:
    """Execute all notebooks once."""
    execute(folder, SPOIL)
    random = execute(folder, LOOK)
    assert random not in drawn, "random numbers were drawn twice"
    drawn.add(random)
    execute(folder, COMPUTE)
    for cell in DEATHS:
        expect(DeadKernelError, folder, cell)
    expect(PapermillExecutionError, folder, "while True: pass", execution_timeout=1, interrupt_on_timeout=True)


def start(folder: Path) -> psutil.Process:
    """Start a server."""
    kernels.prestart(folder, Config(), imports=("numpy", "pandas", "duckdb", "pyarrow", "pyarrow.parquet"))
    return psutil.Process(kernels._server._process.pid)


def main(passes: int) -> int:
    """Run the passes; return the exit code."""
    warnings.simplefilter("ignore")
    register_engine(max_output_bytes=1_000_000)
    started, parents, drawn = [], [], set()

    def note(pid: int) -> None:
        started.append(pid)
        parents.append(psutil.Process(pid).ppid())

    kernels.observe(note)
    began = time.monotonic()
    failures = killed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = start(folder)
        for number in range(1, passes + 1):
            try:
                before = len(parents)
                one_pass(folder, drawn)
                assert set(parents[before:]) == {server.pid}, f"started the ordinary way: {kernels.notices()}"
                # the children of a server that is alive are its kernels: there is none now
                left = [p for p in psutil.Process(server.pid).children() if p.status() != psutil.STATUS_ZOMBIE]
                assert not left, f"left behind: {left}"
                if number % EVERY == 0:
                    assert execute(folder, KILL_SERVER) == "on\n"
                    execute(folder, "1")
                    assert parents[-1] == os.getpid(), "no kernel was started the ordinary way"
                    assert "killed by signal 9" in str(kernels.stop())
                    killed += 1
                    server = start(folder)
            except Exception as error:  # noqa: BLE001
                failures += 1
                print(f"pass {number}: {type(error).__name__}: {str(error)[-500:]}", flush=True)
            if number % EVERY == 1:
                files, memory = server.num_fds(), server.memory_info().rss / 1e6
                print(f"pass {number}: server {server.pid}: {files} descriptors, {memory:.0f} MB", flush=True)
        files, children, memory = server.num_fds(), len(server.children()), server.memory_info().rss / 1e6
        kernels.stop()
        mine = os.getuid()
        sleepers = [
            p.pid
            for p in psutil.process_iter(["cmdline", "uids"])
            if p.info["cmdline"] == ["sleep", "600"] and p.info["uids"].real == mine
        ]
    print(
        f"{passes} passes, {failures} failed; {len(started)} kernels; server killed {killed} times; at the end {files} descriptors, "
        f"{children} children, {memory:.0f} MB; left running: {sleepers}; {time.monotonic() - began:.0f} s"
    )
    return 1 if failures or sleepers else 0


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    raise SystemExit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 200))
