"""An executed notebook as a static, safe, bounded HTML fragment.

nbconvert does the conversion, through a slim template of our own (``nbconvert/nbops``). Before it, every output is reduced to
one static form, cut to a bounded size and sanitised, so that nothing which a notebook displays can act, load or flood the page.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module, metadata
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from nbops.pages.body import Body
from nbops.pages.sanitise import has_content, order_headings, safe_html, safe_markdown
from nbops.pages.text import clean, count, cut, duration, plural, size
from nbops.quality.compiled import compiled_templates
from nbops.record.figures import FIGURES, figure_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nbops.model import TaskRun

__all__ = ["NotebookPages"]

_MOST_BYTES = 60_000_000
_MOST_CELLS = 2_000
_TEXT = 16_000
_SOURCE = 20_000
_HTML = 300_000
_IMAGE = 1_500_000
_PAGE = 6_000_000
_MOST_FORESEEN = 2_000_000
"""Characters of a notebook that is converted ahead: what takes long would keep a build from its tasks."""
_MOST_KEPT = 50_000_000
_PAPERMILL_ERROR = "papermill-error-cell-tag"
_RULER = re.compile(r"(?:\x1b\[[\d;]*m)*-{20,}")
_TOLD = re.compile(r"\n?<!--told (\d+)-->")
_FIGURE_NAME = re.compile(r"[0-9a-f]{32}\.(?:png|jpg)")
_FILE = "file "  # before the name of a figure, where its base64 would stand
_INJECTED = "injected-parameters"
_NOTHING: Mapping[int, Sequence[str]] = MappingProxyType({})


class NotebookPages:
    """Renders notebooks.

    Args:
        reports: The project's ``reports`` folder, which holds the figures.
    """

    def __init__(self, reports: Path) -> None:
        self._figures = reports / FIGURES

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
            made, numbers = self._converted(path.read_text(encoding="utf-8"), task)
            html = _with_told(made, told)
        except FileNotFoundError:
            return Body(problem="The executed notebook is not kept with this run.")
        except Exception as error:  # noqa: BLE001  # any file may lie there; the page is due all the same
            return Body(problem=f"The executed notebook cannot be shown: {type(error).__name__}.")
        return Body(html=Markup(html), cells=len(numbers), anchors=frozenset(numbers))  # noqa: S704  # sanitised

    @staticmethod
    def load() -> None:
        """Import what converts notebooks, which the first page would wait for otherwise."""
        _make_exporter()

    def foresee(self, text: str, task: TaskRun, *, figures: Iterable[str]) -> None:
        """Convert a notebook that is expected to be rendered later, and keep the result for then; nothing is raised.

        Args:
            text: The executed notebook as it is expected to be: when it is not, this was in vain.
            task: The task it belongs to.
            figures: Names of its figures, which are not among the files yet.
        """
        coming = frozenset(figures)
        if len(text) > _MOST_FORESEEN or sum(len(html) for html, _ in _foreseen.values()) > _MOST_KEPT:
            return
        with suppress(Exception):  # it is said when the page is due
            notebook, numbers = _prepare(_read(text), task, _Budget(_PAGE, self._figures, coming=coming))
            _foreseen[_key(text, task, coming)] = _convert(notebook), numbers

    def _converted(self, text: str, task: TaskRun) -> tuple[str, list[int]]:
        known = _foreseen.pop(_key(text, task, self._there(text)), None) if _foreseen else None
        if known is not None:
            return known
        notebook, numbers = _prepare(_read(text), task, _Budget(_PAGE, self._figures))
        return _convert(notebook), numbers

    def _there(self, text: str) -> frozenset[str]:
        """Return the figures that the text may name, as far as they are kept."""
        return frozenset(name for name in _FIGURE_NAME.findall(text) if (self._figures / name).is_file())


_foreseen: dict[str, tuple[str, list[int]]] = {}
"""Fragments that were made ahead, with the numbers of their cells."""


def _key(text: str, task: TaskRun, figures: frozenset[str]) -> str:
    """Return what a fragment is made of: the notebook, what the ledger says of its cells, the figures that are kept."""
    cells = [(cell.index, cell.status, None if cell.seconds is None else duration(cell.seconds)) for cell in task.cells]
    made_of = json.dumps([text, cells, task.error.cell if task.error else None, sorted(figures)])
    return hashlib.sha256(made_of.encode()).hexdigest()


def _with_told(html: str, told: Mapping[int, Sequence[str]]) -> str:
    """Put sentences about cells where the template left a mark for them; nothing else in a fragment is a comment."""

    def items(match: re.Match[str]) -> str:
        texts = [Markup("<li>{}</li>").format(clean(cut(text, 300))) for text in told.get(int(match[1]), ())]
        return Markup('\n<ul class="told">{}</ul>').format(Markup("").join(texts)) if texts else ""

    return _TOLD.sub(items, html)


def _convert(notebook: Any) -> str:
    """Return a prepared notebook as a fragment.

    nbconvert's own ``HTMLExporter`` looks through its result once more for what our template has already: descriptions of
    images, and elements that can be focused.
    """
    exporter, templates, highlight = _make_exporter()
    language = notebook.metadata["language_info"]
    lexer = language.get("pygments_lexer", language["name"])
    exporter.register_filter("highlight_code", highlight(pygments_lexer=lexer, parent=exporter))
    return order_headings(str(templates.from_notebook_node(exporter, notebook)[0]), top=3)


def _read(text: str) -> Any:
    nbformat: Any = import_module("nbformat")

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # missing cell ids and the like: nothing that a reader of the page needs
        return nbformat.reads(text, as_version=4)


@cache
def _make_exporter() -> tuple[Any, Any, Any]:
    """Return nbconvert's exporter, its class that fills templates, and what highlights code; it takes a while to import."""
    exporters: Any = import_module("nbconvert.exporters")
    exporter = exporters.HTMLExporter(
        template_name="nbops",
        extra_template_basedirs=[str(Path(__file__).parent / "nbconvert")],
        exclude_anchor_links=True,
        default_preprocessors=["nbconvert.preprocessors.HighlightMagicsPreprocessor"],  # the others have nothing to do here
        filters={"ansi": _ansi, "figure": _figure, "static_markdown": _markdown},
    )
    exporter._validate_preprocessor = lambda *_: None  # noqa: SLF001  # the notebook is of our own making
    exporter.environment.bytecode_cache = compiled_templates("nbconvert", metadata.version("nbconvert"))
    return exporter, exporters.TemplateExporter, import_module("nbconvert.filters").Highlight2HTML


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


def _prepare(notebook: Any, task: TaskRun, budget: _Budget) -> tuple[Any, list[int]]:
    """Return a notebook of our own making, with bounded outputs, and the numbers of its cells as the ledger counts them."""
    runs = {cell.index: cell for cell in task.cells}
    failing = task.error.cell if task.error else None
    kept: list[Any] = []
    numbers: list[int] = []
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
        if number is not None and (number == failing or info["status"] == "failed"):
            info |= {"status": "failed", "open": True}
        kept.append({"id": f"cell-{len(kept)}", **_cell(cell, info, budget)})
        numbers += [number] if number is not None else []
    made = {"nbformat": 4, "nbformat_minor": 5, "metadata": _language(notebook.metadata), "cells": kept}
    return import_module("nbformat").from_dict(made), numbers  # not checked: nothing of a stranger's form is left in it


def _cell(cell: Any, info: dict[str, Any], budget: _Budget) -> dict[str, Any]:
    """Make a cell anew: ids, tags and metadata of a stranger may be invalid, and then nbconvert refuses the whole notebook."""
    metadata = {"nbops": info, **({"alt": cell.metadata["alt"]} if isinstance(cell.metadata.get("alt"), str) else {})}
    source = clean(cut(_text(cell.source), _SOURCE))
    made = {"cell_type": cell.cell_type, "source": source, "metadata": metadata}
    if cell.cell_type == "code":
        return {**made, "execution_count": None, "outputs": _outputs(cell.get("outputs") or [], info["title"].lower(), budget)}
    if cell.cell_type == "markdown":
        return {**made, **({"attachments": cell["attachments"]} if isinstance(cell.get("attachments"), dict) else {})}
    return {**made, "cell_type": "raw"}


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

    def __init__(self, most: int, figures: Path, *, coming: frozenset[str] = frozenset()) -> None:
        self._left = most
        self._figures = figures
        self._coming = coming

    def has(self, figure: str) -> bool:
        return figure in self._coming or (self._figures / figure).is_file()

    def take(self, text: str) -> bool:
        if len(text) > self._left:
            return False
        self._left -= len(text)
        return True


def _outputs(outputs: Iterable[Any], about: str, budget: _Budget) -> list[Any]:
    made: list[Any] = []
    for output in _joined(outputs):
        kind = output.get("output_type")
        if kind == "stream":
            name = "stderr" if output.get("name") == "stderr" else "stdout"
            text = _bounded(_screen(_text(output.get("text"))), budget)
            made.append({"output_type": "stream", "name": name, "text": text})
        elif kind == "error":
            lines = "\n".join(_text(line) for line in output.get("traceback") or []).split("\n")
            trace = [_bounded("\n".join(lines[1:] if _RULER.match(lines[0]) else lines), budget)]
            ename, evalue = clean(cut(_text(output.get("ename")), 200)), clean(cut(_text(output.get("evalue")), 2_000))
            made.append({"output_type": "error", "ename": ename, "evalue": evalue, "traceback": trace})
        else:
            data = _kept_figure(output, budget) or _static(output.get("data") or {}, about, budget)
            metadata = output.get("metadata") if isinstance(output.get("metadata"), dict) else {}
            made.append({"output_type": "display_data", "data": data, "metadata": metadata})
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
    if not budget.has(name):
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
