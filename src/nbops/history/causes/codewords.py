"""Words and texts in the code of notebooks that tell which columns it is about, and whether it chooses rows."""

from __future__ import annotations

import ast
import re

__all__ = ["COMPUTED", "NAMING", "ROWS", "SQL", "WORD", "same_query", "texts_of"]

SQL = re.compile(r"\b(select|insert|update|create)\b.*\b(from|into|set|table|view)\b|\bselect\b", re.IGNORECASE | re.DOTALL)
WORD = re.compile(r"[A-Za-z_]\w*")
_QUOTED = re.compile(r"""('(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|/\*.*?\*/)""", re.DOTALL)
NAMING = frozenset({"assign", "with_columns", "agg", "aggregate", "mutate", "select", "aggregates", "transform"})
COMPUTED = frozenset(
    [
        *("pivot", "pivot_table", "unstack", "crosstab", "get_dummies", "to_dummies", "melt", "transpose", "describe"),
        *("add_prefix", "add_suffix", "prefix", "suffix", "agg", "aggregate"),
    ]
)
"""Calls that make columns whose names stand nowhere in the code."""
ROWS = frozenset(
    [
        *("merge", "join", "query", "dropna", "drop_duplicates", "filter", "sample", "head", "tail", "nlargest", "nsmallest"),
        *("concat", "append", "groupby", "group_by", "explode", "melt", "pivot", "pivot_table", "unique", "union", "limit"),
        *("drop_nulls", "drop", "slice", "vstack", "resample", "join_asof", "merge_asof", "unstack", "stack", "between", "isin"),
    ]
)


def texts_of(node: ast.AST | None) -> set[str]:
    """Return the texts that a subscript or argument names: ``"a"``, ``["a", "b"]``, ``(mask, "a")``."""
    if isinstance(node, ast.Constant):
        return {node.value} if isinstance(node.value, str) else set()
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return {text for item in node.elts for text in texts_of(item)}
    return set()


def same_query(text: str) -> str:
    """Return SQL without what means nothing in it: upper case, blanks and comments outside of what is quoted."""
    parts = _QUOTED.split(text)
    plain = [part if part[:1] in {"'", '"'} else " " if place % 2 else part.lower() for place, part in enumerate(parts)]
    return " ".join("".join(plain).split())
