"""``nbops replay``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from nbops.cli.common import OK, PROBLEM, USAGE, complete_datasets, complete_runs, current, epilog
from nbops.cli.output import Column, echo_json, printable, table
from nbops.errors import UnknownTarget

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbops.workflow.replay import Replayed, Split

__all__ = ["command"]

_HELP = """Tell how much of a change is due to code, and how much to data.

The code of run A is built on the inputs and parameters of run B, and the reverse, in folders of their own: the project and its
products are not touched, and nothing is committed. WHAT is `orders.amount.mean`, `orders.amount` or `orders`; without it the
measurements are told that moved the furthest. A change is split by Shapley's value; what code and data do only together is the
interaction, of which either has half.
"""
_COLUMNS = (
    Column(title="MEASUREMENT"),
    Column(title="OLD CODE, OLD DATA", right=True),
    Column(title="OLD CODE, NEW DATA", right=True),
    Column(title="NEW CODE, OLD DATA", right=True),
    Column(title="NEW CODE, NEW DATA", right=True),
    Column(title="BY CODE", right=True),
    Column(title="BY DATA", right=True),
    Column(title="INTERACTION", right=True),
)


@click.command(
    "replay",
    help=_HELP,
    short_help="Tell code from data: old code on new data, and the reverse.",
    epilog=epilog(
        (
            "nbops replay orders.amount.mean --code previous --data latest",
            "nbops replay orders --code accepted --data latest --json",
        ),
        codes={
            OK: "told",
            USAGE: "WHAT is nothing that both runs measured, or called wrongly",
            PROBLEM: "no such run, or it cannot be built again",
        },
    ),
)
@click.argument("what", metavar="[WHAT]", required=False, shell_complete=complete_datasets)
@click.option(
    "--code",
    "code",
    default="accepted",
    show_default=True,
    metavar="RUN",
    shell_complete=complete_runs,
    help="The old code's run.",
)
@click.option(
    "--data", "data", default="latest", show_default=True, metavar="RUN", shell_complete=complete_runs, help="The new data's run."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(  # noqa: D103 - see _HELP; click calls it by name
    context: click.Context, what: str | None, code: str, data: str, as_json: bool
) -> int:
    from nbops.history.select import select_pair  # noqa: PLC0415 - help needs none of it
    from nbops.workflow.replay import replay  # noqa: PLC0415

    project = current(context)
    before, after = select_pair(project.root, project.reports, code, data)
    try:
        found = replay(project.root, project.config, before, after, what)
    except UnknownTarget as error:
        raise click.UsageError(str(error), context) from error
    if as_json:
        echo_json(_plain(found))
    else:
        click.echo("\n".join(_text(found)))
    return OK


def _plain(found: Replayed) -> dict[str, Any]:
    return {
        "code": found.before.id,
        "data": found.after.id,
        "measurements": [_split(one) for one in found.splits],
        "notes": list(found.notes),
    }


def _split(one: Split) -> dict[str, Any]:
    return {
        "measurement": str(one.measure),
        "old_code_old_data": one.neither,
        "old_code_new_data": one.data,
        "new_code_old_data": one.code,
        "new_code_new_data": one.both,
        "change": one.change,
        "by_code": one.by_code,
        "by_data": one.by_data,
        "interaction": one.interaction,
    }


def _text(found: Replayed) -> Iterator[str]:
    yield table(_COLUMNS, [[printable(text) for text in _row(one)] for one in found.splits])
    if found.sentence:
        yield printable(found.sentence[0].upper() + found.sentence[1:] + ".")
    yield from (printable(f"note: {text}") for text in found.notes)


def _row(one: Split) -> list[str]:
    values = [one.neither, one.data, one.code, one.both]
    parts = [one.by_code, one.by_data, one.interaction]
    return [
        str(one.measure),
        *("not made" if value is None else f"{value:.6g}" for value in values),
        *("" if value is None else _part(value, one.change) for value in parts),
    ]


def _part(value: float, change: float) -> str:
    return f"{value:+.4g}" + (f" ({100 * value / change:.0f} %)" if change else "")
