"""The page: one file without scripts or outside references, in light and dark, a table beside each plot."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from benchmarks.figures import Row, bars, number, rows_of

__all__ = ["page"]

_STYLE = """
:root{color-scheme:light dark;--ink:#1b1f24;--dim:#57606a;--line:#d0d7de;--paper:#fff;
--own:#0b5cad;--other:#8a6100;--bad:#b3261e;--good:#1a6b2f}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ed;--dim:#a2abb5;--line:#3a424c;--paper:#14181d;
--own:#6cb2ff;--other:#d9a441;--bad:#ff8a80;--good:#74d18b}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:72rem;margin:0 auto;padding:1rem}
h2{border-bottom:1px solid var(--line);padding-bottom:.2rem;margin-top:2.5rem}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.85rem}
th,td{padding:.2rem .6rem;border-bottom:1px solid var(--line);text-align:right;vertical-align:top}
th:first-child,td:first-child{text-align:left;white-space:normal}td{white-space:nowrap}
.scroll{overflow-x:auto}
p,li{max-width:60rem}.dim{color:var(--dim)}.met{color:var(--good)}.missed{color:var(--bad);font-weight:600}
svg{max-width:100%;height:auto;display:block;margin:.6rem 0}
svg text{font:12px system-ui,sans-serif;fill:var(--ink)}
svg .own{fill:var(--own)}svg .other{fill:var(--other)}svg .dot{fill:var(--ink)}
svg line{stroke:var(--line)}
@media print{body{max-width:none}}
"""
_INTRODUCTION = (
    "Medians of interleaved rounds. Ratios are to the contestant whose row says 1.00: the ratio of the medians, and behind the "
    "slash the median of the ratios within each round. In the plots, bars show the medians and dots the rounds."
)
_WIDTH, _LEFT, _RIGHT, _ROW, _TOP = 860, 300, 90, 24, 22
_LOG_FROM = 30.0
"""From this ratio of the largest to the smallest on, the scale is logarithmic, and says so."""
_LONGEST = 240


def page(results: Mapping[str, Any]) -> str:
    """Return the page."""
    body = [
        "<h1>nbops beside its peers</h1>",
        f"<p>{_INTRODUCTION}</p>",
        *_bars(results),
    ]
    section = ""
    for entry in results["experiments"].values():
        if entry["section"] != section:
            section = entry["section"]
            body.append(f"<h2>{escape(entry['section_title'])}</h2>")
        body += _experiment(entry)
    body += _made(results)
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>nbops beside its peers</title>'
    head += f"<style>{_STYLE}</style>"
    content = "\n".join(body)
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body><main>\n{content}\n</main></body></html>\n'


def _bars(results: Mapping[str, Any]) -> Iterator[str]:
    yield '<h2>Bars</h2><div class="scroll" tabindex="0" role="region" aria-label="Bars"><table>'
    yield "<tr><th>what</th><th>at most</th><th>measured</th><th>rounds</th><th>bar</th></tr>"
    said = {True: '<td class="met">met</td>', False: '<td class="missed">missed</td>', None: "<td>not measured</td>"}
    for bar in bars(results):
        cells = "".join(f"<td>{escape(text)}</td>" for text in (bar.text.replace("`", ""), bar.limit, bar.measured, bar.pairs))
        yield f"<tr>{cells}{said[bar.met]}</tr>"
    yield "</table></div>"


def _experiment(entry: Mapping[str, Any]) -> Iterator[str]:
    rows = list(rows_of(entry))
    date = f'<span class="dim">{escape(entry["made"]["date"])}</span>'
    yield f"<h3>{escape(entry['title'])}</h3><p>{escape(entry['about'])} {date}</p>"
    shown = entry["metrics"][0]
    if drawn := [row for row in rows if shown["key"] in row.figures]:
        yield _plot(drawn, shown, entry["title"])
    head = "".join(f"<th>{escape(item['label'])}, {escape(item['unit'])}</th><th>ratio</th>" for item in entry["metrics"])
    yield f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(entry["title"])}"><table>'
    yield f"<tr><th>contestant</th><th>rounds</th>{head}</tr>"
    for row in rows:
        if row.figures:
            cells = "".join(_cells(row, item["key"]) for item in entry["metrics"])
            yield f"<tr><td>{escape(row.label)}</td><td>{row.rounds}</td>{cells}</tr>"
    yield "</table></div>"
    notes = [f"{row.label}: {row.about}" for row in rows if row.about and row.figures]
    notes += [f"{row.label}: left out: {' '.join(row.skipped.split())[:_LONGEST]}" for row in rows if row.skipped]
    if notes:
        yield "<ul>" + "".join(f"<li>{escape(note)}</li>" for note in notes) + "</ul>"


def _cells(row: Row, key: str) -> str:
    figure = row.figures.get(key)
    if figure is None:
        return "<td></td><td></td>"
    ratio = "" if figure.ratio is None else f"{number(figure.ratio)} / {number(figure.pair_ratio)}"
    return f"<td>{number(figure.median, figure.digits)}</td><td>{ratio}</td>"


def _plot(rows: list[Row], metric: Mapping[str, Any], title: str) -> str:
    """Return horizontal bars of the medians, with a dot for each round."""
    values = [value for row in rows for value in row.figures[metric["key"]].values if value > 0]
    if not values:
        return ""
    high, low = max(values), min(values)
    logarithmic = high / low > _LOG_FROM
    span = _WIDTH - _LEFT - _RIGHT
    floor = 10 ** math.floor(math.log10(low)) / 2

    def along(value: float) -> float:
        if not logarithmic:
            return span * value / high
        return span * math.log(max(value, floor) / floor) / math.log(high / floor)

    label = f"{metric['label']}, {metric['unit']}{' (logarithmic scale)' if logarithmic else ''}"
    height = _TOP + _ROW * len(rows) + 4
    parts = [
        (
            f'<svg viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" role="img" '
            f'aria-label="{escape(title)}: {escape(label)}; the figures stand in the table below">'
        ),
        f'<text x="{_LEFT}" y="14">{escape(label)}</text>',
        f'<line x1="{_LEFT}" x2="{_LEFT}" y1="{_TOP}" y2="{height}"/>',
    ]
    for place, row in enumerate(rows):
        figure, y = row.figures[metric["key"]], _TOP + _ROW * place
        kind = "own" if "nbops" in row.label else "other"
        far = _LEFT + max(along(value) for value in figure.values)
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 16}" text-anchor="end">{escape(row.label)}</text>')
        parts.append(f'<rect class="{kind}" x="{_LEFT}" y="{y + 4}" width="{along(figure.median):.1f}" height="{_ROW - 8}"/>')
        parts += [f'<circle class="dot" cx="{_LEFT + along(value):.1f}" cy="{y + 12}" r="2"/>' for value in figure.values]
        parts.append(f'<text x="{far + 8:.1f}" y="{y + 16}">{number(figure.median, figure.digits)}</text>')
    return "".join([*parts, "</svg>"])


def _made(results: Mapping[str, Any]) -> Iterator[str]:
    yield "<h2>Where and from what</h2><ul>"
    wheres: dict[str, None] = {}
    versions: dict[str, Mapping[str, str]] = {}
    for entry in results["experiments"].values():
        made = entry["made"]
        text = (
            f"{made['command']}, {made['date']}, commit {made['commit']}, {made['cpu']}, {made['cores']} cores, "
            f"{made['memory_gb']} GB, {made['system']}, load before {made['load']}"
        )
        wheres[text] = None
        versions |= made["versions"]
    yield from (f"<li>{escape(text)}</li>" for text in wheres)
    yield "</ul><ul>"
    for name, found in versions.items():
        yield f"<li>{escape(name)}: {escape(', '.join(f'{package} {version}' for package, version in found.items()))}</li>"
    yield "</ul>"
