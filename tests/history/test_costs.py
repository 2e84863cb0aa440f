"""Why tasks take longer, or more memory: planted causes, each beside innocent changes, and the machine when it is that."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from nbops.history.causes import CodeOf, CommitOf, Facts, causes_of
from nbops.history.incidents.course import advance
from nbops.history.incidents.look import Before
from nbops.model import (
    Anomaly,
    Cause,
    CellRun,
    Dataset,
    Environment,
    Expected,
    Incident,
    IncidentFinding,
    LineageEdge,
    Run,
    TaskRun,
)

CELLS = (
    "import pandas as pd\nimport tinyfx",
    "raw = pd.read_csv('raw.csv')",
    "rates = tinyfx.all(raw)",
    "model = fit(rates, depth)",
)
TIMES = (0.2, 1.0, 2.0, 6.8)
NAMES = ("load", "clean", "fit", "report")


def task(
    name: str, *, times: tuple[float, ...] = TIMES, start: float = 0.5, recipe: dict[str, Any] | None = None, **more: Any
) -> TaskRun:
    base: dict[str, Any] = {"code": "k", "parameters": {}, "files": {}, "modules": {}, "packages": {"tinyfx": "1.0"}}
    more = {"peak_memory_bytes": 10**9, "parameters": {"depth": 3}, **more}
    return TaskRun(
        name=name, kind="notebook", status="succeeded", source=f"{name}.ipynb", seconds=start + sum(times),
        cells=tuple(CellRun(index=place, seconds=one) for place, one in enumerate(times)),
        upstream=NAMES[NAMES.index(name) - 1 : NAMES.index(name)] if name != "load" else (),
        fingerprint={**base, **(recipe or {})}, **more,
    )  # fmt: skip


def run(run_id: str, *, rows: int = 1_000, **tasks: TaskRun) -> Run:
    made = [tasks.get(name) or task(name) for name in NAMES]
    datasets = [
        Dataset(name=name, task=owner, path=f"{name}.parquet", format="parquet", rows=size, content_hash=f"{run_id}{name}")
        for name, owner, size in (("raw", "load", rows), ("rates", "clean", rows), ("model", "fit", 10))
    ]
    lineage = [
        LineageEdge(source=f"dataset:{data}", target=f"task:{reader}") for data, reader in (("raw", "clean"), ("rates", "fit"))
    ]
    writes = [LineageEdge(source=f"task:{one.task}", target=f"dataset:{one.name}", kind="writes") for one in datasets]
    return Run(
        id=run_id, status="succeeded", verdict="passed", pipeline="shop", command="ploomber build",
        started_at="2026-11-22T19:41:56Z", tasks=tuple(made), datasets=tuple(datasets), lineage=(*lineage, *writes),
        environment=Environment(python="3.11", platform="Linux x86_64", nbops="1"),
        parameters={"depth": made[2].parameters["depth"]},
    )  # fmt: skip


GOOD = run("20261121T000000Z-000001")
BAD = "20261122T000000Z-000002"


def why(now: Run, *names: str, facts: Facts | None = None, monitor: str = "duration", good: Run = GOOD) -> tuple[Cause, ...]:
    metric = "seconds" if monitor == "duration" else "peakMemory"
    anomalies = []
    for name in names:
        old, new = (next(one for one in each.tasks if one.name == name) for each in (good, now))
        usual, value = (one.seconds if monitor == "duration" else one.peak_memory_bytes for one in (old, new))
        anomalies.append(
            Anomaly(monitor=monitor, subject=f"task:{name}", metric=metric, observed=value, expected=Expected(center=usual))
        )
    now = replace(now, anomalies=tuple(anomalies))
    findings = tuple(
        IncidentFinding(key=f"monitor:{monitor}:task:{name}:{metric}", kind="monitor", subject=f"task:{name}") for name in names
    )
    incident = Incident(
        id="INC-1", title="slow", state="open", severity="warn", root=f"task:{names[0]}", opened_run=now.id, opened_at="",
        last_good_run=good.id, findings=findings,
    )  # fmt: skip
    return causes_of(incident, now, good, facts)


def code(number: int, text: str) -> CodeOf:
    before = tuple(enumerate(CELLS))
    return CodeOf(before=before, after=tuple((place, text if place == number else cell) for place, cell in before))


SAME = CodeOf(before=tuple(enumerate(CELLS)), after=tuple(enumerate(CELLS)))


def test_the_changed_cell_that_became_slower_stands_first_with_its_commit() -> None:
    now = run(BAD, rows=1_010, fit=task("fit", times=(0.2, 1.0, 2.0, 30.0), recipe={"code": "other"}))
    commit = CommitOf(commit="c" * 40, author="Mo", subject="deeper", files=("fit.ipynb",))
    facts = Facts(code={"fit": code(3, "model = fit(rates, depth, repeats=5)")}, commits=(commit,))
    first, *_ = why(now, "fit", facts=facts)
    assert (first.kind, first.subject, first.cells, first.commit) == ("code", "task:fit", (3,), "c" * 40)
    assert "cell 3 took 30.0 s, 6.8 s before" in first.evidence
    assert any("repeats=5" in one for one in first.evidence)


def test_a_changed_cell_that_takes_as_long_as_before_is_hardly_the_cause() -> None:
    now = run(BAD, rows=4_000, fit=task("fit", times=(0.2, 4.0, 8.0, 28.0), recipe={"code": "other"}))
    first, *others = why(now, "fit", facts=Facts(code={"fit": code(0, CELLS[0] + "\nTITLE = 'Rates'")}))
    assert (first.kind, first.subject) == ("upstream", "dataset:rates")
    assert "4 times as many rows as before (4,000, 1,000 before): in proportion" in first.message
    assert [one.kind for one in others] == ["code"]
    assert others[0].score < 0.7


@pytest.mark.parametrize(("rows", "kind"), [(4_100, "upstream"), (1_050, "unknown")])
def test_an_input_explains_as_much_as_it_grew(rows: int, kind: str) -> None:
    now = run(BAD, rows=rows, fit=task("fit", times=tuple(4 * one for one in TIMES)))
    assert why(now, "fit")[0].kind == kind


def test_a_task_that_reads_from_outside_is_judged_by_what_it_makes() -> None:
    now = run(BAD, rows=5_000, load=task("load", times=tuple(5 * one for one in TIMES)))
    first = why(now, "load")[0]
    assert (first.kind, first.subject) == ("input", "dataset:raw")


def test_a_parameter_that_the_slow_cell_uses_stands_above_one_that_it_does_not() -> None:
    now = run(BAD, fit=task("fit", times=(0.2, 1.0, 2.0, 40.0), parameters={"depth": 9, "title": "b"}))
    good = run(GOOD.id, fit=task("fit", parameters={"depth": 3, "title": "a"}))
    first, second = why(now, "fit", good=good, facts=Facts(code={"fit": SAME}))[:2]
    assert (first.kind, first.subject, first.cells) == ("parameter", "parameter:depth", (3,))
    assert second.subject == "parameter:title"
    assert second.score < first.score / 2


def test_a_package_counts_where_the_slow_cell_uses_it() -> None:
    now = run(BAD, clean=task("clean", times=(0.2, 1.0, 40.0, 6.8), recipe={"packages": {"tinyfx": "2.0"}}))
    other = run(BAD, clean=task("clean", times=(0.2, 20.0, 2.0, 6.8), recipe={"packages": {"tinyfx": "2.0"}}))
    first, elsewhere = (why(one, "clean", facts=Facts(code={"clean": SAME}))[0] for one in (now, other))
    assert (first.kind, first.subject, first.cells) == ("package", "package:tinyfx", (2,))
    assert elsewhere.score < first.score / 2


def test_a_module_that_the_slow_cell_uses() -> None:
    module = CodeOf(before=((0, "def fit(a, b): return 1"),), after=((0, "def fit(a, b): return slow(a)"),))
    now = run(BAD, fit=task("fit", times=(0.2, 1.0, 2.0, 50.0), recipe={"modules": {"shop.py": "m2"}}))
    good = run(GOOD.id, fit=task("fit", recipe={"modules": {"shop.py": "m1"}}))
    first = why(now, "fit", good=good, facts=Facts(code={"fit": SAME}, modules={"shop.py": module}))[0]
    assert (first.kind, first.subject, first.cells) == ("code", "file:shop.py", (3,))


def test_several_tasks_slower_at_once_are_the_machine() -> None:
    slow = {name: task(name, times=tuple(3 * one for one in TIMES), start=1.5) for name in NAMES}
    slow["fit"] = replace(slow["fit"], fingerprint={**slow["fit"].fingerprint, "code": "other"})
    now = run(BAD, **slow)
    first, *others = why(now, "load", "fit", facts=Facts(code={"fit": code(3, "model = fit(rates, depth)  # again\nshow(1)")}))
    assert (first.kind, first.subject) == ("machine", None)
    assert "4 of 4 tasks" in first.message
    assert "clean, fit, load, report took 3 to 3 times as long" in first.evidence
    assert all(one.score <= first.score / 1.9 for one in others)


def test_another_machine_is_named() -> None:
    slow = run(BAD, **{name: task(name, times=tuple(3 * one for one in TIMES), start=1.5) for name in NAMES})
    elsewhere = replace(slow, environment=Environment(python="3.11", platform="Linux aarch64", nbops="1"))
    assert "it ran on Linux aarch64, before on Linux x86_64" in why(elsewhere, "load", "fit")[0].evidence


def test_one_slow_task_among_others_as_fast_as_before_is_not_the_machine() -> None:
    now = run(BAD, fit=task("fit", times=tuple(3 * one for one in TIMES)))
    assert [one.kind for one in why(now, "fit")] == ["unknown"]


def test_more_data_for_all_is_the_data() -> None:
    slow = {name: task(name, times=tuple(3 * one for one in TIMES), start=1.5) for name in NAMES}
    first = why(run(BAD, rows=3_000, **slow), "clean", "fit")[0]
    assert first.kind == "upstream"


def test_a_package_that_all_slow_tasks_use_stands_above_the_machine() -> None:
    slow = {
        name: task(name, times=(0.2, 1.0, 40.0, 6.8), recipe={"packages": {"tinyfx": "2.0"}}) for name in NAMES
    }  # fmt: skip
    first = why(run(BAD, **slow), *NAMES, facts=Facts(code=dict.fromkeys(NAMES, SAME)))[0]
    assert (first.kind, first.subject, first.cells) == ("package", "package:tinyfx", (2,))


def test_a_kernel_that_was_cold() -> None:
    now = run(BAD, fit=task("fit", start=25.0))
    first = why(now, "fit")[0]
    assert (first.kind, first.subject) == ("machine", "task:fit")
    assert "its kernel was slow to start" in first.message


def test_memory_grows_with_what_is_read_and_never_by_the_machine() -> None:
    fat = {name: task(name, peak_memory_bytes=4 * 10**9) for name in NAMES}
    assert why(run(BAD, rows=4_000, **fat), "fit", monitor="memory")[0].subject == "dataset:rates"
    assert {one.kind for one in why(run(BAD, **fat), "fit", "clean", monitor="memory")} == {"unknown"}


def test_what_the_good_run_found_up_to_date_is_compared_with_when_it_ran() -> None:
    idle = replace(task("fit"), status="up_to_date", seconds=None, cells=(), last_success="20261101T000000Z-000000")
    good = run(GOOD.id, fit=idle)
    now = replace(
        run(BAD, fit=task("fit", times=(0.2, 1.0, 2.0, 60.0))),
        anomalies=(Anomaly(monitor="duration", subject="task:fit", metric="seconds", expected=Expected(center=10.5)),),
    )
    finding = IncidentFinding(key="monitor:duration:task:fit:seconds", kind="monitor", subject="task:fit")
    incident = Incident(
        id="INC-1",
        title="slow",
        state="open",
        severity="warn",
        root="task:fit",
        opened_run=BAD,
        opened_at="",
        findings=(finding,),
    )
    (cause,) = causes_of(incident, now, good, Facts(ran={"fit": task("fit")}))
    assert "cell 3 took 60.0 s, 6.8 s before" in cause.evidence


def test_nothing_is_explained_without_a_good_run_and_of_tasks_that_are_gone() -> None:
    finding = IncidentFinding(key="monitor:duration:task:gone:seconds", kind="monitor", subject="task:gone")
    incident = Incident(
        id="INC-1",
        title="slow",
        state="open",
        severity="warn",
        root="task:gone",
        opened_run=BAD,
        opened_at="",
        findings=(finding,),
    )
    assert causes_of(incident, run(BAD), GOOD) == ()
    assert causes_of(incident, run(BAD), None) == ()


class TestIncidents:
    """Tasks that are slow in one run are one incident, wherever they lie."""

    def slow(self, run_id: str, *names: str) -> Run:
        found = tuple(
            Anomaly(monitor="duration", subject=f"task:{name}", metric="seconds", observed=9.0, message=f"{name}: seconds")
            for name in names
        )
        apart = run(run_id)
        return replace(apart, lineage=(), tasks=tuple(replace(one, upstream=()) for one in apart.tasks), anomalies=found)

    def test_several_at_once_are_one(self) -> None:
        (change,) = advance([], self.slow(BAD, "load", "fit", "report"), Before())
        assert {one.subject for one in change.incident.findings} == {"task:load", "task:fit", "task:report"}

    def test_one_later_on_its_own_is_another(self) -> None:
        (first,) = advance([], self.slow(BAD, "load", "fit"), Before())
        later = self.slow("20261123T000000Z-000003", "report")
        changes = advance([first.incident], later, Before(ids=[GOOD.id, BAD]))
        assert {change.incident.state for change in changes} == {"resolved", "open"}

    def test_one_that_joins_while_the_machine_is_still_slow(self) -> None:
        (first,) = advance([], self.slow(BAD, "load", "fit"), Before())
        later = self.slow("20261123T000000Z-000003", "load", "report")
        (change,) = advance([first.incident], later, Before(ids=[GOOD.id, BAD]))
        assert {one.subject for one in change.incident.findings} == {"task:load", "task:fit", "task:report"}

    def test_memory_is_each_task_s_own(self) -> None:
        now = self.slow(BAD, "load", "fit")
        memory = tuple(replace(one, monitor="memory", metric="peakMemory") for one in now.anomalies)
        assert len(advance([], replace(now, anomalies=memory), Before())) == 2
