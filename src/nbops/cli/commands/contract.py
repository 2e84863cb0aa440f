"""``nbops contract``."""

from __future__ import annotations

import click

from nbops.cli.common import OK, PROBLEM, USAGE, complete_datasets, current, epilog, note
from nbops.errors import ConfigError

__all__ = ["command"]

_HELP = """Suggest a contract for a dataset, from what the latest run measured of it.

It is printed, or with --write put into the project's contracts, where the next build judges by it. What holds today is suggested
as a rule where it is likely to be meant; TODO stands where only people know. No data is read.
"""


@click.command(
    "contract",
    help=_HELP,
    short_help="Suggest a contract for a dataset.",
    epilog=epilog(
        ("nbops contract orders", "nbops contract orders --write"),
        codes={
            OK: "printed or written",
            USAGE: "no such dataset, or it has a contract already",
            PROBLEM: "no run, or its ledger cannot be read",
        },
    ),
)
@click.argument("dataset", shell_complete=complete_datasets)
@click.option("--write", is_flag=True, help="Write contracts/DATASET.odcs.yaml; a file that is there is never changed.")
@click.option("--run", "run_name", default="latest", metavar="RUN", help="Take what another run measured.")
@click.pass_context
def command(context: click.Context, dataset: str, write: bool, run_name: str) -> int:  # noqa: D103 - see _HELP
    from nbops.workflow.new_contract import suggested, write_contract  # noqa: PLC0415 - help needs none of it

    project = current(context)
    try:
        if not write:
            _, text = suggested(project.root, project.config, dataset, run_name=run_name)
            click.echo(text.encode("utf-8", "backslashreplace"), nl=False)
            return OK
        path = write_contract(project.root, project.config, dataset, run_name=run_name)
    except ConfigError as error:
        raise click.UsageError(str(error), context) from error
    click.echo(path)
    note("read it, fill in what is TODO, and strike what only happens to hold; the next build judges by it")
    return OK
