"""The process that is forked for other work than kernels: what it has, what it has not, and how it ends whatever happens."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import psutil
import pytest

from nbops import kernels
from nbops.contract.config import Config

MODULE = """
import json, os, sys, time
def run(questions, answers):
    out = os.fdopen(answers, "w")
    for line in os.fdopen(questions):
        print(json.dumps(eval(json.loads(line))), file=out, flush=True)
    return 7
"""
CHANGES = """
import os, pandas
pandas.set_option("display.max_rows", 7)
os.environ["SET_BY_CHANGES"] = "1"
"""


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Return a function that starts a server with a companion, and returns both."""
    kernels.stop()
    folder = tmp_path / "installed" / "site-packages"
    folder.mkdir(parents=True)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    (folder / "told_companion.py").write_text(MODULE)

    def begin(*modules: str, library: str | None = None, root: Path = tmp_path):
        if library is not None:
            (folder / "library.py").write_text(textwrap.dedent(library))
        kernels.prestart(root, Config(), imports=modules, companion="told_companion")
        companion = kernels.take_companion()
        assert companion is not None
        return psutil.Process(kernels._server._process.pid), companion

    yield begin
    kernels.stop()


def ask(companion, expression):
    companion.questions.write(json.dumps(expression).encode() + b"\n")
    line = b""
    while not line.endswith(b"\n"):
        piece = companion.answers.read(1 << 16)
        if not piece:
            return None
        line += piece
    return json.loads(line)


def ended(process):
    try:
        process.wait(60)
    except psutil.TimeoutExpired:
        return False
    return True


def test_it_has_the_usual_libraries_and_nothing_of_the_notebooks(start, execute):
    server, companion = start("pandas", "library", "matplotlib.pyplot", library=CHANGES)
    loaded = [name + " in sys.modules" for name in ("'pandas'", "'library'", "'matplotlib'", "'told_companion'")]
    assert ask(companion, f"[{', '.join(loaded)}]") == [True, False, False, True]
    assert ask(companion, "sys.modules['pandas'].get_option('display.max_rows')") == 60
    assert ask(companion, "os.environ.get('SET_BY_CHANGES')") is None
    assert ask(companion, "sys.modules['pandas'].set_option('display.max_rows', 8)") is None
    told = execute(
        "import sys, pandas\nloaded = [name in sys.modules for name in ('library', 'told_companion')]\n"
        "print(*loaded, pandas.get_option('display.max_rows'))"
    )
    assert told.text() == "True False 7\n"
    assert ask(companion, "[os.getppid(), os.getsid(0) == os.getpid()]") == [server.pid, True]
    assert companion.pid is None or companion.pid == ask(companion, "os.getpid()")


def test_it_holds_nothing_of_the_server_but_its_own_pipes(start):
    _, companion = start()
    link = "os.readlink(f'/proc/self/fd/{name}') for name in os.listdir('/proc/self/fd')"
    listed = f"[{link} if os.path.exists(f'/proc/self/fd/{{name}}')]"
    links = ask(companion, listed)
    assert sum(link.startswith("pipe:") for link in links) == 2
    assert not [link for link in links if link.startswith(("socket:", "/memfd:", "anon_inode:"))]


def test_it_is_given_to_one_only_and_not_under_other_variables(start, tmp_path, monkeypatch):
    start()
    assert kernels.take_companion() is None
    kernels.stop()
    kernels.prestart(tmp_path, Config(), companion="told_companion")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    assert kernels.take_companion() is None
    kernels.stop()
    kernels.prestart(tmp_path, Config())
    assert kernels.take_companion() is None  # none was asked for
    kernels.stop()
    assert kernels.take_companion() is None


@pytest.mark.parametrize("how", ["killed", "told"])
def test_its_end_is_told_and_kernels_go_on(start, execute, how):
    server, companion = start()
    pid = ask(companion, "os.getpid()")
    if how == "killed":
        os.kill(pid, signal.SIGKILL)
    else:
        companion.questions.close()
    assert companion.answers.read(1) == b""
    assert companion.wait(60) == (-signal.SIGKILL if how == "killed" else 7)
    assert companion.pid == pid
    assert execute("import os\nprint(os.getppid())").value() == server.pid
    companion.close()
    assert server.is_running()
    assert kernels.stop() == ()
    assert ended(server)


def test_it_dies_with_the_server(start):
    server, companion = start()
    own = psutil.Process(ask(companion, "os.getpid()"))
    server.kill()
    assert companion.answers.read(1) == b""
    assert ended(own)
    assert companion.wait(1) is None
    companion.close()
    assert "was killed by signal 9" in kernels.stop()[0]


def test_the_server_stays_for_it_and_forks_no_more_kernels(start, tmp_path):
    server, companion = start()
    own = psutil.Process(ask(companion, "os.getpid()"))
    folder = Path(kernels.address()).parent
    assert kernels.stop() == ()
    assert not folder.exists()
    assert kernels.address() is None
    assert ask(companion, "1 + 1") == 2
    assert server.is_running()
    companion.close()
    companion.close()
    assert ended(own)
    assert ended(server)


def test_a_server_that_stayed_ends_with_it(start):
    server, companion = start()
    kernels.stop()
    companion.kill()
    assert companion.wait(60) == -signal.SIGKILL
    assert ended(server)
    companion.close()
    server, companion = start()
    os.kill(ask(companion, "os.getpid()"), signal.SIGKILL)  # just before it is to stay
    kernels.stop()
    assert ended(server)
    companion.close()


def test_a_server_that_stayed_dies_when_it_is_killed_and_so_does_the_companion(start):
    server, companion = start()
    own = psutil.Process(ask(companion, "os.getpid()"))
    kernels.stop()
    server.kill()
    assert ended(own)
    companion.close()


def test_stop_ends_one_that_nobody_took(start, tmp_path):
    kernels.prestart(tmp_path, Config(), companion="told_companion")
    server = psutil.Process(kernels._server._process.pid)
    companion = kernels._server._companion
    kernels.stop()
    assert ended(server)
    assert companion.gone(0)
    assert server.pid not in {child.ppid() for child in psutil.process_iter() if child.is_running()}


def test_it_outlives_the_servers_new_start(start, execute, tmp_path):
    (tmp_path / "root").mkdir()
    threads = "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True).start()"
    server, companion = start("pandas", "library", library=threads, root=tmp_path / "root")
    assert execute("import os, sys\nprint(os.getppid(), 'library' in sys.modules)").text() == f"{server.pid} False\n"
    pid = ask(companion, "os.getpid()")
    assert [child.pid for child in server.children()] == [pid]  # there is no second one
    os.kill(pid, signal.SIGKILL)
    assert companion.wait(60) == -signal.SIGKILL
    companion.close()
    assert len(kernels.stop()) == 1


def test_it_is_killed_also_while_the_server_hangs(start):
    server, companion = start("pandas", "library", library="import time\ntime.sleep(600)")
    own = psutil.Process(ask(companion, "os.getpid()"))
    companion.close()
    assert own.status() == psutil.STATUS_ZOMBIE  # whoever forked it is busy
    assert server.is_running()
    kernels.stop()
    assert ended(server)


def test_a_module_that_is_not_there_costs_nothing_but_the_companion(start, execute, tmp_path):
    kernels.stop()
    kernels.prestart(tmp_path, Config(), companion="no_such_module")
    companion = kernels.take_companion()
    assert companion.answers.read(1) == b""
    assert companion.wait(60) == 1
    assert execute("print(1)").text() == "1\n"
    companion.close()
    assert kernels.stop() == ()


@pytest.mark.parametrize("work", ["1", "time.sleep(600)"])
def test_it_dies_with_a_build_that_is_killed(start, tmp_path, work):
    script = textwrap.dedent(f"""
        import json, os, signal
        from pathlib import Path
        from nbops import kernels
        from nbops.contract.config import Config
        kernels.prestart(Path({str(tmp_path)!r}), Config(), companion="told_companion")
        companion = kernels.take_companion()
        companion.questions.write(b'"os.getpid()"\\n')
        print(kernels._server._process.pid, companion.answers.readline().decode(), flush=True)
        companion.questions.write(json.dumps({work!r}).encode() + b"\\n")
        kernels.stop()
        print("stopped", flush=True)
        signal.pause()
    """)
    build = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    server, own = (psutil.Process(int(pid)) for pid in (build.stdout.readline() + build.stdout.readline()).split())
    assert build.stdout.readline() == "stopped\n"
    build.kill()
    build.wait()
    build.stdout.close()
    assert ended(own)
    assert ended(server)
