"""What is done while tasks run: in order, one step at a time, without consequence when it goes wrong."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from nbops.pages import templating
from nbops.workflow.meanwhile import _IMPORTS, _MONITORS, Meanwhile


def made(tmp_path: Path, **options: bool) -> Meanwhile:
    def no_scrubber() -> None:
        raise AssertionError("nothing is scrubbed here")

    return Meanwhile(tmp_path, tmp_path / "reports", scrubber=no_scrubber, **options)  # type: ignore[arg-type]


def test_steps_are_taken_in_order_and_one_that_fails_is_passed_over(tmp_path: Path) -> None:
    meanwhile, done = made(tmp_path), []

    def fail() -> None:
        raise OSError("full")

    meanwhile.later(lambda: done.append("second"))
    meanwhile.later(fail)
    meanwhile.later(lambda: done.append("last"))
    meanwhile.first(lambda: done.append("first"))
    while meanwhile.pending:
        meanwhile.step()
    meanwhile.step()
    assert done == ["first", "second", "last"]


@pytest.mark.parametrize("name", [*_IMPORTS, *_MONITORS])
def test_what_is_loaded_is_there(name: str) -> None:
    import_module(name)


def test_every_template_of_a_build_can_be_loaded() -> None:
    for name in templating.BUILT:
        templating.load_template(name)


def test_the_templates_of_a_build_are_all_that_its_pages_name() -> None:
    """Comparisons, and an incident that may never be, are left to those who ask for them."""
    folder = Path(templating.__file__).parent
    named = {name for path in folder.glob("*.py") for name in re.findall(r'page\(\s*"(\w+\.html\.j2)"', path.read_text("utf-8"))}
    assert named - set(templating.BUILT) == {"compare.html.j2", "working.html.j2", "incident.html.j2"}
    assert {path.name for path in (folder / "templates").glob("_*.j2")} <= set(templating.BUILT)


def test_all_that_the_end_imports_is_loaded_before(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from nbops.workflow.meanwhile import Meanwhile
meanwhile = Meanwhile(Path(sys.argv[1]), Path(sys.argv[1]) / "reports", scrubber=None, monitors=sys.argv[2] == "on")
meanwhile.expect()
meanwhile.expect()
steps = 0
while meanwhile.pending:
    meanwhile.step()
    steps += 1
names = ("nbops.workflow.conclude", "nbops.history.monitors.judging", "nbops.pages.render")
print(steps, *(name in sys.modules for name in names))
"""
    for monitors, judged in (("on", "True"), ("off", "False")):
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code, str(tmp_path), monitors], capture_output=True, text=True, check=True
        )
        steps, *found = done.stdout.split()
        assert found == ["True", judged, "True"]
        assert int(steps) > len(templating.BUILT)
