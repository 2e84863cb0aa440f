"""JupyterLab: its start with nbops, and how soon the pipeline is seen."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.context import CONTESTANTS
from benchmarks.harness import CPU, MEMORY, Contestant, Experiment, Metric, SkippedError, execute
from benchmarks.project import Variant
from benchmarks.sections.noop import built

if TYPE_CHECKING:
    from benchmarks.context import Context

__all__ = ["MINUTES", "TITLE", "experiments"]

TITLE = "JupyterLab"
MINUTES = 6.0

START = Metric(key="start", label="until the server answers", unit="s")
FIRST = Metric(key="first", label="first status", unit="s", digits=3)
AGAIN = Metric(key="again", label="second status", unit="s", digits=3)
SIDEBAR = Metric(key="sidebar", label="from the click to the last task on the screen", unit="s", digits=3)

_OFF = {"nbops.lab": False, "ploomber": False, "ploomber_extension": False}
_WAYS: tuple[tuple[str, str, Mapping[str, bool]], ...] = (
    ("bare", "JupyterLab without nbops' and Ploomber's extensions", _OFF),
    ("nbops", "with nbops (which turns Ploomber's off)", {}),
    ("ploomber", "with Ploomber's extension instead", {**_OFF, "ploomber": True}),
)


def experiments(context: Context) -> Iterator[Experiment]:
    """Yield the server's start, and the status of a pipeline."""
    tasks = 4 if context.quick else 50
    variant = Variant(shape="chain", size=2 if context.quick else 8, attached=True)
    watched = Variant(shape="fan", size=tasks, attached=True)

    def run(project: Variant, extensions: Mapping[str, bool], *more: str) -> Callable[[int], Mapping[str, float]]:
        def once(_: int) -> Mapping[str, float]:
            command: list[str | Path] = [context.python, CONTESTANTS / "lab_server.py", str(dict(extensions)), *more]
            return execute(command, folder=built(context, project), environment=context.environment()).values()

        return once

    yield Experiment(
        key="lab.start",
        title="JupyterLab's server starts",
        about="From the command to the first answer; CPU and memory until it has stopped again. A pipeline of "
        f"{variant.size} notebooks is in its folder.",
        baseline="bare",
        contestants=[Contestant(key=key, label=label, run=run(variant, extensions)) for key, label, extensions in _WAYS],
        rounds=context.rounds_or(7),
        metrics=(START, CPU, MEMORY),
    )

    def seen(_: int) -> Mapping[str, float]:
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        if chromium is None:
            raise SkippedError("there is no chromium")
        return run(watched, {}, "--status", str(tasks), "--browser", chromium)(0)

    yield Experiment(
        key="lab.status",
        title=f"The state of a pipeline of {tasks} notebooks is seen",
        about="Asked of a server that has just started: the first status, and the second; or, in a browser with the page open, "
        "from the click on the sidebar until all tasks stand in it, which includes the first status.",
        baseline="server",
        contestants=[
            Contestant(key="server", label="asked without a browser", run=run(watched, {}, "--status", str(tasks))),
            Contestant(key="browser", label="and shown in Chromium", run=seen),
        ],
        rounds=context.rounds_or(5),
        metrics=(FIRST, AGAIN, SIDEBAR),
    )
