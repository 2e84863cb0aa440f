"""``nbops doctor``."""

from __future__ import annotations

from dataclasses import asdict

import click

from nbops.cli.common import OK, PROBLEM, epilog, start_folder
from nbops.cli.output import Cell, Column, colour_of, echo_json, printable, table

__all__ = ["command"]

_HELP = """Look for what is wrong with the environment and the project, and say how to mend it.

Python and its packages, JupyterLab, git, the disk, settings, pipeline, contracts, reports and recent runs. The worst
comes first. Nothing is changed. Works outside of a project, too.
"""
_WORST_FIRST = ("fail", "warn", "ok")
_COLUMNS = (Column(title="STATUS"), Column(title="WHAT"), Column(title="FINDING", flexible=True))


@click.command(
    "doctor",
    help=_HELP,
    short_help="Look for what is wrong, and say how to mend it.",
    epilog=epilog(
        ("nbops doctor", "nbops doctor --json"),
        codes={OK: "nothing is wrong, or there are warnings", PROBLEM: "something must be mended"},
    ),
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON: a list of objects.")
@click.pass_context
def command(context: click.Context, as_json: bool) -> int:  # noqa: D103 - see _HELP
    from nbops.errors import ConfigError  # noqa: PLC0415 - help needs none of it
    from nbops.workflow.doctor import diagnose  # noqa: PLC0415
    from nbops.workflow.project import find_root  # noqa: PLC0415

    start = start_folder(context)
    try:
        root = find_root(start)
    except ConfigError:
        root = start.resolve()  # the diagnosis says that there is no project
    found = sorted(diagnose(root), key=lambda item: _WORST_FIRST.index(item.status))
    if as_json:
        echo_json([asdict(item) for item in found])
    else:
        click.echo(table(_COLUMNS, [[Cell(item.status, colour_of(item.status)), item.name, item.message] for item in found]))
        mends = [item for item in found if item.status != "ok" and item.remedy]
        if mends:
            click.echo("\nTo mend:")
        for item in mends:
            click.echo(f"  {printable(item.name)}: {printable(item.remedy or '')}")
    return PROBLEM if any(item.status == "fail" for item in found) else OK
