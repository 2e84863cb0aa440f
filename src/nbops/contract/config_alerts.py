"""``[tool.nbops.alerts]``: who is told of incidents, and of which.

Addresses hold passwords, and the file is committed: a route names an environment variable, never an address.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from nbops.errors import ConfigError, did_you_mean

__all__ = ["EVENTS", "AlertConfig", "Route", "parse_alerts"]

EVENTS: Final = ("opened", "reopened", "grown", "shrunk", "acknowledged", "noted", "resolved", "expected")
"""What can happen to an incident (:class:`nbops.model.IncidentEvent`)."""
_FILE = "pyproject.toml"
_TABLE = "[tool.nbops.alerts]"
_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))")
_ROUTE_KEYS = ("to", "when", "owners", "datasets", "severity", "tags", "by")
_KEYS = ("routes", "base_url", "max_per_run", "wait")
_SEVERITIES = ("warn", "error")
_MOST = 5
_WAIT = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where messages go, and which. What is empty lets everything through; what is given must all fit."""

    to: str
    """Name of the environment variable that holds the address, or several with white space or commas between."""
    when: tuple[str, ...] = ("opened", "reopened", "resolved")
    owners: tuple[str, ...] = ()
    """Patterns (``*``, ``?``) of owners of what is affected, without regard to case."""
    datasets: tuple[str, ...] = ()
    """Patterns of names of datasets that are affected."""
    severity: str = "warn"
    """The least severity."""
    tags: tuple[str, ...] = ()
    """Patterns of tags of datasets that are affected."""
    by: str = "apprise"
    """The plugin of the group ``nbops.alerters`` that sends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertConfig:
    """All routes, and what holds for all messages."""

    routes: tuple[Route, ...] = ()
    base_url: str | None = None
    """Where ``reports/`` can be read, so that messages can link to pages."""
    max_per_run: int = _MOST
    """Messages to one address that one run may cause; what is more comes in one digest."""
    wait: float = _WAIT
    """Seconds that a build waits, when all is recorded, for messages to be taken."""

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of the environment variables that hold addresses."""
        return tuple(dict.fromkeys(route.to for route in self.routes))


def parse_alerts(value: Any) -> AlertConfig:
    """Read the table.

    >>> parse_alerts({"routes": [{"to": "$SLACK_URL", "owners": ["sales*"]}]}).routes[0].to
    'SLACK_URL'

    Raises:
        ConfigError: A key or a value is wrong; an address is never quoted.
    """
    table = _table(value, _TABLE, _KEYS)
    routes = table.get("routes", [])
    if not isinstance(routes, list):
        raise ConfigError(f"{_FILE}: {_TABLE} routes must be a list of tables: write [[tool.nbops.alerts.routes]].")
    return AlertConfig(
        routes=tuple(_route(item, f"{_TABLE} routes[{number}]") for number, item in enumerate(routes)),
        base_url=_base_url(table["base_url"]) if "base_url" in table else None,
        max_per_run=_count(table.get("max_per_run", _MOST)),
        wait=_seconds(table.get("wait", _WAIT)),
    )


def _table(value: Any, where: str, allowed: tuple[str, ...]) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigError(f"{_FILE}: {where} must be a table.")
    for key in value:
        if key not in allowed:
            raise ConfigError(f"{_FILE}: {where}: unknown key {key[:60]!r}. {did_you_mean(key[:60], allowed)}")
    return value


def _route(value: Any, where: str) -> Route:
    table = _table(value, where, _ROUTE_KEYS)
    found: dict[str, Any] = {"to": _variable(table.get("to"), where)}
    for key in ("when", "owners", "datasets", "tags"):
        if key in table:
            found[key] = _texts(table[key], f"{where} {key}")
    for event in found.get("when", ()):
        if event not in EVENTS:
            raise ConfigError(f"{_FILE}: {where} when: {event[:60]!r} is not known. {did_you_mean(event[:60], EVENTS)}")
    if "when" in found and not found["when"]:
        raise ConfigError(f"{_FILE}: {where} when is empty, so the route would never be used. {did_you_mean('', EVENTS)}")
    if "severity" in table:
        found["severity"] = _severity(table["severity"], where)
    if "by" in table:
        if not isinstance(table["by"], str) or not table["by"].strip():
            raise ConfigError(f"{_FILE}: {where} by must name a plugin of the group nbops.alerters, such as 'apprise'.")
        found["by"] = table["by"].strip()
    return Route(**found)


def _variable(value: Any, where: str) -> str:
    """Return the variable's name; what was written is not quoted, since it may be an address with a password."""
    match = _VARIABLE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is not None:
        return match[1] or match[2]
    if value is None:
        raise ConfigError(f'{_FILE}: {where} has no `to`: the environment variable that holds the address, as to = "$SLACK_URL".')
    raise ConfigError(
        f"{_FILE}: {where} to must be the name of an environment variable with $ in front, and nothing else. Addresses hold "
        'passwords, and this file is committed: put the address into a variable and write to = "$SLACK_URL".'
    )


def _texts(value: Any, where: str) -> tuple[str, ...]:
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list) or not all(isinstance(item, str) and item.strip() for item in items):
        raise ConfigError(f"{_FILE}: {where} must be a list of texts that are not empty.")
    return tuple(dict.fromkeys(item.strip() for item in items))


def _severity(value: Any, where: str) -> str:
    if value not in _SEVERITIES:
        raise ConfigError(f"{_FILE}: {where} severity is not known. {did_you_mean(str(value)[:60], _SEVERITIES)}")
    return str(value)


def _base_url(value: Any) -> str:
    hint = "must be the address under which reports/ can be read, such as 'https://pages.example.org/shop/reports'"
    try:
        parts = urlsplit(value) if isinstance(value, str) else None
        wrong = parts is None or parts.scheme not in {"http", "https"} or not parts.hostname
    except ValueError:
        parts, wrong = None, True
    if parts is None or wrong:
        raise ConfigError(f"{_FILE}: {_TABLE} base_url {hint}.")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise ConfigError(f"{_FILE}: {_TABLE} base_url {hint}, without a user, password or query: it stands in every message.")
    return str(value).rstrip("/")


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigError(f"{_FILE}: {_TABLE} max_per_run must be a whole number of at least 1.")
    return value


def _seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise ConfigError(f"{_FILE}: {_TABLE} wait must be a number of seconds, 0 or more.")
    return float(value)
