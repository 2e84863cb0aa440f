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
