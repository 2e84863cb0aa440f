"""The values of personal columns that a run may have shown, read while the build would only wait for its tasks."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from nbops.errors import DataError
from nbops.pages.vocabulary import page_words
from nbops.record.personal import PersonalPart, PersonalValues, ordinary_words
from nbops.workflow.datasets import format_of

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping
    from pathlib import Path

    from nbops.contract.records import Contract, ContractColumn
    from nbops.workflow.taskrecord import TaskRecord

__all__ = ["PersonalAhead"]


class _Source(NamedTuple):
    """A dataset, or what was set aside of one, and its personal columns."""

    path: Path
    format: str
    columns: tuple[str, ...]


class PersonalAhead:
    """Collects the values of personal columns wherever a run may have shown them: datasets, quarantine, failed attempts.

    What was read ahead counts as long as its file is the same one, unchanged; the rest is read at the end.

    Args:
        root: The project's root.
        records: Task name to record.
        contracts: Contracts by dataset.
    """

    def __init__(self, root: Path, records: Mapping[str, TaskRecord], contracts: Mapping[str, Contract]) -> None:
        self._root = root
        self._records = records
        self._contracts = contracts
        self._known: dict[_Source, tuple[tuple[int, ...], PersonalPart]] = {}
        self._reading: list[Generator[PersonalPart | None]] = []
        self._over = False
        self.columns = frozenset(name for contract in contracts.values() for name in contract.personal_columns)
        """All names of personal columns."""

    @cached_property
    def _texts(self) -> tuple[str, ...]:
        return (*page_words(), *_vocabulary(self._records, self._contracts))

    @cached_property
    def _ordinary(self) -> frozenset[str]:
        return ordinary_words(self._texts)

    def prepare(self) -> None:
        """Learn the words that are no disclosure."""
        self._ordinary  # noqa: B018 - it is remembered

    def read(self, record: TaskRecord) -> Iterator[None]:
        """Read what a task that has ended left, with a pause now and then; what cannot be read is found out at the end."""
        for source in () if self._over else self._sources(record):
            seen = _identity(source.path)
            if seen is None or self._part(source) is not None:
                continue
            self._reading.append(reading := PersonalValues.reading(source, ordinary=self._ordinary))
            for part in reading:
                if part is None:
                    yield
                else:
                    self._known[source] = (seen, part)
            yield

    def values(self) -> PersonalValues | None:
        """Return all values, None where no contract names a personal column; nothing is read ahead from now on.

        Raises:
            DataError: A file cannot be read at all.
        """
        self._over = True
        for reading in self._reading:
            reading.close()  # with its database, if it was not at its end
        if not self.columns:
            return None
        sources = dict.fromkeys(source for record in self._records.values() for source in self._sources(record))
        parts = {source: self._part(source) for source in sources}
        left = [source for source, part in parts.items() if part is None]
        known = [part for part in parts.values() if part is not None]
        try:
            return PersonalValues.from_files(left, ordinary=self._texts, columns=self.columns, known=known)
        except DataError:
            # a file that cannot be read must not keep the others from being masked
            readable = [source for source in left if _readable(source)]
            return PersonalValues.from_files(readable, ordinary=self._texts, columns=self.columns, known=known)

    def _part(self, source: _Source) -> PersonalPart | None:
        seen, part = self._known.get(source, (None, None))
        return part if seen is not None and seen == _identity(source.path) else None

    def _sources(self, record: TaskRecord) -> list[_Source]:
        found: list[_Source] = []
        for plan in record.plans:
            columns = self._contracts[plan.name].personal_columns if plan.name in self._contracts else frozenset()
            if not columns:
                continue
            failed = sorted((self._root / ".nbops/failed").glob(f"*/*/tree/{plan.final_path}"))
            quarantined = sorted((self._root / "quarantine" / plan.name).glob("*.parquet"))[-1:]
            paths = [self._root / plan.final_path, *failed, *quarantined]
            found += [_Source(path, format_of(path.name), tuple(sorted(columns))) for path in paths if path.is_file()]
        return found


def _identity(path: Path) -> tuple[int, ...] | None:
    """Return what tells a file and its content from another; the time of its last change of any kind belongs to it."""
    try:
        about = path.stat()
    except OSError:
        return None
    return (about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns)


def _vocabulary(records: Mapping[str, TaskRecord], contracts: Mapping[str, Contract]) -> list[str]:
    """Return the words of the pipeline itself, which are no disclosure of a customer who is called like a column."""
    words = [name for record in records.values() for name in (record.spec.name, *(plan.name for plan in record.plans))]
    for contract in contracts.values():
        words += [
            contract.dataset,
            contract.owner or "",
            contract.description or "",
            contract.business_name or "",
            *contract.tags,
        ]
        words += [contract.domain or "", *_defined(contract)]
        for column in contract.columns:
            words += [column.name, column.description or "", column.business_name or "", *column.tags, *_defined(column)]
    return words


def _defined(thing: Contract | ContractColumn) -> list[str]:
    return [text for item in thing.definitions for text in (item.url, item.type, item.description or "")]


def _readable(source: _Source) -> bool:
    try:
        PersonalValues.from_files([source])
    except DataError:
        return False
    return True
