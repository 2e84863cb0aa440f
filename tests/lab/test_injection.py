"""The injected cell: in on open, out on save."""

from __future__ import annotations

import ast
import copy
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbops.lab.injection import clean, code_for, inject, parameters_cell

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def _notebook(*cells: dict[str, Any], minor: int = 5, **metadata: Any) -> dict[str, Any]:
    return {"nbformat": 4, "nbformat_minor": minor, "metadata": metadata, "cells": list(cells)}


def _cell(source: str = "", *tags: str, **more: Any) -> dict[str, Any]:
    metadata = {"tags": list(tags)} if tags else {}
    return {
        "id": "x",
        "cell_type": "code",
        "execution_count": None,
        "metadata": metadata,
        "outputs": [],
        "source": source,
        **more,
    }


@given(_json)
def test_values_read_back_as_they_were(value: Any) -> None:
    statement = ast.parse(code_for({"value": value})).body[0]
    assert isinstance(statement, ast.Assign)
    assert ast.literal_eval(statement.value) == value


@pytest.mark.parametrize(
    "value", ["</script>", "'; DROP TABLE x; --", '"""', "\x00\x1b[31m", "\ud83d\ude00", "\u2028", "a\nb", "\\"]
)
def test_hostile_text_stays_text(value: str) -> None:
    namespace: dict[str, Any] = {}
    exec(code_for({"value": value}), namespace)
    assert namespace["value"] == value


def test_hostile_names_are_left_out() -> None:
    assert "import os" not in code_for({"a = 1; import os; b": 1})


def test_infinities() -> None:
    namespace: dict[str, Any] = {}
    exec(code_for({"values": [float("inf"), float("-inf"), float("nan")]}), namespace)
    assert [str(value) for value in namespace["values"]] == ["inf", "-inf", "nan"]


@pytest.mark.parametrize("minor", [4, 5])
def test_place_and_validity(minor: int) -> None:
    parameters = _cell("a = 1", "parameters")
    notebook = _notebook(_cell("first"), parameters, _cell("last"), minor=minor)
    if minor < 5:
        for cell in notebook["cells"]:
            del cell["id"]
    else:
        for index, cell in enumerate(notebook["cells"]):
            cell["id"] = f"c{index}"
    inject(notebook, {"a": 2})
    assert [cell["source"].splitlines()[-1] for cell in notebook["cells"]] == ["first", "a = 1", "a = 2", "last"]
    nbformat.validate(nbformat.from_dict(notebook))
    inject(notebook, {"a": 3})
    assert [cell["source"].splitlines()[-1] for cell in notebook["cells"]] == ["first", "a = 1", "a = 3", "last"]


def test_without_a_parameters_cell_it_goes_on_top() -> None:
    notebook = _notebook(_cell("first"))
    inject(notebook, {"a": 2})
    assert notebook["cells"][1]["source"] == "first"
    assert parameters_cell(notebook) is None


def test_other_languages_are_translated() -> None:
    assert "a = TRUE" in code_for({"a": True}, language="R")


@given(
    st.lists(st.tuples(st.text(), st.sampled_from(["", "parameters", "keep"])), max_size=5),
    st.dictionaries(st.from_regex("[a-z]+", fullmatch=True), _json),
)
def test_in_and_out_again_changes_nothing(cells: list[tuple[str, str]], values: dict[str, Any]) -> None:
    notebook = _notebook(*[_cell(source, *([tag] if tag else [])) for source, tag in cells])
    before = copy.deepcopy(notebook)
    inject(notebook, values)
    assert clean(notebook, root=None) == before
    assert clean(notebook, root=Path("/somewhere/shop")) == before


def test_what_papermill_and_timing_leave_is_dropped() -> None:
    dirty = _cell("x", papermill={})
    dirty["metadata"] = {"papermill": {"duration": 1.0}, "execution": {"iopub.status.busy": "2026"}, "tags": [], "name": "kept"}
    notebook = _notebook(
        dirty,
        _cell("y", "injected-parameters"),
        _cell("z", "debugging-settings"),
        papermill={"input_path": "/home/me/x.ipynb"},
        ploomber={"injected_manually": True},
        kernelspec={"name": "python3"},
    )
    cleaned = clean(notebook, root=Path("/srv/shop"))
    assert cleaned["metadata"] == {"kernelspec": {"name": "python3"}}
    assert [cell["metadata"] for cell in cleaned["cells"]] == [{"name": "kept"}]


def test_notebooks_outside_a_pipeline_are_left_alone() -> None:
    notebook = _notebook(_cell("y", "injected-parameters"), papermill={"input_path": "/home/me/x.ipynb"})
    assert clean(notebook, root=None) == notebook


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/srv/shop/output/a.csv", "output/a.csv"),
        ("open('/srv/shop')", "open('.')"),
        ("/srv/shopping/a.csv", "/srv/shopping/a.csv"),
        ("/srv/shop-2/a.csv", "/srv/shop-2/a.csv"),
        ("/mnt/srv/shop/a.csv", "/mnt/srv/shop/a.csv"),
        ("{home}/data", "~/data"),
        ("at {home}", "at ~"),
        ("https://example.org/srv/shop/x", "https://example.org/srv/shop/x"),
    ],
)
def test_paths_in_outputs(text: str, expected: str) -> None:
    text = text.replace("{home}", str(Path.home()))
    outputs = [
        {"output_type": "stream", "name": "stdout", "text": [text, "\n"]},
        {"output_type": "display_data", "data": {"text/plain": text, "text/html": [text], "image/png": text}, "metadata": {}},
        {"output_type": "error", "ename": "OSError", "evalue": text, "traceback": [text]},
    ]
    cleaned = clean(_notebook(_cell("x", outputs=outputs)), root=Path("/srv/shop"))["cells"][0]["outputs"]
    assert cleaned[0]["text"] == [expected, "\n"]
    assert cleaned[1]["data"] == {"text/plain": expected, "text/html": [expected], "image/png": text}
    assert (cleaned[2]["evalue"], cleaned[2]["traceback"]) == (expected, [expected])
