"""Polars: not followed yet; what goes in may enter what comes out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbops.lineage.code.frames import frame_method

if TYPE_CHECKING:
    from nbops.lineage.code.expressions import Arguments
    from nbops.lineage.code.machine import Machine
    from nbops.lineage.code.values import Table, Value


def polars_function(machine: Machine, name: str, args: Arguments) -> Value:
    """Return what may come of anything that goes in."""
    machine.note(f"{name}: not followed")
    return machine.unknown(args.all())


def polars_method(machine: Machine, ref: Value, table: Table, name: str, args: Arguments) -> Value:
    """Return what a method returns that pandas has too."""
    return frame_method(machine, ref, name, args)


def series_method(machine: Machine, this: Value, name: str, args: Arguments) -> Value:
    """Return what may come of anything that goes in."""
    return machine.unknown([this, *args.all()])


polars_group_method = expression_method = series_method
