"""Writing tables: ``to_parquet``, ``write_csv``, ``sink_parquet``... of all libraries."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nbops.lineage.code.values import Col, Const, Object, Table, Taint, Value

if TYPE_CHECKING:
    from nbops.lineage.code.expressions import Arguments
    from nbops.lineage.code.machine import Machine

__all__ = ["WRITERS", "as_written", "write_table"]

WRITERS = frozenset(
    "to_csv to_parquet to_json to_excel to_feather to_pickle to_orc to_hdf to_stata to_xml to_sql to_gbq to_delta write_csv "
    "write_parquet write_json write_ndjson write_ipc write_excel write_avro write_delta write_database write_ipc_stream "
    "sink_csv sink_parquet sink_ndjson sink_ipc saveAsTable".split()
)
_NO_INDEX = frozenset({"to_feather", "to_orc", "to_gbq"})


def write_table(machine: Machine, table: Table, name: str, args: Arguments) -> Value:
    """Record that a table is written."""
    target = args.get(
        0,
        "path",
        "path_or_buf",
        "excel_writer",
        "file",
        "target",
        "name",
        "table_name",
        "path_or_buffer",
        "file_name",
        "destination_table",
        "workbook",
    )
    if target is None or (isinstance(target, Const) and target.value is None):
        return machine.unknown([machine.new(table)])  # the text itself is returned
    thing = machine.of(target, Object)
    if thing is not None and "path" in thing.attributes:
        target = thing.attributes["path"]
    taken = as_written(machine, table, name, args)
    path = machine.path(target)
    if path == "?":
        machine.note(f"{name}: where it is written to is not known")
    machine.write(path, taken, f"{table.lib}.{name}", machine.params(target))
    return Taint()


def as_written(machine: Machine, table: Table, name: str, args: Arguments) -> Table:
    """Return a table as a file holds it: with its index as columns, where it has one."""
    only = machine.names(args.get(None, "columns"))
    if only is not None and name in {"to_csv", "to_excel", "write_csv"}:
        from nbops.lineage.code.access import select

        table = replace(select(machine, table, only), index=table.index)
    if table.lib != "pandas" or not table.index or name in _NO_INDEX:
        return table
    index = args.get(None, "index")
    if index is not None and machine.plain(index) is False:
        return table
    if name == "to_json" and machine.plain(args.get(None, "orient") or Const("columns")) == "records":
        return table
    columns: dict[str, Col] = {}
    for at, (level, col) in enumerate(table.index):
        if level is None and not (col.deps or col.marks):
            continue
        columns[level or f"__index_level_{at}__"] = col
    return replace(table, columns={**columns, **table.columns}, index=())
