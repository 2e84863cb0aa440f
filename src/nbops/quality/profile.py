"""Profiles: a ydata-profiling report for each dataset, made only when its content changed.

The statistics are ydata-profiling's, of a sample that is the same for the same data. The page is our own: equal data gives equal
bytes, no value is read as HTML, and it works offline, without scripts, in light and dark. Numbers of the whole dataset come
from the measurements that the run took anyway. Personal columns are never read.

All the work is done in one other process (the profiler takes seconds to import), which is killed when a profile takes too long.
"""

from __future__ import annotations

import contextlib
import html
import os
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nbops.quality._profile_process import Worker
from nbops.quality._profile_settings import settings_hash

if TYPE_CHECKING:
    from nbops.model import Column, Measurement

__all__ = ["ProfileRequest", "ProfileResult", "Profiler", "is_current", "profile_many"]

_SAMPLE_ROWS = 20_000
_START_SECONDS = 180.0
"""For importing the profiler, on a slow and busy machine."""
_HEAD_BYTES = 4_096
"""The hashes stand this early in a page."""
_VALUE_CHARACTERS = 200
_FORMATS = ("csv", "json", "jsonl", "parquet")
_META = re.compile(rb'<meta name="nbops:(content|settings)" content="([^"]*)">')


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
    """Of the whole dataset: ``nullValues``, ``distinctValues``, ``min``, ``mean``, ``max`` of columns are shown."""
    columns: tuple[Column, ...] = ()
    """As measured: where they are text, a text format is read likewise, so that ``007`` stays one."""
    sample_rows: int = _SAMPLE_ROWS
    title: str = ""
    """What the page is headed with; the dataset's name when empty."""
    description: str = ""


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


def is_current(
    output: Path,
    content_hash: str,
    personal: frozenset[str],
    *,
    sample_rows: int = _SAMPLE_ROWS,
    title: str = "",
    description: str = "",
    text: frozenset[str] = frozenset(),
) -> bool:
    """Whether a page is there already for this data, these personal columns and these settings.

    Args:
        output: The page.
        content_hash: Hash of the data.
        personal: Columns whose values must not be shown.
        sample_rows: As in the request.
        title: As in the request.
        description: As in the request.
        text: Columns of a text format that are read as text.
    """
    settings = settings_hash(personal=personal, sample_rows=sample_rows, title=title, description=description, text=text)
    try:
        with output.open("rb") as file:
            found = dict(_META.findall(file.read(_HEAD_BYTES)))
    except OSError:
        return False
    content = html.unescape(found.get(b"content", b"").decode("utf-8", "replace"))
    return content == content_hash and found.get(b"settings") == settings.encode()


class Profiler:
    """Makes profiles in one other process, which is started when it is first needed.

    The profiler takes seconds to import. Call ``warm`` while something else is going on, and they are not waited for.
    Use it as a context manager: what it started ends with the block.

    Args:
        seconds: Time that one profile may take, once the profiler is imported.
        log: Told one line a profile.
    """

    def __init__(self, *, seconds: float = 120.0, log: Callable[[str], None] | None = None) -> None:
        self._seconds = seconds
        self._log = log
        self._worker: Worker | None = None
        self._ready = False
        self._broken: str | None = None

    def __enter__(self) -> Profiler:  # noqa: PYI034  # Self is in typing from 3.11 on
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def warm(self) -> None:
        """Start the process, so that it imports the profiler meanwhile; a failure shows when a profile is made."""
        if self._worker is None:
            with contextlib.suppress(OSError):
                self._worker = Worker()

    def make(self, requests: Sequence[ProfileRequest]) -> tuple[ProfileResult, ...]:
        """Make the profiles that are not current.

        Never raises because of data, the profiler or the disk: what went wrong is in the result. Where a profile failed, a page
        of older data is removed, since it would show what is no longer there, or is personal by now.

        Args:
            requests: What to profile.

        Returns:
            A result for each request, in their order.
        """
        return tuple(self._one(request) for request in requests)

    def _one(self, request: ProfileRequest) -> ProfileResult:
        if _current(request):
            return ProfileResult(dataset=request.dataset, status="current", output=request.output)
        if request.format not in _FORMATS:
            return _failed(request, f"a profile of {request.format!r} cannot be made. Allowed: {', '.join(_FORMATS)}.")
        try:
            result = self._ask(request)
        except OSError as error:
            result = _failed(request, f"the profiler cannot be started: {error.strerror}")
        if self._log is not None:
            self._log(_line(result))
        return result

    def _ask(self, request: ProfileRequest) -> ProfileResult:
        if self._broken is not None:
            return _failed(request, self._broken)
        if self._worker is None:
            self._worker = Worker()
        if not self._ready:
            hello = self._worker.answer(_START_SECONDS)
            self._ready = hello is not None and hello["event"] == "ready"
            if not self._ready:
                self._broken = hello["error"] if hello else f"the profiler did not start: {self._worker.fate()}"
                self._stop()
                return _failed(request, self._broken)
        answer = self._worker.ask({"seconds": self._seconds, **_plain(request)}, seconds=self._seconds)
        if answer is None:
            fate = self._worker.fate()
            self._stop()  # the next request gets a process of its own
            return _failed(request, f"{fate}. Raise profile_seconds or lower profile_rows in [tool.nbops].")
        return _publish(request, answer)

    def _stop(self) -> None:
        worker, self._worker, self._ready = self._worker, None, False
        if worker is not None:
            worker.close()


def profile_many(
    requests: Sequence[ProfileRequest], *, seconds: float = 120.0, log: Callable[[str], None] | None = None
) -> tuple[ProfileResult, ...]:
    """Make the profiles that are not current, all in one process; none is started when there is nothing to make.

    Args:
        requests: What to profile.
        seconds: Time that one profile may take, once the profiler is imported.
        log: Told one line a profile.

    Returns:
        A result for each request, in their order; see ``Profiler.make``.
    """
    with Profiler(seconds=seconds, log=log) as profiler:
        return profiler.make(requests)


def _current(request: ProfileRequest) -> bool:
    return is_current(
        request.output,
        request.content_hash,
        request.personal,
        sample_rows=request.sample_rows,
        title=request.title,
        description=request.description,
        text=_text_columns(request),
    )


def _text_columns(request: ProfileRequest) -> frozenset[str]:
    """Return the columns that are to be read as text; other formats than CSV say so themselves."""
    return frozenset(column.name for column in request.columns if column.physical_type == "VARCHAR" and request.format == "csv")


def _failed(request: ProfileRequest, error: str) -> ProfileResult:
    with contextlib.suppress(OSError):
        request.output.unlink(missing_ok=True)
    return ProfileResult(dataset=request.dataset, status="failed", error=error)


def _line(result: ProfileResult) -> str:
    if result.status == "failed":
        return f"profile of {result.dataset} failed: {result.error}"
    sampled = f"{result.sampled or 0:,} of {result.rows or 0:,} rows"
    return f"profile of {result.dataset}: {sampled}, {(result.bytes or 0) / 1024:.0f} KB, {result.seconds or 0:.1f} s"


def _publish(request: ProfileRequest, answer: Mapping[str, Any]) -> ProfileResult:
    if "error" in answer:
        return _failed(request, answer["error"])
    if request.rows is not None and request.rows != answer["rows"]:
        return _failed(request, f"the data has {answer['rows']:,} rows but {request.rows:,} were measured: it changed in between")
    page = answer["html"].encode("utf-8")
    try:
        _write(request.output, page)
    except OSError as error:
        return _failed(request, f"the page could not be written: {error.strerror}")
    numbers = {key: answer[key] for key in ("rows", "sampled", "columns", "profiled", "seconds", "peak_memory_bytes")}
    return ProfileResult(dataset=request.dataset, status="made", output=request.output, bytes=len(page), **numbers)


def _write(path: Path, content: bytes) -> None:
    """Put a file in place whole, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:64]}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise


def _plain(request: ProfileRequest) -> dict[str, Any]:
    """Return a request as JSON can hold it: only what the page needs, since a measured value may be a text of megabytes."""
    measurements = [
        {"metric": taken.metric, "column": taken.column, "value": _plain_value(taken.value), "failed": taken.error is not None}
        for taken in request.measurements
        if taken.column is not None and not taken.arguments
    ]
    return {
        "dataset": request.dataset,
        "data": str(request.data.absolute()),
        "format": request.format,
        "content_hash": request.content_hash,
        "personal": sorted(request.personal),
        "measurements": measurements,
        "sample_rows": request.sample_rows,
        "title": request.title,
        "description": request.description,
        "text": sorted(_text_columns(request)),
        "settings": settings_hash(
            personal=request.personal,
            sample_rows=request.sample_rows,
            title=request.title,
            description=request.description,
            text=_text_columns(request),
        ),
    }


def _plain_value(value: object) -> int | float | str | None:
    if value is None or isinstance(value, (int, float)):
        return value
    return str(value)[:_VALUE_CHARACTERS]
