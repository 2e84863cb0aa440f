"""What was typed into a field, as a value for the pipeline; and what is wrong with it, in words for people."""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbops.widgets.parameters import Field

__all__ = ["is_date", "shown_as", "value_of", "wrong_with"]

_INTEGER = re.compile(r"[-+]?\d+(?:[_,]\d{3})*|[-+]?\d[\d_]*")
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}")
_LONGEST = 20_000  # characters that are typed
_DIGITS = 300
_SHOWN = 12
_QUOTED = 60


def is_date(value: Any) -> bool:
    """Return whether a value is a day written as ``YYYY-MM-DD``."""
    if not isinstance(value, str) or not _ISO.fullmatch(value):
        return False
    try:
        dt.date.fromisoformat(value)
    except ValueError:
        return False
    return True


def shown_as(field: Field, value: Any) -> Any:
    """Return a value as its control holds it: true or false of a check box, else text."""
    if field.kind == "bool" and not field.optional:
        return bool(value)
    if value is None and field.kind != "json":
        return ""
    if isinstance(value, str) and field.kind not in {"list", "dict", "json"}:
        return value
    return json.dumps(value, ensure_ascii=False) if not isinstance(value, float) or math.isfinite(value) else str(value)


def value_of(field: Field, raw: Any) -> Any:
    """Return the value that was typed.

    Args:
        field: The field.
        raw: What its control holds.

    Raises:
        ValueError: It is none; says what is wrong and what is allowed.
    """
    value = _read(field, raw)
    if problem := wrong_with(field, value):
        raise ValueError(problem)
    return value


def _read(field: Field, raw: Any) -> Any:
    if isinstance(raw, bool) and field.kind == "bool":
        return raw
    if not isinstance(raw, str):
        raise ValueError("a text is needed.")  # noqa: TRY004 - what was typed is wrong, not the program
    if len(raw) > _LONGEST:
        raise ValueError(f"at most {_LONGEST:,} characters; these are {len(raw):,}.")
    _refuse_unwritable(raw)
    text = raw.strip()
    if field.choices:
        return _chosen(field, raw)
    if field.optional and not text and field.kind != "json":
        return "" if field.value == "" else None
    return _READERS.get(field.kind, _json)(field, raw if field.kind in {"str", "path"} else text)


def _same(_: Field, text: str) -> str:
    return text


def _date(_: Field, text: str) -> str:
    if not is_date(text):
        raise ValueError(f"no date: {_short(text)}. Write YYYY-MM-DD, as in 2026-01-31.")
    return text


def _bool(_: Field, text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        raise ValueError("true or false is needed.")
    return text.lower() == "true"


def _refuse_unwritable(raw: str) -> None:
    if "\0" in raw:
        raise ValueError("holds a NUL character, which no notebook's source can hold.")
    try:
        raw.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("holds half a character (a lone surrogate), which cannot be written to a file.") from None


def _chosen(field: Field, raw: str) -> Any:
    """Return the allowed value that a control shows so."""
    if field.kind == "list":
        return _json(field, raw.strip())
    if field.optional and not raw:
        return None
    for choice in field.choices:
        if shown_as(field, choice) == raw:
            return choice
    raise ValueError(f"{_short(raw)} is not allowed{_by(field)}. Allowed: {_listed(field)}.")


def _number(field: Field, text: str) -> int | float:
    if field.kind == "int":
        if not _INTEGER.fullmatch(text) or len(text) > _DIGITS:
            raise ValueError(f"no whole number: {_short(text)}.")
        return int(text.replace("_", "").replace(",", ""))
    try:
        number = float(text.replace("_", ""))
    except ValueError:
        raise ValueError(f"no number: {_short(text)}.") from None
    if not math.isfinite(number):
        raise ValueError(f"no finite number: {_short(text)}.")
    return number


def _json(field: Field, text: str) -> Any:
    def refuse(word: str) -> Any:
        raise ValueError(f"{word} is no JSON.")

    try:
        value = json.loads(text, parse_constant=refuse)
    except json.JSONDecodeError as error:
        hint = " JSON has double quotes." if "'" in text else ""
        raise ValueError(f"no JSON: {error.msg}, line {error.lineno}, character {error.colno}.{hint}") from None
    except RecursionError:
        raise ValueError("no JSON: nested too deeply.") from None
    expected = {"list": list, "dict": dict}.get(field.kind)
    if expected is not None and not isinstance(value, expected):
        shape = "[...]" if field.kind == "list" else "{...}"
        raise ValueError(f"a {field.kind} is needed: {shape}.")
    return value


_READERS: dict[str, Callable[[Field, str], Any]] = {
    "str": _same,
    "path": _same,
    "date": _date,
    "bool": _bool,
    "int": _number,
    "float": _number,
}


def wrong_with(field: Field, value: Any) -> str | None:
    """Return what is wrong with a value of the right type, None when it is allowed."""
    if value is None:
        return None if field.optional or field.kind == "json" else "a value is needed."
    if field.kind == "list" and isinstance(value, list):
        problems = ((number, _one(field, item)) for number, item in enumerate(value, 1))
        return next((f"item {number}: {problem}" for number, problem in problems if problem), None)
    return _one(field, value)


def _one(field: Field, value: Any) -> str | None:
    if field.choices and value not in field.choices:
        return f"{_short(str(value))} is not allowed{_by(field)}. Allowed: {_listed(field)}."
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if field.minimum is not None and value < field.minimum:
            return f"must be at least {field.minimum:,}{_by(field)}."
        if field.maximum is not None and value > field.maximum:
            return f"must be at most {field.maximum:,}{_by(field)}."
    if isinstance(value, str):
        return _text(field, value)
    return None


def _text(field: Field, value: str) -> str | None:
    fewest, most = field.lengths
    if fewest is not None and len(value) < fewest:
        return f"must have at least {fewest} characters{_by(field)}; these are {len(value)}."
    if most is not None and len(value) > most:
        return f"must have at most {most} characters{_by(field)}; these are {len(value)}."
    if field.pattern is not None:
        from nbops.contract.syntax import matches  # noqa: PLC0415 - loads DuckDB

        if not matches(field.pattern, value):
            return f"{_short(value)} does not match {field.pattern}{_by(field)}."
    return None


def _by(field: Field) -> str:
    return f" by the contract of {field.origin}" if field.origin else ""


def _listed(field: Field) -> str:
    shown = [str(choice) for choice in field.choices[:_SHOWN]]
    more = len(field.choices) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _short(text: str) -> str:
    return repr(text if len(text) <= _QUOTED else text[: _QUOTED - 1] + "…")
