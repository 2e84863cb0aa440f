"""What a section gets: where to work, with which Python, and how large."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["CONTESTANTS", "Context"]

CONTESTANTS = Path(__file__).parent / "contestants"
"""Programs that run in measured processes."""

_KEPT = ("LANG", "LC_ALL", "TZ", "TMPDIR", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "LD_LIBRARY_PATH")
"""Of this process's environment; nothing else of the user's may change what is measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Settings of one call of the benchmarks."""

    work: Path
    """Scratch folder; environments and generated data in it are kept between calls."""
    python: Path
    """The interpreter of an environment that has nbops."""
    quick: bool
    rounds: int | None
    """Overrides the rounds of each experiment."""

    def rounds_or(self, usual: int, *, quick: int = 1) -> int:
        """Return how many rounds to run."""
        if self.rounds is not None:
            return self.rounds
        return quick if self.quick else usual

    def folder(self, name: str) -> Path:
        """Return a folder of the scratch folder, which is made."""
        path = self.work / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def environment(self, python: Path | None = None, **more: str) -> Mapping[str, str]:
        """Return the environment of a measured command.

        Args:
            python: The interpreter whose environment comes first on the path; nbops's own by default.
            more: Further variables.
        """
        home = self.folder("home")
        binaries = (python or self.python).parent
        return {
            **{name: os.environ[name] for name in _KEPT if name in os.environ},
            "HOME": str(home),
            "IPYTHONDIR": str(home / "ipython"),
            "JUPYTER_CONFIG_DIR": str(home / "jupyter-config"),
            "JUPYTER_DATA_DIR": str(home / "jupyter-data"),
            "JUPYTER_RUNTIME_DIR": str(home / "jupyter-runtime"),
            "PATH": os.pathsep.join([str(binaries), "/usr/local/bin", "/usr/bin", "/bin"]),
            "PYTHONHASHSEED": "0",
            "GIT_AUTHOR_NAME": "Benchmark",
            "GIT_AUTHOR_EMAIL": "benchmark@example.org",
            "GIT_COMMITTER_NAME": "Benchmark",
            "GIT_COMMITTER_EMAIL": "benchmark@example.org",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            **more,
        }

    def tool(self, name: str) -> Path:
        """Return the path of a command of nbops's environment."""
        return self.python.parent / name

    def has_command(self, *arguments: str) -> bool:
        """Tell whether ``nbops ARGUMENTS --help`` works."""
        return _has_command(self, arguments)

    def latest_run(self, root: Path) -> dict[str, Any]:
        """Return the last run that nbops recorded in a project, as ``nbops show --json`` prints it; empty when there is none."""
        done = self.unmeasured([self.tool("nbops"), "show", "--json"], folder=root)
        return dict(json.loads(done.stdout)) if done.stdout.startswith("{") else {}

    def unmeasured(self, command: Sequence[str | Path], *, folder: Path) -> subprocess.CompletedProcess[str]:
        """Run something that is not measured, however it ends."""
        return subprocess.run(
            [os.fspath(part) for part in command],
            cwd=folder,
            env=dict(self.environment()),
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )


@cache
def _has_command(context: Context, arguments: tuple[str, ...]) -> bool:
    return context.unmeasured([context.tool("nbops"), *arguments, "--help"], folder=context.work).returncode == 0


def default_python() -> Path:
    """Return the interpreter that runs this."""
    return Path(sys.executable)
