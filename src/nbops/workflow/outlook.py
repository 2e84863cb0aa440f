"""What a build would run and why, and how fresh each task is, without Ploomber."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nbops.errors import NbopsError
from nbops.record.store import latest_run
from nbops.workflow.remembered import recall
from nbops.workflow.status import reasons_of, states_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Any

    from nbops.contract.config import Config
    from nbops.model import Run

__all__ = ["Outlook", "notebooks_to_run", "outlook"]

_NOTEBOOKS = frozenset({".ipynb", ".py"})
_WORST_FIRST = ("errored", "failed", "warned", "passed", "skipped")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What is to be expected of a task."""

    task: str
    stale: bool | None
    """Whether the next build would run it; None when that cannot be told without Ploomber."""
    reasons: tuple[str, ...]
    """Why it would run, or why that cannot be told."""
    last_success: str | None
    """The run in which it last succeeded."""
    verdict: str | None
    """The worst verdict on its datasets in the latest run; None when nothing was checked."""
    upstream: tuple[str, ...] = ()
    """What it depends on, as far as that can be told without Ploomber."""


def outlook(root: Path, config: Config, *, pipeline: Path, values: Mapping[str, Any]) -> list[Outlook]:
    """Return what a build of the pipeline would do, task by task in topological order. Nothing is written.

    Args:
        root: The project's root.
        config: Its settings.
        pipeline: The pipeline file.
        values: What ``--env--NAME VALUE`` would set.

    Raises:
        PipelineError: The pipeline cannot be read without Ploomber.
        LedgerError: The latest ledger cannot be read.
    """
    recalled = recall(root, pipeline=pipeline, values=values)
    states = states_of(root, recalled.tasks, config)
    reasons = reasons_of(
        tuple(task for task in recalled.tasks if task.name not in recalled.unknown), states=states, root=root, config=config
    )
    verdicts = _verdicts(latest_run(root / config.reports))
    found: list[Outlook] = []
    dark = set(recalled.unknown)
    for task in recalled.tasks:
        state = states.get(task.name)
        stale: bool | None
        why: tuple[str, ...]
        if task.name in recalled.unknown:
            stale, why = (True, ("it never ran successfully here",)) if state is None else (None, (recalled.unknown[task.name],))
        elif not reasons[task.name] and (hidden := [up for up in task.upstream if up in dark]):
            dark.add(task.name)
            stale, why = None, (f"upstream {', '.join(hidden)} may run",)
        else:
            stale, why = bool(reasons[task.name]), reasons[task.name]
        found.append(
            Outlook(
                task=task.name,
                stale=stale,
                reasons=why,
                last_success=state.run_id if state else None,
                verdict=verdicts.get(task.name),
                upstream=task.upstream,
            )
        )
    return found


def _verdicts(run: Run | None) -> dict[str, str]:
    if run is None:
        return {}
    makers = {dataset.name: dataset.task for dataset in run.datasets}
    found = {task.name: "failed" for task in run.tasks if task.status == "failed"}
    for result in run.checks:
        task = makers.get(result.check.dataset)
        if task is not None:
            found[task] = min(found.get(task, result.verdict), result.verdict, key=_WORST_FIRST.index)
    return found


def notebooks_to_run(root: Path, config: Config, *, pipeline: Path | None, values: Mapping[str, Any], forced: bool) -> bool:
    """Return whether a build would run a notebook, as far as can be told cheaply; when in doubt, yes. Nothing is raised."""
    if pipeline is None:
        return True
    try:
        recalled = recall(root, pipeline=pipeline, values=values, whole=False)
        if any(
            task.source is not None and task.source.suffix in _NOTEBOOKS
            for task in recalled.tasks
            if task.name in recalled.unknown
        ):
            return True
        known = tuple(task for task in recalled.tasks if task.name not in recalled.unknown)
        reasons = reasons_of(known, states=states_of(root, known, config), root=root, config=config, forced=forced)
        return any(task.kind == "notebook" and reasons[task.name] for task in known)
    except (NbopsError, OSError, ValueError, KeyError, TypeError):
        return True
