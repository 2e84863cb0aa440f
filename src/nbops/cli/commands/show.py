"""``nbops show``."""

from __future__ import annotations

import click

from nbops.cli.common import OK, PROBLEM, complete_runs, current, epilog
from nbops.cli.output import echo_json_text

__all__ = ["command"]

_HELP = """Show a run: what went wrong first, then its tasks, datasets and checks.

RUN is an id, the beginning or end of one, or `latest` (the default). With --json its ledger is printed, whole: what it shares
with earlier ones stands in it, so that two can be compared.
"""


@click.command(
    "show",
    help=_HELP,
    short_help="Show a run, the latest by default.",
    epilog=epilog(
        ("nbops show", "nbops show 20261122", "nbops show latest --json > run.json"),
        codes={OK: "shown, whatever its verdict", PROBLEM: "no such run, or its ledger cannot be read"},
    ),
)
@click.argument("run", metavar="[RUN]", default="latest", shell_complete=complete_runs)
@click.option("--json", "as_json", is_flag=True, help="Print the ledger, whole.")
@click.pass_context
def command(context: click.Context, run: str, as_json: bool) -> int:  # noqa: D103 - see _HELP
    from nbops.cli.describe import describe_run  # noqa: PLC0415 - help needs none of it
    from nbops.record.ledger import to_json  # noqa: PLC0415
    from nbops.record.store import read_run, resolve_run_id  # noqa: PLC0415

    project = current(context)
    run_id = resolve_run_id(project.reports, run)
    found = read_run(project.reports, run_id)
    if as_json:
        echo_json_text(to_json(found), end="")
    else:
        click.echo(describe_run(found, reports=project.config.reports, root=project.root))
    return OK
