"""The values that a Ploomber pipeline is parameterised with: ``env.yaml`` and ``--env--key value``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["environment_values", "given_values"]

_PREFIX = "--env--"
_NESTED = re.compile(r"\.|--")
_NOT_VALUES = frozenset({"meta", "_module"})


def environment_values(file: Path, arguments: Sequence[str]) -> Mapping[str, Any]:
    """Return the pipeline's parameters as Ploomber resolves them.

    Args:
        file: The environment file, see :func:`nbops.adapters.ploomber.env_file`.
        arguments: The command line; ``--env--a--b VALUE`` and ``--env--a--b=VALUE`` override the file.

    Returns:
        The values, nested as in the file; a file that cannot be read counts as empty (Ploomber has said so already).
    """
    values: dict[str, Any] = {}
    try:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        found = yaml.load(file.read_text(encoding="utf-8"), Loader=loader)  # noqa: S506 - the safe loader, in C where there is one
        if isinstance(found, dict):
            values = {str(key): value for key, value in found.items() if key not in _NOT_VALUES}
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError):
        pass
    for path, value in _given(arguments):
        _set(values, path, value)
    return values


def given_values(arguments: Sequence[str]) -> Mapping[str, Any]:
    """Return only what the command line sets, nested as in the file."""
    values: dict[str, Any] = {}
    for path, value in _given(arguments):
        _set(values, path, value)
    return values


def _given(arguments: Sequence[str]) -> Iterator[tuple[list[str], str]]:
    position = 0
    while position < len(arguments):
        argument = arguments[position]
        position += 1
        if not argument.startswith(_PREFIX):
            continue
        key, separator, value = argument[len(_PREFIX) :].partition("=")
        if not separator:
            if position >= len(arguments):
                break
            value = arguments[position]
            position += 1
        yield _NESTED.split(key), value


def _set(values: dict[str, Any], path: list[str], value: str) -> None:
    current = values
    for part in path[:-1]:
        inner = current.get(part)
        if not isinstance(inner, dict):
            inner = current[part] = {}
        current = inner
    current[path[-1]] = value
