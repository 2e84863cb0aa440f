"""A kernel provisioner of jupyter_client that forks kernels where it can, and starts them the ordinary way where it cannot."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_client.provisioning.factory import KernelProvisionerFactory
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from nbops import kernels
from nbops.kernels.client import ForkedProcess, NotForked, fork_kernel, kernel_arguments
from nbops.kernels.folder import private_folder
from nbops.kernels.sessions import kill_session

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["NAME", "WarmProvisioner", "use_warm_kernels"]

NAME = "nbops-warm"
"""In the entry-point group ``jupyter_client.kernel_provisioners``."""

_UNDERSTOOD = frozenset({"env", "cwd", "stdout", "stderr", "independent"})
_LATE_SECONDS = 0.1


def use_warm_kernels() -> None:
    """Make this process start kernels through :class:`WarmProvisioner`, but for kernelspecs that name a provisioner themselves.

    Kernelspecs are left as they are, and so are other processes.
    """
    factory = KernelProvisionerFactory.instance()
    if NAME not in factory.provisioners:  # an editable install whose metadata is older than this module
        from importlib.metadata import EntryPoint  # noqa: PLC0415

        factory.provisioners[NAME] = EntryPoint(NAME, f"{__name__}:{WarmProvisioner.__name__}", factory.GROUP_NAME)
    factory.default_provisioner_name = NAME


class WarmProvisioner(LocalProvisioner):
    """Kernels of this environment's ipykernel: forked when a server runs, and connected by Unix sockets in any case."""

    _folder: Path | None = None
    _ending = False
    _session: int | None = None

    async def pre_launch(self, **options: Any) -> dict[str, Any]:
        """Choose the transport before addresses are made; see jupyter_client's method of this name."""
        manager, spec = self.parent, self.kernel_spec
        if manager is not None and self._folder is None and manager.transport == "tcp" and _is_ipykernel(spec.argv):
            with contextlib.suppress(OSError):  # no place for sockets: TCP it is
                self._folder = _socket_folder()
                manager.transport, manager.ip = "ipc", str(self._folder / "c")
                manager.connection_file = str(self._folder / "kernel.json")
        return await super().pre_launch(**options)

    async def launch_kernel(self, cmd: list[str], **options: Any) -> Any:
        """Fork the kernel, or start it; see jupyter_client's method of this name."""
        self._ending = False
        forked = self._fork(cmd, self._scrub_kwargs(options))
        if forked is None:
            connection_info = await super().launch_kernel(cmd, **options)
            self._session = self.pid
        else:  # who forked it clears its session away
            self.process: Any = forked
            self.pid = self.pgid = forked.pid
            self.cwd = options.get("cwd") or Path.cwd()
            connection_info = self.connection_info
        if self.pid is not None:
            kernels.report_start(self.pid)
        return connection_info

    def _fork(self, command: Sequence[str], options: dict[str, Any]) -> ForkedProcess | None:
        address = kernels.address()
        unknown = {name for name, value in options.items() if value is not None} - _UNDERSTOOD
        if address is None or unknown or options.get("independent"):
            return None
        streams = tuple(_descriptor(options.get(name), default) for name, default in (("stdout", 1), ("stderr", 2)))
        if None in streams:
            return None
        try:
            return fork_kernel(
                address,
                command,
                environment=options.get("env") or dict(os.environ),
                folder=str(options.get("cwd") or Path.cwd()),
                streams=streams,  # type: ignore[arg-type]
            )
        except NotForked as reason:
            self.log.debug("kernel is started the ordinary way: %s", reason)
            return None

    async def shutdown_requested(self, restart: bool = False) -> None:  # noqa: FBT001, FBT002 - jupyter_client's signature
        """Know that the kernel is about to end, so that :meth:`poll` waits for it instead of being asked over and over."""
        self._ending = True
        await super().shutdown_requested(restart=restart)
        if not restart:
            kernels.use_end()

    async def poll(self) -> int | None:
        """Return the exit code, or None while the kernel runs."""
        if self._ending and isinstance(self.process, ForkedProcess):
            await self.process.ended(_LATE_SECONDS)
        return await super().poll()

    async def cleanup(self, restart: bool = False) -> None:  # noqa: FBT001, FBT002 - jupyter_client's signature
        """Remove sockets, and processes that the kernel left behind in its session."""
        await super().cleanup(restart=restart)
        if self._session is not None and (self.process is None or self.process.poll() is not None):
            kill_session(self._session)
            self._session = None
        if self._folder is not None and not restart:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


def _is_ipykernel(argv: Sequence[str]) -> bool:
    """Return whether the kernel is an ipykernel of whatever environment: kernels of other languages may know TCP only."""
    return kernel_arguments(argv) is not None or (len(argv) > 2 and argv[1] == "-m" and argv[2].startswith("ipykernel"))  # noqa: PLR2004


def _socket_folder() -> Path:
    address = kernels.address()
    if address is not None:
        with contextlib.suppress(OSError):
            return private_folder(Path(address).parent)
    return private_folder()


def _descriptor(stream: Any, default: int) -> int | None:
    """Return the descriptor of what jupyter_client would hand to Popen, or None for what only Popen can make."""
    if stream is None:
        return default
    number = stream if isinstance(stream, int) else stream.fileno()
    return number if number >= 0 else None
