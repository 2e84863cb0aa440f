"""Powers of ten in words, for those who have numpy loaded and those who have not."""

from __future__ import annotations

import re

__all__ = ["from_power"]

_POWER = re.compile(r"(-?)e(-?\d{1,3})")


def from_power(power: str) -> str:
    """Return which values a series of a power of ten counts: those from it on.

    Args:
        power: As in ``magnitude:POWER``; anything else is told as it is.

    >>> from_power("e2"), from_power("-e0"), from_power("0"), from_power("e-1"), from_power("e14")
    ('of 100 or more', 'above -10', 'of 0 or more', 'of 0.1 or more', 'of 1e+14 or more')
    """
    if power == "0":
        return "of 0 or more"
    found = _POWER.fullmatch(power)
    if found is None:
        return f"of {power[:20]} or more"
    size = int(found[2])
    return f"above -{_written(size + 1)}" if found[1] else f"of {_written(size)} or more"


def _written(power: int) -> str:
    """Return a power of ten as people write it: in full from 0.0001 to 100,000,000."""
    if 0 <= power <= 8:  # noqa: PLR2004
        return f"{10**power:,}"
    return f"{10.0**power:g}"
