"""``nbops.explore()``: walk through a run's lineage: tasks, datasets, columns; by mouse, by search and by keyboard."""

from __future__ import annotations

from dataclasses import asdict
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbops.contract.config import load_config
from nbops.errors import LedgerError, UnknownTarget
from nbops.lab.shown import Shown
from nbops.lineage.graph import Node
from nbops.pages.names import page_name
from nbops.pages.origins import TRANSFORMATIONS
from nbops.record.homes import dataset_home, task_home
from nbops.record.store import read_run, resolve_run_id
from nbops.widgets.base import Widget, front_end
from nbops.widgets.neighbourhood import Lineage, column_key, split_column
from nbops.widgets.place import href, notebook_here
from nbops.workflow.asking import find_node
from nbops.workflow.project import find_root

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbops.model import Run
    from nbops.widgets.base import Answer
    from nbops.widgets.neighbourhood import Way

__all__ = ["Explorer", "explore"]

_MOST, _MOST_ROWS = 100, 200
_MOST_DRAWN = 60
_NAMED = 8
_VERDICTS = ("failed", "errored", "warned")


def explore(target: str | None = None, *, run: str = "latest", folder: str | Path = ".") -> Explorer:
    """Return an explorer of the lineage that a run recorded.

    Args:
        target: Where to begin: a task, a dataset or ``dataset.column``; by default what failed, else the last dataset.
        run: The run's id, or ``latest``.
        folder: The project, or a folder in it.

    Raises:
        ConfigError: There is no project here.
        LedgerError: There is no such run.
        UnknownTarget: The run knows no such task, dataset or column.
    """
    root = find_root(Path(folder))
    reports = root / load_config(root).reports
    found = read_run(reports, resolve_run_id(reports, run))
    return Explorer(found, reports=reports, target=target, notebook=notebook_here())


class Explorer(Widget):
    """The lineage of a run."""

    _esm = front_end("explore", "js")
    _css = front_end("explore", "css")

    def __init__(self, run: Run, *, reports: Path, target: str | None = None, notebook: Path | None = None) -> None:
        self._lineage, self._reports, self._notebook = Lineage(run), reports, notebook
        if not self._lineage.keys:
            raise LedgerError(f"run {run.id} recorded no tasks and no data, so that there is nothing to explore.")
        start = self._start(target)
        super().__init__(
            {"run": run.id, "verdict": run.verdict, "size": len(self._lineage.keys), "look": self._look({"key": start})}
        )

    def _start(self, target: str | None) -> str:
        lineage = self._lineage
        if target is not None:
            if f"task:{target}" in lineage.keys and f"dataset:{target}" not in lineage.keys:
                return f"task:{target}"
            node = find_node(lineage.run, target)
            if node.column is not None:
                return column_key(node.name, node.column)
            return next(
                key for key in (f"dataset:{node.name}", f"file:{node.name}", node.name, *lineage.keys) if lineage.has(key)
            )
        for verdict in _VERDICTS:
            for item in lineage.run.datasets:
                if item.verdict == verdict:
                    return f"dataset:{item.name}"
        return f"dataset:{lineage.run.datasets[-1].name}" if lineage.run.datasets else lineage.keys[0]

    def _answers(self) -> dict[str, Answer]:
        return {"look": self._look, "search": self._search}

    def _look(self, data: dict[str, Any]) -> dict[str, Any]:
        """Return a node's surroundings and what is known of it."""
        key = data.get("key")
        if not isinstance(key, str):
            raise UnknownTarget("a node's key is needed.")
        around = asdict(self._lineage.around(key))
        return {**around, "detail": self._detail(key)}

    def _search(self, data: dict[str, Any]) -> dict[str, Any]:
        text = data.get("text")
        keys, count = self._lineage.search(text if isinstance(text, str) else "")
        return {"found": [self._named(key) for key in keys], "count": count}

    def _named(self, key: str) -> dict[str, Any]:
        return {"key": key, "kind": self._lineage.kind(key), "name": self._lineage.name(key), "mark": self._lineage.mark(key)}

    def _detail(self, key: str) -> dict[str, Any]:
        lineage, kind = self._lineage, self._lineage.kind(key)
        detail: dict[str, Any] = {**self._named(key), "facts": [], "checks": [], "columns": [], "more_columns": 0, "page": None}
        if kind == "column":
            dataset, column = split_column(key)
            detail |= self._of_column(dataset, column)
        elif kind == "dataset" and (item := lineage.datasets.get(lineage.name(key))) is not None:
            rows = [f"{item.rows:,} rows"] if item.rows is not None else []
            detail["facts"] = [
                *rows,
                *([] if item.published else ["held back: the last good version stays"]),
                *([f"owner: {item.owner}"] if item.owner else []),
            ]
            detail["checks"] = self._checks(item.name, None)
            detail["columns"] = [
                {"key": column_key(item.name, column.name), "name": column.name, "type": column.physical_type}
                for column in item.columns[:_MOST_ROWS]
            ]
            detail["more_columns"] = max(len(item.columns) - _MOST_ROWS, 0)
            detail["page"] = self._page(dataset_home(lineage.run, item), "datasets", item.name)
        elif kind == "task" and (task := lineage.tasks.get(lineage.name(key))) is not None:
            detail["facts"] = [task.kind, *([f"{task.seconds:,.1f} seconds"] if task.seconds is not None else [])]
            detail["checks"] = (
                [{"id": task.error.kind, "verdict": "failed", "message": task.error.message[:500]}] if task.error else []
            )
            detail["page"] = self._page(task_home(lineage.run, task), "tasks", task.name)
        if members := lineage.members.get(key, ()):
            more = " …" if len(members) > _NAMED else ""
            detail["facts"].append(f"{len(members):,} files: {', '.join(members[:_NAMED])}{more}")
        for way in ("up", "down"):
            detail[way] = self._neighbours(key, way)
        return detail

    def _of_column(self, dataset: str, name: str) -> dict[str, Any]:
        item = self._lineage.datasets.get(dataset)
        column = next((one for one in item.columns if one.name == name), None) if item is not None else None
        facts = (
            [
                column.physical_type,
                *([column.description] if column.description else []),
                *([column.classification] if column.classification else []),
            ]
            if column
            else []
        )
        page = self._page(dataset_home(self._lineage.run, item), "datasets", item.name) if item is not None else None
        home = f"dataset:{dataset}" if self._lineage.has(f"dataset:{dataset}") else None
        return {"facts": facts, "checks": self._checks(dataset, name), "page": page, "home": home, "home_name": dataset}

    def _checks(self, dataset: str, column: str | None) -> list[dict[str, Any]]:
        found = [
            {"id": result.check.id, "verdict": result.verdict, "message": result.message[:500]}
            for result in self._lineage.run.checks
            if result.check.dataset == dataset
            and column in {None, result.check.column}
            and result.verdict not in {"passed", "skipped"}
        ]
        return found[:_MOST]

    def _neighbours(self, key: str, way: Way) -> dict[str, Any]:
        """Return the nodes on one side, each with how it is known, for columns."""
        keys = self._lineage.next(key, way)
        how: dict[str, str] = {}
        if key.startswith("column:"):
            for edge, there in self._lineage.columns.next(Node(*split_column(key)), way):
                cells = f", cell {', '.join(str(cell + 1) for cell in edge.cells)}" if edge.cells else ""
                place = f" in {edge.task}{cells}" if edge.task else ""
                decides = "" if edge.kind == "derived" else "decides which rows: "
                words = f"{decides}{TRANSFORMATIONS.get(edge.transformation, edge.transformation)}{place}"
                how.setdefault(self._lineage.key_of(there), words)
        return {
            "items": [{**self._named(one), "how": how.get(one, ""), "there": self._lineage.has(one)} for one in keys[:_MOST]],
            "more": max(len(keys) - _MOST, 0),
        }

    def _page(self, home: str, kind: str, name: str) -> dict[str, Any] | None:
        path = self._reports / "runs" / home / kind / f"{page_name(name)}.html"
        return href(path, root=self._reports.parent, notebook=self._notebook) if path.is_file() else None

    def _shown(self) -> Shown:
        rows = []
        for key in self._lineage.keys[:_MOST_ROWS]:
            sides = [
                ", ".join(self._lineage.name(one) for one in self._lineage.next(key, way)[:_NAMED]) for way in ("up", "down")
            ]
            rows.append((self._lineage.name(key), self._lineage.kind(key), self._lineage.mark(key), *sides))
        more = len(self._lineage.keys) - len(rows)
        return Shown(
            title=f"Lineage of run {self._lineage.run.id}",
            columns=("what", "kind", "state", "comes from", "goes into"),
            rows=tuple(rows),
            notes=(*((f"and {more:,} more",) if more else ()), "Run the cell in a notebook to explore it."),
        )

    def _static_html(self) -> str:
        """Return the drawing, in the text's own colour, with the table beside it."""
        lineage = self._lineage
        look = lineage.around(self.view["look"]["focus"]) if len(lineage.keys) > _MOST_DRAWN else lineage.whole()
        lines = "".join(
            f'<path d="{escape(edge["path"])}" fill="none" stroke="currentColor" stroke-opacity="0.5"/>' for edge in look.edges
        )
        size = f'width="{look.width}" height="{look.height}" viewBox="0 0 {look.width} {look.height}"'
        said = f"Lineage of run {escape(lineage.run.id)}; the table says the same"
        picture = (
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{said}" {size} style="max-width:100%;height:auto">'
            f"{lines}{''.join(map(_box, look.nodes))}</svg>"
        )
        return f"<div>{picture}{self._shown()._repr_html_()}</div>"


def _box(node: Mapping[str, Any]) -> str:
    """Return a node of the static drawing."""
    title = _text(" ".join(filter(None, (node["kind"], node["name"], node["mark"]))))
    round_, thick = 4 if node["kind"] == "dataset" else 14, 2.5 if node["mark"] in _VERDICTS else 1
    x, y, width, height = node["x"], node["y"], node["width"], node["height"]
    return (
        f'<g><title>{title}</title><rect x="{x}" y="{y}" width="{width}" height="{height}" rx="{round_}" fill="none" '
        f'stroke="currentColor" stroke-width="{thick}"/><text x="{x + width / 2}" y="{y + height / 2 + 4}" '
        f'text-anchor="middle" font-size="12" fill="currentColor">{_text(node["label"])}</text></g>'
    )


def _text(text: Any) -> str:
    """Return a text for XML: without characters that it cannot hold."""
    return escape("".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in str(text)))
