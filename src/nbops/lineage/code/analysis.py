"""Lineage of columns from the code of a notebook's cells, which is read and never run."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from types import MappingProxyType
from typing import TYPE_CHECKING

from nbops.lineage.code.calls import call
from nbops.lineage.code.cells import read_cell
from nbops.lineage.code.expressions import evaluate
from nbops.lineage.code.interpret import run
from nbops.lineage.code.machine import BudgetError, Machine
from nbops.lineage.code.result import assemble, cell_facts
from nbops.lineage.code.values import Const, Map, Scope, Seq, Value

if TYPE_CHECKING:
    from nbops.lineage.code.records import CellFacts, CodeLineage

__all__ = ["analyse_code"]


def analyse_code(
    cells: Sequence[str],
    *,
    values: Mapping[str, object] = MappingProxyType({}),
    schemas: Mapping[str, Sequence[str]] = MappingProxyType({}),
    modules: Mapping[str, str] = MappingProxyType({}),
    seconds: float = 5.0,
) -> CodeLineage:
    """Find what cells read and write, and where each written column comes from.

    The code is interpreted on abstract values: what is known of a table is its columns, where each comes from, and what chose its
    rows. Where the code is beyond that, edges widen to "all columns of" and a note says where.

    Args:
        cells: Source of each code cell, in order; a cell that holds no Python may be empty.
        values: Injected parameters by name: ``upstream`` (task to path or to a mapping of paths), ``product`` and the others.
        schemas: Columns of what is read, by path or relation as the code names it.
        modules: Source of the project's own modules by dotted name; functions in them are followed.
        seconds: How long it may take; what is found until then is returned, and a note says so.

    Returns:
        What was found. Never raises for what the code says.
    """
    machine = Machine(
        schemas=schemas,
        values=values,
        modules=modules,
        deadline=time.monotonic() + seconds,
        evaluate=lambda node: evaluate(machine, node),
        call=lambda function, args: call(machine, function, args),
        run=lambda body: run(machine, body),
    )
    machine.scope = machine.top = Scope({})
    for name, value in values.items():
        machine.top.names[name] = _injected(machine, name, value)
    facts: list[CellFacts] = []
    for number, text in enumerate(cells):
        machine.cell, machine.line, machine.ended = number, 1, ""
        source = read_cell(text)
        for line, message in source.notes:
            machine.line = line
            machine.note(message)
        before = {name: table for name, value in machine.top.names.items() if (table := machine.table(value)) is not None}
        try:
            run(machine, source.tree)
        except BudgetError:
            machine.note("the analysis took too long: this cell is not followed to its end, and none after it")
            break
        except RecursionError:
            machine.scope = machine.top
            machine.note("nested too deeply: this cell is not followed to its end")
        facts.append(cell_facts(machine, number, before, machine.top.names))
    return assemble(machine, facts)


def _injected(machine: Machine, name: str, value: object) -> Value:
    """Turn an injected parameter into a value that remembers its name."""
    params = frozenset({name})
    if isinstance(value, Mapping):
        return machine.new(Map({str(key): _injected(machine, name, item) for key, item in value.items()}, params=params))
    if isinstance(value, PurePath):
        return Const(str(value), params, path=True)
    if isinstance(value, (list, tuple)):
        kind = "list" if isinstance(value, list) else "tuple"
        return machine.new(Seq(tuple(_injected(machine, name, item) for item in value), kind=kind))
    return Const(value, params)
