"""What is asked of a profiler, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from nbops.model import Column, Measurement

__all__ = ["FORMATS", "SAMPLE_ROWS", "ProfileRequest", "ProfileResult"]

SAMPLE_ROWS = 20_000
FORMATS = ("csv", "json", "jsonl", "parquet")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileRequest:
    """A profile to make."""

    dataset: str
    data: Path
    """The file, or a folder of Parquet files."""
    format: str
    """``parquet``, ``csv``, ``jsonl`` or ``json``."""
    output: Path
    """Where the page goes."""
    content_hash: str
    """Hash of the data; the page carries it."""
    personal: frozenset[str] = frozenset()
    """Columns (or ``column.part``) whose values must not be shown. Case does not count."""
    rows: int | None = None
    """Rows that were measured, when known; a sample of other data than was measured is an error."""
    measurements: tuple[Measurement, ...] = ()
    """Of the whole dataset: ``nullValues``, ``distinctValues``, ``min``, ``mean``, ``max`` of columns are shown.
    Without any, they are taken (of columns that are not personal)."""
    columns: tuple[Column, ...] = ()
    """As measured: where they are text, a text format is read likewise, so that ``007`` stays one."""
    sample_rows: int = SAMPLE_ROWS
    title: str = ""
    """What the page is headed with; the dataset's name when empty."""
    description: str = ""
    stylesheet: str = ""
    """Relative URL of the stylesheet that pages share, a copy of ``nbops.quality.profile.STYLESHEET``; empty: in the page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileResult:
    """What became of a request."""

    dataset: str
    status: Literal["made", "current", "failed"]
    """``current``: the page there is already of this data and these settings."""
    output: Path | None = None
    """The page; None when it failed."""
    rows: int | None = None
    sampled: int | None = None
    """Rows of the sample."""
    columns: int | None = None
    profiled: int | None = None
    """Columns that were profiled."""
    seconds: float | None = None
    bytes: int | None = None
    """Size of the page."""
    peak_memory_bytes: int | None = None
    """Of the process, up to the end of this profile."""
    error: str | None = None
    """Why it failed; holds no value of the data and no path."""
