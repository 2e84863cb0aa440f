"""The program as a process: start-up, pipes, errors, help."""

from __future__ import annotations

import itertools
import json
import os
import pty
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from nbops.cli import app, main
from nbops.cli.app import COMMANDS, EXIT_CODES, program
from nbops.cli.reference import reference
from nbops.errors import ChecksFailed, LedgerError
from nbops.record.store import write_run

from .conftest import Said, make_run, run_id, start

DOCS = Path(__file__).resolve().parents[2] / "docs/cli.md"
HEAVY = {
    "pandas",
    "ploomber",
    "duckdb",
    "papermill",
    "nbconvert",
    "nbclient",
    "numpy",
    "pyarrow",
    "jupyter_server",
    "ydata_profiling",
}


def test_reference_is_current() -> None:
    assert DOCS.read_text(encoding="utf-8") == reference(), "python -m nbops.cli.reference > docs/cli.md"


def test_every_command_is_documented() -> None:
    text = DOCS.read_text(encoding="utf-8")
    modules = {path.stem for path in (Path(app.__file__).parent / "commands").glob("*.py")} - {"__init__"}
    assert modules == set(COMMANDS)
    for name in COMMANDS:
        command = program.get_command(click.Context(program), name)
        assert command is not None
        assert f"## nbops {name}" in text
        assert command.name == name
        assert command.help
        assert command.short_help
        for option in command.params:
            assert not isinstance(option, click.Option) or option.help, f"{name}: {option.name}"


@pytest.mark.parametrize("name", ["", *sorted(COMMANDS)])
def test_help_has_examples_that_parse_and_exit_codes(name: str, call: Callable[..., Said]) -> None:
    said = call(*name.split(), "--help")
    assert said.code == 0
    assert "Examples:" in said.out
    assert "Exit codes:" in said.out
    examples = [line.strip() for line in said.out.splitlines() if line.strip().startswith("nbops ")]
    assert examples
    for example in examples:
        words = list(itertools.takewhile(lambda word: word not in {">", ">>", "&&"}, shlex.split(example)))[1:]
        if words[0] == "-C":
            words = words[2:]
        command = program.get_command(click.Context(program), words[0])
        assert command is not None
        command.make_context(words[0], words[1:]).close()


@pytest.mark.parametrize(
    "arguments",
    [
        "--help",
        "--version",
        "runs",
        "incidents",
        "show",
        "show --json",
        "gc --dry-run",
        "gc",
        "doctor",
        "completion bash",
        "attach",
        "check --help",
    ],
)
def test_start_up_is_light(with_runs: Path, arguments: str) -> None:
    code = (
        "import sys, json\nfrom nbops.cli import main\ncode = main(sys.argv[1:])\n"
        "print(json.dumps(sorted(name for name in sys.modules if '.' not in name)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments.split()], cwd=with_runs, capture_output=True, text=True, check=True
    )
    loaded = set(json.loads(done.stderr.splitlines()[-1]))
    assert not loaded & HEAVY
    if arguments in {"--help", "--version"}:
        assert not loaded & {"yaml", "ruamel", "jinja2", "psutil", "fastjsonschema", "bs4"}


def test_render_loads_no_notebook_machinery_without_notebooks(with_runs: Path) -> None:
    code = "import sys\nfrom nbops.cli import main\nassert main(['render']) == 0\nprint(*(set(sys.modules) & set(sys.argv[1:])))"
    heavy = [name for name in HEAVY if name != "numpy"]  # what monitors expected is calculated with it
    done = subprocess.run([sys.executable, "-c", code, *heavy], cwd=with_runs, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == ""


def test_import_of_the_package_is_light() -> None:
    code = "import sys, nbops.cli; print(*(set(sys.modules) & set(sys.argv[1:])))"
    done = subprocess.run([sys.executable, "-c", code, *HEAVY, "click"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("arguments", ["runs -n 40", "runs --json", "show --json", "--help"])
def test_a_closed_pipe_is_no_fault(project: Path, arguments: str) -> None:
    for number in range(40):
        write_run(project / "reports", make_run(number, verdict="failed", message="x" * 150))
    said = start(*arguments.split(), folder=project, shell="set -o pipefail; nbops | head -c 1 >/dev/null; echo ${PIPESTATUS[0]}")
    assert said.err == ""
    assert said.out.strip() in {"0", "141"}
    closed = start(*arguments.split(), folder=project, shell="nbops | true; echo ${PIPESTATUS[0]}")
    assert closed.err == ""
    assert closed.out.strip() in {"0", "141"}


def test_a_pipe_that_closes_before_anything_is_read(with_runs: Path) -> None:
    code = (
        "import os, sys\nread, write = os.pipe()\nos.close(read)\nos.dup2(write, 1)\n"
        "from nbops.cli import main\nsys.exit(main(['runs']))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=with_runs, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_full_disk_behind_standard_output(with_runs: Path) -> None:
    said = start("show", folder=with_runs, shell="nbops > /dev/full")
    assert said.code == 3
    assert said.err == "nbops: No space left on device\n"


def test_a_closed_standard_output(with_runs: Path) -> None:
    said = start("show", folder=with_runs, shell="nbops >&-")
    assert "Traceback" not in said.err


def test_any_encoding_of_the_terminal(project: Path) -> None:
    write_run(project / "reports", make_run(1, verdict="failed", message="naïve 数据 🛒"))
    for encoding in ("ascii", "latin-1", "cp437", "utf-16"):
        said = start("show", folder=project, environment={"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"})
        assert (said.code, said.err) == (0, "")
        assert "\\u6570\\u636e" in said.out or encoding in {"ascii", "utf-16"}  # click writes UTF-8 where it finds ASCII


def _on_terminal(folder: Path, *arguments: str, environment: dict[str, str]) -> str:
    read, write = pty.openpty()
    variables = {key: value for key, value in os.environ.items() if key not in {"NO_COLOR", "COLUMNS"}}
    code = "import sys; from nbops.cli import main; sys.exit(main())"
    with subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        stdout=write,
        stderr=write,
        env={**variables, "TERM": "xterm", **environment},
    ) as process:
        os.close(write)
        shown = b""
        while True:
            try:
                piece = os.read(read, 65536)
            except OSError:  # how a pseudo-terminal says that it has ended
                break
            if not piece:
                break
            shown += piece
        process.wait()
    os.close(read)
    return shown.decode()


def test_colours_on_a_terminal_only_and_never_against_no_color(with_runs: Path) -> None:
    assert "\x1b[" not in start("runs", folder=with_runs, environment={"NO_COLOR": ""}).out
    assert "\x1b[31m" in _on_terminal(with_runs, "runs", environment={})
    assert "\x1b[" not in _on_terminal(with_runs, "runs", environment={"NO_COLOR": "1"})
    assert "\x1b[" not in _on_terminal(with_runs, "show", environment={"TERM": "dumb"})


def test_a_terminal_gets_harmless_json(project: Path) -> None:
    write_run(project / "reports", make_run(1, verdict="warned", message="a\u202eb"))
    shown = _on_terminal(project, "show", "--json", environment={})
    assert "\u202e" not in shown
    assert "a\\u202eb" in shown
    assert json.loads(shown)["notices"][0]["message"] == "a\u202eb"


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (LedgerError("reports/x: is \x1b[31mdamaged"), 3, "nbops: reports/x: is \\x1b[31mdamaged\n"),
        (ChecksFailed("orders: 2 nulls"), 1, "nbops: orders: 2 nulls\n"),
        (PermissionError(13, "Permission denied", "/a/b"), 3, "nbops: /a/b: Permission denied\n"),
        (ValueError("two\nlines"), 3, "nbops: a fault of its own: ValueError: two lines. Run it again with NBOPS_DEBUG=1"),
        (KeyError("\x1b"), 3, "nbops: a fault of its own: KeyError"),
        (ModuleNotFoundError("No module", name="duckdb"), 3, "nbops: the package 'duckdb' is not installed"),
        (RecursionError(), 3, "nbops: a fault of its own: RecursionError. Run"),
        (MemoryError(), 3, "nbops: a fault of its own: MemoryError. Run"),
        (KeyboardInterrupt(), 130, "nbops: stopped\n"),
        (click.Abort(), 130, "nbops: stopped\n"),
        (click.ClickException("no"), 3, "nbops: no\n"),
        (click.UsageError("bad \x1b word"), 2, "nbops: bad \\x1b word\n"),
        (SystemExit(5), 5, ""),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_every_error_is_a_line_and_a_code(
    error: BaseException, code: int, words: str, call: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    def raising(context: click.Context) -> None:
        raise error

    monkeypatch.delenv("NBOPS_DEBUG", raising=False)
    monkeypatch.setattr(program, "invoke", raising)
    said = call("runs")
    assert said.code == code
    assert words in said.err
    assert "Traceback" not in said.err
    assert said.err.count("\n") <= 5
    monkeypatch.setenv("NBOPS_DEBUG", "1")
    if code in {1, 3}:
        assert "Traceback" in call("runs").err


def test_without_a_command_it_is_called_wrongly(call: Callable[..., Said]) -> None:
    said = call()
    assert said.code == 2
    assert said.out == ""
    assert "Usage: nbops" in said.err


@pytest.mark.parametrize(
    "arguments", [["rnus"], ["runs", "-n", "0"], ["runs", "-n", "x\x1b"], ["runs", "more"], ["--nope"], ["gc", "--force"]]
)
def test_wrong_calls_exit_with_2(with_runs: Path, call: Callable[..., Said], arguments: list[str]) -> None:
    said = call(*arguments)
    assert said.code == 2
    assert said.out == ""
    assert "\x1b" not in said.err


def test_a_slip_is_answered_with_the_nearest_command(call: Callable[..., Said]) -> None:
    assert "Did you mean 'runs'?" in call("rnus").err


def test_exit_codes_are_those_of_the_project() -> None:
    assert sorted(EXIT_CODES) == [0, 1, 2, 3]
    assert main(["--version"]) == 0
    assert run_id(1).startswith("2026")
