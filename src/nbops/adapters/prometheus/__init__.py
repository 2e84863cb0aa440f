"""Prometheus: the numbers of the last run, in a file for node_exporter's textfile collector, or pushed to a Pushgateway.

A build is over before Prometheus comes by, so it cannot be scraped itself. This module is loaded by every build, so it imports
nothing of the client.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import TYPE_CHECKING

from nbops.record.run_export import RunExport

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nbops.model import Incident, Run, TaskRun

__all__ = ["GATEWAY", "TEXTFILE", "PrometheusPush", "PrometheusTextfile", "rules_file"]

TEXTFILE = "NBOPS_PROMETHEUS_TEXTFILE"
"""A file that ends in ``.prom``, or the folder that node_exporter's ``--collector.textfile.directory`` names."""
GATEWAY = "NBOPS_PUSHGATEWAY"
"""A Pushgateway's address, with ``user:password@`` where it wants that."""
_MISSING = "the Prometheus client is not installed: pip install 'nbops[prometheus]'"


def client_is_missing() -> bool:
    """Whether the official client is not installed."""
    return importlib.util.find_spec("prometheus_client") is None


def rules_file() -> Path:
    """Return the rules for alerts that come with nbops."""
    return Path(__file__).with_name("nbops.rules.yml")


class PrometheusTextfile:
    """The exporter ``prometheus``."""

    def open(self, root: Path) -> TextfileExport | None:  # noqa: ARG002 - the protocol's
        """Begin to tell, when a file is named.

        Raises:
            RuntimeError: One is, and the client is not installed.
        """
        named = os.environ.get(TEXTFILE, "").strip()
        if not named:
            return None
        if client_is_missing():
            raise RuntimeError(_MISSING)
        return TextfileExport(Path(named))


class TextfileExport:
    """Writes the numbers of a run into a file.

    Args:
        place: A file or folder.
    """

    def __init__(self, place: Path) -> None:
        self._place = place
        self._trouble: str | None = None

    def begun(self, run: Run) -> None:
        """Nothing is told before the end."""

    def task_begun(self, run: Run, task: TaskRun, *, reads: Mapping[str, str], writes: Mapping[str, str]) -> None:
        """Nothing is told of tasks before the end."""

    def ended(self, run: Run, *, code: Mapping[str, str], incidents: Sequence[Incident] = ()) -> None:  # noqa: ARG002 - the protocol's
        """Write the file, in one piece."""
        from nbops.adapters.prometheus.exposition import write_textfile  # noqa: PLC0415 - loads the client

        try:
            write_textfile(self._place, run, incidents)
        except OSError as error:
            self._trouble = f"metrics for Prometheus could not be written: {error.strerror or type(error).__name__} ({TEXTFILE})"

    def close(self, seconds: float) -> str | None:  # noqa: ARG002 - the protocol's
        """Tell what went wrong."""
        return self._trouble


class PrometheusPush:
    """The exporter ``pushgateway``."""

    def open(self, root: Path) -> RunExport | None:
        """Begin to tell, when a gateway is named.

        Raises:
            RuntimeError: One is, and the client is not installed.
        """
        if not os.environ.get(GATEWAY, "").strip():
            return None
        if client_is_missing():
            raise RuntimeError(_MISSING)
        return RunExport(root, name="pushgateway", module="nbops.adapters.prometheus.sending")
