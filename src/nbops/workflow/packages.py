"""Which version of which distribution a task's imports come from: installed, and pinned by the project."""

from __future__ import annotations

import json
import platform
import re
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["PackageIndex", "pins_of"]

_PIN_FILES = (
    "constraints.txt",
    "requirements.txt",
    "requirements.lock.txt",
    "requirements-lock.txt",
    "environment.yml",
    "environment.lock.yml",
)
_LOCK_FILES = ("uv.lock", "poetry.lock", "pdm.lock")
_PIN = re.compile(r"^\s*(?:-\s*)?([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?\s*={1,3}\s*([^\s;,#=]+)")


def _normal(name: str) -> str:
    """Return a distribution's normalised name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins_of(root: Path) -> Mapping[str, str]:
    """Return the versions that the project pins, by normalised distribution name.

    Read are ``constraints.txt``, ``requirements*.txt``, ``environment.yml`` (exact pins only) and the lock files of uv, Poetry
    and PDM.
    """
    pins: dict[str, str] = {}
    for name in _PIN_FILES:
        try:
            lines = (root / name).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            continue
        for line in lines:
            if found := _PIN.match(line):
                pins[_normal(found[1])] = found[2]
    for name in _LOCK_FILES:
        try:
            document = tomllib.loads((root / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        for package in document.get("package", []):
            if isinstance(package, dict) and isinstance(package.get("name"), str):
                pins[_normal(package["name"])] = str(package.get("version", ""))
    return pins


class PackageIndex:
    """Import names to distributions and versions, remembered between builds.

    Args:
        cache: Where the mapping is kept; it is rebuilt when what is installed changed.
        root: The project, for its pins.
    """

    def __init__(self, cache: Path, *, root: Path) -> None:
        self._cache = cache
        self._pins = pins_of(root)
        self._names: Mapping[str, list[str]] | None = None
        self._versions: dict[str, str | None] = {}

    def of(self, modules: Iterable[str]) -> dict[str, str]:
        """Return versions of the distributions behind top-level import names.

        Args:
            modules: Top-level names; those of the standard library and of unknown origin are left out.

        Returns:
            Normalised distribution name to the installed version, with the project's pin behind it where there is one.
        """
        versions: dict[str, str] = {"python": ".".join(platform.python_version_tuple()[:2])}
        for module in sorted(set(modules)):
            if module in sys.stdlib_module_names or module.startswith("_"):
                continue
            for distribution in self._distributions(module):
                name = _normal(distribution)
                installed = self._version(distribution)
                pin = self._pins.get(name)
                if installed is not None or pin is not None:
                    versions[name] = (installed or "not installed") + (f" (pinned {pin})" if pin else "")
        return versions

    def _version(self, distribution: str) -> str | None:
        if distribution not in self._versions:
            found = next(iter(metadata.distributions(name=distribution, path=_search_path())), None)
            self._versions[distribution] = found.version if found is not None else None
        return self._versions[distribution]

    def _distributions(self, module: str) -> list[str]:
        # most distributions are called as what they provide: no need to read every RECORD on the machine
        if self._version(module) is not None:
            return [module]
        if self._names is None:
            self._names = self._load()
        return self._names.get(module, [module])

    def _load(self) -> Mapping[str, list[str]]:
        mark = [[entry, _modified(entry)] for entry in sys.path if entry.endswith("-packages")]
        try:
            known = json.loads(self._cache.read_text(encoding="utf-8"))
            if known["mark"] == mark:
                names: dict[str, list[str]] = known["names"]
                return names
        except (OSError, ValueError, KeyError, TypeError):
            pass
        found = {name: sorted(set(owners)) for name, owners in metadata.packages_distributions().items()}
        try:
            self._cache.parent.mkdir(parents=True, exist_ok=True)
            self._cache.write_text(json.dumps({"mark": mark, "names": found}), encoding="utf-8")
        except OSError:
            pass
        return found


def _search_path() -> list[str]:
    """Return where distributions are looked for: not among those that setuptools keeps for itself.

    It puts them on the path of each process that imports ``pkg_resources``: what is installed would depend on the process.
    """
    return [entry for entry in sys.path if "_vendor" not in Path(entry).parts]


def _modified(folder: str) -> int:
    try:
        return Path(folder).stat().st_mtime_ns
    except OSError:
        return 0
