"""How code differs between two runs, statement by statement, and how much that has to do with some columns."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from nbops.history.causes.codewords import SQL, same_query
from nbops.history.causes.differing import columns_between
from nbops.history.causes.statements import Slice, Statement, slice_of, statements_of

if TYPE_CHECKING:
    from nbops.history.causes.facts import CodeOf

__all__ = ["CodeChange", "affected_names", "changes_of", "relevance_of", "same_cells"]

_SHOWN = 90
_SHOWING = frozenset({"__str__", "__repr__", "__format__", "_repr_html_"})
_OTHER = 0.03
"""Relevance of a change to other columns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeChange:
    """A statement that changed, came or went."""

    before: Statement | None
    after: Statement | None

    @property
    def cell(self) -> int:
        """The cell, as the code is now; of what went, where it was."""
        found = self.after or self.before
        return found.cell if found is not None else 0

    @property
    def text(self) -> str:
        """What changed, in short."""
        was, now = (_short(item.text) if item is not None else "" for item in (self.before, self.after))
        if was and now:
            return f"`{was}` became `{now}`"
        return f"`{now}` is new" if now else f"`{was}` is gone"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"


def changes_of(code: CodeOf) -> tuple[CodeChange, ...]:
    """Return the statements that differ; renamed variables, the order of imports, and how SQL is laid out are no difference."""
    old, new = statements_of(code.before), statements_of(code.after)
    if list(map(_plain, old)) == list(map(_plain, new)) or _renamed(old) == _renamed(new):
        return ()
    found = list(_paired(old, new))
    gone = {item.before.text for item in found if item.before is not None and item.after is None}
    came = {item.after.text for item in found if item.after is not None and item.before is None}
    moved = {text for text in gone & came if text.startswith(("import ", "from "))}
    return tuple(item for item in found if not _is_in(item, moved))


def _is_in(item: CodeChange, texts: set[str]) -> bool:
    found = item.before if item.after is None else item.after if item.before is None else None
    return found is not None and found.text in texts


def _paired(old: Sequence[Statement], new: Sequence[Statement]) -> Iterator[CodeChange]:
    matcher = SequenceMatcher(a=list(map(_plain, old)), b=list(map(_plain, new)), autojunk=False)
    for what, i1, i2, j1, j2 in matcher.get_opcodes():
        if what == "equal":
            continue
        before, after = list(old[i1:i2]), list(new[j1:j2])
        for item in after:
            partner = max(before, key=lambda one, item=item: _alike(one, item), default=None)  # type: ignore[misc]
            if partner is not None and (_alike(partner, item) > 0.4 or len(before) == len(after) == 1):  # noqa: PLR2004
                before.remove(partner)
                yield CodeChange(before=partner, after=item)
            else:
                yield CodeChange(before=None, after=item)
        for item in before:
            yield CodeChange(before=item, after=None)


def _plain(item: Statement) -> str:
    """Return a statement's code in which SQL is without case and layout."""
    if not item.whole:
        return item.text
    try:
        tree = ast.parse(item.text)
    except (SyntaxError, ValueError, RecursionError):
        return same_query(item.text) if SQL.search(item.text) else item.text
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and SQL.search(node.value):
            node.value = same_query(node.value)
    return ast.unparse(tree)


def _alike(one: Statement, other: Statement) -> float:
    same = 0.5 if one.writes and one.writes == other.writes else 0.0
    return same + SequenceMatcher(a=one.text, b=other.text, autojunk=False).ratio()


def _renamed(statements: Sequence[Statement]) -> list[str]:
    """Return code in which the variables that it makes are numbered in place of named."""
    stored = {name for item in statements for name in item.stores}
    numbers: dict[str, str] = {}
    found = []
    for item in statements:
        try:
            tree = ast.parse(_plain(item))
        except (SyntaxError, ValueError, RecursionError):
            found.append(_plain(item))
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and node.id in stored:
                node.id = numbers.setdefault(node.id, f"v{len(numbers)}")
        found.append(ast.dump(tree))
    return found


def same_cells(code: CodeOf) -> Mapping[int, int]:
    """Return which cell of the code before each cell of the code now is, by what they hold."""
    old, new = list(code.before), list(code.after)
    matcher = SequenceMatcher(a=[text.strip() for _, text in old], b=[text.strip() for _, text in new], autojunk=False)
    found: dict[int, int] = {}
    for what, i1, i2, j1, j2 in matcher.get_opcodes():
        if what == "equal" or i2 - i1 == j2 - j1:
            found.update({new[j][0]: old[i][0] for i, j in zip(range(i1, i2), range(j1, j2), strict=True)})
    return found


def relevance_of(changes: Sequence[CodeChange], now: Slice, before: Slice) -> tuple[float, tuple[CodeChange, ...]]:
    """Return how much the changes have to do with what was sliced for, 0 to 1, and the changes by that.

    Args:
        changes: From :func:`changes_of`.
        now: Slice of the code as it is.
        before: Slice of the code as it was.
    """
    weighed = [(_weigh(item, now, before), place, item) for place, item in enumerate(changes)]
    weighed.sort(key=lambda entry: (-entry[0], entry[1]))
    return (weighed[0][0] if weighed else 0.0), tuple(item for _, _, item in weighed)


def _weigh(change: CodeChange, now: Slice, before: Slice) -> float:
    old, new = change.before, change.after
    if old is not None and new is not None:
        if old.idle and new.idle:
            return 0.01
        columns = columns_between(old, new)
        if columns is not None:
            known = {**before.columns, **now.columns}
            return max((known.get(name, _OTHER) for name in columns), default=_OTHER)
    found = [0.0]
    for item, part in ((new, now), (old, before)):
        if item is None:
            continue
        if item.idle:
            found.append(0.01)
        elif item.text.startswith(("import ", "from ")):
            found.append(min(part.of(item), 0.4 if old is not None and new is not None else 0.1))
        else:
            found.append(part.of(item))
    return max(found)


def affected_names(modules: Mapping[str, CodeOf], path: str) -> frozenset[str]:
    """Return the functions, classes and constants, of all modules, that a module's changes reach, by name."""
    found: set[str] = set()
    for item in changes_of(modules[path]):
        methods = _methods_between(item)
        if methods is not None:
            found |= methods
            continue
        for one in (item.before, item.after):
            if one is not None and not one.idle:
                found |= one.stores
    known = [item for code in modules.values() for item in statements_of(code.after)]
    while True:
        more = {name for item in known if (item.loads | item.mentions) & found for name in item.stores} - found
        if not more:
            return frozenset(found)
        found |= more


def _methods_between(change: CodeChange) -> set[str] | None:
    """Return the methods in which two versions of a class differ; None where more of it differs, or it is no class.

    Methods that only show an object are left out.
    """
    was, now = _class_of(change.before), _class_of(change.after)
    if was is None or now is None:
        return None
    (old, old_rest), (new, new_rest) = was, now
    names = {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)} - _SHOWING
    if old_rest != new_rest or any(name.startswith("__") for name in names):
        return None
    return names


def _class_of(item: Statement | None) -> tuple[dict[str, str], str] | None:
    """Return the methods of a class, and all else of it."""
    try:
        node = ast.parse(item.text).body[0] if item is not None else None
    except (SyntaxError, ValueError, RecursionError, IndexError):
        return None
    if not isinstance(node, ast.ClassDef):
        return None
    functions = [part for part in node.body if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef)]
    methods = {part.name: ast.dump(part) for part in functions}
    node.body = [part for part in node.body if part not in functions]
    return methods, ast.dump(node)


def slices(code: CodeOf, columns: Mapping[str, float], *, rows: float, until: int | None = None) -> tuple[Slice, Slice]:
    """Return the slices of the code now and before."""
    now, before = (slice_of(statements_of(cells), columns, rows=rows, until=until) for cells in (code.after, code.before))
    return now, before
