"""Versions of what a task imports do not depend on the process that looks."""

from __future__ import annotations

import sys
from importlib import metadata

from nbops.workflow.packages import PackageIndex


def _installed(folder, name, version):
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8")
    return str(folder)


def test_what_setuptools_keeps_for_itself_is_not_installed(tmp_path, monkeypatch):
    vendored = _installed(tmp_path / "setuptools/_vendor", "nowhere_else", "1.0")
    monkeypatch.setattr(sys, "path", [*sys.path, vendored])
    assert metadata.version("nowhere_else") == "1.0"  # as any process sees it that imports pkg_resources
    assert "nowhere-else" not in PackageIndex(tmp_path / "cache.json", root=tmp_path).of(["nowhere_else"])
    monkeypatch.setattr(sys, "path", [*sys.path, _installed(tmp_path / "site-packages", "nowhere_else", "2.0")])
    assert PackageIndex(tmp_path / "cache.json", root=tmp_path).of(["nowhere_else"])["nowhere-else"] == "2.0"


def test_versions_are_those_of_the_environment_with_the_projects_pins(tmp_path):
    (tmp_path / "constraints.txt").write_text("click==1.2.3\nnot_there==4\n", encoding="utf-8")
    found = PackageIndex(tmp_path / "cache.json", root=tmp_path).of(["click", "yaml", "not_there", "os", "_private"])
    assert found["click"] == f"{metadata.version('click')} (pinned 1.2.3)"
    assert found["pyyaml"] == metadata.version("pyyaml")
    assert found["not-there"] == "not installed (pinned 4)"
    assert set(found) == {"python", "click", "pyyaml", "not-there"}
