"""RESULTS.md and results.html from results.json."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.figures import Row, bars, number, rows_of
from benchmarks.page import page

__all__ = ["write_reports"]

_HEAD = """# Results

Made by the commands below; how it is measured stands in [README.md](README.md), the raw figures in `results.json`, plots in
`results.html`. Ratios are to the contestant whose row says 1: the ratio of the medians, and behind the slash the median of the
ratios within each round.
"""
_SAID = {True: "met", False: "**missed**", None: "not measured"}
_LONGEST = 240


def write_reports(results: Mapping[str, Any], folder: Path) -> None:
    """Write both."""
    (folder / "RESULTS.md").write_text(_markdown(results), encoding="utf-8")
    (folder / "results.html").write_text(page(results), encoding="utf-8")


def _markdown(results: Mapping[str, Any]) -> str:
    lines = [_HEAD, "## Bars", "", "| what | at most | measured | rounds | |", "|---|--:|--:|--:|---|"]
    lines += [f"| {bar.text} | {bar.limit} | {_cell(bar.measured)} | {bar.pairs} | {_SAID[bar.met]} |" for bar in bars(results)]
    section = ""
    for key, entry in results["experiments"].items():
        if entry["section"] != section:
            section = entry["section"]
            lines += ["", f"## {entry['section_title']}", ""]
        lines += _experiment(key, entry)
    lines += ["", "## Where and from what", "", *_made(results)]
    return "\n".join(lines).rstrip() + "\n"


def _experiment(key: str, entry: Mapping[str, Any]) -> Iterator[str]:
    yield from ("", f"### {entry['title']}", "", f"{entry['about']} (`{key}`, {entry['made']['date']})", "")
    metrics = entry["metrics"]
    yield "| contestant | rounds |" + "".join(f" {item['label']}, {item['unit']} | ratio |" for item in metrics)
    yield "|---|--:|" + "--:|--:|" * len(metrics)
    rows = list(rows_of(entry))
    for row in rows:
        if row.figures:
            yield f"| {row.label} | {row.rounds} |" + "".join(_figure(row, item["key"]) for item in metrics)
    yield ""
    yield from (f"- {row.label}: {row.about}" for row in rows if row.about and row.figures)
    yield from (f"- {row.label}: **left out**: {_cell(row.skipped)}" for row in rows if row.skipped)


def _figure(row: Row, key: str) -> str:
    figure = row.figures.get(key)
    if figure is None:
        return " | |"
    ratio = "" if figure.ratio is None else f"{number(figure.ratio)} / {number(figure.pair_ratio)}"
    return f" {number(figure.median, figure.digits)} | {ratio} |"


def _cell(text: str) -> str:
    return " ".join(text.split())[:_LONGEST].replace("|", "\\|")


def _made(results: Mapping[str, Any]) -> Iterator[str]:
    seen: dict[str, list[str]] = {}
    versions: dict[str, Mapping[str, str]] = {}
    for entry in results["experiments"].values():
        made = entry["made"]
        where = (
            f"`{made['command']}`, {made['date']}, commit {made['commit']}, {made['cpu']}, {made['cores']} cores, "
            f"{made['memory_gb']} GB, {made['system']}, load before {made['load']}"
        )
        seen.setdefault(where, []).append(entry["title"])
        versions |= made["versions"]
    yield from (f"- {where}: {'; '.join(titles)}." for where, titles in seen.items())
    yield from ("", "| environment | versions |", "|---|---|")
    for name, found in versions.items():
        yield f"| {name} | {', '.join(f'{package} {version}' for package, version in found.items())} |"
