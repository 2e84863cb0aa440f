"""``nbops doctor``: what is wrong here, and what to do about it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from nbops.adapters import environment
from nbops.adapters.environment import Diagnosis
from nbops.adapters.pipeline_yaml import find_pipeline, read_pipeline
from nbops.contract.config import Config, load_config
from nbops.contract.odcs import load_contracts
from nbops.contract.yamlcache import DocumentCache
from nbops.errors import ConfigError, LedgerError, NbopsError
from nbops.record.store import read_status, run_ids
from nbops.workflow.hook import HOOK
from nbops.workflow.lock import LOCK_FILE, holder
from nbops.workflow.template import constraints_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

__all__ = ["Diagnosis", "diagnose"]

_RECENT_RUNS = 20


def diagnose(root: Path) -> list[Diagnosis]:
    """Look at the environment and at a project, and say what is wrong and how to mend it.

    Nothing is changed. Neither Ploomber nor pandas is imported, and DuckDB only where a contract holds SQL that it must parse. A
    check that itself fails is reported as such.

    Args:
        root: The project's root; outside of a project, that is what is said.
    """
    looks: list[tuple[str, Callable[[], Diagnosis | Iterable[Diagnosis]]]] = [
        ("python", environment.python),
        ("packages", environment.packages),
        ("tested versions", lambda: environment.versions(_constraints(root))),
        ("jupyter", environment.jupyter),
        ("git", lambda: environment.git(root)),
        ("disk", lambda: environment.disk(root)),
        ("settings", lambda: _settings(root)),
        ("pipeline", lambda: _pipeline(root)),
        ("contracts", lambda: _contracts(root, _config(root))),
        ("reports", lambda: _reports(root, _config(root))),
        ("lock", lambda: _lock(root)),
        ("runs", lambda: _runs(root, _config(root))),
    ]
    return [found for name, look in looks for found in _looked(name, look)]


def _looked(name: str, look: Callable[[], Diagnosis | Iterable[Diagnosis]]) -> list[Diagnosis]:
    try:
        found = look()
        return [found] if isinstance(found, Diagnosis) else list(found)
    except Exception as error:  # noqa: BLE001 - a fault in one check must not hide what the others say
        message = f"This could not be looked at: {type(error).__name__}: {error}"
        return [Diagnosis(name=name, status="fail", message=message, remedy="Please report it with this line.")]


def _config(root: Path) -> Config:
    try:
        return load_config(root)
    except ConfigError:
        return Config()  # said under "settings"


def _constraints(root: Path) -> Path | None:
    own = root / "constraints.txt"
    return own if own.is_file() else constraints_file()


def _settings(root: Path) -> Diagnosis:
    try:
        load_config(root)
    except ConfigError as error:
        return Diagnosis(name="settings", status="fail", message=str(error), remedy="Correct it in pyproject.toml.")
    return Diagnosis(name="settings", status="ok", message="[tool.nbops] can be read.")


def _pipeline(root: Path) -> Diagnosis:
    path = find_pipeline(root)
    if path is None or path.resolve().parent != root.resolve():
        message = "There is no pipeline.yaml here."
        return Diagnosis(
            name="pipeline", status="warn", message=message, remedy="nbops init   (or change to the project's folder)"
        )
    try:
        pipeline = read_pipeline(path)
    except NbopsError as error:
        return Diagnosis(name="pipeline", status="fail", message=str(error), remedy=f"Correct it in {path.name}.")
    if pipeline.on_render != HOOK:
        found = f"on_render is {pipeline.on_render!r}" if pipeline.on_render else "on_render is not set"
        message = f"{path.name}: {found}, so builds are plain Ploomber: nothing is checked, recorded or committed."
        return Diagnosis(name="pipeline", status="warn", message=message, remedy="nbops attach")
    missing = sorted(
        {_shown(task.source, root) for task in pipeline.tasks if task.source is not None and not task.source.is_file()}
    )
    if missing:
        message = f"{path.name}: these sources do not exist: {', '.join(missing)}."
        return Diagnosis(name="pipeline", status="fail", message=message, remedy=f"Correct the source in {path.name}.")
    return Diagnosis(name="pipeline", status="ok", message=f"{path.name}: {len(pipeline.tasks)} tasks, run by nbops.")


def _shown(path: Path, root: Path) -> str:
    root = root.resolve()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name


def _contracts(root: Path, config: Config) -> Diagnosis:
    try:
        found = load_contracts(root / config.contracts, root=root, cache=DocumentCache(root / ".nbops/cache/contracts.json"))
    except ConfigError as error:
        return Diagnosis(name="contracts", status="fail", message=str(error), remedy="Correct what is named; then: nbops check")
    if not found:
        message = f"There are no contracts in {config.contracts}/: runs are recorded, and nothing is judged."
        return Diagnosis(name="contracts", status="ok", message=message)
    return Diagnosis(name="contracts", status="ok", message=f"{len(found)} contracts can be read.")


def _reports(root: Path, config: Config) -> Diagnosis:
    folder = root / config.reports
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    if nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK):
        return Diagnosis(name="reports", status="ok", message=f"{config.reports}/ can be written to.")
    message = f"{config.reports}/ cannot be written to: no run can be recorded."
    return Diagnosis(
        name="reports", status="fail", message=message, remedy=f"chmod -R u+rwX {_shown(nearest.resolve(), root) or '.'}"
    )


def _lock(root: Path) -> Diagnosis:
    who = holder(root)
    if who is None:
        return Diagnosis(name="lock", status="ok", message="No build is running.")
    message = f"{who} is building this project; another build waits for it."
    return Diagnosis(
        name="lock", status="warn", message=message, remedy=f"Wait, or end that process; {LOCK_FILE} need not be removed."
    )


def _runs(root: Path, config: Config) -> Iterator[Diagnosis]:
    reports = root / config.reports
    ids = run_ids(reports)
    building = holder(root) is not None
    broken: list[str] = []
    unfinished: list[str] = []
    for run_id in ids[-_RECENT_RUNS:]:
        try:
            status = read_status(reports, run_id)
        except LedgerError as error:
            broken.append(str(error))
            continue
        if status == "running" and not building:
            unfinished.append(run_id)
    for message in broken:
        yield Diagnosis(
            name="runs", status="fail", message=message, remedy=f"git log -- {config.reports}   (and restore the ledger)"
        )
    if unfinished:
        message = f"Never finished: {', '.join(unfinished)}. The next build records them as interrupted."
        yield Diagnosis(name="runs", status="warn", message=message, remedy="ploomber build")
    if not broken and not unfinished:
        yield Diagnosis(name="runs", status="ok", message=f"{len(ids)} runs are recorded." if ids else "No run is recorded yet.")
