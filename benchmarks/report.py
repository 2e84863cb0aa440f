"""RESULTS.md and results.html from results.json."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.harness import compare

__all__ = ["write_reports"]


def write_reports(results: Mapping[str, Any], folder: Path) -> None:
    """Write both."""
    lines = ["# Results", ""]
    for key, entry in results["experiments"].items():
        lines += [f"## {entry['title']}", "", f"`{key}` {entry['made']['date']}", ""]
        metrics = entry["metrics"]
        lines.append("| contestant | rounds |" + "".join(f" {m['label']} ({m['unit']}) | ratio | pairs |" for m in metrics))
        lines.append("|---|---|" + "---|---|---|" * len(metrics))
        for name, one in entry["contestants"].items():
            mine = [s for s in entry["samples"] if s["contestant"] == name]
            row = f"| {one['label']} | {len(mine)} |"
            for m in metrics:
                values = [s["values"][m["key"]] for s in mine if m["key"] in s["values"]]
                both = compare(entry["samples"], of=name, against=entry["baseline"], metric=m["key"])
                row += f" {statistics.median(values):.{m['digits']}f} |" if values else " |"
                row += f" {both['ratio']:.2f} | {both['pair_ratio']:.2f} |" if both else " | |"
            lines.append(row)
        lines.append("")
    (folder / "RESULTS.md").write_text("\n".join(lines), encoding="utf-8")
