"""What the package imports: declared, light, and downwards only."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

_SOURCE = ROOT / "src" / "nbops"
_HEAVY = {"pandas", "numpy", "ploomber", "duckdb", "papermill", "nbconvert", "ydata_profiling", "pyarrow", "jupyterlab"}
_BROUGHT = {
    "jupyter-client": "jupyter-server",
    "jupyter-core": "jupyter-server",
    "markupsafe": "jinja2",
    "pandas": "ydata-profiling",
    "tornado": "jupyter-server",
    "traitlets": "jupyter-server",
}
"""Packages that are part of another one's promise: who brings them."""


def _imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def _declared() -> set[str]:
    names = set()
    for text in metadata.requires("nbops") or []:
        if not re.search(r"extra == .(?:test|dev)\b", text):  # the other extras are of outside systems
            names.add(re.split(r"[ <>=!;\[(~]", text)[0].lower().replace("_", "-").replace(".", "-"))
    return names


def test_every_import_is_declared() -> None:
    own = {"nbops", "shop", "tomllib"}  # tomllib: of the standard library since 3.11
    where: dict[str, list[str]] = {}
    for path in [*_SOURCE.rglob("*.py"), *(ROOT / "notebooks").rglob("*.py")]:
        for name in _imported(path) - set(sys.stdlib_module_names) - own:
            where.setdefault(name, []).append(str(path.relative_to(ROOT)))
    distributions = {"bs4": ["beautifulsoup4"], "yaml": ["pyyaml"], **metadata.packages_distributions()}  # 3.10 sees fewer
    declared = _declared()
    undeclared = {}
    for name, paths in where.items():
        candidates = {found.lower().replace("_", "-").replace(".", "-") for found in distributions.get(name, [name])}
        if not (candidates | {_BROUGHT.get(found, found) for found in candidates}) & declared:
            undeclared[name] = paths
    assert undeclared == {}


def test_import_nbops_is_light() -> None:
    code = f"import sys, nbops; print(sorted({_HEAVY!r} & set(sys.modules)), [n for n in sys.modules if n.startswith('nbops.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "[] []"


def test_public_names_are_sorted_and_there() -> None:
    import nbops

    assert nbops.__all__ == sorted(nbops.__all__)
    assert set(nbops.__all__) <= set(dir(nbops))
    with pytest.raises(AttributeError, match="nothing_such"):
        nbops.nothing_such  # noqa: B018


def test_modules_are_short_enough_to_hold_in_mind() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in _SOURCE.rglob("*.py")}
    assert {name: length for name, length in lengths.items() if length > 450} == {}


def test_layers_are_kept() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    if not linter.exists():
        pytest.skip("import-linter is in the dev extra")
    done = subprocess.run([str(linter), "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout
