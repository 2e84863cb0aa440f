"""The guides name every word that the code knows, and link to what is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nbops.contract.vocabulary import DIMENSIONS, OPERATORS, PERSONAL_WORDS
from nbops.plugins import names

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("word", [*sorted(OPERATORS), *sorted(DIMENSIONS), *sorted(PERSONAL_WORDS), *names("nbops.checks")])
def test_the_guide_to_contracts_names(word):
    text = (ROOT / "docs/contracts.md").read_text(encoding="utf-8")
    assert re.search(rf"\b{re.escape(word)}\b", text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_images_are_there(page):
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target
