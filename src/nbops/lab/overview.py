"""What JupyterLab's sidebar shows of a project, read from files: Ploomber is not imported."""

from __future__ import annotations

import os
import re
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbops.adapters.pipeline_yaml import read_pipeline
from nbops.contract.config import load_config
from nbops.errors import NbopsError
from nbops.lab.builds import state_of
from nbops.lab.place import pipelines_around, pipelines_of, projects_below
from nbops.lab.standing import freshness, open_incidents
from nbops.pages.names import page_name
from nbops.record.homes import dataset_home, task_home
from nbops.record.store import latest_run
from nbops.workflow.live import read_live
from nbops.workflow.outlook import outlook
from nbops.workflow.project import find_root

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbops.contract.config import Config
    from nbops.model import Dataset, Run, TaskRun

__all__ = ["overview", "project_folders"]

_PLACE = re.compile(r"(?P<file>[\w./-]+\.(?:ya?ml|toml))\b[^\n]*?\bline (?P<line>\d+)")


def project_folders(served: Path) -> dict[str, Path]:
    """Return the projects that a server shows: the name by which a browser asks, to the root.

    The project that the served folder is in (or is), and those right below it. Names are paths relative to the served folder;
    what is above it is called ``..``, whatever its distance.

    Args:
        served: The server's root.
    """
    served = served.resolve()
    found: dict[str, Path] = {}
    if above := pipelines_around(served):
        try:
            root = find_root(above[0].parent)
        except NbopsError:
            root = above[0].parent
        found["" if root == served else ".."] = root
    found |= {path.name: path.resolve() for path in projects_below(served) if path.resolve().is_relative_to(served)}
    return found


def overview(served: Path, root: Path, *, pipeline: str | None = None) -> dict[str, Any]:
    """Return the state of a project as plain values.

    Args:
        served: The server's root, which paths are relative to.
        root: The project's root.
        pipeline: A pipeline file of the root's; by default its ``pipeline.yaml``, else the first.

    Returns:
        ``pipelines``, ``pipeline``, ``error`` (a sentence, when the pipeline or the settings cannot be read), ``place`` (its
        file and line), ``tasks``, ``run`` (the latest), ``incidents``, ``build``, ``now``. Paths that the server does not
        serve are null.
    """
    names = [path.name for path in pipelines_of(root)]
    chosen = pipeline if pipeline in names else "pipeline.yaml" if "pipeline.yaml" in names else next(iter(names), None)
    found: dict[str, Any] = {
        "pipelines": names,
        "pipeline": chosen,
        "error": None,
        "place": None,
        "tasks": [],
        "run": None,
        "incidents": {"found": [], "more": 0, "problems": []},
        "build": asdict(state_of(root)),
        "now": _now(),
    }
    try:
        config = load_config(root)
        run = latest_run(root / config.reports)
        found["run"] = _run(run, served, root, config) if run is not None else None
        if run is not None and run.status == "running" and not found["build"]["running"]:
            found["run"] |= {"status": "killed", "verdict": "errored"}  # the next build says so in the ledger
        found["incidents"] = open_incidents(root, config, served=lambda path: _served(served, path))
        if chosen is None:
            found["error"] = "There is no pipeline here. `nbops init` makes a project; or write a pipeline.yaml."
        else:
            found["tasks"] = _tasks(root, config, served, run, pipeline=root / chosen)
    except (NbopsError, OSError) as error:
        found["error"] = str(error)
        found["place"] = _place(str(error), served, root)
    return found


def _now() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _place(message: str, served: Path, root: Path) -> dict[str, Any] | None:
    """Return the file and line that an error is about; None where it names none that there is."""
    found = _PLACE.search(message)
    path = _served(served, root / found["file"]) if found is not None else None
    return None if found is None or path is None else {"path": path, "line": int(found["line"])}


def _served(served: Path, path: Path) -> str | None:
    """Return a path as the browser names it; None for what is missing or out of its reach."""
    path = Path(os.path.normpath(path))
    if not path.exists() or not path.resolve().is_relative_to(served.resolve()) or not path.is_relative_to(served):
        return None
    return path.relative_to(served).as_posix()


def _run(run: Run, served: Path, root: Path, config: Config) -> dict[str, Any]:
    return {
        "id": run.id,
        "status": run.status,
        "verdict": run.verdict,
        "started_at": run.started_at,
        "seconds": run.seconds,
        "command": run.command,
        "page": _served(served, root / config.reports / "runs" / run.id / "index.html"),
    }


def _tasks(root: Path, config: Config, served: Path, run: Run | None, *, pipeline: Path) -> list[dict[str, Any]]:
    declared = {task.name: task for task in read_pipeline(pipeline).tasks}
    ran = {task.name: task for task in run.tasks} if run is not None else {}
    going_on = run is not None and run.status == "running" and state_of(root).running
    live = read_live(root, run_id=run.id) if run is not None and going_on else {}
    found = []
    for item in outlook(root, config, pipeline=pipeline, values={}):
        now = live.get(item.task)
        task, source = ran.get(item.task), declared[item.task].source if item.task in declared else None
        found.append(
            {
                "name": item.task,
                "stale": item.stale,
                "reasons": list(item.reasons),
                "last_success": item.last_success,
                "verdict": item.verdict,
                "upstream": list(item.upstream or (task.upstream if task is not None else ())),
                "source": _served(served, source) if source is not None else None,
                "status": now.status if now is not None else task.status if task is not None else None,
                "live": now is not None and now.status not in {"up_to_date", "not_selected"},
                "seconds": task.seconds if task is not None else None,
                "started_at": now.began if now is not None else task.started_at if task is not None else None,
                "error": _error(task),
                "page": _page(run, task, served, root, config),
                "datasets": _datasets(run, item.task, served, root, config),
            }
        )
    return found


def _error(task: TaskRun | None) -> Mapping[str, Any] | None:
    if task is None or task.error is None:
        return None
    return {"kind": task.error.kind, "message": task.error.message, "cell": task.error.cell, "hint": task.error.hint}


def _page(run: Run | None, task: TaskRun | None, served: Path, root: Path, config: Config) -> str | None:
    if run is None or task is None:
        return None
    homes = dict.fromkeys((run.id, task_home(run, task)))
    pages = (root / config.reports / "runs" / home / "tasks" / f"{page_name(task.name)}.html" for home in reversed(homes))
    return next((path for page in pages if (path := _served(served, page)) is not None), None)


def _dataset_page(run: Run, item: Dataset, served: Path, reports: Path) -> str | None:
    homes = dict.fromkeys((run.id, dataset_home(run, item)))
    pages = (reports / "runs" / home / "datasets" / f"{page_name(item.name)}.html" for home in reversed(homes))
    return next((path for page in pages if (path := _served(served, page)) is not None), None)


def _datasets(run: Run | None, task: str, served: Path, root: Path, config: Config) -> list[dict[str, Any]]:
    if run is None:
        return []
    reports = root / config.reports
    ages = freshness(run)
    return [
        {
            "name": item.name,
            "verdict": item.verdict,
            "rows": item.rows,
            "published": item.published,
            "page": _dataset_page(run, item, served, reports),
            "profile": _served(served, reports / item.profile) if item.profile else None,
            "contract": _served(served, root / item.contract) if item.contract else None,
            **ages[item.name],
            "checks": [
                {"id": result.check.id, "verdict": result.verdict, "message": result.message, "severity": result.check.severity}
                for result in run.checks
                if result.check.dataset == item.name and result.verdict not in {"passed", "skipped"}
            ],
        }
        for item in run.datasets
        if item.task == task
    ]
