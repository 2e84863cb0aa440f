"""Which pages of older runs are looked at when a run is recorded: not a thousand of them each time.

A page holds a hash of what it was made of. Such a page changes when a run on it loses its pages, and all do when templates
change or when a ledger before them came or went, which moves every later run to another place. So it is enough to look at the
newest pages, where runs lose theirs, and at one before them: when that one had to change, all are looked at. A few others are
looked at in turn, so that what else happened to a ledger comes to its page too.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from contextlib import suppress
from typing import TYPE_CHECKING

from nbops.pages.contexts import RUNS_ON_A_PAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

__all__ = ["renew_archive"]

_NEWEST, _IN_TURN = 8, 3


def renew_archive(
    pages: int, renew: Callable[[int], bool], *, reports: Path, ids: Sequence[str] | None, pruned: Collection[str]
) -> None:
    """Have pages of older runs made that are missing or have to change.

    Args:
        pages: How many there are.
        renew: Looks at the page of a number, from 1 on, and makes it when it has to change; tells whether it had to.
        reports: The project's ``reports`` folder.
        ids: All runs, the oldest first; None has all pages looked at.
        pruned: Runs that lost their pages just now.
    """
    every = set(range(1, pages + 1))
    if ids is None:
        chosen, sign = every, None
    else:
        touched = {bisect_left(ids, run_id) // RUNS_ON_A_PAGE + 1 for run_id in pruned}
        missing = every - _there(reports)
        chosen = {*range(max(1, pages - _NEWEST + 1), pages + 1), *(touched & every), *missing}
        sign = next((number for number in range(pages - _NEWEST, 0, -1) if number not in chosen), None)
        first = len(ids) * _IN_TURN
        chosen |= {1 + (first + step) % pages for step in range(min(_IN_TURN, pages))}
        chosen |= {sign} if sign is not None else set()
    for number in sorted(chosen):
        if renew(number) and number == sign:
            for other in sorted(every - chosen):
                renew(other)


def _there(reports: Path) -> set[int]:
    found: set[int] = set()
    with suppress(OSError):
        names = os.listdir(reports / "archive")  # noqa: PTH208 - as text it costs a tenth
        found = {int(name[:-5]) for name in names if name.endswith(".html") and name[:-5].isdecimal()}
    return found
