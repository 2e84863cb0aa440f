"""An executed notebook as a static, safe, bounded HTML fragment.

nbconvert does the conversion, through a slim template of our own (``nbconvert/nbops``). Before it, every output is reduced to
one static form, cut to a bounded size and sanitised, so that nothing which a notebook displays can act, load or flood the page.
"""

from __future__ import annotations

import base64
import json
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from nbops.pages.sanitise import has_content, order_headings, safe_html, safe_markdown
from nbops.pages.text import clean, count, cut, duration, plural, size
from nbops.record.figures import FIGURES, figure_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nbops.model import TaskRun

__all__ = ["Body", "NotebookPages"]

_MOST_BYTES = 60_000_000
_MOST_CELLS = 2_000
_TEXT = 16_000
_SOURCE = 20_000
_HTML = 300_000
_IMAGE = 1_500_000
_PAGE = 6_000_000
_PAPERMILL_ERROR = "papermill-error-cell-tag"
_RULER = re.compile(r"(?:\x1b\[[\d;]*m)*-{20,}")
_FILE = "file "  # before the name of a figure, where its base64 would stand
_INJECTED = "injected-parameters"
_NOTHING: Mapping[int, Sequence[str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """What a task's page shows of its notebook."""

    html: Markup = field(default_factory=Markup)
    problem: str = ""
    """Why there is nothing to show, as a sentence."""
    cells: int = 0
    anchors: frozenset[int] = frozenset()
    """Cell numbers that have an anchor ``cell-N``."""


class NotebookPages:
    """Renders notebooks; the exporter is made at the first one, as nbconvert takes a second to import.

    Args:
        reports: The project's ``reports`` folder, which holds the figures.
    """

    def __init__(self, reports: Path) -> None:
        self._figures = reports / FIGURES
        self._exporter: Any = None

    def render(self, path: Path, task: TaskRun, *, told: Mapping[int, Sequence[str]] = _NOTHING) -> Body:
        """Return an executed notebook as a fragment; what is wrong with the file is said, not raised.

        Args:
            path: The executed notebook, scrubbed already.
            task: The task it belongs to: gives seconds and status by cell.
            told: Cell to sentences about what it did to data.
        """
        try:
            if path.stat().st_size > _MOST_BYTES:
                return Body(problem=f"The executed notebook is too large to show ({size(path.stat().st_size)}).")
            notebook, numbers = _prepare(_read(path), task, self._figures, told)
            html = order_headings(self._convert(notebook), top=3)
        except FileNotFoundError:
            return Body(problem="The executed notebook is not kept with this run.")
        except Exception as error:  # noqa: BLE001  # any file may lie there; the page is due all the same
            return Body(problem=f"The executed notebook cannot be shown: {type(error).__name__}.")
        return Body(html=Markup(html), cells=len(numbers), anchors=frozenset(numbers))  # noqa: S704  # sanitised

    def _convert(self, notebook: Any) -> str:
        if self._exporter is None:
            self._exporter = _make_exporter()
        return str(self._exporter.from_notebook_node(notebook)[0])


def _read(path: Path) -> Any:
    nbformat: Any = import_module("nbformat")

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # missing cell ids and the like: nothing that a reader of the page needs
        return nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)


def _make_exporter() -> Any:
    exporters: Any = import_module("nbconvert.exporters")
    return exporters.HTMLExporter(
        template_name="nbops",
        extra_template_basedirs=[str(Path(__file__).parent / "nbconvert")],
        exclude_anchor_links=True,
        filters={"ansi": _ansi, "figure": _figure, "static_markdown": _markdown},
    )


def _ansi(text: str) -> str:
    filters: Any = import_module("nbconvert.filters.ansi")
    coloured = re.sub(r' style="[^"]*"', "", str(filters.ansi2html(text)))  # true colours would not follow the theme
    return clean(coloured)


def _markdown(html: str, cell: Any) -> str:
    return safe_markdown(html, about=cell.metadata.nbops.title.lower())


def _figure(output: Any, cell: Any, mime: str) -> str:
    metadata = output.get("metadata") or {}
    alt = (metadata.get(mime) or {}).get("alt") or metadata.get("alt") or cell.metadata.get("alt")
    text = cut(str(alt), 300) if alt else f"Figure of {cell.metadata.nbops.title.lower()}, without a description"
    data = output["data"][mime]
    source = f"../../../{FIGURES}/{data.removeprefix(_FILE)}" if data.startswith(_FILE) else f"data:{mime};base64,{data}"
    return str(Markup('<img src="{}" alt="{}">').format(source, clean(text)))


def _prepare(notebook: Any, task: TaskRun, figures: Path, told: Mapping[int, Sequence[str]]) -> tuple[Any, list[int]]:
    """Return a notebook of our own making, with bounded outputs, and the numbers of its cells as the ledger counts them."""
    nodes: Any = import_module("nbformat.v4")
    runs = {cell.index: cell for cell in task.cells}
    failing = task.error.cell if task.error else None
    kept: list[Any] = []
    numbers: list[int] = []
    budget = _Budget(_PAGE, figures)
    index = -1
    for cell in notebook.cells:
        tags = cell.metadata.get("tags") or []
        if _PAPERMILL_ERROR in tags:
            continue  # papermill's own banners; the page says it better
        number = None
        if _INJECTED not in tags:
            index += 1
            number = index
        if len(kept) >= _MOST_CELLS:
            break
        info = _info(cell, number, runs.get(index) if number is not None else None, tags)
        info["told"] = [clean(cut(text, 300)) for text in told.get(number, ())] if number is not None else []
        if number is not None and (number == failing or info["status"] == "failed"):
            info |= {"status": "failed", "open": True}
        kept.append(_cell(cell, info, budget, nodes))
        numbers += [number] if number is not None else []
    return nodes.new_notebook(cells=kept, metadata=_language(notebook.metadata)), numbers


def _cell(cell: Any, info: dict[str, Any], budget: _Budget, nodes: Any) -> Any:
    """Make a cell anew: ids, tags and metadata of a stranger may be invalid, and then nbconvert refuses the whole notebook."""
    metadata = {"nbops": info, **({"alt": cell.metadata["alt"]} if isinstance(cell.metadata.get("alt"), str) else {})}
    source = clean(cut(_text(cell.source), _SOURCE))
    if cell.cell_type == "code":
        outputs = _outputs(cell.get("outputs") or [], info["title"].lower(), budget)
        return nodes.new_code_cell(source, outputs=outputs, metadata=metadata)
    if cell.cell_type == "markdown":
        made = nodes.new_markdown_cell(source, metadata=metadata)
        if isinstance(cell.get("attachments"), dict):
            made["attachments"] = cell["attachments"]
        return made
    return nodes.new_raw_cell(source, metadata=metadata)


def _language(metadata: Any) -> dict[str, Any]:
    found = metadata.get("language_info") or {}
    known = {key: found[key] for key in ("name", "pygments_lexer") if isinstance(found.get(key), str)}
    return {"language_info": {"name": "python", **known}}


def _info(cell: Any, number: int | None, run: Any, tags: Sequence[str]) -> dict[str, Any]:
    lines = _text(cell.source).count("\n") + 1
    status = run.status if run is not None else "succeeded"
    facts = [plural(lines, "line")]
    facts += [duration(run.seconds)] if run is not None and run.seconds is not None else []
    facts += {"failed": ["raised here"], "not_run": ["did not run"]}.get(status, [])
    title = "Injected parameters" if number is None else f"Cell {number}"
    if number is not None and "parameters" in tags:
        facts.insert(0, "default parameters")
    return {"index": number, "title": title, "status": status, "facts": facts, "open": number is None}


class _Budget:
    """Characters that a page may still take, and where its figures are."""

    def __init__(self, most: int, figures: Path) -> None:
        self._left = most
        self.figures = figures

    def take(self, text: str) -> bool:
        if len(text) > self._left:
            return False
        self._left -= len(text)
        return True


def _outputs(outputs: Iterable[Any], about: str, budget: _Budget) -> list[Any]:
    new_output: Any = import_module("nbformat.v4").new_output
    made: list[Any] = []
    for output in _joined(outputs):
        kind = output.get("output_type")
        if kind == "stream":
            name = "stderr" if output.get("name") == "stderr" else "stdout"
            made.append(new_output("stream", name=name, text=_bounded(_screen(_text(output.get("text"))), budget)))
        elif kind == "error":
            lines = "\n".join(_text(line) for line in output.get("traceback") or []).split("\n")
            trace = [_bounded("\n".join(lines[1:] if _RULER.match(lines[0]) else lines), budget)]
            ename, evalue = clean(cut(_text(output.get("ename")), 200)), clean(cut(_text(output.get("evalue")), 2_000))
            made.append(new_output("error", ename=ename, evalue=evalue, traceback=trace))
        else:
            data = _kept_figure(output, budget) or _static(output.get("data") or {}, about, budget)
            metadata = output.get("metadata") if isinstance(output.get("metadata"), dict) else {}
            made.append(new_output("display_data", data=data, metadata=metadata))
    return made


def _joined(outputs: Iterable[Any]) -> list[Any]:
    """Merge neighbouring pieces of one stream, as kernels flush at random moments."""
    joined: list[Any] = []
    for output in outputs:
        last = joined[-1] if joined else None
        if (
            last is not None
            and output.get("output_type") == "stream" == last["output_type"]
            and output.get("name") == last["name"]
        ):
            last["text"] += _text(output.get("text"))
        elif output.get("output_type") == "stream":
            joined.append({"output_type": "stream", "name": output.get("name"), "text": _text(output.get("text"))})
        else:
            joined.append(output)
    return joined


def _kept_figure(output: Any, budget: _Budget) -> dict[str, str] | None:
    """Return a figure that is kept as a file; None when the output refers to none."""
    found = figure_of(output)
    if found is None:
        return None
    name, mime = found
    if not (budget.figures / name).is_file():
        return {"text/plain": "Not shown: this figure is not kept any more."}
    return {mime: f"{_FILE}{name}"}


def _static(data: Any, about: str, budget: _Budget) -> dict[str, str]:
    """Return the richest form of an output that is static, safe and not too large."""
    html = _text(data.get("text/html"))
    if html and len(html) <= _HTML:
        safe = safe_html(html, about=about)
        if has_content(safe) and budget.take(safe):
            return {"text/html": safe}
    svg = _text(data.get("image/svg+xml"))
    if svg and len(svg) <= _IMAGE:
        encoded = _base64(svg)
        if budget.take(encoded):
            return {"image/svg+xml": encoded}
    for mime in ("image/png", "image/jpeg"):
        image = re.sub(r"\s+", "", _text(data.get(mime)))
        if image and re.fullmatch(r"[A-Za-z0-9+/]+=*", image) and len(image) <= _IMAGE and budget.take(image):
            return {mime: image}
    for mime in ("text/markdown", "text/latex", "application/json", "text/plain"):
        text = _text(data.get(mime))
        if text:
            return {"text/markdown" if mime == "text/markdown" else "text/plain": _bounded(text, budget)}
    return {"text/plain": f"Not shown: this output needs a program or is too large ({', '.join(sorted(map(str, data))[:6])})."}


def _base64(text: str) -> str:
    return base64.b64encode(text.encode("utf-8", "replace")).decode("ascii")


def _text(thing: Any) -> str:
    """Return a multiline string of the notebook format, which may be a list of lines, as text."""
    if thing is None:
        return ""
    if isinstance(thing, str):
        return thing
    if isinstance(thing, list) and all(isinstance(line, str) for line in thing):
        return "".join(thing)
    return json.dumps(thing, ensure_ascii=False, indent=1, sort_keys=True, default=str)


def _screen(text: str) -> str:
    """Return what a terminal would show at the end: a progress bar overwrites its line."""
    return "\n".join(line.rstrip("\r").rsplit("\r", 1)[-1] for line in text.split("\n")) if "\r" in text else text


def _bounded(text: str, budget: _Budget) -> str:
    if len(text) > _TEXT:
        left_out = len(text) - _TEXT
        text = f"{text[: _TEXT * 3 // 4]}\n… {count(left_out)} characters left out …\n{text[-_TEXT // 4 :]}"
    return text if budget.take(text) else "Left out: this page shows as much output as it can hold."
