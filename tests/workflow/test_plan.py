"""Why a task runs: one reason for each kind of change, none when nothing changed."""

from __future__ import annotations

import pytest

from nbops.workflow.plan import reasons_to_run

RECIPE = {
    "code": "c",
    "parameters": {"n": "1"},
    "files": {"data/raw.csv": "f"},
    "modules": {"lib.py": "m"},
    "packages": {"python": "3.11", "pandas": "2.3.3 (pinned 2.3.3)"},
    "products": {"data": "output/x.parquet"},
}
UPSTREAM = {"load.data": "u"}
OUTPUTS = {"data": "o"}
BEFORE = {**RECIPE, "upstream": UPSTREAM, "outputs": OUTPUTS}


def reasons(*, recipe=RECIPE, upstream=UPSTREAM, outputs=OUTPUTS, before=BEFORE, forced=False):
    return reasons_to_run(before=before, recipe=recipe, upstream=upstream, outputs=outputs, forced=forced)


def test_nothing_changed():
    assert reasons() == ()


def test_never_ran_and_forced():
    assert reasons(before=None) == ("it never ran successfully here",)
    assert reasons(forced=True) == ("forced",)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"recipe": {**RECIPE, "code": "d"}}, "its code changed"),
        ({"recipe": {**RECIPE, "parameters": {"n": "2"}}}, "parameter n changed"),
        ({"recipe": {**RECIPE, "parameters": {}}}, "parameter n is gone"),
        ({"recipe": {**RECIPE, "parameters": {"n": "1", "m": "1"}}}, "parameter m is new"),
        ({"upstream": {"load.data": "v"}}, "upstream data load.data changed"),
        ({"recipe": {**RECIPE, "files": {"data/raw.csv": "g"}}}, "input file data/raw.csv changed"),
        ({"recipe": {**RECIPE, "modules": {"lib.py": "n"}}}, "module lib.py changed"),
        (
            {"recipe": {**RECIPE, "packages": {"python": "3.11", "pandas": "2.3.3 (pinned 2.3.2)"}}},
            "package pandas: 2.3.3 (pinned 2.3.3) became 2.3.3 (pinned 2.3.2)",
        ),
        ({"outputs": {"data": None}}, "product output/x.parquet is missing"),
        ({"outputs": {"data": "p"}}, "product output/x.parquet was changed by something else"),
        ({"recipe": {**RECIPE, "products": {"data": "output/y.parquet"}}}, "its products were declared differently"),
    ],
)
def test_each_kind_of_change_is_named(change, said):
    assert reasons(**change) == (said,)


def test_files_that_were_read_without_saying_so():
    before = {**BEFORE, "observed": {"data/seen.csv": "s"}}

    def found(now, recipe=RECIPE):
        given = {"recipe": recipe, "upstream": UPSTREAM, "outputs": OUTPUTS, "forced": False}
        return reasons_to_run(before=before, observed=now, **given)

    assert found({"data/seen.csv": "s"}) == ()
    assert found({"data/seen.csv": "t"}) == ("undeclared input file data/seen.csv changed",)
    assert found({"data/seen.csv": None}) == ("undeclared input file data/seen.csv is gone",)
    declared = {**RECIPE, "files": {**RECIPE["files"], "data/seen.csv": "s"}}
    assert found({"data/seen.csv": "s"}, declared) == (), "declaring a file changes nothing"
    declared["files"]["data/seen.csv"] = "t"
    assert found({"data/seen.csv": "t"}, declared) == ("input file data/seen.csv changed",)


def test_many_changes_are_bounded():
    recipe = {**RECIPE, "files": {f"data/{number}.csv": "x" for number in range(300)}}
    found = reasons(recipe=recipe)
    assert len(found) <= 8
    assert any("more changes of kind 'input file'" in reason for reason in found)
