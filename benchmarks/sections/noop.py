"""Builds with nothing to do."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.harness import LACKS, USAGE, Contestant, Experiment, SkippedError, execute
from benchmarks.project import Variant
from benchmarks.sections.pipelines import fresh_copy, verify_data

if TYPE_CHECKING:
    from benchmarks.context import Context

__all__ = ["MINUTES", "TITLE", "built", "experiments"]

TITLE = "Builds with nothing to do"
MINUTES = 2.0


@cache
def built(context: Context, variant: Variant) -> Path:
    """Return a project in which everything is built, and which must not be changed but by builds."""
    root = fresh_copy(context, variant, f"built-{'attached' if variant.attached else 'plain'}-{variant.shape}{variant.size}")
    execute([context.tool("ploomber"), "build"], folder=root, environment=context.environment())
    verify_data(context, root)
    return root


def times_of_products(root: Path) -> Mapping[str, int]:
    """Return when each product was last written, in nanoseconds."""
    return {path.name: path.stat().st_mtime_ns for path in sorted((root / "output").glob("t*.*"))}


def run_on(
    context: Context, variant: Variant, command: Callable[[], Sequence[str | Path]], *, rounds: int
) -> Callable[[int], Mapping[str, float]]:
    """Return what runs a command on a built project, and checks that no product was made anew."""

    def run(number: int) -> Mapping[str, float]:
        root = built(context, variant)
        before = times_of_products(root)
        usage = execute(command(), folder=root, environment=context.environment())
        if times_of_products(root) != before:
            raise SkippedError("it ran a task although there was nothing to do")
        if number == rounds - 1 and context.quick:
            shutil.rmtree(root, ignore_errors=True)
            built.cache_clear()
        return usage.values()

    return run


def experiments(context: Context) -> Iterator[Experiment]:
    """Yield one experiment."""
    size = 2 if context.quick else 8
    plain, attached = Variant(shape="chain", size=size), Variant(shape="chain", size=size, attached=True)
    rounds = context.rounds_or(5)

    def own(name: str) -> Callable[[], Sequence[str | Path]]:
        def command() -> Sequence[str | Path]:
            if not context.has_command(name):
                raise SkippedError(f"{LACKS} `nbops {name}`")
            return [context.tool("nbops"), name]

        return command

    ways: list[tuple[str, str, Variant, Callable[[], Sequence[str | Path]]]] = [
        ("ploomber", "ploomber build", plain, lambda: [context.tool("ploomber"), "build"]),
        ("nbops_attach", "ploomber build with nbops", attached, lambda: [context.tool("ploomber"), "build"]),
        ("nbops_build", "nbops build", attached, own("build")),
        ("ploomber_status", "ploomber status", plain, lambda: [context.tool("ploomber"), "status"]),
        ("attached_status", "ploomber status with nbops", attached, lambda: [context.tool("ploomber"), "status"]),
        ("nbops_status", "nbops status", attached, own("status")),
    ]
    yield Experiment(
        key="noop.chain",
        title=f"Chain of {size} notebooks, nothing to do",
        about="The pipeline was built before. No product may be written anew. nbops still records and commits the run.",
        baseline="ploomber",
        contestants=[
            Contestant(key=key, label=label, run=run_on(context, variant, command, rounds=rounds))
            for key, label, variant, command in ways
        ],
        rounds=rounds,
        metrics=USAGE,
    )
