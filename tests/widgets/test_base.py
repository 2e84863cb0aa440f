"""The ground that all widgets stand on: messages, front-end files, static view."""

from __future__ import annotations

import shutil
import subprocess
from typing import Any

import pytest

from nbops.lab.shown import Shown
from nbops.widgets import base
from nbops.widgets.base import Widget, front_end

HOSTILE = "<img src=x onerror=alert(1)>'\"&\x00😀"


class Small(Widget):
    """A widget that answers three questions."""

    _esm = "export default { render() {} }"

    def _answers(self) -> dict[str, base.Answer]:  # type: ignore[name-defined]
        return {"echo": lambda data: data, "wrong": self._wrong, "broken": lambda data: data["nothing"]}

    def _wrong(self, _: dict[str, Any]) -> None:
        raise ValueError("so not")

    def _shown(self) -> Shown:
        return Shown(title=HOSTILE, columns=("a",), rows=((HOSTILE,),))


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    told: list[Any] = []
    monkeypatch.setattr(Small, "send", lambda _self, content, buffers=None: told.append(content))
    return told


def test_an_answer_bears_the_questions_id(said: list[Any]) -> None:
    small = Small({"a": 1})
    small._hear(small, {"kind": "ask", "id": "x1", "what": "echo", "data": {"n": HOSTILE}}, [])
    assert said == [{"kind": "answer", "id": "x1", "ok": True, "data": {"n": HOSTILE}}]
    assert small.view == {"a": 1}


@pytest.mark.parametrize(
    ("what", "error"),
    [
        ("wrong", "so not"),
        ("broken", "KeyError: 'nothing'"),
        ("ecko", "nothing answers 'ecko'. Allowed: broken, echo, wrong. Did you mean 'echo'?"),
        (["echo"], "nothing answers \"['echo']\". Allowed: broken, echo, wrong."),
        (None, "nothing answers 'None'. Allowed: broken, echo, wrong. Did you mean 'wrong'?"),
    ],
)
def test_a_fault_is_an_answer_too(said: list[Any], what: Any, error: str) -> None:
    small = Small({})
    small._hear(small, {"kind": "ask", "id": 7, "what": what, "data": 5}, [])
    (answer,) = said
    assert answer["ok"] is False
    assert answer["error"].startswith(error.split(" Did", maxsplit=1)[0])


@pytest.mark.parametrize("content", [None, 3, [], {}, {"kind": "answer"}, {"method": "update"}])
def test_what_is_no_question_is_left_alone(said: list[Any], content: Any) -> None:
    small = Small({})
    small._hear(small, content, [])
    assert said == []


def test_a_static_view_stands_beside_the_widget() -> None:
    data, _ = Small({})._repr_mimebundle_()  # type: ignore[misc]
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"]
    assert "<img" not in data["text/html"]
    assert "&lt;img" in data["text/html"]
    assert "\x00" not in data["text/plain"]
    assert "\\u0000" in data["text/plain"]


def test_common_parts_are_a_module(tmp_path: Any) -> None:
    folder = base.files("nbops.widgets") / "static"  # type: ignore[attr-defined]
    names = {path.name.partition(".")[0] for path in folder.iterdir()} - {"common"}  # type: ignore[attr-defined]
    node = shutil.which("node")
    for name in names:
        text = front_end(name, "js")
        assert "innerHTML" not in text
        assert "://" not in text.replace("http://www.w3.org/2000/svg", "")
        assert "export default" in text
        assert front_end(name, "css").startswith("/*")
        if node:
            path = tmp_path / f"{name}.mjs"
            path.write_text(text, encoding="utf-8")
            subprocess.run([node, "--check", path], check=True)
