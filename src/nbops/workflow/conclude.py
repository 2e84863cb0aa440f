"""The end of a build: scrubbing, the last profiles, the ledger, the pages, one commit."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbops.errors import GuardError
from nbops.history.incidents.course import is_live
from nbops.history.incidents.store import load_incidents
from nbops.pages.names import page_name
from nbops.record.codec import encode
from nbops.record.commit import commit_reports
from nbops.record.committed import Recent
from nbops.record.figures import FIGURES, lifted
from nbops.record.guard import refuse, scan
from nbops.record.notebook import dump_notebook
from nbops.record.store import replace_file, run_before, write_run
from nbops.workflow.alerting import tell_of
from nbops.workflow.aside import Aside
from nbops.workflow.assemble import carried_over, without_quotes
from nbops.workflow.monitoring import Monitored, monitored
from nbops.workflow.runpages import RunPages
from nbops.workflow.scrubbing import scrubber_for, secrets_of
from nbops.workflow.taskrecord import TaskRecord, load_notebook
from nbops.workflow.watchover import announce, keep_incidents

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from nbops.contract.config import Config
    from nbops.model import Incident, Notice, Run
    from nbops.record.guard import Check, GuardFinding
    from nbops.record.scrub import Scrubber
    from nbops.workflow.exporting import Exports
    from nbops.workflow.meanwhile import Meanwhile
    from nbops.workflow.personal import PersonalAhead
    from nbops.workflow.profiling import Profiling
    from nbops.workflow.stop import StopSignals

__all__ = ["Conclusion", "conclude"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """How the recording went."""

    run: Run
    said: tuple[str, ...]
    """Sentences for the user."""


def conclude(
    *,
    root: Path,
    config: Config,
    run_id: str,
    run_of: Callable[[Mapping[str, str], tuple[Notice, ...]], Run],
    parameters: Mapping[str, Any],
    records: Mapping[str, TaskRecord],
    personal_values: PersonalAhead,
    profiles: Profiling,
    meanwhile: Meanwhile,
    wait: float,
    stop: StopSignals,
    exports: Exports,
    close: tuple[int, ...] = (),
) -> Conclusion:
    """Record a run that has ended.

    Args:
        root: The project's root.
        config: The project's settings.
        run_id: The run.
        run_of: Makes the Run, given the committed notebooks by task and notices of the recording itself.
        parameters: The pipeline's parameters.
        records: What is known of each task.
        personal_values: What was read ahead of the values of personal columns.
        profiles: What was asked to make profiles while the tasks ran.
        meanwhile: What is done while it is waited for them.
        wait: Seconds to wait for what is left of them.
        stop: Ends that waiting.
        exports: Who else is told of it.
        close: Descriptors that other processes must not keep (the project's lock).

    Returns:
        The run as recorded, and what to tell the user.

    Raises:
        LedgerError: The ledger cannot be written.
        GuardError: What was about to be committed holds something private; the run is recorded, not committed.
    """
    reports = root / config.reports
    personal = personal_values.values()
    scrubber = scrubber_for(root, config, parameters, records, personal=personal)
    before = run_before(reports, run_id)

    def judge(run: Run, pages: Mapping[str, str]) -> Monitored:
        run = replace(run, datasets=tuple(replace(d, profile=pages.get(d.name)) for d in run.datasets))
        return monitored(root, config, carried_over(scrubber.run(run), before), previous=before)

    log = root / ".nbops/work" / run_id / "aside.log"
    with Aside(lambda: _write_notebooks(reports, run_id, records, scrubber), log=log, close=close) as writing:
        # as it will be if the notebooks and the last profiles can be made, which the build would only wait for otherwise
        first = run_of({name: _place(run_id, name) for name, record in records.items() if record.notebook is not None}, ())
        expected = profiles.expected(first.datasets)
        judged = judge(first, expected)
        profiled, notices = profiles.finish(first.datasets, seconds=wait, stop=stop, meanwhile=meanwhile)
        notebooks = writing.result()
    run = run_of(notebooks, notices)
    if profiled == expected and replace(run, finished_at=first.finished_at, seconds=first.seconds) == first:
        run = replace(judged.run, finished_at=run.finished_at, seconds=run.seconds)
    else:
        judged = judge(run, profiled)
        run = judged.run
    announce(root, run.id)
    write_run(reports, run)
    watched = keep_incidents(root, config, run, clean=scrubber.text)
    secrets = secrets_of(config, parameters, records)

    def check(files: Iterable[tuple[str, bytes]]) -> None:
        refuse(scan(files, secrets=secrets, personal=personal, root=root))

    pages = RunPages(run, root, reports, keep=config.keep_runs, courses=judged.courses, check=check if config.commit else None)
    trouble = pages.render(log=log, close=close)
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
        said = _commit(root, config, run, check=check, pages=pages) if config.commit else ()
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


def _write_notebooks(reports: Path, run_id: str, records: Mapping[str, TaskRecord], scrubber: Scrubber) -> dict[str, str]:
    written: dict[str, str] = {}
    for name, record in records.items():
        notebook = load_notebook(record.notebook) if record.notebook is not None else None
        if notebook is None:
            continue
        relative = _place(run_id, name)
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


def _place(run_id: str, task: str) -> str:
    return f"runs/{run_id}/tasks/{page_name(task)}.ipynb"


def _write_figures(reports: Path, figures: Mapping[str, bytes]) -> None:
    """Write what is not there: a figure's name says what it holds."""
    for name, data in figures.items():
        path = reports / FIGURES / name
        if not path.is_file() or path.stat().st_size != len(data):
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(path, data, durable=False)


def _commit(root: Path, config: Config, run: Run, *, check: Check, pages: RunPages) -> tuple[str, ...]:
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
            cleared=pages.cleared,
            recent=Recent(cache=cache, reports=reports, run_id=run.id, whole=pages.some_are_gone),
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
