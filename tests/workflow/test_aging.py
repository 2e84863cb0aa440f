"""Ages that are counted on say what measuring again would say; where that is not certain, it is measured again."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import duckdb
import pytest

from nbops.contract.odcs import load_contract
from nbops.model import Check, CheckResult
from nbops.quality.audit import audit
from nbops.workflow.aging import aged

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=timezone.utc)
STARTED = "2026-11-22T12:00:00.000Z"
CONTRACT = """\
kind: DataContract
apiVersion: v3.1.0
id: a
version: 1.0.0
schema:
  - name: orders
    properties:
      - name: placed
        logicalType: timestamp
      - name: number
        logicalType: integer
        required: true
{rule}
slaProperties:
  - property: latency
    value: {hours}
    unit: h
    element: orders.placed
"""


def look(folder, *, hours=10.0, rule="", now=NOW, nulls=False):
    """Return the contract and the audit of orders of which the newest is of 03:00, nine hours old at noon."""
    path = folder / "orders.parquet"
    number = "NULL::BIGINT" if nulls else "7::BIGINT"
    query = f"SELECT TIMESTAMP '2026-11-22 03:00:00' - INTERVAL (i) HOUR AS placed, {number} AS number FROM range(4) t(i)"
    duckdb.sql(f"COPY ({query}) TO '{path}'")
    file = folder / "orders.odcs.yaml"
    file.write_text(CONTRACT.format(hours=hours, rule=rule), encoding="utf-8")
    contract = load_contract(file, root=folder)
    found = audit(
        path, name="orders", task="clean", final_path="orders.parquet", contract=contract, references={}, now=now,
    )  # fmt: skip
    return contract, found


def later(contract, found, seconds, hashes=None):
    return aged(found, contract=contract, measured_at=STARTED, now=NOW + timedelta(seconds=seconds), hashes=hashes or {})


def rule(text, extra=""):
    return f"        quality:\n          - {{type: sql, query: '{text}', mustBe: 0{extra}}}"


@pytest.mark.parametrize("seconds", [0.0, 0.4, 1_800.0, 3_590.0, 3_610.0, 86_400.0])
def test_an_aged_audit_is_what_measuring_again_finds(tmp_path, seconds):
    contract, found = look(tmp_path, rule=rule("SELECT count(*) FROM ${table} WHERE number < 0"))
    _, again = look(tmp_path, rule=rule("SELECT count(*) FROM ${table} WHERE number < 0"), now=NOW + timedelta(seconds=seconds))
    assert later(contract, found, seconds) == again
    assert again.dataset.verdict == ("passed" if seconds < 3_600 else "warned")


@pytest.mark.parametrize("seconds", [3_598.5, 3_600.0, 3_601.5])
def test_near_the_limit_is_measured(tmp_path, seconds):
    contract, found = look(tmp_path)
    assert later(contract, found, seconds) is None


def test_a_clock_that_went_back_is_no_ground(tmp_path):
    contract, found = look(tmp_path)
    assert later(contract, found, -5) is None


@pytest.mark.parametrize(
    "query",
    [
        "SELECT count(*) FROM ${table} WHERE placed > now()",
        "SELECT count(*) FROM ${table} WHERE placed::DATE > CURRENT_DATE",
        "SELECT count(*) FROM ${table} WHERE placed > get_current_timestamp()",
        "SELECT count(*) FROM ${table} WHERE random() > 2",
    ],
)
def test_a_query_whose_answer_moves_is_asked_again(tmp_path, query):
    contract, found = look(tmp_path, rule=rule(query))
    assert later(contract, found, 60) is None


def test_a_result_that_could_not_be_measured_is_measured_again(tmp_path):
    contract, found = look(tmp_path, rule=rule("SELECT count(*) FROM ${table} WHERE nothing = 1"))
    assert any(result.verdict == "errored" for result in found.results)
    assert later(contract, found, 60) is None


SET_ASIDE = """\
        quality:
          - type: library
            metric: nullValues
            mustBe: 0
            customProperties: [{property: nbops.onFailure, value: quarantine}]
"""


def test_what_was_said_of_rows_that_were_set_aside_stands(tmp_path):
    contract, found = look(tmp_path, rule=SET_ASIDE, nulls=True)
    before = {result.check.id: result.verdict for result in found.results if result.check.quarantine}
    assert set(before.values()) - {"passed"}
    again = later(contract, found, 60)
    assert again is not None
    assert {result.check.id: result.verdict for result in again.results if result.check.quarantine} == before
    assert again.dataset.verdict == found.dataset.verdict != "passed"


def test_a_relationship_holds_while_the_other_data_stays(tmp_path):
    contract, found = look(tmp_path)
    refers = Check(id="r", dataset="orders", metric="references", arguments=(("columns", ("number",)), ("dataset", "products")))
    contract = replace(contract, checks=(*contract.checks, refers))
    found = replace(found, results=(*found.results, CheckResult(check=refers, verdict="passed", observed=0)))
    assert later(contract, found, 60, {"products": ("a", "a")}) is not None
    for then_and_now in (("a", "b"), (None, None), ("a", None)):
        assert later(contract, found, 60, {"products": then_and_now}) is None
    assert later(contract, found, 60, {}) is None
