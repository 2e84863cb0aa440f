"""Packages that were imported without most of their own modules, and become whole when somebody asks for those."""

from __future__ import annotations

import importlib
import sys
from threading import RLock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["add_reduced", "public"]

_lock = RLock()
_families: dict[str, dict[str, _Reduced]] = {}
"""Package at the top to what is reduced in it by name, itself first."""
_at_work: list[str] = []


def add_reduced(module: ModuleType, statements: list[tuple[str, tuple[str, ...]]]) -> None:
    """Have a package run the import statements that were passed over as soon as it is asked for a name that it has not got.

    Args:
        module: The package, imported without them.
        statements: Module and names of each, in the order in which they stand in the package.
    """
    package = _Reduced(module, statements)
    top = module.__name__.partition(".")[0]
    _families[top] = dict(sorted({**_families.get(top, {}), module.__name__: package}.items()))


def public(module: ModuleType) -> dict[str, Any]:
    """Return what ``from module import *`` gives, as far as it is there."""
    space = vars(module)
    names = space.get("__all__") or [name for name in space if not name.startswith("_")]
    return {name: space[name] for name in names if name in space}


class _Reduced:
    def __init__(self, module: ModuleType, statements: list[tuple[str, tuple[str, ...]]]) -> None:
        self._name, self._space, self._statements = module.__name__, vars(module), statements
        for _, names in statements:  # what stood for them meanwhile
            for name in names:
                if type(self._space.get(name)).__module__.startswith("nbops."):
                    del self._space[name]
        self._own = {name: self._space.get(name) for name in ("__getattr__", "__dir__")}
        self._space["__getattr__"], self._space["__dir__"] = self._ask, self._names

    def _ask(self, name: str) -> Any:
        if not name.startswith("__") or name == "__all__":  # which `from package import *` asks for first
            _complete(self._name.partition(".")[0])
            if name in self._space:
                return self._space[name]
        if self._own["__getattr__"] is not None and not self._statements:
            return self._own["__getattr__"](name)
        raise AttributeError(f"module {self._name!r} has no attribute {name!r}")

    def _names(self) -> list[str]:
        _complete(self._name.partition(".")[0])
        return sorted(self._space)

    def catch_up(self, family: dict[str, _Reduced]) -> None:
        """Run what was passed over; what another package of the family passed over, before that is asked for all it has."""
        for statement in list(self._statements):
            module, names = statement
            if module in family and module != self._name:
                family[module].catch_up(family)
            if getattr(getattr(sys.modules.get(module), "__spec__", None), "_initializing", False):
                continue  # it is what asks
            found = importlib.import_module(module)
            if names == ("*",):
                self._space.update(public(found))
            for name in names if names != ("*",) else ():
                if not hasattr(found, name):
                    importlib.import_module(f"{module}.{name}")
                self._space[name] = getattr(found, name)
            self._statements.remove(statement)

    def settle(self) -> bool:
        """Return whether it is whole; then it is as if it had been imported so."""
        if self._statements:
            return False
        for name, value in self._own.items():
            if value is None:
                self._space.pop(name, None)
            else:
                self._space[name] = value
        return True


def _complete(top: str) -> None:
    """Make a family of packages whole, in the order in which its statements stand; other threads wait for it."""
    with _lock:
        family = _families.get(top)
        if family is None or top in _at_work:  # a package that looks, while it is imported, for what comes later
            return
        _at_work.append(top)
        try:
            for item in family.values():
                item.catch_up(family)
            if all(item.settle() for item in family.values()):
                del _families[top]
        finally:
            _at_work.remove(top)
