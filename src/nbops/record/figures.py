"""Figures of executed notebooks, kept once: ``reports/assets/figures/<hash>.png``, whatever runs and pages show them.

A figure in a notebook's output is text in base64, a third larger than the picture, and stands again in the page made of the
notebook and in the next run's. Here it becomes a file of its own, named by its content, that both refer to. What it shows is
not touched: a PNG is only stored without what tells nothing (an opaque alpha channel, text such as the writing program).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from html import escape
from pathlib import Path
from typing import Any

__all__ = ["FIGURES", "figure_of", "lifted", "unused_figures"]

FIGURES = "assets/figures"
"""Folder below ``reports``."""

_ENDINGS = {"image/png": "png", "image/jpeg": "jpg"}
_NAME = re.compile(r"[0-9a-f]{32}\.(?:png|jpg)")
_MOST = 1_500_000  # characters of base64; larger ones stay where they are, and no page shows them
_MOST_MADE = 50_000_000  # bytes of pictures that are kept in memory
_PALETTE = 256
_BEGINS = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff"}


def lifted(notebook: Mapping[str, Any], *, up: str) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return a notebook whose figures are references, and the figures' files by name.

    An output that is also HTML stays as it is: the picture is only its second form.

    Args:
        notebook: A scrubbed notebook of nbformat 4 as plain values; it is not changed.
        up: From the notebook's folder to ``reports``, such as ``../../../``.
    """
    files: dict[str, bytes] = {}
    cells = [{**cell, "outputs": [_output(item, up, files) for item in cell["outputs"]]} if "outputs" in cell else cell
             for cell in notebook["cells"]]  # fmt: skip
    return {**notebook, "cells": cells}, files


def figure_of(output: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the name and the MIME type of the figure that an output refers to, None when it refers to none."""
    about = (output.get("metadata") or {}).get("nbops")
    name = about.get("figure") if isinstance(about, Mapping) else None
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return None
    return name, next(mime for mime, ending in _ENDINGS.items() if name.endswith(ending))


def _output(output: Mapping[str, Any], up: str, files: dict[str, bytes]) -> Mapping[str, Any]:
    data = output.get("data")
    if not isinstance(data, Mapping) or "text/html" in data or "image/svg+xml" in data:
        return output
    for mime, ending in _ENDINGS.items():
        picture = _decoded(data.get(mime), _BEGINS[mime])
        if picture is None:
            continue
        small = _smaller_once(picture) if mime == "image/png" else picture
        name = f"{hashlib.sha256(small).hexdigest()[:32]}.{ending}"
        files[name] = small
        return _referring(output, mime, name, up)
    return output


def _referring(output: Mapping[str, Any], mime: str, name: str, up: str) -> dict[str, Any]:
    metadata = dict(output.get("metadata") or {})
    about = metadata.get(mime) if isinstance(metadata.get(mime), Mapping) else {}
    alt = escape(str((about or {}).get("alt") or metadata.get("alt") or ""))
    data = {key: value for key, value in output["data"].items() if key not in _ENDINGS}
    data["text/html"] = f'<img src="{up}{FIGURES}/{name}" alt="{alt}">'  # what Jupyter shows
    return {**output, "data": data, "metadata": {**metadata, "nbops": {"figure": name}}}


def _decoded(text: Any, begins: bytes) -> bytes | None:
    """Return a picture from base64 when it is one and not too large."""
    text = "".join(text) if isinstance(text, list) and all(isinstance(line, str) for line in text) else text
    if not isinstance(text, str) or not 0 < len(text) <= _MOST:
        return None
    try:
        picture = base64.b64decode(re.sub(r"\s+", "", text), validate=True)
    except (binascii.Error, ValueError):
        return None
    return picture if picture.startswith(begins) else None


_made: dict[str, bytes] = {}
"""What was made of pictures, by their hashes: a build looks at its notebooks while it goes on, and again at its end."""


def _smaller_once(picture: bytes) -> bytes:
    known = hashlib.sha256(picture).hexdigest()
    small = _made.get(known)
    if small is None:
        small = _smaller(picture)
        if sum(map(len, _made.values())) + len(small) <= _MOST_MADE:
            _made[known] = small
    return small


def _smaller(picture: bytes) -> bytes:
    """Return the smallest PNG of the very same pixels that is easily made."""
    with suppress(Exception), warnings.catch_warnings():  # a damaged picture stays as it is
        warnings.simplefilter("error")
        from PIL import Image  # noqa: PLC0415  (comes with matplotlib; only runs that made figures need it)

        with Image.open(io.BytesIO(picture)) as opened:
            if getattr(opened, "n_frames", 1) > 1 or opened.mode not in {"RGB", "RGBA"} or "transparency" in opened.info:
                return picture
            image, dpi = opened.copy(), opened.info.get("dpi")
            image.info = {}
        if image.mode == "RGBA" and image.getextrema()[3] == (255, 255):
            image = image.convert("RGB")
        options = [image]
        if image.mode == "RGB" and image.getcolors(_PALETTE) is not None:
            options.append(image.convert("P", palette=Image.Palette.ADAPTIVE, colors=_PALETTE))
        return min([picture, *(made for option in options if (made := _png(option, image, dpi)) is not None)], key=len)
    return picture


def _png(image: Any, same: Any, dpi: tuple[float, float] | None) -> bytes | None:
    """Return an image as PNG without text, None when it is not pixel for pixel the ``same``."""
    if image.convert(same.mode).tobytes() != same.tobytes():
        return None
    stream = io.BytesIO()
    image.save(stream, "PNG", optimize=True, **({"dpi": dpi} if dpi else {}))
    return stream.getvalue()


def unused_figures(reports: Path, runs: Iterable[str]) -> Iterator[Path]:
    """Yield the figures that no page and no executed notebook of any run refers to.

    Args:
        reports: The project's ``reports`` folder.
        runs: All runs that have pages.
    """
    folder = reports / FIGURES
    if not folder.is_dir():
        return
    used: set[str] = set()
    for run_id in runs:
        tasks = reports / "runs" / run_id / "tasks"
        for page in tasks.iterdir() if tasks.is_dir() else ():
            if page.suffix in {".ipynb", ".html"}:
                used |= set(_NAME.findall(page.read_text(encoding="utf-8", errors="replace")))
    yield from (path for path in sorted(folder.iterdir()) if _NAME.fullmatch(path.name) and path.name not in used)
