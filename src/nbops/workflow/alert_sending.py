"""Sending messages that wait: by ``python -m nbops.workflow.alert_sending ROOT``, beside a build, or by ``nbops alerts send``.

Each address has a thread of its own, so that one that answers slowly, or never, holds up no other. An address is tried again with
the next message after a failure, and left alone after a second one; messages about one incident never overtake each other. What
is not taken stays where it is.
"""

from __future__ import annotations

import json
import os
import re
import sys
import threading
import time
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from nbops.model import Alert
from nbops.plugins import load
from nbops.record.codec import decode
from nbops.record.sender import SECONDS, Outcome, reason_of, serve
from nbops.workflow.alert_outbox import AlertOutbox

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbops.protocols import Alerter

__all__ = ["addresses", "main", "send_now"]

_MOST_FAILURES = 2
_BETWEEN = re.compile(r"\s+|,\s*(?=[A-Za-z][A-Za-z0-9+.-]*://)")


@dataclass(frozen=True, slots=True)
class _Message:
    path: Path
    alert: Alert
    keys: tuple[str, ...]
    """Of the events that it tells."""
    key: str

    def key_for(self, target: _Target) -> str:
        """Return what it is known by at an address."""
        return f"{self.key}.{target.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    by: str
    to: str
    name: str
    """What it is called where no secret may stand."""
    address: str
    number: int
    count: int
    """Addresses in the same variable."""


def addresses(value: str) -> list[str]:
    """Return the addresses that a variable holds.

    >>> addresses("json://a.example, slack://x/y/z mailto://u:p@b.example?to=c@d.example,e@f.example")
    ['json://a.example', 'slack://x/y/z', 'mailto://u:p@b.example?to=c@d.example,e@f.example']
    """
    return list(dict.fromkeys(part for part in _BETWEEN.split(value.strip().rstrip(",")) if part))


class _Sending:
    """One attempt to send all that waits."""

    def __init__(self, outbox: AlertOutbox, environment: Mapping[str, str]) -> None:
        self._outbox, self._environment = outbox, environment
        self._lock = threading.Lock()
        self._told = outbox.told_keys()
        self.outcome = Outcome()

    def run(self, seconds: float) -> None:
        """Send to all addresses at once.

        Args:
            seconds: After which those that have not answered are left alone.
        """
        threads: list[tuple[str, threading.Thread]] = []
        for (by, to), messages in self._waiting().items():
            found = addresses(self._environment.get(to, ""))
            if not found:
                self._trouble(f"{to}: the environment variable is not set")
            for number, address in enumerate(found):
                name = to if len(found) == 1 else f"{to}[{number}]"
                target = _Target(by=by, to=to, name=name, address=address, number=number, count=len(found))
                thread = threading.Thread(target=self._address, args=(target, messages), daemon=True)
                thread.start()
                threads.append((name, thread))
        deadline = time.monotonic() + seconds
        for name, thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                self._trouble(f"{name}: no answer within {seconds:.0f} seconds")

    def _waiting(self) -> dict[tuple[str, str], list[_Message]]:
        found: dict[tuple[str, str], list[_Message]] = defaultdict(list)
        for path in self._outbox.to_send():
            read = self._read(path)
            if read is not None:
                by, to, message = read
                found[by, to].append(message)
        return found

    def _read(self, path: Path) -> tuple[str, str, _Message] | None:
        try:
            document = json.loads(path.read_bytes())
            keys = tuple(map(str, document["keys"]))
            return str(document["by"]), str(document["to"]), _Message(path, decode(Alert, document["alert"]), keys, keys[0])
        except OSError as error:
            self._trouble(f"{path.stem}: cannot be read: {error.strerror}")
        except Exception as error:  # noqa: BLE001 - one that is damaged must not hold up the others
            self._trouble(f"{path.stem}: cannot be read, and was put aside: {type(error).__name__}")
            self._outbox.put_aside(path)
        return None

    def _address(self, target: _Target, messages: list[_Message]) -> None:
        """Send to one address, in its thread."""
        try:
            alerter: Alerter = load("nbops.alerters", target.by)()
            failures, held = 0, set[str]()
            for message in messages:
                if message.alert.incident in held:
                    continue
                if message.key_for(target) not in self._told and not self._sent(alerter, message, target):
                    failures += 1
                    held.add(message.alert.incident)
                    if failures >= _MOST_FAILURES:
                        return
                    continue
                self._finish(message, target)
        except Exception as error:  # noqa: BLE001 - a plugin's fault, or a full disk
            self._trouble(f"{target.name}: {reason_of(error)}")

    def _sent(self, alerter: Alerter, message: _Message, target: _Target) -> bool:
        """Return whether there is nothing left to do for a message at an address."""
        key = message.key_for(target)
        try:
            alerter.send(target.address, message.alert)
        except ValueError as error:
            with self._lock:
                self._outbox.refuse(message.path, key, reason=f"{target.name}: {reason_of(error)}")
                self.outcome.rejected += 1
        except Exception as error:  # noqa: BLE001 - whatever happens, the message is kept
            self._trouble(f"{target.name}: {reason_of(error)}")
            return False
        else:
            now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
            with self._lock:
                self._outbox.note_told([{"key": key, "to": target.name, "title": message.alert.title, "at": now}])
                self.outcome.sent += 1
        self._told.add(key)
        return True

    def _finish(self, message: _Message, target: _Target) -> None:
        """Put a message away when all addresses have it."""
        with self._lock:
            if all(f"{message.key}.{number}" in self._told for number in range(target.count)):
                self._outbox.note_told([{"key": key} for key in message.keys if key not in self._told])
                self._told.update(message.keys)
                message.path.unlink(missing_ok=True)

    def _trouble(self, reason: str) -> None:
        with self._lock:
            self.outcome.troubles.append(reason)


def send_now(outbox: AlertOutbox, *, seconds: float = SECONDS - 5, environment: Mapping[str, str] | None = None) -> Outcome:
    """Send what waits, once; who calls it has the right to send. What goes wrong is told in the outcome and noted.

    Args:
        outbox: What waits.
        seconds: To wait for answers.
        environment: Instead of this process's.
    """
    sending = _Sending(outbox, os.environ if environment is None else environment)
    try:
        sending.run(seconds)
    except OSError as error:
        sending.outcome.troubles.append(reason_of(error))
    troubles = list(sending.outcome.troubles)
    outbox.set_trouble("; ".join(dict.fromkeys(troubles))[:500] if troubles else None)
    return sending.outcome


def main(arguments: list[str]) -> None:
    """Work for one build."""
    outbox = AlertOutbox(Path(arguments[0]))
    serve(outbox, lambda: not send_now(outbox).troubles)
    os._exit(0)  # threads that still wait for an answer would hold it up


if __name__ == "__main__":
    main(sys.argv[1:])
