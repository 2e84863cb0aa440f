"""runs, show, render, attach: what they print, and their exit codes."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from nbops.model import RunError
from nbops.record.store import ledger_path, write_run

from .conftest import HOSTILE, Said, make_run, run_id

Call = Callable[..., Said]


def test_runs_newest_first(with_runs: Path, call: Call) -> None:
    said = call("runs")
    lines = said.out.splitlines()
    assert (said.code, said.err) == (0, "")
    assert [line.split()[0] for line in lines] == ["RUN", run_id(3), run_id(2), run_id(1)]
    assert "failed" in lines[1]
    assert "orders: nullValues of id failed" in lines[1]
    assert "10.2 s" in lines[1]
    assert "0/1" in lines[1]


def test_runs_as_json_and_bounded(with_runs: Path, call: Call) -> None:
    found = json.loads(call("runs", "--json", "-n", "2").out)
    assert [run["id"] for run in found] == [run_id(3), run_id(2)]
    assert found[0]["checks"] == {"failed": 1}
    said = call("runs", "-n", "1")
    assert len(said.out.splitlines()) == 2
    assert "2 older runs are not listed; `nbops runs -n 3` lists all" in said.err


def test_runs_without_any(project: Path, call: Call) -> None:
    assert call("runs") == Said(0, "", "nbops: there are no runs yet; `ploomber build` makes the first\n")
    assert call("runs", "--json").out == "[]\n"


def test_a_killed_run_is_no_running_one(with_runs: Path, call: Call) -> None:
    from nbops.record.running import write_running

    write_run(with_runs / "reports", make_run(4, status="running"))
    assert "killed" in call("runs").out
    assert json.loads(call("runs", "--json").out)[0]["status"] == "killed"
    write_running(with_runs / ".nbops", run_id(4))
    assert "running" in call("runs").out


def test_a_damaged_ledger_is_named_and_hides_nothing(with_runs: Path, call: Call) -> None:
    ledger_path(with_runs / "reports", run_id(2)).write_text("{")
    said = call("runs")
    assert said.code == 0
    assert len(said.out.splitlines()) == 3
    assert f"1 ledger cannot be read: {run_id(2)}" in said.err
    shown = call("show", run_id(2))
    assert shown.code == 3
    assert run_id(2) in shown.err
    assert "Traceback" not in shown.err
    rendered = call("render")
    assert rendered.code == 3
    assert run_id(2) in rendered.err
    assert (with_runs / "reports/runs" / run_id(3) / "index.html").is_file()


def test_show_says_what_went_wrong_first(with_runs: Path, call: Call) -> None:
    said = call("show")
    assert said.code == 0
    lines = said.out.splitlines()
    assert lines[0] == f"{run_id(3)}  FAILED"
    assert said.out.index("load: ChecksFailed (cell 3): 2 nulls") < said.out.index("Tasks") < said.out.index("Datasets")
    assert "Mend it." in said.out
    assert "commit 012345678 on branch main, 2 files changed and not committed" in said.out
    assert "1,234" in said.out
    assert "orders: 3 rows of 10, in quarantine/orders/x.parquet" in said.out


@pytest.mark.parametrize("wanted", [[], ["latest"], [run_id(3)], ["20261122T1903"], ["000003"]])
def test_show_json_is_the_ledger_as_it_is(with_runs: Path, call: Call, wanted: list[str]) -> None:
    assert call("show", *wanted, "--json").out.encode() == ledger_path(with_runs / "reports", run_id(3)).read_bytes()


@pytest.mark.parametrize(
    ("wanted", "words"), [("2026", "3 runs fit"), ("nope", "no such run"), ("../../x", "no such run"), ("", "no such run")]
)
def test_show_of_no_run(with_runs: Path, call: Call, wanted: str, words: str) -> None:
    said = call("show", wanted)
    assert said.code == 3
    assert words in said.err
    assert said.out == ""


def test_hostile_values_are_written_out(project: Path, call: Call) -> None:
    run = make_run(1, verdict="failed", name="or\x1b]0;x\x07ders", message=HOSTILE * 3)
    write_run(project / "reports", replace(run, errors=(RunError(kind="ValueError", message=HOSTILE * 3, task="load"),)))
    for command in (["runs"], ["show"]):
        out = call(*command).out
        assert not set(out) & {"\x1b", "\x00", "\u202e", "\u2066", "\x9b", "\r", "\u200b", "\x07"}
        assert "\\x1b[31m" in out
        assert "<script>" in out


def test_render_is_repeatable_and_keeps_old_runs_pruned(with_runs: Path, call: Call) -> None:
    (with_runs / "pyproject.toml").write_text("[tool.nbops]\nkeep_runs = 2\n")
    said = call("render")
    assert said.code == 0
    assert "of 2 runs: reports/index.html" in said.out
    pages = {path: path.read_bytes() for path in (with_runs / "reports").rglob("*.html")}
    assert not any(run_id(1) in str(path) for path in pages)
    assert f"{len(pages)} pages" in said.out
    call("render")
    assert {path: path.read_bytes() for path in (with_runs / "reports").rglob("*.html")} == pages
    assert call("render", "000001").code == 0
    assert (with_runs / "reports/runs" / run_id(1) / "index.html").is_file()


def test_attach_and_undo(project: Path, call: Call) -> None:
    before = (project / "pipeline.yaml").read_bytes()
    said = call("attach")
    assert said.code == 0
    assert "added `on_render: nbops.attach` as line 1" in said.out
    assert (project / "pipeline.yaml").read_bytes() == b"on_render: nbops.attach\n" + before
    assert (project / ".gitignore").read_text() == ".nbops/\nquarantine/\n"
    assert "attached already, in line 1" in call("attach").out
    assert "took line 1 out" in call("attach", "--undo").out
    assert (project / "pipeline.yaml").read_bytes() == before
    assert (project / ".gitignore").exists()
    assert "nothing to undo" in call("attach", "--undo").out


def test_attach_another_file_and_another_quarantine(project: Path, call: Call) -> None:
    (project / "pyproject.toml").write_text('[tool.nbops]\nquarantine = "rejected"\n')
    (project / "pipeline.serve.yaml").write_text("tasks: []\n")
    assert call("attach", "pipeline.serve.yaml").code == 0
    assert (project / "pipeline.serve.yaml").read_text().startswith("on_render: nbops.attach\n")
    assert (project / ".gitignore").read_text() == ".nbops/\nrejected/\n"
    assert call("attach", "none.yaml").code == 3
    assert call("attach", ".").code == 3


def test_directory_option_and_upward_search(with_runs: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = with_runs / "a/b"
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    assert run_id(3) in call("runs").out
    monkeypatch.chdir("/")
    assert call("runs").code == 3
    assert run_id(3) in call("-C", str(deep), "runs").out
    assert call("-C", str(deep / "none"), "runs").code == 2


def test_a_table_in_pyproject_makes_a_root(tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert "no project here" in call("runs").err
    (tmp_path / "pyproject.toml").write_text("[tool.nbops]\nkeep_rums = 1\n")
    said = call("runs")
    assert said.code == 3
    assert "Did you mean 'keep_runs'?" in said.err


def test_completion_scripts_and_offers(with_runs: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    for shell in ("bash", "zsh", "fish"):
        script = call("completion", shell)
        assert script.code == 0
        assert "_NBOPS_COMPLETE" in script.out
    assert call("completion", "tcsh").code == 2
    monkeypatch.setenv("_NBOPS_COMPLETE", "bash_complete")

    def offered(words: str) -> list[str]:
        monkeypatch.setenv("COMP_WORDS", words)
        monkeypatch.setenv("COMP_CWORD", str(len(words.split(" ")) - 1))
        return [line.split(",", 1)[1] for line in call().out.splitlines() if line]

    assert offered("nbops ru") == ["runs"]
    assert offered("nbops show 2026") == [run_id(3), run_id(2), run_id(1)]
    assert offered("nbops show la") == ["latest"]
    assert offered(f"nbops -C {with_runs} show latest") == ["latest"]
    assert offered("nbops check o") == ["orders"]
    (with_runs / "pyproject.toml").write_text("[tool.nbops")
    assert offered("nbops show 2026") == []


def test_doctor_says_what_must_be_mended(with_runs: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    (with_runs / "pyproject.toml").write_text("[tool.nbops]\nkeep_rums = 1\n")
    said = call("doctor")
    assert said.code == 3
    first = said.out.splitlines()[1]
    assert first.startswith("fail")
    assert "  settings: Correct it in pyproject.toml." in said.out
    found = json.loads(call("doctor", "--json").out)
    assert set(found[0]) == {"name", "status", "message", "remedy"}
    statuses = [item["status"] for item in found]
    assert statuses == sorted(statuses, key=["fail", "warn", "ok"].index)
    monkeypatch.chdir(with_runs.parent)
    assert "nbops init" in call("doctor").out


def test_a_folder_in_the_place_of_a_page(with_runs: Path, call: Call) -> None:
    (with_runs / "reports/index.html/x").mkdir(parents=True)
    said = call("render")
    assert said.code == 3
    assert "index.html" in said.err
    assert said.err.count("\n") == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_render_into_read_only_reports(with_runs: Path, call: Call) -> None:
    (with_runs / "reports").chmod(0o500)
    try:
        said = call("render")
    finally:
        (with_runs / "reports").chmod(0o700)
    assert said.code == 3
    assert "Permission denied" in said.err
    assert "Traceback" not in said.err
