"""The server's part of reports in JupyterLab's own tabs. Imported inside a Jupyter server only."""

from __future__ import annotations

import asyncio
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jupyter_server.auth.decorator import allow_unauthenticated, authorized
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import url_path_join
from tornado import web

from nbops.contract.config import load_config
from nbops.errors import NbopsError
from nbops.lab.diffs import Wanted, cells_of_edits, choices, diff_page
from nbops.lab.handlers import OfProject, text_of
from nbops.lab.overview import project_folders
from nbops.lab.views import (
    COMPARISON,
    OUTSIDE,
    TYPES,
    View,
    Views,
    first_page,
    in_theme,
    inside,
    links_by_lab,
    newest_run,
    outside_address,
    page_of_notebook,
    policy,
    source_of,
    with_ways_back,
)

__all__ = ["register_reports"]

_ORIGIN = re.compile(r"https?://[A-Za-z0-9.\-\[\]:]+")
_NOTHING_THERE = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="color-scheme" content="light dark">'
    "<title>Not there</title><body style='font-family:sans-serif;margin:2em'><main><h1>This page is not there</h1>"
    "<p>It is not among the project's reports: it was cleaned up, or was never made.</p></main>"
)


class _Report(OfProject):
    """``GET``, ``POST`` and ``DELETE nbops/api/report``: what a tab shows; open one; close it."""

    def initialize(self, views: Views) -> None:
        """Take the server's tabs."""
        self._views = views

    def _view(self) -> View:
        view = self._views.get(self.get_query_argument("view", ""), prolong=True)
        if view is None:
            raise web.HTTPError(404, reason="no such view")
        return view

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer with what ``view`` shows: ``page``, ``stamp`` (changes with its bytes), ``source``, ``newest``, ``wish``."""
        self.say(await asyncio.to_thread(_state, self._view(), self.served()))

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Open a page: ``{"project", "path"}``, or ``{"served"}``, or that of a task by its ``{"notebook", "cell"}``.

        ``path`` is relative to the project's root, ``served`` and ``notebook`` to the folder that is served. Answers ``{"view",
        "project", "page"}``; 404 when there is none, and why.
        """
        wanted = self.get_json_body()
        if not isinstance(wanted, dict):
            raise web.HTTPError(400, reason="a JSON object is needed")
        named = text_of(wanted, "served") or text_of(wanted, "notebook")
        try:
            if named is not None:
                name, root, file = await asyncio.to_thread(_project_of, self.served(), named)
                cell = wanted.get("cell")
                number = cell if type(cell) is int and cell >= 0 else None
                page = await asyncio.to_thread(_wanted, root, file, of_task="notebook" in wanted, cell=number)
            else:
                name = text_of(wanted, "project") or ""
                root = await self.project(name)
                page = await asyncio.to_thread(_checked, root, text_of(wanted, "path"))
        except NbopsError as error:
            self.set_status(404)
            self.say({"message": str(error)})
            return
        view = View(root=root, project=name, origin=_origin_of(self), page=page.partition("#")[0])
        self._views.add(view)
        self.set_status(201)
        self.say({"view": view.id, "project": name, "page": page})

    @web.authenticated
    @authorized
    async def delete(self) -> None:
        """Forget a tab that was closed."""
        self._views.drop(self.get_query_argument("view", ""))
        self.set_status(204)
        self.finish()


def _origin_of(handler: JupyterHandler) -> str:
    """Return scheme, host and port by which the browser knows the server."""
    asked_by = str(handler.request.headers.get("Origin", ""))
    return asked_by if _ORIGIN.fullmatch(asked_by) else f"{handler.request.protocol}://{handler.request.host}"


class _Diff(OfProject):
    """``GET`` and ``POST nbops/api/diff``: which runs can be compared; have a tab compare two."""

    def initialize(self, views: Views) -> None:
        """Take the server's tabs."""
        self._views = views

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer with what :func:`nbops.lab.diffs.choices` says."""
        root = await self.project(self.get_query_argument("project", ""))
        try:
            self.say(await asyncio.to_thread(choices, root))
        except (NbopsError, OSError) as error:
            self.refuse(404, str(error))

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Compare: ``{"project", "before", "after", "task", "edits", "view"}``; see :class:`nbops.lab.diffs.Wanted`.

        ``view`` is the tab that is to show it; without one it is a new one. Answers ``{"view", "project", "page", "before",
        "after"}``; 404 when it cannot be, and why.
        """
        wanted = self.get_json_body()
        if not isinstance(wanted, dict):
            raise web.HTTPError(400, reason="a JSON object is needed")
        name = text_of(wanted, "project") or ""
        root = await self.project(name)
        given = {key: text_of(wanted, key) for key in ("before", "after", "task", "view")}
        try:
            edits = await asyncio.to_thread(cells_of_edits, wanted.get("edits"), self.served())
            asked = Wanted(before=given["before"] or "", after=given["after"] or "", task=given["task"] or None, edits=edits)
            made = await asyncio.to_thread(diff_page, root, asked)
        except (NbopsError, OSError) as error:
            self.refuse(404, str(error))
            return
        view = self._views.get(given["view"] or "", prolong=True)
        if view is None or view.root != root:
            view = View(root=root, project=name, origin=_origin_of(self))
            self._views.add(view)
        view.compare(made.html)
        self.set_status(201)
        self.say({"view": view.id, "project": name, "page": COMPARISON, "before": made.before, "after": made.after})


def _project_of(served: Path, path: str) -> tuple[str, Path, Path]:
    """Return the innermost project that a served file is in: its name, its root, and the file.

    Raises:
        NbopsError: There is none.
    """
    file = inside(served, path)
    projects = project_folders(served).items() if file is not None else ()
    around = [(name, root.resolve()) for name, root in projects if file is not None and file.is_relative_to(root.resolve())]
    if file is None or not around:
        raise NbopsError(f"{path[:120]!r} is no file of a project.")
    return (*max(around, key=lambda item: len(item[1].parts)), file)


def _wanted(root: Path, file: Path, *, of_task: bool, cell: int | None) -> str:
    if of_task:
        return page_of_notebook(root, sorted(root.glob("pipeline*.yaml")), file, cell=cell)
    return _checked(root, file.relative_to(root).as_posix())


def _checked(root: Path, path: str | None) -> str:
    """Return the page to begin with.

    Raises:
        NbopsError: There is none, or it is none of the project's reports.
    """
    if path is None:
        page = first_page(root)
        if page is None:
            raise NbopsError("There are no reports yet. Build the pipeline first.")
        return page
    name, mark, fragment = path.partition("#")
    if _page_file(root, name) is None or not name.endswith(".html"):
        raise NbopsError(f"{name[:120]!r} is no page of the project's reports.")
    return f"{name}{mark}{fragment}"


def _page_file(root: Path, path: str) -> Path | None:
    """Return a file that pages are made of; None when it is none, or is not among the reports."""
    reports = (root / load_config(root).reports).resolve()
    file = inside(root, path)
    return file if file is not None and file.is_relative_to(reports) and file.suffix in TYPES else None


def _state(view: View, served: Path) -> dict[str, Any]:
    """Return what JupyterLab shows around a page, and whether it is to load it anew."""
    try:
        file = _page_file(view.root, view.page)
        newest = newest_run(view.root)
    except NbopsError:
        file, newest = None, None
    stat = file.stat() if file is not None else None
    wish = asdict(view.wish) if view.wish else None
    if wish is not None and view.wish is not None and not view.wish.outside:
        wish["path"] = _as_served(view, view.wish.path, served)
    stamp = f"{stat.st_mtime_ns}-{stat.st_size}" if stat is not None else None
    return {
        "page": view.page,
        "stamp": str(view.compared) if view.page == COMPARISON else stamp,
        "sent": view.sent,
        "source": _as_served(view, view.source, served) if view.source else None,
        "newest": newest,
        "wish": wish,
    }


def _as_served(view: View, path: str, served: Path) -> str | None:
    """Return a path of the project's as the browser names it; None for what the server does not serve."""
    file = view.root / path
    return file.relative_to(served).as_posix() if file.is_relative_to(served) and file.resolve().is_relative_to(served) else None


class _Page(JupyterHandler):
    """``GET nbops/report/VIEW.THEME/PATH``: a page of the reports, or what it is made of; a link to another file is a wish.

    The tab's secret is what opens it, and nothing else: a sandboxed page is of no site, so that its browser sends no cookie
    with what it loads and with the links in it. So no page can use the user's session, either. Only who is logged in is given
    such an address, for as long as the tab is seen now and then.
    """

    auth_resource = "contents"

    def initialize(self, views: Views) -> None:
        """Take the server's tabs."""
        self._views = views

    @allow_unauthenticated
    async def get(self, name: str, theme: str, path: str) -> None:
        """Answer with the file, shut in."""
        view = self._views.get(name)
        if view is None:
            raise web.HTTPError(404, reason="no such view")
        self.set_header("Content-Security-Policy", policy(view, f"{self.base_url}nbops/report/{view.id}.{theme}/"))
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("Cache-Control", "no-store")
        self.set_header("Cross-Origin-Opener-Policy", "same-origin")
        prefix = url_path_join(self.base_url, "nbops", "report", f"{view.id}.{theme}") + "/"
        try:
            if path == COMPARISON and view.comparison is not None:
                if self._shown():
                    view.page, view.source = COMPARISON, None
                suffix, data = ".html", view.comparison
            else:
                file = await asyncio.to_thread(_page_file, view.root, path)
                if file is None or self.get_query_argument("cell", None) is not None:
                    await self._lead_out(view, prefix, path)
                    return
                suffix, data = file.suffix, await asyncio.to_thread(file.read_bytes)
                if suffix == ".html" and self._shown():
                    view.page, view.source = path, await asyncio.to_thread(source_of, view.root, path)
        except (OSError, NbopsError):
            self._nothing(view)
            return
        if suffix == ".html":
            view.sent += self._shown()
            if view.source is not None:
                data = await asyncio.to_thread(with_ways_back, data, prefix=prefix, source=view.source)
            data = await asyncio.to_thread(links_by_lab, data, prefix=prefix)
        self.set_header("Content-Type", TYPES[suffix])
        self.finish(in_theme(data, suffix, theme))

    async def _lead_out(self, view: View, prefix: str, path: str) -> None:
        """Have JupyterLab open what no page is made of, a file of the project's or a place outside, and stay where one was."""
        asked = self.request.headers
        followed = "Sec-Fetch-Mode" not in asked or (
            asked["Sec-Fetch-Mode"] == "navigate" and asked.get("Sec-Fetch-User") == "?1"
        )
        outside = outside_address(self.get_query_argument("to", "")) if path == OUTSIDE else None
        if not followed or (outside is None and await asyncio.to_thread(inside, view.root, path) is None):
            self._nothing(view)
            return
        text = self.get_query_argument("cell", "")
        cell = int(text) if text.isdecimal() and len(text) < 7 else None  # noqa: PLR2004 - no notebook has a million cells
        if outside is not None:
            view.ask_for(outside, outside=True)
        else:
            view.ask_for(path, cell=cell)
        self.redirect(prefix + view.page + (f"#cell-{cell}" if cell is not None else ""))

    def _shown(self) -> bool:
        """Tell whether a frame is to show the answer, and it is not a picture, say, of a page."""
        return self.request.headers.get("Sec-Fetch-Mode", "navigate") == "navigate"

    def _nothing(self, view: View) -> None:
        view.sent += self._shown()
        self.set_status(404)
        self.set_header("Content-Type", "text/html; charset=UTF-8")
        self.finish(_NOTHING_THERE)


def register_reports(app: Any) -> None:
    """Add the handlers of reports to a server.

    Args:
        app: The ``ServerApp``.
    """
    base = app.web_app.settings["base_url"]
    views = {"views": Views()}
    own = [
        (url_path_join(base, "nbops", "api", "report"), _Report, views),
        (url_path_join(base, "nbops", "api", "diff"), _Diff, views),
        (url_path_join(base, "nbops", "report", r"([A-Za-z0-9_-]{32})\.(light|dark)/([^?]+)"), _Page, views),
    ]
    app.web_app.add_handlers(".*$", own)
