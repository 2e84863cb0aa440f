"""What is known besides two ledgers: code before and after, commits, cells, inputs, segments. Gathered by ``workflow.causes``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbops.model import CellRun, TaskRun

__all__ = ["CodeOf", "CommitOf", "Facts", "InputLook", "SegmentFound"]

_EMPTY: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeOf:
    """A task's or module's code in the last good run and in the bad one."""

    before: tuple[tuple[int, str], ...] = ()
    """Index and text of each code cell; a module or script is one cell with index 0."""
    after: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitOf:
    """A commit between the two runs."""

    commit: str
    author: str
    """A name; never an address."""
    subject: str
    at: str = ""
    files: tuple[str, ...] = ()
    """Relative to the project."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputLook:
    """What an input file shows of the column that a finding is about."""

    same: bool | None = None
    """True: the file shows the movement itself; False: it does not; None: it could not be told."""
    columns: tuple[str, ...] = ()
    """Its columns that moved."""
    text: str = ""
    """A sentence about its rows and columns then and now."""
    more: bool = False
    """It holds each row that it held, and others besides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentFound:
    """A part of the rows that carries a change."""

    dataset: str
    column: str | None
    conditions: tuple[tuple[str, str], ...]
    """Column and value (or range), at most two."""
    explained: float
    """Part of the change that lies in it, 0 to 1."""
    share: float
    """Part of the rows that it is, 0 to 1."""
    text: str
    """``98 % of the new null values of amount have country = EIRE (9 % of the rows)``."""
    categorical: bool = True
    """False where a condition is a range of numbers or dates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything that was found out; each part may be missing, and the ranking is then less sure."""

    code: Mapping[str, CodeOf] = field(default_factory=lambda: _EMPTY)
    """Task to its cells."""
    modules: Mapping[str, CodeOf] = field(default_factory=lambda: _EMPTY)
    """Path of a module to its text, also of those that did not change."""
    cells: Mapping[str, tuple[tuple[CellRun, ...], tuple[CellRun, ...]]] = field(default_factory=lambda: _EMPTY)
    """Task to what its cells showed, before and after."""
    commits: tuple[CommitOf, ...] = ()
    """The oldest first."""
    introduced: Mapping[str, str] = field(default_factory=lambda: _EMPTY)
    """Path to the commit that changed it, where several did the one that matters."""
    imports: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: _EMPTY)
    """Distribution to the names by which it is imported."""
    inputs: Mapping[str, InputLook] = field(default_factory=lambda: _EMPTY)
    """Path of an input to what it shows."""
    segments: tuple[SegmentFound, ...] = ()
    ran: Mapping[str, TaskRun] = field(default_factory=lambda: _EMPTY)
    """Task to how it ran when it last did before, where the good run found it up to date."""
    replay: str = ""
    """What a replay said of code and data, if there was one."""

    @property
    def touched(self) -> frozenset[str]:
        """Files that the commits between the two runs changed."""
        return frozenset(path for one in self.commits for path in one.files)
