"""Profiles while the build goes on: a process of its own makes the page of each dataset as soon as it is published."""

from __future__ import annotations

import time
from multiprocessing.connection import wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbops import kernels
from nbops.model import Notice
from nbops.pages.names import page_name
from nbops.quality.profile import Profiler, ProfileRequest
from nbops.quality.usercache import user_cache

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nbops.contract.config import Config
    from nbops.contract.records import Contract
    from nbops.model import Dataset
    from nbops.workflow.meanwhile import Meanwhile
    from nbops.workflow.stop import StopSignals

__all__ = ["Profiling"]

_POLL_SECONDS = 1.0
"""Between two looks at the time that a profile takes."""


class Profiling:
    """Hands the build's datasets to the profiler, and turns what became of them into pages and notices.

    Args:
        root: The project's root.
        config: The project's settings.
        contracts: Contracts by dataset.
    """

    def __init__(self, root: Path, config: Config, contracts: Mapping[str, Contract]) -> None:
        self._root, self._config, self._contracts = root, config, contracts
        self._profiler = Profiler(seconds=config.profile_seconds, bytecode=_bytecode(), forked=kernels.take_companion)
        self._offered: set[str] = set()

    @property
    def events(self) -> tuple[Any, ...]:
        """What becomes readable when ``collect`` has something to do."""
        handle = self._profiler.fileno() if self._profiler.pending else None
        return () if handle is None else (handle,)

    @property
    def due(self) -> float:
        """Monotonic time at which ``collect`` is to be called although nothing happened; infinity when nothing is being made."""
        return time.monotonic() + _POLL_SECONDS if self._profiler.pending else float("inf")

    def expect(self) -> None:
        """Start the profiler, so that it is imported while the first tasks run."""
        if self._config.profile:
            self._profiler.warm()

    def offer(self, datasets: Iterable[Dataset]) -> None:
        """Have published datasets profiled, unless their pages are current."""
        for dataset in datasets if self._config.profile else ():
            request = self._request(dataset)
            if request is not None:
                self._offered.add(dataset.name)
                self._profiler.submit(request)

    @property
    def busy(self) -> bool:
        """Whether a profile is being made or waits to be."""
        return self._profiler.pending > 0

    def collect(self) -> None:
        """Take in what is done, and hand over what is next."""
        self._profiler.poll()

    def expected(self, datasets: Iterable[Dataset]) -> dict[str, str]:
        """Return what :meth:`finish` returns as pages if every profile that was asked for can be made.

        Args:
            datasets: The run's datasets.
        """
        reports = self._root / self._config.reports
        pages = {dataset.name: _page(dataset.name) for dataset in (datasets if self._config.profile else ())}
        return {name: page for name, page in pages.items() if name in self._offered or (reports / page).exists()}

    def finish(
        self, datasets: Iterable[Dataset], *, seconds: float, stop: StopSignals, meanwhile: Meanwhile
    ) -> tuple[dict[str, str], tuple[Notice, ...]]:
        """Wait for what is left, but no longer than stated.

        Args:
            datasets: The run's datasets.
            seconds: Time to wait.
            stop: Ends the waiting when the user stops the build.
            meanwhile: What is done in that time.

        Returns:
            Dataset to its page below ``reports/``, and a notice for each profile that could not be made, or not in time: the page
            of older data is removed, and the next build makes the new one.
        """
        deadline = time.monotonic() + seconds
        while self._profiler.pending and not stop.stopped() and (left := deadline - time.monotonic()) > 0:
            if not wait([stop.fileno(), *self.events], timeout=0.0 if meanwhile.pending else min(left, _POLL_SECONDS)):
                meanwhile.step()
            stop.drain()
            self.collect()
        results = {result.dataset: result for result in self._profiler.results(0.0, waited=seconds)}
        self._profiler.dismiss()  # what it had in memory is let go of while pages are made
        found: dict[str, str] = {}
        notices: list[Notice] = []
        for dataset in datasets if self._config.profile else ():
            result, relative = results.get(dataset.name), _page(dataset.name)
            if result is not None and result.status == "failed":
                notices.append(Notice(kind="profile", message=f"{dataset.name}: no profile: {result.error}"))
            elif result is not None or (self._root / self._config.reports / relative).exists():
                found[dataset.name] = relative  # what was not published has the page of the last good version
        return found, tuple(notices)

    def close(self) -> None:
        """End the profiler, whatever it does."""
        self._profiler.__exit__()

    def _request(self, dataset: Dataset) -> ProfileRequest | None:
        data = self._root / dataset.path
        if dataset.content_hash is None or not data.is_file():
            return None
        contract = self._contracts.get(dataset.name)
        return ProfileRequest(
            dataset=dataset.name,
            data=data,
            format=dataset.format,
            output=self._root / self._config.reports / _page(dataset.name),
            content_hash=dataset.content_hash,
            personal=contract.personal_columns if contract is not None else frozenset(),
            rows=dataset.rows,
            measurements=dataset.measurements,
            columns=dataset.columns,
            sample_rows=self._config.profile_rows,
            description=dataset.description or "",
            stylesheet="../assets/profile.css",
        )


def _page(dataset: str) -> str:
    return f"profiles/{page_name(dataset)}.html"


def _bytecode() -> Path | None:
    """Return where the profiler may keep bytecode, when it has no other place: shared by the user's projects."""
    cache = user_cache()
    return None if cache is None else cache / "bytecode"
