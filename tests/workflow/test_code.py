"""What counts as a change of code, and what code is found to depend on."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbops.workflow.code import Imported, code_hash, function_closure, imports_of, literals_of, resolve_modules
from nbops.workflow.codefacts import CodeFacts


def same(a: str, b: str) -> bool:
    return code_hash([a], language="python") == code_hash([b], language="python")


def test_comments_layout_and_docstrings_do_not_count():
    assert same("x = 1\ny = x + 2", "# a comment\nx = 1  # another\n\n\ny = (x\n     + 2)\n")
    assert same('def f():\n    """Say."""\n    return 1', "def f():\n    return 1")
    assert code_hash(["x = 1", "# only a comment", ""], language="python") == code_hash(["x = 1"], language="python")


def test_meaning_counts():
    assert not same("x = 1", "x = 2")
    assert not same("x = 1", "y = 1")
    assert not same("%time x = 1", "%timeit x = 1")
    assert not same("%%bash\nls", "%%bash\nls -l")
    assert code_hash(["x = 1", "y = 2"], language="python") != code_hash(["y = 2", "x = 1"], language="python")


def test_what_is_no_python_is_compared_as_text():
    assert code_hash(["library(dplyr)"], language="r") == code_hash(["library(dplyr)\n"], language="r")
    assert code_hash(["SELECT 1"], language="sql") != code_hash(["SELECT 2"], language="sql")
    assert not same("this is (no python", "this is (not python")


@given(st.lists(st.text(max_size=60), max_size=4))
def test_never_raises_and_is_stable(cells):
    assert code_hash(cells, language="python") == code_hash(list(cells), language="python")
    assert isinstance(imports_of(cells), tuple)
    assert all("\n" not in text and "\0" not in text for text in literals_of(cells))


MODULE = """
import os
import json as j
from pandas import DataFrame

LIMIT = 3
OTHER = 4

def helper(x):
    return x * LIMIT

def unrelated():
    return j.dumps(OTHER)

def task(product):
    import csv
    return DataFrame([helper(1)])
"""


def test_a_function_depends_on_what_it_mentions_and_nothing_else():
    found = function_closure(MODULE, "task")
    assert found is not None
    code, imports = found
    assert "helper" in code
    assert "LIMIT" in code
    assert "unrelated" not in code
    assert "OTHER" not in code
    assert {item.module for item in imports} == {"pandas", "csv"}
    changed = MODULE.replace("x * LIMIT", "x + LIMIT")
    assert function_closure(changed, "task")[0] != code
    assert function_closure(MODULE.replace("OTHER = 4", "OTHER = 5"), "task")[0] == code


def test_a_function_that_is_not_there():
    assert function_closure(MODULE, "nothing") is None
    assert function_closure("def broken(:", "broken") is None


def test_modules_are_followed_through_the_project(tmp_path: Path):
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "__init__.py").write_text("from . import inner\n")
    (tmp_path / "pkg" / "inner.py").write_text("import deep\nimport numpy\n")
    (tmp_path / "deep.py").write_text("import deep\nVALUE = 1\n")
    (tmp_path / "unused.py").write_text("")
    files, outside = resolve_modules([Imported("pkg", 0, ())], near=None, search=[tmp_path])
    assert {path.name for path in files} == {"__init__.py", "inner.py", "deep.py"}
    assert outside == {"numpy"}
    before = dict(files)
    (tmp_path / "deep.py").write_text("import deep\nVALUE = 2  # changed\n")
    after, _ = resolve_modules([Imported("pkg", 0, ())], near=None, search=[tmp_path])
    assert {path.name for path in after if after[path] != before[path]} == {"deep.py"}


def test_names_taken_from_a_package_may_be_modules(tmp_path: Path):
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "tool.py").write_text("X = 1")
    (tmp_path / "pkg" / "__init__.py").write_text("")
    files, _ = resolve_modules([Imported("pkg", 0, ("tool", "absent"))], near=None, search=[tmp_path])
    assert {path.name for path in files} == {"__init__.py", "tool.py"}


def test_literals_are_taken_from_python_and_from_sql_inside_it():
    code = "con.sql(\"SELECT * FROM 'data/raw.csv'\")\nopen('other.txt')"
    assert {"data/raw.csv", "other.txt"} <= set(literals_of([code]))
    assert literals_of(["SELECT * FROM read_csv('x.csv')"]) == ("x.csv",)


@pytest.mark.parametrize(
    "code",
    [
        "open('out', 'w')",
        "open('out', mode='a')",
        "gzip.open('out', 'wt')",
        "Path('out').open('w')",
        "Path('out').write_text('in')",
        "frame.to_parquet('out')",
        "plt.savefig(fname='out')",
        "joblib.dump(model, 'out')",
        "pickle.dump(model, open('out', 'wb'))",
        "pd.read_csv('in').to_csv('out')",
        "OUT = 'out'\nnp.save(OUT, x)",
        "OUT: Path = Path('out')\nOUT.write_bytes(b'')",
        "duckdb.sql(\"COPY (SELECT * FROM 'in') TO 'out' (FORMAT parquet)\")",
    ],
)
def test_what_is_written_is_no_input(code):
    assert "out" not in literals_of([code])
    assert ("in" in literals_of([code])) == ("'in'" in code)


@pytest.mark.parametrize(
    "code",
    ["open('in')", "open('in', 'r+')", "Path('in').open()", "Path('in').read_text()", "pd.read_csv('in')", "np.load('in')"],
)
def test_what_is_read_is_an_input(code):
    assert "in" in literals_of([code])


def test_facts_from_the_cache_are_those_of_the_text(tmp_path: Path) -> None:
    module = (
        "import json\nfrom . import other\n\nLIMIT = 3\n\ndef f():\n    return open('in.csv').read(LIMIT)\n\ndef g():\n    pass\n"
    )
    first = CodeFacts(tmp_path / "cache/code.json")
    asked = [first.cells(["import os\n", "p = 'a.csv'"], language="python"), first.module(module), first.function(module, "f")]
    assert first.function(module, "no_such") is None
    first.save()
    again = CodeFacts(tmp_path / "cache/code.json")
    parsed: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nbops.workflow.code._parse", parsed.append)
        assert [
            again.cells(["import os\n", "p = 'a.csv'"], language="python"),
            again.module(module),
            again.function(module, "f"),
        ] == asked
        assert again.function(module, "no_such") is None
    assert parsed == []
    assert asked[2] is not None
    assert asked[2].literals == ("in.csv",)
    assert again.cells(["import os\n", "p = 'b.csv'"], language="python") != asked[0]
    assert again.cells(["import os\np = 'a.csv'"], language="python") == CodeFacts(tmp_path / "none").cells(
        ["import os\np = 'a.csv'"], language="python"
    )


@pytest.mark.parametrize("damage", ["", "null", "[]", "{", '{"maker": 1}', '{"maker": [], "facts": {"x": 3}}'])
def test_a_damaged_cache_of_facts_counts_as_none(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "code.json"
    good = CodeFacts(path)
    expected = good.cells(["x = 1"], language="python")
    good.save()
    stored = path.read_text(encoding="utf-8")
    path.write_text(damage, encoding="utf-8")
    assert CodeFacts(path).cells(["x = 1"], language="python") == expected
    for value in ('"facts": {"%s": 3', '"facts": {"%s": {}', '"facts": {"%s": {"code": 1, "imports": [[1]], "literals": []}'):
        key = stored.partition('"facts": {"')[2].partition('"')[0]
        path.write_text(stored.partition('"facts"')[0] + value % key + "}}", encoding="utf-8")
        assert CodeFacts(path).cells(["x = 1"], language="python") == expected


def test_an_import_is_followed_once_from_wherever_it_stands(tmp_path: Path) -> None:
    package = tmp_path / "shop"
    for folder in (package, package / "inner"):
        folder.mkdir()
        (folder / "__init__.py").write_text("")
        (folder / "near.py").write_text(f"import {folder.name}_only\n")
    (package / "a.py").write_text("from .near import x\nimport json\n")
    (package / "inner/b.py").write_text("from .near import x\nimport json\n")
    reached, outside = resolve_modules(imports_of(["import shop.a\nimport shop.inner.b"]), near=None, search=[tmp_path])
    assert {path.relative_to(tmp_path).as_posix() for path in reached} == {
        "shop/__init__.py", "shop/a.py", "shop/near.py", "shop/inner/__init__.py", "shop/inner/b.py", "shop/inner/near.py"
    }  # fmt: skip
    assert outside == {"json", "shop_only", "inner_only"}
