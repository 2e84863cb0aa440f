"""``nbops git``."""

from __future__ import annotations

import click

from nbops.cli.common import FAILED, OK, PROBLEM, current, epilog, note
from nbops.cli.output import printable

__all__ = ["command"]

_HELP = """Keep outputs and what changes at each execution out of committed notebooks.

`nbops git setup` sets up a filter of git's own: a notebook is added without outputs, execution counts, injected parameters and
volatile metadata, while the file that you work on stays as it is. The filter is set up in this clone; which files it is for
stands in .gitattributes, which you commit. Executed notebooks in the reports stay whole. --undo takes it away.
"""


@click.command(
    "git",
    help=_HELP,
    short_help="Keep outputs out of committed notebooks.",
    epilog=epilog(
        ("nbops git", "nbops git setup", "nbops git setup --undo"),
        codes={OK: "set up, or done", FAILED: "`nbops git`: not set up here", PROBLEM: "no repository, or nbstripout is missing"},
    ),
)
@click.argument("action", type=click.Choice(["status", "setup"]), default="status")
@click.option("--undo", is_flag=True, help="Take the filter away again.")
@click.pass_context
def command(context: click.Context, action: str, undo: bool) -> int:  # noqa: D103 - see _HELP
    from nbops.workflow import git_setup  # noqa: PLC0415 - help needs none of it

    if undo and action != "setup":
        raise click.UsageError("--undo belongs to `nbops git setup --undo`.", context)
    project = current(context)
    if action == "status":
        found = git_setup.state_of_setup(project.root)
        if found.filter and found.attributes:
            click.echo("Notebooks are committed without outputs in this clone.")
            return OK
        where = "here" if not found.attributes else "in this clone, although .gitattributes asks for it"
        click.echo(f"Notebooks are committed as they are {where}. `nbops git setup` changes that.")
        return FAILED
    changed = git_setup.undo(project.root) if undo else git_setup.set_up(project.root, project.config)
    for what in changed.changed:
        click.echo(printable(f"{'removed' if undo else 'set'}: {what}"))
    if not changed.changed:
        note("nothing to change")
    elif not undo:
        note("notebooks that are committed already keep their outputs until they change: `git add --renormalize .` cleans them")
    return OK
