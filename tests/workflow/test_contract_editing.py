"""A contract edited in a form: clean YAML, nothing lost, judged on the data by the engine of `nbops check`."""

from __future__ import annotations

import threading
from pathlib import Path

import pandas as pd
import pytest

from nbops.contract.config import load_config
from nbops.contract.odcs import load_contract
from nbops.errors import ContractError
from nbops.workflow import live_check
from nbops.workflow.contract_editing import ContractSession, contract_file
from nbops.workflow.live_check import LiveCheck, Look, check_sample, check_whole

HOSTILE = '<img src=x onerror=alert(1)> \'; DROP TABLE orders; -- "q" 😀'
CONTRACT = """\
# Who changes this, tells the shop.
apiVersion: v3.1.0
kind: DataContract
id: orders
version: 1.0.0
status: active   # or draft
schema:
  - name: orders
    properties:
      - name: id            # given by the shop
        logicalType: integer
        required: true
      # money
      - name: amount
        logicalType: number
        logicalTypeOptions:
          minimum: 0   # refunds are elsewhere
        quality:
          - {metric: nullValues, mustBeLessThan: 5, unit: percent, severity: warning}
      - name: at
        logicalType: timestamp
        classification: 'internal'
team:
  name: Shop   # all of them
  members:
    - username: ada
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "shop"
    (root / "contracts").mkdir(parents=True)
    (root / "pipeline.yaml").write_text(
        "tasks:\n  - source: clean.py\n    product: {nb: clean.ipynb, data: out/orders.csv}\n", encoding="utf-8"
    )
    (root / "clean.py").write_text("", encoding="utf-8")
    (root / "contracts/orders.odcs.yaml").write_text(CONTRACT, encoding="utf-8")
    (root / "out").mkdir()
    (root / "out/orders.csv").write_text(
        "id,amount,at\n1,2.5,2026-01-01 00:00:00\n2,-1,2026-01-02 00:00:00\n,7,2026-01-03 00:00:00\n", encoding="utf-8"
    )
    return root


@pytest.fixture
def session(project: Path) -> ContractSession:
    return ContractSession(project, load_config(project), "orders")


def path_of(project: Path) -> Path:
    return project / "contracts/orders.odcs.yaml"


def changed(session: ContractSession) -> list[str]:
    return [line for line in session.diff()[2:] if line[:1] in "+-"]


def test_what_a_form_shows(session):
    fields = session.fields()
    assert (fields["owner"], fields["status"], fields["version"], fields["freshness"]) == ("Shop", "active", "1.0.0", None)
    assert [(one["name"], one["required"], one["minimum"], one["rules"]) for one in fields["columns"]] == [
        ("id", True, None, 0),
        ("amount", False, 0, 1),
        ("at", False, None, 0),
    ]
    assert not session.changed
    assert session.diff() == ()


@pytest.mark.parametrize(
    ("field", "column", "value", "lines"),
    [
        ("status", None, "draft", ["-status: active   # or draft", "+status: draft   # or draft"]),
        ("owner", None, "Till", ["-  name: Shop   # all of them", "+  name: Till   # all of them"]),
        ("description", None, "What was sold", ["+    description: What was sold"]),
        ("description", "id", HOSTILE, None),
        ("required", "amount", True, ["+        required: true"]),
        ("required", "id", False, ["-        required: true", "+        required: false"]),
        ("unique", "id", True, ["+        unique: true"]),
        ("unique", "id", False, []),
        ("minimum", "amount", "", ["-        logicalTypeOptions:", "-          minimum: 0   # refunds are elsewhere"]),
        ("maximum", "amount", "99.5", ["+          maximum: 99.5"]),
        (
            "minimum",
            "amount",
            "7",
            ["-          minimum: 0   # refunds are elsewhere", "+          minimum: 7   # refunds are elsewhere"],
        ),
        (
            "values",
            "id",
            [1, 2, 3],
            ["+        enum:", "+          - value: 1", "+          - value: 2", "+          - value: 3"],
        ),
        ("pattern", "at", "^2", ["+        logicalTypeOptions:", "+          pattern: ^2"]),
        ("classification", "at", "personal", ["-        classification: 'internal'", "+        classification: 'personal'"]),
        (
            "personal",
            "amount",
            True,
            ["+        customProperties:", "+          - property: nbops.personal", "+            value: true"],
        ),
        (
            "freshness",
            None,
            {"value": "2", "unit": "d", "column": "at"},
            ["+slaProperties:", "+  - property: freshness", "+    value: 2", "+    unit: d", "+    element: orders.at"],
        ),
    ],
)
def test_one_field_changes_its_own_lines_and_can_be_taken_back(session, field, column, value, lines):
    session.set(field, value, column=column)
    if lines is None:
        assert session.fields()["columns"][0]["description"] == HOSTILE
        assert session.problems() == ()
    else:
        assert changed(session) == lines
    session.undo()
    assert session.text == CONTRACT
    session.redo()
    if lines is not None:
        assert changed(session) == lines
    session.revert()
    assert not session.changed


def test_values_keep_what_is_said_of_them(session):
    session.set("values", ["a", "b"], column="id")
    path = session.path
    path.write_text(session.text.replace("- value: b", "- value: b   # rare\n            description: seldom"), encoding="utf-8")
    again = ContractSession(session.root, session.config, "orders")
    again.set("values", ["b", "c"], column="id")
    assert changed(again) == ["-          - value: a", "+          - value: c"]


def test_columns_come_and_go(session):
    session.add_column("new one", "string")
    assert changed(session) == ["+      - name: new one", "+        logicalType: string"]
    with pytest.raises(ContractError, match="has it already"):
        session.add_column("id")
    session.drop_column("new one")
    assert session.text == CONTRACT
    with pytest.raises(ContractError, match="Allowed: amount, at, id"):
        session.drop_column("nothing")
    with pytest.raises(ContractError, match="no such field"):
        session.set("hash", "x")


def test_what_is_wrong_is_said_and_not_saved(session, project):
    session.set("pattern", "(", column="id")
    assert any("pattern" in problem for problem in session.problems())
    with pytest.raises(ContractError, match="pattern"):
        session.save()
    assert path_of(project).read_text(encoding="utf-8") == CONTRACT
    session.set("pattern", "^1$", column="id")
    session.set("logicalType", "string", column="id")
    assert session.problems() == ()


def test_saving_writes_what_was_shown_and_builds_read_it(session, project):
    path_of(project).chmod(0o640)
    session.set("description", "Number of the order: unique", column="id")
    assert "saved" in session.save()
    assert not session.changed
    assert path_of(project).read_bytes() == session.text.encode()
    assert path_of(project).stat().st_mode & 0o777 == 0o640
    assert load_contract(path_of(project)).columns[0].description == "Number of the order: unique"
    assert "nothing to save" in session.save()
    assert [path.name for path in (project / "contracts").iterdir()] == ["orders.odcs.yaml"]


def test_a_file_that_changed_meanwhile_is_not_overwritten_and_no_work_is_lost(session, project):
    session.set("status", "draft")
    session.set("required", value=True, column="amount")
    theirs = CONTRACT.replace("      # money\n      - name: amount\n", "      - name: total\n").replace(
        "version: 1.0.0", "version: 2.0.0"
    )
    path_of(project).write_text(theirs, encoding="utf-8")
    assert "somebody else" in session.conflict()
    with pytest.raises(ContractError, match="Nothing was written"):
        session.save()
    assert path_of(project).read_text(encoding="utf-8") == theirs
    assert session.fields()["status"] == "draft"
    lost = session.take_in()
    assert [str(edit) for edit in lost] == ["required of amount"]
    assert session.conflict() is None
    assert changed(session) == ["-status: active   # or draft", "+status: draft   # or draft"]
    session.save()
    assert path_of(project).read_text(encoding="utf-8") == theirs.replace("status: active", "status: draft")


def test_saving_over_somebody_else_is_possible_and_has_to_be_said(session, project):
    session.set("status", "draft")
    path_of(project).unlink()
    assert "is gone" in session.conflict()
    session.save(over=True)
    assert path_of(project).read_text(encoding="utf-8") == session.text


@pytest.mark.parametrize("name", ["../orders", "/etc/passwd", "nothing", "", "orders.odcs.yaml", "ord\0ers"])
def test_a_name_is_no_path(project, name):
    with pytest.raises(ContractError, match="no contract of"):
        contract_file(project, load_config(project), name)


def test_a_link_out_of_the_project_is_not_followed(project, tmp_path):
    (tmp_path / "elsewhere.yaml").write_text(CONTRACT, encoding="utf-8")
    (project / "contracts/far.odcs.yaml").symlink_to(tmp_path / "elsewhere.yaml")
    with pytest.raises(ContractError, match="out of the project"):
        ContractSession(project, load_config(project), "far")


def test_the_whole_data_is_judged_as_nbops_check_does(session, project):
    config = load_config(project)
    look = check_whole(project, config, session.contract())
    failed = {result.check.id: result.failing_rows for result in look.results if result.verdict == "failed"}
    assert failed == {"id.nullValues": 1, "amount.invalidValues.minimum": 1}
    assert (look.basis, look.rows, [name for name, _ in look.columns]) == ("whole", 3, ["id", "amount", "at"])
    session.set("minimum", -5, column="amount")
    session.set("required", value=False, column="id")
    assert {result.verdict for result in check_whole(project, config, session.contract()).results} == {"passed"}
    (project / "out/orders.csv").unlink()
    gone = check_whole(project, config, session.contract())
    assert "nothing is published" in gone.error
    assert {result.verdict for result in gone.results} == {"errored"}


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "parquet", "jsonl"])
def test_the_beginning_of_long_data_is_judged_first(session, project, monkeypatch, kind):
    monkeypatch.setattr(live_check, "_SMALL", 100)
    frame = pd.DataFrame(
        {"id": range(5000), "amount": [1.0] * 4999 + [-1.0], "note": ['a "b",\nc'] * 5000, "at": pd.Timestamp("2026-01-01")}
    )
    (project / "pipeline.yaml").write_text(
        f"tasks:\n  - source: clean.py\n    product: {{nb: clean.ipynb, data: out/orders.{kind}}}\n", encoding="utf-8"
    )
    path = project / f"out/orders.{kind}"
    if kind == "parquet":
        frame.to_parquet(path)
    elif kind == "jsonl":
        frame.to_json(path, orient="records", lines=True, date_format="iso")
    else:
        frame.to_csv(path, index=False)
    contract, config = session.contract(), load_config(project)
    first = check_sample(project, config, contract, rows=100)
    whole = check_whole(project, config, contract)
    assert (first.basis, first.rows, first.error, whole.rows) == ("sample", 100, None, 5000)
    assert [result.check.id for result in first.results if result.verdict == "failed"] == []
    assert [result.check.id for result in whole.results if result.verdict == "failed"] == ["amount.invalidValues.minimum"]
    assert list((project / "out").iterdir()).count(path) == 1


def test_answers_belong_to_the_newest_text(session, project):
    said: list[Look] = []
    heard = threading.Event()

    def tell(look: Look) -> None:
        said.append(look)
        heard.set()

    live = LiveCheck(project, load_config(project), tell=tell, wait=0.05)
    try:
        live.ask(session.contract())
        session.set("minimum", -5, column="amount")
        number = live.ask(session.contract())
        assert heard.wait(60)
        assert [look.number for look in said] == [number], "the first question was given up"
        failed = [result.check.id for result in said[0].results if result.verdict == "failed"]
        assert failed == ["id.nullValues"]
        heard.clear()
        session.set("description", "words only", column="id")
        number = live.ask(session.contract())
        assert heard.wait(60)
        assert (said[-1].number, said[-1].results) == (number, said[0].results), "nothing was measured again"
    finally:
        live.close()


def test_a_fault_of_the_judgement_is_told(session, project, monkeypatch):
    said: list[Look] = []
    heard = threading.Event()
    live = LiveCheck(project, load_config(project), tell=lambda look: (said.append(look), heard.set()), wait=0.01)
    (project / "pipeline.yaml").write_text("tasks: []\n", encoding="utf-8")
    live.ask(session.contract())
    assert heard.wait(60)
    live.close()
    assert "no task makes" in said[0].error
