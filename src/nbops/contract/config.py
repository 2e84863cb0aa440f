"""``[tool.nbops]`` of ``pyproject.toml``, read once into a frozen ``Config``.

A missing file or a missing table gives the defaults. A key that nbops does not know, or a value of the wrong type, is a
``ConfigError`` that names the file, the key, what is allowed and the nearest match.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field, fields
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from nbops.contract.config_alerts import AlertConfig, parse_alerts
from nbops.contract.config_monitoring import Monitoring, read_monitoring
from nbops.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["Config", "TaskConfig", "load_config", "parse_memory"]

_FILE = "pyproject.toml"
_TABLE = "[tool.nbops]"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskConfig:
    """What ``[tool.nbops.tasks.NAME]`` sets for one task; ``None`` means: as the project says."""

    retries: int | None = None
    """Times to try again after a failure."""
    retry_delay: float | None = None
    """Seconds before the first retry; doubles each time."""
    time_limit: float | None = None
    """Seconds the task may take."""
    inputs: tuple[str, ...] = ()
    """Input files or globs of this task, besides the project's."""
    memory: int | None = None
    """Bytes that the task needs at its peak, where earlier runs are no measure."""
    alone: bool = False
    """Nothing else runs while the task does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What ``[tool.nbops]`` sets for the project. Paths are relative to the project's root."""

    commit: bool = True
    """Commit ``reports`` after each run."""
    reports: str = "reports"
    contracts: str = "contracts"
    quarantine: str = "quarantine"
    keep_runs: int = 50
    """Runs whose pages are kept, with older pages that these lead to; ledgers are kept for ever."""
    retries: int = 0
    """Times to try a failed task again."""
    retry_delay: float = 1.0
    """Seconds before the first retry; doubles each time."""
    time_limit: float | None = None
    """Seconds a task may take."""
    workers: int | None = None
    """Tasks that may run at once; None is one for each usable core."""
    on_lock: Literal["wait", "fail"] = "wait"
    """What a build does while another one holds the project."""
    profile: bool = True
    profile_rows: int = 20_000
    """Rows of the sample that a profile is made from."""
    profile_seconds: float = 120.0
    """Seconds that one profile may take."""
    profile_wait: float = 60.0
    """Seconds that a build waits, after its last task, for profiles that are not done."""
    export_wait: float = 5.0
    """Seconds that a build waits, when all is done, for other systems (OpenLineage) to take what they are told."""
    max_output_bytes: int = 1_000_000
    """Bytes of output kept of one cell."""
    memory_limit: str | None = None
    """Memory for measuring one task's data, for example ``2GB``; by default a share of what is free."""
    kernels: Literal["warm", "cold"] = "warm"
    """``warm``: each notebook's kernel is forked from a process with the usual libraries; ``cold``: it is started."""
    cell_tables: Literal["on", "off"] = "on"
    """Note after each cell how many rows, columns and nulls the data frames have that it made."""
    preload: tuple[str, ...] | None = None
    """Modules to import ahead, instead of those that the notebooks import; ``auto`` in the list stands for these."""
    inputs: tuple[str, ...] = ()
    """Input files or globs that every task depends on."""
    secrets: tuple[str, ...] = ()
    """Names of parameters and environment variables that are secret, besides those that look it."""
    monitoring: Monitoring = field(default_factory=Monitoring)
    tasks: Mapping[str, TaskConfig] = field(default_factory=lambda: MappingProxyType({}))
    alerts: AlertConfig = field(default_factory=AlertConfig)
    """Who is told of incidents."""

    def for_task(self, name: str) -> TaskConfig:
        """Return what holds for one task: its own settings, else the project's; input files are added up.

        >>> config = Config(retries=2, inputs=("lib/*.sql",), tasks={"load": TaskConfig(time_limit=60.0, inputs=("raw.csv",))})
        >>> config.for_task("load")
        TaskConfig(retries=2, retry_delay=1.0, time_limit=60.0, inputs=('lib/*.sql', 'raw.csv'), memory=None, alone=False)
        """
        own = self.tasks.get(name, TaskConfig())
        return TaskConfig(
            retries=self.retries if own.retries is None else own.retries,
            retry_delay=self.retry_delay if own.retry_delay is None else own.retry_delay,
            time_limit=self.time_limit if own.time_limit is None else own.time_limit,
            inputs=(*self.inputs, *(path for path in own.inputs if path not in self.inputs)),
            memory=own.memory,
            alone=own.alone,
        )


class _WrongValueError(Exception):
    """Says what a value must be; the caller adds where it stands."""


def load_config(root: Path) -> Config:
    """Read ``[tool.nbops]`` of ``root/pyproject.toml``.

    Args:
        root: The project's root directory.

    Returns:
        The settings; the defaults where there is no file or no table.

    Raises:
        ConfigError: The file is no valid TOML, or a key or value is wrong.
    """
    try:
        text = (root / _FILE).read_bytes().decode("utf-8")
    except FileNotFoundError:
        return Config()
    except UnicodeDecodeError as error:
        raise ConfigError(f"{_FILE}: not UTF-8 at byte {error.start}. Save it as UTF-8.") from error
    except OSError as error:
        raise ConfigError(f"{_FILE}: cannot be read: {error.strerror}.") from error
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{_FILE}: not valid TOML: {error}.") from error
    tool = document.get("tool", {})
    table = tool.get("nbops", {}) if isinstance(tool, dict) else {}
    if not isinstance(table, dict):
        raise ConfigError(f"{_FILE}: {_TABLE} must be a table, not {_kind(table)}.")
    values = _read(table, where=_TABLE, readers=_PROJECT)
    alerts: AlertConfig = values.get("alerts", AlertConfig())
    # what holds an address for messages holds a password
    secrets = tuple(dict.fromkeys((*values.get("secrets", ()), *alerts.variables)))
    return Config(**{**values, "tasks": _tasks(values.get("tasks", {})), "secrets": secrets})


def parse_memory(text: str) -> int:
    """Return the bytes that a size such as ``2GB`` or ``512 MiB`` stands for.

    ``KB``, ``MB``, ``GB``, ``TB`` are powers of 1000 and ``KiB``... powers of 1024, as DuckDB reads ``memory_limit``.

    >>> parse_memory("2GB"), parse_memory("1.5 KiB")
    (2000000000, 1536)

    Raises:
        ValueError: The text is no size.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT])(I?)B\s*", text.upper())
    if match is None or float(match[1]) == 0:
        raise ValueError(f"{text[:40]!r} is no size; write it like '2GB' or '512MiB'")
    return int(float(match[1]) * (1024 if match[3] else 1000) ** ("KMGT".index(match[2]) + 1))


def _read(table: Mapping[str, Any], *, where: str, readers: Mapping[str, Callable[[Any], Any]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in readers:
            raise ConfigError(f"{_FILE}: {where}: unknown key {key!r}. {did_you_mean(key, readers)}")
        try:
            values[key] = readers[key](value)
        except _WrongValueError as error:
            raise ConfigError(f"{_FILE}: {where} {key} = {_short(value)}: {error}") from None
    return values


def _tasks(tables: Mapping[str, Any]) -> Mapping[str, TaskConfig]:
    found: dict[str, TaskConfig] = {}
    for name, table in tables.items():
        where = f"[tool.nbops.tasks.{name}]"
        if not isinstance(table, dict):
            raise ConfigError(f"{_FILE}: {where} must be a table, not {_kind(table)}.")
        found[name] = TaskConfig(**_read(table, where=where, readers=_TASK))
    return MappingProxyType(found)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."  # noqa: PLR2004 - a bound for messages


def _kind(value: Any) -> str:
    names = {bool: "true/false", int: "a whole number", float: "a number", str: "text", list: "a list", dict: "a table"}
    return names.get(type(value), type(value).__name__)


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _WrongValueError(f"must be true or false, not {_kind(value)}.")
    return value


def _integer(*, least: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise _WrongValueError(f"must be a whole number of at least {least}.")
        return value

    return read


def _seconds(*, positive: bool) -> Callable[[Any], float]:
    def read(value: Any) -> float:
        wrong = isinstance(value, bool) or not isinstance(value, int | float)
        if wrong or not (0 <= value < float("inf")) or (positive and value == 0):
            raise _WrongValueError(f"must be a number of seconds{' above 0' if positive else ', 0 or more'}.")
        return float(value)

    return read


def _choice(*allowed: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if value not in allowed:
            raise _WrongValueError(f"not known. {did_you_mean(str(value), allowed)}")
        return str(value)

    return read


def _inside(value: Any) -> str:
    """A path that is relative and stays inside the project, in its POSIX form."""
    if not isinstance(value, str) or not value.strip():
        raise _WrongValueError("must be a path as text.")
    path = PurePosixPath(value.replace("\\", "/"))
    if path.is_absolute() or re.match(r"[A-Za-z]:", value) or ".." in path.parts or "\0" in value or value.startswith("~"):
        raise _WrongValueError("must be relative to the project's root and stay inside the project (no '..', no '/' in front).")
    return path.as_posix()


def _directory(value: Any) -> str:
    path = _inside(value)
    if path == ".":
        raise _WrongValueError("must be a directory below the project's root, not the root itself.")
    return path


def _list_of(read: Callable[[Any], str]) -> Callable[[Any], tuple[str, ...]]:
    def read_all(value: Any) -> tuple[str, ...]:
        if not isinstance(value, list):
            raise _WrongValueError(f"must be a list of text, not {_kind(value)}.")
        return tuple(dict.fromkeys(read(item) for item in value))

    return read_all


def _name(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _WrongValueError("must be a list of names as text.")
    return value.strip()


def _module(value: Any) -> str:
    if not isinstance(value, str) or not all(part.isidentifier() for part in value.strip().split(".")):
        raise _WrongValueError(
            "must be a list of modules' names such as 'pandas' or 'matplotlib.pyplot'; 'auto' stands for the usual."
        )
    return value.strip()


def _memory(value: Any) -> str:
    try:
        parse_memory(value if isinstance(value, str) else repr(value))
    except ValueError as error:
        raise _WrongValueError(f"{error}.") from None
    return str(value).strip()


def _memory_bytes(value: Any) -> int:
    return parse_memory(_memory(value))


def _table(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _WrongValueError(f"must be a table of tasks, not {_kind(value)}.")
    return value


_BOTH: Mapping[str, Callable[[Any], Any]] = {
    "retries": _integer(least=0),
    "retry_delay": _seconds(positive=False),
    "time_limit": _seconds(positive=True),
    "inputs": _list_of(_inside),
}
_TASK: Mapping[str, Callable[[Any], Any]] = {**_BOTH, "memory": _memory_bytes, "alone": _boolean}
_PROJECT: Mapping[str, Callable[[Any], Any]] = {
    **_BOTH,
    "commit": _boolean,
    "reports": _directory,
    "contracts": _directory,
    "quarantine": _directory,
    "keep_runs": _integer(least=1),
    "workers": _integer(least=1),
    "on_lock": _choice("wait", "fail"),
    "profile": _boolean,
    "profile_rows": _integer(least=1),
    "profile_seconds": _seconds(positive=True),
    "profile_wait": _seconds(positive=False),
    "export_wait": _seconds(positive=False),
    "max_output_bytes": _integer(least=0),
    "memory_limit": _memory,
    "kernels": _choice("warm", "cold"),
    "cell_tables": _choice("on", "off"),
    "preload": _list_of(_module),
    "secrets": _list_of(_name),
    "monitoring": read_monitoring,
    "tasks": _table,
    "alerts": parse_alerts,
}
if set(_PROJECT) != {item.name for item in fields(Config)}:  # pragma: no cover - a slip of ours, found at import
    raise AssertionError("Config and its readers differ")
