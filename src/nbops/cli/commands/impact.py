"""``nbops impact``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from nbops.cli.common import OK, PROBLEM, USAGE, complete_datasets, current, epilog, start_folder
from nbops.cli.output import Cell, Column, colour_of, echo_json, printable, table
from nbops.errors import UnknownTarget

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nbops.lineage.impact import Affected, Impact
    from nbops.model import Run
    from nbops.workflow.asking import Meant

__all__ = ["command"]

_HELP = """Tell what depends on something: datasets, columns, checks, owners, reports.

WHAT is a dataset or column (`orders`, `orders.amount`), a task, a file (`notebooks/clean.py`, a module, an input, a contract), a
folder, or a range of commits (`main..HEAD`, `HEAD~3`: what changed since). Of a dataset, `columns` names those whose values
depend on it, and `rows` stands where it decides which rows there are. The latest run's ledger is read; nothing is run.
"""
_DATASETS = (
    Column(title="DATASET"),
    Column(title="STEPS", right=True),
    Column(title="HOW"),
    Column(title="CHECKS", right=True),
    Column(title="OWNER"),
    Column(title="COLUMNS", flexible=True),
)
_CHECKS = (Column(title="VERDICT"), Column(title="DATASET"), Column(title="CHECK", flexible=True))
_MOST_CHECKS = 20


@click.command(
    "impact",
    help=_HELP,
    short_help="Tell what depends on something.",
    epilog=epilog(
        ("nbops impact orders.amount", "nbops impact notebooks/clean.py", "nbops impact main..HEAD --json"),
        codes={
            OK: "told, also when nothing depends on it",
            USAGE: "WHAT is nothing that is known",
            PROBLEM: "no run, or its ledger cannot be read",
        },
    ),
)
@click.argument("what", metavar="WHAT", shell_complete=complete_datasets)
@click.option("--depth", type=click.IntRange(min=1), metavar="N", help="Go N steps at most.")
@click.option("--run", "run_name", default="latest", metavar="RUN", help="Ask another run than the latest.")
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
@click.option("--mermaid", is_flag=True, help="Print a Mermaid flowchart of the datasets.")
@click.pass_context
def command(  # noqa: D103, PLR0917 - see _HELP; options are what they are
    context: click.Context,
    what: str,
    depth: int | None,
    run_name: str,
    json_: bool,
    mermaid: bool,
) -> int:
    from nbops.lineage.impact import impact_of  # noqa: PLC0415 - help needs none of it
    from nbops.record.store import read_run, resolve_run_id  # noqa: PLC0415
    from nbops.workflow.asking import find_target  # noqa: PLC0415

    if json_ and mermaid:
        raise click.UsageError("--json and --mermaid: choose one.", context)
    project = current(context)
    run = read_run(project.reports, resolve_run_id(project.reports, run_name))
    try:
        meant = find_target(run, what, root=project.root, folder=start_folder(context).resolve(), config=project.config)
    except UnknownTarget as error:
        raise click.UsageError(str(error), context) from error
    found = impact_of(run, meant.nodes, tasks=meant.tasks, depth=depth)
    if json_:
        echo_json({"run": run.id, **_plain(meant, found, reports=_reports(run, found, project.reports))})
    elif mermaid:
        click.echo(_mermaid(run, meant, found))
    else:
        click.echo("\n".join(_text(meant, found, reports=_reports(run, found, project.reports))))
    return OK


def _reports(run: Run, found: Impact, folder: Path) -> list[str]:
    """Return the pages of the tasks, as far as they are there; one that was up to date has that of the run that ran it."""
    from nbops.pages.names import page_name  # noqa: PLC0415

    pages: list[str] = []
    for task in run.tasks:
        if task.name in found.tasks:
            names = [f"runs/{made}/tasks/{page_name(task.name)}.html" for made in (run.id, task.last_success) if made]
            pages += [f"{folder.name}/{name}" for name in names if (folder / name).is_file()][:1]
    return pages


def _plain(meant: Meant, found: Impact, *, reports: list[str]) -> dict[str, Any]:
    return {
        "about": meant.about,
        "files": list(meant.files),
        "tasks": list(found.tasks),
        "datasets": [
            {
                "dataset": item.dataset,
                "distance": item.distance,
                "kind": item.kind,
                "whole": item.whole,
                "columns": dict(item.columns),
                "owner": item.owner,
            }
            for item in found.datasets
        ],
        "checks": [
            {
                "dataset": result.check.dataset,
                "check": result.check.id,
                "column": result.check.column,
                "severity": result.check.severity,
                "verdict": result.verdict,
            }
            for result in found.checks
        ],
        "owners": {owner: list(names) for owner, names in found.owners.items()},
        "reports": reports,
    }


def _text(meant: Meant, found: Impact, *, reports: list[str]) -> Iterator[str]:
    if not found.datasets and not found.tasks:
        yield f"Nothing of the pipeline depends on {printable(meant.about)}."
        return
    yield click.style(f"What depends on {printable(meant.about)}", bold=True)
    if found.tasks:
        yield f"  tasks     {printable(', '.join(found.tasks))}"
    for owner, names in found.owners.items():
        yield f"  owner     {printable(owner)}: {printable(', '.join(names))}"
    if found.datasets:
        yield ""
        yield table(
            _DATASETS, [_row(item, sum(r.check.dataset == item.dataset for r in found.checks)) for item in found.datasets]
        )
    bad = [result for result in found.checks if result.verdict != "passed"]
    if bad:
        yield ""
        yield click.style(f"Checks of these that do not pass now: {len(bad)} of {len(found.checks)}", bold=True)
        rows: list[list[str | Cell]] = [
            [Cell(item.verdict, colour_of(item.verdict)), item.check.dataset, item.check.id] for item in bad[:_MOST_CHECKS]
        ]
        yield table(_CHECKS, rows)
        if len(bad) > _MOST_CHECKS:
            yield f"... and {len(bad) - _MOST_CHECKS} more; --json lists all"
    if reports:
        yield ""
        yield click.style("Reports", bold=True)
        yield from (f"  {printable(path)}" for path in reports)


def _row(item: Affected, checks: int) -> list[str | Cell]:
    derived = [name for name, kind in item.columns.items() if kind == "derived"]
    rows = ["rows"] if item.whole and item.kind == "influence" else ["all"] if item.whole and not derived else []
    how = "itself" if item.distance == 0 else item.kind
    return [item.dataset, str(item.distance), how, str(checks), item.owner or "", ", ".join([*derived, *rows])]


def _mermaid(run: Run, meant: Meant, found: Impact) -> str:
    from nbops.cli.lineage_text import as_mermaid  # noqa: PLC0415
    from nbops.lineage.graph import Graph, Node  # noqa: PLC0415

    start = [Node(item.dataset) for item in found.datasets if item.distance == 0] or list(meant.nodes)
    reached = Graph.of_datasets(run).reach(start, "down")
    inside = {item.dataset for item in found.datasets}
    return as_mermaid(start, [("down", item) for item in reached if item.node.name in inside])
