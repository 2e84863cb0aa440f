"""Messages about incidents: to whom, once, whatever receivers and kills do, and nothing private."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from tests.openlineage_tools import until
from tests.receivers import Receiver, mailbox, receiver

from nbops.cli.app import program
from nbops.contract.config import Config, load_config
from nbops.contract.config_alerts import AlertConfig, Route, parse_alerts
from nbops.errors import ConfigError
from nbops.history.incidents.store import write_incident
from nbops.model import Alert, Cause, Dataset, Incident, IncidentEvent, IncidentFinding, LineageEdge, Run
from nbops.record.sender import Sender
from nbops.record.store import write_run
from nbops.workflow.alert_outbox import AlertOutbox
from nbops.workflow.alert_sending import send_now
from nbops.workflow.alert_text import alert_of, one_line
from nbops.workflow.alerting import note_begun, route_takes, tell_of

pytest.importorskip("apprise", reason="apprise is in the test extra")

RUN = "20261122T194156Z-1f0c9a"
ID = "INC-20261122T194156Z-1f0c01"
LATER = "20261123T194156Z-2f0c9a"
AT = "2026-11-22T19:42:00Z"
HOSTILE = [
    "<!channel> @everyone",
    "a\r\nBcc: x@example.org",
    "\0\x1b[31m",
    "日本🙂\u202e",
    "<script>",
    "x" * 5000,
    "\ud800",
    "%s {0}",
]


@pytest.fixture
def hears() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


@pytest.fixture
def apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send as builds do: by another process. The other tests spare themselves the start of it."""
    monkeypatch.setattr("nbops.workflow.alerting.Sender", Sender)


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    class Here(Sender):
        def wake(self) -> None:
            pass

        def end(self, seconds: float, *, kill: bool = True) -> None:
            if seconds:
                send_now(AlertOutbox(self._root), seconds=seconds)

    monkeypatch.setattr("nbops.workflow.alerting.Sender", Here)


def incident(number: int = 1, *, run: str = RUN, what: Any = "opened", **more: Any) -> Incident:
    values: dict[str, Any] = {
        "id": ID[:-2] + f"{number:02d}",
        "title": f"orders: too many nulls in amount ({number})",
        "state": "resolved" if what == "resolved" else "open",
        "severity": "error",
        "root": "dataset:orders",
        "opened_run": RUN,
        "opened_at": AT,
        "owner": "Sales",
        "subjects": ("dataset:orders", "dataset:revenue", "task:clean"),
        "last_bad_run": run,
        "findings": (
            IncidentFinding(
                key="check:orders:amount.nullValues",
                kind="check",
                subject="dataset:orders",
                message="amount: 12 % nulls, at most 1 % allowed.",
                first_run=RUN,
                last_run=run,
            ),
        ),
        "causes": (Cause(kind="code", message="Cell 3 of clean changed.", score=0.9),),
        "events": (IncidentEvent(at=AT, what=what, run=run),),
    }
    return Incident(**{**values, **more})


def run_of(name: str = RUN) -> Run:
    return Run(
        id=name,
        status="succeeded",
        verdict="warned",
        pipeline="shop",
        command="ploomber build",
        started_at=AT,
        datasets=(
            Dataset(name="orders", task="clean", path="o.parquet", format="parquet", owner="sales-team", tags=("pii", "gold")),
        ),
    )


def config_of(*routes: Route, **more: Any) -> Config:
    return Config(alerts=AlertConfig(routes=routes or (Route(to="HOOK"),), **{"wait": 20.0, **more}))


def hook(hears: Receiver) -> str:
    return hears.url.replace("http://", "json://")


def tell(root: Path, *incidents: Incident, name: str = RUN, config: Config | None = None, **more: Any) -> tuple[str, ...]:
    return tell_of(incidents, root=root, config=config or config_of(), run=run_of(name), **more)


# -- settings --------------------------------------------------------------------------------------------------------


def test_routes_are_read(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        """
        [tool.nbops]
        secrets = ["DB"]
        [tool.nbops.alerts]
        base_url = "https://pages.example.org/shop/"
        [[tool.nbops.alerts.routes]]
        to = "${SLACK_URL}"
        when = ["opened"]
        owners = "sales*"
        severity = "error"
        """
    )
    config = load_config(tmp_path)
    assert config.alerts == AlertConfig(
        routes=(Route(to="SLACK_URL", when=("opened",), owners=("sales*",), severity="error"),),
        base_url="https://pages.example.org/shop",
    )
    assert config.secrets == ("DB", "SLACK_URL")  # what stands in it is masked in reports


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"routes": [{"to": "slack://T0KENA/T0KENB/T0KENC"}]}, "must be the name of an environment variable"),
        ({"routes": [{"to": "$SLACK_URL?token=T0KENA"}]}, "must be the name of an environment variable"),
        ({"routes": [{"to": 7}]}, "must be the name of an environment variable"),
        ({"routes": [{}]}, "has no `to`"),
        ({"routes": [{"to": "$A", "owner": "x"}]}, "Did you mean 'owners'"),
        ({"routes": [{"to": "$A", "when": ["open"]}]}, "Did you mean 'opened'"),
        ({"routes": [{"to": "$A", "when": []}]}, "would never be used"),
        ({"routes": [{"to": "$A", "severity": "fatal"}]}, "Allowed: error, warn"),
        ({"routes": [{"to": "$A", "tags": [1]}]}, "must be a list of texts"),
        ({"routes": [{"to": "$A", "by": ""}]}, "must name a plugin"),
        ({"routes": {"to": "$A"}}, "[[tool.nbops.alerts.routes]]"),
        ({"base_url": "https://me:T0KENA@pages.example.org"}, "without a user"),
        ({"base_url": "ftp://pages"}, "must be the address"),
        ({"base_url": "https://[T0KENA"}, "must be the address"),
        ({"max_per_run": 0}, "at least 1"),
        ({"wait": float("nan")}, "number of seconds"),
        ([], "must be a table"),
    ],
)
def test_wrong_settings_are_told_and_never_quote_an_address(table: Any, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_alerts(table)
    assert said in str(caught.value)
    assert "T0KEN" not in str(caught.value)


# -- to whom ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("route", "takes"),
    [
        (Route(to="A"), True),
        (Route(to="A", owners=("SALES",)), True),
        (Route(to="A", owners=("sales-*",)), True),
        (Route(to="A", owners=("finance",)), False),
        (Route(to="A", datasets=("rev*",)), True),
        (Route(to="A", datasets=("clean",)), False),
        (Route(to="A", tags=("PII",)), True),
        (Route(to="A", tags=("silver",)), False),
        (Route(to="A", severity="error"), True),
        (Route(to="A", when=("resolved",)), False),
        (Route(to="A", owners=("sales",), datasets=("nothing",)), False),
    ],
)
def test_a_route_takes_what_fits_all_that_it_names(route: Route, takes: bool) -> None:
    assert route_takes(route, incident(), "opened", run_of()) is takes


def test_a_task_that_failed_affects_what_it_would_have_made() -> None:
    edge = LineageEdge(source="task:load", target="dataset:raw", kind="writes")
    failed = incident(subjects=("task:load", "task:clean"))
    run = replace(run_of(), lineage=(edge,))
    assert route_takes(Route(to="A", datasets=("raw",)), failed, "opened", run)
    assert route_takes(Route(to="A", tags=("gold",)), failed, "opened", run)  # of orders, which clean makes
    assert not route_takes(Route(to="A", datasets=("revenue",)), failed, "opened", run)


def test_a_warning_is_not_for_a_route_of_errors() -> None:
    assert not route_takes(Route(to="A", severity="error"), incident(severity="warn"), "opened", run_of())


# -- once ------------------------------------------------------------------------------------------------------------


def test_one_message_when_it_opens_and_one_when_it_is_over(
    tmp_path: Path, hears: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK", hook(hears))
    opened = incident()
    assert tell(tmp_path, opened) == ()
    assert tell(tmp_path, opened) == ()  # told again, as after a kill
    assert tell(tmp_path, opened, name=LATER) == ()  # still open: nothing to say
    over = replace(opened, state="resolved", events=(*opened.events, IncidentEvent(at=AT, what="resolved", run=LATER)))
    assert tell(tmp_path, over, name=LATER) == ()
    assert [(event["title"], event["type"]) for event in hears.events] == [
        ("shop: Incident opened: orders: too many nulls in amount (1)", "failure"),
        ("shop: Incident resolved: orders: too many nulls in amount (1)", "success"),
    ]
    text = hears.events[0]["message"]
    for part in ("- amount: 12 % nulls", "dataset orders, dataset revenue", "owner: Sales", "Cell 3 of clean", "nbops incidents"):
        assert part in text
    assert AlertOutbox(tmp_path).waiting() == 0


def test_two_routes_to_one_address_are_one_message(tmp_path: Path, hears: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK", hook(hears))
    tell(tmp_path, incident(), config=config_of(Route(to="HOOK", owners=("sales",)), Route(to="HOOK", datasets=("orders",))))
    assert len(hears.events) == 1


def test_without_routes_nothing_is_done(tmp_path: Path) -> None:
    assert tell(tmp_path, incident(), config=Config()) == ()
    note_begun(tmp_path, Config(), RUN)
    assert list(tmp_path.iterdir()) == []


def test_many_incidents_are_a_few_messages_and_a_digest(tmp_path: Path, hears: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK", hook(hears))
    many = [incident(number, severity="warn" if number < 95 else "error") for number in range(100)]
    tell(tmp_path, *many, config=config_of(max_per_run=3))
    tell(tmp_path, *many, config=config_of(max_per_run=3))
    assert len(hears.events) == 4
    assert all(event["type"] == "failure" for event in hears.events[:3])  # the worst have messages of their own
    assert "97 more messages" in hears.events[3]["title"]
    assert "and 77 more" in hears.events[3]["message"]


def test_a_run_that_was_killed_is_told_by_the_next(tmp_path: Path, hears: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK", hook(hears))
    config = config_of()
    note_begun(tmp_path, config, RUN)
    write_incident(tmp_path / "reports", incident())
    write_incident(tmp_path / "reports", incident(2, run="20200101T000000Z-aaaaaa"))  # of another clone
    (tmp_path / "reports/incidents/INC-20261122T194156Z-1f0c99.json").write_text("{")
    note_begun(tmp_path, config, LATER)
    tell(tmp_path, name=LATER)
    tell(tmp_path, name=LATER)
    assert [event["title"] for event in hears.events] == ["shop: Incident opened: orders: too many nulls in amount (1)"]
    assert "Told late" in hears.events[0]["message"]


def test_what_somebody_does_to_an_incident_is_told(tmp_path: Path, hears: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK", hook(hears))
    told = incident(events=(IncidentEvent(at=AT, what="acknowledged", by="Ann", message="on it"),))
    tell_of([told], root=tmp_path, config=config_of(Route(to="HOOK", when=("acknowledged",))))
    assert "Acknowledged at 2026-11-22T19:42:00Z by Ann: on it." in hears.events[0]["message"]


def test_two_notes_after_one_run_are_two_messages(tmp_path: Path, hears: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK", hook(hears))
    write_run(tmp_path / "reports", run_of())
    config = config_of(Route(to="HOOK", when=("noted",), tags=("gold",)))
    for minute in (43, 44, 44):
        note = IncidentEvent(at=f"2026-11-22T19:{minute}:00Z", what="noted", run=RUN, by="Ann", message=f"at {minute}")
        assert tell_of([incident(events=(note,))], root=tmp_path, config=config) == ()
    assert ["at 43" in event["message"] for event in hears.events] == [True, False]


# -- receivers that do not do what they should -----------------------------------------------------------------------


@pytest.mark.parametrize("word", ["500", "404", "reset"])
def test_what_is_not_taken_waits_and_is_sent_later(
    word: str, tmp_path: Path, hears: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK", hook(hears))
    hears.behaviour = lambda _number, _event: word
    said = tell(tmp_path, incident(1), incident(2), incident(3))
    assert said[0].startswith("3 messages about incidents are not sent yet (HOOK: RuntimeError: ")
    hears.behaviour = lambda _number, _event: "ok"
    assert tell(tmp_path, name=LATER) == ()  # the next build, in which nothing happened
    assert sorted(event["title"][-2] for event in hears.events) == ["1", "2", "3"]


@pytest.mark.usefixtures("apart")
def test_nobody_listens(tmp_path: Path, hears: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK", "json://me:hunter22@127.0.0.1:9/hooks/T0KENABC")
    said = " ".join(tell(tmp_path, incident()))
    assert "1 messages about incidents are not sent yet" in said
    assert "hunter22" not in said
    assert "T0KEN" not in said
    monkeypatch.setenv("HOOK", hook(hears))
    assert tell(tmp_path, name=LATER) == ()
    assert len(hears.events) == 1


def test_an_address_that_is_missing_or_nonsense_keeps_the_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOOK", raising=False)
    assert "HOOK: the environment variable is not set" in tell(tmp_path, incident())[0]
    monkeypatch.setenv("HOOK", "T0KEN-nonsense")
    said = tell(tmp_path, incident())[0]
    assert "none that Apprise understands" in said
    assert "T0KEN" not in said


def test_one_that_hangs_holds_up_no_other(tmp_path: Path, hears: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver() as hangs:
        hangs.behaviour = lambda _number, _event: "drip"
        monkeypatch.setenv("HOOK", f"{hook(hangs)} {hook(hears)}")
        said = tell(tmp_path, incident(), config=config_of(wait=1.0))
        assert len(hears.events) == 1
        assert "HOOK[0]: no answer within 1 seconds" in said[0]
        assert AlertOutbox(tmp_path).waiting() == 1


def test_a_message_that_is_refused_holds_up_no_other_and_is_kept(
    tmp_path: Path, hears: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK", hook(hears))
    hears.behaviour = lambda _number, event: "400" if "(2)" in event["title"] else "ok"
    said = tell(tmp_path, incident(1), incident(2), incident(3))
    assert said == ("1 messages about incidents were refused and are kept; see `nbops alerts status`",)
    assert len(hears.events) == 2
    hears.behaviour = lambda _number, _event: "ok"
    outbox = AlertOutbox(tmp_path)
    assert outbox.take_back_rejected() == 1
    assert send_now(outbox).sent == 1
    assert (outbox.waiting(), outbox.rejected()) == (0, 0)
    assert len(hears.events) == 3
    assert tell(tmp_path, incident(2)) == ()
    assert len(hears.events) == 3


def test_of_two_addresses_the_one_that_has_it_gets_it_once(
    tmp_path: Path, hears: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiver() as fails:
        fails.behaviour = lambda _number, _event: "503"
        monkeypatch.setenv("HOOK", f"{hook(hears)}, {hook(fails)}")
        assert "HOOK[1]" in tell(tmp_path, incident())[0]
        fails.behaviour = lambda _number, _event: "ok"
        assert tell(tmp_path, name=LATER) == ()
        assert (len(hears.events), len(fails.events)) == (1, 1)


def test_what_is_over_never_overtakes_what_opened(tmp_path: Path, hears: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK", hook(hears))
    over = incident(run=LATER, what="resolved")
    tell(tmp_path, incident(), config=config_of(wait=0.0))
    hears.behaviour = lambda number, _event: "503" if number < 1 else "ok"
    assert "2 messages" in tell(tmp_path, over, name=LATER)[0]
    assert tell(tmp_path, over, name=LATER) == ()
    assert [event["type"] for event in hears.events] == ["failure", "success"]


def test_a_redirect_is_not_followed(tmp_path: Path, hears: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK", hook(hears))
    hears.behaviour = lambda _number, _event: "302"
    assert "not sent yet" in tell(tmp_path, incident())[0]


def test_a_sender_that_is_killed_loses_nothing(tmp_path: Path, hears: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOOK", raising=False)
    many = [incident(number) for number in range(8)]
    tell(tmp_path, *many, config=config_of(max_per_run=50))
    hears.behaviour = lambda number, _event: "hang" if number == 4 else "ok"
    command = [sys.executable, "-m", "nbops.workflow.alert_sending", str(tmp_path)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, env={**os.environ, "HOOK": hook(hears)})
    until(lambda: len(hears.seen) == 5)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    outbox = AlertOutbox(tmp_path)
    with (outbox.folder / "told.jsonl").open("a") as file:
        file.write('{"key": "torn')
    hears.behaviour = lambda _number, _event: "ok"
    assert send_now(outbox, environment={"HOOK": hook(hears)}).troubles == []
    assert outbox.waiting() == 0
    assert len({event["title"] for event in hears.events}) == len(hears.events) == 8


def test_damaged_files_are_put_aside(tmp_path: Path, hears: Receiver) -> None:
    outbox = AlertOutbox(tmp_path)
    folder = outbox.folder / "waiting"
    folder.mkdir(parents=True)
    for name, text in {"a": "{", "b": "[]", "c": '{"keys": []}', "d": '{"keys": ["k"], "alert": {}, "by": 1, "to": 2}'}.items():
        (folder / f"{name}.json").write_text(text)
    outcome = send_now(outbox, environment={})
    assert outbox.waiting() == 0
    assert len(outcome.troubles) == len(list((outbox.folder / "damaged").iterdir())) == 4


def test_a_full_disk_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: Any, **_options: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(AlertOutbox, "put", full)
    assert tell(tmp_path, incident()) == ("messages about incidents could not be written down: OSError",)


# -- e-mail ----------------------------------------------------------------------------------------------------------


def test_a_letter_arrives_and_a_hostile_title_adds_no_header(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with mailbox() as box:
        address = f"mailto://127.0.0.1:{box.port}?from=nbops@example.org&to=data@example.org&mode=insecure"
        monkeypatch.setenv("HOOK", address)
        box.refuses = True
        assert "not sent yet" in tell(tmp_path, incident(title="nulls\r\nBcc: thief@example.org\r\n\r\n<b>gone</b>"))[0]
        box.refuses = False
        assert tell(tmp_path, name=LATER) == ()
        (letter,) = box.letters
    assert letter["To"] == "data@example.org"
    assert letter["Bcc"] is None
    assert str(letter["Subject"]).startswith("shop: Incident opened: nulls Bcc: thief")
    text = letter.get_body(("plain",))
    assert text is not None
    assert "12 % nulls" in text.get_content()


# -- what is said ----------------------------------------------------------------------------------------------------


def test_something_private_makes_the_message_terse(tmp_path: Path, hears: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK", hook(hears))
    tell(tmp_path, incident(), check=lambda text: ["found"] if b"nulls" in text else [])
    assert hears.events[0]["title"] == f"Incident opened: {ID}"
    assert "nulls" not in json.dumps(hears.events[0])


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_arrive_and_call_nobody(
    text: str, tmp_path: Path, hears: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK", hook(hears))
    finding = IncidentFinding(key=text, kind="check", subject=f"dataset:{text}", message=text)
    tell(tmp_path, incident(title=text, owner=text, subjects=(f"dataset:{text}",), findings=(finding,)))
    (event,) = hears.events
    assert "\n" not in event["title"]
    assert len(event["title"]) < 200
    for part in ("<!channel", "@everyone", "\x1b", "\0", "\u202e", "<script"):
        assert part not in event["title"] + event["message"]


@given(st.text(max_size=600))
def test_a_line_is_one_line(text: str) -> None:
    line = one_line(text)
    assert len(line.splitlines()) <= 1
    assert one_line(line).replace("\u200b", "") == line.replace("\u200b", "")


def test_a_message_links_to_the_page_that_is_there(tmp_path: Path, hears: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK", hook(hears))
    page = tmp_path / f"reports/incidents/{ID}.html"
    page.parent.mkdir(parents=True)
    page.write_text("")
    tell(tmp_path, incident(), config=config_of(base_url="https://pages.example.org/shop"))
    assert f"Report: https://pages.example.org/shop/incidents/{ID}.html" in hears.events[0]["message"]


def test_pagerduty_keeps_one_incident_for_one() -> None:
    import apprise

    from nbops.adapters.apprise_alerts import _service

    alert = alert_of(incident(), incident().events[0], pipeline="shop", link=None)
    service = _service(f"pagerduty://{'a' * 32}@{'b' * 20}", alert)
    assert isinstance(service, apprise.NotifyBase)
    assert (service.dedup, service.action) == (ID, "map")
    own = _service(f"pagerduty://{'a' * 32}@{'b' * 20}?dedup=mine", alert)
    assert own.dedup == "mine"


# -- the command -----------------------------------------------------------------------------------------------------


def _nbops(root: Path, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(program, ["-C", str(root), "alerts", *arguments], standalone_mode=False)
    assert result.exception is None
    return result.return_value, result.output


def test_the_command_tells_tries_and_sends(tmp_path: Path, hears: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pipeline.yaml").write_text("tasks: []\n")
    assert _nbops(tmp_path, "test")[0] == 2
    (tmp_path / "pyproject.toml").write_text('[[tool.nbops.alerts.routes]]\nto = "$HOOK"\nowners = ["sales"]\n')
    monkeypatch.delenv("HOOK", raising=False)
    code, said = _nbops(tmp_path)
    assert (code, "$HOOK (not set here): opened, reopened, resolved; severity warn; owners sales" in said) == (0, True)
    assert _nbops(tmp_path, "test")[0] == 3
    monkeypatch.setenv("HOOK", hook(hears))
    assert _nbops(tmp_path, "test") == (0, "1 messages sent\n")
    assert (hears.events[0]["type"], "test message" in hears.events[0]["title"]) == ("info", True)
    monkeypatch.delenv("HOOK")
    tell(tmp_path, incident())
    monkeypatch.setenv("HOOK", hook(hears))
    assert _nbops(tmp_path, "send") == (0, "1 messages sent, 0 wait\n")
    assert "1 messages were taken, 0 wait, 0 were refused" in _nbops(tmp_path)[1]


def test_a_plugin_can_send(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[str, Alert]] = []

    class Pigeon:
        def send(self, address: str, alert: Alert) -> None:
            sent.append((address, alert))

    monkeypatch.setattr("nbops.workflow.alert_sending.load", lambda _group, name: {"pigeon": Pigeon}[name])
    monkeypatch.delenv("LOFT", raising=False)
    tell(tmp_path, incident(), config=config_of(Route(to="LOFT", by="pigeon")))
    assert send_now(AlertOutbox(tmp_path), environment={"LOFT": "roof"}).sent == 1
    assert [(address, alert.incident, alert.datasets) for address, alert in sent] == [("roof", ID, ("orders", "revenue"))]
