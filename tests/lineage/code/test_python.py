"""Python around the tables: paths, parameters, branches, functions, classes, files; and what is told of them."""

from __future__ import annotations

import subprocess
import sys

from nbops.lineage.code import analyse_code

READ = "import pandas as pd\nfrom pathlib import Path\nimport os, json\ndf = pd.read_csv('in.csv')\n"
SCHEMA = {"in.csv": ("a", "b", "c")}


def analyse(*cells, **more):
    return analyse_code(cells, schemas=more.pop("schemas", SCHEMA), **more)


def names(accesses):
    return [access.name for access in accesses]


def edges(found):
    return {(e.source_column, e.target_column, e.transformation) for e in found.edges}


def test_paths_are_put_together_in_every_usual_way():
    found = analyse(
        READ,
        "folder = Path('data') / 'out'\nname = 'x'\ndf.to_csv(folder / f'{name}.csv')",
        "df.to_csv(os.path.join('data', 'y' + '.csv'))\ndf.to_csv('data/%s.csv' % 'z')\ndf.to_csv('data/{}.csv'.format('w'))",
        "df.to_parquet(Path('./data/v.csv').with_suffix('.parquet'))\ndf.to_csv(str(folder.parent / 'u.csv'))",
    )
    assert names(found.writes) == ["data/out/x.csv", "data/y.csv", "data/z.csv", "data/w.csv", "data/v.parquet", "data/u.csv"]


def test_a_part_of_a_path_that_is_not_known_is_a_star():
    found = analyse(READ, "import datetime\ndf.to_csv(f'data/{datetime.date.today()}.csv')")
    assert names(found.writes) == ["data/*.csv"]


def test_how_it_is_called_and_where():
    found = analyse(
        READ, "df.to_parquet('out.parquet')\nopen('notes.txt').read()\njson.dump({'n': len(df)}, open('n.json', 'w'))"
    )
    assert [(access.name, access.cell, access.call) for access in found.reads] == [
        ("in.csv", 0, "pandas.read_csv"),
        ("notes.txt", 1, "open"),
    ]
    assert [(access.name, access.cell, access.call) for access in found.writes] == [
        ("out.parquet", 1, "pandas.to_parquet"),
        ("n.json", 1, "json.dump"),
    ]


def test_a_file_written_under_another_name_first():
    found = analyse(READ, "half = Path('out.parquet.part')\ndf.to_parquet(half)\nhalf.replace('out.parquet')")
    assert names(found.writes) == ["out.parquet"]
    assert {e.target for e in found.edges} == {"out.parquet"}


def test_what_was_written_is_a_source_of_its_own_when_read_again():
    found = analyse(READ, "df[['a']].to_parquet('one.parquet')\npd.read_parquet('one.parquet').to_csv('two.csv', index=False)")
    assert {(e.source, e.source_column, e.target) for e in found.edges} == {
        ("in.csv", "a", "one.parquet"),
        ("one.parquet", "a", "two.csv"),
    }


def test_a_loop_writes_a_file_for_each():
    found = analyse(READ, "for name in ('a', 'b'):\n    df[[name]].to_csv(f'{name}.csv', index=False)")
    assert {(e.source_column, e.target, e.target_column) for e in found.edges} == {("a", "a.csv", "a"), ("b", "b.csv", "b")}


def test_a_known_parameter_chooses_the_branch():
    code = "if mode == 'x':\n    df['v'] = df.a\nelse:\n    df['v'] = df.b\ndf[['v']].to_csv('o.csv', index=False)"
    found = analyse(READ, code, values={"mode": "x"})
    assert edges(found) == {("a", "v", "identity")}
    assert found.parameters["o.csv.v"] == ("mode",)


def test_parameters_enter_through_texts_values_and_filters():
    found = analyse(
        READ,
        "import duckdb\ncut = limit * 2\nbig = df[df.a > cut]\nbig = big.assign(s=big.b + shift)",
        f"duckdb.sql({'f'}\"SELECT a, s FROM big WHERE b > {{least}}\").write_parquet('o.parquet')",
        values={"limit": 3, "shift": 1, "least": 2, "unused": 5},
    )
    assert found.parameters["o.parquet"] == ("least", "limit", "shift")
    assert "shift" in found.parameters["o.parquet.s"]
    assert all("unused" not in given for given in found.parameters.values())


def test_edges_tell_the_cells_on_the_way():
    found = analyse(READ, "unrelated = 1", "df['d'] = df['a'] + 1", "x = df.copy()", "x[['d', 'b']].to_csv('o.csv', index=False)")
    assert {(e.target_column, e.cells) for e in found.edges} == {("d", (0, 2, 4)), ("b", (0, 4))}


def test_what_each_cell_defines():
    found = analyse(READ, "df['d'] = 1\nn = 3", "x, y = df[['a']], 2\ndef f():\n    pass")
    assert found.cells[0].columns == {"df": ("a", "b", "c")}
    assert found.cells[1].variables == ("n",)
    assert found.cells[1].columns == {"df": ("d",)}
    assert found.cells[2].variables == ("x", "y")
    assert found.cells[2].columns == {"x": ("a",)}


def test_unknown_columns_pass_through_by_name_and_as_a_whole():
    found = analyse(READ, "df['d'] = df['a'] * 2\ndf.drop(columns='b').to_csv('o.csv', index=False)", schemas={})
    assert found.columns == {"o.csv": None}
    assert edges(found) == {("a", "d", "transformation"), (None, None, "identity")}


def test_a_table_of_constants_has_columns_and_no_edges():
    found = analyse("import pandas as pd\npd.DataFrame({'a': [1, 2]}).to_csv('o.csv', index=False)")
    assert found.columns == {"o.csv": ("a",)}
    assert found.edges == ()
    assert found.notes == ()


def test_aliases_are_one_frame_and_copies_are_not():
    found = analyse(
        READ, "x = df\ny = df.copy()\nx['d'] = x.a\ny['e'] = y.b\ndf.drop(columns=['a', 'b', 'c']).to_csv('o.csv', index=False)"
    )
    assert edges(found) == {("a", "d", "identity")}


def test_numpy_and_arrow_pass_columns_on():
    found = analyse(
        READ,
        "import numpy as np, pyarrow as pa, pyarrow.parquet as pq\nlog = np.log1p(df['a'].to_numpy())\nmean = np.mean(log)",
        "pq.write_table(pa.table({'log': pa.array(log), 'off': log - mean, 'c': df['c'].values}), 'o.parquet')",
    )
    assert edges(found) == {("a", "log", "transformation"), ("a", "off", "aggregation"), ("c", "c", "identity")}


def test_context_managers_and_writers():
    found = analyse(
        READ,
        "with pd.ExcelWriter('o.xlsx') as writer:\n    df[['a']].to_excel(writer, sheet_name='one', index=False)",
        "with open('o.csv', 'w') as file:\n    df[['b']].to_csv(file, index=False)",
    )
    assert {(e.source_column, e.target) for e in found.edges} == {("a", "o.xlsx"), ("b", "o.csv")}


def test_classes_with_state():
    found = analyse(
        READ,
        "class Step:\n    def __init__(self, column):\n        self.column = column\n    @property\n    def name(self):\n"
        "        return self.column + '_2'\n    def run(self, frame):\n"
        "        return frame.assign(**{self.name: frame[self.column] * 2})",
        "for step in (Step('a'), Step('b')):\n    df = step.run(df)\ndf[['a_2', 'b_2']].to_csv('o.csv', index=False)",
    )
    assert edges(found) == {("a", "a_2", "transformation"), ("b", "b_2", "transformation")}


def test_generators_and_reduce():
    found = analyse(
        READ,
        "from functools import reduce\ndef parts(frame):\n    for name in ('a', 'b'):\n"
        "        yield frame[[name, 'c']].rename(columns={name: 'v'})",
        "pd.concat(parts(df)).to_csv('o.csv', index=False)",
        "out = reduce(lambda l, r: l.merge(r, on='c'), [df[['a', 'c']], df[['b', 'c']]])\nout.to_csv('p.csv', index=False)",
    )
    assert {(e.source_column, e.target_column) for e in found.edges if e.target == "o.csv"} == {
        ("a", "v"),
        ("b", "v"),
        ("c", "c"),
    }
    assert {e.target_column for e in found.edges if e.target == "p.csv"} == {"a", "b", "c", None}


def test_a_database_is_read_and_written_by_its_relations():
    found = analyse(
        "import duckdb, pandas as pd\ncon = duckdb.connect('shop.duckdb')",
        "con.execute('CREATE TABLE daily AS SELECT day, sum(amount) AS total FROM orders GROUP BY day')",
        "pd.read_sql('SELECT day, total FROM daily', con).to_csv('o.csv', index=False)",
        schemas={"orders": ("day", "amount")},
    )
    told = {(e.source, e.source_column, e.target, e.target_column, e.transformation) for e in found.edges}
    assert ("orders", "amount", "daily", "total", "aggregation") in told
    assert ("daily", "total", "o.csv", "total", "identity") in told


def test_the_same_code_has_the_same_answer():
    cells = [READ, "x = df.groupby('a').agg(n=('b', 'sum'), m=('c', 'max')).reset_index()\nx.to_csv('o.csv', index=False)"]
    assert repr(analyse(*cells)) == repr(analyse(*cells))


def test_nothing_heavy_is_imported():
    heavy = ["pandas", "polars", "duckdb", "ibis", "numpy", "sqlglot", "pyarrow"]
    code = f"import nbops.lineage.code, sys; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_parameter_in_a_macro_enters_what_calls_it():
    found = analyse(
        READ,
        "import duckdb\nduckdb.execute(f'CREATE MACRO scaled(x) AS x * {rate}')",
        "duckdb.sql('SELECT scaled(a) AS s FROM df').write_parquet('o.parquet')",
        values={"rate": 3},
    )
    assert found.parameters["o.parquet"] == ("rate",)
    assert edges(found) == {("a", "s", "transformation")}
