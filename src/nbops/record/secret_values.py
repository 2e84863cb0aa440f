"""Secrets: which names tell of one, which values they have, and which texts look like one by themselves."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any
from urllib.parse import quote, quote_plus, unquote

from nbops.record.escapes import find_through

__all__ = ["MASK", "SECRET_PATTERNS", "SecretMask", "collect_secrets", "is_secret_name"]

MASK = "***"

_SHORTEST = 6  # characters; a shorter value would hide half a text
_LONGEST = 20_000  # characters; what is longer is data, not a secret

_WORDS = frozenset(
    [
        *(
            "password",
            "passwd",
            "passphrase",
            "passwort",
            "pwd",
            "secret",
            "secrets",
            "token",
            "credential",
            "credentials",
            "auth",
        ),
        *("authorization", "apikey", "bearer", "dsn", "authtoken", "accesstoken", "refreshtoken", "apitoken", "privatekey"),
        *("secretkey", "accesskey", "connectionstring", "connstr", "cookie", "jwt"),
    ]
)
_KEYS = ("api", "private", "access", "secret", "encryption", "signing", "account", "master", "service", "storage", "ssh", "auth")
_PAIRS = frozenset(
    [
        *((word, "key") for word in _KEYS),
        ("api", "keys"),
        *(pair for first in ("connection", "connect", "conn") for pair in ((first, "string"), (first, "str"))),
    ]
)
_ABOUT = frozenset(  # `token_count` or `auth_mode` tell about a secret; their values are none
    [
        *(
            "count",
            "counts",
            "limit",
            "budget",
            "max",
            "min",
            "num",
            "size",
            "length",
            "type",
            "mode",
            "method",
            "kind",
            "scheme",
        ),
        *(
            "provider",
            "backend",
            "sock",
            "socket",
            "enabled",
            "required",
            "ttl",
            "expiry",
            "expires",
            "seconds",
            "minutes",
            "days",
        ),
        *("url", "uri", "host", "port", "endpoint", "algorithm", "strategy"),
    ]
)
_WORKING_DIRECTORY = frozenset({"PWD", "OLDPWD"})
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_A-Za-z]+")
_TRIVIAL = frozenset(["default", "optional", "required", "disabled", "enabled", "unknown", "localhost"])


def is_secret_name(name: str, extra_names: Iterable[str] = ()) -> bool:
    """Say whether a parameter, a variable or a key of that name holds a secret.

    Words inside the name count, not letters: ``author``, ``monkey`` and ``tokenizer`` are no secrets, nor is what only tells
    about one, such as ``token_count``.

    Args:
        name: Any name: ``db_password``, ``dbPassword``, ``AWS_SECRET_ACCESS_KEY``.
        extra_names: Further names that are secret, whole, in any case.

    >>> [is_secret_name(name) for name in ("db_password", "apiKey", "author", "max_token_count")]
    [True, True, False, False]
    """
    if name.casefold() in {extra.casefold() for extra in extra_names}:
        return True
    if name in _WORKING_DIRECTORY:
        return False
    parts = [part.lower() for part in _PARTS.findall(name)]
    if not _ABOUT.isdisjoint(parts):
        return False
    ends_with_pass = len(parts) > 1 and parts[-1] == "pass"
    return ends_with_pass or not _WORDS.isdisjoint(parts) or any(pair in _PAIRS for pair in pairwise(parts))


_IN_URL = (
    r"(?P<lead>\b[A-Za-z][A-Za-z0-9+.-]{0,30}:/{2}[^\s/:@'\"<>*]{0,200}:)"
    r"(?P<value>[^\s/@'\"<>]{1,500}(?:@[^\s/@'\"<>.]{1,200}(?=@))?)(?=@[\w\[])"
)
_NAMED = (
    r"(?P<lead>[\"']?\b(?:[A-Za-z0-9]+[_-])*(?:password|passwd|secret|api[_-]?key|access[_-]?key|private[_-]?key|auth[_-]?token|access[_-]?token)"
    r"[\"']?\s{0,3}[=:]\s{0,3}[\"'])(?P<value>[^\"'\s${}<%*][^\"'\s]{3,500})(?=[\"'])"
)

SECRET_PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("password in a URL", re.compile(_IN_URL)),
    (
        "private key",
        re.compile(
            r"(?P<value>-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----"
            r"[\s\S]{0,20000}?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----|\Z))"
        ),
    ),
    ("bearer token", re.compile(r"(?P<lead>\b(?:[Bb]earer|BEARER)\s{1,3})(?P<value>[A-Za-z0-9._~+/-]{16,4000}={0,2})")),
    (
        "basic credentials",
        re.compile(
            r"(?i)(?P<lead>\bauthorization\b[\"']?\s{0,3}[:=]\s{0,3}[\"']?basic\s{1,3})(?P<value>[a-z0-9+/]{8,2000}={0,2})"
        ),
    ),
    ("AWS key", re.compile(r"(?P<value>(?<![A-Za-z0-9/+])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9/+=]))")),
    ("GitHub token", re.compile(r"(?P<value>\b(?:gh[pousr]_[A-Za-z0-9]{30,255}|github_pat_[A-Za-z0-9_]{30,255}))")),
    ("GitLab token", re.compile(r"(?P<value>\bglpat-[A-Za-z0-9_-]{20,64})")),
    ("Slack token", re.compile(r"(?P<value>\bxox[abeoprs]-[A-Za-z0-9-]{10,250})")),
    ("Stripe key", re.compile(r"(?P<value>\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,128})")),
    ("Google key", re.compile(r"(?P<value>\bAIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-]))")),
    ("API key", re.compile(r"(?P<value>\bsk-(?=[\w-]*\d)(?=[\w-]*[A-Z])[A-Za-z0-9_-]{36,256})")),
    ("JSON web token", re.compile(r"(?P<value>\beyJ[A-Za-z0-9_-]{8,2000}\.eyJ[A-Za-z0-9_-]{8,8000}\.[A-Za-z0-9_-]{8,2000})")),
    ("secret in an assignment", re.compile(_NAMED, re.IGNORECASE)),
)
"""What looks like a secret wherever it stands; each has a group ``value``, and perhaps a ``lead`` that stays."""

_HINTS: Mapping[str, re.Pattern[str]] = {
    # Each pattern is slow to look for, and most texts hold none: these begin with fixed characters, which makes them fast to look
    # for, and wherever a pattern is found its hint is, too.
    "password in a URL": re.compile(r":/{2}[^\s/:@'\"<>*]{0,200}:[^\s/@'\"<>]"),
    "private key": re.compile("-----BEGIN "),
    "AWS key": re.compile("A(?:KIA|SIA)"),
    "GitHub token": re.compile("gh[pousr]_|github_pat_"),
    "GitLab token": re.compile("glpat-"),
    "Slack token": re.compile("xox"),
    "Stripe key": re.compile("k_(?:live|test)_"),
    "Google key": re.compile("AIza"),
    "API key": re.compile("sk-"),
    "JSON web token": re.compile("eyJ"),
}
_ASSIGNED = r"[\"']?\s{0,3}[=:]\s{0,3}[\"']"
_FOLDED_HINTS: Mapping[str, tuple[re.Pattern[str], ...]] = {
    # the same, to be looked for in the text with its case folded: a pattern that ignores case is many times slower
    "bearer token": (re.compile(r"bearer\s"),),
    "basic credentials": (re.compile(r"basic\s"),),
    "secret in an assignment": tuple(
        re.compile(f"{word}{_ASSIGNED}") for word in ("passwd", "password", "secret", "key", "token")
    ),
}


def _may_hold(kind: str, text: str, folded: str) -> bool:
    """Return whether a text may hold a kind of secret.

    Args:
        kind: Of ``SECRET_PATTERNS``.
        text: The text.
        folded: The text with its case folded.
    """
    if kind in _HINTS:
        return _HINTS[kind].search(text) is not None
    return any(hint.search(folded) for hint in _FOLDED_HINTS[kind])


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _leaves(item)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for item in value:
            yield from _leaves(item)
    elif value is not None and not isinstance(value, bool):
        yield str(value)


def _named(values: Mapping[str, Any], extra: frozenset[str]) -> Iterator[str]:
    """Yield the values under secret names, at whatever depth, and the passwords inside URLs under any name."""
    for name, value in values.items():
        if is_secret_name(str(name), extra):
            yield from _leaves(value)
        elif isinstance(value, Mapping):
            yield from _named(value, extra)
        else:
            yield from (found for leaf in _leaves(value) for found in _url_passwords(leaf))


def _url_passwords(text: str) -> Iterator[str]:
    if "://" in text:
        for match in SECRET_PATTERNS[0][1].finditer(text):
            yield match["value"]
            yield unquote(match["value"])


def _worth_hiding(value: str) -> bool:
    return _SHORTEST <= len(value) <= _LONGEST and value.lower() not in _TRIVIAL and len(set(value)) > 1


def collect_secrets(
    parameters: Mapping[str, Any], environ: Mapping[str, str], extra_names: Iterable[str] = ()
) -> tuple[str, ...]:
    """Return the secret values that must appear nowhere, the longest first.

    Args:
        parameters: The pipeline's and the tasks' parameters, nested as they come.
        environ: Environment variables of the process.
        extra_names: Names that are secret in this project beside those that :func:`is_secret_name` knows.

    Returns:
        Values of 6 characters or more under secret names, and passwords inside URLs. Shorter ones would hide half a text; they
        are still masked where they stand under their name.
    """
    extra = frozenset(extra_names)
    found = {value.strip() for values in (parameters, environ) for value in _named(values, extra)}
    return tuple(sorted(filter(_worth_hiding, found), key=lambda value: (-len(value), value)))


def _forms(secret: str) -> set[str]:
    """Return a secret as it looks in JSON, HTML, a URL and a Python literal."""
    escaped = {
        secret,
        html.escape(secret),
        html.escape(secret, quote=False),
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
    }
    escaped |= {repr(secret)[1:-1], json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    escaped |= {json.dumps(form, ensure_ascii=False)[1:-1] for form in (html.escape(secret), json.dumps(secret)[1:-1])}
    escaped |= {line.strip() for line in secret.splitlines()}  # a key of several lines may be printed line by line
    return {form for form in escaped if len(form) >= _SHORTEST and form not in MASK * len(form)}


class SecretMask:
    """Finds and masks secret values, in all forms in which a text may hold them.

    Args:
        secrets: Values, as :func:`collect_secrets` returns them.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets if _worth_hiding(secret) for form in _forms(secret)}
        ordered = sorted(forms, key=lambda form: (-len(form), form))
        self._values = re.compile("|".join(map(re.escape, ordered))) if ordered else None
        self._bytes = tuple(form.encode("utf-8", "surrogatepass") for form in ordered)

    def find(self, text: str) -> Iterator[tuple[int, int, str]]:
        """Yield start, end and kind of every secret in ``text``; spans may overlap."""
        if self._values is not None:
            for match in self._values.finditer(text):
                yield match.start(), match.end(), "secret value"
        folded = text.casefold()
        for kind, pattern in SECRET_PATTERNS:
            if not _may_hold(kind, text, folded):
                continue
            for match in pattern.finditer(text):
                if match["value"].strip("*"):
                    yield match.start("value"), match.end("value"), kind

    def in_bytes(self, data: bytes) -> bool:
        """Say whether a secret value stands in bytes that are no text, such as a picture's metadata."""
        return any(form in data for form in self._bytes)

    def mask(self, text: str) -> str:
        """Return ``text`` with every secret replaced by ``***``, also where it is escaped."""
        return replace_spans(text, ((start, end, MASK) for start, end, _ in find_through(text, self.find)))


def replace_spans(text: str, spans: Iterable[tuple[int, int, str]]) -> str:
    """Replace parts of a text; of parts that overlap the union is replaced once, by what the first (and longest) one says.

    >>> replace_spans("abcdef", [(1, 3, "-"), (2, 4, "+")])
    'a-ef'
    """
    pieces: list[str] = []
    last = 0
    pending: tuple[int, int, str] | None = None
    for start, end, new in sorted(spans, key=lambda span: (span[0], -span[1])):
        if pending and start < pending[1]:
            pending = (pending[0], max(pending[1], end), pending[2])
            continue
        if pending:
            pieces += [text[last : pending[0]], pending[2]]
            last = pending[1]
        pending = (start, end, new)
    if pending:
        pieces += [text[last : pending[0]], pending[2]]
        last = pending[1]
    return "".join([*pieces, text[last:]]) if pieces else text
