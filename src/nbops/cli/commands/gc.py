"""``nbops gc``."""

from __future__ import annotations

import click

from nbops.cli.common import OK, PROBLEM, current, epilog, locked, note
from nbops.cli.output import Column, table

__all__ = ["command"]

_HELP = """Throw away what can be made again, or is of no more use.

Pages of runs beyond `keep_runs`, failed attempts of earlier runs, scratch and caches in .nbops/. Ledgers, products and
quarantined rows are never touched. Refuses while a build goes on.
"""
_COLUMNS = (Column(title="SIZE", right=True), Column(title="ITEMS", right=True), Column(title="WHAT", flexible=True))


@click.command(
    "gc",
    help=_HELP,
    short_help="Throw old pages and scratch away.",
    epilog=epilog(
        ("nbops gc --dry-run", "nbops gc"),
        codes={OK: "done", PROBLEM: "something cannot be removed, or a build is going on"},
    ),
)
@click.option("-n", "--dry-run", is_flag=True, help="Say what would be removed; remove nothing.")
@click.pass_context
def command(context: click.Context, dry_run: bool) -> int:  # noqa: D103 - see _HELP
    from nbops.pages.text import count, size  # noqa: PLC0415 - help needs none of it
    from nbops.workflow.lock import holder  # noqa: PLC0415
    from nbops.workflow.sweep import find_waste, remove_waste  # noqa: PLC0415

    project = current(context)
    if dry_run:
        found = find_waste(project.root, project.config)
        if who := holder(project.root):
            note(f"{who} is building this project: `nbops gc` would refuse now")
    else:
        with locked(project, "nbops gc"):
            found = remove_waste(project.root, project.config)
    rows = []
    for why in dict.fromkeys(item.why for item in found):
        items = [item for item in found if item.why == why]
        rows.append([size(sum(item.bytes for item in items)), count(len(items)), why])
    if rows:
        click.echo(table(_COLUMNS, rows))
    total = sum(item.bytes for item in found)
    click.echo(f"{'Would free' if dry_run else 'Freed'} {total:,} bytes")
    return OK
