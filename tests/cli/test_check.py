"""check: published data, files, contracts, exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from nbops.record.store import write_run

from .conftest import HOSTILE, Said, make_run

Call = Callable[..., Said]
CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: {name}
version: 1.0.0
status: active
schema:
  - name: {name}
    properties:
      - name: id
        logicalType: integer
        required: true
      - name: mail
        logicalType: string
        classification: personal
        quality:
          - type: library
            metric: nullValues
            mustBe: 0
            severity: {severity}
"""


@pytest.fixture
def shop(project: Path) -> Path:
    """The project with a contract for its dataset, which is not published yet."""
    (project / "contracts").mkdir()
    (project / "output").mkdir()
    (project / "contracts/orders.odcs.yaml").write_text(CONTRACT.format(name="orders", severity="warning"), encoding="utf-8")
    return project


def publish(shop: Path, text: str, path: str = "output/orders.csv") -> Path:
    (shop / path).write_text(text, encoding="utf-8")
    return shop / path


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_passes(shop: Path, call: Call) -> None:
    publish(shop, "id,mail\n1,a@b.example\n2,c@d.example\n")
    before = everything(shop)
    said = call("check")
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines()[1].split()[:3] == ["orders", "passed", "2"]
    assert "nullValues" not in said.out
    assert "id.nullValues" in call("check", "--all").out
    assert everything(shop) == before


def test_warns_with_0_and_fails_with_1(shop: Path, call: Call) -> None:
    publish(shop, "id,mail\n1,\n")
    said = call("check", "orders")
    assert said.code == 0
    assert "warned" in said.out
    publish(shop, "id,mail\n,a@b.example\n1,\n")
    said = call("check", "orders")
    assert said.code == 1
    assert said.out.index("id.nullValues") < said.out.index("mail.nullValues")
    assert json.loads(call("check", "--json").out)["verdict"] == "failed"


def test_what_was_not_looked_at_has_not_passed(shop: Path, call: Call) -> None:
    said = call("check")
    assert said.code == 1
    assert "errored" in said.out
    assert "nothing is published there yet; `ploomber build` makes it" in said.out
    publish(shop, "PAR1 no parquet", "output/orders.csv").write_bytes(b"\x00\x01\xff")
    assert call("check").code == 1


def test_json_is_a_part_of_a_ledger(shop: Path, call: Call) -> None:
    publish(shop, "id,mail\n,secret@person.example\n")
    found = json.loads(call("check", "--json").out)
    assert set(found) == {"verdict", "datasets", "checks", "quarantine", "notices"}
    assert found["datasets"][0]["rows"] == 1
    assert {item["verdict"] for item in found["checks"]} >= {"failed", "passed"}
    assert "secret@person.example" not in json.dumps(found)


def test_a_file_by_the_contract_of_its_name_or_a_chosen_one(shop: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(shop, "id,mail\n,x\n", "new.csv")
    said = call("check", "new.csv")
    assert said.code == 3
    assert "Choose one with --contract. Allowed: orders." in said.err
    assert call("check", "new.csv", "--contract", "orders").code == 1
    assert call("check", str(shop / "new.csv"), "--contract", str(shop / "contracts/orders.odcs.yaml")).code == 1
    publish(shop, "id,mail\n1,x\n", "orders.2026.csv")
    assert call("check", "orders.2026.csv").code == 0
    publish(shop, "id,mail\n1,x\n")
    monkeypatch.chdir(shop / "output")
    assert call("check", "orders.csv").code == 0
    assert call("check", "orders.csv", "--contract", "../contracts/orders.odcs.yaml").code == 0
    assert call("check", "--contract", "orders").code == 0


@pytest.mark.parametrize("name", ["ordrs", "", "../none.csv", "x" * 5000, HOSTILE.replace("\x00", "")])
def test_neither_a_dataset_nor_a_file(shop: Path, call: Call, name: str) -> None:
    said = call("check", name)
    assert said.code == 3
    assert "Allowed: orders" in said.err
    assert "\x1b" not in said.err
    assert len(said.err) < 2000


def test_contracts_that_are_missing_wrong_or_of_nobody(shop: Path, call: Call) -> None:
    publish(shop, "id,mail\n1,x\n")
    assert call("check", "orders", "--contract", "nobody").code == 3
    path = shop / "contracts/nobody.odcs.yaml"
    path.write_text(CONTRACT.format(name="nobody", severity="error"), encoding="utf-8")
    said = call("check")
    assert said.code == 3
    assert "no task makes a dataset called nobody" in said.err
    assert call("check", "orders").code == 0
    path.write_text("kind: DataContract\nnope: 1\n", encoding="utf-8")
    said = call("check")
    assert said.code == 3
    assert "contracts/nobody.odcs.yaml" in said.err
    path.unlink()
    (shop / "contracts/orders.odcs.yaml").unlink()
    assert "there are no contracts" in call("check").err
    said = call("check", "orders")
    assert said.code == 3
    assert "has no contract" in said.err


def test_what_the_pipeline_does_not_say_is_taken_from_the_latest_run(shop: Path, call: Call) -> None:
    publish(shop, "id,mail\n1,x\n", "output/orders.parquet.csv").rename(shop / "output/orders.parquet")
    write_run(shop / "reports", make_run(1))
    (shop / "pipeline.yaml").write_text("meta: {extract_product: true}\ntasks:\n  - source: load.py\n", encoding="utf-8")
    said = call("check", "orders")
    assert said.code == 1
    assert "output/orders.parquet" in said.out
    (shop / "pipeline.yaml").write_text("tasks: [", encoding="utf-8")
    assert call("check", "orders").code == 1
    (shop / "reports/runs").rename(shop / "gone")
    said = call("check", "orders")
    assert said.code == 3
    assert "pipeline.yaml" in said.err


def test_nothing_of_the_pipeline_is_imported_or_run(shop: Path, call: Call) -> None:
    (shop / "load.py").write_text("raise SystemExit('ran')\n", encoding="utf-8")
    publish(shop, "id,mail\n1,x\n")
    assert call("check").code == 0
    assert sorted(path.name for path in shop.iterdir()) == ["contracts", "load.py", "output", "pipeline.yaml"]
