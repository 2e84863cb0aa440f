"""How much of a change is due to code and how much to data: each run's code on the other's data.

Of a measurement four values are known then, and the change is split by Shapley's value (L. S. Shapley, A Value for n-Person
Games, 1953): each side gets the mean of what it changes when it changes first and when it changes last. What both do only
together, the interaction, is halved by that, and said besides. Parameters count as data here: they are what a run was given.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nbops.errors import UnknownTarget
from nbops.workflow.expression import Measure, find_measure, measures_of
from nbops.workflow.rebuild_at import Rebuilt, inputs_of, rebuild

if TYPE_CHECKING:
    from pathlib import Path

    from nbops.contract.config import Config
    from nbops.model import Run

__all__ = ["Replayed", "Split", "replay", "split_of"]

_TOLD = 12
_KEPT = frozenset({"rowCount", "nullRate", "mean", "invalidRate", "distinctValues", "minimum", "maximum", "standardDeviation"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """A measurement's change, split."""

    measure: Measure
    neither: float
    """Code and data of before."""
    code: float | None
    """The code of now on the data of before; None where it made none."""
    data: float | None
    """The code of before on the data of now; None where it made none."""
    both: float
    """Code and data of now."""

    @property
    def change(self) -> float:
        """What is to be explained."""
        return self.both - self.neither

    @property
    def by_code(self) -> float | None:
        """What is due to code."""
        if self.code is None or self.data is None:
            return None
        return ((self.code - self.neither) + (self.both - self.data)) / 2

    @property
    def by_data(self) -> float | None:
        """What is due to data."""
        if self.code is None or self.data is None:
            return None
        return ((self.data - self.neither) + (self.both - self.code)) / 2

    @property
    def interaction(self) -> float | None:
        """What both do only together; half of it is in either part."""
        if self.code is None or self.data is None:
            return None
        return self.both - self.code - self.data + self.neither


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """Two runs, each one's code on the other's data."""

    before: Run
    after: Run
    splits: tuple[Split, ...]
    notes: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """The outcome in a sentence, by the measurement that moved the furthest; empty where there is none."""
        first = next((one for one in self.splits if one.by_code is not None and one.change), None)
        if first is None or first.by_code is None:
            return ""
        part = 100 * first.by_code / first.change
        return f"replayed: {part:.0f} % of the change of {first.measure} is due to code, {100 - part:.0f} % to data"


def replay(root: Path, config: Config, before: Run, after: Run, text: str | None = None) -> Replayed:
    """Build the code of each of two runs on the data of the other, elsewhere, and split what differs.

    Args:
        root: The project's root.
        config: The project's settings.
        before: The earlier run; its numbers stand for its code on its data.
        after: The later one.
        text: What is asked about, ``orders.amount.mean``, ``orders.amount``, ``orders``; else what moved the furthest.

    Raises:
        UnknownTarget: Nothing that both runs measured is called so.
        PipelineError: It cannot be built again.
    """
    old, new = measures_of(before), measures_of(after)
    common = sorted(old.keys() & new.keys(), key=str)
    wanted = find_measure(text, common, whole=False) if text is not None else tuple(common)
    if not wanted:
        raise UnknownTarget("the two runs measured nothing in common. `nbops runs` lists runs.")
    chosen = _chosen(wanted, old, new, named=text is not None)
    task = _task(chosen, after)
    code = rebuild(root, config, code=after, inputs=inputs_of(before), task=task)
    data = rebuild(root, config, code=before, inputs=inputs_of(after), task=task)
    return Replayed(
        before=before,
        after=after,
        splits=tuple(split_of(one, old, measures_of(code.run), measures_of(data.run), new) for one in chosen),
        notes=tuple(dict.fromkeys((*_notes(before, after), *code.notes, *data.notes, *_failed(code), *_failed(data)))),
    )


def split_of(
    measure: Measure,
    neither: dict[Measure, float],
    code: dict[Measure, float],
    data: dict[Measure, float],
    both: dict[Measure, float],
) -> Split:
    """Return the split of one measurement."""
    return Split(measure=measure, neither=neither[measure], code=code.get(measure), data=data.get(measure), both=both[measure])


def _chosen(wanted: Iterable[Measure], old: dict[Measure, float], new: dict[Measure, float], *, named: bool) -> list[Measure]:
    """Return what is told: what was named, else the main measurements that moved the furthest."""
    found = [one for one in wanted if named or one.metric in _KEPT]
    if named and len(found) > 1:
        found = [one for one in found if one.metric in _KEPT] or found
    found.sort(key=lambda one: (-_moved(old[one], new[one]), str(one)))
    moved = [one for one in found if old[one] != new[one]]
    return (moved or found)[:_TOLD]


def _moved(was: float, now: float) -> float:
    scale = max(abs(was), abs(now))
    return abs(now - was) / scale if scale and math.isfinite(scale) else 0.0


def _task(chosen: Sequence[Measure], run: Run) -> str | None:
    """Return the task up to which has to be built, where one is enough."""
    made = {item.name: item.task for item in run.datasets}
    tasks = {made[one.dataset] for one in chosen if one.dataset in made}
    return tasks.pop() if len(tasks) == 1 else None


def _notes(before: Run, after: Run) -> list[str]:
    one, other = (run.environment.packages if run.environment else {} for run in (before, after))
    changed = sorted(name for name in one.keys() & other.keys() if one[name] != other[name])
    if not changed:
        return []
    return [f"packages differ between the runs ({', '.join(changed[:5])}); both builds used those that are installed now"]


def _failed(rebuilt: Rebuilt) -> list[str]:
    return [f"in a build elsewhere {task.name} failed: {task.error.kind}" for task in rebuilt.run.tasks if task.error is not None]
