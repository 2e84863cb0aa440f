"""``[tool.nbops.monitoring]`` of ``pyproject.toml``: how closely history is watched. Without it everything is on."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from nbops.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["Monitoring", "MonitoringOf", "Sensitivity", "load_monitoring", "read_monitoring"]

Sensitivity = Literal["low", "normal", "high"]
_FILE = "pyproject.toml"
_TABLE = "[tool.nbops.monitoring]"
_SENSITIVITIES = ("low", "normal", "high")
_SEVERITIES = ("warn", "error")


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitoringOf:
    """What ``[tool.nbops.monitoring.datasets.NAME]`` sets; ``None`` means: as the project says."""

    enabled: bool | None = None
    sensitivity: Sensitivity | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitoring:
    """What ``[tool.nbops.monitoring]`` sets for the project."""

    enabled: bool = True
    sensitivity: Sensitivity = "normal"
    logical_date: str | None = None
    """The parameter that says which day a run is for; None takes one called ``day``, ``date``, ``ds``...."""
    severity: Literal["warn", "error"] = "warn"
    holidays: tuple[str, ...] = ()
    """ISO days on which nothing is expected, besides what the weekly rhythm says."""
    datasets: Mapping[str, MonitoringOf] = field(default_factory=lambda: MappingProxyType({}))

    def sensitivity_of(self, dataset: str) -> Sensitivity | None:
        """Return how closely a dataset is watched; None for not at all.

        >>> Monitoring(datasets={"orders": MonitoringOf(sensitivity="low")}).sensitivity_of("orders")
        'low'
        >>> Monitoring(enabled=False).sensitivity_of("orders") is None
        True
        """
        own = self.datasets.get(dataset, MonitoringOf())
        enabled = self.enabled if own.enabled is None else own.enabled
        return (own.sensitivity or self.sensitivity) if enabled else None


def load_monitoring(root: Path) -> Monitoring:
    """Read ``[tool.nbops.monitoring]`` of ``root/pyproject.toml``; the defaults where there is none.

    Raises:
        ConfigError: The file is no valid TOML, or a key or value is wrong.
    """
    try:
        document = tomllib.loads((root / _FILE).read_bytes().decode("utf-8"))
    except FileNotFoundError:
        return Monitoring()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{_FILE}: cannot be read: {error}.") from error
    table: Any = document
    for name in ("tool", "nbops", "monitoring"):
        table = table.get(name, {}) if isinstance(table, Mapping) else {}
    return read_monitoring(table)


def read_monitoring(table: Any) -> Monitoring:
    """Read the table itself.

    Raises:
        ConfigError: A key or value is wrong.
    """
    _need_table(table, _TABLE)
    allowed = ("enabled", "sensitivity", "logical_date", "severity", "holidays", "datasets")
    _known(table, allowed, _TABLE)
    found: dict[str, Any] = {}
    if "enabled" in table:
        found["enabled"] = _boolean(table["enabled"], f"{_TABLE} enabled")
    if "sensitivity" in table:
        found["sensitivity"] = _one_of(table["sensitivity"], _SENSITIVITIES, f"{_TABLE} sensitivity")
    if "severity" in table:
        found["severity"] = _one_of(table["severity"], _SEVERITIES, f"{_TABLE} severity")
    if "logical_date" in table:
        if not isinstance(table["logical_date"], str) or not table["logical_date"].strip():
            raise ConfigError(f"{_FILE}: {_TABLE} logical_date: must be the name of a parameter, as text.")
        found["logical_date"] = table["logical_date"].strip()
    if "holidays" in table:
        found["holidays"] = _days(table["holidays"])
    if "datasets" in table:
        _need_table(table["datasets"], f"{_TABLE} datasets")
        found["datasets"] = MappingProxyType({str(name): _of(str(name), own) for name, own in table["datasets"].items()})
    return Monitoring(**found)


def _of(name: str, table: Any) -> MonitoringOf:
    where = f"[tool.nbops.monitoring.datasets.{name}]"
    _need_table(table, where)
    _known(table, ("enabled", "sensitivity"), where)
    return MonitoringOf(
        enabled=_boolean(table["enabled"], f"{where} enabled") if "enabled" in table else None,
        sensitivity=_one_of(table["sensitivity"], _SENSITIVITIES, f"{where} sensitivity") if "sensitivity" in table else None,
    )


def _days(value: Any) -> tuple[str, ...]:
    import datetime as dt  # noqa: PLC0415 - only where days are set

    try:
        return tuple(dt.date.fromisoformat(item if isinstance(item, str) else item.isoformat()).isoformat() for item in value)
    except (TypeError, ValueError, AttributeError):
        raise ConfigError(f"{_FILE}: {_TABLE} holidays: must be a list of days such as '2026-12-25'.") from None


def _known(table: Mapping[str, Any], allowed: tuple[str, ...], where: str) -> None:
    for key in table:
        if key not in allowed:
            raise ConfigError(f"{_FILE}: {where}: unknown key {key!r}. {did_you_mean(str(key), allowed)}")


def _need_table(value: Any, where: str) -> None:
    if not isinstance(value, Mapping):
        raise ConfigError(f"{_FILE}: {where} must be a table.")


def _boolean(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise ConfigError(f"{_FILE}: {where}: must be true or false.")
    return value


def _one_of(value: Any, allowed: tuple[str, ...], where: str) -> Any:
    if value not in allowed:
        raise ConfigError(f"{_FILE}: {where} = {str(value)[:60]!r}: not known. {did_you_mean(str(value), allowed)}")
    return value
