"""``nbops new task``."""

from __future__ import annotations

from pathlib import Path

import click

from nbops.cli.common import OK, PROBLEM, USAGE, current, epilog, note
from nbops.cli.output import printable
from nbops.errors import ConfigError

__all__ = ["command"]

_HELP = """Add to a project.

`nbops new task NAME` writes a notebook that builds at once and its entry in pipeline.yaml. For a contract see `nbops contract`,
for a project `nbops init`.
"""
_TASK = """Write the notebook of a new task and its entry in pipeline.yaml.

The notebook has a parameters cell, reads the datasets of its upstream tasks and writes one of its own. Everything else in the
pipeline file stays as it is, comments too. A file that is there is never written over, and nothing is half-written.
"""


@click.group(
    "new",
    help=_HELP,
    short_help="Add to a project.",
    epilog=epilog(
        ("nbops new task clean", "nbops new task features --upstream clean --product output/features.parquet"),
        codes={OK: "it was made", USAGE: "it cannot be made as asked", PROBLEM: "it could not be written"},
    ),
)
def command() -> None:  # noqa: D103 - see _HELP
    pass


@command.command(
    "task",
    help=_TASK,
    short_help="Write a notebook and its entry in pipeline.yaml.",
    epilog=epilog(
        (
            "nbops new task clean",
            "nbops new task features --upstream clean --upstream orders",
            "nbops new task report --notebook notebooks/report.ipynb --product output/report.csv",
        ),
        codes={OK: "it was made", USAGE: "it cannot be made as asked", PROBLEM: "it could not be written"},
    ),
)
@click.argument("name")
@click.option("--upstream", "-u", multiple=True, metavar="TASK", help="A task that it reads from; may be given several times.")
@click.option("--product", metavar="FILE", help="The dataset; by default NAME.parquet beside those of the other tasks.")
@click.option("--notebook", metavar="FILE", help="The notebook, .ipynb or .py; by default beside and like the others.")
@click.option("--entry-point", "-e", default="pipeline.yaml", metavar="FILE", help="Another pipeline file of the project.")
@click.pass_context
def task(  # noqa: PLR0917 - click calls it by name
    context: click.Context, name: str, upstream: tuple[str, ...], product: str | None, notebook: str | None, entry_point: str
) -> int:
    from nbops.workflow.new_task import create_task  # noqa: PLC0415 - help needs none of it

    project = current(context)
    try:
        made = create_task(project.root / entry_point, name, upstream=upstream, product=product, notebook=notebook)
    except ConfigError as error:
        note(str(error))
        return USAGE
    click.echo(f"{printable(made.notebook)}\n{printable(Path(entry_point).name)}:{made.line}")
    note(f"it makes {made.product}; write what it is to do, then `nbops build --partially {made.name}`")
    return OK
