"""What the wheel holds, and what an installation puts in place."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from nbops.workflow.template import constraints_file, template_files

ROOT = Path(__file__).resolve().parents[2]
SHARED = (
    "etc/jupyter/jupyter_server_config.d/zz-nbops.json",
    "etc/jupyter/labconfig/page_config.d/nbops.json",
    *sorted(
        path.relative_to(ROOT).as_posix() for path in (ROOT / "share/jupyter/labextensions/nbops").rglob("*") if path.is_file()
    ),
)


def _build(folder: Path, version: str) -> zipfile.ZipFile:
    builder = pytest.importorskip("hatchling.builders.wheel", reason="hatchling is in the test extra")
    (path,) = builder.WheelBuilder(str(ROOT)).build(directory=str(folder), versions=[version])
    return zipfile.ZipFile(path)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    return _build(tmp_path_factory.mktemp("wheel"), "standard")


def test_it_holds_all_of_the_package(wheel: zipfile.ZipFile) -> None:
    source = ROOT / "src"
    files = {
        path.relative_to(source).as_posix()
        for path in (source / "nbops").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc"
    }
    assert files <= set(wheel.namelist())
    assert "nbops/py.typed" in files


def test_it_holds_what_jupyterlab_needs(wheel: zipfile.ZipFile) -> None:
    data = f"nbops-{_version()}.data/data/"
    held = {name.removeprefix(data) for name in wheel.namelist() if name.startswith(data)}
    assert held == set(SHARED)
    folder = "share/jupyter/labextensions/nbops"
    package = json.loads((ROOT / folder / "package.json").read_text(encoding="utf-8"))
    assert f"{folder}/{package['jupyterlab']['_build']['load']}" in held
    assert f"{folder}/install.json" in held
    assert not [name for name in held if name.endswith(".map")]
    for name in SHARED:
        assert wheel.read(data + name) == (ROOT / name).read_bytes()


def test_it_holds_the_reference_project_and_no_litter(wheel: zipfile.ZipFile) -> None:
    held = {name.removeprefix("nbops/_template/") for name in wheel.namelist() if name.startswith("nbops/_template/")}
    assert held == {*template_files(), "constraints.txt"}
    for name in wheel.namelist():
        assert not set(Path(name).parts) & {"__pycache__", ".ipynb_checkpoints", "output", "reports", ".nbops", "tests"}, name


def test_an_editable_wheel_places_the_same_and_copies_nothing(tmp_path: Path) -> None:
    names = _build(tmp_path, "editable").namelist()
    data = f"nbops-{_version()}.data/data/"
    assert {name.removeprefix(data) for name in names if name.startswith(data)} == set(SHARED)
    assert not [name for name in names if name.startswith("nbops/")]


def test_building_again_gives_the_same_bytes(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    again = _build(tmp_path, "standard")
    assert Path(str(again.filename)).read_bytes() == Path(str(wheel.filename)).read_bytes()


def test_this_installation_is_complete() -> None:
    for name in SHARED:
        installed = Path(sys.prefix, name)
        assert installed.is_file(), f"{name} is missing: install nbops with pip, not by PYTHONPATH"
        assert installed.read_bytes() == (ROOT / name).read_bytes(), f"{name} is of another version: install nbops again"


def test_the_drop_ins_are_json_and_sort_last() -> None:
    server = json.loads((ROOT / SHARED[0]).read_text(encoding="utf-8"))
    assert server["ServerApp"]["jpserver_extensions"] == {"nbops.lab": True, "ploomber": False, "ploomber_extension": False}
    others = sorted(path.name for path in Path(sys.prefix, SHARED[0]).parent.glob("*.json"))
    assert others[-1] == "zz-nbops.json", "it must be read after Ploomber's"
    assert json.loads((ROOT / SHARED[3]).read_text(encoding="utf-8"))["version"] == _version()


def test_template_files() -> None:
    files = template_files()
    assert {"pipeline.yaml", "env.yaml"} <= set(files)
    assert any(name.startswith("notebooks/") and name.endswith(".py") for name in files)
    assert any(name.startswith("contracts/") and name.endswith(".odcs.yaml") for name in files)
    assert all(path.is_file() for path in files.values())
    assert not [name for name in files if "__pycache__" in name or name.startswith(("/", ".."))]
    found = constraints_file()
    assert found is not None
    assert found.name == "constraints.txt"


def test_scripts_of_ci_can_be_read() -> None:
    for name in ("run", "update-constraints"):
        path = ROOT / ".ci" / name
        assert path.stat().st_mode & 0o111, f"{name} can be executed"
        subprocess.run(["bash", "-n", str(path)], check=True, timeout=60)


def _version() -> str:
    from importlib import metadata

    return metadata.version("nbops")


def test_it_installs_where_there_is_no_node(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    """Into an environment of its own, whose other packages are this one's; what PATH holds is nothing at all."""
    venv.create(tmp_path / "env", with_pip=False)
    python = tmp_path / "env/bin/python"
    (tmp_path / "empty").mkdir()
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("JUPYTER", "PYTHON", "PIP_", "COV_"))}
    names = ("HOME", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
    environment = {**kept, **{name: str(tmp_path / "home" / name.lower()) for name in names}, "PATH": str(tmp_path / "empty")}

    def run(*arguments: str) -> str:
        command = [str(python), *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    [site] = (tmp_path / "env/lib").glob("python*/site-packages")
    # A folder that a .pth file names is searched, but .pth files in it are not read: no nbops of this environment is seen
    (site / "others.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    assert "No module named" in run("-c", "try: import nbops\nexcept ImportError as error: print(error)")
    for name in ("node", "npm", "jlpm", "yarn", "git"):
        assert shutil.which(name, path=environment["PATH"]) is None
    run("-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--ignore-installed", str(wheel.filename))
    assert str(site) in run("-c", "import nbops; print(nbops.__file__)")

    listed = run("-c", "import sys; from jupyterlab.labextensions import main; sys.exit(main())", "list")
    [line] = [line for line in listed.splitlines() if line.split()[:1] == ["nbops"]]
    plain = re.sub(r"\x1b\[\d*m", "", line)
    assert re.match(rf"\s*nbops v{re.escape(_version())} enabled .*OK", plain), listed
    assert str(tmp_path / "env/share/jupyter/labextensions") in listed
    run("-m", "nbops.cli", "init", "--small", "shop")
    assert (tmp_path / "shop/notebooks/orders.py").is_file()
