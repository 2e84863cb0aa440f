"""The build's handle on the process that kernels are forked from."""

from __future__ import annotations

import atexit
import contextlib
import os
import select
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbops.kernels import wire
from nbops.kernels.companion import Companion
from nbops.kernels.folder import private_folder
from nbops.kernels.preload import choose, fixed_variables, load_memory, save_memory

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Server", "supported"]

_STOP_SECONDS = 5.0
_COLD = "notebooks were started the ordinary way, which is slower"


def supported() -> bool:
    """Return whether kernels can be forked on this system: macOS breaks forked processes, Windows has none."""
    return sys.platform.startswith("linux") and hasattr(os, "memfd_create")


class Server:
    """Starts the process and hears what it says. Nothing here raises: without it, kernels start the ordinary way.

    Args:
        root: The project's root.
        preload: ``preload`` of ``[tool.nbops]``.
        imports: Dotted names that the notebooks import, or None for what was remembered.
        companion: Module that a companion runs, or None for no companion.
    """

    def __init__(
        self, root: Path, *, preload: tuple[str, ...] | None, imports: Iterable[str] | None, companion: str | None = None
    ) -> None:
        self.owner = os.getpid()
        self.address: str | None = None
        self._root = root.resolve()
        self._memory = load_memory(self._root)
        self._imports = sorted(set(imports)) if imports is not None else self._memory["imports"]
        self._known = self._imports is not None
        """False: the modules are a guess, and nobody is told of what does not fit in it."""
        self._preload = choose(preload, imports=self._imports, unsafe=self._memory["unsafe"])
        self._process: subprocess.Popen[bytes] | None = None
        self._link: socket.socket | None = None
        self._folder: Path | None = None
        self._notices: list[str] = []
        self._fixed = fixed_variables(os.environ)
        self._companion: Companion | None = None
        self._retired = False
        try:
            self._launch(companion)
        except OSError as error:
            self._say(f"no process to fork kernels from could be started ({error}): {_COLD}")
            if self._companion is not None:
                self._companion.close()
            self._clean()

    def _launch(self, companion: str | None) -> None:
        self._folder = private_folder()
        address = str(self._folder / "s")
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pipes: tuple[int, ...] = ()
        if companion is not None and hasattr(os, "pidfd_open"):
            self._companion, pipes = Companion.prepared(self)
        settings = wire.memory_file("settings", self._settings(companion, pipes))
        try:
            listener.bind(address)
            listener.listen(64)
            # a process of its own session: Ctrl-C in the terminal is the build's to handle
            self._process = subprocess.Popen(
                [sys.executable, "-m", "nbops.kernels.zygote", *map(str, (listener.fileno(), theirs.fileno(), settings))],
                cwd=self._folder,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(listener.fileno(), theirs.fileno(), settings, *pipes),
                start_new_session=True,
            )
        finally:
            listener.close()
            theirs.close()
            for descriptor in (settings, *pipes):
                os.close(descriptor)
        ours.settimeout(0)
        self._link, self.address = ours, address
        os.register_at_fork(after_in_child=ours.close)  # the link says that the build lives: its children must not hold it
        atexit.register(self.end)

    def _settings(self, companion: str | None, pipes: tuple[int, ...]) -> dict[str, Any]:
        main = threading.current_thread() is threading.main_thread()
        return {
            "root": str(self._root),
            "folder": str(self._folder),
            "modules": list(self._preload.modules),
            "fixed": self._fixed,
            "companion": {"module": companion, "pipes": pipes} if pipes else {},
            "user_path": [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry],
            "parent": os.getpid() if main else None,  # Linux tells of the death of the thread that started a process
        }

    def _environment(self) -> dict[str, str]:
        """Return variables under which libraries do not start threads when they are imported; kernels get their own again."""
        fixed = {
            "OPENBLAS_NUM_THREADS": "1",
            # 2 ** 20 cycles that a thread of BLAS turns round before it sleeps: by default, each kernel would begin with 2 ** 26
            "OPENBLAS_THREAD_TIMEOUT": os.environ.get("OPENBLAS_THREAD_TIMEOUT", "20"),
            "JE_ARROW_MALLOC_CONF": ",".join(filter(None, [os.environ.get("JE_ARROW_MALLOC_CONF"), "background_thread:false"])),
        }
        # as ipykernel sets it before a notebook can import matplotlib
        return {"MPLBACKEND": "module://matplotlib_inline.backend_inline", **os.environ, **fixed}

    def alive(self) -> bool:
        """Return whether the process runs (or, in a process forked from the build, whether it was started)."""
        if self._process is None:
            return False
        return self.owner != os.getpid() or self._process.poll() is None

    def companion(self) -> Companion | None:
        """Return the process that was forked for other work than kernels; None when there is none, or somebody has it already."""
        if self._companion is None or self._companion.taken or self._fixed != fixed_variables(os.environ) or not self.alive():
            return None
        self._companion.taken = True
        return self._companion

    def remember(self, imports: Iterable[str]) -> None:
        """Take note of what the notebooks import, for the next build; this one has begun with what was known before."""
        self._imports = sorted(set(imports))

    def notices(self) -> tuple[str, ...]:
        """Return what there is to say so far."""
        self.hear()
        if self.owner == os.getpid() and self._process is not None:
            code = self._process.poll()
            if code is not None and code != 0:
                how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
                self._say(f"the process that kernels are forked from {how}: from then on {_COLD}")
        return tuple(self._notices)

    def _say(self, sentence: str) -> None:
        if sentence not in self._notices:
            self._notices.append(sentence)

    def hear(self, seconds: float = 0.0) -> None:
        """Take in what the process has said; wait at most so long for it to say something."""
        if self._link is None or self.owner != os.getpid():
            return
        if seconds > 0:
            select.select([self._link], [], [], seconds)
        with contextlib.suppress(OSError, ValueError):
            while True:
                message, descriptors = wire.receive(self._link)
                if message is None:
                    return
                self._take(message, descriptors)

    def _take(self, message: dict[str, Any], descriptors: list[int]) -> None:
        if self._companion is not None:
            self._companion.told(message, descriptors)
        if "retired" in message:
            self._retired = True
        elif "left_out" in message:
            name, reason = message["left_out"], message["reason"]
            if message["unsafe"]:
                self._memory["unsafe"] = [*self._memory["unsafe"], name]
            if name in self._preload.asked:
                self._say(f"{name} of `preload` in [tool.nbops] is not imported ahead of notebooks: {reason}")
            elif message["unsafe"] and self._known:
                self._say(f"{name} is not imported ahead of notebooks: {reason}")
        elif "notice" in message:
            self._say(f"a notebook's kernel was started the ordinary way: {message['notice']}")
        elif "broken" in message:
            self._say(f"the process that kernels are forked from could not start ({message['broken']}): {_COLD}")

    def stop(self) -> tuple[str, ...]:
        """End the process, at the latest once its companion has ended; return what there is to say."""
        if self.owner != os.getpid():
            return ()
        said = self.notices()
        if self._process is not None:
            save_memory(self._root, imports=self._imports, unsafe=self._memory["unsafe"])
        if self._companion is None or not self._companion.busy or not self._retire():
            self.end()
        return said

    def _retire(self) -> bool:
        """Have it fork no more kernels and stay for its companion; returns whether it does."""
        until = time.monotonic() + _STOP_SECONDS
        if self._link is not None:
            with contextlib.suppress(OSError):
                wire.send(self._link, {"retire": 1})
        while not self._retired and self.alive() and (left := until - time.monotonic()) > 0:
            self.hear(left)
        return self._retired

    def released(self) -> None:
        """End the process if it stayed for its companion only."""
        if self._retired:
            self.end()

    def end(self) -> None:
        """End the process, whatever it does."""
        if self.owner != os.getpid():
            return
        atexit.unregister(self.end)
        if self._companion is not None:
            self._companion.close()
        if self._link is not None:
            self._link.close()
        if self._process is not None:
            try:
                self._process.terminate()
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._clean()

    def _clean(self) -> None:
        self._process, self._link, self.address = None, None, None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
