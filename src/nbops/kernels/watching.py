"""What code reads, writes and connects to while it runs, noted beside it; also in kernels, so nothing heavy is imported.

Python tells of each file that is opened and each connection that is made through audit hooks (PEP 578). What libraries do in
native code (DuckDB, Arrow, libpq) they do not tell; that is found in the code itself. A hook cannot be taken away and everything
that opens a file passes through it, so it does little, never raises, and stops looking after a thousand names.

A line of the file is a JSON list: ``["read", path]``, ``["write", path]``, ``["host", "name:port"]``, ``["program", name]``,
``["more", kind]`` when there were too many to note, and ``["tables", execution count, [[name, rows, columns, nulls], ...]]``.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import sys
from typing import Any

from nbops.contract.own_reads import are_own

__all__ = ["OBSERVE_VARIABLE", "Observer", "install", "settings_for"]

OBSERVE_VARIABLE = "NBOPS_OBSERVE"
"""Environment variable that asks for it: JSON, from :func:`settings_for`."""

_MOST = 1_000
"""Names noted of each kind."""
_LONGEST = 1_024
_EPHEMERAL = 32_768
"""Ports from here on are given out by the system; on this machine itself they connect parts of one program."""
_LOCAL = ("127.", "::1", "localhost", "0.0.0.0")  # noqa: S104 - compared, not bound to
_CODE = (".py", ".pyc", ".pyi", ".so", ".pth", ".ipynb")
_SKIPPED = ("/site-packages/", "/dist-packages/", "/__pycache__/", "/.ipynb_checkpoints/", "/.cache/", "/.ipython/", "/.git/")
_DATA = (
    *(".parquet", ".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".gz", ".zip", ".xlsx", ".xls", ".arrow", ".feather", ".orc"),
    *(".avro", ".db", ".sqlite", ".duckdb", ".npy", ".npz", ".pkl", ".pickle", ".joblib", ".txt", ".xml", ".h5", ".hdf5"),
)
"""Endings of files outside the project that are noted."""


def settings_for(*, target: str, root: str, skip: list[str], tables: bool) -> str:
    """Return the value of the environment variable.

    Args:
        target: The file that is written to.
        root: The project's root, absolute.
        skip: Folders below it of which nothing is noted.
        tables: Also note how much is in the tables that cells make.
    """
    return json.dumps({"target": target, "root": root, "skip": skip, "tables": tables})


class Observer:
    """Notes what audit events tell.

    Args:
        target: The file that is written to.
        root: The project's root, absolute.
        skip: Folders below it of which nothing is noted.
    """

    def __init__(self, *, target: str, root: str, skip: list[str]) -> None:
        self._target = target
        self._root = root.rstrip("/") + "/"
        installed = {os.path.realpath(folder) for folder in (sys.prefix, sys.base_prefix)}
        self._skip = tuple(f"{folder.rstrip('/')}/" for folder in (*(self._root + name for name in skip), *sorted(installed)))
        self._seen: dict[str, set[str]] = {"read": set(), "write": set(), "host": set(), "program": set()}
        self._looked_up: dict[Any, str] = {}
        self._lines: list[list[Any]] = []
        self._at_once = False

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Take an audit event; called for each, so the usual ones must be left at once."""
        handler = _HANDLERS.get(event)
        if handler is not None:
            with contextlib.suppress(Exception):  # what is observed must not notice
                handler(self, arguments)

    def forked(self) -> None:
        """Write at once from now on: a child may end without its exit being run."""
        self._lines, self._at_once = [], True

    def note(self, line: list[Any]) -> None:
        """Note a line, to be written with the next flush."""
        self._lines.append(line)
        if self._at_once:
            self.flush()

    def flush(self) -> None:
        """Append what is noted to the file; a failure loses it and nothing else."""
        lines, self._lines = self._lines, []
        if not lines:
            return
        try:
            # opened each time: the code may close descriptors, and another file could then have the same number
            descriptor = os.open(self._target, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                # it begins with a line break: a line that was left half-written spoils only itself
                os.write(descriptor, "".join(f"\n{json.dumps(line)}" for line in lines).encode() + b"\n")
            finally:
                os.close(descriptor)
        except OSError:
            return

    def _add(self, kind: str, name: str) -> None:
        seen = self._seen[kind]
        if name in seen or len(seen) > _MOST or len(name) > _LONGEST:
            return
        seen.add(name)
        self.note(["more", kind] if len(seen) > _MOST else [kind, name])

    def _path(self, kind: str, given: Any) -> None:
        if len(self._seen[kind]) > _MOST or not isinstance(given, str | bytes | os.PathLike):
            return
        name = os.fsdecode(given)
        if name.endswith(_CODE) or "\0" in name:
            return
        path = os.path.normpath(name if name.startswith("/") else f"{os.getcwd()}/{name}")  # noqa: PTH109 - a hook must be quick
        inside = path.startswith(self._root)
        if not inside and (not path.endswith(_DATA) or path.startswith(("/proc/", "/sys/", "/dev/"))):
            return
        if path.startswith(self._skip) or any(part in path for part in _SKIPPED):
            return
        self._add(kind, path)

    def _opened(self, arguments: tuple[Any, ...]) -> None:
        if are_own():
            return
        path, mode, flags = arguments
        writes = any(letter in mode for letter in "wax+") if isinstance(mode, str) else bool(flags & (os.O_WRONLY | os.O_RDWR))
        self._path("write" if writes else "read", path)

    def _database(self, arguments: tuple[Any, ...]) -> None:
        name = arguments[0]
        if isinstance(name, str) and name.startswith("file:"):
            name = name[len("file:") :].partition("?")[0]
        if name and name != ":memory:":
            self._path("read", name)

    def _asked_for(self, arguments: tuple[Any, ...]) -> None:
        host, port = arguments[0], arguments[1]
        if isinstance(host, str | bytes) and len(self._looked_up) < _MOST:
            self._looked_up[port if isinstance(port, int) else str(port)] = os.fsdecode(host)

    def _connected(self, arguments: tuple[Any, ...]) -> None:
        address = arguments[1]
        if not isinstance(address, tuple) or len(address) < 2 or not isinstance(address[1], int):  # noqa: PLR2004
            return
        host, port = str(address[0]), address[1]
        if host.startswith(_LOCAL) and port >= _EPHEMERAL:
            return
        self._add("host", f"{self._looked_up.get(port, self._looked_up.get(str(port), host))}:{port}")

    def _started(self, arguments: tuple[Any, ...]) -> None:
        program = arguments[0]
        self._add("program", os.path.basename(os.fsdecode(program)) if program else "sh")  # noqa: PTH119

    def _shell(self, arguments: tuple[Any, ...]) -> None:  # noqa: ARG002 - the command may hold anything
        self._add("program", "sh")


_HANDLERS = {
    "open": Observer._opened,  # noqa: SLF001 - its own
    "sqlite3.connect": Observer._database,  # noqa: SLF001
    "socket.getaddrinfo": Observer._asked_for,  # noqa: SLF001
    "socket.connect": Observer._connected,  # noqa: SLF001
    "subprocess.Popen": Observer._started,  # noqa: SLF001
    "os.system": Observer._shell,  # noqa: SLF001
}

_installed: list[Observer] = []


def install(shell: Any = None) -> Observer | None:
    """Observe this process from now on, when its environment asks for it; a second call changes nothing.

    Args:
        shell: The IPython shell of a kernel, whose cells are to be told apart.

    Returns:
        The observer, None when none is asked for.
    """
    if _installed:
        return _installed[0]
    try:
        settings = json.loads(os.environ.get(OBSERVE_VARIABLE, ""))
        observer = Observer(target=str(settings["target"]), root=str(settings["root"]), skip=list(settings["skip"]))
        tables = bool(settings["tables"])
    except (ValueError, KeyError, TypeError):
        return None
    _installed.append(observer)
    if shell is not None:
        _watch_cells(shell, observer, tables=tables)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:  # a plain function: others take three times as long to call
        if event in _HANDLERS:
            observer.hook(event, arguments)

    atexit.register(observer.flush)
    os.register_at_fork(after_in_child=observer.forked)
    sys.addaudithook(hook)
    return observer


def _watch_cells(shell: Any, observer: Observer, *, tables: bool) -> None:
    from nbops.kernels.tables import TableWatch  # noqa: PLC0415 - for kernels only

    watch = TableWatch(observer.note) if tables else None

    def after(result: Any) -> None:
        if watch is not None:
            watch.look(shell.user_ns, result)
        observer.flush()

    shell.events.register("post_run_cell", after)
