"""The server's answers to nbops' part of the browser. Imported inside a Jupyter server only."""

from __future__ import annotations

import asyncio
import itertools
import json
from pathlib import Path
from typing import Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from jupyter_server.files.handlers import FilesHandler
from jupyter_server.utils import url_path_join
from tornado import web

from nbops.adapters.pipeline_yaml import find_pipeline, read_pipeline
from nbops.errors import NbopsError

__all__ = ["register", "text_notebooks"]

_TEXT = frozenset({".py", ".r", ".R"})
_MOST_PROJECTS = 50
"""Projects looked for right below the folder that is served."""


def text_notebooks(served: Path) -> list[str]:
    """Return the text files that are notebooks of a pipeline, as paths relative to the folder that is served.

    Pipelines are looked for in that folder, above it, and in its own folders.

    Args:
        served: The server's root.
    """
    served = served.resolve()
    above = find_pipeline(served)
    below = itertools.islice(served.glob("*/pipeline.yaml"), _MOST_PROJECTS)
    found: set[str] = set()
    for path in {*below, *([above] if above else [])}:
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
    notebooks = url_path_join(base, "nbops", "api", "notebooks")
    app.web_app.add_handlers(".*$", [(notebooks, _Notebooks), (sheets, _Stylesheets, {"path": app.root_dir})])
