"""What the commands share: the project they work on, their exit codes, completion."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from nbops.cli.output import printable
from nbops.errors import LockedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from nbops.contract.config import Config

__all__ = [
    "COMPLETE_VARIABLE",
    "FAILED",
    "OK",
    "PROBLEM",
    "USAGE",
    "Project",
    "complete_datasets",
    "complete_runs",
    "current",
    "epilog",
    "locked",
    "note",
    "note_incidents",
    "start_folder",
]

OK = 0
"""Passed or warned, or the command did its work."""
FAILED = 1
"""Checks failed, or could not be measured."""
USAGE = 2
"""The command was called wrongly."""
PROBLEM = 3
"""It could not work."""
COMPLETE_VARIABLE = "_NBOPS_COMPLETE"
"""Set by a shell that asks what could come next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """The project that a command works on."""

    root: Path
    config: Config

    @property
    def reports(self) -> Path:
        """The folder of the ledgers and pages."""
        return self.root / self.config.reports

    @property
    def cache(self) -> Path:
        """The folder of caches, never committed."""
        return self.root / ".nbops/cache"


def epilog(examples: Sequence[str], *, codes: Mapping[int, str]) -> str:
    """Return what stands below the options in a command's help.

    Args:
        examples: Command lines.
        codes: Exit codes that the command has, and what they mean.
    """
    shown = "\n".join(f"  {example}" for example in examples)
    listed = "\n".join(f"  {code}  {meaning}" for code, meaning in sorted(codes.items()))
    return f"\b\nExamples:\n{shown}\n\n\b\nExit codes:\n{listed}"


def start_folder(context: click.Context) -> Path:
    """Return the folder that the command was started in, or that ``-C`` names."""
    chosen = context.find_root().params.get("directory")
    return Path(chosen) if chosen is not None else Path.cwd()


def current(context: click.Context) -> Project:
    """Return the project around the starting folder.

    Raises:
        ConfigError: There is none, or its ``[tool.nbops]`` is wrong.
    """
    from nbops.contract.config import load_config  # noqa: PLC0415 - only commands that need a project pay for it
    from nbops.workflow.project import find_root  # noqa: PLC0415

    root = find_root(start_folder(context))
    return Project(root=root, config=load_config(root))


@contextmanager
def locked(project: Project, command: str) -> Iterator[None]:
    """Hold the project against builds while something in it is changed.

    Raises:
        LockedError: A build goes on.
    """
    from nbops.workflow.lock import holder, project_lock  # noqa: PLC0415

    if who := holder(project.root):
        raise LockedError(f"{who} is building this project, so `{command}` would be in its way. Try again when it has ended.")
    now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    with project_lock(project.root, command=command, started_at=now, on_lock="fail", say=note, stopped=lambda: False):
        yield


def note(text: str) -> None:
    """Print a remark on standard error."""
    click.echo(f"nbops: {printable(text, lines=True)}", err=True)


def note_incidents(project: Project) -> None:
    """Say how many incidents are open, where any is."""
    from nbops.history.incidents.store import count_live  # noqa: PLC0415 - only commands that look at runs pay for it

    number = count_live(project.reports)
    if number:
        said = "1 incident is open; `nbops incidents` lists it"
        note(said if number == 1 else f"{number} incidents are open; `nbops incidents` lists them")


def complete_runs(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001 - click's signature
    """Offer ids of runs, the newest first, to a shell; a fault offers nothing."""
    with suppress(Exception):
        from nbops.record.store import run_ids  # noqa: PLC0415

        ids = ["latest", *reversed(run_ids(current(context).reports))]
        return [run_id for run_id in ids if run_id.startswith(incomplete)]
    return []


def complete_datasets(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001 - click's signature
    """Offer names of datasets to a shell, and files where no name fits; a fault offers files."""
    names: list[str] = []
    with suppress(Exception):
        from nbops.workflow.recheck import published_datasets  # noqa: PLC0415

        project = current(context)
        names = [name for name in published_datasets(project.root, project.config) if name.startswith(incomplete)]
    return [CompletionItem(name) for name in names] or [CompletionItem(incomplete, type="file")]
