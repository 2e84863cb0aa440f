"""What happens in a task's own process: execute, then audit what was made, before anyone sees it."""

from __future__ import annotations

import importlib
import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbops import plugins
from nbops.errors import NbopsError, TaskError
from nbops.kernels.watching import OBSERVE_VARIABLE, install
from nbops.pipeline import ExecuteOptions, Runner, TaskSpec
from nbops.quality.notes import noted as noted_as
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

__all__ = ["Made", "audits_of", "child_environment", "execute_task", "made_by", "prepare_audit"]

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


def audits_of(
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
    published: Mapping[str, Path],
    quarantine: bool = True,
) -> tuple[Audit, ...]:
    """Measure and judge the datasets in the staging folder; rows that a rule sets aside are taken out of them.

    Args:
        task: The task.
        staging: What it made.
        plans: Those of its datasets that are to be looked at.
        references: All datasets, this task's as they are staged and others as they are published, for relationships.
        config: The project's settings.
        run_id: Names the quarantine file.
        now: The run's start, for freshness.
        threads: Threads that measuring may use.
        memory_limit: Memory that measuring may use, for example ``2GB``; beyond that it uses the disk.
        published: Its datasets as they are published, to be held against.
        quarantine: False for what is published already: no row is taken out, a row that breaks a rule breaks the check.
    """
    from nbops.quality.audit import audit  # noqa: PLC0415 - loads DuckDB, see `prepare_audit`

    return tuple(
        audit(
            Path(staging.staged[plan.key]),
            name=plan.name,
            task=task.name,
            final_path=plan.final_path,
            contract=plan.contract,
            references=references,
            now=now,
            quarantine_path=staging.quarantine / plan.name / f"{run_id}.parquet" if quarantine else None,
            quarantine_label=f"{config.quarantine}/{plan.name}/{run_id}.parquet",
            memory_limit=memory_limit,
            threads=threads,
            spread=True,
            spill=staging.folder,  # a disk that has room for the data
            before=published.get(plan.name) if quarantine else None,
        )
        for plan in plans
    )


def made_by(task: TaskSpec, *, staging: Staging, audits: tuple[Audit, ...]) -> Made:
    """Return what an attempt made, with what the notebook noted itself.

    Args:
        task: The task.
        staging: What it made.
        audits: Of its datasets.
    """
    noted = tuple(noted_as(result, task.name) for result in read_notes(staging.notes))
    return Made(audits=audits, noted=noted, undeclared=tuple(undeclared(staging)))
