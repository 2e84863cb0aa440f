"""A kernel manager whose client loses no time: it knows that a kernel is ready from its answers, not from waiting."""

from __future__ import annotations

import asyncio
import inspect
import time
from queue import Empty
from typing import TYPE_CHECKING, Any

import zmq
import zmq.asyncio
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.manager import AsyncKernelManager
from traitlets import DottedObjectName, Type, default

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["PromptClient", "PromptManager"]

_ANSWER_SECONDS = 1.0
_FIRST_SECONDS = 0.05
_RETRY_MILLISECONDS = 3


class PromptClient(AsyncKernelClient):
    """jupyter_client's client, with a start that ends when both channels have answered."""

    _about_kernel: tuple[str, dict[str, Any]] | None = None
    """The question what kernel this is, by its id, and the answer."""

    def start_channels(
        self,
        shell: bool = True,  # noqa: FBT001, FBT002 - jupyter_client's signature
        iopub: bool = True,  # noqa: FBT001, FBT002
        stdin: bool = True,  # noqa: FBT001, FBT002
        hb: bool = False,  # noqa: FBT001, FBT002
        control: bool = True,  # noqa: FBT001, FBT002
    ) -> None:
        """Connect to a kernel that may be just starting; see jupyter_client's method of this name.

        After an attempt at an address where nobody listens yet, ZeroMQ waits for 0.1 to 0.2 s, which is longer than a forked
        kernel takes to start. No heartbeat is listened to: whether the kernel lives is known from its process, and the thread
        that listens takes 10 ms to be ended.
        """
        self.context.setsockopt(zmq.RECONNECT_IVL, _RETRY_MILLISECONDS)  # of the sockets that are made from now on
        super().start_channels(shell=shell, iopub=iopub, stdin=stdin, hb=hb, control=control)

    def kernel_info(self, reply: bool = False, timeout: float | None = None) -> Any:  # noqa: FBT001, FBT002 - as above
        """Ask what kernel this is, unless it has said so when it started: then return the id of that question."""
        if self._about_kernel is not None and not reply:
            return self._about_kernel[0]
        return super().kernel_info(reply=reply, timeout=timeout)

    def answered(self, question: str) -> dict[str, Any] | None:
        """Return the answer to what kernel this is when it was given to that question, at the start."""
        return self._about_kernel[1] if self._about_kernel is not None and self._about_kernel[0] == question else None

    async def wait_for_ready(self, timeout: float | None = None) -> None:
        """Wait until the kernel answers on the shell channel and its output channel is connected.

        jupyter_client's own method then waits for 0.2 s of silence. Here the output that belongs to the very question is
        awaited: whatever came before it is read by then, and later output is told apart by its parent.

        Args:
            timeout: Seconds to wait at most, or None.

        Raises:
            RuntimeError: The kernel died, or did not answer in time.
        """
        until = time.monotonic() + (float("inf") if timeout is None else timeout)
        self._about_kernel = None
        patience = _FIRST_SECONDS
        while True:
            question = self.kernel_info()
            answer = await self._answer(question)
            if answer is not None and await self._idle(question, patience):
                self._about_kernel = (question, answer)
                return
            patience = min(2 * patience, _ANSWER_SECONDS)
            if not await self._async_is_alive():
                raise RuntimeError("Kernel died before replying to kernel_info")
            if time.monotonic() > until:
                raise RuntimeError(f"Kernel didn't respond in {timeout:g} seconds")

    async def _answer(self, question: str) -> dict[str, Any] | None:
        until = time.monotonic() + _ANSWER_SECONDS
        while (left := until - time.monotonic()) > 0:
            try:
                message: dict[str, Any] = await self.shell_channel.get_msg(timeout=left)
            except Empty:
                return None
            if message["parent_header"].get("msg_id") == question:
                self._handle_kernel_info_reply(message)
                return message
        return None

    async def _idle(self, question: str, seconds: float) -> bool:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            try:
                message: dict[str, Any] = await self.iopub_channel.get_msg(timeout=left)
            except Empty:
                return False
            ours = message["parent_header"].get("msg_id") == question
            if ours and message["content"].get("execution_state") == "idle":
                return True
            await asyncio.sleep(0)
        return False


class PromptManager(AsyncKernelManager):
    """jupyter_client's manager with that client, which does not pause for 10 ms after each start and each end of a kernel."""

    client_class = DottedObjectName(f"{__name__}.{PromptClient.__name__}")
    client_factory = Type(klass=PromptClient, config=True)

    @default("context")
    def _context_default(self) -> zmq.asyncio.Context:
        """Return a context whose sockets soon try again: the one that asks for the end is connected before the kernel listens."""
        context = super()._context_default()
        context.setsockopt(zmq.RECONNECT_IVL, _RETRY_MILLISECONDS)
        return context

    async def start_kernel(self, **options: Any) -> None:  # type: ignore[override]
        """Start the kernel; see jupyter_client's method of this name."""
        await self._without_pause(AsyncKernelManager.start_kernel, **options)

    async def shutdown_kernel(  # type: ignore[override]
        self,
        now: bool = False,  # noqa: FBT001, FBT002 - jupyter_client's signature
        restart: bool = False,  # noqa: FBT001, FBT002
    ) -> None:
        """End the kernel; see jupyter_client's method of this name."""
        await self._without_pause(AsyncKernelManager.shutdown_kernel, now=now, restart=restart)

    async def _without_pause(self, method: Callable[..., Awaitable[Any]], **options: Any) -> None:
        """Do what ``in_pending_state`` of jupyter_client does, but for its pause, which is for tests of its own."""
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._ready = ready
        try:
            await inspect.unwrap(method)(self, **options)
        except Exception as error:
            ready.set_exception(error)
            ready.exception()  # that it is never asked for is no fault
            raise
        ready.set_result(None)
