"""The server's answers to nbops' part of the browser. Imported inside a Jupyter server only."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from jupyter_server.files.handlers import FilesHandler
from jupyter_server.utils import url_path_join
from tornado import web

from nbops.adapters.pipeline_yaml import read_pipeline
from nbops.contract.config import load_config
from nbops.errors import LockedError, NbopsError, did_you_mean
from nbops.lab.builds import read_log, start_build, state_of, stop_build
from nbops.lab.cells import notebook_state, sources_of
from nbops.lab.overview import overview, project_folders
from nbops.lab.place import pipelines_around, pipelines_of, projects_below
from nbops.lab.standing import say_of_incident

__all__ = ["OfProject", "register", "text_notebooks", "text_of"]

_TEXT = frozenset({".py", ".r", ".R"})


def text_notebooks(served: Path) -> list[str]:
    """Return the text files that are notebooks of a pipeline, as paths relative to the folder that is served.

    Pipelines are looked for in that folder, above it, and in its own folders.

    Args:
        served: The server's root.
    """
    served = served.resolve()
    below = (path for folder in projects_below(served) for path in pipelines_of(folder))
    found: set[str] = set()
    for path in {*below, *pipelines_around(served)}:
        try:
            tasks = read_pipeline(path).tasks
        except NbopsError:
            continue  # said when one of its notebooks is opened
        sources = (task.source for task in tasks if task.source is not None and task.source.suffix in _TEXT)
        found |= {source.relative_to(served).as_posix() for source in sources if source.is_relative_to(served)}
    return sorted(found)


class _Notebooks(APIHandler):
    """``GET nbops/api/notebooks``: which text files are notebooks of a pipeline."""

    auth_resource = "contents"

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer with ``{"notebooks": [path, ...]}``."""
        notebooks = await asyncio.to_thread(text_notebooks, Path(self.contents_manager.root_dir))
        self.finish(json.dumps({"notebooks": notebooks}))


class OfProject(APIHandler):
    """What is asked of one project: ``project`` names it as ``GET nbops/api/projects`` does, never by a path of the browser's."""

    auth_resource = "contents"

    def served(self) -> Path:
        """Return the server's root."""
        return Path(self.contents_manager.root_dir).resolve()

    async def project(self, name: str) -> Path:
        """Return the root of a project.

        Raises:
            HTTPError: 404, there is none of this name.
        """
        found = await asyncio.to_thread(project_folders, self.served())
        if name not in found:
            raise web.HTTPError(404, reason="no such project")
        return found[name]

    def say(self, value: Any) -> None:
        """Answer with JSON that no page of another origin can read as a script."""
        self.set_header("Cache-Control", "no-store")
        self.finish(json.dumps(value))

    def refuse(self, status: int, message: str) -> None:
        """Answer that something cannot be, and why."""
        self.set_status(status)
        self.say({"message": message})


class _Projects(OfProject):
    """``GET nbops/api/projects``: the projects in the served folder, around it and right below it."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer with ``{"projects": [name, ...]}``; names are paths relative to the served folder."""
        self.say({"projects": list(await asyncio.to_thread(project_folders, self.served()))})


class _Status(OfProject):
    """``GET nbops/api/status?project=&pipeline=``: tasks, their staleness, verdicts and pages; whether a build goes on."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer with what :func:`nbops.lab.overview.overview` says."""
        root = await self.project(self.get_query_argument("project", ""))
        pipeline = self.get_query_argument("pipeline", None)
        self.say(await asyncio.to_thread(overview, self.served(), root, pipeline=pipeline))


class _Build(OfProject):
    """``GET``, ``POST`` and ``DELETE nbops/api/build``: how the build goes, with its log; start one; stop it."""

    auth_resource = "kernels"  # who may run code may build

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer with ``{"build": ..., "log": text, "offset": bytes}``: the log from ``offset`` on."""
        root = await self.project(self.get_query_argument("project", ""))
        offset = self.get_query_argument("offset", "0")
        text, following = await asyncio.to_thread(read_log, root, offset=int(offset) if offset.isdecimal() else 0)
        state = await asyncio.to_thread(state_of, root)
        self.say({"build": asdict(state), "log": text, "offset": following})

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Start one: ``{"project", "pipeline", "task", "upstream", "downstream", "force"}``.

        409 when one goes on, 400 when it cannot be.
        """
        wanted = self.get_json_body()
        if not isinstance(wanted, dict):
            raise web.HTTPError(400, reason="a JSON object is needed")
        root = await self.project(text_of(wanted, "project") or "")
        pipeline, task = text_of(wanted, "pipeline"), text_of(wanted, "task")
        known = await asyncio.to_thread(overview, self.served(), root, pipeline=pipeline)
        names = [item["name"] for item in known["tasks"]]
        if pipeline is not None and pipeline not in known["pipelines"]:
            self.refuse(400, f"no pipeline {pipeline[:60]!r}. {did_you_mean(pipeline, known['pipelines'])}")
        elif task is not None and names and task not in names:
            self.refuse(400, f"no task {task[:60]!r}. {did_you_mean(task, names)}")
        else:
            try:
                started = await asyncio.to_thread(
                    start_build,
                    root,
                    pipeline=pipeline,
                    task=task,
                    upstream=wanted.get("upstream") is True,
                    downstream=wanted.get("downstream") is True,
                    force=wanted.get("force") is True,
                )
            except LockedError as error:
                self.refuse(409, str(error))
            except (NbopsError, OSError) as error:
                self.refuse(400, str(error))
            else:
                self.set_status(201)
                self.say({"started": asdict(started)})

    @web.authenticated
    @authorized
    async def delete(self) -> None:
        """Stop the build that goes on, as Ctrl-C would; 404 when none does."""
        root = await self.project(self.get_query_argument("project", ""))
        try:
            stopped = await asyncio.to_thread(stop_build, root)
        except PermissionError as error:
            self.refuse(403, str(error))
        else:
            self.set_status(202 if stopped else 404)
            self.say({"stopped": stopped})


class _Notebook(OfProject):
    """``GET nbops/api/notebook?path=``: what is known of an open notebook's task: its checks, and at which cells they belong."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer with what :func:`nbops.lab.cells.notebook_state` says; 404 for what is not served."""
        served = self.served()
        path = self.get_query_argument("path")
        file = (served / path.lstrip("/")).resolve() if "\0" not in path else served
        if not file.is_relative_to(served) or not file.is_file():
            raise web.HTTPError(404, reason="no such file")
        names = {root: name for name, root in (await asyncio.to_thread(project_folders, served)).items()}
        try:
            self.say(await asyncio.to_thread(notebook_state, file, names=names))
        except (NbopsError, OSError) as error:
            self.say({"task": None, "error": str(error)})


class _Sources(OfProject):
    """``GET nbops/api/sources?project=&target=``: what a dataset or a column comes from."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer with what :func:`nbops.lab.cells.sources_of` says; 400 when there is no such thing."""
        root = await self.project(self.get_query_argument("project", ""))
        try:
            self.say(await asyncio.to_thread(sources_of, root, self.get_query_argument("target")))
        except (NbopsError, OSError) as error:
            self.refuse(400, str(error))


class _Incidents(OfProject):
    """``POST nbops/api/incidents``: say something about an incident, as ``nbops incidents`` and ``nbops expect`` do."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Take ``{"project", "id", "action", "message", "until"}``; 400 when it cannot be, and why."""
        wanted = self.get_json_body()
        if not isinstance(wanted, dict):
            raise web.HTTPError(400, reason="a JSON object is needed")
        root = await self.project(text_of(wanted, "project") or "")
        given = {name: text_of(wanted, name) or "" for name in ("id", "action", "message")}
        try:
            done = await asyncio.to_thread(
                say_of_incident,
                root,
                await asyncio.to_thread(load_config, root),
                given["id"],
                given["action"],
                message=given["message"],
                until=text_of(wanted, "until") or None,
            )
        except (NbopsError, OSError) as error:
            self.refuse(400, str(error))
        else:
            self.say(done)


def text_of(wanted: dict[str, Any], name: str) -> str | None:
    """Return a text of a request's JSON; None when it is not there.

    Raises:
        HTTPError: 400, it is no text.
    """
    value = wanted.get(name)
    if value is not None and not isinstance(value, str):
        raise web.HTTPError(400, reason=f"{name} must be text")
    return value


class _Stylesheets(FilesHandler):
    """``GET files/.../assets/nbops.css``: the stylesheets of reports, for JupyterLab's HTML viewer.

    The viewer shows a page that nobody has trusted in a sandbox, whose requests name no page they come from; the server refuses
    such requests so that other sites cannot include a user's files. A stylesheet of nbops' holds nothing of the user's. Who is
    not logged in gets none.
    """

    def check_xsrf_cookie(self) -> None:
        """Answer wherever the request comes from."""


def register(app: Any) -> None:
    """Add the handlers to a server.

    Args:
        app: The ``ServerApp``.
    """
    base = app.web_app.settings["base_url"]
    sheets = url_path_join(base, "files", r"((?:[^?]*/)?assets/(?:nbops|profile)\.css)")
    own = {
        "notebooks": _Notebooks,
        "notebook": _Notebook,
        "projects": _Projects,
        "status": _Status,
        "build": _Build,
        "incidents": _Incidents,
        "sources": _Sources,
    }
    answers = [(url_path_join(base, "nbops", "api", name), handler) for name, handler in own.items()]
    app.web_app.add_handlers(".*$", [*answers, (sheets, _Stylesheets, {"path": app.root_dir})])
