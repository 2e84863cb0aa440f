"""The contracts: valid by the standard's own schema, read by nbops, one for each dataset, and true of the data."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from reference_run import ROOT, Pipeline, tasks

from nbops.contract.odcs import load_contracts

_FILES = sorted((ROOT / "contracts").glob("*.odcs.yaml"))
_PERSONAL = {"name", "email", "birth_date", "customer_id"}


def _read(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def _datasets() -> set[str]:
    return {Path(path).stem for task in tasks().values() for path in task["product"].values() if path.endswith(".parquet")}


@pytest.mark.parametrize("path", _FILES, ids=lambda path: path.name)
def test_the_standards_own_schema_accepts_it(path: Path) -> None:
    schema = json.loads(files("open_data_contract_standard").joinpath("schema.json").read_text(encoding="utf-8"))
    problems = [
        f"{error.json_path}: {error.message}" for error in jsonschema.Draft201909Validator(schema).iter_errors(_read(path))
    ]
    assert not problems


def test_each_dataset_has_a_contract_and_each_contract_a_dataset() -> None:
    assert set(load_contracts(ROOT / "contracts", root=ROOT)) == _datasets() == {path.name.split(".")[0] for path in _FILES}


@pytest.mark.parametrize("path", _FILES, ids=lambda path: path.name)
def test_it_is_complete(path: Path) -> None:
    contract = _read(path)
    (table,) = contract["schema"]
    assert contract["description"]["purpose"]
    assert contract["team"]["members"]
    assert contract["slaProperties"]
    assert table["name"] == path.name.split(".")[0]
    for column in table["properties"]:
        assert column["description"].endswith("."), column["name"]
        assert column["logicalType"]
        assert column["physicalType"]
        wanted = (
            {"personal", "restricted"} if column["name"] in _PERSONAL and table["name"] != "products" else {"public", "internal"}
        )
        assert column["classification"] in wanted, column["name"]


def test_relationships_point_to_keys_that_are_made_before() -> None:
    order = [Path(path).stem for task in tasks().values() for path in task["product"].values()]
    keys = {
        path.name.split(".")[0]: {c["name"] for c in _read(path)["schema"][0]["properties"] if c.get("primaryKey")}
        for path in _FILES
    }
    seen = 0
    for path in _FILES:
        dataset = path.name.split(".")[0]
        for column in _read(path)["schema"][0]["properties"]:
            for relationship in column.get("relationships", []):
                target, key = relationship["to"].split(".")
                assert keys[target] == {key}
                assert order.index(target) < order.index(dataset)
                seen += 1
    assert seen > 10


def test_the_simulated_shop_keeps_them(simulated: Pipeline) -> None:
    found = {
        (name, result.check.id): result.verdict
        for name, audit in simulated.audits.items()
        for result in audit.results
        if result.verdict != "passed"
    }
    assert found == {
        ("orders_raw", "invoiced_at.latency"): "warned",  # the simulated year is over
        ("orders", "stock_code.invalidValues.pattern"): "warned",  # set aside
        ("orders", "stock_code.references.products"): "warned",
        ("orders", "unit_price.has_a_price"): "warned",
        ("orders", "unit_price.price_is_plausible"): "warned",
        ("events", "stock_code.invalidValues.pattern"): "warned",
        ("events", "stock_code.references.products"): "warned",
    }
