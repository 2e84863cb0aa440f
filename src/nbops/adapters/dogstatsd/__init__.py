"""Datadog: the numbers of each run and a service check, by DogStatsD to the agent that Datadog's own variables name.

This module is loaded by every build, so it imports nothing of the client.
"""

from __future__ import annotations

import importlib.util
import os
from typing import TYPE_CHECKING

from nbops.record.run_export import RunExport

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["DogStatsD", "client_is_missing", "is_configured"]

_DISABLED = frozenset({"true", "yes", "1"})


def client_is_missing() -> bool:
    """Whether the official client is not installed."""
    return importlib.util.find_spec("datadog") is None


def is_configured(environment: Mapping[str, str] | None = None) -> bool:
    """Return whether numbers are to be sent.

    Args:
        environment: Instead of this process's.
    """
    variables = os.environ if environment is None else environment
    if variables.get("DD_DOGSTATSD_DISABLE", "").strip().lower() in _DISABLED:
        return False
    return any(variables.get(name, "").strip() for name in ("DD_AGENT_HOST", "DD_DOGSTATSD_URL"))


class DogStatsD:
    """The exporter ``dogstatsd``."""

    def open(self, root: Path) -> RunExport | None:
        """Begin to tell, when Datadog's variables name an agent.

        Raises:
            RuntimeError: They do, and the client is not installed.
        """
        if not is_configured():
            return None
        if client_is_missing():
            raise RuntimeError("Datadog's agent is named, but its client is not installed: pip install 'nbops[datadog]'")
        return RunExport(root, name="dogstatsd", module="nbops.adapters.dogstatsd.sending")
