"""The plugin seams: what an implementation must have. Each has an entry-point group of the same purpose (see ``plugins``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbops.model import Check, CheckResult, Measurement, MetricRequest

__all__ = ["CheckKind"]


class CheckKind(Protocol):
    """A kind of check; group ``nbops.checks``. Called without arguments to make one, which must hold no state.

    ``requests`` says what must be measured, ``judge`` gives the verdict from it. Neither sees the data: a kind is a pure
    function, and what could not be measured reaches ``judge`` as a ``Measurement`` with ``error`` set.
    """

    def requests(self, check: Check) -> tuple[MetricRequest, ...]:
        """Return the measurements that the check needs. Equal requests of several checks are measured once."""
        ...

    def judge(self, check: Check, measurements: Mapping[MetricRequest, Measurement]) -> CheckResult:
        """Return the verdict. A measurement that is absent or has an error must give ``errored``, never ``passed``."""
        ...
