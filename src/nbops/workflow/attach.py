"""``on_render: nbops.attach``: the one line that hands a Ploomber pipeline to nbops."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbops.adapters import ploomber, ploomber_entry
from nbops.adapters.env_file import environment_values, given_values
from nbops.adapters.ploomber import DagRunner, SingleTaskRunner
from nbops.contract.config import load_config
from nbops.errors import ConfigError, PipelineError, did_you_mean
from nbops.workflow.given import given_parameters
from nbops.workflow.status import stale_tasks

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nbops.pipeline import TaskSpec

__all__ = ["attach", "build_from"]

_FORCED = frozenset({"-f", "--force"})

ploomber.mend_metadata()  # attach is looked up before anything is rendered, which is when a broken metadata file hurts


def _start_kernels() -> None:
    """Have the process that kernels are forked from import while the pipeline is rendered, where notebooks are sure to run."""
    from nbops.workflow.ahead import start_kernels_early  # noqa: PLC0415 - only builds need it

    root = Path.cwd().resolve()
    with suppress(ConfigError, OSError):  # the build says so
        config = load_config(root)
        start_kernels_early(root, config, pipeline=ploomber_entry.entry_point(root, sys.argv), values=given_values(sys.argv))


def _is_first_build() -> bool:
    """Return whether Ploomber's command line builds everything: it was told to, or nothing was built here before."""
    if Path(sys.argv[0] if sys.argv else "").name != "ploomber" or sys.argv[1:2] != ["build"]:
        return False
    return not _FORCED.isdisjoint(sys.argv) or not any(Path(".nbops/state").glob("*.json"))


if _is_first_build():
    _start_kernels()


_downstream: list[str] = []
"""The task that this process' build begins with, when it was asked to; Ploomber has no such option."""


def build_from(task: str) -> None:
    """Have this process' build run only a task and what depends on it.

    Args:
        task: Its name.
    """
    _downstream[:] = [task]


def _closure(tasks: Iterable[TaskSpec], first: str) -> frozenset[str]:
    """Return the names of a task and of all that depends on it.

    Raises:
        PipelineError: No task is called so.
    """
    found, names = {first}, []
    for task in tasks:  # in topological order
        names.append(task.name)
        if not found.isdisjoint(task.upstream):
            found.add(task.name)
    if first not in names:
        raise PipelineError(f"--downstream {first[:60]!r}: no task is called so. {did_you_mean(first[:60], names)}")
    return frozenset(found)


def attach(dag: Any) -> None:
    """Put nbops in charge of a Ploomber DAG; called by Ploomber after each render.

    Nothing is written here: ``ploomber status``, ``plot`` and ``report`` call it too.

    Args:
        dag: The rendered DAG.

    Raises:
        ConfigError: ``[tool.nbops]`` is wrong, or what NBOPS_PARAMETERS holds.
    """
    root = Path.cwd().resolve()
    config = load_config(root)
    parameters = environment_values(ploomber_entry.env_file(root, sys.argv), sys.argv)
    ploomber_entry.give(dag, given_parameters())

    def build_all(
        current: Any,
        forced: bool,  # noqa: FBT001 - called by position
        workers: int | None,
    ) -> Mapping[str, float | None]:
        from nbops.workflow.build import build  # noqa: PLC0415 - `ploomber status` needs none of it
        from nbops.workflow.remembered import remember  # noqa: PLC0415

        runner = DagRunner(current, forced=forced, parameters=parameters)
        runner.workers = workers
        runner.partial = ploomber.is_partial()
        selected = _closure(runner.tasks(), _downstream[0]) if _downstream else ploomber.selected_targets()
        pipeline = ploomber_entry.entry_point(root, sys.argv)
        if pipeline is not None and not (runner.partial and given_parameters()):  # values of one run are not the pipeline's
            remember(root, runner.tasks(), pipeline=pipeline, values=given_values(sys.argv), partial=runner.partial)
        return build(runner, root=root, config=config, command=_command("build"), selected=selected).seconds

    def build_task(current: Any, task: str, forced: bool) -> None:  # noqa: FBT001 - called by position
        from nbops.workflow.build import build  # noqa: PLC0415 - see above

        runner = SingleTaskRunner(current, task, forced=forced, parameters=parameters)
        build(runner, root=root, config=config, command=_command(f"task {task}"), selected=frozenset({task}))

    if ploomber.is_debugging(dag):
        return  # --debug needs the task in this process and the terminal: Ploomber's own executor does that
    ploomber.install(dag, build=build_all, build_task=build_task)
    if ploomber.is_building():
        return  # what runs is decided task by task, once upstream data is known
    runner = DagRunner(dag, forced=ploomber.is_forced(), parameters=parameters)
    ploomber.show_status(dag, stale_tasks(runner, root=root, config=config))


def _command(called: str) -> str:
    """Return what the user typed, when it was Ploomber's command line or nbops' own."""
    program = Path(sys.argv[0]).name if sys.argv else ""
    if program not in {"ploomber", "nbops"}:
        return f"ploomber {called}"
    known = [program, *called.split()]
    chosen = ["--downstream", *_downstream] if _downstream else []
    return " ".join([*known, *chosen, *(word for word in sys.argv[1:] if word not in known)])
