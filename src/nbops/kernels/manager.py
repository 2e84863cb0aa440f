"""A kernel manager whose client loses no time: it knows that a kernel is ready from its answers, not from waiting."""

from __future__ import annotations

import asyncio
import time
from queue import Empty
from typing import Any

import zmq
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.manager import AsyncKernelManager
from traitlets import DottedObjectName, Type

__all__ = ["PromptClient", "PromptManager"]

_ANSWER_SECONDS = 1.0
_FIRST_SECONDS = 0.05
_RETRY_MILLISECONDS = 3


class PromptClient(AsyncKernelClient):
    """jupyter_client's client, with a start that ends when both channels have answered."""

    def start_channels(self, *arguments: Any, **options: Any) -> None:
        """Connect to a kernel that may be just starting; see jupyter_client's method of this name.

        After an attempt at an address where nobody listens yet, ZeroMQ waits for 0.1 to 0.2 s, which is longer than a forked
        kernel takes to start.
        """
        self.context.setsockopt(zmq.RECONNECT_IVL, _RETRY_MILLISECONDS)  # of the sockets that are made from now on
        super().start_channels(*arguments, **options)

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
        patience = _FIRST_SECONDS
        while True:
            question = self.kernel_info()
            if await self._answer(question) and await self._idle(question, patience):
                return
            patience = min(2 * patience, _ANSWER_SECONDS)
            if not await self._async_is_alive():
                raise RuntimeError("Kernel died before replying to kernel_info")
            if time.monotonic() > until:
                raise RuntimeError(f"Kernel didn't respond in {timeout:g} seconds")

    async def _answer(self, question: str) -> bool:
        until = time.monotonic() + _ANSWER_SECONDS
        while (left := until - time.monotonic()) > 0:
            try:
                message = await self.shell_channel.get_msg(timeout=left)
            except Empty:
                return False
            if message["parent_header"].get("msg_id") == question:
                self._handle_kernel_info_reply(message)
                return True
        return False

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
    """jupyter_client's manager with that client."""

    client_class = DottedObjectName(f"{__name__}.{PromptClient.__name__}")
    client_factory = Type(klass=PromptClient, config=True)
