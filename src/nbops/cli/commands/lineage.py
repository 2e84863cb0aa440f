"""``nbops lineage``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nbops.cli.common import OK, PROBLEM, USAGE, complete_datasets, current, epilog
from nbops.cli.output import echo_json
from nbops.errors import UnknownTarget

if TYPE_CHECKING:
    from nbops.lineage.graph import Direction

__all__ = ["command"]

_HELP = """Tell what a dataset or column comes from, and what it goes into.

TARGET is a dataset (`orders`), a column of it (`orders.amount`), or what lineage names as a source outside the pipeline
(`file:data/raw.csv`). A branch says what is done to the value, how that is known (`sql`, `static`: from code, `observed`: seen,
`assumed`: beyond analysis) and in which task and cell. Columns that only choose rows are named in a line of their own; with --all
they are followed like the others. The latest run's ledger is read, and nothing else.
"""


@click.command(
    "lineage",
    help=_HELP,
    short_help="Tell where data comes from and goes.",
    epilog=epilog(
        ("nbops lineage orders", "nbops lineage orders.amount --up", "nbops lineage orders.amount --down --mermaid"),
        codes={
            OK: "told",
            USAGE: "no such dataset or column, or called wrongly",
            PROBLEM: "no run, or its ledger cannot be read",
        },
    ),
)
@click.argument("target", metavar="TARGET", shell_complete=complete_datasets)
@click.option("--up", is_flag=True, help="Only what it comes from.")
@click.option("--down", is_flag=True, help="Only what it goes into.")
@click.option("--depth", type=click.IntRange(min=1), metavar="N", help="Go N steps at most.")
@click.option("--all", "follow", is_flag=True, help="Follow what only chooses or places rows, too.")
@click.option("--run", "run_name", default="latest", metavar="RUN", help="Ask another run than the latest.")
@click.option("--json", "json_", is_flag=True, help="Print JSON: nodes with their distance, kind and edges.")
@click.option("--mermaid", is_flag=True, help="Print a Mermaid flowchart.")
@click.pass_context
def command(  # noqa: D103, PLR0917 - see _HELP; options are what they are
    context: click.Context,
    target: str,
    up: bool,
    down: bool,
    depth: int | None,
    follow: bool,
    run_name: str,
    json_: bool,
    mermaid: bool,
) -> int:
    from nbops.cli.lineage_text import as_json, as_mermaid, as_tree  # noqa: PLC0415 - help needs none of it
    from nbops.lineage.graph import Graph  # noqa: PLC0415
    from nbops.record.store import read_run, resolve_run_id  # noqa: PLC0415
    from nbops.workflow.asking import find_node  # noqa: PLC0415

    if json_ and mermaid:
        raise click.UsageError("--json and --mermaid: choose one.", context)
    project = current(context)
    run = read_run(project.reports, resolve_run_id(project.reports, run_name))
    try:
        node = find_node(run, target)
    except UnknownTarget as error:
        raise click.UsageError(str(error), context) from error
    directions: list[Direction] = ["up", "down"] if up == down else ["up"] if up else ["down"]
    graph = Graph.of_columns(run) if node.column is not None else Graph.of_datasets(run)
    if not (json_ or mermaid):
        click.echo("\n\n".join(as_tree(graph, node, way, depth=depth, follow=follow) for way in directions))
        return OK
    reached = {way: graph.reach([node], way, depth=depth, influence="follow" if follow else "note") for way in directions}
    if json_:
        echo_json({"run": run.id, **as_json([node], reached)})
    else:
        click.echo(as_mermaid([node], [(way, item) for way, items in reached.items() for item in items]))
    return OK
