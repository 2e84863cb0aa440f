"""A dataset looked at before it is published: measured, judged, and freed of rows that a contract sends to quarantine.

``audit`` never raises for what is wrong with the data: a dataset that cannot be read or measured comes back with ``error`` set
and its checks ``errored``, which is never a pass.
"""

# ruff: noqa: S608 - columns are named by position, other names pass through quote() and values through literal()

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import duckdb

from nbops.errors import DataError
from nbops.model import Check, CheckResult, Column, Dataset, Distribution, Measurement, MetricRequest, Quarantine
from nbops.quality.audited import Audit
from nbops.quality.details import repeated_rows
from nbops.quality.engine import connect, lock
from nbops.quality.examples import with_examples
from nbops.quality.faults import engine_message
from nbops.quality.hashing import content_hash, content_size
from nbops.quality.judge import judge, worst
from nbops.quality.measure import measure
from nbops.quality.plan import base_requests, check_requests
from nbops.quality.predicates import UnmeasurableError
from nbops.quality.quarantine import Rejected, broken, collect, set_aside
from nbops.quality.recommended import Lists, lists_of, looks_like_lists
from nbops.quality.recommender import Around, measure_lists, unmeasured, users_in
from nbops.quality.source import Source, format_of, open_source
from nbops.quality.spread import distributions_of
from nbops.quality.storage import storage_of
from nbops.quality.terms import ROW_LEVEL, Terms

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from nbops.contract.records import Contract

__all__ = ["Audit", "audit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Subject:
    """What is looked at, and how."""

    path: Path
    name: str
    final_path: str
    contract: Contract | None
    checks: tuple[Check, ...]
    references: Mapping[str, Path]
    now: dt.datetime
    memory_limit: str | None
    threads: int | None
    whole: bool
    spread: bool
    spill: Path | None
    before: Path | None

    @property
    def personal(self) -> frozenset[str]:
        names = self.contract.personal_columns if self.contract is not None else frozenset()
        return frozenset(name.strip().casefold() for name in names)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """One look at the file."""

    source: Source
    taken: Mapping[MetricRequest, Measurement]
    results: tuple[CheckResult, ...]
    distributions: tuple[Distribution, ...] = ()
    storage: Mapping[str, Any] = field(default_factory=dict)
    rejected: Rejected | None = None
    trouble: str | None = None
    """Why rows could not be set aside."""


def audit(
    path: Path,
    *,
    name: str,
    task: str,
    final_path: str,
    contract: Contract | None,
    references: Mapping[str, Path],
    now: dt.datetime,
    quarantine_path: Path | None = None,
    quarantine_label: str = "",
    memory_limit: str | None = None,
    threads: int | None = None,
    whole: bool = True,
    spread: bool = False,
    spill: Path | None = None,
    before: Path | None = None,
) -> Audit:
    """Measure and judge a staged dataset, and set aside the rows that its contract sends to quarantine.

    Args:
        path: The staged file (or directory of Parquet files). Rewritten in place when rows are set aside.
        name: The dataset's name.
        task: The task that made it.
        final_path: Where it will be published, relative to the project; its ending says the format.
        contract: What it is judged by; ``None`` measures only, and the verdict is ``skipped``.
        references: Dataset name to path, for relationships of the contract.
        now: The run's start, with a time zone; ages are counted from it.
        quarantine_path: Parquet file for rejected rows; ``None`` sets nothing aside, and the checks stand as they are.
        quarantine_label: How the record names that file, relative to the project.
        memory_limit: For DuckDB, for example ``2GB``.
        threads: For DuckDB; ``None`` is all cores.
        whole: False takes only what the checks need: no numbers of every column, and no content hash.
        spread: Also take how the values of each column are spread, and how a text file is written.
        spill: Folder for what does not fit into memory; ``None`` is the system's temporary one.
        before: The version that is published; with ``spread``, recommendations are held against it.

    Returns:
        The dataset, one result for each check of the contract in its order, and what was set aside.
    """
    subject = _Subject(
        path=path,
        name=name,
        final_path=final_path,
        contract=contract,
        checks=contract.checks if contract is not None else (),
        references=references,
        now=now,
        memory_limit=memory_limit,
        threads=threads,
        whole=whole,
        spread=spread,
        spill=spill,
        before=before,
    )
    try:
        return _audit(subject, task=task, quarantine_path=quarantine_path, label=quarantine_label)
    except DataError as error:
        return _errored(subject, task=task, error=str(error))
    except duckdb.Error as error:
        return _errored(subject, task=task, error=f"{final_path}: {engine_message(error)}")
    except Exception as error:  # noqa: BLE001 - whatever is wrong with one dataset is recorded and must not end the run
        return _errored(subject, task=task, error=f"{final_path}: could not be measured: {type(error).__name__}.")


def _audit(subject: _Subject, *, task: str, quarantine_path: Path | None, label: str) -> Audit:
    first = _look(subject, reject=quarantine_path is not None)
    if first.rejected is None or quarantine_path is None:
        results = first.results if first.trouble is None else _with_trouble(first.results, first.trouble)
        return Audit(dataset=_dataset(subject, first, results, task=task), results=results, quarantine=None)
    try:
        set_aside(subject.path, quarantine_path, source=first.source, rejected=first.rejected)
    except (DataError, OSError, ValueError, MemoryError) as error:
        reason = str(error) if isinstance(error, DataError) else type(error).__name__
        results = _with_trouble(first.results, reason)
        again = _look(subject, reject=False, known=first.taken)
        return Audit(dataset=_dataset(subject, again, results, task=task), results=results, quarantine=None)
    second = _look(subject, reject=False, known=_lasting(subject, first))
    results = _merged(first, second)
    quarantine = Quarantine(
        dataset=subject.name,
        task=task,
        path=label or quarantine_path.name,
        rows_in=first.source.rows,
        rows_out=second.source.rows,
        rows=len(first.rejected.rows),
        reasons=first.rejected.counts,
    )
    return Audit(dataset=_dataset(subject, second, results, task=task), results=results, quarantine=quarantine)


def _lasting(subject: _Subject, first: _Look) -> dict[MetricRequest, Measurement]:
    """Return what stays true when rows are taken away: where no row broke a rule, none of the rest does.

    Not of inferred types, which the rest may change; nor of rules that may look at other rows of the dataset.
    """
    if first.source.inferred:
        return {}
    return {
        request: taken
        for request, taken in first.taken.items()
        if request.metric in ROW_LEVEL - {"rowRule"}
        and taken.value == 0
        and dict(request.arguments).get("dataset") != subject.name
    }


def _look(subject: _Subject, *, reject: bool, known: Mapping[MetricRequest, Measurement] = MappingProxyType({})) -> _Look:
    """Open the data, measure what is not known yet, and judge; with ``reject``, find the rows to set aside."""
    # Numbers of all columns change when rows are set aside, so they are taken when that is decided.
    later = reject and any(check.quarantine for check in subject.checks)
    short = _is_short(subject.path)
    threads = 1 if short else subject.threads
    with connect(memory_limit=subject.memory_limit, threads=threads, spill=subject.spill, short=short) as (connection, scratch):
        source = open_source(
            connection,
            subject.path,
            name=subject.final_path,
            scratch=scratch,
            contract=subject.contract,
            shown=subject.final_path,
        )
        terms = Terms(source, _references(subject, connection, scratch))
        _name_tables(subject, terms)
        lists = lists_of(source, subject.contract, name=subject.name) if subject.spread else None
        around = _around(subject, lists, terms, connection, scratch) if isinstance(lists, Lists) else None
        _lock(terms, around.sources if around is not None else ())
        base = base_requests(source.columns, personal=subject.personal) if subject.whole else ()
        needed = [request for request in check_requests(subject.checks) if request not in known]
        masked = bool(subject.personal)
        found = measure(terms, needed, now=subject.now, mask_text=masked, base=() if later else base)
        taken = {**known, **found}
        results = with_examples(terms, judge(subject.checks, taken), personal=subject.personal)
        rejected, trouble = _reject(terms, results) if reject else (None, None)
        if later and rejected is None:
            rest = [request for request in base if request not in taken]
            taken |= measure(terms, (), now=subject.now, mask_text=masked, base=rest)
        told = subject.spread and rejected is None
        if told:
            _count_repeats(source, taken)
            taken |= _measured_lists(source, lists, around, taken) if lists is not None else {}
        return _Look(
            source=source,
            taken=taken,
            results=results,
            distributions=distributions_of(source, personal=subject.personal, taken=taken) if told else (),
            storage=storage_of(subject.path, source) if told else {},
            rejected=rejected,
            trouble=trouble,
        )


_SHORT_BYTES = 1_048_576
"""Starting threads takes longer than a second one saves on a file of up to this size."""


def _is_short(path: Path) -> bool:
    try:
        return path.is_file() and path.stat().st_size <= _SHORT_BYTES
    except OSError:  # that it cannot be read is said where it is opened
        return False


_REPEATS_ROWS = 200_000
"""Up to so many rows it is looked for rows that repeat another."""


def _count_repeats(source: Source, taken: dict[MetricRequest, Measurement]) -> None:
    if not source.rows or source.rows > _REPEATS_ROWS:
        return
    count = repeated_rows(source.connection, f"{source.prefix}scan", [column.key for column in source.columns], rows=source.rows)
    if count is not None:
        taken[MetricRequest(metric="duplicateRows")] = Measurement(metric="duplicateRows", value=count)


def _around(subject: _Subject, lists: Lists, terms: Terms, connection: Any, scratch: Path) -> Around:
    """Open what recommendations are held against, as far as it is not open already."""

    def opened(path: Path | None, name: str, prefix: str) -> Source | str:
        if path is None or not path.exists():
            return f"dataset {name!r} is not published"
        try:
            return open_source(
                connection, path, name=path.name, scratch=scratch, contract=None, shown=name, prefix=f"__nbops_{prefix}_"
            )
        except (DataError, duckdb.Error):
            return f"dataset {name!r} cannot be read"

    def found(end: tuple[str, str] | None, prefix: str) -> Source | str | None:
        if end is None:
            return None
        known = terms.references.get(end[0])
        return known if known is not None else opened(subject.references.get(end[0]), end[0], prefix)

    before = opened(subject.before, subject.name, "before") if subject.before is not None else None
    return Around(
        catalogue=found(lists.catalogue, "catalogue"),
        users=found(lists.users, "users"),
        interactions=found(lists.interactions, "interactions"),
        before=before if isinstance(before, Source) else None,
    )


def _measured_lists(
    source: Source, lists: Lists | str, around: Around | None, taken: Mapping[MetricRequest, Measurement]
) -> dict[MetricRequest, Measurement]:
    """Measure what is recommendations; of a dataset that only looked like it, nothing."""
    if isinstance(lists, str) or around is None:
        return unmeasured(str(lists))
    try:
        users = users_in(source, lists, taken)
        if not looks_like_lists(source, lists, users=users):
            return {}
        return measure_lists(source, lists, around, users=users)
    except duckdb.Error:  # its words may hold values
        return unmeasured("the engine could not measure it") if lists.declared else {}


def _reject(terms: Terms, results: Sequence[CheckResult]) -> tuple[Rejected | None, str | None]:
    concerned = broken(results)
    if not concerned:
        return None, None
    try:
        return collect(terms, concerned), None
    except DataError as error:
        return None, str(error)
    except UnmeasurableError as error:
        return None, f"{error}."
    except duckdb.Error as error:
        return None, f"{engine_message(error)}."


def _references(subject: _Subject, connection: Any, scratch: Path) -> dict[str, Source | str]:
    """Open the datasets that relationships refer to, each under its own prefix."""
    wanted = dict.fromkeys(str(dict(check.arguments)["dataset"]) for check in subject.checks if check.metric == "references")
    found: dict[str, Source | str] = {}
    for index, name in enumerate(wanted):
        path = subject.path if name == subject.name else subject.references.get(name)
        if path is None:
            continue
        ending = subject.final_path if name == subject.name else path.name
        try:
            found[name] = open_source(
                connection, path, name=ending, scratch=scratch, contract=None, shown=name, prefix=f"__nbops_r{index}_"
            )
        except DataError as error:
            found[name] = str(error)
    return found


def _name_tables(subject: _Subject, terms: Terms) -> None:
    """Let SQL rules use the names of the contract for the data, and of datasets that it refers to."""
    sources = {name: other for name, other in terms.references.items() if isinstance(other, Source)}
    names: dict[str, Source] = {**sources, subject.name: terms.source}
    if subject.contract is not None:
        names.setdefault(subject.contract.object_name, terms.source)
    taken = {"data", "scan", "named"}
    for name, source in names.items():
        if name.lower() in taken or "\0" in name or not name:
            continue
        taken.add(name.lower())
        quoted = '"' + name.replace('"', '""') + '"'
        source.connection.execute(f"CREATE OR REPLACE VIEW {quoted} AS SELECT * FROM {source.prefix}data")


def _lock(terms: Terms, more: Sequence[Source]) -> None:
    sources = [terms.source, *(other for other in terms.references.values() if isinstance(other, Source)), *more]
    lock(
        terms.source.connection,
        files=[source.path for source in sources if source.path is not None],
        directories=[source.directory for source in sources if source.directory is not None],
    )


def _with_trouble(results: Sequence[CheckResult], trouble: str) -> tuple[CheckResult, ...]:
    concerned = {result.check.id for result in broken(results)}
    return tuple(
        replace(result, message=f"{result.message} The rows could not be set aside: {trouble}")
        if result.check.id in concerned
        else result
        for result in results
    )


def _merged(first: _Look, second: _Look) -> tuple[CheckResult, ...]:
    """Results on what is left; a quarantine check that it no longer breaks is ``warned`` and keeps its finding."""
    concerned = {result.check.id for result in broken(first.results)}
    return tuple(
        replace(before, verdict="warned", message=f"{before.message} The rows were set aside in quarantine.")
        if before.check.id in concerned and after.verdict == "passed"
        else after
        for before, after in zip(first.results, second.results, strict=True)
    )


def _dataset(subject: _Subject, look: _Look, results: Sequence[CheckResult], *, task: str) -> Dataset:
    contract = subject.contract
    known = {column.name: column for column in contract.columns} if contract is not None else {}
    columns = tuple(
        Column(
            name=column.name,
            physical_type=column.type,
            logical_type=known[column.name].logical_type if column.name in known else None,
            description=known[column.name].description if column.name in known else None,
            classification=_classification(contract, column.name),
            business_name=known[column.name].business_name if column.name in known else None,
            tags=known[column.name].tags if column.name in known else (),
            definitions=known[column.name].definitions if column.name in known else (),
        )
        for column in look.source.columns
    )
    return replace(
        _described(subject, task=task),
        format=look.source.format,
        columns=columns,
        rows=look.source.rows,
        bytes=content_size(subject.path),
        content_hash=content_hash(subject.path) if subject.whole else None,
        measurements=tuple(item for item in look.taken.values() if item.metric != "schema"),
        distributions=look.distributions,
        storage=look.storage,
        verdict=worst(result.verdict for result in results),
    )


def _classification(contract: Contract | None, name: str) -> str | None:
    """A column that only a tag calls personal is classified as such, so that whoever reads the record keeps its values back."""
    known = next((column for column in contract.columns if column.name == name), None) if contract is not None else None
    if known is None:
        return None
    return known.classification or ("personal" if known.personal else None)


def _described(subject: _Subject, *, task: str) -> Dataset:
    contract = subject.contract
    known = Dataset(name=subject.name, task=task, path=subject.final_path, format=format_of(subject.final_path) or "unknown")
    if contract is None:
        return known
    sla = {level.property: level.seconds if level.seconds is not None else level.value for level in contract.sla}
    return replace(
        known,
        contract=contract.path,
        contract_hash=contract.hash,
        owner=contract.owner,
        description=contract.description,
        business_name=contract.business_name,
        domain=contract.domain,
        tags=contract.tags,
        definitions=contract.definitions,
        sla=sla,
    )


def _errored(subject: _Subject, *, task: str, error: str) -> Audit:
    message = f"Could not be measured: {error}"
    results = tuple(CheckResult(check=check, verdict="errored", message=message) for check in subject.checks)
    dataset = replace(_described(subject, task=task), verdict="errored", error=error)
    try:
        dataset = replace(dataset, bytes=content_size(subject.path))
        dataset = replace(dataset, content_hash=content_hash(subject.path) if subject.whole else None)
    except OSError:
        # What cannot be read has no size and no hash either; the error says so already.
        return Audit(dataset=dataset, results=results, quarantine=None)
    return Audit(dataset=dataset, results=results, quarantine=None)
