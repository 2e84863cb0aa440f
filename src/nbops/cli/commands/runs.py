"""``nbops runs``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from nbops.cli.common import OK, PROBLEM, current, epilog, note, note_incidents
from nbops.cli.output import Cell, Column, colour_of, echo_json, table

if TYPE_CHECKING:
    from nbops.pages.summaries import RunSummary

__all__ = ["command"]

_HELP = """List the runs of the project, the newest first.

FINDING is the worst of what a run found. A run that was killed shows as `killed` until the next build says so in its ledger.
"""
_COLUMNS = (
    Column(title="RUN"),
    Column(title="VERDICT"),
    Column(title="TOOK", right=True),
    Column(title="TASKS"),
    Column(title="CHECKS"),
    Column(title="COMMIT", most=10),
    Column(title="FINDING", flexible=True),
)


@click.command(
    "runs",
    help=_HELP,
    short_help="List the runs, the newest first.",
    epilog=epilog(
        ("nbops runs", "nbops runs -n 5", "nbops runs --json"),
        codes={OK: "listed, whatever the runs' verdicts", PROBLEM: "no project, or its settings are wrong"},
    ),
)
@click.option(
    "-n", "--number", type=click.IntRange(min=1), default=20, show_default=True, metavar="N", help="List at most N runs."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON: a list of objects.")
@click.pass_context
def command(context: click.Context, number: int, as_json: bool) -> int:  # noqa: D103 - see _HELP
    from nbops.pages.summaries import summaries  # noqa: PLC0415
    from nbops.pages.text import plural  # noqa: PLC0415 - help needs none of it
    from nbops.record.running import alive_here  # noqa: PLC0415
    from nbops.record.store import read_run, run_ids  # noqa: PLC0415

    project = current(context)
    found = summaries(project.reports, project.cache)
    alive = alive_here(project.root / ".nbops")
    killed = {run.id for run in found if run.status == "running" and not alive(read_run(project.reports, run.id))}
    shown = found[:number]
    if as_json:
        echo_json([{**asdict(run), "status": "killed" if run.id in killed else run.status} for run in shown])
    elif shown:
        click.echo(table(_COLUMNS, [_row(run, killed=run.id in killed) for run in shown]))
    damaged = sorted(set(run_ids(project.reports)) - {run.id for run in found})
    if damaged:
        note(f"{plural(len(damaged), 'ledger')} cannot be read: {', '.join(damaged[-3:])}; `nbops show ID` says why")
    if not found and not damaged and not as_json:
        note("there are no runs yet; `ploomber build` makes the first")
    elif len(found) > number and not as_json:
        note(
            f"{plural(len(found) - number, 'older run is', 'older runs are')} not listed; `nbops runs -n {len(found)}` lists all"
        )
    if not as_json:
        note_incidents(project)
    return OK


def _row(run: RunSummary, *, killed: bool) -> list[str | Cell]:
    from nbops.pages.text import duration  # noqa: PLC0415

    word = "killed" if killed else run.status if run.status in {"running", "interrupted"} else run.verdict
    done = sum(count for status, count in run.tasks.items() if status in {"succeeded", "up_to_date"})
    passed, checks = run.checks.get("passed", 0), sum(run.checks.values())
    return [
        run.id,
        Cell(word, colour_of(word)),
        duration(run.seconds),
        f"{done}/{sum(run.tasks.values())}",
        f"{passed}/{checks}" if checks else "none",
        (run.commit or "")[:8],
        run.headline,
    ]
