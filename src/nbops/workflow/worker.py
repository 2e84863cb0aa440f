"""What happens in a task's own process: execute, then audit what was made, before anyone sees it."""

from __future__ import annotations

import importlib
import os
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbops import plugins
from nbops.errors import NbopsError, TaskError
from nbops.kernels.watching import OBSERVE_VARIABLE, install
from nbops.pipeline import ExecuteOptions, Runner, TaskSpec
from nbops.quality.notes import read_notes
from nbops.workflow.lineage_observed import observe_settings
from nbops.workflow.publish import Staging, missing_products, undeclared

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from nbops.contract.config import Config
    from nbops.model import CheckResult
    from nbops.quality.audited import Audit
    from nbops.workflow.datasets import DatasetPlan

__all__ = ["Made", "audit_task", "child_environment", "execute_task", "noted_by", "prepare_audit"]

_NOTED = "notebook of "

_MOST_DATABASES = 4
_prepared = False
"""Whether this process, or the one that it was forked from, has what audits need."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What an attempt made."""

    audits: tuple[Audit, ...]
    noted: tuple[CheckResult, ...]
    undeclared: tuple[Path, ...]
    outputs: Mapping[str, str | None] = field(default_factory=dict)
    """Product key to content hash, as staged."""


def child_environment(task: TaskSpec, *, root: Path, staging: Staging, config: Config) -> dict[str, str]:
    """Return the variables that a task's process gets.

    The notebook's own folder and the project's root are importable, as they are when the notebook is run by hand in JupyterLab
    or when the pipeline is run by Ploomber alone.
    """
    paths = [str(task.source.parent)] if task.source is not None else []
    paths += [str(root), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {
        OBSERVE_VARIABLE: observe_settings(staging.folder, root=root, config=config),
        "NBOPS_NOTES": str(staging.notes),
        "NBOPS_TASK": task.name,
        "NBOPS_PROJECT": str(root),
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)),
    }


def execute_task(runner: Runner, task: TaskSpec, *, staging: Staging, config: Config) -> None:
    """Run the task into its staging folder.

    Raises:
        TaskError: It ended without making all its products.
        Exception: Whatever the task raised.
    """
    options = ExecuteOptions(
        max_output_bytes=config.max_output_bytes, notebook=staging.notebook if task.kind == "notebook" else None
    )
    observer = install() if task.kind == "function" else None  # notebooks' kernels do so themselves
    runner.execute(task.name, staged=staging.staged, options=options)
    if observer is not None:
        observer.flush()
    missing = missing_products(staging)
    if missing:
        names = ", ".join(f"product['{key}'] ({Path(staging.final[key]).name})" for key in missing)
        raise TaskError(
            f"the task ended without making {names}. Write it to the path in the `product` parameter; "
            f"a path written out in the code, or deleting the file afterwards, cannot be published."
        )


def prepare_audit(*, datasets: int) -> None:
    """Load what audits need, so that processes forked from here have it; a build with nothing to measure does without.

    Args:
        datasets: How many a process usually looks at; so many databases are opened ahead, up to a bound.
    """
    global _prepared  # noqa: PLW0603 - inherited by what this process forks
    if _prepared:
        return
    _prepared = True
    engine: Any = importlib.import_module("nbops.quality.engine")
    importlib.import_module("nbops.quality.audit")
    engine.warm(min(max(datasets, 1), _MOST_DATABASES))
    with suppress(NbopsError):  # the audit says so
        plugins.names("nbops.checks")  # looks through the metadata of all that is installed, once


def audit_task(
    task: TaskSpec,
    *,
    staging: Staging,
    plans: tuple[DatasetPlan, ...],
    references: Mapping[str, Path],
    config: Config,
    run_id: str,
    now: datetime,
    threads: int,
    memory_limit: str,
    rewrite: bool = True,
    published: Mapping[str, Path] | None = None,
) -> Made:
    """Measure and judge what is in the staging folder; rows that a rule sets aside are taken out of it.

    Args:
        task: The task.
        staging: What it made.
        plans: Its datasets.
        references: Other datasets as they are published, for relationships.
        config: The project's settings.
        run_id: Names the quarantine file.
        now: The run's start, for freshness.
        threads: Threads that measuring may use.
        memory_limit: Memory that measuring may use, for example ``2GB``; beyond that it uses the disk.
        rewrite: False for what is published already: no row is taken out, a row that breaks a rule breaks the check.
        published: Its datasets as they are published, to be held against.
    """
    from nbops.quality.audit import audit  # noqa: PLC0415 - loads DuckDB, see `prepare_audit`

    own = {plan.name: Path(staging.staged[plan.key]) for plan in plans}
    published = published or {}
    audits = []
    for plan in plans:
        quarantine = staging.quarantine / plan.name / f"{run_id}.parquet"
        audits.append(
            audit(
                own[plan.name],
                name=plan.name,
                task=task.name,
                final_path=plan.final_path,
                contract=plan.contract,
                references={**references, **own},
                now=now,
                quarantine_path=quarantine if rewrite else None,
                quarantine_label=f"{config.quarantine}/{plan.name}/{run_id}.parquet",
                memory_limit=memory_limit,
                threads=threads,
                spread=True,
                spill=staging.folder,  # a disk that has room for the data
                before=published.get(plan.name) if rewrite else None,
            )
        )
    noted = tuple(_noted(result, task) for result in read_notes(staging.notes))
    return Made(audits=tuple(audits), noted=noted, undeclared=tuple(undeclared(staging)))


def _noted(result: CheckResult, task: TaskSpec) -> CheckResult:
    """Say which task noted a result; a contract's rule judged within a notebook is not the judgement of what was published."""
    return replace(result, check=replace(result.check, origin=f"{_NOTED}{task.name} | {result.check.origin}"))


def noted_by(result: CheckResult) -> str | None:
    """Return the task whose code noted a result, or None for a judgement of nbops' own."""
    origin = result.check.origin
    return origin[len(_NOTED) :].split(" | ", 1)[0] if origin.startswith(_NOTED) else None
