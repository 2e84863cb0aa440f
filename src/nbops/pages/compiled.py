"""Compiled templates, kept where the user's programs keep what can be made again: compiling them takes longer than most pages."""

from __future__ import annotations

import hashlib
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
from jinja2 import FileSystemBytecodeCache

if TYPE_CHECKING:
    from jinja2.bccache import Bucket

__all__ = ["compiled_templates"]


class _Compiled(FileSystemBytecodeCache):
    """Jinja's own cache, which checks that a template is still the same; one that cannot be read or written is done without."""

    def load_bytecode(self, bucket: Bucket) -> None:
        with suppress(OSError, EOFError, ValueError, TypeError):
            super().load_bytecode(bucket)

    def dump_bytecode(self, bucket: Bucket) -> None:
        with suppress(OSError):
            super().dump_bytecode(bucket)


def compiled_templates(*depends_on: str) -> Any:
    """Return a cache for an environment of templates; None where Python may write no bytecode or there is no place for it.

    Args:
        depends_on: What the compiled code depends on besides the template and Jinja: versions, settings of the environment.
    """
    if sys.dont_write_bytecode:
        return None
    base = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))  # noqa: PTH111 - that of Path fails without a home
    if not base.is_absolute():
        return None
    made_by = "\0".join((jinja2.__version__, *depends_on))
    folder = base / "nbops/templates" / hashlib.sha256(made_by.encode()).hexdigest()[:16]
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_uid != os.getuid():
            return None  # what lies there runs as this user
    except (OSError, AttributeError):
        return None
    return _Compiled(str(folder))
