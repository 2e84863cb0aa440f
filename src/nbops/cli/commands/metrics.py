"""``nbops metrics``."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import click

from nbops.cli.common import OK, PROBLEM, USAGE, current, epilog, note
from nbops.cli.output import printable

if TYPE_CHECKING:
    from pathlib import Path

    from nbops.cli.common import Project
    from nbops.record.outbox import Outbox
    from nbops.record.sender import Outcome

__all__ = ["command"]

_HELP = """Show the numbers of the last run, or look at what is not told to other systems yet.

Builds tell Prometheus, Datadog and OpenTelemetry what they measured when these systems' own environment variables say where
(docs/metrics.md). `show` prints the numbers as Prometheus reads them, `rules` prints rules for alerts, `status` tells what waits,
`send` sends it.
"""
_EXPORTERS = {
    "dogstatsd": "nbops.adapters.dogstatsd.sending",
    "otel": "nbops.adapters.otel.sending",
    "pushgateway": "nbops.adapters.prometheus.sending",
}
"""Exporters that keep what is not sent, and what sends it."""


@click.command(
    "metrics",
    help=_HELP,
    short_help="Show numbers of the last run, or send those that wait.",
    epilog=epilog(
        ("nbops metrics", "nbops metrics rules > nbops.rules.yml", "nbops metrics status", "nbops metrics send"),
        codes={OK: "done", PROBLEM: "there is no run; or some could not be sent", USAGE: "called wrongly"},
    ),
)
@click.argument("action", type=click.Choice(["show", "rules", "status", "send"]), default="show")
@click.option("--rejected", is_flag=True, help="Send those again that a receiver refused.")
@click.pass_context
def command(context: click.Context, action: str, rejected: bool) -> int:  # noqa: D103 - see _HELP
    if action == "rules":
        from nbops.adapters.prometheus import rules_file  # noqa: PLC0415 - help needs none of it

        click.echo(rules_file().read_text(encoding="utf-8"), nl=False)
        return OK
    project = current(context)
    if action == "show":
        return _show(project)
    return _send(project.root, rejected=rejected) if action == "send" else _status(project.root)


def _show(project: Project) -> int:
    from nbops.history.incidents.course import is_live  # noqa: PLC0415 - see above
    from nbops.history.incidents.store import load_incidents  # noqa: PLC0415
    from nbops.record.store import latest_run  # noqa: PLC0415

    run = latest_run(project.reports)
    if run is None:
        note("there is no run yet")
        return PROBLEM
    try:
        from nbops.adapters.prometheus.exposition import exposition  # noqa: PLC0415
    except ModuleNotFoundError:
        note("the Prometheus client is not installed: pip install 'nbops[prometheus]'")
        return PROBLEM
    open_ones = [item for item in load_incidents(project.reports).found if is_live(item)]
    click.echo(exposition(run, open_ones), nl=False)
    return OK


def _status(root: Path) -> int:
    from nbops.record.run_export import run_outbox  # noqa: PLC0415 - see above

    for name in sorted(_EXPORTERS):
        _tell(name, run_outbox(root, name))
    return OK


def _send(root: Path, *, rejected: bool) -> int:
    from nbops.record.run_export import run_outbox  # noqa: PLC0415 - see above

    worst = OK
    for name, module in sorted(_EXPORTERS.items()):
        outbox = run_outbox(root, name)
        if not outbox.waiting() and not (rejected and outbox.rejected()):
            continue
        with outbox.sending() as mine:
            if not mine:
                note(f"{name}: a build is sending at this moment; try again when it has ended")
                worst = PROBLEM
                continue
            if rejected:
                outbox.take_back_rejected()
            outcome: Outcome = import_module(module).send_now(outbox)
        if outcome.troubles or outcome.rejected:
            worst = PROBLEM
        click.echo(f"{name}: {outcome.sent} runs sent")
        _tell(name, outbox)
    return worst


def _tell(name: str, outbox: Outbox) -> None:
    why = outbox.trouble()
    said = f"{name}: {outbox.waiting()} runs wait, {outbox.rejected()} were refused" + (f" ({why})" if why else "")
    click.echo(printable(said))
    for run_id, reason in outbox.rejections():
        click.echo(printable(f"  {run_id}: {reason}"))
