"""How far a build is, as who looks on reads it: in the middle of a line, of another run, damaged."""

from __future__ import annotations

import pytest

from nbops.workflow.live import LiveNotes, LiveTask, read_live


def test_who_looks_on_sees_what_waits_runs_and_ended(tmp_path):
    notes = LiveNotes(tmp_path, run_id="one", tasks=["a", 'b \n"', "c"])
    notes.note("a", "running")
    notes.note("a", "succeeded")
    notes.note('b \n"', "running")
    found = read_live(tmp_path, run_id="one")
    assert {name: task.status for name, task in found.items()} == {"a": "succeeded", 'b \n"': "running", "c": "waiting"}
    assert found["a"].began is not None
    assert found["c"] == LiveTask(status="waiting")
    assert read_live(tmp_path, run_id="another") == {}
    LiveNotes(tmp_path, run_id="two", tasks=["a"])
    assert read_live(tmp_path, run_id="two") == {"a": LiveTask(status="waiting")}


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"run": "one"}', '{"run": "one", "tasks": 3}', '{"run": "one", "tasks": ["a"]}\n[1]\n']
)
def test_what_is_damaged_or_missing_is_nothing(tmp_path, text):
    assert read_live(tmp_path, run_id="one") == {}
    (tmp_path / ".nbops/cache").mkdir(parents=True)
    (tmp_path / ".nbops/cache/live.jsonl").write_text(text, encoding="utf-8")
    assert read_live(tmp_path, run_id="one") == {}


def test_a_line_that_is_being_written_does_not_count_yet(tmp_path):
    LiveNotes(tmp_path, run_id="one", tasks=["a"])
    with (tmp_path / ".nbops/cache/live.jsonl").open("a", encoding="utf-8") as file:
        file.write('["a", "runn')
    assert read_live(tmp_path, run_id="one") == {"a": LiveTask(status="waiting")}


def test_a_build_goes_on_where_nothing_can_be_noted(tmp_path):
    (tmp_path / ".nbops").write_text("no folder", encoding="utf-8")
    LiveNotes(tmp_path, run_id="one", tasks=["a"]).note("a", "running")
    assert read_live(tmp_path, run_id="one") == {}
