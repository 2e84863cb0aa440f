"""A profile as it goes to the process that makes it, and as it comes back: requests as JSON, pages put in place."""

from __future__ import annotations

import contextlib
import html
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nbops.quality._profile_records import SAMPLE_ROWS, ProfileRequest, ProfileResult
from nbops.quality._profile_settings import settings_hash

__all__ = ["current", "failed", "is_current", "plain", "publish"]

_HEAD_BYTES = 4_096
"""The hashes stand this early in a page."""
_VALUE_CHARACTERS = 200
_META = re.compile(rb'<meta name="nbops:(content|settings)" content="([^"]*)">')


def is_current(
    output: Path,
    content_hash: str,
    personal: frozenset[str],
    *,
    sample_rows: int = SAMPLE_ROWS,
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


def current(request: ProfileRequest) -> bool:
    """Whether the page of a request is there already."""
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


def failed(request: ProfileRequest, error: str) -> ProfileResult:
    """Return the result of a profile that could not be made, and take away a page of older data."""
    with contextlib.suppress(OSError):
        request.output.unlink(missing_ok=True)
    return ProfileResult(dataset=request.dataset, status="failed", error=error)


def publish(request: ProfileRequest, answer: Mapping[str, Any]) -> ProfileResult:
    """Put the page that the process answered with in place, unless the data is not what was measured."""
    if "error" in answer:
        return failed(request, answer["error"])
    if request.rows is not None and request.rows != answer["rows"]:
        return failed(request, f"the data has {answer['rows']:,} rows but {request.rows:,} were measured: it changed in between")
    page = answer["html"].encode("utf-8")
    try:
        _write(request.output, page)
    except OSError as error:
        return failed(request, f"the page could not be written: {error.strerror}")
    numbers = {key: answer[key] for key in ("rows", "sampled", "columns", "profiled", "seconds", "peak_memory_bytes")}
    return ProfileResult(dataset=request.dataset, status="made", output=request.output, bytes=len(page), **numbers)


def _write(path: Path, content: bytes) -> None:
    """Put a file in place whole, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:64]}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)  # not flushed to the disk: the build would wait, and a page can be made again
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise


def plain(request: ProfileRequest) -> dict[str, Any]:
    """Return a request as JSON can hold it: only what the page needs, since a measured value may be a text of megabytes."""
    measurements = [
        {
            "metric": taken.metric,
            "column": taken.column,
            "value": _plain_value(taken.value),
            "failed": taken.error is not None,
            "approximate": bool(taken.arguments),
        }
        for taken in request.measurements
        if taken.column is not None and taken.arguments in {(), (("approximate", True),)}
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
        "stylesheet": request.stylesheet,
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
