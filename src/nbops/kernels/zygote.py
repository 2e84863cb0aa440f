"""The process that kernels are forked from: ``python -m nbops.kernels.zygote LISTENER LINK SETTINGS`` (three descriptors).

It has exactly one thread. It imports once, then forks a kernel for each task that connects, tells the task how the kernel ended,
and kills the kernel's session when its task is gone. It ends, and its kernels with it, when the build at the other end of the
link is gone, however that died.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import selectors
import shutil
import signal
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbops.kernels import loading, wire
from nbops.kernels.preload import DATA_LIBRARIES, fixed_variables
from nbops.kernels.sessions import kill_child, kill_session

__all__: list[str] = []

_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kernel:
    pid: int
    connection: socket.socket


class _Zygote:
    """The server: one instance, which never returns from :meth:`serve`."""

    def __init__(self, listener: int, link: int, settings: int) -> None:
        self._descriptors = (listener, link, settings)
        self._listener = socket.socket(fileno=listener)
        self._link = socket.socket(fileno=link)
        self._settings: dict[str, Any] = wire.read_memory_file(settings)
        self._root = Path(self._settings["root"])
        self._before = dict(os.environ)
        self._path = sys.path[1:]  # the first is the folder that this process was started in
        self._kernels: dict[int, _Kernel] = {}
        self._waiting: dict[socket.socket, int] = {}
        self._retired = False
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = socket.socketpair()

    # -- importing --------------------------------------------------------------------------------------------------------

    def load(self) -> None:
        """Import what kernels need and what notebooks usually import; start anew without what cannot be forked."""
        gc.disable()  # collections look in vain at modules that stay
        sys.path[:] = self._path
        loading.import_kernel()
        loading.blas_controller()  # what reads BLAS libraries sets variables that are none of a kernel's
        before = dict(os.environ)
        for name in self._settings["modules"]:
            if name not in DATA_LIBRARIES:
                self._fork_companion()
            reason = loading.import_ahead(name, root=self._root)
            if reason is not None:
                self._tell({"left_out": name, "reason": reason.text, "unsafe": reason.lasting})
            if reason is not None and reason.lasting:
                self._again(without=name)
        self._fork_companion()
        if loading.threads() != 1:
            raise RuntimeError("ipykernel itself starts threads when it is imported")
        loading.rehearse()
        if loading.threads() != 1:
            raise RuntimeError("a rehearsal of what notebooks do starts threads")
        self._blas = loading.blas_controller()
        self._loaded = frozenset(sys.modules)  # made once: a kernel that makes it touches, and so copies, every name
        self._set_by_imports = {name: value for name, value in os.environ.items() if before.get(name) != value}
        sys.stdout.flush()
        sys.stderr.flush()
        importlib.invalidate_caches()  # a kernel looks anew for what is to be imported
        gc.freeze()  # without a collection: a kernel would fill, and so copy, the pages that it makes room in
        gc.enable()
        self._tell({"ready": loading.threads()})

    def _tell(self, message: dict[str, Any], *descriptors: int) -> None:
        with contextlib.suppress(OSError):  # nobody listens any more: found out below
            wire.send(self._link, message, descriptors)

    def _again(self, *, without: str) -> None:
        """Replace this process by a fresh one that does not import the module; the same descriptors, so no task notices."""
        listener, link, settings = self._descriptors
        self._settings["modules"] = [name for name in self._settings["modules"] if name != without]
        fresh = wire.memory_file("settings", self._settings)
        os.dup2(fresh, settings, inheritable=True)
        for descriptor in (listener, link, *self._settings["companion"].get("pipes", ())):
            os.set_inheritable(descriptor, True)  # noqa: FBT003 - its only parameter
        os.chdir(self._settings["folder"])
        arguments = [sys.executable, "-m", "nbops.kernels.zygote", str(listener), str(link), str(settings)]
        os.execve(sys.executable, arguments, self._before)  # noqa: S606 - no shell is wanted

    # -- the companion ----------------------------------------------------------------------------------------------------

    def _fork_companion(self) -> None:
        """Fork the process that works for the build, once, while nothing but the usual libraries is loaded: see `companion`."""
        wanted = self._settings["companion"]
        if "pipes" not in wanted:
            return
        pipes, own = wanted["pipes"], os.getpid()
        self._settings["companion"] = {}
        with contextlib.suppress(OSError):  # kernels do without it
            if loading.threads() == 1:
                pid = os.fork()
                if pid == 0:
                    self._become_companion(wanted["module"], pipes, parent=own)
                self._settings["companion"] = {"pid": pid}
                handle = os.pidfd_open(pid)
                self._tell({"companion": pid}, handle)
                os.close(handle)
        for pipe in pipes:  # the build's ends are closed as soon as nobody is there to answer
            os.close(pipe)

    def _become_companion(self, module: str, pipes: list[int], *, parent: int) -> None:
        """Do the build's work; never returns."""
        code = 1
        try:
            os.setsid()
            _die_with(parent, signal.SIGKILL)
            os.dup2(pipes[0], 0)
            ours = [*self._descriptors, self._wake.fileno(), self._woken.fileno(), self._selector.fileno(), pipes[0]]
            for descriptor in ours:
                os.close(descriptor)
            gc.freeze()
            gc.enable()
            code = importlib.import_module(module).run(0, pipes[1])
        except BaseException:  # noqa: BLE001, S110 - it must never come back into the server's loop, and nobody reads what it says
            pass
        finally:
            os._exit(code)

    def _look_after_companion(self) -> None:
        """When it has ended: tell the build how."""
        pid = self._settings["companion"].get("pid")
        if pid is None:
            return
        with contextlib.suppress(ChildProcessError):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                self._settings["companion"] = {}
                self._tell({"companion_code": os.waitstatus_to_exitcode(status)})
                if self._retired:
                    self._end()

    def _retire(self) -> None:
        """Fork no more kernels, and stay only because a companion that still works dies with this process."""
        self._retired = True
        self._selector.unregister(self._listener)
        self._listener.close()
        for kernel in list(self._kernels.values()):
            self._lost(kernel)
        for connection in list(self._waiting):
            self._drop(connection)
        shutil.rmtree(self._settings["folder"], ignore_errors=True)
        self._tell({"retired": 1})
        self._look_after_companion()
        if "pid" not in self._settings["companion"]:
            self._end()  # it had ended before: there is nobody to stay for

    # -- serving ----------------------------------------------------------------------------------------------------------

    def serve(self) -> None:
        """Fork kernels until the build is gone."""
        for own in (self._listener, self._link, self._wake, self._woken):
            own.settimeout(0)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: None)
        signal.set_wakeup_fd(self._woken.fileno(), warn_on_full_buffer=False)
        for own in (self._listener, self._link, self._wake):
            self._selector.register(own, selectors.EVENT_READ)
        self._look_after_companion()  # the signal may have come before there was anybody to hear it
        while True:
            for key, _ in self._selector.select():
                source: Any = key.fileobj
                if source is self._link:
                    self._told()
                elif source is self._wake:
                    self._signalled()
                elif source is self._listener:
                    self._accept()
                else:
                    self._heard(source)

    def _told(self) -> None:
        """Hear the build: it says that there is nothing more to fork, or it is gone."""
        with contextlib.suppress(OSError, ValueError):
            message, _ = wire.receive(self._link)
            if message is not None and "retire" in message:
                self._retire()
                return
        self._end()

    def _signalled(self) -> None:
        with contextlib.suppress(BlockingIOError):
            if signal.SIGTERM in self._wake.recv(4096):
                self._end()
        for kernel in list(self._kernels.values()):
            self._look_after(kernel)
        self._look_after_companion()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            connection, _ = self._listener.accept()
            pid, user = wire.peer(connection)
            if user != os.getuid():
                connection.close()
                return
            connection.settimeout(0)
            self._waiting[connection] = pid
            self._selector.register(connection, selectors.EVENT_READ)

    def _heard(self, connection: socket.socket) -> None:
        """Take a task's request; anything later on its connection means that the task is gone."""
        message: dict[str, Any] | None = None
        descriptors: list[int] = []
        with contextlib.suppress(OSError, ValueError):
            message, descriptors = wire.receive(connection)
        try:
            if message is not None and len(descriptors) == 3 and connection in self._waiting:  # noqa: PLR2004
                del self._waiting[connection]
                self._start(connection, descriptors)
                return
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        for kernel in list(self._kernels.values()):
            if kernel.connection is connection:
                self._lost(kernel)
                return
        self._waiting.pop(connection, None)
        self._drop(connection)

    def _start(self, connection: socket.socket, descriptors: list[int]) -> None:
        request = wire.read_memory_file(descriptors[0])
        reason = self._why_not(request)
        if reason is not None:
            self._tell({"notice": reason})
            with contextlib.suppress(OSError):
                wire.send(connection, {"cold": reason})
            self._drop(connection)
            return
        pid = os.fork()
        if pid == 0:
            self._become_kernel(request, connection, descriptors)
        self._kernels[pid] = _Kernel(pid=pid, connection=connection)
        with contextlib.suppress(OSError):
            wire.send(connection, {"pid": pid})

    def _why_not(self, request: dict[str, Any]) -> str | None:
        """Return why this kernel must be started in the ordinary way, or None."""
        fixed, wanted = self._settings["fixed"], fixed_variables(request["environment"])
        changed = sorted(name for name in fixed.keys() | wanted.keys() if fixed.get(name) != wanted.get(name))
        if changed:
            return f"{changed[0]} differs from what it was when the build began, and is read only once"
        folder = request["folder"]
        if "matplotlib" in sys.modules and os.path.exists(os.path.join(folder, "matplotlibrc")):  # noqa: PTH110, PTH118
            return "the notebook's folder has a matplotlibrc, which is read when matplotlib is imported"
        first = [path for path in request["path"] if path not in self._path]
        found = loading.shadowed({name.split(".", 1)[0] for name in sys.modules}, [*first, folder])
        if found:
            return f"{found} in the project has the name of a module that is imported ahead"
        return None

    def _become_kernel(self, request: dict[str, Any], connection: socket.socket, descriptors: list[int]) -> None:
        """Run the kernel; never returns."""
        code = 1
        try:
            from nbops.kernels import child  # noqa: PLC0415 - imported ahead by `nbops.kernels.app`

            kept = (connection.fileno(), *descriptors[1:])
            ours = [self._listener.fileno(), self._link.fileno(), self._descriptors[2], self._wake.fileno()]
            ours += [self._woken.fileno(), self._selector.fileno(), descriptors[0]]
            ours += [other.connection.fileno() for other in self._kernels.values()]
            ours += [other.fileno() for other in self._waiting]
            path = [*request["path"], *(entry for entry in self._path if entry not in self._settings["user_path"])]
            code = child.run(
                request,
                link=kept[0],
                streams=(kept[1], kept[2]),
                close=ours,
                path=path,
                environment={**self._set_by_imports, **request["environment"]},
                blas=self._blas,
                loaded=self._loaded,
            )
        except BaseException:  # noqa: BLE001 - a kernel must never come back into the server's loop
            import traceback  # noqa: PLC0415

            traceback.print_exc()
        finally:
            os._exit(code)

    # -- ending -----------------------------------------------------------------------------------------------------------

    def _look_after(self, kernel: _Kernel) -> None:
        """When a kernel has ended: kill what is left of its session, tell its task, then let its process id go."""
        try:
            ended = os.waitid(os.P_PID, kernel.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            ended = None
        if ended is None:
            return
        kill_session(kernel.pid)
        code = ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
        with contextlib.suppress(OSError):
            wire.send(kernel.connection, {"code": code})
        os.waitpid(kernel.pid, 0)
        del self._kernels[kernel.pid]
        self._drop(kernel.connection)

    def _lost(self, kernel: _Kernel) -> None:
        """The task is gone: so is its kernel."""
        kill_child(kernel.pid)
        os.waitpid(kernel.pid, 0)
        del self._kernels[kernel.pid]
        self._drop(kernel.connection)

    def _drop(self, connection: socket.socket) -> None:
        with contextlib.suppress(KeyError):
            self._selector.unregister(connection)
        connection.close()

    def _end(self) -> None:
        for kernel in list(self._kernels.values()):
            kill_child(kernel.pid)
        if "pid" in self._settings["companion"]:
            os.kill(self._settings["companion"]["pid"], signal.SIGKILL)
            os.waitpid(self._settings["companion"]["pid"], 0)  # its time counts as the build's
        with contextlib.suppress(OSError):
            shutil.rmtree(self._settings["folder"], ignore_errors=True)
        os._exit(0)


def _die_with(parent: int, number: int = signal.SIGTERM) -> None:
    """Ask Linux to kill this process when its parent dies: an import that hangs does not see the link close."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        os._exit(1)


def main(arguments: list[str]) -> None:
    """Run the server; returns only by ending the process."""
    listener, link, settings = (int(number) for number in arguments)
    for descriptor in (listener, link, settings):
        os.set_inheritable(descriptor, False)  # noqa: FBT003 - its only parameter
    try:
        zygote = _Zygote(listener, link, settings)
        for descriptor in zygote._settings["companion"].get("pipes", ()):  # noqa: SLF001
            os.set_inheritable(descriptor, False)  # noqa: FBT003
        if zygote._settings["parent"]:  # noqa: SLF001
            _die_with(zygote._settings["parent"])  # noqa: SLF001
        zygote.load()
        zygote.serve()
    except BaseException as error:  # noqa: BLE001 - told to the build, which starts kernels in the ordinary way
        with contextlib.suppress(OSError):
            os.write(link, json.dumps({"broken": f"{type(error).__name__}: {error}"[:300]}).encode())
        os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
