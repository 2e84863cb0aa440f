"""Values of personal columns are read ahead, and only what is as it was counts."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from nbops.contract.odcs import load_contracts
from nbops.errors import DataError
from nbops.pipeline import Product, TaskSpec
from nbops.record.personal import PersonalValues
from nbops.workflow.datasets import plan_datasets
from nbops.workflow.personal import PersonalAhead
from nbops.workflow.taskrecord import TaskRecord

CONTRACT = """
kind: DataContract
apiVersion: v3.1.0
version: 1.0.0
id: people
status: active
schema:
  - name: people
    properties:
      - {name: id, logicalType: integer}
      - {name: name, logicalType: string, classification: personal}
"""


@pytest.fixture
def record() -> TaskRecord:
    product = Product(key="data", path="people.parquet", kind="file")
    spec = TaskSpec(name="load", kind="function", source=None, code=(), language="python", upstream=(), products=(product,))
    return TaskRecord(spec=spec, plans=())


@pytest.fixture
def ahead(tmp_path: Path, record: TaskRecord) -> PersonalAhead:
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts/people.odcs.yaml").write_text(CONTRACT)
    contracts = load_contracts(tmp_path / "contracts", root=tmp_path)
    record.plans = plan_datasets(tmp_path, (record.spec,), contracts)["load"]
    return PersonalAhead(tmp_path, {"load": record}, contracts)


def write(folder: Path, *names: str) -> None:
    pd.DataFrame({"id": range(len(names)), "name": names}).to_parquet(folder / "people.parquet")


def _not_read(*_: object, **__: object) -> None:
    raise AssertionError("it was read again")


def test_what_was_read_ahead_is_not_read_again(tmp_path, ahead, record, monkeypatch):
    write(tmp_path, "Jane Doe", *(f"person number{n} of{n}" for n in range(30_000)))
    assert len(list(ahead.read(record))) >= 3, "it pauses"
    monkeypatch.setattr("nbops.record.personal_files.read_columns", _not_read)
    values = ahead.values()
    assert values is not None
    assert values.mask("jane doe, Person number29999 of29999, nobody else") == "•••, •••, nobody else"
    assert values.columns == {"name"}


@pytest.mark.parametrize("when", ["before", "between", "after"])
def test_what_changed_since_is_read_again(tmp_path, ahead, record, when):
    write(tmp_path, "Jane Doe", *(f"person number{n} of{n}" for n in range(30_000)))
    reading = ahead.read(record)
    if when == "before":
        write(tmp_path, "John Roe")
    next(reading)
    if when == "between":
        write(tmp_path, "John Roe")
    list(reading)
    if when == "after":
        write(tmp_path, "John Roe")
    values = ahead.values()
    assert values is not None
    assert values.mask("John Roe") == "•••"


def test_nothing_was_read_ahead(tmp_path, ahead, record):
    write(tmp_path, "Jane Doe")
    reading = ahead.read(record)
    values = ahead.values()
    assert values is not None
    assert values.mask("Jane Doe") == "•••"
    assert list(reading) == [], "it is too late"


def test_a_reading_that_is_not_at_its_end_is_given_up(tmp_path, ahead, record, monkeypatch):
    places = tmp_path / "temporary"
    places.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(places))
    write(tmp_path, "Jane Doe", *(f"person number{n} of{n}" for n in range(30_000)))
    reading = ahead.read(record)
    next(reading)
    assert list(places.iterdir())
    values = ahead.values()
    assert values is not None
    assert values.mask("Jane Doe, person number29999 of29999") == "•••, •••"
    assert list(places.iterdir()) == []
    assert list(reading) in ([], [None])


def test_what_cannot_be_read_ahead_is_told_at_the_end_and_hides_nothing_else(tmp_path, ahead, record):
    (tmp_path / "people.parquet").write_bytes(b"PAR1 rubbish")
    failed = tmp_path / ".nbops/failed/run/load/tree"
    failed.mkdir(parents=True)
    write(failed, "Jane Doe")
    with pytest.raises(DataError):
        list(ahead.read(record))
    values = ahead.values()
    assert values is not None
    assert values.mask("Jane Doe") == "•••"


def test_a_failed_attempt_and_what_was_set_aside_count(tmp_path, ahead, record):
    write(tmp_path, "Jane Doe")
    for folder, name in (("quarantine/people", "John Roe"), (".nbops/failed/run/load/tree", "Mary Major")):
        (tmp_path / folder).mkdir(parents=True)
        write(tmp_path / folder, name)
    list(ahead.read(record))
    values = ahead.values()
    assert values is not None
    assert values.mask("Jane Doe John Roe Mary Major") == "••• ••• •••"


def test_no_contract_names_a_personal_column(tmp_path, record):
    assert PersonalAhead(tmp_path, {"load": record}, {}).values() is None


def test_parts_are_as_good_as_the_whole(tmp_path):
    write(tmp_path, "Jane Doe", "Anna Maria Garcia Lopez de la Cruz Santos", "4915112345678")
    file = (tmp_path / "people.parquet", "parquet", ["name"])
    parts = [part for part in PersonalValues.reading(file, ordinary=frozenset()) if part is not None]
    text = "Jane Doe; Doe, Jane; maria garcia lopez de la cruz; 4915112345678; John"
    whole = PersonalValues.from_files([file]).mask(text)
    assert PersonalValues.from_files([], known=parts).mask(text) == whole == "•••; •••; •••; •••; John"
    assert PersonalValues.from_files([file], known=parts).mask(text) == whole
