"""``nbops diff``."""

from __future__ import annotations

from pathlib import Path

import click

from nbops.cli.common import FAILED, OK, PROBLEM, USAGE, complete_runs, current, epilog
from nbops.cli.output import echo_json

__all__ = ["command"]

_HELP = """Compare two runs: checks, data, code, parameters, environment; the heaviest change first.

BEFORE and AFTER are ids of runs, the beginning or end of one, or `latest`; `previous` is the run before the other one, and
`accepted` the last one before it that passed or warned and published everything. A git revision (a branch, a tag, a commit)
stands for the newest run that was committed there, also one that is not in this work tree. By default the latest run is
compared with the last accepted one.

Data is compared by what the ledgers measured: schema, rows, null values, and mean, spread, ends and number of values of each
column. What one of the runs could not measure is said, and counts as a difference. How long tasks took does not.
"""
_CODES = {
    OK: "compared; with --exit-code: the same",
    FAILED: "with --exit-code: different",
    USAGE: "called wrongly",
    PROBLEM: "no such run, or a ledger cannot be read",
}


@click.command(
    "diff",
    help=_HELP,
    short_help="Compare two runs.",
    epilog=epilog(
        (
            "nbops diff",
            "nbops diff previous latest",
            "nbops diff main HEAD --markdown >> $GITHUB_STEP_SUMMARY",
            "nbops diff 20261122 20261123 --html diff.html",
        ),
        codes=_CODES,
    ),
)
@click.argument("before", metavar="[BEFORE]", default="accepted", shell_complete=complete_runs)
@click.argument("after", metavar="[AFTER]", default="latest", shell_complete=complete_runs)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--markdown", is_flag=True, help="Print Markdown, for a pull request.")
@click.option(
    "--html",
    "page",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write a page that stands alone, with how the notebooks' sources differ.",
)
@click.option("--exit-code", is_flag=True, help="Exit with 1 when the runs differ, as `git diff --exit-code`.")
@click.option(
    "-n", "--number", type=click.IntRange(min=1), default=40, show_default=True, metavar="N", help="Show at most N changes."
)
@click.pass_context
def command(  # noqa: D103, PLR0917 - see _HELP; click calls it by name
    context: click.Context,
    before: str,
    after: str,
    as_json: bool,
    markdown: bool,
    page: Path | None,
    exit_code: bool,
    number: int,
) -> int:
    from nbops.history.compare import compare  # noqa: PLC0415 - help needs none of it
    from nbops.history.select import select_pair  # noqa: PLC0415

    if as_json and markdown:
        raise click.UsageError("--json and --markdown exclude each other: choose one.")
    project = current(context)
    pair = select_pair(project.root, project.reports, before, after)
    found = compare(*pair)
    if page is not None:
        from nbops.pages.compare import comparison_page  # noqa: PLC0415
        from nbops.workflow.notebook_changes import notebooks_between  # noqa: PLC0415

        notebooks = notebooks_between(project.reports, *pair)
        page.write_text(comparison_page(found, notebooks=notebooks.changed, unknown=notebooks.unknown), encoding="utf-8")
    if as_json:
        from nbops.history.told import as_document  # noqa: PLC0415

        echo_json(as_document(found))
    elif markdown:
        from nbops.cli.describe_diff import as_markdown  # noqa: PLC0415

        click.echo(as_markdown(found, most=number), nl=False)
    else:
        from nbops.cli.describe_diff import as_text  # noqa: PLC0415

        click.echo(as_text(found, most=number))
        if page is not None:
            click.echo(f"Page: {page}")
    return FAILED if exit_code and found.different else OK
