"""The ledger: canonical, round trip, readable by every later version."""

from __future__ import annotations

import json
import math
import types
from collections.abc import Mapping
from dataclasses import is_dataclass, replace
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Any, Literal, Union, get_args, get_origin

import jsonschema
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nbops.errors import LedgerError
from nbops.model import Check, CheckResult, Dataset, GitState, LineageEdge, Measurement, Notice, Run, RunError, TaskRun
from nbops.record import schema
from nbops.record.codec import field_types
from nbops.record.layout import laid_out
from nbops.record.ledger import SCHEMA_VERSION, from_json, stable_view, to_json, validate
from nbops.record.plain import clean_text, plain, round_number

TEXT = st.text(max_size=12) | st.sampled_from(["<script>", "' OR 1=1 --", "\0", "\ud800x", "=1+1", "é\u2028", ""])
SCALAR = st.none() | st.booleans() | st.integers() | st.floats() | TEXT
ANY = st.recursive(SCALAR, lambda item: st.lists(item, max_size=2) | st.dictionaries(TEXT, item, max_size=2), max_leaves=4)


def _values(name: str, hint: Any) -> st.SearchStrategy[Any]:  # noqa: PLR0911  (one line a kind of type)
    origin, arguments = get_origin(hint), get_args(hint)
    if name == "arguments":
        return st.dictionaries(TEXT, SCALAR, max_size=2).map(lambda item: tuple(item.items()))
    if hint is Any:
        return ANY
    if is_dataclass(hint):
        return records(hint)
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin is tuple:
        return st.lists(_values("", arguments[0]), max_size=2).map(tuple)
    if origin in (Union, types.UnionType):
        return st.one_of(*(_values("", item) for item in arguments))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return st.dictionaries(TEXT, _values("", arguments[1]), max_size=2)
    plain_types: dict[Any, st.SearchStrategy[Any]] = {
        str: TEXT, int: st.integers(), float: st.floats(), bool: st.booleans(), type(None): st.none()
    }  # fmt: skip
    return plain_types[hint]


def records(kind: Any) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries({name: _values(name, hint) for name, (_, hint) in field_types(kind).items()}).map(
        lambda item: kind(**item)
    )


def run(**changes: Any) -> Run:
    given_ = {
        "id": "20261122T194156Z-1f0c9a", "status": "succeeded", "verdict": "passed", "pipeline": "shop",
        "command": "ploomber build", "started_at": "2026-11-22T19:41:56Z",
    }  # fmt: skip
    return Run(**{**given_, **changes})


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(records(Run))
def test_what_is_written_is_read_back_and_agrees_with_the_schema(record):
    text = to_json(record)
    text.encode()
    validate(json.loads(text))
    read = from_json(text)
    assert to_json(read) == text
    assert from_json(to_json(read)) == read
    assert text.endswith("}\n")
    assert "NaN," not in text.replace('"NaN"', "")


def test_the_schema_file_is_that_of_the_records():
    assert json.loads(schema.SCHEMA_PATH.read_text(encoding="utf-8")) == schema.build()
    jsonschema.Draft7Validator.check_schema(schema.build())


def test_the_schema_names_every_field_and_only_these():
    document = schema.build()
    assert set(document["properties"]) == {
        *field_types(Run),
        "schema_version",
        "carried_checks",
        "carried_datasets",
        "carried_lineage",
    }
    assert set(document["definitions"]["Notice"]["properties"]) == set(field_types(Notice))
    assert set(document["definitions"]["Dataset"]["properties"]) == {
        *field_types(Dataset),
        "as_in",
        "without",
        "measurements+",
        "sla+",
        "storage+",
    }
    assert document["definitions"]["TaskRun"]["required"] == ["kind", "name", "status"]


def test_lists_have_a_fixed_order():
    def checks(*names):
        return tuple(CheckResult(check=Check(id=name, dataset="orders", metric="rowCount"), verdict="passed") for name in names)

    def built(step):
        return run(
            tasks=(
                TaskRun(name="load", kind="notebook", status="succeeded", upstream=("b", "a")[::step]),
                TaskRun(name="clean", kind="notebook", status="succeeded"),
            ),
            datasets=tuple(Dataset(name=name, task="load", path=f"{name}.csv", format="csv") for name in ("b", "a")[::step]),
            checks=checks("z", "a", "m")[::step],
            lineage=(LineageEdge(source="task:a", target="dataset:b"), LineageEdge(source="file:a", target="task:a"))[::step],
            notices=(
                Notice(kind="x", message="late", task="clean"), Notice(kind="x", message="early", task="load"),
                Notice(kind="y", message="of the run"),
            )[::step],
            errors=(RunError(kind="ValueError", message="x", task="clean"), RunError(kind="ConfigError", message="y"))[::step],
        )  # fmt: skip

    assert to_json(built(1)) == to_json(built(-1))
    document = json.loads(to_json(built(1)))
    assert [task["name"] for task in document["tasks"]] == ["load", "clean"]
    assert [notice["message"] for notice in document["notices"]] == ["of the run", "early", "late"]
    assert [error["kind"] for error in document["errors"]] == ["ConfigError", "ValueError"]


def test_numbers_are_rounded_and_none_is_left_out():
    task = TaskRun(name="load", kind="notebook", status="succeeded", seconds=1.23456, parameters={"a": 0.1 + 0.2, "b": None})
    data = Dataset(
        name="d", task="load", path="d.csv", format="csv", rows=0, published=False,
        measurements=(Measurement(metric="mean", value=float("nan")), Measurement(metric="max", value=float("inf"))),
    )  # fmt: skip
    document = json.loads(to_json(run(tasks=(task,), datasets=(data,), seconds=float("inf"))))
    assert document["tasks"] == [
        {
            "kind": "notebook",
            "name": "load",
            "parameters": {"a": 0.3, "b": None},
            "seconds": 1.235,
            "status": "succeeded",
        }
    ]
    assert [item["value"] for item in document["datasets"][0]["measurements"]] == ["Infinity", "NaN"]
    assert (document["datasets"][0]["rows"], document["datasets"][0]["published"]) == (0, False)
    assert "seconds" not in document


def test_values_of_any_kind_become_plain():
    class Odd:
        def __str__(self):
            return "odd \ud800"

    nested: Any = "bottom"
    for _ in range(500):
        nested = [nested]
    found = plain(
        {
            1: np.float64("nan"), "a": np.int64(3), "b": np.array([1, 2]), "c": {3, 1, 2}, "d": Decimal("1.50"), "e": Decimal(7),
            "f": datetime(2026, 1, 2, tzinfo=timezone.utc), "g": date(2026, 1, 2), "h": timedelta(minutes=1), "i": b"\0\xff",
            "j": PurePosixPath("a/b"), "k": Odd(), "l": 10**5000, "m": -0.0, "n": np.bool_(True),
            "o": nested, "p": 1.7976931348623157e308,
            "q": np.float32(0.5), "r": np.datetime64("2026-01-02"), "s": Decimal("NaN"),
            "t": np.longdouble("1.5"),
        }
    )  # fmt: skip
    json.dumps(found, allow_nan=False).encode()
    assert list(found) == sorted(found)
    assert found["1"] == "NaN"
    assert (found["a"], found["b"], found["c"], found["d"], found["e"]) == (3, [1, 2], [1, 2, 3], 1.5, 7)
    assert found["i"] == "<2 bytes>"
    assert found["k"] == "odd \ufffd"
    assert found["l"].startswith("0x")
    assert math.copysign(1, found["m"]) == 1
    assert found["n"] is True
    assert (found["s"], found["t"]) == ("NaN", "1.5")
    assert found["r"] == "2026-01-02"


def test_text_without_a_form_in_utf8():
    assert clean_text("\ud83d\ude00") == "😀"  # a pair in two halves is put together
    assert clean_text("a\udc00b") == "a\ufffdb"
    assert round_number(1.7976931348623157e308) == 1.79769313486e308


def test_hostile_values_survive():
    parameters = {"<script>alert(1)</script>": "'; DROP TABLE x; --", "nul": "\0", "emoji": "👩‍👩‍👧", "big": "x" * 10_000_000}
    assert from_json(to_json(run(parameters=parameters))).parameters == parameters


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not JSON"), ("[" * 100_000, "not JSON"), ("[]", "a JSON object is needed"), ("{}", "schema_version"),
        ('{"schema_version": true}', "schema_version"), ('{"schema_version": 0}', "schema_version"),
        ('{"schema_version": "1"}', "schema_version"), (f'{{"schema_version": {SCHEMA_VERSION + 1}}}', "newer nbops"),
        ('{"schema_version": 1}', "must contain"), ("null", "JSON object"), ("\0", "not JSON"),
    ],
)  # fmt: skip
def test_what_is_no_ledger_is_said(text, says):
    with pytest.raises(LedgerError, match=says):
        from_json(text)


def test_a_wrong_value_is_named():
    document = json.loads(to_json(run()))
    document["status"] = "fine"
    with pytest.raises(LedgerError, match="status"):
        validate(document)


def test_a_field_of_a_later_version_is_passed_over():
    document = json.loads(to_json(run()))
    document["mood"] = "good"
    assert from_json(json.dumps(document)) == run()


def test_the_first_ledger_ever_written_is_still_read():
    text = Path(__file__).with_name("ledger_v1.json").read_text(encoding="utf-8")
    found = from_json(text)
    assert found.tasks[0].cells[1].status == "failed"
    assert found.checks[0].check.arguments == (("values", ("a", "b")),)
    assert from_json(to_json(found)) == found


def test_a_ledger_of_version_2_is_written_and_read_as_ever():
    text = Path(__file__).with_name("ledger_v2.json").read_text(encoding="utf-8")
    assert to_json(from_json(text)) == text
    assert from_json(text) == from_json(Path(__file__).with_name("ledger_v1.json").read_text(encoding="utf-8"))


def test_two_identical_runs_differ_only_in_times_and_ids():
    def built(run_id, seconds, commit):
        task = TaskRun(
            name="load", kind="notebook", status="succeeded", seconds=seconds, peak_memory_bytes=int(seconds),
            started_at=str(seconds),
            notebook=f"runs/{run_id}/tasks/load.ipynb", last_success=run_id,
        )  # fmt: skip
        return run(id=run_id, seconds=seconds, tasks=(task,), git=GitState(commit=commit, branch="main"), started_at=str(seconds))

    one, two = built("20261122T194156Z-1f0c9a", 1.0, "aa"), built("20261122T194157Z-000000", 2.0, "bb")
    assert stable_view(one) == stable_view(two)
    assert stable_view(one) != stable_view(replace(two, verdict="failed"))
    assert stable_view(one)["tasks"][0]["notebook"] == "runs/<run>/tasks/load.ipynb"


_PLAIN = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=30)),
    lambda inner: st.one_of(st.lists(inner, max_size=40), st.dictionaries(st.text(max_size=12), inner, max_size=12)),
    max_leaves=60,
)


def _defined_layout(value: Any, depth: int = 0) -> str:
    """The layout by its definition: what fits into 120 characters stands on one line."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    if len(text) <= 120 or not isinstance(value, (dict, list)) or not value:
        return text
    inner, outer = "\n" + " " * (depth + 1), "\n" + " " * depth
    if isinstance(value, list):
        return "[" + inner + f",{inner}".join(_defined_layout(item, depth + 1) for item in value) + outer + "]"
    items = [f"{json.dumps(key, ensure_ascii=False)}: {_defined_layout(value[key], depth + 1)}" for key in sorted(value)]
    return "{" + inner + f",{inner}".join(items) + outer + "}"


@given(value=_PLAIN)
def test_what_fits_on_a_line_stands_on_one(value: Any) -> None:
    assert laid_out({"key": value}) == f'{{\n"key": {_defined_layout(value)}\n}}\n'


@pytest.mark.parametrize("length", range(110, 120))
def test_the_width_of_a_line_is_exact(length: int) -> None:
    for value in (["x" * length, 1], {"k": "x" * length}, [["x" * length], {}], list(range(length - 73))):
        assert laid_out({"key": value}) == f'{{\n"key": {_defined_layout(value)}\n}}\n'
