"""Whether a statement raised an error that is known by its class and its message: read from code, nothing is run."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbops.history.causes.codediff import CodeChange
    from nbops.history.causes.focus import Focus
    from nbops.model import RunError

__all__ = ["raised_in"]


def raised_in(changes: tuple[CodeChange, ...], focus: Focus, error: RunError | None) -> CodeChange | None:
    """Return the change that brought the statement which raised an error; None where none of them did.

    Args:
        changes: Of the code of the task that failed.
        focus: What is asked about: the failure of a task, with its cell.
        error: Why the task failed.
    """
    if focus.kind != "task" or focus.cell is None or error is None:
        return None
    for change in changes:
        if change.after is None or change.after.cell != focus.cell:
            continue
        before = set(_raising(change.before.text)) if change.before is not None else set()
        if any(one not in before and _is(one, error) for one in _raising(change.after.text)):
            return change
    return None


_Raising = tuple[str, tuple[str, ...]]
"""The class of an error, and what its message holds as far as the code spells it."""


def _raising(code: str) -> Iterator[_Raising]:
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Assert):
            yield "AssertionError", _spelt(node.msg)
        elif isinstance(node, ast.Raise) and node.exc is not None:
            made = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            said = node.exc.args[0] if isinstance(node.exc, ast.Call) and node.exc.args else None
            name = made.attr if isinstance(made, ast.Attribute) else made.id if isinstance(made, ast.Name) else ""
            yield name, _spelt(said)


def _spelt(node: ast.expr | None) -> tuple[str, ...]:
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    return tuple(" ".join(one.value.split()) for one in parts if isinstance(one, ast.Constant) and isinstance(one.value, str))


def _is(one: _Raising, error: RunError) -> bool:
    name, spelt = one
    message = " ".join(error.message.split())
    return name == error.kind.rpartition(".")[2] and all(part in message for part in spelt)
