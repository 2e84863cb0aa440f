"""``nbops.contract_editor()`` without a browser: what it answers, and its static view."""

from __future__ import annotations

from pathlib import Path

import pytest

import nbops
from nbops.errors import ContractError

HOSTILE = "<img src=x onerror=alert(1)>'\" 😀"
CONTRACT = f"""\
apiVersion: v3.1.0
kind: DataContract
id: orders
version: 1.0.0   # kept
schema:
  - name: orders
    properties:
      - name: id
        logicalType: integer
        description: "{HOSTILE.replace('"', chr(92) + '"')}"
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "contracts").mkdir()
    (tmp_path / "pipeline.yaml").write_text("tasks: []\n", encoding="utf-8")
    path = tmp_path / "contracts/orders.odcs.yaml"
    path.write_text(CONTRACT, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return path


def test_edits_are_answered_and_saved_only_when_asked(file: Path) -> None:
    editor = nbops.contract_editor("orders")
    try:
        answer = editor._answer("set", {"field": "values", "column": "id", "value": "1\n2"})
        assert answer["ok"]
        assert answer["data"]["state"]["changes"] == 1
        assert any("value: 2" in line for line in answer["data"]["state"]["diff"])
        wrong = editor._answer("set", {"field": "values", "column": "id", "value": "one"})
        assert not wrong["ok"]
        assert "type integer" in wrong["error"]
        assert not editor._answer("set", {"field": "hash", "column": None, "value": "x"})["ok"]
        assert file.read_text(encoding="utf-8") == CONTRACT
        assert editor._answer("save", {})["ok"]
        assert file.read_text(encoding="utf-8") == CONTRACT + "        enum:\n          - value: 1\n          - value: 2\n"
        assert "<img" not in editor._static_html()
        assert "&lt;img" in editor._static_html()
        assert HOSTILE in repr(editor)
    finally:
        editor.close()
    with pytest.raises(ContractError, match="no contract of"):
        nbops.contract_editor("../orders")
