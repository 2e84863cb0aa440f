"""Status and builds from JupyterLab: a real server, real builds, and whoever should not be let in."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request

import pytest

from nbops.errors import PipelineError
from nbops.lab import builds
from nbops.lab.overview import overview, project_folders


def test_a_build_is_started_watched_stopped_and_seen_by_all(lab, waiting, until):
    server = lab(waiting)
    assert server.request("nbops/api/projects") == (200, {"projects": [""]})
    status, before = server.request("nbops/api/status")
    assert (status, before["error"], before["build"]["running"]) == (200, None, False)
    assert [(task["name"], task["stale"], task["source"]) for task in before["tasks"]] == [
        ("first", True, "notebooks/first.py"),
        ("second", True, "notebooks/second.ipynb"),
    ]

    assert server.request("nbops/api/build", method="POST", body={})[0] == 201
    live = until(lambda: (found := server.request("nbops/api/status")[1])["run"] and found)
    assert live["build"]["running"]
    assert live["run"]["status"] == "running"
    assert server.request("nbops/api/build", method="POST", body={})[0] == 409
    until(lambda: (builds.state_of(waiting)).who)  # any process sees it: the lock tells
    assert server.request("nbops/api/build", method="DELETE")[0] == 202
    ended = until(lambda: not (found := server.request("nbops/api/build")[1])["build"]["running"] and found)
    assert ended["build"]["exit_code"] not in {None, 0}
    assert server.request("nbops/api/build", method="DELETE")[0] == 404
    assert server.request("nbops/api/status")[1]["run"]["status"] == "interrupted"

    (waiting / "go").touch()
    assert server.request("nbops/api/build", method="POST", body={"task": "second", "upstream": True})[0] == 201
    done = until(lambda: not (found := server.request("nbops/api/build")[1])["build"]["running"] and found)
    assert done["build"]["exit_code"] == 0, done["log"]
    assert "first" in done["log"]
    assert server.request(f"nbops/api/build?offset={done['offset']}")[1]["log"] == ""
    after = server.request("nbops/api/status")[1]
    assert [(task["stale"], task["status"]) for task in after["tasks"]] == [(False, "succeeded"), (False, "succeeded")]
    assert server.request(f"api/contents/{after['tasks'][0]['page']}?content=0")[0] == 200
    assert after["tasks"][0]["datasets"][0]["rows"] == 1


def test_a_task_and_what_depends_on_it_is_built_and_nothing_else(waiting):
    (waiting / "go").touch()
    text = (waiting / "pipeline.yaml").read_text(encoding="utf-8")
    extra = '  - source: notebooks/other.py\n    product: {nb: "{{out}}/other.ipynb", data: "{{out}}/other.csv"}\n'
    (waiting / "pipeline.yaml").write_text(text + extra, encoding="utf-8")
    (waiting / "notebooks/other.py").write_text((waiting / "notebooks/first.py").read_text(encoding="utf-8"), encoding="utf-8")

    started = builds.start_build(waiting, task="first", downstream=True)
    assert started.command == "nbops build --downstream first"
    assert builds._children[waiting].wait(300) == 0, builds.read_log(waiting, offset=0)[0]
    found = overview(waiting, waiting)
    assert {task["name"]: task["status"] for task in found["tasks"]} == {
        "first": "succeeded",
        "second": "succeeded",
        "other": "not_selected",
    }
    assert found["run"]["command"] == "nbops build --downstream first"

    builds.start_build(waiting, task="secnod", downstream=True)
    assert builds._children[waiting].wait(300) == 3
    assert "Did you mean 'second'" in builds.read_log(waiting, offset=0)[0]
    with pytest.raises(PipelineError):
        builds.start_build(waiting, task="first", upstream=True, downstream=True)


def test_incidents_are_listed_and_said_something_about_as_the_command_does(lab, broken):
    server = lab(broken)
    found = server.request("nbops/api/status")[1]["incidents"]["found"]
    assert [(item["severity"], item["state"], item["subject"]) for item in found] == [("error", "open", "dataset:first")]
    assert server.request(f"api/contents/{found[0]['page']}?content=0")[0] == 200

    def say(**given):
        return server.request("nbops/api/incidents", method="POST", body={"id": found[0]["id"], **given})

    for wrong in (
        {"action": "delete"},
        {"action": "expect", "message": " "},
        {"action": "acknowledge", "message": "a\0b"},
        {"action": "acknowledge", "id": "../../x"},
        {"action": "acknowledge", "id": "INC-20200101T000000Z-abcdef"},
        {"action": "expect", "message": "x", "until": "tomorrow"},
        {"action": 3},
    ):
        assert say(**wrong)[0] == 400
    assert say(action="acknowledge", message="x", project="../..")[0] == 404
    assert server.request("nbops/api/incidents", method="POST", body={}, token="wrong")[0] == 403
    assert server.request("nbops/api/status")[1]["incidents"]["found"] == found  # nothing of all that was written

    status, done = say(action="acknowledge", message="<b>looking</b>")
    assert (status, done["incidents"][0]["state"]) == (200, "acknowledged")
    assert any("committed" in sentence for sentence in done["said"])
    assert say(action="expect", message="the shop is new")[0] == 200
    assert server.request("nbops/api/status")[1]["incidents"]["found"] == []
    listed = subprocess.run(
        [sys.executable, "-m", "nbops.cli", "incidents", "--all", "--json"], cwd=broken, check=True, capture_output=True
    )
    [incident] = json.loads(listed.stdout)
    assert (incident["state"], [event["message"] for event in incident["events"]][1:]) == (
        "expected",
        ["<b>looking</b>", "the shop is new"],
    )


def test_who_is_not_logged_in_or_comes_from_elsewhere_is_refused(lab, waiting):
    server = lab(waiting)
    for path in ("projects", "status", "build"):
        assert server.request(f"nbops/api/{path}", token="wrong")[0] == 403
    assert server.request("nbops/api/build", method="POST", body={}, token="wrong")[0] == 403
    # logged in by cookie, as another site's form would be: no XSRF token, no build
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    opener.open(f"{server.url}/lab?token={server.token}", timeout=60).close()
    opener.open(f"{server.url}/nbops/api/projects", timeout=60).close()
    request = urllib.request.Request(f"{server.url}/nbops/api/build", method="POST", data=b"{}")
    with pytest.raises(urllib.error.HTTPError) as refused:
        opener.open(request, timeout=60)
    with refused.value as error:
        assert error.code == 403
    assert not (waiting / ".nbops").exists()


def test_a_project_is_named_never_pathed_and_what_cannot_be_built_is_said(lab, waiting):
    server = lab(waiting)
    for name in ("../..", "/etc", "notebooks", "..%2f..", "<script>"):
        assert server.request(f"nbops/api/status?project={urllib.parse.quote(name)}")[0] == 404
        assert server.request("nbops/api/build", method="POST", body={"project": name})[0] == 404
    for body, word in (
        ({"task": "secnod"}, "second"),
        ({"task": "--force"}, "no task"),
        ({"pipeline": "../pipeline.yaml"}, "no pipeline"),
    ):
        request = urllib.request.Request(
            f"{server.url}/nbops/api/build",
            method="POST",
            data=json.dumps(body).encode(),
            headers={"Authorization": f"token {server.token}"},
        )
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=60)
        with refused.value as error:
            assert error.code == 400
            assert word in json.loads(error.read())["message"]
    for body in ([], {"task": 3}, "x"):
        assert server.request("nbops/api/build", method="POST", body=body)[0] == 400


def test_a_broken_pipeline_is_said_with_its_place(waiting):
    (waiting / "pipeline.yaml").write_text("tasks:\n  - source: [\n", encoding="utf-8")
    found = overview(waiting, waiting)
    assert "pipeline.yaml" in found["error"]
    assert "line" in found["error"]
    assert found["place"] == {"path": "pipeline.yaml", "line": 3}
    assert found["tasks"] == []


def test_a_folder_without_a_pipeline_and_one_with_several(tmp_path):
    assert project_folders(tmp_path) == {}
    assert "nbops init" in overview(tmp_path, tmp_path)["error"]
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "pipeline.yaml").write_text("tasks: []\n", encoding="utf-8")
    (tmp_path / "a" / "pipeline.serve.yaml").write_text("tasks: []\n", encoding="utf-8")
    assert list(project_folders(tmp_path)) == ["a", "b"]
    assert project_folders(tmp_path / "a") == {"": tmp_path / "a"}
    (tmp_path / "a" / "notebooks").mkdir()
    assert project_folders(tmp_path / "a" / "notebooks") == {"..": tmp_path / "a"}
    found = overview(tmp_path, tmp_path / "a", pipeline="pipeline.serve.yaml")
    assert (found["pipelines"], found["pipeline"]) == (["pipeline.serve.yaml", "pipeline.yaml"], "pipeline.serve.yaml")
    assert overview(tmp_path, tmp_path / "a", pipeline="../b/pipeline.yaml")["pipeline"] == "pipeline.yaml"


def test_a_server_started_anew_finds_the_build_of_the_one_before(waiting, monkeypatch, until):
    started = builds.start_build(waiting)
    child = builds._children.pop(waiting)
    monkeypatch.setattr(builds, "_children", {})
    state = builds.state_of(waiting)
    assert state.running
    assert state.mine == started
    assert state.exit_code is None
    until(lambda: builds.state_of(waiting).who)
    assert builds.stop_build(waiting)
    until(lambda: not builds.state_of(waiting).running)
    assert child.wait(20) != 0


def test_a_damaged_note_or_a_process_id_given_to_another_is_no_build(waiting):
    folder = waiting / ".nbops/lab"
    folder.mkdir(parents=True)
    for text in ("", "{", "[]", '{"id": 1}', '{"id": "x", "pid": 1, "process_started": 5, "command": "", "began": ""}'):
        (folder / "build.json").write_text(text, encoding="utf-8")
        assert not builds.state_of(waiting).running
        assert not builds.stop_build(waiting)


def test_the_log_is_read_on_from_where_it_was_and_anew_when_another_build_began(waiting):
    assert builds.read_log(waiting, offset=0) == ("", 0)
    folder = waiting / ".nbops/lab"
    folder.mkdir(parents=True)
    (folder / "build.log").write_bytes("one é\ntwo".encode())
    text, offset = builds.read_log(waiting, offset=0)
    assert text == "one é\n"
    assert builds.read_log(waiting, offset=offset)[0] == "two"
    (folder / "build.log").write_bytes(b"new\n")
    assert builds.read_log(waiting, offset=offset + 3)[0] == "new\n"
