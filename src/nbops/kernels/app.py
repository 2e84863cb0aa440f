"""ipykernel's application, told who its client is; imported by the process that kernels are forked from, and nowhere else."""

from __future__ import annotations

import os
import select
import threading
from typing import Any

from ipykernel.kernelapp import IPKernelApp

from nbops.kernels import (
    child,  # noqa: F401 - so that it is loaded before the fork
    tables,  # noqa: F401 - likewise
    watching,
)
from nbops.kernels.sessions import kill_session

__all__ = ["run_app"]

_CONTROL_SECONDS = 2.0


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
    app.initialize(arguments)
    app.poller = _ClientWatch(link)
    watching.install(app.shell)
    app.start()
    # ipykernel closes its output channel first; a control thread that still answers would then wait for it until it is killed
    app.control_thread.stop()
    app.control_thread.join(_CONTROL_SECONDS)


def _close(descriptor: int) -> None:
    try:
        os.close(descriptor)
    except OSError:
        return
