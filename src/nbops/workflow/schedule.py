"""The loop of a build: decide, start, wait for events, judge, publish or hold, task by task.

Tasks whose upstream is done run at once, as many as the settings, the cores and the memory allow, the longest way to the end
first. The loop sleeps until something happens: a task's process sends its result or dies, a profile is done, a signal arrives, or
a moment is due (a retry, a time limit, the next look at memory).
"""

from __future__ import annotations

import multiprocessing
import shutil
import time
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.connection import wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbops import kernels
from nbops.workflow.ahead import imported_by, prestart
from nbops.workflow.auditahead import AuditAhead
from nbops.workflow.costs import UNKNOWN, Cost, Holder, critical_paths, shortage
from nbops.workflow.decide import Decider
from nbops.workflow.early import Early, EarlyStarts
from nbops.workflow.failure import describe
from nbops.workflow.finish import Finisher, blocking, checks_failed, utc_now
from nbops.workflow.process import Outcome, TaskProcess, kill_all
from nbops.workflow.publish import Staging, flush, flush_meanwhile, leave, set_aside, stage
from nbops.workflow.resources import available_memory
from nbops.workflow.taskqueue import TaskQueue
from nbops.workflow.worker import Made, audits_of, child_environment, execute_task, made_by, prepare_audit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nbops.pipeline import TaskSpec
    from nbops.quality.audited import Audit
    from nbops.workflow.context import Context
    from nbops.workflow.datasets import DatasetPlan
    from nbops.workflow.taskrecord import TaskRecord

__all__ = ["Scheduler"]

_LIVE_SECONDS = 0.25
"""Between two looks of the live line in a terminal."""
_MEMORY_SECONDS = 1.0
"""Between two looks at free memory while a task waits for it."""
_READY = frozenset({"succeeded", "up_to_date", "not_selected"})


@dataclass(slots=True, kw_only=True)
class _Running:
    process: TaskProcess | _Ended
    staging: Staging
    work: str
    """``execute``, or ``audit`` of what is published already."""
    expected: int = 0
    """Bytes that it is expected to hold at its peak."""


class Scheduler:
    """Brings every task of a build to an end.

    Args:
        context: What the build works with.
        records: Task name to record, in topological order.
        selected: The only tasks to build, or None for all.
    """

    def __init__(self, context: Context, records: Mapping[str, TaskRecord], *, selected: frozenset[str] | None = None) -> None:
        self._context = context
        self._records = records
        self._running: dict[str, _Running] = {}
        self._decided: set[str] = set()
        """Tasks that must run and have not ended."""
        self._short: dict[str, str] = {}
        """Tasks that wait for memory (or for the machine to be theirs alone), and why."""
        self._early = EarlyStarts(self._fork_early)
        self._saw_kernel = False  # then what kernels are forked from has imported all that it imports
        self._selected = selected
        self._imported: tuple[str, ...] | None = None
        datasets = sorted(len(record.plans) for record in records.values() if record.plans)
        self._usual_datasets = datasets[len(datasets) // 2] if datasets else 0
        upstream = {name: record.spec.upstream for name, record in records.items()}
        paths = critical_paths(upstream, context.costs) if context.workers > 1 else dict.fromkeys(upstream, 0.0)
        # what runs in this process keeps it from looking after the others, so those are started before
        self._queue = TaskQueue(
            upstream,
            rank=lambda name: (float(records[name].spec.in_process and context.workers > 1), -paths[name]),
        )
        self._finisher = Finisher(context, records, ended=self._queue.done)
        self._decider = Decider(context, self._finisher, records=records, selected=selected)

    @property
    def early_stop(self) -> str | None:
        """What the task said that asked to end the build, or None."""
        return self._finisher.early_stop

    def run(self) -> None:
        """Work until nothing is left to do or the user asked to stop."""
        try:
            while not self._context.stop.stopped() and self._finisher.early_stop is None:
                self._start_ready()
                self._start_early()
                if not self._running and not self._finisher.retry_at and self._finisher.early_stop is None:
                    return
                self._wait()
                self._reap()
            self._stop()
        except BaseException:
            self._stop()
            raise
        finally:
            multiprocessing.active_children()  # takes note of processes that were left to end by themselves
            leave(self._context.root, run_id=self._context.run_id)

    # -- starting ---------------------------------------------------------------------------------------------------------

    def _start_ready(self) -> None:
        now = time.monotonic()
        for name in [name for name, due in self._finisher.retry_at.items() if due <= now]:
            del self._finisher.retry_at[name]
            self._queue.put(name)
        for name in self._short:
            self._queue.put(name)
        before, self._short = self._short, {}
        while len(self._running) < self._context.workers and not self._context.stop.stopped():
            task = self._queue.take()
            if task is None or self._finisher.early_stop is not None:
                break
            self._bring_on(task, waited=task in before)
        self._context.share.running = len(self._running)

    def _bring_on(self, name: str, *, waited: bool) -> None:
        """Hold, pass over, put back or start a task whose upstream is done."""
        record = self._records[name]
        if name not in self._decided:
            above = [self._records[up] for up in record.spec.upstream if up in self._records]
            if any(item.status not in _READY for item in above):
                self._hold(record, above)
                return
            decision = self._decider.decide(record)
            if decision != "run":
                self._early.withdraw(name)
            if decision == "audit":
                staging = self._published_as_staging(record.spec)
                self._launch(record, staging, partial(self._audit, record, staging), kind="audit")
            if decision != "run":
                return
            self._decided.add(name)
        why = self._why_wait(record)
        if why is None:
            self._start(name, record)
            return
        self._short[name] = why
        if not waited:
            record.reasons = (*record.reasons, f"waited for {why}")
            self._context.progress.say(f"{name}: waits for {why}")

    def _why_wait(self, record: TaskRecord) -> str | None:
        if not self._running:
            return None
        config = self._context.config
        alone = next((name for name in (record.spec.name, *self._running) if config.for_task(name).alone), None)
        if alone is not None:
            return "its turn: it runs alone" if alone == record.spec.name else f"{alone}, which runs alone"
        holders = [
            Holder(expected=item.expected, held=item.process.memory if isinstance(item.process, TaskProcess) else 0)
            for item in self._running.values()
        ]
        lack = shortage(self._expected(record.spec.name), running=holders, available=available_memory())
        return None if lack is None else f"memory: {lack}"

    def _expected(self, name: str) -> int:
        set_by_user = self._context.config.for_task(name).memory
        return set_by_user if set_by_user is not None else self._context.costs.get(name, UNKNOWN).memory

    def _hold(self, record: TaskRecord, above: list[TaskRecord]) -> None:
        self._early.withdraw(record.spec.name)
        causes = ", ".join(sorted(item.spec.name for item in above if item.status not in _READY))
        record.reasons = (f"held: {causes} did not end well",)
        self._decider.recall(record)
        self._finisher.done(record, "held", f"({causes})")

    def _published_as_staging(self, spec: TaskSpec) -> Staging:
        """Return a view of the published products that the audit can read; nothing in it is written or moved."""
        empty = stage(self._context.root, run_id=self._context.run_id, task=spec)
        return replace(empty, staged=empty.final)

    def _start(self, name: str, record: TaskRecord) -> None:
        context, spec = self._context, record.spec
        if spec.kind == "notebook":
            prestart(context.root, context.config, imports=self._imports())
        record.attempts += 1
        record.started_at = record.started_at or utc_now()
        record.status = "interrupted"
        context.live.note(name, "running")
        early = None if spec.in_process else self._early.begin(name)
        staging = early.staging if early is not None else stage(context.root, run_id=context.run_id, task=spec)
        record.aliases = staging.aliases()
        context.exports.task_begun(record, above=[self._records[up] for up in spec.upstream if up in self._records])
        if record.plans:
            context.profiles.expect()
        if spec.in_process:
            began = time.monotonic()
            try:
                execute_task(context.runner, spec, staging=staging, config=context.config)
            except Exception as error:  # noqa: BLE001 - whatever the task raises is its failure, not ours
                outcome = Outcome(error=describe(error), seconds=time.monotonic() - began)
                self._running[name] = _Running(process=_Ended(outcome), staging=staging, work="execute")
                return
            work: Callable[[], Made] = partial(self._audit, record, staging)
        else:
            work = partial(self._execute_and_audit, record, staging)
        self._launch(record, staging, work, kind="execute", early=early)

    def _imports(self) -> tuple[str, ...]:
        if self._imported is None:
            specs = [record.spec for record in self._records.values()]
            self._imported = imported_by(specs, fingerprinter=self._context.fingerprinter)
        return self._imported

    def _launch(
        self, record: TaskRecord, staging: Staging, work: Callable[[], Made], *, kind: str, early: Early | None = None
    ) -> None:
        context, name = self._context, record.spec.name
        process = early.process if early is not None else self._fork(record, staging, work)
        self._running[name] = _Running(process=process, staging=staging, work=kind, expected=self._expected(name))
        if record.spec.kind == "notebook":
            context.meanwhile.expect()
        context.share.running = len(self._running)

    def _fork(self, record: TaskRecord, staging: Staging, work: Callable[[], Made], *, early: bool = False) -> TaskProcess:
        context = self._context
        if record.plans:
            prepare_audit(datasets=self._usual_datasets)
        return TaskProcess(
            work,
            environment=child_environment(record.spec, root=context.root, staging=staging, config=context.config),
            log=staging.log,
            close=(context.lock,),
            time_limit=context.config.for_task(record.spec.name).time_limit,
            early=early,
            from_kernel=not early and record.spec.can_wait and kernels.running() and not self._saw_kernel,
        )

    # -- starting early ---------------------------------------------------------------------------------------------------

    def _start_early(self) -> None:
        """Have the kernels of what comes next started while there are cores with nothing to do."""
        running, workers = self._running, self._context.workers
        if len(running) >= workers or self._queue.ready or self._short or not kernels.running():
            return
        if all(self._is_under_way(name) for name in running):  # what runs is not to be slowed
            self._early.start(self._coming, running=frozenset(running), workers=workers)

    def _coming(self, before: frozenset[str]) -> list[str]:
        return [name for name in self._queue.coming(before) if self._may_start_early(name)]

    def _is_under_way(self, name: str) -> bool:
        process = self._running[name].process
        return not self._records[name].spec.can_wait or (isinstance(process, TaskProcess) and process.has_kernel)

    def _may_start_early(self, name: str) -> bool:
        record = self._records[name]
        selected = self._selected is None or name in self._selected
        return selected and record.spec.can_wait and self._why_wait(record) is None

    def _fork_early(self, name: str) -> Early:
        record = self._records[name]
        staging = stage(self._context.root, run_id=self._context.run_id, task=record.spec)
        work = partial(self._execute_and_audit, record, staging)
        return Early(process=self._fork(record, staging, work, early=True), staging=staging)

    # -- in the task's process --------------------------------------------------------------------------------------------

    def _execute_and_audit(self, record: TaskRecord, staging: Staging) -> Made:
        ahead = None
        if record.spec.kind == "notebook":
            ahead = AuditAhead(
                record.plans, staged=staging.staged, audits=lambda plans: self._audits(record, staging, plans=plans)
            )
            kernels.while_ending(ahead.make)
        execute_task(self._context.runner, record.spec, staging=staging, config=self._context.config)
        return self._audit(record, staging, ahead=ahead)

    def _audit(self, record: TaskRecord, staging: Staging, *, ahead: AuditAhead | None = None) -> Made:
        context = self._context
        known = ahead.standing() if ahead is not None else {}
        left = tuple(plan for plan in record.plans if plan.name not in known)
        if left and not record.carried:
            flush_meanwhile(staging.staged.values())  # an audit computes while the disk works
        rest = self._audits(record, staging, plans=left)
        audits = {**known, **{audit.dataset.name: audit for audit in rest}}
        made = made_by(record.spec, staging=staging, audits=tuple(audits[plan.name] for plan in record.plans))
        if record.carried:
            return made
        # hashing and writing to disk take time with large data, in which the build's own process has others to look after
        outputs = context.fingerprinter.outputs(self._finisher.staged_spec(record.spec, staging))
        flush(staging)
        return replace(made, outputs=outputs)

    def _audits(self, record: TaskRecord, staging: Staging, *, plans: tuple[DatasetPlan, ...]) -> tuple[Audit, ...]:
        if not plans:
            return ()
        context = self._context
        final = {plan.name: context.root / plan.final_path for item in self._records.values() for plan in item.plans}
        published = {name: path for name, path in final.items() if path.exists()}
        threads, memory_limit = context.share.limits(context.config.memory_limit)
        return audits_of(
            record.spec,
            staging=staging,
            plans=plans,
            references={**published, **{plan.name: Path(staging.staged[plan.key]) for plan in record.plans}},
            config=context.config,
            run_id=context.run_id,
            now=context.now,
            threads=threads,
            memory_limit=memory_limit,
            published=published,
            quarantine=not record.carried,
        )

    # -- waiting ----------------------------------------------------------------------------------------------------------

    def _wait(self) -> None:
        """Sleep until something happens or is due."""
        context, now = self._context, time.monotonic()
        events: list[Any] = [context.stop, *context.profiles.events]
        moments = [*self._finisher.retry_at.values(), context.ledger.due, context.profiles.due]
        for item in self._running.values():
            events += item.process.events
            moments.append(item.process.due)
        if self._short:
            moments.append(now + _MEMORY_SECONDS)
        if self._running and context.progress.live:
            moments.append(now + _LIVE_SECONDS)
        steps = bool(self._running) and context.meanwhile.pending
        if (until := self._early.starting_until()) > now:
            steps = False  # the core is taken
            events += self._early.said
            moments.append(until)
        least = min(moments)
        if not steps:
            wait(events, timeout=None if least == float("inf") else max(0.0, least - now))
        elif not wait(events, timeout=0.0):
            context.meanwhile.step()
        context.stop.drain()
        context.profiles.collect()
        now = time.monotonic()
        context.progress.running({name: now - item.process.started for name, item in self._running.items()})

    def _reap(self) -> None:
        """Bring to their end the tasks whose processes have ended."""
        for name in list(self._running):
            process = self._running[name].process
            outcome = process.poll()
            self._saw_kernel |= isinstance(process, TaskProcess) and process.has_kernel
            if outcome is not None:
                item = self._running.pop(name)
                self._decided.discard(name)
                self._context.share.running = len(self._running)
                self._ended(self._records[name], item, outcome)
        self._context.ledger.write_if_due()

    # -- ending -----------------------------------------------------------------------------------------------------------

    def _ended(self, record: TaskRecord, item: _Running, outcome: Outcome) -> None:
        if item.work == "audit" and record.carried:
            self._reaudited(record, item, outcome)
            return
        record.seconds = (record.seconds or 0.0) + outcome.seconds
        record.peak_memory_bytes = max(record.peak_memory_bytes or 0, outcome.peak_memory_bytes or 0) or None
        self._finisher.keep_notebook(record, item.staging)
        self._note_cost(record.spec.name, outcome)
        error = outcome.error
        if error is None:
            made: Made = outcome.value
            record.audits, record.noted = made.audits, made.noted
            bad = blocking(made.audits, made.noted)
            error = checks_failed(bad, published=False) if bad else None
            if error is None:
                error = self._finisher.publish(record, item.staging, made)
        if error is None:
            self._finisher.succeeded(record)
            return
        record.error = self._finisher.placed(record, error)
        self._finisher.retry_or_fail(record, item.staging)
        if record.spec.name in self._finisher.retry_at:
            self._decided.add(record.spec.name)

    def _note_cost(self, name: str, outcome: Outcome) -> None:
        known = self._context.costs.get(name)
        memory = outcome.own_memory_bytes or 0
        if outcome.error is None:
            self._context.costs[name] = Cost(seconds=outcome.seconds, memory=memory)
        elif known is not None or memory > UNKNOWN.memory:
            # it may have died before its peak, or of it
            known = known or UNKNOWN
            self._context.costs[name] = replace(known, memory=max(known.memory, memory))

    def _reaudited(self, record: TaskRecord, item: _Running, outcome: Outcome) -> None:
        shutil.rmtree(item.staging.folder, ignore_errors=True)
        if outcome.error is not None:
            record.error = outcome.error
            self._context.runner.skipped(record.spec.name)
            self._finisher.fail(record)
            return
        made: Made = outcome.value
        record.audits = tuple(replace(audit, dataset=replace(audit.dataset, changed=False)) for audit in made.audits)
        state = self._context.states.get(record.spec.name)
        if state is not None:
            self._context.states.put(record.spec.name, replace(state, audited=self._context.run_id))
        record.carried = False
        self._finisher.up_to_date(record)

    def _stop(self) -> None:
        """End what is running; what waits stays ``interrupted`` (or ``held``, when a task asked for the stop)."""
        tasks = [item.process for item in self._running.values() if isinstance(item.process, TaskProcess)]
        kill_all([*tasks, *self._early.processes])
        self._early.clear()
        for name, item in self._running.items():
            record = self._records[name]
            self._finisher.keep_notebook(record, item.staging)
            set_aside(item.staging, root=self._context.root, run_id=self._context.run_id)
            record.done, record.status = True, "interrupted"
        self._running.clear()
        self._finisher.retry_at.clear()
        for record in self._records.values():
            if record.done:
                continue
            record.done, record.status = True, "held" if self._finisher.early_stop else "interrupted"
            record.reasons = record.reasons or ("the build was stopped before its turn",)
            self._decider.recall(record)


class _Ended:
    """Stands in for a process when a task was run in the build's own process and failed."""

    events: tuple[Any, ...] = ()
    due = 0.0

    def __init__(self, outcome: Outcome) -> None:
        self._outcome = outcome
        self.started = time.monotonic()

    def poll(self) -> Outcome:
        return self._outcome
