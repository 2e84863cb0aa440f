"""A contract that is being edited, judged on the data that is published: first on the beginning of it, then on the whole.

It is `nbops check` with another contract, in a thread of its own; a change that comes meanwhile makes older answers void.
"""

from __future__ import annotations

import atexit
import itertools
import tempfile
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nbops.errors import NbopsError
from nbops.quality.terms import ROW_LEVEL
from nbops.workflow.recheck import Target, check_targets, published_datasets

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbops.contract.config import Config
    from nbops.contract.records import Contract
    from nbops.model import CheckResult
    from nbops.workflow.recheck import Published

__all__ = ["SAMPLE_ROWS", "LiveCheck", "Look", "check_sample", "check_whole"]

SAMPLE_ROWS = 20_000
"""Rows from the beginning that are judged first."""
_SMALL = 4_000_000
"""Files up to so many bytes are judged whole at once."""
_ON_ROWS = ROW_LEVEL - {"duplicateValues"} | {"schema"}
"""What some rows tell something about; the rest needs all of them."""
_PATIENCE = 5.0
Basis = Literal["sample", "whole"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was found."""

    number: int
    """Which evaluation it belongs to; the highest is that of the newest text."""
    basis: Basis
    rows: int | None
    """How many rows were looked at."""
    results: tuple[CheckResult, ...]
    waiting: int = 0
    """Rules that were not judged, because they need the whole data."""
    error: str | None = None
    """Why the data could not be measured."""
    columns: tuple[tuple[str, str], ...] = ()
    """Names and types of the data's columns."""


def check_whole(root: Path, config: Config, contract: Contract, *, number: int = 0) -> Look:
    """Judge all published data of a contract's dataset.

    Raises:
        NbopsError: The pipeline has no such dataset.
    """
    dataset = _dataset(root, config, contract)
    [audit] = check_targets([Target(dataset=dataset, contract=contract)], root=root, config=config, whole=False)
    return Look(
        number=number,
        basis="whole",
        rows=audit.dataset.rows,
        results=audit.results,
        error=audit.dataset.error,
        columns=tuple((column.name, column.physical_type) for column in audit.dataset.columns),
    )


def check_sample(root: Path, config: Config, contract: Contract, *, number: int = 0, rows: int = SAMPLE_ROWS) -> Look | None:
    """Judge the first rows of published data by the rules that are about single rows.

    Args:
        root: The project's root.
        config: The project's settings.
        contract: As it is being edited.
        number: Which evaluation it is.
        rows: How many rows at most.

    Returns:
        What was found; None where it is no use: the data is small, is not there, or cannot be cut without being read whole.

    Raises:
        NbopsError: The pipeline has no such dataset.
    """
    dataset = _dataset(root, config, contract)
    if not dataset.path.is_file() or dataset.path.stat().st_size <= _SMALL:
        return None
    with tempfile.TemporaryDirectory(prefix="nbops-") as folder:
        try:
            cut = _beginning(dataset.path, Path(folder), name=dataset.final_path, rows=rows)
        except (OSError, ValueError, EOFError):  # whatever is wrong with it is told of the whole
            cut = None
        if cut is None:
            return None
        judged = tuple(check for check in contract.checks if check.metric in _ON_ROWS)
        target = Target(dataset=replace(dataset, path=cut), contract=replace(contract, checks=judged))
        [audit] = check_targets([target], root=root, config=config, whole=False)
    return Look(
        number=number,
        basis="sample",
        rows=audit.dataset.rows,
        results=audit.results,
        waiting=len(contract.checks) - len(judged),
        error=audit.dataset.error,
        columns=tuple((column.name, column.physical_type) for column in audit.dataset.columns),
    )


def _dataset(root: Path, config: Config, contract: Contract) -> Published:
    known = published_datasets(root, config)
    if contract.dataset not in known:
        raise NbopsError(f"no task makes a dataset called {contract.dataset!r}, so there is no data to judge.")
    return known[contract.dataset]


def _beginning(path: Path, folder: Path, *, name: str, rows: int) -> Path | None:
    """Copy the first rows of a file, in its own format."""
    from nbops.quality.faults import csv_records, open_bytes  # noqa: PLC0415 - loads DuckDB
    from nbops.quality.source import delimiter_of, format_of  # noqa: PLC0415

    kind = format_of(name)
    target = folder / "beginning"
    if kind == "parquet":
        return _parquet(path, target, rows=rows)
    if kind == "csv":
        delimiter, _ = delimiter_of(path, name=name)
        with csv_records(path, delimiter=delimiter) as records, target.open("w", encoding="utf-8", newline="") as stream:
            stream.writelines(text for _, text in itertools.islice(records, rows + 1))
        return target
    if kind == "jsonl":
        with open_bytes(path) as lines, target.open("wb") as stream:
            stream.writelines(itertools.islice(lines, rows))
        return target
    return None


def _parquet(path: Path, target: Path, *, rows: int) -> Path | None:
    import pyarrow as pa  # noqa: PLC0415 - heavy
    from pyarrow import parquet  # noqa: PLC0415

    try:
        with parquet.ParquetFile(path) as file:
            batch = next(file.iter_batches(batch_size=rows), None)
            if batch is None:
                return None
            parquet.write_table(pa.Table.from_batches([batch]), target)
    except pa.ArrowException:
        return None
    return target


class LiveCheck:
    """Judges the newest contract it was given, in a thread; answers of older ones are dropped.

    Args:
        root: The project's root.
        config: The project's settings.
        tell: Called from the thread with each answer to the newest question; a fault of it is its own.
        wait: Seconds without a further change before it begins.
    """

    def __init__(self, root: Path, config: Config, *, tell: Callable[[Look], Any], wait: float = 0.4) -> None:
        self._root, self._config, self._tell, self._pause = root, config, tell, wait
        self._changed = threading.Condition()
        self._number = 0
        self._wanted: Contract | None = None
        self._known: tuple[Any, Look] | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    def ask(self, contract: Contract) -> int:
        """Have a contract judged; return the number that its answers will have."""
        with self._changed:
            self._number += 1
            self._wanted = contract
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="nbops-live-check", daemon=True)
                self._thread.start()
                atexit.register(self.close)  # a thread that measures while Python ends makes DuckDB complain
            self._changed.notify_all()
            return self._number

    def give_up(self) -> int:
        """Have nothing judged until :meth:`ask` is called again, and older answers dropped; return the number after them."""
        with self._changed:
            self._number += 1
            self._wanted = None
            return self._number

    def close(self) -> None:
        """End the thread, when it has ended what it is at; it is waited for, though not for long."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            thread = self._thread
        atexit.unregister(self.close)
        if thread is not None and thread is not threading.current_thread():
            thread.join(_PATIENCE)

    def _next(self) -> tuple[int, Contract] | None:
        with self._changed:
            while not self._closed:
                if self._wanted is None:
                    self._changed.wait()
                    continue
                number = self._number
                self._changed.wait(self._pause)
                if number == self._number and self._wanted is not None:
                    contract, self._wanted = self._wanted, None
                    return number, contract
            return None

    def _work(self) -> None:
        while (found := self._next()) is not None:
            number, contract = found
            try:
                self._judge(number, contract)
            except Exception as error:  # noqa: BLE001 - a thread has nobody to raise to; people are told
                self._say(Look(number=number, basis="whole", rows=None, results=(), error=f"{error}" or type(error).__name__))

    def _judge(self, number: int, contract: Contract) -> None:
        _dataset(self._root, self._config, contract)
        places = published_datasets(self._root, self._config)  # all of them: rules may refer to other datasets
        key = (_rules(contract), {name: _stamp(item.path) for name, item in places.items()})
        if self._known is not None and self._known[0] == key:  # a description was changed: nothing to measure
            self._say(replace(self._known[1], number=number))
            return
        first = check_sample(self._root, self._config, contract, number=number)
        if first is not None:
            self._say(first)
            if not self._is_newest(number):
                return
        whole = check_whole(self._root, self._config, contract, number=number)
        if whole.error is None:
            self._known = (key, whole)
        self._say(whole)

    def _is_newest(self, number: int) -> bool:
        with self._changed:
            return number == self._number and not self._closed

    def _say(self, look: Look) -> None:
        if self._is_newest(look.number):
            self._tell(look)


def _rules(contract: Contract) -> Any:
    """Return what of a contract a judgement depends on, but for the words."""
    checks = [replace(check, description=None, origin="") for check in contract.checks]
    columns = [(column.name, column.logical_type, column.physical_type, column.personal) for column in contract.columns]
    return repr((contract.dataset, contract.object_name, checks, columns))


def _stamp(path: Path) -> Any:
    """Return what changes when a file is exchanged; never equal for what is not there, or a folder."""
    if not path.is_file():
        return object()
    known = path.stat()
    return known.st_mtime_ns, known.st_size, known.st_ino
