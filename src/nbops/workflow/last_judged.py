"""What the last run said of data that is judged again, and why the two may say different things.

Rows that a run set aside are no longer in what it published, so a rule that they broke would pass there: the run's ``warned``
stands as long as data and contract are those that it judged. Where a verdict is another one than the run's, it is said why.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING

from nbops.errors import LedgerError
from nbops.model import CheckResult, Dataset, Notice, Quarantine, Run
from nbops.quality.hashing import content_hash
from nbops.quality.judge import worst
from nbops.quality.notes import noted_by
from nbops.quality.quarantine import broken
from nbops.record.store import loader, newest_ids, read_run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from nbops.quality.audited import Audit
    from nbops.workflow.recheck import Target

__all__ = ["LastJudged", "beside_last_run"]

_RUNS = 30
"""So many runs are looked through for the last one that judged a dataset."""
_NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class LastJudged:
    """Audits with what the last run knows of the same data."""

    audits: tuple[Audit, ...]
    remarks: tuple[Notice, ...]
    """Why a verdict is another one than the run's; the task is the dataset's."""


def beside_last_run(audits: Sequence[Audit], targets: Sequence[Target], *, reports: Path) -> LastJudged:
    """Hold audits of published data against the last run that judged each of the datasets.

    Args:
        audits: One for each target, by :func:`nbops.workflow.recheck.check_targets`.
        targets: What was judged.
        reports: The project's ``reports`` folder.

    Returns:
        The audits, in which a rule that rows broke which the run set aside is ``warned``, as in the run; and remarks.
    """
    runs = _Runs(reports)
    found: list[Audit] = []
    remarks: list[Notice] = []
    for audit, target in zip(audits, targets, strict=True):
        known = runs.last_with(target) if target.dataset.task else None
        if known is None:
            found.append(_with_what_a_run_would_do(audit, target))
            continue
        run, then = known
        stands = _is_what_was_judged(target, then)
        audit = _with_set_aside(audit, run, runs) if stands else audit  # noqa: PLW2901 - the one that goes on
        audit = _with_what_a_run_would_do(audit, target)  # noqa: PLW2901
        found.append(audit)
        remarks += [
            Notice(kind="run", message=text, task=target.dataset.task)
            for text in (*_why_different(audit, target, run, then, stands=stands), *_of_the_notebook(audit, run))
        ]
    return LastJudged(audits=tuple(found), remarks=tuple(remarks))


class _Runs:
    """The newest runs that have ended, each read once and not before it is asked for."""

    def __init__(self, reports: Path) -> None:
        self._reports = reports
        self._load = loader(reports)
        self._ids = tuple(islice(newest_ids(reports), _RUNS))
        self.get = lru_cache(maxsize=None)(self._read)

    def _read(self, run_id: str) -> Run | None:
        with suppress(LedgerError):
            return read_run(self._reports, run_id, load=self._load)
        return None

    def last_with(self, target: Target) -> tuple[Run, Dataset] | None:
        for run_id in self._ids:
            run = self.get(run_id)
            if run is None or run.status == "running":  # what it says of data waits for its end
                continue
            for dataset in run.datasets:
                if (dataset.name, dataset.path) == (target.dataset.name, target.dataset.final_path):
                    return run, dataset
        return None


def _is_what_was_judged(target: Target, then: Dataset) -> bool:
    """Whether a file and its contract are those that a run judged."""
    if target.contract is None or target.contract.hash != then.contract_hash or then.content_hash is None:
        return False
    try:
        return content_hash(target.dataset.path) == then.content_hash
    except OSError:
        return False


def _with_set_aside(audit: Audit, run: Run, runs: _Runs) -> Audit:
    """Let ``warned`` stand of rules that only rows broke which a run set aside; it keeps the finding."""
    name = audit.dataset.name
    then = {result.check.id: result for result in run.checks if result.check.dataset == name and noted_by(result) is None}
    results, entry = [], audit.quarantine
    for result in audit.results:
        before = then.get(result.check.id)
        aside = None
        if before is not None and before.verdict == "warned" and result.verdict == "passed" and result.check.quarantine:
            aside = _set_aside_in(runs.get(before.from_run or run.id), name, result.check.id)
        if before is None or aside is None:
            results.append(result)
            continue
        entry = aside
        results.append(
            replace(
                result,
                verdict="warned",
                observed=before.observed,
                failing_rows=before.failing_rows,
                examples=before.examples,
                message=before.message,
                from_run=before.from_run or run.id,
            )
        )
    verdict = worst(result.verdict for result in results)
    return replace(audit, dataset=replace(audit.dataset, verdict=verdict), results=tuple(results), quarantine=entry)


def _set_aside_in(run: Run | None, dataset: str, check: str) -> Quarantine | None:
    entries = run.quarantine if run is not None else ()
    return next((entry for entry in entries if entry.dataset == dataset and entry.reasons.get(check)), None)


def _with_what_a_run_would_do(audit: Audit, target: Target) -> Audit:
    """Say of rules whose rows are still there that a run does not fail of them but takes the rows out."""
    concerned = {result.check.id for result in broken(audit.results)} if not target.dataset.path.is_dir() else set()
    results = tuple(
        replace(result, message=f"{result.message} A run would set these rows aside in quarantine.".strip())
        if result.check.id in concerned and result.from_run is None
        else result
        for result in audit.results
    )
    return replace(audit, results=results)


def _why_different(audit: Audit, target: Target, run: Run, then: Dataset, *, stands: bool) -> Iterator[str]:
    """Yield a sentence where the verdict is another one than the run's."""
    now = audit.dataset
    if now.verdict == then.verdict:
        return
    said = f"{now.name}: run {run.id} said {then.verdict}."
    if not target.dataset.path.exists():
        yield f"{said} What it published is no longer there."
    elif not then.published:
        yield f"{said} It did not publish what it judged: the last good version is in place, and was judged here."
    elif target.contract is not None and target.contract.path != then.contract:
        yield f"{said} It judged by {then.contract or 'no contract'}, this is by {target.contract.path}."
    elif target.contract is not None and target.contract.hash != then.contract_hash:
        yield f"{said} The contract was changed since."
    elif not stands:
        yield f"{said} The data was changed since, by something else than a run."
    else:
        changed = _changed(audit.results, run)
        yield f"{said} Data and contract are the same; judged anew, with ages as of now: {changed or 'how it could be read'}."


def _changed(results: Sequence[CheckResult], run: Run) -> str:
    then = {(result.check.dataset, result.check.id): result.verdict for result in run.checks if noted_by(result) is None}
    found = [
        f"{result.check.id} ({then.get((result.check.dataset, result.check.id), 'not judged')}, now {result.verdict})"
        for result in results
        if then.get((result.check.dataset, result.check.id)) != result.verdict
    ]
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return ", ".join(found[:_NAMED]) + more


def _of_the_notebook(audit: Audit, run: Run) -> Iterator[str]:
    """Yield a sentence of checks that only the notebook can make, where any did not pass in the run."""
    name = audit.dataset.name
    bad = [
        result
        for result in run.checks
        if result.check.dataset == name and noted_by(result) is not None and result.verdict not in {"passed", "skipped"}
    ]
    if bad:
        named = ", ".join(f"{result.check.id} ({result.verdict})" for result in bad[:_NAMED])
        more = f" and {len(bad) - _NAMED} more" if len(bad) > _NAMED else ""
        yield f"{name}: made by the notebook while it runs, and not judged here: {named}{more} in run {run.id}."
