"""Magics of a notebook or an IPython terminal, after ``%load_ext nbops``.

``%check``, ``%%check``, ``%contract``, ``%diff``, ``%lineage``, ``%runs`` and ``%tables`` show what the project that the notebook
is in says; what they answer is a value that shows itself, so that it can be kept: ``found = %lineage orders.amount``.
"""

# mypy: disable-error-code="no-untyped-call, untyped-decorator"
# IPython has no types of its own

from __future__ import annotations

from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_cell_magic, line_magic, magics_class
from IPython.core.magic_arguments import argument, magic_arguments, parse_argstring

from nbops.contract.config import load_config
from nbops.errors import NbopsError, did_you_mean
from nbops.lab.shown import Shown
from nbops.workflow.project import find_root

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbops.contract.records import ContractColumn
    from nbops.lab.tabling import TableEcho
    from nbops.model import Check
    from nbops.pages.summaries import RunSummary
    from nbops.quality.report import CheckReport

__all__ = ["NbopsMagics", "load_ipython_extension", "unload_ipython_extension"]

_MOST = 200
_NAMES = ("check", "contract", "diff", "lineage", "runs", "tables")
_echoes: WeakKeyDictionary[Any, TableEcho] = WeakKeyDictionary()
"""What shows tables after each cell, by shell."""


def _plainly(method: Callable[..., Any]) -> Callable[..., Any]:
    """Show what nbops complains of as a sentence; a traceback of ours helps nobody."""

    @wraps(method)
    def call(*arguments: Any, **named: Any) -> Any:
        try:
            return method(*arguments, **named)
        except (NbopsError, OSError, TypeError) as error:
            raise UsageError(str(error)) from error

    return call


@magics_class
class NbopsMagics(Magics):
    """What ``%load_ext nbops`` adds."""

    shell: Any

    @magic_arguments()
    @argument("-n", "--number", type=int, default=10, help="List at most so many.")
    @line_magic
    @_plainly
    def runs(self, line: str) -> Shown:
        """List the runs of the project, the newest first."""
        from nbops.pages.summaries import summaries  # noqa: PLC0415 - a notebook pays for what it uses

        wanted = parse_argstring(self.runs, line)
        root = find_root(Path.cwd())
        found = summaries(root / load_config(root).reports, root / ".nbops/cache")
        rows = tuple(_run_row(item) for item in found[: max(wanted.number, 1)])
        notes = () if found else ("There are no runs yet; `ploomber build` makes the first.",)
        return Shown(title=f"{len(found)} runs", columns=("run", "verdict", "tasks", "checks", "finding"), rows=rows, notes=notes)

    @magic_arguments()
    @argument("target", help="A dataset, or DATASET.COLUMN.")
    @argument("--up", action="store_true", help="Only what it comes from.")
    @argument("--down", action="store_true", help="Only what it goes into.")
    @argument("--depth", type=int, default=None, help="Go so many steps at most.")
    @line_magic
    @_plainly
    def lineage(self, line: str) -> Shown:
        """Tell what a dataset or column comes from and goes into, as the latest run says."""
        from nbops.lab.cells import sources_of  # noqa: PLC0415

        wanted = parse_argstring(self.lineage, line)
        both = wanted.up == wanted.down
        found = sources_of(
            find_root(Path.cwd()), wanted.target, up=both or wanted.up, down=both or wanted.down, depth=wanted.depth
        )
        more = (f"and {found['more']} more",) if found["more"] else () if found["rows"] else ("Nothing is known of it.",)
        return Shown(
            title=f"{found['node']} in run {found['run']}",
            columns=("", "what", "steps", "how", "task and cells"),
            rows=tuple(found["rows"]),
            notes=more,
        )

    @magic_arguments()
    @argument("switch", choices=("on", "off"), nargs="?", default="on", help="Show them, or stop.")
    @argument("--notebook", default=None, help="The notebook's file, where Jupyter does not tell it.")
    @line_magic
    @_plainly
    def tables(self, line: str) -> None:
        """After each cell, show the tables that it made: rows, nulls, and the change against the last run."""
        from IPython.display import display  # noqa: PLC0415

        from nbops.lab.tabling import TableEcho, last_run_of, session_notebook  # noqa: PLC0415

        wanted = parse_argstring(self.tables, line)
        _stop_tables(self.shell)
        if wanted.switch == "off":
            return
        path = Path(wanted.notebook.strip("\"'")) if wanted.notebook else session_notebook()
        last = last_run_of(path.resolve()) if path is not None else None
        echo = TableEcho(self.shell.user_ns, show=display, last=last)
        self.shell.events.register("post_run_cell", echo.after)
        _echoes[self.shell] = echo

    @magic_arguments()
    @argument("before", nargs="?", default="accepted", help="A run, `previous`, `accepted` or a git revision.")
    @argument("after", nargs="?", default="latest", help="A run, `latest` or a git revision.")
    @line_magic
    @_plainly
    def diff(self, line: str) -> Shown:
        """Compare two runs, by default the latest with the last accepted one; the heaviest change first."""
        from nbops.history.compare import compare  # noqa: PLC0415
        from nbops.history.select import select_pair  # noqa: PLC0415

        wanted = parse_argstring(self.diff, line)
        root = find_root(Path.cwd())
        found = compare(*select_pair(root, root / load_config(root).reports, wanted.before, wanted.after))
        changes = tuple((one.area, one.subject, one.text) for one in found.changes)
        notes = tuple(f"not compared: {text}" for text in found.unknown)
        return Shown(
            title=f"{len(changes)} changes from {found.before.id} to {found.after.id}",
            columns=("area", "what", "change"),
            rows=changes[:_MOST],
            notes=notes if changes or notes else ("They are the same.",),
        )

    @magic_arguments()
    @argument("dataset", help="The dataset's name.")
    @line_magic
    @_plainly
    def contract(self, line: str) -> Shown:
        """Show the contract of a dataset: its columns and its rules."""
        from nbops.contract.odcs import load_contracts  # noqa: PLC0415

        wanted = parse_argstring(self.contract, line)
        root = find_root(Path.cwd())
        contracts = load_contracts(root / load_config(root).contracts)
        if wanted.dataset not in contracts:
            raise UsageError(f"no contract of {wanted.dataset!r}. {did_you_mean(wanted.dataset, sorted(contracts))}")
        found = contracts[wanted.dataset]
        rules = [_rule(check) for check in found.checks if check.column is None]
        return Shown(
            title=f"{found.dataset} {found.version}: {found.description or found.path}",
            columns=("column", "type", "rules", "meaning"),
            rows=tuple(_column_row(column, found.checks) for column in found.columns),
            notes=(f"owner: {found.owner or 'nobody'}", *rules),
        )

    @magic_arguments()
    @argument("dataset", help="The dataset whose contract judges.")
    @argument("name", nargs="?", default=None, help="The variable to judge; of a cell, its last value by default.")
    @line_cell_magic
    @_plainly
    def check(self, line: str, cell: str | None = None) -> CheckReport | None:
        """Check a variable (`%check orders df`), or what a cell makes (`%%check orders`), against a contract."""
        from nbops.quality.notebook import check  # noqa: PLC0415

        wanted = parse_argstring(self.check, line)
        if cell is None:
            if wanted.name is None:
                raise UsageError("what is to be checked? `%check DATASET VARIABLE`, or `%%check DATASET` over a cell.")
            return check(self._variable(wanted.name), wanted.dataset)
        done = self.shell.run_cell(cell)
        if not done.success:
            return None  # the cell's own error is shown
        data = self._variable(wanted.name) if wanted.name is not None else done.result
        if data is None:
            raise UsageError("the cell has no value: end it with the table's name, or say `%%check DATASET VARIABLE`.")
        return check(data, wanted.dataset)

    def _variable(self, name: str) -> Any:
        if name not in self.shell.user_ns:
            names = [known for known in self.shell.user_ns if not known.startswith("_")]
            raise UsageError(f"there is no variable {name!r}. {did_you_mean(name, sorted(names))}")
        return self.shell.user_ns[name]


def _run_row(item: RunSummary) -> tuple[str, ...]:
    done = sum(count for status, count in item.tasks.items() if status in {"succeeded", "up_to_date"})
    word = item.status if item.status in {"running", "interrupted"} else item.verdict
    checks = f"{item.checks.get('passed', 0)}/{sum(item.checks.values())}"
    return item.id, word, f"{done}/{sum(item.tasks.values())}", checks, item.headline


def _column_row(column: ContractColumn, checks: tuple[Check, ...]) -> tuple[str, ...]:
    marks = ["personal"] if column.personal else []
    rules = [_rule(check) for check in checks if check.column == column.name]
    kind = column.logical_type or column.physical_type or ""
    return column.name, kind, "; ".join([*marks, *rules]), column.description or column.business_name or ""


def _rule(check: Check) -> str:
    expected = "" if check.expected is None else f" {check.expected}"
    return f"{check.metric} {check.operator or ''}{expected}{' (warn)' if check.severity == 'warn' else ''}".replace("  ", " ")


def _stop_tables(shell: Any) -> None:
    echo = _echoes.pop(shell, None)
    if echo is not None:
        shell.events.unregister("post_run_cell", echo.after)


def load_ipython_extension(shell: Any) -> None:
    """Add the magics: IPython calls this for ``%load_ext nbops``."""
    shell.register_magics(NbopsMagics)


def unload_ipython_extension(shell: Any) -> None:
    """Take them away again."""
    _stop_tables(shell)
    for name in _NAMES:
        shell.magics_manager.magics["line"].pop(name, None)
        shell.magics_manager.magics["cell"].pop(name, None)
