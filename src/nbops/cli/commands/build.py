"""``nbops build``."""

from __future__ import annotations

import os
from typing import Any

import click

from nbops.cli.common import FAILED, OK, PROBLEM, USAGE, epilog, start_folder

__all__ = ["command"]

_HELP = """Build the pipeline: run what is stale, judge, publish, record and commit it.

Does what `ploomber build` does, and takes the same options, `--env--NAME VALUE` among them. It starts faster: of the
packages that Ploomber imports, only those are loaded that the pipeline uses. With NBOPS_START=plain in the environment all
are loaded, as Ploomber does.
"""


@click.command(
    "build",
    help=_HELP,
    short_help="Build the pipeline: what `ploomber build` does, with a faster start.",
    epilog=epilog(
        (
            "nbops build",
            "nbops build --force",
            "nbops build --partially clean",
            "nbops build --downstream clean",
            "nbops build --env--scale 2000",
        ),
        codes={
            OK: "passed or warned, or there was nothing to do",
            FAILED: "a task failed, or checks did and hold its data back",
            USAGE: "called wrongly",
            PROBLEM: "the build could not begin or be recorded",
        },
    ),
    context_settings={"ignore_unknown_options": True},
)
@click.option("-f", "--force", is_flag=True, help="Run every task, stale or not.")
@click.option("-p", "--partially", metavar="TASK", help="Build up to and including TASK (or a pattern such as 'fit-*').")
@click.option("-su", "--skip-upstream", is_flag=True, help="With --partially: only TASK, not what it depends on.")
@click.option("--downstream", metavar="TASK", help="Only TASK and what depends on it.")
@click.option("-e", "--entry-point", metavar="FILE", help="Build another pipeline than pipeline.yaml.")
@click.option("-l", "--log", metavar="LEVEL", help="Print Ploomber's own log at this level and above.")
@click.option("-F", "--log-file", metavar="FILE", help="Write that log to FILE.")
@click.argument("rest", metavar="[--env--NAME VALUE]...", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def command(context: click.Context, /, rest: tuple[str, ...], **given: Any) -> int:  # noqa: D103 - see _HELP
    from nbops.adapters.lean_classes import make_classes_quickly  # noqa: PLC0415 - help needs none of it

    make_classes_quickly()  # before the first of them is made
    from nbops.workflow.launch import launch  # noqa: PLC0415
    from nbops.workflow.project import find_root  # noqa: PLC0415

    start = start_folder(context)
    root = find_root(start)
    folder = start.resolve()
    if given["log_file"] is not None:
        given["log_file"] = os.path.relpath(folder / given["log_file"], root)
    if given["entry_point"] is not None and (folder / given["entry_point"]).exists():  # else a pattern or a dotted path
        given["entry_point"] = os.path.relpath(folder / given["entry_point"], root)
    downstream = given.pop("downstream")
    if downstream is not None and given["partially"] is not None:
        raise click.UsageError("--downstream goes with no --partially.", context)
    launch(root, [*_arguments(given), *rest], downstream=downstream)
    return OK


def _arguments(given: dict[str, Any]) -> list[str]:
    """Return the options as they stand on a command line."""
    found: list[str] = []
    for name, value in given.items():
        if value not in {None, False}:
            found += [f"--{name.replace('_', '-')}", *([] if value is True else [value])]
    return found
