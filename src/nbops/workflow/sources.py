"""A task's source read anew without Ploomber: its code, and what it says of its upstream and products."""

from __future__ import annotations

import ast
import fnmatch
import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbops.errors import NbopsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbops.pipeline import TaskSpec

__all__ = ["SourceError", "reread"]

_TEMPLATE_UPSTREAM = re.compile(r"""upstream\s*\[\s*["']([^"']+)["']\s*\]""")
_INJECTED = frozenset({"injected-parameters", "debugging-settings"})


class SourceError(NbopsError):
    """What a source says cannot be told without Ploomber."""


def reread(spec: TaskSpec, *, names: Sequence[str], upstream: bool, product: bool) -> TaskSpec:
    """Return a task whose source changed as it is now.

    Args:
        spec: The task as it was.
        names: All tasks of the pipeline, for wildcards.
        upstream: Upstream is read from sources.
        product: Products are.

    Raises:
        SourceError: The source cannot be read, or says something that only Ploomber could work out.
    """
    if spec.source is None:
        raise SourceError("it has no source file")
    try:
        text = spec.source.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"its source cannot be read: {error}") from error
    if spec.function is not None:
        return replace(
            spec, upstream=_sorted(_function_upstream(text, spec.function), names, spec) if upstream else spec.upstream
        )
    if spec.kind in {"notebook", "script"}:
        return _reread_notebook(spec, spec.source, text, names=names, upstream=upstream, product=product)
    if product:
        raise SourceError("its source changed, which declares its product")
    found = _TEMPLATE_UPSTREAM.findall(text)
    return replace(spec, code=(text,), upstream=_sorted(found, names, spec) if upstream else spec.upstream)


def _reread_notebook(spec: TaskSpec, source: Path, text: str, *, names: Sequence[str], upstream: bool, product: bool) -> TaskSpec:
    cells, parameters = _cells(source, text)
    changed = replace(spec, code=tuple(cells))
    if not upstream and not product:
        return changed
    if spec.language != "python" or parameters is None:
        raise SourceError("its source changed, which declares what it depends on")
    if upstream:
        found = _assigned(parameters, "upstream")
        listed = [found] if isinstance(found, str) else list(found or ())
        changed = replace(changed, upstream=_sorted(listed, names, spec))
    if product and _products(_assigned(parameters, "product")) != {item.key: item.path for item in spec.products}:
        raise SourceError("its source declares its products differently")
    return changed


def _cells(source: Path, text: str) -> tuple[list[str], str | None]:
    """Return the code cells of a notebook, and the one with its parameters."""
    try:
        if source.suffix == ".ipynb":
            cells = [(cell["cell_type"], "".join(cell["source"]), cell["metadata"]) for cell in json.loads(text)["cells"]]
        else:
            import jupytext  # noqa: PLC0415 - only where a text notebook changed

            read = jupytext.reads(text, fmt={"extension": source.suffix})
            cells = [(cell.cell_type, cell.source, cell.metadata) for cell in read.cells]
    except Exception as error:
        raise SourceError(f"its source cannot be read: {error}") from error
    code = [(body, frozenset(notes.get("tags", ()))) for kind, body, notes in cells if kind == "code"]
    kept = [(body, tags) for body, tags in code if not tags & _INJECTED]
    return [body for body, _ in kept], next((body for body, tags in kept if "parameters" in tags), None)


def _assigned(code: str, name: str) -> Any:
    try:
        statements = ast.parse(code).body
        values = [
            node.value
            for node in statements
            if isinstance(node, ast.Assign) and any(isinstance(target, ast.Name) and target.id == name for target in node.targets)
        ]
        return ast.literal_eval(values[-1]) if values else None
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError) as error:
        raise SourceError(f"its {name} is not written out in its source") from error


def _products(value: Any) -> dict[str, str]:
    given = value if isinstance(value, dict) else {"product": value}
    return {str(key): os.path.normpath(str(path)) for key, path in given.items()}


def _function_upstream(text: str, name: str) -> list[str]:
    try:
        functions = [node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef) and node.name == name]
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise SourceError("its source cannot be parsed") from error
    if not functions:
        raise SourceError(f"its source no longer defines {name}")
    return [
        node.slice.value
        for node in ast.walk(functions[-1])
        if isinstance(node, ast.Subscript)
        and isinstance(node.value, ast.Name)
        and node.value.id == "upstream"
        and isinstance(node.slice, ast.Constant)
        and isinstance(node.slice.value, str)
    ]


def _sorted(found: Sequence[str], names: Sequence[str], spec: TaskSpec) -> tuple[str, ...]:
    """Return the upstream tasks that are meant, in the order that they had where they had one."""
    meant: list[str] = []
    for name in found:
        matches = fnmatch.filter(names, name) if "*" in name else [name] if name in names else []
        if not matches:
            raise SourceError(f"its upstream {name!r} is no task")
        meant += matches
    kept = [name for name in spec.upstream if name in meant]
    return tuple(dict.fromkeys([*kept, *meant]))
