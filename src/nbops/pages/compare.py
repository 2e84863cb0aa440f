"""A page of two runs side by side that stands alone: its stylesheet is in it, and it may lie anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbops.pages.changes import changes_view
from nbops.pages.templating import page, stylesheet

if TYPE_CHECKING:
    from nbops.history.comparison import Comparison

__all__ = ["comparison_page"]

_TOP, _EACH = 25, 150


def comparison_page(found: Comparison) -> str:
    """Return a comparison as a page of at most 300 KB; the same comparison gives the same bytes."""
    return page("compare.html.j2", {"view": changes_view(found, top=_TOP, each=_EACH), "stylesheet": stylesheet(), "root": ""})
