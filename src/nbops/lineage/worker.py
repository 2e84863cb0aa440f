"""The process beside a build that analyses code: ``python -m nbops.lineage.worker FOLDER``.

Each line of its standard input is a number: ``FOLDER/<number>.request`` holds a pickled ``TaskCode``, and its lineage is put into
``FOLDER/<number>.result``. It ends with its input, so also when the build is gone. Both sides are the same version of the same
program, and the folder is the build's own.
"""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import sys
from pathlib import Path

from nbops.lineage.task import trace

__all__ = ["main"]

_NEW_OBJECTS = 50_000
"""Between two collections; code is analysed into many small things, most of which are needed to the end."""


def main(folder: Path) -> None:
    """Answer requests until there are no more."""
    with contextlib.suppress(OSError):
        os.nice(5)  # tasks come first
    sys.setrecursionlimit(10_000)
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, *gc.get_threshold()[1:])
    for line in sys.stdin:
        name = line.strip()
        if not name.isdigit():
            continue
        code = pickle.loads((folder / f"{name}.request").read_bytes())  # noqa: S301 - written by the build
        answer = folder / f"{name}.part"
        answer.write_bytes(pickle.dumps(trace(code)))
        answer.replace(folder / f"{name}.result")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
