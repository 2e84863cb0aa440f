"""What passes at a glance passes nbformat's own check; what that refuses is refused."""

from __future__ import annotations

import subprocess
import sys
from copy import deepcopy
from typing import Any

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbformat.v4 import nbbase

from nbops.adapters.notebook_parts import _RIGHT, _SAID, _is_right

_GOOD: dict[str, dict[str, Any]] = {
    "code_cell": dict(nbbase.new_code_cell("a = 1", metadata={"tags": ["parameters"], "lines_to_next_cell": 2})),
    "markdown_cell": dict(nbbase.new_markdown_cell("# a")),
    "raw_cell": dict(nbbase.new_raw_cell("a", metadata={"tags": ["a", "b"]})),
    "display_data": dict(nbbase.new_output("display_data", {"text/plain": "a", "image/png": "b"}, metadata={"a": 1})),
    "error": dict(nbbase.new_output("error", ename="E", evalue="", traceback=["a"])),
    "execute_result": dict(nbbase.new_output("execute_result", {"text/html": "a"}, execution_count=3)),
    "stream": dict(nbbase.new_output("stream", name="stderr", text="a")),
}
_values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-1, 2),
    st.floats(),
    st.sampled_from(["", "a", "code", "stream", "error", "a b", "a\n", "é", "x" * 65]),
    st.lists(st.one_of(st.text(max_size=2), st.integers()), max_size=2),
    st.dictionaries(
        st.sampled_from([*_SAID, "tags", "more"]),
        st.one_of(st.none(), st.booleans(), st.sampled_from(["", "auto"]), st.lists(st.sampled_from(["a", "b,c", "", "d\n", 1]))),
        max_size=2,
    ),
    st.dictionaries(
        st.sampled_from(["tags", "jupyter", "text/plain", "application/json", ""]), st.one_of(st.none(), st.text()), max_size=2
    ),
)


def allowed(node: Any, ref: str) -> bool:
    try:
        nbformat.validate(deepcopy(node), ref=ref, version=4)
    except nbformat.ValidationError:
        return False
    return True


@pytest.mark.parametrize("ref", sorted(_GOOD))
def test_the_usual_passes_at_a_glance(ref: str) -> None:
    assert _is_right(_GOOD[ref], ref)
    assert allowed(_GOOD[ref], ref)


def test_every_known_part_is_tried() -> None:
    assert set(_GOOD) == set(_RIGHT)


@settings(max_examples=600, deadline=None)
@given(st.data())
def test_nothing_passes_that_nbformat_refuses(data: st.DataObject) -> None:
    ref = data.draw(st.sampled_from(sorted(_GOOD)))
    node = deepcopy(_GOOD[data.draw(st.sampled_from([ref, ref, ref, *sorted(_GOOD)]))])
    for _ in range(data.draw(st.integers(1, 2))):
        key = data.draw(st.sampled_from([*sorted(node), "more"]))
        if data.draw(st.booleans()):
            node.pop(key, None)
        else:
            node[key] = data.draw(_values)
    if _is_right(node, ref):
        assert allowed(node, ref), (ref, node)


@pytest.mark.parametrize("node", [None, [], "stream", 1, {}])
@pytest.mark.parametrize("ref", [*sorted(_GOOD), "nothing"])
def test_what_is_no_part_is_not_right(node: Any, ref: str) -> None:
    assert not _is_right(node, ref)


def test_it_is_used_and_refuses_as_ever() -> None:
    code = """
import sys
from nbops.adapters.lean_imports import lean_imports
with lean_imports():
    import nbformat
    from nbops.adapters.notebook_parts import check_at_a_glance
check_at_a_glance()
check_at_a_glance()
from nbformat.v4 import new_code_cell, new_output, output_from_msg, nbbase
nbbase.new_markdown_cell("a")
cell = new_code_cell("a = 1", metadata={"tags": ["parameters"]})
cell.outputs = [new_output("stream", text="b"), output_from_msg({"header": {"msg_type": "execute_result"},
    "content": {"data": {"text/plain": "1"}, "metadata": {}, "execution_count": 1}})]
print("jsonschema.validators" in sys.modules)
try:
    new_output("stream", text=1)
except nbformat.ValidationError as error:
    print(error.message)
print("jsonschema.validators" in sys.modules)
nbformat.validate(nbbase.new_notebook(cells=[cell]))
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    first, second, third = done.stdout.splitlines()
    assert (first, third) == ("False", "True")
    assert second.startswith("1 is not valid under any of the given schemas")
