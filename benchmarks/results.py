"""The raw results, in one small JSON file that parts can be run into."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmarks.harness import Experiment

__all__ = ["load", "merge", "save"]

_FORMAT = 1


def load(path: Path) -> Mapping[str, Any]:
    """Return the results so far; none where there is no file."""
    if not path.exists():
        return {"format": _FORMAT, "experiments": {}}
    stored = json.loads(path.read_text(encoding="utf-8"))
    if stored.get("format") != _FORMAT:
        raise SystemExit(f"{path.name} has format {stored.get('format')}, not {_FORMAT}. Remove it and run everything.")
    experiments = {key: {**entry, "made": stored["made"][entry["made"]]} for key, entry in stored["experiments"].items()}
    return {"format": _FORMAT, "experiments": experiments}


def merge(
    results: Mapping[str, Any],
    experiment: Experiment,
    *,
    section: tuple[str, str],
    order: Sequence[str],
    made: Mapping[str, Any],
) -> Mapping[str, Any]:
    """Return the results with an experiment's put in, in place of earlier ones of it, by the order of the sections."""
    entry = {
        "section": section[0],
        "section_title": section[1],
        "title": experiment.title,
        "about": experiment.about,
        "baseline": experiment.baseline,
        "rounds": experiment.rounds,
        "metrics": [asdict(metric) for metric in experiment.metrics],
        "contestants": {one.key: {"label": one.label, "about": one.about} for one in experiment.contestants},
        "samples": [
            {**sample, "values": {key: round(value, 4) for key, value in sample["values"].items()}}
            for sample in experiment.samples
        ],
        "skipped": experiment.skipped,
        "made": dict(made),
    }
    experiments = {**results["experiments"], experiment.key: entry}
    ordered = sorted(experiments.items(), key=lambda item: order.index(item[1]["section"]))
    return {**results, "experiments": dict(ordered)}


def save(path: Path, results: Mapping[str, Any]) -> None:
    """Write the results; where and from what they were made stands in it once, not with every experiment."""
    made: dict[str, Any] = {}
    experiments = {}
    for key, entry in results["experiments"].items():
        name = f"{entry['section']}, {entry['made']['date']}"
        made[name] = entry["made"]
        experiments[key] = {**entry, "made": name}
    stored = {"format": _FORMAT, "made": made, "experiments": experiments}
    path.write_text(json.dumps(stored, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
