"""Numbers, instants and hostile text, as people read them. Pure functions of their arguments; no clock, no locale."""

# ruff: noqa: PLR2004  # the numbers are the units: 1000 bytes, 60 seconds, 256 bits
from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any

from markupsafe import Markup, escape

__all__ = [
    "brief",
    "brief_day",
    "clean",
    "count",
    "cut",
    "day",
    "duration",
    "instant",
    "join",
    "minute",
    "not_committed",
    "plural",
    "short",
    "size",
    "stamp",
    "value",
]

MISSING = "\N{EN DASH}"
_CUT = 4_000
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# HTML cannot hold NUL; other controls are invisible, and bidirectional overrides make a text read as another one.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")


def _visible(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x20:  # the control pictures block mirrors ASCII's controls
        return chr(0x2400 + code)
    return "\N{REPLACEMENT CHARACTER}"


def clean(text: str) -> str:
    r"""Make control characters visible and replace what UTF-8 or HTML cannot hold.

    >>> clean("a\x00b\tc")
    'a␀b\tc'
    """
    return _UNSEEN.sub(_visible, text)


def cut(text: str, limit: int = _CUT) -> str:
    """Shorten a text to ``limit`` characters and say how long it was.

    >>> cut("abcdef", 4)
    'abcd… (6 characters)'
    """
    if len(text) <= limit:
        return text
    return f"{text[:limit]}… ({count(len(text))} characters)"


def short(text: str, limit: int = 80) -> str:
    r"""Put a text on one line of at most ``limit`` characters.

    >>> short("one\n  two three", 8)
    'one two…'
    """
    line = " ".join(text[: limit * 20].split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def count(number: int | None) -> str:
    """Return a whole number with thousands separators.

    >>> count(541909)
    '541,909'
    """
    if number is None:
        return MISSING
    if number.bit_length() > 256:  # no count; and Python refuses to write out the longest integers
        return f"about 2^{number.bit_length() - 1}"
    return f"{number:,}"


def plural(number: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun.

    >>> plural(1, "check"), plural(2, "check"), plural(0, "query", "queries")
    ('1 check', '2 checks', '0 queries')
    """
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def not_committed(changed_files: int) -> str:
    """Return what of a run's code no commit holds, where its working tree was not clean.

    Args:
        changed_files: How many files; 0 where git could not say in time.

    >>> not_committed(1), not_committed(0)
    ('1 file changed and not committed', 'it is not known what was not committed')
    """
    return (
        f"{plural(changed_files, 'file')} changed and not committed"
        if changed_files
        else "it is not known what was not committed"
    )


def duration(seconds: float | None) -> str:
    """Return seconds as people say them.

    >>> duration(0.0004), duration(0.25), duration(3.21), duration(125), duration(7384), duration(172800)
    ('0 ms', '250 ms', '3.2 s', '2 min 05 s', '2 h 03 min', '2 d')
    """
    if seconds is None or not math.isfinite(seconds):
        return MISSING
    sign, seconds = ("-" if seconds < 0 else ""), abs(seconds)
    if seconds < 0.9995:
        return f"{sign}{round(seconds * 1000)} ms"
    if seconds < 59.95:
        return f"{sign}{seconds:.1f} s"
    whole = round(seconds)
    for unit, name, part, part_name in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= unit:
            rest = whole % unit // part
            return f"{sign}{whole // unit:,} {name}" + (f" {rest:02d} {part_name}" if rest or part == 1 else "")
    return f"{sign}{whole} s"


def size(number: int | None) -> str:
    """Return bytes in decimal units, as file managers show them.

    >>> size(812), size(23_400), size(1_250_000_000)
    ('812 bytes', '23.4 KB', '1.2 GB')
    """
    if number is None:
        return MISSING
    if abs(number) < 1000:
        return plural(number, "byte")
    scaled = float(number)
    for unit in ("KB", "MB", "GB", "TB"):
        scaled /= 1000
        if abs(scaled) < 999.95:
            return f"{scaled:,.1f} {unit}"
    return f"{scaled / 1000:,.1f} PB"


def stamp(text: str | None) -> datetime | None:
    """Read an ISO 8601 instant; None where it is none.

    >>> stamp("2026-11-22T19:41:56Z").isoformat()
    '2026-11-22T19:41:56+00:00'
    """
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return moment.astimezone(timezone.utc) if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def instant(text: str | None) -> Markup:
    """Return an instant as a ``<time>`` element in UTC; text that is no instant is shown as it is.

    >>> str(instant("2026-11-02T09:05:56Z"))
    '<time datetime="2026-11-02T09:05:56Z">2 Nov 2026, 09:05:56 UTC</time>'
    """
    return _time(text, "{:%H:%M:%S} UTC")


def minute(text: str | None) -> Markup:
    """Return an instant to the minute, for columns whose head says UTC.

    >>> str(minute("2026-11-02T09:05:56Z"))
    '<time datetime="2026-11-02T09:05:56Z">2 Nov 2026, 09:05</time>'
    """
    return _time(text, "{:%H:%M}")


def day(text: str | None) -> Markup:
    """Return the day of an instant.

    >>> str(day("2026-11-02"))
    '<time datetime="2026-11-02T00:00:00Z">2 Nov 2026</time>'
    """
    return _time(text, "")


def brief(text: str | None) -> str:
    """Return an instant to the minute, without the year, for the heads of rows.

    >>> brief("2026-11-02T09:05:56Z")
    '2 Nov 09:05'
    """
    moment = stamp(text)
    if moment is None:
        return cut(text, 80) if text else MISSING
    return f"{moment.day} {_MONTHS[moment.month - 1]} {moment:%H:%M}"


def brief_day(text: str | None) -> str:
    """Return a day, or an instant to the minute where it is not the beginning of one, as plain text: for the rows of long tables.

    >>> brief_day("2011-01-04"), brief_day("2011-01-04T09:05:00Z")
    ('4 Jan 2011', '4 Jan 2011, 09:05')
    """
    moment = stamp(text)
    if moment is None:
        return cut(text, 80) if text else MISSING
    clock = f", {moment:%H:%M}" if moment.hour or moment.minute else ""
    return f"{moment.day} {_MONTHS[moment.month - 1]} {moment.year}{clock}"


def _time(text: str | None, clock: str) -> Markup:
    moment = stamp(text)
    if moment is None:
        return escape(clean(cut(text, 80)) if text else MISSING)
    words = f"{moment.day} {_MONTHS[moment.month - 1]} {moment.year}" + (f", {clock.format(moment)}" if clock else "")
    return Markup('<time datetime="{}">{}</time>').format(moment.strftime("%Y-%m-%dT%H:%M:%SZ"), words)


def value(thing: Any) -> str:
    """Return any plain value as text.

    >>> value(1234), value(0.1234567), value(True), value(["a", 1])
    ('1,234', '0.123457', 'true', '["a", 1]')
    """
    if thing is None or isinstance(thing, bool):
        return {None: MISSING, True: "true", False: "false"}[thing]
    if isinstance(thing, int):
        return count(thing)
    if isinstance(thing, float):
        return count(int(thing)) if thing.is_integer() and abs(thing) < 1e15 else f"{thing:,.6g}"
    if isinstance(thing, str):
        return thing
    with suppress(TypeError, ValueError):
        return json.dumps(thing, ensure_ascii=False, sort_keys=True, default=_plain)
    return str(thing)


def _plain(thing: Any) -> Any:
    return dict(thing) if isinstance(thing, Mapping) else str(thing)


def join(words: Sequence[str], *, limit: int = 4) -> str:
    """Return a list as a phrase.

    >>> join(["a", "b", "c"]), join(["a", "b", "c", "d", "e", "f"])
    ('a, b and c', 'a, b, c, d and 2 more')
    """
    if len(words) > limit:
        return f"{', '.join(words[:limit])} and {count(len(words) - limit)} more"
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
