"""What all widgets share: their front-end, how it asks Python, and what is shown where no widget can run.

A widget's front-end is ``static/common.js`` and ``static/<name>.js`` put together as one ES module, and their CSS: files of the
package, so that there is neither a build nor a request to anywhere. ``<name>.js`` ends in ``export default { render }`` and uses
what ``common.js`` defines (``h``, ``s``, ``mount``, ``ask``, ``listen``).

Messages, all JSON:

* the browser asks ``{kind: "ask", id, what, data}``; Python answers ``{kind: "answer", id, ok: true, data}``, or
  ``{kind: "answer", id, ok: false, error}`` with a sentence for people;
* Python tells ``{kind: "event", what, data}``.
"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from nbops.errors import NbopsError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nbops.lab.shown import Shown

    Answer = Callable[[dict[str, Any]], Any]

__all__ = ["Widget", "front_end"]

_LONGEST = 2_000  # characters of an error shown to people


def front_end(name: str, suffix: str) -> str:
    """Return the text of a widget's front-end.

    Args:
        name: The widget's, as its files are called in ``static/``.
        suffix: ``js`` or ``css``.
    """
    folder = files("nbops.widgets") / "static"
    return "\n".join((folder / f"{part}.{suffix}").read_text(encoding="utf-8") for part in ("common", name))


class Widget(anywidget.AnyWidget):
    """A widget of nbops.

    A subclass sets ``_esm`` and ``_css`` by :func:`front_end`, says in :meth:`_answers` what the browser may ask, and in
    :meth:`_shown` what is shown in exported notebooks and terminals.
    """

    view = traitlets.Dict().tag(sync=True)
    """What the front-end begins with: JSON."""

    def __init__(self, view: Mapping[str, Any]) -> None:
        super().__init__(view=dict(view))
        self.on_msg(self._hear)

    def _answers(self) -> dict[str, Answer]:
        """Return what the browser may ask, each with what answers it."""
        return {}

    def _shown(self) -> Shown:
        """Return the static view, as a table."""
        raise NotImplementedError

    def _static_html(self) -> str:
        """Return the static view as HTML; for those who draw more than a table."""
        return self._shown()._repr_html_()

    def tell(self, what: str, data: Any) -> None:
        """Tell all of the widget's views something."""
        self.send({"kind": "event", "what": what, "data": data})

    def _hear(self, _: object, content: Any, __: object) -> None:
        """Answer a message; one that is no question is left alone, and no fault of an answer ends in a kernel's log unseen."""
        if not isinstance(content, dict) or content.get("kind") != "ask":
            return
        self.send({"kind": "answer", "id": content.get("id"), **self._answer(content.get("what"), content.get("data"))})

    def _answer(self, what: Any, data: Any) -> dict[str, Any]:
        answers = self._answers()
        try:
            if not isinstance(what, str) or what not in answers:
                raise NbopsError(f"nothing answers {str(what)[:60]!r}. {did_you_mean(str(what)[:60], answers)}")  # noqa: TRY301
            return {"ok": True, "data": answers[what](data if isinstance(data, dict) else {})}
        except (NbopsError, OSError, ValueError) as error:
            return {"ok": False, "error": str(error)[:_LONGEST]}
        except Exception as error:  # noqa: BLE001 - the browser waits for an answer, and people see it there
            return {"ok": False, "error": f"{type(error).__name__}: {error}"[:_LONGEST]}

    def __repr__(self) -> str:
        return repr(self._shown())

    def _repr_mimebundle_(self, **named: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Return the widget and, for where no widget can run, its static view as HTML and as text."""
        made = super()._repr_mimebundle_(**named)
        if made is None:
            return None
        data, metadata = made if isinstance(made, tuple) else (made, {})
        return {**data, "text/html": self._static_html(), "text/plain": repr(self)}, metadata
