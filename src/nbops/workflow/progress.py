"""What a build says while it goes on: a line per task, and in a terminal one live line of what is running."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, TextIO

import click

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Progress", "duration"]

_STYLES: Mapping[str, tuple[str, str]] = {
    "succeeded": ("ok", "green"),
    "up_to_date": ("up to date", "cyan"),
    "failed": ("FAILED", "red"),
    "held": ("held", "yellow"),
    "interrupted": ("interrupted", "yellow"),
}
_REFRESH_SECONDS = 0.2
_MINUTE = 60


def duration(seconds: float) -> str:
    """Return seconds as people say them.

    >>> duration(3.24), duration(125)
    ('3.2 s', '2 min 05 s')
    """
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), _MINUTE)
    return f"{minutes} min {rest:02d} s"


class Progress:
    """Writes to standard error, so that what Ploomber prints on standard output stays as it was.

    Args:
        stream: Where to write; standard error by default.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self.live = bool(getattr(self._stream, "isatty", lambda: False)())
        """The stream is a terminal, and shows what is running."""
        self._drawn = False
        self._refreshed = 0.0

    def say(self, text: str, *, colour: str | None = None) -> None:
        """Write a line for good."""
        self._clear()
        line = click.style(text, fg=colour) if colour and self.live else text
        self._write(line + "\n")

    def task(self, position: int, total: int, name: str, status: str, detail: str) -> None:
        """Write the line of a task that is done."""
        word, colour = _STYLES.get(status, (status, "white"))
        shown = click.style(word, fg=colour) if self.live else word
        self._clear()
        self._write(f"[{position}/{total}] {name}: {shown}{'  ' + detail if detail else ''}\n")

    def running(self, tasks: Mapping[str, float]) -> None:
        """Refresh the live line: what is running, and for how many seconds. Nothing where the stream is no terminal."""
        now = time.monotonic()
        if not self.live or now - self._refreshed < _REFRESH_SECONDS:
            return
        self._refreshed = now
        self._clear()
        if tasks:
            shown = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in tasks.items())
            self._write(click.style(f"  running: {shown}"[:100], dim=True))
            self._drawn = True

    def _clear(self) -> None:
        if self._drawn:
            self._write("\r\x1b[2K")
            self._drawn = False

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            return  # nobody is listening: no reason to fail a build
