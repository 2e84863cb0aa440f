"""A ledger that leaves out what earlier ones hold: nothing is lost, and what is lost with an earlier one is said."""

from __future__ import annotations

import json
from dataclasses import replace

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbops.model import Check, CheckResult, Column, Dataset, Environment, LineageEdge, Measurement, Run, TaskRun
from nbops.pages.summaries import summaries
from nbops.record import schema
from nbops.record.ledger import document_of, from_json, referred_runs, to_json
from nbops.record.store import ledger_path, load_runs, read_run, write_run


def name(number: int) -> str:
    return f"20261122T1941{number:02d}Z-{number:06x}"


def check(number: int, observed: int) -> CheckResult:
    made = Check(
        id=f"c{number}.nullValues", dataset="orders", metric="nullValues", column=f"c{number}", operator="mustBe", expected=0,
        dimension="completeness", origin=f"contracts/orders.odcs.yaml: schema[0].properties[{number}]",
    )  # fmt: skip
    verdict = "failed" if observed else "passed"
    return CheckResult(
        check=made, verdict=verdict, observed=observed, failing_rows=observed, message=f"Nulls in c{number}: {observed}."
    )


def run(number: int, *, content: str = "a", observed: int = 0, status: str = "succeeded", **changes) -> Run:
    fingerprint = {"code": "c" * 64, "modules": {f"m{i}.py": f"{i}" * 64 for i in range(6)}, "contents": {"orders": content * 64}}
    task = TaskRun(
        name="clean", kind="notebook", status="succeeded", source="clean.py", products={"orders": "output/orders.parquet"},
        fingerprint=fingerprint, reasons=("its data changed",), seconds=1.5, last_success=name(number), upstream=("ingest",),
    )  # fmt: skip
    data = Dataset(
        name="orders", task="clean", path="output/orders.parquet", format="parquet", rows=3, verdict="passed",
        content_hash=content * 64,
        columns=tuple(Column(name=f"c{i}", physical_type="BIGINT", description=f"What c{i} says") for i in range(6)),
        measurements=tuple(Measurement(metric="maximum", column=f"c{i}", value=f"{content}{i}") for i in range(6)),
    )  # fmt: skip
    given_ = {
        "id": name(number), "status": status, "verdict": "passed", "pipeline": "shop", "command": "ploomber build",
        "started_at": "2026-11-22T19:41:56Z", "tasks": (task,), "datasets": (data,),
        "checks": tuple(check(i, observed if i == 2 else 0) for i in range(5)),
        "environment": Environment(python="3.11", platform="Linux", nbops="0.1.0", packages={f"p{i}": "1.0" for i in range(9)}),
    }  # fmt: skip
    return Run(**{**given_, **changes})


def idle(number: int, since: Run) -> Run:
    """A run with nothing to do, as a build makes it."""
    task = replace(since.tasks[0], status="up_to_date", reasons=("nothing changed",), seconds=None)
    data = replace(since.datasets[0], changed=False, from_run=since.id)
    return replace(
        since, id=name(number), tasks=(task,), datasets=(data,), checks=tuple(replace(c, from_run=since.id) for c in since.checks)
    )


def test_every_kind_of_run_is_read_back_whole_and_agrees_with_the_schema(tmp_path):
    first, changed = run(0), run(1, content="b", observed=4)
    runs = [first, changed, idle(2, changed), idle(3, changed), run(4, content="b"), run(5, status="failed", tasks=(), checks=())]
    validator = jsonschema.Draft7Validator(schema.build())
    for one in runs:
        path = write_run(tmp_path, one)
        validator.validate(json.loads(path.read_bytes()))
    assert load_runs(tmp_path) == (runs, [])
    sizes = [ledger_path(tmp_path, one.id).stat().st_size for one in runs]
    assert sizes[1] < 0.7 * sizes[0]
    assert sizes[2] < 0.6 * sizes[0]
    assert sizes[3] <= sizes[2]


def test_what_was_judged_stands_in_the_ledger_itself(tmp_path):
    write_run(tmp_path, run(0, observed=3))
    text = write_run(tmp_path, idle(1, run(0, observed=3))).read_text(encoding="utf-8")
    assert referred_runs(document_of(text)) == {name(0)}
    alone = from_json(text)
    (entry,) = document_of(text)["carried_checks"]
    assert (entry["dataset"], entry["verdicts"]) == ("orders", {"failed": 1, "passed": 4})
    assert "the checks of orders" in alone.notices[0].message
    assert [(item.name, item.status) for item in alone.tasks] == [("clean", "up_to_date")]
    assert document_of(text)["carried_datasets"] == {name(0): ["orders"]}
    assert "dataset orders" in alone.notices[0].message


@pytest.mark.parametrize("content", [None, b"", b"{}", b"\xff", b'{"schema_version": 2, "id": "x"}'])
def test_a_lost_ledger_is_said_and_nothing_else_is(tmp_path, content):
    write_run(tmp_path, run(0))
    whole = ledger_path(tmp_path, name(0)).read_bytes()
    write_run(tmp_path, idle(1, run(0)))
    cache = tmp_path / "cache"
    if content is None:
        ledger_path(tmp_path, name(0)).unlink()
    else:
        ledger_path(tmp_path, name(0)).write_bytes(content)
    (notice,) = read_run(tmp_path, name(1)).notices
    assert (notice.kind, notice.severity) == ("ledger", "error")
    assert name(0) in notice.message
    assert "git checkout" in notice.message
    assert name(0) in summaries(tmp_path, cache)[0].headline
    ledger_path(tmp_path, name(0)).write_bytes(whole)
    assert read_run(tmp_path, name(1)) == idle(1, run(0))
    assert summaries(tmp_path, cache)[0].headline == ""


def test_of_a_chain_the_ledger_that_is_lost_is_named_and_not_those_that_lead_there(tmp_path):
    for number, content in enumerate("abb"):
        write_run(tmp_path, run(number, content=content))
    documents = [document_of(ledger_path(tmp_path, name(number)).read_text()) for number in (1, 2)]
    assert [document["tasks"][0]["as_in"] for document in documents] == [name(0), name(1)]
    ledger_path(tmp_path, name(0)).unlink()
    said = " ".join(notice.message for notice in read_run(tmp_path, name(2)).notices)
    assert f"run {name(0)} is missing" in said
    assert name(1) not in said


@pytest.mark.parametrize("field", [{"started_at+": 0}, {"products+": ["x"]}, {"without": [["x"]]}, {"measurements+": [1]}])
def test_what_somebody_wrote_into_an_earlier_ledger_does_not_stop_the_next_run_from_being_recorded(tmp_path, field):
    for number in (0, 1):
        write_run(tmp_path, run(number, content="b"))
    path = ledger_path(tmp_path, name(1))
    document = json.loads(path.read_bytes())
    for item in (*document["tasks"], *document["datasets"]):
        item.update({"as_in": name(0), **field})
    path.write_text(json.dumps(document), encoding="utf-8")
    for later in (run(2, content="b"), idle(3, run(0, content="b"))):
        write_run(tmp_path, later)
        assert read_run(tmp_path, later.id) == later


def test_a_reference_that_leads_round_or_ahead_is_no_endless_loop(tmp_path):
    for number in (0, 1, 2):
        write_run(tmp_path, run(number))
    for number, other in ((1, 2), (2, 1), (0, 0)):
        path = ledger_path(tmp_path, name(number))
        document = json.loads(path.read_bytes())
        document["tasks"] = [{"name": "clean", "kind": "notebook", "status": "succeeded", "as_in": name(other)}]
        path.write_text(json.dumps(document), encoding="utf-8")
    for number in (0, 1, 2):
        assert any(notice.kind == "ledger" for notice in read_run(tmp_path, name(number)).notices)


def test_a_run_after_one_with_nothing_to_do_refers_as_far_back_as_it_can(tmp_path):
    first, changed = run(0), run(1, content="b", observed=4)
    runs = [first, changed, idle(2, changed), run(3, content="c"), idle(4, run(3, content="c")), idle(5, run(3, content="c"))]
    for one in runs:
        write_run(tmp_path, one)
    assert load_runs(tmp_path) == (runs, [])
    sizes = [ledger_path(tmp_path, one.id).stat().st_size for one in runs]
    assert sizes[3] <= 1.1 * sizes[1]
    assert sizes[5] <= sizes[4]


def test_results_of_which_some_are_no_more_are_not_put_together(tmp_path):
    first = run(0)
    write_run(tmp_path, first)
    fewer = replace(idle(1, first), checks=idle(1, first).checks[1:])
    assert "carried_checks" not in json.loads(write_run(tmp_path, fewer).read_bytes())
    assert read_run(tmp_path, fewer.id) == fewer


def test_results_that_are_not_as_they_were_stand_beside_those_that_are(tmp_path):
    first, later = run(0), run(9, content="b")
    write_run(tmp_path, first)
    kept = idle(1, first).checks
    news = {
        "said otherwise": (replace(kept[0], message="else"), *kept[1:]),
        "measured anew": (
            replace(kept[0], from_run=None, verdict="failed", observed=7),
            replace(kept[1], from_run=None),
            *kept[2:],
        ),
        "one more": (*kept, replace(check(9, 3), from_run=None)),
        "of another run": (*kept[:-1], replace(kept[-1], from_run=name(1))),
    }
    runs = [replace(idle(number + 1, first), checks=checks) for number, checks in enumerate(news.values())]
    for one in runs:
        document = json.loads(write_run(tmp_path, one).read_bytes())
        (entry,) = document["carried_checks"]
        assert sum(entry["verdicts"].values()) + len(document["checks"]) == len(one.checks)
        jsonschema.Draft7Validator(schema.build()).validate(document)
    write_run(tmp_path, later)
    for number, checks in enumerate(news.values()):  # and each after one that was put together itself
        runs.append(replace(idle(number + 10, first), checks=checks))
        write_run(tmp_path, runs[-1])
    assert load_runs(tmp_path) == (sorted([first, *runs, later], key=lambda one: one.id), [])


def test_a_result_that_was_lost_there_since_is_said(tmp_path):
    first = run(0)
    path = write_run(tmp_path, first)
    kept = idle(1, first).checks
    write_run(tmp_path, replace(idle(1, first), checks=(replace(kept[0], message="else"), *kept[1:])))
    document = json.loads(path.read_bytes())
    path.write_text(json.dumps({**document, "checks": document["checks"][:-1]}), encoding="utf-8")
    (notice,) = read_run(tmp_path, name(1)).notices
    assert "the checks of orders" in notice.message


def flows(number: int) -> tuple[LineageEdge, ...]:
    return tuple(LineageEdge(source=f"dataset:d{i}", target="task:clean") for i in range(number))


def test_what_tasks_read_and_write_is_said_once(tmp_path):
    first = run(0, lineage=flows(5))
    runs = [first, *(replace(idle(number, first), lineage=flows(5)) for number in (1, 2)), run(3, lineage=flows(5), content="b")]
    runs += [
        run(4, lineage=flows(6)),
        replace(idle(5, first), lineage=flows(6)),
        run(6, lineage=flows(5)),
        run(7),
        run(8, lineage=flows(5)),
    ]
    said = [json.loads(write_run(tmp_path, one).read_bytes()) for one in runs]
    assert load_runs(tmp_path) == (runs, [])
    homes = [document.get("carried_lineage") for document in said]
    assert homes == [None, name(0), name(0), name(0), None, name(4), None, None, None]
    assert [len(document.get("lineage", ())) for document in said] == [5, 0, 0, 0, 6, 0, 5, 0, 5]
    assert name(0) in referred_runs(said[2])
    for document in said:
        jsonschema.Draft7Validator(schema.build()).validate(document)
    ledger_path(tmp_path, name(0)).unlink()
    (notice,) = read_run(tmp_path, name(3)).notices
    assert "what tasks read and write" in notice.message


def test_lineage_that_is_said_to_be_that_of_a_later_run_is_lost(tmp_path):
    for number in range(3):
        write_run(tmp_path, run(number, lineage=flows(5)))
    path = ledger_path(tmp_path, name(1))
    path.write_text(json.dumps({**json.loads(path.read_bytes()), "carried_lineage": name(2)}), encoding="utf-8")
    assert any("what tasks read and write" in notice.message for notice in read_run(tmp_path, name(1)).notices)


def test_items_that_share_a_name_are_written_whole(tmp_path):
    twice = run(0, checks=(check(1, 0), check(1, 0)))
    write_run(tmp_path, twice)
    again = replace(twice, id=name(1))
    path = write_run(tmp_path, again)
    assert all("as_in" not in item for item in json.loads(path.read_bytes())["checks"])
    assert read_run(tmp_path, again.id) == again


def test_a_run_that_goes_on_neither_refers_nor_is_referred_to(tmp_path):
    write_run(tmp_path, run(0))
    assert referred_runs(json.loads(write_run(tmp_path, run(1, status="running")).read_bytes())) == frozenset()
    assert referred_runs(json.loads(write_run(tmp_path, run(2)).read_bytes())) == {name(0)}


def test_a_ledger_of_version_1_may_be_referred_to(tmp_path):
    first = run(0)
    path = write_run(tmp_path, first)
    path.write_text(to_json(first).replace('"schema_version": 2', '"schema_version": 1'), encoding="utf-8")
    assert name(0) in write_run(tmp_path, idle(1, first)).read_text(encoding="utf-8")
    assert read_run(tmp_path, name(1)) == idle(1, first)


def test_references_stay_few_steps_long(tmp_path):
    """Each run changes another field, so that the run before is always the nearest."""
    packages = {f"p{i}": "1.0" * 20 for i in range(9)}
    for number in range(12):
        packages[f"p{number % 9}"] = f"{number}." * 30
        made = run(number, environment=Environment(python="3.11", platform="Linux", nbops="0.1.0", packages=dict(packages)))
        write_run(tmp_path, made)
        assert read_run(tmp_path, made.id) == made
        steps, at = 0, made.id
        while (onward := json.loads(ledger_path(tmp_path, at).read_bytes())["environment"].get("as_in")) is not None:
            steps, at = steps + 1, onward
        assert steps <= 4


def test_a_run_with_nothing_to_do_states_no_hash_wherever_the_chain_before_it_ends(tmp_path):
    modules = {f"m{i}.py": f"{i}" * 64 for i in range(40)}
    number = 0
    for changed in range(9):
        modules[f"m{changed}.py"] = "f" * 64  # each refers to the one before
        made = run(number)
        task = replace(made.tasks[0], fingerprint={"code": "c" * 64, "modules": dict(modules)})
        made = replace(made, tasks=(task,))
        write_run(tmp_path, made)
        for _ in range(2):
            number += 1
            path = write_run(tmp_path, idle(number, made))
            assert "f" * 64 not in path.read_text(encoding="utf-8")
            assert read_run(tmp_path, name(number)) == idle(number, made)
        steps, at = 0, name(number)
        while (onward := json.loads(ledger_path(tmp_path, at).read_bytes())["tasks"][0].get("as_in")) is not None:
            steps, at = steps + 1, onward
        assert steps <= 5
        number += 1


def test_of_measurements_those_that_moved_are_stated(tmp_path):
    first = run(0)
    write_run(tmp_path, first)
    data = first.datasets[0]
    moved = (replace(data.measurements[0], value="b"), *data.measurements[1:])
    path = write_run(tmp_path, replace(idle(1, first), datasets=(replace(data, measurements=moved, from_run=first.id),)))
    (stored,) = json.loads(path.read_bytes())["datasets"]
    assert stored["measurements+"] == [{"column": "c0", "metric": "maximum", "value": "b"}]
    assert "measurements" not in stored
    jsonschema.Draft7Validator(schema.build()).validate(json.loads(path.read_bytes()))
    assert read_run(tmp_path, name(1)).datasets[0].measurements == moved
    ledger_path(tmp_path, name(0)).unlink()
    alone, _ = load_runs(tmp_path)
    assert alone[0].datasets[0].measurements == (moved[0],)


MEASURED = st.lists(
    st.builds(
        Measurement,
        metric=st.sampled_from(["maximum", "sql"]),
        column=st.sampled_from([None, "None", "a"]),
        value=st.sampled_from([0, 1, 1.0, True, None, "1", 0.0]),
        arguments=st.sampled_from([(), (("query", "x"),), (("query", "y"),)]),
    ),
    max_size=5,
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(MEASURED, st.booleans()), min_size=2, max_size=5))
def test_whatever_is_measured_is_read_back(tmp_path_factory, changes):
    folder = tmp_path_factory.mktemp("runs")
    for number, (measured, again) in enumerate(changes):
        base = run(number)
        more = base.datasets[0].measurements if again else ()
        one = replace(base, datasets=(replace(base.datasets[0], measurements=(*more, *measured)),))
        write_run(folder, one)
        assert to_json(read_run(folder, one.id)) == to_json(one)


VALUE = st.none() | st.integers(0, 2) | st.text("ab+", max_size=2)
DEEP = st.dictionaries(
    st.text("ab+", max_size=2), VALUE | st.dictionaries(st.text("ab+", max_size=2), VALUE, max_size=3), max_size=4
)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(DEEP, DEEP, st.booleans()), min_size=2, max_size=5))
def test_whatever_changes_is_read_back(tmp_path_factory, changes):
    folder = tmp_path_factory.mktemp("runs")
    for number, (parameters, fingerprint, ran) in enumerate(changes):
        base = run(number)
        long = {"pad": "x" * 200} if ran else {}
        task = replace(base.tasks[0], parameters={**parameters, **long}, fingerprint=fingerprint, seconds=1.0 if ran else None)
        one = replace(base, tasks=(task,))
        write_run(folder, one)
        assert read_run(folder, one.id) == one
