"""The last look at every byte that is about to be committed.

What the scrubber takes out of records must not come in by another way: a page's template, a profile, a file that a user put under
``reports/``. The guard finds what the scrubber would mask, in text of any kind, through JSON, HTML and URL escapes and inside
``data:`` URIs of text, and says where it stands, never what it is.

Pictures and other binary files are searched for secret values only; what a plot shows is not seen.

So that an ordinary page raises no alarm: single words and single numbers count where a reader sees them (not in styles, scripts
and markup), numbers of less than 9 digits only where they are rare in their column, and bare numbers in JSON (counts, sizes,
times) not at all. Secrets, paths, names and phrases of two words or more count everywhere.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_to_bytes

from nbops.errors import GuardError
from nbops.record.escapes import find_through
from nbops.record.machine_paths import PathMask
from nbops.record.personal import PERSONAL_MASK, PersonalValues
from nbops.record.secret_values import MASK, SecretMask

__all__ = ["Check", "GuardFinding", "cleared", "refuse", "scan"]

Check = Callable[[Iterable[tuple[str, bytes]]], None]
"""Is given path (relative to the root) and content of files; raises GuardError to refuse them."""

_AROUND = 30  # characters shown before and after a finding
_SHOWN = 20  # findings that an error names
_PER_FILE = 50  # findings that are reported of one file
_HEAD = 8192  # bytes in which a NUL tells of a binary file
_DEEPEST = 3  # data URIs inside data URIs

_BINARY = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"%PDF", b"PK\x03\x04", b"wOFF", b"wOF2", b"\x1f\x8b", b"PAR1")
_DATA_URI = re.compile(
    r"data:(?:text/[\w.+-]+|application/(?:json|javascript|xml|xhtml\+xml|[\w.+-]+\+(?:json|xml))|image/svg\+xml)?"
    r"(?:;[\w-]+=[\w.\"-]+)*(?P<base64>;base64)?,(?P<data>[A-Za-z0-9+/=_%.~!*'()\\:;@&$?-]{8,})"
)
_UNSEEN = re.compile(r"<style\b.*?</style\s*>|<script\b(?![^>]*json)[^>]*>.*?</script\s*>|<!--.*?-->", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[A-Za-z/!?](?:[^<>\"']|\"[^\"]*\"|'[^']*')*>")
_SEEN_ATTRIBUTE = re.compile(
    r"\b(?:title|alt|value|content|placeholder|label|summary|aria-label|href|src|data-[\w-]+)\s*=\s*(\"[^\"]*\"|'[^']*')"
)
_BARE_NUMBER = re.compile(r"(?<=[:\[,\s])-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?=\s*[,\]}\n])")

_ADVICE = {
    "secret": "take it out of the code, or name its parameter in [tool.nbops] so that it is masked; then change the secret",
    "path": "let the notebook write a path relative to the project",
    "personal": "let the page leave the column out; what a contract calls personal must not be shown",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardFinding:
    """Something private in a file that is about to be committed."""

    path: str
    line: int
    """From 1."""
    kind: str
    """``secret value``, ``AWS key``..., ``machine path``, ``personal value``."""
    excerpt: str
    """What stands around it on the line, with everything private masked."""


@dataclass(frozen=True, slots=True)
class _Eyes:
    """What the guard looks for."""

    secrets: SecretMask
    personal: PersonalValues
    paths: PathMask

    def find(self, text: str, *, visible: Callable[[], str]) -> Iterator[tuple[int, int, str, str]]:
        """Yield start, end, kind and stand-in of everything private in ``text``; ``visible`` is called only when it matters."""
        for start, end, kind in find_through(text, self.secrets.find):
            yield start, end, kind, MASK
        for start, end, new in find_through(text, self.paths.find):
            yield start, end, "machine path", new
        seen: str | None = None
        for start, end, kind in self.personal.find(text, numbers="telling"):
            if kind != "phrase" and seen is None:
                seen = visible()
            if kind == "phrase" or (seen is not None and seen[start:end] == text[start:end]):
                yield start, end, "personal value", PERSONAL_MASK


def _blank(match: re.Match[str]) -> str:
    return re.sub(r"\S", " ", match.group())


def _blank_tag(match: re.Match[str]) -> str:
    """Blank a tag but for the attributes that a reader sees or that hold data."""
    tag = match.group()
    if "=" not in tag:
        return " " * len(tag)
    kept = [(found.start(1), found.end(1)) for found in _SEEN_ATTRIBUTE.finditer(tag)]
    characters = [" "] * len(tag)
    for start, end in kept:
        characters[start:end] = tag[start:end]
    return "".join(characters)


def _visible(path: str, text: str) -> str:
    """Return the text with what no reader sees blanked, character by character."""
    suffix = path.rpartition(".")[2].lower()
    if suffix in {"html", "htm", "svg", "xml"}:
        return _TAG.sub(_blank_tag, _UNSEEN.sub(_blank, text))
    if suffix in {"css", "js"}:
        return " " * len(text)
    return _BARE_NUMBER.sub(_blank, text) if suffix in {"json", "ipynb", "jsonl"} else text


def _embedded(text: str) -> Iterator[tuple[int, str]]:
    """Yield where a ``data:`` URI of text stands, and the text inside."""
    for match in _DATA_URI.finditer(text) if "data:" in text else ():
        data = unquote_to_bytes(match["data"].replace("\\n", "").replace("\\/", "/"))
        if match["base64"]:
            try:
                data = base64.b64decode(data + b"=" * (-len(data) % 4), altchars=b"-_" if b"-" in data or b"_" in data else None)
            except (binascii.Error, ValueError):
                continue
        yield match.start(), data.decode("utf-8", "replace")


class _Lines:
    """Line numbers and excerpts of a text whose findings are known."""

    def __init__(self, text: str, spans: list[tuple[int, int, str, str]]) -> None:
        self._text = text
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self._spans = spans
        self._begins = [span[0] for span in spans]

    def number(self, position: int) -> int:
        return bisect_right(self._starts, position)

    def excerpt(self, index: int) -> str:
        """Return what stands around a finding; whole characters of findings are masked, also where they are cut off."""
        start, end, *_ = self._spans[index]
        line = self._starts[self.number(start) - 1]
        first, last = max(line, start - 4 * _AROUND), min(len(self._text), end + 4 * _AROUND)
        pieces, at = [], first
        for begin, stop, _, new in self._spans:
            if stop <= first or begin >= last:
                continue
            if begin >= at:
                pieces += [self._text[at:begin], new if begin != start else f"\x00{MASK}\x00"]
            at = max(at, stop)
        before, found, after = ("".join([*pieces, self._text[at:last]])).partition(f"\x00{MASK}\x00")
        after = after.split("\n", 1)[0]
        return " ".join(f"{before[-_AROUND:]}{found.strip(chr(0))}{after[:_AROUND]}".split())


def _scan_text(path: str, text: str, eyes: _Eyes, *, depth: int = 0) -> Iterator[GuardFinding]:
    spans = sorted(eyes.find(text, visible=lambda: _visible(path, text)), key=lambda span: (span[0], -span[1]))
    embedded = list(_embedded(text)) if depth < _DEEPEST else []
    if not spans and not embedded:
        return  # as nearly always: where lines begin is not asked
    lines = _Lines(text, spans)
    last = 0
    for index, (start, end, kind, _) in enumerate(spans[:_PER_FILE]):
        if end > last:  # what lies inside another finding is the same one
            yield GuardFinding(path=path, line=lines.number(start), kind=kind, excerpt=lines.excerpt(index))
        last = max(last, end)
    for position, inside in embedded:
        for finding in _scan_text("data.html", inside, eyes, depth=depth + 1):
            yield GuardFinding(path=path, line=lines.number(position), kind=finding.kind, excerpt=f"data: {finding.excerpt}")


def _scan_file(path: str, data: bytes, eyes: _Eyes) -> Iterator[GuardFinding]:
    for span in eyes.find(path, visible=lambda: path):
        yield GuardFinding(
            path=eyes.paths.mask(eyes.personal.mask(eyes.secrets.mask(path))), line=1, kind=f"{span[2]} in the name", excerpt=""
        )
    if data.startswith(_BINARY) or (b"\0" in data[:_HEAD] and not data.startswith((b"\xff\xfe", b"\xfe\xff"))):
        if eyes.secrets.in_bytes(data):
            yield GuardFinding(path=path, line=1, kind="secret value", excerpt="in a binary file")
        return
    encoding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8"
    yield from _scan_text(path, data.decode(encoding, "replace"), eyes)


def scan(
    files: Iterable[tuple[str, bytes]],
    *,
    secrets: Iterable[str] = (),
    personal: PersonalValues | None = None,
    root: Path,
) -> list[GuardFinding]:
    """Return what is private in some files, at most 50 findings a file.

    Args:
        files: Path and content of each file.
        secrets: Secret values, see :func:`nbops.record.scrub.collect_secrets`.
        personal: Values of personal columns.
        root: The project's root, whose absolute path must not appear.
    """
    eyes = _Eyes(SecretMask(secrets), personal or PersonalValues({}), PathMask(root))
    return [finding for path, data in files for finding in _scan_file(path, data, eyes)]


def refuse(findings: Iterable[GuardFinding]) -> None:
    """Raise when there is anything to be found.

    Raises:
        GuardError: Says where, what kind, and what to do.
    """
    found = list(findings)
    if not found:
        return
    where = [f"  {item.path}:{item.line}: {item.kind}: {item.excerpt}".rstrip(": ") for item in found[:_SHOWN]]
    more = [f"  and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
    kinds = {_group(item.kind) for item in found}
    advice = [f"For a {kind}: {text}." for kind, text in _ADVICE.items() if kind in kinds]
    raise GuardError(
        "\n".join(
            [
                f"reports/: not committed: {len(found)} private {'value' if len(found) == 1 else 'values'} found.",
                *where,
                *more,
                *advice,
                "Then build again: the next run's commit takes the reports along.",
            ]
        )
    )


def cleared(files: Iterable[Path], *, root: Path, check: Check) -> dict[str, str]:
    """Return those files in which a check finds nothing, so that the commit need not look at them again: all or none.

    Args:
        files: Files below the root, as they are to be committed.
        root: The project's root.
        check: Raises GuardError when it finds something.

    Returns:
        Path relative to the root, and what git calls the content where objects have SHA-1 names
        (https://git-scm.com/book/en/v2/Git-Internals-Git-Objects).
    """
    found: dict[str, str] = {}

    def contents() -> Iterator[tuple[str, bytes]]:
        for file in files:
            data, name = file.read_bytes(), file.relative_to(root).as_posix()
            found[name] = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
            yield name, data

    try:
        check(contents())
    except (GuardError, OSError):  # the commit says what, and where
        return {}
    return found


def _group(kind: str) -> str:
    if kind.startswith("machine path"):
        return "path"
    return "personal" if kind.startswith("personal") else "secret"
