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
from nbops.history.causes.statements import slice_of, statements_of
from nbops.model import (
    Column,
    ColumnEdge,
    Dataset,
    Environment,
    Incident,
    IncidentFinding,
    LineageEdge,
    Measurement,
    Run,
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
