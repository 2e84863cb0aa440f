"""Documents from the cache are those of the file, whatever is in the cache."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from nbops.contract.odcs import load_contracts
from nbops.contract.yamlcache import DocumentCache
from nbops.contract.yamlfile import read_yaml
from nbops.errors import ContractError

PLAIN = 'a: [1, 2.5, -0.0, true, null, "text", no]\nb: {c: "\\u00e9\\ud83d"}\n'


def test_a_document_is_parsed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(PLAIN, encoding="utf-8")
    cache = DocumentCache(tmp_path / "cache/documents.json")
    first = read_yaml(path, shown="x", cache=cache)
    cache.save()
    again = DocumentCache(tmp_path / "cache/documents.json")
    parsed: list[str] = []
    monkeypatch.setattr("nbops.contract.yamlfile.parse_yaml", lambda raw, shown: parsed.append(shown))
    found = read_yaml(path, shown="x", cache=again)
    assert parsed == []
    assert repr(found) == repr(first), "types and signs count, too"
    path.write_text(PLAIN + "# changed\n", encoding="utf-8")
    assert read_yaml(path, shown="x", cache=again) is None
    assert parsed == ["x"]


@pytest.mark.parametrize(
    "text",
    [
        "a: 2024-05-01\n",
        "1: a\n",
        "a: .inf\n",
        "a: .nan\n",
        "a: &a [1,1,1,1]\nb: &b [*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c]\ne: [*d,*d,*d,*d]\n",
        "a: &a [*a]\n",
    ],
)
def test_what_json_would_change_is_never_remembered(text: str, tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(text, encoding="utf-8")
    cache = DocumentCache(tmp_path / "documents.json")
    first = read_yaml(path, shown="x", cache=cache)
    cache.save()
    assert not (tmp_path / "documents.json").exists()
    assert type(read_yaml(path, shown="x", cache=DocumentCache(tmp_path / "documents.json"))) is type(first)


@pytest.mark.parametrize("damage", ["", "{", "null", "[]", '{"maker": 3}', '{"maker": [1, "0"], "documents": {}}'])
def test_a_damaged_cache_counts_as_none(damage: str, tmp_path: Path) -> None:
    path, kept = tmp_path / "x.yaml", tmp_path / "documents.json"
    path.write_text(PLAIN, encoding="utf-8")
    kept.write_text(damage, encoding="utf-8")
    cache = DocumentCache(kept)
    assert read_yaml(path, shown="x", cache=cache)["a"][0] == 1
    cache.save()
    assert len(json.loads(kept.read_text(encoding="utf-8"))["documents"]) == 1


def test_mistakes_are_not_remembered(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("a: 1\na: 2\n", encoding="utf-8")
    cache = DocumentCache(tmp_path / "documents.json")
    for _ in range(2):
        with pytest.raises(ContractError, match="duplicate key"):
            read_yaml(path, shown="x", cache=cache)
    cache.save()
    assert not (tmp_path / "documents.json").exists()


CONTRACT = """\
kind: DataContract
apiVersion: v3.1.0
id: a
version: 1.0.0
schema:
  - name: orders
    properties:
      - name: code
        logicalType: string
        physicalType: varchar(20)
        logicalTypeOptions: {pattern: PATTERN}
        quality:
          - {type: sql, query: 'SELECT count(*) FROM ${table} WHERE code IS NULL', mustBe: 0}
"""


def test_what_the_engine_found_right_is_not_judged_again_and_what_is_wrong_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, kept = tmp_path / "contracts", tmp_path / "cache.json"
    folder.mkdir()
    path = folder / "orders.odcs.yaml"
    path.write_text(CONTRACT.replace("PATTERN", "'^[A-Z]+$'"), encoding="utf-8")
    cache = DocumentCache(kept)
    first = load_contracts(folder, root=tmp_path, cache=cache)
    cache.save()
    with monkeypatch.context() as patched:
        patched.setitem(sys.modules, "duckdb", None)  # its import would fail
        again = DocumentCache(kept)
        assert load_contracts(folder, root=tmp_path, cache=again) == first
        before = kept.read_bytes()
        again.save()
        assert kept.read_bytes() == before
        patched.setattr("nbops.contract.syntax._version", lambda: "another")
        with pytest.raises(ImportError):
            load_contracts(folder, root=tmp_path, cache=DocumentCache(kept))
    path.write_text(CONTRACT.replace("PATTERN", "'(?=x)'"), encoding="utf-8")
    for _ in range(2):
        cache = DocumentCache(kept)
        with pytest.raises(ContractError, match="pattern"):
            load_contracts(folder, root=tmp_path, cache=cache)
        cache.save()
    path.write_text(CONTRACT.replace("PATTERN", "'^[A-Z]+$'"), encoding="utf-8")
    kept.write_text(json.dumps({**json.loads(kept.read_bytes()), "judged": [1]}), encoding="utf-8")
    assert load_contracts(folder, root=tmp_path, cache=DocumentCache(kept)) == first
