"""``constraints.txt`` and ``environment.yml`` say what ``pyproject.toml`` says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

try:
    import tomllib
except ModuleNotFoundError:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
_CONDA_NAMES = {"python-duckdb": "duckdb", "python-fastjsonschema": "fastjsonschema"}
"""conda-forge's name to PyPI's, where they differ by more than spelling."""
_ONLY_CONDA = {"git", "pip", "python"}
_BY_PIP = {"ploomber", "ydata-profiling"}


def _project() -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return found


def _requirements(*, extras: bool) -> list[Requirement]:
    project = _project()
    texts = [*project["dependencies"]]
    if extras:
        texts += [text for group in project["optional-dependencies"].values() for text in group]
    return [Requirement(text) for text in texts]


def _on(python: str) -> dict[str, str]:
    return {**default_environment(), "python_version": python, "python_full_version": f"{python}.9", "extra": ""}  # type: ignore[dict-item]


def _constraints() -> list[Requirement]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def test_constraints_are_names_and_versions_only() -> None:
    for requirement in _constraints():
        assert requirement.url is None
        assert not requirement.extras
        assert [specifier.operator for specifier in requirement.specifier] == ["=="], str(requirement)
    assert "nbops" not in {requirement.name for requirement in _constraints()}


@pytest.mark.parametrize("python", PYTHONS)
def test_constraints_hold_one_fitting_version_of_each_requirement(python: str) -> None:
    tested: dict[str, str] = {}
    for requirement in _constraints():
        if requirement.marker is None or requirement.marker.evaluate(_on(python)):
            name = canonicalize_name(requirement.name)
            assert name not in tested, f"{name} has two versions on Python {python}"
            tested[name] = next(iter(requirement.specifier)).version
    for requirement in _requirements(extras=True):
        name = canonicalize_name(requirement.name)
        if name == "nbops" or (requirement.marker is not None and not requirement.marker.evaluate(_on(python))):
            continue
        assert name in tested, f"{name} is not in constraints.txt for Python {python}: run .ci/update-constraints"
        assert requirement.specifier.contains(tested[name]), f"{name} {tested[name]} does not fit {requirement.specifier}"


def test_known_faults_are_pinned_away() -> None:
    tested = {canonicalize_name(requirement.name): requirement.specifier for requirement in _constraints()}
    assert not tested["jsonschema"].contains("4.25.0"), "it makes every ploomber command start 3 seconds later"


def _conda() -> dict[str, Any]:
    from ruamel.yaml import YAML

    found: dict[str, Any] = YAML(typ="safe").load(ROOT / "environment.yml")
    return found


def test_environment_yml_has_the_keys_that_conda_knows() -> None:
    document = _conda()
    assert set(document) == {"name", "channels", "dependencies"}
    assert document["channels"] == ["conda-forge"]
    assert document["name"] == "nbops"
    others = [entry for entry in document["dependencies"] if not isinstance(entry, str)]
    assert [set(entry) for entry in others] == [{"pip"}]
    assert document["dependencies"][-1] == others[0]


def test_environment_yml_reads_as_conda_reads_it() -> None:
    rattler = pytest.importorskip("rattler", reason="py-rattler is in the test extra")
    for entry in _conda()["dependencies"]:
        if isinstance(entry, str):
            spec = rattler.MatchSpec(entry)
            assert spec.name is not None
            if " " in entry:
                assert spec.version is not None, entry


def test_environment_yml_says_what_pyproject_says() -> None:
    document = _conda()
    conda: dict[str, str] = {}
    for entry in document["dependencies"]:
        if isinstance(entry, str):
            name, _, version = entry.partition(" ")
            conda[canonicalize_name(_CONDA_NAMES.get(name, name))] = version
    by_pip = document["dependencies"][-1]["pip"]
    assert by_pip[-1] == "-e .", "nbops itself, last"
    pip = {canonicalize_name(Requirement(text).name): str(Requirement(text).specifier) for text in by_pip[:-1]}
    assert set(pip) == _BY_PIP
    wanted = {canonicalize_name(requirement.name): str(requirement.specifier) for requirement in _requirements(extras=False)}
    assert {**{name: version for name, version in conda.items() if name not in _ONLY_CONDA}, **pip} == wanted
    assert set(conda) >= _ONLY_CONDA
    assert conda["python"] == _project()["requires-python"]
