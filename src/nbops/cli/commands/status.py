"""``nbops status``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from nbops.cli.common import OK, PROBLEM, USAGE, current, epilog, note, note_incidents, start_folder
from nbops.cli.output import Cell, Column, colour_of, echo_json, table

if TYPE_CHECKING:
    from nbops.workflow.outlook import Outlook

__all__ = ["command"]

_HELP = """Tell what a build would run and why, and how fresh each task is.

Answers as `ploomber status` does, at once: Ploomber is not loaded. What it would need to be asked about, such as a task that
was declared anew since the last build, shows as `unknown`. A task below one that would run counts as stale. Nothing is written.
"""
_COLUMNS = (
    Column(title="TASK"),
    Column(title="STATE"),
    Column(title="LAST SUCCESS"),
    Column(title="VERDICT"),
    Column(title="WHY", flexible=True),
)
_WORDS = {True: "stale", False: "fresh", None: "unknown"}
_COLOURS = {True: "warned", False: "passed", None: "errored"}


@click.command(
    "status",
    help=_HELP,
    short_help="Tell what a build would run and why.",
    epilog=epilog(
        ("nbops status", "nbops status --json", "nbops status --env--scale 2000"),
        codes={OK: "told, whatever it is", USAGE: "called wrongly", PROBLEM: "the pipeline or its settings cannot be read"},
    ),
    context_settings={"ignore_unknown_options": True},
)
@click.option("-e", "--entry-point", metavar="FILE", help="Ask about another pipeline than pipeline.yaml.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: a list of objects.")
@click.argument("rest", metavar="[--env--NAME VALUE]...", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def command(context: click.Context, entry_point: str | None, as_json: bool, rest: tuple[str, ...]) -> int:  # noqa: D103
    from nbops.adapters.env_file import given_values  # noqa: PLC0415 - help needs none of it
    from nbops.adapters.pipeline_yaml import find_pipeline  # noqa: PLC0415
    from nbops.workflow.outlook import outlook  # noqa: PLC0415

    wrong = [word for word in rest if word.startswith("-") and not word.startswith("--env--")]
    if wrong or (rest and not rest[0].startswith("--env--")):
        raise click.UsageError(f"No such option or argument: {(wrong or rest)[0]}", context)
    project = current(context)
    pipeline = start_folder(context).resolve() / entry_point if entry_point else find_pipeline(project.root)
    if pipeline is None:
        raise click.UsageError("There is no pipeline.yaml here; name the pipeline's file with --entry-point.", context)
    found = outlook(project.root, project.config, pipeline=pipeline, values=given_values(rest))
    if as_json:
        echo_json([asdict(item) for item in found])
        return OK
    click.echo(table(_COLUMNS, [_row(item) for item in found]))
    stale, unknown = sum(item.stale is True for item in found), sum(item.stale is None for item in found)
    if unknown:
        note("what is unknown here, `ploomber status` tells")
    elif not stale:
        note("a build has nothing to do")
    note_incidents(project)
    return OK


def _row(item: Outlook) -> list[str | Cell]:
    verdict = item.verdict or ""
    return [
        item.task,
        Cell(_WORDS[item.stale], colour_of(_COLOURS[item.stale])),
        item.last_success or "never",
        Cell(verdict, colour_of(verdict)) if verdict else "",
        "; ".join(item.reasons),
    ]
