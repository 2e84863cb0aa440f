"""Fixtures of the end-to-end tests: real git repositories, real builds."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))  # tests are no package, and the driver is shared with kill_builds.py

from build_driver import Driver  # noqa: E402
from e2e_project import CHAIN, Project, ran_in  # noqa: E402

collect_ignore = ["pipelines"]  # material, not tests


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def driver() -> Iterator[Driver]:
    """Start the process that builds are forked from, once for all tests."""
    if not hasattr(os, "fork"):
        pytest.skip("builds are forked from one process; this system cannot fork")
    found = Driver()
    found.open()
    yield found
    found.close()


@pytest.fixture(scope="session")
def make_project_in(driver: Driver) -> Callable[..., Project]:
    """Return a function that makes a project in a folder: a copy of a pipeline in ``pipelines/``, or of given files."""

    def make(folder: Path, source: str | Mapping[str, str], *, repository: bool = True, attached: bool = True) -> Project:
        project = Project(root=folder, driver=driver)
        if isinstance(source, str):
            shutil.copytree(HERE / "pipelines" / source, folder)
        else:
            folder.mkdir()
            for path, text in source.items():
                project.write(path, text)
        if attached:
            project.attach()
        if repository:
            project.init()
        return project

    return make


@pytest.fixture
def make_project(tmp_path: Path, make_project_in: Callable[..., Project]) -> Callable[..., Project]:
    """Return a function that makes a project for this test."""

    def make(
        source: str | Mapping[str, str], *, name: str = "project", repository: bool = True, attached: bool = True
    ) -> Project:
        return make_project_in(tmp_path / name, source, repository=repository, attached=attached)

    return make


@pytest.fixture
def chain(make_project: Callable[..., Project]) -> Project:
    """Return a project of three functions in a row that was never built."""
    return make_project(CHAIN)


@pytest.fixture(scope="session")
def _built_once(tmp_path_factory: pytest.TempPathFactory, make_project_in: Callable[..., Project]) -> Project:
    project = make_project_in(tmp_path_factory.mktemp("built") / "project", CHAIN)
    run = project.build()
    assert ran_in(run) == {"load", "clean", "report"}
    return project


@pytest.fixture
def built(_built_once: Project, tmp_path: Path) -> Project:
    """Return a project of three functions in a row that was built once."""
    root = tmp_path / "project"
    shutil.copytree(_built_once.root, root, symlinks=True)
    return Project(root=root, driver=_built_once.driver)
