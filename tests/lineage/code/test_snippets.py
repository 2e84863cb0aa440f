"""Snippets of notebooks with truth by hand: precision and recall of column edges, library by library.

A snippet gets its tables from the library's setup (below) and leaves what it makes in ``out``, which is then written. Its edges:

    = o.id c.name           identity, to columns of the same names
    total = o.amount        identity
    total ~ o.amount o.qty  transformation
    total + o.amount        aggregation
    total ? o.note          conditional        total w o.day    window
    filter o.note           (join, group_by, sort) what chooses the rows

``*`` as a column stands for all of them, or the rows.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import yaml

from nbops.lineage.code import analyse_code

HERE = Path(__file__).parent
SCHEMAS = {
    "orders.parquet": ("id", "cid", "pid", "amount", "qty", "day", "note"),
    "customers.parquet": ("cid", "name", "country"),
    "products.parquet": ("pid", "title", "price"),
    "events.parquet": ("id", "cid", "seen_at", "action"),
}
LETTERS = {name[0]: name for name in SCHEMAS}
TARGET = "out.parquet"


def _reading(function):
    return "\n".join(f'{letter} = {function}("{name}")' for letter, name in LETTERS.items())


SETUPS = {
    "pandas": ("import numpy as np\nimport pandas as pd\n" + _reading("pd.read_parquet"), f'out.to_parquet("{TARGET}")'),
    "polars": ("import polars as pl\n" + _reading("pl.read_parquet"), f'out.write_parquet("{TARGET}")'),
    "duckdb": (
        "import duckdb\nimport pandas as pd\ncon = duckdb.connect()",
        f'out.to_parquet("{TARGET}")',
    ),
    "ibis": (
        "import ibis\nimport pandas as pd\nfrom ibis import _\n" + _reading("ibis.read_parquet"),
        f'out.to_parquet("{TARGET}")',
    ),
}
_DERIVED = {"=": "identity", "~": "transformation", "+": "aggregation"}
_MARKS = {"?": "conditional", "w": "window"}
_ROWS = {"filter", "join", "group_by", "sort"}


def snippets(library):
    return yaml.safe_load((HERE / f"{library}.yaml").read_text(encoding="utf-8"))


def cells_of(library, snippet):
    before, after = SETUPS[library]
    return [before, snippet["code"], snippet.get("write", after)]


def truth_of(snippet):
    """Return edges as (source, column, target column, kind, transformation)."""
    edges = set()
    for line in filter(None, map(str.strip, snippet["edges"].splitlines())):
        words = line.split()
        if words[0] == "=":
            words = ["", *words]
        name, sign, sources = (None, words[0], words[1:]) if words[0] in _ROWS else (words[0], words[1], words[2:])
        for source in sources:
            letter, column = source.split(".")
            target = (column if name == "" else name) if sign not in _ROWS else None
            kind = "derived" if sign in _DERIVED else "influence"
            transformation = _DERIVED.get(sign) or _MARKS.get(sign) or sign
            edges.add((LETTERS[letter], _one(column), _one(target), kind, transformation))
    return edges


def _one(column):
    return None if column == "*" else column


def found_of(library, snippet):
    found = analyse_code(cells_of(library, snippet), schemas=SCHEMAS)
    return {(e.source, e.source_column, e.target_column, e.kind, e.transformation) for e in found.edges if e.target == TARGET}


def _counts(library, *, derived):
    right = found_all = truth_all = 0
    for snippet in snippets(library):
        truth, found = (
            {edge for edge in edges if edge[3] == "derived" or not derived}
            for edges in (truth_of(snippet), found_of(library, snippet))
        )
        right, found_all, truth_all = right + len(truth & found), found_all + len(found), truth_all + len(truth)
    return right, found_all, truth_all


@pytest.mark.parametrize("derived", [False, True], ids=["all", "derived"])
@pytest.mark.parametrize("library", sorted(SETUPS))
def test_precision_and_recall(library, derived, record_property, capsys):
    right, found, truth = _counts(library, derived=derived)
    precision, recall = right / found, right / truth
    record_property("precision", precision)
    record_property("recall", recall)
    with capsys.disabled():
        what = "derived" if derived else "all"
        sys.stdout.write(f"\n  {library:8}{len(snippets(library)):5} snippets  {what:8}{truth:5} edges  ")
        sys.stdout.write(f"precision {precision:.3f}  recall {recall:.3f} ")
    assert precision >= 0.95
    assert recall >= 0.90


def test_there_are_enough_snippets():
    counts = {library: len(snippets(library)) for library in SETUPS}
    assert counts["pandas"] >= 60
    assert counts["polars"] >= 35
    assert counts["duckdb"] >= 30
    assert counts["ibis"] >= 25
    assert all(truth_of(snippet) for library in SETUPS for snippet in snippets(library))


# -- the truth itself, held against what the libraries do


def _tables(rows=36):
    import random

    pick = random.Random(5)
    days = [f"2024-0{month}-{day:02}" for month in range(1, 7) for day in (3, 11, 19, 27)]
    return {
        "orders.parquet": {
            "id": list(range(rows)),
            "cid": [pick.randrange(1, 7) for _ in range(rows)],
            "pid": [pick.randrange(1, 9) for _ in range(rows)],
            "amount": [None if at % 11 == 5 else float(pick.randrange(1, 40) * 5) for at in range(rows)],
            "qty": [pick.randrange(0, 12) for _ in range(rows)],
            "day": [pick.choice(days) for _ in range(rows)],
            "note": [pick.choice(["x", "y z", "some words", None]) for _ in range(rows)],
        },
        "customers.parquet": {
            "cid": list(range(1, 6)),
            "name": [f"{first} {last}" for first, last in zip("abcde", "uvwxy", strict=True)],
            "country": ["de", "uk", "de", "fr", "uk"],
        },
        "products.parquet": {"pid": list(range(1, 9)), "title": list("ABCDEFGH"), "price": [float(at) for at in range(8)]},
        "events.parquet": {
            "id": list(range(100, 120)),
            "cid": [pick.randrange(1, 7) for _ in range(20)],
            "seen_at": [pick.choice(days) for _ in range(20)],
            "action": [pick.choice(["buy", "look"]) for _ in range(20)],
        },
    }


def _changed(values, way):
    if way == 0:
        return values[1:] + values[:1]
    if way == 1:
        return values[::-1]
    if way == 4:
        return [None if at % 2 else value for at, value in enumerate(values)]
    first = next(value for value in values if value is not None)
    if isinstance(first, str):
        other = ("2023-09-28", "2025-02-14")[way % 2] if first.startswith("2024") else f"{first}q w"
        return [other if at % 3 == way % 3 else value for at, value in enumerate(values)]
    return [value + 1 + at % 2 if value is not None and at % 3 == way % 3 else value for at, value in enumerate(values)]


def _run(library, snippet, tables, folder, monkeypatch):
    import pyarrow as pa
    import pyarrow.parquet as pq

    for name, columns in tables.items():
        pq.write_table(pa.table(columns), folder / name)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("WHICH", "a")
    monkeypatch.setenv("MODE", "x")
    names = {}
    for cell in cells_of(library, snippet):
        exec(compile(cell, snippet["name"], "exec"), names)
    return pq.read_table(folder / TARGET).to_pydict()


@pytest.mark.parametrize("library", sorted(SETUPS))
def test_the_truth_is_what_the_libraries_do(library, tmp_path, monkeypatch):
    """Change one column of what is read: only what has an edge from it may change, and each value has to, for some change.

    Some of the snippets; all of them, which takes minutes, where ``NBOPS_ALL_SNIPPETS`` is set.
    """
    import warnings

    for needed in {"pandas": ["pandas"], "ibis": ["ibis", "pandas"], "polars": ["polars"]}.get(library, ["pandas"]):
        pytest.importorskip(needed, reason=f"{needed} is not in the test extra: it would cost more than it tells")
    warnings.simplefilter("ignore")
    wrong = []
    for snippet in snippets(library)[:: 1 if os.environ.get("NBOPS_ALL_SNIPPETS") else 5]:
        wrong += _differences(library, snippet, tmp_path, monkeypatch)
    assert not wrong, "\n".join(wrong)


def _shown(library, code, values):
    """DuckDB's rows, Polars' groups and what is unique come in any order."""
    loose = library in {"duckdb", "ibis"} or "group_by(" in code or "unique(" in code
    shown = [f"{value:.6g}" if isinstance(value, float) else repr(value) for value in values or ()]
    return sorted(shown) if loose else shown


def _differences(library, snippet, folder, monkeypatch):
    truth = truth_of(snippet)
    counted = {edge[0] for edge in truth if edge[1] is None}
    wrong = []
    for source, column in ((source, column) for source, columns in SCHEMAS.items() for column in columns):
        allowed = {edge[2] for edge in truth if edge[:2] == (source, column)}
        if not allowed and source not in snippet["code"] and not any(edge[0] == source for edge in truth):
            continue
        moved = _moved((library, snippet), (source, column), allowed, (folder, monkeypatch))
        where = f"{library}: {snippet['name']}: {source} {column}"
        if moved - allowed and None not in allowed and source not in counted:
            wrong.append(f"{where} changes {sorted(moved - allowed)}")
        if allowed - {None} - moved and "sometimes" not in snippet:
            wrong.append(f"{where} changes nothing of {sorted(allowed - {None} - moved)}")
        seen = library in {"pandas", "polars"} or any(e[:2] == (source, column) and e[4] not in {"sort", None} for e in truth)
        if None in allowed and not moved and seen and "sometimes" not in snippet:
            wrong.append(f"{where} changes no row")
    return wrong


def _moved(which, changed, allowed, place):
    """Return the written columns that some change of a read column changes."""
    (library, snippet), (source, column) = which, changed
    base = _run(library, snippet, _tables(), *place)
    moved = set()
    for way in range(5 if allowed else 1):
        tables = _tables()
        tables[source][column] = _changed(tables[source][column], way)
        try:
            new = _run(library, snippet, tables, *place)
        except Exception:  # noqa: BLE001 - keys that are no longer unique, texts that are no dates: another change will do
            continue
        code = snippet["code"]
        moved |= {
            name
            for name in base.keys() | new.keys()
            if _shown(library, code, base.get(name)) != _shown(library, code, new.get(name))
        }
        if allowed and moved >= allowed - {None} and moved:
            break
    return moved
