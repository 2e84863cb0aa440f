"""Texts that pandas reads as expressions: ``df.query("amount > @limit")``, ``df.eval("total = price * quantity")``."""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING

from nbops.lineage.code.access import filtered, widened
from nbops.lineage.code.stores import with_column
from nbops.lineage.code.tables import column_of
from nbops.lineage.code.values import Col, Const, Scope, Table, Text, Value

if TYPE_CHECKING:
    from nbops.lineage.code.machine import Machine

__all__ = ["evaluated", "query"]

_LONGEST = 100_000


def query(machine: Machine, table: Table, text: Value | None) -> Table:
    """Return the rows for which a text holds."""
    parsed = _parse(machine, text)
    if parsed is None or not isinstance(parsed[0], ast.Expression):
        return _unclear(machine, table, "query", text)
    test = machine.col(_inside(machine, table, parsed[0].body, parsed[1]))
    return filtered(machine, table, replace(test, params=test.params | machine.params(text)))


def _unclear(machine: Machine, table: Table, what: str, text: Value | None) -> Table:
    if what == "query":
        machine.note("query: the text is not known or not understood: any column may choose the rows")
        from nbops.lineage.code.tables import table_taint

        taint = machine.guessed(table_taint(table, machine.schemas))
        more = machine.guessed(machine.taint(text))
        return filtered(
            machine, table, machine.blend([Col(taint.deps, taint.marks), Col(more.deps, more.marks, params=more.params)])
        )
    return widened(machine, table, f"{what}: the text is not known or not understood", [text])


def _parse(machine: Machine, text: Value | None) -> tuple[ast.AST, dict[str, str]] | None:
    """Parse a text whose backquoted names, ``@names`` and single ``=`` are pandas' own."""
    if isinstance(text, Text):
        shown = "".join(part if isinstance(part, str) else "0" for part in text.parts)
    elif isinstance(text, Const) and isinstance(text.value, str):
        shown = text.value
    else:
        return None
    if len(shown) > _LONGEST:
        return None
    quoted: dict[str, str] = {}

    def take(found: re.Match[str]) -> str:
        name = f"_nbops_quoted_{len(quoted)}"
        quoted[name] = found[1]
        return name

    shown = re.sub(r"`([^`]+)`", take, shown)
    shown = re.sub(r"@(\w+)", r"_nbops_local_\1", shown)
    shown = re.sub(r"&&?", " and ", shown) if "&" in shown and "|" not in shown else shown
    lines = [line.strip() for line in shown.strip().splitlines() if line.strip()]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if len(lines) > 1 or re.match(r"^\w+\s*=[^=]", lines[0] if lines else ""):
                return ast.parse("\n".join(lines)), quoted
            return ast.parse(lines[0] if lines else "", mode="eval"), quoted
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _inside(machine: Machine, table: Table, node: ast.expr, quoted: dict[str, str]) -> Value:
    """Evaluate an expression in which names are columns."""
    names: dict[str, Value] = {}
    outer = machine.scope
    for part in ast.walk(node):
        if not isinstance(part, ast.Name) or part.id in names:
            continue
        if part.id.startswith("_nbops_local_"):
            names[part.id] = machine.evaluate(ast.Name(id=part.id.removeprefix("_nbops_local_"), ctx=ast.Load()))
        elif part.id == "index":
            names[part.id] = Col({}, rows=table.rows) if not table.index else table.index[0][1]
        else:
            column = quoted.get(part.id, part.id)
            if column in table.columns or any(level == column for level, _ in table.index) or table.open:
                names[part.id] = column_of(machine, table, column)
    machine.scope = Scope(names, outer, outer.module)
    try:
        line = machine.line
        value = machine.evaluate(_as_tests(node))
        machine.line = line
        return value
    finally:
        machine.scope = outer


def _as_tests(node: ast.expr) -> ast.expr:
    """Let ``and``, ``or`` and ``in`` be those of columns."""

    class Change(ast.NodeTransformer):
        def visit_BoolOp(self, found: ast.BoolOp) -> ast.expr:
            self.generic_visit(found)
            made = found.values[0]
            for value in found.values[1:]:
                made = ast.BinOp(left=made, op=ast.BitAnd(), right=value)
            return ast.copy_location(made, found)

    return ast.fix_missing_locations(Change().visit(node))  # type: ignore[no-any-return]


def evaluated(machine: Machine, table: Table, text: Value | None) -> Value | Table:
    """Return what ``df.eval(text)`` returns: a column, or the table with columns set."""
    parsed = _parse(machine, text)
    if parsed is None:
        return _unclear(machine, table, "eval", text)
    tree, quoted = parsed
    if isinstance(tree, ast.Expression):
        col = machine.col(_inside(machine, table, tree.body, quoted))
        return replace(col, index=table.index, rows=table.rows, name=None)
    made = table
    for statement in getattr(tree, "body", []):
        if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Name):
            return _unclear(machine, table, "eval", text)
        name = quoted.get(statement.targets[0].id, statement.targets[0].id)
        made = with_column(machine, made, name, machine.col(_inside(machine, made, statement.value, quoted)))
    return made
