"""What a task's page shows of its notebook."""

from __future__ import annotations

from dataclasses import dataclass, field

from markupsafe import Markup

__all__ = ["Body"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """What a task's page shows of its notebook."""

    html: Markup = field(default_factory=Markup)
    problem: str = ""
    """Why there is nothing to show, as a sentence."""
    cells: int = 0
    anchors: frozenset[int] = frozenset()
    """Cell numbers that have an anchor ``cell-N``."""
