"""A mapping of a YAML file with its path: typed look-ups that note what is wrong instead of raising."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from nbops.errors import did_you_mean

if TYPE_CHECKING:
    from nbops.contract.yamlfile import Problems

__all__ = ["Node", "plain"]

_EXTENSIONS: Mapping[str, tuple[Any, ...]] = {
    "nbops.onFailure": ("quarantine", "hold"),
    "nbops.severity": ("warn", "error"),
    "nbops.personal": (True, False),
}


def plain(value: Any) -> Any:
    """Return a YAML value as one that JSON has and that can be hashed: dates as ISO text, lists as tuples.

    >>> plain([1, dt.date(2024, 5, 1)])
    (1, '2024-05-01')
    """
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return tuple(plain(item) for item in value)
    if isinstance(value, Mapping):
        return tuple(sorted((str(key), plain(item)) for key, item in value.items()))
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


class Node:
    """One mapping of the file. Wrong types are noted in ``problems`` and read as absent."""

    def __init__(self, data: Any, *, where: str, problems: Problems, allowed: Iterable[str], what: str) -> None:
        self.where = where
        self.problems = problems
        self.data: Mapping[Any, Any] = data if isinstance(data, Mapping) else {}
        if not isinstance(data, Mapping):
            problems.add(where, f"{what} must be a mapping of keys to values, not {_kind(data)}.")
        known = frozenset(allowed)
        for key in self.data:
            if key not in known:
                problems.unknown(where, "key", key, known)

    def at(self, key: str) -> str:
        """Path of a key below this mapping."""
        return f"{self.where}.{key}" if self.where else key

    def has(self, key: str) -> bool:
        """Whether the key is given with a value."""
        return self.data.get(key) is not None

    def wrong(self, key: str, message: str) -> None:
        """Note a problem with a key's value."""
        self.problems.add(self.at(key), message)

    def text(self, key: str, *, required: bool = False) -> str | None:
        """Return text; numbers such as ``version: 1.0`` are wrong, they lose digits."""
        value = self.data.get(key)
        if value is None:
            if required:
                self.problems.add(self.where, f"{key!r} is missing.")
            return None
        if not isinstance(value, str):
            self.wrong(key, f"must be text, not {_kind(value)}. Put it in quotes.")
            return None
        if required and not value.strip():
            self.wrong(key, "must not be empty.")
        return value

    def flag(self, key: str) -> bool:
        """Return true or false; absent is false."""
        value = self.data.get(key)
        if value is None:
            return False
        if not isinstance(value, bool):
            self.wrong(key, f"must be true or false, not {_kind(value)}.")
            return False
        return value

    def integer(self, key: str, *, least: int) -> int | None:
        """Return a whole number of at least ``least``."""
        value = self.data.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            self.wrong(key, f"must be a whole number of at least {least}, not {_kind(value)}.")
            return None
        return value

    def choice(self, key: str, allowed: Iterable[str], what: str) -> str | None:
        """Return one of the allowed words."""
        value = self.data.get(key)
        if value is None:
            return None
        words = frozenset(allowed)
        if not isinstance(value, str) or value not in words:
            self.problems.unknown(self.where, what, value, words)
            return None
        return value

    def items(self, key: str) -> Iterator[tuple[str, Any]]:
        """Yield the path and value of each item of a list."""
        value = self.data.get(key)
        if value is None:
            return
        if not isinstance(value, list):
            self.wrong(key, f"must be a list, not {_kind(value)}.")
            return
        for index, item in enumerate(value):
            yield f"{self.at(key)}[{index}]", item

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of text."""
        found = []
        for where, item in self.items(key):
            if isinstance(item, str):
                found.append(item)
            else:
                self.problems.add(where, f"must be text, not {_kind(item)}.")
        return tuple(found)

    def extensions(self, *, structured: frozenset[str] = frozenset()) -> Mapping[str, Any]:
        """Return nbops' own ``customProperties`` (``nbops.onFailure``, ...); those of others are left alone.

        Args:
            structured: Names of those that are read elsewhere, and may stand here.
        """
        found: dict[str, Any] = {}
        for where, item in self.items("customProperties"):
            name = item.get("property") if isinstance(item, Mapping) else None
            if not isinstance(name, str):
                self.problems.add(where, "must be a mapping with 'property' and 'value'.")
                continue
            if not name.startswith("nbops.") or name in structured:
                continue
            value = item.get("value")
            if name not in _EXTENSIONS:
                self.problems.unknown(where, "nbops property", name, (*_EXTENSIONS, *structured))
            elif value not in _EXTENSIONS[name]:
                allowed = [str(word).lower() if isinstance(word, bool) else word for word in _EXTENSIONS[name]]
                self.problems.add(where, f"{name}: unknown value {str(value)[:60]!r}. {did_you_mean(str(value)[:60], allowed)}")
            else:
                found[name] = value
        return found


def _kind(value: Any) -> str:
    names = {
        type(None): "nothing",
        bool: "true/false",
        int: "a number",
        float: "a number",
        str: "text",
        list: "a list",
        dict: "a mapping",
    }
    return names.get(type(value), type(value).__name__)
