"""``nbops expect``."""

from __future__ import annotations

from contextlib import suppress

import click

from nbops.cli.commands.incidents import complete_incidents
from nbops.cli.common import OK, PROBLEM, USAGE, current, epilog, note
from nbops.cli.output import printable

__all__ = ["command"]

_HELP = """Say that something out of the ordinary is to be expected.

TARGET is an incident (the beginning or end of its id), or SUBJECT[.column][.metric] such as orders, orders.rowCount,
orders.amount.nullRate or task:clean.seconds; a monitor's name may stand for a metric. It is written into
monitoring/expected.yaml, which you commit. With --until days up to then are exceptions, from which the monitors learn nothing;
without, it is the new normal for ever. Checks of contracts are not changed: a rule that is wrong belongs into the contract.
"""


def _complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Offer open incidents and subjects to a shell; a fault offers nothing."""
    found = complete_incidents(context, parameter, incomplete)
    with suppress(Exception):
        from nbops.record.store import latest_run  # noqa: PLC0415

        run = latest_run(current(context).reports)
        if run is not None:
            names = [*(item.name for item in run.datasets), *(f"task:{task.name}" for task in run.tasks)]
            found += [name for name in names if name.startswith(incomplete)]
    return found


@click.command(
    "expect",
    help=_HELP,
    short_help="Say that something out of the ordinary is to be expected.",
    epilog=epilog(
        (
            'nbops expect 1f0c9a --reason "the shop in Dublin has opened"',
            'nbops expect orders.rowCount --reason "inventory week" --from 2011-01-24 --until 2011-02-01',
            'nbops expect orders.volume --reason "we buy from a second supplier"',
        ),
        codes={
            OK: "written",
            USAGE: "called wrongly",
            PROBLEM: "no such incident or subject; or the reason holds something private",
        },
    ),
)
@click.argument("target", metavar="TARGET", shell_complete=_complete)
@click.option("--reason", required=True, metavar="TEXT", help="Why; others will want to know.")
@click.option("--from", "since", metavar="DAY", help="The first day, such as 2011-01-24; by default when it began.")
@click.option("--until", metavar="DAY", help="The last day; without one it is so for ever.")
@click.pass_context
def command(context: click.Context, target: str, reason: str, since: str | None, until: str | None) -> int:  # noqa: D103
    from nbops.workflow.expecting import expect  # noqa: PLC0415 - help needs none of it

    project = current(context)
    done = expect(project.root, project.config, target, reason=reason, since=since, until=until)
    for item in done.corrections:
        what = ".".join(part for part in (item.subject, item.column, item.metric or item.monitor) if part)
        days = f"from {item.since}" + (f" until {item.until}" if item.until else " on")
        click.echo(printable(f"{item.id}: {what} is expected {days}"))
    for incident in done.incidents:
        click.echo(printable(f"{incident.id} is {incident.state}: {incident.title}"))
    for sentence in done.said:
        note(sentence)
    return OK
