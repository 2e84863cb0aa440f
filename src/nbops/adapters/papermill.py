"""A papermill engine that keeps what a cell prints within bounds.

Stock papermill keeps every byte in memory and in the executed notebook, and rewrites that notebook after each cell: one loop that
prints 100 MB makes a build crawl and a report nobody can open. This engine keeps the first ``max_output_bytes`` of each cell.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from typing import TYPE_CHECKING, Any

from nbclient.exceptions import CellTimeoutError
from nbclient.util import run_sync
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines
from papermill.log import logger
from papermill.utils import merge_kwargs, remove_args

from nbops import kernels
from nbops.kernels.client import ForkedProcess
from nbops.kernels.manager import PromptClient, PromptManager
from nbops.kernels.provisioner import use_warm_kernels
from nbops.kernels.watching import OBSERVE_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path

__all__ = ["ENGINE_NAME", "TRUNCATED", "register_engine"]

ENGINE_NAME = "papermill"
"""Ploomber insists that a task's engine has the name of its executor, which is ``papermill``."""

TRUNCATED = "[nbops: output truncated after {limit:,} bytes; raise max_output_bytes in [tool.nbops] to keep more]"

_OBSERVE = """try:
    __import__("nbops.kernels.watching", fromlist=["install"]).install(get_ipython())
except Exception:
    pass"""
"""For an environment that may be without nbops; binds no name."""

_SAVE_SECONDS = 0.5
"""papermill writes the notebook before and after each cell, which for small cells costs more than they do. It is only needed when
the task's process is killed: what a notebook did up to this long before is then on the disk."""

_HEED_SECONDS = 30.0
"""How long an interrupted cell has to end, or as long again as its time limit; nbclient would interrupt it for ever."""

_RICH_FACTOR = 5
"""Rich outputs (tables, figures) come whole or not at all, so they may be this many times larger than printed text."""


class _BoundedClient(PapermillNotebookClient):  # type: ignore[misc]
    """papermill's notebook client with a bound on what each cell prints."""

    def __init__(self, nb_man: Any, *, max_output_bytes: int, **options: Any) -> None:
        super().__init__(nb_man, **options)
        self._max_output_bytes = max_output_bytes
        self._printed: dict[int, int] = {}
        self._all_ran = False
        self._saved = time.monotonic()
        self._save = nb_man.save
        nb_man.save = self._save_if_due

    def _save_if_due(self, **options: Any) -> None:
        if time.monotonic() - self._saved >= _SAVE_SECONDS:
            self._save_now(**options)

    def _save_now(self, **options: Any) -> None:
        self._save(**options)
        self._saved = time.monotonic()

    def execute(self, **options: Any) -> Any:
        """Run the notebook; papermill writes it once more when it ran, and else saves it as ever."""
        try:
            executed = super().execute(**options)
        except BaseException:
            self.nb_man.save = self._save
            raise
        self.nb_man.save = lambda **_: None
        return executed

    async def _async_cleanup_kernel(self) -> None:
        if not self._all_ran:
            kernels.while_ending(None)
        await super()._async_cleanup_kernel()

    _cleanup_kernel = run_sync(_async_cleanup_kernel)

    def papermill_execute_cells(self) -> None:
        """Run the cells, when it is their turn; the notebook's time counts from there."""
        if kernels.await_turn():
            self.nb_man.set_timer()
            self.nb.metadata.papermill["start_time"] = self.nb_man.start_time.isoformat()
            self._saved = time.monotonic()
        super().papermill_execute_cells()
        if not self.nb.metadata.papermill.get("exception"):
            self._all_ran = True

    def wait_for_reply(self, msg_id: str, *arguments: Any, **options: Any) -> Any:
        """Wait for the answer to a question, unless it is what kernel this is, which it has said when it started."""
        known = self.kc.answered(msg_id) if isinstance(self.kc, PromptClient) else None
        return known if known is not None else super().wait_for_reply(msg_id, *arguments, **options)

    async def async_execute_cell(self, cell: Any, cell_index: int, **options: Any) -> Any:
        """Run a cell; when it takes long, the notebook is saved with this cell shown as running.

        Raises:
            CellTimeoutError: Also when it was interrupted for its time limit and has not ended long after that.
        """
        save = asyncio.get_running_loop().call_later(_SAVE_SECONDS, self._save_now)
        try:
            return await self._ending(super().async_execute_cell(cell, cell_index, **options), cell)
        finally:
            save.cancel()

    execute_cell = run_sync(async_execute_cell)

    async def _ending(self, running: Coroutine[Any, Any, Any], cell: Any) -> Any:
        """Wait for a cell, but not for one that ignores interrupts, nor for an answer that an interrupt has lost."""
        limit = self.timeout_func(cell) if self.timeout_func is not None else self.timeout
        if not self.interrupt_on_timeout or not limit or limit < 0:
            return await running
        task = asyncio.ensure_future(running)
        try:
            done, _ = await asyncio.wait([task], timeout=limit + max(limit, _HEED_SECONDS))
        finally:
            task.cancel()  # does nothing to what has ended
        if not done:
            await asyncio.wait([task])
            said = "Cell execution timed out, and interrupting it did not end it"
            raise CellTimeoutError.error_from_timeout_and_cell(said, limit, cell)
        return task.result()

    async def async_start_new_kernel_client(self) -> Any:
        """Start the kernel's client; kernels that were not forked are asked to observe themselves, as the others do anyway."""
        client = await super().async_start_new_kernel_client()
        forked = isinstance(getattr(getattr(self.km, "provisioner", None), "process", None), ForkedProcess)
        language = self.nb.metadata.get("kernelspec", {}).get("language", "python")
        if not forked and OBSERVE_VARIABLE in os.environ and language == "python":
            client.execute(_OBSERVE, silent=True, store_history=False)  # nobody waits for the answer
        return client

    start_new_kernel_client = run_sync(async_start_new_kernel_client)

    def process_message(self, msg: dict[str, Any], cell: Any, cell_index: int) -> Any:
        """Pass a kernel message on, cut to what is left of the cell's bound; see nbclient's method of this name."""
        kind = msg["msg_type"]
        if kind == "stream" and not self._fits(msg["content"], cell_index):
            return None
        if kind in {"display_data", "execute_result", "update_display_data"}:
            self._bound_rich(msg["content"])
        return super().process_message(msg, cell, cell_index)

    def _fits(self, content: dict[str, Any], cell_index: int) -> bool:
        used = self._printed.get(cell_index, 0)
        left = self._max_output_bytes - used
        if left < 0:
            return False
        text = content["text"]
        size = len(text.encode("utf-8", "replace"))
        self._printed[cell_index] = used + size
        if size > left:
            self._printed[cell_index] = self._max_output_bytes + 1
            kept = text.encode("utf-8", "replace")[:left].decode("utf-8", "ignore")
            content["text"] = f"{kept}\n{TRUNCATED.format(limit=self._max_output_bytes)}\n"
        return True

    def _bound_rich(self, content: dict[str, Any]) -> None:
        limit = self._max_output_bytes * _RICH_FACTOR
        data = content.get("data", {})
        for mime in list(data):
            if isinstance(data[mime], str) and len(data[mime]) > limit:
                del data[mime]
                data.setdefault("text/plain", "")
                data["text/plain"] = TRUNCATED.format(limit=limit)


def register_engine(*, max_output_bytes: int, copy_to: Path | None = None) -> None:
    """Register the engine with papermill under :data:`ENGINE_NAME`, for this process.

    Args:
        max_output_bytes: Printed output kept per cell, in bytes.
        copy_to: Where the executed notebook is kept besides its product, which may be HTML or PDF only.
    """

    class BoundedEngine(NBClientEngine):  # type: ignore[misc]
        @classmethod
        def execute_managed_notebook(  # noqa: PLR0917 - papermill's signature
            cls,
            nb_man: Any,
            kernel_name: str,
            log_output: bool = False,  # noqa: FBT001, FBT002 - papermill's signature
            stdout_file: Any = None,
            stderr_file: Any = None,
            start_timeout: int = 60,
            execution_timeout: int | None = None,
            **options: Any,
        ) -> Any:
            options = remove_args(["input_path"], **options)
            final = merge_kwargs(
                remove_args(["timeout", "startup_timeout"], **options),
                timeout=execution_timeout or options.get("timeout"),
                startup_timeout=start_timeout,
                kernel_name=kernel_name,
                log=logger,
                log_output=log_output,
                stdout_file=stdout_file,
                stderr_file=stderr_file,
            )
            final.setdefault("kernel_manager_class", PromptManager)
            use_warm_kernels()
            try:
                return _BoundedClient(nb_man, max_output_bytes=max_output_bytes, **final).execute()
            finally:
                if copy_to is not None:
                    copy_to.write_text(json.dumps(nb_man.nb), encoding="utf-8")

    papermill_engines.register(ENGINE_NAME, BoundedEngine)
