"""The end of a process that ran a build: nothing that was written is lost, whatever is left out of the interpreter's own end."""

from __future__ import annotations

import gc
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from nbops.workflow.ending import few_collections

if TYPE_CHECKING:
    from pathlib import Path

_CODE = """
import atexit, sys, threading
from nbops.workflow.ending import few_collections

class Cycle:
    def __init__(self, path):
        self.file, self.own = open(path, "w"), self

before = Cycle("before")
with few_collections(ends_with_build=True):
    during = Cycle("during")
    del before
after = Cycle("after")
for one in (during, after):
    one.file.write("written")
raw = Cycle("raw")
raw.file.buffer.write(b"bytes")
atexit.register(lambda: after.file.write(" at the end"))
{last}
"""


@pytest.mark.parametrize(("last", "code"), [("", 0), ("sys.exit(7)", 7), ("raise RuntimeError", 1)])
def test_open_files_are_written_at_the_end(tmp_path: Path, last: str, code: int) -> None:
    done = subprocess.run([sys.executable, "-c", _CODE.format(last=last)], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == code
    found = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
    assert found == {"before": "", "during": "written", "after": "written at the end", "raw": "bytes"}


def test_a_process_that_goes_on_collects_as_before() -> None:
    before, frozen = gc.get_threshold(), gc.get_freeze_count()
    with few_collections(ends_with_build=False):
        assert gc.get_threshold()[0] > before[0]
        assert gc.get_freeze_count() > frozen
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0
    assert gc.isenabled()


def test_the_command_line_ends_with_all_that_it_said(tmp_path: Path) -> None:
    code = (
        "import atexit, sys, threading, time\nfrom nbops.cli import main\n"
        "threading.Thread(target=lambda: (time.sleep(0.05), print('thread'))).start()\n"
        "atexit.register(lambda: print('at the end', file=sys.stderr))\nmain()\nprint('never')"
    )
    done = subprocess.run([sys.executable, "-c", code, "runs"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 3  # no project there
    assert done.stdout == "thread\n"
    assert done.stderr.splitlines()[-1] == "at the end"
