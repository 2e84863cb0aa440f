"""``nbops alerts``."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import click

from nbops.cli.common import OK, PROBLEM, USAGE, current, epilog, note
from nbops.cli.output import printable

if TYPE_CHECKING:
    from nbops.cli.common import Project
    from nbops.record.sender import Outcome
    from nbops.workflow.alert_outbox import AlertOutbox

__all__ = ["command"]

_HELP = """Look at messages to people about incidents, try whether they arrive, or send those that wait.

Builds tell people what happens to incidents when [tool.nbops.alerts] in pyproject.toml names routes (docs/alerts.md). A message
that a receiver does not take is kept in .nbops/alerts; the next build sends it, or `nbops alerts send` does. `nbops alerts test`
sends a message to every address now.
"""
_SHOWN = 20
_NO_ROUTE = "no route is set: write [[tool.nbops.alerts.routes]] into pyproject.toml (docs/alerts.md)"


@click.command(
    "alerts",
    help=_HELP,
    short_help="Send messages about incidents, or try it.",
    epilog=epilog(
        ("nbops alerts", "nbops alerts test", "nbops alerts send", "nbops alerts send --rejected"),
        codes={OK: "done", PROBLEM: "some could not be sent, or were refused", USAGE: "no route is set"},
    ),
)
@click.argument("action", type=click.Choice(["status", "test", "send"]), default="status")
@click.option("--rejected", is_flag=True, help="Send those again that a receiver refused.")
@click.pass_context
def command(context: click.Context, action: str, rejected: bool) -> int:  # noqa: D103 - see _HELP
    from nbops.workflow.alert_outbox import AlertOutbox  # noqa: PLC0415 - help needs none of it

    project = current(context)
    outbox = AlertOutbox(project.root)
    if action == "status":
        _status(project, outbox)
        return OK
    if not project.config.alerts.routes:
        note(_NO_ROUTE)
        return USAGE
    return _test(project) if action == "test" else _send(outbox, rejected=rejected)


def _status(project: Project, outbox: AlertOutbox) -> None:
    for route in project.config.alerts.routes:
        chosen = [f"{name} {', '.join(getattr(route, name))}" for name in ("owners", "datasets", "tags") if getattr(route, name)]
        what = "; ".join([", ".join(route.when), f"severity {route.severity}", *chosen])
        there = "" if os.environ.get(route.to, "").strip() else " (not set here)"
        click.echo(printable(f"${route.to}{there}: {what}"))
    if not project.config.alerts.routes:
        click.echo(_NO_ROUTE)
    told = [item for item in outbox.told() if item.get("title")]
    click.echo(f"{len(told)} messages were taken, {outbox.waiting()} wait, {outbox.rejected()} were refused")
    if why := outbox.trouble():
        click.echo(printable(f"sending stopped: {why}"))
    for name, reason in outbox.rejections()[:_SHOWN]:
        click.echo(printable(f"  {name}: {reason}"))
    for item in reversed(told[-_SHOWN:]):
        click.echo(printable(f"  {item.get('at', '')} ${item.get('to', '')}: {item['title']}"))


def _send(outbox: AlertOutbox, *, rejected: bool) -> int:
    from nbops.workflow.alert_sending import send_now  # noqa: PLC0415 - see above

    with outbox.sending() as mine:
        if not mine:
            note("a build is sending them at this moment; try again when it has ended")
            return PROBLEM
        if rejected:
            outbox.take_back_rejected()
        outcome = send_now(outbox)
    return _told(outcome, waiting=outbox.waiting())


def _test(project: Project) -> int:
    """Send a message to every address, beside those that wait."""
    import tempfile  # noqa: PLC0415 - see above
    from pathlib import Path  # noqa: PLC0415

    from nbops.record.codec import encode  # noqa: PLC0415
    from nbops.workflow.alert_outbox import AlertOutbox  # noqa: PLC0415
    from nbops.workflow.alert_sending import send_now  # noqa: PLC0415
    from nbops.workflow.alert_text import probe  # noqa: PLC0415

    alert = probe(pipeline=project.root.name, at=datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"))
    with tempfile.TemporaryDirectory(prefix="nbops-alerts-") as folder:
        outbox = AlertOutbox(Path(folder))
        for by, to in dict.fromkeys((route.by, route.to) for route in project.config.alerts.routes):
            outbox.put(f"{by}.{to}", {"alert": encode(alert), "to": to, "by": by, "keys": [f"{alert.key}.{by}.{to}"]})
        outcome = send_now(outbox)
        refused = [reason for _, reason in outbox.rejections()]
    for reason in refused:
        click.echo(printable(f"refused: {reason}"))
    return _told(outcome, waiting=None)


def _told(outcome: Outcome, *, waiting: int | None) -> int:
    click.echo(f"{outcome.sent} messages sent" + (f", {waiting} wait" if waiting is not None else ""))
    for trouble in dict.fromkeys(outcome.troubles):
        click.echo(printable(f"not sent: {trouble}"))
    return PROBLEM if outcome.troubles or outcome.rejected else OK
