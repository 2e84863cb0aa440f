"""``nbops incidents`` and ``nbops expect``."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from nbops.history.expected import load_corrections
from nbops.history.incidents.store import load_incidents, write_incident
from nbops.history.incidents.update import update
from nbops.model import Anomaly, Cause, Incident, Run
from nbops.record.store import read_run, write_run

from .conftest import HOSTILE, Said, make_run, run_id


def keep(project: Path, *runs: Run) -> None:
    for run in runs:
        write_run(project / "reports", run)
        update(project / "reports", read_run(project / "reports", run.id))


def stored(project: Path) -> tuple[Incident, ...]:
    return load_incidents(project / "reports").found


@pytest.fixture
def broken(project: Path) -> Path:
    """A project whose second run failed a check."""
    keep(project, make_run(1), make_run(2, verdict="failed", message="2 nulls"))
    return project


@pytest.fixture
def repository(broken: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, in a repository of Ada's."""
    monkeypatch.delenv("GIT_AUTHOR_NAME", raising=False)
    for words in (
        ("init", "--quiet"),
        ("config", "user.name", "Ada Lovelace"),
        ("config", "user.email", "ada@example.org"),
        ("commit", "--quiet", "--allow-empty", "-m", "first"),
    ):
        subprocess.run(["git", *words], cwd=broken, check=True)
    return broken


def git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True).stdout


def test_nothing_wrong(project: Path, call: Callable[..., Said]) -> None:
    assert call("incidents") == Said(0, "", "nbops: there are no incidents\n")
    assert call("incidents", "--json") == Said(0, "[]\n", "")
    assert call("incidents", "show", "x").code == 3
    assert project.is_dir()


def test_list_names_what_is_open(broken: Path, call: Callable[..., Said]) -> None:
    (incident,) = stored(broken)
    said = call("incidents")
    assert said.code == 0
    assert incident.id in said.out
    assert "open" in said.out
    assert "id.nullValues: 2 nulls" in said.out
    assert [item["id"] for item in json.loads(call("incidents", "--json").out)] == [incident.id]


def test_other_commands_say_that_something_is_open(broken: Path, call: Callable[..., Said]) -> None:
    assert "1 incident is open" in call("runs").err
    assert "1 incident is open" in call("status").err
    keep(broken, make_run(3))
    assert call("runs").err == ""


def test_list_leaves_out_what_is_resolved(broken: Path, call: Callable[..., Said]) -> None:
    keep(broken, make_run(3))
    assert "none is open" in call("incidents").err
    assert "resolved" in call("incidents", "--all").out


def test_show_tells_all_of_it(broken: Path, call: Callable[..., Said]) -> None:
    (incident,) = stored(broken)
    cause = Cause(kind="code", message="cell 3 of load changed", score=0.81, subject="task:load")
    write_incident(broken / "reports", replace(incident, causes=(cause,)))
    said = call("incidents", "show", incident.id[-6:])
    assert said.code == 0
    for text in (incident.id, "OPEN", "dataset:orders", "2 nulls", "0.81", "cell 3 of load changed", "opened", run_id(1)):
        assert text in said.out
    assert f"nbops diff {run_id(1)} {run_id(2)}" in said.out
    assert f"nbops incidents ack {incident.id}" in said.out
    assert json.loads(call("incidents", "show", incident.id, "--json").out)["root"] == "dataset:orders"


def test_ack_is_committed_under_a_name_and_without_an_address(repository: Path, call: Callable[..., Said]) -> None:
    (incident,) = stored(repository)
    (repository / "mine.txt").write_text("staged", encoding="utf-8")
    git(repository, "add", "mine.txt")
    said = call("incidents", "ack", incident.id[:20], "-m", "  the supplier\n sends it again ")
    assert said.code == 0, said.err
    (now,) = stored(repository)
    assert (now.state, now.events[-1].by, now.events[-1].message) == (
        "acknowledged",
        "Ada Lovelace",
        "the supplier sends it again",
    )
    assert now.events[-1].run == run_id(2)
    assert "committed as" in said.err
    assert "@" not in (repository / f"reports/incidents/{incident.id}.json").read_text(encoding="utf-8")
    assert git(repository, "log", "-1", "--format=%s").strip() == f"nbops: acknowledged {incident.id}"
    assert git(repository, "show", "--name-only", "--format=").split() == [f"reports/incidents/{incident.id}.json"]
    assert git(repository, "diff", "--cached", "--name-only").split() == ["mine.txt"], "what was staged stays so"
    assert "acknowledged" in call("incidents").out
    call("incidents", "ack", incident.id, "-m", "still on it")
    assert [event.what for event in stored(repository)[0].events] == ["opened", "acknowledged", "noted"]


def test_the_pages_of_now_say_it_in_the_same_commit(repository: Path, call: Callable[..., Said]) -> None:
    call("render")
    git(repository, "add", "reports")
    git(repository, "commit", "--quiet", "-m", "pages")
    (incident,) = stored(repository)
    assert call("incidents", "ack", incident.id, "-m", "on it").code == 0
    page = repository / f"reports/incidents/{incident.id}.html"
    assert "on it" in page.read_text(encoding="utf-8")
    assert f"reports/incidents/{page.name}" in git(repository, "show", "--name-only", "--format=").split()
    assert git(repository, "status", "--short", "reports") == ""


def test_a_name_that_is_an_address_loses_it(repository: Path, call: Callable[..., Said]) -> None:
    git(repository, "config", "user.name", "ada@example.org")
    call("incidents", "ack", stored(repository)[0].id)
    assert stored(repository)[0].events[-1].by == "ada"


def test_resolve_and_what_comes_after(repository: Path, call: Callable[..., Said]) -> None:
    (incident,) = stored(repository)
    assert call("incidents", "resolve", incident.id, "-m", "file replaced").code == 0
    assert stored(repository)[0].state == "resolved"
    again = call("incidents", "resolve", incident.id)
    assert (again.code, "resolved already" in again.err) == (3, True)
    assert "nothing to acknowledge" in call("incidents", "ack", incident.id).err
    keep(repository, make_run(3, verdict="failed"))
    assert stored(repository)[0].state == "open"


def test_secrets_are_refused_before_anything_is_written(repository: Path, call: Callable[..., Said]) -> None:
    (incident,) = stored(repository)
    key = "AKIA" + "ABCDEFGHIJKLMNOP"
    said = call("incidents", "ack", incident.id, "-m", f"use {key}")
    assert said.code == 3
    assert key not in said.err
    assert "Nothing was written" in said.err
    assert stored(repository) == (incident,)


def test_personal_values_are_refused(repository: Path, call: Callable[..., Said]) -> None:
    (repository / "contracts").mkdir()
    (repository / "contracts/orders.odcs.yaml").write_text(
        "apiVersion: v3.0.2\nkind: DataContract\nid: orders\nname: orders\nversion: 1.0.0\nstatus: active\nschema:\n"
        "  - name: orders\n    properties:\n      - name: customer\n        logicalType: string\n"
        "        classification: personal\n",
        encoding="utf-8",
    )
    (repository / "output").mkdir()
    (repository / "output/orders.csv").write_text("customer\nGrace Brewster Hopper\n", encoding="utf-8")
    (incident,) = stored(repository)
    said = call("incidents", "ack", incident.id, "-m", "it is about Grace Brewster Hopper")
    assert said.code == 3
    assert "Grace" not in said.err
    assert stored(repository) == (incident,)


def test_without_a_repository_it_is_written_and_said(broken: Path, call: Callable[..., Said]) -> None:
    said = call("incidents", "ack", stored(broken)[0].id)
    assert said.code == 0
    assert "not committed" in said.err
    assert stored(broken)[0].state == "acknowledged"


def test_commit_can_be_switched_off(repository: Path, call: Callable[..., Said]) -> None:
    (repository / "pyproject.toml").write_text("[tool.nbops]\ncommit = false\n", encoding="utf-8")
    call("incidents", "ack", stored(repository)[0].id)
    assert git(repository, "log", "--format=%s").split() == ["first"]


def test_a_damaged_file_is_said_and_left(repository: Path, call: Callable[..., Said]) -> None:
    (incident,) = stored(repository)
    path = repository / f"reports/incidents/{incident.id}.json"
    path.write_text("{", encoding="utf-8")
    for words in (("incidents",), ("incidents", "show", incident.id), ("incidents", "ack", incident.id)):
        said = call(*words)
        assert said.code == 3
        assert incident.id in said.err
    assert path.read_text(encoding="utf-8") == "{"


def test_rebuild_gives_the_same(broken: Path, call: Callable[..., Said]) -> None:
    (path,) = (broken / "reports/incidents").glob("*.json")
    before = path.read_bytes()
    path.unlink()
    said = call("incidents", "--rebuild")
    assert said.code == 0
    assert "1 written" in said.err
    assert path.read_bytes() == before


@pytest.mark.parametrize("words", [("show",), ("ack",), ("list", "x"), ("show", "x", "--rebuild"), ("nonsense",)])
def test_called_wrongly(broken: Path, call: Callable[..., Said], words: tuple[str, ...]) -> None:
    assert broken.is_dir()
    assert call("incidents", *words).code == 2


def test_hostile_text_does_not_reach_the_terminal(project: Path, call: Callable[..., Said]) -> None:
    keep(project, make_run(1, verdict="failed", name="orders", message=HOSTILE))
    (incident,) = stored(project)
    for words in (("incidents",), ("incidents", "show", incident.id)):
        said = call(*words)
        assert not any(char in said.out for char in "\x1b\x00\u202e\u2066\x9b\u200b")


def test_a_shell_is_offered_ids(broken: Path, call: Callable[..., Said], monkeypatch: pytest.MonkeyPatch) -> None:
    (incident,) = stored(broken)
    monkeypatch.setenv("_NBOPS_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "nbops incidents show inc")
    monkeypatch.setenv("COMP_CWORD", "3")
    assert incident.id in call().out


class TestExpect:
    @pytest.fixture
    def odd(self, repository: Path) -> Path:
        """The project after a run with few rows."""
        found = (Anomaly(monitor="volume", subject="dataset:orders", metric="rowCount", message="3 rows, 900 expected"),)
        keep(repository, replace(make_run(3), anomalies=found, logical_date="2011-01-04"))
        return repository

    def _odd(self, project: Path) -> Incident:
        (found,) = [item for item in stored(project) if item.findings[0].kind == "monitor"]
        return found

    def test_an_incident_becomes_expected_and_a_correction_says_so(self, odd: Path, call: Callable[..., Said]) -> None:
        incident = self._odd(odd)
        said = call("expect", incident.id[-6:], "--reason", " inventory\n week ", "--until", "2011-02-01")
        assert said.code == 0, said.err
        assert "yours to commit" in said.err
        (correction,) = load_corrections(odd)
        assert (correction.subject, correction.metric, correction.monitor) == ("dataset:orders", "rowCount", "volume")
        assert (correction.since, correction.until) == ("2011-01-04", "2011-02-01")
        assert (correction.reason, correction.by) == ("inventory week", "Ada Lovelace")
        now = self._odd(odd)
        assert (now.state, now.events[-1].until, now.events[-1].message) == ("expected", "2011-02-01", "inventory week")
        assert git(odd, "log", "-1", "--format=%s").strip() == f"nbops: expected {incident.id}"
        assert incident.id not in call("incidents").out

    @pytest.mark.parametrize("target", ["orders", "orders.rowCount", "dataset:orders.rowCount", "orders.volume"])
    def test_a_series_quiets_the_incidents_that_it_explains(self, odd: Path, call: Callable[..., Said], target: str) -> None:
        assert call("expect", target, "--reason", "new shop").code == 0
        assert self._odd(odd).state == "expected"
        assert load_corrections(odd)[0].since == "2011-01-04"

    @pytest.mark.parametrize("target", ["orders.nullRate", "task:load.seconds", "load", "orders.distinct"])
    def test_another_series_does_not(self, odd: Path, call: Callable[..., Said], target: str) -> None:
        assert call("expect", target, "--reason", "new shop").code == 0
        assert self._odd(odd).state == "open"
        assert len(load_corrections(odd)) == 1

    def test_the_same_twice_is_one(self, odd: Path, call: Callable[..., Said]) -> None:
        for _ in range(2):
            call("expect", "orders.rowCount", "--reason", "new shop")
        assert len(load_corrections(odd)) == 1

    def test_a_check_stays_as_it_is(self, repository: Path, call: Callable[..., Said]) -> None:
        (incident,) = stored(repository)
        said = call("expect", incident.id, "--reason", "the source is moved")
        assert said.code == 0
        assert "no monitor's" in said.err
        assert load_corrections(repository) == ()
        assert stored(repository)[0].state == "expected"

    @pytest.mark.parametrize(
        ("words", "why"),
        [
            (("ordres.rowCount", "--reason", "x"), "Did you mean 'orders'"),
            (("orders.rowCuont", "--reason", "x"), "Did you mean 'rowCount'"),
            (("inc-nothing", "--reason", "x"), "no such incident"),
            (("orders", "--reason", "  "), "a reason is needed"),
            (("orders", "--reason", "x", "--until", "soon"), "write a day like"),
            (("orders", "--reason", "x", "--until", "2010-01-01"), "before 2011-01-04"),
            (("orders", "--reason", "x", "--from", "2011-02-01", "--until", "2011-01-01"), "before --from"),
            (("orders", "--reason", "use AKIA" + "ABCDEFGHIJKLMNOP"), "Nothing was written"),
        ],
    )
    def test_what_is_wrong_writes_nothing(self, odd: Path, call: Callable[..., Said], words: tuple[str, ...], why: str) -> None:
        before = stored(odd)
        said = call("expect", *words)
        assert said.code == 3
        assert why in said.err
        assert stored(odd) == before
        assert not (odd / "monitoring").exists()

    def test_a_file_that_cannot_be_read_is_not_written_over(self, odd: Path, call: Callable[..., Said]) -> None:
        file = odd / "monitoring/expected.yaml"
        file.parent.mkdir()
        file.write_text("- id: [", encoding="utf-8")
        assert call("expect", "orders", "--reason", "x").code == 3
        assert file.read_text(encoding="utf-8") == "- id: ["
        assert self._odd(odd).state == "open"

    def test_without_runs(self, project: Path, call: Callable[..., Said]) -> None:
        assert project.is_dir()
        assert "no runs yet" in call("expect", "orders", "--reason", "x").err

    def test_a_shell_is_offered_incidents_and_subjects(
        self, odd: Path, call: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("_NBOPS_COMPLETE", "bash_complete")
        monkeypatch.setenv("COMP_CWORD", "2")
        for start, offered in (("or", "orders"), ("INC", self._odd(odd).id), ("task", "task:load")):
            monkeypatch.setenv("COMP_WORDS", f"nbops expect {start}")
            assert offered in call().out
