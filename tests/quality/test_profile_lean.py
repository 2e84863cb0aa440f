"""The profiler imported in part: what is left out is left out, and whoever needs it gets an answer of the whole."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nbops.quality._profile_files import plain
from nbops.quality._profile_lean import Absence, left_out
from nbops.quality.profile import ProfileRequest, profile_many

REPORT = """
import os, sys
{imports}
class ProfileReport:
    def __init__(self, frame, **_): self.keys = list(frame)
    def get_description(self):
        {body}
        rows = {{"n": n, "n_missing": n, "n_distinct": 1, "type": "Unsupported"}}
        return type("Description", (), {{"variables": {{key: rows for key in self.keys}}, "alerts": [], "correlations": {{}},
                                        "table": {{"n": n}}}})()
"""
PLOTTING = """
rcParams = dict.fromkeys(range(4321))
class Axes: size = 4321
def subplots(*_): return 4321
"""


def fake(folder: Path, imports: str, body: str) -> None:
    """Put a profiler and a plotting library in place; the profiler gives what it has got from the library."""
    (folder / "ydata_profiling.py").write_text(
        REPORT.format(imports=imports, body=body.replace("\n", "\n        ")), encoding="utf-8"
    )
    (folder / "matplotlib.py").write_text(PLOTTING, encoding="utf-8")


def questions(folder: Path, count: int) -> bytes:
    data = folder / "a.csv"
    data.write_text("a,b\n1,2\n3,4\n", encoding="utf-8")
    request = ProfileRequest(dataset="a", data=data, format="csv", output=folder / "a.html", content_hash="h")
    return b"".join(json.dumps({"seconds": 60.0, **plain(request)}).encode() + b"\n" for _ in range(count))


def work(folder: Path, asked: bytes) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "nbops.quality._profile_worker"],
        input=asked,
        capture_output=True,
        check=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("imports", "body"),
    [
        ("import matplotlib", "n = len(matplotlib.rcParams)"),
        ("from matplotlib import Axes", "n = Axes.size"),
        ("from matplotlib import subplots", "try: n = subplots(1)\nexcept Exception: n = 2"),
        ("import matplotlib", "n = 2 if self.keys[0] != 'c0' else len(matplotlib.rcParams)"),
        ("from matplotlib import subplots", "n = 2\nif self.keys[0] == 'c0':\n  try: n = subplots(1)\n  except Exception: pass"),
        ("from matplotlib import Axes", "n = 2 if self.keys[0] != 'c0' else isinstance(self, Axes) + 4321"),
        ("import matplotlib\nif len(matplotlib.rcParams) < 9: raise RuntimeError", "n = 4321"),
        ("from matplotlib import Axes\nclass Mine(Axes): pass", "n = Mine.size"),
    ],
)
def test_who_needs_what_was_left_out_gets_the_whole(tmp_path: Path, imports: str, body: str) -> None:
    fake(tmp_path, imports, body)
    ready, *answers = work(tmp_path, questions(tmp_path, 3))
    assert ready == {"event": "ready"}
    assert len(answers) == 3
    assert all("4,321" in answer["html"] for answer in answers)
    assert len({answer["html"] for answer in answers}) == 1


def test_a_profiler_that_fails_for_another_reason_fails_with_the_whole_too(tmp_path: Path) -> None:
    fake(tmp_path, "import matplotlib", "n = 2 if self.keys[0] != 'c0' else 1 / 0")
    ready, *answers = work(tmp_path, questions(tmp_path, 2))
    assert ready == {"event": "ready"}
    assert [answer["profiled"] for answer in answers] == [1, 1]  # of two columns
    assert "The profiler failed on the values of this column." in answers[0]["html"]


def test_a_build_does_not_notice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(tmp_path, "import matplotlib", "n = 2 if self.keys[0] != 'c0' else len(matplotlib.rcParams)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    data = tmp_path / "a.csv"
    data.write_text("a\n1\n2\n", encoding="utf-8")
    requests = [
        ProfileRequest(dataset=name, data=data, format="csv", output=tmp_path / f"{name}.html", content_hash="h") for name in "ab"
    ]
    results = profile_many(requests)
    assert [(result.status, result.error) for result in results] == [("made", None)] * 2
    assert "4,321" in (tmp_path / "a.html").read_text(encoding="utf-8")


LOADED = """
import sys
from nbops.quality._profile_load import load_lean
loaded = load_lean()
heavy = {"matplotlib", "seaborn", "statsmodels", "IPython", "ipywidgets", "PIL", "requests", "numba", "phik", "wordcloud"}
print(*(name for name in heavy if sys.modules.get(name) is not None))
import pandas, matplotlib.pyplot  # afterwards the real ones can be had
print(matplotlib.pyplot.__file__ is not None, loaded.doubtful)
"""


def test_the_profiler_works_without_what_draws_and_shows() -> None:
    pytest.importorskip("matplotlib")
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", LOADED], capture_output=True, check=True, text=True)
    assert done.stdout == "\nTrue False\n"


def test_what_is_kept_of_a_package_is_real() -> None:
    absence = Absence("ydata_profiling")
    assert absence.covers("matplotlib.pyplot")
    assert absence.covers("ydata_profiling.report.presentation")
    assert not absence.covers("ydata_profiling.model.describe")
    assert not absence.covers("matplotlib_inline")
    assert not absence.covers("networkx.algorithms")
    assert absence.covers("networkx.algorithms.bipartite")
    assert not absence.covers("networkx.algorithms.components.connected")


def test_nothing_stays_behind() -> None:
    before = set(sys.modules)
    finders = list(sys.meta_path)
    absence = Absence("ydata_profiling")
    with left_out(absence):
        import wordcloud.nothing_of_the_kind  # noqa: F401
    assert set(sys.modules) == before
    assert sys.meta_path == finders
    assert absence.sealed
