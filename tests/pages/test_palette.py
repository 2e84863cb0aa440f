"""Contrast of the palette (WCAG 2.2, 1.4.3), also where axe cannot tell: text in drawings, marks, bars."""

from __future__ import annotations

import re
from itertools import product

import pytest

from nbops.pages.templating import STYLESHEET


def _palettes() -> dict[str, dict[str, str]]:
    css = STYLESHEET.read_text(encoding="utf-8")
    light, dark = re.findall(r":root \{(.*?)\}", css, re.DOTALL)[:2]
    colours = [dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block)) for block in (light, dark)]
    return {"light": colours[0], "dark": {**colours[0], **colours[1]}}


def _luminance(colour: str) -> float:
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    low, high = sorted([_luminance(one), _luminance(other)])
    return (high + 0.05) / (low + 0.05)


TEXTS = ["ink", "soft", "link", "pass", "warn", "fail", "err", "hold", "stop", "code-a", "code-b", "code-c", "code-d"]


@pytest.mark.parametrize(("theme", "text", "ground"), list(product(["light", "dark"], TEXTS, ["paper", "raised", "fail-wash"])))
def test_text_is_readable_on_every_ground(theme: str, text: str, ground: str) -> None:
    palette = _palettes()[theme]
    assert _contrast(palette[text], palette[ground]) >= 4.5


def test_both_themes_name_the_same_colours() -> None:
    css = STYLESHEET.read_text(encoding="utf-8")
    used = set(re.findall(r"var\(--([\w-]+)", css))
    defined = set(re.findall(r"--([\w-]+):", css)) | {"x", "w", "h", "d"}
    assert used <= defined


def test_the_stylesheet_loads_nothing() -> None:
    css = STYLESHEET.read_text(encoding="utf-8")
    assert not re.search(r"url\(|@import|@font-face|https?:", css)
