"""``env.yaml`` and the placeholders of ``pipeline.yaml``, resolved as Ploomber 0.23 does, without Ploomber.

The format is described at https://docs.ploomber.io/en/latest/api/spec.html#env-yaml.
"""

from __future__ import annotations

import ast
import getpass
import json
import os
import re
import subprocess
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from nbops.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

__all__ = ["Placeholders", "load_yaml"]

_WORDS: Mapping[str, bool | None] = MappingProxyType({"true": True, "false": False, "none": None, "null": None})
_GIT_SECONDS = 10
_PLACEHOLDER = re.compile(r"\{\{\s*([A-Za-z_]\w*)\s*\}\}")
_JINJA = frozenset({"and", "else", "false", "if", "in", "is", "loop", "none", "not", "or", "self", "super", "true"})
"""Names that Jinja takes for its own."""
_TEMPLATE = re.compile(r"[{}%#]|\n\Z")
"""What may mean something to Jinja besides names in braces (it drops a line end at the end)."""


def load_yaml(path: Path) -> Any:
    """Return what a YAML file holds, read by the library and version of YAML (1.1) that Ploomber uses.

    Args:
        path: The file.

    Raises:
        ConfigError: It cannot be read.
    """
    import yaml  # noqa: PLC0415 - kept out of `import nbops`

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=loader)  # noqa: S506 - the safe loader, in C where there is one
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        place = getattr(error, "problem_mark", None)
        where = f" line {place.line + 1}" if place is not None else ""
        raise ConfigError(f"{path.name}:{where} cannot be read: {getattr(error, 'problem', None) or error}") from error


class Placeholders:
    """Values for ``{{name}}``: ``env.yaml`` and those that Ploomber always provides.

    Args:
        pipeline: The pipeline file, whose name says which ``env`` file is its own.
        here: Its folder.
        root: The project's root.
        values: What the command line sets of them, nested as in the file.

    Raises:
        ConfigError: ``env.yaml`` cannot be read.
    """

    def __init__(self, pipeline: Path, *, here: Path, root: Path, values: Mapping[str, Any] = MappingProxyType({})) -> None:
        self._pipeline = pipeline
        self._here = here
        self._values: dict[str, Any] = {
            "user": _Lazy(getpass.getuser),
            "cwd": str(root),
            "root": str(root),
            "here": str(here),
            "now": _Lazy(lambda: datetime.now().isoformat()),  # noqa: DTZ005 - Ploomber's own format
            "git": _Lazy(lambda: self._git("symbolic-ref", "--short", "HEAD") or self._git_hash()),
            "git_hash": _Lazy(self._git_hash),
        }
        for key, value in _overridden(self._read_env(pipeline, root), values).items():
            self._values[key] = self.resolve({"value": value})["value"]

    def _read_env(self, pipeline: Path, root: Path) -> dict[str, Any]:
        named = os.environ.get("PLOOMBER_ENV_FILENAME")
        middle = pipeline.name.split(".")[1] if pipeline.name.count(".") > 1 else ""
        names = [named] if named else [f"env.{middle}.yaml", "env.yaml"] if middle else ["env.yaml"]
        for name in names:
            for folder in (root, self._here):
                if (folder / name).is_file():
                    found = load_yaml(folder / name) or {}
                    if not isinstance(found, dict):
                        raise ConfigError(f"{name}: expected a mapping, got {type(found).__name__}.")
                    if isinstance(found.get("meta"), dict) and "import_from" in found["meta"]:
                        raise ConfigError(f"{name}: meta.import_from is not read outside a build.")
                    return {key: value for key, value in found.items() if key != "meta"}
        return {}

    def resolve(self, value: Any) -> Any:
        """Return a copy with every string rendered, and read as a literal where it is one, as Ploomber does.

        Args:
            value: Plain values, as YAML gives them.

        Raises:
            ConfigError: A placeholder has no value.
        """
        if isinstance(value, dict):
            return {key: self.resolve(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.resolve(item) for item in value]
        return _literal(self._render(value)) if isinstance(value, str) else value

    def _render(self, text: str) -> str:
        if "{{" not in text:
            return text
        parts = _PLACEHOLDER.split(text)  # text, name, text, name, ..., text
        if all(name in self._values and name.lower() not in _JINJA for name in parts[1::2]) and not _TEMPLATE.search(
            "".join(parts[::2])
        ):
            return "".join(str(self._values[part]) if index % 2 else part for index, part in enumerate(parts))
        from jinja2 import StrictUndefined, TemplateError  # noqa: PLC0415 - most pipelines have no more than names in braces
        from jinja2.sandbox import SandboxedEnvironment  # noqa: PLC0415

        try:
            templates = SandboxedEnvironment(undefined=StrictUndefined)
            return templates.from_string(text).render(self._values)
        except TemplateError as error:
            if "{{name}}" in text and "'name'" in str(error):
                return text  # a grid's product: filled per task
            raise ConfigError(f"{self._pipeline.name}: {text[:80]!r}: {error}. Declare it in env.yaml.") from error

    def _git_hash(self) -> str:
        return self._git("describe", "--tags", "--always", "--dirty=-dirty")

    def _git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(self._here), *arguments], capture_output=True, text=True, check=False, timeout=_GIT_SECONDS
        )
        return done.stdout.strip()


def _overridden(values: Mapping[str, Any], by: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(values)
    for key, value in by.items():
        inner = found.get(key)
        found[key] = _overridden(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else value
    return found


class _Lazy:
    """A value that is only worked out when a template prints it."""

    def __init__(self, make: Callable[[], str]) -> None:
        self._make = make

    def __str__(self) -> str:
        return str(self._make())


def _literal(text: str) -> Any:
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    try:
        value = ast.literal_eval(text)
        json.dumps(value)  # what cannot be a parameter stays text
    except Exception:  # noqa: BLE001 - whatever is wrong with it, it is no literal
        return text
    return value
