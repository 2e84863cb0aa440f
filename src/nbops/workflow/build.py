"""A build from beginning to end: lock, recover, schedule, record, render, commit."""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from nbops import kernels
from nbops.contract.odcs import load_contracts
from nbops.contract.yamlcache import DocumentCache
from nbops.errors import ConfigError, EarlyStop, LedgerError, NbopsError
from nbops.model import Notice, Run, RunError
from nbops.quality.audited import Audit
from nbops.quality.notes import noted_by
from nbops.record.commit import git_state
from nbops.record.running import alive_here, recover, remove_running, sweep_killed, write_running
from nbops.record.store import latest_run, load_runs, new_run_id, read_run, run_folders, write_run
from nbops.workflow import publish
from nbops.workflow.alerting import note_begun
from nbops.workflow.assemble import (
    checks_of,
    datasets_of,
    environment_of,
    lineage_of,
    quarantine_of,
    task_run,
    verdict_of,
    without_quotes,
)
from nbops.workflow.context import Context, Earlier
from nbops.workflow.costs import load_costs, save_costs
from nbops.workflow.datasets import orphan_contracts, plan_datasets
from nbops.workflow.ending import few_collections
from nbops.workflow.exporting import Exports
from nbops.workflow.failure import raise_failures
from nbops.workflow.fingerprint import Fingerprinter
from nbops.workflow.hashing import HashCache
from nbops.workflow.lineage import Tracing
from nbops.workflow.lineage_inputs import named_inputs
from nbops.workflow.live import LiveNotes
from nbops.workflow.lock import project_lock
from nbops.workflow.meanwhile import Meanwhile
from nbops.workflow.personal import PersonalAhead
from nbops.workflow.profiling import Profiling
from nbops.workflow.progress import Progress, duration
from nbops.workflow.running import RunningLedger
from nbops.workflow.schedule import Scheduler
from nbops.workflow.scrubbing import scrubber_for
from nbops.workflow.share import Share
from nbops.workflow.state import StateStore, TaskState
from nbops.workflow.stop import StopSignals
from nbops.workflow.taskrecord import TaskRecord
from nbops.workflow.watchover import catch_up

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from nbops.contract.config import Config
    from nbops.contract.records import Contract
    from nbops.pipeline import Runner, TaskSpec
    from nbops.record.scrub import Scrubber
    from nbops.workflow.conclude import Conclusion

__all__ = ["BuildResult", "build"]

_ON_LOCK = "NBOPS_ON_LOCK"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildResult:
    """How a build ended."""

    run: Run
    seconds: Mapping[str, float | None]
    """Task to seconds; None for tasks that did not run."""


def build(runner: Runner, *, root: Path, config: Config, command: str, selected: frozenset[str] | None = None) -> BuildResult:
    """Build the pipeline (or one task of it) as a recorded, committed run.

    Args:
        runner: The pipeline.
        root: The project's root, absolute.
        config: The project's settings.
        command: What the user called, for the record.
        selected: The only tasks to build, or None for all.

    Returns:
        The run, once it is recorded.

    Raises:
        TaskError: A task failed or was held; the run is recorded.
        ConfigError: The contracts are wrong; the run is recorded.
        LockedError: Another build holds the project.
        LedgerError: The run cannot be recorded; nothing was executed.
        EarlyStop: A task asked to end here; the run is recorded.
        SystemExit: The user stopped the build; the run is recorded as interrupted.
    """
    progress = Progress()
    started = datetime.now(timezone.utc)
    with few_collections(ends_with_build=_is_command_line()), StopSignals() as stop:
        with project_lock(
            root,
            command=command,
            started_at=_iso(started),
            on_lock=_on_lock(config),
            say=progress.say,
            stopped=stop.stopped,
        ) as lock:
            work = _Build(
                runner, root=root, config=config, command=command, selected=selected, progress=progress, stop=stop, lock=lock
            )
            result = work.run()
        if stop.stopped():
            how = "interrupted" if result.run.status == "interrupted" else "ended"  # the signal may come last of all
            progress.say(f"nbops: stopped by {stop.name}; recorded as {how} run {result.run.id}", colour="yellow")
            raise SystemExit(stop.exit_code)
    return result


def _is_command_line() -> bool:
    """Return whether this process was started for the build and does nothing else."""
    return Path(sys.argv[0] if sys.argv else "").name in {"ploomber", "nbops"}


def _on_lock(config: Config) -> Literal["wait", "fail"]:
    asked = os.environ.get(_ON_LOCK, config.on_lock)
    if asked not in {"wait", "fail"}:
        raise ConfigError(f"{_ON_LOCK}={asked!r}: unknown. Allowed: wait, fail.")
    return "fail" if asked == "fail" else "wait"


class _Build:
    """One build; lives as long as the lock is held."""

    def __init__(
        self,
        runner: Runner,
        *,
        root: Path,
        config: Config,
        command: str,
        selected: frozenset[str] | None,
        progress: Progress,
        stop: StopSignals,
        lock: int,
    ) -> None:
        self.runner, self.root, self.config, self.command = runner, root, config, command
        self.selected, self.progress, self.stop, self.lock = selected, progress, stop, lock
        self.reports = root / config.reports
        self.started = datetime.now(timezone.utc)
        self.run_id = self._new_id()
        self.notices: list[Notice] = []
        self.errors: list[RunError] = []
        self.records: dict[str, TaskRecord] = {}
        self.previous = latest_run(self.reports)
        self.git = git_state(root)
        self.ledger = RunningLedger(self._refresh)
        self.profiles = Profiling(root, config, {})
        self.exports = Exports(root)
        self.tracing = Tracing(root, config, folder=root / ".nbops/work" / self.run_id / "lineage", previous=self.previous)
        self.meanwhile = Meanwhile(root, self.reports, scrubber=self._scrubber_of_all, monitors=config.monitoring.enabled)

    def _new_id(self) -> str:
        """Return an id that sorts after every earlier one, also of a run begun in the same second."""
        earlier = run_folders(self.reports)
        moment = self.started
        while True:
            candidate = new_run_id(moment)
            if not earlier or candidate > earlier[-1]:
                return candidate
            moment += timedelta(seconds=1)

    def run(self) -> BuildResult:
        tasks = self.runner.tasks()
        with ExitStack() as cleanup:
            self._open()
            cleanup.callback(remove_running, self.root / ".nbops", self.run_id)
            scratch = self.root / ".nbops/work" / self.run_id
            cleanup.callback(shutil.rmtree, scratch, ignore_errors=True)
            cleanup.callback(self._close_exports)
            try:
                cache = DocumentCache(self.root / ".nbops/cache/contracts.json")
                contracts = load_contracts(self.root / self.config.contracts, cache=cache)
                cache.save()
            except ConfigError as error:
                self.errors.append(RunError(kind=type(error).__name__, message=str(error)))
                self._prepare(tasks, {})
                self._hold_all("held: the contracts cannot be read")
                self._conclude()
                raise
            self._prepare(tasks, contracts)
            self.profiles = Profiling(self.root, self.config, contracts)
            self.meanwhile.read_personal(self.personal)
            cleanup.callback(self.profiles.close)
            cleanup.callback(self.tracing.close)
            early = self._schedule(tasks, scratch)
            run = self._conclude()
        if self.stop.stopped():
            return BuildResult(run=run, seconds={})
        raise_failures(run, reports=self.config.reports)
        if early is not None:
            raise EarlyStop(early)
        return BuildResult(run=run, seconds={n: r.seconds if r.status == "succeeded" else None for n, r in self.records.items()})

    def _open(self) -> None:
        """Take over from builds that were killed, and write the ledger that says this one runs."""
        state = self.root / ".nbops"
        self.exports.open()
        shutil.rmtree(state / "work", ignore_errors=True)
        for sentence in publish.recover(self.root):
            self.notices.append(Notice(kind="recovered", message=sentence))
            self.progress.say(f"nbops: {sentence}", colour="yellow")
        killed = recover(self.reports, alive_here(state), state=state)
        for run in killed:
            self.notices.append(
                Notice(kind="recovered", message=f"run {run.id} was killed before it could end; its ledger now says so")
            )
            self.progress.say(f"nbops: run {run.id} was killed before it could end; its ledger now says so", colour="yellow")
            self.exports.ended(run, code={})
        for sentence in catch_up(self.root, self.config, killed).said:
            self.progress.say(f"nbops: {sentence}", colour="yellow")
        sweep_killed(self.reports, state)
        write_running(state, self.run_id)
        begun = self._snapshot(status="running")
        write_run(self.reports, begun)
        self.exports.begun(begun)
        note_begun(self.root, self.config, self.run_id)

    def _prepare(self, tasks: tuple[TaskSpec, ...], contracts: Mapping[str, Contract]) -> None:
        plans = plan_datasets(self.root, tasks, contracts)
        self.records = {task.name: TaskRecord(spec=task, plans=plans[task.name]) for task in tasks}
        self.personal = PersonalAhead(self.root, self.records, contracts)
        if self.selected is None and not self.runner.partial:
            self.notices += orphan_contracts(plans, contracts)

    def _hold_all(self, reason: str) -> None:
        for record in self.records.values():
            record.status, record.done, record.reasons = "held", True, (reason,)

    def _schedule(self, tasks: tuple[TaskSpec, ...], scratch: Path) -> str | None:
        hashes = HashCache(self.root / ".nbops/cache/hashes.json")
        costs_file = self.root / ".nbops/cache/costs.json"
        share = Share()
        context = Context(
            root=self.root,
            run_id=self.run_id,
            now=self.started,
            config=self.config,
            runner=self.runner,
            fingerprinter=Fingerprinter(root=self.root, tasks=tasks, config=self.config, hashes=hashes),
            states=StateStore(self.root, ledgers=self._ledgers_if_needed(tasks)),
            progress=self.progress,
            stop=self.stop,
            lock=self.lock,
            work=scratch,
            workers=min(self.config.workers or share.cores, self.runner.workers or sys.maxsize),
            costs=load_costs(costs_file, last=self.previous),
            share=share,
            profiles=self.profiles,
            tracing=self.tracing,
            meanwhile=self.meanwhile,
            ledger=self.ledger,
            live=LiveNotes(self.root, run_id=self.run_id, tasks=(task.name for task in tasks)),
            exports=self.exports,
            earlier=self._earlier(),
        )
        if self.exports:
            scrubber = scrubber_for(self.root, self.config, self.runner.parameters(), self.records, personal=None)
            self.exports.scrub = scrubber.text
        scheduler = Scheduler(context, self.records, selected=self.selected)
        self.progress.say(f"nbops run {self.run_id}: {len(tasks)} tasks")
        try:
            scheduler.run()
            self._name_inputs(context)
        finally:
            hashes.save()
            context.fingerprinter.save()
            for sentence in kernels.stop():
                self.notices.append(Notice(kind="kernels", message=sentence))
                self.progress.say(f"nbops: {sentence}", colour="yellow")
            save_costs(costs_file, context.costs)
        return scheduler.early_stop

    def _name_inputs(self, context: Context) -> None:
        """Let files count that only the analysis of a task's code found it to read."""
        for lineage in self.tracing.finish(self.records, wait=not self.stop.stopped()):
            record = self.records[lineage.task]
            if record.status != "succeeded" or record.last_success != self.run_id:
                continue
            named = named_inputs(context.fingerprinter, record, lineage)
            if named:
                record.fingerprint = {**record.fingerprint, "observed": {**record.fingerprint.get("observed", {}), **named}}
                state = TaskState(run_id=self.run_id, audited=self.run_id, fingerprint=record.fingerprint)
                with suppress(OSError):  # it counts from the next run on, then
                    context.states.put(lineage.task, state)

    def _ledgers_if_needed(self, tasks: tuple[TaskSpec, ...]) -> list[Run] | None:
        """Read the ledgers only when a task's local state is missing: a fresh clone, or ``.nbops`` was deleted."""
        states = StateStore(self.root)
        if self.previous is None or all(states.path(task.name).exists() for task in tasks):
            return None
        runs, _ = load_runs(self.reports)
        return runs

    def _earlier(self) -> Callable[[str, str], Earlier | None]:
        known: dict[str, Run | None] = {}

        def find(run_id: str, task: str) -> Earlier | None:
            if run_id not in known:
                try:
                    known[run_id] = read_run(self.reports, run_id)
                except LedgerError:
                    known[run_id] = None
            run = known[run_id]
            if run is None:
                return None
            judged = [result for result in run.checks if noted_by(result) is None]
            audits = tuple(
                Audit(dataset=dataset, results=tuple(r for r in judged if r.check.dataset == dataset.name), quarantine=None)
                for dataset in run.datasets
                if dataset.task == task
            )
            return Earlier(
                audits=audits,
                noted=tuple(result for result in run.checks if noted_by(result) == task),
                started_at=run.started_at,
                hashes={dataset.name: dataset.content_hash for dataset in run.datasets},
            )

        return find

    def _refresh(self) -> None:
        """Keep the ledger on disk abreast, so that a killed run still tells how far it came.

        Personal values are known only at the end, so what may quote data waits until then. What was up to date needs no saying.
        """
        if all(record.status == "up_to_date" for record in self.records.values() if record.done):
            return
        write_run(self.reports, self._scrubber().run(without_quotes(self._snapshot(status="running"))))

    def _scrubber(self) -> Scrubber:
        """Return what scrubs all but personal values, which are known only at the end."""
        return scrubber_for(self.root, self.config, self.runner.parameters(), self.records, personal=None)

    def _scrubber_of_all(self) -> Scrubber:
        """Return the same as it will be once every task has run."""
        staged = {name: publish.planned(self.root, run_id=self.run_id, task=record.spec) for name, record in self.records.items()}
        records = {name: replace(record, aliases=staged[name].aliases()) for name, record in self.records.items()}
        return scrubber_for(self.root, self.config, self.runner.parameters(), records, personal=None)

    def _snapshot(
        self, *, status: Literal["running", "succeeded", "failed", "interrupted"], notebooks: Mapping[str, str] | None = None
    ) -> Run:
        done = {name: record for name, record in self.records.items() if record.done or status != "running"}
        checks = checks_of(done.values())
        finished = datetime.now(timezone.utc)
        ended = status != "running"
        previous = {dataset.name: dataset.content_hash for dataset in self.previous.datasets} if self.previous else {}
        return Run(
            id=self.run_id,
            status=status,
            verdict=verdict_of(done.values(), checks, errors=bool(self.errors)),
            pipeline=self.runner.name,
            command=self.command,
            started_at=_iso(self.started),
            finished_at=_iso(finished) if ended else None,
            seconds=(finished - self.started).total_seconds() if ended else None,
            git=self.git,
            environment=environment_of(done.values(), nbops=metadata.version("nbops")),
            parameters=self.runner.parameters(),
            tasks=tuple(task_run(r, root=self.root, notebook=(notebooks or {}).get(n)) for n, r in done.items()),
            datasets=datasets_of(done.values(), previous=previous),
            checks=checks,
            quarantine=quarantine_of(done.values()),
            lineage=lineage_of(self.records) if ended else (),
            column_lineage=self.tracing.finish(self.records, wait=status != "interrupted") if ended else (),
            errors=(*self.errors, *(r.error for r in done.values() if r.error is not None)),
            notices=(*self.notices, *self.exports.notices, *(notice for r in done.values() for notice in r.notices)),
        )

    def _conclude(self) -> Run:
        from nbops.workflow.conclude import conclude  # noqa: PLC0415 - imported while tasks run, not before the first one

        failed = bool(self.errors) or any(record.status == "failed" for record in self.records.values())
        status: Literal["succeeded", "failed", "interrupted"] = "failed" if failed else "succeeded"
        if self.stop.stopped():
            status = "interrupted"
            self.errors.append(RunError(kind="Interrupted", message=f"the build was stopped by {self.stop.name}"))
        if self.profiles.busy and status != "interrupted":
            self.meanwhile.first(self.ledger.write)  # there is a wait ahead, in which the build may be killed
        with _announced(self.progress):
            outcome: Conclusion = conclude(
                root=self.root,
                config=self.config,
                run_id=self.run_id,
                run_of=lambda notebooks, notices: self._final(status, notebooks, notices),
                parameters=self.runner.parameters(),
                records=self.records,
                personal_values=self.personal,
                profiles=self.profiles,
                meanwhile=self.meanwhile,
                wait=0.0 if status == "interrupted" else self.config.profile_wait,
                stop=self.stop,
                exports=self.exports,
                close=(self.lock,),
            )
        self._say_end(outcome)
        return outcome.run

    def _final(
        self, status: Literal["succeeded", "failed", "interrupted"], notebooks: Mapping[str, str], notices: tuple[Notice, ...]
    ) -> Run:
        run = self._snapshot(status=status, notebooks=notebooks)
        return replace(run, notices=(*run.notices, *notices))

    def _close_exports(self) -> None:
        """Wait for other systems, though not when the user wants to stop."""
        for sentence in self.exports.close(0.0 if self.stop.stopped() else self.config.export_wait):
            self.progress.say(f"nbops: {sentence}", colour="yellow")

    def _say_end(self, outcome: Conclusion) -> None:
        run = outcome.run
        colour = {"passed": "green", "warned": "yellow"}.get(run.verdict, "red")
        passed = sum(1 for result in run.checks if result.verdict == "passed")
        took = duration(run.seconds or 0.0)
        word = "INTERRUPTED" if run.status == "interrupted" else run.verdict.upper()
        self.progress.say(f"nbops run {run.id}: {word}, {passed}/{len(run.checks)} checks passed, {took}", colour=colour)
        for sentence in outcome.said:
            self.progress.say(f"nbops: {sentence}")


@contextmanager
def _announced(progress: Progress) -> Iterator[None]:
    try:
        yield
    except NbopsError as error:
        progress.say(f"nbops: the run could not be recorded: {error}", colour="red")
        raise


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
