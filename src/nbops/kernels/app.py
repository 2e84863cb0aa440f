"""ipykernel's application, told who its client is; imported by the process that kernels are forked from, and nowhere else."""

from __future__ import annotations

import contextlib
import os
import re
import select
import sys
import threading
from copy import deepcopy
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, Any

from ipykernel import debugger, ipkernel
from ipykernel.kernelapp import IPKernelApp
from traitlets.config import Config
from traitlets.config.loader import DeferredConfigString

from nbops.kernels import (
    child,  # noqa: F401 - so that it is loaded before the fork
    tables,  # noqa: F401 - likewise
    watching,
)
from nbops.kernels.sessions import children_of, kill_session

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["plain_configuration", "run_app"]

_CONTROL_SECONDS = 2.0
_HISTORY = "--HistoryManager.hist_file"
_PLAIN = re.compile(r"[\w.:/-]+", re.ASCII)


class _ClientWatch(threading.Thread):
    """Ends the kernel's session when its task is gone, for when the server that does so is gone too."""

    def __init__(self, link: int) -> None:
        super().__init__(name="nbops-client", daemon=True)
        self._link = link

    def run(self) -> None:
        poll = select.poll()
        poll.register(self._link, select.POLLRDHUP | select.POLLHUP | select.POLLERR)
        poll.poll()
        kill_session(os.getpid())


def run_app(arguments: list[str], *, link: int) -> None:
    """Run a kernel until it is asked to shut down.

    Args:
        arguments: As on the command line of ipykernel.
        link: Descriptor of the connection to the client.
    """
    app: Any = IPKernelApp.instance(parent_handle=1)  # 1: somebody started it, and nothing is to be watched
    os.register_at_fork(after_in_child=lambda: _close(link))
    config = plain_configuration(arguments)
    if config is not None:
        object.__setattr__(app, "parse_command_line", lambda given: _configure(app, given, config))
    with _no_list_of_modules():
        app.initialize(arguments)
    app.poller = _ClientWatch(link)
    watching.install(app.shell)
    _look_for_children_at_once(app.kernel)
    app.start()
    # ipykernel closes its output channel first; a control thread that still answers would then wait for it until it is killed
    app.control_thread.stop()
    app.control_thread.join(_CONTROL_SECONDS)


def _look_for_children_at_once(kernel: Any) -> None:
    """Spare a kernel without children, at its end, a look at every process of the machine for some."""
    search = kernel._process_children  # noqa: SLF001 - the only place where it can be told

    def found() -> Any:
        return [] if children_of(os.getpid()) == [] else search()

    kernel._process_children = found  # noqa: SLF001


class _FewModules(ModuleType):
    """Stands in for ``sys``, with no modules."""

    modules: Mapping[str, ModuleType] = MappingProxyType({})

    def __getattr__(self, name: str) -> Any:
        return getattr(sys, name)


@contextlib.contextmanager
def _no_list_of_modules() -> Iterator[None]:
    """Keep ipykernel from listing the files of all modules for a debugger that is not there.

    That touches, and so copies, the pages of a thousand modules: an eighth of a kernel's start.
    """
    if getattr(debugger, "_is_debugpy_available", True) or getattr(ipkernel, "sys", None) is not sys:
        yield
        return
    module: Any = ipkernel
    module.sys = _FewModules("sys")
    try:
        yield
    finally:
        module.sys = sys


def plain_configuration(arguments: list[str]) -> Config | None:
    """Return what ipykernel makes of a command line as nbclient writes it; None for any other.

    A parser that knows every option of every class takes a quarter of a kernel's start to be made.

    Args:
        arguments: Of the command line.
    """
    if len(arguments) not in {2, 3} or arguments[0] != "-f" or arguments[1].startswith("-"):
        return None
    config = Config()
    config.IPKernelApp.connection_file = arguments[1]
    if len(arguments) == 3:  # noqa: PLR2004
        option, _, value = arguments[2].partition("=")
        if option != _HISTORY or not _PLAIN.fullmatch(value):
            return None
        config.HistoryManager.hist_file = DeferredConfigString(value)
    return config


def _configure(app: Any, arguments: list[str], config: Config) -> None:
    """Do what the application's own method does after it has parsed the arguments."""
    app.argv = list(arguments)
    app.cli_config = deepcopy(config)
    app.update_config(config)
    app.extra_args = []


def _close(descriptor: int) -> None:
    try:
        os.close(descriptor)
    except OSError:
        return
