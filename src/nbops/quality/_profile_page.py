"""A profile's page, from what the profiler found: in the order and words of the profiler's own report.

The profiler's own page holds dates, memory addresses and random word clouds (so it differs each time), copies values into HTML
without escaping, fails accessibility checks, needs scripts and has no dark theme. Its *description* has none of these faults.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2

from nbops.quality import _profile_text as text
from nbops.quality._profile_alerts import Alert, alerts_of
from nbops.quality._profile_sample import Field, Sample, correlatable, is_private
from nbops.quality._profile_settings import MAX_COLUMNS, MAX_LISTED, SEED
from nbops.quality._profile_variable import Variable, variable_of
from nbops.quality.compiled import compiled_templates

__all__ = ["Page", "render_page"]

_MAX_MATRIX = 20
"""Columns in the matrix of correlations."""
_MAX_ALERTS = 100
_TEMPLATES = Path(__file__).parent / "templates"
_METRICS: Mapping[str, tuple[str, ...]] = {
    "nulls": ("nullValues",),
    "distinct": ("distinctValues", "distinct"),
    "min": ("min", "minimum"),
    "mean": ("mean", "average"),
    "max": ("max", "maximum"),
}
"""What the table of the whole dataset shows, and the measurements that say it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a page is made from."""

    request: Mapping[str, Any]
    """The fields of the ``ProfileRequest``, as JSON."""
    sample: Sample
    description: Any
    """The profiler's description, or None when there was nothing to profile."""
    unbearable: frozenset[str] = frozenset()
    """Keys of columns that the profiler could not bear."""


def render_page(page: Page) -> str:
    """Return the page as HTML: no script, nothing outside but a stylesheet when one is named; equal input gives equal bytes."""
    return _template().render(**_context(page))


@lru_cache(maxsize=1)
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        bytecode_cache=compiled_templates("profile", _stamp()),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(count=text.count, number=text.number, percent=text.percent, clean=text.clean, short=text.short)
    # the stylesheet is ours and holds nothing that HTML would read
    environment.globals["style"] = (_TEMPLATES / "profile.css").read_text(encoding="utf-8")
    return environment.get_template("profile.html.j2")


def _stamp() -> str:
    """Return what tells one state of this file, whose settings decide how the template is compiled, from another."""
    try:
        found = Path(__file__).stat()
    except OSError:  # bundled in an archive
        return ""
    return f"{found.st_size} {found.st_mtime_ns}"


def _context(page: Page) -> dict[str, Any]:
    request, sample = page.request, page.sample
    described: Mapping[str, Any] = page.description.variables if page.description is not None else {}
    variables = [variable_of(field, described.get(field.key)) for field in sample.fields] if described else []
    fields = {field.key: field for field in sample.fields}
    alerts = alerts_of(page.description, fields) if page.description is not None else []
    open_columns = [name for name, _ in sample.columns if not is_private(name, request["personal"])]
    rows = len(sample.frame) if sample.frame is not None else 0
    return {
        "title": text.clean(request["title"] or request["dataset"]),
        "description": text.clean(request["description"]),
        "content_hash": request["content_hash"],
        "settings": request["settings"],
        "stylesheet": request["stylesheet"],
        "rows": sample.rows,
        "sampled": rows,
        "seed": SEED,
        "columns": len(sample.columns),
        "personal": [name for name, _ in sample.columns if is_private(name, request["personal"])],
        "left_out": max(0, len(open_columns) - MAX_COLUMNS),
        "max_columns": MAX_COLUMNS,
        "whole": _whole(request, sample),
        "max_listed": MAX_LISTED,
        "types": _types(variables),
        "cells": _cells(variables, rows),
        "variables": variables,
        "alerts": alerts[:_MAX_ALERTS],
        "alert_count": len(alerts),
        "badges": _badges(alerts),
        "correlations": _correlations(page.description, fields, able=len(correlatable(sample.fields, rows)[1])),
    }  # fmt: skip


def _whole(request: Mapping[str, Any], sample: Sample) -> list[dict[str, Any]]:
    """Return a row for each column of the whole dataset, from measurements."""
    wanted = {metric: key for key, metrics in _METRICS.items() for metric in metrics}
    measured: dict[tuple[str, str], Mapping[str, Any]] = {}
    for measurement in request["measurements"] or sample.measured:
        key = wanted.get(measurement["metric"])
        if key is not None:
            measured.setdefault((measurement["column"], key), measurement)
    ids = {field.name: field.key for field in sample.fields}
    table = []
    for name, type_ in sample.columns[:MAX_LISTED]:
        private = is_private(name, request["personal"])
        # a personal column's least and greatest values are values of people
        keys = ("nulls", "distinct") if private else tuple(_METRICS)
        cells = {key: _measured(measured.get((name, key))) for key in keys}
        table.append({"name": name, "type": type_, "private": private, "key": ids.get(name), "cells": cells})
    return table


def _measured(measurement: Mapping[str, Any] | None) -> dict[str, str]:
    """Return a number of the whole dataset as text, and what to say where there is none."""
    if measurement is None:
        return {"text": text.MISSING, "note": "not measured"}
    value = measurement["value"]
    if measurement["failed"] or value is None:
        return {"text": text.MISSING, "note": "could not be measured" if measurement["failed"] else "no value"}
    if isinstance(value, bool):
        return {"text": "true" if value else "false", "note": ""}
    if isinstance(value, int):
        estimate = measurement.get("approximate", False)
        return {"text": f"{'≈ ' if estimate else ''}{value:,}", "note": "(estimated)" if estimate else ""}
    return {"text": text.number(value) if isinstance(value, float) else text.short(value, 40), "note": ""}


def _types(variables: Sequence[Variable]) -> list[tuple[str, int]]:
    names = [variable.type for variable in variables]
    return [(name, names.count(name)) for name in dict.fromkeys(names)]


def _cells(variables: Sequence[Variable], rows: int) -> dict[str, Any]:
    missing = sum(variable.missing for variable in variables)
    total = rows * len(variables)
    return {"missing": missing, "share": missing / total if total else 0.0}


def _badges(alerts: Sequence[Alert]) -> dict[str, list[str]]:
    badges: dict[str, list[str]] = {}
    for alert in alerts:
        badges.setdefault(alert.key, []).append(alert.label)
    return badges


def _correlations(description: Any, fields: Mapping[str, Field], *, able: int) -> dict[str, Any] | None:
    """Return the matrix of the most correlated columns (all, when they are few), in the order of the data."""
    matrix = description.correlations.get("auto") if description is not None else None
    if matrix is None:
        return None
    keys = [key for key in fields if key in matrix.columns]
    values = {(a, b): float(matrix.at[a, b]) for a in keys for b in keys}
    strength = {a: max((abs(values[a, b]) for b in keys if b != a and values[a, b] == values[a, b]), default=0.0) for a in keys}
    chosen = set(sorted(keys, key=lambda key: (-round(strength[key], 9), keys.index(key)))[:_MAX_MATRIX])
    shown = [key for key in keys if key in chosen]
    lines = [{"name": fields[a].name, "key": a, "cells": [_shade(values[a, b], diagonal=a == b) for b in shown]} for a in shown]
    return {"names": [fields[key].name for key in shown], "lines": lines, "total": len(keys), "able": able}


def _shade(value: float, *, diagonal: bool) -> dict[str, Any]:
    """Return a cell of the matrix: its text, and one of five depths of two colours."""
    if value != value:  # noqa: PLR0124  # NaN: two columns that never have values together
        return {"text": text.MISSING, "shade": ""}
    depth = 0 if diagonal else min(5, int(abs(round(value, 6)) * 5 + 0.5))
    return {"text": f"{value:.2f}".replace("-0.00", "0.00"), "shade": f"{'n' if value < 0 else 'p'}{depth}" if depth else ""}
