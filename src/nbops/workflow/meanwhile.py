"""What the end of a build needs, done while the build would only wait for its tasks.

Nothing depends on it: what was not done by the end is done then, and what was done for a page that turns out different was
done in vain. A step is short, because tasks that end wait for it.
"""

from __future__ import annotations

import os
from collections import deque
from contextlib import nullcontext, suppress
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

from nbops.adapters.lean_imports import lean_imports, stand_ins
from nbops.record.figures import lifted
from nbops.record.notebook import dump_notebook
from nbops.workflow.assemble import task_run
from nbops.workflow.taskrecord import load_notebook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from nbops.pages.notebook import NotebookPages
    from nbops.record.scrub import Scrubber
    from nbops.workflow.personal import PersonalAhead
    from nbops.workflow.taskrecord import TaskRecord

__all__ = ["Meanwhile"]

_IMPORTS = (
    "nbformat.v4",
    "nbops.pages.notebook",
    "nbconvert.filters",
    "nbconvert.preprocessors",
    "nbconvert.exporters",
    "nbops.pages.contexts",
    "nbops.pages.render",
    "nbops.workflow.conclude",
    "numpy",  # what monitors and the search for personal values work with
    "wcwidth",  # for the table that Ploomber prints at the end
)
_MONITORS = (
    "nbops.history.index",
    "nbops.history.monitors.numbers",
    "nbops.history.monitors",
    "nbops.history.monitors.telling",
    "nbops.history.monitors.joint",
    "nbops.history.monitors.leaks",
    "nbops.history.monitors.stream",
    "nbops.history.monitors.courses",
)


_SPIN_VARIABLE, _SPIN_EXPONENT = "OPENBLAS_THREAD_TIMEOUT", "20"
"""numpy's BLAS starts threads, which turn round for 2 ** 26 cycles before they sleep: on a core that a task works on."""


def _load(name: str) -> None:
    before = os.environ.get(_SPIN_VARIABLE)
    os.environ.setdefault(_SPIN_VARIABLE, _SPIN_EXPONENT)  # read once, when the library is loaded
    try:
        with lean_imports() if stand_ins() else nullcontext():  # as the build began
            import_module(name)
    finally:
        if before is None:
            del os.environ[_SPIN_VARIABLE]


class Meanwhile:
    """Steps that are taken one at a time.

    Args:
        root: The project's root.
        reports: Its ``reports`` folder.
        scrubber: Makes what scrubs notebooks as it will be at the end, as far as that can be told; asked once.
        monitors: Whether monitors will look at the run.
    """

    def __init__(self, root: Path, reports: Path, *, scrubber: Callable[[], Scrubber], monitors: bool = True) -> None:
        self._root = root
        self._reports = reports
        self._make_scrubber = scrubber
        self._scrubber: Scrubber | None = None
        self._monitors = monitors
        self._personal: PersonalAhead | None = None
        self._steps: deque[Callable[[], object]] = deque()
        self._begun = False

    @property
    def pending(self) -> bool:
        """Whether there is something to do."""
        return bool(self._steps)

    def expect(self) -> None:
        """Load what pages are made with: a task is about to run."""
        if not self._begun:
            self._begun = True
            self._steps.extend(partial(_load, name) for name in _IMPORTS)
            self._steps.append(lambda: self._pages().load())
            self._steps.extend(partial(_load, name) for name in (_MONITORS if self._monitors else ()))
            self._steps.append(self._load_templates)

    def later(self, step: Callable[[], object]) -> None:
        """Add a step.

        Args:
            step: Does something that is remembered for the end.
        """
        self._steps.append(step)

    def first(self, step: Callable[[], object]) -> None:
        """Add a step that comes before all others."""
        self._steps.appendleft(step)

    def read_personal(self, personal: PersonalAhead) -> None:
        """Read the personal values of what tasks publish, too; these are searched for at the end."""
        if personal.columns:
            self._personal = personal
            self.later(personal.prepare)

    def ended(self, record: TaskRecord) -> None:
        """Make the notebook of a task that has come to its end into what its page will show."""
        if record.notebook is not None:
            self._steps.append(partial(self._foresee, record))
        if self._personal is not None:
            self._steps.append(partial(self._go_on, self._personal.read(record)))

    def _go_on(self, steps: Iterator[None]) -> None:
        for _ in steps:  # one step of them, and the others later
            self._steps.append(partial(self._go_on, steps))
            return

    def step(self) -> None:
        """Take the next step; what goes wrong in it is said at the end, where it is done again."""
        if self._steps:
            with suppress(Exception):
                self._steps.popleft()()

    def _load_templates(self) -> None:
        from nbops.pages.templating import BUILT, load_template  # noqa: PLC0415 - as below

        self._steps.extend(partial(load_template, name) for name in BUILT)

    def _pages(self) -> NotebookPages:
        from nbops.pages.notebook import NotebookPages  # noqa: PLC0415 - a build with nothing to do makes no such page

        return NotebookPages(self._reports)

    def _foresee(self, record: TaskRecord) -> None:
        notebook = load_notebook(record.notebook) if record.notebook is not None else None
        if notebook is None:
            return
        self._scrubber = self._scrubber or self._make_scrubber()
        scrubbed, figures = lifted(self._scrubber.notebook(notebook), up="../../../")
        task = task_run(record, root=self._root, notebook=None)
        self._pages().foresee(dump_notebook(scrubbed), task, figures=figures)
