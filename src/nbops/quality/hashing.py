"""What a product is, byte for byte: its hash and its size, for files and directories."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["content_hash", "content_size"]

_CHUNK = 1 << 20


def _file_hash(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _members(path: Path) -> list[Path]:
    return sorted((item for item in path.rglob("*") if item.is_file()), key=lambda item: item.relative_to(path).as_posix())


def content_hash(path: Path) -> str:
    """Return the SHA-256 in hex of a file's bytes, or of a directory's files (relative names and bytes).

    Raises:
        OSError: It is not there or cannot be read.
    """
    if not path.is_dir():
        return _file_hash(path)
    digest = hashlib.sha256()
    for item in _members(path):
        name = item.relative_to(path).as_posix().encode("utf-8", "surrogateescape")
        digest.update(len(name).to_bytes(8, "big") + name + bytes.fromhex(_file_hash(item)))
    return digest.hexdigest()


def content_size(path: Path) -> int:
    """Return the bytes of a file, or of all files of a directory.

    Raises:
        OSError: It is not there or cannot be read.
    """
    return sum(item.stat().st_size for item in _members(path)) if path.is_dir() else path.stat().st_size
