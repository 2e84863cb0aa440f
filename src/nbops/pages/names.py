"""File names for things whose names anybody may choose."""

from __future__ import annotations

import hashlib
import re

__all__ = ["page_name"]

_PLAIN = re.compile(r"[a-z0-9](?:[a-z0-9_-]|\.(?=[a-z0-9])){0,63}\Z")
_RESERVED = frozenset(
    ["con", "prn", "aux", "nul", "conin$", "conout$"] + [f"{device}{number}" for device in ("com", "lpt") for number in range(10)]
)


def page_name(name: str) -> str:
    """Return the file name (without suffix) of the page of a dataset or task.

    Plain lower-case names stay as they are. Every other name becomes a readable stem, two hyphens and 16 hexadecimal digits of
    its SHA-256, so that two names never share a page, also where file names ignore case (macOS, Windows) or a device is
    called ``con``. The answer depends on the name alone.

    Args:
        name: Any text.

    Returns:
        Only ``a-z``, ``0-9``, ``.``, ``_`` and ``-``; at most 66 characters; never a path, hidden or reserved.

    >>> page_name("order_lines")
    'order_lines'
    >>> page_name("Orders")
    'orders--b7e8acdd522e6190'
    >>> page_name("../x").startswith("x--")
    True
    """
    device = name.split(".", 1)[0]
    if _PLAIN.match(name) and "--" not in name and device not in _RESERVED:
        return name
    stem = re.sub(r"[^a-z0-9]+", "-", name[:200].lower()).strip("-")[:48].strip("-") or "page"
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{stem}--{digest}"
