"""Edits of a YAML text that leave every other byte alone: comments, order, quotes and layout stay as people wrote them.

A document is composed for the places of its nodes; what changes is cut out and put in by place. The result is read back and must
say exactly what was meant, else the edit is refused: anchors that other places use, or a layout that was not foreseen, are left
to a text editor and never guessed at.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from nbops.contract.yamlemit import emit_entry, emit_flow, emit_item, emit_scalar
from nbops.contract.yamlfile import parse_yaml
from nbops.errors import ContractError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Path", "has", "put", "remove", "same", "value_at"]

Path = tuple["str | int", ...]
"""Keys of mappings and places in lists, from the top."""
_BLOCK = frozenset({"|", ">"})


def put(text: str, path: Path, value: Any, *, order: Sequence[str] = (), shown: str = "the file") -> str:
    r"""Return a text in which a value stands at a path; mappings on the way that are not there are made.

    Args:
        text: One YAML document.
        path: Where; a place in a list may be one beyond its last item, which appends.
        value: Text, number, flag, None, or lists and mappings of these.
        order: Keys in the order in which they are usually written: tells where a new one goes.
        shown: The file in messages.

    Raises:
        ContractError: The text is no YAML, or the edit cannot be made without touching something else.

    >>> put("a: 1  # one\nb: 'x'\n", ("b",), "y")
    "a: 1  # one\nb: 'y'\n"
    """
    document = parse_yaml(text, shown=shown)
    wanted = _with(document, path, value)
    if has(document, path) and same(value_at(document, path), value):
        return text
    return _verified(text, path, wanted, lambda: _put(text, document, path, value, order), shown=shown)


def remove(text: str, path: Path, *, shown: str = "the file") -> str:
    r"""Return a text without a key or an item of a list; what is not there is not there already.

    Raises:
        ContractError: The text is no YAML, or the edit cannot be made without touching something else.

    >>> remove("a: 1\n# two\nb: 2\nc: 3\n", ("b",))
    'a: 1\n# two\nc: 3\n'
    """
    document = parse_yaml(text, shown=shown)
    if not has(document, path):
        return text
    wanted = _without(document, path)
    return _verified(text, path, wanted, lambda: _remove(text, wanted, path), shown=shown)


def has(document: Any, path: Path) -> bool:
    """Tell whether something (if only ``null``) stands at a path."""
    for part in path:
        if isinstance(part, int):
            if not isinstance(document, list) or not 0 <= part < len(document):
                return False
        elif not isinstance(document, dict) or part not in document:
            return False
        document = document[part]
    return True


def value_at(document: Any, path: Path) -> Any:
    """Return what stands at a path, None where nothing does."""
    if not has(document, path):
        return None
    for part in path:
        document = document[part]
    return document


def same(one: Any, other: Any) -> bool:
    """Tell whether two plain values are the same, types included: 1 is neither 1.0 nor true.

    >>> same({"a": [1]}, {"a": [1]}), same(1, True), same(1, 1.0)
    (True, False, False)
    """
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other or (one != one and other != other))  # noqa: PLR0124 - NaN


def _unordered(one: Any, other: Any) -> bool:
    """As :func:`same`, with keys in any order."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_unordered(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_unordered, one, other))
    return same(one, other)


def _with(document: Any, path: Path, value: Any) -> Any:
    """Return a document with another value; only what is on the way is copied, so that aliases stay what they are."""
    if not path:
        return value
    head, rest = path[0], path[1:]
    if isinstance(head, int):
        items = list(document) if isinstance(document, list) else []
        if not 0 <= head <= len(items):
            raise ContractError(f"{_words(path)}: the list has {len(items)} items.")
        inner = items[head] if head < len(items) else None
        return [*items[:head], _with(inner, rest, value), *items[head + 1 :]]
    if document is not None and not isinstance(document, dict):
        raise ContractError(f"{_words(path)}: what holds it is no mapping of keys to values.")
    mapping = dict(document or {})
    mapping[head] = _with(mapping.get(head), rest, value)
    return mapping


def _without(document: Any, path: Path) -> Any:
    head, rest = path[0], path[1:]
    copied = list(document) if isinstance(document, list) else dict(document)
    if rest:
        copied[head] = _without(document[head], rest)  # type: ignore[index]
    else:
        del copied[head]  # type: ignore[arg-type]
    return copied


def _words(path: Path) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")[:200]


def _verified(text: str, path: Path, wanted: Any, edit: Any, *, shown: str) -> str:
    try:
        made: str = edit()
        if _unordered(parse_yaml(made, shown=shown), wanted):
            return made
    except (ContractError, LookupError, RecursionError):
        pass
    line = _line_of(text, path)
    raise ContractError(
        f"{shown}: line {line}: {_words(path)}: cannot be changed here without changing something else in the file "
        "(an anchor that is used elsewhere, or an unusual layout). Change it in a text editor."
    )


def _line_of(text: str, path: Path) -> int:
    chain = _chain(_compose(text), path)
    return text.count("\n", 0, chain[-1].start_mark.index) + 1 if chain else 1


# --- nodes and their places


def _compose(text: str) -> Any:
    from ruamel.yaml import YAML  # noqa: PLC0415 - only who edits pays for it

    return YAML(typ="safe", pure=True).compose(text)


def _pairs(node: Any) -> Iterator[tuple[Any, Any]]:
    yield from node.value


def _chain(node: Any, path: Path) -> list[Any]:
    """Return the nodes from the top down a path, as far as it goes."""
    found = [node] if node is not None else []
    for part in path:
        node = _child(node, part)
        if node is None:
            break
        found.append(node)
    return found


def _child(node: Any, part: str | int) -> Any:
    kind = getattr(node, "id", None)
    if kind == "sequence" and isinstance(part, int):
        return node.value[part] if part < len(node.value) else None
    if kind == "mapping" and isinstance(part, str):
        return next((value for key, value in _pairs(node) if key.id == "scalar" and key.value == part), None)
    return None


def _is_flow(node: Any) -> bool:
    return node.id != "scalar" and bool(node.flow_style)


def _end(text: str, node: Any, *, least: int = 0) -> int:
    """Return where the content of a node ends, without comments and blank lines behind it."""
    if node.start_mark.index < least:  # an alias stands here; the node is where its anchor is
        return _line_end(text, least)
    if node.id == "scalar" and node.style in _BLOCK:
        header = text[node.start_mark.index : _line_end(text, node.start_mark.index)]
        whole = text[: node.end_mark.index]
        return len(whole) if "+" in header.partition("#")[0] else len(whole.rstrip())
    if node.id == "scalar" or _is_flow(node) or not node.value:
        return int(node.end_mark.index)
    if node.id == "sequence":
        return _end(text, node.value[-1], least=node.start_mark.index)
    key, value = node.value[-1]
    return _end(text, value, least=key.start_mark.index)


def _line_end(text: str, index: int) -> int:
    """Return the index of the line break (or the text's end) at or after an index."""
    found = text.find("\n", index)
    return len(text) if found < 0 else found


def _line_start(text: str, index: int) -> int:
    return text.rfind("\n", 0, index) + 1


def _column(text: str, index: int) -> int:
    return index - _line_start(text, index)


def _break(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _layout(text: str) -> tuple[int, int]:
    """Return the indentation of mappings, and of the dashes of lists, that a text uses."""
    mapping = re.search(r"^( *)[\w.-]+:[ ]*(?:#.*)?\r?\n\1( +)[\w.'\"-]+:", text, flags=re.MULTILINE)
    dash = re.search(r"^( *)(?:- )?[\w.-]+:[ ]*(?:#.*)?\r?\n( *)- ", text, flags=re.MULTILINE)
    offset = max(0, len(dash[2]) - len(dash[1])) if dash is not None else 2
    return (len(mapping[2]) if mapping is not None else 2), (2 if offset >= 2 else 0)  # noqa: PLR2004


# --- putting


def _put(text: str, document: Any, path: Path, value: Any, order: Sequence[str]) -> str:
    top = _compose(text)
    if top is None:
        raise LookupError
    chain = _chain(top, path)
    flow = next((index for index, node in enumerate(chain) if _is_flow(node)), None)
    there = len(chain) == len(path) + 1
    if there and chain[-1].id == "scalar" and not isinstance(value, list | dict):
        return _put_scalar(text, chain, path, value, in_flow=flow is not None)
    if flow is not None:
        return _put_flow(text, chain[flow], value_at(_with(document, path, value), path[:flow]))
    if there:
        if isinstance(value, list) and chain[-1].id == "sequence":
            return _put_items(text, path, chain[-1], value_at(document, path), value)
        return _replace_entry(text, chain, path, value)
    depth = len(chain) - 1
    holder, rest = chain[-1], path[depth:]
    if holder.id == "scalar":  # `key:` with nothing behind it
        return _replace_entry(text, chain, path[:depth], value_at(_with(document, path, value), path[:depth]))
    inner = value_at(_with(document, path, value), path[: depth + 1])
    return _insert(text, holder, rest[0], inner, order=order)


def _put_scalar(text: str, chain: Sequence[Any], path: Path, value: Any, *, in_flow: bool) -> str:
    node = chain[-1]
    start, end = node.start_mark.index, node.end_mark.index
    if node.style in _BLOCK:
        end = _end(text, node)
    key_column = _column_of_key(chain, path)
    if start == end and isinstance(path[-1], str):  # nothing stands there; its place may be told as that of what comes next
        start = end = text.index(":", _entry(chain, path)[0].end_mark.index) + 1
    crowded = in_flow or bool(text[end : _line_end(text, end)].strip())  # a comment behind it cannot stand behind a block
    made = emit_scalar(value, style=node.style or "", flow=crowded, indent=key_column + _layout(text)[0], line_break=_break(text))
    if start == end:
        made = f" {made}"
    return text[:start] + made + text[end:]


def _column_of_key(chain: Sequence[Any], path: Path) -> int:
    if len(chain) < 2 or isinstance(path[-1], int):  # noqa: PLR2004
        return int(chain[-1].start_mark.column)
    return next((int(key.start_mark.column) for key, _ in _pairs(chain[-2]) if key.value == path[-1]), 0)


def _put_flow(text: str, node: Any, value: Any) -> str:
    """Write a flow collection anew, on one line."""
    start, end = node.start_mark.index, node.end_mark.index
    if re.search(r"\s#", text[start:end]):
        raise LookupError
    return text[:start] + emit_flow(value) + text[end:]


def _entry(chain: Sequence[Any], path: Path) -> tuple[Any, Any]:
    """Return key and value of the entry of a mapping that a path leads to."""
    return next((key, value) for key, value in _pairs(chain[-2]) if key.id == "scalar" and key.value == path[-1])


def _replace_entry(text: str, chain: Sequence[Any], path: Path, value: Any) -> str:
    if not path or isinstance(path[-1], int):
        raise LookupError
    key, node = _entry(chain, path)
    start = key.start_mark.index
    end = _end(text, node, least=start)
    made = emit_entry(
        text[start : key.end_mark.index], value, column=_column(text, start), layout=_layout(text), line_break=_break(text)
    )
    return text[:start] + made + text[end:]


def _insert(text: str, holder: Any, part: str | int, value: Any, *, order: Sequence[str]) -> str:
    if isinstance(part, int):
        return _insert_item(text, holder, part, value)
    return _insert_key(text, holder, part, value, order=order)


def _insert_key(text: str, node: Any, key: str, value: Any, *, order: Sequence[str]) -> str:
    rank = {name: number for number, name in enumerate(order)}
    before = 0
    for index, (known, _) in enumerate(_pairs(node)):
        if rank.get(str(known.value), -1) <= rank.get(key, len(rank)):
            before = index
    last, at = list(_pairs(node))[before]
    end = _line_end(text, _end(text, at, least=last.start_mark.index))
    column = int(node.value[0][0].start_mark.column)
    made = emit_entry(emit_scalar(key), value, column=column, layout=_layout(text), line_break=_break(text))
    return _insert_lines(text, end, f"{' ' * column}{made}")


def _insert_lines(text: str, end: int, lines: str) -> str:
    """Put lines behind the line that ends at an index."""
    if text[end - 1 : end] == "\r":
        end -= 1
    return f"{text[:end]}{_break(text)}{lines}{text[end:]}"


def _insert_item(text: str, node: Any, index: int, value: Any) -> str:
    column = _dash_column(text, node.value[0])
    made = " " * column + emit_item(value, column=column, layout=_layout(text), line_break=_break(text))
    if index == 0:
        start = _line_start(text, node.value[0].start_mark.index)
        return f"{text[:start]}{made}{_break(text)}{text[start:]}"
    before = node.value[index - 1]
    return _insert_lines(text, _line_end(text, _end(text, before, least=node.start_mark.index)), made)


def _dash_column(text: str, item: Any) -> int:
    start = _line_start(text, item.start_mark.index)
    before = text[start : item.start_mark.index]
    if before.strip() != "-":
        raise LookupError
    return before.index("-")


def _put_items(text: str, path: Path, node: Any, old: list[Any], new: list[Any]) -> str:
    """Change a list item by item, so that the others keep their comments."""
    kept = [item for item in old if any(same(item, other) for other in new)]
    in_order = [item for item in new if any(same(item, other) for other in old)]
    if not kept or not same(kept, in_order) or not new:
        if not old or not new or node.value[0].start_mark.line == node.start_mark.line - 1:
            raise LookupError
        return _replace_items(text, node, new)
    for index in reversed([index for index, item in enumerate(old) if not any(same(item, other) for other in new)]):
        text = _remove_item(text, _chain(_compose(text), path)[-1], index)
    for index, item in enumerate(new):
        if not any(same(item, other) for other in old):
            text = _insert_item(text, _chain(_compose(text), path)[-1], index, item)
    return text


def _replace_items(text: str, node: Any, new: list[Any]) -> str:
    column = _dash_column(text, node.value[0])
    lines = [emit_item(item, column=column, layout=_layout(text), line_break=_break(text)) for item in new]
    start = _line_start(text, node.value[0].start_mark.index) + column
    return text[:start] + f"{_break(text)}{' ' * column}".join(lines) + text[_end(text, node) :]


# --- removing


def _remove(text: str, wanted: Any, path: Path) -> str:
    chain = _chain(_compose(text), path)
    if len(chain) != len(path) + 1:  # merged in from elsewhere
        raise LookupError
    flow = next((index for index, node in enumerate(chain[:-1]) if _is_flow(node)), None)
    if flow is not None:
        return _put_flow(text, chain[flow], value_at(wanted, path[:flow]))
    holder = chain[-2]
    if len(holder.value) == 1:
        if len(path) == 1:
            raise LookupError
        if isinstance(path[-2], int):
            return f"{text[: holder.start_mark.index]}{emit_flow(value_at(wanted, path[:-1]))}{text[_end(text, holder) :]}"
        return _replace_entry(text, chain[:-1], path[:-1], value_at(wanted, path[:-1]))
    if isinstance(path[-1], int):
        return _remove_item(text, holder, path[-1])
    return _remove_key(text, holder, path[-1])


def _remove_item(text: str, node: Any, index: int) -> str:
    item = node.value[index]
    _dash_column(text, item)
    start = _line_start(text, item.start_mark.index)
    end = _line_end(text, _end(text, item, least=node.start_mark.index))
    return text[:start] + text[end + 1 :]


def _remove_key(text: str, node: Any, name: str) -> str:
    pairs = list(_pairs(node))
    at = next(index for index, (key, _) in enumerate(pairs) if key.id == "scalar" and key.value == name)
    key, value = pairs[at]
    start = key.start_mark.index
    line = _line_start(text, start)
    end = _line_end(text, _end(text, value, least=start))
    if not text[line:start].strip():
        return text[:line] + text[end + 1 :]
    following = pairs[at + 1][0].start_mark.index  # the first key of an item stands behind its dash
    between = text[end + 1 : _line_start(text, following)]
    if between.strip():
        return text[:start].rstrip(" ") + _break(text) + text[end + 1 :]
    return text[:start] + text[following:]
