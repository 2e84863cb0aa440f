"""Content hashes: of bytes, read once where that is sure."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from nbops.quality import hashing
from nbops.quality.hashing import content_hash, file_hash


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Paths that were opened for hashing."""
    found: list[Path] = []
    opened = Path.open

    def spy(self: Path, *args: object, **options: object) -> object:
        found.append(self)
        return opened(self, *args, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", spy)
    monkeypatch.setattr(hashing, "_LARGE", 10)
    monkeypatch.setattr(hashing, "_known", {})
    # What this test writes counts as written long ago.
    monkeypatch.setattr(hashing, "_SETTLED_NANOSECONDS", -(10**15))
    monkeypatch.setattr(hashing, "_SETTLED_COARSE", -(10**15))
    return found


def test_a_large_file_is_read_once_until_it_changes(tmp_path: Path, reads: list[Path]) -> None:
    path = tmp_path / "data.bin"
    path.write_bytes(b"x" * 100)
    reads.clear()
    assert content_hash(path) == file_hash(path) == hashlib.sha256(b"x" * 100).hexdigest()
    assert reads == [path]
    path.write_bytes(b"y" * 100)
    os.utime(path, ns=(1, path.stat().st_mtime_ns + 5_000_001))
    assert content_hash(path) == hashlib.sha256(b"y" * 100).hexdigest()


def test_another_file_moved_into_its_place_is_read(tmp_path: Path, reads: list[Path]) -> None:
    path, other = tmp_path / "data.bin", tmp_path / "other.bin"
    path.write_bytes(b"x" * 100)
    content_hash(path)
    other.write_bytes(b"z" * 100)
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    other.replace(path)
    assert content_hash(path) == hashlib.sha256(b"z" * 100).hexdigest()


def test_what_was_written_a_moment_ago_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reads: list[Path]) -> None:
    monkeypatch.setattr(hashing, "_SETTLED_NANOSECONDS", 10**15)
    monkeypatch.setattr(hashing, "_SETTLED_COARSE", 10**15)
    path = tmp_path / "data.bin"
    path.write_bytes(b"x" * 100)
    reads.clear()
    content_hash(path)
    content_hash(path)
    assert len([item for item in reads if item == path]) == 2
