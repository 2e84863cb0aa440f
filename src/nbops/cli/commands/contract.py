"""``nbops contract``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from nbops.cli.common import OK, PROBLEM, USAGE, complete_datasets, current, epilog, note
from nbops.errors import did_you_mean

if TYPE_CHECKING:
    from nbops.model import Dataset, Run

__all__ = ["command"]

_HELP = """Suggest a contract for a dataset, from what the latest run measured of it.

It is printed, or with --write put into the project's contracts, where the next build judges by it. What holds today is suggested
as a rule where it is likely to be meant; TODO stands where only people know. No data is read.
"""


@click.command(
    "contract",
    help=_HELP,
    short_help="Suggest a contract for a dataset.",
    epilog=epilog(
        ("nbops contract orders", "nbops contract orders --write"),
        codes={
            OK: "printed or written",
            USAGE: "no such dataset, or it has a contract already",
            PROBLEM: "no run, or its ledger cannot be read",
        },
    ),
)
@click.argument("dataset", shell_complete=complete_datasets)
@click.option("--write", is_flag=True, help="Write contracts/DATASET.odcs.yaml; a file that is there is never changed.")
@click.option("--run", "run_name", default="latest", metavar="RUN", help="Take what another run measured.")
@click.pass_context
def command(context: click.Context, dataset: str, write: bool, run_name: str) -> int:  # noqa: D103 - see _HELP
    from nbops.quality.suggest import suggest_contract  # noqa: PLC0415 - help needs none of it
    from nbops.record.store import read_run, resolve_run_id  # noqa: PLC0415
    from nbops.workflow.project import project_name  # noqa: PLC0415

    project = current(context)
    run = read_run(project.reports, resolve_run_id(project.reports, run_name))
    found = _find(run, dataset, context)
    text = _yaml(suggest_contract(found, project=project_name(project.root)), run.id)
    if not write:
        click.echo(text.encode("utf-8", "backslashreplace"), nl=False)
        return OK
    path = project.root / project.config.contracts / f"{found.name}.odcs.yaml"
    if found.contract or path.exists():
        where = found.contract or path.relative_to(project.root).as_posix()
        raise click.UsageError(
            f"{found.name} has a contract: {where}. Change that, or print the suggestion without --write.", context
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("x", encoding="utf-8") as stream:  # never over a file that came into being meanwhile
        stream.write(text)
    click.echo(path.relative_to(project.root).as_posix())
    note("read it, fill in what is TODO, and strike what only happens to hold; the next build judges by it")
    return OK


def _find(run: Run, name: str, context: click.Context) -> Dataset:
    found = next((item for item in run.datasets if item.name == name), None)
    if found is None:
        raise click.UsageError(f"no dataset {name[:60]!r}. {did_you_mean(name, [item.name for item in run.datasets])}", context)
    if not found.columns or "/" in found.name or "\\" in found.name:
        raise click.UsageError(
            f"nothing is known of the columns of {name[:60]!r}: {found.error or 'it was not measured'}.", context
        )
    return found


def _yaml(document: dict[str, Any], run_id: str) -> str:
    import io  # noqa: PLC0415

    from ruamel.yaml import YAML  # noqa: PLC0415

    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = 120
    stream = io.StringIO()
    yaml.dump(document, stream)
    return f"# Suggested by nbops from run {run_id}: rules that hold today. Keep what is meant.\n{stream.getvalue()}"
