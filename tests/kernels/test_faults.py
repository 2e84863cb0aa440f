"""Whatever dies or misbehaves: notebooks run, nothing is left behind, and it is said."""

# ruff: noqa: E501 - code of cells

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import psutil
import pytest

import nbops
from nbops import kernels
from nbops.contract.config import Config
from nbops.kernels import client, wire
from nbops.kernels.sessions import kill_child, session_members


@pytest.fixture
def start(tmp_path):
    """Return a function that starts a server of this test's own, and stops it in the end."""
    kernels.stop()

    def begin(*modules: str, root: Path = tmp_path, settings: tuple[str, ...] | None = None) -> psutil.Process:
        kernels.prestart(root, Config(preload=settings), imports=modules)
        return psutil.Process(kernels._server._process.pid)

    yield begin
    kernels.observe(None)
    kernels.stop()


@pytest.fixture
def parents():
    """Return the list of the parents of the kernels that are started."""
    found: list[int] = []
    kernels.observe(lambda pid: found.append(psutil.Process(pid).ppid()))
    yield found
    kernels.observe(None)


@pytest.fixture
def library(tmp_path, monkeypatch):
    """Return a function that installs a module where the server and all kernels find it."""
    folder = tmp_path / "installed" / "site-packages"
    folder.mkdir(parents=True)
    monkeypatch.setenv("PYTHONPATH", str(folder))

    def install(name: str, text: str) -> Path:
        (folder / f"{name}.py").write_text(textwrap.dedent(text))
        return folder / f"{name}.py"

    return install


LOADED = "import sys, json\nprint(json.dumps([name in sys.modules for name in {}]))"


def test_what_cannot_be_forked_is_left_out_said_once_and_remembered(start, execute, library, tmp_path, parents):
    library("starts_threads", "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True).start()")
    library("starts_process", "import subprocess\nchild = subprocess.Popen(['sleep', '600'])")
    library("keeps_open", "import socket\nconnection = socket.socketpair()")
    library("sets_handler", "import signal\nsignal.signal(signal.SIGUSR1, lambda *_: None)")
    library("raises", "raise RuntimeError('no device')")
    library("leaves", "import sys\nsys.exit('no licence')")
    library("fine", "value = 1\nimport os\nos.environ['SET_BY_FINE'] = '1'")
    names = ["starts_threads", "starts_process", "keeps_open", "sets_handler", "raises", "leaves", "fine", "not_installed"]
    root = tmp_path / "root"
    root.mkdir()
    server = start(*names, root=root)
    ran = execute(LOADED.format(names), "import starts_threads, sets_handler, keeps_open, os\nprint(os.environ['SET_BY_FINE'])")
    assert ran.value(0) == [False, False, False, False, False, False, True, False]
    assert ran.text() == "1\n"
    assert parents == [server.pid]
    said = kernels.stop()
    assert len(said) == 6
    for name, reason in (
        ("starts_threads", "starts threads"), ("starts_process", "starts processes"), ("keeps_open", "open"),
        ("sets_handler", "signal handlers"), ("raises", "RuntimeError: no device"), ("leaves", "exit('no licence')"),
    ):  # fmt: skip
        assert [sentence for sentence in said if sentence.startswith(name) and reason in sentence]
    start(*names, root=root)
    assert execute(LOADED.format(["fine", "raises"])).value() == [True, False]
    assert kernels.stop() == ()
    for process in psutil.process_iter(["cmdline"]):
        assert process.info["cmdline"] != ["sleep", "600"] or process.ppid() != server.pid


def test_what_the_settings_ask_for_is_imported_and_its_failure_said_each_time(start, execute, library, tmp_path):
    library("asked", "value = 1")
    start("pandas", settings=("asked", "not_installed"))
    assert execute(LOADED.format(["asked", "pandas"])).value() == [True, False]
    assert kernels.stop() == (
        "not_installed of `preload` in [tool.nbops] is not imported ahead of notebooks: there is no such module",
    )


def test_modules_of_the_project_are_not_imported_ahead(start, execute, tmp_path, monkeypatch):
    root = tmp_path / "root"
    root.mkdir()
    (root / "mine.py").write_text("import json\n")
    monkeypatch.setenv("PYTHONPATH", str(root))
    start("mine", root=root)
    assert execute(LOADED.format(["mine"]), cwd=str(root)).value() == [False]
    assert "belongs to the project" in kernels.stop()[0]


def test_of_a_guess_nobody_is_told_and_the_next_build_knows_better(tmp_path, execute):
    kernels.stop()
    cache = tmp_path / ".nbops/cache/kernels.json"
    cache.parent.mkdir(parents=True)
    kernels.prestart(tmp_path, Config())  # before anything is known of the pipeline
    kernels.prestart(tmp_path, Config(), imports=["json", "csv"])
    assert execute("print(1)").text() == "1\n"
    assert kernels.stop() == ()
    assert json.loads(cache.read_text())["imports"] == ["csv", "json"]


def test_the_server_itself_is_no_module_of_the_project(start, execute):
    start(root=Path(nbops.__file__).parents[2], settings=("multiprocessing",))  # as in a project that holds nbops' own source
    assert execute(LOADED.format(["multiprocessing"])).value() == [True]
    assert kernels.stop() == ()


def test_a_file_of_the_project_that_hides_a_library_is_what_the_notebook_imports(start, execute, tmp_path, parents):
    server = start("yaml")
    (tmp_path / "yaml.py").write_text("value = 'mine'\n")
    assert execute("import yaml\nprint(yaml.value)").text() == "mine\n"
    (tmp_path / "yaml.py").unlink()
    assert execute("import yaml\nprint(yaml.safe_load('[1]'))").text() == "[1]\n"
    assert [parent == server.pid for parent in parents] == [False, True]
    assert "yaml.py" in kernels.stop()[0]


@pytest.mark.parametrize("name", ["TZ", "OMP_NUM_THREADS", "PYTHONHASHSEED"])
def test_a_variable_that_is_read_once_is_honoured(start, execute, monkeypatch, parents, name):
    server = start()
    monkeypatch.setenv(name, "1")
    assert execute(f"import os\nprint(os.environ['{name}'])").text() == "1\n"
    assert parents != [server.pid]
    assert name in kernels.stop()[0]


def test_the_server_is_killed_while_a_notebook_runs(start, execute, parents):
    server = start("json")
    first = f"import os, signal, time\nos.kill({server.pid}, signal.SIGKILL)\nwhile os.getppid() == {server.pid}:\n    time.sleep(0.01)"
    assert execute(first, "print('ran to its end')").text() == "ran to its end\n"
    assert execute("print('next')").text() == "next\n"
    assert parents[0] == server.pid
    assert parents[1] == os.getpid()
    (said,) = kernels.stop()
    assert "killed by signal 9" in said


def test_the_server_is_killed_before_it_has_imported(start, execute, parents):
    server = start("pandas")
    server.kill()
    assert execute("print('ran')").text() == "ran\n"
    assert parents == [os.getpid()]
    assert "killed by signal 9" in kernels.stop()[0]


def test_no_place_for_sockets(execute, monkeypatch, tmp_path, parents):
    def refuse(*_arguments, **_options):
        raise OSError(28, "No space left on device")

    kernels.stop()
    monkeypatch.setattr("nbops.kernels.folder.tempfile.mkdtemp", refuse)
    kernels.prestart(tmp_path, Config())
    assert not kernels.running()
    assert execute("print('ran')").text() == "ran\n"
    assert parents == [os.getpid()]
    assert "No space left" in kernels.stop()[0]


def test_cold_kernels_are_cold(execute, tmp_path, parents):
    kernels.stop()
    kernels.prestart(tmp_path, Config(kernels="cold"))
    assert not kernels.running()
    execute("1")
    assert parents == [os.getpid()]
    assert kernels.stop() == ()


def test_the_start_is_idempotent_and_returns_at_once(start):
    server = start("pandas", "matplotlib.pyplot")
    assert start("pandas") == server


OTHER = """
import json, sys
print("as a kernel of another language", file=sys.stderr)
sys.argv[1:2] = []
from ipykernel.kernelapp import IPKernelApp
IPKernelApp.launch_instance(argv=sys.argv[1:])
"""


def test_a_kernel_of_another_language_or_environment_is_started_as_its_kernelspec_says(
    start, execute, tmp_path, monkeypatch, parents
):
    folder = tmp_path / "share" / "kernels" / "other"
    folder.mkdir(parents=True)
    (tmp_path / "other.py").write_text(OTHER)
    spec = {
        "argv": [sys.executable, str(tmp_path / "other.py"), "x", "-f", "{connection_file}"],
        "display_name": "O",
        "language": "python",
    }
    (folder / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "share"))
    server = start()
    found = execute(
        "import sys\nprint(sys.orig_argv[1])", kernelspec={"name": "other", "display_name": "O", "language": "python"}
    )
    assert found.text() == f"{tmp_path / 'other.py'}\n"
    assert parents != [server.pid]
    assert kernels.stop() == ()


def test_a_kernelspec_with_variables_and_arguments_is_honoured(start, execute, tmp_path, monkeypatch, parents):
    folder = tmp_path / "share" / "kernels" / "mine"
    folder.mkdir(parents=True)
    spec = {
        "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", "--InteractiveShell.ast_node_interactivity=all"],
        "display_name": "M", "language": "python", "env": {"FROM_SPEC": "yes"},
    }  # fmt: skip
    (folder / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "share"))
    server = start()
    ran = execute(
        "import os\nprint(os.environ['FROM_SPEC'])\n1\n2", kernelspec={"name": "mine", "display_name": "M", "language": "python"}
    )
    assert ran.text() == "yes\n"
    assert len(ran.cells[0].outputs) == 3
    assert parents == [server.pid]


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ([sys.executable, "-m", "ipykernel_launcher", "-f", "x"], ["-f", "x"]),
        ([sys.executable, "-m", "ipykernel", "-f", "x"], ["-f", "x"]),
        ([sys.executable, "-X", "dev", "-m", "ipykernel_launcher", "-f", "x"], None),
        (["/usr/bin/true", "-m", "ipykernel_launcher", "-f", "x"], None),
        ([sys.executable, "-m", "xeus", "-f", "x"], None),
        (["R", "--slave", "-e", "IRkernel::main()", "--args", "x"], None),
        ([], None),
    ],
)
def test_only_this_environments_ipykernel_is_forked(command, arguments):
    assert client.kernel_arguments(command) == arguments


# -- who outlives whom ------------------------------------------------------------------------------------------------------

TASK = """
import os, sys
import nbops
from nbops import kernels
from nbops.kernels.client import fork_kernel
sys.stdin.readline()
"""


def fork_one(folder: Path) -> client.ForkedProcess:
    """Fork a kernel that nobody talks to."""
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", str(folder / "kernel.json")]
    return client.fork_kernel(kernels.address(), command, environment=dict(os.environ), folder=str(folder), streams=(1, 2))


def gone(pid: int, *, seconds: float = 20.0) -> bool:
    try:
        process = psutil.Process(pid)
        psutil.wait_procs([process], timeout=seconds)
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.Error:
        return True


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_kernel_dies_with_its_task(start, tmp_path):
    start()
    reader, writer = os.pipe()
    task = os.fork()
    if task == 0:
        os.write(writer, str(fork_one(tmp_path).pid).encode())
        signal.pause()
    kernel = int(os.read(reader, 20))
    os.kill(task, signal.SIGKILL)
    os.waitpid(task, 0)
    assert gone(kernel)
    for descriptor in (reader, writer):
        os.close(descriptor)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_kernel_dies_with_its_task_also_when_the_server_is_gone(start, tmp_path, execute):
    server = start()
    reader, writer = os.pipe()
    task = os.fork()
    if task == 0:
        process = fork_one(tmp_path)
        while not (tmp_path / "kernel.json").exists():
            os.sched_yield()
        os.write(writer, str(process.pid).encode())
        signal.pause()
    kernel = int(os.read(reader, 20))
    server.kill()
    server.wait()
    os.kill(task, signal.SIGKILL)
    os.waitpid(task, 0)
    assert gone(kernel)
    for descriptor in (reader, writer):
        os.close(descriptor)


def test_all_die_with_the_build_when_it_is_killed(tmp_path):
    script = textwrap.dedent(f"""
        import os, signal, sys
        from pathlib import Path
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from nbops import kernels
        from nbops.contract.config import Config
        from nbops.kernels.client import fork_kernel
        kernels.prestart(Path({str(tmp_path)!r}), Config(), imports=())
        command = [sys.executable, "-m", "ipykernel_launcher", "-f", {str(tmp_path / "kernel.json")!r}]
        kernel = fork_kernel(kernels.address(), command, environment=dict(os.environ), folder={str(tmp_path)!r}, streams=(1, 2))
        print(kernels._server._process.pid, kernel.pid, Path(kernels.address()).parent, flush=True)
        signal.pause()
    """)
    build = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    server, kernel, folder = build.stdout.readline().split()
    build.kill()
    build.wait()
    build.stdout.close()
    assert gone(int(server))
    assert gone(int(kernel))
    assert not Path(folder).exists()


def test_a_kernel_that_ends_takes_its_session_along(start, tmp_path, execute):
    start()
    pids: list[int] = []
    kernels.observe(pids.append)
    code = "import os, subprocess\nsubprocess.Popen(['sh', '-c', 'trap \"\" TERM HUP; sleep 600'])\nos._exit(5)"
    with pytest.raises(Exception, match="died"):
        execute(code)
    assert session_members(pids[0]) == []


def test_a_kernel_without_a_session_of_its_own_yet_is_killed_too():
    kernel = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    assert os.getsid(kernel.pid) == os.getsid(0)
    kill_child(kernel.pid)
    assert kernel.wait(20) == -signal.SIGKILL


def test_stop_ends_everything(start, tmp_path):
    server = start()
    kernel = fork_one(tmp_path)
    folder = Path(kernels.address()).parent
    kernels.stop()
    assert not server.is_running()
    assert gone(kernel.pid)
    assert not folder.exists()
    assert kernel.wait(20) == -signal.SIGKILL


# -- who may ask ------------------------------------------------------------------------------------------------------------


def test_the_socket_is_private_and_nothing_is_on_a_command_line(start, execute, monkeypatch, tmp_path):
    monkeypatch.setenv("DATABASE_PASSWORD", "s3cr3t-in-environment")
    server = start("json")
    folder = Path(kernels.address()).parent
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    pids: list[int] = []
    kernels.observe(pids.append)
    look = "print(open('/proc/self/cmdline').read().replace('\\0', ' '))"
    ran = execute(("token = ''", ["parameters"]), look, parameters={"token": "s3cr3t-as-parameter"})
    seen = ran.text() + " ".join(server.cmdline())
    assert "s3cr3t" not in seen
    assert not [file for file in folder.rglob("*") if file.is_file() and b"s3cr3t" in file.read_bytes()]


def test_nonsense_does_not_stop_the_server(start, execute):
    server = start()
    for data in (b"{", b"[]", b"\0" * 100, b'{"fork": 1}', b"1"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as other:
            other.connect(kernels.address())
            other.send(data)
    nonsense = wire.memory_file("kernel", {"arguments": 1})
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as other:
        other.connect(kernels.address())
        wire.send(other, {"fork": 1}, (nonsense, 1, 2))
        other.settimeout(20)
        assert other.recv(1000) != b"something"
    os.close(nonsense)
    assert execute("print('ran')").text() == "ran\n"
    assert server.is_running()


def test_two_hundred_kernels_leave_nothing(start, tmp_path):
    server = start("json")

    def one() -> None:
        process = fork_one(tmp_path)
        process.kill()
        assert process.wait(30) == -signal.SIGKILL

    def files() -> int:
        """Return the server's open files; of a kernel's end it tells first, and lets go of it then."""
        return min(server.num_fds() for _ in range(1_000))

    for _ in range(10):
        one()
    before, memory = files(), server.memory_info().rss
    for _ in range(200):
        one()
    assert files() == before
    assert server.children() == []
    assert server.memory_info().rss - memory < 5_000_000
    assert server.num_threads() == 1
