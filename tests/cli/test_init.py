"""init: a new project in the fixed layout, and nothing overwritten."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import yaml

from nbops.contract.config import load_config
from nbops.workflow.project import NewProjectError, create_project, project_name

from .conftest import Said

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Call = Callable[..., Said]
LAYOUT = {"README.md", "pyproject.toml", "pipeline.yaml", "env.yaml", "notebooks", "contracts", "reports", "tests", ".gitignore"}


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def here(tmp_path: Path, git_identity: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_makes_the_layout_and_commits_it(here: Path, call: Call) -> None:
    said = call("init", "shop")
    assert (said.code, said.err) == (0, "")
    assert "Next: cd shop && ploomber build" in said.out
    shop = here / "shop"
    assert {path.name for path in shop.iterdir()} == LAYOUT | {".git"} | {path.name for path in shop.glob("constraints.txt")}
    assert git(shop, "status", "--porcelain") == ""
    assert git(shop, "rev-list", "--count", "HEAD") == "1"
    assert yaml.safe_load((shop / "pipeline.yaml").read_text())["on_render"] == "nbops.attach"
    document = tomllib.loads((shop / "pyproject.toml").read_text())
    assert document["project"]["name"] == "shop"
    assert load_config(shop) is not None
    assert list((shop / "contracts").glob("*.odcs.yaml"))
    assert {task["source"] for task in yaml.safe_load((shop / "pipeline.yaml").read_text())["tasks"]} <= {
        path.relative_to(shop).as_posix() for path in shop.rglob("*.py")
    }
    for path in shop.rglob("*.py"):
        compile(path.read_text(encoding="utf-8"), str(path), "exec")
    assert call("-C", "shop", "attach").out.startswith("pipeline.yaml: nbops is attached already")


def test_a_small_one(here: Path, call: Call) -> None:
    assert call("init", "--small", "shop").code == 0
    shop = here / "shop"
    assert git(shop, "status", "--porcelain") == ""
    assert {path.name for path in shop.iterdir()} - {".git", "constraints.txt"} == LAYOUT | {"data"}
    tasks = yaml.safe_load((shop / "pipeline.yaml").read_text())["tasks"]
    assert {task["source"] for task in tasks} == {path.relative_to(shop).as_posix() for path in (shop / "notebooks").iterdir()}
    for path in shop.rglob("*.py"):
        compile(path.read_text(encoding="utf-8"), str(path), "exec")
    assert "data/orders.csv" in (shop / "README.md").read_text()
    assert "--env--scale" not in (shop / "tests/test_pipeline.py").read_text()
    assert not list(shop.rglob("*.txt")) or [path.name for path in shop.rglob("*.txt")] == ["constraints.txt"]


def test_name(here: Path, call: Call) -> None:
    assert call("init", "a b (c)").code == 0
    assert tomllib.loads((here / "a b (c)/pyproject.toml").read_text())["project"]["name"] == "a-b-c"
    assert call("init", "d", "--name", "Our.Shop_2").code == 0
    assert (here / "d/README.md").read_text().startswith("# Our.Shop_2\n")
    for name in ("", "a b", "-x", '"; x = "', "é", "x" * 200, "$name", "a\x1b"):
        said = call("init", "e", "--name", name)
        assert said.code == 2, name
        assert not (here / "e").exists()
    assert project_name(Path("/")) == "project"
    assert project_name(Path("/数据")) == "project"


def test_never_overwrites(here: Path, call: Call) -> None:
    shop = here / "shop"
    (shop / "tests").mkdir(parents=True)
    (shop / "README.md").write_text("mine")
    (shop / "contracts").write_text("a file")
    (shop / "env.yaml").symlink_to("nowhere")
    (shop / "kept.txt").write_text("kept")
    said = call("init", "shop")
    assert said.code == 2
    for name in ("README.md", "contracts", "env.yaml"):
        assert f"\n  {name}\n" in said.err
    assert "  tests\n" not in said.err
    assert sorted(path.name for path in shop.iterdir()) == ["README.md", "contracts", "env.yaml", "kept.txt", "tests"]
    assert (shop / "README.md").read_text() == "mine"
    (here / "file").write_text("x")
    assert call("init", "file").code in {2, 3}
    assert (here / "file").read_text() == "x"


def test_beside_other_files_commits_only_its_own(here: Path, call: Call) -> None:
    (here / "notes.txt").write_text("mine")
    assert call("init").code == 0
    assert git(here, "status", "--porcelain") == "?? notes.txt"


def test_inside_a_repository_commits_nothing(here: Path, call: Call) -> None:
    git(here, "init", "--quiet")
    (here / "staged.txt").write_text("x")
    git(here, "add", "staged.txt")
    said = call("init", "shop")
    assert said.code == 0
    assert "inside a git repository" in said.out
    assert not (here / "shop/.git").exists()
    assert git(here, "diff", "--cached", "--name-only") == "staged.txt"


def test_without_an_identity_or_git_it_says_so(here: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(here))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "user.useConfigOnly")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "true")
    said = call("init", "shop")
    assert said.code == 0
    assert "nothing was committed yet: git does not know who you are" in said.err
    monkeypatch.setenv("PATH", str(here))
    said = call("init", "other")
    assert said.code == 0
    assert "no git repository was made: git is not installed" in said.err
    assert (here / "other/pipeline.yaml").is_file()


def test_a_hook_of_git_may_refuse(here: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    hooks = here / "template/hooks"
    hooks.mkdir(parents=True)
    (hooks / "pre-commit").write_text("#!/bin/sh\necho 'not \x1b[31mtoday' >&2\nexit 1\n")
    (hooks / "pre-commit").chmod(0o755)
    monkeypatch.setenv("GIT_TEMPLATE_DIR", str(here / "template"))
    said = call("init", "shop")
    assert said.code == 0
    assert "nothing was committed yet: `git commit`: not \\x1b[31mtoday" in said.err


def test_git_variables_of_a_caller_do_not_lead_it_astray(here: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    git(here, "init", "--quiet", "other")
    monkeypatch.setenv("GIT_DIR", str(here / "other/.git"))
    assert call("init", "shop").code == 0
    monkeypatch.delenv("GIT_DIR")
    assert git(here / "shop", "rev-list", "--count", "HEAD") == "1"
    assert git(here / "other", "status", "--porcelain") == ""


def test_a_template_without_the_line_gets_it(tmp_path: Path, git_identity: Mapping[str, str]) -> None:
    (tmp_path / "p.yaml").write_text("# ours\ntasks: []\n")
    made = create_project(tmp_path / "new", files={"pipeline.yaml": tmp_path / "p.yaml"})
    assert made.repository == "made"
    assert (tmp_path / "new/pipeline.yaml").read_text() == "on_render: nbops.attach\n# ours\ntasks: []\n"
    with pytest.raises(Exception, match=r"no pipeline\.yaml"):
        create_project(tmp_path / "newer", files={})
    with pytest.raises(NewProjectError):
        create_project(tmp_path / "new", files={"pipeline.yaml": tmp_path / "p.yaml"})


def test_a_folder_that_cannot_be_made(here: Path, call: Call) -> None:
    said = call("init", "/proc/nbops")
    assert said.code == 3
    assert said.err.startswith("nbops: /proc/nbops")
    assert "Traceback" not in said.err


@pytest.mark.e2e
@pytest.mark.timeout(1800)
def test_a_new_project_builds_at_once(here: Path, call: Call) -> None:
    """Its own test builds it; so that test is run, as its README says."""
    assert call("init", "shop").code == 0
    done = subprocess.run([sys.executable, "-m", "pytest", "-q"], cwd=here / "shop", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
    assert git(here / "shop", "status", "--porcelain") == ""
