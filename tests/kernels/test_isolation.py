"""One notebook's kernel knows nothing of another's, and finds the process as a kernel that was started would find it."""

# ruff: noqa: E501 - code of cells

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import psutil
import pytest

SHOW = "import json\nprint(json.dumps({}))"


@pytest.fixture(autouse=True)
def _forked(forked):
    yield
    assert forked(), "no kernel was started"


def test_nothing_stays_from_one_notebook_to_the_next(execute, tmp_path):
    spoil = """
import builtins, decimal, gc, logging, os, random, signal, sys, threading, time, types, warnings
import numpy as np, pandas as pd, matplotlib
leaked = 1
builtins.leaked = 2
os.environ["LEAKED"] = "3"
os.chdir("/")
os.umask(0o777)
sys.path.insert(0, "/leaked")
sys.modules["leaked"] = types.ModuleType("leaked")
pd.leaked = 4
pd.set_option("display.max_rows", 7)
matplotlib.rcParams["figure.dpi"] = 7
np.random.seed(1); random.seed(1)
signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
warnings.simplefilter("error"); logging.basicConfig(level=1); gc.disable()
sys.setrecursionlimit(5000); decimal.getcontext().prec = 3
threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
file = open("/dev/null")
print(np.random.random(), random.random())
"""
    look = SHOW.format(
        """{
    "globals": "leaked" in globals(), "builtins": hasattr(__import__("builtins"), "leaked"), "variable": "LEAKED" in os.environ,
    "path": "/leaked" in sys.path, "module": "leaked" in sys.modules, "attribute": hasattr(pd, "leaked"), "cwd": os.getcwd(),
    "rows": pd.get_option("display.max_rows"), "dpi": matplotlib.rcParams["figure.dpi"], "gc": gc.isenabled(),
    "umask": os.umask(0), "term": signal.getsignal(signal.SIGTERM) == signal.SIG_DFL, "int": signal.getsignal(signal.SIGINT) == signal.default_int_handler,
    "mask": [int(s) for s in signal.pthread_sigmask(signal.SIG_BLOCK, [])], "level": logging.getLogger().level,
    "error": any(f[0] == "error" and f[2] is Warning for f in warnings.filters), "recursion": sys.getrecursionlimit(),
    "prec": decimal.getcontext().prec, "sleeping": any("sleep" in t.name for t in threading.enumerate()),
    "null": [f for f in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{f}") and os.readlink(f"/proc/self/fd/{f}") == "/dev/null"],
    "random": [float(np.random.random()), random.random()],
}"""
    )
    imports = "import decimal, gc, logging, os, random, signal, sys, threading, warnings\nimport numpy as np, pandas as pd, matplotlib\n"
    execute(spoil)
    seen = execute(imports + look).value()
    again = execute(imports + look).value()
    assert seen.pop("random") != again.pop("random"), "two notebooks drew the same random numbers"
    expected = {
        "globals": False, "builtins": False, "variable": False, "path": False, "module": False, "attribute": False,
        "cwd": str(tmp_path), "rows": 60, "dpi": 100.0, "gc": True, "umask": _umask(), "term": True, "int": True, "mask": [],
        "level": 30, "error": False, "recursion": 3000 if sys.version_info >= (3, 11) else seen["recursion"], "prec": 28,
        "sleeping": False, "null": [],
    }  # fmt: skip
    assert seen == again
    assert {**seen, "recursion": None} == {**expected, "recursion": None}
    assert seen["recursion"] != 5000


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def test_a_notebook_finds_what_a_started_kernel_finds(execute, tmp_path, monkeypatch):
    from nbops import kernels

    (tmp_path / "beside.py").write_text("value = 41\n")
    other = tmp_path / "library"
    other.mkdir()
    (other / "helper.py").write_text("value = 1\n")
    monkeypatch.setenv("PYTHONPATH", str(other))
    monkeypatch.setenv("NBOPS_TASK", "a task")
    monkeypatch.setenv("EMPTY", "")
    code = """
import json, locale, logging, os, resource, signal, sys, threading, time
import beside, helper
ours = lambda pairs: {k: v for k, v in pairs if k not in {"JPY_PARENT_PID", "PYDEVD_USE_FRAME_EVAL"}}
print(json.dumps({
    "sum": beside.value + helper.value, "path": sys.path, "argv": [a for a in sys.argv if "kernel.json" not in a], "main": __name__,
    "is_main": sys.modules["__main__"].__dict__ is globals(), "file": getattr(sys.modules["__main__"], "__file__", None),
    "environment": ours(os.environ.items()), "cwd": os.getcwd(), "umask": os.umask(0o22),
    "limits": [resource.getrlimit(getattr(resource, n)) for n in sorted(dir(resource)) if n.startswith("RLIMIT_")],
    "signals": [str(signal.getsignal(n)) for n in sorted(signal.valid_signals())], "zone": time.tzname,
    "locale": locale.setlocale(locale.LC_ALL), "handlers": str(logging.getLogger().handlers), "flags": str(sys.flags),
    "session": [os.getsid(0) == os.getpid(), os.getpgid(0) == os.getpid()], "niceness": os.nice(0), "executable": sys.executable,
    "streams": [str(type(s)) for s in (sys.stdin, sys.stdout, sys.stderr)], "threads": len(threading.enumerate()),
    "history": get_ipython().history_manager.hist_file, "profile": get_ipython().profile_dir.location,
    "names": sorted(globals()), "children": os.path.exists("/proc/self") and __import__("psutil").Process().children() != [],
}))
import matplotlib
print(json.dumps([matplotlib.get_backend(), {k: str(v) for k, v in matplotlib.rcParams.items()}]))
import numpy, scipy.linalg, threadpoolctl
print(json.dumps([(i["internal_api"], i["num_threads"]) for i in threadpoolctl.threadpool_info()]))
"""
    warm = execute(code).text().splitlines()
    server, kernels._server = kernels._server, None
    observer, kernels._observer = kernels._observer, None
    try:
        cold = execute(code).text().splitlines()
    finally:
        kernels._server, kernels._observer = server, observer
    found, expected = json.loads(warm[0]), json.loads(cold[0])
    # the debugger's back end has a thread or none; the kernel watches its client in one
    assert found.pop("threads") == expected.pop("threads")
    assert found == expected
    assert found["sum"] == 42
    assert warm[1:] == cold[1:]


def test_limits_niceness_and_umask_are_those_of_the_task(execute):
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    before = os.umask(0o027)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft - 1, hard))
    try:
        code = SHOW.format("[os.umask(0), resource.getrlimit(resource.RLIMIT_NOFILE)[0]]")
        assert execute("import os, resource\n" + code).value() == [0o027, soft - 1]
    finally:
        os.umask(before)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_limit_that_a_notebook_sets_is_its_own(execute):
    setting = (
        "import resource\nresource.setrlimit(resource.RLIMIT_CORE, (0, 0)); resource.setrlimit(resource.RLIMIT_NOFILE, (99, 99))"
    )
    execute(setting)
    assert execute("import resource, json\nprint(json.dumps(resource.getrlimit(resource.RLIMIT_NOFILE)))").value()[0] != 99


def test_nothing_of_the_server_is_open_in_a_kernel(execute, warm):
    server = {link for link in _links(warm.pid) if link.startswith(("socket:", "anon_inode:[eventpoll]", "pipe:"))}
    code = 'import os, json\nprint(json.dumps([os.readlink(f"/proc/self/fd/{f}") for f in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{f}")]))'
    mine = execute(code).value()
    assert not {link for link in mine if link.startswith(("socket:", "pipe:"))} & server
    assert not [link for link in mine if "memfd" in link]


def _links(pid: int) -> list[str]:
    return [str(entry.readlink()) for entry in Path(f"/proc/{pid}/fd").iterdir()]


def test_a_child_of_a_notebook_inherits_no_descriptor(execute):
    code = "import subprocess\nprint(subprocess.run(['ls', '/proc/self/fd'], capture_output=True, text=True).stdout.split())"
    assert execute(code).text().strip() in {"['0', '1', '2', '3']", "['0', '1', '2']"}


def test_libraries_compute_after_the_fork(execute):
    code = """
import json, os
import duckdb, numpy as np, pandas as pd, pyarrow as pa, pyarrow.parquet as pq, pyarrow.compute as pc
from scipy import linalg
a = np.random.default_rng(0).random((300, 300))
assert np.allclose(a @ np.linalg.inv(a), np.eye(300)) and np.allclose(linalg.inv(a) @ a, np.eye(300))
table = pa.table({"x": np.arange(400_000) % 97, "y": np.random.default_rng(1).random(400_000)})
pq.write_table(table, "t.parquet", row_group_size=20_000)
back = pq.read_table("t.parquet", use_threads=True)
assert back.equals(table) and len(back.group_by("x", use_threads=True).aggregate([("y", "sum")])) == 97
con = duckdb.connect(); con.execute("SET threads = 4")
total = con.execute("select count(*), sum(x) from 't.parquet'").fetchone()
frame = pd.read_parquet("t.parquet")
assert duckdb.sql("select x, count(*) from frame group by 1").df().shape == (97, 2)
assert pa.default_memory_pool().bytes_allocated() > 0
print(json.dumps([total[0], int(total[1]), int(frame.x.sum()), os.path.getsize("t.parquet") > 0]))
"""
    expected = sum(i % 97 for i in range(400_000))
    for _ in range(2):
        assert execute(code).value() == [400_000, expected, expected, True]


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_pools_of_processes(execute, tmp_path, method):
    (tmp_path / "work.py").write_text(
        "import os\n\ndef double(x):\n    import numpy\n    return int(numpy.int64(x) * 2), os.getpid()\n"
    )
    code = f"""
import json, multiprocessing, os, warnings
from concurrent.futures import ProcessPoolExecutor
warnings.simplefilter("ignore", DeprecationWarning)
import work
context = multiprocessing.get_context("{method}")
with context.Pool(2) as pool:
    one = pool.map(work.double, range(5))
with ProcessPoolExecutor(2, mp_context=context) as pool:
    two = list(pool.map(work.double, range(5)))
assert os.getpid() not in {{pid for _, pid in one + two}}
print(json.dumps([[x for x, _ in one], [x for x, _ in two]]))
"""
    assert execute(code).value() == [[0, 2, 4, 6, 8]] * 2


def test_joblib(execute, tmp_path):
    pytest.importorskip("joblib")
    (tmp_path / "work.py").write_text("def double(x):\n    return x * 2\n")
    code = "import joblib, json, work\nprint(json.dumps(joblib.Parallel(2)(joblib.delayed(work.double)(i) for i in range(4))))"
    assert execute(code).value() == [0, 2, 4, 6]


def test_two_notebooks_do_not_share_the_key_of_multiprocessing(execute):
    code = "import multiprocessing, json\nprint(json.dumps(multiprocessing.current_process().authkey.hex()))"
    assert execute(code).value() != execute(code).value()


def test_asyncio_threads_and_shell(execute):
    code = """
import asyncio, json, threading
async def double(x):
    await asyncio.sleep(0)
    return 2 * x
values = await asyncio.gather(*map(double, range(3)))
done = []
thread = threading.Thread(target=lambda: done.append(asyncio.run(double(21)))); thread.start(); thread.join()
shell = !echo from the shell
print(json.dumps([values, done, list(shell)]))
"""
    assert execute(code).value() == [[0, 2, 4], [42], ["from the shell"]]


def test_output_below_python_and_figures_are_kept(execute):
    ran = execute(
        "import os, subprocess\nos.write(1, b'below\\n')\nsubprocess.run(['echo', 'child'])",
        "import matplotlib.pyplot as plt\nplt.plot([1, 2]); plt.show()",
        "import pandas as pd\npd.DataFrame({'a': [1]})",
    )
    assert {"below", "child"} <= set(ran.text(0).split())
    kinds = [set(output.get("data", {})) for output in ran.cells[1].outputs]
    assert {"image/png", "text/plain"} in kinds
    assert "text/html" in ran.cells[2].outputs[-1]["data"]


def test_what_is_open_at_the_end_is_written(execute, tmp_path):
    (tmp_path / "holder.py").write_text("file = open('module.txt', 'w')\nfile.write('kept')\n")
    code = """
import atexit, duckdb, pathlib, tempfile, holder
mine = open('mine.txt', 'w'); mine.write('kept')
folder = tempfile.TemporaryDirectory(dir='.'); pathlib.Path('folder.txt').write_text(folder.name)
base = duckdb.connect('base.duckdb'); base.execute('create table t as select 42 as x')
atexit.register(lambda: pathlib.Path('atexit.txt').write_text('ran'))
"""
    execute(code)
    assert {name: (tmp_path / name).read_text() for name in ("mine.txt", "module.txt", "atexit.txt")} == {
        "mine.txt": "kept", "module.txt": "kept", "atexit.txt": "ran",
    }  # fmt: skip
    assert not (tmp_path / (tmp_path / "folder.txt").read_text()).exists()
    assert not (tmp_path / "base.duckdb.wal").exists()


def test_the_project_is_never_imported_ahead(execute, tmp_path):
    module = tmp_path / "mine.py"
    for value in (1, 2):
        module.write_text(f"value = {value}\n" + "#" * value)
        assert execute("import mine\nprint(mine.value)").text() == f"{value}\n"


def test_a_kernel_leaves_nothing_running(execute, forked, warm):
    code = "import subprocess, json\nc = subprocess.Popen(['sleep', '600'])\nimport os; os.system('sleep 600 >/dev/null 2>&1 &')\nprint(json.dumps(c.pid))"
    pid = execute(code).value()
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    from nbops.kernels.sessions import session_members

    assert session_members(forked()[-1]) == []
    assert warm.children() == []


def test_ipython_profiles_are_honoured(execute, tmp_path):
    startup = tmp_path / "profile" / "startup"
    startup.mkdir(parents=True)
    (startup / "00.py").write_text("from_startup = 7\n")
    (tmp_path / "profile" / "ipython_kernel_config.py").write_text("c.InteractiveShell.ast_node_interactivity = 'all'\n")
    os.environ["IPYTHONDIR"] = str(tmp_path / "ipython")
    (tmp_path / "ipython").mkdir()
    (tmp_path / "profile").rename(tmp_path / "ipython" / "profile_default")
    try:
        ran = execute("from_startup\n8")
    finally:
        del os.environ["IPYTHONDIR"]
    values = [output["data"]["text/plain"] for output in ran.cells[0].outputs if output["output_type"] == "execute_result"]
    assert values == ["7", "8"]
    assert not list((tmp_path / "ipython").rglob("history.sqlite"))


def test_no_list_of_modules_is_made_and_ipykernel_is_as_it_was(execute):
    look = SHOW.format("[list(get_ipython().kernel._kernel_modules), ipykernel.ipkernel.sys is sys, len(sys.modules) > 500]")
    assert execute(f"import sys, ipykernel.ipkernel\n{look}").value() == [[], True, True]


def test_a_module_that_was_written_a_moment_ago_is_found(execute, tmp_path):
    # in a folder that was looked into before, within the time that file systems tell apart
    code = f"""
import sys
from pathlib import Path
folder = Path({str(tmp_path)!r}, "late"); folder.mkdir(exist_ok=True)
sys.path.insert(0, str(folder))
try:
    import late_module
except ImportError:
    print("missing")
"""
    assert execute(code).text() == "missing\n"
    (tmp_path / "late" / "late_module.py").write_text("value = 1")
    assert execute(code + "else:\n    print(late_module.value)").text() == "1\n"
