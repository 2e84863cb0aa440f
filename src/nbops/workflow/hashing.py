"""Content hashes of files and folders, remembered by what ``stat`` says of them.

The cache is only a cache: deleting it costs one read of each file. An entry is kept only for files that were last changed well
before they were read, since a second change within the clock's granularity would go unseen (git's "racy" problem).
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from pathlib import Path

from nbops.quality.hashing import file_hash

__all__ = ["HashCache", "digest"]

_RACY_NANOSECONDS = 2_000_000_000


def digest(*parts: str | bytes) -> str:
    """Return the SHA-256 of the parts, in hexadecimal; boundaries between parts count.

    >>> digest("a", "b") == digest("ab")
    False
    """
    found = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        found.update(str(len(data)).encode() + b":" + data)
    return found.hexdigest()


class HashCache:
    """SHA-256 of files and folders, with a cache on disk.

    Args:
        path: Where the cache is kept (JSON); missing or broken means empty.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, list[object]] = {}
        self._changed = False
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            if isinstance(found, dict):
                self._known = {k: v for k, v in found.items() if isinstance(v, list)}
        except (OSError, ValueError):
            pass

    def of(self, path: Path) -> str | None:
        """Return the content hash of a file or folder, or None when there is none."""
        try:
            if path.is_dir():
                return self._of_folder(path)
            return self._of_file(path)
        except OSError:
            return None

    def _of_folder(self, path: Path) -> str:
        parts: list[str] = []
        for base, folders, names in os.walk(path):
            folders[:] = sorted(name for name in folders if name not in {".git", "__pycache__", ".ipynb_checkpoints"})
            for name in sorted(names):
                if name.endswith(".metadata") and name.startswith("."):
                    continue  # the runner's own notes beside products
                file = Path(base, name)
                parts += [file.relative_to(path).as_posix(), self._of_file(file)]
        return digest("folder", *parts)

    def _of_file(self, path: Path) -> str:
        stat = path.stat()
        key = os.fspath(path.absolute())
        mark = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]
        known = self._known.get(key)
        if known is not None and known[:4] == mark:
            return str(known[4])
        value = file_hash(path)
        if time.time_ns() - stat.st_mtime_ns > _RACY_NANOSECONDS:
            self._known[key] = [*mark, value]
        else:
            self._known.pop(key, None)
        self._changed = True
        return value

    def save(self) -> None:
        """Write the cache, if it changed; a failure is of no consequence."""
        if not self._changed:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=self._path.parent, prefix=".hashes.")
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                json.dump(self._known, stream)
            Path(temporary).replace(self._path)
            self._changed = False
        except OSError:
            return
