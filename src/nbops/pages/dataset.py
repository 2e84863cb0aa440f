"""``datasets/<name>.html``: everything that a run knows of one dataset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nbops.pages.catalog import freshness_of
from nbops.pages.course import check_courses, course_of, measured_courses, versions
from nbops.pages.judged import by_rule
from nbops.pages.lineage import anchor
from nbops.pages.links import known
from nbops.pages.score import score_of
from nbops.pages.series_words import expected_words, series_name, told
from nbops.pages.templating import markup
from nbops.pages.text import count, day, minute, plural, short, size
from nbops.pages.views import (
    COLUMNS_SHOWN,
    Shown,
    column_anchors,
    columns_of,
    loose_measurements,
    report_link,
    shown,
)
from nbops.pages.words import figure, mark, rank
from nbops.quality.recommender_names import RECOMMENDER_METRICS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from nbops.history.series import Point
    from nbops.model import CheckResult, Column, Dataset, Measurement, Run
    from nbops.pages.judged import Rule
    from nbops.pages.origins import Origins

__all__ = ["dataset_context"]

_CHECKS, _LOOSE = 150, 200
_COURSES, _VERSIONS, _PHRASES, _USES = 8, 8, 8, 6


@dataclass(frozen=True, slots=True, kw_only=True)
class _ColumnRow:
    """A column with its sources and uses."""

    column: Column
    anchor: str
    origins: Shown
    decided: Shown
    uses: Shown


def dataset_context(run: Run, item: Dataset, *, reports: Path, origins: Origins, points: Sequence[Point] = ()) -> dict[str, Any]:
    """Return what ``dataset.html.j2`` shows.

    Args:
        run: The run, as stored.
        item: One of its datasets.
        reports: The project's ``reports`` folder.
        origins: The run's column lineage.
        points: What earlier runs and this one measured, the oldest first.
    """
    rules = by_rule(result for result in run.checks if result.check.dataset == item.name)
    results = [rule.result for rule in rules]
    quarantine = [entry for entry in run.quarantine if entry.dataset == item.name]
    broken = any(entry.rows_in != entry.rows_out + entry.rows for entry in quarantine)
    verdicts = [
        item.verdict,
        *(result.verdict for result in results),
        *(["errored"] if item.error else []),
        *(["failed"] if broken else []),
    ]
    columns = columns_of(item, most=COLUMNS_SHOWN)
    courses, constant, left_out = measured_courses(points, most=_COURSES)
    return {
        **known(run, reports, root="../../../", here="../"),
        "item": item,
        "mark_of": min((mark(verdict) for verdict in verdicts), key=rank),
        "sentence": _sentence(item, results),
        "facts": _facts(run, item, results, report_link(item.profile, reports)),
        "failing": any(result.verdict in {"failed", "errored"} for result in results),
        "checks": shown(rules, _CHECKS),
        "in_tasks": any(one.task is not None for rule in rules[:_CHECKS] for one in rule.judged),
        "check_courses": check_courses([rule.seen for rule in rules[:_CHECKS]], points),
        "runs_seen": len(points),
        "explained": [_case(rule) for rule in rules if rule.result.verdict not in {"passed", "skipped"}][:30],
        "quarantine": quarantine[:20],
        "columns": columns,
        "column_rows": shown(_column_rows(item, origins), COLUMNS_SHOWN),
        "columns_more": max(0, len(item.columns) - COLUMNS_SHOWN),
        "every": shown(origins.of_all(item.name), _PHRASES),
        "used_whole": shown(origins.uses_of_all(item.name), 2 * _PHRASES),
        "deciding": shown(origins.rows_of(item.name), _PHRASES),
        "described": any(column.description for column in item.columns[:COLUMNS_SHOWN]),
        "measurements": shown([one for one in loose_measurements(item) if not _is_of_lists(one)], _LOOSE),
        "lists": _lists(run, item, points),
        "courses": courses,
        "courses_constant": constant,
        "courses_more": left_out,
        "versions": versions(points, most=_VERSIONS),
        "lineage": _lineage(run, item),
        "place": anchor("dataset", item.name),
        "with_cells": {task.name for task in run.tasks if task.notebook is not None and task.status == "succeeded"},
        "sla": [(key, figure("freshness", text)) for key, text in sorted(item.sla.items())],  # its numbers are seconds
    }


def _case(rule: Rule) -> dict[str, Any]:
    """Return a rule that somebody objects to, with what each who looked has to say that nobody said before."""
    said: dict[str, tuple[str | None, CheckResult]] = {}
    for one in sorted(rule.judged, key=lambda one: rank(one.result.verdict)):
        if one.result.verdict not in {"passed", "skipped"} and one.result.message:
            said.setdefault(one.result.message, (one.task, one.result))
    return {
        "rule": rule,
        "said": [(task if len(rule.judged) > 1 else None, result) for task, result in said.values()] or [(None, rule.result)],
    }


def _is_of_lists(one: Measurement) -> bool:
    return one.column is None and one.metric in RECOMMENDER_METRICS


def _lists(run: Run, item: Dataset, points: Sequence[Point]) -> list[dict[str, Any]]:
    """Return what was measured of recommendations, with what was expected of that which is out of the ordinary."""
    taken = {one.metric: one for one in item.measurements if _is_of_lists(one)}
    raised = {one.metric: one for one in run.anomalies if one.subject == f"dataset:{item.name}" and one.column is None}
    return [
        {
            "title": series_name(metric),
            "error": short(taken[metric].error or "", 160),
            "now": told(metric, taken[metric].value),
            "course": course_of(points, metric),
            "ordinary": expected_words(metric, raised[metric].expected) if metric in raised else "",
            "mark": ("expected" if raised[metric].accepted else "unusual") if metric in raised else "",
        }
        for metric in RECOMMENDER_METRICS
        if metric in taken
    ]


def _facts(run: Run, item: Dataset, results: Sequence[CheckResult], profile: str | None) -> list[tuple[str, Any]]:
    fresh = freshness_of(item, results, home=item.from_run or run.id)
    score = score_of(results)
    return [
        ("Rows", count(item.rows)),
        ("Columns", count(len(item.columns)) if item.columns else ""),
        ("Size", size(item.bytes)),
        ("Quality", f"{score.percent} % ({count(score.passed)} of {plural(score.judged, 'check')})" if score else ""),
        (f"Newest {short(fresh.column, 40)}" if fresh.column else "", _day(fresh.until) if fresh.until else ""),
        ("Owner", short(item.owner, 80) if item.owner else ""),
        ("Domain", short(item.domain, 60) if item.domain else ""),
        ("File", markup("<code>{}</code>{}", short(item.path, 160), _format(item))),
        ("Contract", markup("<code>{}</code>", short(item.contract, 120)) if item.contract else "none"),
        ("Profile", markup('<a href="../../../{}">profile of the data</a>', markup("{}", profile)) if profile else ""),
    ]


def _day(text: str) -> Any:
    return day(text) if len(text) <= len("2026-11-22") else minute(text)


def _format(item: Dataset) -> str:
    return "" if item.path.lower().endswith(f".{item.format.lower()}") else f" {short(item.format, 40)}"


def _sentence(item: Dataset, results: Sequence[CheckResult]) -> str:
    bad = sum(result.verdict not in {"passed", "skipped"} for result in results)
    judged = (
        f"{count(bad)} of {plural(len(results), 'check')} did not pass"
        if bad
        else f"{plural(len(results), 'check')}, none objected"
    )
    content = "not published" if not item.published else "content changed" if item.changed else "content as in the run before"
    return f"{judged if results else 'No checks'}; {content}"


def _column_rows(item: Dataset, origins: Origins) -> list[_ColumnRow]:
    anchors = column_anchors(item.columns)
    return [
        _ColumnRow(
            column=column,
            anchor=place,
            origins=shown(origins.of_column(item.name, column.name), _PHRASES),
            decided=shown(origins.decided_by(item.name, column.name), _PHRASES),
            uses=shown(origins.uses_of(item.name, column.name), _USES),
        )
        for column, place in zip(item.columns[:COLUMNS_SHOWN], anchors, strict=False)
    ]


def _lineage(run: Run, item: Dataset) -> list[tuple[str, Any]]:
    node = f"dataset:{item.name}"
    makers = {edge.source for edge in run.lineage if edge.target == node} or ({f"task:{item.task}"} if item.task else set())
    readers = {edge.target for edge in run.lineage if edge.source == node}
    made_from = {edge.source for edge in run.lineage if edge.target in makers}
    made_by = {edge.target for edge in run.lineage if edge.source in readers}
    sides = (("Made by", makers), ("From", made_from), ("Read by", readers), ("Which make", made_by))
    return [(title, shown([_split(name) for name in sorted(nodes)], 25)) for title, nodes in sides]


def _split(node: str) -> tuple[str, str]:
    kind, _, name = node.partition(":")
    return (kind, name) if name else ("file", node)
