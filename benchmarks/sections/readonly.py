"""What the commands that only read take to start and answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.harness import LACKS, USAGE, Contestant, Experiment, SkippedError, execute
from benchmarks.project import Variant
from benchmarks.sections.noop import built

if TYPE_CHECKING:
    from benchmarks.context import Context

__all__ = ["MINUTES", "TITLE", "experiments"]

TITLE = "Read-only commands"
MINUTES = 0.5

_COMMANDS = (
    ("version", "nbops --version", ("--version",)),
    ("help", "nbops --help", ("--help",)),
    ("status", "nbops status", ("status",)),
    ("runs", "nbops runs", ("runs",)),
    ("show", "nbops show", ("show",)),
    ("check", "nbops check (20 checks of two datasets of 1,000 rows)", ("check", "t00_data", "t01_data")),
    ("doctor", "nbops doctor", ("doctor",)),
)
_OK = (0, 1)
"""``doctor`` may find something."""


def experiments(context: Context) -> Iterator[Experiment]:
    """Yield one experiment."""
    variant = Variant(shape="chain", size=2, attached=True)

    def run(command: Callable[[], Sequence[str | Path]]) -> Callable[[int], Mapping[str, float]]:
        return lambda _: execute(command(), folder=built(context, variant), environment=context.environment(), ok=_OK).values()

    def own(arguments: tuple[str, ...]) -> Callable[[], Sequence[str | Path]]:
        def command() -> Sequence[str | Path]:
            if not arguments[0].startswith("-") and not context.has_command(arguments[0]):
                raise SkippedError(f"{LACKS} `nbops {arguments[0]}`")
            return [context.tool("nbops"), *arguments]

        return command

    yield Experiment(
        key="readonly.commands",
        title="Commands that only read, on a built project",
        about="Each in a process of its own, from start to end. The ratios are against an empty Python.",
        baseline="python",
        contestants=[
            Contestant(key="python", label="python -c pass", run=run(lambda: [context.python, "-c", "pass"])),
            *(Contestant(key=key, label=label, run=run(own(arguments))) for key, label, arguments in _COMMANDS),
            Contestant(key="ploomber_help", label="ploomber --help", run=run(lambda: [context.tool("ploomber"), "--help"])),
        ],
        rounds=context.rounds_or(5),
        metrics=USAGE,
    )
