"""Reading through escapes: a text as a person would see it, with the way back to where it stands in the file."""

from __future__ import annotations

import html
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from urllib.parse import unquote_to_bytes

__all__ = ["Decoded", "decoded", "find_through"]

_ESCAPE = re.compile(  # each alternative begins with a plain character, so that what has none is passed over fast
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"  # a pair of surrogates
    r"|\\u[0-9a-fA-F]{4}|\\U000[0-9a-fA-F]{5}|\\x[0-9a-fA-F]{2}"
    r"|\\[nrtbf\"'/\\]"
    r"|&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});"
    r"|%[0-9A-Fa-f]{2}(?:%[0-9A-Fa-f]{2})*"
)
_SIMPLE = {"n": "\n", "r": "\r", "t": "\t", "b": " ", "f": " "}
_PASSES = 3  # HTML inside JSON inside JSON: what a notebook holds that printed an API's answer


def _plain(escape: str) -> str:
    if escape[0] == "&":
        return html.unescape(escape)
    if escape[0] == "%":
        return unquote_to_bytes(escape).decode("utf-8", "replace")
    if escape[1] in "uUx":
        codes = [int(code, 16) for code in re.split(r"\\[uUx]", escape)[1:]]
        text = "".join(map(chr, codes))
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return _SIMPLE.get(escape[1], escape[1])


class Decoded:
    r"""A text with its escapes (JSON, Python, HTML, URL) taken away, nested ones too.

    Args:
        text: The text as it stands in a file.

    Attributes:
        text: The text as a person sees it.

    >>> seen = Decoded('{"name": "O&#x27;Neil \u00e9"}')
    >>> seen.text
    '{"name": "O\'Neil é"}'
    >>> seen.span(10, 16)
    (10, 21)
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._steps: list[tuple[list[int], list[int]]] = []
        for _ in range(_PASSES):
            if not any(sign in self.text for sign in "\\&%"):
                break
            if not self._decode():
                break

    def _decode(self) -> bool:
        """Take one layer of escapes away; remember for each where it began, and where text goes on before and after."""
        pieces: list[str] = []
        seen, stands = [0], [0]  # from position `seen` on, the text of before begins at `stands`
        last = length = 0
        for match in _ESCAPE.finditer(self.text):
            new = _plain(match.group())
            if new == match.group():
                continue
            pieces += [self.text[last : match.start()], new]
            length += match.start() - last
            seen += [length, length + len(new)]
            stands += [match.start(), match.end()]
            length += len(new)
            last = match.end()
        if not pieces:
            return False
        self.text = "".join([*pieces, self.text[last:]])
        self._steps.append((seen, stands))
        return True

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return where the characters from ``start`` to ``end`` of the seen text stand in the original; whole escapes only."""
        for seen, stands in reversed(self._steps):
            start, end = _back(seen, stands, start, after=False), _back(seen, stands, end - 1, after=True)
        return start, end


def _back(seen: list[int], stands: list[int], position: int, *, after: bool) -> int:
    """Map a position one layer back; of a character that was an escape, to where the escape begins or (``after``) ends."""
    index = bisect_right(seen, position) - 1
    if index % 2 == 1:  # odd entries are escapes, even ones plain text
        return stands[index + 1] if after else stands[index]
    return stands[index] + position - seen[index] + (1 if after else 0)


@lru_cache(maxsize=1)  # one text is searched for several things in a row
def decoded(text: str) -> Decoded:
    """Return a text with its escapes taken away."""
    return Decoded(text)


def find_through(text: str, find: Callable[[str], Iterable[tuple[int, int, str]]]) -> Iterator[tuple[int, int, str]]:
    """Yield what ``find`` finds in a text as it stands, and in the text as a person sees it; positions are those of the former.

    Args:
        text: Any text.
        find: Yields start, end and something more for each finding.
    """
    yield from find(text)
    seen = decoded(text)
    if seen.text != text:
        for start, end, what in find(seen.text):
            yield *seen.span(start, end), what
