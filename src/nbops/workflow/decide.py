"""Must a task run? Staleness, what is carried over from earlier runs, and published data that is to be judged anew."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from nbops.workflow.aging import TIMED, aged
from nbops.workflow.finish import upstream_contents
from nbops.workflow.plan import reasons_to_run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbops.contract.records import Contract
    from nbops.quality.audited import Audit
    from nbops.workflow.context import Context, Earlier
    from nbops.workflow.finish import Finisher
    from nbops.workflow.state import TaskState
    from nbops.workflow.taskrecord import TaskRecord

__all__ = ["Decider", "Decision"]

Decision = Literal["run", "audit", "done"]
"""``audit``: what is published stays, but is to be judged anew."""


class Decider:
    """Decides what becomes of a task once everything upstream is done.

    Args:
        context: What the build works with.
        finisher: Brings to their end tasks that need not run.
        records: Task name to record.
        selected: The only tasks to build, or None for all.
    """

    def __init__(
        self, context: Context, finisher: Finisher, *, records: Mapping[str, TaskRecord], selected: frozenset[str] | None
    ) -> None:
        self._context = context
        self._finisher = finisher
        self._records = records
        self._selected = selected

    def decide(self, record: TaskRecord) -> Decision:
        """Decide on a task; what need not run nor be judged is done afterwards."""
        context, spec = self._context, record.spec
        name = spec.name
        state = self.recall(record)
        if self._selected is not None and name not in self._selected:
            self._finisher.contents[name] = state.fingerprint.get("contents", {}) if state else {}
            record.reasons = ("not selected",)
            self._finisher.passed_over(record)
            return "done"
        record.recipe = context.fingerprinter.recipe(spec)
        reasons = reasons_to_run(
            before=state.fingerprint if state else None,
            recipe=record.recipe,
            upstream=upstream_contents(self._finisher.contents, spec),
            outputs=context.fingerprinter.outputs(spec),
            forced=context.runner.forced,
            observed=context.fingerprinter.hashes_of(state.fingerprint.get("observed", {})) if state else None,
        )
        if not reasons and not context.runner.exists(name):
            reasons = ("a product is missing",)
        record.reasons = reasons or self._quarantine_reason(record, state)
        if record.reasons or state is None:
            return "run"
        self._finisher.contents[name] = state.fingerprint.get("contents", {})
        return self._carry_over(record, state)

    def recall(self, record: TaskRecord) -> TaskState | None:
        """Return the task's last success, and note it in the record."""
        state = self._context.states.get(record.spec.name)
        if state is not None:
            record.last_success, record.fingerprint = state.run_id, state.fingerprint
        return state

    def _quarantine_reason(self, record: TaskRecord, state: TaskState | None) -> tuple[str, ...]:
        """A changed contract is judged anew on what is published; rules that take rows out need the task to run."""
        if state is None:
            return ()
        earlier = self._context.earlier(state.audited, record.spec.name)
        before: Mapping[str, str | None] = {
            audit.dataset.name: audit.dataset.contract_hash for audit in (earlier.audits if earlier else ())
        }
        for plan in record.plans:
            contract = plan.contract
            if contract is None or plan.name not in before or before[plan.name] == contract.hash:
                continue
            if any(check.quarantine for check in contract.checks):
                return (f"the contract of {plan.name} changed, and it sets rows aside",)
        return ()

    def _carry_over(self, record: TaskRecord, state: TaskState) -> Decision:
        """Take the audits of an up-to-date task from the ledger that has them, or ask for new ones of what is published."""
        earlier = self._context.earlier(state.audited, record.spec.name)
        record.carried, record.published = True, True
        if earlier is None:
            return "audit"
        record.noted = tuple(replace(result, from_run=result.from_run or state.audited) for result in earlier.noted)
        contracts = {plan.name: plan.contract for plan in record.plans}
        known = {audit.dataset.name: audit.dataset.contract_hash for audit in earlier.audits}
        if any(name not in known or known[name] != (contract.hash if contract else None) for name, contract in contracts.items()):
            return "audit"
        audits = [self._carried(audit, contracts.get(audit.dataset.name), earlier, state.audited) for audit in earlier.audits]
        if any(audit is None for audit in audits):
            return "audit"
        record.audits = tuple(audit for audit in audits if audit is not None)
        self._finisher.up_to_date(record)
        return "done"

    def _carried(self, audit: Audit, contract: Contract | None, earlier: Earlier, audited: str) -> Audit | None:
        """Return an audit from an earlier run as it is to be in this one; None where it must be made again."""
        results = tuple(replace(result, from_run=result.from_run or audited) for result in audit.results)
        carried = replace(audit, dataset=replace(audit.dataset, changed=False), results=results)
        if contract is None or not any(check.metric in TIMED for check in contract.checks):
            return replace(carried, dataset=replace(carried.dataset, from_run=audit.dataset.from_run or audited))
        # that nothing but the age is news is found out when the run is recorded
        carried = replace(carried, dataset=replace(carried.dataset, from_run=None))
        hashes = {name: (then, self._hash_of(name)) for name, then in earlier.hashes.items()}
        return aged(carried, contract=contract, measured_at=earlier.started_at, now=self._context.now, hashes=hashes)

    def _hash_of(self, dataset: str) -> str | None:
        """Return the hash of a published dataset's content, None while it is not known yet."""
        audits = (audit for record in self._records.values() if record.done for audit in record.audits)
        return next((audit.dataset.content_hash for audit in audits if audit.dataset.name == dataset), None)
