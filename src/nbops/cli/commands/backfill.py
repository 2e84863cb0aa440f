"""``nbops backfill``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from nbops.cli.common import FAILED, OK, PROBLEM, USAGE, current, epilog
from nbops.cli.output import printable

if TYPE_CHECKING:
    from nbops.workflow.backfill import Backfilled
    from nbops.workflow.partitions import Plan

__all__ = ["command"]

_INTERRUPTED = 130
_HELP = """Build a range of partitions in order: a parameter's values from A to B, one build each.

One --env--NAME has a range A..B of days (both included) or a list a,b,c; the others are the same for all. Each partition is a
build like any other: judged, recorded, committed. A partition is passed over when its last run succeeded and nothing changed
since that it depends on, so a backfill that was stopped goes on when the same command is given again. What else `nbops build`
takes can be given too.
"""


@click.command(
    "backfill",
    help=_HELP,
    short_help="Build a range of partitions, such as all days of a quarter.",
    epilog=epilog(
        (
            "nbops backfill --env--day 2011-01-04..2011-03-31",
            "nbops backfill --env--day 2011-01-03..2011-12-31 --every week --dry-run",
            "nbops backfill --env--region north,south --env--scale 2000 --keep-going",
        ),
        codes={
            OK: "every partition has a good run",
            FAILED: "partitions failed",
            USAGE: "called wrongly",
            PROBLEM: "it could not begin: a bad range, a parameter that the pipeline does not have",
            _INTERRUPTED: "stopped; the same command goes on",
        },
    ),
    context_settings={"ignore_unknown_options": True},
)
@click.option("--every", type=click.Choice(["day", "week", "month"]), default="day", show_default=True, help="Step of a range.")
@click.option("-f", "--force", is_flag=True, help="Build every partition, and every task of it.")
@click.option("-k", "--keep-going", is_flag=True, help="Go on with the next partition when one fails.")
@click.option("-n", "--dry-run", is_flag=True, help="Only tell what would be built.")
@click.option("-v", "--verbose", is_flag=True, help="Show what the builds print.")
@click.argument("rest", metavar="--env--NAME RANGE [--env--NAME VALUE]...", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def command(context: click.Context, /, rest: tuple[str, ...], **given: Any) -> int:  # noqa: D103 - see _HELP
    from nbops.workflow.backfill import backfill  # noqa: PLC0415 - help needs none of it
    from nbops.workflow.partitions import done_by, plan_of  # noqa: PLC0415

    project = current(context)
    os.chdir(project.root)
    plan = plan_of(project.root, [*rest, *(["--force"] if given["force"] else [])], every=given["every"])
    done = {} if given["force"] else done_by(plan, root=project.root, config=project.config)
    if given["dry_run"]:
        return _told(plan, done)
    found = backfill(
        plan,
        root=project.root,
        done=done,
        keep_going=given["keep_going"],
        verbose=given["verbose"],
        say=lambda text: click.echo(printable(text, lines=True)),
    )
    click.echo(_sentence(found))
    return _INTERRUPTED if found.stopped else FAILED if found.failed else OK


def _told(plan: Plan, done: dict[str, str]) -> int:
    for value in plan.values:
        why = f"has a good run ({done[value]})" if value in done else "would be built"
        click.echo(printable(f"{plan.name} {value}: {why}"))
    left = len(plan.values) - len(done)
    click.echo(f"{left} of {len(plan.values)} partitions would be built")
    return OK


def _sentence(found: Backfilled) -> str:
    parts = [f"{len(found.built)} built"]
    parts += [f"{len(found.passed_over)} passed over"] if found.passed_over else []
    parts += [f"{len(found.failed)} failed ({', '.join(list(found.failed)[:10])})"] if found.failed else []
    parts += [f"{len(found.left)} left"] if found.left else []
    end = "; stopped: the same command goes on from here" if found.stopped else ""
    return printable(f"backfill: {', '.join(parts)}{end}")
