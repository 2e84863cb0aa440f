"""``nbops contract``: what is suggested is a contract that the data meets."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

import nbops
from nbops.contract.odcs import load_contracts
from nbops.model import Column, Dataset, Distribution, Measurement
from nbops.quality.suggest import PERSONAL_NAME, suggest_contract
from nbops.record.store import write_run

from .conftest import make_run

HOSTILE = "a: 'b' \"c\" <d> # e \u202e"


def measured(column, **values):
    return [Measurement(metric=metric, column=column, value=value) for metric, value in values.items()]


def orders(rows=100):
    return Dataset(
        name="orders", task="load", path="output/orders.parquet", format="parquet", rows=rows,
        columns=tuple(
            Column(name=name, physical_type=kind)
            for name, kind in (("order_id", "BIGINT"), ("email", "VARCHAR"), ("amount", "DOUBLE"), ("state", "VARCHAR"),
                               (HOSTILE, "VARCHAR"), ("at", "TIMESTAMP"), ("balance", "DECIMAL(10,2)"))
        ),
        measurements=(
            *measured("order_id", nullValues=0, distinctValues=rows, minimum=1),
            *measured("email", nullValues=0, distinctValues=rows), *measured("amount", nullValues=0, minimum=0.5),
            *measured("state", nullValues=2), *measured("balance", nullValues=0, minimum=-4),
        ),
        distributions=(Distribution(column="state", rows=98, categories={"paid": 90, "no": 8}, others=0),
                       Distribution(column=HOSTILE, rows=98, categories={str(n): 5 for n in range(12)}, others=3)),
    )  # fmt: skip


def test_what_holds_and_is_likely_to_be_meant_is_suggested():
    (schema,) = suggest_contract(orders(), project="shop")["schema"]
    found = {item["name"]: item for item in schema["properties"]}
    assert found["order_id"] == {
        "name": "order_id", "logicalType": "integer", "physicalType": "BIGINT", "description": "TODO",
        "primaryKey": True, "primaryKeyPosition": 1, "required": True,
    }  # fmt: skip
    assert found["email"]["classification"] == "personal"
    assert found["amount"]["logicalTypeOptions"] == {"minimum": 0}
    assert found["state"]["quality"][0]["arguments"] == {"validValues": ["no", "paid"]}
    assert "required" not in found["state"]
    assert "quality" not in found[HOSTILE]
    assert "logicalTypeOptions" not in found["balance"]


def test_a_few_rows_prove_nothing():
    (schema,) = suggest_contract(orders(rows=3), project="shop")["schema"]
    assert not any({"required", "primaryKey"} & set(item) for item in schema["properties"])


@pytest.mark.parametrize(
    "name", ["email", "customer_email", "phone", "FirstName", "birth_date", "ip_address", "home_address", "surname"]
)
def test_names_of_personal_data_are_known(name):
    assert PERSONAL_NAME.search(name)


@pytest.mark.parametrize("name", ["name", "product_name", "amount", "recipe", "shipping", "mailing_list", "description"])
def test_other_names_are_not_taken_for_personal(name):
    assert not PERSONAL_NAME.search(name)


def test_the_command_writes_a_contract_that_the_data_meets(project, call):
    run = make_run(1)
    write_run(project / "reports", replace(run, datasets=(orders(),)))
    printed = call("contract", "orders")
    assert printed.code == 0
    assert not (project / "contracts").exists()
    assert call("contract", "orders", "--write").out == "contracts/orders.odcs.yaml\n"
    assert (project / "contracts/orders.odcs.yaml").read_text(encoding="utf-8") == printed.out
    contract = load_contracts(project / "contracts")["orders"]
    assert contract.personal_columns == {"email"}
    assert [column.name for column in contract.columns][4] == HOSTILE
    data = pd.DataFrame({
        "order_id": range(100), "email": [f"{n}@x" for n in range(100)], "amount": 1.5, "state": ["paid"] * 98 + [None] * 2,
        HOSTILE: "x", "at": pd.Timestamp("2026-01-01"), "balance": 1.0,
    })  # fmt: skip
    assert nbops.check(data.drop(columns="balance"), "orders").verdict == "failed"
    data["balance"] = pd.array([1] * 100)
    again = call("contract", "orders", "--write")
    assert again.code == 2
    assert "has a contract" in again.err
    assert (project / "contracts/orders.odcs.yaml").read_text(encoding="utf-8") == printed.out


def test_an_unknown_dataset_is_said(with_runs, call):
    said = call("contract", "ordres")
    assert said.code == 2
    assert "Did you mean 'orders'" in said.err
    assert "not measured" in call("contract", "orders").err
