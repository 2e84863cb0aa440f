"""OpenLineage without builds: which events are made of a run, what is configured, and a sender that is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import git
from tests.openlineage_tools import Receiver, key_of, receiver, until, validate

from nbops.adapters.openlineage import OpenLineage, OpenLineageExport, outbox_of
from nbops.adapters.openlineage.outbox import LineageOutbox
from nbops.adapters.openlineage.repository import source_of, web_address
from nbops.adapters.openlineage.settings import is_configured
from nbops.model import (
    Check,
    CheckResult,
    Column,
    ColumnEdge,
    Dataset,
    LineageEdge,
    Measurement,
    Run,
    RunError,
    TaskLineage,
    TaskRun,
)
from nbops.record.codec import encode

pytest.importorskip("openlineage.client", reason="openlineage-python is in the test extra")
from nbops.adapters.openlineage.events import events_of
from nbops.adapters.openlineage.naming import Names
from nbops.adapters.openlineage.sending import Serde, connect, deliver, make_events, send_now

RUN_ID = "20261122T194156Z-1f0c9a"
HOSTILE = ["</script>", "__proto__", 'a"b', "日本🙂", "\u202eevil", "a.b", "x" * 3000, "'; DROP TABLE x;--", "tab\there"]
QUIET = {"OPENLINEAGE_DISABLED": ""}


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Nothing configures the client but the test; its changes of folder and environment are undone."""
    for name in [name for name in os.environ if name.startswith("OPENLINEAGE")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    before, where = set(os.environ), Path.cwd()
    yield
    os.chdir(where)
    for name in set(os.environ) - before:
        del os.environ[name]


@pytest.fixture
def hears() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


def _dataset(name: str, task: str, columns: list[str], **more: Any) -> Dataset:
    made = tuple(Column(name=column, physical_type="BIGINT", classification="personal") for column in columns)
    values: dict[str, Any] = {"columns": made, "rows": 10, "bytes": 99, "content_hash": "ab12", "verdict": "passed"}
    return Dataset(name=name, task=task, path=f"out/{name}.parquet", format="parquet", **{**values, **more})


def _run(status: Any = "succeeded", **more: Any) -> Run:
    values: dict[str, Any] = {
        "id": RUN_ID,
        "status": status,
        "verdict": "passed",
        "pipeline": "shop",
        "command": "ploomber build --env--password hunter2",
        "started_at": "2026-11-22T19:41:56.000Z",
        "finished_at": "2026-11-22T19:42:56.000Z",
        "tasks": (
            TaskRun(name="load", kind="notebook", status="succeeded", started_at="2026-11-22T19:41:57Z", seconds=2.0, attempts=1),
            TaskRun(name="clean", kind="sql", status="succeeded", started_at="2026-11-22T19:42:00Z", seconds=1.5, attempts=1),
        ),
        "datasets": (_dataset("orders", "load", ["id", "amount"]), _dataset("clean", "clean", ["id", "total"])),
        "lineage": (
            LineageEdge(source="dataset:orders", target="task:clean"),
            LineageEdge(source="file:data/raw.csv", target="task:load"),
            LineageEdge(source="host:db.example.org:5432", target="task:load"),
        ),
    }
    return Run(**{**values, **more})


def _moment(run: Run, **more: Any) -> dict[str, Any]:
    return {
        "kind": "ended",
        "at": run.finished_at,
        "namespace": "nbops",
        "parent": "",
        "source": None,
        "run": encode(run),
        **more,
    }


def _made(run: Run, **more: Any) -> list[dict[str, Any]]:
    found = [json.loads(Serde.to_json(event)) for event in events_of(json.loads(json.dumps(_moment(run, **more))))]
    for event in found:
        validate(event)
    return found


def _of(events: list[dict[str, Any]], job: str) -> dict[str, Any]:
    return [event for event in events if event["job"]["name"] == job][-1]


def _edge(source: str, column: str | None, target: str | None, what: tuple[Any, Any], how: Any = "sql") -> ColumnEdge:
    return ColumnEdge(
        source=source, source_column=column, target="clean", target_column=target, transformation=what[0], kind=what[1], how=how
    )


def test_columns_are_told_with_how_they_come_about() -> None:
    edges = (
        _edge("orders", "id", "id", ("identity", "derived")),
        _edge("orders", "amount", "total", ("aggregation", "derived"), "static"),
        _edge("orders", "id", None, ("filter", "influence")),
        _edge("orders", "id", "total", ("window", "influence")),
        _edge("orders", None, "total", ("transformation", "derived"), "assumed"),
        _edge("s3://me:secret@bucket/raw.csv?token=abc", "x", "id", ("transformation", "derived")),
        _edge("elsewhere", None, "id", ("transformation", "derived"), "assumed"),
        _edge("orders", "amount", None, ("transformation", "derived"), "assumed"),
    )
    events = _made(_run(column_lineage=(TaskLineage(task="clean", edges=edges),)))
    facet = _of(events, "shop.clean")["outputs"][0]["facets"]["columnLineage"]

    def told(fields: list[dict[str, Any]]) -> set[tuple[Any, ...]]:
        return {
            (item["namespace"], item["name"], item["field"], kind["type"], kind["subtype"])
            for item in fields
            for kind in item["transformations"]
        }

    orders = ("nbops", "shop/out/orders.parquet")
    assert told(facet["fields"]["id"]["inputFields"]) == {
        (*orders, "id", "DIRECT", "IDENTITY"),
        (*orders, "amount", "DIRECT", "TRANSFORMATION"),
        ("s3://bucket", "raw.csv", "x", "DIRECT", "TRANSFORMATION"),
    }
    assert told(facet["fields"]["total"]["inputFields"]) == {
        (*orders, "amount", "DIRECT", "AGGREGATION"),
        (*orders, "id", "INDIRECT", "WINDOW"),
        (*orders, "id", "DIRECT", "TRANSFORMATION"),
        (*orders, "amount", "DIRECT", "TRANSFORMATION"),
    }
    assert told(facet["dataset"]) == {(*orders, "id", "INDIRECT", "FILTER")}
    assert "secret" not in json.dumps(events)
    assert "abc" not in json.dumps(facet)
    assert "hunter2" not in json.dumps(events)


def test_inputs_are_what_was_read_and_hosts_are_no_datasets() -> None:
    events = _made(_run())
    assert [(item["namespace"], item["name"]) for item in _of(events, "shop.load")["inputs"]] == [("nbops", "shop/data/raw.csv")]
    assert [item["name"] for item in _of(events, "shop.clean")["inputs"]] == ["shop/out/orders.parquet"]
    assert _of(events, "shop.load")["eventTime"] == "2026-11-22T19:41:59.000Z"
    assert _of(events, "shop.clean")["job"]["facets"]["jobType"]["jobType"] == "TASK"


def test_measurements_that_are_numbers_and_nothing_else() -> None:
    measured = [("nullValues", 3), ("distinctValues", 4), ("minimum", -1.5), ("maximum", "secret text"), ("mean", 2.0)]
    measurements = (
        *(Measurement(metric=metric, column="id", value=value) for metric, value in measured),
        Measurement(metric="distinctValues", column="amount", arguments=(("approximate", True),), value=5_000),
        Measurement(metric="minimum", column="amount", value=float("inf")),
        Measurement(metric="nullValues", column="amount", error="broken"),
    )
    events = _made(_run(datasets=(_dataset("orders", "load", ["id", "amount"], measurements=measurements),)))
    facet = _of(events, "shop.load")["outputs"][0]["facets"]["dataQualityMetrics"]
    columns = {
        name: {key: value for key, value in found.items() if value != {}} for name, found in facet["columnMetrics"].items()
    }
    assert columns == {"id": {"nullCount": 3, "distinctCount": 4, "min": -1.5, "count": 7.0}}
    assert facet["rowCount"] == 10
    assert "secret text" not in json.dumps(events)


@pytest.mark.parametrize("verdict", ["passed", "warned", "failed", "errored"])
@pytest.mark.parametrize("severity", ["warn", "error"])
def test_a_check_that_was_not_measured_is_no_success(verdict: Any, severity: Any) -> None:
    check = Check(id="id.nullValues", dataset="orders", metric="nullValues", column="id", severity=severity, expected=(0, 5))
    result = CheckResult(check=check, verdict=verdict, observed=3, message="said")
    events = _made(_run(checks=(result,)))
    told = _of(events, "shop.load.checks.orders")
    assertion = told["inputs"][0]["inputFacets"]["dataQualityAssertions"]["assertions"][0]
    assert (assertion["assertion"], assertion["success"], assertion["severity"]) == ("not_null", verdict == "passed", severity)
    assert (assertion["expected"], assertion["actual"], assertion["column"]) == ("0 to 5", "3", "id")
    bad = verdict in {"failed", "errored"} and severity == "error"
    assert told["eventType"] == ("FAIL" if bad else "COMPLETE")
    assert told["run"]["facets"]["parent"]["job"]["name"] == "shop.load"
    assert told["run"]["facets"]["parent"]["root"]["job"]["name"] == "shop"


@pytest.mark.parametrize("status", ["succeeded", "failed", "interrupted", "running"])
def test_a_run_ends_as_it_ended(status: Any) -> None:
    error = RunError(kind="ValueError", message="no\0 good </script>", traceback="line 1\nline 2")
    tasks = (
        TaskRun(name="a", kind="function", status="failed", started_at="2026-11-22T19:41:57Z", error=error, attempts=2),
        TaskRun(name="b", kind="function", status="held", reasons=("held: a did not end well",)),
        TaskRun(name="c", kind="function", status="up_to_date"),
        TaskRun(name="d", kind="function", status="interrupted"),
        TaskRun(name="e", kind="function", status="not_selected"),
    )
    events = _made(_run(status, tasks=tasks, datasets=(), errors=(error, error)), started=["a", "d", "lost"])
    ends = {"succeeded": "COMPLETE", "failed": "FAIL"}
    assert [key_of(event) for event in events] == [
        ("shop.a", "FAIL"),
        ("shop.b", "START"),
        ("shop.b", "ABORT"),
        ("shop.lost", "ABORT"),
        ("shop", ends.get(status, "ABORT")),
    ]
    assert _of(events, "shop.a")["run"]["facets"]["errorMessage"]["stackTrace"] == "line 1\nline 2"
    assert ("errorMessage" in events[-1]["run"]["facets"]) == (status != "succeeded")


def test_hostile_names_make_valid_events() -> None:
    tasks, datasets, edges = [], [], []
    for number, name in enumerate(HOSTILE):
        tasks.append(TaskRun(name=name, kind="notebook", status="succeeded", started_at="2026-11-22T19:41:57Z", source=name))
        datasets.append(_dataset(name, name, HOSTILE, description=name, owner=name, tags=(name,), domain=name))
        edge = ColumnEdge(
            source=HOSTILE[number - 1], source_column=name, target=name, target_column=name, kind="derived", how="sql"
        )
        edges.append(TaskLineage(task=name, edges=(edge,)))
    run = _run(tasks=tuple(tasks), datasets=tuple(datasets), column_lineage=tuple(edges), pipeline='sh"op</script>')
    source = {"url": "https://example.org/team/shop", "prefix": "sub/"}
    events = _made(run, source=source, code=dict.fromkeys(HOSTILE, "print('</script>')\0"))
    assert len({event["run"]["runId"] for event in events}) == len(HOSTILE) + 1
    assert len(_made(_run(pipeline="", tasks=(), datasets=()))) == 1


def test_ids_follow_from_the_run_and_sort_by_time() -> None:
    names = Names(namespace="n", pipeline="p", run_id=RUN_ID)
    assert names.run("a") == Names(namespace="n", pipeline="p", run_id=RUN_ID).run("a")
    later = Names(namespace="n", pipeline="p", run_id="20261122T194157Z-000000")
    assert names.run() < later.run()
    assert len({names.run(), names.run("a"), names.run("b"), names.run("a", "checks"), later.run()}) == 5
    assert names.run().split("-")[2].startswith("7")


def test_the_run_that_started_this_one_is_its_parent() -> None:
    outer = "01936b2a-0000-7000-8000-000000000001"
    assert _made(_run(), parent=f"air/flow/dag.task/{outer}")[-1]["run"]["facets"]["parent"] == {
        **_made(_run(), parent=f"air/flow/dag.task/{outer}")[-1]["run"]["facets"]["parent"],
        "run": {"facets": {}, "runId": outer},
        "job": {"facets": {}, "namespace": "air/flow", "name": "dag.task"},
    }
    for wrong in ("", "x", "a/b/c", "a/b/not-a-uuid"):
        assert "parent" not in _made(_run(), parent=wrong)[-1]["run"]["facets"]


@pytest.mark.parametrize(
    ("variables", "file", "wanted"),
    [
        ({}, None, False),
        ({"OPENLINEAGE_URL": "http://x"}, None, True),
        ({"OPENLINEAGE_URL": "http://x", "OPENLINEAGE_DISABLED": " True "}, None, False),
        ({"OPENLINEAGE__TRANSPORT__TYPE": "console"}, None, True),
        ({"OPENLINEAGE__TRANSPORT": "{}"}, None, True),
        ({"OPENLINEAGE_API_KEY": "x"}, None, False),
        ({}, "transport: {type: console}", True),
        ({}, "transport: {}", False),
        ({}, "tags: {job: {a: b}}", False),
        ({}, "", False),
        ({}, "- 1", False),
        ({"OPENLINEAGE_CONFIG": "nowhere.yml"}, None, False),
    ],
)
def test_what_configures_it(tmp_path: Path, variables: dict[str, str], file: str | None, wanted: bool) -> None:
    if file is not None:
        (tmp_path / "openlineage.yml").write_text(file)
    assert is_configured(tmp_path, {"HOME": str(tmp_path / "home"), **variables}) is wanted


def test_a_file_elsewhere_or_at_home_configures_it(tmp_path: Path) -> None:
    home = tmp_path / "home/.openlineage"
    home.mkdir(parents=True)
    (home / "openlineage.yml").write_text("transport: {type: noop}")
    assert is_configured(tmp_path, {"HOME": str(tmp_path / "home")})
    (tmp_path / "mine.yml").write_text("transport: {type: noop}")
    assert is_configured(tmp_path, {"HOME": "/nowhere", "OPENLINEAGE_CONFIG": "mine.yml"})


@pytest.mark.parametrize(
    ("remote", "wanted"),
    [
        ("https://user:pass@example.org:8443/t/shop.git", "https://example.org:8443/t/shop"),
        ("ssh://git@example.org:22/t/shop.git", "https://example.org/t/shop"),
        ("git@example.org:t/shop", "https://example.org/t/shop"),
        ("file:///srv/shop.git", None),
        ("../shop", None),
        ("", None),
        ("https://[bad/x", None),
    ],
)
def test_an_address_has_no_credentials(remote: str, wanted: str | None) -> None:
    assert web_address(remote) == wanted


def test_where_the_code_is(git_repo: Path) -> None:
    assert source_of(git_repo) is None
    git(git_repo, "remote", "add", "origin", "https://me:token@example.org/t/shop.git")
    (git_repo / "sub").mkdir()
    assert source_of(git_repo / "sub") == {"url": "https://example.org/t/shop", "prefix": "sub/"}
    run = _run(tasks=(TaskRun(name="a", kind="notebook", status="succeeded", source="a.py", started_at="2026-11-22T19:41:57Z"),))
    document = {**encode(run), "git": {"commit": "abc", "branch": "main"}}
    events = events_of({**_moment(run), "run": document, "source": source_of(git_repo / "sub")})
    location = json.loads(Serde.to_json(events[0]))["job"]["facets"]["sourceCodeLocation"]
    assert location["url"] == "https://example.org/t/shop/blob/abc/sub/a.py"
    assert "token" not in json.dumps(location)


# -- sending ---------------------------------------------------------------------------------------------------------------


def _filled(root: Path, count: int = 12) -> LineageOutbox:
    """Return a project's outbox in which a run waits to be told."""
    outbox = outbox_of(root)
    tasks = tuple(
        TaskRun(name=f"t{n:02}", kind="function", status="succeeded", started_at="2026-11-22T19:41:57Z", attempts=1)
        for n in range(count - 1)
    )
    outbox.note(RUN_ID, _moment(_run(tasks=tasks, datasets=())), durable=False)
    return outbox


def _sender(root: Path, url: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "OPENLINEAGE_URL": url}
    command = [sys.executable, "-m", "nbops.adapters.openlineage.sending", str(root)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, env=environment, cwd=root)


@pytest.mark.parametrize("word", ["hang", "lost"])
def test_a_sender_killed_in_the_middle_loses_nothing(tmp_path: Path, hears: Receiver, word: str) -> None:
    outbox = _filled(tmp_path)
    hears.behaviour = lambda number, _event: word if number == 5 else "hang" if number > 5 else "ok"
    process = _sender(tmp_path, hears.url)
    until(lambda: len(hears.seen) >= 6)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    hears.behaviour = lambda _number, _event: "ok"
    again = _sender(tmp_path, hears.url)
    again.communicate()
    assert again.returncode == 0
    assert outbox.waiting() == 0
    names = [event["job"]["name"] for event in hears.events]
    unique = list(dict.fromkeys(names))
    assert unique == [*(f"shop.t{n:02}" for n in range(11)), "shop"]
    # what was taken and not answered is sent once more, the same to the byte
    twice = [name for name in unique if names.count(name) > 1]
    assert len(twice) == (1 if word == "lost" else 0)
    for name in twice:
        first, second = (event for event in hears.events if event["job"]["name"] == name)
        assert first == second


def test_moments_are_made_into_the_same_events_when_killed_in_between(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outbox = _filled(tmp_path)
    unlink = Path.unlink

    def killed(path: Path, **options: Any) -> None:
        if path.parent.name == "moments":
            raise KeyboardInterrupt
        unlink(path, **options)

    monkeypatch.setattr(Path, "unlink", killed)
    with pytest.raises(KeyboardInterrupt):
        make_events(outbox)
    monkeypatch.undo()
    first = {path.name: path.read_bytes() for path in outbox.events()}
    assert len(first) == 12
    make_events(outbox)
    assert {path.name: path.read_bytes() for path in outbox.events()} == first
    assert outbox.moments() == []


def test_one_sends_at_a_time(tmp_path: Path) -> None:
    outbox = _filled(tmp_path)
    with outbox.sending() as first, outbox.sending() as second:
        assert (first, second) == (True, False)
    with outbox.sending() as third:
        assert third


def test_what_cannot_be_understood_is_kept_apart(tmp_path: Path, hears: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENLINEAGE_URL", hears.url)
    outbox = _filled(tmp_path, count=2)
    outbox.note(
        "20261122T194155Z-000000",
        {"kind": "what?", "at": "", "namespace": "n", "run": {"id": "x", "pipeline": ""}},
        durable=False,
    )
    (outbox.folder / "moments" / f"{RUN_ID}.broken.json").write_text("{")
    outcome = send_now(tmp_path, outbox)
    assert (outcome.sent, outcome.troubles) == (2, [])
    assert outbox.waiting() == 0
    assert "kind 'what?'" in outbox.rejections()[0][1]


def test_refused_events_can_be_sent_again(tmp_path: Path, hears: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENLINEAGE_URL", hears.url)
    outbox = _filled(tmp_path, count=3)
    hears.behaviour = lambda number, _event: "422" if number == 1 else "ok"
    assert send_now(tmp_path, outbox).rejected == 1
    assert outbox.rejected() == 1
    assert outbox.take_back_rejected() == 1
    assert send_now(tmp_path, outbox).sent == 1
    assert (outbox.waiting(), outbox.rejected()) == (0, 0)


def test_a_reason_holds_no_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENLINEAGE_URL", "http://me:hunter2@127.0.0.1:9/?key=hunter3")
    outbox = _filled(tmp_path, count=1)
    outcome = send_now(tmp_path, outbox)
    assert len(outcome.troubles) == 1
    assert "hunter" not in (outbox.trouble() or "hunter")


def test_a_disk_that_is_full_raises_and_the_wire_notes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nbops.workflow.exporting import Exports

    monkeypatch.setenv("OPENLINEAGE_URL", "http://127.0.0.1:9")

    def full(*_arguments: Any, **_options: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(LineageOutbox, "note", full)
    exports = Exports(tmp_path)
    exports.open()
    exports.begun(_run())
    exports.ended(_run(), code={})
    assert [notice.message for notice in exports.notices] == ["openlineage: OSError"]
    assert exports.close(0.0) == ()


def test_without_the_client_a_build_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENLINEAGE_URL", "http://127.0.0.1:9")
    monkeypatch.setattr("nbops.adapters.openlineage.client_is_missing", lambda: True)
    with pytest.raises(RuntimeError, match=r"pip install 'nbops\[openlineage\]'"):
        OpenLineage().open(tmp_path)


def test_kafka_takes_the_events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kafka = pytest.importorskip("confluent_kafka", reason="confluent-kafka is in the test extra")
    broker = kafka.Producer({"bootstrap.servers": "none:1", "test.mock.num.brokers": 1, "log_level": 0})
    address = str(next(iter(broker.list_topics(timeout=10).brokers.values()))).split("/")[0]
    config = {"type": "kafka", "topic": "lineage", "config": {"bootstrap.servers": address}}
    (tmp_path / "openlineage.yml").write_text(json.dumps({"transport": config}))
    outbox = _filled(tmp_path, count=3)
    assert send_now(tmp_path, outbox).troubles == []
    assert outbox.waiting() == 0
    consumer = kafka.Consumer(
        {"bootstrap.servers": address, "group.id": "g", "auto.offset.reset": "earliest", "session.timeout.ms": 6000}
    )
    consumer.subscribe(["lineage"])
    got: list[Any] = []
    until(lambda: got.append(consumer.poll(0.2)) or len([item for item in got if item is not None]) == 3)
    consumer.close()
    messages = [item for item in got if item is not None]
    assert [json.loads(item.value())["job"]["name"] for item in messages] == ["shop.t00", "shop.t01", "shop"]
    assert {item.key() for item in messages} == {b"run:nbops/shop"}


def test_kafka_that_is_down_is_said_and_keeps_the_events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("confluent_kafka", reason="confluent-kafka is in the test extra")
    monkeypatch.setattr("nbops.adapters.openlineage.sending._REQUEST_SECONDS", 0.2)
    config = {"type": "kafka", "topic": "lineage", "config": {"bootstrap.servers": "127.0.0.1:9", "log_level": "0"}}
    (tmp_path / "openlineage.yml").write_text(json.dumps({"transport": config}))
    outbox = _filled(tmp_path, count=3)
    assert send_now(tmp_path, outbox).troubles == ["kafka: _DeliveryError: the broker did not answer in time"]
    assert outbox.waiting() == 3


def test_what_the_user_filters_out_is_not_sent_and_does_not_wait(tmp_path: Path, hears: Receiver) -> None:
    document = {"transport": {"type": "http", "url": hears.url}, "filters": [{"type": "exact", "match": "shop.t00"}]}
    (tmp_path / "openlineage.yml").write_text(json.dumps(document))
    outbox = _filled(tmp_path, count=3)
    make_events(outbox)
    deliver(outbox, connect(tmp_path))
    assert [event["job"]["name"] for event in hears.events] == ["shop.t01", "shop"]
    assert outbox.waiting() == 0


def test_what_is_put_down_of_a_beginning_holds_no_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nbops.record.sender.Sender.wake", lambda _sender: None)
    export = OpenLineageExport(tmp_path)
    task = TaskRun(name="t", kind="function", status="interrupted", started_at="2026-11-22T19:41:57Z", attempts=1)
    export.begun(_run())
    assert "hunter2" not in (tmp_path / f".nbops/openlineage/moments/{RUN_ID}.000001.json").read_text()
    assert task.attempts == 1


def test_the_command_tells_and_sends(tmp_path: Path, hears: Receiver, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    from nbops.cli import main

    (tmp_path / "pipeline.yaml").write_text("tasks: []\n")
    outbox = _filled(tmp_path, count=2)
    monkeypatch.chdir(tmp_path)

    def called(*arguments: str) -> tuple[int, str]:
        code = main(["openlineage", *arguments])
        return code, "".join(capsys.readouterr())

    assert called() == (0, "1 events wait, 0 were refused\n")
    assert called("send")[0] == 2
    monkeypatch.setenv("OPENLINEAGE_URL", hears.url)
    hears.behaviour = lambda number, _event: ["503", "413"][number] if number < 2 else "ok"
    code, text = called("send")
    assert (code, text.splitlines()[0]) == (3, "0 events sent")
    assert "sending stopped: http: HTTPError: 503" in text
    assert called("send") == (3, "1 events sent\n0 events wait, 1 were refused\n")
    assert "413" in called("status")[1]
    assert called("send", "--rejected") == (0, "1 events sent\n0 events wait, 0 were refused\n")
    assert outbox.waiting() == 0
