"""The loop of a build: decide, start, watch, judge, publish or hold, task by task."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any

from nbops import kernels
from nbops.workflow.ahead import imported_by
from nbops.workflow.failure import describe
from nbops.workflow.finish import Finisher, blocking, checks_failed, upstream_contents, utc_now
from nbops.workflow.plan import UP_TO_DATE, reasons_to_run
from nbops.workflow.process import Outcome, TaskProcess
from nbops.workflow.publish import Staging, set_aside, stage
from nbops.workflow.worker import Made, audit_task, child_environment, execute_task

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nbops.pipeline import TaskSpec
    from nbops.workflow.context import Context
    from nbops.workflow.state import TaskState
    from nbops.workflow.taskrecord import TaskRecord

__all__ = ["Scheduler"]

_WAIT_SECONDS = 0.1
_READY = frozenset({"succeeded", "up_to_date", "not_selected"})
_TIMED = frozenset({"freshness", "retention"})
"""Metrics whose verdict changes while the data stays."""


@dataclass(slots=True, kw_only=True)
class _Running:
    process: TaskProcess | _Ended
    staging: Staging
    work: str
    """``execute``, or ``audit`` of what is published already."""


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
        self._selected = selected
        self._running: dict[str, _Running] = {}
        self._finisher = Finisher(context, records)

    @property
    def early_stop(self) -> str | None:
        """What the task said that asked to end the build, or None."""
        return self._finisher.early_stop

    def run(self) -> None:
        """Work until nothing is left to do or the user asked to stop."""
        try:
            while True:
                if self._context.stop.stopped() or self._finisher.early_stop is not None:
                    self._stop()
                    return
                progressed = self._start_ready()
                progressed = self._watch() or progressed
                if not self._running and not self._finisher.retry_at and not progressed:
                    return
        except BaseException:
            self._stop()
            raise

    # -- deciding ---------------------------------------------------------------------------------------------------------

    def _start_ready(self) -> bool:
        progressed = False
        for name, record in self._records.items():
            if record.done or name in self._running:
                continue
            above = [self._records[up] for up in record.spec.upstream if up in self._records]
            if any(item.done and item.status not in _READY for item in above):
                self._hold(record, above)
                progressed = True
            elif all(item.done for item in above) and self._may_start(name):
                progressed = True
                self._decide(name, record)
                if self._finisher.early_stop is not None:
                    return True
        return progressed

    def _may_start(self, name: str) -> bool:
        if self._finisher.retry_at.get(name, 0.0) > time.monotonic():
            return False
        return len(self._running) < max(1, self._context.runner.workers)

    def _hold(self, record: TaskRecord, above: list[TaskRecord]) -> None:
        causes = ", ".join(sorted(item.spec.name for item in above if item.status not in _READY))
        record.reasons = (f"held: {causes} did not end well",)
        state = self._context.states.get(record.spec.name)
        if state is not None:
            record.last_success, record.fingerprint = state.run_id, state.fingerprint
        self._finisher.done(record, "held", f"({causes})")

    def _decide(self, name: str, record: TaskRecord) -> None:
        context, spec = self._context, record.spec
        state = context.states.get(name)
        if state is not None:
            record.last_success, record.fingerprint = state.run_id, state.fingerprint
        if self._selected is not None and name not in self._selected:
            self._finisher.contents[name] = state.fingerprint.get("contents", {}) if state else {}
            record.reasons = ("not selected",)
            record.done, record.status = True, "not_selected"
            return
        if name not in self._finisher.retry_at:
            record.recipe = context.fingerprinter.recipe(spec)
            outputs = context.fingerprinter.outputs(spec)
            reasons = reasons_to_run(
                before=state.fingerprint if state else None,
                recipe=record.recipe,
                upstream=upstream_contents(self._finisher.contents, spec),
                outputs=outputs,
                forced=context.runner.forced,
            )
            if not reasons and not context.runner.exists(name):
                reasons = ("a product is missing",)
            record.reasons = reasons or self._quarantine_reason(record, state)
        if not record.reasons and state is not None:
            self._finisher.contents[name] = state.fingerprint.get("contents", {})
            self._carry_over(record, state)
            return
        self._finisher.retry_at.pop(name, None)
        self._start(name, record)

    def _quarantine_reason(self, record: TaskRecord, state: TaskState | None) -> tuple[str, ...]:
        """A changed contract is judged anew on what is published; rules that take rows out need the task to run."""
        if state is None:
            return ()
        earlier = self._context.earlier(state.audited, record.spec.name)
        before = {audit.dataset.name: audit.dataset for audit in (earlier.audits if earlier else ())}
        for plan in record.plans:
            contract, known = plan.contract, before.get(plan.name)
            if contract is None or known is None or known.contract_hash == contract.hash:
                continue
            if any(check.quarantine for check in contract.checks):
                return (f"the contract of {plan.name} changed, and it sets rows aside",)
        return ()

    def _carry_over(self, record: TaskRecord, state: TaskState) -> None:
        """Take the audits of an up-to-date task from the ledger that has them, or make them on what is published."""
        earlier = self._context.earlier(state.audited, record.spec.name)
        known = {audit.dataset.name: audit.dataset for audit in (earlier.audits if earlier else ())}
        current = earlier is not None and all(
            plan.name in known
            and known[plan.name].contract_hash == (plan.contract.hash if plan.contract else None)
            and not (plan.contract and any(check.metric in _TIMED for check in plan.contract.checks))
            for plan in record.plans
        )
        record.carried, record.published = True, True
        if earlier is not None:
            record.noted = tuple(replace(result, from_run=result.from_run or state.audited) for result in earlier.noted)
        if current and earlier is not None:
            record.audits = tuple(
                replace(
                    audit,
                    dataset=replace(audit.dataset, changed=False, from_run=audit.dataset.from_run or state.audited),
                    results=tuple(replace(result, from_run=result.from_run or state.audited) for result in audit.results),
                )
                for audit in earlier.audits
            )
            self._end_up_to_date(record)
            return
        staging = self._published_as_staging(record.spec)
        work = partial(self._audit, record, staging)
        self._launch(record, staging, work, kind="audit")

    def _published_as_staging(self, spec: TaskSpec) -> Staging:
        """Return a view of the published products that the audit can read; nothing in it is written or moved."""
        empty = stage(self._context.root, run_id=self._context.run_id, task=spec)
        return replace(empty, staged=empty.final)

    def _end_up_to_date(self, record: TaskRecord) -> None:
        bad = blocking(record.audits, ())
        self._context.runner.skipped(record.spec.name)
        if bad:
            record.error = checks_failed(bad, published=True)
            self._finisher.fail(record)
            return
        record.reasons = record.reasons or (UP_TO_DATE,)
        self._finisher.done(record, "up_to_date", "")

    # -- running ----------------------------------------------------------------------------------------------------------

    def _start(self, name: str, record: TaskRecord) -> None:
        context, spec = self._context, record.spec
        if spec.kind == "notebook":
            kernels.prestart(context.root, context.config, imports=imported_by(context.runner.tasks(), root=context.root))
        record.attempts += 1
        record.started_at = record.started_at or utc_now()
        record.status = "interrupted"
        staging = stage(context.root, run_id=context.run_id, task=spec)
        record.aliases = staging.aliases()
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
        self._launch(record, staging, work, kind="execute")

    def _execute_and_audit(self, record: TaskRecord, staging: Staging) -> Made:
        execute_task(self._context.runner, record.spec, staging=staging, config=self._context.config)
        return self._audit(record, staging)

    def _audit(self, record: TaskRecord, staging: Staging) -> Made:
        context = self._context
        references = {
            plan.name: context.root / plan.final_path
            for item in self._records.values()
            for plan in item.plans
            if item is not record and (context.root / plan.final_path).exists()
        }
        return audit_task(
            record.spec,
            staging=staging,
            plans=record.plans,
            references=references,
            config=context.config,
            run_id=context.run_id,
            now=context.now,
            threads=context.threads,
            rewrite=not record.carried,
        )

    def _launch(self, record: TaskRecord, staging: Staging, work: Callable[[], Made], *, kind: str) -> None:
        context = self._context
        process = TaskProcess(
            work,
            environment=child_environment(record.spec, root=context.root, staging=staging),
            log=staging.log,
            close=(context.lock,),
            time_limit=context.config.for_task(record.spec.name).time_limit,
        )
        self._running[record.spec.name] = _Running(process=process, staging=staging, work=kind)

    def _watch(self) -> bool:
        if not self._running:
            if self._finisher.retry_at:
                time.sleep(_WAIT_SECONDS)
            return False
        connections: list[Any] = [
            item.process.connection for item in self._running.values() if isinstance(item.process, TaskProcess)
        ]
        if connections and len(connections) == len(self._running):
            wait(connections, timeout=_WAIT_SECONDS)
        now = time.monotonic()
        self._context.progress.running({name: now - item.process.started for name, item in self._running.items()})
        progressed = False
        for name in list(self._running):
            outcome = self._running[name].process.poll()
            if outcome is not None:
                item = self._running.pop(name)
                self._ended(self._records[name], item, outcome)
                progressed = True
        return progressed

    # -- ending -----------------------------------------------------------------------------------------------------------

    def _ended(self, record: TaskRecord, item: _Running, outcome: Outcome) -> None:
        if item.work == "audit" and record.carried:
            self._reaudited(record, item, outcome)
            return
        record.seconds = (record.seconds or 0.0) + outcome.seconds
        record.peak_memory_bytes = max(record.peak_memory_bytes or 0, outcome.peak_memory_bytes or 0) or None
        self._finisher.keep_notebook(record, item.staging)
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
        self._end_up_to_date(record)

    def _stop(self) -> None:
        """End what is running; what waits stays ``interrupted`` (or ``held``, when a task asked for the stop)."""
        for name, item in self._running.items():
            if isinstance(item.process, TaskProcess):
                item.process.kill()
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
            state = self._context.states.get(record.spec.name)
            if state is not None:
                record.last_success, record.fingerprint = state.run_id, state.fingerprint


class _Ended:
    """Stands in for a process when a task was run in the build's own process and failed."""

    def __init__(self, outcome: Outcome) -> None:
        self._outcome = outcome
        self.started = time.monotonic()

    def poll(self) -> Outcome:
        return self._outcome
