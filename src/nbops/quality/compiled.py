"""Compiled templates, kept where the user's programs keep what can be made again: compiling them takes longer than most pages."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import jinja2
from jinja2 import FileSystemBytecodeCache

from nbops.quality.usercache import code_folder

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
    folder = code_folder("templates", jinja2.__version__, *depends_on)
    return _Compiled(str(folder)) if folder is not None else None
