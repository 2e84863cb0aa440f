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


DRAWN = [("bar", "paper"), ("bar-2", "paper"), ("fail", "paper"), ("stop", "paper"), *((tone, "paper") for tone in TEXTS[3:9])]


@pytest.mark.parametrize(("theme", "drawn", "ground"), [(theme, *pair) for theme in ("light", "dark") for pair in DRAWN])
def test_what_is_drawn_stands_out(theme: str, drawn: str, ground: str) -> None:
    """Bars of the time line and shapes of the matrix: 3 to 1 (WCAG 2.2, 1.4.11)."""
    palette = _palettes()[theme]
    assert _contrast(palette[drawn], palette[ground]) >= 3


def _rules() -> dict[str, dict[str, str]]:
    """Return the declarations of each simple selector outside of media rules."""
    css = re.sub(r"/\*.*?\*/", "", STYLESHEET.read_text(encoding="utf-8"), flags=re.DOTALL)
    rules: dict[str, dict[str, str]] = {}
    for selectors, body in re.findall(r"^([^@{}\s][^{}]*)\{([^{}]*)\}", css, re.MULTILINE):
        for selector in selectors.split(","):
            pairs = (part.split(":", 1) for part in body.split(";") if ":" in part)
            rules.setdefault(selector.strip(), {}).update({name.strip(): value.strip() for name, value in pairs})
    return rules


FILLS = {".graph text": [".graph rect", ".graph .task rect"]}
"""Text in SVG, and what it stands on."""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_in_svg_is_readable_on_what_it_stands_on(theme: str) -> None:
    palette, rules = _palettes()[theme], _rules()

    def colour(selector: str) -> str:
        found = re.fullmatch(r"var\(--([\w-]+)\)", rules[selector]["fill"])
        assert found, selector
        return palette[found[1]]

    for text, grounds in FILLS.items():
        assert all(_contrast(colour(text), colour(ground)) >= 4.5 for ground in grounds)
    small = [
        selector
        for selector in rules
        if " .s" in selector and "fill" in rules[selector] and "--tone" not in rules[selector]["fill"]
    ]
    assert all(_contrast(colour(selector), palette["paper"]) >= 4.5 for selector in small)
    tones = [rule["--tone"] for rule in rules.values() if "--tone" in rule]
    assert len(tones) >= 6
    for tone in {re.sub(r"var\(--([\w-]+)\)", r"\1", tone) for tone in tones}:
        assert min(_contrast(palette[tone], palette[ground]) for ground in ("paper", "raised")) >= 4.5


def test_both_themes_name_the_same_colours() -> None:
    css = STYLESHEET.read_text(encoding="utf-8")
    used = set(re.findall(r"var\(--([\w-]+)", css))
    defined = set(re.findall(r"--([\w-]+):", css)) | {"x", "y", "w", "h", "d"}
    assert used <= defined


def test_the_stylesheet_loads_nothing() -> None:
    css = STYLESHEET.read_text(encoding="utf-8")
    assert not re.search(r"url\(|@import|@font-face|https?:", css)
