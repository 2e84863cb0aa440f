"""What is wrong with the environment that nbops runs in: versions, Jupyter's settings, git, disk. Nothing heavy is imported."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Diagnosis", "disk", "git", "jupyter", "packages", "python", "versions"]

_PYTHON = SpecifierSet(">=3.10,<3.14")
_SCARCE_BYTES, _LITTLE_BYTES = 200 * 2**20, 2 * 2**30
_GIT_SECONDS = 20
_REASONS: Mapping[str, str] = MappingProxyType(
    {
        "jupytext": "the asynchronous contents manager that Lab needs for .py notebooks came with 1.17",
        "networkx": "`ploomber plot` fails with KeyError 'links' since 3.6",
        "pyarrow": "pandas reads and writes Parquet with it",
        "setuptools": "ydata-profiling imports pkg_resources, which setuptools 81 no longer has",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """One thing that was looked at."""

    name: str
    """What was looked at, for example ``packages: setuptools``."""
    status: Literal["ok", "warn", "fail"]
    """``fail``: something does not work; ``warn``: it may not, or works badly."""
    message: str
    """One sentence: what was found."""
    remedy: str = ""
    """A command to run, or what to do; empty when nothing is to be done."""


def python() -> Diagnosis:
    """Return whether this Python is one that nbops and its dependencies work on."""
    found = ".".join(map(str, sys.version_info[:3]))
    if found in _PYTHON:
        return Diagnosis(name="python", status="ok", message=f"Python {found}")
    message = f"Python {found} is not supported: 3.10 to 3.13 are (on 3.14 ydata-profiling does not install)."
    return Diagnosis(name="python", status="fail", message=message, remedy="python3.13 -m venv .venv")


def packages(distribution: str = "nbops") -> Iterator[Diagnosis]:
    """Yield what is wrong with the packages that nbops needs, or one line that says that all is well.

    ``pip`` warns once about a version that does not fit and forgets it; a later ``pip install`` can break things silently.

    Args:
        distribution: Whose requirements are looked at.
    """
    well = 0
    for text in metadata.requires(distribution) or []:
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        problem = _requirement_problem(requirement)
        well += problem is None
        if problem is not None:
            yield problem
    if well:
        yield Diagnosis(name="packages", status="ok", message=f"{well} required packages are installed in versions that fit.")
    yield from _slow_start()


def _requirement_problem(requirement: Requirement) -> Diagnosis | None:
    name, remedy = f"packages: {requirement.name}", f"python -m pip install '{requirement.name}{requirement.specifier}'"
    because = _REASONS.get(canonicalize_name(requirement.name), "")
    because = f": {because}" if because else ""
    found = _version(requirement.name)
    if found is None:
        return Diagnosis(name=name, status="fail", message=f"{requirement.name} is not installed{because}.", remedy=remedy)
    if not requirement.specifier.contains(found, prereleases=True):
        message = f"{requirement.name} {found} is installed, {requirement.specifier} is needed{because}."
        return Diagnosis(name=name, status="fail", message=message, remedy=remedy)
    return None


def _slow_start() -> Iterator[Diagnosis]:
    found = _version("jsonschema")
    if found is not None and Version(found) >= Version("4.25") and _version("rfc3987-syntax") is not None:
        yield Diagnosis(
            name="packages: jsonschema",
            status="warn",
            message=f"jsonschema {found} makes every `ploomber` command start about 3 seconds later.",
            remedy="python -m pip install 'jsonschema<4.25'",
        )


def _version(name: str) -> str | None:
    try:
        found = metadata.version(name)
        Version(found)
    except (metadata.PackageNotFoundError, InvalidVersion, TypeError):
        return None
    return found


def _stated_version(name: str) -> str | None:
    """Return the version that the head of a package's metadata states: reading all of it takes a millisecond a package."""
    try:
        text = metadata.distribution(name).read_text("METADATA") or ""
    except metadata.PackageNotFoundError:
        return None
    head = text.split("\n\n", 1)[0].split("\n")
    stated = [line.partition(":")[2].strip() for line in head if line.startswith("Version:")]
    return stated[0] if len(stated) == 1 else _version(name)


def versions(constraints: Path | None) -> Diagnosis:
    """Return how the installed versions compare with those that nbops was tested with.

    Args:
        constraints: The file with the tested versions, as ``pip install -c`` reads it; None when there is none.
    """
    if constraints is None:
        return Diagnosis(
            name="tested versions",
            status="warn",
            message="constraints.txt is not there to compare with.",
            remedy="python -m pip install --force-reinstall --no-deps nbops",
        )
    tested = dict(_constraints(constraints))
    installed = {name: _stated_version(name) for name in tested}
    differ = [
        f"{name} {installed[name]} (tested: {tested[name]})"
        for name in sorted(tested)
        if installed[name] not in {None, tested[name]}
    ]
    if not differ:
        return Diagnosis(name="tested versions", status="ok", message="Every installed package has its tested version.")
    shown = ", ".join(differ[:8]) + (f", and {len(differ) - 8} more" if len(differ) > 8 else "")  # noqa: PLR2004 - a line's worth
    message = f"{len(differ)} packages differ from the tested versions, which is fine unless something fails: {shown}."
    return Diagnosis(
        name="tested versions", status="ok", message=message, remedy=f"python -m pip install -c {constraints.name} nbops"
    )


def _constraints(path: Path) -> Iterator[tuple[str, str]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        text = line.partition("#")[0].strip()
        if not text:
            continue
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            continue
        if requirement.marker is None or requirement.marker.evaluate():
            for specifier in requirement.specifier:
                yield canonicalize_name(requirement.name), specifier.version


def jupyter() -> Iterator[Diagnosis]:
    """Yield what JupyterLab's settings make of the packages: together, without nbops' drop-ins, they break it.

    Jupyter merges ``jupyter_server_config.d/*.json`` (sorted) and ``jupyter_server_config.json`` of each of its folders, the
    user's last; see https://jupyter-server.readthedocs.io/en/latest/operators/configuring-extensions.html.
    """
    server = _merged("jupyter_server_config").get("ServerApp", {})
    server = server if isinstance(server, dict) else {}
    extensions = server.get("jpserver_extensions", {})
    ours, theirs = bool(extensions.get("nbops.lab")), bool(extensions.get("ploomber"))
    again = "python -m pip install --force-reinstall --no-deps nbops"
    off = "jupyter server extension disable ploomber"
    manager = server.get("contents_manager_class")
    if theirs and not ours and manager is None:
        message = "Ploomber's server extension breaks JupyterLab: every file listing answers 500. nbops' own is not enabled."
        yield Diagnosis(name="jupyter: contents", status="fail", message=message, remedy=f"{again} && {off}")
    elif not ours:
        message = "nbops' server extension is not enabled: notebooks open in JupyterLab without the pipeline's parameters."
        yield Diagnosis(name="jupyter: contents", status="warn", message=message, remedy=again)
    elif theirs:
        message = "Ploomber's server extension is enabled beside nbops': JupyterLab starts about 10 seconds later for nothing."
        yield Diagnosis(name="jupyter: contents", status="warn", message=message, remedy=off)
    elif manager is not None:
        message = f"contents_manager_class is set to {manager}: the pipeline's parameters may not be shown in notebooks."
        yield Diagnosis(
            name="jupyter: contents", status="warn", message=message, remedy="Remove it from jupyter_server_config.json."
        )
    else:
        yield Diagnosis(
            name="jupyter: contents", status="ok", message="Notebooks open in JupyterLab with the pipeline's parameters."
        )
    disabled = _merged("labconfig/page_config").get("disabledExtensions", {})
    if _version("ploomber-extension") is not None and not disabled.get("ploomber-extension"):
        message = "ploomber-extension is enabled: its 'Share Notebook' button uploads notebooks to a cloud."
        yield Diagnosis(
            name="jupyter: ploomber-extension",
            status="warn",
            message=message,
            remedy="jupyter labextension disable ploomber-extension",
        )


def _merged(section: str) -> dict[str, Any]:
    try:
        from jupyter_core.paths import jupyter_config_path  # noqa: PLC0415 - light, but absent where Jupyter is
    except ImportError:
        return {}
    merged: dict[str, Any] = {}
    for folder in reversed(jupyter_config_path()):
        for path in (*sorted(Path(folder, f"{section}.d").glob("*.json")), Path(folder, f"{section}.json")):
            try:
                found = json.loads(path.read_text(encoding="utf-8"))
            except (OSError, ValueError):
                continue
            if isinstance(found, dict):
                _update(merged, found)
    return merged


def _update(into: dict[str, Any], values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        if isinstance(value, dict):
            inner = into.get(key)
            into[key] = inner if isinstance(inner, dict) else {}
            _update(into[key], value)
        elif value is None:
            into.pop(key, None)
        else:
            into[key] = value


def git(root: Path) -> Iterator[Diagnosis]:
    """Yield whether runs can be committed: git, a repository around the project, and an author.

    Args:
        root: The project's root.
    """
    if shutil.which("git") is None:
        message = "git is not installed: runs are recorded but not committed."
        yield Diagnosis(name="git", status="warn", message=message, remedy="apt-get install git   (or your system's way)")
        return
    if _git(root, "rev-parse", "--is-inside-work-tree") != "true":
        message = "The project is in no git repository: runs are recorded but not committed."
        yield Diagnosis(name="git", status="warn", message=message, remedy="git init && git add --all && git commit -m 'First'")
        return
    yield Diagnosis(name="git", status="ok", message=_git(root, "--version") or "git")
    if not _git(root, "-c", "user.useConfigOnly=true", "var", "GIT_COMMITTER_IDENT"):
        message = "git knows no name and e-mail address of yours: runs are committed in nbops' name."
        remedy = "git config user.name 'Your Name' && git config user.email you@example.org"
        yield Diagnosis(name="git: identity", status="warn", message=message, remedy=remedy)


def _git(root: Path, *arguments: str) -> str:
    try:
        command = ["git", "-C", str(root), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False, timeout=_GIT_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def disk(root: Path) -> Diagnosis:
    """Return whether there is room for a run.

    Args:
        root: The project's root.
    """
    free = shutil.disk_usage(root).free
    message = f"{free / 2**30:,.1f} GiB are free."
    if free >= _LITTLE_BYTES:
        return Diagnosis(name="disk", status="ok", message=message)
    return Diagnosis(
        name="disk",
        status="fail" if free < _SCARCE_BYTES else "warn",
        message=f"Only {message} A run keeps a staged copy of each product beside the published one.",
        remedy="nbops gc",
    )
