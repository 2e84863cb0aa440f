"""``nbops init``."""

from __future__ import annotations

import click

from nbops.cli.common import OK, PROBLEM, USAGE, epilog, note, start_folder
from nbops.cli.output import printable

__all__ = ["command"]

_HELP = """Make a new project that builds at once.

It holds the reference pipeline (a simulated shop with dirty data, whose runs warn), or, with --small, one of two
notebooks whose runs pass; contracts and settings, a README and a test, in a git repository with a first commit; inside a
repository that is there already, nothing is committed. DIR is the current folder unless given. Files that are there
already are never overwritten: they are listed, and nothing is written.
"""


@click.command(
    "init",
    help=_HELP,
    short_help="Make a new project that builds at once.",
    epilog=epilog(
        ("nbops init shop", "nbops init --small shop", "nbops init . --name sales-pipeline"),
        codes={
            OK: "the project was made",
            USAGE: "files are in the way, or the name cannot be used",
            PROBLEM: "it could not be written",
        },
    ),
)
@click.argument("directory", metavar="[DIR]", default=".", type=click.Path(file_okay=True))
@click.option("--name", metavar="NAME", help="Name of the project; that of the folder unless given.")
@click.option("--small", is_flag=True, help="Begin with two notebooks instead of the reference pipeline.")
@click.pass_context
def command(context: click.Context, directory: str, name: str | None, *, small: bool) -> int:  # noqa: D103 - see _HELP
    from nbops.workflow.project import NewProjectError, create_project  # noqa: PLC0415 - help needs none of it
    from nbops.workflow.template import constraints_file, small_files, template_files  # noqa: PLC0415

    files = small_files() if small else template_files()
    if (constraints := constraints_file()) is not None:
        files["constraints.txt"] = constraints
    try:
        made = create_project(start_folder(context) / directory, files=files, name=name, example="small" if small else "shop")
    except NewProjectError as error:
        note(str(error))
        return USAGE
    click.echo(f"Made {printable(made.name)}: {len(made.files)} files in {printable(str(made.root))}")
    if made.note:
        note(made.note)
    elif made.repository == "inside":
        click.echo("It is inside a git repository, so nothing was committed: look it over, then `git add` and commit.")
    click.echo(f"Next: cd {printable(directory)} && ploomber build" if directory != "." else "Next: ploomber build")
    return OK
