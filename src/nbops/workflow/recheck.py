"""Published data judged again, without running the pipeline."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from nbops.adapters.pipeline_yaml import read_pipeline
from nbops.contract.odcs import SUFFIXES, load_contract, load_contracts
from nbops.errors import ConfigError, ContractError, did_you_mean
from nbops.pipeline import Product, TaskSpec
from nbops.record.store import latest_run
from nbops.workflow.assemble import verdict_of
from nbops.workflow.datasets import absolute, plan_datasets

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from nbops.contract.config import Config
    from nbops.contract.records import Contract
    from nbops.model import Verdict
    from nbops.quality.audited import Audit

__all__ = ["Published", "Target", "check_targets", "find_targets", "published_datasets", "verdict_of_audits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """Where a dataset of the pipeline is published; nothing may be there yet."""

    name: str
    task: str
    path: Path
    """Absolute."""
    final_path: str
    """Relative to the project, for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A file to judge, and by what."""

    dataset: Published
    contract: Contract | None


def published_datasets(root: Path, config: Config) -> dict[str, Published]:
    """Return the datasets of a pipeline by name, sorted: from ``pipeline.yaml``, without Ploomber.

    What the file does not say (products that notebooks declare themselves) is taken from the latest run.

    Args:
        root: The project's root.
        config: The project's settings.

    Raises:
        ConfigError: ``pipeline.yaml`` cannot be read, and there is no run that would tell.
    """
    run = latest_run(root / config.reports)
    found: dict[str, Published] = {}
    for dataset in run.datasets if run is not None else ():
        path = absolute(root, dataset.path)
        found[dataset.name] = Published(name=dataset.name, task=dataset.task, path=path, final_path=dataset.path)
    try:
        declared, complete = _declared(root)
    except ConfigError:
        if not found:
            raise
        declared, complete = {}, False
    return dict(sorted(({**found, **declared} if not complete else declared).items()))


def _declared(root: Path) -> tuple[dict[str, Published], bool]:
    """Return what ``pipeline.yaml`` declares, and whether that is all there is."""
    pipeline = read_pipeline(root / "pipeline.yaml")
    tasks = tuple(_spec(task.name, task.product) for task in pipeline.tasks)
    plans = plan_datasets(root, tasks, {})
    found = {
        plan.name: Published(name=plan.name, task=task, path=absolute(root, plan.final_path), final_path=plan.final_path)
        for task, items in plans.items()
        for plan in items
    }
    return found, all(task.product is not None for task in pipeline.tasks)


def _spec(name: str, product: Any) -> TaskSpec:
    keyed = product if isinstance(product, dict) else {"product": product}
    products = tuple(
        Product(key=str(key), path=os.fspath(path), kind="file")
        for key, path in keyed.items()
        if isinstance(path, (str, os.PathLike))
    )
    return TaskSpec(name=name, kind="other", source=None, code=(), language="", upstream=(), products=products)


def find_targets(
    names: Sequence[str], *, root: Path, config: Config, start: Path, contract: str | None = None
) -> tuple[Target, ...]:
    """Return what somebody asked to have judged.

    Args:
        names: Names of datasets, or paths of files; none means every dataset that has a contract.
        root: The project's root.
        config: The project's settings.
        start: The folder that relative paths start from.
        contract: Judge by the contract of this dataset, or by this contract file, in place of their own.

    Raises:
        ConfigError: A name is neither, or has no contract; or there is nothing to judge.
        ContractError: A contract is wrong.
    """
    contracts = load_contracts(root / config.contracts, root=root)
    published = published_datasets(root, config)
    chosen = _contract(contract, contracts, root=root, start=start) if contract is not None else None
    if names:
        return tuple(_target(name, published, contracts, chosen, start=start) for name in dict.fromkeys(names))
    if chosen is not None:
        return (_target(chosen.dataset, published, contracts, chosen, start=start),)
    if not contracts:
        raise ConfigError(f"{config.contracts}/: there are no contracts, so there is nothing to judge by.")
    nowhere = [name for name in contracts if name not in published]
    if nowhere:
        raise ConfigError(
            f"{config.contracts}/: no task makes a dataset called {', '.join(nowhere)}, so these contracts judge nothing. "
            f"Datasets: {', '.join(published) or 'none'}. Name the datasets to judge, or mend the names."
        )
    return tuple(Target(dataset=published[name], contract=contracts[name]) for name in contracts)


def _contract(wanted: str, contracts: Mapping[str, Contract], *, root: Path, start: Path) -> Contract:
    if wanted in contracts:
        return contracts[wanted]
    if wanted.endswith(SUFFIXES):
        return load_contract(absolute(start, wanted), root=root)
    raise ContractError(f"contract {wanted[:80]!r}: there is none for a dataset of this name. {did_you_mean(wanted, contracts)}")


def _target(
    name: str, published: Mapping[str, Published], contracts: Mapping[str, Contract], chosen: Contract | None, *, start: Path
) -> Target:
    dataset = published.get(name)
    if dataset is None:
        path = absolute(start, name)
        if not os.path.exists(path):  # noqa: PTH110 - unlike `Path.exists`, False for a name that is too long
            raise ConfigError(f"{name[:200]!r}: is neither a dataset nor a file. {did_you_mean(name[:200], published)}")
        dataset = next((item for item in published.values() if item.path == path), None) or _stray(path, contracts, chosen)
    contract = chosen or contracts.get(dataset.name)
    if contract is None:
        raise ConfigError(
            f"{name[:200]!r}: has no contract to be judged by. Choose one with --contract, or write one. "
            f"{did_you_mean(dataset.name, contracts)}"
        )
    return Target(dataset=dataset, contract=contract)


def _stray(path: Path, contracts: Mapping[str, Contract], chosen: Contract | None) -> Published:
    """Return a file that no task makes, called as its contract's dataset or as itself."""
    stem = path.name.split(".", 1)[0]
    name = chosen.dataset if chosen is not None else stem
    if chosen is None and stem not in contracts:
        raise ConfigError(
            f"{path.name}: no contract is called like this file. Choose one with --contract. {did_you_mean(stem, contracts)}"
        )
    return Published(name=name, task="", path=path, final_path=path.name)


def check_targets(
    targets: Sequence[Target], *, root: Path, config: Config, now: datetime | None = None, whole: bool = True
) -> tuple[Audit, ...]:
    """Measure and judge files where they are; no row is taken out and nothing is written.

    A file that is not there gives checks that are ``errored``: what was not looked at has not passed.

    Args:
        targets: What to judge.
        root: The project's root.
        config: The project's settings.
        now: The instant for freshness; the present by default.
        whole: False measures only what the checks need.

    Returns:
        An audit for each target, in their order.
    """
    from nbops.quality.audit import audit  # noqa: PLC0415 - loads DuckDB

    now = now or datetime.now(timezone.utc)
    references = {item.name: item.path for item in published_datasets(root, config).values() if item.path.exists()}
    found: list[Audit] = []
    for target in targets:
        dataset = target.dataset
        result = audit(
            dataset.path,
            name=dataset.name,
            task=dataset.task,
            final_path=dataset.final_path,
            contract=target.contract,
            references={**references, dataset.name: dataset.path},
            now=now,
            quarantine_path=None,
            memory_limit=config.memory_limit,
            whole=whole,
        )
        found.append(result if dataset.path.exists() else _absent(result))
    return tuple(found)


def _absent(result: Audit) -> Audit:
    """Say of a dataset that is not there what there is to do; the audit takes it for what a task should have made."""
    problem = f"{result.dataset.path}: nothing is published there yet; `ploomber build` makes it."
    results = tuple(replace(item, message=f"Could not be measured: {problem}") for item in result.results)
    return replace(result, dataset=replace(result.dataset, error=problem), results=results)


def verdict_of_audits(audits: Sequence[Audit]) -> Verdict:
    """Return the worst verdict, as a run would have it; ``errored`` where a dataset could not be read at all."""
    results = [result for audit in audits for result in audit.results]
    verdict = verdict_of([], results, errors=False) if results else "skipped"
    unread = any(audit.dataset.error is not None for audit in audits)
    return "errored" if unread and verdict != "failed" else verdict
