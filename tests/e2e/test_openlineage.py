"""Real builds that tell of themselves: what arrives, in which order, and that no receiver harms a run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from e2e_project import CHAIN, Project, statuses_of
from tests.openlineage_tools import Receiver, receiver, until, validate

from nbops.adapters.openlineage import outbox_of

pytest.importorskip("openlineage.client", reason="openlineage-python is in the test extra")

CONTRACT = """apiVersion: v3.1.0
kind: DataContract
id: clean
version: 1.0.0
status: active
tags: [gold]
description: {purpose: What counts.}
team: {members: [{username: owner@example.org, role: owner}]}
schema:
  - name: clean
    properties:
      - {name: id, logicalType: integer, unique: true}
      - {name: value, logicalType: integer, logicalTypeOptions: {minimum: MINIMUM}}
"""
QUIET = "[tool.nbops]\nprofile = false\n"
ALL_THREE = ("load", "clean", "report")


@pytest.fixture
def hears() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


@pytest.fixture
def told(make_project: Callable[..., Project], hears: Receiver) -> Project:
    project = make_project({**CHAIN, "pyproject.toml": QUIET, "contracts/clean.odcs.yaml": CONTRACT.replace("MINIMUM", "0")})
    project.environment["OPENLINEAGE_URL"] = hears.url
    return project


def _types(events: list[dict[str, Any]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for event in events:
        found.setdefault(event["job"]["name"], []).append(event["eventType"])
    return found


def _last(events: list[dict[str, Any]], job: str) -> dict[str, Any]:
    return [event for event in events if event["job"]["name"] == job][-1]


def _left(project: Project) -> int:
    return outbox_of(project.root).waiting()


def test_a_passing_run_is_told_whole(told: Project, hears: Receiver) -> None:
    run = told.build()
    name = run.pipeline
    ended = ["START", "RUNNING", "COMPLETE"]
    assert _types(hears.events) == {
        name: ended,
        f"{name}.load": ended,
        f"{name}.clean": ended,
        f"{name}.clean.checks.clean": ["START", "COMPLETE"],
        f"{name}.report": ended,
    }
    for event in hears.events:
        validate(event)
    assert _left(told) == 0
    top = _last(hears.events, name)
    assert {event["run"]["runId"] for event in hears.events if event["job"]["name"] == name} == {top["run"]["runId"]}
    for task in ALL_THREE:
        parent = _last(hears.events, f"{name}.{task}")["run"]["facets"]["parent"]
        assert parent["run"]["runId"] == parent["root"]["run"]["runId"] == top["run"]["runId"]
    clean = _last(hears.events, f"{name}.clean")
    made = clean["outputs"][0]
    assert {"schema", "dataSource", "version", "documentation", "ownership", "tags", "dataQualityMetrics"} <= set(made["facets"])
    assert made["outputFacets"]["outputStatistics"]["rowCount"] == next(d.rows for d in run.datasets if d.name == "clean")
    assert made["facets"]["schema"]["fields"][0] == {"name": "id", "type": "BIGINT"}
    assert [item["name"] for item in clean["inputs"]] == [f"{name}/output/raw.csv"]
    assert "def clean" in clean["job"]["facets"]["sourceCode"]["sourceCode"]
    checked = _last(hears.events, f"{name}.clean.checks.clean")
    assertions = checked["inputs"][0]["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert [item["success"] for item in assertions] == [True] * len(assertions)
    assert {item["assertion"] for item in assertions} >= {"unique"}
    assert str(told.root) not in json.dumps(hears.seen)
    assert str(Path.home()) not in json.dumps(hears.seen)
    assert "openlineage" not in told.git("show", "--name-only", "--format=", "HEAD")


def test_a_failing_and_partial_run(told: Project, hears: Receiver) -> None:
    told.write("contracts/clean.odcs.yaml", CONTRACT.replace("MINIMUM", "1000000"))
    run, _ = told.fail()
    name = run.pipeline
    assert statuses_of(run) == {"load": "succeeded", "clean": "failed", "report": "held"}
    assert _types(hears.events) == {
        name: ["START", "RUNNING", "FAIL"],
        f"{name}.load": ["START", "RUNNING", "COMPLETE"],
        f"{name}.clean": ["START", "RUNNING", "FAIL"],
        f"{name}.clean.checks.clean": ["START", "FAIL"],
        f"{name}.report": ["START", "ABORT"],
    }
    for event in hears.events:
        validate(event)
    assert _last(hears.events, name)["run"]["facets"]["errorMessage"]["message"].startswith("ChecksFailed")
    failed = _last(hears.events, f"{name}.clean")
    assert failed["run"]["facets"]["errorMessage"]["programmingLanguage"] == "PYTHON"
    assert "version" not in failed["outputs"][0]["facets"]
    assert "outputFacets" not in failed["outputs"][0] or not failed["outputs"][0]["outputFacets"]
    hears.events.clear()
    told.write("contracts/clean.odcs.yaml", CONTRACT.replace("MINIMUM", "0"))
    told.build()
    ended = ["START", "RUNNING", "COMPLETE"]
    assert {job: types for job, types in _types(hears.events).items() if "checks" not in job} == {
        name: ended,
        f"{name}.clean": ended,
        f"{name}.report": ended,
    }


def test_an_interrupted_run(told: Project, hears: Receiver) -> None:
    told.edit("tasks.py", 'def clean(product, upstream):\n    """Keep what counts."""', WAITING)
    build = told.start("build")
    until((told.root / "begun").exists)
    os.kill(build.pid, 2)
    assert build.wait() != 0
    run = told.latest()
    assert run.status == "interrupted"
    # an interrupted build does not wait: what is left goes with the next one
    told.edit("tasks.py", WAITING, "def clean(product, upstream):\n")
    told.build()
    mine = _once(event for event in hears.events if event["run"]["runId"] in _runs_before(hears, run.pipeline))
    assert _types(mine) == {
        run.pipeline: ["START", "RUNNING", "ABORT"],
        f"{run.pipeline}.load": ["START", "RUNNING", "COMPLETE"],
        f"{run.pipeline}.clean": ["START", "RUNNING", "ABORT"],
    }
    for event in hears.events:
        validate(event)
    assert _left(told) == 0


WAITING = """def clean(product, upstream):
    import time
    Path("begun").touch()
    time.sleep(300)
"""


def _once(events: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return events without those that came again, the same in every byte: their sender was ended before it could note them."""
    return [json.loads(text) for text in dict.fromkeys(json.dumps(event) for event in events)]


def _runs_before(hears: Receiver, pipeline: str) -> set[str]:
    """Ids of the first run and of what has it as its parent."""
    first = next(event["run"]["runId"] for event in hears.events if event["job"]["name"] == pipeline)
    children = {
        event["run"]["runId"]
        for event in hears.events
        if event["run"]["facets"].get("parent", {}).get("root", {}).get("run", {}).get("runId") == first
    }
    return {first, *children}


def test_a_killed_build_is_told_by_the_next(told: Project, hears: Receiver) -> None:
    told.edit("tasks.py", 'def clean(product, upstream):\n    """Keep what counts."""', WAITING)
    build = told.start("build")
    until(lambda: (told.root / "begun").exists() and (told.root / ".nbops/openlineage/started").exists())
    os.kill(build.pid, 9)
    build.wait()
    told.edit("tasks.py", WAITING, "def clean(product, upstream):\n")
    told.build()
    pipeline = told.latest().pipeline
    mine = _once(event for event in hears.events if event["run"]["runId"] in _runs_before(hears, pipeline))
    types = _types(mine)
    assert types[pipeline] == ["START", "RUNNING", "ABORT"]
    assert types[f"{pipeline}.clean"] == ["START", "RUNNING", "ABORT"]
    assert types[f"{pipeline}.load"][-1] in {"COMPLETE", "ABORT"}
    for event in hears.events:
        validate(event)
    assert not list((told.root / ".nbops/openlineage/started").iterdir())


@pytest.mark.parametrize("word", ["500", "reset", "drip", "hang", "401", "503"])
def test_a_bad_receiver_harms_nothing_and_loses_nothing(told: Project, hears: Receiver, word: str) -> None:
    told.configure("export_wait = 0.5")
    hears.behaviour = lambda _number, _event: word
    run = told.build()
    assert (run.status, run.verdict) == ("succeeded", "passed")
    assert hears.events == []
    waiting = _left(told)
    assert waiting > 0
    hears.behaviour = lambda _number, _event: "ok"
    told.edit("pyproject.toml", "export_wait = 0.5", "export_wait = 60")
    again = told.build("--force")
    assert _left(told) == 0
    ended = ["START", "RUNNING", "COMPLETE"]
    assert _types(hears.events)[run.pipeline] == ended + ended
    assert max(Counter(json.dumps(event, sort_keys=True) for event in hears.events).values()) == 1
    assert again.verdict == "passed"


def test_a_receiver_that_is_down(told: Project, hears: Receiver) -> None:
    told.environment["OPENLINEAGE_URL"] = "http://127.0.0.1:9"
    result = told.ploomber("build").ok()
    assert "openlineage events are not sent yet" in result.text
    assert "http: ConnectionError" in result.text
    told.environment["OPENLINEAGE_URL"] = hears.url
    told.build()
    assert _left(told) == 0
    assert _types(hears.events)[told.latest().pipeline] == ["START", "RUNNING", "COMPLETE"] * 2


def test_what_is_refused_for_good_holds_nothing_up(told: Project, hears: Receiver) -> None:
    hears.behaviour = lambda _number, event: "400" if event["job"]["name"].endswith(".load") else "ok"
    result = told.ploomber("build").ok()
    assert "3 openlineage events were refused by the receiver" in result.text
    outbox = outbox_of(told.root)
    assert (outbox.waiting(), outbox.rejected()) == (0, 3)
    assert all("400" in reason for _, reason in outbox.rejections())


def test_wrong_configuration_is_noted_and_changes_nothing(told: Project) -> None:
    del told.environment["OPENLINEAGE_URL"]
    told.write("openlineage.yml", "transport: {type: [")
    run = told.build()
    assert run.verdict == "passed"
    assert [notice.message for notice in run.notices if notice.kind == "export"] == [
        "openlineage: openlineage.yml: cannot be read as YAML: ParserError. Mend it, or set OPENLINEAGE_DISABLED=true."
    ]


def test_a_file_and_a_composite_transport(told: Project, hears: Receiver) -> None:
    del told.environment["OPENLINEAGE_URL"]
    dead = "http://127.0.0.1:9"
    told.write(
        "openlineage.yml",
        f"transport:\n  type: composite\n  transports:\n    - {{type: http, url: '{dead}'}}\n"
        f"    - {{type: http, url: '{hears.url}'}}\n    - {{type: file, log_file_path: output/events.jsonl, append: true}}\n",
    )
    told.configure("export_wait = 20")
    told.build()
    lines = [json.loads(line) for line in told.read("output/events.jsonl").splitlines()]
    assert [_key(line) for line in lines] == [_key(event) for event in hears.events]
    assert len(lines) == 14
    # each transport has its own place in the row
    assert _left(told) == 14
    told.edit("openlineage.yml", dead, hears.url)
    told.build("--force")
    assert _left(told) == 0


def _key(event: dict[str, Any]) -> tuple[str, str, str]:
    return event["run"]["runId"], event["eventType"], event["eventTime"]


def test_without_configuration_nothing_is_loaded_or_written(make_project: Callable[..., Project]) -> None:
    project = make_project({**CHAIN, "pyproject.toml": QUIET})
    project.build()
    assert not (project.root / ".nbops/openlineage").exists()


def test_the_wire_loads_nothing_of_the_client() -> None:
    code = (
        "import sys; from pathlib import Path; from nbops.workflow.exporting import Exports; e = Exports(Path.cwd()); e.open();"
        "print(bool(e), [m for m in sys.modules if m.split('.')[0] in ('openlineage', 'requests', 'yaml', 'attr')])"
    )
    environment = {key: value for key, value in os.environ.items() if not key.startswith("OPENLINEAGE")} | {"HOME": "/nowhere"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.strip() == "False []"


PERSONAL = """apiVersion: v3.1.0
kind: DataContract
id: raw
version: 1.0.0
status: active
schema:
  - name: raw
    properties:
      - {name: id, logicalType: integer, unique: true}
      - {name: mail, logicalType: string, classification: personal}
"""
LEAKING = """from pathlib import Path

TOKEN = "ghp_abcdefghijklmnopqrstuvwxyz0123456789"


def load(product):
    Path(product).write_text("id,mail\\n1,zelda.quux@example.org\\n2,bilbo.quux@example.org\\n")


def clean(product, upstream):
    # asked for by zelda.quux@example.org
    raise ValueError(f"bad rows: {Path(upstream['load']).read_text()} in {Path.cwd()} with {TOKEN}")
"""
LEAKING_PIPELINE = """
tasks:
  - source: tasks.load
    product: output/raw.csv
  - source: tasks.clean
    product: output/clean.csv
"""


def test_nothing_personal_secret_or_of_the_machine_is_told(make_project: Callable[..., Project], hears: Receiver) -> None:
    files = {"pipeline.yaml": LEAKING_PIPELINE, "tasks.py": LEAKING, "pyproject.toml": QUIET, "contracts/raw.odcs.yaml": PERSONAL}
    project = make_project(files)
    project.environment["OPENLINEAGE_URL"] = hears.url
    project.git("remote", "add", "origin", "https://me:hunter2@example.org/team/shop.git")
    project.configure("export_wait = 60")
    project.ploomber("build")
    told = json.dumps(hears.seen, ensure_ascii=False)
    assert _types(hears.events)[f"{project.latest().pipeline}.clean"] == ["START", "RUNNING", "FAIL"]
    for private in ("zelda.quux", "bilbo.quux", "ghp_abc", "hunter2", str(project.root), str(Path.home())):
        assert private not in told, private
    assert "bad rows" in told
    assert "https://example.org/team/shop" in told


def test_the_console_is_a_transport(told: Project) -> None:
    del told.environment["OPENLINEAGE_URL"]
    told.environment["OPENLINEAGE__TRANSPORT__TYPE"] = "console"
    told.configure("export_wait = 60")
    text = told.ploomber("build").ok().text
    events = [json.loads(line) for line in text.splitlines() if line.startswith('{"eventTime"')]
    assert len(events) == 14
    assert _left(told) == 0
