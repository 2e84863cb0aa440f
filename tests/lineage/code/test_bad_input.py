"""Code that nobody would write, and code that somebody did: the analysis answers, in bounded time, and says what it left out."""

from __future__ import annotations

import string

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nbops.lineage.code import analyse_code

READ = "import pandas as pd\ndf = pd.read_parquet('in.parquet')\n"
SCHEMA = {"in.parquet": ("a", "b", "c")}


def edges(found):
    return {(e.source_column, e.target_column, e.kind, e.how) for e in found.edges}


def analyse(*cells, **more):
    return analyse_code(cells, schemas=more.pop("schemas", SCHEMA), **more)


def test_magics_are_left_out_and_said():
    found = analyse(
        "%matplotlib inline\n%time df0 = 1\n!pip install x\nfiles = !ls\ndf0?\n" + READ,
        "%%time\ndf['d'] = df.a + 1",
        "%%bash\nrm -rf /",
        "%timeit df.sum()\n%sql SELECT 1\ndf.to_parquet('out.parquet')",
    )
    assert ("a", "d", "derived", "static") in edges(found)
    assert any("cell 0, line 3: a shell command" in note for note in found.notes)
    assert any("cell 2" in note and "%%bash" in note for note in found.notes)


def test_a_cell_of_sql_is_followed():
    found = analyse(READ, "%%sql\nCREATE TABLE totals AS SELECT a, sum(b) AS total FROM df GROUP BY a")
    assert ("b", "total", "derived", "sql") in edges(found)
    found = analyse(READ, "%%sql result <<\nSELECT a FROM df", "result.to_parquet('out.parquet')")
    assert edges(found) == {("a", "a", "derived", "sql")}


def test_a_line_that_looks_like_a_magic_inside_a_text_or_after_an_operator_is_none():
    found = analyse(READ + 'text = """\n%time nothing\n!ls\n"""\nx = (7\n%3)\ndf.to_parquet("out.parquet")')
    assert found.notes == ()
    assert len(found.edges) == 3


def test_a_syntax_error_costs_its_cell_only():
    found = analyse(READ, "df['d'] = = 1", "df.to_parquet('out.parquet')")
    assert edges(found) == {(name, name, "derived", "static") for name in "abc"}
    assert any(note.startswith("cell 1, line 1: syntax error") for note in found.notes)


def test_exec_widens_every_table():
    found = analyse(READ, "exec(open('x.py').read())", "df.to_parquet('out.parquet')")
    assert (None, None, "derived", "assumed") in edges(found)
    assert any("exec()" in note for note in found.notes)


def test_exec_of_a_known_text_is_followed():
    found = analyse(READ, "exec(\"df['d'] = df['a'] * 2\")", "df[['d']].to_parquet('out.parquet')")
    assert edges(found) == {("a", "d", "derived", "static")}


def test_a_column_whose_name_is_not_known_widens():
    found = analyse(READ, "df[input()] = df['a']", "df.to_parquet('out.parquet')")
    assert ("a", None, "derived", "assumed") in edges(found)
    assert found.columns["out.parquet"] is None
    found = analyse(READ, "df[[input()]].to_parquet('out.parquet')")
    assert edges(found) == {(None, None, "derived", "assumed")}
    assert found.notes


def test_what_an_unknown_library_makes_of_tables_widens_to_what_went_in():
    found = analyse(READ, "from somewhere import magic\nmagic(df[['a', 'b']]).to_parquet('out.parquet')")
    assert edges(found) == {("a", None, "derived", "assumed"), ("b", None, "derived", "assumed")}
    assert any("somewhere.magic" in note for note in found.notes)
    found = analyse(READ, "from somewhere import magic\nmagic(df).to_parquet('out.parquet')")
    assert edges(found) == {(None, None, "derived", "assumed")}


def test_a_model_makes_a_column_of_all_that_it_learnt_from():
    found = analyse(
        READ,
        "from sklearn.linear_model import LinearRegression\nmodel = LinearRegression()\nmodel.fit(df[['a']], df['b'])",
        "df['p'] = model.predict(df[['a']])\ndf[['p']].to_parquet('out.parquet')",
    )
    assert edges(found) == {("a", "p", "derived", "assumed"), ("b", "p", "derived", "assumed")}
    assert found.notes


def test_apply_of_a_function_of_another_module_is_assumed():
    found = analyse(READ, "from helpers import tidy\ndf['d'] = df['a'].apply(tidy)\ndf[['d']].to_parquet('out.parquet')")
    assert edges(found) == {("a", "d", "derived", "assumed")}
    assert any("apply" in note for note in found.notes)


def test_modules_whose_source_is_given_are_followed():
    found = analyse(
        READ + "from helpers.cleaning import tidy\ntidy(df).to_parquet('out.parquet')",
        modules={"helpers": "", "helpers.cleaning": "def tidy(frame):\n    return frame.assign(d=frame.a + frame.b)[['d']]\n"},
    )
    assert edges(found) == {("a", "d", "derived", "static"), ("b", "d", "derived", "static")}


def test_getattr_with_an_unknown_name():
    found = analyse(READ, "import sys\ndf['d'] = getattr(df, sys.argv[1])\ndf[['d']].to_parquet('out.parquet')")
    assert edges(found) == {(None, "d", "derived", "assumed")}
    found = analyse(READ, "df['d'] = getattr(df, 'a')\ndf[['d']].to_parquet('out.parquet')")
    assert edges(found) == {("a", "d", "derived", "static")}


@pytest.mark.parametrize("name", ["__proto__", "</script>", "\u202eabc", "a\x00b", "🙂", "'; DROP TABLE x; --", "x" * 5000, ""])
def test_hostile_names(name):
    cell = (
        READ + f"df[{name!r}] = df['a']\ndf[[{name!r}]].rename(columns={{{name!r}: {name + '!'!r}}}).to_parquet({'o' + name!r})"
    )
    found = analyse(cell)
    if "\x00" not in name:
        assert edges(found) == {("a", f"{name}!", "derived", "static")}
    assert analyse(cell, schemas={"in.parquet": (name, name, "a")}).columns


def test_duplicate_names_are_one_column_of_both_sources():
    found = analyse(READ, "pd.concat([df['a'], df['b'].rename('a')], axis=1).to_parquet('out.parquet')")
    assert edges(found) == {("a", "a", "derived", "static"), ("b", "a", "derived", "static")}


def test_five_thousand_columns():
    names = tuple(f"c{at}" for at in range(5000))
    cells = [
        READ,
        "for name in df.columns:\n    df[name] = df[name].fillna(0)",
        "out = df.groupby('c0').sum().reset_index().rename(columns=str.upper)\nout.to_parquet('out.parquet')",
    ]
    found = analyse(*cells, schemas={"in.parquet": names}, seconds=60)
    assert len(found.columns["out.parquet"]) == 5000
    assert ("c4999", "C4999", "derived", "static") in edges(found)


def test_a_cell_of_ten_megabytes_is_not_read():
    found = analyse(READ, "x = '" + "a" * 10_000_000 + "'", "df.to_parquet('out.parquet')")
    assert len(found.edges) == 3
    assert any("cell 1" in note and "10,000,006 characters" in note for note in found.notes)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 500 + "1" + ")" * 500,
        "x = " + "[" * 80 + "]" * 80,
        "x = " + "-" * 3000 + "1",
        "x = " + "+".join(["'a'"] * 20_000),
        "x = df" + ".fillna(0)" * 800,
        "x = " + "".join("f(" for _ in range(150)) + "df" + ")" * 150,
        "\n".join("  " * at + "if True:" for at in range(90)) + "\n" + "  " * 90 + "pass",
        "x = " + "lambda: " * 800 + "1",
    ],
)
def test_deep_nesting(text):
    found = analyse(READ, text, "df[['a']].to_parquet('out.parquet')")
    assert edges(found) == {("a", "a", "derived", "static")}


@pytest.mark.parametrize(
    "text",
    [
        "def f(x):\n    return f(x)\ny = f(df)",
        "def f(x):\n    return g(x)\ndef g(x):\n    return f(x)\ny = f(df)",
        "while True:\n    df = df.assign(z=df.a)",
        "x = 'a' * 10 ** 12",
        "x = 10 ** 10 ** 10",
        "x = '%1000000000d' % 1",
        "x = f'{1:1000000000}'",
        "x = [0] * 10 ** 9",
        "x = list(range(10 ** 12))",
        "x = [[a, b, c] for a in range(9000) for b in range(9000) for c in range(9000)]",
        "x = []\nx.append(x)\ny = df[x]",
        "d = {}\nd['d'] = d\nprint(d)\ny = str(d)",
        "class A:\n    def __getattr__(self, n):\n        return getattr(self, n)\ny = A().x",
        "x = '{:>1000000000}'.format(1)",
        "x = 'a'.ljust(10 ** 10)",
        "x = 'ab'.replace('a', 'b' * 90000).replace('b', 'c' * 90000)",
        "x = (1 << 10 ** 10)",
        "import re\nx = df.filter(regex='(a+)+$')",
        "x = {**{}, **df}\n[*x] = 1, 2",
        "global df\nnonlocal_ = 1\ndel df['zz']\ndel nothing",
        "x = df['a']['b']['c'].loc[1, 2, 3].iloc[::2, 'x']",
        "df.columns = ['a']\ndf.columns = None",
        "from os import *\nfrom . import x\nfrom .. import y\nimport a.b.c as d",
        "async def f():\n    async with x as y:\n        await z\n    yield 1",
        "match df:\n    case [a, *b]:\n        pass\n    case _:\n        pass",
        "try:\n    raise X\nexcept* ValueError:\n    pass",
    ],
)
def test_what_would_take_forever_or_fail_does_neither(text):
    found = analyse(READ, text, "print(1)", "pd.read_parquet('in.parquet')[['a']].to_parquet('out.parquet')", seconds=2)
    assert ("a", "a", "derived", "static") in edges(found) or found.notes


def test_the_time_is_bounded_and_said():
    body = "\n".join(f"x{at} = [df.assign(z=df.a + i) for i in range(1000)]" for at in range(200))
    found = analyse(READ, body, "df.to_parquet('out.parquet')", seconds=0.3)
    assert any("took too long" in note for note in found.notes)


def test_injected_values_win_over_the_defaults_of_the_parameters_cell():
    found = analyse(
        "upstream = ['clean']\nproduct = None\nrate = 1",
        "import pandas as pd\ndf = pd.read_parquet(upstream['clean'])\ndf['d'] = df.a * rate\ndf.to_parquet(product['out'])",
        values={"upstream": {"clean": "in.parquet"}, "product": {"nb": "x.ipynb", "out": "out.parquet"}, "rate": 3},
    )
    assert found.parameters["out.parquet"] == ("product", "rate", "upstream")
    assert found.parameters["out.parquet.d"] == ("rate", "upstream")


_WORDS = [
    "df",
    "a",
    "'a'",
    "[",
    "]",
    "(",
    ")",
    ".",
    ",",
    "=",
    "+",
    "lambda d:",
    "for x in",
    "if",
    ":",
    "\n",
    "\n    ",
    "groupby",
    "merge",
    "1",
    "*",
    "**",
]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.one_of(st.sampled_from(_WORDS), st.text(string.printable, max_size=4)), max_size=30).map(" ".join))
def test_garbage_is_answered(text):
    found = analyse(READ, text, "df2 = pd.read_parquet('in.parquet')\ndf2[['a']].to_parquet('o')", seconds=5)
    assert any(e.target == "o" for e in found.edges) or found.notes


_METHODS = [
    "merge",
    "groupby",
    "assign",
    "query",
    "melt",
    "pivot_table",
    "apply",
    "agg",
    "join",
    "rename",
    "drop",
    "select",
    "filter",
    "loc",
    "rolling",
    "explode",
]
_ARGUMENTS = [
    "df",
    "'a'",
    "['a', 'b']",
    "None",
    "lambda d: d",
    "{'a': 'b'}",
    "df.a",
    "df['a'] > 1",
    "1",
    "on='a'",
    "axis=1",
    "*df",
    "**df",
    "columns=df",
]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(
        ["pandas.read_parquet", "polars.read_parquet", "duckdb.read_parquet", "ibis.read_parquet", "pyarrow.parquet.read_table"]
    ),
    st.lists(st.tuples(st.sampled_from(_METHODS), st.lists(st.sampled_from(_ARGUMENTS), max_size=3)), min_size=1, max_size=4),
)
def test_methods_with_arguments_of_any_kind_are_answered(reader, calls):
    chain = "".join(f".{name}({', '.join(sorted(given, key=lambda a: '=' in a or a.startswith('*')))})" for name, given in calls)
    found = analyse(
        f"import {reader.rsplit('.', 1)[0]}\ndf = {reader}('in.parquet')\nx = df{chain}\ndf.to_parquet('out.parquet')"
    )
    assert not any("not followed (" in note for note in found.notes), found.notes


@pytest.mark.parametrize("pattern", [r"(a+)+$", r"(a|a)*b", r"a*a*a*a*a*b", r"a{1,150}a{1,150}a{1,150}b", "(", r"\\"])
def test_patterns_that_take_long_or_are_none_widen(pattern):
    found = analyse(
        "import re\nimport pandas as pd\ndf = pd.read_parquet('in.parquet')\n"
        f"df.columns = [re.sub(r'{pattern}', 'x', 'a' * 150 + 'c') for name in df.columns]\ndf.to_parquet('out.parquet')"
    )
    assert any(edge.source == "in.parquet" and edge.target == "out.parquet" for edge in found.edges)
