"""Texts and paths: what their methods return when they are known."""

from __future__ import annotations

import os
import posixpath
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nbops.lineage.code.machine import MISSING, Machine
from nbops.lineage.code.values import Bound, Const, Seq, Taint, Text, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nbops.lineage.code.expressions import Arguments

__all__ = ["path_attribute", "path_function", "text_method"]

_LONGEST = 1_000_000
_PURE = frozenset(
    "upper lower title capitalize casefold swapcase strip lstrip rstrip replace split rsplit splitlines partition "
    "rpartition join startswith endswith format zfill removeprefix removesuffix count find index isdigit isalpha "
    "isidentifier strftime isoformat date items keys values get as_posix".split()
)


def _stem(text: str) -> str:
    return posixpath.splitext(posixpath.basename(text))[0]


_PATH_PARTS: Mapping[str, Callable[[str], str]] = {
    "parent": lambda text: posixpath.dirname(text) or ".",
    "name": posixpath.basename,
    "stem": _stem,
    "suffix": lambda text: posixpath.splitext(text)[1],
}


def path_attribute(machine: Machine, value: Const | Text, name: str) -> Value:
    """Return ``path.parent`` and such, or a method."""
    if value.path and name in _PATH_PARTS:
        if isinstance(value, Const):
            return Const(_PATH_PARTS[name](str(value.value)), value.params, path=name == "parent")
        if name == "parent" and isinstance(value.parts[-1], str) and "/" in value.parts[-1]:
            return replace(value, parts=(*value.parts[:-1], value.parts[-1].rsplit("/", 1)[0]))
        return machine.unknown([value])
    return Bound(value, name)


def text_method(machine: Machine, value: Const | Text, name: str, args: Arguments) -> Value | None:
    """Return what a method of a text, a path or another plain value returns; None when it is not known."""
    if value.path or name in {"joinpath", "with_suffix", "with_name", "write_text", "read_text"}:
        found = _path_method(machine, value, name, args)
        if found is not None:
            return found
    if name == "format" and isinstance(value, Const) and isinstance(value.value, str):
        return _format(machine, value, args)
    if name == "join" and isinstance(value, Const) and args.pos:
        return _join(machine, value, args)
    if isinstance(value, Text):
        return _text_method(machine, value, name, args)
    plain = [machine.plain(argument) for argument in args.pos]
    keywords = {key: machine.plain(argument) for key, argument in args.kw.items()}
    if name not in _PURE or MISSING in plain or MISSING in keywords.values() or args.extra:
        return None
    if isinstance(value.value, str) and len(value.value) > _LONGEST:
        return None
    if name == "zfill" and not (plain and isinstance(plain[0], int) and plain[0] < 1000):
        return None
    if (
        name == "replace"
        and isinstance(value.value, str)
        and len(plain) > 1
        and len(str(plain[1])) * len(value.value) > 10 * _LONGEST
    ):
        return None
    params = value.params.union(*(machine.params(argument) for argument in args.all()))
    try:
        result = getattr(value.value, name)(*plain, **keywords)
    except Exception:  # noqa: BLE001 - what the notebook's own constants raise is theirs
        return None
    return _wrapped(machine, result, params)


def _wrapped(machine: Machine, result: Any, params: frozenset[str]) -> Value:
    if isinstance(result, (list, tuple)):
        kind = "list" if isinstance(result, list) else "tuple"
        return machine.new(Seq(tuple(Const(item, params) for item in result), kind=kind))
    return Const(result, params)


def _text_method(machine: Machine, value: Text, name: str, args: Arguments) -> Value | None:
    if name in {"strip", "lower", "upper", "lstrip", "rstrip"}:
        change = {"lower": str.lower, "upper": str.upper}.get(name, lambda text: text)
        return replace(value, parts=tuple(change(part) if isinstance(part, str) else part for part in value.parts))
    if name == "replace" and len(args.pos) >= 2:
        from nbops.lineage.code.expressions import text_of

        old = machine.plain(args.pos[0])
        if isinstance(old, str) and old:
            return text_of(machine, _replaced(value.parts, old, args.pos[1]), path=value.path)
    return None


def _replaced(parts: tuple[str | Value, ...], old: str, new: Value) -> list[Value | str]:
    found: list[Value | str] = []
    for part in parts:
        if not isinstance(part, str):
            found.append(part)
            continue
        pieces = part.split(old)
        for at, piece in enumerate(pieces):
            if at:
                found.append(new)
            found.append(piece)
    return found


def _format(machine: Machine, value: Const, args: Arguments) -> Value:
    from nbops.lineage.code.expressions import text_of

    parts: list[Value | str] = []
    counter = 0
    last = 0
    text = str(value.value)
    for found in re.finditer(r"\{\{|\}\}|\{(\w*)(?:![rs])?(?::[^{}]*)?\}", text):
        parts.append(text[last : found.start()])
        last = found.end()
        if found[0] in {"{{", "}}"}:
            parts.append(found[0][0])
            continue
        key = found[1]
        if key == "":
            key, counter = str(counter), counter + 1
        given = args.get(int(key)) if key.isdigit() else args.kw.get(key)
        if given is None:
            return machine.unknown([value, *args.all()])
        parts.append(given if machine.plain(given) is MISSING else Const(str(machine.plain(given)), machine.params(given)))
    parts.append(text[last:])
    return text_of(machine, [Const("", value.params), *parts])


def _join(machine: Machine, value: Const, args: Arguments) -> Value | None:
    from nbops.lineage.code.expressions import text_of

    items = machine.items(args.pos[0])
    if items is None:
        return None
    parts: list[Value | str] = []
    for at, item in enumerate(items):
        if at:
            parts.append(value)
        parts.append(item)
    return text_of(machine, parts)


def _path_method(machine: Machine, value: Const | Text, name: str, args: Arguments) -> Value | None:
    if name == "joinpath":
        return path_function(machine, "join", [value, *args.pos])
    if name in {"resolve", "absolute", "expanduser"}:
        return value
    if name in {"as_posix", "__str__"}:
        return replace(value, path=False)
    if name in {"with_suffix", "with_name", "with_stem"} and isinstance(value, Const) and args.pos:
        new = machine.plain(args.pos[0])
        if isinstance(new, str):
            head, tail = posixpath.split(str(value.value))
            stem, end = posixpath.splitext(tail)
            tail = {"with_suffix": stem + new, "with_name": new, "with_stem": new + end}[name]
            return replace(value, value=posixpath.join(head, tail), params=value.params | machine.params(args.pos[0]))
    if name in {"write_text", "write_bytes"}:
        machine.write_other(machine.path(value), f"pathlib.Path.{name}", machine.unknown(args.all()), value.params)
        return Taint()
    if name in {"read_text", "read_bytes"}:
        table = machine.read(machine.path(value), f"pathlib.Path.{name}", lib="file", params=value.params)
        return machine.unknown([machine.new(table)])
    if name in {"replace", "rename"} and args.pos and value.path:
        machine_rename(machine, value, args.pos[0])
        return args.pos[0]
    if name == "open":
        from nbops.lineage.code.plain import open_file

        return open_file(machine, value, args.get(0, "mode"))
    if name in {"glob", "rglob", "iterdir"}:
        pattern = machine.plain(args.pos[0]) if args.pos else "*"
        shown = pattern if isinstance(pattern, str) else "*"
        whole = Const(f"{machine.path(value)}/{shown}", value.params, path=True)
        return machine.new(Seq((whole,), exact=False))
    if name in {"mkdir", "unlink", "touch", "exists", "is_file", "is_dir", "chmod", "stat", "is_absolute"}:
        return Taint()
    return None


def machine_rename(machine: Machine, old: Value, new: Value) -> None:
    """A file gets another name: what was written to it was written to that."""
    before, after = machine.path(old), machine.path(new)
    params = machine.params(new)
    for written in machine.writes:
        if written.name == before:
            written.name = after
            written.params |= params
    for key, access in list(machine.accesses.items()):
        if access.name == before:
            del machine.accesses[key]
            machine.accesses[after, access.cell, access.call] = replace(access, name=after)


def path_function(machine: Machine, name: str, given: list[Value]) -> Value | None:
    """``os.path.join`` and such."""
    from nbops.lineage.code.expressions import text_of

    if name == "join":
        parts: list[Value | str] = []
        for value in given:
            plain = machine.plain(value)
            if isinstance(plain, str) and plain.startswith("/"):
                parts = []
            elif parts and not (isinstance(plain, str) and not plain):
                last = parts[-1]
                if not (isinstance(last, Const) and (str(last.value).endswith("/") or last.value == "")):
                    parts.append("/")
            parts.append(value)
        made = text_of(machine, parts)
        path = any(isinstance(value, (Const, Text)) and value.path for value in given)
        return replace(made, path=path) if isinstance(made, (Const, Text)) else made
    if not given:
        return None
    plain = machine.plain(given[0])
    functions: Mapping[str, Callable[[str], Any]] = {
        "basename": posixpath.basename,
        "dirname": posixpath.dirname,
        "abspath": str,
        "normpath": posixpath.normpath,
        "expanduser": str,
        "realpath": str,
        "splitext": posixpath.splitext,
        "split": posixpath.split,
    }
    if isinstance(plain, (str, os.PathLike)) and name in functions:
        return _wrapped(machine, functions[name](str(plain)), machine.params(given[0]))
    return None
