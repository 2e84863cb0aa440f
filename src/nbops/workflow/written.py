"""Which of the files that code names it writes: those are no inputs of it.

A log that a task appends to, or a model that it saves under a name of its own, would else make the task stale for ever.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["written_literals"]

_WRITES_ARGUMENT = re.compile(r"(to|save|write|dump|export)_\w+|save\w*|dump|imsave|FileHandler|basicConfig|makedirs|remove")
"""Functions that write what an argument names: ``to_csv``, ``savefig``, ``joblib.dump``, ``logging.FileHandler``..."""
_WRITES_ITSELF = frozenset({"write_text", "write_bytes", "touch", "mkdir", "unlink"})
"""Methods of a path that write it."""
_MODE = re.compile(r"[rwaxbtU+]{1,4}")
_SQL_TARGET = re.compile(r"\bto\s+'([^'\n]+)'", re.IGNORECASE)


def written_literals(trees: Iterable[ast.AST]) -> set[str]:
    """Return the string constants that name what the code writes.

    Args:
        trees: Syntax trees of the code; a name that one binds to a path is known in the others.

    >>> code = "LOG = 'a.log'; open(LOG, 'a'); pd.read_csv('in.csv').to_csv('out.csv'); Path('note').write_text('x')"
    >>> sorted(written_literals([ast.parse(code)]))
    ['a.log', 'note', 'out.csv']
    """
    trees = list(trees)
    nodes = [node for tree in trees for node in ast.walk(tree)]
    named = {name: text for node in nodes for name, text in _bindings(node)}
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Call):
            for target in _targets(node):
                found |= set(_texts(target, named))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found |= set(_SQL_TARGET.findall(node.value))
    return found


def _bindings(node: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield names that are bound to a path written out: ``OUT = 'x'`` or ``OUT = Path('x')``."""
    if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
        return
    value = node.value
    if isinstance(value, ast.Call) and len(value.args) == 1 and _called(value) in {"Path", "str"}:
        value = value.args[0]
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            if isinstance(target, ast.Name):
                yield target.id, value.value


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else call.func.id if isinstance(call.func, ast.Name) else ""


def _targets(call: ast.Call) -> list[ast.expr]:
    """Return the expressions that name what a call writes."""
    name = _called(call)
    receiver = [call.func.value] if isinstance(call.func, ast.Attribute) else []
    if name in _WRITES_ITSELF:
        return receiver
    if name == "open":
        return [*receiver, *call.args[:1]] if _opens_to_write(call, method=bool(receiver)) else []
    if _WRITES_ARGUMENT.fullmatch(name):
        return [*call.args, *(keyword.value for keyword in call.keywords)]
    return []


def _opens_to_write(call: ast.Call, *, method: bool) -> bool:
    # open(path, mode) and gzip.open(path, mode), but path.open(mode)
    candidates = [keyword.value for keyword in call.keywords if keyword.arg == "mode"]
    candidates += call.args[1:2] or (call.args[:1] if method else [])
    modes = [item.value for item in candidates if isinstance(item, ast.Constant) and isinstance(item.value, str)]
    return any(_MODE.fullmatch(mode) and set(mode) & set("wax") for mode in modes)


def _texts(expression: ast.expr, named: Mapping[str, str]) -> Iterator[str]:
    for node in ast.walk(expression):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.Name) and node.id in named:
            yield named[node.id]
