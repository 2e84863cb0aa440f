"""Importing the profiler without what its statistics do not need: plotting, reports, widgets, the web.

What is left out is replaced, while the profiler is imported, by stand-ins that can be imported from, subclassed and decorated
with. When one of them is used for anything afterwards it says so (``Absence.used``), and the caller starts again with the real
modules, so that no number depends on what was left out. Only for the process that profiles.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any

__all__ = ["Absence", "left_out"]

_PLOTS = ("matplotlib", "mpl_toolkits", "seaborn", "wordcloud", "PIL", "imagehash", "statsmodels", "phik")
_REPORTS = ("IPython", "ipywidgets", "minify_html", "pkg_resources", "requests", "great_expectations", "dacite", "filetype")
_FILES = ("yaml", "puremagic")
"""What settings are read with, and files whose names are values."""
_SCHEMAS = "pydantic_core.core_schema"
"""Types of a later pydantic than the one that the profiler's settings are made of."""
_SCIPY = ("scipy.signal", "scipy.fft")
_STATISTICS = "scipy.stats"
"""The profiler and pandas use four of its functions, which are provided; it takes half of the whole import."""
_CHECKER = "typeguard"
"""Rewrites the profiler's class so that argument types are checked, which takes as long as importing pandas."""
_OWN = ("visualisation", "report", "controller", "compare_reports", "expectations_report", "serialize_report")
"""Subpackages of the profiler itself."""
_GRAPHS = ("networkx.algorithms", "networkx.drawing", "networkx.generators", "networkx.linalg", "networkx.readwrite")
_KEPT = (
    "networkx.algorithms.components",
    "networkx.algorithms.cycles",
    "networkx.algorithms.dag",
    "networkx.algorithms.isolate",
    "networkx.algorithms.shortest_paths",
    "networkx.algorithms.traversal",
    "networkx.generators.classic",
    "networkx.generators.line",
)
"""Of those, what orders the types that a column may have."""


class AbsentError(Exception):
    """Something that was left out of the import was used."""


class Absence:
    """What is left out while the profiler is imported.

    Args:
        profiler: Name of the profiler's package.
    """

    def __init__(self, profiler: str) -> None:
        self.sealed = False
        """The import is over: from now on stand-ins must not be used."""
        self.used: list[str] = []
        """Names of stand-ins that were used after it."""
        own = (f"{profiler}.{name}" for name in _OWN)
        self._prefixes = (*_PLOTS, *_REPORTS, *_FILES, _SCHEMAS, *_SCIPY, _STATISTICS, _CHECKER, *own)
        self._tops = frozenset(prefix.partition(".")[0] for prefix in (*self._prefixes, *_GRAPHS))

    def covers(self, name: str) -> bool:
        """Whether a module is left out."""
        if name.partition(".")[0] not in self._tops:
            return False
        if _under(name, _GRAPHS):
            # a package is needed for what is kept in it
            return not (_under(name, _KEPT) or any(kept.startswith(f"{name}.") for kept in _KEPT))
        return _under(name, self._prefixes)

    def touch(self, name: str) -> None:
        """Note that a stand-in is used.

        Raises:
            AbsentError: The import is over.
        """
        if self.sealed:
            self.used.append(name)
            raise AbsentError(name)


def _under(name: str, prefixes: Sequence[str]) -> bool:
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)


def _unchanged(target: Any = None, **_: Any) -> Any:
    """Decorate nothing."""
    return _unchanged if target is None else target


class _Absent:
    """Stands for anything in a module that was left out."""

    def __init__(self, absence: Absence, name: str) -> None:
        self.__dict__.update(_absence=absence, _name=name)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        self._absence.touch(self._name)
        return _Absent(self._absence, f"{self._name}.{name}")

    def __setattr__(self, name: str, value: object) -> None:
        self._absence.touch(self._name)

    def __call__(self, *_: Any, **__: Any) -> Any:
        self._absence.touch(self._name)
        return _Absent(self._absence, f"{self._name}()")

    def __iter__(self) -> Iterator[Any]:
        self._absence.touch(self._name)
        return iter(())

    def __getitem__(self, item: object) -> Any:
        self._absence.touch(self._name)
        return self

    def __or__(self, other: object) -> Any:
        return other

    def __ror__(self, other: object) -> Any:
        return other

    def __instancecheck__(self, instance: object) -> bool:
        self._absence.touch(self._name)
        return False

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[Any, ...]:
        return ()


class _AbsentModule(ModuleType):
    """Stands for a module that was left out."""

    def __init__(self, absence: Absence, name: str) -> None:
        super().__init__(name)
        self.__path__: list[str] = []
        self.__all__: list[str] = []
        self.__version__ = "0"
        self._absence = absence

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        self._absence.touch(self.__name__)
        return _Absent(self._absence, f"{self.__name__}.{name}")


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def __init__(self, absence: Absence) -> None:
        self._absence = absence

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> importlib.machinery.ModuleSpec | None:  # noqa: ARG002
        if not self._absence.covers(fullname):
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        module = _AbsentModule(self._absence, spec.name)
        if spec.name == _CHECKER:
            module.__dict__["typechecked"] = _unchanged
        if spec.name == _STATISTICS:
            module.__dict__.update(importlib.import_module("nbops.quality._profile_statistics").FUNCTIONS)
        return module

    def exec_module(self, module: ModuleType) -> None:
        pass


@contextlib.contextmanager
def left_out(absence: Absence) -> Iterator[None]:
    """Leave modules out of what is imported meanwhile; afterwards they can be imported for real.

    What stands for ``scipy.stats`` stays, because pandas imports from it whenever it correlates.
    """
    finder = _Finder(absence)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in [name for name, module in sys.modules.items() if isinstance(module, _AbsentModule)]:
            if name != _STATISTICS:
                del sys.modules[name]
        absence.sealed = True
