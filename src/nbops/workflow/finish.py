"""How a task ends: published, tried again, failed; and what is kept of it."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from nbops.errors import NbopsError
from nbops.model import CheckResult, Notice, RunError, TaskStatus
from nbops.workflow import publish
from nbops.workflow.failure import EARLY_STOP, describe
from nbops.workflow.lineage_inputs import observed_inputs
from nbops.workflow.lineage_observed import observed_file, read_observed, with_tables
from nbops.workflow.plan import UP_TO_DATE
from nbops.workflow.progress import duration
from nbops.workflow.state import TaskState
from nbops.workflow.taskrecord import TaskRecord, cells_of, load_notebook, source_index

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nbops.pipeline import TaskSpec
    from nbops.quality.audited import Audit
    from nbops.workflow.context import Context
    from nbops.workflow.publish import Staging
    from nbops.workflow.worker import Made

__all__ = ["Finisher", "blocking", "checks_failed", "upstream_contents", "utc_now"]

_NOT_RETRIED = frozenset({"ChecksFailed", "ForeignProduct", "NotPublished", "SyntaxError", "NoSuchKernel", EARLY_STOP})


def blocking(audits: tuple[Audit, ...], noted: tuple[CheckResult, ...]) -> tuple[CheckResult, ...]:
    """Return the results that hold a publication: error severity, and failed or not measurable."""
    # what a notebook looks at in between may hold rows that quarantine takes out of what is published
    results = [result for audit in audits for result in audit.results] + [r for r in noted if not r.check.quarantine]
    return tuple(r for r in results if r.check.severity == "error" and r.verdict in {"failed", "errored"})


def checks_failed(bad: tuple[CheckResult, ...], *, published: bool) -> RunError:
    """Return the error of a task whose data broke error-severity checks."""
    first = bad[0]
    more = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
    what = "what is published breaks its contract" if published else "publication is held, the last good version stays"
    return RunError(
        kind="ChecksFailed",
        message=f"{first.check.dataset}: {first.check.id}: {first.message.rstrip('.')}{more}; {what}",
        hint="Mend the data or its source; or change the rule, its severity, or let it quarantine rows.",
    )


def upstream_contents(contents: Mapping[str, Mapping[str, str]], spec: TaskSpec) -> dict[str, str]:
    """Return what each upstream product means now, ``task.key`` to hash."""
    return {f"{up}.{key}": value for up in spec.upstream for key, value in sorted(contents.get(up, {}).items())}


class Finisher:
    """Brings tasks to their end.

    Args:
        context: What the build works with.
        records: Task name to record, in topological order.
        ended: Told the name of each task that came to its end.
    """

    def __init__(self, context: Context, records: Mapping[str, TaskRecord], *, ended: Callable[[str], None]) -> None:
        self._context = context
        self._records = records
        self._ended = ended
        self._position = {name: index for index, name in enumerate(records, start=1)}
        self._products: frozenset[Path] | None = None
        self.contents: dict[str, Mapping[str, str]] = {}
        """Task to the meaning of its products, for what is downstream."""
        self.retry_at: dict[str, float] = {}
        """Task to the monotonic time of its next attempt."""
        self.early_stop: str | None = None

    def keep_notebook(self, record: TaskRecord, staging: Staging) -> None:
        """Copy the executed notebook before its staging folder goes, and read from both what is known of its cells."""
        record.observed = read_observed(observed_file(staging.folder))
        candidates = [staging.notebook, *(Path(path).with_suffix(".ipynb") for path in staging.staged.values())]
        for candidate in candidates:
            notebook = load_notebook(candidate)
            if notebook is not None:
                record.cells = with_tables(cells_of(notebook), notebook, record.observed)
                target = self._context.work / f"{staging.folder.name}.ipynb"
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(candidate, target)
                record.notebook = target
                return

    def placed(self, record: TaskRecord, error: RunError) -> RunError:
        """Return the error with its task, and its cell counted as in the source."""
        cell = error.cell
        if cell is not None and record.notebook is not None:
            notebook = load_notebook(record.notebook)
            if notebook is not None:
                cell = source_index(notebook, cell)
        return replace(error, task=record.spec.name, cell=cell)

    def publish(self, record: TaskRecord, staging: Staging, made: Made) -> RunError | None:
        """Publish what was made; returns the error when it cannot be."""
        context, spec = self._context, record.spec
        extra = [(staging.tree / path, context.root / path) for path in made.undeclared]
        taken = [path for path in made.undeclared if self._is_product(context.root / path)]
        if taken:
            names = ", ".join(path.as_posix() for path in taken)
            return RunError(kind="ForeignProduct", message=f"the task wrote {names}, which another task makes")
        if made.undeclared:
            names = ", ".join(path.as_posix() for path in made.undeclared[:5])
            record.notices.append(
                Notice(
                    kind="undeclared_output", task=spec.name, message=f"wrote {names} beside its products without declaring it"
                )
            )
        quarantine = context.root / context.config.quarantine
        if staging.quarantine.is_dir():
            extra += [
                (path, quarantine / path.relative_to(staging.quarantine))
                for path in sorted(staging.quarantine.rglob("*.parquet"))
            ]
        try:
            outputs = made.outputs
            seen = observed_inputs(context.fingerprinter, record)
            record.notices += seen.notices
            fingerprint = {
                **record.recipe,
                **seen.fingerprint,
                "upstream": upstream_contents(self.contents, spec),
                "outputs": outputs,
                "contents": context.fingerprinter.contents(spec, recipe=record.recipe, outputs=outputs, run_id=context.run_id),
            }
            state = TaskState(run_id=context.run_id, audited=context.run_id, fingerprint=fingerprint)
            publish.publish(
                staging, root=context.root, extra=extra, state=(context.states.path(spec.name), context.states.document(state))
            )
        except (NbopsError, OSError) as error:
            return replace(describe(error), kind="NotPublished")
        record.fingerprint, record.last_success, record.published = fingerprint, context.run_id, True
        return None

    def staged_spec(self, spec: TaskSpec, staging: Staging) -> TaskSpec:
        """Return the task with its products where they are staged."""
        products = tuple(replace(p, path=staging.staged[p.key]) if p.key in staging.staged else p for p in spec.products)
        return replace(spec, products=products)

    def _is_product(self, path: Path) -> bool:
        if self._products is None:
            root = self._context.root
            self._products = frozenset((root / p.path).resolve() for item in self._records.values() for p in item.spec.products)
        return path in self._products

    def succeeded(self, record: TaskRecord) -> None:
        """Note a task whose products are published."""
        name = record.spec.name
        self.contents[name] = record.fingerprint["contents"]
        record.error = None
        try:
            self._context.runner.finished(name)
        except Exception as error:  # noqa: BLE001 - metadata or upload of the runner
            record.notices.append(
                Notice(kind="runner", task=name, message=f"published, but the runner's own notes failed: {error}")
            )
        unrun = [str(cell.index) for cell in record.cells if cell.status == "not_run"]
        if unrun:
            which = f"cell {unrun[0]}" if len(unrun) == 1 else f"cells {unrun[0]} to {unrun[-1]}"
            record.notices.append(
                Notice(kind="ended_early", task=name, message=f"the notebook ended itself; {which} did not run")
            )
        rows = sum(audit.dataset.rows or 0 for audit in record.audits)
        detail = duration(record.seconds or 0.0) + (f", {rows:,} rows" if record.audits else "")
        self.done(record, "succeeded", detail)

    def retry_or_fail(self, record: TaskRecord, staging: Staging) -> None:
        """Try again when the settings allow it, else keep what failed for inspection."""
        context, name, error = self._context, record.spec.name, record.error
        if error is not None and error.kind == EARLY_STOP:
            self.early_stop = f"{name}: {error.message}"
            record.reasons = (f"stopped the build here: {error.message}",)
            record.error = None
            shutil.rmtree(staging.folder, ignore_errors=True)
            self.done(record, "held", f"asked to stop here: {_first_line(error.message)}")
            return
        settings = context.config.for_task(name)
        if error is not None and error.kind not in _NOT_RETRIED and record.attempts <= (settings.retries or 0):
            delay = (settings.retry_delay or 0.0) * 2 ** (record.attempts - 1)
            context.progress.say(
                f"{name}: {error.kind}: {_first_line(error.message)}; trying again in {delay:g} s", colour="yellow"
            )
            record.notices.append(
                Notice(
                    kind="retry",
                    task=name,
                    message=f"attempt {record.attempts} failed: {error.kind}: {_first_line(error.message)}",
                )
            )
            self.retry_at[name] = time.monotonic() + delay
            return
        if not publish.is_decided(staging):
            publish.set_aside(staging, root=context.root, run_id=context.run_id)
        try:
            context.runner.failed(name)
        except Exception as hook:  # noqa: BLE001 - the user's hook must not hide the failure itself
            record.notices.append(Notice(kind="hook", task=name, message=f"on_failure raised {type(hook).__name__}: {hook}"))
        self.fail(record)

    def fail(self, record: TaskRecord) -> None:
        """Note a task that failed for good."""
        error = record.error
        self.done(record, "failed", f"{error.kind}: {_first_line(error.message)}" if error else "")

    def up_to_date(self, record: TaskRecord) -> None:
        """Note a task that need not run; what it published long ago may break its contract by now."""
        bad = blocking(record.audits, ())
        self._context.runner.skipped(record.spec.name)
        if bad:
            record.error = checks_failed(bad, published=True)
            self.fail(record)
            return
        record.reasons = record.reasons or (UP_TO_DATE,)
        self.done(record, "up_to_date", "")

    def passed_over(self, record: TaskRecord) -> None:
        """Note a task that the user did not ask for."""
        record.done, record.status = True, "not_selected"
        self._context.live.note(record.spec.name, "not_selected")
        self._ended(record.spec.name)

    def done(self, record: TaskRecord, status: TaskStatus, detail: str) -> None:
        """Note the end of a task, and tell the user."""
        record.status, record.done = status, True
        name = record.spec.name
        self._context.progress.task(self._position[name], len(self._records), name, status, detail)
        if record.published:
            self._context.profiles.offer(tuple(audit.dataset for audit in record.audits))
            self._context.tracing.offer(record, self._records)
        self._context.meanwhile.ended(record)
        self._context.ledger.changed()
        self._context.live.note(name, status)
        self._ended(name)


def _first_line(text: str) -> str:
    line = text.strip().splitlines()[0] if text.strip() else ""
    return line if len(line) <= 160 else line[:157] + "..."  # noqa: PLR2004 - a terminal's line


def utc_now() -> str:
    """Return now as ISO 8601 with milliseconds."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")[:-4] + "Z"
