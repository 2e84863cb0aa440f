"""What the tests of checks share: contracts written in few lines, and datasets audited."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML

from nbops.contract.odcs import load_contract
from nbops.quality.audit import Audit, audit

if TYPE_CHECKING:
    from nbops.contract.records import Contract

NOW = dt.datetime(2024, 5, 10, 12, tzinfo=dt.timezone.utc)


@pytest.fixture
def contract_of(tmp_path: Path) -> Callable[..., Contract]:
    """Make a contract of properties, table rules and SLA entries."""

    def make(*properties: dict[str, Any], quality: list[Any] | None = None, name: str = "orders", **extra: Any) -> Contract:
        table: dict[str, Any] = {"name": name, "physicalType": "table"}
        if properties:
            table["properties"] = list(properties)
        if quality:
            table["quality"] = quality
        table |= extra.pop("table", {})
        document = {"apiVersion": "v3.1.0", "kind": "DataContract", "id": name, "version": "1.0.0", "status": "active"}
        folder = tmp_path / "contracts"
        folder.mkdir(exist_ok=True)
        path = folder / f"{name}.odcs.yaml"
        with path.open("w", encoding="utf-8") as file:
            YAML(typ="safe", pure=True).dump({**document, "schema": [table], **extra}, file)
        return load_contract(path)

    return make


@pytest.fixture
def look(tmp_path: Path) -> Callable[..., Audit]:
    """Audit a file."""

    def run(path: Path, contract: Contract | None = None, *, quarantine: bool = False, **options: Any) -> Audit:
        given: dict[str, Any] = {
            "name": contract.dataset if contract is not None else "orders",
            "task": "make",
            "final_path": f"out/{path.name}",
            "references": {},
            "now": NOW,
            "threads": 2,
        }
        if quarantine:
            given |= {
                "quarantine_path": tmp_path / "quarantine" / "run.parquet",
                "quarantine_label": "quarantine/orders/run.parquet",
            }
        return audit(path, contract=contract, **{**given, **options})

    return run


@pytest.fixture
def verdicts() -> Callable[[Audit], dict[str, str]]:
    """Check id to verdict."""
    return lambda found: {result.check.id: result.verdict for result in found.results}


@pytest.fixture
def measured() -> Callable[..., Any]:
    """Value of one measurement."""

    def get(found: Audit, metric: str, column: str | None = None) -> Any:
        values = [item for item in found.dataset.measurements if (item.metric, item.column) == (metric, column)]
        assert len(values) == 1, values
        assert values[0].error is None, values[0].error
        return values[0].value

    return get
