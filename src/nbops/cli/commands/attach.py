"""``nbops attach``."""

from __future__ import annotations

from pathlib import Path

import click

from nbops.cli.common import OK, PROBLEM, epilog, start_folder
from nbops.cli.output import printable

__all__ = ["command"]

_HELP = """Put an existing pipeline under nbops.

Adds the line `on_render: nbops.attach` at the top of PIPELINE_YAML (the project's pipeline.yaml unless given) and leaves
every other byte as it is. The folders that must stay out of git, .nbops/ and quarantine/, are added to .gitignore.
With --undo the line is taken out again; .gitignore stays.
"""


@click.command(
    "attach",
    help=_HELP,
    short_help="Put an existing pipeline under nbops.",
    epilog=epilog(
        ("nbops attach", "nbops attach pipeline.serve.yaml", "nbops attach --undo"),
        codes={OK: "the line is there (with --undo: is not there)", PROBLEM: "the file cannot be edited; nothing was changed"},
    ),
)
@click.argument("pipeline", metavar="[PIPELINE_YAML]", required=False, type=click.Path(dir_okay=True))
@click.option("--undo", is_flag=True, help="Take the line out again.")
@click.pass_context
def command(context: click.Context, pipeline: str | None, undo: bool) -> int:  # noqa: D103 - see _HELP
    from nbops.contract.config import load_config  # noqa: PLC0415 - help needs none of it
    from nbops.workflow.hook import attach_pipeline, detach_pipeline  # noqa: PLC0415
    from nbops.workflow.project import find_root  # noqa: PLC0415

    start = start_folder(context)
    path = find_root(start) / "pipeline.yaml" if pipeline is None else start / Path(pipeline)
    shown = printable(path.name)
    if undo:
        edited = detach_pipeline(path)
        click.echo(f"{shown}: took line {edited.line} out" if edited.line else f"{shown}: nbops is not attached; nothing to undo")
        return OK
    config = load_config(path.resolve().parent)
    edited = attach_pipeline(path, ignore=(".nbops/", f"{config.quarantine}/"))
    if edited.change == "none":
        click.echo(f"{shown}: nbops is attached already, in line {edited.line}")
    else:
        click.echo(f"{shown}: added `on_render: nbops.attach` as line {edited.line}")
    if edited.ignored:
        click.echo(f".gitignore: added {' and '.join(edited.ignored)}")
    if edited.change == "added":
        click.echo("Next: ploomber build, then `nbops show`")
    return OK
