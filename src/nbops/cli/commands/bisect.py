"""``nbops bisect``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from nbops.cli.common import FAILED, OK, PROBLEM, USAGE, complete_runs, current, epilog
from nbops.cli.output import echo_json, printable
from nbops.errors import UnknownTarget

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbops.history.causes import CommitOf
    from nbops.workflow.bisect import Bisected, Step

__all__ = ["command"]

_HELP = """Find the run and the commit that broke a measurement.

CONDITION is what holds while all is well: DATASET.COLUMN.METRIC, a sign (`< <= > >= == !=`) and a number, or DATASET.rows.
Metrics are null_rate, mean, min, max, median, p05, p95, distinct, distinct_rate, stddev, invalid_rate, share:VALUE and those
of the history. Ledgers tell of most runs. Where several commits lie between the last good run and the first bad one, they are
built again, on the inputs and parameters of the bad run, in a folder of their own: the project is not touched.
"""


@click.command(
    "bisect",
    help=_HELP,
    short_help="Find the run and the commit that broke a measurement.",
    epilog=epilog(
        (
            'nbops bisect "orders.amount.null_rate < 0.02"',
            'nbops bisect "orders.rows >= 1000" --no-build',
            'nbops bisect "orders.country.share:EIRE > 5 %" --good 20261120 --json',
        ),
        codes={
            OK: "the first bad commit was found",
            FAILED: "the first bad run was found, but no single commit did it",
            USAGE: "CONDITION cannot be read, always holds or never did",
            PROBLEM: "no run, or a ledger cannot be read",
        },
    ),
)
@click.argument("condition", metavar="CONDITION")
@click.option("--good", metavar="RUN", shell_complete=complete_runs, help="A run for which it holds.")
@click.option("--bad", metavar="RUN", shell_complete=complete_runs, help="A run for which it does not; else the latest such.")
@click.option("--no-build", is_flag=True, help="Read ledgers only; build nothing again.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(  # noqa: D103, PLR0917 - see _HELP; click calls it by name
    context: click.Context, condition: str, good: str | None, bad: str | None, no_build: bool, as_json: bool
) -> int:
    from nbops.record.store import resolve_run_id  # noqa: PLC0415 - help needs none of it
    from nbops.workflow.bisect import bisect  # noqa: PLC0415

    project = current(context)
    runs = [resolve_run_id(project.reports, name) if name is not None else None for name in (good, bad)]

    def say(text: str) -> None:
        click.echo(printable(text), err=True)

    try:
        found = bisect(project.root, project.config, condition, good=runs[0], bad=runs[1], build=not no_build, say=say)
    except UnknownTarget as error:
        raise click.UsageError(str(error), context) from error
    if as_json:
        echo_json(_plain(found))
    else:
        click.echo("\n".join(printable(line) for line in _text(found)))
    return OK if found.commit is not None else FAILED


def _plain(found: Bisected) -> dict[str, Any]:
    return {
        "condition": str(found.condition),
        "good": _step(found.good),
        "bad": _step(found.bad),
        "commit": _commit(found.commit) if found.commit else None,
        "range": [_commit(one) for one in found.range],
        "built": [_step(one) for one in found.steps],
        "causes": [
            {"kind": one.kind, "subject": one.subject, "message": one.message, "score": one.score} for one in found.causes
        ],
        "note": found.note,
    }


def _step(one: Step) -> dict[str, Any]:
    return {"run": one.run, "commit": one.commit, "value": one.value, "good": one.good}


def _commit(one: CommitOf) -> dict[str, Any]:
    return {"commit": one.commit, "author": one.author, "subject": one.subject, "at": one.at, "files": list(one.files)}


def _text(found: Bisected) -> Iterator[str]:
    yield f"last good run   {found.good.run}  {found.good.value:g}  {(found.good.commit or '')[:10]}"
    yield f"first bad run   {found.bad.run}  {found.bad.value:g}  {(found.bad.commit or '')[:10]}"
    if found.commit is not None:
        one = found.commit
        yield f"first bad commit {one.commit[:10]}  {one.author}  {one.at[:10]}  {one.subject}"
        yield from (f"  {path}" for path in one.files[:20])
    elif found.range:
        yield "one of these commits, or what is not in git:"
        yield from (f"  {one.commit[:10]}  {one.author}  {one.subject}" for one in found.range)
    if found.note:
        yield f"note: {found.note}"
    if found.causes:
        yield "what changed between the two runs, the likeliest cause first:"
        yield from (f"  {one.score:.2f}  {one.message}" for one in found.causes[:5])
