"""Entry-point look-up for the plugin seams of ``protocols``.

What nbops brings itself is listed in ``BUILT_IN`` in the very form of an entry point (``module:attribute``), so that a checkout
that was not installed again after an update still finds it. A plugin's entry point under a name that is taken is an error.
"""

from __future__ import annotations

import functools
import importlib
import sys
from importlib import metadata
from typing import TYPE_CHECKING, Any

from nbops.errors import PluginError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["BUILT_IN", "entry_points", "load", "names"]

_KINDS = "nbops.quality.kinds"
BUILT_IN: Mapping[str, Mapping[str, str]] = {
    "nbops.alerters": {
        "apprise": "nbops.adapters.apprise_alerts:AppriseAlerter",
    },
    "nbops.checks": {
        "duplicateValues": f"{_KINDS}:Threshold",
        "freshness": f"{_KINDS}:Age",
        "invalidValues": f"{_KINDS}:Threshold",
        "missingValues": f"{_KINDS}:Threshold",
        "nullValues": f"{_KINDS}:Threshold",
        "references": f"{_KINDS}:Threshold",
        "retention": f"{_KINDS}:Age",
        "rowCount": f"{_KINDS}:Threshold",
        "rowRule": f"{_KINDS}:Threshold",
        "schema": f"{_KINDS}:Schema",
        "sql": f"{_KINDS}:Threshold",
    },
    "nbops.exporters": {
        "dogstatsd": "nbops.adapters.dogstatsd:DogStatsD",
        "openlineage": "nbops.adapters.openlineage:OpenLineage",
        "otel": "nbops.adapters.otel:OpenTelemetry",
        "prometheus": "nbops.adapters.prometheus:PrometheusTextfile",
        "pushgateway": "nbops.adapters.prometheus:PrometheusPush",
    },
}


def entry_points(**wanted: str) -> Any:
    """Return the entry points of what is installed, as ``importlib.metadata.entry_points`` does.

    That reads a file of each installed distribution each time; this one only when ``sys.path`` has changed.
    """
    every = _every_entry_point(tuple(sys.path))
    return every.select(**wanted) if wanted else every


@functools.lru_cache(maxsize=1)
def _every_entry_point(_: tuple[str, ...]) -> Any:
    return metadata.entry_points()


@functools.cache
def _registry(group: str) -> Mapping[str, str]:
    """Name to ``module:attribute``."""
    found = dict(BUILT_IN.get(group, {}))
    for entry in entry_points(group=group):
        other = found.get(entry.name)
        if other is not None and other != entry.value:
            raise PluginError(f"{group}: two plugins are called {entry.name!r}: {other}, {entry.value}. Uninstall or rename one.")
        found[entry.name] = entry.value
    return found


def names(group: str) -> tuple[str, ...]:
    """Return the sorted names of what is installed in a group, for example ``nbops.checks``.

    Raises:
        PluginError: Two plugins have one name.
    """
    return tuple(sorted(_registry(group)))


@functools.cache
def load(group: str, name: str) -> Any:
    """Import and return one plugin.

    Raises:
        PluginError: It is not installed (the message lists what is), or it cannot be imported.
    """
    known = _registry(group)
    if name not in known:
        raise PluginError(f"{group}: no plugin is called {name[:60]!r}. {did_you_mean(name[:60], known)}")
    module, _, attribute = known[name].partition(":")
    try:
        return functools.reduce(getattr, attribute.split("."), importlib.import_module(module))
    except (ImportError, AttributeError) as error:
        raise PluginError(f"{group}: plugin {name!r} ({known[name]}) cannot be imported: {error}.") from error
