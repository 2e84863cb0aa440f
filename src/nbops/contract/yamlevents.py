"""A quick reader of YAML, for documents about whose meaning there is no doubt.

libyaml, through PyYAML, tells what stands in a contract in a thirtieth of the time that ruamel.yaml takes, which is pure Python.
But it knows YAML 1.1 only, in which ``no`` and ``on`` are booleans and ``1:30`` is a number. So what it tells is used as long as
YAML 1.1 and 1.2 agree; where a document holds anything else (tags, anchors, dates, tabs, a key given twice, a mistake), this
reader has no answer.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["UNSURE", "quickly"]

UNSURE: Any = object()
"""The answer where there is none."""

_UNUSUAL_ASCII = re.compile("[^\n -~]")
"""Tabs and control characters."""
_INTEGER = re.compile("-?(?:0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"-?(?:0|[1-9][0-9]{0,8})\.[0-9]{1,9}")
_VERSION = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9}){2,3}")
_NUMBER_OR_TIME = re.compile("[-+0-9.:_ a-fA-FxXoOtTzZ]*")
_TELLING = re.compile("[-+.=<>~?:,@`|&*!%{}\"'#\\[\\]]")
"""Beginnings of plain text that are, or may be, something else."""
_CONSTANTS = {"true": True, "false": False, "null": None, "~": None, "": None}
_WORDS = frozenset({"true", "false", "null"})
_SLOPPY = re.compile("[|>][-+0-9]*#|\n +\n")
"""What only libyaml finds right: a block that begins with a comment, or with a line of fewer spaces."""
_IN_FLOW = re.compile("[:?#]")
_DEEPEST = 50


@cache  # takes long to compile, and most contracts are all ASCII
def _unusual() -> re.Pattern[str]:
    """Return what finds those, and what ends a line in one of the versions only."""
    return re.compile("[^\n -~\u00a0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


class _UnsureError(Exception):
    """Something that the versions, or the readers, may understand in different ways."""


def quickly(text: str) -> Any:
    """Return the plain values of a YAML document, as YAML 1.2 has it, or :data:`UNSURE`.

    Args:
        text: The document.
    """
    try:
        import yaml  # noqa: PLC0415 - what is remembered need not be parsed
        from yaml import CLoader  # noqa: PLC0415 - not there where libyaml is not
    except ImportError:
        return UNSURE
    if (_UNUSUAL_ASCII if text.isascii() else _unusual()).search(text) or _SLOPPY.search(text):
        return UNSURE
    try:
        return _document(yaml.parse(text, Loader=CLoader))
    except (yaml.YAMLError, _UnsureError):
        return UNSURE


class _Builder:
    """Puts together what the events of one document, https://yaml.org/spec/1.2.2/#31-processes, tell of."""

    def __init__(self) -> None:
        self.documents: list[Any] = []
        self._open: list[tuple[dict[str, Any] | list[Any], bool]] = []
        """Mappings and lists that have begun, and whether they are written with brackets."""
        self._keys: list[Any] = []
        """The last key of each, as long as its value is awaited."""

    def take(self, event: Any) -> None:
        """Take the next event."""
        kind = type(event).__name__
        if kind == "ScalarEvent":
            self._put(_scalar(event, in_flow=bool(self._open) and self._open[-1][1]))
        elif kind in {"MappingStartEvent", "SequenceStartEvent"}:
            if event.anchor or event.tag or len(self._open) >= _DEEPEST:
                raise _UnsureError
            self._open.append(({} if kind == "MappingStartEvent" else [], bool(event.flow_style)))
            self._keys.append(UNSURE)
        elif kind in {"MappingEndEvent", "SequenceEndEvent"}:
            self._keys.pop()
            self._put(self._open.pop()[0])
        elif kind == "AliasEvent" or (kind == "DocumentStartEvent" and (event.version or event.tags)):
            raise _UnsureError

    def _put(self, value: Any) -> None:
        if not self._open:
            self.documents.append(value)
            return
        inside, key = self._open[-1][0], self._keys[-1]
        if isinstance(inside, list):
            inside.append(value)
        elif key is not UNSURE:
            inside[key] = value
            self._keys[-1] = UNSURE
        elif isinstance(value, str) and value not in inside:
            self._keys[-1] = value
        else:
            raise _UnsureError


def _document(events: Iterable[Any]) -> Any:
    builder = _Builder()
    for event in events:
        builder.take(event)
    if len(builder.documents) != 1 or not isinstance(builder.documents[0], dict | list):
        raise _UnsureError
    return builder.documents[0]


def _scalar(event: Any, *, in_flow: bool) -> Any:
    if event.anchor or event.tag:
        raise _UnsureError
    text: str = event.value
    if not event.implicit[0]:  # quoted, or a block
        return text
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    may_be_number = not _VERSION.fullmatch(text) and text[0].isdigit() and _NUMBER_OR_TIME.fullmatch(text)
    if may_be_number or _TELLING.match(text) or text.casefold() in _WORDS:
        raise _UnsureError
    if in_flow and _IN_FLOW.search(text):
        raise _UnsureError
    return text
