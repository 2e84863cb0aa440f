"""Code cells of a notebook or script, counted as in records."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from typing import Any

from nbops.workflow.taskrecord import is_source

__all__ = ["cells_of_source", "cells_of_text", "function_cells"]

_PERCENT = re.compile(r"^# %%(?P<rest>.*)$", re.MULTILINE)
_KIND = re.compile(r"\[(markdown|md|raw)\]")


def cells_of_source(notebook: Mapping[str, Any]) -> tuple[tuple[int, str], ...]:
    """Return index and text of the code cells of a notebook, without what was put in to run it."""
    cells = [cell for cell in notebook.get("cells", []) if isinstance(cell, Mapping) and is_source(cell)]
    return tuple((index, "".join(cell.get("source", ""))) for index, cell in enumerate(cells) if cell.get("cell_type") == "code")


def cells_of_text(text: str, path: str) -> tuple[tuple[int, str], ...]:
    """Return index and text of the code cells of a source file: a notebook, a percent script, or one cell.

    Args:
        text: The file's.
        path: For its ending.
    """
    if path.endswith(".ipynb"):
        try:
            document = json.loads(text)
        except ValueError:
            return ()
        return cells_of_source(document) if isinstance(document, dict) else ()
    marks = list(_PERCENT.finditer(text)) if path.endswith((".py", ".r", ".R", ".jl")) else []
    if not marks:
        return ((0, text),)
    starts = [mark.end() for mark in marks]
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    head = text[: marks[0].start()]
    code = "\n".join(line for line in head.splitlines() if not line.startswith("#")).strip()
    found = [(head, False)] if code else []
    found += [(text[start:end], bool(_KIND.search(mark["rest"]))) for mark, start, end in zip(marks, starts, ends, strict=True)]
    return tuple((index, body) for index, (body, prose) in enumerate(found) if not prose)


def function_cells(text: str, name: str) -> tuple[tuple[int, str], ...]:
    """Return a module's code in which a function's body stands for the function, so that its statements can be told apart.

    Args:
        text: The module's.
        name: The function, or a task that is called as it or as ``module.function``.
    """
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return ((0, text),)
    wanted = name.rpartition(".")[2]
    body: list[str] = []
    rest: list[str] = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == wanted:
            body += [ast.unparse(item) for item in node.body]
        else:
            rest.append(ast.unparse(node))
    return ((0, "\n".join([*rest, *body])),) if body else ((0, text),)
