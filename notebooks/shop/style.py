"""One look for all figures: few colours and crisp lines. A picture of at most 256 colours is a third as large, and git keeps each."""

from __future__ import annotations

import matplotlib as mpl

__all__ = ["ACCENT", "QUIET", "apply"]

ACCENT, QUIET = "#1f6feb", "#c3cad2"
_INK = "#4a5158"


def apply() -> None:
    """Have figures drawn in this look from now on."""
    mpl.rcParams.update(
        {
            **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), _INK),
            "axes.spines.top": False,
            "axes.spines.right": False,
            "grid.color": "#e3e6ea",
        }
    )
