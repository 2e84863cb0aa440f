"""Importing ahead, and finding out whether what was imported can be forked."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["LeftOut", "blas_controller", "import_ahead", "import_kernel", "is_project_module", "rehearse", "shadowed", "threads"]

_KERNEL = ("ipykernel.kernelapp", "nbops.kernels.app")
_KERNEL_PARTS = (
    "ipykernel.debugger",
    "ipykernel.eventloops",
    "ipykernel.embed",
    "IPython.core.completer",
    "IPython.core.completerlib",
    "IPython.core.debugger",
    "IPython.core.logger",
    "IPython.core.oinspect",
    "IPython.core.pylabtools",
    "IPython.extensions.storemagic",
    "concurrent.futures.thread",
    "faulthandler",
    "pdb",
    "psutil",
    "sqlite3",
    "tornado.platform.asyncio",
)
"""What an ipykernel imports by the time its first cell has run; which parts there are depends on its version."""

_HARMLESS_FILES = frozenset({"/dev/null", "/dev/urandom", "/dev/random"})
_SETTLING_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """Why a module is not imported ahead."""

    text: str
    lasting: bool
    """Whether the attempt left traces, so that this process must be replaced and the module not be tried again."""


class _Unsafe(Exception):  # noqa: N818 - a finding, not an error
    """What an import did that a fork would break."""


@dataclass(frozen=True, slots=True)
class _State:
    """What an import must leave as it was."""

    threads: int
    files: frozenset[str]
    handlers: tuple[Any, ...]
    children: str


def threads() -> int:
    """Return how many threads this process has, those of libraries included."""
    return len(os.listdir("/proc/self/task"))  # noqa: PTH208 - names are all that is needed


def import_kernel() -> None:
    """Import all that an ipykernel needs, but for the debugger's back end, which starts threads.

    Raises:
        ImportError: ipykernel cannot be imported.
    """
    with _hidden("debugpy"):
        for name in _KERNEL:
            importlib.import_module(name)
        for name in _KERNEL_PARTS:
            with contextlib.suppress(ImportError):
                importlib.import_module(name)


@contextlib.contextmanager
def _hidden(name: str) -> Iterator[None]:
    """Make a module look as if it were not installed, for now."""
    known = sys.modules.get(name)
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[name]
        if known is not None:
            sys.modules[name] = known


def import_ahead(name: str, *, root: Path) -> LeftOut | None:
    """Import one module and see what that did to this process.

    Args:
        name: Dotted name.
        root: The project's root.

    Returns:
        None when it can be forked; else why not. Whatever an import raises, kernels start without it.
    """
    try:
        if not _is_there(name):
            return LeftOut(text="there is no such module", lasting=False)
        _import(name, root=root)
    except _Unsafe as reason:
        return LeftOut(text=str(reason), lasting=True)
    except SystemExit as error:
        return LeftOut(text=f"its import calls exit({error.code!r})", lasting=True)
    except BaseException as error:  # noqa: BLE001
        return LeftOut(text=f"its import raises {type(error).__name__}: {error}"[:300], lasting=True)
    return None


def _is_there(name: str) -> bool:
    """Return whether a module can be found; the packages above it are imported for that."""
    try:
        return importlib.util.find_spec(name) is not None
    except (ModuleNotFoundError, ValueError):
        return False


def _import(name: str, *, root: Path) -> None:
    before = _state()
    known = set(sys.modules)
    importlib.import_module(name)
    own = sorted(module for module in set(sys.modules) - known if is_project_module(module, root))
    if own:
        raise _Unsafe(f"it imports {own[0]}, which belongs to the project")
    for module in [module for module in sys.modules if module.split(".", 1)[0] == "matplotlib_inline"]:
        del sys.modules[module]  # it binds itself to the running shell when it is imported, and there is none yet
    _compare(before)


def rehearse() -> None:
    """Do once what the first cells of most notebooks do, as far as it leaves nothing behind.

    What Python and libraries find out on the way (patterns, parts that they import on first use) need not be found out in each
    kernel.
    """
    with contextlib.suppress(Exception):  # a library of another version: kernels do without
        transformer: Any = importlib.import_module("IPython.core.inputtransformer2").TransformerManager()
        for code in ("value = {'a': 1}\nvalue", "%time value", "!ls", "value?"):
            transformer.transform_cell(code)
            transformer.check_complete(code)
    with contextlib.suppress(Exception):
        pandas: Any = sys.modules.get("pandas")
        if pandas is not None:
            frame = pandas.DataFrame({"number": [1.5, 2.0], "whole": [1, 2], "text": ["a", "b"]})
            repr(frame)
            frame._repr_html_()
            repr(frame["number"])


def _compare(before: _State) -> None:
    until = time.monotonic() + _SETTLING_SECONDS
    while (count := threads()) != before.threads and time.monotonic() < until:
        time.sleep(0.005)  # a thread that was joined is seen for a moment longer
    if count != before.threads:
        raise _Unsafe("its import starts threads")
    after = _state()
    if after.children != before.children:
        raise _Unsafe("its import starts processes")
    if after.files - before.files:
        raise _Unsafe("its import keeps files or connections open")
    if after.handlers != before.handlers:
        raise _Unsafe("its import sets signal handlers")


def _state() -> _State:
    return _State(
        threads=threads(),
        files=frozenset(_open_files()),
        handlers=tuple(signal.getsignal(number) for number in sorted(signal.valid_signals())),
        children=_children(),
    )


def _children() -> str:
    try:
        return Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii").strip()
    except OSError:  # a system built without it
        return ""


def _open_files() -> Iterator[str]:
    for entry in os.listdir("/proc/self/fd"):  # noqa: PTH208
        with contextlib.suppress(OSError):  # the listing's own descriptor is closed by now
            target = str(Path("/proc/self/fd", entry).readlink())
            if target not in _HARMLESS_FILES and not target.startswith("/proc/"):
                yield f"{entry} {target}"


def is_project_module(name: str, root: Path) -> bool:
    """Return whether a loaded module's file is one of the project's: below its root, and not installed there."""
    if name in {"nbops", "__main__", "__mp_main__"} or name.startswith("nbops."):
        return False  # multiprocessing calls the main module, which is the server itself, by a second name
    file = getattr(sys.modules.get(name), "__file__", None)
    if not isinstance(file, str):
        return False
    path = Path(file).resolve()
    prefix = Path(sys.prefix).resolve()
    inside = path.is_relative_to(root)
    installed = "site-packages" in path.parts or "dist-packages" in path.parts or (prefix != root and path.is_relative_to(prefix))
    return inside and not installed


def blas_controller() -> Any:
    """Return what raises BLAS libraries to several threads again, or None where there is no such library."""
    try:
        from threadpoolctl import ThreadpoolController  # noqa: PLC0415

        controller = ThreadpoolController().select(internal_api="openblas")
    except Exception:  # noqa: BLE001 - a library that it cannot read is left as it is
        return None
    return controller if controller.lib_controllers else None


def shadowed(names: Iterable[str], folders: Iterable[str]) -> str | None:
    """Return a module that a kernel started in the ordinary way would find in one of ``folders``, although it is loaded already.

    Args:
        names: Top-level names of loaded modules.
        folders: Where such a kernel looks first.
    """
    loaded = frozenset(names)
    for folder in dict.fromkeys(folders):
        try:
            entries = list(os.scandir(folder or "."))
        except OSError:
            continue
        for entry in entries:
            name, _, ending = entry.name.partition(".")
            if name not in loaded:
                continue
            package = not ending and Path(entry.path, "__init__.py").is_file()
            module = ending in {"py", "pyc"} or ending.endswith(".so") or ending == "so"
            if (package or module) and not _same_place(name, entry.path):
                return f"{name} ({entry.name})"
    return None


def _same_place(name: str, path: str) -> bool:
    file = getattr(sys.modules.get(name), "__file__", None)
    return isinstance(file, str) and Path(file).resolve().is_relative_to(Path(path).resolve())
