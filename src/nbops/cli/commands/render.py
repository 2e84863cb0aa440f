"""``nbops render``."""

from __future__ import annotations

import click

from nbops.cli.common import OK, PROBLEM, complete_runs, current, epilog, locked, note

__all__ = ["command"]

_HELP = """Make the pages of runs again from their ledgers.

All runs that keep pages (the newest `keep_runs`) and the index; with RUN that run, however old, and the index.
The same ledgers give the same bytes. Nothing is committed.
"""


@click.command(
    "render",
    help=_HELP,
    short_help="Make pages again from ledgers.",
    epilog=epilog(
        ("nbops render", "nbops render 20261122T194156Z-1f0c9a"),
        codes={OK: "made", PROBLEM: "a ledger cannot be read, a page cannot be written, or a build is going on"},
    ),
)
@click.argument("run", metavar="[RUN]", required=False, shell_complete=complete_runs)
@click.pass_context
def command(context: click.Context, run: str | None) -> int:  # noqa: D103 - see _HELP
    from nbops.pages.text import plural  # noqa: PLC0415 - help needs none of it
    from nbops.record.store import resolve_run_id  # noqa: PLC0415
    from nbops.workflow.rebuild import rebuild_pages  # noqa: PLC0415

    project = current(context)
    run_id = None if run is None else resolve_run_id(project.reports, run)
    with locked(project, "nbops render"):
        made = rebuild_pages(project.root, project.config, run_id=run_id)
    click.echo(f"Made {plural(made.pages, 'page')} of {plural(len(made.runs), 'run')}: {project.config.reports}/index.html")
    for problem in made.unreadable:
        note(problem)
    return PROBLEM if made.unreadable else OK
