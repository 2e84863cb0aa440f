"""What a product is, byte for byte: its hash and its size, for files and directories."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["content_hash", "content_size", "file_hash"]

_CHUNK = 1 << 20
_LARGE = 8 << 20
_SETTLED_NANOSECONDS, _SETTLED_COARSE = 100_000_000, 2_000_000_000
"""How long ago a file must have been changed: clocks tick every few milliseconds, of coarse file systems every two seconds."""
_known: dict[tuple[int, ...], str] = {}
"""Hashes of large files by what ``stat`` says of them: measuring and publishing ask for the same one in the same process."""


def file_hash(path: Path) -> str:
    """Return the SHA-256 in hex of a file's bytes. A large file is read once a process, unless it changes.

    Raises:
        OSError: It is not there or cannot be read.
    """
    before = _mark(path)
    found = _known.get(before)
    if found is not None:
        return found
    started = time.time_ns()
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    # A second change within the clock's granularity would go unseen, so what was written a moment ago is read again.
    margin = _SETTLED_NANOSECONDS if before[2] % 1_000_000 else _SETTLED_COARSE
    settled = started - max(before[2:4]) > margin
    if before[4] >= _LARGE and settled and _mark(path) == before:
        _known[before] = digest.hexdigest()
    return digest.hexdigest()


def _mark(path: Path) -> tuple[int, ...]:
    stat = path.stat()
    return stat.st_dev, stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size


def _members(path: Path) -> list[Path]:
    return sorted((item for item in path.rglob("*") if item.is_file()), key=lambda item: item.relative_to(path).as_posix())


def content_hash(path: Path) -> str:
    """Return the SHA-256 in hex of a file's bytes, or of a directory's files (relative names and bytes).

    Raises:
        OSError: It is not there or cannot be read.
    """
    if not path.is_dir():
        return file_hash(path)
    digest = hashlib.sha256()
    for item in _members(path):
        name = item.relative_to(path).as_posix().encode("utf-8", "surrogateescape")
        digest.update(len(name).to_bytes(8, "big") + name + bytes.fromhex(file_hash(item)))
    return digest.hexdigest()


def content_size(path: Path) -> int:
    """Return the bytes of a file, or of all files of a directory.

    Raises:
        OSError: It is not there or cannot be read.
    """
    return sum(item.stat().st_size for item in _members(path)) if path.is_dir() else path.stat().st_size
