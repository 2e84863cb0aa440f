"""An executed notebook as it is committed: nothing private, nothing that differs from run to run, whatever its outputs."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nbops.record.guard import scan
from nbops.record.notebook import clean_notebook, dump_notebook
from nbops.record.scrub import PersonalValues, Scrubber
from nbops.record.tables import mask_html_tables, mask_text_tables

ROOT = Path("/home/ann/work/shop")
SECRET = "hunter2-correct-horse"
FRAME = pd.DataFrame(
    {"id": [1, 2], "name": ["Bo", "Al X"], "age": [4, 55], "total": [1.5, 2.25], "email": ["a@b", "jane@example.org"]}
)
PRIVATE = ("Bo", "Al X", "55", "a@b", "jane@example.org")
COLUMNS = {"name", "age", "email"}


@pytest.fixture(scope="module")
def scrubber():
    return _scrubber()


def _scrubber() -> Scrubber:
    personal = PersonalValues({name: FRAME[name].tolist() for name in ("name", "age", "email")} | {"phone": [4915112345678]})
    return Scrubber(ROOT, secrets=[SECRET], personal=personal, moved={".nbops/staging/r1/clean.parquet": "output/clean.parquet"})


def stream(text, name="stdout"):
    return {"output_type": "stream", "name": name, "text": text}


def shown(**data):
    return {
        "output_type": "display_data",
        "data": {name.replace("__", "/"): value for name, value in data.items()},
        "metadata": {},
    }


def code(source="", *outputs, **metadata):
    return {
        "cell_type": "code",
        "id": "random",
        "source": source,
        "outputs": list(outputs),
        "execution_count": 3,
        "metadata": metadata,
    }


def notebook(*cells, **metadata):
    return {"cells": list(cells), "metadata": metadata, "nbformat": 4, "nbformat_minor": 4}


def cleaned(scrubber, *outputs):
    found = clean_notebook(notebook(code("x", *outputs)), scrubber)
    nbformat.validate(nbformat.from_dict(found))
    assert not scan([("n.ipynb", dump_notebook(found).encode())], secrets=[SECRET], personal=scrubber.personal, root=ROOT)
    assert clean_notebook(found, scrubber) == found
    return found["cells"][0]["outputs"]


def text_of(outputs):
    return "".join("".join(output.get("text", "")) for output in outputs)


def test_what_differs_from_run_to_run_goes(scrubber):
    def executed(run, pid):
        return notebook(
            {
                **code("import x\n", stream(f"<f at 0x7f{pid}ab12cd34>\n")),
                "id": run,
                "metadata": {
                    "papermill": {"duration": pid / 7, "start_time": str(pid), "exception": False, "status": "completed"},
                    "execution": {"iopub.execute_input": str(pid)},
                    "tags": ["a"],
                },
            },
            {
                **code(
                    'upstream = {"load": "/home/ann/work/shop/.nbops/staging/r1/clean.parquet"}\n'
                    f'product = "/tmp/tmp{run}/x.parquet"',
                    tags=["injected-parameters"],
                ),
                "id": run + "b",
            },
            {"cell_type": "markdown", "id": run + "c", "source": ["# a\n", "b"], "metadata": {}},
            {"cell_type": "markdown", "id": run + "d", "source": "# a\nb", "metadata": {}},
            papermill={
                "duration": pid,
                "start_time": "x",
                "end_time": "y",
                "input_path": f"/tmp/{run}",
                "version": "2.7",
                "parameters": {"a": 1},
            },
            kernelspec={"name": "python3", "display_name": "Python 3", "language": "python", "path": "/home/ann"},
            language_info={"name": "python", "version": f"3.11.{pid}", "file_extension": ".py"},
            widgets={"application/vnd.jupyter.widget-state+json": {"state": {run: {}}}},
        )

    one, two = executed("abcdefgh", 12), executed("zyxwvuts", 34)
    before = copy.deepcopy(one)
    found = clean_notebook(one, scrubber)
    assert one == before
    assert dump_notebook(found) == dump_notebook(clean_notebook(two, scrubber))
    nbformat.validate(nbformat.from_dict(found))
    assert len({cell["id"] for cell in found["cells"]}) == 4
    assert found["metadata"] == {
        "papermill": {"parameters": {"a": 1}},
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
        "language_info": {"name": "python", "file_extension": ".py"},
    }
    assert found["cells"][0]["metadata"] == {"papermill": {"exception": False, "status": "completed"}, "tags": ["a"]}
    assert "".join(found["cells"][1]["source"]) == 'upstream = {"load": "output/clean.parquet"}\nproduct = "<tmp>/x.parquet"'
    assert found["cells"][0]["execution_count"] == 3


def test_what_was_printed_in_pieces_is_put_together(scrubber):
    bar = "\r  0%|   | 0/2 [00:00<?, ?it/s]\r100%|██| 2/2 [00:01<00:00,  1.93it/s]\n"
    found = cleaned(scrubber, stream("a"), stream("b\n"), stream("w\n", "stderr"), stream("c\r\nd"), stream(bar))
    assert [text_of([output]) for output in found] == ["ab\n", "w\n", "c\n100%|██| 2/2 [...]\n"]
    assert found[0]["text"] == ["ab\n"]


def test_secrets_in_parameters_go_also_short_ones(scrubber):
    rest = 'author = "ann"\nscale = 3\nsecret = ""\npath = '
    source = f'password = "abc"\ndb_token: str = \'x\'  # note\napi_key = 1234\n{rest}"/home/bob/x"'
    found = clean_notebook(notebook(code(source)), scrubber)["cells"][0]
    assert "".join(found["source"]) == (f'password = "***"\ndb_token: str = "***"  # note\napi_key = "***"\n{rest}"<path>/x"')


def test_a_traceback_stays_readable(scrubber):
    error = {
        "output_type": "error",
        "ename": "KeyError",
        "evalue": "'jane@example.org'",
        "traceback": [
            "\x1b[0;31m-----\x1b[0m",
            f"File /home/ann/work/shop/a.py:3, {SECRET}\n  x",
            "KeyError: 'jane@example.org'",
        ],
    }
    assert cleaned(scrubber, error)[0] == {
        "output_type": "error",
        "ename": "KeyError",
        "evalue": "'•••'",
        "traceback": ["-----", "File a.py:3, ***", "  x", "KeyError: '•••'"],
    }


@pytest.mark.parametrize(
    "frame",
    [
        FRAME,
        FRAME.set_index("id"),
        FRAME.set_index("email"),
        FRAME.set_index(["email", "id"]),
        FRAME.T,
        FRAME.describe(include="all"),
        FRAME.rename(columns={"email": "email_x"}),
        FRAME.groupby(["name", "id"])[["total"]].sum(),
        FRAME.set_index(["id", "age", "name"]),
        pd.concat({"left": FRAME, "right": FRAME}, axis=1),
        FRAME.assign(many=pd.concat([FRAME.total] * 1)),
        FRAME.head(1).T,
    ],
)
def test_columns_of_frames_are_masked_whole(scrubber, frame):
    both = cleaned(scrubber, shown(text__html=frame.to_html(), text__plain=str(frame), text__latex="\\begin{tabular}"))
    assert set(both[0]["data"]) == {"text/html"}
    seen = "".join(both[0]["data"]["text/html"])
    assert "•••" in seen
    for value in PRIVATE:
        assert f">{value}<" not in seen
    assert "total" in seen


@pytest.mark.parametrize(
    "text",
    [
        str(FRAME),
        FRAME.to_string(index=False),
        str(FRAME.set_index("email")),
        str(FRAME.name),
        str(FRAME.name.value_counts()),
        str(FRAME.T),
        str(FRAME.iloc[0]),
        str(FRAME.to_dict("records")),
        FRAME.to_json(orient="records"),
        "Person(name='Bo', age=55, email='a@b')",
        "| id | name | age |\n|---|:---|---|\n| 1 | Bo | 55 |",
        "│ id │ name │\n╞════╪══════╡\n│ 1  │ Bo   │",
        "name    Bo\nage     55",
        str(FRAME[["age"]]),
        str(FRAME[["name", "id"]]),
        FRAME.rename(columns={"name": "c.name"}).to_string(),
        "{'age': 55}",
        '{"age": "55"}',
    ],
)
def test_columns_in_text_are_masked(scrubber, text):
    for output in (stream(text), shown(text__plain=text)):
        found = cleaned(scrubber, output)
        seen = text_of(found) or "".join(found[0]["data"]["text/plain"])
        assert "•••" in seen
        for value in ("Bo", "Al X", " 55", "a@b"):
            assert value not in seen, seen


def test_frames_that_are_wrapped_are_masked_too():
    wide = FRAME[["id", "total", "name", "age", "email"]].assign(id=1_000_000, total=123_456.789)
    text = wide.to_string(line_width=30)
    assert "\\" in text
    seen = mask_text_tables(text, COLUMNS)
    for value in PRIVATE[:4]:
        assert value not in seen


def test_duckdb_tables_are_masked():
    import duckdb

    people = FRAME  # noqa: F841  (DuckDB finds it by its name)
    seen = mask_text_tables(str(duckdb.sql("SELECT * FROM people")), COLUMNS)
    for value in PRIVATE:
        assert value not in seen
    assert "double" in seen


def test_tables_without_personal_columns_stay(scrubber):
    frame = FRAME[["id", "total"]].rename(columns={"id": "user_name"})
    html = frame.to_html()
    assert mask_html_tables(html, COLUMNS) == (html, False)
    found = cleaned(scrubber, shown(text__html=html, text__plain=str(frame)))
    assert "".join(found[0]["data"]["text/html"]) == html
    assert "".join(found[0]["data"]["text/plain"]) == str(frame)
    prose = "The name of the shop\nand its age.\n  an indented email\n"
    assert mask_text_tables("Customer name is required\nfor all of them", COLUMNS) == "Customer name is required\nfor all of them"
    assert "shop" in mask_text_tables(prose, COLUMNS)


@pytest.mark.parametrize(
    "html",
    [
        "<table><tr><th>name</th><td>Bo</td></tr></table>",
        "<table><tr><td>id</td><td>name</td></tr><tr><td>1</td><td>Bo</td></tr></table>",
        (
            "<table><thead><tr><th rowspan=2>id</th><th colspan=2>x</th></tr><tr><th>name</th><th>y</th></tr></thead>"
            "<tbody><tr><td>1</td><td>Bo</td><td>2</td></tr></tbody></table>"
        ),
        "<table><tr><th>id</th><th>name</th></tr><tr><td rowspan=2>1</td><td title='Bo'>Bo</td></tr><tr><td>Bo</td></tr></table>",
        "<table><tr><th>NAME </th></tr><tr><td><b>Bo</b><table><tr><td>Bo</td></tr></table></td></tr></table>",
        "<table><tr><th colspan='99999999999'>name</th></tr><tr><td>Bo<td>Bo</table>",
        "<table><thead><tr><th>name<br><small>VARCHAR</small></th></tr></thead><tr><td>Bo</td></tr></table>",
        "<TABLE><TR><TH><span>name</span></TH></TR><TR><TD>Bo</TD></TR>",
    ],
)
def test_tables_of_all_shapes(html):
    seen, found = mask_html_tables(html, COLUMNS)
    assert found
    assert "Bo" not in seen
    assert mask_html_tables(seen, COLUMNS)[0] == seen


def test_other_outputs(scrubber):
    plot = {"data": [{"x": ["a"], "y": [1]}], "path": "/home/ann/work/shop/x"}
    named = {"data": [{"email": 1}]}
    found = cleaned(
        scrubber,
        shown(
            **{
                "application__vnd.plotly.v1+json": plot,
                "text__html": "<div id='00f0aa11-1111-4222-8333-444455556666'>/home/bob/x</div>",
            }
        ),
        shown(**{"application__vnd.plotly.v1+json": named}),
        shown(application__json={"a": "call 4915112345678"}),
        shown(application__javascript="alert('jane@example.org')"),
        shown(application__javascript=f"alert('{SECRET}')"),
        shown(**{"application__vnd.jupyter.widget-view+json": {"model_id": "x"}, "text__plain": "IntSlider()"}),
        shown(**{"application__vnd.jupyter.widget-view+json": {"model_id": "x"}}),
        shown(**{"image__svg+xml": "<svg><text>/home/ann/work/shop/a</text><text>jane@example.org</text></svg>"}),
        shown(image__png="iVBORw0KGgo=\n", text__plain="<Figure>"),
        shown(text__markdown="**jane@example.org**"),
        {
            "output_type": "execute_result",
            "execution_count": 3,
            "data": {"text/plain": "'x'"},
            "metadata": {"image/png": {}, "text/plain": {}},
        },
        {"output_type": "unheard-of"},
    )
    kinds = [sorted(output["data"]) for output in found]
    assert kinds == [
        ["application/vnd.plotly.v1+json", "text/html"],
        ["text/plain"],
        ["text/plain"],
        ["text/plain"],
        ["application/javascript"],
        ["text/plain"],
        ["text/plain"],
        ["image/png", "text/plain"],
        ["text/markdown"],
        ["text/plain"],
    ]
    assert found[0]["data"]["application/vnd.plotly.v1+json"]["path"] == "x"
    assert "".join(found[0]["data"]["text/html"]) == "<div id='00000000-0000-4000-8000-000000000000'>&lt;path&gt;/x</div>"
    assert "left out" in found[1]["data"]["text/plain"][0]
    assert found[4]["data"]["application/javascript"] == ["alert('***')"]
    assert found[8]["data"]["text/markdown"] == ["**•••**"]
    assert found[9]["metadata"] == {"text/plain": {}}


def test_styled_frames_get_steady_ids(scrubber):
    text = "<style>#T_0aB1f a {}</style><style>#T_0ab1f_row0 {}</style><table id='T_0ab1f'></table><table id='T_ffff1'></table>"
    seen = "".join(cleaned(scrubber, shown(text__html=text))[0]["data"]["text/html"])
    assert "T_00000_row0" in seen
    assert "id='T_00001'" in seen


def test_hostile_outputs(scrubber):
    big = "<script>alert('&')</script>\0\ud800 😀 =1+1 " + "x" * 2_000_000
    found = clean_notebook(notebook(code(big, stream(big), shown(text__html=big, text__plain=big))), scrubber)
    dump_notebook(found).encode()
    assert clean_notebook({}, scrubber) == {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


FRAGMENTS = st.sampled_from(
    [
        SECRET,
        "jane@example.org",
        "4915112345678",
        "/home/ann/work/shop/a",
        "/home/bob/b",
        "name",
        "email",
        "  ",
        "\n",
        " ",
        "Bo",
        "55",
        ":",
        "=",
        "'",
        '"',
        "|",
        "│",
        "<table>",
        "<tr>",
        "<th>",
        "<td>",
        "</table>",
        "Name: name, dtype: object",
        "\r",
        "\x1b[31m",
        "•••",
        "***",
        "\\n",
        "&lt;",
    ]
)


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(FRAGMENTS | st.text(max_size=3), max_size=14).map("".join))
def test_any_output_is_clean_and_stays_clean(text):
    scrubber = _scrubber()
    outputs = [
        stream(text),
        shown(text__html=text, text__plain=text),
        {"output_type": "error", "ename": "E", "evalue": text, "traceback": [text]},
    ]
    found = clean_notebook(notebook(code(text, *outputs)), scrubber)
    written = dump_notebook(found)
    assert SECRET not in written
    assert not scan([("n.ipynb", written.encode())], secrets=[SECRET], personal=scrubber.personal, root=ROOT)
    again = clean_notebook(json.loads(written), scrubber)
    assert clean_notebook(again, scrubber) == again
