"""Lineage of columns while the build goes on: a process beside it analyses the code of each task that ran and changed.

What the edges follow from is hashed, and the ledger of the run before holds that hash: where it is the same, its edges are taken
over, and nothing is loaded or started.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import subprocess
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from nbops.lineage.task import TaskCode, unanalysed
from nbops.model import LineageNote, TaskLineage
from nbops.workflow.lineage_code import task_code

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from nbops.contract.config import Config
    from nbops.model import Run
    from nbops.workflow.taskrecord import TaskRecord

__all__ = ["Tracing"]

_POLL_SECONDS = 0.02
_MOST_SECONDS = 30.0
"""That a build waits, after its last task, for analyses that are not done."""


class Tracing:
    """Finds the lineage of a build's tasks.

    Args:
        root: The project's root.
        config: The project's settings.
        folder: Scratch of this run, private; made when it is needed.
        previous: The run before.
    """

    def __init__(self, root: Path, config: Config, *, folder: Path, previous: Run | None) -> None:
        self._root, self._config, self._folder = root, config, folder
        self._before: dict[str, TaskLineage] = {item.task: item for item in previous.column_lineage} if previous else {}
        self._found: dict[str, TaskLineage] = {}
        self._asked: dict[int, TaskCode] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._sent: list[int] = []
        """What the process was asked."""
        self._lost: set[int] = set()
        """What a process died of."""

    def offer(self, record: TaskRecord, records: Mapping[str, TaskRecord]) -> None:
        """Have the code of a task analysed that published something, unless its lineage is known.

        Args:
            record: The task, at its end.
            records: All tasks of the build.
        """
        name = record.spec.name
        if all(product.kind == "notebook" for product in record.spec.products):
            return
        known = self._before.get(name)
        if known is not None and record.status == "up_to_date":
            self._found[name] = known
            return
        try:
            code = task_code(record, records=records, root=self._root, config=self._config)
        except Exception as error:  # noqa: BLE001 - lineage is no reason for a build to fail; the gap is said
            note = LineageNote(message=f"what the analysis needs could not be gathered ({type(error).__name__})")
            self._found[name] = TaskLineage(task=name, notes=(note,))
            return
        if known is not None and known.basis == code.basis:
            self._found[name] = known
            return
        number = len(self._asked)
        self._asked[number] = code
        self._ask(number)

    def finish(self, records: Mapping[str, TaskRecord], *, wait: bool = True) -> tuple[TaskLineage, ...]:
        """Wait for what is left, and return the lineage of every task; of those that did not run as it was.

        Args:
            records: All tasks of the build.
            wait: False where the user stopped the build: what is not done is then said to be unknown.
        """
        self._collect(_MOST_SECONDS if wait else 0.0)
        for number, code in sorted(self._asked.items()):
            answer = self._answer(number)
            # nobody knows better than to assume; without the hash it is tried again by the next build in which it runs
            lost = replace(code, basis="")
            self._found[code.task] = answer or unanalysed(lost, "the analysis did not end in time, or died of this code")
        self._asked.clear()
        found = {**{name: known for name, known in self._before.items() if name in records}, **self._found}
        return tuple(found[name] for name in records if name in found)

    def close(self) -> None:
        """End the process, whatever it does."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(OSError):
            process.kill()
        process.wait()
        if process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()

    def _ask(self, number: int) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            (self._folder / f"{number}.request").write_bytes(pickle.dumps(self._asked[number]))
            if self._process is None and not self._lost:
                self._start()
            self._send(number)
        except OSError:
            self._revive()

    def _start(self) -> None:
        command = [sys.executable, "-m", "nbops.lineage.worker", str(self._folder)]
        environment = {**os.environ, "PYTHONSAFEPATH": "1"}  # the project's modules are none of its
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment,
            cwd=self._folder,
            start_new_session=True,  # a Ctrl-C at the terminal is for the build
        )

    def _send(self, number: int) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._sent.append(number)
            self._process.stdin.write(f"{number}\n".encode())
            self._process.stdin.flush()

    def _answer(self, number: int) -> TaskLineage | None:
        try:
            found: TaskLineage = pickle.loads((self._folder / f"{number}.result").read_bytes())  # noqa: S301 - of our own process
        except (OSError, pickle.UnpicklingError, EOFError):
            return None
        return found

    def _open(self) -> list[int]:
        """Return the requests that may still be answered."""
        return [n for n in self._asked if n not in self._lost and not (self._folder / f"{n}.result").exists()]

    def _collect(self, seconds: float) -> None:
        """Wait until every request is answered; when the process dies of one, another goes on with the rest."""
        deadline = time.monotonic() + seconds
        while self._open() and time.monotonic() < deadline and self._process is not None:
            if self._process.poll() is not None:
                self._revive()
            else:
                time.sleep(_POLL_SECONDS)
        self.close()

    def _revive(self) -> None:
        """Start anew for what is left, without the request that the process was at when it died."""
        while (left := self._open()) and (self._process is None or self._process.poll() is not None):
            self._lost.add(next((number for number in self._sent if number in left), left[0]))
            self.close()
            self._sent.clear()
            with contextlib.suppress(OSError):
                for number in self._open():
                    if self._process is None:
                        self._start()
                    self._send(number)
