"""Environments of the peers: made once with uv (or pip) from ``peers/NAME.txt`` in the scratch folder, and kept there."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.harness import SkippedError, say

if TYPE_CHECKING:
    from benchmarks.context import Context

__all__ = ["environment_of", "versions_of"]

_LISTS = Path(__file__).parent / "peers"


def environment_of(context: Context, peer: str) -> Path:
    """Return the interpreter of a peer's environment, which is made when it is not there.

    Raises:
        SkippedError: It cannot be installed here.
    """
    return _environment(context.work / "environments", peer, context.quick)


@cache
def _environment(parent: Path, peer: str, quick: bool) -> Path:  # noqa: FBT001 - a cache key
    wanted = _LISTS / f"{peer}.txt"
    mark = hashlib.sha256(wanted.read_bytes() + sys.version.encode()).hexdigest()[:12]
    folder = parent / f"{peer}-{mark}"
    python = folder / "bin" / "python"
    if (folder / "complete").exists():
        return python
    if quick:
        raise SkippedError("not installed; the quick form installs nothing")
    say(f"  installing {peer} ...")
    shutil.rmtree(folder, ignore_errors=True)
    uv = shutil.which("uv")
    make = [uv, "venv", "--quiet", "--python", sys.executable, str(folder)] if uv else [sys.executable, "-m", "venv", str(folder)]
    pip = [uv, "pip", "install", "--quiet", "--python", str(python)] if uv else [str(python), "-m", "pip", "install", "--quiet"]
    for command in (make, [*pip, "--requirement", str(wanted)]):
        done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        if done.returncode:
            raise SkippedError(f"cannot be installed: {done.stderr.strip()[-500:]}")
    (folder / "complete").touch()
    return python


def versions_of(context: Context) -> dict[str, dict[str, str]]:
    """Return the versions of what each environment's list names (and of nbops's own), by environment."""
    found = {"nbops": _versions(context.python, _NBOPS)}
    for wanted in sorted(_LISTS.glob("*.txt")):
        try:
            python = _environment(context.work / "environments", wanted.stem, True)  # noqa: FBT003
        except SkippedError:
            continue
        found[wanted.stem] = _versions(python, _named(wanted))
    return found


_NBOPS = (
    "nbops",
    "ploomber",
    "ploomber-engine",
    "papermill",
    "nbclient",
    "ipykernel",
    "duckdb",
    "pandas",
    "pyarrow",
    "ydata-profiling",
)


def _named(wanted: Path) -> tuple[str, ...]:
    lines = (line.split("#")[0].strip() for line in wanted.read_text(encoding="utf-8").splitlines())
    return tuple(_name(line) for line in lines if line)


def _name(requirement: str) -> str:
    for place, letter in enumerate(requirement):
        if letter in "[<>=!~; ":
            return requirement[:place]
    return requirement


_PROGRAM = """
import json, sys
from importlib.metadata import PackageNotFoundError, version
found = {"python": sys.version.split()[0]}
for name in sys.argv[1:]:
    try:
        found[name] = version(name)
    except PackageNotFoundError:
        pass
print(json.dumps(found))
"""


def _versions(python: Path, names: tuple[str, ...]) -> dict[str, str]:
    done = subprocess.run([str(python), "-c", _PROGRAM, *names], capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))
