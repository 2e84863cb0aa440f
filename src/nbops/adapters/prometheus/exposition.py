"""The numbers of a run as Prometheus has them: https://prometheus.io/docs/practices/naming/."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, generate_latest, write_to_textfile
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from nbops.record.gauges import gauges_of
from nbops.record.plain import clean_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from nbops.model import Incident, Run

__all__ = ["exposition", "file_name", "registry_of", "write_textfile"]

_LONGEST = 200
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")


class _Gauges(Collector):
    def __init__(self, run: Run, incidents: Iterable[Incident]) -> None:
        self._gauges = gauges_of(run, incidents)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        for gauge in self._gauges:
            name = f"nbops_{gauge.name.replace('.', '_')}" + (f"_{gauge.unit}" if gauge.unit else "")
            names = list(gauge.samples[0][0])
            family = GaugeMetricFamily(name, gauge.help, labels=names)
            seen = set[tuple[str, ...]]()
            for labels, value in gauge.samples:
                values = tuple(_label(labels[label]) for label in names)
                if values not in seen:  # two names that are one after cleaning
                    seen.add(values)
                    family.add_metric(values, value)
            yield family


def _label(text: str) -> str:
    """Return a label's value as every version of Prometheus takes it: UTF-8, and no longer than anybody can read."""
    return clean_text(text).encode("utf-8", "replace").decode("utf-8")[:_LONGEST]


def registry_of(run: Run, incidents: Iterable[Incident]) -> CollectorRegistry:
    """Return the numbers of a run, to be collected."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Gauges(run, tuple(incidents)))
    return registry


def exposition(run: Run, incidents: Iterable[Incident]) -> str:
    """Return the numbers of a run as text, as Prometheus reads it."""
    return generate_latest(registry_of(run, incidents)).decode()


def file_name(pipeline: str) -> str:
    """Return the name of a pipeline's file in a folder that several share.

    >>> file_name("shop/eu")
    'nbops_shop_eu.prom'
    """
    return f"nbops_{''.join(letter if letter in _PLAIN else '_' for letter in pipeline)[:80]}.prom"


def write_textfile(place: Path, run: Run, incidents: Iterable[Incident]) -> None:
    """Write the numbers of a run into a file, which is never seen half written.

    Args:
        place: The file, or the folder of node_exporter.
        run: The run.
        incidents: Those that are open after it.

    Raises:
        OSError: It cannot be written.
    """
    path = place / file_name(run.pipeline) if place.is_dir() else place
    write_to_textfile(str(path), registry_of(run, incidents))
