"""A contract suggested from a run, written into a project."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from nbops.errors import ConfigError, did_you_mean
from nbops.quality.suggest import suggest_contract
from nbops.record.store import read_run, resolve_run_id
from nbops.workflow.project import project_name

if TYPE_CHECKING:
    from pathlib import Path

    from nbops.contract.config import Config
    from nbops.model import Dataset, Run

__all__ = ["suggested", "write_contract"]


def suggested(root: Path, config: Config, dataset: str, *, run_name: str = "latest") -> tuple[Dataset, str]:
    """Return a dataset as a run measured it, and the text of a contract for it.

    Args:
        root: The project's root.
        config: Its settings.
        dataset: The dataset's name.
        run_name: The run whose measurements are taken.

    Raises:
        ConfigError: There is no such dataset in the run, or nothing is known of its columns.
        LedgerError: There is no such run, or it cannot be read.
    """
    reports = root / config.reports
    run = read_run(reports, resolve_run_id(reports, run_name))
    found = _find(run, dataset)
    return found, _yaml(suggest_contract(found, project=project_name(root)), run.id)


def write_contract(root: Path, config: Config, dataset: str, *, run_name: str = "latest") -> str:
    """Write a suggested contract where the next build judges by it, and return its path relative to the root.

    Raises:
        ConfigError: As for :func:`suggested`, or the dataset has a contract; nothing was written.
        LedgerError: As for :func:`suggested`.
        OSError: It cannot be written.
    """
    found, text = suggested(root, config, dataset, run_name=run_name)
    path = root / config.contracts / f"{found.name}.odcs.yaml"
    if found.contract or path.exists():
        where = found.contract or path.relative_to(root).as_posix()
        raise ConfigError(f"{found.name} has a contract: {where}. Change that, or print the suggestion without --write.")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("x", encoding="utf-8") as stream:  # never over a file that came into being meanwhile
        stream.write(text)
    return path.relative_to(root).as_posix()


def _find(run: Run, name: str) -> Dataset:
    found = next((item for item in run.datasets if item.name == name), None)
    if found is None:
        raise ConfigError(f"no dataset {name[:60]!r}. {did_you_mean(name, [item.name for item in run.datasets])}")
    if not found.columns or "/" in found.name or "\\" in found.name:
        raise ConfigError(f"nothing is known of the columns of {name[:60]!r}: {found.error or 'it was not measured'}.")
    return found


def _yaml(document: dict[str, object], run_id: str) -> str:
    from ruamel.yaml import YAML  # noqa: PLC0415

    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = 120
    stream = io.StringIO()
    yaml.dump(document, stream)
    return f"# Suggested by nbops from run {run_id}: rules that hold today. Keep what is meant.\n{stream.getvalue()}"
