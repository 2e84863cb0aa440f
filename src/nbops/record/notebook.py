"""An executed notebook as it may be committed: scrubbed, and without what differs from run to run.

What goes: times, durations, paths and the state of widgets; random ids of cells (papermill, jupytext and nbformat draw them anew)
become ids made of the cell's content; what was printed in pieces is put together, of progress bars the last state stays, without
its speed; colours of tracebacks and addresses in memory. What stays: sources, outputs, execution counts, tags, parameters.

Pictures (PNG, JPEG, PDF) are not looked into: a plot that shows a personal value keeps showing it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from nbops.record.plain import clean_text, plain
from nbops.record.tables import is_personal_name, mask_html_tables, mask_text_tables

if TYPE_CHECKING:
    from nbops.record.scrub import Scrubber

__all__ = ["clean_notebook", "dump_notebook"]

_DROPPED_METADATA = frozenset({"widgets", "signature", "ploomber", "vscode", "toc", "execution", "collapsed", "scrolled"})
_LANGUAGE = ("name", "file_extension", "mimetype", "pygments_lexer", "nbconvert_exporter", "codemirror_mode")
_KERNEL = ("name", "display_name", "language")
_PAPERMILL = ("parameters", "exception", "status")
_PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp", "application/pdf")
_WIDGET = "application/vnd.jupyter.widget-view+json"
_NOTE = "An output of type {kind} was left out: it held values of personal columns."

_SPEED = re.compile(
    r"\[\d+:\d\d(?::\d\d)?<[^\]\n]{0,60}\]|\[\d+:\d\d(?::\d\d)?, [^\]\n]{0,60}\]"
)  # [00:01<00:00, 8.3it/s] of tqdm
_STYLER = re.compile(r"\bT_[0-9a-f]{5}(?=[_\"' {#]|$)")  # the random id of a styled frame
_ELEMENT_ID = re.compile(r"(?<=[\"'#])[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")  # of plots


def _text(value: Any) -> str:
    return "".join(map(str, value)) if isinstance(value, list) else str(value)


def _lines(text: str) -> list[str]:
    """Return a text as nbformat stores it, so that a diff goes by line."""
    return text.splitlines(keepends=True)


def _kept(metadata: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: metadata[name] for name in names if name in metadata}


def _overwritten(text: str) -> str:
    """Return what a terminal shows of a text with carriage returns: of each line the last state."""
    if "\r" not in text:
        return text
    lines = (line.rstrip("\r").rsplit("\r", 1)[-1] for line in text.replace("\r\n", "\n").split("\n"))
    return "\n".join(lines)


def _numbered(text: str) -> str:
    """Replace random ids of elements by numbers in order of appearance."""
    for pattern, form in ((_STYLER, "T_{:05x}"), (_ELEMENT_ID, "00000000-0000-4000-8000-{:012x}")):
        found = {name: form.format(number) for number, name in enumerate(dict.fromkeys(pattern.findall(text)))}
        if found:
            text = pattern.sub(lambda match, names=found: names[match.group()], text)  # type: ignore[misc]
    return text


def clean_notebook(nb: Mapping[str, Any], scrubber: Scrubber) -> dict[str, Any]:
    """Return an executed notebook as it may be committed.

    Args:
        nb: A notebook of nbformat 4 as plain values; it is not changed.
        scrubber: Knows what must go.

    Returns:
        A new notebook (nbformat 4.5); the same notebook gives the same one.
    """
    metadata = _metadata(nb.get("metadata", {}), scrubber)
    cells = [_cell(cell, scrubber) for cell in nb.get("cells", ())]
    taken: dict[str, int] = {}
    for cell in cells:
        digest = hashlib.sha256(f"{cell['cell_type']}\n{_text(cell['source'])}".encode()).hexdigest()[:12]
        taken[digest] = taken.get(digest, 0) + 1
        cell["id"] = digest if taken[digest] == 1 else f"{digest}-{taken[digest]}"
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def _metadata(metadata: Mapping[str, Any], scrubber: Scrubber) -> dict[str, Any]:
    kept = {name: value for name, value in metadata.items() if name not in _DROPPED_METADATA}
    for name, fields in (("language_info", _LANGUAGE), ("kernelspec", _KERNEL), ("papermill", _PAPERMILL)):
        if isinstance(kept.get(name), Mapping):
            kept[name] = _kept(kept[name], fields)
    scrubbed: dict[str, Any] = scrubber.value(kept)
    return scrubbed


def _cell(cell: Mapping[str, Any], scrubber: Scrubber) -> dict[str, Any]:
    kind = str(cell.get("cell_type", "raw"))
    found: dict[str, Any] = {
        "cell_type": kind,
        "metadata": _metadata(cell.get("metadata", {}), scrubber),
        "source": _lines(scrubber.text(_hide_assigned(_text(cell.get("source", "")), scrubber), numbers="telling")),
    }
    if kind == "code":
        count = cell.get("execution_count")
        found["execution_count"] = count if isinstance(count, int) else None
        found["outputs"] = [output for item in _joined(cell.get("outputs", ())) for output in _output(item, scrubber)]
    elif isinstance(cell.get("attachments"), Mapping):
        found["attachments"] = {scrubber.name(str(name)): plain(data) for name, data in sorted(cell["attachments"].items())}
    return found


_ASSIGNED = re.compile(
    r"^([ \t]*)([A-Za-z_]\w*)([ \t]*(?::[^=\n]+)?=[ \t]*)"
    r"([rbfu]{0,2}(?:\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*')|\d+)(?=[ \t]*(?:#.*)?$)",
    re.MULTILINE,
)


def _hide_assigned(source: str, scrubber: Scrubber) -> str:
    """Mask what a cell of parameters gives to a name that tells of a secret, also when it is too short to be looked for."""

    def hidden(match: re.Match[str]) -> str:
        if not scrubber.is_secret(match[2]) or match[4].strip("rbfu\"'") == "":
            return match.group()
        return f'{match[1]}{match[2]}{match[3]}"***"'

    return _ASSIGNED.sub(hidden, source)


def _joined(outputs: Any) -> Iterator[dict[str, Any]]:
    """Put together what was printed in pieces: where a stream is cut depends on timing."""
    pending: dict[str, Any] | None = None
    for output in outputs:
        item = dict(output)
        if item.get("output_type") == "stream":
            item["text"] = _text(item.get("text", ""))
            if pending is not None and pending.get("name") == item.get("name"):
                pending["text"] += item["text"]
                continue
        if pending is not None:
            yield pending
        pending = item if item.get("output_type") == "stream" else None
        if pending is None:
            yield item
    if pending is not None:
        yield pending


def _printed(text: str, scrubber: Scrubber) -> str:
    from nbops.record.scrub import steady_text  # noqa: PLC0415  (that module needs this one)

    shown = _SPEED.sub("[...]", _overwritten(steady_text(clean_text(text))))
    return scrubber.text(mask_text_tables(shown, scrubber.personal_columns))


def _output(output: Mapping[str, Any], scrubber: Scrubber) -> list[dict[str, Any]]:
    kind = output.get("output_type")
    if kind == "stream":
        name = str(output.get("name", "stdout"))
        return [{"name": name, "output_type": "stream", "text": _lines(_printed(output["text"], scrubber))}]
    if kind == "error":
        return [_error(output, scrubber)]
    if kind not in {"display_data", "execute_result"}:
        return []
    data = _bundle(output.get("data", {}), scrubber)
    found: dict[str, Any] = {"data": data, "metadata": _bundle_metadata(output, data, scrubber), "output_type": kind}
    if kind == "execute_result":
        count = output.get("execution_count")
        found["execution_count"] = count if isinstance(count, int) else None
    return [found] if data else []


def _error(output: Mapping[str, Any], scrubber: Scrubber) -> dict[str, Any]:
    return {
        "ename": scrubber.name(str(output.get("ename", ""))),
        "evalue": _printed(_text(output.get("evalue", "")), scrubber),
        "output_type": "error",
        "traceback": _printed("\n".join(map(str, output.get("traceback", ()))), scrubber).split("\n"),
    }


def _bundle_metadata(output: Mapping[str, Any], data: Mapping[str, Any], scrubber: Scrubber) -> dict[str, Any]:
    """Return sizes of pictures and the like; what belongs to a form that was left out goes with it."""
    metadata = output.get("metadata", {})
    scrubbed: dict[str, Any] = scrubber.value({name: item for name, item in metadata.items() if "/" not in name or name in data})
    return scrubbed


def _bundle(data: Mapping[str, Any], scrubber: Scrubber) -> dict[str, Any]:
    found: dict[str, Any] = {}
    columns = scrubber.personal_columns
    in_table, dropped = False, []
    if "text/html" in data:
        text, in_table = mask_html_tables(_numbered(clean_text(_text(data["text/html"]))), columns)
        found["text/html"] = _lines(scrubber.text(text, markup=True))
    for kind in sorted(data):
        value = data[kind]
        if kind in found or kind == _WIDGET:
            continue
        if kind in _PICTURES:
            found[kind] = "".join(_text(value).split()) + "\n" if kind != "application/pdf" else _text(value)
        elif kind in {"text/plain", "text/markdown"}:
            if not in_table:  # else the HTML says the same, and its columns are surely masked
                found[kind] = _lines(_printed(_text(value), scrubber))
        elif in_table or _tells(value, scrubber):
            dropped.append(kind)
        else:
            found[kind] = _other(kind, value, scrubber)
    if dropped and not in_table:
        plain_text = [*found["text/plain"], "\n"] if "text/plain" in found else []
        found["text/plain"] = [*plain_text, _NOTE.format(kind=", ".join(dropped))]
    return dict(sorted(found.items()))


def _tells(value: Any, scrubber: Scrubber) -> bool:
    """Say whether an output that is no table of ours (a plot's data, JSON, JavaScript, LaTeX) holds personal values."""
    text = value if isinstance(value, str) else json.dumps(plain(value), ensure_ascii=False)
    return bool(scrubber.personal.find(text)) or any(is_personal_name(key, scrubber.personal_columns) for key in _keys(value))


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield str(key)
            yield from _keys(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _keys(item)


def _other(kind: str, value: Any, scrubber: Scrubber) -> Any:
    if kind.endswith("json"):
        return scrubber.value(value)
    markup = kind.endswith(("xml", "html"))
    return _lines(scrubber.text(_numbered(clean_text(_text(value))), markup=markup))


def dump_notebook(nb: Mapping[str, Any]) -> str:
    """Return a notebook's text: sorted keys, one value a line, UTF-8, a newline at the end.

    Args:
        nb: A notebook as plain values, as :func:`clean_notebook` returns it.
    """
    return json.dumps(plain(nb), indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"
