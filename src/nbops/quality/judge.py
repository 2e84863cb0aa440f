"""Measurements x checks -> verdicts. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbops.errors import PluginError
from nbops.model import Check, CheckResult, Measurement, MetricRequest, Verdict
from nbops.quality.plan import kind_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["holds_publication", "judge", "worst"]

_ORDER: tuple[Verdict, ...] = ("skipped", "passed", "warned", "errored", "failed")


def judge(checks: Iterable[Check], measurements: Mapping[MetricRequest, Measurement]) -> tuple[CheckResult, ...]:
    """Return each check's verdict, in their order. Nothing passes that was not measured."""
    return tuple(_judge(check, measurements) for check in checks)


def _judge(check: Check, measurements: Mapping[MetricRequest, Measurement]) -> CheckResult:
    try:
        kind = kind_of(check)
        asked = kind.requests(check)
        result = kind.judge(check, measurements)
    except PluginError as error:
        return CheckResult(check=check, verdict="errored", message=f"Could not be judged: {error}")
    except Exception as error:  # noqa: BLE001 - a plugin's fault must not end the run, nor pass
        return CheckResult(
            check=check, verdict="errored", message=f"Could not be judged: {type(error).__name__} in {check.metric!r}."
        )
    unmeasured = any(request not in measurements or measurements[request].error is not None for request in asked)
    if result.verdict == "passed" and unmeasured:
        # The promise does not hang on a plugin keeping it.
        return CheckResult(check=check, verdict="errored", message="Could not be measured, yet its check kind passed it.")
    return result


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the worst verdict; ``skipped`` of none. Failed is worse than errored, errored worse than warned.

    >>> worst(["passed", "errored", "warned"]), worst([])
    ('errored', 'skipped')
    """
    return max(verdicts, key=_ORDER.index, default="skipped")


def holds_publication(result: CheckResult) -> bool:
    """Whether a result keeps its dataset from being published: an error-severity check that failed or could not be measured."""
    return result.check.severity == "error" and result.verdict in {"failed", "errored"}
