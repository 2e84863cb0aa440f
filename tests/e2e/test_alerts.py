"""Real builds that tell people: when an incident opens, when it is over, and by a receiver that is down at first."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

import pytest
from e2e_project import CHAIN
from tests.openlineage_tools import until
from tests.receivers import receiver

from nbops.workflow.alert_outbox import AlertOutbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from e2e_project import Project

pytest.importorskip("apprise", reason="apprise is in the test extra")

ROUTE = '[tool.nbops.alerts]\nwait = 60\n[[tool.nbops.alerts.routes]]\nto = "$HOOK"\ndatasets = ["clean"]\n'
PERSONAL = """apiVersion: v3.1.0
kind: DataContract
id: raw
version: 1.0.0
status: active
schema:
  - name: raw
    properties:
      - {name: id, logicalType: integer}
      - {name: value, logicalType: integer}
      - {name: holder, logicalType: string, classification: personal}
"""


LEAK = """import os


def counts(row):
    raise ValueError(f"{row['holder']} {os.environ['SHOP_PASSWORD']}")
"""


def _unpacked(body: bytes) -> bytes:
    return gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body


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


def test_a_message_holds_no_personal_value_and_no_secret(make_project: Callable[..., Project]) -> None:
    project = make_project(
        {
            **CHAIN,
            "data/source.csv": "id,value,holder\n1,3,Wilhelmina Ostrander-Quist\n2,4,Thordis Kjaergard-Blum\n",
            "shared.py": LEAK,
            "contracts/raw.odcs.yaml": PERSONAL,
            "pyproject.toml": f"[tool.nbops]\nprofile = false\nexport_wait = 20\n{ROUTE}",
        }
    )
    with receiver() as hears, receiver(bytes) as numbers:
        project.environment |= {
            "HOOK": hears.url.replace("http://", "json://"),
            "SHOP_PASSWORD": "xyzzy-9931-plugh",
            "NBOPS_PUSHGATEWAY": numbers.url,
            "OTEL_EXPORTER_OTLP_ENDPOINT": numbers.url,
        }
        project.fail()
        until(lambda: len(hears.events) == 1)
        said = json.dumps(hears.seen) + b"".join(_unpacked(body) for body in numbers.seen).decode("utf-8", "replace")
        assert len(numbers.events) == 3
    for word in ("Wilhelmina", "Ostrander", "Kjaergard", "xyzzy", str(project.root)):
        assert word not in said
    assert "ValueError" in said
