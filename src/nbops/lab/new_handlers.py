"""The server's part of the launcher's "New" items. Imported inside a Jupyter server only."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.utils import url_path_join
from tornado import web

from nbops.adapters.pipeline_yaml import read_pipeline
from nbops.contract.config import load_config
from nbops.errors import NbopsError
from nbops.lab.handlers import OfProject, text_of
from nbops.record.store import latest_run
from nbops.workflow.new_contract import write_contract
from nbops.workflow.new_task import create_task
from nbops.workflow.project import create_project
from nbops.workflow.template import constraints_file, small_files, template_files

__all__ = ["register_new"]


class _New(OfProject):
    """``GET`` and ``POST nbops/api/new``: what there is to choose from; make a task, a contract or a project."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer for ``project`` with ``{"tasks": [name, ...], "datasets": [name, ...]}``: those without a contract."""
        root = await self.project(self.get_query_argument("project", ""))
        try:
            self.say(await asyncio.to_thread(_choices, root))
        except (NbopsError, OSError) as error:
            self._refuse_to(error)

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Make what ``kind`` says, by the code of ``nbops new``, ``nbops contract`` and ``nbops init``.

        ``task``: ``project``, ``name``, ``upstream``, ``product``, ``notebook``. ``contract``: ``project``, ``dataset``.
        ``project``: ``folder`` (that is browsed, as the server names it), ``name`` and ``example`` (``small``, else ``shop``).
        Answers ``{"open": path}``, with 400 and a ``message`` when it cannot be; nothing was written then.
        """
        wanted = self.get_json_body()
        if not isinstance(wanted, dict):
            raise web.HTTPError(400, reason="a JSON object is needed")
        kind = text_of(wanted, "kind")
        try:
            if kind == "project":
                file = await asyncio.to_thread(
                    _project,
                    self.served(),
                    text_of(wanted, "folder") or "",
                    text_of(wanted, "name") or "",
                    example=text_of(wanted, "example") or "shop",
                )
            elif kind in {"task", "contract"}:
                root = await self.project(text_of(wanted, "project") or "")
                file = root / await asyncio.to_thread(_task if kind == "task" else _contract, root, wanted)
            else:
                raise web.HTTPError(400, reason="kind must be task, contract or project")
        except (NbopsError, OSError) as error:
            self._refuse_to(error)
            return
        served = self.served()
        self.set_status(201)
        self.say({"open": file.relative_to(served).as_posix() if file.is_relative_to(served) else None})

    def _refuse_to(self, error: Exception) -> None:
        self.set_status(400)
        self.say({"message": str(error)})


def _choices(root: Path) -> dict[str, Any]:
    config = load_config(root)
    run = latest_run(root / config.reports)
    datasets = [item.name for item in run.datasets if item.columns and not item.contract] if run is not None else []
    free = [name for name in datasets if not (root / config.contracts / f"{name}.odcs.yaml").exists()]
    return {"tasks": [task.name for task in read_pipeline(root / "pipeline.yaml").tasks], "datasets": free}


def _task(root: Path, wanted: dict[str, Any]) -> str:
    upstream = wanted.get("upstream") or []
    if not isinstance(upstream, list) or not all(isinstance(name, str) for name in upstream):
        raise NbopsError("upstream: a list of tasks is needed.")
    product, notebook = text_of(wanted, "product") or None, text_of(wanted, "notebook") or None
    made = create_task(
        root / "pipeline.yaml", text_of(wanted, "name") or "", upstream=upstream, product=product, notebook=notebook
    )
    return made.notebook


def _contract(root: Path, wanted: dict[str, Any]) -> str:
    return write_contract(root, load_config(root), text_of(wanted, "dataset") or "")


def _project(served: Path, folder: str, name: str, *, example: str) -> Path:
    """Make a project in a folder of its own, below the one that is browsed, and return its README.

    Raises:
        NbopsError: The folder is not served, or the name is none; nothing was written.
        OSError: It cannot be written.
    """
    base = (served / folder).resolve()
    if "\0" in folder or not base.is_relative_to(served) or not base.is_dir():
        raise NbopsError(f"{folder[:120]!r} is no folder that JupyterLab serves.")
    if not name or name.startswith(".") or "/" in name or "\\" in name or "\0" in name:
        raise NbopsError(
            f"name {name[:60]!r}: letters, digits, '.', '_' and '-' are allowed, with a letter or digit at both ends."
        )
    if example not in {"small", "shop"}:
        raise NbopsError(f"example {example[:60]!r}: small or shop is allowed.")
    files = small_files() if example == "small" else template_files()
    if (constraints := constraints_file()) is not None:
        files["constraints.txt"] = constraints
    return (
        create_project(base / name, files=files, name=name, example="small" if example == "small" else "shop").root / "README.md"
    )


def register_new(app: Any) -> None:
    """Add the handler to a server.

    Args:
        app: The ``ServerApp``.
    """
    app.web_app.add_handlers(".*$", [(url_path_join(app.web_app.settings["base_url"], "nbops", "api", "new"), _New)])
