"""JSON Schemas compiled by fastjsonschema, whose code is kept: generating it takes as long as reading a hundred documents."""

from __future__ import annotations

import hashlib
import json
import marshal
import re
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from nbops.quality.usercache import code_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from types import CodeType

__all__ = ["compiled"]

_FUNCTION = re.compile(r"^def (validate\w*)\(", re.MULTILINE)
_DIGEST = 32  # bytes of SHA-256


def compiled(schema: Mapping[str, Any], *, detailed: bool = True) -> Callable[[Any], Any]:
    """Return what ``fastjsonschema.compile`` does.

    Args:
        schema: The schema.
        detailed: Errors say which rule was broken, and by what.

    Raises:
        JsonSchemaDefinitionException: It is no schema.
    """
    import fastjsonschema  # noqa: PLC0415 - only who checks something pays for it

    folder = code_folder("schemas", fastjsonschema.VERSION, sys.version)
    if folder is None:
        made: Callable[[Any], Any] = fastjsonschema.compile(dict(schema), detailed_exceptions=detailed)
        return made
    text = json.dumps([schema, detailed])
    path = folder / hashlib.sha256(text.encode()).hexdigest()
    try:
        stored = path.read_bytes()
    except OSError:
        stored = b""
    if hashlib.sha256(stored[_DIGEST:]).digest() != stored[:_DIGEST]:  # not there, or not whole
        stored = _generated(schema, detailed=detailed)
        _keep(path, stored)
    name, code = marshal.loads(stored[_DIGEST:])  # noqa: S302 - written by this user, see `code_folder`
    return _run(name, code)


def _keep(path: Path, content: bytes) -> None:
    from nbops.record.store import replace_file  # noqa: PLC0415 - it reads ledgers, which needs this

    with suppress(OSError):
        replace_file(path, content, durable=False)


def _generated(schema: Mapping[str, Any], *, detailed: bool) -> bytes:
    import fastjsonschema  # noqa: PLC0415 - see above

    source = fastjsonschema.compile_to_code(dict(schema), detailed_exceptions=detailed)
    found = _FUNCTION.search(source)
    assert found is not None  # noqa: S101 - the first function is that of the schema itself
    content = marshal.dumps((found[1], compile(source, "<schema>", "exec")))
    return hashlib.sha256(content).digest() + content


def _run(name: str, code: CodeType) -> Callable[[Any], Any]:
    space: dict[str, Any] = {}
    exec(code, space)  # noqa: S102 - as fastjsonschema does
    function: Callable[[Any], Any] = space[name]
    return function
