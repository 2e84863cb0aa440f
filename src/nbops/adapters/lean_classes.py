"""Dataclasses made in a third of the time: what Python compiles for each of them is kept from one start to the next.

``dataclasses`` writes the source of up to eight functions for a class and compiles them whenever the class is made, which no
bytecode file saves; a build makes some two hundred classes, its own and those of libraries. Functions made from kept code
are the same functions. Where nothing can be kept, ``dataclasses`` works as ever.
"""

from __future__ import annotations

import atexit
import builtins
import dataclasses
import importlib.util
import marshal
import os
import sys
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from nbops.quality.usercache import code_folder

if TYPE_CHECKING:
    from pathlib import Path
    from types import CodeType

__all__ = ["make_classes_quickly"]

_AT_MOST = 5_000
"""Functions that are kept; with more, only those of this process stay. A build needs some 1,200."""
_CHECK = 4
"""Bytes of the sum that a file begins with: one that is cut short must not be taken for code."""


class _Kept:
    """Code by its source, from a file and for it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._process = os.getpid()
        self._known: dict[str, CodeType] = _read(path)
        self._used: dict[str, CodeType] = {}
        self._is_new = False

    def exec(self, source: Any, global_names: Any = None, local_names: Any = None, /, **more: Any) -> None:
        """Take the place of the builtin in ``dataclasses``."""
        if global_names is None:
            global_names = vars(dataclasses)  # those of the caller
        if type(source) is not str:
            builtins.exec(source, global_names, local_names, **more)  # noqa: S102 - what dataclasses does
            return
        code = self._known.get(source)
        if code is None:
            self._known[source] = code = compile(source, "<string>", "exec", dont_inherit=True)
            self._is_new = True
        self._used[source] = code
        builtins.exec(code, global_names, local_names, **more)  # noqa: S102 - likewise

    def save(self) -> None:
        """Write what the file lacks; a process that was forked from this one leaves that to it."""
        if not self._is_new or os.getpid() != self._process:
            return
        self._is_new = False
        codes = self._known if len(self._known) <= _AT_MOST else self._used
        with suppress(OSError, ValueError):  # it is made again
            _write(self._path, dict(codes))  # a thread may still make classes


def make_classes_quickly() -> None:
    """Keep what this process compiles for dataclasses, and take what others kept."""
    if "exec" in vars(dataclasses):
        return
    version = f"{sys.implementation.cache_tag} {sys.hexversion} {sys.flags.optimize}"
    folder = code_folder("dataclasses", version, importlib.util.MAGIC_NUMBER.hex())
    if folder is None:
        return
    kept = _Kept(folder / "functions")
    vars(dataclasses)["exec"] = kept.exec
    atexit.register(kept.save)


def _read(path: Path) -> dict[str, CodeType]:
    try:
        data = path.read_bytes()
        if zlib.crc32(memoryview(data)[_CHECK:]).to_bytes(_CHECK, "big") != data[:_CHECK]:
            return {}
        found = marshal.loads(memoryview(data)[_CHECK:])  # noqa: S302 - only this user may write there
    except (OSError, EOFError, ValueError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(path: Path, codes: dict[str, CodeType]) -> None:
    from nbops.record.store import replace_file  # noqa: PLC0415 - a build has it by then; its start does without

    data = marshal.dumps(codes)
    replace_file(path, zlib.crc32(data).to_bytes(_CHECK, "big") + data, durable=False)
