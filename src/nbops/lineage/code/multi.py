"""Names of several levels, as pandas makes them: ``("amount", "sum")``."""

from __future__ import annotations

__all__ = ["Multi"]


class Multi(str):
    """A column's name of several levels: equal to the text of its tuple, which is how it is written to a file."""

    __slots__ = ("levels",)
    levels: tuple[str, ...]

    def __new__(cls, levels: tuple[str, ...]) -> Multi:  # noqa: PYI034 - Self is of Python 3.11
        """Make a name of levels."""
        made = super().__new__(cls, str(levels))
        made.levels = levels
        return made
