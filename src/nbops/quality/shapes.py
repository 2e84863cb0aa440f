r"""Patterns that say, byte by byte, what a text of one length may hold: ``^[A-Z]{2}-[0-9]{5}$``, a UUID's, a date's.

Codes and keys mostly have such patterns, and for them no engine of regular expressions is needed: each byte lies in one of a few
ranges. Only what means the same to everyone is taken for a shape (``^``, ASCII letters, digits and some signs, classes of them,
``\d``, ``{n}``, ``$``); any other pattern is none, and is left to the engine's own matching (RE2).
"""

from __future__ import annotations

import functools
import re

__all__ = ["Shape", "shape_of"]

Shape = tuple[tuple[tuple[int, int], ...], ...]
"""For each byte, the ranges (both ends count) of which one must hold it."""

_LONGEST = 64
_PIECE = re.compile(
    r"(?:\[(?P<set>[A-Za-z0-9_./+# -]+)\]|(?P<digit>\\d)|\\(?P<escaped>[-./+])|(?P<sign>[A-Za-z0-9_/ :,@#-]))"
    r"(?:\{(?P<times>[1-9][0-9]?)\})?"
)
_MEMBER = re.compile(r"([A-Za-z0-9])-([A-Za-z0-9])|([A-Za-z0-9_./+# ])|(^-|-$)")


@functools.lru_cache(maxsize=256)
def shape_of(pattern: str) -> Shape | None:
    r"""Return the shape that a pattern stands for; ``None`` when it is none.

    >>> shape_of("^[A-Z]{2}-\\d$")
    (((65, 90),), ((65, 90),), ((45, 45),), ((48, 57),))
    >>> shape_of("^[A-Z]+$") is None
    True
    """
    if not (pattern.startswith("^") and pattern.endswith("$")):
        return None
    body, position = pattern[1:-1], 0
    places: list[tuple[tuple[int, int], ...]] = []
    while position < len(body):
        piece = _PIECE.match(body, position)
        ranges = _ranges(piece) if piece else None
        if piece is None or ranges is None or len(places) > _LONGEST:
            return None
        places += [ranges] * int(piece["times"] or 1)
        position = piece.end()
    return tuple(places) if 0 < len(places) <= _LONGEST else None


def _ranges(piece: re.Match[str]) -> tuple[tuple[int, int], ...] | None:
    if piece["set"] is None:
        sign = piece["escaped"] or piece["sign"]
        return ((48, 57),) if sign is None else ((ord(sign), ord(sign)),)
    ranges: list[tuple[int, int]] = []
    position = 0
    while position < len(piece["set"]):
        member = _MEMBER.match(piece["set"], position)
        if member is None:
            return None
        low, high, one, dash = member.groups()
        first, last = (low, high) if low is not None else (one or dash, one or dash)
        if first > last:
            return None
        ranges.append((ord(first), ord(last)))
        position = member.end()
    return tuple(ranges)
