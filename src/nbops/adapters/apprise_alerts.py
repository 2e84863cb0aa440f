"""Messages to people through Apprise (https://appriseit.com), which knows Slack, Teams, e-mail, PagerDuty, webhooks and more.

An address is an Apprise URL (``slack://...``, ``mailtos://...``, ``jsons://...``), or the address of a webhook as the service
itself gives it (``https://hooks.slack.com/...``), which Apprise understands for the usual services.
"""

from __future__ import annotations

import importlib.util
import logging
import re
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbops.model import Alert

__all__ = ["AppriseAlerter", "library_is_missing"]

_ADDRESS = re.compile(r"\b[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)
_PARTS = re.compile(r"[^A-Za-z0-9_.%~-]+")
_SHORTEST_PART = 5
_LONGEST = 200
_REFUSED = re.compile(r"error=(?:400|413|415|422)\b")
"""HTTP: the receiver will not take this message, however often it is sent."""
_CONNECT_SECONDS, _READ_SECONDS, _ALL_SECONDS = 4.0, 6.0, 15.0


def library_is_missing() -> bool:
    """Whether Apprise is not installed."""
    return importlib.util.find_spec("apprise") is None


class AppriseAlerter:
    """The alerter ``apprise``."""

    def send(self, address: str, alert: Alert) -> None:
        """Send one message.

        Raises:
            ValueError: The receiver refuses the message for good.
            RuntimeError: It was not taken; Apprise is not installed or does not understand the address.
        """
        if library_is_missing():
            raise RuntimeError("Apprise is not installed: pip install 'nbops[alerts]'")
        import apprise  # noqa: PLC0415 - takes half a second

        with _said() as lines:
            service = _service(address, alert)
            if service is None:
                raise RuntimeError("the address is none that Apprise understands (https://appriseit.com/services)")
            kinds = {"good": apprise.NotifyType.SUCCESS, "warn": apprise.NotifyType.WARNING, "error": apprise.NotifyType.FAILURE}
            kind = "good" if alert.event in {"resolved", "expected"} else alert.severity
            gate = apprise.Apprise(asset=service.asset)
            gate.add(service)
            taken = gate.notify(
                title=alert.title,
                body=alert.body,
                notify_type=apprise.NotifyType.INFO if alert.event == "test" else kinds[kind],
                body_format=apprise.NotifyFormat.TEXT,
                interpret_escapes=False,
            )
        if not taken:
            why = _without(address, "; ".join(lines)) or "the receiver did not take it"
            raise (ValueError if _REFUSED.search(why) else RuntimeError)(why)


def _service(address: str, alert: Alert) -> Any:
    """Return what sends to an address: one attempt, bounded in time, that follows nobody elsewhere; None: not understood."""
    import apprise  # noqa: PLC0415 - see above

    asset = apprise.AppriseAsset(
        app_id="nbops",
        app_desc="nbops",
        app_url="",
        async_mode=False,
        interpret_escapes=False,
        http_redirects=False,  # a receiver must not send credentials and messages on
        service_timeout=_ALL_SECONDS,
    )
    service: Any = apprise.Apprise.instantiate(address, asset=asset, suppress_exceptions=True)
    if service is None:
        return None
    service.socket_connect_timeout = min(float(service.socket_connect_timeout or _CONNECT_SECONDS), _CONNECT_SECONDS)
    service.socket_read_timeout = min(float(service.socket_read_timeout or _READ_SECONDS), _READ_SECONDS)
    service.retry = 0
    if alert.incident and not getattr(service, "dedup", "-"):  # PagerDuty: one incident there for one here
        service.dedup = alert.incident
        if getattr(service, "action", None) == "trigger":
            service.action = "map"
    return service


def _without(address: str, text: str) -> str:
    """Return a text without anything of an address, for it holds secrets.

    >>> _without("slack://tokenA123/tokenB456", "error=404 at https://hooks.example.org/tokenA123?x=1 tokenB456")
    'error=404 at (address) ***'
    """
    text = _ADDRESS.sub("(address)", text)
    parts = {part for word in _PARTS.split(address) for part in (word, unquote(word)) if len(part) >= _SHORTEST_PART}
    for part in sorted(parts, key=len, reverse=True):
        text = text.replace(part, "***")
    return " ".join(text.split())[:_LONGEST]


class _Handler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        lines = _LINES.get()
        if lines is not None:
            lines.append(record.getMessage())


_LINES: ContextVar[list[str] | None] = ContextVar("_LINES", default=None)
_HANDLER = _Handler(logging.WARNING)


@contextmanager
def _said() -> Iterator[list[str]]:
    """Collect what Apprise logs for this call, which is the only way in which it says what went wrong."""
    lines: list[str] = []
    logging.getLogger("apprise").addHandler(_HANDLER)  # once, however often
    token = _LINES.set(lines)  # Apprise hands the context on to the threads that it works in
    try:
        yield lines
    finally:
        _LINES.reset(token)
