"""What a build cannot do without, and nothing else of it: ``floor_parts.py PART`` in a project of generated notebooks.

``load`` and ``load-lean`` import Ploomber (whole, and as ``nbops build`` does) and make the pipeline; ``run`` and ``run-lean``
then run its notebooks in forked kernels, one after the other or (``run 2``) as many at once; ``audits`` measures the datasets
that are there, ``profiles`` profiles them.
"""

from __future__ import annotations

import datetime as dt
import importlib
import json
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any


def leanly(*, lean: bool) -> Any:
    """Return what imports are made in."""
    lean_imports: Any = importlib.import_module("nbops.adapters.lean_imports").lean_imports
    return lean_imports() if lean else nullcontext()


def load(*, lean: bool) -> None:
    """Import Ploomber and make the pipeline of ``pipeline.yaml``."""
    with leanly(lean=lean):
        spec = importlib.import_module("ploomber.spec")
    tasks = json.loads(Path("plan.json").read_text(encoding="utf-8"))
    dag = spec.DAGSpec("pipeline.yaml").to_dag().render(show_progress=False)
    assert len(list(dag)) == len(tasks), list(dag)


def run(*, lean: bool) -> None:
    """Make the pipeline, then run its notebooks, each when what is upstream of it is done; tell how long these took."""
    if not lean:  # `ploomber build` cannot tell before that notebooks will run; `nbops build` can
        load(lean=False)
    with leanly(lean=lean):
        warm = importlib.import_module("warm_notebooks")
    warm.start()
    try:
        if lean:
            load(lean=True)
        began = time.perf_counter()
        warm.run_all(int(at_once[0]) if (at_once := sys.argv[2:]) else 1)
        print(f"@@facts {json.dumps({'tasks': time.perf_counter() - began})}", flush=True)
        assert warm.kernels.running(), "the kernels were not forked"
    finally:
        warm.kernels.stop()


def audits() -> None:
    """Measure every dataset as a run does, by its contract."""
    audit = importlib.import_module("nbops.quality.audit").audit
    contracts = importlib.import_module("nbops.contract.odcs").load_contracts(Path("contracts"), root=Path.cwd())
    now = dt.datetime(2025, 1, 1, tzinfo=dt.timezone.utc)
    for path in datasets():
        found = audit(
            path,
            name=path.stem,
            task=path.stem,
            final_path=f"output/{path.name}",
            contract=contracts[path.stem],
            references={},
            now=now,
            spread=True,
        ).dataset
        assert found.verdict == "passed", found


def profiles() -> None:
    """Profile every dataset, in a process of its own, as a run does; without the numbers that its audit has taken."""
    quality = importlib.import_module("nbops.quality.profile")
    requests = [
        quality.ProfileRequest(
            dataset=path.stem,
            data=path,
            format="parquet",
            output=Path("output", f"{path.stem}.html"),
            content_hash=path.stem,
        )
        for path in datasets()
    ]
    made = quality.profile_many(requests)
    assert all(result.status == "made" for result in made), made


def datasets() -> list[Path]:
    """Return the files that the notebooks have written."""
    found = sorted(Path.cwd().glob("output/*.parquet"))
    assert found, "nothing was built"
    return found


PARTS: dict[str, Any] = {
    "load": lambda: load(lean=False),
    "load-lean": lambda: load(lean=True),
    "run": lambda: run(lean=False),
    "run-lean": lambda: run(lean=True),
    "audits": audits,
    "profiles": profiles,
}

if __name__ == "__main__":
    PARTS[sys.argv[1]]()
