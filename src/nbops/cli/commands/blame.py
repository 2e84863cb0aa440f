"""``nbops blame``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from nbops.cli.common import OK, PROBLEM, USAGE, complete_datasets, current, epilog
from nbops.cli.output import Column, echo_json, printable, table
from nbops.errors import UnknownTarget

if TYPE_CHECKING:
    from nbops.workflow.blame import Blamed

__all__ = ["command"]

_HELP = """Tell which run, commit and author last moved a measurement.

WHAT is a column (`orders.amount`: its null rate, mean, ends and number of values), one measurement (`orders.amount.mean`,
`orders.rows`) or a dataset. Of each the last run is told in which it moved, by how much, and what of that run did it: code,
a parameter, a package, an input. Ledgers and git are read; nothing is run.
"""
_COLUMNS = (
    Column(title="MEASUREMENT"),
    Column(title="BEFORE", right=True),
    Column(title="NOW", right=True),
    Column(title="RUN"),
    Column(title="COMMIT"),
    Column(title="AUTHOR", flexible=True),
)


@click.command(
    "blame",
    help=_HELP,
    short_help="Tell which run and commit last moved a measurement.",
    epilog=epilog(
        ("nbops blame orders.amount", "nbops blame orders.rows --least 0.05", "nbops blame orders.amount.null_rate --json"),
        codes={OK: "told", USAGE: "WHAT is nothing that was measured", PROBLEM: "no run, or a ledger cannot be read"},
    ),
)
@click.argument("what", metavar="WHAT", shell_complete=complete_datasets)
@click.option(
    "--least",
    type=click.FloatRange(min=0),
    default=0.0,
    metavar="PART",
    help="Pass over moves by less than this part of the value, such as 0.05.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(context: click.Context, what: str, least: float, as_json: bool) -> int:  # noqa: D103 - see _HELP
    from nbops.workflow.blame import blame  # noqa: PLC0415 - help needs none of it

    project = current(context)
    try:
        found = blame(project.root, project.config, what, least=least)
    except UnknownTarget as error:
        raise click.UsageError(str(error), context) from error
    if as_json:
        echo_json([_plain(one) for one in found])
        return OK
    click.echo(table(_COLUMNS, [[printable(text) for text in _row(one)] for one in found]))
    for run in dict.fromkeys(one.run for one in found if one.cause is not None):
        said = dict.fromkeys(one.cause.message for one in found if one.run == run and one.cause is not None)
        click.echo(f"\n{run}")
        for message in said:
            click.echo(f"  {printable(message)}")
    return OK


def _plain(one: Blamed) -> dict[str, Any]:
    cause = one.cause
    return {
        "measurement": str(one.measure),
        "before": one.before,
        "after": one.after,
        "run": one.run,
        "run_before": one.run_before,
        "at": one.at,
        "commit": one.commit,
        "author": one.author,
        "subject": one.subject,
        "cause": None
        if cause is None
        else {"kind": cause.kind, "subject": cause.subject, "message": cause.message, "score": cause.score},
    }


def _row(one: Blamed) -> list[str]:
    measure = one.measure
    name = measure.metric if measure.column is None else f"{measure.column}.{measure.metric}"
    before = "not measured" if one.before is None else f"{one.before:.6g}"
    return [name, before, f"{one.after:.6g}", one.run, (one.commit or "")[:10], one.author or ""]
