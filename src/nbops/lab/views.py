"""Reports in JupyterLab's own tabs: which file a tab may see, and what its page gets besides.

A page is shown in a frame that can do nothing but show it: no script, no form, no other window, an origin of its own. What it
loads is asked for under an address that holds a secret of the tab, and is answered from the project's reports only.
"""

from __future__ import annotations

import re
import secrets
import threading
import time
from dataclasses import dataclass, field
from html import escape, unescape
from typing import TYPE_CHECKING
from urllib.parse import quote

from nbops.adapters.pipeline_yaml import find_task, read_pipeline
from nbops.contract.config import load_config
from nbops.errors import LedgerError, NbopsError
from nbops.pages.names import page_name
from nbops.record.homes import task_home
from nbops.record.store import latest_run, read_run, run_folders

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nbops.adapters.pipeline_yaml import FileTask
    from nbops.model import Run

__all__ = [
    "COMPARISON",
    "OUTSIDE",
    "TYPES",
    "View",
    "Views",
    "Wish",
    "first_page",
    "in_theme",
    "inside",
    "links_by_lab",
    "newest_run",
    "outside_address",
    "page_of_notebook",
    "policy",
    "source_of",
    "with_ways_back",
]

TYPES = {
    ".html": "text/html; charset=UTF-8",
    ".css": "text/css; charset=UTF-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
}
"""What a page is made of. Everything else that it leads to is opened by JupyterLab itself."""
COMPARISON = "comparison"
"""The page of a tab that compares two runs: it is made for the tab, and is no file."""
OUTSIDE = "outside"
"""Where links lead in a frame that lead out of the reports to other places; the address is in ``to``."""
_MOST_VIEWS = 500
_SECONDS = 3600.0
_CELL = re.compile(rb'<div class="cell [a-z_ ]*" id="cell-(\d{1,6})">')
_LINK = re.compile(
    rb"""(<(?:a|area)\b(?:[^>"']|"[^"]*"|'[^']*')*?\shref\s*=\s*)(?:"([^"]*)"|'([^']*)'|([^\s>"']+))""", re.IGNORECASE
)
_LONGEST_ADDRESS = 4000
_TASK_PAGE = re.compile(r"runs/([^/]+)/tasks/([^/]+)\.html")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A link was followed that leads out of the reports: JupyterLab opens the file, or asks whether to go there."""

    serial: int
    path: str
    """Relative to the project's root; of a place outside, its address."""
    cell: int | None
    outside: bool = False
    """``path`` is the address of a page elsewhere, which nobody has opened yet."""


@dataclass(slots=True, kw_only=True)
class View:
    """One tab: the project that it may see, and the page that it shows."""

    id: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    root: Path
    project: str
    origin: str
    """Scheme, host and port by which the browser knows the server."""
    page: str = ""
    """The page that was sent last, relative to the project's root."""
    source: str | None = None
    """The notebook of the task that the page is of, relative to the project's root."""
    wish: Wish | None = None
    comparison: bytes | None = None
    """The page under :data:`COMPARISON`, where the tab compares two runs."""
    compared: int = 0
    """How many times that page was made."""
    sent: int = 0
    """How many answers the frame got. Where it shows something and this did not grow, it is elsewhere."""

    def ask_for(self, path: str, *, cell: int | None = None, outside: bool = False) -> None:
        """Note that JupyterLab is to open a file, at a cell of it, or to ask whether to go to an address outside."""
        self.wish = Wish(serial=self.wish.serial + 1 if self.wish else 1, path=path, cell=cell, outside=outside)

    def compare(self, html: str) -> None:
        """Have the tab show a comparison."""
        self.comparison, self.page, self.source = html.encode(), COMPARISON, None
        self.compared += 1


class Views:
    """The tabs of a server. One that was not seen for an hour is forgotten; when it is seen again, it is opened anew."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._views: dict[str, tuple[View, float]] = {}
        self._lock = threading.Lock()
        self._clock = clock

    def add(self, view: View) -> None:
        """Remember a tab, and forget old ones."""
        with self._lock:
            now = self._clock()
            kept = sorted(((one, until) for one, until in self._views.values() if until > now), key=lambda item: item[1])
            self._views = {one.id: (one, until) for one, until in kept[-_MOST_VIEWS + 1 :]}
            self._views[view.id] = view, now + _SECONDS

    def get(self, name: str, *, prolong: bool = False) -> View | None:
        """Return a tab by its secret.

        Args:
            name: The secret.
            prolong: Somebody who is logged in asks: the tab is seen.
        """
        with self._lock:
            view, until = self._views.get(name, (None, 0.0))
            if view is None or until <= self._clock():
                return None
            if prolong:
                self._views[name] = view, self._clock() + _SECONDS
            return view

    def drop(self, name: str) -> None:
        """Forget a tab that was closed."""
        with self._lock:
            self._views.pop(name, None)


def inside(root: Path, path: str) -> Path | None:
    """Return a file of a project that may be shown; None for what is missing, hidden, or elsewhere.

    Args:
        root: The project's root.
        path: Relative to it, decoded; with ``/`` between its parts.

    >>> from pathlib import Path
    >>> inside(Path("/"), "../etc/passwd") is None
    True
    """
    parts = path.split("/")
    if any(part.startswith(".") or not part or "\\" in part or not part.isprintable() for part in parts):
        return None
    try:
        found = root.joinpath(*parts).resolve(strict=True)
        return found if found.is_file() and found.is_relative_to(root.resolve()) else None
    except (OSError, ValueError, RuntimeError):  # a name that is too long, a circle of links
        return None


def policy(view: View, address: str) -> str:
    """Return the Content-Security-Policy of a page: a sandbox without any permission, loads from the tab's address only."""
    own = view.origin + address
    return (
        f"sandbox; default-src 'none'; style-src {own} 'unsafe-inline'; img-src {own} data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    )


def links_by_lab(html: bytes, *, prefix: str) -> bytes:
    """Return a page whose links to other places have JupyterLab ask, instead of taking the frame there.

    A page that hides what its link is (it may be written by anybody who can write to the reports) can still lead its own frame
    away, as somebody who is not logged in and cannot run a script. JupyterLab sees that the frame is elsewhere, and takes it
    back.

    Args:
        html: The page.
        prefix: The tab's address.
    """

    def by_lab(match: re.Match[bytes]) -> bytes:
        given = next(text for text in match.groups()[1:] if text is not None)
        address = outside_address(unescape(given.decode("utf-8", errors="replace")))
        if address is None:
            return match[0]
        return match[1] + f'"{escape(prefix)}{OUTSIDE}?to={quote(address, safe="")}"'.encode()

    return _LINK.sub(by_lab, html)


def outside_address(text: str) -> str | None:
    """Return an address of another place on the web that somebody may be asked about; None for anything else.

    >>> outside_address(" HTTPS://example.org/a?b=1 ")
    'https://example.org/a?b=1'
    >>> outside_address("javascript:alert(1)"), outside_address("runs/x/index.html"), outside_address("https://a b/")
    (None, None, None)
    """
    text = re.sub(r"[\t\r\n]", "", text.strip())  # as browsers read addresses
    if text.startswith("//"):
        text = f"https:{text}"
    scheme, _, rest = text.partition("://")
    known = scheme.lower() in {"http", "https"} and rest and text.isprintable() and not re.search(r"[\s\\<>\"']", text)
    return f"{scheme.lower()}://{rest}" if known and len(text) <= _LONGEST_ADDRESS else None


def in_theme(data: bytes, suffix: str, theme: str) -> bytes:
    """Return a page or a stylesheet light or dark as JupyterLab is, whatever the browser prefers by itself."""
    if suffix == ".html":
        wide = b'<meta name="color-scheme" content="light dark">'
        head, body_tag, rest = data.replace(wide, b'<meta name="color-scheme" content="%b">' % theme.encode(), 1).partition(
            b"<body"
        )
        return _style_in(head, theme) + body_tag + rest  # a page that stands alone has its stylesheet in its head
    return _style_in(data, theme) if suffix in {".css", ".svg"} else data


def _style_in(data: bytes, theme: str) -> bytes:
    always, never = b"(min-width: 0)", b"(max-width: 0)"
    data = data.replace(b"(prefers-color-scheme: dark)", always if theme == "dark" else never)
    return data.replace(b"color-scheme: light dark", b"color-scheme: " + theme.encode())


def first_page(root: Path) -> str | None:
    """Return the page that a tab without a wish begins with: the latest run's, else the project's.

    Raises:
        NbopsError: The settings cannot be read.
    """
    reports = load_config(root).reports
    candidates = [f"{reports}/runs/{run_id}/index.html" for run_id in reversed(run_folders(root / reports))]
    return next((path for path in (*candidates[:5], f"{reports}/index.html") if inside(root, path)), None)


def newest_run(root: Path) -> str | None:
    """Return the id of the newest run that has a page."""
    page = first_page(root)
    return page.rsplit("/", 2)[1] if page and page.endswith("/index.html") and "/runs/" in page else None


def page_of_notebook(root: Path, pipelines: list[Path], notebook: Path, *, cell: int | None) -> str:
    """Return the page of a notebook's task in the latest run, at a cell where the page shows it.

    Args:
        root: The project's root.
        pipelines: Its pipeline files.
        notebook: The notebook.
        cell: A cell, as pages count them: from 0, without the injected one.

    Raises:
        LedgerError: There is no page of it, and why.
    """
    reports = load_config(root).reports
    run = latest_run(root / reports)
    if run is None:
        raise LedgerError("There are no runs yet. Build the pipeline first.")
    declared = (found.name for path in pipelines if (found := _declared(path, notebook)) is not None)
    name = next(declared, None) or _named_in(run, root, notebook)
    task = next((one for one in run.tasks if one.name == name), None)
    if task is None:
        raise LedgerError(f"{notebook.name} is the notebook of no task of the latest run ({run.id}).")
    for home in dict.fromkeys((task_home(run, task), run.id)):
        page = f"{reports}/runs/{home}/tasks/{page_name(task.name)}.html"
        file = inside(root, page)
        if file is not None:
            there = cell is not None and f'id="cell-{cell}"'.encode() in file.read_bytes()
            return f"{page}#cell-{cell}" if there else page
    raise LedgerError(f"The latest run ({run.id}) has no page of {task.name}.")


def _declared(pipeline: Path, notebook: Path) -> FileTask | None:
    try:
        return find_task(read_pipeline(pipeline), notebook)
    except NbopsError:
        return None  # another pipeline may have it


def _named_in(run: Run, root: Path, notebook: Path) -> str | None:
    """Return the task that a ledger says a notebook is of."""
    try:
        relative = notebook.resolve().relative_to(root).as_posix()
    except ValueError:
        return None
    return next((task.name for task in run.tasks if task.source == relative), None)


def source_of(root: Path, page: str) -> str | None:
    """Return the notebook, relative to the root, of the task that a page is of; None for other pages."""
    reports = load_config(root).reports
    match = _TASK_PAGE.fullmatch(page.removeprefix(f"{reports}/"))
    if match is None or not page.startswith(f"{reports}/"):
        return None
    try:
        run = read_run(root / reports, match[1])
    except (NbopsError, OSError):
        return None
    task = next((one for one in run.tasks if page_name(one.name) == match[2]), None)
    known = task is not None and task.source and inside(root, task.source) is not None
    return task.source if known and task is not None else None


def with_ways_back(html: bytes, *, prefix: str, source: str) -> bytes:
    """Return a task's page in which each cell leads to the cell of the notebook that it was executed from.

    Args:
        html: The page.
        prefix: The tab's address, to which paths relative to the project's root are added.
        source: The notebook, relative to the root.
    """
    address = escape(prefix + quote(source))

    def with_way(match: re.Match[bytes]) -> bytes:
        cell = match[1].decode()
        link = f'<a href="{address}?cell={cell}" aria-label="Open cell {cell} in the notebook">Open in the notebook</a>'
        return match[0] + f'<p style="float:right;margin:0 0 0 12px;font-size:13px">{link}</p>'.encode()

    return _CELL.sub(with_way, html)
