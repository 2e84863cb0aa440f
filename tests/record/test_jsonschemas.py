"""A schema whose code was kept judges as one that was compiled anew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fastjsonschema
import pytest

from nbops.record.jsonschemas import compiled
from nbops.record.schema import SCHEMA_PATH

_SCHEMA: dict[str, Any] = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "properties": {"a": {"$ref": "#/definitions/a"}, "b": {"type": "string", "pattern": "^x+$", "default": "x"}},
    "required": ["a"],
    "additionalProperties": False,
    "definitions": {"a": {"type": "integer", "minimum": 1}},
}
_DOCUMENTS: list[Any] = [{"a": 1}, {"a": 1, "b": "xx"}, {"a": 0}, {"a": 1, "b": "y"}, {}, [], None, {"a": 1, "c": 2}, {"a": True}]


def said(check: Any, document: Any) -> Any:
    try:
        return check(json.loads(json.dumps(document)))
    except fastjsonschema.JsonSchemaValueException as error:
        return (error.message, error.path, error.rule)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("sys.dont_write_bytecode", False)


def kept(tmp_path: Path) -> list[Path]:
    return [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize("detailed", [True, False])
def test_it_says_what_the_library_says(detailed: bool, tmp_path: Path) -> None:
    plain = fastjsonschema.compile(_SCHEMA, detailed_exceptions=detailed)
    for _ in range(2):  # made, and read
        check = compiled(_SCHEMA, detailed=detailed)
        for document in _DOCUMENTS:
            assert said(check, document) == said(plain, document)
    assert len(kept(tmp_path)) == 1


def test_another_schema_is_another_file(tmp_path: Path) -> None:
    compiled(_SCHEMA)
    compiled(_SCHEMA, detailed=False)
    compiled({**_SCHEMA, "required": []})({})
    assert len(kept(tmp_path)) == 3


@pytest.mark.parametrize("content", [b"", b"x", b"\0" * 32, b"\0" * 4_000])
def test_what_is_damaged_is_made_anew(content: bytes, tmp_path: Path) -> None:
    compiled(_SCHEMA)
    (path,) = kept(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(content or whole[:-10])
    assert said(compiled(_SCHEMA), {"a": 1}) == {"a": 1, "b": "x"}
    assert path.read_bytes() == whole


def test_a_folder_that_cannot_be_written_is_done_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert said(compiled(_SCHEMA), {"a": 1}) == {"a": 1, "b": "x"}
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    assert said(compiled(_SCHEMA), {"a": 1}) == {"a": 1, "b": "x"}


def test_the_ledgers_own_schema(tmp_path: Path) -> None:
    schema = json.loads(SCHEMA_PATH.read_text(encoding="utf-8"))
    plain = fastjsonschema.compile(schema)
    for document in ({}, {"schema_version": 2}, {"id": 1}, []):
        assert said(compiled(schema), document) == said(plain, document)
    assert kept(tmp_path)
