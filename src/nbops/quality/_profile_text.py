"""Numbers and hostile text of a profile, as people read them. Pure functions; no clock, no locale."""

from __future__ import annotations

import math
import re

__all__ = ["MISSING", "clean", "count", "number", "percent", "short"]

MISSING = "\N{EN DASH}"
_LARGE, _SMALL = 1e15, 1e-5
_SIX_DIGITS = 6
# HTML cannot hold NUL or lone surrogates; other controls are invisible; overrides of direction make a text read as another one
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_CONTROLS = 0x20


def _visible(match: re.Match[str]) -> str:
    code = ord(match.group())
    return chr(0x2400 + code) if code < _CONTROLS else "\N{REPLACEMENT CHARACTER}"


def clean(text: str) -> str:
    r"""Make control characters visible and replace what UTF-8 or HTML cannot hold.

    >>> clean("a\x00b")
    'a␀b'
    """
    return _UNSEEN.sub(_visible, text)


def short(text: str, limit: int = 60) -> str:
    r"""Put a text on one line of at most ``limit`` characters; an empty one is named.

    >>> short("one\n  two three", 8), short(""), short("  ")
    ('one two…', '(empty)', '(2 spaces)')
    """
    if not text:
        return "(empty)"
    line = " ".join(text[: limit * 20].split())
    if not line:
        return f"({count(len(text))} spaces)" if len(text) > 1 else "(a space)"
    return clean(line if len(line) <= limit else line[: limit - 1].rstrip() + "\N{HORIZONTAL ELLIPSIS}")


def count(value: float) -> str:
    """Return a whole number with thousands separators.

    >>> count(541909)
    '541,909'
    """
    return f"{int(value):,}"


def number(value: float | None) -> str:
    """Return a number with about six significant digits; whole numbers with all of theirs.

    >>> number(1234567.0), number(0.1 + 0.2), number(1e-9), number(2.5e20), number(-0.0)
    ('1,234,567', '0.3', '1e-09', '2.5e+20', '0')
    """
    if value is None or math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "infinite" if value > 0 else "minus infinite"
    if value == 0:
        return "0"
    if not _SMALL <= abs(value) < _LARGE:
        return f"{value:.{_SIX_DIGITS}g}"
    if value == int(value):
        return f"{int(value):,}"
    digits = max(0, _SIX_DIGITS - 1 - math.floor(math.log10(abs(value))))
    shown = f"{value:,.{digits}f}"
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


def percent(share: float) -> str:
    """Return a share as per cent; what is neither none nor all never reads as if it were.

    >>> percent(0.0), percent(0.0001), percent(0.1234), percent(0.99999), percent(1.0)
    ('0%', '<0.1%', '12.3%', '>99.9%', '100%')
    """
    if share in (0, 1):
        return f"{share:.0%}"
    shown = f"{share:.1%}"
    if shown == "0.0%":
        return "<0.1%"
    return ">99.9%" if shown == "100.0%" else shown
