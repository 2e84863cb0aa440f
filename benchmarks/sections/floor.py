"""The least that a build of small notebooks can take on this machine: each part that cannot be left out, by itself.

A bar below what these parts add up to is below the floor of what is built on Ploomber, isolated kernels and ydata-profiling.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.context import CONTESTANTS
from benchmarks.harness import USAGE, Contestant, Experiment, Usage, execute
from benchmarks.project import Variant
from benchmarks.sections.pipelines import TASK_SECONDS, fresh_copy, reported, verify_data

if TYPE_CHECKING:
    from benchmarks.context import Context

__all__ = ["MINUTES", "TITLE", "experiments"]

TITLE = "What cannot be left out of a build"
MINUTES = 3.0

_PAGES = 50
"""About as many files as a run of eight notebooks commits."""
_PAGE = "<p>a line of a page, as long as most of them are, number {}</p>\n"


def _built(context: Context, root: Path) -> None:
    """Have the datasets made, unmeasured."""
    command: list[str | Path] = [context.python, CONTESTANTS / "warm_notebooks.py", "warm", "1"]
    execute(command, folder=root, environment=context.environment())
    verify_data(context, root)


def _pages(_context: Context, root: Path) -> None:
    for number in range(_PAGES):
        text = "".join(_PAGE.format(line * (number + 7919) % 100_003) for line in range(200))
        (root / f"page{number}.html").write_text(text, encoding="utf-8")


def _run(
    context: Context,
    command: Callable[[Context], Sequence[str | Path]],
    size: int,
    *,
    before: Callable[[Context, Path], None] | None = None,
    runs: bool = False,
    after: Callable[[Usage], Mapping[str, float]] = lambda _: {},
) -> Callable[[int], Mapping[str, float]]:
    def once(_round: int) -> Mapping[str, float]:
        root = fresh_copy(context, Variant(shape="chain", size=size, attached=before is _built), f"floor-{size}")
        try:
            if before is not None:
                before(context, root)
            usage = execute(command(context), folder=root, environment=context.environment())
            if runs:
                verify_data(context, root)
            return {**usage.values(), **after(usage)}
        finally:
            shutil.rmtree(root, ignore_errors=True)

    return once


def _part(name: str) -> Callable[[Context], Sequence[str | Path]]:
    return lambda context: [context.python, CONTESTANTS / "floor_parts.py", name]


def experiments(context: Context) -> Iterator[Experiment]:
    """Yield one experiment."""
    size = 2 if context.quick else 8

    def contestant(key: str, label: str, run: Callable[[int], Mapping[str, float]], about: str = "") -> Contestant:
        return Contestant(key=key, label=label, run=run, about=about)

    yield Experiment(
        key="floor.chain",
        title=f"Chain of {size} notebooks: the parts that cannot be left out",
        about=(
            "Plain Ploomber, and below it parts of what a build with isolated notebooks, checks, profiles and a commit consists "
            "of, each by itself, with nothing of nbops's bookkeeping. The ratios are against plain Ploomber."
        ),
        baseline="ploomber",
        contestants=[
            contestant(
                "ploomber", "Ploomber", _run(context, lambda it: [it.tool("ploomber"), "build"], size, runs=True, after=reported)
            ),
            contestant("python", "python -c pass", _run(context, lambda it: [it.python, "-c", "pass"], size)),
            contestant("load", "Ploomber imported, pipeline made", _run(context, _part("load"), size)),
            contestant("load_lean", "the same, imported as `nbops build` does", _run(context, _part("load-lean"), size)),
            contestant(
                "warm",
                "forked kernels, nothing else",
                _run(context, lambda it: [it.python, CONTESTANTS / "warm_notebooks.py", "warm", "1"], size, runs=True),
                "A process a task, papermill, a kernel forked for each from one that has imported pandas.",
            ),
            contestant(
                "run",
                "Ploomber and forked kernels, nothing else",
                _run(context, _part("run"), size, runs=True),
                "The floor of `ploomber build` with nbops.",
            ),
            contestant(
                "run_lean",
                "lean Ploomber and forked kernels, nothing else",
                _run(context, _part("run-lean"), size, runs=True),
                "The floor of `nbops build`.",
            ),
            contestant("audits", "the datasets measured and judged", _run(context, _part("audits"), size, before=_built)),
            contestant("profiles", "the datasets profiled", _run(context, _part("profiles"), size, before=_built)),
            contestant(
                "commit",
                f"`git add` and `git commit` of {_PAGES} pages",
                _run(context, lambda _: ["sh", "-c", "git add --all && git commit --quiet --message=x"], size, before=_pages),
            ),
        ],
        rounds=context.rounds_or(5),
        metrics=(*USAGE, TASK_SECONDS),
    )
