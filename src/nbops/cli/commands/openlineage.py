"""``nbops openlineage``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nbops.cli.common import OK, PROBLEM, USAGE, current, epilog, note
from nbops.cli.output import printable

if TYPE_CHECKING:
    from pathlib import Path

    from nbops.adapters.openlineage.outbox import LineageOutbox

__all__ = ["command"]

_HELP = """Look at events of lineage that are not sent yet, or send them.

Builds tell an OpenLineage receiver what they do when OpenLineage's own configuration (openlineage.yml, OPENLINEAGE_URL) names
one. What a receiver does not take is kept in .nbops/openlineage, in order; the next build sends it, or `nbops openlineage send`
does. Events that a receiver refuses for good are kept apart, with the reason.
"""
_SHOWN = 20


@click.command(
    "openlineage",
    help=_HELP,
    short_help="Send events of lineage that wait.",
    epilog=epilog(
        ("nbops openlineage", "nbops openlineage send", "nbops openlineage send --rejected"),
        codes={OK: "done", PROBLEM: "some could not be sent, or were refused", USAGE: "no receiver is configured"},
    ),
)
@click.argument("action", type=click.Choice(["status", "send"]), default="status")
@click.option("--rejected", is_flag=True, help="Send those again that a receiver refused.")
@click.pass_context
def command(context: click.Context, action: str, rejected: bool) -> int:  # noqa: D103 - see _HELP
    from nbops.adapters.openlineage import outbox_of  # noqa: PLC0415 - help needs none of it

    root = current(context).root
    outbox = outbox_of(root)
    if action == "send":
        return _send(root, outbox, rejected=rejected)
    _tell(outbox)
    for name, reason in outbox.rejections()[:_SHOWN]:
        click.echo(printable(f"  {name}: {reason}"))
    return OK


def _send(root: Path, outbox: LineageOutbox, *, rejected: bool) -> int:
    from nbops.adapters.openlineage import client_is_missing  # noqa: PLC0415
    from nbops.adapters.openlineage.settings import is_configured  # noqa: PLC0415

    if not is_configured(root):
        note("no receiver is configured: write openlineage.yml or set OPENLINEAGE_URL (docs/openlineage.md)")
        return USAGE
    if client_is_missing():
        note("the client is not installed: pip install 'nbops[openlineage]'")
        return PROBLEM
    from nbops.adapters.openlineage.sending import send_now  # noqa: PLC0415 - loads the client

    with outbox.sending() as mine:
        if not mine:
            note("a build is sending them at this moment; try again when it has ended")
            return PROBLEM
        if rejected:
            outbox.take_back_rejected()
        outcome = send_now(root, outbox)
    click.echo(f"{outcome.sent} events sent")
    _tell(outbox)
    return PROBLEM if outcome.troubles or outcome.rejected else OK


def _tell(outbox: LineageOutbox) -> None:
    click.echo(f"{outbox.waiting()} events wait, {outbox.rejected()} were refused")
    if why := outbox.trouble():
        click.echo(printable(f"sending stopped: {why}"))
