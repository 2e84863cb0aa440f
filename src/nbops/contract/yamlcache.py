"""YAML documents remembered by the bytes of their files: the pure Python reader takes some 20 ms a contract.

With them, hashes of the SQL, patterns and types in them that DuckDB found right, so that it need not be loaded to read contracts.

Plain JSON, so that a cache from elsewhere can do no more than the file itself could. It may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections import UserDict
from importlib import metadata
from pathlib import Path
from typing import Any

__all__ = ["DocumentCache"]

_FORMAT = 1


class DocumentCache:
    """What the files of a folder were read as.

    Args:
        path: Where the cache is kept (JSON); missing or broken means empty.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._maker = [_FORMAT, metadata.version("ruamel.yaml")]
        self._used: dict[str, Any] = {}
        self._known: dict[str, Any] = {}
        self.judged = _Judged()
        """For :func:`nbops.contract.syntax.remembering`."""
        try:
            found = json.loads(path.read_bytes())
            if found["maker"] == self._maker:
                self._known = dict(found["documents"])
                self.judged = _Judged(found.get("judged"))
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            pass

    def get(self, raw: bytes) -> Any:
        """Return what these bytes were read as, or None (an empty document is read anew)."""
        key = _key(raw)
        if key not in self._known:
            return None
        self._used[key] = self._known[key]
        return self._known[key]

    def put(self, raw: bytes, document: Any) -> None:
        """Remember a document, if JSON carries it as it is (dates and keys that are no text it does not)."""
        if _is_plain(document, most=len(raw)):
            self._used[_key(raw)] = document

    def save(self) -> None:
        """Write the cache, if it changed; a failure is of no consequence."""
        if self._used == self._known and not self.judged.changed:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=self._path.parent, prefix=".yaml.")
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                json.dump({"maker": self._maker, "documents": self._used, "judged": self.judged.used}, stream)
            Path(temporary).replace(self._path)
        except (OSError, ValueError):
            return


class _Judged(UserDict[str, "str | None"]):
    """Judgements that were found in the cache, and which of them (or besides them) this process needed."""

    def __init__(self, found: object = None) -> None:
        super().__init__()
        if isinstance(found, dict):
            self.data.update({key: value for key, value in found.items() if value is None or isinstance(value, str)})
        self._found = dict(self.data)
        self.used: dict[str, str | None] = {}

    def __getitem__(self, key: str) -> str | None:
        self.used[key] = value = self.data[key]
        return value

    def __setitem__(self, key: str, value: str | None) -> None:
        self.used[key] = self.data[key] = value

    @property
    def changed(self) -> bool:
        """Whether what was needed differs from what was found."""
        return self.used != self._found


def _key(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


def _is_plain(document: Any, *, most: int) -> bool:
    """Return whether JSON carries a document as it is, in at most so many values (aliases can make it endless)."""
    queue, seen = [document], 0
    while queue:
        value = queue.pop()
        seen += 1
        if seen > most:
            return False
        if type(value) is dict:
            if not all(type(key) is str for key in value):
                return False
            queue += value.values()
        elif type(value) is list:
            queue += value
        elif type(value) is float:
            if value - value != 0:  # infinities and NaN are no JSON
                return False
        elif value is not None and type(value) not in {bool, int, str}:
            return False
    return True
