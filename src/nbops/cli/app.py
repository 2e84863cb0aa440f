"""The program: which commands there are, and what becomes of errors."""

from __future__ import annotations

import errno
import io
import os
import sys
import traceback
from contextlib import suppress
from importlib import import_module, metadata
from typing import TYPE_CHECKING

import click
from click.shell_completion import shell_complete

from nbops.cli.common import COMPLETE_VARIABLE, FAILED, OK, PROBLEM, USAGE, epilog
from nbops.cli.output import printable
from nbops.errors import ChecksFailed, NbopsError, TaskError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["COMMANDS", "EXIT_CODES", "PROGRAM", "program", "run"]

PROGRAM = "nbops"
COMMANDS = {
    "alerts": "messages to people about incidents",
    "attach": "put a pipeline under nbops",
    "backfill": "build a range of partitions",
    "bisect": "find the run and commit that broke a measurement",
    "blame": "tell which run and commit last moved a measurement",
    "build": "build the pipeline",
    "check": "judge published data",
    "completion": "shell completion",
    "contract": "suggest a contract",
    "diff": "compare two runs",
    "doctor": "look for faults of the environment",
    "expect": "say that something is to be expected",
    "gc": "throw old pages and scratch away",
    "git": "keep outputs out of committed notebooks",
    "impact": "tell what depends on something",
    "incidents": "list incidents, show one, say something about it",
    "init": "make a project",
    "lineage": "tell where data comes from and goes",
    "metrics": "numbers of runs for other systems",
    "new": "add a task to a project",
    "openlineage": "send events of lineage that wait",
    "render": "make pages from ledgers",
    "replay": "tell code from data: old code on new data and the reverse",
    "runs": "list runs",
    "show": "show a run",
    "status": "tell what a build would run",
}
"""Command to what it is about; each lives in ``nbops.cli.commands.<name>`` as ``command``, imported when it is asked for."""
EXIT_CODES = {
    OK: "passed or warned; the command did its work",
    FAILED: "checks failed, or could not be measured; a task failed",
    USAGE: "called wrongly, or files are in the way",
    PROBLEM: "could not work: a fault in settings, ledgers, the environment or the machine",
}
_INTERRUPTED = 130  # 128 + SIGINT, as shells count
_NOBODY_READS = 141  # 128 + SIGPIPE
_DEBUG = "NBOPS_DEBUG"


class _LazyGroup(click.Group):
    """Imports a command's module when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in COMMANDS:
            return None
        found = import_module(f"nbops.cli.commands.{cmd_name}").command
        if not isinstance(found, click.Command):
            raise TypeError(f"nbops.cli.commands.{cmd_name}.command is no command")
        return found

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            ctx.fail(f"there is no command {args[0][:60]!r}. {did_you_mean(args[0][:60], COMMANDS)}")
        return super().resolve_command(ctx, args)


_HELP = """Governed, committed runs of notebook pipelines.

The main job is `ploomber build`, or `nbops build`, which does the same and starts faster. The other commands make projects,
look at runs, judge data and keep house. They work on the project around the folder that they are started in: the nearest
one, upwards, that holds a pipeline.yaml.
"""
_EXAMPLES = (
    "nbops init shop && cd shop && ploomber build",
    "nbops show",
    "nbops check orders",
    "nbops -C ../other runs",
)


@click.group(
    cls=_LazyGroup,
    invoke_without_command=True,
    subcommand_metavar="COMMAND [ARGS]...",
    help=_HELP,
    epilog=epilog(_EXAMPLES, codes=EXIT_CODES),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "-C",
    "--directory",
    type=click.Path(exists=True, file_okay=False),
    metavar="FOLDER",
    help="Work as if started in FOLDER.",
)
@click.version_option(metadata.version("nbops"), prog_name=PROGRAM, help="Show the version.")
@click.pass_context
def program(context: click.Context, directory: str | None) -> int:  # noqa: ARG001, D103 - read from the context; see _HELP
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), err=True)
        return USAGE
    return OK


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command and turn whatever happens into an exit code; nothing is raised.

    Args:
        arguments: The command and its options; those of the process by default.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that is not UTF-8 is no reason to fail
    try:
        code = _invoke(list(sys.argv[1:] if arguments is None else arguments))
        _flush()
    except BaseException as error:  # noqa: BLE001 - this is the end of the line
        code = _explain(error)
    return code


def _invoke(arguments: list[str]) -> int:
    """Run a command, or answer a shell that asks what could come next.

    Not by ``program.main``: that takes an error of writing for its own, and exits with 1.
    """
    instruction = os.environ.get(COMPLETE_VARIABLE)
    if instruction:
        return shell_complete(program, {}, PROGRAM, COMPLETE_VARIABLE, instruction)
    try:
        with program.make_context(PROGRAM, arguments, color=_colour()) as context:
            code = program.invoke(context)
    except click.exceptions.Exit as end:
        return end.exit_code
    return code if isinstance(code, int) else OK


def _colour() -> bool | None:
    """Return False where colours are unwelcome (https://no-color.org), else leave it to the terminal."""
    return False if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" else None


def _flush() -> None:
    if sys.stdout is not None:
        sys.stdout.flush()


def _explain(error: BaseException) -> int:
    """Say what went wrong in a line, and return the exit code."""
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else PROBLEM
    if isinstance(error, OSError) and error.errno == errno.EPIPE:
        _drop_output()
        return _NOBODY_READS
    if os.environ.get(_DEBUG):
        _say("".join(traceback.format_exception(error)).rstrip())
    if isinstance(error, click.UsageError):
        _say(_usage(error))
        return USAGE
    if isinstance(error, (KeyboardInterrupt, click.Abort)):
        _say("nbops: stopped")
        return _INTERRUPTED
    if isinstance(error, OSError):
        try:
            _flush()
        except OSError:
            _drop_output()
    _say(f"nbops: {_sentence(error)}")
    return FAILED if isinstance(error, (ChecksFailed, TaskError)) else PROBLEM


def _usage(error: click.UsageError) -> str:
    lines = [f"nbops: {error.format_message()}"]
    if error.ctx is not None:
        lines = [error.ctx.get_usage(), f"`{error.ctx.command_path} --help` says more.", *lines]
    return "\n".join(lines)


def _sentence(error: BaseException) -> str:
    if isinstance(error, click.ClickException):
        return error.format_message()
    if isinstance(error, NbopsError):
        return str(error)
    if isinstance(error, OSError):
        where = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, (str, bytes, os.PathLike)) else ""
        return f"{where}{error.strerror or error or type(error).__name__}"
    if isinstance(error, ModuleNotFoundError) and not str(error.name).startswith("nbops"):
        return f"the package {error.name!r} is not installed, so the installation is incomplete. `nbops doctor` says more."
    what = " ".join(str(error).split())[:300]
    return (
        f"a fault of its own: {type(error).__name__}{': ' if what else ''}{what}. "
        f"Run it again with {_DEBUG}=1 to see where, and report that."
    )


def _say(text: str) -> None:
    with suppress(OSError, ValueError):
        click.echo(printable(text, lines=True), err=True)


def _drop_output() -> None:
    """Send what is still unwritten nowhere, or the interpreter would complain about it at its end."""
    with suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
