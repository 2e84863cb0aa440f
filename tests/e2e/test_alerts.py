"""Real builds that tell people: when an incident opens, when it is over, and by a receiver that is down at first."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.openlineage_tools import until
from tests.receivers import receiver

from nbops.workflow.alert_outbox import AlertOutbox

if TYPE_CHECKING:
    from e2e_project import Project

pytest.importorskip("apprise", reason="apprise is in the test extra")

ROUTE = '[[tool.nbops.alerts.routes]]\nto = "$HOOK"\ndatasets = ["clean"]\n'


def test_people_are_told_of_an_incident_and_its_end_once(built: Project) -> None:
    with receiver() as hears:
        secret = f"{hears.url.replace('http://', 'json://me:T0KENABC@')}/hooks/T0KENXYZ"
        built.configure(ROUTE)
        built.environment["HOOK"] = secret
        hears.behaviour = lambda _number, _event: "503"
        built.edit("shared.py", "int(row['value'])", "int(row['price'])")
        run, said = built.fail()
        assert "1 messages about incidents are not sent yet (HOOK: " in said
        assert "T0KEN" not in said
        outbox = AlertOutbox(built.root)
        with outbox.sending(wait=True):
            assert outbox.waiting() == 1
        hears.behaviour = lambda _number, _event: "ok"
        built.fail()  # the same incident: nothing new to tell, and what waits is sent
        until(lambda: len(hears.events) == 1)
        built.edit("shared.py", "int(row['price'])", "int(row['value']) + 0")
        built.build()
        built.build()
        until(lambda: len(hears.events) == 2)
        assert [event["type"] for event in hears.events] == ["failure", "success"]
        assert "KeyError" in hears.events[0]["message"]
        assert run.id in hears.events[0]["message"]
        assert str(built.root) not in json.dumps(hears.seen)
    assert outbox.waiting() == 0
    assert outbox.begun() == []
    assert "T0KEN" not in built.git("log", "-p", "--all")
