"""YAML read safely: plain values only, no duplicate keys, errors that name the line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbops.contract.yamlevents import UNSURE, quickly
from nbops.errors import ContractError, did_you_mean

if TYPE_CHECKING:
    from pathlib import Path

    from ruamel.yaml.error import MarkedYAMLError

    from nbops.contract.yamlcache import DocumentCache

__all__ = ["Problems", "display_path", "parse_yaml", "read_file", "read_yaml"]

_MAX_BYTES = 10_000_000
_MAX_PROBLEMS = 10


class Problems:
    """What is wrong with one file, collected so that a user mends all of it at once."""

    def __init__(self, file: str) -> None:
        self.file = file
        self._found: list[str] = []

    @property
    def count(self) -> int:
        """Problems noted so far."""
        return len(self._found)

    def add(self, where: str, message: str) -> None:
        """Note one problem at a path such as ``schema[0].quality[2]``."""
        self._found.append(f"{self.file}: {where}: {message}" if where else f"{self.file}: {message}")

    def unknown(self, where: str, what: str, word: object, allowed: Any) -> None:
        """Note a word that is not among the allowed ones, with the nearest match."""
        shown = str(word)[:60]
        self.add(where, f"unknown {what} {shown!r}. {did_you_mean(shown, allowed)}")

    def raise_if_any(self) -> None:
        """Raise one ``ContractError`` that lists what was noted (ten at most, and how many more)."""
        if not self._found:
            return
        more = len(self._found) - _MAX_PROBLEMS
        tail = [f"... and {more} more problems"] if more > 0 else []
        raise ContractError("\n".join([*self._found[:_MAX_PROBLEMS], *tail]))


def display_path(path: Path, *, root: Path | None = None) -> str:
    """Return a path for messages and records: relative to the project's root, never a machine's own.

    >>> from pathlib import Path
    >>> display_path(Path("/srv/shop/contracts/orders.odcs.yaml"), root=Path("/srv/shop"))
    'contracts/orders.odcs.yaml'
    >>> display_path(Path("/srv/shop/contracts/orders.odcs.yaml"))
    'contracts/orders.odcs.yaml'
    """
    if root is not None and path.is_relative_to(root):
        return path.relative_to(root).as_posix()
    if path.is_absolute():
        return "/".join(part for part in (path.parent.name, path.name) if part)
    return path.as_posix()


def read_yaml(path: Path, *, shown: str, cache: DocumentCache | None = None) -> Any:
    """Read one YAML 1.2 document.

    Args:
        path: The file.
        shown: Its name in messages.
        cache: What files were read as before.

    Returns:
        Plain values: mappings, lists, text, numbers, dates.

    Raises:
        ContractError: Unreadable, not UTF-8, no valid YAML, a key given twice, or far too large.
    """
    raw = read_file(path, shown=shown)
    known = cache.get(raw) if cache is not None else None
    if known is not None:
        return known
    document = parse_yaml(raw, shown=shown)
    if cache is not None:
        cache.put(raw, document)
    return document


def read_file(path: Path, *, shown: str) -> bytes:
    """Return the content of a file that is to be YAML.

    Args:
        path: The file.
        shown: Its name in messages.

    Raises:
        ContractError: Unreadable, or far too large.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ContractError(f"{shown}: cannot be read: {error.strerror}.") from error
    if len(raw) > _MAX_BYTES:
        raise ContractError(f"{shown}: {len(raw):,} bytes; a contract may have {_MAX_BYTES:,}. Is it the data itself?")
    return raw


def parse_yaml(raw: bytes | str, *, shown: str) -> Any:
    """Return the plain values of one YAML 1.2 document that was read already.

    Args:
        raw: The file's bytes, or its text without a byte order mark.
        shown: Its name in messages.

    Raises:
        ContractError: Not UTF-8, no valid YAML, a key given twice.
    """
    try:
        text = raw.decode("utf-8-sig") if isinstance(raw, bytes) else raw
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ContractError(f"{shown}: line {line}: not UTF-8. Save the file as UTF-8.") from error
    found = quickly(text)
    if found is not UNSURE:
        return found
    from ruamel.yaml import YAML  # noqa: PLC0415 - takes 30 ms to import
    from ruamel.yaml.error import MarkedYAMLError, YAMLError  # noqa: PLC0415

    # Pure Python on purpose: the C parser reads YAML 1.1, in which `no` and `on` are booleans.
    try:
        return YAML(typ="safe", pure=True).load(text)
    except MarkedYAMLError as error:
        raise ContractError(f"{shown}: {_explain(error)}") from error
    except (YAMLError, ValueError, TypeError, AttributeError, KeyError, IndexError) as error:
        # ruamel raises plain Python errors for values such as the date 2020-99-99.
        raise ContractError(f"{shown}: not valid YAML: {_first_line(error)}") from error
    except RecursionError:
        raise ContractError(f"{shown}: nested too deeply.") from None


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:200]


def _explain(error: MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark is not None else ""
    problem = str(error.problem or error.context or "syntax error").strip().splitlines()[0][:200]
    if "duplicate key" in problem:
        return f"{where}{problem.split(' with value')[0]}. Keep one of the two."
    return f"{where}not valid YAML: {problem}."
