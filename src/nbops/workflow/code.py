"""What a task's code says of itself: its meaning without comments, what it imports, which files it names.

Python is compared by its syntax tree, so that a comment, a blank line or a reformatting reruns nothing. What is no Python
(magics, other languages) is compared as text without outer blanks.
"""

from __future__ import annotations

import ast
import os
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from nbops.workflow.hashing import digest
from nbops.workflow.written import written_literals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

__all__ = ["Imported", "code_hash", "function_closure", "imports_of", "literals_of", "resolve_modules"]

_MAGIC = re.compile(r"^\s*[%!]")
_LONGEST_PATH = 1024


@dataclass(frozen=True, slots=True)
class Imported:
    """One import: ``module`` at ``level`` leading dots, with the names taken from it."""

    module: str
    level: int
    names: tuple[str, ...]


def _parse(code: str) -> ast.Module | None:
    """Return the syntax tree; IPython's line magics are taken out first. None when it is no Python."""
    lines = code.splitlines()
    if lines and lines[0].lstrip().startswith("%%"):
        return None
    plain = "\n".join("" if _MAGIC.match(line) else line for line in lines)
    try:
        return ast.parse(plain)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def code_hash(cells: Iterable[str], *, language: str) -> str:
    """Return a hash of what the code does.

    Args:
        cells: The code cells in order (a script or statement is one cell).
        language: ``python`` or another; only Python is compared by its syntax tree.
    """
    parts: list[str] = []
    for cell in cells:
        tree = _parse(cell) if language == "python" else None
        if tree is None:
            text = cell.strip()
        else:
            magics = [line.strip() for line in cell.splitlines() if _MAGIC.match(line)]
            text = "\n".join([*magics, ast.dump(_without_docstrings(tree))])
            if not tree.body and not magics:
                continue  # an empty cell, or only comments
        if text:
            parts.append(text)
    return digest("code", language, *parts)


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            and ast.get_docstring(node, clean=False) is not None
        ):
            node.body = node.body[1:] or [ast.Pass()]
    return tree


def function_closure(module_source: str, name: str) -> tuple[str, tuple[Imported, ...]] | None:
    """Return the code that a function of a module needs, and what that code imports.

    Takes the function and, transitively, every top-level definition of the same module that it mentions, so that editing an
    unrelated function of the module reruns nothing.

    Args:
        module_source: Text of the module.
        name: The function.

    Returns:
        Code and imports, or None when the module cannot be parsed or does not define the function.
    """
    module = _definitions(module_source)
    if module is None or name not in module.defined:
        return None
    wanted, queue = {name}, [name]
    while queue:
        for _, node in module.defined[queue.pop()]:
            mentioned = {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}
            fresh = (mentioned & module.defined.keys()) - wanted
            wanted |= fresh
            queue += sorted(fresh)
    chosen = [node for _, node in sorted({place: node for one in wanted for place, node in module.defined[one]}.items())]
    used = {inner.id for node in chosen for inner in ast.walk(node) if isinstance(inner, ast.Name)}
    inner_imports = [item for node in chosen for item, _ in _all_imports(node)]
    needed = [module.imported[bound] for bound in sorted(used & module.imported.keys())]
    code = "\n".join(ast.unparse(node) for node in chosen)
    return code, tuple(dict.fromkeys([*needed, *inner_imports]))


@dataclass(frozen=True, slots=True)
class _Definitions:
    """What the top level of a module binds: names to statements, each with its place in the module."""

    defined: Mapping[str, list[tuple[int, ast.stmt]]]
    imported: Mapping[str, Imported]


@lru_cache(maxsize=16)
def _definitions(module_source: str) -> _Definitions | None:
    """Look through a module once, however many of its functions are tasks; None when it cannot be parsed."""
    tree = _parse(module_source)
    if tree is None:
        return None
    defined: dict[str, list[tuple[int, ast.stmt]]] = {}
    imported: dict[str, Imported] = {}
    for place, node in enumerate(tree.body):
        for bound in _bound_names(node):
            defined.setdefault(bound, []).append((place, node))
        for item, names in _import_bindings(node):
            imported.update(dict.fromkeys(names, item))
    return _Definitions(defined, imported)


def _bound_names(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Import | ast.ImportFrom):
        return []
    return [inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store)]


def _import_bindings(node: ast.AST) -> Iterator[tuple[Imported, list[str]]]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield Imported(alias.name, 0, ()), [alias.asname or alias.name.split(".")[0]]
    elif isinstance(node, ast.ImportFrom):
        names = tuple(alias.name for alias in node.names)
        yield Imported(node.module or "", node.level, names), [alias.asname or alias.name for alias in node.names]


def _all_imports(tree: ast.AST) -> Iterator[tuple[Imported, list[str]]]:
    for node in ast.walk(tree):
        yield from _import_bindings(node)


def imports_of(cells: Iterable[str]) -> tuple[Imported, ...]:
    """Return every import in the code, wherever it stands."""
    found: list[Imported] = []
    for cell in cells:
        tree = _parse(cell)
        if tree is not None:
            found += [item for item, _ in _all_imports(tree)]
    return tuple(dict.fromkeys(found))


def literals_of(cells: Iterable[str]) -> tuple[str, ...]:
    """Return the string constants that could be paths of inputs (for SQL and others: what stands in single quotes)."""
    found: list[str] = []
    trees: list[ast.Module] = []
    for cell in cells:
        tree = _parse(cell)
        if tree is None:
            found += re.findall(r"'([^'\n]+)'", cell)
            continue
        trees.append(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
                # SQL inside a notebook names its files in single quotes
                found += re.findall(r"'([^'\n]+)'", node.value)
    written = written_literals(trees)
    return tuple(dict.fromkeys(text for text in found if _may_be_path(text) and text not in written))


def _may_be_path(text: str) -> bool:
    return 0 < len(text) <= _LONGEST_PATH and "\n" not in text and "\0" not in text


def resolve_modules(
    imports: Iterable[Imported],
    *,
    near: Path | None,
    search: Iterable[Path],
    facts: Callable[[str], tuple[str, tuple[Imported, ...]]] | None = None,
) -> tuple[dict[Path, str], set[str]]:
    """Follow imports through the project's own modules.

    Args:
        imports: Where to start.
        near: The file that holds them (for relative imports), if any.
        search: Folders that imports start from.
        facts: Gives the hash and the imports of a module's text; worked out by default.

    Returns:
        The project files reached, each with the hash of its code; and the top-level names of everything imported from elsewhere.
    """
    facts = facts or _module_facts
    roots = list(dict.fromkeys(map(str, search)))  # as text: a large project is looked through thousands of times
    reached: dict[str, str] = {}
    outside: set[str] = set()
    queue: list[tuple[Imported, str | None]] = [(item, str(near) if near else None) for item in imports]
    seen: set[tuple[Imported, str | None]] = set()
    names = _Names()
    while queue:
        item, origin = queue.pop()
        # only relative imports depend on where they stand
        followed = (item, os.path.dirname(origin) if item.level and origin else None)  # noqa: PTH120 - as text
        if followed in seen:
            continue
        seen.add(followed)
        files = _locate(item, followed[1], roots, names)
        if not files:
            if item.level == 0 and item.module:
                outside.add(item.module.split(".")[0])
            continue
        for file in files:
            if file in reached:
                continue
            try:
                text = Path(file).read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError):
                continue
            reached[file], further = facts(text)
            queue += [(inner, file) for inner in further]
    return {Path(file): found for file, found in reached.items()}, outside


def _module_facts(text: str) -> tuple[str, tuple[Imported, ...]]:
    return code_hash([text], language="python"), imports_of([text])


def _locate(item: Imported, folder: str | None, roots: list[str], names: _Names) -> list[str]:
    """Return the files that an import runs: the module, the packages above it, and submodules among the names.

    Args:
        item: The import.
        folder: Where the file stands that holds it; needed where it is relative.
        roots: Folders that others start from.
        names: What is in folders.
    """
    if item.level:
        if folder is None:
            return []
        base = folder
        for _ in range(item.level - 1):
            base = os.path.dirname(base)  # noqa: PTH120 - as text
        bases = [base]
    else:
        bases = roots
    parts = [part for part in item.module.split(".") if part]
    for base in bases:
        found = _files_of(base, parts, names)
        if found:
            for name in item.names:
                found += [file for file in _files_of(base, [*parts, name], names) if file not in found]
            return found
        if item.level and not parts:
            return [file for name in item.names for file in _files_of(base, [name], names)]
    return []


class _Names(dict[str, frozenset[str]]):
    """Folder to the names in it, listed once: most imports are of packages from elsewhere, sought in vain in every folder."""

    def __missing__(self, folder: str) -> frozenset[str]:
        try:
            found = frozenset(os.listdir(folder))  # noqa: PTH208 - paths of all entries are not needed
        except OSError:
            found = frozenset()
        self[folder] = found
        return found


def _files_of(base: str, parts: list[str], names: _Names) -> list[str]:
    found: list[str] = []
    folder = base
    for index, part in enumerate(parts):
        here, last = names[folder], index == len(parts) - 1
        inside = f"{folder}{os.sep}{part}" if part in here else None
        if inside is not None and "__init__.py" in names[inside]:
            found.append(f"{inside}{os.sep}__init__.py")
        elif last and f"{part}.py" in here:
            return [*found, f"{folder}{os.sep}{part}.py"]
        elif inside is None or last:
            return []
        folder = inside or f"{folder}{os.sep}{part}"
    return found
