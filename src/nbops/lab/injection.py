"""The cell that shows a notebook what the pipeline gives it: put in on open, taken out on save.

Pure functions over notebooks in nbformat 4, as `Jupyter's contents API
<https://jupyter-server.readthedocs.io/en/stable/developers/contents.html>`_ passes them. Tag and place are papermill's
(https://papermill.readthedocs.io/en/latest/usage-parameterize.html).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from nbops.adapters.languages import assignments

__all__ = ["clean", "code_for", "inject", "keep_header", "parameters_cell"]

_TAG = "injected-parameters"
_REMOVED_TAGS = frozenset({_TAG, "debugging-settings"})
_MARK = "nbops_injected"
"""In the cell's metadata: ours, to be removed wherever the notebook is saved to."""
_COMMENT = (
    "Injected by nbops from pipeline.yaml: what a build gives this notebook.\n"
    "Temporary: it is not saved, and is made anew when the notebook is opened."
)
_CELL_NOISE = ("papermill", "execution", "ExecuteTime", "trusted")
_NOTEBOOK_NOISE = ("papermill", "signature", "toc-autonumbering")
_HEADER = re.compile(r"# ---\r?\n(?:#.*\n)*?# ---\r?\n")
_VERSIONS = ("format_version", "jupytext_version")
_TRACEBACK_KEYS = ("evalue",)
_IN_A_PATH = re.compile(r"[\w./-]")
_Replace: TypeAlias = Callable[[str], str]


def parameters_cell(notebook: Mapping[str, Any]) -> str | None:
    """Return the source of the cell tagged ``parameters``, or None.

    Args:
        notebook: The notebook.
    """
    return next((_text(cell.get("source", "")) for cell in notebook.get("cells", []) if "parameters" in _tags(cell)), None)


def inject(notebook: dict[str, Any], values: Mapping[str, Any], *, language: str = "python") -> None:
    """Put the cell with ``values`` below the parameters cell, or on top where there is none; an older one is replaced.

    Args:
        notebook: The notebook; changed in place.
        values: Parameter names and JSON-like values.
        language: The kernel's language; others than Python are translated by papermill.
    """
    from nbformat.v4 import new_code_cell  # noqa: PLC0415 - the server has it loaded; `import nbops` must not

    cells = [cell for cell in notebook.get("cells", []) if _TAG not in _tags(cell)]
    place = next((index + 1 for index, cell in enumerate(cells) if "parameters" in _tags(cell)), 0)
    make: Any = new_code_cell
    cell = make(code_for(values, language=language), metadata={"tags": [_TAG], _MARK: True, "trusted": True})
    cell["id"] = "nbops-injected-parameters"
    if (notebook.get("nbformat", 4), notebook.get("nbformat_minor", 5)) < (4, 5):
        del cell["id"]  # cells have ids since nbformat 4.5; before, they are an error
    cells.insert(place, cell)
    notebook["cells"] = cells


def clean(notebook: Mapping[str, Any], *, root: Path | None) -> dict[str, Any]:
    """Return a copy that is fit to be saved.

    Gone is the injected cell. In a pipeline's notebooks any injected cell goes, whoever made it, with papermill's and timing
    metadata and empty tags; absolute paths of the project and of the user's home in outputs become relative ones.

    Args:
        notebook: The notebook as the browser sends it.
        root: The project's root when the notebook belongs to its pipeline; None leaves everything but our own cell alone.
    """
    kept = [
        cell
        for cell in notebook.get("cells", [])
        if not (cell.get("metadata", {}).get(_MARK) or (root and _REMOVED_TAGS & _tags(cell)))
    ]
    if root is None:
        return {**notebook, "cells": kept}
    metadata = {key: value for key, value in notebook.get("metadata", {}).items() if key not in _NOTEBOOK_NOISE}
    if isinstance(metadata.get("ploomber"), Mapping):  # Ploomber's note that a cell was injected into the file
        rest = {key: value for key, value in metadata["ploomber"].items() if key != "injected_manually"}
        metadata = {key: value for key, value in metadata.items() if key != "ploomber"} | ({"ploomber": rest} if rest else {})
    paths = _replacements(root)
    return {**notebook, "metadata": metadata, "cells": [_clean_cell(cell, paths) for cell in kept]}


def keep_header(notebook: Mapping[str, Any], *, saved: str) -> dict[str, Any]:
    """Return a copy that jupytext writes with the header that the text file has, not with one more line about itself.

    Jupytext adds its own version and that of its format to each header; with two people's versions, every save is a change.

    Args:
        notebook: The notebook.
        saved: The text file as it is on disk.
    """
    metadata = notebook.get("metadata", {})
    jupytext = metadata.get("jupytext", {})
    header = _HEADER.match(saved)
    if header is None or "notebook_metadata_filter" in jupytext:
        return dict(notebook)
    if not re.search(r"^#\s+jupytext:", header[0], flags=re.MULTILINE):
        unwanted = [] if set(jupytext) - {"text_representation", "main_language"} else ["jupytext"]
    else:
        unwanted = [f"jupytext.text_representation.{key}" for key in _VERSIONS if f" {key}:" not in header[0]]
    if not unwanted:
        return dict(notebook)
    names = [*unwanted, "jupytext.notebook_metadata_filter"]  # nor does the filter itself stay in the header
    kept = {**jupytext, "notebook_metadata_filter": ",".join(f"-{name}" for name in names)}
    return {**notebook, "metadata": {**metadata, "jupytext": kept}}


def code_for(values: Mapping[str, Any], *, language: str = "python") -> str:
    """Return source code that assigns ``values``.

    Args:
        values: Names and JSON-like values.
        language: The kernel's language.

    >>> print(code_for({"product": {"nb": "out/a.ipynb"}, "share": 0.5, "upstream": None}).partition("opened.")[2].strip())
    product = {"nb": "out/a.ipynb"}
    share = 0.5
    upstream = None
    """
    if language.lower() not in {"python", "ipython"}:
        return assignments(values, language=language, comment=_COMMENT.replace("\n", " "))
    lines = [f"# {line}" for line in _COMMENT.splitlines()]
    lines += [f"{name} = {_python(value)}" for name, value in values.items() if str(name).isidentifier()]
    return "\n".join(lines)


def _python(value: Any) -> str:
    """Return a literal in the style of the project's formatters (double quotes)."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_python(key)}: {_python(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_python(item) for item in value) + "]"
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    if value is None or isinstance(value, (bool, int, float)):
        return repr(value)
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if text.isprintable() else repr(text)


def _clean_cell(cell: Mapping[str, Any], paths: tuple[_Replace, ...]) -> dict[str, Any]:
    metadata = {
        key: value
        for key, value in cell.get("metadata", {}).items()
        if key not in _CELL_NOISE and not (key == "tags" and not value)
    }
    kept = {**cell, "metadata": metadata}
    if cell.get("outputs"):
        kept["outputs"] = [_clean_output(output, paths) for output in cell["outputs"]]
    return kept


def _clean_output(output: Mapping[str, Any], paths: tuple[_Replace, ...]) -> dict[str, Any]:
    kept = dict(output)
    for key in ("text", "traceback", *_TRACEBACK_KEYS):
        if key in kept:
            kept[key] = _relative(kept[key], paths)
    if isinstance(kept.get("data"), Mapping):
        kept["data"] = {
            kind: _relative(value, paths) if kind.startswith("text/") else value for kind, value in kept["data"].items()
        }
    return kept


def _replacements(root: Path) -> tuple[_Replace, ...]:
    """Return what puts something shorter for absolute paths; a folder that merely starts with the same letters is left alone."""
    folders = ((str(root), "", "."), (str(Path.home()), "~/", "~"))
    return tuple(_replacement(*names) for names in folders if len(Path(names[0]).parts) > 1)  # "/" is in everything


def _replacement(folder: str, inside: str, itself: str) -> _Replace:
    # It begins with the folder's letters, which `re` looks for as fast as memory is read; a look behind in front of them would be
    # tried at each of the millions of characters that outputs can have.
    pattern = re.compile(rf"{re.escape(folder)}(?:(/)|(?![\w.-]))")

    def shorter(match: re.Match[str]) -> str:
        before = match.string[match.start() - 1 : match.start()]
        return match[0] if _IN_A_PATH.match(before) else inside if match[1] else itself

    return lambda text: pattern.sub(shorter, text)


def _relative(value: Any, paths: tuple[_Replace, ...]) -> Any:
    if isinstance(value, list):
        return [_relative(item, paths) for item in value]
    if not isinstance(value, str):
        return value
    for shorten in paths:
        value = shorten(value)
    return value


def _tags(cell: Mapping[str, Any]) -> set[str]:
    tags = cell.get("metadata", {}).get("tags", [])
    return {tag for tag in tags if isinstance(tag, str)} if isinstance(tags, list) else set()


def _text(source: Any) -> str:
    return "".join(source) if isinstance(source, list) else str(source)
