"""Records of :mod:`nbops.model` to plain values and back, driven by the type hints of their fields."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from nbops.model import ColumnEdge
from nbops.record.edges import edges_from, rows_of
from nbops.record.plain import clean_text, plain, round_number

__all__ = ["decode", "encode", "field_types"]

_SECONDS_DECIMALS = 3
_NUMBERS = (float, float | None)
_EDGES = tuple[ColumnEdge, ...]


@cache
def field_types(kind: type) -> dict[str, tuple[Field[Any], Any]]:
    """Return the fields of a record type and their resolved types, by name."""
    hints = get_type_hints(kind)
    return {item.name: (item, hints[item.name]) for item in fields(kind)}


def encode(record: Any) -> dict[str, Any]:
    """Return a record as plain values; fields that hold their default, None or nothing and have a default are left out.

    Args:
        record: An instance of one of the dataclasses of :mod:`nbops.model`.
    """
    found: dict[str, Any] = {}
    kind: type = type(record)
    for name, encoded, optional, default in _encoders(kind):
        value = encoded(getattr(record, name))
        if optional:
            empty = value is None or value == "" or (isinstance(value, (dict, list)) and not value)
            if empty or (type(value) is type(default) and value == default):
                continue
        found[name] = value
    return found


@cache
def _encoders(kind: type) -> tuple[tuple[str, Callable[[Any], Any], bool, Any], ...]:
    """Return of each field of a record its name, what makes its value plain, whether it has a default, and that default."""
    return tuple(
        (
            name,
            _encoder(name, hint),
            item.default is not MISSING or item.default_factory is not MISSING,
            item.default,
        )
        for name, (item, hint) in field_types(kind).items()
    )


def _encoder(name: str, hint: Any) -> Callable[[Any], Any]:
    if hint in _NUMBERS:
        decimals = _SECONDS_DECIMALS if name == "seconds" else None
        return lambda value: _finite(value, decimals=decimals)
    if hint == tuple[float, ...]:
        return lambda value: None if value is None else [number for item in value if (number := _finite(item)) is not None]
    if name == "arguments":  # pairs; as an object they read better in a diff
        return lambda value: None if value is None else plain(dict(value))
    if get_origin(hint) is tuple and is_dataclass(get_args(hint)[0]):
        rows = rows_of if hint == _EDGES else lambda value: [encode(item) for item in value]
        return lambda value: None if value is None else rows(value)
    return _plain


def _plain(value: Any) -> Any:
    if value is None or type(value) is bool or (type(value) is str and value.isascii()):
        return value  # most values
    return encode(value) if is_dataclass(value) else plain(value)


def _finite(value: Any, *, decimals: int | None = None) -> float | None:
    """Return a number as the ledger holds it; of one that is not finite there is nothing to say."""
    rounded = round_number(float(value), decimals=decimals) if value is not None else None
    return rounded if isinstance(rounded, float) else None


def _frozen(value: Any) -> Any:
    """Return plain JSON values with tuples for lists, as the records hold them."""
    if isinstance(value, str):
        return value if value.isascii() else clean_text(value)
    if isinstance(value, list):
        return tuple(_frozen(item) for item in value)
    if isinstance(value, dict):
        return {key: _frozen(item) for key, item in value.items()}
    return value


def decode(kind: type, data: Mapping[str, Any]) -> Any:
    """Return the record of type ``kind`` that ``data`` describes; keys that it does not know are passed over.

    Args:
        kind: A dataclass of :mod:`nbops.model`.
        data: Plain values that agree with the schema of the ledger.

    Raises:
        TypeError: A field without a default is missing.
    """
    found: dict[str, Any] = {}
    for name, decoder in _decoders(kind):
        if name in data:
            if decoder is None:
                found[name] = edges_from(data[name], str(data.get("task", "")))
            else:
                found[name] = decoder(data[name])
    return kind(**found)


@cache
def _decoders(kind: type) -> tuple[tuple[str, Callable[[Any], Any] | None], ...]:
    """Return what reads each field of a record; None for edges, which depend on another field."""
    return tuple(
        (name, None if hint == _EDGES else _pairs if name == "arguments" else _decoder(hint))
        for name, (_, hint) in field_types(kind).items()
    )


def _pairs(value: Any) -> Any:
    return tuple(sorted(_frozen(value).items()))


@cache
def _decoder(hint: Any) -> Callable[[Any], Any]:
    origin, arguments = get_origin(hint), get_args(hint)
    if is_dataclass(hint):
        return lambda value: decode(hint, value)  # type: ignore[arg-type]
    if origin is tuple and is_dataclass(arguments[0]):
        record: type = arguments[0]  # type: ignore[assignment]
        return lambda value: tuple(decode(record, item) for item in value)
    if origin in (Union, types.UnionType):
        return _union_decoder(arguments)
    if hint is float:
        return float
    if hint == tuple[float, ...]:
        return lambda value: tuple(float(item) for item in value)
    return _frozen


def _union_decoder(arguments: tuple[Any, ...]) -> Callable[[Any], Any]:
    kinds = [item for item in arguments if item is not type(None)]
    if len(kinds) == 1 and get_origin(kinds[0]) is not Literal:
        inner = _decoder(kinds[0])
        return lambda value: None if value is None else inner(value)
    return _frozen
