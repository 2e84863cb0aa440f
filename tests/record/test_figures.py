"""Figures are kept once, pixel for pixel, and as long as something shows them."""

from __future__ import annotations

import base64
import io
import json
import random
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from nbops.model import Run
from nbops.record.figures import FIGURES, figure_of, lifted, unused_figures
from nbops.record.pruning import prune
from nbops.record.store import run_ids, write_run


def png(mode: str, *, colours: int = 9, text: str = "", alpha: int = 255) -> bytes:
    dice = random.Random(colours)
    palette = [(dice.randrange(256), dice.randrange(256), dice.randrange(256), alpha) for _ in range(colours)]
    image = Image.new("RGBA", (64, 48))
    image.putdata([palette[dice.randrange(colours)] for _ in range(64 * 48)])
    about = PngImagePlugin.PngInfo()
    if text:
        about.add_text("Software", text)
    stream = io.BytesIO()
    image.convert(mode).save(stream, "PNG", pnginfo=about, dpi=(72, 72))
    return stream.getvalue()


def output(data: bytes, mime: str = "image/png", **more: Any) -> dict[str, Any]:
    encoded = base64.encodebytes(data).decode()
    return {"output_type": "display_data", "metadata": {}, "data": {mime: encoded, "text/plain": "<Figure>"}, **more}


def notebook(*outputs: dict[str, Any]) -> dict[str, Any]:
    text = {"cell_type": "markdown", "metadata": {}, "source": "x"}
    return {"cells": [text, {"cell_type": "code", "metadata": {}, "source": "plot()", "outputs": list(outputs)}], "metadata": {}}


@pytest.mark.parametrize("mode", ["RGBA", "RGB", "L", "P", "1", "LA"])
@pytest.mark.parametrize("colours", [2, 200, 256, 257, 900])
@pytest.mark.parametrize("alpha", [255, 100])
def test_pixels_are_those_of_the_kernel(mode: str, colours: int, alpha: int) -> None:
    data = png(mode, colours=colours, text="made by <someone>", alpha=alpha)
    (kept,) = lifted(notebook(output(data)), up="../")[1].values()
    before, after = Image.open(io.BytesIO(data)), Image.open(io.BytesIO(kept))
    assert before.convert("RGBA").tobytes() == after.convert("RGBA").tobytes()
    assert len(kept) <= len(data)
    if mode in {"RGB", "RGBA"}:
        assert b"someone" not in kept
    assert before.info.get("dpi") == after.info.get("dpi")


def test_a_figure_is_a_file_that_the_notebook_names() -> None:
    source = notebook(output(png("RGB"), metadata={"image/png": {"alt": 'a "plot" <b>'}}))
    before = json.dumps(source)
    made, files = lifted(source, up="../../../")
    assert json.dumps(source) == before
    (name,) = files
    shown = made["cells"][1]["outputs"][0]
    assert figure_of(shown) == (name, "image/png")
    assert "image/png" not in shown["data"]
    assert shown["data"]["text/plain"] == "<Figure>"
    assert shown["data"]["text/html"] == f'<img src="../../../{FIGURES}/{name}" alt="a &quot;plot&quot; &lt;b&gt;">'
    assert lifted(source, up="../../../") == (made, files)


def test_the_same_figure_is_one_file() -> None:
    data = png("RGB")
    assert len(lifted(notebook(output(data), output(data), output(png("RGBA"))), up="")[1]) == 1


@pytest.mark.parametrize(
    "item",
    [
        {"output_type": "stream", "text": "x"},
        {"output_type": "display_data", "data": {"image/png": "no base64!"}},
        {"output_type": "display_data", "data": {"image/png": base64.b64encode(b"<svg onload=x>").decode()}},
        {"output_type": "display_data", "data": {"image/png": ["a", 3]}},
        {"output_type": "display_data", "data": {"image/png": "A" * 1_500_004}},
        {"output_type": "display_data", "data": None},
        {"output_type": "execute_result", "data": {"text/html": "<b>a</b>", "image/png": base64.b64encode(png("RGB")).decode()}},
    ],
)
def test_what_is_no_picture_stays_as_it_is(item: dict[str, Any]) -> None:
    assert lifted(notebook(item), up="") == (notebook(item), {})


def test_a_damaged_picture_is_kept_as_it_came() -> None:
    data = png("RGB")[:200]
    assert list(lifted(notebook(output(data)), up="")[1].values()) == [data]


@pytest.mark.parametrize(
    "name", ["../../secret.png", "x.png", "a" * 32 + ".svg", "A" * 32 + ".png", 3, None, "a" * 32 + ".png\n"]
)
def test_a_name_that_is_none_leads_nowhere(name: Any) -> None:
    assert figure_of({"metadata": {"nbops": {"figure": name}}}) is None
    assert figure_of({"metadata": {"nbops": name}}) is None


def test_pruning_takes_the_figures_that_nothing_shows_any_more(tmp_path: Path) -> None:
    names = [f"{number}" * 32 + ".png" for number in range(4)]
    (tmp_path / FIGURES).mkdir(parents=True)
    for name in (*names, "note.txt"):
        (tmp_path / FIGURES / name).write_bytes(b"x")
    for number, shown in enumerate([names[:2], names[1:3]]):
        run_id = f"2026112{number}T000000Z-00000{number}"
        given = {
            "status": "succeeded",
            "verdict": "passed",
            "pipeline": "p",
            "command": "c",
            "started_at": "2026-11-22T00:00:00Z",
        }
        write_run(tmp_path, Run(id=run_id, **given))
        folder = tmp_path / "runs" / run_id / "tasks"
        folder.mkdir()
        (folder / "a.ipynb").write_text(json.dumps(shown), encoding="utf-8")
    assert [path.name for path in unused_figures(tmp_path, run_ids(tmp_path))] == [names[3]]
    removed = prune(tmp_path, 1)
    assert {path.name for path in removed} == {"a.ipynb", names[0], names[3]}
    assert {path.name for path in (tmp_path / FIGURES).iterdir()} == {names[1], names[2], "note.txt"}
