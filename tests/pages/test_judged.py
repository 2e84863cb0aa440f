"""Each rule stands on a dataset's page once, with who judged it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup

from nbops.model import Check, CheckResult
from nbops.pages.findings import findings
from nbops.pages.judged import by_rule
from nbops.pages.render import render_run
from nbops.quality.notes import noted, noted_by

RULE = Check(id="id.nullValues", dataset="orders", metric="nullValues", column="id", operator="mustBe", expected=0)
OWN = CheckResult(check=replace(RULE, origin="contracts/orders.odcs.yaml: schema[0]"), verdict="passed", observed=0)


def in_task(task: str, result: CheckResult = OWN, **more: Any) -> CheckResult:
    """What ``nbops.check`` notes in a task."""
    return noted(replace(result, check=replace(result.check, id=f"notebook.{result.check.id}"), **more), task)


def test_a_rule_that_was_judged_thrice_is_one() -> None:
    (rule,) = by_rule([OWN, in_task("clean"), in_task("report", verdict="failed", observed=2)])
    assert (rule.id, rule.result.verdict, rule.result.observed) == ("id.nullValues", "failed", 2)
    assert [(one.task, one.agrees) for one in rule.judged] == [(None, False), ("clean", False), ("report", True)]
    assert rule.declared == "contracts/orders.odcs.yaml: schema[0]"
    assert rule.seen == OWN


def test_what_asks_another_thing_stays_apart() -> None:
    stricter = in_task("clean", replace(OWN, check=replace(OWN.check, expected=5)))
    expectation = Check(id="notebook.id.nullValues", dataset="orders", metric="expectation", origin="notebook")
    said = noted(CheckResult(check=expectation, verdict="warned"), "clean")
    rules = by_rule([OWN, stricter, said])
    assert [rule.id for rule in rules] == ["notebook.id.nullValues", "id.nullValues", "id.nullValues"]
    assert rules[0].declared == "notebook of clean"


def test_the_page_of_a_dataset_shows_each_rule_once(tmp_path: Path, runs: Any) -> None:
    run = runs["checked"]()
    own = {result.check.id: result for result in run.checks if result.check.dataset == "order_lines"}
    broken = {"verdict": "failed", "observed": 3, "failing_rows": 3, "message": "3 values of invoice are null."}
    more = (in_task("basket", own["invoice.nullValues"], **broken), in_task("clean", own["quantity.invalidValues"]))
    run = replace(run, checks=(*run.checks, *more))
    reports = tmp_path / "reports"
    render_run(run, reports=reports)
    page = BeautifulSoup(next(reports.glob("runs/*/datasets/order_lines.html")).read_bytes(), "html.parser")
    table = page.find(id="checks-table").find_parent("table")
    rows = [[" ".join(cell.get_text(" ").split()) for cell in row.find_all("td")] for row in table.tbody.find_all("tr")]
    titles = [cell.get_text() for cell in table.thead.find_all("th")]
    checks = [row[titles.index("Check")] for row in rows]
    assert len(checks) == len(set(checks)) == 7
    judged = {row[titles.index("Check")]: row[titles.index("Judged")] for row in rows}
    assert judged["quantity.invalidValues"] == "the file in clean"
    assert judged["invoice.nullValues"] == "the file: passed, 0 in basket in clean : passed, 0"
    assert rows[0][0] == "Failed"
    assert checks[0] == "invoice.nullValues"
    cases = page.find_all(class_="case")
    assert [" ".join(case.h3.get_text(" ").split()) for case in cases[:2]] == [
        "Failed invoice.nullValues",
        "Warned quantity.invalidValues",
    ]
    assert "In basket: 3 values of invoice are null." in cases[0].get_text()
    assert "2 of 7 checks did not pass" in page.get_text()
    assert sum(result.check.dataset == "order_lines" for result in run.checks) == 15, "the ledger has all of them"


def test_where_nothing_but_nbops_judged_nothing_is_said_of_it(tmp_path: Path, make_site: Callable[..., Path]) -> None:
    page = next(make_site("checked", tmp_path).glob("runs/*/datasets/customer_features.html")).read_text(encoding="utf-8")
    assert ">Judged</th>" not in page
    assert "nbops.check" not in page


def test_a_rule_that_was_judged_twice_is_one_finding(runs: Any) -> None:
    run = runs["checked"]()
    run = replace(run, checks=tuple(result for result in run.checks if noted_by(result) is None))
    own = {result.check.id: result for result in run.checks if result.check.dataset == "order_lines"}
    broken = {"verdict": "failed", "observed": 3, "failing_rows": 3, "message": "3 values of invoice are null."}
    rule = own["invoice.nullValues"]
    before = findings(run)
    # what the notebook alone saw: its finding, with what nbops saw of the file
    once = findings(replace(run, checks=(*run.checks, in_task("basket", rule, **broken))))
    (told,) = [found for found in once if found not in before]
    assert dict(told.facts)["Check"] == "notebook.invoice.nullValues"
    assert dict(told.facts)["Judged"] == "the file (passed, 0) and in task basket"
    # both saw it, another notebook did not look: nbops' own, still one
    as_file = replace(run, checks=tuple(replace(one, **broken) if one is rule else one for one in run.checks))
    more = (in_task("basket", rule, **broken), in_task("clean", rule, verdict="skipped", observed=None))
    (told,) = [found for found in findings(replace(as_file, checks=(*as_file.checks, *more))) if found not in before]
    assert dict(told.facts)["Check"] == "invoice.nullValues"
    assert dict(told.facts)["Judged"] == "the file, in task basket and in task clean (skipped)"
    assert not any("Judged" in dict(found.facts) for found in findings(as_file)), "one judgement needs no list of who judged"
