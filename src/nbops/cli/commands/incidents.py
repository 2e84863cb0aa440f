"""``nbops incidents``."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import click

from nbops.cli.common import OK, PROBLEM, USAGE, Project, current, epilog, locked, note
from nbops.cli.output import echo_json, printable

if TYPE_CHECKING:
    from nbops.history.incidents.store import Incidents

__all__ = ["command", "complete_incidents"]

_HELP = """List what is wrong and not mended, show an incident, or say something about one.

What goes wrong in a run (checks, monitors, tasks) stays an incident until a run finds it mended. `show` tells what is wrong
since when, what may be the cause and what to do next; `ack` says that you look into it; `resolve` ends it by hand: when the
next run still shows it, it opens again; `reopen` takes back that it was resolved or to be expected. ID may be the beginning
or end of an id. What you say is committed with your name, not your address.
"""
_SAID = {"ack": "acknowledged", "resolve": "resolved", "reopen": "reopened"}


def complete_incidents(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001 - click's signature
    """Offer ids of incidents, the newest first, to a shell; a fault offers nothing."""
    with suppress(Exception):
        from nbops.history.incidents.store import load_incidents  # noqa: PLC0415

        found = load_incidents(current(context).reports).found
        return [item.id for item in reversed(found) if item.id.casefold().startswith(incomplete.casefold())]
    return []


@click.command(
    "incidents",
    help=_HELP,
    short_help="List incidents, show one, or say something about it.",
    epilog=epilog(
        (
            "nbops incidents",
            "nbops incidents --all --json",
            "nbops incidents show 1f0c9a",
            'nbops incidents ack 1f0c9a -m "the supplier sends it again at noon"',
            'nbops incidents resolve 1f0c9a -m "the file was replaced"',
        ),
        codes={
            OK: "listed, shown or written",
            USAGE: "called wrongly",
            PROBLEM: "no such incident, or a file is damaged; what you say holds something private",
        },
    ),
)
@click.argument("action", type=click.Choice(["list", "show", "ack", "resolve", "reopen"]), default="list")
@click.argument("incident", metavar="[ID]", required=False, shell_complete=complete_incidents)
@click.option("-m", "--message", metavar="TEXT", default="", help="What you have to say, for `ack`, `resolve` and `reopen`.")
@click.option("-a", "--all", "everything", is_flag=True, help="List resolved and expected ones, too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: a list of objects, or the one that is shown.")
@click.option("--rebuild", "anew", is_flag=True, help="Make all files again from the ledgers; what people said stays.")
@click.pass_context
def command(  # noqa: D103 - see _HELP
    context: click.Context,
    *,
    action: str,
    incident: str | None,
    message: str,
    everything: bool,
    as_json: bool,
    anew: bool,
) -> int:
    if (action == "list") != (incident is None):
        what = "`list` takes no ID; `show ID` shows one" if incident else f"`{action}` needs the ID of an incident"
        raise click.UsageError(f"{what}.", context)
    if anew and action != "list":
        raise click.UsageError("--rebuild goes with no other action.", context)
    project = current(context)
    if anew:
        _rebuild(project)
    if action == "list":
        return _list(project, everything=everything, as_json=as_json)
    if action == "show":
        return _show(project, str(incident), as_json=as_json)
    return _say(project, action, str(incident), message)


def _load(project: Project) -> Incidents:
    from nbops.history.incidents.store import load_incidents  # noqa: PLC0415 - help needs none of it

    found = load_incidents(project.reports)
    for problem in found.problems:
        note(problem)
    return found


def _list(project: Project, *, everything: bool, as_json: bool) -> int:
    from nbops.cli.describe_incident import incident_table  # noqa: PLC0415
    from nbops.history.incidents.course import is_live  # noqa: PLC0415
    from nbops.record.codec import encode  # noqa: PLC0415

    stored = _load(project)
    shown = [item for item in stored.found if everything or is_live(item)]
    if as_json:
        echo_json([encode(item) for item in reversed(shown)])
    elif shown:
        click.echo(incident_table(shown))
    elif not stored.problems:
        note("there are no incidents" if not stored.found else f"none is open; `nbops incidents --all` lists {len(stored.found)}")
    return PROBLEM if stored.problems else OK


def _show(project: Project, wanted: str, *, as_json: bool) -> int:
    from nbops.cli.describe_incident import describe_incident  # noqa: PLC0415
    from nbops.history.incidents.store import find_incident  # noqa: PLC0415
    from nbops.record.codec import encode  # noqa: PLC0415

    stored = _load(project)
    found = find_incident(stored.found, wanted, damaged=stored.damaged)
    if as_json:
        echo_json(encode(found))
    else:
        click.echo(describe_incident(found, reports=project.config.reports, root=project.root))
    return OK


def _say(project: Project, action: str, wanted: str, message: str) -> int:
    from nbops.workflow.incident_edits import edit  # noqa: PLC0415

    done = edit(project.root, project.config, _SAID[action], target=wanted, message=message)  # type: ignore[arg-type]
    for item in done.incidents:
        click.echo(printable(f"{item.id} is {item.state}: {item.title}"))
    for sentence in done.said:
        note(sentence)
    return OK


def _rebuild(project: Project) -> None:
    from nbops.history.incidents.store import incidents_lock  # noqa: PLC0415
    from nbops.history.incidents.update import rebuild  # noqa: PLC0415
    from nbops.pages.text import plural  # noqa: PLC0415

    with locked(project, "nbops incidents --rebuild"), incidents_lock(project.root / ".nbops"):
        done = rebuild(project.reports)
    note(
        f"made {plural(len(done.incidents), 'incident')} again from the ledgers: "
        f"{len(done.written)} written, {len(done.removed)} removed"
    )
    for problem in done.problems:
        note(problem)
