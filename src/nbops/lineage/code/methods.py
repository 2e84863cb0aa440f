"""The kind of function that says what a method of a table does."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbops.lineage.code.expressions import Arguments
    from nbops.lineage.code.machine import Machine
    from nbops.lineage.code.values import Table, Value

__all__ = ["Method"]

Method = Callable[["Machine", "Table", "Arguments"], "Value | Table"]
