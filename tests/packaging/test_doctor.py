"""``nbops doctor`` names faults: each is made here."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from nbops.adapters import environment
from nbops.workflow import doctor
from nbops.workflow.doctor import Diagnosis, diagnose

Find = Callable[..., Diagnosis]


@pytest.fixture
def shop(git_repo: Path) -> Path:
    """Return a small project in which all is well."""
    (git_repo / "a.py").write_text('# %% tags=["parameters"]\nupstream = None\n\n# %%\n1\n', encoding="utf-8")
    text = "on_render: nbops.attach\ntasks: [{source: a.py, product: {nb: output/a.ipynb}}]\n"
    (git_repo / "pipeline.yaml").write_text(text, encoding="utf-8")
    return git_repo


def _find(found: list[Diagnosis], name: str, *, status: str) -> Diagnosis:
    matching = [item for item in found if item.name == name]
    assert [item.status for item in matching] == [status], found
    assert matching[0].message
    if status != "ok":
        assert matching[0].remedy, "every fault has a remedy"
    return matching[0]


def test_all_is_well(shop: Path) -> None:
    found = diagnose(shop)
    expected = {
        "contracts",
        "disk",
        "git",
        "jupyter: contents",
        "lock",
        "packages",
        "pipeline",
        "python",
        "reports",
        "runs",
        "settings",
    }
    assert expected <= {item.name for item in found}
    troubled = {item.name for item in found if item.status != "ok"}
    assert troubled <= {"packages: jsonschema", "disk"}, [item for item in found if item.status != "ok"]


def test_nothing_heavy_is_imported_and_nothing_written(shop: Path) -> None:
    before = sorted(str(path) for path in shop.rglob("*") if ".git" not in path.parts)
    code = (
        "import sys; from pathlib import Path; from nbops.workflow.doctor import diagnose; diagnose(Path('.'));"
        "print(sorted({'ploomber', 'pandas', 'duckdb', 'papermill', 'jupyter_server', 'jupytext'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=shop, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "[]"
    assert sorted(str(path) for path in shop.rglob("*") if ".git" not in path.parts) == before


def _jupyter(monkeypatch: pytest.MonkeyPatch, folder: Path, files: Mapping[str, Any]) -> list[Diagnosis]:
    """Put settings before all others that Jupyter reads, and look."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", str(folder))
    return list(environment.jupyter())


def _extensions(**enabled: bool) -> dict[str, Any]:
    return {"ServerApp": {"jpserver_extensions": {name.replace("__", "."): value for name, value in enabled.items()}}}


@pytest.mark.parametrize(
    ("settings", "status", "says"),
    [
        (_extensions(ploomber=True, nbops__lab=False), "fail", "500"),
        (_extensions(ploomber=False, nbops__lab=False), "warn", "not enabled"),
        (_extensions(ploomber=True, nbops__lab=True), "warn", "starts about 10 seconds later"),
        ({"ServerApp": {"contents_manager_class": "a.B"}}, "warn", "set to a.B"),
        (_extensions(ploomber=False, nbops__lab=True), "ok", "Notebooks open"),
        ("not json", "ok", "Notebooks open"),
        ("[1]", "ok", "Notebooks open"),
    ],
)
def test_jupyter_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: Any, status: str, says: str) -> None:
    found = _jupyter(monkeypatch, tmp_path, {"jupyter_server_config.json": settings})
    assert says in _find(found, "jupyter: contents", status=status).message


def test_jupyter_drop_ins_are_merged_in_order(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    files = {
        "jupyter_server_config.d/ploomber.json": _extensions(ploomber=True, nbops__lab=False),
        "jupyter_server_config.d/zz.json": _extensions(nbops__lab=True, ploomber=False),
    }
    _find(_jupyter(monkeypatch, tmp_path, files), "jupyter: contents", status="ok")
    files = {"jupyter_server_config.json": _extensions(ploomber=True, nbops__lab=False)}
    _find(_jupyter(monkeypatch, tmp_path, files), "jupyter: contents", status="fail")


def test_the_share_button(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = {"disabledExtensions": {"ploomber-extension": False}}
    found = _jupyter(monkeypatch, tmp_path, {"labconfig/page_config.json": settings})
    assert "cloud" in _find(found, "jupyter: ploomber-extension", status="warn").message


def _versions(monkeypatch: pytest.MonkeyPatch, **versions: str | None) -> None:
    real = metadata.version
    wanted = {name.replace("_", "-"): version for name, version in versions.items()}

    def version(name: str) -> str:
        if name in wanted:
            if wanted[name] is None:
                raise metadata.PackageNotFoundError(name)
            return str(wanted[name])
        return real(name)

    monkeypatch.setattr(environment.metadata, "version", version)


@pytest.mark.parametrize(
    ("name", "version", "says"),
    [
        ("setuptools", "81.0.0", "pkg_resources"),
        ("networkx", "3.6", "ploomber plot"),
        ("pyarrow", None, "Parquet"),
        ("jupytext", "1.16.7", "asynchronous contents manager"),
        ("duckdb", "0.9.2", "0.9.2 is installed"),
        ("ploomber", None, "not installed"),
        ("click", "not a version", "not installed"),
    ],
)
def test_packages(monkeypatch: pytest.MonkeyPatch, name: str, version: str | None, says: str) -> None:
    _versions(monkeypatch, **{name: version})
    found = _find(list(environment.packages()), f"packages: {name}", status="fail")
    assert says in found.message
    assert f"pip install '{name}" in found.remedy


def test_slow_jsonschema(monkeypatch: pytest.MonkeyPatch) -> None:
    _versions(monkeypatch, jsonschema="4.25.1", rfc3987_syntax="1.1.0")
    assert "'jsonschema<4.25'" in _find(list(environment.packages()), "packages: jsonschema", status="warn").remedy
    _versions(monkeypatch, jsonschema="4.25.1", rfc3987_syntax=None)
    assert "packages: jsonschema" not in {item.name for item in environment.packages()}


@pytest.mark.parametrize(
    ("version", "status"), [((3, 9, 18), "fail"), ((3, 10, 0), "ok"), ((3, 13, 9), "ok"), ((3, 14, 0), "fail")]
)
def test_python(monkeypatch: pytest.MonkeyPatch, version: tuple[int, int, int], status: str) -> None:
    Info = namedtuple("Info", "major minor micro")  # noqa: PYI024 - stands in for sys.version_info
    monkeypatch.setattr(environment.sys, "version_info", Info(*version))
    _find([environment.python()], "python", status=status)


def test_tested_versions(tmp_path: Path) -> None:
    path = tmp_path / "constraints.txt"
    path.write_text(
        f"# tested\nclick=={metadata.version('click')}\nnot-there==1\nold==1; python_version < '3'\n???\n", encoding="utf-8"
    )
    _find([environment.versions(path)], "tested versions", status="ok")
    path.write_text("click==0.1\n", encoding="utf-8")
    found = environment.versions(path)
    assert found.status == "ok", "a newer version is no fault by itself"
    assert "(tested: 0.1)" in found.message
    assert "-c constraints.txt" in found.remedy
    _find([environment.versions(None)], "tested versions", status="warn")


def test_no_git(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(environment.shutil, "which", lambda _: None)
    assert "not installed" in _find(list(environment.git(tmp_path)), "git", status="warn").message


def test_no_repository(tmp_path: Path, git_identity: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert git_identity
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert "git init" in _find(list(environment.git(tmp_path)), "git", status="warn").remedy


def test_no_identity(git_repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.delenv(f"GIT_{role}_NAME")
        monkeypatch.delenv(f"GIT_{role}_EMAIL")
    monkeypatch.delenv("EMAIL", raising=False)
    assert "git config" in _find(list(environment.git(git_repo)), "git: identity", status="warn").remedy


@pytest.mark.parametrize(("free", "status"), [(10 * 2**30, "ok"), (2**30, "warn"), (2**20, "fail")])
def test_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, free: int, status: str) -> None:
    Usage = namedtuple("Usage", "total used free")  # noqa: PYI024 - as shutil's own
    monkeypatch.setattr(environment.shutil, "disk_usage", lambda _: Usage(2**40, 0, free))
    _find([environment.disk(tmp_path)], "disk", status=status)


@pytest.mark.parametrize(
    ("text", "status", "says"),
    [
        ("on_render: nbops.attach\ntasks: [", "fail", "line 3"),
        ("tasks: [{source: a.py, product: a.ipynb}]\n", "warn", "on_render is not set"),
        ("on_render: my.hook\ntasks: [{source: a.py, product: a.ipynb}]\n", "warn", "'my.hook'"),
        ("on_render: {dotted_path: nbops.attach}\ntasks: [{source: a.py, product: a.ipynb}]\n", "ok", "1 tasks"),
        ("on_render: nbops.attach\ntasks: [{source: gone.py, product: a.ipynb}]\n", "fail", "gone.py"),
    ],
)
def test_pipeline(shop: Path, text: str, status: str, says: str) -> None:
    (shop / "pipeline.yaml").write_text(text, encoding="utf-8")
    assert says in _find(diagnose(shop), "pipeline", status=status).message


def test_outside_of_a_project(tmp_path: Path) -> None:
    assert "nbops init" in _find(diagnose(tmp_path), "pipeline", status="warn").remedy


def test_contracts_and_settings(shop: Path) -> None:
    (shop / "contracts").mkdir()
    (shop / "contracts" / "orders.odcs.yaml").write_text("kind: DataContract\nquality: <script>\n", encoding="utf-8")
    (shop / "pyproject.toml").write_text("[tool.nbops]\nkeep_run = 3\n", encoding="utf-8")
    found = diagnose(shop)
    assert "orders.odcs.yaml" in _find(found, "contracts", status="fail").message
    assert "keep_runs" in _find(found, "settings", status="fail").message


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_read_only_reports(shop: Path) -> None:
    (shop / "reports").mkdir(mode=0o500)
    assert "chmod" in _find(diagnose(shop), "reports", status="fail").remedy


def test_reports_in_the_way(shop: Path) -> None:
    (shop / "reports").write_text("a file", encoding="utf-8")
    _find(diagnose(shop), "reports", status="fail")


@contextmanager
def _held(root: Path, content: str) -> Iterator[None]:
    (root / ".nbops").mkdir()
    with (root / ".nbops" / "lock").open("w+", encoding="utf-8") as stream:
        stream.write(content)
        stream.flush()
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def test_lock(shop: Path) -> None:
    with _held(shop, json.dumps({"pid": 7, "host": "h", "command": "ploomber build", "since": "2026"})):
        assert "process 7" in _find(diagnose(shop), "lock", status="warn").message
    _find(diagnose(shop), "lock", status="ok")


def test_unfinished_and_broken_runs(shop: Path) -> None:
    from nbops.model import Run
    from nbops.record.store import ledger_path, write_run

    reports = shop / "reports"
    common: dict[str, Any] = {"verdict": "skipped", "pipeline": "shop", "command": "ploomber build"}
    started = "2026-11-22T19:41:56Z"
    write_run(reports, Run(id="20261122T194156Z-1f0c9a", status="running", started_at=started, **common))
    write_run(reports, Run(id="20261122T194157Z-1f0c9b", status="succeeded", started_at=started, **common))
    assert "1f0c9a" in _find(diagnose(shop), "runs", status="warn").message
    ledger_path(reports, "20261122T194156Z-1f0c9a").write_text("{", encoding="utf-8")
    assert "1f0c9a" in _find(diagnose(shop), "runs", status="fail").message


def test_a_check_that_fails_hides_no_other(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Path) -> str:
        raise RuntimeError("<script>")

    monkeypatch.setattr(doctor, "holder", broken)
    found = diagnose(shop)
    assert "RuntimeError" in _find(found, "lock", status="fail").message
    _find(found, "pipeline", status="ok")
