"""What a cell made of tables, shown below it: rows, nulls and the change against the last run; never a value, never user code."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbops.contract.config import load_config
from nbops.errors import NbopsError
from nbops.kernels.tables import TableWatch
from nbops.lab.shown import Shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nbops.model import CellTable

__all__ = ["LastRun", "TableEcho", "last_run_of"]

_MOST_SHOWN = 10


class LastRun:
    """How much the tables of a notebook held in its task's last run.

    Args:
        run_id: The run.
        cells: Source of a cell to the tables that it made, by variable.
        latest: The tables as the last cell that made them left them.
    """

    def __init__(self, run_id: str, *, cells: Mapping[str, Mapping[str, CellTable]], latest: Mapping[str, CellTable]) -> None:
        self.run_id = run_id
        self._cells = cells
        self._latest = latest

    def table(self, name: str, code: str) -> CellTable | None:
        """Return a variable's table as the same cell left it; as the notebook left it where the cell was changed."""
        return self._cells.get(code.strip(), {}).get(name) or self._latest.get(name)


def last_run_of(notebook: Path) -> LastRun | None:
    """Return what is known of a notebook's last run; None when it is no task's, or none is recorded.

    Args:
        notebook: The notebook's file, absolute.
    """
    from nbops.lab.cells import recorded_cells  # noqa: PLC0415 - only who turns it on pays
    from nbops.lab.place import look_up  # noqa: PLC0415
    from nbops.record.store import read_run, run_ids  # noqa: PLC0415

    try:
        place = look_up(notebook)
        if place is None:
            return None
        reports = place[0].root / load_config(place[0].root).reports
        for run_id in list(reversed(run_ids(reports)))[:10]:
            task = next((one for one in read_run(reports, run_id).tasks if one.name == place[1].name and one.cells), None)
            if task is None or not any(cell.tables for cell in task.cells):
                continue
            sources = recorded_cells(reports, task)
            cells = {sources[c.index].strip(): {t.name: t for t in c.tables} for c in task.cells if c.index in sources}
            return LastRun(run_id, cells=cells, latest={t.name: t for c in task.cells for t in c.tables})
    except (NbopsError, OSError):
        return None
    return None


def session_notebook() -> Path | None:
    """Return the notebook that this kernel was started for, as Jupyter's server or VS Code say."""
    name = os.environ.get("JPY_SESSION_NAME", "")
    path = Path(name)
    return path if name.endswith((".ipynb", ".py")) and path.is_absolute() and path.is_file() else None


class TableEcho:
    """Shows, after each cell, the tables that it made or changed.

    Args:
        variables: The kernel's variables.
        show: Shows a value below the cell.
        last: What the last run's tables held.
    """

    def __init__(self, variables: Mapping[str, Any], *, show: Callable[[Shown], Any], last: LastRun | None) -> None:
        self._variables = variables
        self._show = show
        self._last = last
        self._lines: list[list[Any]] = []
        self._watch = TableWatch(self._lines.append)
        self._watch.look(variables, _Nothing())  # what is there already is no news
        self._lines.clear()

    def after(self, result: Any) -> None:
        """Look at what a cell left behind; called by IPython, and nothing is raised."""
        try:
            self._watch.look(self._variables, result)
            found = [item for line in self._lines for item in line[2]]
            self._lines.clear()
            value = getattr(result, "result", None)
            named = any(value is self._variables.get(item[0]) for item in found)
            shown = None if value is None or named else self._watch.measure(value)
            if shown is not None:
                found.append(["(shown)", *shown])
            if found:
                code = str(getattr(getattr(result, "info", None), "raw_cell", ""))
                self._show(self._table(found, code))
        except Exception:  # noqa: BLE001 - the cell itself went well
            self._lines.clear()

    def _table(self, found: list[list[Any]], code: str) -> Shown:
        rows = []
        for name, count, columns, nulls in found[:_MOST_SHOWN]:
            then = self._last.table(name, code) if self._last is not None else None
            rows.append(
                (
                    name,
                    "not counted" if count is None else f"{count:,}",
                    f"{columns:,}",
                    "not counted" if nulls is None else f"{nulls:,}",
                    _change(count, nulls, then),
                )
            )
        notes = [f"and {len(found) - _MOST_SHOWN} more"] if len(found) > _MOST_SHOWN else []
        since = f"change since run {self._last.run_id}" if self._last is not None else "change (no run of this notebook is known)"
        return Shown(title="Tables", columns=("table", "rows", "columns", "nulls", since), rows=tuple(rows), notes=tuple(notes))


class _Nothing:
    execution_count = 0


def _change(rows: int | None, nulls: int | None, then: CellTable | None) -> str:
    """Return the change in words.

    >>> _change(3, 0, None)
    ''
    """
    if then is None:
        return ""
    parts = [_difference("rows", rows, then.rows), _difference("nulls", nulls, then.nulls)]
    return ", ".join(part for part in parts if part) or "the same"


def _difference(what: str, now: int | None, then: int | None) -> str:
    if now is None or then is None or now == then:
        return ""
    share = f" ({(now - then) / then:+.1%})" if then else ""
    return f"{now - then:+,} {what}{share}"
