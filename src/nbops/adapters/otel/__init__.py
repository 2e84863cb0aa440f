"""OpenTelemetry: a trace of each run (run, tasks, cells) and its numbers, by OTLP over HTTP, as OpenTelemetry's variables say.

This module is loaded by every build, so it imports nothing of the SDK.
"""

from __future__ import annotations

import importlib.util
import os
from typing import TYPE_CHECKING

from nbops.record.run_export import RunExport

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["OpenTelemetry", "client_is_missing", "is_configured", "signals"]

_ENDPOINT = "OTEL_EXPORTER_OTLP_{}ENDPOINT"
_SIGNALS = ("TRACES", "METRICS")


def client_is_missing() -> bool:
    """Whether the SDK or its exporter is not installed."""
    try:
        return importlib.util.find_spec("opentelemetry.exporter.otlp.proto.http") is None
    except ModuleNotFoundError:
        return True


def signals(environment: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Return what is to be sent: ``TRACES``, ``METRICS``.

    Args:
        environment: Instead of this process's.

    Raises:
        RuntimeError: Another protocol is asked for.
    """
    variables = os.environ if environment is None else environment
    if variables.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return ()
    return tuple(signal for signal in _SIGNALS if _is_wanted(variables, signal))


def is_configured(environment: Mapping[str, str] | None = None) -> bool:
    """Return whether anything is to be sent."""
    return bool(signals(environment))


def _is_wanted(variables: Mapping[str, str], signal: str) -> bool:
    if not any(variables.get(_ENDPOINT.format(part), "").strip() for part in ("", f"{signal}_")):
        return False
    exporters = [word.strip() for word in variables.get(f"OTEL_{signal}_EXPORTER", "").split(",") if word.strip()]
    if exporters and "otlp" not in exporters:
        return False
    names = (f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
    protocol = next((value for name in names if (value := variables.get(name, "").strip())), "http/protobuf")
    if protocol != "http/protobuf":
        raise RuntimeError(f"OpenTelemetry: nbops speaks http/protobuf (port 4318), not {protocol[:40]!r} ({names[1]})")
    return True


class OpenTelemetry:
    """The exporter ``otel``."""

    def open(self, root: Path) -> RunExport | None:
        """Begin to tell, when OpenTelemetry's variables name an endpoint.

        Raises:
            RuntimeError: They do, and the SDK is not installed, or they ask for another protocol.
        """
        if not is_configured():
            return None
        if client_is_missing():
            raise RuntimeError("OpenTelemetry is configured, but its SDK is not installed: pip install 'nbops[otel]'")
        return RunExport(root, name="otel", module="nbops.adapters.otel.sending")
