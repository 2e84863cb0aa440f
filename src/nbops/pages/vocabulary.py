"""The words of the pages themselves."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

__all__ = ["page_words"]


@cache
def page_words() -> tuple[str, ...]:
    """Return the texts that pages are made of, whatever the run: a customer called "Page" is not disclosed by them."""
    here = Path(__file__).parent
    texts = [path.read_text(encoding="utf-8") for path in sorted((here / "templates").glob("*.j2"))]
    for path in sorted(here.glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        texts += [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return tuple(texts)
