"""Why an incident came about: candidates, and how they are ranked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbops.history.causes import CodeOf, CommitOf, Facts, InputLook, SegmentFound, causes_of
from nbops.history.causes.codediff import changes_of
from nbops.history.causes.differing import columns_between
from nbops.history.causes.focus import moved_by
from nbops.history.causes.statements import slice_of, statements_of
from nbops.model import (
    CellRun,
    CellTable,
    Column,
    ColumnEdge,
    Dataset,
    Environment,
    Incident,
    IncidentFinding,
    LineageEdge,
    Measurement,
    Run,
    RunError,
    TaskLineage,
    TaskRun,
)

CELLS = (
    (0, "import pandas as pd\nimport tinyfx"),
    (1, 'sales = pd.read_csv("in.csv")'),
    (2, 'sales = sales[sales["quantity"] >= least]'),
    (3, 'sales["amount"] = sales["price"] * factor'),
    (4, 'sales["slug"] = sales["name"].str.lower()'),
    (5, 'sales.to_parquet(product["data"])'),
)


def _dataset(name: str = "orders", *, mean: float = 5.0, content: str = "a", nulls: int = 0, rows: int = 100) -> Dataset:
    measured = (
        Measurement(metric="nullValues", column="amount", value=nulls),
        Measurement(metric="mean", column="amount", value=mean),
        Measurement(metric="standardDeviation", column="amount", value=1.0),
    )
    return Dataset(
        name=name, task="load", path=f"{name}.parquet", format="parquet", rows=rows, content_hash=content, measurements=measured
    )


def _run(run_id: str, *, item: Dataset, recipe: dict[str, Any] | None = None, **more: Any) -> Run:
    base: dict[str, Any] = {"code": "k", "parameters": {}, "files": {"in.csv": "f"}, "modules": {}, "packages": {"tinyfx": "1.0"}}
    edges = tuple(
        ColumnEdge(
            source=source, source_column=column, target="orders", target_column=target, kind="derived", how="static", cells=cells
        )
        for source, column, target, cells in (
            ("file:in.csv", "price", "amount", (1, 3)),
            ("parameter:factor", None, "amount", ()),
            ("file:in.csv", "name", "slug", (1, 4)),
        )
    )
    task = TaskRun(
        name="load",
        kind="notebook",
        status="succeeded",
        source="load.ipynb",
        fingerprint={**base, **(recipe or {})},
        parameters=more.pop("parameters", {"factor": 1, "least": 1}),
    )
    lineage = (
        LineageEdge(source="file:in.csv", target="task:load"),
        LineageEdge(source="task:load", target="dataset:orders", kind="writes"),
    )
    packages = {"tinyfx": (recipe or {}).get("packages", base["packages"])["tinyfx"]}
    return Run(
        id=run_id,
        status="succeeded",
        verdict="passed",
        pipeline="shop",
        command="nbops build",
        started_at="2026-11-22T19:41:56Z",
        environment=Environment(python="3.11", platform="Linux", nbops="0", packages=packages),
        tasks=(task,),
        datasets=(item,),
        lineage=lineage,
        column_lineage=(TaskLineage(task="load", edges=edges),),
        **more,
    )


GOOD = _run("20261122T194156Z-000001", item=_dataset())


def _incident(*keys: tuple[str, str | None]) -> Incident:
    findings = tuple(
        IncidentFinding(key=f"monitor:{metric}:dataset:orders:{metric}", kind="monitor", subject="dataset:orders", column=column)
        for metric, column in keys
    )
    return Incident(
        id="INC-1",
        title="",
        state="open",
        severity="warn",
        root="dataset:orders",
        opened_run="20261123T194156Z-000002",
        opened_at="",
        findings=findings,
    )


def _bad(**more: Any) -> Run:
    return _run("20261123T194156Z-000002", item=more.pop("item", _dataset(mean=50.0, content="b")), **more)


def _with(number: int, text: str) -> Facts:
    after = tuple((index, text if index == number else old) for index, old in CELLS)
    return Facts(code={"load": CodeOf(before=CELLS, after=after)})


MEAN = _incident(("mean", "amount"))


def test_a_changed_cell_that_makes_the_column_stands_first_with_its_commit() -> None:
    facts = replace(
        _with(3, 'sales["amount"] = sales["price"] * factor * 10'),
        commits=(CommitOf(commit="c" * 40, author="Ada", subject="more", files=("load.ipynb",)),),
    )
    found = causes_of(MEAN, _bad(recipe={"code": "k2"}), GOOD, facts)
    assert (found[0].kind, found[0].subject, found[0].cells[0], found[0].commit) == ("code", "task:load", 3, "c" * 40)
    assert any("Ada" in text for text in found[0].evidence)
    assert found[0].score > 0.9


def test_a_changed_cell_of_another_column_stands_below_the_input_that_changed() -> None:
    facts = _with(4, 'sales["slug"] = sales["name"].str.upper()')
    found = causes_of(MEAN, _bad(recipe={"code": "k2", "files": {"in.csv": "g"}}), GOOD, facts)
    assert [one.kind for one in found][:2] == ["input", "code"]
    assert found[1].score < 0.1


def test_a_renamed_variable_is_no_cause() -> None:
    after = tuple(
        (index, text.replace("sales =", "s =").replace("sales[", "s[").replace("sales.", "s.")) for index, text in CELLS
    )
    facts = Facts(code={"load": CodeOf(before=CELLS, after=after)})
    found = causes_of(MEAN, _bad(recipe={"code": "k2", "packages": {"tinyfx": "2.0"}}), GOOD, facts)
    assert changes_of(facts.code["load"]) == ()
    assert next(one for one in found if one.kind == "code").score < 0.1


def test_the_parameter_that_reaches_the_column_stands_above_the_one_that_does_not() -> None:
    recipe = {"parameters": {"factor": "x", "label": "y"}}
    code = Facts(code={"load": CodeOf(before=CELLS, after=CELLS)})
    bad = _bad(recipe=recipe, parameters={"factor": 7, "least": 1, "label": "b"})
    found = causes_of(MEAN, bad, GOOD, code)
    assert found[0].subject == "parameter:factor"
    assert "from 1 to 7" in found[0].message
    assert next(one for one in found if one.subject == "parameter:label").score < 0.1


def test_a_package_counts_where_the_cell_that_makes_the_column_uses_it() -> None:
    cells = tuple((i, 'sales["amount"] = tinyfx.convert(sales["price"])' if i == 3 else text) for i, text in CELLS)
    elsewhere = tuple((i, 'sales["slug"] = tinyfx.slug(sales["name"])' if i == 4 else text) for i, text in CELLS)
    bad = _bad(recipe={"packages": {"tinyfx": "2.0"}})
    near = causes_of(MEAN, bad, GOOD, Facts(code={"load": CodeOf(before=cells, after=cells)}))
    far = causes_of(MEAN, bad, GOOD, Facts(code={"load": CodeOf(before=elsewhere, after=elsewhere)}))
    assert near[0].kind == "package"
    assert near[0].score > 0.8
    assert far[0].kind == "unknown"


def test_what_an_input_shows_decides_between_it_and_a_changed_cell() -> None:
    recipe = {"code": "k2", "files": {"in.csv": "g"}}
    facts = _with(3, 'sales["amount"] = (sales["price"] * factor).round(2)')
    shows = replace(facts, inputs={"in.csv": InputLook(same=True, text="in.csv: price moved")})
    hides = replace(facts, inputs={"in.csv": InputLook(same=False, text="in.csv: as before")})
    assert causes_of(MEAN, _bad(recipe=recipe), GOOD, shows)[0].kind == "input"
    assert causes_of(MEAN, _bad(recipe=recipe), GOOD, hides)[0].kind == "code"


def test_a_segment_stands_above_the_input_that_brought_it_and_below_code() -> None:
    segment = SegmentFound(
        dataset="orders", column="amount", conditions=(("country", "EIRE"),), explained=0.98, share=0.1, text="98 % have EIRE"
    )
    incident = _incident(("nullRate", "amount"))
    item = _dataset(nulls=30, content="b")
    brought = causes_of(incident, _bad(item=item, recipe={"files": {"in.csv": "g"}}), GOOD, Facts(segments=(segment,)))
    assert [one.kind for one in brought[:2]] == ["segment", "input"]
    made = replace(_with(3, 'sales.loc[sales["country"] == "EIRE", "amount"] = None'), segments=(segment,))
    assert causes_of(incident, _bad(item=item, recipe={"code": "k2"}), GOOD, made)[0].kind == "code"


def test_a_failed_task_is_compared_by_what_it_was_about_to_use() -> None:
    bad = _bad()
    task = replace(bad.tasks[0], status="failed", attempted={**bad.tasks[0].fingerprint, "files": {"in.csv": "g"}})
    found = causes_of(MEAN, replace(bad, tasks=(task,)), GOOD)
    assert (found[0].kind, found[0].subject) == ("input", "file:in.csv")


def test_without_any_change_the_cause_is_unknown_and_without_a_good_run_too() -> None:
    assert causes_of(MEAN, _bad(), GOOD)[0].kind == "unknown"
    assert causes_of(MEAN, _bad(), None)[0].kind == "unknown"
    assert causes_of(_incident(), _bad(), GOOD) == ()


@pytest.mark.parametrize("text", ["%%sql\nselect amount as a from x where b", "%matplotlib inline\nx = 1", "def f(:", "", "\0"])
def test_cells_of_any_kind_are_read(text: str) -> None:
    found = statements_of([(0, text)])
    assert all(item.cell == 0 for item in found)


@given(st.lists(st.text(max_size=60), max_size=5))
def test_no_text_breaks_the_reading(texts: list[str]) -> None:
    cells = list(enumerate(texts))
    found = slice_of(statements_of(cells), {"amount": 1.0}, rows=0.9)
    assert all(0 <= strength <= 1 for strength in found.strengths)
    assert changes_of(CodeOf(before=tuple(cells), after=tuple(cells))) == ()


def test_a_difference_below_a_keyword_is_about_its_column() -> None:
    old, new = (
        statements_of([(0, f'r = o.groupby("d").agg(amount=("amount", "{one}"), tax=("tax", "{other}"))')])[0]
        for one, other in (("sum", "sum"), ("sum", "mean"))
    )
    assert columns_between(old, new) == {"tax"}


def test_a_query_is_about_the_columns_that_are_selected_otherwise() -> None:
    old, new, other = (
        statements_of([(0, f"%%sql\nSELECT country, sum(a) AS amount, {tax} AS tax FROM sales WHERE {where} GROUP BY 1")])[0]
        for tax, where in (("sum(t)", "b"), ("sum(t, 2)", "b"), ("sum(t)", "c"))
    )
    assert columns_between(old, new) == {"tax"}
    assert columns_between(old, other) is None


def test_a_name_is_used_for_the_column_that_it_stands_beside() -> None:
    cells = [(0, 'o = o.assign(amount=o["a"] * factor, tax=o["a"] * rate)'), (1, 'o.to_parquet("o")')]
    found = slice_of(statements_of(cells), {"amount": 1.0}, rows=0.35)
    assert found.using({"factor"})[0] == pytest.approx(1.0)
    assert found.using({"rate"})[0] < 0.1


def test_a_table_of_thousands_of_columns_is_ranked() -> None:
    names = [f"c{number}" for number in range(5_000)]

    def wide(content: str, value: float) -> Dataset:
        found = [Measurement(metric="nullValues", column=name, value=0) for name in names]
        found += [Measurement(metric="mean", column=name, value=value) for name in names]
        columns = tuple(Column(name=name, physical_type="DOUBLE") for name in names)
        return Dataset(
            name="orders",
            task="load",
            path="o",
            format="parquet",
            rows=9,
            content_hash=content,
            columns=columns,
            measurements=tuple(found),
        )

    good = _run("20261122T194156Z-000001", item=wide("a", 1.0))
    edges = tuple(
        ColumnEdge(
            source="file:in.csv",
            source_column=name,
            target="orders",
            target_column=name,
            kind="derived",
            how="static",
            cells=(1,),
        )
        for name in names
    )
    bad = replace(
        _bad(item=wide("b", 9.0), recipe={"code": "k2", "files": {"in.csv": "g"}}),
        column_lineage=(TaskLineage(task="load", edges=edges),),
    )
    found = causes_of(_incident(*(("mean", name) for name in names[:40])), bad, good, _with(4, 'sales["slug"] = 1'))
    assert (found[0].kind, found[1].kind) == ("input", "code")


def test_a_variable_within_a_query_is_used() -> None:
    cells = [(0, 'o = pd.read_csv("i").query("price > @least").assign(b=1)'), (1, 'o.to_parquet("o")')]
    found = slice_of(statements_of(cells), {}, rows=0.9)
    assert found.using({"least"}) == (0.9, (0,))


def _numbers(**values: float) -> Dataset:
    measured = tuple(Measurement(metric=name, column="amount", value=value) for name, value in values.items())
    return replace(_dataset(content=str(sorted(values.items()))), measurements=measured)


def test_sums_that_were_added_up_in_another_order_did_not_move() -> None:
    before = {"nullValues": 0, "mean": 4.68972501, "standardDeviation": 3.5, "minimum": 0.9, "maximum": 35.8}
    was = _numbers(**before, distinctValues=2022)
    assert moved_by(was, _numbers(**{**before, "mean": 4.689725010000004}, distinctValues=2021), "amount", "values") == 0.0
    assert moved_by(was, _numbers(**before, distinctValues=1500), "amount", "values") != 0.0
    assert moved_by(was, _numbers(**{**before, "mean": 4.6898}, distinctValues=2022), "amount", "values") != 0.0


QUERY = "SELECT city, sum(kwh) AS kwh, max(minutes) AS longest FROM sessions WHERE plug = 'DC' GROUP BY city"


@pytest.mark.parametrize("form", ["%%sql\n{}", 'q = """{}"""'])
@pytest.mark.parametrize(
    ("other", "differs"),
    [
        (QUERY.replace("SELECT", "select\n ").replace("FROM", "from").replace("GROUP BY", "-- each\ngroup  by"), False),
        (QUERY.replace("'DC'", "'dc'"), True),
        (QUERY.replace("sum", "avg"), True),
    ],
)
def test_sql_in_other_letters_and_lines_is_the_same_but_not_what_is_quoted(form: str, other: str, differs: bool) -> None:
    code = CodeOf(before=((0, form.format(QUERY)),), after=((0, form.format(other)),))
    assert bool(changes_of(code)) is differs


@pytest.mark.parametrize(
    "text",
    [
        f"%%sql\n{QUERY.replace('sessions', '(SELECT * FROM rows)')}",
        f'u = c.execute("""{QUERY}""").df()',
        'u = s.groupby("city").agg(kwh=("kwh", "sum"), longest=("minutes", "max"))',
    ],
)
def test_of_a_statement_that_makes_several_columns_only_what_is_for_one_of_them_counts(text: str) -> None:
    found = slice_of(statements_of([(0, text)]), {"kwh": 1.0}, rows=0.3)
    assert "minutes" not in found.columns
    assert "longest" not in found.columns
    assert "city" in found.columns


COMPUTED = (
    (0, "import pandas as pd\nimport tinyfx"),
    (1, 't = pd.read_csv("in.csv")'),
    (2, 't["celsius"] = tinyfx.celsius(t["price"])'),
    (3, 'w = t.resample("D")["celsius"].agg(["mean"]).add_suffix("_c")'),
    (4, 'w["label"] = tinyfx.words(t["name"])'),
    (5, 'w.to_parquet(product["data"])'),
)


def _computed(run: Run, mean: float, content: str) -> Run:
    edge = ColumnEdge(
        source="file:in.csv",
        source_column="price",
        target="orders",
        target_column="mean_c",
        kind="derived",
        how="assumed",
        cells=(1, 2, 3),
    )
    measured = (
        Measurement(metric="mean", column="mean_c", value=mean),
        Measurement(metric="nullValues", column="mean_c", value=0),
    )
    columns = tuple(Column(name=name, physical_type="DOUBLE") for name in ("mean_c", "label"))
    item = replace(_dataset(content=content), columns=columns, measurements=measured)
    return replace(run, datasets=(item,), column_lineage=(TaskLineage(task="load", edges=(edge,)),))


def test_a_column_whose_name_no_code_spells_comes_by_the_way_that_lineage_tells() -> None:
    bad = _computed(_bad(recipe={"packages": {"tinyfx": "2.0"}}), 50.0, "b")
    good = _computed(GOOD, 5.0, "a")
    found = causes_of(_incident(("mean", "mean_c")), bad, good, Facts(code={"load": CodeOf(before=COMPUTED, after=COMPUTED)}))
    assert (found[0].kind, found[0].score > 0.6) == ("package", True)
    # where the package serves other columns only, it is none
    other = tuple((i, 't["celsius"] = t["price"] / 2' if i == 2 else text) for i, text in COMPUTED)
    found = causes_of(_incident(("mean", "mean_c")), bad, good, Facts(code={"load": CodeOf(before=other, after=other)}))
    assert found[0].kind == "unknown"


MODULE = """
class Gate:
    def plausible(self, frame):
        return frame[frame["price"] > {least}]

    def __str__(self):
        return "{words}"

    def unused(self):
        return {number}
"""


@pytest.mark.parametrize(
    ("changed", "likely"),
    [({"least": 5}, True), ({"words": "other"}, False), ({"number": 2}, False)],
)
def test_of_a_class_the_methods_count_that_changed(changed: dict[str, Any], likely: bool) -> None:
    texts = [MODULE.format(**{"least": 0, "words": "a gate", "number": 1, **more}) for more in ({}, changed)]
    cells = (
        (0, "import pandas as pd\n\nfrom gate import Gate"),
        (1, 'sales = pd.read_csv("in.csv")'),
        (2, "gate = Gate()\nsales = sales.pipe(gate.plausible)"),
        (3, 'sales.to_parquet(product["data"])'),
    )
    facts = Facts(
        code={"load": CodeOf(before=cells, after=cells)},
        modules={"gate.py": CodeOf(before=((0, texts[0]),), after=((0, texts[1]),))},
    )
    good = replace(GOOD, tasks=(replace(GOOD.tasks[0], fingerprint={**GOOD.tasks[0].fingerprint, "modules": {"gate.py": "a"}}),))
    bad = _bad(recipe={"modules": {"gate.py": "b"}}, item=replace(_dataset(content="b"), rows=50))
    found = causes_of(_incident(("rowCount", None)), bad, good, facts)
    assert (found[0].subject == "file:gate.py") is likely


def test_a_module_that_names_a_column_makes_it_where_the_notebook_does_not() -> None:
    cells = (
        (0, "import pandas as pd\n\nfrom geo import places"),
        (1, 'sales = pd.read_csv("in.csv")'),
        (2, 'sales = pd.concat([sales, places(sales["point"])], axis=1)'),
        (3, 'sales.to_parquet(product["data"])'),
    )
    texts = [
        f'def places(points):\n    return points.str.extract(r"{way}")'
        for way in ("(?P<amount>.) (?P<b>.)", "(?P<b>.) (?P<amount>.)")
    ]
    facts = Facts(
        code={"load": CodeOf(before=cells, after=cells)},
        modules={"geo.py": CodeOf(before=((0, texts[0]),), after=((0, texts[1]),))},
        inputs={"in.csv": InputLook(text="in.csv: as many rows")},
    )
    good = replace(GOOD, tasks=(replace(GOOD.tasks[0], fingerprint={**GOOD.tasks[0].fingerprint, "modules": {"geo.py": "a"}}),))
    found = causes_of(MEAN, _bad(recipe={"modules": {"geo.py": "b"}, "files": {"in.csv": "g"}}), good, facts)
    assert next(one.score for one in found if one.subject == "file:geo.py") > 0.7


def test_rows_that_were_only_added_to_an_input_are_less_likely_where_no_rows_came_of_them() -> None:
    recipe = {"files": {"in.csv": "g"}, "parameters": {"factor": "x"}}
    bad = _bad(recipe=recipe, parameters={"factor": 7, "least": 1})
    code = _with(3, CELLS[3][1])
    looks = {
        more: replace(code, inputs={"in.csv": InputLook(same=True, text="in.csv: moved", more=more)}) for more in (True, False)
    }
    assert causes_of(MEAN, bad, GOOD, looks[False])[0].kind == "input"
    assert causes_of(MEAN, bad, GOOD, looks[True])[0].kind == "parameter"
    grown = replace(bad, datasets=(replace(bad.datasets[0], rows=130),))
    assert causes_of(MEAN, grown, GOOD, looks[True])[0].kind == "input"


def test_files_of_a_folder_are_looked_at_as_one_candidate() -> None:
    paths = [f"in/{number}.csv" for number in range(6)]
    good, bad = (
        replace(
            run, tasks=(replace(run.tasks[0], fingerprint={**run.tasks[0].fingerprint, "files": dict.fromkeys(paths, run.id)}),)
        )
        for run in (GOOD, _bad())
    )
    none = {path: InputLook(same=False, text=f"{path}: as before") for path in paths}
    scores = [
        next(one.score for one in causes_of(MEAN, bad, good, Facts(inputs=looks)) if one.kind == "input")
        for looks in (none, {paths[0]: none[paths[0]]}, {**none, paths[3]: InputLook(same=True, text="it moved")})
    ]
    assert scores[0] == scores[1]
    assert scores[2] > 2 * scores[0]


def test_an_input_that_was_only_seen_to_be_read_is_one_also_where_the_task_failed() -> None:
    observed = {"in/a.csv": "f", "in/b.csv": "f"}
    good = replace(GOOD, tasks=(replace(GOOD.tasks[0], fingerprint={**GOOD.tasks[0].fingerprint, "observed": observed}),))
    task = replace(GOOD.tasks[0], status="failed", attempted=GOOD.tasks[0].fingerprint)
    failed = IncidentFinding(key="task:load", kind="task", subject="task:load")
    incident = replace(_incident(), findings=(failed,))
    commit = CommitOf(commit="c" * 40, author="Ada", subject="a field renamed", files=("in/b.csv", "README.md"))
    found = causes_of(incident, replace(_bad(), tasks=(task,)), good, Facts(commits=(commit,)))
    assert (found[0].kind, found[0].subject) == ("input", "file:in/b.csv")
    assert "in/a.csv" not in str(found)
    assert causes_of(incident, replace(_bad(), tasks=(task,)), good)[0].kind == "unknown"


def test_what_a_parameter_has_to_do_with_a_task_that_failed_is_said_of_the_task() -> None:
    edge = ColumnEdge(
        source="parameter:factor",
        source_column=None,
        target="raw",
        target_column="price",
        kind="derived",
        how="static",
        cells=(1,),
    )
    ingest = TaskRun(
        name="ingest", kind="notebook", status="succeeded", source="ingest.ipynb", fingerprint={"parameters": {"factor": "x"}}
    )
    raw = replace(_dataset("raw"), task="ingest")
    lineage = TaskLineage(task="ingest", edges=(edge,))
    load = replace(GOOD.tasks[0], upstream=("ingest",), status="failed", attempted=GOOD.tasks[0].fingerprint)
    reads = (LineageEdge(source="task:ingest", target="dataset:raw"), LineageEdge(source="dataset:raw", target="task:load"))

    def with_ingest(run: Run, *tasks: TaskRun, factor: int) -> Run:
        return replace(
            run, tasks=tasks, datasets=(*run.datasets, raw), parameters={"factor": factor}, lineage=(*run.lineage, *reads),
            column_lineage=(*run.column_lineage, lineage),
        )  # fmt: skip

    failed = IncidentFinding(key="task:load", kind="task", subject="task:load")
    incident = replace(_incident(), findings=(failed,))
    good = with_ingest(GOOD, replace(ingest, fingerprint={"parameters": {"factor": "y"}}), GOOD.tasks[0], factor=1)
    found = causes_of(incident, with_ingest(_bad(), ingest, load, factor=7), good)
    [factor] = [one for one in found if one.subject == "parameter:factor"]
    assert "lineage leads from it to load" in factor.evidence


def test_a_segment_stands_above_an_input_of_which_all_speaks() -> None:
    segment = SegmentFound(
        dataset="orders", column=None, conditions=(("country", "EIRE"),), explained=1.0, share=0.1, text="100 % have EIRE"
    )
    shown = tuple((CellRun(index=1, tables=(CellTable(name="sales", rows=rows, columns=3),)),) for rows in (100, 90))
    facts = Facts(
        segments=(segment,),
        inputs={"in.csv": InputLook(same=True, text="in.csv: 100 rows, 90 now")},
        code=_with(1, 'sales = pd.read_csv("in.csv", dtype="string")').code,
        cells={"load": (shown[0], shown[1])},
    )
    item = replace(_dataset(content="b"), rows=90)
    found = causes_of(
        _incident(("rowCount", None)), _bad(item=item, recipe={"code": "k2", "files": {"in.csv": "g"}}), GOOD, facts
    )
    assert found[1].score >= 0.98
    assert [one.kind for one in found[:2]] == ["segment", "input"]


def test_what_moved_upstream_says_where_and_stands_below_what_says_why() -> None:
    def with_raw(run: Run, mean: float) -> Run:
        raw = replace(_dataset("raw", mean=mean, content=str(mean)), task="fetch")
        edge = ColumnEdge(
            source="raw",
            source_column="amount",
            target="orders",
            target_column="amount",
            kind="derived",
            how="static",
            cells=(1, 3),
        )
        lineage = (
            LineageEdge(source="dataset:raw", target="task:load", kind="reads"),
            LineageEdge(source="task:fetch", target="dataset:raw", kind="writes"),
            *run.lineage,
        )
        fetch = TaskRun(name="fetch", kind="notebook", status="succeeded", source="fetch.ipynb", fingerprint={"code": "f"})
        return replace(
            run,
            datasets=(*run.datasets, raw),
            tasks=(fetch, replace(run.tasks[0], upstream=("fetch",))),
            lineage=lineage,
            column_lineage=(TaskLineage(task="load", edges=(edge,)),),
        )

    recipe = {"parameters": {"factor": "x"}, "packages": {"tinyfx": "1.1"}}
    bad = with_raw(_bad(recipe=recipe, parameters={"factor": 7, "least": 1}), 50.0)
    found = causes_of(MEAN, bad, with_raw(GOOD, 5.0))
    assert [one.kind for one in found[:3]] == ["parameter", "upstream", "package"]
    assert 0.1 <= found[0].score < 0.3


def test_a_function_of_a_package_is_no_column_of_the_same_name() -> None:
    text = 'sales["energy"] = tinyfx.amount(sales["price"])'
    cells = (*CELLS[:3], (3, text), (4, 'sales["amount"] = sales["energy"] + 1'), CELLS[5])
    columns = tuple(Column(name=name, physical_type="DOUBLE") for name in ("amount", "energy"))

    def moved(run: Run, mean: float) -> Run:
        found = [Measurement(metric="mean", column=name, value=mean) for name in ("amount", "energy")]
        item = replace(run.datasets[0], columns=columns, measurements=tuple(found))
        return replace(run, datasets=(item,))

    bad, good = moved(_bad(recipe={"packages": {"tinyfx": "2.0"}}), 50.0), moved(GOOD, 5.0)
    near, far = (
        causes_of(_incident(("mean", "energy")), bad, good, Facts(code={"load": CodeOf(before=code, after=code)}))
        for code in (cells, tuple((i, c.replace("tinyfx.amount(", 'tinyfx.x(sales["amount"], ')) for i, c in cells))
    )
    assert near[0].kind == far[0].kind == "package"
    assert near[0].score > far[0].score


def _failed(number: int, text: str, *, error: RunError, **more: Any) -> list[tuple[str, str | None, float]]:
    """Causes of a task that failed in a cell which was written anew, while a parameter was changed, too."""
    recipe = {"code": "other", "parameters": {"least": 7}}
    bad = _bad(recipe=recipe, parameters={"factor": 1, "least": 7})
    task = replace(bad.tasks[0], status="failed", attempted=bad.tasks[0].fingerprint, fingerprint={}, error=error)
    incident = replace(_incident(), findings=(IncidentFinding(key="task:load", kind="task", subject="task:load"),))
    found = causes_of(incident, replace(bad, tasks=(task,), datasets=()), GOOD, _with(number, text))
    return [(one.kind, one.subject, one.score) for one in found]


RAISED = RunError(kind="ValueError", message="the factor is not what it was", task="load", cell=3)
GUARDED = 'sales["amount"] = sales["price"] * factor\n'


@pytest.mark.parametrize(
    "text",
    [
        'raise ValueError("the factor is not what it was")',
        'if factor:\n    raise ValueError("the factor is not what it was")',
        'if factor:\n    raise ValueError(f"the {word} is not what it was") from None',
        "for one in [factor]:\n    raise ValueError(told)",
    ],
)
def test_what_the_failing_cell_raises_anew_stands_above_a_parameter_that_was_changed(text: str) -> None:
    (first, second, *_) = _failed(3, GUARDED + text, error=RAISED)
    assert first[:2] == ("code", "task:load")
    assert second[:2] == ("parameter", "parameter:least")
    assert first[2] > second[2]


def test_an_assertion_that_is_new_where_it_fails_is_the_cause() -> None:
    error = replace(RAISED, kind="AssertionError", message="")
    assert _failed(3, GUARDED + "assert factor == 2", error=error)[0][:2] == ("code", "task:load")


@pytest.mark.parametrize(
    ("number", "text", "error"),
    [
        pytest.param(3, 'raise KeyError("the factor is not what it was")', RAISED, id="it raises something else"),
        pytest.param(3, 'raise ValueError("no rows")', RAISED, id="it says something else"),
        pytest.param(4, 'raise ValueError("the factor is not what it was")', RAISED, id="it stands in a later cell"),
        pytest.param(3, "assert factor == 2", RAISED, id="an assertion, and no AssertionError"),
    ],
)
def test_what_did_not_raise_the_error_is_weighed_as_any_change(number: int, text: str, error: RunError) -> None:
    added = _failed(number, dict(CELLS)[number] + "\n" + text, error=error)
    assert max([one[2] for one in added if one[0] == "code"], default=0.0) < 0.6
