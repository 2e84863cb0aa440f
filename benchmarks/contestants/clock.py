"""Times the work apart from the imports, in the process itself. Only the standard library."""

from __future__ import annotations

import json
import os
import time
from typing import Any

__all__ = ["Clock"]


class Clock:
    """Started when it is made, which is after the imports."""

    def __init__(self) -> None:
        self._wall = time.perf_counter()
        self._cpu = _cpu()

    def report(self, **facts: Any) -> None:
        """Print what the work took, for the harness: seconds, and CPU seconds of this process and of those it waited for."""
        taken = {"work_seconds": time.perf_counter() - self._wall, "work_cpu": _cpu() - self._cpu}
        print(f"@@facts {json.dumps({**taken, **facts})}", flush=True)


def _cpu() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
