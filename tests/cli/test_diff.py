"""``nbops diff``: what it prints, how it ends, what hostile names do to it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from bs4 import BeautifulSoup

from nbops.model import GitState
from nbops.record.store import write_run

from .conftest import HOSTILE, Said, make_run

if TYPE_CHECKING:
    Call = Callable[..., Said]


def test_the_latest_with_the_last_accepted(with_runs: Path, call: Call) -> None:
    said = call("diff")
    assert said.code == 0
    lines = said.out.splitlines()
    assert "warned" in lines[0]
    assert "failed" in lines[1]
    assert lines[3].split(":")[0] == "3 changes"
    assert lines[5].split()[:2] == ["verdict", "the"]


def test_which_code_is_compared_is_said_in_words(project: Path, call: Call) -> None:
    first, second, third = (make_run(number) for number in (1, 2, 3))
    write_run(project / "reports", replace(first, git=GitState(commit="a4f882ab4e0d", branch="master")))
    dirty = GitState(commit="b5f882ab4e0d", branch="topic/x", dirty=True, changed_files=1)
    write_run(project / "reports", replace(second, git=dirty))
    write_run(project / "reports", replace(third, git=GitState(commit="b5f882ab4e0d", dirty=True)))
    before, after = call("diff", first.id, second.id).out.splitlines()[:2]
    assert before == f"before  run {first.id}, {first.started_at}, passed; commit a4f882ab4 on branch master"
    said = "commit b5f882ab4 on branch topic/x, 1 file changed and not committed"
    assert after == f"after   run {second.id}, {second.started_at}, passed; {said}"
    markdown = call("diff", first.id, second.id, "--markdown").out
    assert f"Code: {said}; before, commit a4f882ab4 on branch master." in markdown
    unknown = call("diff", second.id, third.id).out.splitlines()[1]
    assert unknown.endswith("commit b5f882ab4 on no branch, it is not known what was not committed")
    call("diff", first.id, second.id, "--html", "diff.html")
    page = " ".join(BeautifulSoup((project / "diff.html").read_bytes(), "html.parser").get_text(" ").split())
    assert "commit b5f882ab4 on branch topic/x , 1 file changed and not committed" in page


def test_what_is_the_same_is_counted_in_words(with_runs: Path, call: Call) -> None:
    assert "1 dataset, " in call("diff", "latest", "latest").out


def test_exit_codes(with_runs: Path, call: Call) -> None:
    assert call("diff", "latest", "latest", "--exit-code").code == 0
    assert call("diff", "--exit-code").code == 1
    assert call("diff", "nope").code == 3
    assert call("diff", "--json", "--markdown").code == 2
    assert "choose one" in call("diff", "--json", "--markdown").err


def test_without_runs(project: Path, call: Call) -> None:
    said = call("diff")
    assert said.code == 3
    assert "no runs yet" in said.err


def test_json(with_runs: Path, call: Call) -> None:
    found = json.loads(call("diff", "--json").out)
    assert found["different"] is True
    assert found["changes"][0] == {
        "after": "failed", "area": "verdict", "before": "warned", "kind": "worse", "subject": "the run",
        "text": "was warned, is failed", "weight": 100,
    }  # fmt: skip
    assert set(found) == {"after", "before", "changes", "compared", "different", "unknown"}
    assert json.loads(call("diff", "latest", "latest", "--json").out)["changes"] == []


def test_markdown(with_runs: Path, call: Call) -> None:
    lines = call("diff", "--markdown").out.splitlines()
    assert lines[0] == "### nbops: failed, 3 heavy changes"
    assert "| verdict | **the run** | was warned, is failed |" in lines


@pytest.mark.parametrize(
    "hostile", [HOSTILE, "a|b\n## head\n<img src=x onerror=alert(1)> [x](javascript:1) @everyone `c` $x$", "x" * 5_000]
)
def test_hostile_names(project: Path, call: Call, hostile: str) -> None:
    reports = project / "reports"
    write_run(reports, make_run(1))
    run = make_run(2, name=hostile, verdict="failed", message=hostile)
    write_run(reports, replace(run, parameters={hostile: hostile}))
    text, markdown = call("diff"), call("diff", "--markdown")
    assert text.code == markdown.code == 0
    for said in (text.out, markdown.out):
        assert not set(said) & {"\x1b", "\x00", "\u202e", "\x9b"}
    rows = [line for line in markdown.out.splitlines() if line.startswith("|")]
    assert len(rows) == len(json.loads(call("diff", "--json").out)["changes"]) + 2  # no name begins a line of its own
    assert all(line.replace("\\|", "").count("|") == 4 for line in rows)
    assert "<img" not in markdown.out
    assert "@everyone" not in markdown.out
    assert call("diff", "--html", "d.html").code == 0
    html = (project / "d.html").read_text(encoding="utf-8")
    assert "<img" not in html
    assert "<script" not in html
    assert len(html) < 300_000


def test_a_page_that_stands_alone(with_runs: Path, call: Call) -> None:
    said = call("diff", "--html", "out.html")
    assert said.out.splitlines()[-1] == "Page: out.html"
    first = (with_runs / "out.html").read_bytes()
    assert b"the run" in first
    assert b'rel="stylesheet"' not in first
    assert call("diff", "--html", "out.html").code == 0
    assert (with_runs / "out.html").read_bytes() == first
    assert call("diff", "--html", "no/such/folder.html").code == 3


def test_the_number_of_changes(with_runs: Path, call: Call) -> None:
    assert "and 2 more; `-n 3` shows all" in call("diff", "-n", "1").out
    assert "and 2 more" in call("diff", "-n", "1", "--markdown").out


def test_nothing_heavy_is_imported(with_runs: Path) -> None:
    heavy = "{'pandas', 'ploomber', 'duckdb', 'jinja2'}"
    code = f"import sys; from nbops.cli import main; main(['diff']); print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=with_runs, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
