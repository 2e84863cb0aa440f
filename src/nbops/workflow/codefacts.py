"""What code says of itself, remembered by its text: parsing a project's modules anew for every task is most of an idle build.

The cache holds results of pure functions of the text, so it is never out of date; it may be deleted at any time.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbops.workflow import code, written
from nbops.workflow.code import Imported, code_hash, function_closure, imports_of, literals_of
from nbops.workflow.hashing import digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["CodeFacts", "Facts"]

_MOST_ENTRIES = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a piece of code is found to be and to depend on."""

    code: str
    """Hash of what it does."""
    imports: tuple[Imported, ...]
    literals: tuple[str, ...]
    """Texts in it that may name input files."""


class CodeFacts:
    """Facts of code, with a cache on disk.

    Args:
        path: Where the cache is kept (JSON); missing or broken means empty.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._used: dict[str, Any] = {}
        self._changed = False
        self._maker = _maker()
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            known = found["facts"] if found["maker"] == self._maker else {}
            self._known: dict[str, Any] = known if isinstance(known, dict) else {}
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            self._known = {}

    def cells(self, cells: Iterable[str], *, language: str) -> Facts:
        """Return the facts of a notebook's code cells, or of a script or statement as one cell."""
        cells = tuple(cells)

        def find() -> Facts:
            return Facts(code=code_hash(cells, language=language), imports=imports_of(cells), literals=literals_of(cells))

        found = self._remembered(digest("cells", language, *cells), find)
        return find() if found is None else found

    def module(self, text: str) -> Facts:
        """Return the facts of a Python module, apart from its literals (its files are no inputs of who imports it)."""

        def find() -> Facts:
            return Facts(code=code_hash([text], language="python"), imports=imports_of([text]), literals=())

        found = self._remembered(digest("module", text), find)
        return find() if found is None else found

    def function(self, text: str, name: str) -> Facts | None:
        """Return the facts of a module's function and what it needs of that module; None when it is not there."""

        def find() -> Facts | None:
            closure = function_closure(text, name)
            if closure is None:
                return None
            own, imports = closure
            return Facts(code=code_hash([own], language="python"), imports=imports, literals=literals_of([own]))

        return self._remembered(digest("function", text, name), find)

    def _remembered(self, key: str, find: Callable[[], Facts | None]) -> Facts | None:
        plain = self._used.get(key, self._known.get(key, False))
        try:
            found = None if plain is None else _restore(plain)
        except (KeyError, TypeError, ValueError):
            found = find()
            plain = None if found is None else _plain(found)
            self._changed = True
        self._used[key] = plain
        return found

    def save(self) -> None:
        """Write the cache, if it changed; a failure is of no consequence."""
        if not self._changed:
            return
        others = {key: value for key, value in self._known.items() if key not in self._used}
        kept = dict([*others.items(), *self._used.items()][-_MOST_ENTRIES:])
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=self._path.parent, prefix=".code.")
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                json.dump({"maker": self._maker, "facts": kept}, stream)
            Path(temporary).replace(self._path)
            self._changed = False
        except OSError:
            return


def _plain(facts: Facts) -> dict[str, Any]:
    imports = [[item.module, item.level, list(item.names)] for item in facts.imports]
    return {"code": facts.code, "imports": imports, "literals": list(facts.literals)}


def _restore(plain: Any) -> Facts:
    imports = tuple(Imported(str(module), int(level), tuple(names)) for module, level, names in plain["imports"])
    return Facts(code=str(plain["code"]), imports=imports, literals=tuple(plain["literals"]))


def _maker() -> list[Any]:
    """Return what the facts depend on besides the text: Python's grammar, and the modules that find them."""
    try:
        marks = [[stat.st_size, stat.st_mtime_ns] for stat in (Path(str(module.__file__)).stat() for module in (code, written))]
    except OSError:  # bundled in an archive
        marks = []
    return [list(sys.version_info[:3]), marks]
