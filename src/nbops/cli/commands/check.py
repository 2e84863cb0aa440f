"""``nbops check``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nbops.cli.common import FAILED, OK, PROBLEM, USAGE, complete_datasets, current, epilog, start_folder
from nbops.cli.output import Cell, Column, colour_of, echo_json, printable, table

if TYPE_CHECKING:
    from nbops.quality.audited import Audit
    from nbops.workflow.last_judged import LastJudged

__all__ = ["command"]

_HELP = """Judge published data against its contracts, without running the pipeline.

Every dataset that has a contract, or those that are named; a FILE is judged by the contract of its name, or by that of
--contract. Nothing is written and no row is set aside. A check that cannot be measured counts as failed, and so does a
dataset that is not there. Rows that the last run set aside are no longer in what it published: a rule that they broke is
`warned`, as in that run. Where a verdict is another one than the run's, it is said why.
"""
_SUMMARY = (
    Column(title="DATASET"),
    Column(title="VERDICT"),
    Column(title="ROWS", right=True),
    Column(title="PASSED", right=True),
    Column(title="CONTRACT", flexible=True),
)


@click.command(
    "check",
    help=_HELP,
    short_help="Judge published data against its contracts.",
    epilog=epilog(
        ("nbops check", "nbops check orders customers", "nbops check new.csv --contract orders", "nbops check --json"),
        codes={
            OK: "all passed, or warned",
            FAILED: "a check failed, or could not be measured",
            USAGE: "called wrongly",
            PROBLEM: "no such dataset, file or contract; or a contract is wrong",
        },
    ),
)
@click.argument("targets", metavar="[DATASET|FILE]...", nargs=-1, shell_complete=complete_datasets)
@click.option(
    "--contract",
    metavar="NAME|FILE",
    shell_complete=complete_datasets,
    help="Judge by the contract of this dataset, or by this .odcs.yaml file.",
)
@click.option("-a", "--all", "everything", is_flag=True, help="List the checks that passed, too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, in the form of a ledger.")
@click.pass_context
def command(  # noqa: D103 - see _HELP
    context: click.Context, targets: tuple[str, ...], contract: str | None, everything: bool, as_json: bool
) -> int:
    from nbops.cli.describe import describe_checks  # noqa: PLC0415 - help needs none of it
    from nbops.workflow.last_judged import beside_last_run  # noqa: PLC0415
    from nbops.workflow.recheck import check_targets, find_targets, verdict_of_audits  # noqa: PLC0415

    project = current(context)
    found = find_targets(targets, root=project.root, config=project.config, start=start_folder(context), contract=contract)
    audits = check_targets(found, root=project.root, config=project.config, whole=as_json)
    told = beside_last_run(audits, found, reports=project.reports)
    audits = told.audits
    verdict = verdict_of_audits(audits)
    if as_json:
        _echo_json(told, verdict)
    else:
        results = [result for audit in audits for result in audit.results]
        click.echo(table(_SUMMARY, [_row(audit) for audit in audits]))
        if details := describe_checks(results, all_of_them=everything):
            click.echo(f"\n{details}")
        for lines in (_set_aside(audits), [item.message for item in told.remarks]):
            if lines:
                click.echo("\n" + "\n".join(printable(line) for line in lines))
    return FAILED if verdict in {"failed", "errored"} else OK


def _row(audit: Audit) -> list[str | Cell]:
    from nbops.pages.text import count  # noqa: PLC0415

    dataset = audit.dataset
    passed = sum(1 for result in audit.results if result.verdict == "passed")
    return [
        dataset.name,
        Cell(dataset.verdict, colour_of(dataset.verdict)),
        count(dataset.rows),
        f"{passed}/{len(audit.results)}",
        dataset.contract or "",
    ]


def _set_aside(audits: tuple[Audit, ...]) -> list[str]:
    from nbops.pages.text import count, plural  # noqa: PLC0415

    entries = [audit.quarantine for audit in audits if audit.quarantine is not None]
    return [f"{item.dataset}: {plural(item.rows, 'row')} of {count(item.rows_in)} set aside, in {item.path}" for item in entries]


def _echo_json(told: LastJudged, verdict: str) -> None:
    from nbops.record.codec import encode  # noqa: PLC0415

    audits = told.audits
    echo_json(
        {
            "verdict": verdict,
            "datasets": [encode(audit.dataset) for audit in audits],
            "checks": [encode(result) for audit in audits for result in audit.results],
            "quarantine": [encode(audit.quarantine) for audit in audits if audit.quarantine is not None],
            "notices": [encode(item) for item in told.remarks],
        }
    )
