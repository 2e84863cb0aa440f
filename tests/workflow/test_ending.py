"""The end of a process that ran a build: quick, quiet, and with everything written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_BUILD = """
import sys
from nbops.workflow.ending import few_collections
import duckdb

file = open(sys.argv[1], "w")
file.me = [file]  # a cycle: only a collection would close it
with few_collections(ends_with_build=True):
    duckdb.connect(":memory:").execute("SELECT 1").fetchall()
    file.write("kept")
print("said", file=sys.stderr)
sys.exit(3)
"""


def test_nothing_is_lost_and_nothing_is_said_of_leaks(tmp_path: Path) -> None:
    written = tmp_path / "written"
    done = subprocess.run([sys.executable, "-c", _BUILD, str(written)], capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (3, "", "said\n")
    assert written.read_text(encoding="utf-8") == "kept"
