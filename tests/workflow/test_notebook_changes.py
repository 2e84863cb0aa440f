"""Notebooks of runs side by side: only what is among the reports is read, and what cannot be read is not said to be the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nbops.history.sources import Cell
from nbops.model import Run, TaskRun
from nbops.workflow.notebook_changes import notebooks_between, notebooks_since, read_cells


def _run(run_id: str, **task: Any) -> Run:
    given: dict[str, Any] = {
        "name": "t",
        "kind": "notebook",
        "status": "succeeded",
        "notebook": f"runs/{run_id}/tasks/t.ipynb",
        **task,
    }
    return Run(
        id=run_id, status="succeeded", verdict="passed", pipeline="p", command="c", started_at="", tasks=(TaskRun(**given),)
    )


def _write(reports: Path, run_id: str, *sources: str) -> None:
    path = reports / f"runs/{run_id}/tasks/t.ipynb"
    path.parent.mkdir(parents=True)
    cells = [{"cell_type": "code", "source": source, "metadata": {}} for source in sources]
    path.write_text(json.dumps({"cells": cells}), encoding="utf-8")


def test_what_a_task_was_run_from_is_compared_also_where_it_was_carried_over(tmp_path: Path) -> None:
    _write(tmp_path, "r1", "a = 1", "b = 2")
    _write(tmp_path, "r3", "a = 1", "b = 3")
    found = notebooks_between(tmp_path, _run("r1"), _run("r3"))
    [change] = found.changed
    assert (change.task, [cell.after for cell in change.cells], found.looked_at) == ("t", [1], 1)
    carried = _run("r2", status="up_to_date", last_success="r1", notebook=None)
    assert notebooks_between(tmp_path, _run("r1"), carried).changed == ()
    assert notebooks_between(tmp_path, _run("r1"), carried).looked_at == 1
    assert notebooks_between(tmp_path, carried, _run("r3")).changed == found.changed
    assert notebooks_between(tmp_path, _run("r1"), _run("r3", name="other")).looked_at == 0
    assert notebooks_between(tmp_path, _run("r1"), _run("r3", status="held", notebook=None)).unknown == ()


def test_what_is_missing_damaged_or_elsewhere_is_not_said_to_be_the_same(tmp_path: Path) -> None:
    reports = tmp_path / "reports"
    _write(reports, "r1", "a")
    _write(reports, "r2", "a")
    (tmp_path / "x.ipynb").write_text(json.dumps({"cells": []}), encoding="utf-8")
    for after in (_run("r9"), _run("r2", notebook="../x.ipynb")):
        found = notebooks_between(reports, _run("r1"), after)
        assert (found.changed, found.looked_at) == ((), 0)
        assert f"as it was in {after.id} is not in" in found.unknown[0]
    (reports / "runs/r2/tasks/t.ipynb").write_text("{", encoding="utf-8")
    assert "r2" in notebooks_between(reports, _run("r1"), _run("r2")).unknown[0]


def test_a_run_and_the_files_as_they_are(tmp_path: Path) -> None:
    _write(tmp_path, "r1", "a = 1", "b = 2")
    source = tmp_path / "t.py"
    source.write_text("# %%\na = 1\n\n# %%\nb = 2\n", encoding="utf-8")
    assert notebooks_since(tmp_path, _run("r1"), {"t": source}).changed == ()
    cells = (Cell(kind="code", source="a = 1"), Cell(kind="code", source="b = 4"))
    assert len(notebooks_since(tmp_path, _run("r1"), {"t": cells}).changed) == 1
    found = notebooks_since(tmp_path, _run("r1"), {"new": source, "t": tmp_path / "gone.py"})
    assert found.unknown == ("r1 holds no notebook of new to compare with.", "The notebook of t cannot be read.")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"cells": 3}'])
def test_a_damaged_notebook_has_no_cells(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.ipynb"
    path.write_text(text, encoding="utf-8")
    assert read_cells(path) is None
