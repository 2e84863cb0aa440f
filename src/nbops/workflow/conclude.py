"""The end of a build: scrubbing, the last profiles, the ledger, the pages, one commit."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbops.errors import DataError, GuardError
from nbops.history.incidents.course import is_live
from nbops.history.incidents.store import load_incidents
from nbops.history.matrix import matrix_rows
from nbops.history.series import series_of
from nbops.pages.names import page_name
from nbops.pages.render import render_index, render_run
from nbops.pages.vocabulary import page_words
from nbops.record.codec import encode
from nbops.record.commit import commit_reports
from nbops.record.committed import Recent
from nbops.record.figures import FIGURES, lifted
from nbops.record.guard import refuse, scan
from nbops.record.ledger import as_stored
from nbops.record.notebook import dump_notebook
from nbops.record.pruning import is_time_to_prune, prune_seldom
from nbops.record.scrub import PersonalValues, Scrubber, collect_secrets
from nbops.record.store import replace_file, run_before, write_run
from nbops.record.summaries import Listing
from nbops.workflow.alerting import tell_of
from nbops.workflow.assemble import carried_over, without_quotes
from nbops.workflow.comparing import beside
from nbops.workflow.datasets import format_of
from nbops.workflow.fingerprint import strings_of
from nbops.workflow.monitoring import monitored
from nbops.workflow.taskrecord import TaskRecord, load_notebook
from nbops.workflow.watchover import announce, keep_incidents
from nbops.workflow.watchpages import watch_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from nbops.contract.config import Config
    from nbops.contract.records import Contract, ContractColumn
    from nbops.history.monitors.courses import Courses
    from nbops.model import Incident, Notice, Run
    from nbops.record.guard import GuardFinding
    from nbops.workflow.exporting import Exports
    from nbops.workflow.meanwhile import Meanwhile
    from nbops.workflow.profiling import Profiling
    from nbops.workflow.stop import StopSignals

__all__ = ["Conclusion", "conclude", "scrubber_for"]

_LONGEST_PATH = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """How the recording went."""

    run: Run
    said: tuple[str, ...]
    """Sentences for the user."""


def secrets_of(config: Config, parameters: Mapping[str, Any], records: Mapping[str, TaskRecord]) -> tuple[str, ...]:
    """Return every secret value that this build knows: of parameters and of the environment."""
    every = {**parameters, **{f"{n}.{k}": v for n, record in records.items() for k, v in record.spec.parameters.items()}}
    return collect_secrets(every, os.environ, config.secrets)


def scrubber_for(
    root: Path,
    config: Config,
    parameters: Mapping[str, Any],
    records: Mapping[str, TaskRecord],
    *,
    personal: PersonalValues | None,
) -> Scrubber:
    """Return what takes secrets, personal values and machine paths out of everything that is recorded."""
    moved: dict[str, str] = {}
    for record in records.values():
        moved.update(record.aliases)
    moved.update(_outside(root, parameters, records))
    secrets = secrets_of(config, parameters, records)
    return Scrubber(root, secrets=secrets, personal=personal, moved=moved, secret_names=config.secrets)


def _outside(root: Path, parameters: Mapping[str, Any], records: Mapping[str, TaskRecord]) -> dict[str, str]:
    """Return what stands for paths of this machine outside the project: those given as parameters, the project's parent."""
    found: dict[str, str] = {}
    for text in [t for values in (parameters, *(r.spec.parameters for r in records.values())) for t in strings_of(values)]:
        try:
            path = (root / text).resolve() if text and len(text) < _LONGEST_PATH and "\0" not in text else root
            known = path.exists()
        except OSError:
            continue
        if known and path != root and root not in path.parents and path not in root.parents:
            found[str(path)] = f"<path>/{path.name}"
            if Path(text).is_absolute():
                found[text.rstrip("/")] = f"<path>/{path.name}"
    found.setdefault(str(root.parent), "<path>")
    return found


def conclude(
    *,
    root: Path,
    config: Config,
    run_of: Callable[[Mapping[str, str], tuple[Notice, ...]], Run],
    parameters: Mapping[str, Any],
    records: Mapping[str, TaskRecord],
    contracts: Mapping[str, Contract],
    profiles: Profiling,
    meanwhile: Meanwhile,
    wait: float,
    stop: StopSignals,
    exports: Exports,
) -> Conclusion:
    """Record a run that has ended.

    Args:
        root: The project's root.
        config: The project's settings.
        run_of: Makes the Run, given the committed notebooks by task and notices of the recording itself.
        parameters: The pipeline's parameters.
        records: What is known of each task.
        contracts: Contracts by dataset.
        profiles: What was asked to make profiles while the tasks ran.
        meanwhile: What is done while it is waited for them.
        wait: Seconds to wait for what is left of them.
        stop: Ends that waiting.
        exports: Who else is told of it.

    Returns:
        The run as recorded, and what to tell the user.

    Raises:
        LedgerError: The ledger cannot be written.
        GuardError: What was about to be committed holds something private; the run is recorded, not committed.
    """
    reports = root / config.reports
    personal = _personal_values(root, records, contracts)
    scrubber = scrubber_for(root, config, parameters, records, personal=personal)
    first = run_of({}, ())
    notebooks = _write_notebooks(reports, first.id, records, scrubber)
    pages, notices = profiles.finish(first.datasets, seconds=wait, stop=stop, meanwhile=meanwhile)
    run = run_of(notebooks, notices)
    run = replace(run, datasets=tuple(replace(d, profile=pages.get(d.name)) for d in run.datasets))
    before = run_before(reports, run.id)
    judged = monitored(root, config, carried_over(scrubber.run(run), before), previous=before)
    run = judged.run
    announce(root, run.id)
    write_run(reports, run)
    watched = keep_incidents(root, config, run, clean=scrubber.text)
    trouble = _render(run, root, reports, keep=config.keep_runs, courses=judged.courses)
    secrets = secrets_of(config, parameters, records)
    if exports:
        code = {name: scrubber.text("\n\n".join(record.spec.code)) for name, record in records.items()}
        trouble += _tell(
            exports,
            run,
            code,
            incidents=tuple(
                item for item in load_incidents(reports, since=run.id, cache=root / ".nbops/cache").found if is_live(item)
            ),
            check=lambda text: scan([("events", text)], secrets=secrets, personal=personal, root=root),
        )
    told: tuple[str, ...] = ()
    try:
        said = _commit(root, config, run, secrets=secrets, personal=personal) if config.commit else ()
    finally:
        told = tell_of(
            [change.incident for change in watched.changes],
            root=root,
            config=config,
            run=run,
            check=lambda text: scan([("messages", text)], secrets=secrets, personal=personal, root=root),
            wait=0.0 if stop.stopped() else None,
        )
    return Conclusion(run=run, said=(*trouble, *watched.said, *said, *told))


def _tell(
    exports: Exports,
    run: Run,
    code: Mapping[str, str],
    *,
    incidents: tuple[Incident, ...],
    check: Callable[[bytes], list[GuardFinding]],
) -> tuple[str, ...]:
    """Tell other systems what was recorded; if the guard finds something private in it, no more than what happened."""
    texts = [encode(run), code, [encode(item) for item in incidents]]
    if check(json.dumps(texts, ensure_ascii=False).encode("utf-8", "replace")):
        exports.ended(without_quotes(run), code={})
        return ("other systems are told of this run without messages, numbers and code: something private was found in it",)
    exports.ended(run, code=code, incidents=incidents)
    return ()


def _render(run: Run, root: Path, reports: Path, *, keep: int, courses: Mapping[str, Courses]) -> tuple[str, ...]:
    """Write the pages; the ledger is safe by now, so whatever goes wrong here is said and can be made good."""
    cache = root / ".nbops/cache"
    try:
        watch = watch_of(root, reports, as_stored(run), courses=courses)
        found = beside(run, reports)
        render_run(
            run,
            reports=reports,
            accepted=found.accepted,
            previous=found.previous,
            series=series_of(as_stored(run), reports=reports, cache=cache),
            incidents=watch.incidents,
        )
        gone = prune_seldom(reports, keep, cache=cache)
        render_index(
            Listing(reports, cache),
            latest=run,
            reports=reports,
            accepted=found.accepted,
            rows=matrix_rows(reports, cache),
            watch=watch,
            pruned={path.relative_to(reports / "runs").parts[0] for path in gone if path.is_relative_to(reports / "runs")},
        )
    except Exception as error:  # noqa: BLE001 - see above
        return (f"the pages could not be written: {type(error).__name__}: {error}; `nbops render` makes them from the ledgers",)
    return ()


def _personal_values(root: Path, records: Mapping[str, TaskRecord], contracts: Mapping[str, Contract]) -> PersonalValues | None:
    """Collect the values of personal columns wherever this run may have shown them: datasets, quarantine, failed attempts."""
    sources: list[tuple[Path, str, list[str]]] = []
    for record in records.values():
        for plan in record.plans:
            columns = contracts[plan.name].personal_columns if plan.name in contracts else frozenset()
            if not columns:
                continue
            paths = [root / plan.final_path, *sorted((root / ".nbops/failed").glob(f"*/*/tree/{plan.final_path}"))]
            quarantined = sorted((root / "quarantine" / plan.name).glob("*.parquet"))[-1:]
            sources += [(path, format_of(path.name), sorted(columns)) for path in [*paths, *quarantined] if path.is_file()]
    names = sorted({name for contract in contracts.values() for name in contract.personal_columns})
    if not names:
        return None
    ordinary = [*page_words(), *_vocabulary(records, contracts)]
    try:
        return PersonalValues.from_files(sources, ordinary=ordinary, columns=names)
    except DataError:
        # a file that cannot be read must not keep the others from being masked
        readable = [source for source in sources if _readable(source)]
        return PersonalValues.from_files(readable, ordinary=ordinary, columns=names)


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


def _readable(source: tuple[Path, str, list[str]]) -> bool:
    try:
        PersonalValues.from_files([source])
    except DataError:
        return False
    return True


def _write_notebooks(reports: Path, run_id: str, records: Mapping[str, TaskRecord], scrubber: Scrubber) -> dict[str, str]:
    written: dict[str, str] = {}
    for name, record in records.items():
        notebook = load_notebook(record.notebook) if record.notebook is not None else None
        if notebook is None:
            continue
        relative = f"runs/{run_id}/tasks/{page_name(name)}.ipynb"
        path = reports / relative
        scrubbed, figures = lifted(scrubber.notebook(notebook), up="../../../")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_figures(reports, figures)
            replace_file(path, dump_notebook(scrubbed).encode(), durable=False)
        except OSError:
            continue  # the ledger comes first; it says by what is missing that the disk was full
        written[name] = relative
    return written


def _write_figures(reports: Path, figures: Mapping[str, bytes]) -> None:
    """Write what is not there: a figure's name says what it holds."""
    for name, data in figures.items():
        path = reports / FIGURES / name
        if not path.is_file() or path.stat().st_size != len(data):
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(path, data, durable=False)


def _commit(
    root: Path, config: Config, run: Run, *, secrets: tuple[str, ...], personal: PersonalValues | None
) -> tuple[str, ...]:
    def check(files: Iterable[tuple[str, bytes]]) -> None:
        refuse(scan(files, secrets=secrets, personal=personal, root=root))

    reports, cache = root / config.reports, root / ".nbops/cache"
    tasks, checks = _counts(task.status for task in run.tasks), _counts(result.verdict for result in run.checks)
    try:
        outcome = commit_reports(
            root,
            reports=config.reports,
            files=None,
            message=f"nbops: {run.verdict}, {len(run.tasks)} tasks, {len(run.checks)} checks ({run.id})",
            trailers={"Nbops-Run": run.id, "Nbops-Verdict": run.verdict, "Nbops-Tasks": tasks, "Nbops-Checks": checks},
            check=check,
            recent=Recent(cache=cache, reports=reports, run_id=run.id, whole=is_time_to_prune(reports, config.keep_runs)),
        )
    except GuardError as error:
        raise GuardError(f"{error}\nThe run is recorded in {config.reports}/, but it was not committed.") from error
    if outcome.status == "committed":
        return (f"committed {config.reports}/ as {(outcome.commit or '')[:10]}",)
    return (outcome.message,) if outcome.message else ()


def _counts(words: Iterable[str]) -> str:
    found: dict[str, int] = {}
    for word in words:
        found[word] = found.get(word, 0) + 1
    return " ".join(f"{word}={count}" for word, count in sorted(found.items())) or "none"
