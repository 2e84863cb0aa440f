"""The worst finding leads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from nbops.model import Check, CheckResult, Notice, Quarantine, Run, RunError
from nbops.pages.findings import findings, headline
from nbops.pages.summaries import summarise
from nbops.pages.words import LABELS, rank, run_mark, summary_mark

Runs = dict[str, Callable[[], Run]]


@pytest.mark.parametrize("kind", ["passing", "failing", "checked", "interrupted", "up_to_date", "hostile"])
def test_findings_go_from_worst_to_mildest_and_the_headline_is_no_milder(runs: Runs, kind: str) -> None:
    run = runs[kind]()
    ranks = [rank(finding.mark) for finding in findings(run)]
    assert ranks == sorted(ranks)
    head = headline(run)
    assert rank(head.mark) <= min([rank("warned"), *ranks]) or not ranks
    assert rank(head.mark) <= rank(run.verdict) or run.status == "interrupted"


def test_a_failed_task_leads_with_its_cell(runs: Runs) -> None:
    first, *rest = findings(runs["failing"]())
    assert (first.mark, first.task, first.cell) == ("failed", "clean", 3)
    assert first.title == "Task clean raised ValueError in cell 3"
    assert first.hint.startswith("UnitPrice holds text")
    assert [finding.mark for finding in rest] == ["held", "notice"]


def test_failed_checks_are_told_once_and_before_the_rest(runs: Runs) -> None:
    found = findings(runs["checked"]())
    assert [finding.mark for finding in found] == ["failed", "errored", "held", "quarantined", "warned"]
    assert found[0].title == "customer_features: nullValues of customer_id is 24.93 %, expected < 5 %"
    assert len(found[0].examples) == 5
    assert ("Published", "no: the last good version, if any, stays in place") in found[0].facts
    assert "could not be measured" in found[1].title


def test_a_task_whose_checks_failed_without_a_result_is_not_lost(runs: Runs) -> None:
    run = replace(runs["checked"](), checks=())
    assert findings(run)[0].title == "Task features made data that failed its checks"


@pytest.mark.parametrize(
    "detail",
    [
        {"checks": (CheckResult(check=Check(id="a", dataset="orders", metric="rowCount"), verdict="failed"),)},
        {"checks": (CheckResult(check=Check(id="a", dataset="orders", metric="rowCount"), verdict="errored"),)},
        {"errors": (RunError(kind="CommitError", message="git refused"),)},
        {"notices": (Notice(kind="exporter", message="down", severity="error"),)},
        {"quarantine": (Quarantine(dataset="orders", task="t", path="q", rows_in=5, rows_out=3, rows=1),)},
        {"status": "failed"},
        {"status": "running"},
    ],
)
def test_no_green_headline_over_a_red_detail(runs: Runs, detail: dict[str, Any]) -> None:
    run = replace(runs["passing"](), **detail)
    assert run.verdict == "passed"
    assert rank(headline(run).mark) < rank("warned")
    assert rank(run_mark(run)) < rank("warned")


def test_lost_rows_are_a_failure(runs: Runs) -> None:
    aside = Quarantine(dataset="orders", task="t", path="q", rows_in=10, rows_out=3, rows=1)
    first = findings(replace(runs["passing"](), quarantine=(aside,)))[0]
    assert first.mark == "failed"
    assert first.message == "10 rows in, 3 out and 1 quarantined: 6 rows missing."


def test_an_interrupted_run_says_so_and_where(runs: Runs) -> None:
    error = RunError(kind="Interrupted", message="the build was stopped by SIGTERM")
    head = headline(replace(runs["interrupted"](), errors=(error,)))
    assert (head.mark, head.title) == ("interrupted", "The run was interrupted during train")
    found = findings(replace(runs["interrupted"](), errors=(error,)))
    assert [finding.mark for finding in found] == ["interrupted", "held"]
    assert found[0].message.startswith("the build was stopped by SIGTERM.")


def test_an_interrupted_run_with_a_failed_check_is_failed(runs: Runs) -> None:
    bad = CheckResult(check=Check(id="a", dataset="orders", metric="rowCount"), verdict="failed")
    run = runs["interrupted"]()
    assert headline(replace(run, checks=(*run.checks, bad))).mark == "failed"


def test_quiet_runs(runs: Runs) -> None:
    run = runs["passing"]()
    assert headline(run).title == "10 tasks ran, 40 checks passed"
    assert headline(runs["up_to_date"]()).title == "Nothing to do: 10 tasks up to date or not selected"
    assert headline(replace(run, tasks=(), checks=(), datasets=())).title == "The pipeline has no tasks"
    assert "no checks declared" in headline(replace(run, checks=())).title


@pytest.mark.parametrize("kind", ["passing", "failing", "checked", "interrupted"])
def test_the_list_of_runs_agrees_with_the_page(runs: Runs, kind: str) -> None:
    run = runs[kind]()
    summary = summarise(run)
    mark = summary_mark(verdict=summary.verdict, status=summary.status, tasks=summary.tasks, checks=summary.checks)
    assert mark == headline(run).mark


@pytest.mark.parametrize("kind", ["passing", "failing", "checked", "interrupted", "up_to_date", "hostile"])
def test_the_list_of_runs_says_what_leads_the_page(runs: Runs, kind: str) -> None:
    run = runs[kind]()
    found, told = findings(run), summarise(run).headline
    assert bool(found) == bool(told)
    if found:
        assert told.startswith(" ".join(headline(run).title.split())[:150])


@pytest.mark.parametrize("severity", ["warn", "error"])
def test_of_an_error_the_list_says_what_for(runs: Runs, severity: str) -> None:
    run = runs["passing"]()
    error = RunError(kind="ValueError", message="no such shop", task="clean", cell=3)
    task = replace(run.tasks[2], status="failed", error=error)
    assert summarise(replace(run, tasks=(task,))).headline == "Task clean raised ValueError in cell 3: no such shop"
    notice = Notice(kind="ledger", message="it is gone", severity=severity)  # type: ignore[arg-type]
    assert summarise(replace(run, notices=(notice,))).headline == "ledger: it is gone"


def test_an_unknown_verdict_never_looks_fine(runs: Runs) -> None:
    assert run_mark(replace(runs["passing"](), verdict="splendid")) == "errored"  # type: ignore[arg-type]
    assert LABELS["errored"] == "Errored"
