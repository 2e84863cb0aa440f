"""Foreign HTML made safe, static and accessible: what a notebook displays is data, not markup of ours.

``nh3`` (bindings of Rust's ammonia) parses as a browser does and keeps an allow-list; what is left is then given what assistive
technology needs: header scopes, image descriptions, focusable scrolling, headings in order.
"""

from __future__ import annotations

import re
from functools import cache
from html import unescape
from importlib import import_module
from typing import TYPE_CHECKING

import nh3
from bs4 import BeautifulSoup

from nbops.pages.text import clean, short

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bs4 import Tag

__all__ = ["has_content", "order_headings", "safe_html", "safe_markdown"]

_TAGS = frozenset(
    [
        "a",
        "abbr",
        "b",
        "blockquote",
        "br",
        "caption",
        "code",
        "col",
        "colgroup",
        "del",
        "div",
        "em",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "i",
        "img",
        "ins",
        "kbd",
        "li",
        "ol",
        "p",
        "pre",
        "q",
        "s",
        "samp",
        "small",
        "span",
        "strong",
        "sub",
        "sup",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "tr",
        "u",
        "ul",
        "var",
    ]
)
_GONE = frozenset(
    [
        "script",
        "style",
        "iframe",
        "object",
        "embed",
        "template",
        "noscript",
        "svg",
        "math",
        "canvas",
        "audio",
        "video",
        "head",
        "title",
        "textarea",
        "select",
        "form",
        "button",
    ]
)
_ATTRIBUTES = {
    "a": {"href"},
    "img": {"src", "alt", "width", "height"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan"},
    "ol": {"start"},
}
_IMAGE = re.compile(r"data:image/(?:png|jpeg|gif|webp|svg\+xml);base64,[A-Za-z0-9+/=\s]*\Z")
_NUMBER = re.compile(r"[-+\u2212]?[\d.,\s]*\d(?:[eE][-+]?\d+)?\s?%?\Z|[nN]a[nN]\Z|[-+]?inf\Z")
_SPAN = re.compile(r"[1-9]\d{0,3}\Z")
_ANY_TAG = re.compile(
    r"""<!--.*?-->|<(?P<end>/?)(?:h(?P<level>[1-6])(?=[\s/>])|[^\s/>"'<]+)(?:[^>"']|"[^"]*"|'[^']*')*>""",
    re.DOTALL | re.IGNORECASE,
)
_QUOTE = re.compile(r"&(?:quot|\#34|\#39|\#x27);")


def _keep(tag: str, attribute: str, text: str) -> str | None:
    if tag == "img" and attribute == "src":
        return text if _IMAGE.match(text) else None
    if tag == "a" and attribute == "href":
        return text if text.lower().startswith(("https://", "http://", "mailto:")) else None
    if attribute in {"colspan", "rowspan", "width", "height", "start"}:
        return text if _SPAN.match(text) else None
    return text


@cache
def _code_classes() -> set[str]:
    token = import_module("pygments.token")  # comes with nbconvert, which is imported lazily
    return {"highlight", *(name for name in token.STANDARD_TYPES.values() if name)}


def safe_html(html: str, *, about: str, classes: bool = False) -> str:
    """Return foreign HTML without scripts, styles, frames, handlers, ids and outside sources.

    Args:
        html: Markup that anybody may have written.
        about: Where it stands, for labels: ``cell 3``.
        classes: Keep the class names of highlighted code (Markdown).
    """
    code = _code_classes() if classes else set()
    cleaned = nh3.clean(
        clean(html),
        tags=set(_TAGS),
        clean_content_tags=set(_GONE),
        attributes={tag: set(names) for tag, names in _ATTRIBUTES.items()},
        attribute_filter=_keep,
        url_schemes={"http", "https", "mailto", "data"},
        allowed_classes={"span": code, "div": code} if classes else None,
    )
    soup = BeautifulSoup(cleaned, "html.parser")
    _images(soup, about)
    _links(soup)
    _lists(soup)
    _tables(soup, about)
    return str(soup)


def safe_markdown(html: str, *, about: str) -> str:
    """Return rendered Markdown made safe; like ``safe_html``, with highlighted code."""
    return safe_html(html, about=about, classes=True)


def has_content(html: str) -> bool:
    """Tell whether sanitised markup still shows something."""
    return "<img " in html or bool(re.sub(r"<[^>]*>|\s|&nbsp;|\xa0", "", html))


def order_headings(html: str, *, top: int) -> str:
    """Renumber headings so that they start at ``top`` and never skip a level; empty ones become nothing.

    Args:
        html: Markup that serialisers wrote: every ``<`` begins a tag or a comment. A tree of it would be made in ten times the
            time; what stands in its text stays, but for quotation marks, which need no escapes there.
        top: The level of the first heading, from 1.
    """
    pieces: list[str] = []
    waiting: list[tuple[int, re.Match[str]]] = []
    found: list[tuple[int, int]] = []
    last = 0
    for tag in _ANY_TAG.finditer(html):
        pieces += [_QUOTE.sub(_unescaped, html[last : tag.start()]), tag.group()]
        last = tag.end()
        if not tag["level"]:
            continue
        if not tag["end"]:
            waiting.append((len(pieces) - 1, tag))
        elif waiting and waiting[-1][1]["level"] == tag["level"]:
            found.append((waiting.pop()[0], len(pieces) - 1))
    pieces.append(_QUOTE.sub(_unescaped, html[last:]))
    _renumber(pieces, sorted(found), top=top)
    return "".join(pieces)


def _renumber(pieces: list[str], headings: Iterable[tuple[int, int]], *, top: int) -> None:
    """Set the tags of headings anew, given where each begins and ends among the pieces: text and tags in turn."""
    open_levels: list[int] = []
    for begin, end in headings:
        if not unescape("".join(pieces[begin + 1 : end : 2])).strip():
            pieces[begin] = pieces[end] = ""
            continue
        level = int(pieces[begin][2])
        while open_levels and open_levels[-1] >= level:
            open_levels.pop()
        open_levels.append(level)
        name = f"h{min(6, top + len(open_levels) - 1)}"
        pieces[begin], pieces[end] = f"<{name}{pieces[begin][3:]}", f"</{name}>"


def _unescaped(quote: re.Match[str]) -> str:
    return unescape(quote.group())


def _images(soup: BeautifulSoup, about: str) -> None:
    for image in soup.find_all("img"):
        alt = short(str(image.get("alt") or ""), 300)
        if image.get("src"):
            image["alt"] = alt or f"Image of {about}, without a description"
        else:
            image.replace_with(f"[image not kept{f': {alt}' if alt else ''}]")


def _links(soup: BeautifulSoup) -> None:
    for link in soup.find_all("a"):
        if not link.get("href") or not link.get_text(strip=True):
            link.unwrap()


def _lists(soup: BeautifulSoup) -> None:
    for item in soup.find_all("li"):
        if item.parent is None or item.parent.name not in {"ul", "ol"}:
            item.name = "p"
    for items in soup.find_all(["ul", "ol"]):
        for child in list(items.children):
            if getattr(child, "name", None) == "li":
                continue
            if getattr(child, "name", None) or str(child).strip():
                child.wrap(soup.new_tag("li"))


def _tables(soup: BeautifulSoup, about: str) -> None:
    for table in soup.find_all("table"):
        for cell in table.find_all("th"):
            _header(cell)
        _align(table)
        if table.find_parent("table") is None:
            box = {"class": "scroll", "tabindex": "0", "role": "group", "aria-label": f"Table of {about}"}
            table.wrap(soup.new_tag("div", attrs=box))


def _header(cell: Tag) -> None:
    if cell.get_text(strip=True):
        cell["scope"] = "col" if cell.find_parent("thead") else "row"
    else:
        cell.name = "td"


def _is_irregular(tag: Tag) -> bool:
    return tag.name == "table" or tag.has_attr("colspan") or tag.has_attr("rowspan")


def _align(table: Tag) -> None:
    """Set columns of numbers flush right with their heads; tables with spans are left alone."""
    if table.find(_is_irregular):  # a CSS selector would do, but loading what reads selectors takes longer than many pages
        return
    columns: dict[int, list[Tag]] = {}
    for row in table.find_all("tr"):
        for number, cell in enumerate(row.find_all(["td", "th"], recursive=False)):
            columns.setdefault(number, []).append(cell)
    for cells in columns.values():
        body = [cell.get_text(strip=True) for cell in cells if cell.find_parent("thead") is None]
        if any(body) and all(_NUMBER.match(text[:40]) for text in body if text):
            for cell in cells:
                cell["class"] = "n"
