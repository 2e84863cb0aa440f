"""What the next build would run, without running or writing anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbops.record.store import load_runs
from nbops.workflow.fingerprint import Fingerprinter
from nbops.workflow.hashing import HashCache
from nbops.workflow.plan import reasons_to_run
from nbops.workflow.state import StateStore

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from nbops.contract.config import Config
    from nbops.pipeline import Runner, TaskSpec

__all__ = ["reasons_of", "stale_tasks", "states_of", "why"]


def why(runner: Runner, *, root: Path, config: Config) -> dict[str, tuple[str, ...]]:
    """Return for each task why the next build would run it; an empty tuple where it would not.

    A task below one that would run is counted as stale, although it will not run if the data comes out the same.
    """
    return reasons_of(
        runner.tasks(), states=states_of(root, runner.tasks(), config), root=root, config=config, forced=runner.forced
    )


def states_of(root: Path, tasks: Sequence[TaskSpec], config: Config) -> StateStore:
    """Return what is known of each task's last success; the ledgers are read only where that is not at hand."""
    states = StateStore(root)
    if not all(states.path(task.name).exists() for task in tasks):
        states = StateStore(root, ledgers=load_runs(root / config.reports)[0])
    return states


def reasons_of(
    tasks: tuple[TaskSpec, ...], *, states: StateStore, root: Path, config: Config, forced: bool = False
) -> dict[str, tuple[str, ...]]:
    """Return for each task why the next build would run it, see :func:`why`."""
    fingerprinter = Fingerprinter(root=root, tasks=tasks, config=config, hashes=HashCache(root / ".nbops/cache/hashes.json"))
    found: dict[str, tuple[str, ...]] = {}
    for task in tasks:
        state = states.get(task.name)
        above = [states.get(up) for up in task.upstream]
        upstream = {
            f"{up}.{key}": value
            for up, known in zip(task.upstream, above, strict=True)
            if known is not None
            for key, value in sorted(known.fingerprint.get("contents", {}).items())
        }
        reasons = reasons_to_run(
            before=state.fingerprint if state else None,
            recipe=fingerprinter.recipe(task),
            upstream=upstream,
            outputs=fingerprinter.outputs(task),
            forced=forced,
            observed=fingerprinter.hashes_of(state.fingerprint.get("observed", {})) if state else None,
        )
        waiting = [up for up in task.upstream if found.get(up)]
        if not reasons and waiting:
            reasons = (f"upstream {', '.join(waiting)} would run",)
        found[task.name] = reasons
    return found


def stale_tasks(runner: Runner, *, root: Path, config: Config) -> dict[str, bool]:
    """Return for each task whether the next build would run it."""
    return {name: bool(reasons) for name, reasons in why(runner, root=root, config=config).items()}
